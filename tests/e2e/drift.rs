//! Drift monitors on a real Prometheus: each link is broken in turn, gives exactly its reason, and recovers when mended.
//!
//! One platform and one Prometheus; the parts of the story run side by side, each a *lane*: a namespace, a track, a job
//! with an exporter, and a file of rules. What a lane sees is recorded by a watch, so that a reason that shows for a
//! moment only is seen as well.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use interlock_crds::Release;
use interlock_tests::eventually::{eventually, object_becomes};
use interlock_tests::platform::{NAMESPACE, SOON, condition_of, release_conditions};
use interlock_tests::prometheus::{Exporter, Prometheus};
use interlock_tests::tools::repository_root;
use interlock_tests::{Liar, Lie, Part, Platform};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::Role;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use tokio::task::JoinHandle;

use crate::scene::{DEPLOYMENTS, idle, judging, metric, side_by_side, track};

const LANES: [&str; 7] = ["target", "series", "stamped", "rules", "record", "source", "names"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_link_broken_in_turn_gives_its_reason_and_recovers() -> Result<()> {
    let (platform, prometheus) = tokio::try_join!(judging(), Prometheus::start(&LANES))?;
    let (p, m) = (&platform, &prometheus);
    side_by_side(vec![
        ("target", Box::pin(targets(p, m))),
        ("series", Box::pin(series(p, m))),
        ("stamped", Box::pin(stale(p, m))),
        ("rules", Box::pin(rules(p, m))),
        ("record", Box::pin(recorded(p, m))),
        ("source", Box::pin(sources(p, m))),
        ("names", Box::pin(names(p, m))),
    ])
    .await
}

/// A part of the story.
struct Lane<'a> {
    platform: &'a Platform,
    prometheus: &'a Prometheus,
    name: &'static str,
    namespace: String,
    exporter: Exporter,
    seen: Arc<Mutex<Vec<String>>>,
    expected: Mutex<Vec<String>>,
    watch: JoinHandle<()>,
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl<'a> Lane<'a> {
    /// A lane whose two workloads, `churn` and `fraud`, are watched as they should be. `url` leads to Prometheus,
    /// `prometheus` and `series` are more fields of these.
    async fn open(
        platform: &'a Platform,
        prometheus: &'a Prometheus,
        name: &'static str,
        text: &str,
        monitor: &str,
    ) -> Result<Self> {
        let namespace = platform.namespace(name).await?;
        let exporter = Exporter::start(&text.replace("{ns}", &namespace)).await?;
        prometheus.scrape(name, Some(exporter.host()), &[("app", name)])?;
        let releases = platform.releases(&namespace);
        let seen = Arc::default();
        let lane = Self {
            platform,
            prometheus,
            name,
            exporter,
            watch: tokio::spawn(record(releases, Arc::clone(&seen))),
            seen,
            expected: Mutex::default(),
            namespace,
        };
        lane.rules(&lane.rule()).await?;
        let kinds = "[{group: apps, kind: Deployment}, {group: rbac.authorization.k8s.io, kind: Role}]";
        let kinds = if name == "names" { kinds } else { DEPLOYMENTS };
        let track = track(&format!("drift-{name}"), &lane.namespace, 10, kinds, monitor);
        let workloads = [track, idle("churn"), idle("fraud")].join("---\n");
        platform.apply(&lane.namespace, &workloads).await?;
        Ok(lane)
    }

    /// The alerting rule as it should be.
    fn rule(&self) -> String {
        self.alert(&format!("drift_{} > 5", self.name))
    }

    fn alert(&self, expression: &str) -> String {
        format!(
            "- alert: Drift_{}\n  expr: {expression}\n  labels: {{severity: page}}\n",
            self.name
        )
    }

    async fn rules(&self, rules: &str) -> Result<()> {
        self.prometheus.rules(self.name, rules).await
    }

    fn expose(&self, text: &str) {
        self.exporter.set(&text.replace("{ns}", &self.namespace));
    }

    /// Waits until `churn` is told to have this broken link, with all of these words in its message.
    async fn shows(&self, link: &str, status: &str, reason: &str, words: &[&str]) -> Result<()> {
        let started = Instant::now();
        let release = self.becomes("churn", status, reason).await?;
        let (_, _, message) = condition_of(release_conditions(&release), "DriftMonitorWired");
        for word in words {
            ensure!(message.contains(word), "{reason} says {word:?}: {message}");
        }
        let detected = condition_of(release_conditions(&release), "DriftDetected");
        ensure!(
            detected.1 == "Unknown" && detected.0 == "MonitorNotWired",
            "{detected:?}"
        );
        let links = links(&release);
        if link.is_empty() {
            ensure!(links.is_empty(), "{links:?}");
        } else {
            let last = links.last().cloned().unwrap_or_default();
            ensure!(last == format!("{link}={status}/{reason}"), "{links:?}");
            let others = links.iter().rev().skip(1).all(|link| link.ends_with("=True/Holds"));
            ensure!(others, "{links:?}");
        }
        said(self.name, status, reason, started.elapsed(), message);
        self.expect(status, reason);
        Ok(())
    }

    /// Waits until both workloads are told to be watched.
    async fn holds(&self) -> Result<()> {
        for name in ["churn", "fraud"] {
            let release = self.becomes(name, "True", "Wired").await?;
            let links = links(&release);
            ensure!(links.iter().all(|link| link.ends_with("=True/Holds")), "{links:?}");
            ensure!(links.len() >= 6, "{links:?}");
        }
        self.expect("True", "Wired");
        Ok(())
    }

    async fn becomes(&self, name: &str, status: &str, reason: &str) -> Result<Release> {
        let what = format!("DriftMonitorWired {status}, {reason}");
        let releases = self.platform.releases(&self.namespace);
        object_becomes(&releases, &format!("deployment-{name}"), &what, SOON, |release| {
            let found = condition_of(release_conditions(release), "DriftMonitorWired");
            (found.1, found.0) == (status, reason)
        })
        .await
        .with_context(|| {
            let (operator, prometheus) = (self.platform.log_tail(10), self.prometheus.log_tail(10));
            format!(
                "lane {}; the operator's log:\n{operator}\nPrometheus' log:\n{prometheus}",
                self.name
            )
        })
    }

    fn expect(&self, status: &str, reason: &str) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.push(format!("{status}/{reason}"));
    }

    /// What `churn` was told in between was what was waited for, and nothing else; but for a rule that is new and was not
    /// evaluated yet, which it says.
    fn nothing_else_was_told(&self) -> Result<()> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        seen.retain(|one| one != "Unknown/RuleNotEvaluated" && one != "Unknown/TargetNotScraped");
        seen.dedup();
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        expected.dedup();
        ensure!(
            seen == expected,
            "lane {}: {seen:#?}\nexpected {expected:#?}",
            self.name
        );
        Ok(())
    }
}

#[expect(
    clippy::print_stdout,
    reason = "a person who reads the test's output wants to see the reasons"
)]
fn said(lane: &str, status: &str, reason: &str, after: Duration, message: &str) {
    println!("{lane}: {status} {reason} after {after:.1?}: {message}");
}

/// The reasons of `churn`, each as often as it is told anew.
async fn record(releases: Api<Release>, seen: Arc<Mutex<Vec<String>>>) {
    let mut events = std::pin::pin!(watcher(
        releases,
        watcher::Config::default().fields("metadata.name=deployment-churn")
    ));
    while let Ok(event) = events.try_next().await {
        if let Some(Event::Apply(release) | Event::InitApply(release)) = event {
            let (reason, status, _) = condition_of(release_conditions(&release), "DriftMonitorWired");
            if !reason.is_empty() {
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(format!("{status}/{reason}"));
            }
        }
    }
}

/// The links of a Release, `Name=Status/Reason`.
fn links(release: &Release) -> Vec<String> {
    let monitor = release.status.as_ref().and_then(|status| status.drift_monitor.clone());
    let links = monitor.unwrap_or_default().links;
    links
        .iter()
        .map(|link| format!("{}={}/{}", link.name, link.status, link.reason))
        .collect()
}

/// What the detector exposes of two workloads: `metric` with `label` for the name, and `value`.
fn exposed(metric: &str, label: &str, value: &str) -> String {
    let one = |name: &str| format!("{metric}{{namespace=\"{{ns}}\",{label}=\"{name}\",feature=\"age\"}} {value}\n");
    one("churn") + &one("fraud")
}

/// A track's monitor. `prometheus` is the URL and what follows it.
fn monitor(lane: &str, prometheus: &str, series: &str) -> String {
    format!(
        "  driftMonitor:\n    interval: 1s\n    prometheus: {{timeout: 2s, url: {prometheus}}}\n    \
         workload: {{nameLabel: modelId}}\n    target: {{matchLabels: {{job: {lane}, app: {lane}}}}}\n    \
         series: [{{metric: drift_{lane}, matchLabels: {{feature: age}}{series}}}]\n    \
         alert: {{name: Drift_{lane}, matchLabels: {{severity: page}}}}\n"
    )
}

async fn usual<'a>(
    platform: &'a Platform,
    prometheus: &'a Prometheus,
    name: &'static str,
    series: &str,
) -> Result<Lane<'a>> {
    let text = exposed(&format!("drift_{name}"), "modelId", "1.{tick}");
    let monitor = monitor(name, &format!("http://{}", prometheus.host()), series);
    let lane = Lane::open(platform, prometheus, name, &text, &monitor).await?;
    lane.becomes("churn", "True", "Wired").await?;
    // A track may come before its Prometheus has scraped anything.
    lane.seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|one| one == "True/Wired");
    lane.holds().await?;
    Ok(lane)
}

async fn targets(platform: &Platform, prometheus: &Prometheus) -> Result<()> {
    let lane = usual(platform, prometheus, "target", "").await?;
    let right = [("app", "target")];
    let host = lane.exporter.host().to_owned();

    lane.exporter.close().await?;
    lane.shows("TargetUp", "False", "TargetDown", &["job=\"target\"", "refused"])
        .await?;
    lane.exporter.open().await?;
    lane.holds().await?;

    prometheus.scrape(lane.name, Some("127.0.0.1:1"), &right)?;
    lane.shows("TargetUp", "False", "TargetDown", &["refused"]).await?;
    prometheus.scrape(lane.name, Some(&host), &right)?;
    lane.holds().await?;

    prometheus.scrape(lane.name, None, &right)?;
    lane.shows(
        "TargetUp",
        "False",
        "TargetMissing",
        &["no target has app=\"target\", job=\"target\""],
    )
    .await?;
    prometheus.scrape(lane.name, Some(&host), &right)?;
    lane.holds().await?;

    prometheus.scrape(lane.name, Some(&host), &[("app", "other")])?;
    lane.shows("TargetUp", "False", "TargetMissing", &["found one with app=\"other\""])
        .await?;
    prometheus.scrape(lane.name, Some(&host), &right)?;
    lane.holds().await?;

    prometheus.scrape(lane.name, Some(&host), &[("app", "target"), ("__drop", "1")])?;
    lane.shows("TargetUp", "False", "RelabelDropped", &[&host]).await?;
    prometheus.scrape(lane.name, Some(&host), &right)?;
    lane.holds().await?;
    lane.nothing_else_was_told()
}

async fn series(platform: &Platform, prometheus: &Prometheus) -> Result<()> {
    let lane = usual(platform, prometheus, "series", ", changesWithin: 8s").await?;
    let right = exposed("drift_series", "modelId", "1.{tick}");

    lane.expose("up_and_well 1\n");
    let wanted = format!(
        "drift_series{{feature=\"age\",namespace=\"{}\",modelId=\"churn\"}} has no series",
        lane.namespace
    );
    lane.shows("SeriesPresent", "False", "NoSeries", &[&wanted]).await?;
    lane.expose(&right);
    lane.holds().await?;

    lane.expose(&exposed("drift_series_v2", "modelId", "1.{tick}"));
    let near = ["found drift_series_v2 with the workload's labels"];
    lane.shows("SeriesPresent", "False", "NoSeries", &near).await?;
    lane.expose(&right);
    lane.holds().await?;

    lane.expose(&exposed("drift_series", "model", "1.{tick}"));
    let near = [&*format!(
        "found drift_series{{model=\"churn\",namespace=\"{}\"",
        lane.namespace
    )];
    lane.shows("SeriesPresent", "False", "NoSeries", &near).await?;
    lane.expose(&right);
    lane.holds().await?;

    lane.expose(&exposed("drift_series", "modelId", "NaN"));
    lane.shows(
        "SeriesFinite",
        "False",
        "NaN",
        &["1 of 1 series is not a finite number"],
    )
    .await?;
    lane.expose(&right);
    lane.holds().await?;

    lane.expose(&exposed("drift_series", "modelId", "-Inf"));
    lane.shows("SeriesFinite", "False", "NaN", &[]).await?;
    lane.expose(&right);
    lane.holds().await?;

    lane.expose(&exposed("drift_series", "modelId", "1"));
    lane.shows("SeriesMoving", "False", "Frozen", &["has not changed for 8s"])
        .await?;
    lane.expose(&right);
    lane.holds().await?;

    // The other workload's trouble is its own.
    lane.expose(&right.replace("\"fraud\"", "\"other\""));
    lane.becomes("fraud", "False", "NoSeries").await?;
    lane.becomes("churn", "True", "Wired").await?;
    lane.nothing_else_was_told()
}

async fn stale(platform: &Platform, prometheus: &Prometheus) -> Result<()> {
    const NAME: &str = "stamped";
    let text = exposed("drift_stamped", "modelId", "1.{tick} {now}");
    let monitor = monitor(NAME, &format!("http://{}", prometheus.host()), ", maxAge: 5s");
    let lane = Lane::open(platform, prometheus, NAME, &text, &monitor).await?;
    lane.becomes("churn", "True", "Wired").await?;
    lane.seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|one| one == "True/Wired");
    lane.holds().await?;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_millis();
    lane.expose(&exposed("drift_stamped", "modelId", &format!("1.5 {now}")));
    lane.shows("SeriesFresh", "False", "Stale", &["has no sample of the last 5s"])
        .await?;
    lane.expose(&text);
    lane.holds().await?;
    lane.nothing_else_was_told()
}

async fn rules(platform: &Platform, prometheus: &Prometheus) -> Result<()> {
    let lane = usual(platform, prometheus, "rules", "").await?;
    let right = lane.rule();

    lane.rules("").await?;
    lane.shows(
        "RuleLoaded",
        "False",
        "RuleNotLoaded",
        &["no alerting rule Drift_rules with severity=\"page\" is loaded"],
    )
    .await?;
    lane.rules(&right).await?;
    lane.holds().await?;

    lane.rules(&right.replace("page", "info")).await?;
    lane.shows("RuleLoaded", "False", "RuleNotLoaded", &[]).await?;
    lane.rules(&right).await?;
    lane.holds().await?;

    lane.rules(&lane.alert("drift_rules * on (job) drift_rules > 5"))
        .await?;
    lane.shows("RuleHealthy", "False", "RuleErroring", &["found duplicate series"])
        .await?;
    lane.rules(&right).await?;
    lane.holds().await?;

    // What a renamed metric leaves behind: loaded, healthy, dead.
    lane.rules(&lane.alert("meanshift_rules{model=\"churn\"} < 0.05"))
        .await?;
    let words = [
        "rule Drift_rules asks for meanshift_rules{model=\"churn\"}",
        "found drift_rules with the workload's labels",
    ];
    lane.shows("RuleSeesWorkload", "False", "RuleReferencesNoData", &words)
        .await?;
    lane.rules(&right).await?;
    lane.holds().await?;

    lane.rules(&lane.alert("max_over_time(drift_rules{model=\"churn\"}[5m]) > 5"))
        .await?;
    let words = ["drift_rules{model=\"churn\"}", "found drift_rules{modelId=\"churn\""];
    lane.shows("RuleSeesWorkload", "False", "RuleReferencesNoData", &words)
        .await?;
    lane.rules(&right).await?;
    lane.holds().await?;

    lane.rules(&lane.alert("drift_rules{modelId=\"fraud\"} > 5")).await?;
    lane.shows(
        "RuleSeesWorkload",
        "False",
        "RuleReferencesNoData",
        &["is about other workloads"],
    )
    .await?;
    lane.becomes("fraud", "True", "Wired").await?;
    // A rule each.
    lane.rules(
        &[
            lane.alert("drift_rules{modelId=\"fraud\"} > 5"),
            lane.alert("drift_rules{modelId=~\"churn|x\"} > 5"),
        ]
        .concat(),
    )
    .await?;
    lane.holds().await?;

    dead(&lane).await?;
    lane.rules("").await?;
    lane.shows("RuleLoaded", "False", "RuleNotLoaded", &[]).await?;
    // Words that need nothing, or something else than the workload.
    let loose = "(drift_rules offset 1m or drift_rules) > on () group_left () max(up{job=\"rules\"}) unless gone_rules or absent(gone_rules)";
    lane.rules(&lane.alert(loose)).await?;
    lane.holds().await?;
    alerts(&lane).await?;
    lane.nothing_else_was_told()
}

/// Rules that are loaded, healthy and find series, and yet say nothing of the workload.
async fn dead(lane: &Lane<'_>) -> Result<()> {
    let right = lane.rule();
    let overwriting = |value: &str| right.replace("{severity: page}", &format!("{{severity: page, modelId: {value}}}"));
    let table = [
        (
            overwriting("someone"),
            "RuleOverwritesLabel",
            "overwrites label modelId with \"someone\"",
        ),
        (
            lane.alert("drift_rules > 0 unless drift_rules"),
            "RuleConstant",
            "takes away (unless) the very series",
        ),
        (
            lane.alert("drift_rules @ 0 > 5"),
            "RuleReferencesNoData",
            "asks for drift_rules @ 0.000",
        ),
        (
            lane.alert("drift_rules > on (feature) group_left () max by (feature) (elsewhere{region=\"eu\"})"),
            "RuleReferencesNoData",
            "none with this workload's values",
        ),
    ];
    // Another tenant's series, of whose labels only the names are told.
    let own = exposed("drift_rules", "modelId", "1.{tick}");
    let other = |name: &str| {
        format!("elsewhere{{namespace=\"forecasting\",modelId=\"{name}\",feature=\"age\",region=\"us\"}} 1.{{tick}}\n")
    };
    lane.expose(&[own, other("secret_a"), other("secret_b")].concat());
    for (rules, reason, words) in &table {
        lane.rules(rules).await?;
        lane.shows("RuleSeesWorkload", "False", reason, &[words]).await?;
        let release = lane.becomes("churn", "False", reason).await?;
        let message = condition_of(release_conditions(&release), "DriftMonitorWired").2;
        ensure!(!message.contains("secret_"), "another tenant's label: {message}");
        lane.rules(&right).await?;
        lane.holds().await?;
    }
    lane.rules(&overwriting("'{{ $labels.modelId }}'")).await?;
    lane.holds().await
}

/// The alert of one workload fires and ends; the other's does not.
async fn alerts(lane: &Lane<'_>) -> Result<()> {
    lane.rules(&lane.rule()).await?;
    let right = exposed("drift_rules", "modelId", "1.{tick}");
    for (value, status, reason) in [("9.{tick}", "True", "AlertFiring"), ("1.{tick}", "False", "NoAlert")] {
        let one = right.lines().next().unwrap_or_default().replace("1.{tick}", value);
        lane.expose(&format!("{one}\n{}\n", right.lines().nth(1).unwrap_or_default()));
        detected(lane, "churn", status, reason).await?;
        detected(lane, "fraud", "False", "NoAlert").await?;
    }
    // An alert that does not say for whom it fires.
    lane.rules(&lane.alert("max(drift_rules) > 1")).await?;
    detected(lane, "churn", "Unknown", "AlertUnattributed").await?;
    lane.rules(&lane.rule()).await?;
    detected(lane, "churn", "False", "NoAlert").await
}

async fn detected(lane: &Lane<'_>, name: &str, status: &str, reason: &str) -> Result<()> {
    let started = Instant::now();
    let releases = lane.platform.releases(&lane.namespace);
    let what = format!("DriftDetected {status}, {reason}");
    let release = object_becomes(&releases, &format!("deployment-{name}"), &what, SOON, |release| {
        let found = condition_of(release_conditions(release), "DriftDetected");
        (found.1, found.0) == (status, reason)
    })
    .await?;
    let message = condition_of(release_conditions(&release), "DriftDetected").2;
    said(name, status, reason, started.elapsed(), message);
    Ok(())
}

async fn recorded(platform: &Platform, prometheus: &Prometheus) -> Result<()> {
    let lane = usual(platform, prometheus, "record", "").await?;
    let rules = |record: &str| {
        let record = format!("- record: lane:drift:max\n  expr: {record}\n");
        record + &lane.alert("lane:drift:max > 5")
    };
    let right = rules("max by (namespace, modelId) (drift_record)");
    lane.rules(&right).await?;
    lane.holds().await?;

    lane.rules(&rules("max by (namespace, modelId) (old_drift_record)"))
        .await?;
    let words = [
        "recording rule lane:drift:max asks for old_drift_record",
        "found drift_record with the workload's labels",
    ];
    lane.shows("RuleSeesWorkload", "False", "RecordingRuleBroken", &words)
        .await?;
    lane.rules(&right).await?;
    lane.holds().await?;

    lane.rules(&rules("max by (modelId) (drift_record)")).await?;
    let words = ["recording rule lane:drift:max records nothing with the labels namespace and modelId"];
    lane.shows("RuleSeesWorkload", "False", "RecordingRuleBroken", &words)
        .await?;
    lane.rules(&right).await?;
    lane.holds().await?;

    lane.rules(&rules("drift_record * on (job) drift_record")).await?;
    let words = [
        "recording rule lane:drift:max cannot be evaluated",
        "found duplicate series",
    ];
    lane.shows("RuleSeesWorkload", "False", "RecordingRuleBroken", &words)
        .await?;
    lane.rules(&right).await?;
    lane.holds().await?;
    lane.nothing_else_was_told()
}

async fn sources(platform: &Platform, prometheus: &Prometheus) -> Result<()> {
    const NAME: &str = "source";
    let liar = Liar::in_front_of(prometheus.host()).await?;
    let secret = |token: &str| {
        format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: drift-token}}\nstringData: {{token: {token:?}}}\n")
    };
    platform.apply(NAMESPACE, &secret("let-me-ask")).await?;
    liar.tell(Part::Everything, Lie::Demand("let-me-ask".to_owned()));
    let text = exposed("drift_source", "modelId", "1.{tick}");
    let url = format!("http://{}, bearerToken: {{name: drift-token}}", liar.host());
    let lane = Lane::open(platform, prometheus, NAME, &text, &monitor(NAME, &url, "")).await?;
    lane.becomes("churn", "True", "Wired").await?;
    lane.seen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|one| one == "True/Wired");
    lane.holds().await?;
    liar.be_honest();

    lies(&lane, &liar).await?;

    // The token's own trouble.
    liar.tell(Part::Everything, Lie::Demand("let-me-ask".to_owned()));
    platform.apply(NAMESPACE, &secret("wrong")).await?;
    lane.shows("", "Unknown", "PrometheusUnauthorized", &["bearerToken"])
        .await?;
    platform.apply(NAMESPACE, &secret("let-me-ask")).await?;
    lane.holds().await?;
    let secrets: Api<Secret> = Api::namespaced(platform.client.clone(), NAMESPACE);
    secrets.delete("drift-token", &DeleteParams::default()).await?;
    lane.shows(
        "",
        "Unknown",
        "TokenUnavailable",
        &["there is no Secret interlock-system/drift-token"],
    )
    .await?;
    platform.apply(NAMESPACE, &secret("let-me-ask")).await?;
    lane.holds().await?;
    // A workload that comes while nothing answers is told so within the time that the source has.
    liar.tell(Part::Everything, Lie::Hang);
    platform.apply(&lane.namespace, &idle("late")).await?;
    lane.becomes("late", "Unknown", "PrometheusTimeout").await?;
    lane.shows("", "Unknown", "PrometheusTimeout", &[]).await?;
    liar.be_honest();
    lane.holds().await?;
    lane.nothing_else_was_told()?;
    certificates(&lane).await
}

/// What a Prometheus and what stands before it may answer.
async fn lies(lane: &Lane<'_>, liar: &Liar) -> Result<()> {
    let partial = br#"{"status":"success","data":{"groups":[]},"warnings":["store s3 was not asked"]}"#;
    let empty = br#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["1 of 2 stores"]}"#;
    let table: [(Part, Lie, &str, &str); 9] = [
        (
            Part::Everything,
            Lie::Status(401),
            "PrometheusUnauthorized",
            "answers 401 to targets",
        ),
        (
            Part::Path("/api/v1/rules".to_owned()),
            Lie::Status(403),
            "PrometheusUnauthorized",
            "answers 403 to rules",
        ),
        (Part::Everything, Lie::Hang, "PrometheusTimeout", "within 2s"),
        (
            Part::Path("/api/v1/query".to_owned()),
            Lie::Late(Duration::from_secs(5)),
            "PrometheusTimeout",
            "within 2s",
        ),
        (
            Part::Everything,
            Lie::Status(500),
            "PrometheusError",
            "answers 500 to targets",
        ),
        (
            Part::Path("/api/v1/rules".to_owned()),
            Lie::Body(partial.to_vec()),
            "PrometheusPartial",
            "store s3 was not asked",
        ),
        (
            Part::Path("/api/v1/query".to_owned()),
            Lie::Body(empty.to_vec()),
            "PrometheusPartial",
            "1 of 2 stores",
        ),
        (
            Part::Everything,
            Lie::Body(b"<html>".to_vec()),
            "PrometheusMalformed",
            "correct spec.driftMonitor.prometheus.url",
        ),
        (
            Part::Everything,
            Lie::Redirect("http://127.0.0.1:1/".to_owned()),
            "PrometheusMalformed",
            "307",
        ),
    ];
    for (part, lie, reason, words) in table {
        liar.tell(part, lie);
        lane.shows("", "Unknown", reason, &[words]).await?;
        liar.be_honest();
        lane.holds().await?;
    }
    Ok(())
}

/// A Prometheus with TLS, without the right authority and with it.
async fn certificates(lane: &Lane<'_>) -> Result<()> {
    let secure = Prometheus::start_with_tls(&[lane.name]).await?;
    secure.scrape(lane.name, Some(lane.exporter.host()), &[("app", lane.name)])?;
    secure.rules(lane.name, &lane.rule()).await?;
    let right = serde_json::to_string(&secure.authority())?;
    let url = secure.url();
    for (bundle, status, reason) in [
        (", caBundle: none", "Unknown", "CaBundleInvalid"),
        ("", "Unknown", "PrometheusUnreachable"),
        (&*format!(", caBundle: {right}"), "True", "Wired"),
    ] {
        let monitor = monitor(lane.name, &format!("{url:?}{bundle}"), "");
        let track = track(
            &format!("drift-{}", lane.name),
            &lane.namespace,
            10,
            DEPLOYMENTS,
            &monitor,
        );
        lane.platform.apply(&lane.namespace, &track).await?;
        if reason == "Wired" {
            lane.holds().await?;
        } else {
            lane.shows("", status, reason, &[]).await?;
        }
    }
    Ok(())
}

/// Names that would end a string or begin another query, where the API lets them through; kinds that need no monitor.
async fn names(platform: &Platform, prometheus: &Prometheus) -> Result<()> {
    const HOSTILE: &str = r#"x"} or vector(1) or up{a="\"#;
    let lane = usual(platform, prometheus, "names", "").await?;
    let escaped = HOSTILE.replace('\\', "\\\\").replace('"', "\\\"");
    let both = exposed("drift_names", "modelId", "1.{tick}");
    lane.expose(&(both.clone() + both.replace("churn", &escaped).lines().next().unwrap_or_default() + "\n"));
    let roles: Api<Role> = Api::namespaced(platform.client.clone(), &lane.namespace);
    for name in [HOSTILE, "or vector(1)"] {
        let mut role = Role::default();
        role.metadata.name = Some(name.to_owned());
        roles.create(&PostParams::default(), &role).await?;
    }
    let of = async |name: &str, status: &str, reason: &str| {
        let releases = platform.releases(&lane.namespace);
        let what = format!("{name:?}: DriftMonitorWired {status}, {reason}");
        let found = async || {
            let all = releases.list(&ListParams::default()).await?;
            let its = all.into_iter().find(|release| release.spec.subject.name == name);
            Ok(its.filter(|release| {
                let found = condition_of(release_conditions(release), "DriftMonitorWired");
                (found.1, found.0) == (status, reason)
            }))
        };
        eventually(&what, SOON, found).await
    };
    of(HOSTILE, "True", "Wired").await?;
    of("or vector(1)", "False", "NoSeries").await?;

    // Without the kind among those that are monitored nothing is said of it.
    let url = format!("http://{}", prometheus.host());
    let only = monitor("names", &url, "") + "    kinds: [{group: apps, kind: Deployment}]\n";
    let kinds = "[{group: apps, kind: Deployment}, {group: rbac.authorization.k8s.io, kind: Role}]";
    platform
        .apply(
            &lane.namespace,
            &track("drift-names", &lane.namespace, 10, kinds, &only),
        )
        .await?;
    of(HOSTILE, "", "").await?;
    lane.holds().await
}

/// Prometheus goes and comes; the operator restarts while all holds, while a link is broken and while nothing answers:
/// nothing is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_writes_nothing_whatever_is_told_of_a_monitor() -> Result<()> {
    const JOB: &str = "restart";
    let (mut platform, prometheus) = tokio::try_join!(judging(), Prometheus::start(&[JOB]))?;
    let namespace = platform.namespace(JOB).await?;
    let good = exposed("drift_restart", "modelId", "1.{tick}").replace("{ns}", &namespace);
    let exporter = Exporter::start(&good).await?;
    prometheus.scrape(JOB, Some(exporter.host()), &[("app", JOB)])?;
    let alert = "- alert: Drift_restart\n  expr: drift_restart > 5\n  labels: {severity: page}\n";
    prometheus.rules(JOB, alert).await?;
    let monitor = monitor(JOB, &format!("http://{}", prometheus.host()), "");
    // Only the bundle that judges the monitor: what its gate says shows as Operational, and leaves Ready alone.
    let model = std::fs::read(repository_root().join("bundles/dist/model.tar.gz"))?;
    platform.publish("policies/model", "stable", &model).await?;
    platform
        .bundle("model", platform.registry.host(), "policies/model", "stable", "model")
        .await?;
    platform.bundle_says("model", "Judging").await?;
    let track =
        track("drift-restart", &namespace, 10, DEPLOYMENTS, &monitor).replace("{name: baseline}", "{name: model}");
    platform
        .apply(&namespace, &[track, idle("churn"), idle("fraud")].join("---\n"))
        .await?;
    told(&platform, &namespace, "True", "Wired").await?;
    few_questions(&platform).await?;
    restart_writes_nothing(&mut platform).await?;
    exporter.set("nothing 1\n");
    told(&platform, &namespace, "False", "NoSeries").await?;
    restart_writes_nothing(&mut platform).await?;
    prometheus.stop();
    told(&platform, &namespace, "Unknown", "PrometheusUnreachable").await?;
    restart_writes_nothing(&mut platform).await?;
    exporter.set(&good);
    prometheus.start_again().await?;
    told(&platform, &namespace, "True", "Wired").await
}

async fn told(platform: &Platform, namespace: &str, status: &str, reason: &str) -> Result<()> {
    let started = Instant::now();
    let releases = platform.releases(namespace);
    let what = format!("DriftMonitorWired {status}, {reason}");
    let release = object_becomes(&releases, "deployment-churn", &what, SOON, |release| {
        let found = condition_of(release_conditions(release), "DriftMonitorWired");
        (found.1, found.0) == (status, reason)
    })
    .await?;
    let conditions = release_conditions(&release);
    let message = condition_of(conditions, "DriftMonitorWired").2;
    said("restart", status, reason, started.elapsed(), message);
    let (operational, ready) = (
        condition_of(conditions, "Operational"),
        condition_of(conditions, "Ready"),
    );
    ensure!(
        operational.1 == status && ready.1 == "True",
        "{operational:?} {ready:?}"
    );
    ensure!(status == "True" || operational.2.starts_with("M-14"), "{operational:?}");
    Ok(())
}

/// While all holds, a round asks once for targets and twice for rules (alerting and recording), and twice a workload.
async fn few_questions(platform: &Platform) -> Result<()> {
    let counts = async || -> Result<[f64; 3]> {
        let mut counts = [0.0; 3];
        for (count, endpoint) in counts.iter_mut().zip(["targets", "rules", "query"]) {
            let labels = format!("endpoint=\"{endpoint}\"");
            *count = metric(platform.probes(), "interlock_drift_questions_total", &labels).await?;
        }
        Ok(counts)
    };
    let before = counts().await?;
    let after = eventually("several rounds went by", SOON, async || {
        let now = counts().await?;
        Ok((now[0] >= before[0] + 4.0).then_some(now))
    })
    .await?;
    let [rounds, rules, queries] = [0, 1, 2].map(|index| after[index] - before[index]);
    // One round may have been under way at either end.
    ensure!(
        rules <= 2.0 * (rounds + 1.0),
        "{rules} questions for rules in {rounds} rounds"
    );
    ensure!(
        queries <= 4.0 * (rounds + 1.0),
        "{queries} queries in {rounds} rounds for two workloads"
    );
    asked(rounds, rules, queries);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what one wants to know")]
fn asked(rounds: f64, rules: f64, queries: f64) {
    println!("two workloads, {rounds} rounds: {rules} questions for rules, {queries} queries");
}

async fn restart_writes_nothing(platform: &mut Platform) -> Result<()> {
    let api: Api<Release> = Api::all(platform.client.clone());
    let versions = async || -> Result<Vec<_>> {
        let all = api.list(&ListParams::default()).await?;
        Ok(all.iter().map(|one| (one.name_any(), one.resource_version())).collect())
    };
    // That nothing comes can only be seen by waiting: for several rounds.
    let mut last = (versions().await?, Instant::now());
    let before = eventually("nothing is written any more", SOON, async || {
        let now = versions().await?;
        if now != last.0 {
            last = (now, Instant::now());
        }
        Ok((last.1.elapsed() > Duration::from_secs(4)).then(|| last.0.clone()))
    })
    .await?;
    platform.operator.start_again()?;
    platform.operator.ready().await?;
    let probes = platform.probes().to_owned();
    let asked = async || Ok((metric(&probes, "interlock_drift_questions_total", "").await? >= 12.0).then_some(()));
    eventually("the restarted operator probed several times", SOON, asked).await?;
    let writes = metric(platform.probes(), "interlock_api_writes_total", "").await?;
    let after = versions().await?;
    ensure!(
        before == after && writes == 0.0,
        "{writes} writes after a restart:\n{}",
        platform.log_tail(30)
    );
    Ok(())
}
