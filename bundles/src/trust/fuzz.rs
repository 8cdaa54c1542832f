//! Ways in for the fuzz targets, which are a crate of their own (`bundles/fuzz`). Part of no other build.

use sigstore_verify::crypto::parse_certificate_info;
use sigstore_verify::types::DerCertificate;

use super::attestation::{self, predicate};
use super::authority::Leaf;
use super::identity::{Claim, Identity, IdentityRule, Rule};
use super::statement::{SIGNATURE_PREDICATE, Statement};
use crate::digest::Digest;
use crate::model::Manifest;

/// Whether a payload is a statement; everything that is asked of one is.
pub fn statement(payload: &[u8]) -> bool {
    let Ok(statement) = Statement::read(payload) else {
        return false;
    };
    let subject = statement.subject();
    let about = statement.is_about(&Digest::of(payload));
    assert!(about.is_err(), "nothing can name its own digest");
    if let Ok(subject) = subject {
        assert_eq!(statement.is_about(&subject), Ok(()));
    }
    let _ = statement.is_a(SIGNATURE_PREDICATE);
    let _ = predicate(payload, &mut attestation::CAPS.clone());
    true
}

/// How many files a payload lists, if it is a model's list.
pub fn model_manifest(payload: &[u8]) -> Option<usize> {
    Manifest::read(payload).ok().map(|manifest| manifest.files().len())
}

/// Whether a certificate can be read, by either of those who read them; whoever it names is compared with somebody.
pub fn certificate(der: &[u8]) -> bool {
    let info = parse_certificate_info(&DerCertificate::new(der.to_vec()));
    let identity = info.ok().as_ref().and_then(Identity::of);
    if let Some(identity) = &identity {
        let nobody = Rule::Exact("nobody".to_owned());
        let rule = IdentityRule {
            issuer: nobody.clone(),
            subject: nobody.clone(),
            claims: Claim::ALL.into_iter().map(|claim| (claim, nobody.clone())).collect(),
        };
        let _ = rule.fits(identity);
    }
    Leaf::read(der).is_ok() || identity.is_some()
}
