//! `io.jwt.decode_verify`.

use super::algorithm::{Algorithm, Scheme};
use super::key::{Key, Rules};
use super::keys::{self, VerificationKey};
use super::token::{Fields, Header, Token, key, object};
use super::{Context, Failure, string};
use crate::engine::term::{Number, Term};

/// What the second argument asks for. Empty texts ask for nothing, except that a token for any audience
/// is refused without an `audience`.
struct Constraints {
    keys: Option<Vec<VerificationKey>>,
    secret: String,
    algorithm: String,
    issuer: String,
    audience: String,
    /// The instant to compare `exp` and `nbf` with, in seconds: that of the decision if none is given.
    time: Number,
}

/// `[true, header, payload]`, or `[false, {}, {}]` for a token that does not verify or not fit.
pub(super) fn decode_verify(context: &Context, arguments: &[Term]) -> Result<Term, Failure> {
    let constraints = Constraints::read(context, arguments.get(1))?;
    let opened = constraints.open(arguments)?;
    let fits = match &opened {
        Some((_, payload)) => constraints.claims(payload)?,
        None => false,
    };
    let (header, payload) = opened.filter(|_| fits).unwrap_or_default();
    Ok(Term::Array(vec![
        Term::Boolean(fits),
        Term::Object(header),
        Term::Object(payload),
    ]))
}

impl Constraints {
    fn read(context: &Context, argument: Option<&Term>) -> Result<Self, Failure> {
        let Some(Term::Object(fields)) = argument else {
            return Err(Failure::Undefined);
        };
        let mut constraints = Self {
            keys: None,
            secret: String::new(),
            algorithm: String::new(),
            issuer: String::new(),
            audience: String::new(),
            time: Number::from(0),
        };
        if !fields.contains_key(&key("time")) {
            constraints.time = seconds(&context.now.as_nanosecond().to_string())?;
        }
        for (name, value) in fields {
            let Term::String(name) = name else {
                return Err(crash("the name of a constraint", name));
            };
            match (name.as_str(), value) {
                ("cert", Term::String(text)) => constraints.keys = Some(keys::read(text)?),
                ("secret", Term::String(text)) => constraints.secret.clone_from(text),
                ("alg", Term::String(text)) => constraints.algorithm.clone_from(text),
                ("iss", Term::String(text)) => constraints.issuer.clone_from(text),
                ("aud", Term::String(text)) => constraints.audience.clone_from(text),
                ("time", Term::Number(number)) => constraints.time = seconds(number.text())?,
                _ => return Err(Failure::Undefined),
            }
        }
        if constraints.keys.is_some() == constraints.secret.is_empty() {
            Ok(constraints)
        } else {
            Err(Failure::Undefined)
        }
    }

    /// Verifies the token and those inside of it; the header and the payload of the innermost.
    fn open(&self, arguments: &[Term]) -> Result<Option<(Fields, Fields)>, Failure> {
        let mut text = string(arguments, 0)?.as_bytes().to_vec();
        // Every round takes at least a quarter of the text away.
        loop {
            let token = Token::split(&text)?;
            let fields = token.header()?;
            let header = Header::read(&fields)?;
            let is_wanted = self.algorithm.is_empty() || self.algorithm == header.algorithm;
            if !header.is_valid() || !is_wanted {
                return Ok(None);
            }
            let signature = token.signature()?;
            if !self.verify(&header, &token, &signature)? {
                return Ok(None);
            }
            let payload = token.payload()?;
            if !header.content_type.eq_ignore_ascii_case("JWT") {
                return Ok(Some((fields, object(&payload)?)));
            }
            text = payload;
        }
    }

    fn verify(&self, header: &Header, token: &Token, signature: &[u8]) -> Result<bool, Failure> {
        let Some(algorithm) = Algorithm::of_token(&header.algorithm) else {
            return Ok(false);
        };
        match &self.keys {
            Some(keys) => keys::verify(keys, header, algorithm, Rules::Constraint, token, signature),
            None if algorithm.scheme == Scheme::Hmac => Key::Secret(self.secret.as_bytes().to_vec()).verify(
                algorithm,
                Rules::Constraint,
                &token.message(),
                signature,
            ),
            None => Ok(false),
        }
    }

    /// Checks the registered claims of RFC 7519, 4.1.
    fn claims(&self, payload: &Fields) -> Result<bool, Failure> {
        if !self.issuer.is_empty() {
            match payload.get(&key("iss")) {
                Some(Term::String(issuer)) if *issuer == self.issuer => {}
                Some(Term::String(_)) | None => return Ok(false),
                Some(other) => return Err(crash("the claim iss", other)),
            }
        }
        let is_ours = |audience: &Term| matches!(audience, Term::String(text) if *text == self.audience);
        let fits = match payload.get(&key("aud")) {
            None => self.audience.is_empty(),
            Some(Term::Array(audiences)) => audiences.iter().any(is_ours),
            Some(audience) => is_ours(audience),
        };
        // As in OPA, a claim of the wrong type is an error only if the claims before it fit.
        Ok(fits
            && instant(payload, "exp")?.is_none_or(|expiry| self.time < *expiry)
            && instant(payload, "nbf")?.is_none_or(|start| self.time >= *start))
    }
}

fn instant<'a>(payload: &'a Fields, claim: &str) -> Result<Option<&'a Number>, Failure> {
    match payload.get(&key(claim)) {
        None => Ok(None),
        Some(Term::Number(number)) => Ok(Some(number)),
        Some(_) => Err(Failure::Undefined),
    }
}

/// Nanoseconds as seconds, through doubles as in OPA; undefined for a negative or huge number.
fn seconds(nanoseconds: &str) -> Result<Number, Failure> {
    let nanoseconds: f64 = nanoseconds.parse().map_err(|_| Failure::Undefined)?;
    if nanoseconds < 0.0 || nanoseconds.is_infinite() {
        return Err(Failure::Undefined);
    }
    Number::parse(&format!("{:e}", nanoseconds / 1e9)).ok_or(Failure::Undefined)
}

/// Where OPA's process panics there is no answer to give.
pub(super) fn crash(what: &str, value: &Term) -> Failure {
    Failure::Limit(format!("{what} is {}; it must be a string", value.to_rego()))
}
