//! Who decides beside this engine: OPA's library, OPA as a server, and another host of its modules.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::policies::Subject;
use crate::timing::{SLICE, median};

const NOW: &str = "1970-01-01T00:00:00Z";

/// OPA's library in Go (`tests/tools/oracle`).
pub(crate) struct Library {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Library {
    pub(crate) fn start() -> Self {
        let oracle = std::env::var_os("ORACLE").expect("ORACLE says where the oracle is: start this with `make bench`");
        let mut process = piped(&mut Command::new(oracle));
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    pub(crate) fn load(&mut self, subject: &Subject) {
        self.ask(&json!({"load": subject.name, "modules": subject.modules, "data": subject.data}));
    }

    /// The value of the entry point.
    pub(crate) fn decide(&mut self, subject: &Subject, input: &str) -> Option<Value> {
        let query = query(subject);
        let answer = self.ask(&json!({"query": query, "on": subject.name, "input": input, "now": NOW}));
        Some(serde_json::from_str(answer.get("value")?.as_str().unwrap()).unwrap())
    }

    /// The median of one decision.
    pub(crate) fn time(&mut self, subject: &Subject, input: &str) -> Duration {
        let query = query(subject);
        let request = json!({"bench": query, "on": subject.name, "input": input, "now": NOW, "seconds": SLICE.as_secs_f64(), "threads": 1});
        Duration::from_nanos(self.ask(&request)["median_ns"].as_u64().unwrap())
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.input, "{request}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert!(answer.get("error").is_none(), "the oracle says {answer}");
        answer
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn query(subject: &Subject) -> String {
    format!("data.{}", subject.entrypoint.replace('/', "."))
}

/// `opa run --server` with the subject's sources.
pub(crate) struct Server {
    process: Child,
    address: String,
}

impl Server {
    pub(crate) fn start(subject: &Subject, folder: &Path) -> Self {
        let stage = folder.join("server").join(subject.name);
        let _ = std::fs::remove_dir_all(&stage);
        std::fs::create_dir_all(&stage).unwrap();
        for (index, text) in subject.modules.values().enumerate() {
            std::fs::write(stage.join(format!("m{index}.rego")), text).unwrap();
        }
        std::fs::write(stage.join("data.json"), subject.data.to_string()).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let process = Command::new(std::env::var_os("OPA").unwrap())
            .args([
                "run",
                "--server",
                "--disable-telemetry",
                "--log-level",
                "error",
                "--addr",
                &address,
            ])
            .arg(&stage)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(&address).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, address }
    }

    /// The median of one request on a connection that stays open.
    pub(crate) fn time(&self, subject: &Subject, input: &str) -> Duration {
        let body = format!("{{\"input\":{input}}}");
        let request = format!(
            "POST /v1/data/{} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            subject.entrypoint,
            self.address,
            body.len()
        );
        let mut stream = BufReader::new(TcpStream::connect(&self.address).unwrap());
        stream.get_ref().set_nodelay(true).unwrap();
        median(|| {
            stream.get_mut().write_all(request.as_bytes()).unwrap();
            read_response(&mut stream);
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A response with a length or in chunks, read to its end.
fn read_response(stream: &mut BufReader<TcpStream>) {
    let line = |stream: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line.trim_end().to_ascii_lowercase()
    };
    assert!(line(stream).contains(" 200 "), "OPA's server refuses");
    let mut length = None;
    loop {
        let header = line(stream);
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = Some(value.trim().parse().unwrap());
        }
    }
    let skip = |stream: &mut BufReader<TcpStream>, bytes: usize| {
        let mut body = vec![0; bytes];
        stream.read_exact(&mut body).unwrap();
    };
    if let Some(length) = length {
        return skip(stream, length);
    }
    loop {
        let size = usize::from_str_radix(&line(stream), 16).unwrap();
        skip(stream, size + 2);
        if size == 0 {
            return;
        }
    }
}

/// The crate opa-wasm (`tests/tools/opa-wasm`), where it was built: one instance for all decisions, values as JSON text.
pub(crate) struct OtherHost(std::ffi::OsString);

impl OtherHost {
    pub(crate) fn find() -> Option<Self> {
        std::env::var_os("OPA_WASM").map(Self)
    }

    /// The median of one decision; `None` where it cannot run the policy.
    pub(crate) fn time(&self, subject: &Subject, input: &str) -> Option<Duration> {
        let mut process = piped(Command::new(&self.0).arg(&subject.file).arg(subject.entrypoint));
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        let median = String::from_utf8(output.stdout).unwrap();
        median.trim().parse().ok().map(Duration::from_nanos)
    }
}

fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}
