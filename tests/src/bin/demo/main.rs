//! The main job, told step by step on real parts: signed bundles from a registry judge workloads on a real API server,
//! images and models are held to their signatures, and a drift monitor that no longer watches is found out. All shows
//! as `kubectl` shows it. `make demo` stays up to be looked at; with `--once` it leaves, with 0 only if all went as told.

#![expect(clippy::print_stdout, reason = "the demo speaks to a person at a terminal")]

mod terminal;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use interlock_crds::release::GateOutcome;
use interlock_crds::{PolicyBundle, Release, Verdict};
use interlock_tests::artifact::Repository;
use interlock_tests::child::free_port;
use interlock_tests::cosign::{KeyPair, OFFLINE};
use interlock_tests::env::served;
use interlock_tests::examples::Project;
use interlock_tests::platform::{condition_of, release_conditions};
use interlock_tests::prometheus::{Exporter, Prometheus};
use interlock_tests::scratch::{scratch, write};
use interlock_tests::tools::{repository_root, tool};
use interlock_tests::{ControlPlane, Flavour, Operator, Registry, chart, object_becomes};
use kube::{Api, Client};
use tempfile::TempDir;

use self::terminal::{kubectl, run_interlock, step};

/// Longer than any step takes on a slow machine.
const SOON: Duration = Duration::from_mins(1);
/// The namespace of the operator.
const NAMESPACE: &str = "interlock-system";
/// The sample that KServe's own documentation starts with.
const KSERVE_SAMPLE: &str = "docs/samples/v1beta1/sklearn/v1/sklearn.yaml";
const KSERVE_CRD: &str = "config/crd/full/serving.kserve.io_inferenceservices.yaml";
const KSERVE_CRD_NAME: &str = "inferenceservices.serving.kserve.io";
const TOOLS: [&str; 9] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kubectl",
    "registry",
    "cosign",
    "helm",
    "prometheus",
    "manifests",
];
/// What the model's drift detector exposes.
const SCORES: &str =
    "# TYPE feature_drift_score gauge\nfeature_drift_score{namespace=\"forecasting\",model=\"demand\"} 0.0{tick}\n";

#[tokio::main]
async fn main() -> Result<()> {
    let once = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--once" => true,
        other => bail!("{} is not known; only --once is", other.join(" ")),
    };
    let started = Instant::now();
    let mut demo = Demo::start().await?;
    let told = demo.tell().await;
    told.with_context(|| format!("not as told; the operator's log:\n{}", demo.operator.log()))?;
    println!("\nAll as told, in {} s.", started.elapsed().as_secs());
    if !once {
        println!(
            "\nIt stays up until Ctrl-C. In another terminal:\n\n  export KUBECONFIG={}\n  {} get releases -A -o wide\n",
            demo.control_plane.kubeconfig().display(),
            tool("kubectl")?.display(),
        );
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

/// What runs. Dropped, in this order, it all ends.
struct Demo {
    operator: Operator,
    registry: Registry,
    prometheus: Prometheus,
    detector: Exporter,
    control_plane: ControlPlane,
    client: Client,
    keys: Keys,
    /// What stands for `${NAME}` in the YAML files.
    words: BTreeMap<&'static str, String>,
    folder: TempDir,
}

/// Who signs what.
struct Keys {
    platform: KeyPair,
    shop: KeyPair,
    ml: KeyPair,
    stranger: KeyPair,
}

impl Demo {
    async fn start() -> Result<Self> {
        step("Tools: what is missing is built once, and says how long it takes");
        for name in TOOLS {
            tool(name)?;
        }
        step(
            "A control plane (etcd, kube-apiserver, kube-controller-manager), a registry and a Prometheus, on free ports",
        );
        let (control_plane, registry, prometheus, detector) = tokio::try_join!(
            ControlPlane::start(),
            Registry::start(Flavour::Referrers),
            Prometheus::start(&["drift"]),
            Exporter::start(SCORES),
        )?;
        let client = control_plane.client().await?;
        println!(
            "  {}, {} and {}",
            control_plane.url(),
            registry.host(),
            prometheus.host()
        );
        let folder = scratch("demo")?;
        let operator = install(&control_plane, &client, &registry, folder.path()).await?;
        let keys = Keys {
            platform: KeyPair::generate().await?,
            shop: KeyPair::generate().await?,
            ml: KeyPair::generate().await?,
            stranger: KeyPair::generate().await?,
        };
        let pem = |key: &KeyPair| serde_json::to_string(key.public());
        let words = BTreeMap::from([
            ("PLATFORM_KEY", pem(&keys.platform)?),
            ("SHOP_KEY", pem(&keys.shop)?),
            ("ML_KEY", pem(&keys.ml)?),
            ("REGISTRY", registry.host().to_owned()),
            ("PROMETHEUS", prometheus.host().to_owned()),
        ]);
        Ok(Self {
            operator,
            registry,
            prometheus,
            detector,
            control_plane,
            client,
            keys,
            words,
            folder,
        })
    }

    async fn tell(&mut self) -> Result<()> {
        self.publish_the_bundles().await?;
        self.publish_artifacts().await?;
        self.govern().await?;
        self.show_verdicts().await?;
        self.explain().await?;
        self.fix().await?;
        self.lose_the_monitor().await
    }

    /// The platform team publishes its bundles and signs what it has published.
    async fn publish_the_bundles(&self) -> Result<()> {
        step("The platform team pushes its policy bundles and signs them with cosign");
        for (name, revision) in [("baseline", "1.1.0"), ("model", "1.0.0")] {
            let file = repository_root()
                .join(format!("bundles/dist/{name}.tar.gz"))
                .display()
                .to_string();
            let reference = format!("{}/policies/{name}:{revision}", self.registry.host());
            let pushed = run_interlock(&["bundle", "push", "--plain-http", &file, &reference]).await?;
            let pinned = pushed.split_whitespace().find(|word| word.contains("@sha256:"));
            let pinned = pinned.with_context(|| format!("`bundle push` printed no digest: {pushed}"))?;
            sign(&self.keys.platform, pinned).await?;
        }
        Ok(())
    }

    /// Teams publish what they run: images and models are OCI artifacts alike.
    async fn publish_artifacts(&mut self) -> Result<()> {
        step("Teams push images and models and sign them; one model is signed by somebody whom nobody trusts");
        let artifacts = [
            ("CART", "shop/cart", "1.0", &self.keys.shop),
            ("CHECKOUT", "shop/checkout", "2.1", &self.keys.shop),
            ("DEMAND", "models/demand", "7", &self.keys.ml),
            ("CHURN", "models/churn", "3", &self.keys.stranger),
        ];
        for (word, path, tag, key) in artifacts {
            let pushed = Repository::new(self.registry.host(), path)
                .push(tag, path.as_bytes())
                .await?;
            sign(key, &pushed).await?;
            self.words.insert(word, pushed);
        }
        Ok(())
    }

    /// The platform team says who may sign, what is governed, and which monitor a model must have.
    async fn govern(&self) -> Result<()> {
        step("The platform team applies Signers, PolicyBundles and two tracks; Prometheus gets its alerting rule");
        self.prometheus.scrape("drift", Some(self.detector.host()), &[])?;
        self.prometheus
            .rules("drift", &std::fs::read_to_string(file("rules.yaml"))?)
            .await?;
        self.apply("platform.yaml").await?;
        let bundles: Api<PolicyBundle> = Api::all(self.client.clone());
        for name in ["baseline", "model"] {
            object_becomes(&bundles, name, "verified, compiled and ready", SOON, |bundle| {
                let status = bundle.status.as_ref();
                status.is_some_and(|status| condition_of(&status.conditions, "Ready").1 == "True")
            })
            .await?;
        }
        self.kubectl(&["get", "signers,policybundles,governancetracks"]).await
    }

    /// Teams apply workloads; each gets a Release with a verdict.
    async fn show_verdicts(&self) -> Result<()> {
        step("Teams apply workloads; one model is KServe's own sample, with KServe's own CRD");
        let kserve = Project::KServe.folder()?;
        // Too large for the annotation that a plain `kubectl apply` writes.
        let crd = kserve.join(KSERVE_CRD).display().to_string();
        self.kubectl(&["apply", "--server-side", "--filename", &crd]).await?;
        served(&self.client, KSERVE_CRD_NAME).await?; // `kubectl wait` fails where there is no condition yet
        for name in ["workloads.yaml", "checkout.yaml", "models.yaml"] {
            self.apply(name).await?;
        }
        let sample = kserve.join(KSERVE_SAMPLE).display().to_string();
        self.kubectl(&["apply", "--namespace", "forecasting", "--filename", &sample])
            .await?;

        self.verdict("shop", "deployment-cart", Verdict::Allow).await?;
        self.verdict("shop", "ingress-storefront", Verdict::Allow).await?;
        self.verdict("shop", "deployment-checkout", Verdict::Deny).await?;
        self.verdict("forecasting", "cronjob-nightly-features", Verdict::Deny)
            .await?;
        self.verdict("forecasting", "inferenceservice-demand", Verdict::Allow)
            .await?;
        self.verdict("forecasting", "inferenceservice-churn", Verdict::Deny)
            .await?;
        self.verdict("forecasting", "inferenceservice-sklearn-iris", Verdict::Deny)
            .await?;
        self.says("inferenceservice-demand", "DriftMonitorWired", "Wired")
            .await?;
        self.says("inferenceservice-demand", "DriftDetected", "NoAlert").await?;
        self.kubectl(&["get", "releases", "--all-namespaces"]).await
    }

    /// Why some are denied, and what their teams are to do: all of it is in the Release.
    async fn explain(&self) -> Result<()> {
        step("Why are they denied? Their Releases say so, and what to do");
        let checkout = self.verdict("shop", "deployment-checkout", Verdict::Deny).await?;
        told(&checkout, &["C-01", "C-04", "C-07"])?;
        for name in ["inferenceservice-churn", "inferenceservice-sklearn-iris"] {
            told(&self.verdict("forecasting", name, Verdict::Deny).await?, &["M-01"])?;
        }
        self.says("inferenceservice-churn", "ModelVerified", "UntrustedKey")
            .await?;
        Ok(())
    }

    /// The teams do it.
    async fn fix(&self) -> Result<()> {
        step("The shop team fixes checkout: pinned image, secret by reference, no privileges");
        self.apply("checkout-fixed.yaml").await?;
        let applied = Instant::now();
        self.verdict("shop", "deployment-checkout", Verdict::Allow).await?;
        println!("  the verdict turned after {} ms", applied.elapsed().as_millis());
        step("The ML team reviews churn and signs it: the operator finds the signature by itself");
        sign(&self.keys.ml, self.word("CHURN")?).await?;
        self.verdict("forecasting", "inferenceservice-churn", Verdict::Allow)
            .await?;
        self.kubectl(&["get", "releases", "--all-namespaces"]).await
    }

    /// A new version of the detector renames its series: the alert is loaded, healthy, and can never fire again.
    async fn lose_the_monitor(&self) -> Result<()> {
        step("A new version of the drift detector renames its series: the alert is still loaded and healthy, and dead");
        self.detector
            .set(&SCORES.replace("feature_drift_score", "feature_drift_score_v2"));
        self.says("inferenceservice-demand", "DriftMonitorWired", "NoSeries")
            .await?;
        let wide = [
            "get",
            "release",
            "inferenceservice-demand",
            "--namespace",
            "forecasting",
            "--output",
        ];
        let chain =
            "jsonpath={range .status.driftMonitor.links[*]}{.name}{\"\\t\"}{.status}{\"\\t\"}{.reason}{\"\\n\"}{end}";
        self.kubectl(&[&wide[..], &[chain]].concat()).await?;
        step("The detector gets its series back");
        self.detector.set(SCORES);
        self.says("inferenceservice-demand", "DriftMonitorWired", "Wired")
            .await?;
        self.kubectl(&["get", "releases", "--all-namespaces"]).await
    }

    /// Waits until a condition of a Release of the forecasting team has this reason, and tells its message.
    async fn says(&self, name: &str, kind: &str, reason: &str) -> Result<()> {
        let releases: Api<Release> = Api::namespaced(self.client.clone(), "forecasting");
        let what = format!("{kind} says {reason}");
        let says = |release: &Release| condition_of(release_conditions(release), kind).0 == reason;
        let release = object_becomes(&releases, name, &what, SOON, says).await?;
        let (_, status, message) = condition_of(release_conditions(&release), kind);
        println!("  {name}: {kind} {status}, {reason}: {message}");
        Ok(())
    }

    /// Waits until the Release called `name` has this verdict.
    async fn verdict(&self, namespace: &str, name: &str, wanted: Verdict) -> Result<Release> {
        let releases: Api<Release> = Api::namespaced(self.client.clone(), namespace);
        object_becomes(&releases, name, wanted.as_str(), SOON, |release| {
            release
                .status
                .as_ref()
                .is_some_and(|status| status.verdict == Some(wanted))
        })
        .await
    }

    /// Applies a file of `tests/demo`, its `${...}` filled in.
    async fn apply(&self, name: &str) -> Result<()> {
        let mut text = std::fs::read_to_string(file(name))?;
        for (word, value) in &self.words {
            text = text.replace(&format!("${{{word}}}"), value);
        }
        ensure!(!text.contains("${"), "{name} holds a word that nothing stands for");
        let path = write(self.folder.path(), name, text)?;
        self.kubectl(&["apply", "--filename", &path.display().to_string()])
            .await
    }

    fn word(&self, word: &str) -> Result<&str> {
        self.words
            .get(word)
            .map(String::as_str)
            .with_context(|| format!("nothing stands for {word}"))
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<()> {
        kubectl(self.control_plane.kubeconfig(), arguments).await
    }
}

/// Installs the chart, and runs its operator beside the control plane, which has no node to run it on.
async fn install(
    control_plane: &ControlPlane,
    client: &Client,
    registry: &Registry,
    folder: &Path,
) -> Result<Operator> {
    step("Interlock: its chart, and its operator under the chart's service account (here is no node to run it on)");
    let folder_of_chart = chart::folder().display().to_string();
    let registries = format!("registries.allow={{{}}}", registry.host());
    let mut arguments = vec![
        "install",
        chart::RELEASE,
        &folder_of_chart,
        "--namespace",
        NAMESPACE,
        "--create-namespace",
    ];
    for value in chart::IMAGE.iter().copied().chain([registries.as_str()]) {
        arguments.extend(["--set", value]);
    }
    println!("$ helm {}", arguments.join(" "));
    let output = chart::helm(Some(control_plane.kubeconfig()), &arguments).await?;
    ensure!(
        output.status.success(),
        "helm: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let token = chart::token(client, NAMESPACE, chart::RELEASE).await?;
    let kubeconfig = control_plane.kubeconfig_with("operator", &token)?;
    let probes = format!("127.0.0.1:{}", free_port()?);
    let arguments = [
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--namespace={NAMESPACE}"),
        format!("--cache-dir={}", folder.join("cache").display()),
        format!("--listen={probes}"),
        format!("--allow-registry={}", registry.host()),
        format!("--plain-http-registry={}", registry.host()),
        "--evidence-interval=5".to_owned(),
    ];
    println!("$ interlock operator {}", arguments.join(" "));
    let mut operator = Operator::start(&arguments.each_ref().map(String::as_str), &probes)?;
    operator.ready().await?;
    Ok(operator)
}

/// Tells what a Release complains about, and what to do; `expected` are gates that must be among it.
fn told(release: &Release, expected: &[&str]) -> Result<()> {
    println!("  {}", release.spec.subject.name);
    let gates = release
        .status
        .as_ref()
        .map(|status| status.gates.as_slice())
        .unwrap_or_default();
    for gate in gates {
        println!("    {} {:?} {}", gate.id, gate.result, gate.message);
    }
    let failed = gates.iter().filter(|gate| gate.result == GateOutcome::Fail);
    let remedies: BTreeMap<&str, Option<&str>> = failed
        .map(|gate| (gate.id.as_str(), gate.remediation.as_deref()))
        .collect();
    for (gate, remedy) in &remedies {
        println!(
            "    {gate}: {}",
            remedy.with_context(|| format!("{gate} says not what to do"))?
        );
    }
    for gate in expected {
        ensure!(
            remedies.contains_key(gate),
            "{gate} should fail; {:?} do",
            remedies.keys()
        );
    }
    Ok(())
}

/// Signs as a user does who has a key and no network.
async fn sign(key: &KeyPair, reference: &str) -> Result<()> {
    println!("$ cosign sign {} {reference}", OFFLINE.join(" "));
    key.sign(reference).await
}

fn file(name: &str) -> PathBuf {
    repository_root().join("tests/demo").join(name)
}
