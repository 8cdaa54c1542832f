//! What a Release says of its artifacts: one line for each that differs, and a condition for images and for models.

use std::collections::BTreeMap;

use interlock_crds::condition::{Statement, Status, Type};
use interlock_crds::release::{Artifact, ArtifactResult};
use interlock_crds::track::ArtifactSigners;

use super::{Role, role_of_image, role_of_model};
use crate::conditions::shorten;
use crate::dossier::{Dossier, Signature};

/// Artifacts that a Release lists.
const LISTED: usize = 32;

/// Longest message of one, in characters.
const MESSAGE: usize = 192;

/// What a Release says of its artifacts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Those that are not verified first, then in the order of their places; at most [`LISTED`].
    pub artifacts: Vec<Artifact>,
    /// How many were left out.
    pub omitted: u32,
    /// `ArtifactsVerified` and `ModelVerified`, where there is something to verify.
    pub statements: Vec<Statement>,
}

/// Sums up the signatures in a dossier.
pub fn report(dossier: &Dossier, signers: &ArtifactSigners) -> Report {
    let images = dossier.images.iter().map(|image| {
        let role = role_of_image(dossier, signers, image);
        (
            role,
            image.reference.as_deref().unwrap_or_default(),
            &image.path,
            &image.signature,
        )
    });
    let models = dossier.models.iter().map(|model| {
        let role = role_of_model(dossier, signers, model);
        let name = model.reference.as_deref().unwrap_or(&model.uri);
        (role, name, &model.path, &model.signature)
    });
    // By what is said, so that one image in many places is one line; an image volume stands in both lists.
    let mut lines: BTreeMap<(Role, &str, String), Vec<&String>> = BTreeMap::new();
    let mut said: BTreeMap<(Role, &str, String), &Signature> = BTreeMap::new();
    for (role, name, path, signature) in images.chain(models) {
        let Some(role) = role else { continue };
        // What nobody names is told apart by its place.
        let key = (role, name, if name.is_empty() { path.clone() } else { String::new() });
        let paths = lines.entry(key.clone()).or_default();
        if !paths.contains(&path) {
            paths.push(path);
        }
        said.insert(key, signature);
    }
    let mut all: Vec<(Role, Artifact)> = lines
        .into_iter()
        .filter_map(|(key, mut paths)| {
            paths.sort();
            Some((key.0, line(key.1, &paths, said.get(&key)?)?))
        })
        .collect();
    all.sort_by(|(_, a), (_, b)| (a.result, &a.path).cmp(&(b.result, &b.path)));
    let statements = [
        (Role::Image, Type::ArtifactsVerified),
        (Role::Model, Type::ModelVerified),
    ];
    let statements = statements.into_iter().filter_map(|(wanted, kind)| {
        let of_role: Vec<_> = all
            .iter()
            .filter(|(role, _)| *role == wanted)
            .map(|(_, one)| one)
            .collect();
        statement(kind, &of_role)
    });
    let statements = statements.collect();
    let omitted = u32::try_from(all.len().saturating_sub(LISTED)).unwrap_or(u32::MAX);
    Report {
        artifacts: all.into_iter().map(|(_, artifact)| artifact).take(LISTED).collect(),
        omitted,
        statements,
    }
}

fn line(name: &str, paths: &[&String], signature: &Signature) -> Option<Artifact> {
    let mut artifact = Artifact {
        reference: name.to_owned(),
        digest: signature
            .digest()
            .filter(|digest| !name.ends_with(digest))
            .map(str::to_owned),
        result: ArtifactResult::Unknown,
        signers: Vec::new(),
        reason: None,
        message: None,
        path: paths.first().map(|path| (*path).clone()).unwrap_or_default(),
        places: u32::try_from(paths.len()).ok().filter(|count| *count > 1),
    };
    let (reason, message) = match signature {
        Signature::NotRequired => return None,
        Signature::Verified { signers, .. } => {
            artifact.result = ArtifactResult::Verified;
            artifact.signers.clone_from(signers);
            return Some(artifact);
        }
        Signature::Rejected { reason, message, .. } => {
            artifact.result = ArtifactResult::Rejected;
            (reason, message)
        }
        Signature::Unavailable(why) => (&why.reason, &why.message),
    };
    artifact.reason = Some(reason.clone());
    artifact.message = Some(shorten(message, MESSAGE));
    Some(artifact)
}

/// The condition over some artifacts, of which the worst come first; none if there are none.
fn statement(kind: Type, artifacts: &[&Artifact]) -> Option<Statement> {
    let (one, many) = match kind {
        Type::ModelVerified => ("model", "models"),
        _ => ("image", "images"),
    };
    let first = artifacts.first()?;
    let alike = artifacts.iter().filter(|other| other.result == first.result).count();
    let of = |verbs: (&str, &str)| match (artifacts.len(), alike) {
        (1, _) => format!("the {one} {}", verbs.0),
        (all, 1) => format!("1 of {all} {many} {}", verbs.0),
        (all, some) => format!("{some} of {all} {many} {}", verbs.1),
    };
    let (status, count) = match first.result {
        ArtifactResult::Verified => {
            let noun = if artifacts.len() == 1 { one } else { many };
            let message = format!("{} {noun} signed as the track demands", artifacts.len());
            return Some(Statement::new(kind, Status::True, "Verified", message));
        }
        ArtifactResult::Rejected => (
            Status::False,
            of((
                "is not signed as the track demands",
                "are not signed as the track demands",
            )),
        ),
        ArtifactResult::Unknown => (Status::Unknown, of(("could not be checked", "could not be checked"))),
    };
    let name = first.reference.split('@').next().filter(|name| !name.is_empty());
    let message = format!(
        "{count}: {}: {}",
        name.unwrap_or(&first.path),
        first.message.as_deref().unwrap_or_default()
    );
    Some(Statement::new(
        kind,
        status,
        first.reason.as_deref().unwrap_or_default(),
        message,
    ))
}

#[cfg(test)]
mod tests {
    use interlock_crds::bundle::SignedBy;
    use serde_json::json;

    use super::*;
    use crate::dossier::{NamespaceFact, Related, Source, Unavailable};

    fn dossier(images: &[(&str, Signature)]) -> Dossier {
        let containers: Vec<_> = images
            .iter()
            .enumerate()
            .map(|(at, (image, _))| json!({"name": format!("c{at}"), "image": image}))
            .collect();
        let object =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}});
        let related = |_: &_, _: &_| Related::unavailable(&Unavailable::needs_cluster("they"));
        let mut dossier = Dossier::build(&object, Source::Complete(NamespaceFact::default()), related).unwrap();
        for image in &mut dossier.images {
            let said = images
                .iter()
                .find(|(name, _)| Some(*name) == image.reference.as_deref());
            image.signature = said.map(|(_, signature)| signature.clone()).unwrap_or_default();
        }
        dossier
    }

    fn images_only() -> ArtifactSigners {
        let images = SignedBy {
            signers: vec!["platform".to_owned()],
            threshold: 1,
        };
        ArtifactSigners {
            images: Some(images),
            models: None,
        }
    }

    fn verified() -> Signature {
        Signature::Verified {
            digest: "sha256:a".to_owned(),
            signers: vec!["platform".to_owned()],
        }
    }

    fn rejected() -> Signature {
        Signature::Rejected {
            digest: Some("sha256:b".to_owned()),
            reason: "Unsigned".to_owned(),
            message: "no signature".to_owned(),
        }
    }

    fn unknown() -> Signature {
        Signature::Unavailable(Unavailable {
            reason: "RegistryTimeout".to_owned(),
            message: "no answer".to_owned(),
        })
    }

    #[test]
    fn the_worst_decides_and_is_told_first() {
        for (images, want) in [
            (vec![], None),
            (vec![("a", Signature::NotRequired)], None),
            (
                vec![("a", verified()), ("b", verified()), ("a", verified())],
                Some(("True", "Verified", "2 images signed as the track demands")),
            ),
            (
                vec![("a", verified()), ("b", unknown())],
                Some((
                    "Unknown",
                    "RegistryTimeout",
                    "1 of 2 images could not be checked: b: no answer",
                )),
            ),
            (
                vec![
                    ("a", verified()),
                    ("b", unknown()),
                    ("c@x", rejected()),
                    ("d", rejected()),
                ],
                Some((
                    "False",
                    "Unsigned",
                    "2 of 4 images are not signed as the track demands: c: no signature",
                )),
            ),
            (
                vec![("a", rejected())],
                Some((
                    "False",
                    "Unsigned",
                    "the image is not signed as the track demands: a: no signature",
                )),
            ),
        ] {
            let report = report(&dossier(&images), &images_only());
            let said = report.statements.first();
            let said = said.map(|said| (said.status.as_str(), said.reason.as_str(), said.message.as_str()));
            assert_eq!(said, want, "{images:?}");
        }
    }

    #[test]
    fn each_reference_is_listed_once_and_the_list_ends() {
        let names: Vec<_> = (0..40).map(|number| format!("r.example/{number:02}")).collect();
        let mut images: Vec<_> = names.iter().map(|name| (name.as_str(), verified())).collect();
        images.push(("r.example/00", verified()));
        images.push(("r.example/last", rejected()));
        let report = report(&dossier(&images), &images_only());
        assert_eq!((report.artifacts.len(), report.omitted), (32, 9));
        let first = &report.artifacts[0];
        assert_eq!(
            (first.reference.as_str(), first.result),
            ("r.example/last", ArtifactResult::Rejected)
        );
        let twice = report
            .artifacts
            .iter()
            .find(|one| one.reference == "r.example/00")
            .unwrap();
        assert_eq!(
            (twice.places, twice.path.as_str()),
            (Some(2), "spec.containers[0].image")
        );
    }
}
