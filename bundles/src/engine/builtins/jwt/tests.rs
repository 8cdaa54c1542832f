//! What has no recorded answer of OPA: its signatures of `ES*` and `PS*` are random, and limits are ours.
//! The recorded ones are in `testdata/builtins/jwt.cases.json`.

use super::*;

const HEADER: &str = r#"{"alg": "ES512"}"#;
/// The key of RFC 7515, A.4.
const KEY: &str = r#"{"kty": "EC", "crv": "P-521",
    "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    "d": "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C"}"#;

fn call(name: &str, arguments: &[Term]) -> Result<Term, Failure> {
    let context = Context {
        now: "2026-11-21T14:00:00Z".parse().unwrap(),
        regex_bytes: 0,
    };
    let builtin = TABLE.iter().find(|builtin| builtin.name == name).unwrap();
    (builtin.call)(&context, arguments)
}

fn term(text: &str) -> Term {
    Term::parse(text, 16).unwrap()
}

fn text(text: &str) -> Term {
    Term::String(text.to_owned())
}

fn limit(answer: Result<Term, Failure>) -> String {
    match answer {
        Err(Failure::Limit(detail)) => detail,
        other => panic!("no limit: {other:?}"),
    }
}

/// A token with this header and payload, and a signature that is none.
fn token(header: &str, payload: &str) -> Term {
    text(
        &[
            base64::encode(header.as_bytes()),
            base64::encode(payload.as_bytes()),
            "AAAA".to_owned(),
        ]
        .join("."),
    )
}

#[test]
fn signs_with_a_curve_the_same_way_every_time() {
    let sign = || call("io.jwt.encode_sign", &[term(HEADER), term("{}"), term(KEY)]).unwrap();
    let token = sign();
    assert_eq!(token, sign());
    let public = text(&KEY.replace("\"d\"", "\"other\""));
    for (name, verified) in [("io.jwt.verify_es512", true), ("io.jwt.verify_es256", false)] {
        let answer = call(name, &[token.clone(), public.clone()]);
        assert_eq!(answer, Ok(Term::Boolean(verified)), "{name}");
    }
}

/// RFC 6979, A.2.5: P-256 with SHA-256.
#[test]
fn takes_the_nonce_of_rfc_6979() {
    let private =
        num_bigint::BigUint::parse_bytes(b"C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", 16);
    let point = num_bigint::BigUint::parse_bytes(
        b"0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
          7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
        16,
    );
    let public = ecdsa::Public::new(ecdsa::Curve::P256, &point.unwrap().to_bytes_be());
    let signature = public
        .unwrap()
        .sign(&private.unwrap().to_bytes_be(), Hash::Sha256, b"sample")
        .unwrap();
    let expected = num_bigint::BigUint::parse_bytes(
        b"EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
          F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        16,
    );
    assert_eq!(signature, expected.unwrap().to_bytes_be());
}

#[test]
fn names_its_limits() {
    let deep = "[".repeat(300) + &"]".repeat(300);
    let modulus = base64::encode(&[0xff; 1025]);
    let large = format!(r#"{{"kty": "RSA", "n": "{modulus}", "e": "AQAB"}}"#);
    let one = r#"{"kty": "oct", "k": "AAAA"}, "#.repeat(65);
    let many = format!(r#"{{"keys": [{}]}}"#, one.trim_end_matches(", "));
    for (name, arguments, detail) in [
        ("io.jwt.decode", vec![token("{}", &deep)], "nested deeper than 256"),
        (
            "io.jwt.decode",
            vec![token("{}", &" ".repeat(2_000_000))],
            "at most 1048576",
        ),
        ("io.jwt.decode", vec![token(r#"{"cty": 5}"#, "{}")], "cty is 5"),
        (
            "io.jwt.verify_rs256",
            vec![token("{}", "{}"), text(&large)],
            "8200 bits",
        ),
        (
            "io.jwt.verify_rs256",
            vec![token("{}", "{}"), text(&many)],
            "more than 64 keys",
        ),
    ] {
        let said = limit(call(name, &arguments));
        assert!(said.contains(detail), "{said}");
    }
}
