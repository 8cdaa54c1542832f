//! What a Signer's specification says, in the words of the library that checks signatures. Pure.

use std::collections::{BTreeMap, BTreeSet};

use interlock_bundles::trust::{
    self, AuthorityError, AuthorityRole, Claim, Demands, IdentityRule, Issued, KeyError, Keyed, Means, Pattern,
    PatternError, PublicKey, Rule, SignatureFormat, SigningTime, TrustRoot, Window,
};
use interlock_crds::Signer;
use interlock_crds::signer::{self, CertificateAuthority, Demand, Keyless, PublicKeySource, TextRule};
use kube::ResourceExt as _;

use crate::operator::registry::roots::{self, RootProblem};

/// Why a Signer cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// Its key is refused.
    #[error(transparent)]
    Key(KeyError),
    /// Its certificate authority is refused.
    #[error("spec.certificateAuthority")]
    Authority(#[source] AuthorityError),
    /// It names nobody, or two at once.
    #[error("spec needs exactly one of publicKey, keyless and certificateAuthority")]
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
    /// Something is demanded that only others can say, and none of them is named.
    #[error("{field} takes a trustRoot, whose logs and timestamp authorities say when a signature was made: name one")]
    NoRoot {
        /// What demands it.
        field: &'static str,
    },
    /// Something is demanded of others, and none of them is asked.
    #[error(
        "spec.certificateAuthority has signingTime: Issuance, which asks no log and no timestamp authority: leave trustRoot, transparencyLog and timestamp out, or signingTime"
    )]
    NobodyAsked,
    /// The TrustRoot is not there.
    #[error("there is no TrustRoot {name}: create it, or correct the Signer's trustRoot")]
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
    /// The TrustRoot has nobody whose word is taken.
    #[error(
        "TrustRoot {name} has no {missing}, and {field} takes its word: give it a trusted_root.json with one, or name another TrustRoot"
    )]
    NoAuthority {
        /// Its name.
        name: String,
        /// Who is missing.
        missing: &'static str,
        /// What takes their word.
        field: &'static str,
    },
}

impl Unusable {
    /// Stable word for conditions.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Key(_) => "KeyRejected",
            Self::Authority(error) => error.reason(),
            Self::Nobody
            | Self::Text { .. }
            | Self::Pattern { .. }
            | Self::Claim { .. }
            | Self::NoRoot { .. }
            | Self::NobodyAsked => "InvalidIdentity",
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
    let spec = &signer.spec;
    let root = spec.trust_root().zip(root);
    let means = match (&spec.public_key, &spec.keyless, &spec.certificate_authority) {
        (Some(key), None, None) => vec![Means::Key(keyed(key, root)?)],
        (None, Some(keyless), None) if !keyless.identities.is_empty() => without_key(keyless, root)?,
        (None, None, Some(authority)) if !authority.subjects.is_empty() => issued(authority, root)?,
        _ => return Err(Unusable::Nobody),
    };
    let formats = if spec.formats.is_empty() {
        SignatureFormat::usual()
    } else {
        spec.formats.iter().copied().map(format).collect()
    };
    let signers = means.into_iter().map(|means| trust::Signer {
        name: signer.name_any(),
        means,
        formats: BTreeSet::clone(&formats),
    });
    Ok(signers.collect())
}

fn format(format: signer::SignatureFormat) -> SignatureFormat {
    match format {
        signer::SignatureFormat::Bundle => SignatureFormat::Bundle,
        signer::SignatureFormat::OldBundle => SignatureFormat::OldBundle,
        signer::SignatureFormat::Legacy => SignatureFormat::Legacy,
    }
}

/// A TrustRoot with its name.
type Named<'a> = (&'a str, &'a TrustRoot);

fn keyed(source: &PublicKeySource, root: Option<Named<'_>>) -> Result<Keyed, Unusable> {
    let window = Window {
        start: source.not_before.as_ref().map(|time| time.0),
        end: source.not_after.as_ref().map(|time| time.0),
    };
    let key = PublicKey::from_pem(&source.pem).map_err(Unusable::Key)?;
    let wanted = [source.transparency_log, source.timestamp].map(|one| one.unwrap_or(Demand::NotRequired));
    let wanted = <(Demand, Demand)>::from(wanted);
    let demands = if wanted != NOTHING || window.is_bounded() {
        Some(demands("spec.publicKey", wanted, root)?)
    } else {
        None
    };
    Ok(Keyed { key, demands, window })
}

/// Neither a log entry nor a timestamp.
const NOTHING: (Demand, Demand) = (Demand::NotRequired, Demand::NotRequired);

/// What others must say of a signature: at least when it was made, and each if it is demanded.
fn demands(
    field: &'static str,
    (log, timestamp): (Demand, Demand),
    root: Option<Named<'_>>,
) -> Result<Demands, Unusable> {
    let (name, root) = root.ok_or(Unusable::NoRoot { field })?;
    let (logged, timestamped) = (log == Demand::Required, timestamp == Demand::Required);
    let has_log = roots::has(root, AuthorityRole::TransparencyLog);
    let has_authority = roots::has(root, AuthorityRole::TimestampAuthority);
    let missing = match (has_log, has_authority) {
        (false, false) => Some("transparency log or timestamp authority"),
        (false, true) if logged => Some("transparency log"),
        (true, false) if timestamped => Some("timestamp authority"),
        _ => None,
    };
    if let Some(missing) = missing {
        let name = name.to_owned();
        return Err(Unusable::NoAuthority { name, missing, field });
    }
    Ok(Demands {
        root: root.clone(),
        logged,
        timestamped,
    })
}

/// One for each identity.
fn without_key(keyless: &Keyless, root: Option<Named<'_>>) -> Result<Vec<Means>, Unusable> {
    let field = "spec.keyless";
    let (name, root) = root.ok_or(Unusable::NoRoot { field })?;
    if !roots::has(root, AuthorityRole::CertificateAuthority) {
        let (name, missing) = (name.to_owned(), "certificate authority");
        return Err(Unusable::NoAuthority { name, missing, field });
    }
    let identities = keyless.identities.iter().enumerate();
    identities
        .map(|(number, identity)| {
            Ok(Means::Keyless(trust::Keyless {
                identity: identity_rule(&format!("{field}.identities[{number}]"), identity)?,
                root: root.clone(),
                logged: keyless.transparency_log == Demand::Required,
                certificate_logged: keyless.certificate_log == Demand::Required,
            }))
        })
        .collect()
}

/// One for each subject.
fn issued(source: &CertificateAuthority, root: Option<Named<'_>>) -> Result<Vec<Means>, Unusable> {
    let field = "spec.certificateAuthority";
    let intermediates = source.intermediates.as_deref().unwrap_or_default();
    let authority = trust::CertificateAuthority::from_pem(&source.roots, intermediates).map_err(Unusable::Authority)?;
    let wanted = (source.transparency_log, source.timestamp);
    let time = match source.signing_time {
        signer::SigningTime::Trusted => SigningTime::Said(demands(field, wanted, root)?),
        signer::SigningTime::Issuance if wanted == NOTHING && source.trust_root.is_none() => SigningTime::Issuance,
        signer::SigningTime::Issuance => return Err(Unusable::NobodyAsked),
    };
    let subjects = source.subjects.iter().enumerate();
    subjects
        .map(|(number, subject)| {
            Ok(Means::Issued(Issued {
                authority: authority.clone(),
                subject: rule(format!("{field}.subjects[{number}]"), subject)?,
                time: time.clone(),
            }))
        })
        .collect()
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

    fn pem() -> &'static str {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bundles/testdata/trust/release.pub"
        ))
    }

    /// A key with these fields besides.
    fn key(more: &Value) -> Value {
        let mut key = json!({"pem": pem()});
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"publicKey": key})
    }

    #[test]
    fn a_key_demands_what_is_said_and_nothing_else() {
        let (none, both) = ("NotRequired", "Required");
        for (more, want) in [
            (json!({}), None),
            (
                json!({"trustRoot": "root", "transparencyLog": none, "timestamp": none}),
                None,
            ),
            (
                json!({"trustRoot": "root", "transparencyLog": both}),
                Some((true, false)),
            ),
            (json!({"trustRoot": "root", "timestamp": both}), Some((false, true))),
            (
                json!({"trustRoot": "root", "notBefore": "2026-01-31T00:00:00Z"}),
                Some((false, false)),
            ),
            (
                json!({"trustRoot": "root", "notAfter": "2026-01-31T02:00:00+02:00"}),
                Some((false, false)),
            ),
        ] {
            let found = spec(key(&more)).unwrap();
            let [
                trust::Signer {
                    means: Means::Key(keyed),
                    name,
                    ..
                },
            ] = &found[..]
            else {
                panic!("{found:?}")
            };
            let demands = keyed.demands.as_ref().map(|one| (one.logged, one.timestamped));
            assert_eq!((name.as_str(), demands), ("ci", want), "{more}");
            let moment = Some("2026-01-31T00:00:00Z".parse().unwrap());
            let window = Window {
                start: moment.filter(|_| more.get("notBefore").is_some()),
                end: moment.filter(|_| more.get("notAfter").is_some()),
            };
            assert_eq!(keyed.window, window, "{more}");
        }
    }

    #[test]
    fn what_is_demanded_of_a_key_takes_somebody_who_can_say_it() {
        for more in [
            json!({"transparencyLog": "Required"}),
            json!({"timestamp": "Required"}),
            json!({"notBefore": "2026-01-31T00:00:00Z"}),
            json!({"notAfter": "2026-01-31T00:00:00Z"}),
        ] {
            let problem = spec(key(&more)).unwrap_err();
            assert_eq!((problem.reason(), problem.is_transient()), ("InvalidIdentity", false));
            assert!(
                problem.to_string().starts_with("spec.publicKey takes a trustRoot"),
                "{problem}"
            );
        }
        let without = |fields: &[&str]| {
            let mut root: Value = serde_json::from_slice(JSON).unwrap();
            for field in fields {
                root[field] = json!([]);
            }
            TrustRoot::from_json(root.to_string().as_bytes()).unwrap()
        };
        let said = |more: Value, fields: &[&str]| {
            let mut key = key(&more);
            key["publicKey"]["trustRoot"] = json!("private");
            let signer = Signer::new("ci", serde_json::from_value(key).unwrap());
            read(&signer, Some(&without(fields)))
        };
        let (log, times) = ("tlogs", "timestampAuthorities");
        for (more, fields, missing) in [
            (json!({"transparencyLog": "Required"}), &[log][..], "transparency log"),
            (json!({"timestamp": "Required"}), &[times], "timestamp authority"),
            (
                json!({"notAfter": "2026-01-31T00:00:00Z"}),
                &[log, times],
                "transparency log or timestamp authority",
            ),
        ] {
            let problem = said(more, fields).unwrap_err();
            assert_eq!((problem.reason(), problem.is_transient()), ("TrustRootNotReady", false));
            let words = format!("TrustRoot private has no {missing}, and spec.publicKey takes its word");
            assert!(problem.to_string().starts_with(&words), "{problem}");
        }
        // Nobody has to issue certificates, and either will do to tell the time.
        let issuing = "certificateAuthorities";
        assert!(said(json!({"transparencyLog": "Required"}), &[issuing, times]).is_ok());
        for field in [log, times] {
            assert!(said(json!({"notAfter": "2026-01-31T00:00:00Z"}), &[field]).is_ok());
        }
    }

    /// An authority with these fields in the place of usual ones.
    fn authority(changed: &Value) -> Value {
        let roots = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../bundles/testdata/keyless/pki_root.pem"
        ));
        let mut authority = json!({"roots": roots, "subjects": [{"exact": "a@b"}], "trustRoot": "root"});
        let fields = authority.as_object_mut().unwrap();
        fields.extend(changed.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        json!({"certificateAuthority": authority})
    }

    #[test]
    fn each_subject_of_an_authority_is_one_of_the_signers_under_the_same_name() {
        for (changed, want) in [
            (json!({}), Some((false, false))),
            (json!({"transparencyLog": "Required"}), Some((true, false))),
            (
                json!({"timestamp": "Required", "signingTime": "Trusted"}),
                Some((false, true)),
            ),
            (json!({"signingTime": "Issuance", "trustRoot": null}), None),
        ] {
            let mut authority = authority(&changed);
            authority["certificateAuthority"]["subjects"] = json!([{"exact": "a@b"}, {"pattern": ".+@c"}]);
            let found = spec(authority).unwrap();
            assert_eq!(found.len(), 2);
            for (one, rule) in found.iter().zip(["a@b", ".+@c"]) {
                let Means::Issued(issued) = &one.means else {
                    panic!("{one:?}")
                };
                let demands = match &issued.time {
                    SigningTime::Said(demands) => Some((demands.logged, demands.timestamped)),
                    SigningTime::Issuance => None,
                    SigningTime::At(time) => panic!("{time}"),
                };
                assert_eq!((one.name.as_str(), demands), ("ci", want), "{changed}");
                assert!(issued.subject.to_string().contains(rule), "{}", issued.subject);
            }
        }
    }

    #[test]
    fn an_authority_is_believed_nothing_that_is_left_out() {
        let key = pem();
        for (changed, reason, says) in [
            (json!({"subjects": []}), "InvalidIdentity", "exactly one of publicKey"),
            (
                json!({"subjects": [{}]}),
                "InvalidIdentity",
                "subjects[0] needs exactly one of",
            ),
            (
                json!({"subjects": [{"pattern": ".*"}]}),
                "InvalidIdentity",
                "subjects[0].pattern",
            ),
            (json!({"trustRoot": null}), "InvalidIdentity", "takes a trustRoot"),
            (json!({"signingTime": "Issuance"}), "InvalidIdentity", "asks no log"),
            (
                json!({"signingTime": "Issuance", "trustRoot": null, "timestamp": "Required"}),
                "InvalidIdentity",
                "asks no log",
            ),
            (json!({"roots": key}), "UnusableAuthority", "spec.certificateAuthority"),
            (
                json!({"intermediates": "-----BEGIN PRIVATE KEY-----"}),
                "UnusableAuthority",
                "spec.certificateAuthority",
            ),
        ] {
            let problem = spec(authority(&changed)).unwrap_err();
            assert_eq!((problem.reason(), problem.is_transient()), (reason, false), "{changed}");
            assert!(problem.to_string().contains(says), "{changed}: {problem}");
        }
    }

    #[test]
    fn the_formats_that_are_named_count_and_where_none_is_the_usual_ones() {
        let formats = |formats: Value| {
            let mut signer = key(&json!({}));
            signer["formats"] = formats;
            spec(signer).unwrap().remove(0).formats
        };
        assert_eq!(spec(key(&json!({}))).unwrap()[0].formats, SignatureFormat::usual());
        assert_eq!(formats(json!(["Bundle"])), BTreeSet::from([SignatureFormat::Bundle]));
        assert_eq!(
            formats(json!(["Legacy", "OldBundle", "Bundle"])),
            SignatureFormat::ALL.into()
        );
    }

    #[test]
    fn nobody_is_named_under_a_root_that_issues_nothing() {
        let mut root: Value = serde_json::from_slice(JSON).unwrap();
        root["certificateAuthorities"] = json!([]);
        let root = TrustRoot::from_json(root.to_string().as_bytes()).unwrap();
        let spec = json!({"keyless": {"trustRoot": "root", "identities": [
            {"issuer": {"exact": "https://i"}, "subject": {"exact": "a@b"}}]}});
        let signer = Signer::new("ci", serde_json::from_value(spec).unwrap());
        let problem = read(&signer, Some(&root)).unwrap_err();
        assert_eq!(problem.reason(), "TrustRootNotReady");
        assert!(problem.to_string().contains("no certificate authority"), "{problem}");
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
