//! Every metric, by name, once.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use interlock_crds::track::Counts;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// What is counted.
pub struct Metrics {
    registry: Registry,
    /// 1 while this replica leads.
    pub leader: Gauge,
    reconciles: Family<ResultLabel, Counter>,
    reconcile_seconds: Histogram,
    evaluation_seconds: Histogram,
    writes: Family<KindLabel, Counter>,
    releases: Family<VerdictLabel, Gauge>,
    ungoverned: Family<TrackLabel, Gauge>,
    bundles: Family<BundleLabel, Gauge<f64, AtomicU64>>,
    root_expiry: Family<RootLabel, Gauge>,
    drift_questions: Family<EndpointLabel, Counter>,
    questions: Family<QuestionLabel, Counter>,
    signatures: Family<ResultLabel, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QuestionLabel {
    kind: &'static str,
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    track: String,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TrackLabel {
    track: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BundleLabel {
    bundle: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RootLabel {
    trust_root: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabel {
    endpoint: &'static str,
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("interlock");
        let metrics = Self {
            leader: Gauge::default(),
            reconciles: Family::default(),
            reconcile_seconds: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
            evaluation_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 16)),
            writes: Family::default(),
            releases: Family::default(),
            ungoverned: Family::default(),
            bundles: Family::default(),
            root_expiry: Family::default(),
            drift_questions: Family::default(),
            questions: Family::default(),
            signatures: Family::default(),
            registry: Registry::default(),
        };
        registry.register("leader", "1 while this replica leads", metrics.leader.clone());
        registry.register(
            "reconciles",
            "Workloads looked at, by result: ok, or the step that failed",
            metrics.reconciles.clone(),
        );
        registry.register_with_unit(
            "reconcile",
            "Time to bring one workload to its verdict",
            Unit::Seconds,
            metrics.reconcile_seconds.clone(),
        );
        registry.register_with_unit(
            "evaluation",
            "Time that the bundles of a track take for one workload",
            Unit::Seconds,
            metrics.evaluation_seconds.clone(),
        );
        registry.register(
            "api_writes",
            "Writes to the API server, by kind; the Lease is not counted",
            metrics.writes.clone(),
        );
        registry.register(
            "releases",
            "Governed workloads by track and verdict",
            metrics.releases.clone(),
        );
        registry.register(
            "ungoverned_workloads",
            "Objects of a track's kinds that no track governs",
            metrics.ungoverned.clone(),
        );
        registry.register(
            "policy_bundle_ready",
            "1 while the bundle that a PolicyBundle asks for judges",
            metrics.bundles.clone(),
        );
        registry.register(
            "trust_root_expiry_timestamp_seconds",
            "When the word of a TrustRoot's last certificate authority ends, in seconds since 1970; absent where no end is set or the root cannot be used",
            metrics.root_expiry.clone(),
        );
        registry.register(
            "drift_questions",
            "Questions to Prometheus about drift monitors, by endpoint and outcome: ok, or the reason of the failure",
            metrics.drift_questions.clone(),
        );
        registry.register(
            "registry_questions",
            "Questions to registries about images and models, by kind (resolve, signatures) and outcome: ok, or a reason",
            metrics.questions.clone(),
        );
        registry.register(
            "signature_checks",
            "Artifacts whose signatures were checked, by result: verified or rejected; known results are not counted",
            metrics.signatures.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// One workload was looked at.
    pub fn reconciled(&self, result: &'static str, took: Duration) {
        self.reconciles.get_or_create(&ResultLabel { result }).inc();
        self.reconcile_seconds.observe(took.as_secs_f64());
    }

    /// One workload was judged.
    pub fn evaluated(&self, took: Duration) {
        self.evaluation_seconds.observe(took.as_secs_f64());
    }

    /// One write was sent.
    pub fn wrote(&self, kind: &str) {
        self.writes.get_or_create(&KindLabel { kind: kind.to_owned() }).inc();
    }

    /// One question was asked about a drift monitor.
    pub fn asked_prometheus(&self, endpoint: &'static str, outcome: &'static str) {
        self.drift_questions
            .get_or_create(&EndpointLabel { endpoint, outcome })
            .inc();
    }

    /// What a track governs now.
    pub fn track(&self, track: &str, counts: Counts, ungoverned: u32) {
        let verdicts = [
            ("Allow", counts.allowed),
            ("Deny", counts.denied),
            ("Pending", counts.pending),
            ("Unknown", counts.unknown),
        ];
        for (verdict, count) in verdicts {
            self.releases
                .get_or_create(&VerdictLabel {
                    track: track.to_owned(),
                    verdict,
                })
                .set(i64::from(count));
        }
        self.ungoverned
            .get_or_create(&TrackLabel {
                track: track.to_owned(),
            })
            .set(i64::from(ungoverned));
    }

    /// Whether a bundle is where it should be.
    pub fn bundle(&self, bundle: &str, ready: bool) {
        self.bundles
            .get_or_create(&BundleLabel {
                bundle: bundle.to_owned(),
            })
            .set(f64::from(u8::from(ready)));
    }

    /// When the TrustRoots end; those that are not named do not.
    pub fn roots_expire<'a>(&self, ends: impl Iterator<Item = (&'a str, i64)>) {
        self.root_expiry.clear();
        for (trust_root, end) in ends {
            let trust_root = trust_root.to_owned();
            self.root_expiry.get_or_create(&RootLabel { trust_root }).set(end);
        }
    }

    /// One question to a registry has ended.
    pub fn asked(&self, kind: &'static str, outcome: &str) {
        let outcome = outcome.to_owned();
        self.questions.get_or_create(&QuestionLabel { kind, outcome }).inc();
    }

    /// The signatures of one artifact were checked under one policy.
    pub fn signatures_checked(&self, is_verified: bool) {
        let result = if is_verified { "verified" } else { "rejected" };
        self.signatures.get_or_create(&ResultLabel { result }).inc();
    }

    /// The OpenMetrics text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
