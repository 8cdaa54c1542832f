//! Doubles as Go prints them (`strconv.FormatFloat`), which `sprintf` builds on.

use std::fmt::Write as _;
use std::iter;

/// The number with its sign in front, always: `+1.5e+00`. `precision` is `None` for the shortest text
/// that reads back as the same number. `verb` is one of `e E f g G b x X`.
pub(super) fn format(value: f64, verb: char, precision: Option<usize>) -> String {
    let sign = if value.is_sign_negative() { '-' } else { '+' };
    let value = value.abs();
    let digits = match verb {
        'e' | 'E' => exponential(
            &Digits::of(value, precision.map(|p| p.saturating_add(1))),
            precision,
            verb,
        ),
        'f' => match precision {
            Some(places) => {
                // No double has more places, and `format!` panics beyond 16 bits of them.
                let exact = places.min(1074);
                format!("{value:.exact$}{}", "0".repeat(places - exact))
            }
            None => fixed(&Digits::of(value, None), None),
        },
        'b' => binary(value),
        'x' | 'X' => hexadecimal(value, precision, verb),
        _ => general(value, precision, verb),
    };
    format!("{sign}{digits}")
}

/// `0.d₁d₂… × 10^point`, without trailing zeros; zero has no digits.
struct Digits {
    digits: String,
    point: i32,
}

impl Digits {
    /// The shortest digits, or so many significant ones, correctly rounded.
    fn of(value: f64, significant: Option<usize>) -> Self {
        let text = match significant {
            // Beyond 800 digits every double is exact, and only zeros follow.
            Some(count) => format!("{value:.*e}", count.clamp(1, 801) - 1),
            None => shortest(value),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_end_matches('0').to_owned();
        let point = exponent.parse::<i32>().unwrap_or(0) + 1;
        Self {
            point: if digits.is_empty() { 0 } else { point },
            digits,
        }
    }

    fn count(&self) -> i32 {
        i32::try_from(self.digits.len()).unwrap_or(i32::MAX)
    }
}

/// Of the shortest texts that read back the same, the nearest; of two that are equally near the even
/// one, where Rust takes the other: 18765785178907.8125 is …812, not …813.
fn shortest(value: f64) -> String {
    let text = format!("{value:e}");
    let mantissa = text.split('e').next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let even = format!("{value:.*e}", digits.saturating_sub(1));
    if even.parse() == Ok(value) { even } else { text }
}

/// `%e`: `d.ddde±dd`.
fn exponential(number: &Digits, precision: Option<usize>, verb: char) -> String {
    let mut digits = number.digits.chars();
    let mut text = String::from(digits.next().unwrap_or('0'));
    let places = precision.unwrap_or_else(|| number.digits.len().saturating_sub(1));
    if places > 0 {
        text.push('.');
        text.extend(digits.chain(iter::repeat('0')).take(places));
    }
    let exponent = if number.digits.is_empty() { 0 } else { number.point - 1 };
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(text, "{verb}{sign}{:02}", exponent.abs());
    text
}

/// `%f` from digits that are enough.
fn fixed(number: &Digits, precision: Option<usize>) -> String {
    let point = usize::try_from(number.point).unwrap_or(0);
    let mut text: String = number.digits.chars().chain(iter::repeat('0')).take(point).collect();
    if text.is_empty() {
        text.push('0');
    }
    let leading = usize::try_from(-number.point).unwrap_or(0);
    let fraction = number.digits.get(point..).unwrap_or_default();
    let places = precision.unwrap_or(if fraction.is_empty() {
        0
    } else {
        leading + fraction.len()
    });
    if places > 0 {
        text.push('.');
        let zeros = iter::repeat_n('0', leading);
        text.extend(zeros.chain(fraction.chars()).chain(iter::repeat('0')).take(places));
    }
    text
}

/// `%g`: `%e` for exponents below -4 and from the precision on (6 for the shortest), else `%f`.
fn general(value: f64, precision: Option<usize>, verb: char) -> String {
    let number = Digits::of(value, precision.map(|precision| precision.max(1)));
    let (count, point) = (number.count(), number.point);
    let wanted = match precision {
        // Zero is looked at before a precision of 0 becomes 1.
        Some(precision) if value == 0.0 => i32::try_from(precision).unwrap_or(i32::MAX),
        Some(precision) => i32::try_from(precision.max(1)).unwrap_or(i32::MAX),
        None => count,
    };
    let threshold = match precision {
        None => 6,
        Some(_) if wanted > count && count >= point => count,
        Some(_) => wanted,
    };
    let exponent = point - 1;
    if exponent < -4 || exponent >= threshold {
        let places = usize::try_from(wanted.min(count) - 1).unwrap_or(0);
        let verb = if verb == 'G' { 'E' } else { 'e' };
        return exponential(&number, Some(places), verb);
    }
    let wanted = if wanted > point { count } else { wanted };
    fixed(&number, Some(usize::try_from(wanted - point).unwrap_or(0)))
}

/// The mantissa without its sign, with the hidden bit, and the exponent of its last bit.
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let biased = i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
    let mantissa = bits & ((1 << 52) - 1);
    match biased {
        0 => (mantissa, -1074),
        _ => (mantissa | 1 << 52, biased - 1075),
    }
}

/// `%b`: `4503599627370496p-52`.
fn binary(value: f64) -> String {
    let (mantissa, exponent) = parts(value);
    format!("{mantissa}p{exponent:+}")
}

/// `%x`: `0x1.8p+01`.
fn hexadecimal(value: f64, precision: Option<usize>, verb: char) -> String {
    const TOP: u64 = 1 << 60;
    let (mut mantissa, mut exponent) = parts(value);
    exponent = if mantissa == 0 { 0 } else { exponent + 52 };
    mantissa <<= 8;
    while mantissa != 0 && mantissa & TOP == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(places @ 0..15) = precision {
        let shift = places * 4;
        let extra = (mantissa << shift) & (TOP - 1);
        mantissa >>= 60 - shift;
        if extra | (mantissa & 1) > TOP >> 1 {
            mantissa += 1;
        }
        mantissa <<= 60 - shift;
        if mantissa & (TOP << 1) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let lead = mantissa >> 60 & 1;
    let fraction = format!("{:015x}", mantissa & (TOP - 1));
    let fraction: String = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(places) => fraction.chars().chain(iter::repeat('0')).take(places).collect(),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    let text = format!("0x{lead}{point}{fraction}p{sign}{:02}", exponent.abs());
    if verb == 'X' { text.to_uppercase() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_as_go_does() {
        for (value, verb, precision, want) in [
            (0.0, 'g', None, "+0"),
            (-0.0, 'g', None, "-0"),
            (1.5, 'g', None, "+1.5"),
            (100_000.0, 'g', None, "+100000"),
            (1_234_567.0, 'g', None, "+1.234567e+06"),
            (1e21, 'g', None, "+1e+21"),
            (1e-5, 'g', None, "+1e-05"),
            (0.0001, 'g', None, "+0.0001"),
            (123.456, 'g', Some(2), "+1.2e+02"),
            (123.456, 'G', Some(2), "+1.2E+02"),
            (100.0, 'g', Some(3), "+100"),
            (0.5, 'f', Some(0), "+0"),
            (2.5, 'f', Some(0), "+2"),
            (1.005, 'f', Some(2), "+1.00"),
            (1e100, 'e', Some(3), "+1.000e+100"),
            (1.0, 'b', None, "+4503599627370496p-52"),
            (1.0, 'x', None, "+0x1p+00"),
            (3.0, 'x', None, "+0x1.8p+01"),
            (0.1, 'x', Some(2), "+0x1.9ap-04"),
            (0.1, 'X', None, "+0X1.999999999999AP-04"),
        ] {
            assert_eq!(format(value, verb, precision), want, "%{precision:?}{verb} {value}");
        }
    }

    #[test]
    fn takes_any_precision() {
        let text = format(5e-324, 'f', Some(1_000_000));
        assert_eq!((text.len(), text.trim_end_matches('0').len()), (1_000_003, 1077));
    }

    proptest! {
        #[test]
        fn the_shortest_text_reads_back(value in prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL) {
            for verb in ['e', 'f', 'g'] {
                prop_assert_eq!(format(value, verb, None).parse::<f64>(), Ok(value));
            }
        }
    }
}
