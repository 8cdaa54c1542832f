//! Distinguished names (`crypto/x509/pkix`) and the values of their attributes.

use super::der::{self, Bits, Der, Loose, Oid, SEQUENCE, SET};
use super::instant::Instant;
use super::json;
use crate::engine::term::Term;

const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const T61_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UTF8_STRING: u8 = 0x0c;
const BMP_STRING: u8 = 0x1e;

/// The attributes of a name, in order, without their grouping.
#[derive(Debug)]
pub(super) struct Name(Vec<Attribute>);

/// One attribute.
#[derive(Debug)]
pub(super) struct Attribute {
    kind: Oid,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Time(Instant),
    Other(Term),
}

impl Name {
    /// The name of a certificate: all values are strings.
    pub(super) fn strict(full: &[u8]) -> Option<Self> {
        let mut sequence = Der(full).nested(SEQUENCE)?;
        let mut attributes = Vec::new();
        while !sequence.is_empty() {
            let mut set = sequence.nested(SET)?;
            while !set.is_empty() {
                let mut pair = set.nested(SEQUENCE)?;
                let kind = pair.oid()?;
                let value = pair.any()?;
                let value = Value::Text(string(value.tag, value.content)??);
                attributes.push(Attribute { kind, value });
            }
        }
        Some(Self(attributes))
    }

    /// The name of a request.
    pub(super) fn loose(full: &[u8]) -> Option<Self> {
        let mut attributes = Vec::new();
        for set in Loose(full).nested(SEQUENCE)?.each(SET)? {
            for pair in set.each(SEQUENCE)? {
                attributes.push(Attribute::loose(pair)?);
            }
        }
        Some(Self(attributes))
    }

    /// Absent if a time in it cannot be printed.
    pub(super) fn to_term(&self) -> Option<Term> {
        let all = |number: u32| json::list(self.texts(number).map(|text| Term::String(text.to_owned())));
        let last = |number: u32| Term::String(self.texts(number).last().unwrap_or_default().to_owned());
        let names: Option<Vec<Term>> = self.0.iter().map(Attribute::to_term).collect();
        Some(json::object([
            ("Country", all(6)),
            ("Organization", all(10)),
            ("OrganizationalUnit", all(11)),
            ("Locality", all(7)),
            ("Province", all(8)),
            ("StreetAddress", all(9)),
            ("PostalCode", all(17)),
            ("SerialNumber", last(5)),
            ("CommonName", last(3)),
            ("Names", json::list(names?)),
            ("ExtraNames", Term::Null),
        ]))
    }

    /// The strings of the attribute `2.5.4.number`.
    fn texts(&self, number: u32) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(move |attribute| match &attribute.value {
            Value::Text(text) if attribute.kind.is(&[2, 5, 4, number]) => Some(text.as_str()),
            _ => None,
        })
    }
}

impl Attribute {
    /// From the content of its sequence, with a value of any type.
    pub(super) fn loose(mut pair: Loose<'_>) -> Option<Self> {
        let kind = pair.oid()?;
        let value = pair.any()?;
        let value = match value.tag {
            der::BOOLEAN => Value::Other(Term::Boolean(der::boolean(value.content)?)),
            der::INTEGER => Value::Other(json::integer(der::int64(value.content)?)),
            der::BIT_STRING => Value::Other(bits(&Bits::read(value.content)?)?),
            der::OBJECT_IDENTIFIER => Value::Other(json::oid(&Oid::read(value.content)?)),
            der::UTC_TIME => Value::Time(Instant::utc(value.content)?),
            der::GENERALIZED_TIME => Value::Time(Instant::generalized(value.content, true)?),
            der::OCTET_STRING => Value::Other(json::bytes(value.content)),
            tag => match string(tag, value.content) {
                Some(text) => Value::Text(text?),
                None => Value::Other(Term::Null),
            },
        };
        Some(Self { kind, value })
    }

    pub(super) fn to_term(&self) -> Option<Term> {
        let value = match &self.value {
            Value::Text(text) => Term::String(text.clone()),
            Value::Time(instant) => instant.to_term()?,
            Value::Other(term) => term.clone(),
        };
        Some(json::object([("Type", json::oid(&self.kind)), ("Value", value)]))
    }
}

fn bits(bits: &Bits<'_>) -> Option<Term> {
    Some(json::object([
        ("Bytes", json::bytes(bits.bytes)),
        ("BitLength", json::integer(i64::try_from(bits.length()).ok()?)),
    ]))
}

/// The text of a string of any type; outer `None` if the tag is not a string's.
#[expect(clippy::option_option, reason = "no string and a malformed one are two things")]
fn string(tag: u8, content: &[u8]) -> Option<Option<String>> {
    let only = |allowed: fn(u8) -> bool| {
        let sound = content.iter().all(|byte| allowed(*byte));
        sound.then(|| content.iter().copied().map(char::from).collect())
    };
    match tag {
        // T.61 is taken for Latin-1.
        T61_STRING => Some(only(|_| true)),
        PRINTABLE_STRING => Some(only(is_printable)),
        NUMERIC_STRING => Some(only(|byte| byte.is_ascii_digit() || byte == b' ')),
        IA5_STRING => Some(only(|byte| byte.is_ascii())),
        UTF8_STRING => Some(str::from_utf8(content).ok().map(str::to_owned)),
        BMP_STRING => Some(bmp(content)),
        _ => None,
    }
}

/// With `*` and `&`, which are not allowed and common.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(&byte)
}

/// Two bytes a character of the basic plane, except the reserved ones; a last zero does not count.
fn bmp(content: &[u8]) -> Option<String> {
    let content = content
        .strip_suffix(&[0, 0])
        .filter(|_| content.len().is_multiple_of(2))
        .unwrap_or(content);
    let (units, odd) = content.as_chunks::<2>();
    let character = |unit: &[u8; 2]| {
        let code = u16::from_be_bytes(*unit);
        let reserved = matches!(code, 0xfffe | 0xffff | 0xfdd0..=0xfdef);
        (!reserved).then(|| char::from_u32(code.into()))?
    };
    odd.is_empty().then(|| units.iter().map(character).collect())?
}
