//! What a Signer's specification says, in the words of the library that checks signatures. Pure.

use std::collections::BTreeMap;

use interlock_bundles::trust::{
    self, Claim, IdentityRule, KeyError, Means, Pattern, PatternError, PublicKey, Rule, TrustRoot,
};
use interlock_crds::Signer;
use interlock_crds::signer::{self, Demand, TextRule};
use kube::ResourceExt as _;

use crate::operator::registry::roots::RootProblem;

/// Why a Signer cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// Its key is refused.
    #[error(transparent)]
    Key(KeyError),
    /// It names nobody, or two at once.
    #[error("spec needs exactly one of publicKey and keyless")]
    Nobody,
    /// A part of an identity is missing, or given twice.
    #[error("{field} needs exactly one of exact and pattern, and neither may be empty")]
    Text {
        /// Which.
        field: String,
    },
    /// A pattern is none.
    #[error("{field}")]
    Pattern {
        /// Which.
        field: String,
        /// Why.
        #[source]
        source: PatternError,
    },
    /// A claim is none that Fulcio writes.
    #[error("{field}: no claim is called {name:?}; there are {}", known_claims())]
    Claim {
        /// Where.
        field: String,
        /// As given.
        name: String,
    },
    /// The TrustRoot is not there.
    #[error("there is no TrustRoot {name}: create it, or correct spec.keyless.trustRoot")]
    RootNotFound {
        /// Its name.
        name: String,
    },
    /// The TrustRoot cannot be used.
    #[error("TrustRoot {name}")]
    RootNotReady {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: RootProblem,
    },
    /// The TrustRoot vouches for nobody.
    #[error("TrustRoot {name} has no certificate authority with time left, so nobody can be named under it")]
    NoAuthority {
        /// Its name.
        name: String,
    },
}

impl Unusable {
    /// Stable word for conditions.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Key(_) => "KeyRejected",
            Self::Nobody | Self::Text { .. } | Self::Pattern { .. } | Self::Claim { .. } => "InvalidIdentity",
            Self::RootNotFound { .. } => "TrustRootNotFound",
            Self::RootNotReady { .. } | Self::NoAuthority { .. } => "TrustRootNotReady",
        }
    }

    /// Whether it may go away without a change of the Signer.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::RootNotFound { .. } => true,
            Self::RootNotReady { source, .. } => source.is_transient(),
            _ => false,
        }
    }
}

fn known_claims() -> String {
    Claim::ALL.map(Claim::as_str).join(", ")
}

/// Reads a Signer whose TrustRoot, if it names one, is `root`.
pub(super) fn read(signer: &Signer, root: Option<&TrustRoot>) -> Result<Vec<trust::Signer>, Unusable> {
    let name = signer.name_any();
    match (&signer.spec.public_key, &signer.spec.keyless, root) {
        (Some(key), None, _) => {
            let key = PublicKey::from_pem(&key.pem).map_err(Unusable::Key)?;
            Ok(vec![trust::Signer::with_key(name, key)])
        }
        (None, Some(keyless), Some(root)) if !keyless.identities.is_empty() => {
            let identities = keyless.identities.iter().enumerate();
            identities
                .map(|(number, identity)| {
                    let field = format!("spec.keyless.identities[{number}]");
                    let means = Means::Keyless(trust::Keyless {
                        identity: identity_rule(&field, identity)?,
                        root: root.clone(),
                        logged: keyless.transparency_log == Demand::Required,
                        certificate_logged: keyless.certificate_log == Demand::Required,
                    });
                    let name = name.clone();
                    Ok(trust::Signer::new(name, means))
                })
                .collect()
        }
        _ => Err(Unusable::Nobody),
    }
}

fn identity_rule(field: &str, identity: &signer::IdentityRule) -> Result<IdentityRule, Unusable> {
    let mut claims = BTreeMap::new();
    for (name, wanted) in &identity.claims {
        let field = format!("{field}.claims");
        let claim = Claim::ALL.into_iter().find(|claim| claim.as_str() == name);
        let Some(claim) = claim else {
            let name = name.clone();
            return Err(Unusable::Claim { field, name });
        };
        claims.insert(claim, rule(format!("{field}.{name}"), wanted)?);
    }
    Ok(IdentityRule {
        issuer: rule(format!("{field}.issuer"), &identity.issuer)?,
        subject: rule(format!("{field}.subject"), &identity.subject)?,
        claims,
    })
}

fn rule(field: String, wanted: &TextRule) -> Result<Rule, Unusable> {
    match (&wanted.exact, &wanted.pattern) {
        (Some(text), None) if !text.is_empty() => Ok(Rule::Exact(text.clone())),
        (None, Some(pattern)) => {
            let pattern = Pattern::new(pattern).map_err(|source| Unusable::Pattern {
                field: format!("{field}.pattern"),
                source,
            })?;
            Ok(Rule::Pattern(pattern))
        }
        _ => Err(Unusable::Text { field }),
    }
}

#[cfg(test)]
mod tests {
    use interlock_crds::SignerSpec;
    use serde_json::{Value, json};

    use super::*;

    const JSON: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../bundles/testdata/keyless/trusted_root.json"
    ));

    fn spec(spec: Value) -> Result<Vec<trust::Signer>, Unusable> {
        let spec: SignerSpec = serde_json::from_value(spec).unwrap();
        let root = TrustRoot::from_json(JSON).unwrap();
        read(&Signer::new("ci", spec), Some(&root))
    }

    fn identity(identity: &Value) -> Result<Vec<trust::Signer>, Unusable> {
        spec(json!({"keyless": {"trustRoot": "root", "identities": [identity]}}))
    }

    #[test]
    fn each_identity_is_one_of_the_signers_under_the_same_name() {
        let found = spec(json!({"keyless": {
            "trustRoot": "root", "certificateLog": "NotRequired",
            "identities": [
                {"issuer": {"exact": "https://i"}, "subject": {"exact": "a@b"}},
                {"issuer": {"pattern": "https://.+"}, "subject": {"pattern": ".+@b"},
                 "claims": {"sourceRepositoryRef": {"exact": "refs/heads/main"}}},
            ],
        }}))
        .unwrap();
        let keyless: Vec<_> = found
            .iter()
            .map(|one| match &one.means {
                Means::Keyless(keyless) if one.name == "ci" => keyless,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(keyless.len(), 2);
        assert!(keyless.iter().all(|one| one.logged && !one.certificate_logged));
        assert_eq!(keyless[0].identity.subject, Rule::Exact("a@b".to_owned()));
        assert_eq!(
            keyless[1].identity.subject,
            Rule::Pattern(Pattern::new(".+@b").unwrap())
        );
        assert_eq!(
            keyless[1].identity.claims,
            BTreeMap::from([(Claim::SourceRepositoryRef, Rule::Exact("refs/heads/main".to_owned()))])
        );
    }

    #[test]
    fn nothing_that_is_left_out_means_anybody() {
        let whole = json!({"issuer": {"exact": "https://i"}, "subject": {"exact": "a@b"}});
        assert!(identity(&whole).is_ok());
        for (pointer, bad, says) in [
            ("/issuer", json!({}), "identities[0].issuer needs exactly one of"),
            (
                "/subject",
                json!({"exact": ""}),
                "identities[0].subject needs exactly one of",
            ),
            (
                "/subject",
                json!({"exact": "a", "pattern": "a"}),
                "identities[0].subject needs",
            ),
            ("/subject", json!({"pattern": ".*"}), "identities[0].subject.pattern"),
            (
                "/subject",
                json!({"pattern": r"\Qa\E"}),
                "identities[0].subject.pattern",
            ),
        ] {
            let mut broken = whole.clone();
            *broken.pointer_mut(pointer).unwrap() = bad;
            let problem = identity(&broken).unwrap_err();
            assert_eq!((problem.reason(), problem.is_transient()), ("InvalidIdentity", false));
            assert!(problem.to_string().contains(says), "{problem}");
        }
        let mut claims = whole.clone();
        claims["claims"] = json!({"sourceRepositoryUri": {"exact": "x"}});
        let problem = identity(&claims).unwrap_err().to_string();
        assert!(
            problem.contains("no claim is called \"sourceRepositoryUri\""),
            "{problem}"
        );
        for nobody in [
            json!({}),
            json!({"keyless": {"trustRoot": "root", "identities": []}}),
            json!({"publicKey": {"pem": "x"}, "keyless": {"trustRoot": "root", "identities": [whole]}}),
        ] {
            assert_eq!(spec(nobody).unwrap_err().reason(), "InvalidIdentity");
        }
        for field in ["issuer", "subject"] {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(field);
            let less = json!({"keyless": {"trustRoot": "root", "identities": [less]}});
            assert!(serde_json::from_value::<SignerSpec>(less).is_err(), "{field}");
        }
    }

    #[test]
    fn another_root_makes_another_policy() {
        let signer = |json: &[u8]| {
            let spec = json!({"keyless": {"trustRoot": "root", "identities": [
                {"issuer": {"exact": "https://i"}, "subject": {"exact": "a@b"}}]}});
            let signer = Signer::new("ci", serde_json::from_value(spec).unwrap());
            read(&signer, Some(&TrustRoot::from_json(json).unwrap())).unwrap()
        };
        let other = include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bundles/testdata/keyless/other_root.json"
        ));
        assert_eq!(signer(JSON), signer(JSON));
        assert_ne!(signer(JSON), signer(other));
    }
}
