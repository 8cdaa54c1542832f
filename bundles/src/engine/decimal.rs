//! Exact decimal numbers: `digits × 10^exponent`. What comparing Rego numbers and reading
//! quantities needs, and no more.

use std::cmp::Ordering;
use std::iter;

/// An exact decimal number in normal form: no leading or trailing zero digit; zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// 0 to 9, the most significant first.
    digits: Vec<u8>,
    exponent: i64,
}

/// Exponents beyond this are refused, so that sums of them cannot overflow.
const MAX_EXPONENT: i64 = 1 << 40;

impl Decimal {
    /// Reads `[+-]digits[.digits][(e|E)[+-]digits]`, with digits on at least one side of the point:
    /// a superset of JSON that is also what Go's `big.Rat` reads.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, text) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let digits: Option<Vec<u8>> = whole
            .bytes()
            .chain(fraction.bytes())
            .map(|digit| digit.is_ascii_digit().then(|| digit - b'0'))
            .collect();
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        Some(Self::normal(negative, &digits?, exponent))
    }

    fn normal(negative: bool, digits: &[u8], exponent: i64) -> Self {
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        let digits = digits.get(leading..).unwrap_or_default();
        let trailing = digits.iter().rev().take_while(|digit| **digit == 0).count();
        let digits = digits.get(..digits.len() - trailing).unwrap_or_default();
        if digits.is_empty() {
            return Self {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            };
        }
        Self {
            negative,
            digits: digits.to_vec(),
            exponent: exponent.saturating_add_unsigned(trailing as u64),
        }
    }

    pub(super) fn is_negative(&self) -> bool {
        self.negative
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(super) fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// The digits and their exponent, without the sign.
    pub(super) fn parts(&self) -> (&[u8], i64) {
        (&self.digits, self.exponent)
    }

    /// How many digits the number has when written without an exponent, at most.
    pub(super) fn width(&self) -> u64 {
        self.digits.len() as u64 + self.exponent.unsigned_abs()
    }

    /// The exact product, by the school method: both factors are short here.
    pub(super) fn times(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.digits.len() + other.digits.len()];
        for (i, a) in self.digits.iter().rev().enumerate() {
            for (j, b) in other.digits.iter().rev().enumerate() {
                if let Some(sum) = product.get_mut(i + j) {
                    *sum += u32::from(*a) * u32::from(*b);
                }
            }
            carry(&mut product);
        }
        let digits: Vec<u8> = product
            .iter()
            .rev()
            .map(|digit| u8::try_from(*digit).unwrap_or(0))
            .collect();
        Self::normal(
            self.negative != other.negative,
            &digits,
            self.exponent.saturating_add(other.exponent),
        )
    }

    /// Written without an exponent and with exactly `places` digits after the point, rounded half
    /// away from zero (Go's `Rat.FloatString`, which keeps the sign of what rounds to zero). Ask [`Self::width`] before.
    pub(super) fn to_fixed(&self, places: usize) -> String {
        let shift = i64::try_from(places).unwrap_or(i64::MAX);
        let kept = self.exponent.saturating_add(shift);
        let mut digits = self.digits.clone();
        if kept >= 0 {
            digits.extend(iter::repeat_n(0, usize::try_from(kept).unwrap_or(0)));
        } else {
            let cut = usize::try_from(kept.unsigned_abs()).unwrap_or(usize::MAX);
            let keep = digits.len().saturating_sub(cut);
            let rounds_up = digits.len() >= cut && digits.get(keep).is_some_and(|digit| *digit >= 5);
            digits.truncate(keep);
            if rounds_up {
                increment(&mut digits);
            }
        }
        while digits.len() <= places {
            digits.insert(0, 0);
        }
        let mut text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        if places > 0 {
            text.insert(text.len() - places, '.');
        }
        if self.negative {
            text.insert(0, '-');
        }
        text
    }
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    text.parse()
        .ok()
        .filter(|exponent: &i64| exponent.abs() <= MAX_EXPONENT)
}

fn carry(digits: &mut [u32]) {
    let mut over = 0;
    for digit in digits {
        let sum = *digit + over;
        *digit = sum % 10;
        over = sum / 10;
    }
}

fn increment(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        let digits: Vec<u8> = value
            .unsigned_abs()
            .to_string()
            .bytes()
            .map(|digit| digit - b'0')
            .collect();
        Self::normal(value < 0, &digits, 0)
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        let digits: Vec<u8> = value.to_string().bytes().map(|digit| digit - b'0').collect();
        Self::normal(false, &digits, 0)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.sign(), other.sign()) {
            (-1, -1) => other.compare_magnitude(self),
            (1, 1) => self.compare_magnitude(other),
            (a, b) => a.cmp(&b),
        }
    }
}

impl Decimal {
    fn sign(&self) -> i8 {
        match (self.is_zero(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// In normal form the place of the first digit decides, then the digits.
    fn compare_magnitude(&self, other: &Self) -> Ordering {
        let place = |number: &Self| number.exponent.saturating_add_unsigned(number.digits.len() as u64);
        place(self)
            .cmp(&place(other))
            .then_with(|| self.digits.cmp(&other.digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn reads_numbers_and_nothing_else() {
        for text in ["0", "-0", "1.", ".5", "+3", "1e5", "1E-5", "00.10"] {
            assert!(Decimal::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            "1x",
            "0x10",
            " 1",
            "1e99999999999999",
            "1e--3",
            "5-3",
        ] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn rounds_half_away_from_zero() {
        for (text, places, fixed) in [
            ("0.5", 0, "1"),
            ("-0.5", 0, "-1"),
            ("0.49", 0, "0"),
            ("-0.004", 2, "-0.00"),
            ("0.005", 2, "0.01"),
            ("9.995", 2, "10.00"),
            ("12e3", 1, "12000.0"),
            ("1e-20", 10, "0.0000000000"),
            ("0", 2, "0.00"),
        ] {
            assert_eq!(decimal(text).to_fixed(places), fixed, "{text}");
        }
    }

    proptest! {
        #[test]
        fn multiplies_and_compares_like_integers(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000) {
            let (x, y) = (Decimal::from(a), Decimal::from(b));
            prop_assert_eq!(x.times(&y), Decimal::from(a * b));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.to_fixed(0), a.to_string());
        }
    }
}
