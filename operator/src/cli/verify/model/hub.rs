//! A model on a hub: its files as the hub lists them, compared with a signed list without downloading what the hub
//! publishes the digest of. That digest is the hub's word, and the report says so.

use std::env::VarError;

use anyhow::{Context as _, bail};
use interlock_bundles::digest::Digest;
use interlock_bundles::model::hub::{HubFile, HubModel};
use interlock_bundles::model::{Allowed, FileName, Manifest};
use interlock_bundles::registry::{Evidence, Hub, HubError, HubSettings};

use super::remote::passed_over;
use super::{Arguments, LARGEST, SIGNATURE};
use crate::cli::Ending;
use crate::cli::verify::blob;
use crate::cli::verify::report::{Place, Report};
use crate::judge::chain;

const HUB: &str = "https://huggingface.co";
/// Where Hugging Face's own tools look for what to show to the hub.
const TOKEN: &str = "HF_TOKEN";

pub(super) async fn verify(arguments: &Arguments, model: &HubModel) -> anyhow::Result<Ending> {
    let trust = arguments.how.signers.policy()?;
    let given = arguments.signature.as_deref().map(|file| blob::evidence(file, LARGEST));
    let given = given.transpose().context("no signature to check")?;
    let hub = hub(arguments)?;
    let files = match hub.files(model).await {
        Ok(files) => Ok(files),
        Err(error @ HubError::Unsignable(_)) => Err(chain(&error)),
        Err(error) => return Err(error.into()),
    };
    let own = match &files {
        Ok(files) => own_list(&hub, model, files).await,
        Err(_) => Ok(None),
    };
    let (list, is_own) = match (given, own) {
        (Some(given), own) => {
            // One that cannot be had is another file than the one at hand.
            let is_own = own.is_ok_and(|own| own.is_some_and(|own| own.digest == given.digest));
            (given, is_own)
        }
        (None, Err(error)) => {
            let what = format!(
                "no signature to check: name one with --signature FILE, as the model's own {SIGNATURE} cannot be had"
            );
            return Err(anyhow::Error::new(error).context(what));
        }
        (None, Ok(Some(own))) => (own, true),
        (None, Ok(None)) => bail!("{model} has no usable file {SIGNATURE}: name its signature with --signature FILE"),
    };
    let mut allowed = arguments.may.allowed(None);
    allowed.signature = FileName::parse(SIGNATURE).ok().filter(|_| is_own);
    let signed = trust.verify_model(&list);
    let report = Report::new(model.to_string(), None, signed.verification).of_model();
    let format = arguments.how.format;
    let (report, is_open) = match (&signed.manifest, files) {
        (Err(_), _) => (report, false),
        (Ok(_), Err(why)) => (report.files(false, why), false),
        (Ok(manifest), Ok(files)) => compare(report, &hub, model, &files, manifest.get(), &allowed).await?,
    };
    let ending = report.show(format)?;
    Ok(if is_open { Ending::Open } else { ending })
}

fn hub(arguments: &Arguments) -> anyhow::Result<Hub> {
    let token = match std::env::var(TOKEN) {
        Ok(token) => Some(token).filter(|token| !token.is_empty()),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => bail!("{TOKEN} is no text: unset it, or set it to a token of the hub"),
    };
    let access = &arguments.how.access;
    Ok(Hub::new(&HubSettings {
        endpoint: arguments.hub.clone().unwrap_or_else(|| HUB.to_owned()),
        plain_http: access.plain_http,
        token,
        timeout: access.timeout(),
    })?)
}

/// The signature that the model itself has.
async fn own_list(hub: &Hub, model: &HubModel, files: &[HubFile]) -> Result<Option<Evidence>, HubError> {
    let Some(file) = files.iter().find(|file| file.name.as_str() == SIGNATURE) else {
        return Ok(None);
    };
    let bytes = hub.read(model, file).await?;
    Ok(Some(Evidence {
        media_type: String::new(),
        digest: Digest::of(&bytes),
        bytes,
    }))
}

/// The report with how the hub's files compare with the list, and whether that is open.
async fn compare(
    report: Report,
    hub: &Hub,
    model: &HubModel,
    files: &[HubFile],
    manifest: &Manifest,
    allowed: &Allowed,
) -> Result<(Report, bool), HubError> {
    let had = match hub.contents(model, files, manifest).await {
        Ok(had) => had,
        Err(error @ HubError::Unpublished { .. }) => return Ok((report.files(false, chain(&error)), true)),
        Err(error) => return Err(error),
    };
    let passed_over = passed_over(&had.files, manifest, allowed, None);
    let comparison = manifest.compare(had.files.seen(manifest, allowed), allowed);
    let place = Place::Hub {
        host: hub.host(),
        published: had.published,
        downloaded: had.read,
    };
    Ok((report.compared(&comparison, passed_over, place), false))
}
