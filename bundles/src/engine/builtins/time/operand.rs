//! The operands of the time functions: instants with zone and layout, and whole numbers.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use num_bigint::BigUint;

use crate::engine::builtins::Failure;
use crate::engine::decimal::Decimal;
use crate::engine::term::{Number, Term};

/// Decimal places and characters of a timestamp with a fraction. Beyond 55 places OPA's own division is
/// no longer exact.
const MAX_PLACES: usize = 55;
/// The bits of a `big.Float` made from a text, and one more for half of its last place.
const HALF_PLACE: u64 = 65;

/// An instant as it is seen in a zone, and the layout to print it in.
pub(super) struct Moment {
    pub(super) instant: Timestamp,
    pub(super) zone: TimeZone,
    pub(super) layout: String,
}

impl Moment {
    /// Reads `ns`, `[ns]`, `[ns, zone]` or `[ns, zone, layout]`; further elements are ignored.
    pub(super) fn read(arguments: &[Term], index: usize) -> Result<Self, Failure> {
        let operand = arguments.get(index).ok_or(Failure::Undefined)?;
        let elements = match operand {
            Term::Array(elements) => elements.as_slice(),
            number => std::slice::from_ref(number),
        };
        let text = |index: usize| match elements.get(index) {
            Some(Term::String(text)) => Ok(text.as_str()),
            None => Ok(""),
            Some(_) => Err(Failure::Undefined),
        };
        let Some(Term::Number(number)) = elements.first() else {
            return Err(Failure::Undefined);
        };
        let (zone, layout) = (find_zone(text(1)?)?, text(2)?.to_owned());
        let instant = Timestamp::from_nanosecond(timestamp(number)?.into()).map_err(|_| Failure::Undefined)?;
        Ok(Self { instant, zone, layout })
    }

    /// Date and clock on the wall.
    pub(super) fn civil(&self) -> DateTime {
        self.zone.to_datetime(self.instant)
    }
}

/// The zone of an exact name of the database, with its capitals.
fn find_zone(name: &str) -> Result<TimeZone, Failure> {
    if matches!(name, "" | "UTC" | "Local") {
        return Ok(TimeZone::UTC);
    }
    TimeZoneDatabase::bundled()
        .get(name)
        .ok()
        .filter(|zone| zone.iana_name() == Some(name))
        .ok_or(Failure::Undefined)
}

/// A whole number of 64 bits as OPA's `builtins.IntOperand` reads it: at most 19 characters without
/// the sign, of which those after a point are zeros.
pub(super) fn integer(arguments: &[Term], index: usize) -> Result<i64, Failure> {
    let Some(Term::Number(number)) = arguments.get(index) else {
        return Err(Failure::Undefined);
    };
    let (whole, fraction) = number.text().split_once('.').unwrap_or((number.text(), ""));
    let unsigned = number.text().strip_prefix('-').unwrap_or(number.text());
    if unsigned.len() > 19 || fraction.bytes().any(|digit| digit != b'0') {
        return Err(Failure::Undefined);
    }
    whole.parse().map_err(|_| Failure::Undefined)
}

/// Nanoseconds since 1970. OPA rounds the text to a binary float of 64 bits first, so a fraction too
/// small for it is no fraction; any other one is undefined.
fn timestamp(number: &Number) -> Result<i64, Failure> {
    if let Ok(nanoseconds) = number.text().parse() {
        return Ok(nanoseconds);
    }
    let decimal = Decimal::parse(number.text()).ok_or(Failure::Undefined)?;
    let (digits, exponent) = decimal.parts();
    let places = exponent.min(0).unsigned_abs();
    if places > 0 && number.text().len().max(usize::try_from(places).unwrap_or(usize::MAX)) > MAX_PLACES {
        return Err(Failure::Limit(format!(
            "a timestamp with a fraction has more than {MAX_PLACES} characters or decimal places"
        )));
    }
    // Longer than any 64 bits, and so too big in OPA.
    let zeros = u32::try_from(exponent.max(0)).unwrap_or(u32::MAX);
    if zeros > 19 || digits.len() > 2 * MAX_PLACES {
        return Err(Failure::Undefined);
    }
    let ten = BigUint::from(10_u8);
    let digits = BigUint::from_radix_be(digits, 10).unwrap_or_default() * ten.pow(zeros);
    let scale = ten.pow(u32::try_from(places).unwrap_or_default());
    let whole = nearest_whole(&digits, &scale).ok_or(Failure::Undefined)?;
    let whole = i128::try_from(whole).map_err(|_| Failure::Undefined)?;
    i64::try_from(if decimal.is_negative() { -whole } else { whole }).map_err(|_| Failure::Undefined)
}

/// The whole number that `digits / scale` is, or becomes when rounded to a float of 64 bits, ties to even.
fn nearest_whole(digits: &BigUint, scale: &BigUint) -> Option<BigUint> {
    let (whole, rest) = (digits / scale, digits % scale);
    if rest == BigUint::ZERO {
        return Some(whole);
    }
    // The last place of the float is worth 2^(bits - 64); a whole number ends in a zero bit, so it wins ties.
    let shift = HALF_PLACE.checked_sub(whole.bits())?;
    let is_near = |distance: BigUint| (distance << shift) <= *scale;
    if whole != BigUint::ZERO && is_near(rest.clone()) {
        return Some(whole);
    }
    is_near(scale - rest).then_some(whole + 1_u8)
}
