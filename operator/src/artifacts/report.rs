//! What a Release says of its artifacts: one line for each that differs, and a condition for images and for models.

use interlock_crds::condition::{Statement, Status, Type};
use interlock_crds::release::{Artifact, ArtifactResult};
use interlock_crds::track::ArtifactSigners;

use super::{Role, role_of_image, role_of_model};
use crate::conditions::shorten;
use crate::dossier::{Dossier, Signature};

/// Artifacts that a Release lists.
const LISTED: usize = 32;

/// Longest message of one, in characters.
const MESSAGE: usize = 256;

/// Longest name and path of one, in characters. A container runtime takes none that is longer.
const NAME: usize = 512;

/// Failed checks of one that are listed.
const CHECKS: usize = 8;

/// What a Release says of its artifacts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Those that are not verified first, then in the order of their places; at most 32.
    pub artifacts: Vec<Artifact>,
    /// How many were left out.
    pub omitted: u32,
    /// `ArtifactsVerified` and `ModelVerified`, where there is something to verify.
    pub statements: Vec<Statement>,
}

impl Report {
    /// Whether all that has to be signed is; none where nothing has to be.
    pub fn signed(&self) -> Option<Status> {
        let found: Vec<_> = self.statements.iter().map(|one| one.status).collect();
        let weakest = [Status::False, Status::Unknown, Status::True];
        weakest.into_iter().find(|status| found.contains(status))
    }
}

/// One artifact of a dossier, wherever it stands.
struct Line<'a> {
    name: &'a str,
    signature: &'a Signature,
    /// Whose signatures it needs; both where one reference is an image and a model.
    roles: Vec<Role>,
    paths: Vec<&'a str>,
}

/// Sums up the signatures in a dossier.
pub fn report(dossier: &Dossier, signers: &ArtifactSigners) -> Report {
    let mut lines = lines(dossier, signers);
    lines.sort_by(|a, b| (result(a.signature), &a.paths).cmp(&(result(b.signature), &b.paths)));
    let statement = |(role, kind)| {
        let of_role: Vec<_> = lines.iter().filter(|line| line.roles.contains(&role)).collect();
        statement(kind, &of_role)
    };
    let conditions = [
        (Role::Image, Type::ArtifactsVerified),
        (Role::Model, Type::ModelVerified),
    ];
    Report {
        statements: conditions.into_iter().filter_map(statement).collect(),
        omitted: u32::try_from(lines.len().saturating_sub(LISTED)).unwrap_or(u32::MAX),
        artifacts: lines.iter().take(LISTED).map(artifact).collect(),
    }
}

/// What must be signed, each reference once for each thing that is said of it.
fn lines<'a>(dossier: &'a Dossier, signers: &ArtifactSigners) -> Vec<Line<'a>> {
    let images = dossier.images.iter().map(|image| {
        let name = image.reference.as_deref().unwrap_or_default();
        let role = role_of_image(dossier, signers, image);
        (role, name, image.path.as_str(), &image.signature)
    });
    let models = dossier.models.iter().map(|model| {
        let name = model.reference.as_deref().unwrap_or(&model.uri);
        let role = role_of_model(signers);
        (role, name, model.path.as_str(), &model.signature)
    });
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (role, name, path, signature) in images.chain(models) {
        let Some(role) = role.filter(|_| !signature.is_not_required()) else {
            continue;
        };
        // What has no name is told apart by its place.
        let same = |line: &&mut Line<'_>| !name.is_empty() && line.name == name && line.signature == signature;
        if let Some(line) = lines.iter_mut().find(same) {
            if !line.roles.contains(&role) {
                line.roles.push(role);
            }
            // An image volume is listed as an image and as a model.
            if !line.paths.contains(&path) {
                line.paths.push(path);
            }
        } else {
            lines.push(Line {
                name,
                signature,
                roles: vec![role],
                paths: vec![path],
            });
        }
    }
    for line in &mut lines {
        line.paths.sort_unstable();
    }
    lines
}

fn result(signature: &Signature) -> ArtifactResult {
    match signature {
        Signature::Verified { .. } => ArtifactResult::Verified,
        Signature::Rejected { .. } => ArtifactResult::Rejected,
        Signature::NotRequired | Signature::Unavailable(_) => ArtifactResult::Unknown,
    }
}

fn artifact(line: &Line<'_>) -> Artifact {
    let digest = line.signature.digest().filter(|digest| !line.name.ends_with(digest));
    let problem = line.signature.problem();
    Artifact {
        reference: shorten(line.name, NAME),
        digest: digest.map(str::to_owned),
        result: result(line.signature),
        signers: match line.signature {
            Signature::Verified { signers, .. } => signers.clone(),
            _ => Vec::new(),
        },
        formats: line.signature.formats().to_vec(),
        reason: problem.map(|(reason, _)| reason.to_owned()),
        message: problem.map(|(_, message)| shorten(message, MESSAGE)),
        checks_failed: line.signature.checks_failed().iter().take(CHECKS).cloned().collect(),
        path: shorten(line.paths.first().copied().unwrap_or_default(), NAME),
        places: u32::try_from(line.paths.len()).ok().filter(|count| *count > 1),
    }
}

/// The condition over some artifacts, of which the worst come first; none if there are none.
fn statement(kind: Type, lines: &[&Line<'_>]) -> Option<Statement> {
    let (one, many) = match kind {
        Type::ModelVerified => ("model", "models"),
        _ => ("image", "images"),
    };
    let first = lines.first()?;
    let Some((reason, message)) = first.signature.problem() else {
        let noun = if lines.len() == 1 { one } else { many };
        let message = format!("{} {noun} signed as the track demands", lines.len());
        return Some(Statement::new(kind, Status::True, "Verified", message));
    };
    let worst = result(first.signature);
    let alike = lines.iter().filter(|line| result(line.signature) == worst).count();
    let (status, singular, plural) = match worst {
        ArtifactResult::Rejected => (
            Status::False,
            "is not signed as the track demands",
            "are not signed as the track demands",
        ),
        ArtifactResult::Unknown | ArtifactResult::Verified => {
            (Status::Unknown, "could not be checked", "could not be checked")
        }
    };
    let count = match (lines.len(), alike) {
        (1, _) => format!("the {one} {singular}"),
        (all, 1) => format!("1 of {all} {many} {singular}"),
        (all, some) => format!("{some} of {all} {many} {plural}"),
    };
    let name = first.name.split('@').next().filter(|name| !name.is_empty());
    let name = name.or(first.paths.first().copied()).unwrap_or_default();
    Some(Statement::new(
        kind,
        status,
        reason,
        format!("{count}: {name}: {message}"),
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
        ArtifactSigners {
            images: Some(SignedBy::any_of(vec!["platform".to_owned()])),
            models: None,
            attestations: Vec::new(),
        }
    }

    fn verified() -> Signature {
        Signature::Verified {
            digest: "sha256:a".to_owned(),
            signers: vec!["platform".to_owned()],
            formats: vec!["Bundle".to_owned()],
        }
    }

    fn rejected() -> Signature {
        Signature::Rejected {
            digest: Some("sha256:b".to_owned()),
            reason: "Unsigned".to_owned(),
            message: "no signature".to_owned(),
            checks_failed: ('a'..='z').map(String::from).collect(),
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
        assert_eq!(first.checks_failed.concat(), "abcdefgh");
        assert!(first.formats.is_empty());
        let second = &report.artifacts[1];
        assert_eq!(
            (second.formats.concat().as_str(), second.checks_failed.len()),
            ("Bundle", 0)
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
