//! A model in a registry. Two things can vouch for it: cosign's signatures on its manifest, and a signed list of files
//! (OpenSSF Model Signing), which says nothing of the manifest and is compared with the files that the layers are or hold.
//!
//! Either is enough, and where a trusted list was found it must fit the files, also beside a signature on the manifest:
//! whoever signed both meant the same model. A list alone is not enough where there is more than the listed folder.

mod layers;

use anyhow::Context as _;
use interlock_bundles::cache::LayerCache;
use interlock_bundles::model::artifact::{Artifact, ArtifactFiles, Reading};
use interlock_bundles::model::{Allowed, Comparison, FileName, Manifest};
use interlock_bundles::reference::Reference;
use interlock_bundles::registry::Evidence;
use interlock_bundles::trust::{
    CheckOutcome, ModelSignature, SIGNATURE_PREDICATE, TrustPolicy, Verification, VerificationOutcome, Verified,
    claims_model,
};

use self::layers::Layers;
use super::{Arguments, LARGEST, SIGNATURE};
use crate::cli::Ending;
use crate::cli::verify::blob;
use crate::cli::verify::report::{Place, Report};
use crate::judge::chain;

/// The folder of an image that KServe takes for the model.
const IMAGE_FOLDER: &str = "models";

pub(super) async fn verify(arguments: &Arguments, reference: &Reference) -> anyhow::Result<Ending> {
    let trust = arguments.how.signers.policy()?;
    let given = arguments.signature.as_deref().map(|file| blob::evidence(file, LARGEST));
    let given = given.transpose().context("no signature to check")?;
    let cache = arguments.layer_cache.as_deref().map(LayerCache::open).transpose()?;
    let found = arguments.how.access.look_up(reference, &trust).await?;
    let (attached, signatures): (Vec<_>, Vec<_>) = found.evidence.iter().cloned().partition(claims_model);
    let on_manifest = trust.check(&found.pinned.digest, SIGNATURE_PREDICATE, &signatures);
    let manifest = found.registry.manifest(&found.pinned, &found.credentials).await?;
    let artifact = Artifact::read(&manifest).map(|artifact| {
        let folder = folder(arguments, &artifact);
        Layers::new(&found, artifact, folder, cache)
    });
    let subject = Subject {
        trust: &trust,
        allowed: arguments.may.allowed(None),
        is_given: given.is_some(),
        is_revoked: trust.not_revoked(found.pinned.digest).is_err(),
        on_manifest,
    };
    let report = |verification| {
        let (name, digest) = (found.pinned.to_string(), found.pinned.digest);
        Report::new(name, Some(digest), verification).of_model()
    };
    let mut layers = match artifact {
        Ok(layers) => layers,
        Err(error) => {
            let lists = given.into_iter().chain(attached).map(|one| trust.verify_model(&one));
            let (verification, has_list) = subject.without_files(lists.collect());
            let report = report(verification);
            let report = if has_list {
                report.files(false, chain(&error))
            } else {
                report
            };
            return report.show(arguments.how.format);
        }
    };
    let lists = match given {
        Some(given) => vec![given],
        None => subject.lists(attached, &mut layers).await?,
    };
    let (verification, compared) = subject.judge(lists, &mut layers).await?;
    let report = report(verification);
    let report = match compared {
        None => report,
        Some(Compared::No(why)) => report.files(false, why),
        Some(Compared::Yes(fit)) => {
            let downloaded = layers.downloaded();
            report.compared(&fit.comparison, fit.passed_over, Place::Registry { downloaded })
        }
    };
    report.show(arguments.how.format)
}

/// The folder that was signed: the one that was named, or where models are in such an artifact.
fn folder(arguments: &Arguments, artifact: &Artifact) -> Option<FileName> {
    match &arguments.folder {
        Some(part) => part.0.clone(),
        None if artifact.is_image => FileName::parse(IMAGE_FOLDER).ok(),
        None => None,
    }
}

/// What is verified, and by whose word.
struct Subject<'a> {
    trust: &'a TrustPolicy,
    allowed: Allowed,
    /// Whether the user named the list: then it must count.
    is_given: bool,
    /// Whether the artifact counts no more, whoever signed what.
    is_revoked: bool,
    on_manifest: Verification,
}

/// How the files compare with a trusted list.
enum Compared {
    /// They cannot be part of a signed model.
    No(String),
    Yes(Fit),
}

struct Fit {
    comparison: Comparison,
    /// What was not looked at.
    passed_over: Vec<String>,
    /// Whether that is anything that the list's signer did not pass over.
    has_more: bool,
}

impl Compared {
    fn is_same(&self) -> bool {
        matches!(self, Self::Yes(fit) if fit.comparison.is_same())
    }

    /// Whether the list alone vouches for all there is.
    fn is_all(&self) -> bool {
        matches!(self, Self::Yes(fit) if fit.comparison.is_same() && !fit.has_more)
    }
}

impl Subject<'_> {
    fn is_signed(&self) -> bool {
        self.on_manifest.outcome == VerificationOutcome::Verified
    }

    /// The lists that were attached, and the model's own. Archives are looked into only if nothing else vouches.
    async fn lists(&self, attached: Vec<Evidence>, layers: &mut Layers<'_>) -> anyhow::Result<Vec<Evidence>> {
        let mut lists = attached;
        lists.extend(layers.own_list().await?);
        if lists.is_empty() && !self.is_signed() {
            lists.extend(layers.packed_list().await?);
        }
        Ok(lists)
    }

    /// Compares the files with every trusted list, until one fits.
    async fn judge(
        mut self,
        lists: Vec<Evidence>,
        layers: &mut Layers<'_>,
    ) -> anyhow::Result<(Verification, Option<Compared>)> {
        let mut best: Option<Compared> = None;
        let mut signed = Vec::new();
        for list in lists {
            let signature = self.trust.verify_model(&list);
            if let Ok(manifest) = &signature.manifest
                && !best.as_ref().is_some_and(Compared::is_same)
            {
                let compared = self.compare(manifest, &list, layers).await?;
                if compared.is_same() || best.is_none() {
                    best = Some(compared);
                }
            }
            signed.push(signature);
        }
        let is_all = !self.is_revoked && best.as_ref().is_some_and(Compared::is_all);
        let is_good = (self.is_signed() || is_all) && (best.is_some() || !self.is_given);
        if is_all {
            self.leave_to_list();
        }
        Ok((self.together(signed, is_good), best))
    }

    /// The verdict where nobody can say which files there are, and whether there is a trusted list.
    fn without_files(self, signed: Vec<ModelSignature>) -> (Verification, bool) {
        let has_list = signed.iter().any(|signature| signature.manifest.is_ok());
        let is_good = self.is_signed() && !has_list && !self.is_given;
        (self.together(signed, is_good), has_list)
    }

    async fn compare(
        &self,
        manifest: &Verified<Manifest>,
        list: &Evidence,
        layers: &mut Layers<'_>,
    ) -> anyhow::Result<Compared> {
        let manifest = manifest.get();
        let reading = Reading::of(manifest.serialization(), layers.folder(), layers.signature());
        let all = match layers.files(&reading).await? {
            Ok(all) => all,
            Err(why) => return Ok(Compared::No(why)),
        };
        let mut allowed = self.allowed.clone();
        if layers.is_own(list, &all) {
            allowed.signature = FileName::parse(SIGNATURE).ok();
        }
        let passed_over = passed_over(&all, manifest, &allowed, layers.folder());
        let has_more = all.has_more;
        let comparison = manifest.compare(all.seen(manifest, &allowed), &allowed);
        Ok(Compared::Yes(Fit {
            comparison,
            passed_over,
            has_more,
        }))
    }

    /// A signature on the manifest is not needed beside a list that fits: where there is none, or none that counts, that is
    /// no failure.
    fn leave_to_list(&mut self) {
        if self.is_signed() {
            return;
        }
        if let Some(check) = self.on_manifest.checks.last_mut() {
            check.outcome = CheckOutcome::NotNeeded;
            check.detail = format!("of the manifest: {}", check.detail);
        }
    }

    fn together(self, signed: Vec<ModelSignature>, is_good: bool) -> Verification {
        let mut all = self.on_manifest;
        for signature in signed {
            all.checks.extend(signature.verification.checks);
            all.signers.extend(signature.verification.signers);
            all.formats.extend(signature.verification.formats);
        }
        all.signers.sort();
        all.signers.dedup();
        all.outcome = if is_good {
            VerificationOutcome::Verified
        } else {
            VerificationOutcome::Rejected
        };
        all
    }
}

/// What is there and was not looked at: what the signer passed over, and what is outside of the model's folder.
pub(super) fn passed_over(
    all: &ArtifactFiles,
    manifest: &Manifest,
    allowed: &Allowed,
    folder: Option<FileName>,
) -> Vec<String> {
    let ignored = manifest.serialization().ignore_paths.iter();
    let may_be = |name: &&FileName| allowed.ignored.iter().any(|allowed| name.is_within(allowed));
    let is_there = |name: &&FileName| all.files.iter().any(|file| file.name.is_within(name));
    let outside = folder
        .filter(|_| all.has_more)
        .map(|folder| format!("all outside of {folder}/"));
    let names = ignored.filter(may_be).filter(is_there).map(ToString::to_string);
    names.chain(outside).collect()
}
