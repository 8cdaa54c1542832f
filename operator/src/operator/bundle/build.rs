//! The steps from a PolicyBundle to a bundle at work. All the reading that this takes is here.

use std::time::Duration;

use interlock_bundles::archive::Bundle;
use interlock_bundles::digest::Digest;
use interlock_bundles::engine::{Engine, Limits, Policy};
use interlock_bundles::reference::{Pinned, Repository, Wanted};
use interlock_bundles::registry::{Credentials, Evidence, Pulled, RegistryError};
use interlock_bundles::revision;
use interlock_bundles::trust::{self, SIGNATURE_PREDICATE, SignatureFormat, TrustPolicy, Verified};
use interlock_crds::PolicyBundle;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt as _;

use super::super::Context;
use super::super::registry::credentials::{self, SecretError};
use super::super::registry::message;
use super::super::registry::signers::{self, SignerProblem};
use super::quantity;
use crate::conditions::Standing;
use crate::judge::{Active, chain};

/// How an attempt ended.
pub(super) struct Outcome {
    /// What the reference points to, as far as it is known.
    pub resolved: Option<Digest>,
    /// What is in the way; none if the bundle asked for is at work.
    pub problem: Option<Problem>,
}

/// What is in the way.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    /// Where it happened.
    pub stage: Stage,
    /// Stable word.
    pub reason: String,
    /// One sentence.
    pub message: String,
    /// Whether it may go away by itself.
    pub standing: Standing,
    /// When the registry wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// Where a problem happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is known of the artifact.
    Asking,
    /// It is not trusted.
    Verifying,
    /// It is trusted and cannot work.
    Building,
}

impl Problem {
    fn stalled(stage: Stage, reason: &str, message: String) -> Self {
        Self {
            stage,
            reason: reason.to_owned(),
            message,
            standing: Standing::Stalled,
            retry_after: None,
        }
    }

    fn transient(reason: &str, message: String) -> Self {
        let standing = Standing::Reconciling;
        Self {
            stage: Stage::Asking,
            reason: reason.to_owned(),
            message,
            standing,
            retry_after: None,
        }
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let standing = Standing::despite(error.is_transient());
        Self {
            stage: Stage::Asking,
            reason: error.reason().to_owned(),
            message: message(&error),
            standing,
            retry_after: error.retry_after(),
        }
    }
}

impl From<SecretError> for Problem {
    fn from(error: SecretError) -> Self {
        if error.is_transient() {
            Self::transient(error.reason(), chain(&error))
        } else {
            Self::stalled(Stage::Asking, error.reason(), chain(&error))
        }
    }
}

impl From<SignerProblem> for Problem {
    fn from(error: SignerProblem) -> Self {
        if error.is_transient() {
            Self::transient(error.reason(), chain(&error))
        } else {
            Self::stalled(Stage::Asking, error.reason(), chain(&error))
        }
    }
}

/// Who must have signed it.
pub(super) fn trust(context: &Context, bundle: &PolicyBundle) -> Result<TrustPolicy, SignerProblem> {
    signers::trust_policy(&context.sources, &bundle.spec.signed_by, "spec.signedBy")
}

/// Brings the bundle that is asked for to work, if it is not at work already.
pub(super) async fn bring_up(context: &Context, bundle: &PolicyBundle) -> Outcome {
    let name = bundle.name_any();
    let trust = match trust(context, bundle) {
        Ok(trust) => trust,
        Err(problem) => {
            return Outcome {
                resolved: None,
                problem: Some(problem.into()),
            };
        }
    };
    if context.policies.active(&name).is_none() {
        restore(context, bundle, &trust).await;
    }
    let pinned = match resolve(context, bundle).await {
        Ok(pinned) => pinned,
        Err(problem) => {
            return Outcome {
                resolved: None,
                problem: Some(revoked(context, &name, &trust, &problem).unwrap_or(problem)),
            };
        }
    };
    let problem = activate(context, bundle, &trust, &pinned).await.err();
    Outcome {
        resolved: Some(pinned.digest),
        problem,
    }
}

/// That what judges is revoked, where nothing else can be found out: an outage must not hide it.
fn revoked(context: &Context, name: &str, trust: &TrustPolicy, problem: &Problem) -> Option<Problem> {
    let digest = context.policies.active(name)?.policy.digest();
    let (_, evidence) = context.cache.load(&digest).ok().flatten()?;
    let (verification, verdict) = trust.examine(&digest, SIGNATURE_PREDICATE, &evidence);
    let error = verdict.err().filter(|_| verification.failed().contains("revocation"))?;
    Some(Problem {
        standing: problem.standing,
        retry_after: problem.retry_after,
        ..untrusted(&error)
    })
}

/// After a restart the last good bundle comes from the cache, so that a registry outage leaves no gap. It is
/// verified as if it had just been pulled.
async fn restore(context: &Context, bundle: &PolicyBundle, trust: &TrustPolicy) {
    let name = bundle.name_any();
    let stored = bundle.status.as_ref().and_then(|status| status.active.as_ref());
    let Some(digest) = stored.and_then(|active| active.digest.parse::<Digest>().ok()) else {
        return;
    };
    let (pulled, evidence) = match context.cache.load(&digest) {
        Ok(Some(found)) => found,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(bundle = %name, error = &error as &dyn std::error::Error, "cannot read the bundle cache");
            return;
        }
    };
    match build(context, bundle, trust, pulled, &evidence).await {
        Ok(active) => {
            tracing::info!(bundle = %name, %digest, "restored from the cache");
            context.policies.activate(&name, active);
        }
        Err(problem) => {
            tracing::warn!(bundle = %name, %digest, reason = %problem.reason, message = %problem.message, "the cached bundle is not used");
        }
    }
}

async fn resolve(context: &Context, bundle: &PolicyBundle) -> Result<Pinned, Problem> {
    let invalid = |message| Problem::stalled(Stage::Asking, "InvalidReference", message);
    let repository: Repository = bundle
        .spec
        .url
        .parse()
        .map_err(|error| invalid(format!("spec.url: {}", chain(&error))))?;
    let reference = &bundle.spec.reference;
    let wanted = match (&reference.digest, &reference.semver, &reference.tag) {
        (Some(digest), None, None) => Wanted::Digest(
            digest
                .parse()
                .map_err(|error| invalid(format!("spec.ref.digest: {}", chain(&error))))?,
        ),
        (None, Some(range), None) => Wanted::Semver(
            range
                .parse()
                .map_err(|error| invalid(format!("spec.ref.semver {range:?} is no range of versions: {error}")))?,
        ),
        (None, None, Some(tag)) => Wanted::Tag(tag.clone()),
        _ => {
            return Err(invalid(
                "spec.ref needs exactly one of tag, semver and digest".to_owned(),
            ));
        }
    };
    let credentials = credentials(context, bundle, &repository).await?;
    Ok(context.registry.resolve(&repository, &wanted, &credentials).await?)
}

async fn credentials(
    context: &Context,
    bundle: &PolicyBundle,
    repository: &Repository,
) -> Result<Credentials, Problem> {
    match &bundle.spec.pull_secret {
        None => Ok(Credentials::Anonymous),
        Some(secret) => {
            let namespace = &context.settings.namespace;
            Ok(credentials::read(&context.client, namespace, &secret.name, repository).await?)
        }
    }
}

/// Puts the pinned artifact to work unless it already is, under the same terms.
async fn activate(
    context: &Context,
    bundle: &PolicyBundle,
    trust: &TrustPolicy,
    pinned: &Pinned,
) -> Result<(), Problem> {
    let name = bundle.name_any();
    let terms = Terms::of(bundle, trust, pinned)?;
    let settled = context.policies.settled(&name).is_some_and(|known| known == terms);
    if settled
        && context
            .policies
            .active(&name)
            .is_some_and(|active| active.policy.digest() == pinned.digest)
    {
        return Ok(());
    }
    let (pulled, evidence) = fetch(context, bundle, trust, pinned).await?;
    let active = build(context, bundle, trust, pulled.clone(), &evidence).await?;
    if let Err(error) = context.cache.store(&pulled, &evidence) {
        tracing::warn!(bundle = %name, error = &error as &dyn std::error::Error, "the bundle works but cannot be kept for a restart");
    }
    context.policies.activate(&name, active);
    context.policies.settle(&name, terms);
    Ok(())
}

/// Signatures first: an artifact that nobody signed is not even pulled.
async fn fetch(
    context: &Context,
    bundle: &PolicyBundle,
    trust: &TrustPolicy,
    pinned: &Pinned,
) -> Result<(Pulled, Vec<Evidence>), Problem> {
    let cached = context.cache.load(&pinned.digest).ok().flatten();
    if let Some((pulled, evidence)) = cached
        && trust.verify(pulled.clone(), &evidence).is_ok()
    {
        return Ok((pulled, evidence));
    }
    let credentials = credentials(context, bundle, &pinned.repository).await?;
    let legacy = trust.accepts(SignatureFormat::Legacy);
    let evidence = context.registry.evidence(pinned, legacy, &credentials).await?;
    trust
        .satisfied_by(&pinned.digest, &evidence)
        .map_err(|error| untrusted(&error))?;
    let pulled = context.registry.pull(pinned, &credentials).await?;
    Ok((pulled, evidence))
}

fn untrusted(error: &trust::Untrusted) -> Problem {
    Problem::stalled(Stage::Verifying, error.reason(), chain(error))
}

/// Verify, open, compare, compile, self-test: everything that needs no network. Takes some 100 ms of computing.
async fn build(
    context: &Context,
    bundle: &PolicyBundle,
    trust: &TrustPolicy,
    pulled: Pulled,
    evidence: &[Evidence],
) -> Result<Active, Problem> {
    let verified = trust.verify(pulled, evidence).map_err(|error| untrusted(&error))?;
    let limits = limits(bundle)?;
    let at_work = context.policies.active(&bundle.name_any());
    let (engine, wanted) = (context.engine.clone(), Identity::of(bundle, at_work.as_ref()));
    let (policy, warnings) = tokio::task::spawn_blocking(move || compile(&engine, &verified, &wanted, limits))
        .await
        .map_err(|error| {
            Problem::stalled(
                Stage::Building,
                "CompileFailed",
                format!("compiling ended abnormally: {error}"),
            )
        })??;
    Ok(Active {
        policy,
        shape: bundle.spec.input,
        limits,
        warnings,
    })
}

/// The policy, and what its self-test warns of.
fn compile(
    engine: &Engine,
    verified: &Verified<Pulled>,
    wanted: &Identity,
    limits: Limits,
) -> Result<(Policy, Vec<String>), Problem> {
    let failed = |reason: &str, error: &dyn std::error::Error| Problem::stalled(Stage::Building, reason, chain(error));
    let opened = verified.open().map_err(|error| failed(error.reason(), &error))?;
    wanted.admits(&opened)?;
    let policy = engine
        .compile(&opened, limits)
        .map_err(|error| failed(error.reason(), &error))?;
    let warnings = policy
        .self_test(Timestamp::now())
        .map_err(|error| failed(error.reason(), &error))?;
    Ok((policy, warnings))
}

/// What a bundle must be, besides signed.
struct Identity {
    name: String,
    is_pinned: bool,
    last_good: Option<(String, Option<String>)>,
}

impl Identity {
    fn of(bundle: &PolicyBundle, at_work: Option<&Active>) -> Self {
        let name = bundle.spec.bundle.clone().unwrap_or_else(|| bundle.name_any());
        let stored = bundle.status.as_ref().and_then(|status| status.active.as_ref());
        let stored = || stored.map(|active| (active.digest.clone(), active.revision.clone()));
        // What is at work is newer than what the status says of it. Revisions of another bundle say nothing.
        let last_good = match at_work.map(|active| &active.policy) {
            Some(policy) if policy.name().is_some_and(|other| other != name) => None,
            Some(policy) => Some((policy.digest().to_string(), policy.revision().map(str::to_owned))),
            None => stored(),
        };
        Self {
            name,
            is_pinned: bundle.spec.reference.digest.is_some(),
            last_good,
        }
    }

    /// Refuses another bundle, and an older revision unless its digest is pinned.
    fn admits(&self, opened: &Bundle) -> Result<(), Problem> {
        let refuse = |reason: &str, message: String| Err(Problem::stalled(Stage::Verifying, reason, message));
        match opened.name() {
            Some(name) if name == self.name => {}
            Some(name) => {
                return refuse(
                    "NameMismatch",
                    format!(
                        "the signed bundle calls itself {name:?}, not {:?}: correct spec.bundle or the reference",
                        self.name
                    ),
                );
            }
            None if self.is_pinned => {}
            None => {
                return refuse(
                    "NameMissing",
                    format!(
                        "the bundle's manifest has no metadata.name: set it to {:?}, or pin the digest in spec.ref",
                        self.name
                    ),
                );
            }
        }
        if self.is_pinned {
            return Ok(());
        }
        let Some(new) = opened.revision() else {
            return refuse("RevisionMissing", "the bundle's manifest has no revision: build it with `opa build --revision`, or pin the digest in spec.ref".to_owned());
        };
        let Some((digest, Some(old))) = &self.last_good else {
            return Ok(());
        };
        if *digest == opened.digest().to_string() {
            return Ok(());
        }
        match revision::order(old, new) {
            Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal) => Ok(()),
            Some(std::cmp::Ordering::Greater) => refuse(
                "RollbackRefused",
                format!(
                    "revision {new} is older than {old}, the last good one: pin the digest in spec.ref to go back on purpose"
                ),
            ),
            None => refuse(
                "RollbackRefused",
                format!(
                    "revisions {new} and {old}, the last good one, cannot be ordered: use semantic versions or whole numbers, or pin the digest in spec.ref"
                ),
            ),
        }
    }
}

/// Everything besides the artifact that a bundle at work depends on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    trust: TrustPolicy,
    limits: Limits,
    digest: Digest,
    name: Option<String>,
    shape: interlock_crds::bundle::InputShape,
}

impl Terms {
    fn of(bundle: &PolicyBundle, trust: &TrustPolicy, pinned: &Pinned) -> Result<Self, Problem> {
        Ok(Self {
            trust: trust.clone(),
            limits: limits(bundle)?,
            digest: pinned.digest,
            name: bundle.spec.bundle.clone(),
            shape: bundle.spec.input,
        })
    }
}

fn limits(bundle: &PolicyBundle) -> Result<Limits, Problem> {
    let given = &bundle.spec.limits;
    // Limits are read before anything is verified.
    let invalid = |message| Problem::stalled(Stage::Asking, "InvalidLimits", message);
    let bytes = |field: &str, text: &str| {
        quantity::bytes(text).ok_or_else(|| {
            invalid(format!(
                "spec.limits.{field} {text:?} is no size: write for example 256Mi"
            ))
        })
    };
    let usual = Limits::default();
    let bytes_or = |field, given: &Option<Quantity>, usual| match given {
        Some(size) => bytes(field, &size.0),
        None => Ok(usual),
    };
    Ok(Limits {
        memory_bytes: bytes("memory", &given.memory.0)?,
        deadline: given.deadline.into(),
        result_bytes: bytes("resultSize", &given.result_size.0)?,
        input_bytes: bytes_or("inputSize", &given.input_size, usual.input_bytes)?,
        input_depth: given.input_depth.map_or(usual.input_depth, usize::from),
        regex_bytes: bytes_or("regexSize", &given.regex_size, usual.regex_bytes)?,
        concurrency: given.concurrency.map_or(usual.concurrency, usize::from),
    })
}
