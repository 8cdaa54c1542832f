//! `hex.encode`, `hex.decode` and `base64url.encode_no_pad` (`v1/topdown/encoding.go`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Builtin, Context, Failure, builtin, string};
use crate::engine::term::Term;

pub(super) const TABLE: &[Builtin] = &[
    builtin("base64url.encode_no_pad", 1, base64url_encode_no_pad),
    builtin("hex.decode", 1, hex_decode),
    builtin("hex.encode", 1, hex_encode),
];

fn base64url_encode_no_pad(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    Ok(Term::String(URL_SAFE_NO_PAD.encode(string(arguments, 0)?)))
}

fn hex_encode(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let digits = string(arguments, 0)?.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    Ok(Term::String(digits.collect()))
}

/// Pairs of digits, upper or lower case.
fn hex_decode(_: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let pairs = string(arguments, 0)?.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs.map(|pair| hex_byte(*pair.first()?, *pair.get(1)?)).collect();
    utf8(bytes.ok_or(Failure::Undefined)?)
}

/// The byte that two hexadecimal digits stand for.
pub(super) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The bytes as a string. OPA's strings may be any bytes, those of this engine may not: a limit.
pub(super) fn utf8(bytes: Vec<u8>) -> Result<Term, Failure> {
    String::from_utf8(bytes).map(Term::String).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::Limit(format!("a decoded text is not UTF-8 from byte {at} on"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_utf8_is_a_limit() {
        assert_eq!(utf8(vec![0xc3, 0xa9]), Ok(Term::String("é".to_owned())));
        let limit = "a decoded text is not UTF-8 from byte 1 on".to_owned();
        assert_eq!(utf8(vec![b'a', 0xff]), Err(Failure::Limit(limit)));
    }
}
