//! The order go-yaml writes keys in: digits within keys count as numbers, letters come behind others.

use std::sync::LazyLock;

use regex::Regex;

/// Stable and without a panic, although the order is not transitive for all keys; Go's answer then
/// depends on the order in which it finds them.
pub(super) fn sort(names: &mut Vec<String>) {
    if names.len() < 2 {
        return;
    }
    let mut right = names.split_off(names.len() / 2);
    sort(names);
    sort(&mut right);
    let (mut left, mut right) = (
        std::mem::take(names).into_iter().peekable(),
        right.into_iter().peekable(),
    );
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if is_less(b, a) { right.next() } else { left.next() };
        names.extend(next);
    }
    names.extend(left);
    names.extend(right);
}

fn is_less(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let (Some(x), Some(y)) = (a.get(same), b.get(same)) else {
        return a.len() < b.len();
    };
    let before = a.get(..same).unwrap_or_default();
    match (is_letter(*x), is_letter(*y)) {
        (true, true) => return x < y,
        (false, false) => {}
        (is_letter, _) => {
            // Behind a digit a letter comes first.
            let after_digit = before.last().is_some_and(|c| is_digit(*c));
            return is_letter == after_digit;
        }
    }
    // Zeros inside a number are digits like others, in front of it they count nothing.
    let digits = before.iter().rev().take_while(|c| is_digit(**c));
    let inside = (*x == '0' || *y == '0') && digits.into_iter().any(|c| *c != '0');
    let [(x_value, x_length), (y_value, y_length)] =
        [&a, &b].map(|text| number(text.get(same..).unwrap_or_default(), i64::from(inside)));
    (x_value, x_length, x) < (y_value, y_length, y)
}

/// The digits at the beginning behind a first one: their value, wrapped as in Go, and how many there are.
fn number(text: &[char], first: i64) -> (i64, usize) {
    let digits = text.iter().take_while(|c| is_digit(**c));
    digits.fold((first, 0), |(value, count), c| {
        let digit = i64::from(u32::from(*c)) - i64::from(u32::from('0'));
        (value.wrapping_mul(10).wrapping_add(digit), count + 1)
    })
}

/// Go's classes are Unicode's categories, Rust's own are wider.
fn is_letter(c: char) -> bool {
    static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{L}$").ok());
    c.is_ascii_alphabetic() || (!c.is_ascii() && is_in(&LETTER, c))
}

fn is_digit(c: char) -> bool {
    static DIGIT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{Nd}$").ok());
    c.is_ascii_digit() || (!c.is_ascii() && is_in(&DIGIT, c))
}

fn is_in(class: &LazyLock<Option<Regex>>, c: char) -> bool {
    class
        .as_ref()
        .is_some_and(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}
