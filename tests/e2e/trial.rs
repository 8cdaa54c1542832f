//! What the stories about refused bundles share: a good bundle that judges a workload, to whose PolicyBundle bad ones
//! are offered. After each refusal the good one must still judge, which is shown by a verdict that turns.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use interlock_crds::PolicyBundle;
use interlock_tests::artifact::Repository;
use interlock_tests::object_becomes;
use interlock_tests::platform::{Platform, SOON, bundle_conditions, condition_of, release_conditions};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const POLICY: &str = include_str!("trial/policy.rego");
const MANIFEST: &str = r#"{"revision":"1.0.0","roots":["trial","interlock/golden"],"metadata":{"name":"trial"}}"#;
const GOLDEN: &str =
    r#"{"good":{"input":{"object":{"metadata":{"labels":{"verdict":"good"}}}},"want":{"T-01":"pass"}}}"#;

/// Every reason that a story meets is explained there.
const FAILURES: &str = include_str!("../../docs/failures.md");

/// Name of the PolicyBundle, of the bundle inside it and of the track; the repository is `policies/trial`.
pub(crate) const NAME: &str = "trial";
/// The repository.
pub(crate) const PATH: &str = "policies/trial";

/// The files of a bundle.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A platform on which a good bundle judges.
pub(crate) struct Trial {
    /// Where it runs.
    pub(crate) platform: Platform,
    /// The good bundle, revision 1.0.0.
    pub(crate) good: Vec<u8>,
    /// Its digest.
    pub(crate) digest: String,
    namespace: String,
    looks: AtomicU32,
    is_allowed: AtomicBool,
}

/// How far an attempt came, and so what `Verified` and `Compiled` say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stage {
    /// Nothing could be found out, and nothing changes by itself.
    Asking,
    /// Nothing could be found out; the operator asks again by itself.
    AskingAgain,
    /// The artifact is not trusted.
    Verifying,
    /// It is trusted and cannot work.
    Building,
}

/// What a PolicyBundle must say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    /// How far the attempt came.
    pub(crate) stage: Stage,
    /// The reason of `Ready`.
    pub(crate) reason: &'static str,
    /// Part of its message.
    pub(crate) says: &'static str,
}

/// Short for a [`Refusal`].
pub(crate) const fn refusal(stage: Stage, reason: &'static str, says: &'static str) -> Refusal {
    Refusal { stage, reason, says }
}

impl Trial {
    /// Starts a platform whose operator gets `more` arguments, and waits until the good bundle judges a workload.
    pub(crate) async fn start(more: &[&str]) -> Result<Self> {
        let platform = Platform::start_with(more).await?;
        let namespace = platform.namespace(NAME).await?;
        let files = [
            ("trial.rego", POLICY),
            (".manifest", MANIFEST),
            ("interlock/golden/data.json", GOLDEN),
        ];
        let good = interlock_tests::opa::build_files(&files, &["trial/decision", "trial/catalogue"]).await?;
        let reference = platform.publish(PATH, "stable", &good).await?;
        let trial = Self {
            digest: digest_of(&reference).to_owned(),
            platform,
            good,
            namespace,
            looks: AtomicU32::new(0),
            is_allowed: AtomicBool::new(true),
        };
        trial.follow("stable").await?;
        trial.judging(&trial.digest).await?;
        let track = crate::main_job::track(NAME, &trial.namespace, NAME);
        trial.platform.apply(&trial.namespace, &track).await?;
        trial.still_judges(&trial.digest).await?;
        Ok(trial)
    }

    /// The bundle with other files, everything else equal.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Files)) -> Result<Vec<u8>> {
        let mut files = unpack(&self.good)?;
        change(&mut files);
        pack(&files)
    }

    /// The bundle with another manifest.
    pub(crate) fn with_manifest(&self, change: impl FnOnce(&mut Value)) -> Result<Vec<u8>> {
        let mut files = unpack(&self.good)?;
        let written = files.get_mut(".manifest").context("a bundle has a manifest")?;
        let mut manifest: Value = serde_json::from_slice(written)?;
        change(&mut manifest);
        *written = serde_json::to_vec(&manifest)?;
        pack(&files)
    }

    /// A good bundle that nobody has seen before, newer than the first.
    pub(crate) fn fresh(&self) -> Result<Vec<u8>> {
        let revision = format!("1.0.{}", self.looks.fetch_add(1, Ordering::Relaxed) + 1);
        self.with_manifest(|manifest| manifest["revision"] = json!(revision))
    }

    /// Pushes `bundle` under `tag` without signing it; answers `host/path@sha256:…`.
    pub(crate) async fn push(&self, tag: &str, bundle: &[u8]) -> Result<String> {
        self.repository().push(tag, bundle).await
    }

    /// The repository on the registry with the referrers API.
    pub(crate) fn repository(&self) -> Repository {
        Repository::new(self.platform.registry.host(), PATH)
    }

    /// Lets the PolicyBundle follow `tag` of the registry.
    pub(crate) async fn follow(&self, tag: &str) -> Result<()> {
        self.ask(json!({"ref": {"tag": tag}})).await
    }

    /// Applies the PolicyBundle with these fields in place of the usual ones. The poll interval is another each time,
    /// so that the operator looks at once, and long, so that it does not look again.
    pub(crate) async fn ask(&self, fields: Value) -> Result<()> {
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        let mut spec = json!({
            "url": format!("oci://{}/{PATH}", self.platform.registry.host()),
            "bundle": NAME,
            "pollInterval": format!("{}s", 3600 + look),
            "signedBy": {"signers": ["platform"]},
        });
        if let (Some(spec), Value::Object(fields)) = (spec.as_object_mut(), fields) {
            spec.extend(fields);
        }
        let object = json!({
            "apiVersion": "interlock.dev/v1alpha1", "kind": "PolicyBundle", "metadata": {"name": NAME}, "spec": spec,
        });
        let api: Api<PolicyBundle> = Api::all(self.platform.client.clone());
        api.patch(NAME, &PatchParams::apply("tests").force(), &Patch::Apply(object))
            .await?;
        Ok(())
    }

    /// Waits until the PolicyBundle judges with this digest.
    pub(crate) async fn judging(&self, digest: &str) -> Result<PolicyBundle> {
        let bundle = self.platform.bundle_says(NAME, "Judging").await?;
        let conditions = bundle_conditions(&bundle);
        for kind in ["Ready", "Verified", "Compiled"] {
            ensure!(
                condition_of(conditions, kind).1 == "True",
                "{kind} is not True: {conditions:?}"
            );
        }
        ensure!(active(&bundle) == digest, "{} judges, not {digest}", active(&bundle));
        Ok(bundle)
    }

    /// Waits until the PolicyBundle refuses what it was pointed to, and checks that the good bundle still judges.
    pub(crate) async fn refuses(&self, case: &str, want: Refusal) -> Result<PolicyBundle> {
        let context = || format!("case {case:?}");
        let bundle = self
            .platform
            .bundle_says(NAME, want.reason)
            .await
            .with_context(context)?;
        self.check(&bundle, want).with_context(context)?;
        self.still_judges(&self.digest).await.with_context(context)?;
        Ok(bundle)
    }

    /// What a status must be while something is refused and the good bundle judges.
    fn check(&self, bundle: &PolicyBundle, want: Refusal) -> Result<()> {
        let explained = FAILURES.contains(&format!("| `{}` |", want.reason));
        ensure!(
            explained,
            "docs/failures.md does not explain the reason {}",
            want.reason
        );
        let conditions = bundle_conditions(bundle);
        let (_, ready, message) = condition_of(conditions, "Ready");
        ensure!(ready == "False", "Ready is {ready}");
        ensure!(message.contains(want.says), "{:?} is not in {message:?}", want.says);
        let kept = format!(
            "trial 1.0.0 ({}) keeps judging",
            self.digest.get(..19).unwrap_or_default()
        );
        ensure!(message.ends_with(&kept), "{kept:?} is not at the end of {message:?}");
        ensure!(!message.contains('\n'), "a message of several lines: {message:?}");
        ensure!(
            message.len() < 1000,
            "a message of {} bytes: {message:?}",
            message.len()
        );
        let (verified, compiled) = match want.stage {
            Stage::Asking | Stage::AskingAgain => ("Unknown", "Unknown"),
            Stage::Verifying => ("False", "Unknown"),
            Stage::Building => ("True", "False"),
        };
        let (stalled, reconciling) = match want.stage {
            Stage::AskingAgain => ("", "True"),
            _ => ("True", ""),
        };
        for (kind, status) in [
            ("Verified", verified),
            ("Compiled", compiled),
            ("Stalled", stalled),
            ("Reconciling", reconciling),
        ] {
            let found = condition_of(conditions, kind).1;
            ensure!(found == status, "{kind} is {found:?}, want {status:?}: {message}");
        }
        if want.reason != "Unsigned" {
            let text = serde_json::to_string(conditions)?.to_lowercase();
            ensure!(
                !text.contains("unsigned") && !text.contains("no signature:"),
                "said to be unsigned: {text}"
            );
        }
        ensure!(active(bundle) == self.digest, "{} is active", active(bundle));
        Ok(())
    }

    /// Turns the workload's label and waits until the verdict has turned too, by the bundle with this digest.
    pub(crate) async fn still_judges(&self, digest: &str) -> Result<()> {
        let allowed = self.is_allowed.fetch_xor(true, Ordering::Relaxed);
        let (word, verdict, reason) = if allowed {
            ("bad", "Deny", "GateDenied")
        } else {
            ("good", "Allow", "Allowed")
        };
        self.label("workload", word).await?;
        let release = self.says("workload", verdict, reason).await?;
        let judged_by = release.status.unwrap_or_default().bundles;
        ensure!(
            judged_by.iter().any(|bundle| bundle.digest == digest),
            "{judged_by:?} judged, not {digest}"
        );
        Ok(())
    }

    /// Applies the Deployment `name` with this label.
    pub(crate) async fn label(&self, name: &str, word: &str) -> Result<()> {
        let labels = json!({"app": name, "verdict": word});
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1"}]},
                },
            },
        });
        interlock_tests::apply::apply_value(&self.platform.client, &self.namespace, deployment).await?;
        Ok(())
    }

    /// Waits for the verdict on the Deployment `name`. A reason on the way to it may be another.
    pub(crate) async fn says(&self, name: &str, verdict: &str, reason: &str) -> Result<interlock_crds::Release> {
        let what = format!("verdict {verdict}, reason {reason}");
        let releases = self.platform.releases(&self.namespace);
        object_becomes(&releases, &format!("deployment-{name}"), &what, SOON, |release| {
            let status = release.status.as_ref();
            status
                .and_then(|status| status.verdict)
                .is_some_and(|found| found.as_str() == verdict)
                && condition_of(release_conditions(release), "Ready").0 == reason
        })
        .await
        .with_context(|| format!("the operator's log ends:\n{}", self.platform.log_tail(25)))
    }
}

/// The digest of the bundle that judges.
pub(crate) fn active(bundle: &PolicyBundle) -> &str {
    let active = bundle.status.as_ref().and_then(|status| status.active.as_ref());
    active.map(|active| active.digest.as_str()).unwrap_or_default()
}

pub(crate) use interlock_tests::artifact::digest_of;

/// The files in a bundle, by path without the leading slash.
pub(crate) fn unpack(bundle: &[u8]) -> Result<Files> {
    let mut files = Files::new();
    for entry in tar::Archive::new(GzDecoder::new(bundle)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string().trim_start_matches('/').to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.insert(path, bytes);
    }
    Ok(files)
}

/// A bundle of these files.
pub(crate) fn pack(files: &Files) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, path, bytes.as_slice())?;
    }
    Ok(tar.into_inner()?.finish()?)
}

/// The gzip of these bytes.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
