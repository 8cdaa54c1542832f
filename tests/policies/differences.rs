//! Where OPA's modules say otherwise than OPA in Go: what they compute themselves, no host changes. docs/engine.md lists
//! it; here is what shows it, so that the list stays true when OPA changes.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use interlock_bundles::engine::{Engine, Limits};
use interlock_bundles::trust::LocalFile;
use interlock_tests::opa::build_files;
use interlock_tests::oracle::Oracle;
use interlock_tests::scratch::{scratch, write};
use jiff::Timestamp;

/// An expression over the input, which neither compiles away; what OPA in Go says, and what its module does.
const DIFFERENCES: [(&str, Option<&str>, Option<&str>); 11] = [
    ("input.three * input.tenths <= input.nine", Some("false"), Some("true")),
    (
        "(input.one / input.three) * input.three == input.one",
        Some("true"),
        Some("false"),
    ),
    ("ceil(input.half)", Some("1"), Some("0")),
    ("floor(input.half)", Some("0"), Some("-1")),
    ("bits.and(input.point, input.three)", Some("1"), None),
    ("[input.one][input.zero]", Some("1"), None),
    (
        "net.cidr_contains(\"0.0.0.0/0\", input.mapped)",
        Some("true"),
        Some("false"),
    ),
    ("base64.is_valid(input.empty)", Some("true"), Some("false")),
    ("base64.is_valid(input.nul)", Some("false"), Some("true")),
    ("indexof(input.empty, input.empty)", None, Some("0")),
    ("replace(input.empty, input.empty, \"-\")", Some("\"-\""), Some("\"\"")),
];

const INPUT: &str = r#"{"one": 1, "three": 3, "tenths": 0.3, "nine": 0.9, "half": -0.5, "point": 1.0, "zero": 0.0,
    "mapped": "::ffff:10.0.0.0/104", "empty": "", "nul": "a\u0000b"}"#;

#[tokio::test]
async fn what_opas_modules_compute_themselves_is_listed_where_it_differs() -> Result<()> {
    let rules = DIFFERENCES.iter().enumerate();
    let rules: Vec<_> = rules.map(|(at, (rule, ..))| format!("r{at} := {rule}")).collect();
    let module = format!("package p\n\n{}\n", rules.join("\n\n"));
    let entrypoints: Vec<_> = (0..DIFFERENCES.len()).map(|at| format!("p/r{at}")).collect();
    let names: Vec<_> = entrypoints.iter().map(String::as_str).collect();
    let folder = scratch("differences")?;
    let bundle = build_files(&[("policy.rego", &module)], &names).await?;
    let file = write(folder.path(), "bundle.tar.gz", bundle)?;
    let policy = Engine::new()?.compile(&LocalFile::read(&file)?.open()?, Limits::default())?;
    let mut oracle = Oracle::start()?;
    oracle.load("p", &BTreeMap::from([("policy.rego".to_owned(), module)]), "{}")?;
    let now = Timestamp::UNIX_EPOCH;
    for (at, (rule, in_go, in_module)) in DIFFERENCES.into_iter().enumerate() {
        let by_opa = oracle.evaluate("p", &format!("data.p.r{at}"), Some(INPUT), now)?;
        let by_opa = by_opa.map_err(anyhow::Error::msg)?;
        ensure!(by_opa.as_deref() == in_go, "OPA says {by_opa:?} of {rule}");
        let by_engine = policy.evaluate_bytes(&format!("p/r{at}"), Some(INPUT.as_bytes()), now)?;
        let by_engine = String::from_utf8(by_engine)?;
        let want = in_module.map_or_else(|| "[]".to_owned(), |value| format!("[{{\"result\":{value}}}]"));
        ensure!(by_engine == want, "the engine says {by_engine} of {rule}");
    }
    Ok(())
}
