//! Reads manifests as kubectl does: files, folders, standard input; several documents a file; lists of objects.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use interlock_crds::{API_VERSION, GovernanceTrack};
use serde_json::Value;
use serde_saphyr::UserMessageFormatter;

use crate::cli::files;

/// One object and where it came from.
pub(super) struct Manifest {
    /// The file.
    pub(super) file: String,
    /// Its number inside the file, from 1.
    pub(super) number: usize,
    /// The object.
    pub(super) object: Value,
}

/// Largest file that is read.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Every object of `files`.
pub(super) fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for path in files {
        if path.is_dir() {
            for file in folder(path)? {
                parse(&file.display().to_string(), &text(&file)?, &mut manifests)?;
            }
        } else {
            parse(&path.display().to_string(), &text(path)?, &mut manifests)?;
        }
    }
    Ok(manifests)
}

/// The YAML and JSON files of a folder, sorted; not those of folders inside it.
fn folder(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read folder {}", path.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry
            .with_context(|| format!("cannot read folder {}", path.display()))?
            .path();
        let extension = file.extension().and_then(|extension| extension.to_str());
        if file.is_file() && matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("folder {} holds no .yaml, .yml or .json file", path.display());
    }
    files.sort();
    Ok(files)
}

fn text(path: &Path) -> anyhow::Result<String> {
    if path != Path::new("-") {
        return files::read_text(path, LARGEST);
    }
    let mut text = String::new();
    let size = std::io::stdin()
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .context("cannot read standard input")?;
    if size as u64 > LARGEST {
        bail!("standard input is larger than {LARGEST} bytes");
    }
    Ok(text)
}

/// What is wrong with a YAML text, on one line and without what the parser advises programmers.
fn fault(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().render_with_formatter(&UserMessageFormatter);
    text.lines().next().unwrap_or_default().to_owned()
}

fn parse(file: &str, text: &str, manifests: &mut Vec<Manifest>) -> anyhow::Result<()> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| anyhow!("{file} is no YAML or JSON: {}", fault(&error)))?;
    let mut number = 0;
    for document in documents {
        let is_list = document
            .get("kind")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.ends_with("List"));
        match document {
            Value::Null => {}
            Value::Object(mut map) if is_list && map.get("items").is_some_and(Value::is_array) => {
                if let Some(Value::Array(items)) = map.remove("items") {
                    for object in items {
                        number += 1;
                        manifests.push(Manifest {
                            file: file.to_owned(),
                            number,
                            object,
                        });
                    }
                }
            }
            object => {
                number += 1;
                manifests.push(Manifest {
                    file: file.to_owned(),
                    number,
                    object,
                });
            }
        }
    }
    Ok(())
}

/// The one GovernanceTrack of a file.
pub(super) fn track(path: &Path) -> anyhow::Result<GovernanceTrack> {
    let manifests = read(&[path.to_path_buf()])?;
    let mut tracks = manifests
        .into_iter()
        .filter(|manifest| manifest.object.get("kind").and_then(Value::as_str) == Some("GovernanceTrack"));
    let (first, second) = (tracks.next(), tracks.next());
    match (first, second) {
        (Some(only), None) => {
            valid_track(only.object).with_context(|| format!("{} holds no valid GovernanceTrack", path.display()))
        }
        (None, _) => bail!("{} holds no GovernanceTrack", path.display()),
        (Some(_), Some(_)) => bail!(
            "{} holds several GovernanceTracks: give a file with one",
            path.display()
        ),
    }
}

/// A track as the API server would take it: of this version, and without fields that would mean nothing.
fn valid_track(document: Value) -> anyhow::Result<GovernanceTrack> {
    let version = document.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    if version != API_VERSION {
        bail!("its apiVersion is {version:?}: write {API_VERSION}");
    }
    if let Some(level) = unquoted_level(&document) {
        bail!("a gate's level is {level}, as YAML reads Off without quotes: write \"Off\"");
    }
    let mut unknown = Vec::new();
    // An optional part is a step of its own in the path, written `?`.
    let track = serde_ignored::deserialize(document, |path| unknown.push(path.to_string().replace(".?", "")))?;
    // What kind it is has been looked at; the type has no place for it.
    unknown.retain(|field| !matches!(field.as_str(), "apiVersion" | "kind"));
    if !unknown.is_empty() {
        bail!(
            "there is no field {}: remove it or correct its name",
            unknown.join(", ")
        );
    }
    Ok(track)
}

/// The level that YAML made a boolean of, as it does for kubectl too.
fn unquoted_level(track: &Value) -> Option<bool> {
    let gates = track.pointer("/spec/gates").and_then(Value::as_array);
    gates
        .into_iter()
        .flatten()
        .find_map(|gate| gate.get("level")?.as_bool())
}
