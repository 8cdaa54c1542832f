//! One instance of a bundle's module in the crate opa-wasm, deciding again and again: JSON bytes in, JSON bytes out.
//!
//!     opa-wasm BUNDLE.tar.gz ENTRYPOINT < INPUT    prints the median of one decision in nanoseconds

use std::fs::File;
use std::io::Read as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use flate2::read::GzDecoder;
use opa_wasm::Runtime;
use opa_wasm::wasmtime::{Config, Engine, Module, Store};
use serde_json::Value;

const WARM_UP: usize = 20;
const SECONDS: Duration = Duration::from_millis(1500);

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let bundle = arguments.next().context("no bundle")?;
    let entrypoint = arguments.next().context("no entry point")?;
    let (wasm, data) = open(&bundle)?;
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input)?;

    let engine = Engine::new(&Config::new())?;
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let policy = Runtime::new(&mut store, &module).await?.with_data(&mut store, &data).await?;
    let mut times = Vec::new();
    let mut warm = 0;
    let mut end = Instant::now() + SECONDS;
    while warm < WARM_UP || Instant::now() < end {
        let since = Instant::now();
        let input: Value = serde_json::from_slice(&input)?;
        let result: Value = policy.evaluate(&mut store, &entrypoint, &input).await?;
        let _ = serde_json::to_vec(&result)?;
        if warm < WARM_UP {
            warm += 1;
            end = Instant::now() + SECONDS;
        } else {
            times.push(since.elapsed());
        }
    }
    times.sort_unstable();
    println!("{}", times.get(times.len() / 2).context("not one decision")?.as_nanos());
    Ok(())
}

/// The module and the data of a bundle.
fn open(path: &str) -> Result<(Vec<u8>, Value)> {
    let mut wasm = Vec::new();
    let mut data = Value::Object(serde_json::Map::new());
    for entry in tar::Archive::new(GzDecoder::new(File::open(path)?)).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        match name.trim_start_matches('/') {
            "policy.wasm" => drop(entry.read_to_end(&mut wasm)?),
            "data.json" => data = serde_json::from_reader(&mut entry)?,
            _ => {}
        }
    }
    Ok((wasm, data))
}
