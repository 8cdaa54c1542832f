//! OPA's own library as a process (`tests/tools/oracle`), which has the policies of one bundle.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::repository;

/// A running oracle; it ends with this process.
pub struct Oracle {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    bundle: &'static str,
}

impl Oracle {
    /// Starts the program that `INTERLOCK_ORACLE` names and gives it the sources of a bundle.
    pub fn start(bundle: &'static str) -> Self {
        let program = std::env::var_os("INTERLOCK_ORACLE").expect("INTERLOCK_ORACLE names the oracle");
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("an oracle that starts");
        let mut oracle = Self {
            input: process.stdin.take().expect("its input"),
            output: BufReader::new(process.stdout.take().expect("its output")),
            bundle,
        };
        let loaded = oracle.ask(&json!({"load": bundle, "modules": sources(bundle)}));
        assert_eq!(loaded, json!({}), "OPA takes the policies");
        oracle
    }

    /// The decision at the Unix epoch as JSON text; `None` where it is undefined. An error is OPA's own.
    pub fn decide(&mut self, input: &str) -> Result<Option<String>, String> {
        let query = format!("data.interlock.{}.decision", self.bundle);
        let now = "1970-01-01T00:00:00Z";
        let answer = self.ask(&json!({"query": query, "on": self.bundle, "input": input, "now": now}));
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer.get("value").and_then(Value::as_str).map(str::to_owned)),
        }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").expect("an oracle that listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an oracle that answers");
        serde_json::from_str(&line).expect("an answer in JSON")
    }
}

fn sources(bundle: &str) -> BTreeMap<String, String> {
    let folders = ["lib", bundle].map(|folder| repository("policies").join(folder));
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("policies"));
    files
        .map(|file| file.expect("a policy").path())
        .filter(|path| {
            let name = path.to_string_lossy();
            name.ends_with(".rego") && !name.ends_with("_test.rego")
        })
        .map(|path| {
            (
                path.display().to_string(),
                std::fs::read_to_string(&path).expect("a policy"),
            )
        })
        .collect()
}
