//! Which artifacts of a workload must be signed, and what the answers come to: pure and total.
//!
//! ```text
//! dossier ──demands──▶ what to ask ──(evidence, collected ahead)──▶ fill ──▶ dossier ──report──▶ conditions, list
//! ```

mod age;
mod pull_secrets;
mod reference;
mod report;

use std::collections::BTreeMap;

use interlock_bundles::reference::{Reference, ReferenceError};
use interlock_crds::track::ArtifactSigners;

pub use self::age::expire;
pub use self::pull_secrets::pull_secrets;
pub use self::reference::of_image;
pub use self::report::{Report, report};
use crate::dossier::{Attestations, Dossier, Image, Location, Model, Signature, Source, Unavailable};

/// Whose signatures an artifact needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// `signedBy.images` says.
    Image,
    /// `signedBy.models` says.
    Model,
}

impl Role {
    /// Where a track says whose.
    pub fn field(self) -> &'static str {
        match self {
            Self::Image => "spec.signedBy.images",
            Self::Model => "spec.signedBy.models",
        }
    }
}

/// One artifact to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Whose signatures it needs.
    pub role: Role,
    /// As the workload names it.
    pub name: String,
    /// Where that leads.
    pub reference: Reference,
}

/// What was found out about one artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Of its signatures.
    pub signature: Signature,
    /// Of its attestations, one for each type that the track names.
    pub attestations: Vec<Attestations>,
}

/// Answers to demands, by role and name.
pub type Answers = BTreeMap<(Role, String), Answer>;

/// Every artifact that must be signed and that a registry can be asked about, each once.
pub fn demands(dossier: &Dossier, signers: &ArtifactSigners) -> Vec<Demand> {
    let images = dossier.images.iter().filter_map(|image| {
        let role = role_of_image(dossier, signers, image)?;
        Some((role, image.reference.as_deref()?))
    });
    let models = dossier.models.iter().filter_map(|model| {
        let role = role_of_model(signers)?;
        Some((role, model.reference.as_deref()?))
    });
    let mut found = BTreeMap::new();
    for (role, name) in images.chain(models) {
        if let Ok(reference) = of_image(name) {
            found.insert((role, name.to_owned()), reference);
        }
    }
    let demand = |((role, name), reference)| Demand { role, name, reference };
    found.into_iter().map(demand).collect()
}

const NOT_ASKED: (&str, &str) = ("NotAskedYet", "the registry was not asked yet");

/// Writes what was found out into the dossier.
pub fn fill(dossier: &mut Dossier, signers: &ArtifactSigners, answers: &Answers) {
    let images: Vec<_> = dossier
        .images
        .iter()
        .map(|image| {
            let role = role_of_image(dossier, signers, image);
            let unnamed = || unnamed(image);
            told(signers, answers, role, image.reference.as_deref(), unnamed)
        })
        .collect();
    let models: Vec<_> = dossier
        .models
        .iter()
        .map(|model| {
            let elsewhere = || elsewhere(model);
            told(
                signers,
                answers,
                role_of_model(signers),
                model.reference.as_deref(),
                elsewhere,
            )
        })
        .collect();
    for (image, answer) in dossier.images.iter_mut().zip(images) {
        (image.signature, image.attestations) = (answer.signature, answer.attestations);
    }
    for (model, answer) in dossier.models.iter_mut().zip(models) {
        (model.signature, model.attestations) = (answer.signature, answer.attestations);
    }
}

/// What to say of one artifact; `nowhere` where no registry can be asked about it.
fn told(
    signers: &ArtifactSigners,
    answers: &Answers,
    role: Option<Role>,
    name: Option<&str>,
    nowhere: impl FnOnce() -> Signature,
) -> Answer {
    let Some(role) = role else {
        return Answer {
            signature: Signature::NotRequired,
            attestations: Vec::new(),
        };
    };
    let Some(name) = name else {
        return without_attestations(signers, nowhere());
    };
    match (of_image(name), answers.get(&(role, name.to_owned()))) {
        (Err(error), _) => without_attestations(signers, unreadable(&error)),
        (Ok(_), Some(answer)) => answer.clone(),
        // Whoever fills asks all demands before.
        (Ok(_), None) => {
            let unasked = unavailable(NOT_ASKED.0, NOT_ASKED.1.to_owned());
            without_attestations(signers, unasked)
        }
    }
}

/// The answer where no registry can say anything: what is attested is not known then, whatever the signature is.
pub fn without_attestations(signers: &ArtifactSigners, signature: Signature) -> Answer {
    let (reason, message) = signature.problem().unwrap_or(NOT_ASKED);
    let why = Unavailable {
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    let attestations = signers.attestations.iter().map(|one| Attestations {
        predicate_type: one.predicate_type.clone(),
        found: Source::Unavailable(why.clone()),
    });
    Answer {
        attestations: attestations.collect(),
        signature,
    }
}

/// Whose signatures an image needs. An image volume is data: it counts as a model where the track says who signs
/// models.
fn role_of_image(dossier: &Dossier, signers: &ArtifactSigners, image: &Image) -> Option<Role> {
    let is_model = dossier.models.iter().any(|model| model.path == image.path);
    match (is_model, &signers.images, &signers.models) {
        (true, _, Some(_)) => Some(Role::Model),
        (_, Some(_), _) => Some(Role::Image),
        _ => None,
    }
}

fn role_of_model(signers: &ArtifactSigners) -> Option<Role> {
    signers.models.as_ref().map(|_| Role::Model)
}

/// No registry can be asked about it. A container runtime may still find a way to run it, so it is not known.
fn unreadable(error: &ReferenceError) -> Signature {
    unavailable("InvalidReference", error.to_string())
}

fn unnamed(image: &Image) -> Signature {
    let by = image.chosen_by.as_deref().unwrap_or("something else");
    unavailable(
        "ImageNotNamed",
        format!("{by} chooses this image: name it by digest in the object itself to have its signature checked"),
    )
}

/// A model that is no OCI artifact.
fn elsewhere(model: &Model) -> Signature {
    match model.location {
        Location::Mutable => Signature::Rejected {
            digest: None,
            reason: "MutableLocation".to_owned(),
            message: format!(
                "what {} leads to can change, and nobody can sign it: publish the model as an OCI artifact, sign it, and write oci://NAME@sha256:…",
                model.uri
            ),
            checks_failed: Vec::new(),
        },
        Location::Pinned | Location::Unsupported => unavailable(
            "UnsupportedLocation",
            format!(
                "signatures are checked for OCI artifacts only, and {} is none: publish the model as one, and write oci://NAME@sha256:…",
                model.uri
            ),
        ),
    }
}

fn unavailable(reason: &str, message: String) -> Signature {
    Signature::Unavailable(Unavailable {
        reason: reason.to_owned(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use interlock_crds::bundle::SignedBy;
    use interlock_crds::track::AttestationSigners;
    use serde_json::json;

    use super::*;
    use crate::dossier::{Attested, NamespaceFact, Related};

    fn by(name: &str) -> SignedBy {
        SignedBy::any_of(vec![name.to_owned()])
    }

    fn signers(images: bool, models: bool) -> ArtifactSigners {
        ArtifactSigners {
            images: images.then(|| by("i")),
            models: models.then(|| by("m")),
            attestations: Vec::new(),
        }
    }

    /// A Pod with two containers of one image, an init container without a registry, an image volume and an image
    /// that is no reference.
    fn pod() -> Dossier {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "a", "image": "r.example/app:1"}, {"name": "b", "image": "r.example/app:1"}, {"name": "c", "image": "R//x"}],
            "initContainers": [{"name": "i", "image": "busybox"}],
            "volumes": [{"name": "m", "image": {"reference": "r.example/model:1"}}],
        }});
        let related = |_: &_, _: &_| Related::unavailable(&Unavailable::needs_cluster("they"));
        Dossier::build(&object, Source::Complete(NamespaceFact::default()), related).unwrap()
    }

    #[test]
    fn every_artifact_is_asked_about_once_and_volumes_as_models() {
        for (images, models, want) in [
            (false, false, vec![]),
            (
                true,
                false,
                vec!["Image busybox", "Image r.example/app:1", "Image r.example/model:1"],
            ),
            (false, true, vec!["Model r.example/model:1"]),
            (
                true,
                true,
                vec!["Image busybox", "Image r.example/app:1", "Model r.example/model:1"],
            ),
        ] {
            let found = demands(&pod(), &signers(images, models));
            let found: Vec<_> = found.iter().map(|one| format!("{:?} {}", one.role, one.name)).collect();
            assert_eq!(found, want, "{images} {models}");
        }
    }

    #[test]
    fn without_signers_a_dossier_stays_as_it_is() {
        let mut dossier = pod();
        fill(&mut dossier, &signers(false, false), &Answers::new());
        assert_eq!(dossier.digest(), pod().digest());
    }

    #[test]
    fn every_image_gets_an_answer_and_none_that_nobody_gave() {
        let mut dossier = pod();
        let verified = Signature::Verified {
            digest: "sha256:a".to_owned(),
            signers: vec!["i".to_owned()],
            formats: Vec::new(),
        };
        let items = Attested::default();
        let attestations = vec![Attestations {
            predicate_type: "https://example.com/t".to_owned(),
            found: Source::Complete(items),
        }];
        let answer = Answer {
            signature: verified,
            attestations: attestations.clone(),
        };
        let answers = Answers::from([((Role::Image, "r.example/app:1".to_owned()), answer)]);
        let mut signers = signers(true, true);
        signers.attestations.push(AttestationSigners {
            predicate_type: "https://example.com/t".to_owned(),
            signers: vec!["i".to_owned()],
            max_age: None,
        });
        fill(&mut dossier, &signers, &answers);
        assert_eq!(dossier.images[0].attestations, attestations);
        let not_known = [&dossier.images[2].attestations, &dossier.models[0].attestations];
        let reasons = not_known.map(|attestations| match &attestations[..] {
            [
                Attestations {
                    found: Source::Unavailable(why),
                    ..
                },
            ] => why.reason.as_str(),
            _ => "known",
        });
        assert_eq!(reasons, ["InvalidReference", "NotAskedYet"]);
        let said = |signature: &Signature| match signature {
            Signature::NotRequired => "NotRequired".to_owned(),
            Signature::Verified { .. } => "Verified".to_owned(),
            Signature::Rejected { reason, .. } => reason.clone(),
            Signature::Unavailable(why) => why.reason.clone(),
        };
        let images: Vec<_> = dossier.images.iter().map(|one| said(&one.signature)).collect();
        assert_eq!(
            images,
            ["Verified", "Verified", "InvalidReference", "NotAskedYet", "NotAskedYet"]
        );
        let models: Vec<_> = dossier.models.iter().map(|one| said(&one.signature)).collect();
        assert_eq!(models, ["NotAskedYet"]);
    }

    #[test]
    fn models_that_are_no_oci_artifacts_are_told_apart() {
        let model = |uri: &str, location| Model {
            path: "spec.predictor.model.storageUri".to_owned(),
            uri: uri.to_owned(),
            location,
            reference: None,
            digest: None,
            signature: Signature::NotRequired,
            attestations: Vec::new(),
        };
        let mut dossier = pod();
        dossier.models = vec![
            model("s3://b/m", Location::Mutable),
            model("hf://o/m:c0ffee", Location::Pinned),
        ];
        fill(&mut dossier, &signers(false, true), &Answers::new());
        assert!(
            matches!(&dossier.models[0].signature, Signature::Rejected { reason, .. } if reason == "MutableLocation")
        );
        assert!(
            matches!(&dossier.models[1].signature, Signature::Unavailable(why) if why.reason == "UnsupportedLocation")
        );
    }
}
