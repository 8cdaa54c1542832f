//! The main job, told step by step on real parts: a signed bundle from a registry judges workloads on a real API
//! server, and the verdicts show as `kubectl` shows them. `make demo` stays up to be looked at; with `--once` it leaves,
//! with 0 only if all went as told.

#![expect(clippy::print_stdout, reason = "the demo speaks to a person at a terminal")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use interlock_crds::release::GateOutcome;
use interlock_crds::{PolicyBundle, Release, Verdict};
use interlock_tests::child::free_port;
use interlock_tests::cosign::{KeyPair, OFFLINE};
use interlock_tests::env::served;
use interlock_tests::examples::Project;
use interlock_tests::operator::interlock;
use interlock_tests::scratch::{scratch, write};
use interlock_tests::tools::{repository_root, tool};
use interlock_tests::{ControlPlane, Flavour, Operator, Registry, object_becomes};
use kube::{Api, Client};
use tempfile::TempDir;
use tokio::process::Command;

/// Longer than any step takes on a slow machine.
const SOON: Duration = Duration::from_mins(1);
/// The sample that KServe's own documentation starts with.
const KSERVE_SAMPLE: &str = "docs/samples/v1beta1/sklearn/v1/sklearn.yaml";
const KSERVE_CRD: &str = "config/crd/full/serving.kserve.io_inferenceservices.yaml";
const KSERVE_CRD_NAME: &str = "inferenceservices.serving.kserve.io";
const TOOLS: [&str; 7] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kubectl",
    "registry",
    "cosign",
    "manifests",
];

#[tokio::main]
async fn main() -> Result<()> {
    let once = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--once" => true,
        other => bail!("{} is not known; only --once is", other.join(" ")),
    };
    let started = Instant::now();
    let demo = Demo::start().await?;
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
    control_plane: ControlPlane,
    client: Client,
    key: KeyPair,
    folder: TempDir,
}

impl Demo {
    async fn start() -> Result<Self> {
        step("Tools: what is missing is built once, and says how long it takes");
        for name in TOOLS {
            tool(name)?;
        }
        step("A control plane (etcd, kube-apiserver, kube-controller-manager) and a registry, on free ports");
        let (control_plane, registry) = tokio::try_join!(ControlPlane::start(), Registry::start(Flavour::Referrers))?;
        let client = control_plane.client().await?;
        println!("  {} and {}", control_plane.url(), registry.host());

        step("Interlock: its CRDs and its operator");
        let kubeconfig = control_plane.kubeconfig().display().to_string();
        run_interlock(&["crds", "--apply", "--kubeconfig", &kubeconfig]).await?;
        kubectl(control_plane.kubeconfig(), &["create", "namespace", "interlock-system"]).await?;
        let (folder, probes) = (scratch("demo")?, format!("127.0.0.1:{}", free_port()?));
        let arguments = [
            format!("--kubeconfig={kubeconfig}"),
            format!("--cache-dir={}", folder.path().join("cache").display()),
            format!("--listen={probes}"),
            format!("--allow-registry={}", registry.host()),
            format!("--plain-http-registry={}", registry.host()),
        ];
        println!("$ interlock operator {}", arguments.join(" "));
        let mut operator = Operator::start(&arguments.each_ref().map(String::as_str), &probes)?;
        operator.ready().await?;
        let key = KeyPair::generate().await?;
        Ok(Self {
            operator,
            registry,
            control_plane,
            client,
            key,
            folder,
        })
    }

    async fn tell(&self) -> Result<()> {
        self.publish_the_bundle().await?;
        self.govern().await?;
        self.show_verdicts().await?;
        self.explain().await?;
        self.fix().await
    }

    /// The platform team publishes the baseline bundle and signs what it has published.
    async fn publish_the_bundle(&self) -> Result<()> {
        step("The platform team pushes the baseline bundle and signs it with cosign");
        let bundle = repository_root()
            .join("bundles/dist/baseline.tar.gz")
            .display()
            .to_string();
        let reference = format!("{}/policies/baseline:1.0.0", self.registry.host());
        let pushed = run_interlock(&["bundle", "push", "--plain-http", &bundle, &reference]).await?;
        let pinned = pushed.split_whitespace().find(|word| word.contains("@sha256:"));
        let pinned = pinned.with_context(|| format!("`bundle push` printed no digest: {pushed}"))?;
        println!("$ cosign sign {} {pinned}", OFFLINE.join(" "));
        self.key.sign(pinned).await
    }

    /// The platform team says who may sign and what is governed.
    async fn govern(&self) -> Result<()> {
        step("The platform team applies a Signer, a PolicyBundle and two tracks");
        let template = std::fs::read_to_string(file("platform.yaml"))?;
        let filled = template
            .replace("${PUBLIC_KEY}", &serde_json::to_string(self.key.public())?)
            .replace("${REGISTRY}", self.registry.host());
        self.apply(&write(self.folder.path(), "platform.yaml", filled)?).await?;
        let bundles: Api<PolicyBundle> = Api::all(self.client.clone());
        object_becomes(&bundles, "baseline", "verified, compiled and ready", SOON, |bundle| {
            bundle
                .status
                .as_ref()
                .is_some_and(|status| is_true(&status.conditions, "Ready"))
        })
        .await?;
        self.kubectl(&["get", "signers,policybundles,governancetracks"]).await
    }

    /// Teams apply workloads; each gets a Release with a verdict.
    async fn show_verdicts(&self) -> Result<()> {
        step("Teams apply workloads; the model is KServe's own sample, with KServe's own CRD");
        let kserve = Project::KServe.folder()?;
        // Too large for the annotation that a plain `kubectl apply` writes.
        let crd = kserve.join(KSERVE_CRD).display().to_string();
        self.kubectl(&["apply", "--server-side", "--filename", &crd]).await?;
        served(&self.client, KSERVE_CRD_NAME).await?; // `kubectl wait` fails where there is no condition yet
        self.apply(&file("workloads.yaml")).await?;
        self.apply(&file("checkout.yaml")).await?;
        let sample = kserve.join(KSERVE_SAMPLE).display().to_string();
        self.kubectl(&["apply", "--namespace", "forecasting", "--filename", &sample])
            .await?;

        self.verdict("shop", "deployment-cart", Verdict::Allow).await?;
        self.verdict("shop", "ingress-storefront", Verdict::Allow).await?;
        self.verdict("shop", "deployment-checkout", Verdict::Deny).await?;
        self.verdict("forecasting", "cronjob-nightly-features", Verdict::Deny)
            .await?;
        self.verdict("forecasting", "inferenceservice-sklearn-iris", Verdict::Deny)
            .await?;
        self.kubectl(&["get", "releases", "--all-namespaces"]).await
    }

    /// Why one of them is denied, and what its team is to do: all of it is in the Release.
    async fn explain(&self) -> Result<()> {
        step("Why is checkout denied? Its Release says so, and what to do");
        let release = self.verdict("shop", "deployment-checkout", Verdict::Deny).await?;
        let gates = release.status.map(|status| status.gates).unwrap_or_default();
        for gate in &gates {
            println!("  {} {:?} {}", gate.id, gate.result, gate.message);
        }
        println!();
        let failed = gates.iter().filter(|gate| gate.result == GateOutcome::Fail);
        let remedies: BTreeMap<&str, Option<&str>> = failed
            .map(|gate| (gate.id.as_str(), gate.remediation.as_deref()))
            .collect();
        for (gate, remedy) in &remedies {
            println!(
                "  {gate}: {}",
                remedy.with_context(|| format!("{gate} says not what to do"))?
            );
        }
        for expected in ["C-01", "C-04", "C-07"] {
            ensure!(
                remedies.contains_key(expected),
                "{expected} should fail; {:?} do",
                remedies.keys()
            );
        }
        Ok(())
    }

    /// The team does it.
    async fn fix(&self) -> Result<()> {
        step("The team fixes checkout: pinned image, secret by reference, no privileges");
        self.apply(&file("checkout-fixed.yaml")).await?;
        let applied = Instant::now();
        self.verdict("shop", "deployment-checkout", Verdict::Allow).await?;
        println!("  the verdict turned after {} ms\n", applied.elapsed().as_millis());
        self.kubectl(&["get", "releases", "--all-namespaces"]).await
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

    async fn apply(&self, path: &Path) -> Result<()> {
        self.kubectl(&["apply", "--filename", &path.display().to_string()])
            .await
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<()> {
        kubectl(self.control_plane.kubeconfig(), arguments).await
    }
}

fn step(what: &str) {
    println!("\n── {what}");
}

fn file(name: &str) -> PathBuf {
    repository_root().join("tests/demo").join(name)
}

fn is_true(conditions: &[interlock_crds::condition::Condition], kind: &str) -> bool {
    conditions
        .iter()
        .any(|condition| condition.type_ == kind && condition.status == "True")
}

/// Shows the command as a user would type it, runs it and shows what it says.
async fn kubectl(kubeconfig: &Path, arguments: &[&str]) -> Result<()> {
    println!("$ kubectl {}", arguments.join(" "));
    let mut command = Command::new(tool("kubectl")?);
    let status = command
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .kill_on_drop(true)
        .status()
        .await?;
    ensure!(status.success(), "kubectl {} failed: {status}", arguments.join(" "));
    Ok(())
}

/// The same for `interlock`; answers what it printed.
async fn run_interlock(arguments: &[&str]) -> Result<String> {
    println!("$ interlock {}", arguments.join(" "));
    let output = interlock(arguments).await?;
    let said = String::from_utf8(output.stdout)?;
    print!("{said}");
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "interlock {} failed: {complained}",
        arguments.join(" ")
    );
    Ok(said)
}
