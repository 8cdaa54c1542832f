//! What a signed list of files (OpenSSF Model Signing) says of an artifact in a registry, told from its manifest alone: a
//! layer that is a file has the file's digest. Nothing is downloaded, so archives are not compared.

use std::collections::BTreeSet;

use super::format::SignatureFormat;
use super::model::{ModelSignature, UntrustedModel, claims_model, in_full};
use super::policy::TrustPolicy;
use super::verification::Verification;
use super::verified::Verified;
use crate::digest::Digest;
use crate::model::artifact::{Artifact, ArtifactFiles, Reading};
use crate::model::{Allowed, FileName, Manifest, SIGNATURE_FILE};
use crate::registry::Evidence;

/// What the trusted lists among the evidence say of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// Its files are those of a list.
    Same {
        /// Whose list it is, sorted.
        signers: Vec<String>,
        /// The formats in which their signatures came.
        formats: BTreeSet<SignatureFormat>,
    },
    /// No list has these files.
    Differs {
        /// How, as one sentence.
        detail: String,
    },
    /// That cannot be told from the manifest.
    Unread {
        /// Why, as one sentence.
        detail: String,
    },
    /// Trusted signers made it, and it vouches for nothing: too few of them, or what they signed is no list that can be used.
    Unusable {
        /// The stable name for conditions, events and metrics.
        reason: &'static str,
        /// Why, as one sentence.
        detail: String,
        /// The names of the checks that failed.
        checks_failed: BTreeSet<&'static str>,
    },
}

impl TrustPolicy {
    /// What trusted lists say of the artifact with this manifest; none if there is no such list, or lists do not count. The
    /// first that fits counts. What `interlock verify model` tells of an artifact, as far as it reads no layer.
    pub fn listed(&self, manifest: &[u8], evidence: &[Evidence]) -> Option<Listed> {
        if !self.lists {
            return None;
        }
        let artifact = Artifact::read(manifest).map_err(|error| error.to_string());
        let mut best = None;
        for list in evidence.iter().filter(|one| claims_model(one)) {
            let ModelSignature { verification, manifest } = self.verify_model(list);
            let compared = match (manifest, &artifact) {
                (Err(UntrustedModel::Signature(_)), _) => continue,
                (Err(error), _) => Err(Listed::Unusable {
                    reason: error.reason(),
                    detail: in_full(&error),
                    checks_failed: verification.failed(),
                }),
                (Ok(_), Err(error)) => Err(Listed::Unread { detail: error.clone() }),
                (Ok(files), Ok(artifact)) => compare(artifact, &files, list.digest),
            };
            match compared {
                Ok(()) => {
                    let Verification { signers, formats, .. } = verification;
                    return Some(Listed::Same { signers, formats });
                }
                Err(other) => best = best.or(Some(other)),
            }
        }
        best
    }
}

/// Whether the artifact has exactly the files of the list.
fn compare(artifact: &Artifact, files: &Verified<Manifest>, list: Digest) -> Result<(), Listed> {
    let unread = |detail: String| Err(Listed::Unread { detail });
    if artifact.is_image {
        return unread("it is a container image, whose files are in archives".to_owned());
    }
    let files = files.get();
    let reading = Reading::of(files.serialization(), None, None);
    let mut contents = Vec::new();
    for (at, layer) in artifact.layers.iter().enumerate() {
        match layer.unread(&reading) {
            Some(one) => contents.push(one),
            None => return unread(format!("layer {} says nothing of its files without being read", at + 1)),
        }
    }
    let all = match ArtifactFiles::of(contents, None) {
        Ok(all) => all,
        Err(error) => return unread(error.to_string()),
    };
    let own = FileName::parse(SIGNATURE_FILE).ok();
    let is_list = |name: &FileName| artifact.file(name).is_some_and(|layer| layer.digest == list);
    // No layer is there by chance, so that none is passed over.
    let allowed = Allowed {
        ignored: Vec::new(),
        signature: own.filter(is_list),
        ..Allowed::default()
    };
    let comparison = files.compare(all.seen(files, &allowed), &allowed);
    match comparison.differences.first() {
        None => Ok(()),
        Some(first) => Err(Listed::Differs {
            detail: format!("{} of its files differ from those listed: {first}", comparison.count),
        }),
    }
}
