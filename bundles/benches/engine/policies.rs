//! The policies, compiled by OPA from the same sources that its library and server load.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use interlock_bundles::archive::Bundle;
use interlock_bundles::engine::{Engine, Limits, Policy};
use interlock_bundles::trust::LocalFile;
use serde_json::{Value, json};

/// Owners in the data of the heavy policy: some three megabytes.
const OWNERS: usize = 24_000;

/// A policy as every subject loads it.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) entrypoint: &'static str,
    /// Rego by path.
    pub(crate) modules: BTreeMap<String, String>,
    pub(crate) data: Value,
    pub(crate) file: PathBuf,
}

impl Subject {
    fn new(name: &'static str, entrypoint: &'static str, sources: &[PathBuf], data: Value, folder: &Path) -> Self {
        let read = |path: &PathBuf| (path.display().to_string(), fs::read_to_string(path).unwrap());
        let file = folder.join(format!("{name}.tar.gz"));
        let modules = sources.iter().map(read).collect();
        build(&modules, &data, entrypoint, &file);
        Self {
            name,
            entrypoint,
            modules,
            data,
            file,
        }
    }

    pub(crate) fn bundle(&self) -> Bundle {
        LocalFile::read(&self.file).unwrap().open().unwrap()
    }

    pub(crate) fn compile(&self, engine: &Engine) -> Policy {
        let limits = Limits {
            concurrency: 64,
            ..Limits::default()
        };
        engine.compile(&self.bundle(), limits).unwrap()
    }
}

/// The four of the bench.
pub(crate) fn build_all(folder: &Path) -> Vec<Subject> {
    let own = |name: &str| vec![root().join("bundles/benches/policies").join(format!("{name}.rego"))];
    let owners: serde_json::Map<String, Value> = (0..OWNERS)
        .map(|number| {
            let image = format!("registry.example.com/shop/app-{number}@sha256:{number:064x}");
            (image, json!({"team": format!("team-{}", number % 97)}))
        })
        .collect();
    vec![
        Subject::new("tiny", "tiny/decision", &own("tiny"), json!({}), folder),
        Subject::new(
            "baseline",
            "interlock/baseline/decision",
            &baseline(),
            json!({}),
            folder,
        ),
        Subject::new("regexes and units", "regex/decision", &own("regex"), golden(), folder),
        Subject::new(
            "3 MB of data",
            "data_heavy/decision",
            &own("data"),
            json!({"owners": owners}),
            folder,
        ),
    ]
}

/// Data with a golden input, as authors write one for their tests: it reaches the regular expressions.
fn golden() -> Value {
    let input: Value = serde_json::from_str(&crate::inputs::of_size(1)).unwrap();
    json!({"interlock": {"golden": {"usual": {"input": input, "want": {}}}}})
}

fn baseline() -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for folder in ["lib", "baseline"] {
        for entry in fs::read_dir(root().join("policies").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            if name.ends_with(".rego") && !name.ends_with("_test.rego") {
                sources.push(path);
            }
        }
    }
    sources.sort();
    sources
}

/// Eight entry points that each ask a little of the same input.
pub(crate) fn entrypoints(count: usize, folder: &Path) -> Bundle {
    let module = |number: usize| {
        let text = format!(
            "# METADATA\n# entrypoint: true\npackage many.p{number}.decision\n\ndeny contains container.name if {{\n\tsome \
             container in input.object.spec.template.spec.containers\n\tcontainer.securityContext.privileged\n\t\
             container.name != \"{number}\"\n}}\n"
        );
        (format!("p{number}.rego"), text)
    };
    let modules = (0..count).map(module).collect();
    let input: Value = serde_json::from_str(&crate::inputs::of_size(5)).unwrap();
    let data = json!({"interlock": {"golden": {"five": {"input": input, "want": {}}}}});
    let file = folder.join(format!("entrypoints-{count}.tar.gz"));
    build(&modules, &data, "many/p0/decision", &file);
    LocalFile::read(&file).unwrap().open().unwrap()
}

/// The baseline a number of times, each with other data, of about that many bytes.
pub(crate) fn variants(count: usize, bytes: usize, folder: &Path) -> Vec<Bundle> {
    let modules: BTreeMap<String, String> = baseline()
        .iter()
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect();
    let variant = |number: usize| {
        let items: Vec<String> = (0..bytes / 40)
            .map(|item| format!("item {item} of bundle {number}, padded"))
            .collect();
        let file = folder.join(format!("variant-{bytes}-{number}.tar.gz"));
        build(
            &modules,
            &json!({"variant": number, "items": items}),
            "interlock/baseline/decision",
            &file,
        );
        LocalFile::read(&file).unwrap().open().unwrap()
    };
    (0..count).map(variant).collect()
}

/// The value of a result set, as OPA's library gives it.
pub(crate) fn result(bytes: &[u8]) -> Option<Value> {
    let set: Value = serde_json::from_slice(bytes).unwrap();
    set.get(0).map(|bindings| bindings["result"].clone())
}

fn build(modules: &BTreeMap<String, String>, data: &Value, entrypoint: &str, file: &Path) {
    let stage = tempfile::tempdir().unwrap();
    for (index, text) in modules.values().enumerate() {
        fs::write(stage.path().join(format!("m{index}.rego")), text).unwrap();
    }
    fs::write(stage.path().join("data.json"), data.to_string()).unwrap();
    let opa = std::env::var_os("OPA").expect("OPA says where opa is: start this with `make bench`");
    let status = Command::new(opa)
        .args([
            "build",
            "--target",
            "wasm",
            "--bundle",
            ".",
            "--entrypoint",
            entrypoint,
            "--output",
        ])
        .arg(
            fs::canonicalize(file.parent().unwrap())
                .unwrap()
                .join(file.file_name().unwrap()),
        )
        .current_dir(stage.path())
        .status()
        .unwrap();
    assert!(status.success(), "opa build of {}", file.display());
}

fn root() -> PathBuf {
    fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).unwrap()
}
