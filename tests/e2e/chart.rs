//! The Helm chart: what it renders, and which values it refuses. That its RBAC is enough is shown by every other story, whose operator runs under it; that none of it is too much, by [`crate::rbac`]. Its life on a
//! cluster is in [`crate::installation`].

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use interlock_tests::apply::{FIELD_MANAGER, api_for, documents};
use interlock_tests::chart::{self, RELEASE, helm};
use interlock_tests::eventually::eventually;
use interlock_tests::operator::interlock;
use interlock_tests::platform::{NAMESPACE, SOON};
use interlock_tests::scratch::{scratch, write};
use interlock_tests::tools::repository_root;
use interlock_tests::{ControlPlane, apply::apply};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;

/// Values of one's own.
const ALL_ON: &str = "tests/e2e/testdata/chart/all-on.yaml";
const ALL_OFF: &str = "tests/e2e/testdata/chart/all-off.yaml";

/// The release's namespace, in which no pod may run that is not restricted.
pub(crate) const RESTRICTED: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: interlock-system\n  \
    labels: {pod-security.kubernetes.io/enforce: restricted}\n";

#[test]
fn the_chart_carries_what_the_code_says() -> Result<()> {
    let folder = chart::folder().join("files/crds");
    let update = std::env::var_os("UPDATE").is_some();
    let mut names = BTreeSet::new();
    for crd in interlock_crds::crds() {
        let name = format!("{}.yaml", crd.spec.names.plural);
        let generated = std::fs::read(repository_root().join("crds/generated").join(&name))?;
        let file = folder.join(&name);
        if update {
            std::fs::write(&file, &generated)?;
        }
        ensure!(
            std::fs::read(&file).unwrap_or_default() == generated,
            "{} differs from crds/generated: run make generated",
            file.display()
        );
        names.insert(name);
    }
    let found: BTreeSet<String> = std::fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    ensure!(found == names, "the chart's CRDs are {found:?}, the code's {names:?}");
    let about: Value = serde_saphyr::from_str(&std::fs::read_to_string(chart::folder().join("Chart.yaml"))?)?;
    for field in ["version", "appVersion"] {
        ensure!(
            about[field] == env!("CARGO_PKG_VERSION"),
            "{field} of Chart.yaml is {}",
            about[field]
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_is_rendered_are_the_crds_of_the_code() -> Result<()> {
    let rendered = documents(&chart::render(NAMESPACE, &[]).await?)?;
    let ours = interlock_crds::crds();
    let mut seen = 0;
    for object in rendered
        .iter()
        .filter(|object| object["kind"] == "CustomResourceDefinition")
    {
        let crd: CustomResourceDefinition = serde_json::from_value(object.clone())?;
        let generated = ours
            .iter()
            .find(|one| one.name_any() == crd.name_any())
            .context("a CRD of ours")?;
        // Helm reads and writes YAML on the way: no number and no text may change.
        ensure!(crd.spec == generated.spec, "{} was changed", crd.name_any());
        ensure!(
            crd.annotations()
                .get("helm.sh/resource-policy")
                .is_some_and(|policy| policy == "keep")
        );
        seen += 1;
    }
    ensure!(seen == ours.len());
    Ok(())
}

/// Everything set, and everything off: each is linted, taken by the API server, and understood by the operator.
#[tokio::test]
async fn every_value_can_be_set_and_everything_switched_off() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let client = control_plane.client().await?;
    apply(&client, NAMESPACE, RESTRICTED).await?;
    let monitors = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: servicemonitors.monitoring.coreos.com}\n\
        spec:\n  group: monitoring.coreos.com\n  scope: Namespaced\n  names: {kind: ServiceMonitor, plural: servicemonitors, singular: servicemonitor}\n  \
        versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n";
    apply(&client, NAMESPACE, monitors).await?;
    interlock_tests::env::served(&client, "servicemonitors.monitoring.coreos.com").await?;

    for (values, kinds) in [
        (
            ALL_ON,
            "ClusterRole ClusterRoleBinding CustomResourceDefinition Deployment NetworkPolicy PodDisruptionBudget Role RoleBinding Service \
             ServiceAccount ServiceMonitor",
        ),
        (ALL_OFF, "Deployment"),
    ] {
        let file = repository_root().join(values).display().to_string();
        let folder = chart::folder().display().to_string();
        let linted = helm(None, &["lint", "--strict", &folder, "--values", &file]).await?;
        ensure!(linted.status.success(), "{values}: {}", said(&linted));
        let rendered = helm(
            None,
            &["template", RELEASE, &folder, "-n", NAMESPACE, "--values", &file],
        )
        .await?;
        ensure!(rendered.status.success(), "{values}: {}", said(&rendered));
        let rendered = documents(&String::from_utf8(rendered.stdout)?)?;
        let found: BTreeSet<&str> = rendered.iter().filter_map(|object| object["kind"].as_str()).collect();
        ensure!(found == kinds.split(' ').collect(), "{values} renders {found:?}");
        for object in &rendered {
            dry_run(&client, object).await.with_context(|| values.to_owned())?;
        }
        let deployment = rendered
            .iter()
            .find(|object| object["kind"] == "Deployment")
            .context("a Deployment")?;
        let pod = deployment.pointer("/spec/template").context("a pod template")?;
        restricted(&client, pod).await.with_context(|| values.to_owned())?;
        understood(pod).await.with_context(|| values.to_owned())?;
    }
    // What is said in all-on.yaml arrives.
    let file = repository_root().join(ALL_ON).display().to_string();
    let folder = chart::folder().display().to_string();
    let rendered = String::from_utf8(
        helm(None, &["template", RELEASE, &folder, "--values", &file])
            .await?
            .stdout,
    )?;
    for wanted in [
        "--listen=[::]:9999",
        "--concurrency=4",
        "--log-format=text",
        "--registry-timeout=7",
        "--evidence-interval=60",
        "--allow-registry=registry.example.com/policies/*",
        "--allow-registry=localhost:5000",
        "--plain-http-registry=localhost:5000",
        "image: \"registry.example.com:5000/platform/interlock:0.1.0\"",
        "resourceNames: [\"puller\",\"prometheus-token\"]",
        "claimName: shared-cache",
        "serviceAccountName: gatekeeper",
        "\"gadgets\",\"gizmos\"",
        "interval: 1m30s",
        "cidr: 10.0.0.1/32",
        "runAsUser: 1000700000",
        "/etc/interlock/ca/bundle.pem",
        "topologyKey: rack",
        "replicas: 3",
        "value: \"debug\"",
    ] {
        ensure!(rendered.contains(wanted), "{wanted} is not in\n{rendered}");
    }
    Ok(())
}

/// The API server takes the object, as it would for good.
async fn dry_run(client: &Client, object: &Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let api = api_for(client, NAMESPACE, &object).await?;
    let params = PatchParams {
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply(FIELD_MANAGER).dry_run()
    };
    api.patch(&object.name_any(), &params, &Patch::Apply(&object))
        .await
        .with_context(|| {
            format!(
                "{} {}",
                object.types.clone().unwrap_or_default().kind,
                object.name_any()
            )
        })?;
    Ok(())
}

/// A namespace that enforces the restricted Pod Security Standard takes the pod.
async fn restricted(client: &Client, template: &Value) -> Result<()> {
    let mut pod = template.clone();
    // Service accounts and priorities that a cluster has are not what is asked here.
    let spec = pod
        .get_mut("spec")
        .and_then(Value::as_object_mut)
        .context("a pod's spec")?;
    spec.remove("serviceAccountName");
    let mut pod: Pod = serde_json::from_value(pod)?;
    pod.metadata.name = Some("restricted".to_owned());
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let params = kube::api::PostParams {
        dry_run: true,
        ..Default::default()
    };
    eventually("the pod is taken", SOON, async || {
        Ok(Some(pods.create(&params, &pod).await?))
    })
    .await?;
    Ok(())
}

/// The operator understands the arguments: it gets as far as looking for the cluster.
async fn understood(template: &Value) -> Result<()> {
    let arguments = template
        .pointer("/spec/containers/0/args")
        .and_then(Value::as_array)
        .context("arguments")?;
    let mut arguments: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
    arguments.push("--kubeconfig=/no/such/file");
    let output = interlock(&arguments).await?;
    ensure!(
        said(&output).contains("cannot read kubeconfig"),
        "{arguments:?}: {}",
        said(&output)
    );
    Ok(())
}

/// A flag that the operator learns gets a value, or a reason to stand here.
#[tokio::test]
async fn every_flag_of_the_operator_has_a_value() -> Result<()> {
    const NEEDLESS: [&str; 5] = [
        "--kubeconfig", // a pod has its service account
        "--namespace",  // from POD_NAMESPACE
        "--identity",   // from POD_NAME
        "--help",
        "--version",
    ];
    let template = std::fs::read_to_string(chart::folder().join("templates/deployment.yaml"))?;
    let help = said(&interlock(&["operator", "--help"]).await?);
    let flags = help
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
    let flags: BTreeSet<&str> = flags.collect();
    ensure!(flags.len() > NEEDLESS.len(), "{help}");
    for flag in flags {
        ensure!(
            NEEDLESS.contains(&flag) || template.contains(&format!("{flag}=")),
            "{flag} has no value in the chart: add one to values.yaml, values.schema.json, deployment.yaml and all-on.yaml"
        );
    }
    Ok(())
}

/// What is given, and what of the answer names the value and the rule.
const REFUSED: [(&str, &[&str]); 35] = [
    ("replica=3", &["additional properties 'replica' not allowed"]),
    (
        "image.name=interlock",
        &["/image", "additional properties 'name' not allowed"],
    ),
    ("replicas=many", &["/replicas", "got string, want integer"]),
    ("replicas=11", &["/replicas", "maximum: got 11, want 10"]),
    ("concurrency=0", &["/concurrency", "minimum: got 0, want 1"]),
    (
        "image.digest=sha256:123",
        &["/image/digest", "'sha256:123' does not match pattern"],
    ),
    (
        "image.repository=https://registry.example.com/interlock",
        &["/image/repository", "does not match pattern"],
    ),
    (
        "image.pullPolicy=Sometimes",
        &["/image/pullPolicy", "must be one of 'Always', 'IfNotPresent', 'Never'"],
    ),
    (
        "registries.allow={https://ghcr.io}",
        &["/registries/allow/0", "'https://ghcr.io' does not match pattern"],
    ),
    (
        "registries.allow=ghcr.io",
        &["/registries/allow", "got string, want array"],
    ),
    (
        "registries.plainHttp={localhost:5000/path}",
        &["/registries/plainHttp/0", "does not match pattern"],
    ),
    (
        "registries.timeoutSeconds=601",
        &["/registries/timeoutSeconds", "maximum: got 601, want 600"],
    ),
    ("log.format=xml", &["/log/format", "must be one of 'json', 'text'"]),
    ("secretNames={*}", &["/secretNames/0", "'*' does not match pattern"]),
    (
        "kinds[0].group=apps,kinds[0].resources={*}",
        &["/kinds/0/resources/0", "'*' does not match pattern"],
    ),
    ("runAsUser=0", &["/runAsUser", "minimum: got 0, want 1"]),
    // Secrets are granted one by one.
    (
        "kinds[0].group=,kinds[0].resources={pods,secrets}",
        &["/kinds/0/resources/1", "'not' failed"],
    ),
    (
        "extraKinds[0].group=,extraKinds[0].resources={secrets}",
        &["/extraKinds/0/resources/0", "'not' failed"],
    ),
    (
        "extraKinds[0].group=,extraKinds[0].resources={secrets/*}",
        &["/extraKinds/0/resources/0", "'secrets/*' does not match pattern"],
    ),
    (
        "nameOverride=My_Gates",
        &["/nameOverride", "'My_Gates' does not match pattern"],
    ),
    (
        "listen.address=1.2.3",
        &["/listen/address", "'1.2.3' is not valid ipv4: expected four decimals"],
    ),
    (
        "listen.address=a::b::c",
        &["/listen/address", "'a::b::c' is not valid ipv6"],
    ),
    (
        "registries.allow={ghcr.io:65536}",
        &["/registries/allow/0", "'ghcr.io:65536' does not match pattern"],
    ),
    (
        "registries.plainHttp={localhost:0}",
        &["/registries/plainHttp/0", "'localhost:0' does not match pattern"],
    ),
    (
        "extraArgs={--concurrency=4}",
        &["additional properties 'extraArgs' not allowed"],
    ),
    ("env[0].name=POD_NAME,env[0].value=me", &["/env/0/name", "'not' failed"]),
    (
        "env[0].name=SSL_CERT_FILE,env[0].value=/ca.crt",
        &["/env/0/name", "'not' failed"],
    ),
    (
        "env[0].name=A,env[0].valuefrom.secretKeyRef.name=b",
        &["/env/0", "additional properties 'valuefrom' not allowed"],
    ),
    // null takes a default away.
    ("cache=null", &["missing property 'cache'"]),
    ("concurrency=null", &["missing property 'concurrency'"]),
    (
        "registries.timeoutSeconds=null",
        &["/registries", "missing property 'timeoutSeconds'"],
    ),
    (
        "networkPolicy.egress=null",
        &["/networkPolicy", "missing property 'egress'"],
    ),
    ("listen.address=null", &["/listen", "missing property 'address'"]),
    ("serviceAccount=null", &["missing property 'serviceAccount'"]),
    (
        "metrics.service.enabled=false,metrics.serviceMonitor.enabled=true",
        &["needs metrics.service.enabled"],
    ),
];

#[tokio::test]
async fn wrong_values_are_refused_by_name() -> Result<()> {
    for (value, wanted) in REFUSED {
        let error = chart::render(NAMESPACE, &[value]).await.err();
        let error = error.with_context(|| format!("{value} was taken"))?.to_string();
        for part in wanted {
            ensure!(error.contains(part), "{value}: {part:?} is not in\n{error}");
        }
    }
    let folder = chart::folder().display().to_string();
    let nothing = helm(None, &["template", RELEASE, &folder]).await?;
    ensure!(
        said(&nothing).contains("image.repository is needed: push an image with `make image`"),
        "{}",
        said(&nothing)
    );
    Ok(())
}

/// What is given, the template that it shows in, what is there, and what is not.
type Rendered = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const RENDERED: [Rendered; 13] = [
    // A single replica with a claim is stopped before its successor starts.
    (
        "replicas=1,cache.existingClaim=bundles",
        "deployment",
        &["type: Recreate"],
        &[],
    ),
    ("cache.existingClaim=bundles", "deployment", &[], &["Recreate"]),
    ("replicas=1", "deployment", &[], &["Recreate"]),
    // Where the named registries listen, there the operator may go.
    (
        "registries.allow={ghcr.io/a/*,r.example.com:5000/b,localhost:8443},registries.plainHttp={r.example.com:5000,plain.example.com}",
        "networkpolicy",
        &[
            "# registries\n    - {port: 443, protocol: TCP}\n    - {port: 5000, protocol: TCP}\n    - {port: 8443, protocol: TCP}\n    \
             - {port: 80, protocol: TCP}\n  - ports: # prometheus",
            "{port: 5353, protocol: UDP}, {port: 5353, protocol: TCP}",
        ],
        &[],
    ),
    (
        "registries.allow={localhost:5000},networkPolicy.egress.registries.ports={8080}",
        "networkpolicy",
        &["# registries\n    - {port: 8080, protocol: TCP}\n  - ports: # prometheus"],
        &["5000"],
    ),
    (
        "registries.allow={localhost:5000},networkPolicy.egress.registries.to=null",
        "networkpolicy",
        &["- {port: 5000, protocol: TCP}"],
        &[],
    ),
    ("replicas=2", "networkpolicy", &["# prometheus"], &["# registries"]),
    (
        "registries.allow={localhost:5000},networkPolicy.egress.registries=null,networkPolicy.egress.prometheus=null",
        "networkpolicy",
        &["# apiServer"],
        &["# registries", "# prometheus"],
    ),
    // null is none.
    ("kinds=null,extraKinds=null", "rbac", &["rules: []"], &["deployments"]),
    ("registries.ca=null", "deployment", &["name: cache"], &["SSL_CERT_FILE"]),
    // A name of digits stays a text.
    (
        "priorityClassName=1e3",
        "deployment",
        &["priorityClassName: \"1e3\""],
        &[],
    ),
    // The chart's labels stay, and no key is there twice.
    (
        "podLabels.app\\.kubernetes\\.io/name=other,podLabels.team=a,podAnnotations.kubectl\\.kubernetes\\.io/default-container=b",
        "deployment",
        &["team: a", "default-container: operator"],
        &["other", "default-container: b"],
    ),
    (
        "metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.labels.app\\.kubernetes\\.io/name=other,\
         metrics.serviceMonitor.labels.release=prometheus",
        "metrics",
        &["release: prometheus"],
        &["other"],
    ),
];

#[tokio::test]
async fn values_show_where_they_should() -> Result<()> {
    for (values, template, there, absent) in RENDERED {
        let all = chart::render(NAMESPACE, &[values]).await?;
        let marked = all
            .split("\n---\n")
            .filter(|part| part.contains(&format!("templates/{template}.yaml")));
        let rendered: String = marked.collect();
        for part in there {
            ensure!(rendered.contains(part), "{values}: {part:?} is not in\n{rendered}");
        }
        for part in absent {
            ensure!(!rendered.contains(part), "{values}: {part:?} is in\n{rendered}");
        }
    }
    Ok(())
}

/// What the platform asks of others it does itself: with the one parameter that says that it calls the Kubernetes API.
#[tokio::test]
async fn the_chart_passes_the_baseline() -> Result<()> {
    let folder = scratch("rendered")?;
    let file = write(folder.path(), "rendered.yaml", chart::render(NAMESPACE, &[]).await?)?;
    let track = crate::scene::track("self", NAMESPACE, 10, crate::scene::DEPLOYMENTS, "");
    let strict = write(folder.path(), "strict.yaml", &track)?;
    let track = track.replace(
        "{name: baseline}",
        "{name: baseline, parameters: {automountAllowed: true}}",
    );
    let fitting = write(folder.path(), "fitting.yaml", track)?;
    for (track, code, wanted) in [
        (strict, 1, "mounts the token of the ServiceAccount interlock"),
        (fitting, 0, "Allow\n  passed   C-01, C-04, C-07"),
    ] {
        let (file, track) = (file.display().to_string(), track.display().to_string());
        let output = interlock(&["check", "-f", &file, "--track", &track]).await?;
        ensure!(
            output.status.code() == Some(code) && said(&output).contains(wanted),
            "{}",
            said(&output)
        );
    }
    Ok(())
}

pub(crate) fn said(output: &std::process::Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
