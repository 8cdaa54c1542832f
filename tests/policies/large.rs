//! Policies that make large modules: many rules are one large function, and much data may end in another page.

use std::time::Duration;

use anyhow::Result;
use interlock_bundles::engine::{Engine, Limits};
use interlock_bundles::trust::LocalFile;
use interlock_tests::opa::build_files;
use interlock_tests::scratch::{scratch, write};
use jiff::Timestamp;

const RULE: &str = r#"deny contains {"gate": "G-@", "term": c.name, "msg": msg} if {
    some c in input.object.spec.template.spec.containers
    some e in c.env
    startswith(e.name, "X@")
    not e.valueFrom.secretKeyRef
    not split(c.image, ":")[0] in {"registry", "image@"}
    count(e.value) > 3
    msg := sprintf("container %v sets %v by value in %v", [c.name, e.name, c.image])
}

"#;

#[tokio::test]
async fn five_hundred_rules_are_a_policy() -> Result<()> {
    let rules: String = (0..500).map(|number| RULE.replace('@', &number.to_string())).collect();
    let folder = scratch("large")?;
    let bundle = build_files(&[("policy.rego", &format!("package p\n\n{rules}"))], &["p/deny"]).await?;
    let file = write(folder.path(), "bundle.tar.gz", bundle)?;
    // Getting ready has ten times as long; this is a debug build on a busy machine.
    let limits = Limits {
        deadline: Duration::from_secs(20),
        ..Limits::default()
    };
    let policy = Engine::new()?.compile(&LocalFile::read(&file)?.open()?, limits)?;
    let input = r#"{"object": {"spec": {"template": {"spec": {"containers": [
        {"name": "app", "image": "nginx:1", "env": [{"name": "X499", "value": "hunter2"}]}]}}}}}"#;
    let said = policy.evaluate_bytes("p/deny", Some(input.as_bytes()), Timestamp::UNIX_EPOCH)?;
    let said = String::from_utf8(said)?;
    assert!(
        said.contains("\"gate\":\"G-499\"") && said.contains("\"gate\":\"G-4\""),
        "{said}"
    );
    Ok(())
}

/// OPA's compiler says how much memory a module needs before it places the last of its data, so that what it says is a page
/// short where that data begins in one page and ends in the next.
#[tokio::test]
async fn data_may_end_behind_the_memory_that_a_module_asks_for() -> Result<()> {
    let rule = "r.gate_@ if input.a == @\n";
    let rules: String = (0..100).map(|number| rule.replace('@', &number.to_string())).collect();
    let folder = scratch("short")?;
    for length in (4_000..8_000).step_by(500) {
        let pad = "x".repeat(length);
        let module = format!("package p\n\n{rules}\npad := \"{pad}\"\n\nr.pad if input.a == pad\n");
        let bundle = build_files(&[("policy.rego", &module)], &["p/r"]).await?;
        let file = write(folder.path(), "bundle.tar.gz", bundle)?;
        let policy = Engine::new()?.compile(&LocalFile::read(&file)?.open()?, Limits::default())?;
        let said = policy.evaluate_bytes("p/r", Some(br#"{"a": 7}"#), Timestamp::UNIX_EPOCH)?;
        assert_eq!(
            String::from_utf8(said)?,
            r#"[{"result":{"gate_7":true}}]"#,
            "{length} bytes"
        );
    }
    Ok(())
}
