//! Walks a gzipped tar in one pass and keeps only the members that matter, within caps: whatever the
//! bytes are, memory stays bounded by them and the walk ends.
//!
//! Names: `opa build` writes them with one leading slash, which means the root of the bundle and is
//! taken off; `./` is taken off too. Any other way to leave the root (`..`, `//`, a backslash) is
//! refused, and so are links, devices and whatever else is no plain file or directory. Nothing is
//! ever written to a file system.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Read};
use std::rc::Rc;

use flate2::bufread::GzDecoder;
use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::error::Malformed;

/// Caps on what is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// All unpacked bytes, headers and padding included.
    pub(super) unpacked: u64,
    /// Entries, directories and extension headers included.
    pub(super) entries: usize,
    /// One member.
    pub(super) member: u64,
    /// All members that are kept as data or manifest. As values they take many times that.
    pub(super) documents: u64,
}

impl Default for Caps {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            unpacked: 128 * MIB,
            entries: 10_000,
            member: 64 * MIB,
            documents: 16 * MIB,
        }
    }
}

const MAX_PATH_BYTES: usize = 1024;
const MAX_PATH_SEGMENTS: usize = 64;
const MAX_DETAIL_CHARS: usize = 120;
const MAX_PAX_BYTES: u64 = 64 * 1024;

/// The members that make a bundle, by normal path.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) modules: Vec<(String, Vec<u8>)>,
    pub(super) data: Vec<(String, Vec<u8>)>,
    pub(super) manifest: Option<Vec<u8>>,
    pub(super) signatures: bool,
}

/// What a member is, by its name.
enum Use {
    Module,
    Data,
    Manifest,
    Signatures,
    Nothing,
}

pub(super) fn read(gzip: &[u8], caps: Caps) -> Result<Members, Malformed> {
    let fault = Rc::new(RefCell::new(None));
    let reader = Unpacked {
        gzip: GzDecoder::new(gzip),
        left: caps.unpacked,
        limit: caps.unpacked,
        fault: Rc::clone(&fault),
    };
    let walked = walk(reader, caps);
    // What the reader below the tar saw explains what the tar reader says about it.
    match fault.take() {
        Some(fault) => Err(fault),
        None => walked,
    }
}

/// Counts unpacked bytes and remembers why it stopped.
struct Unpacked<'a> {
    gzip: GzDecoder<&'a [u8]>,
    left: u64,
    limit: u64,
    fault: Rc<RefCell<Option<Malformed>>>,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stop = |fault| {
            self.fault.replace(Some(fault));
            io::Error::other("bundle cannot be unpacked")
        };
        let count = self.gzip.read(buffer).map_err(|error| {
            stop(Malformed::NotGzip {
                detail: error.to_string(),
            })
        })?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            stop(Malformed::TooLarge {
                what: "the unpacked bundle".to_owned(),
                limit: self.limit,
            })
        })?;
        Ok(count)
    }
}

/// The tar reader quotes names as they are; the message is for one line of a terminal.
fn not_tar(error: &io::Error) -> Malformed {
    let detail = error.to_string();
    let printable = detail.chars().map(|c| if c.is_control() { ' ' } else { c });
    Malformed::NotTar {
        detail: printable.take(MAX_DETAIL_CHARS).collect(),
    }
}

fn walk(reader: Unpacked<'_>, caps: Caps) -> Result<Members, Malformed> {
    let mut archive = Archive::new(reader);
    let mut walk = Walk {
        caps,
        documents_left: caps.documents,
        name: None,
        seen: HashSet::new(),
        members: Members::default(),
    };
    // Raw: the tar crate would read names of any length into memory.
    let entries = archive.entries().map_err(|error| not_tar(&error))?.raw(true);
    for (index, entry) in entries.enumerate() {
        if index >= caps.entries {
            return Err(Malformed::TooManyEntries { limit: caps.entries });
        }
        walk.entry(entry.map_err(|error| not_tar(&error))?)?;
    }
    check_end(archive.into_inner())?;
    Ok(walk.members)
}

/// Behind the end mark come only zeros, behind the gzip member nothing; reading up to there also
/// checks the gzip's checksum.
fn check_end(mut reader: Unpacked<'_>) -> Result<(), Malformed> {
    let mut buffer = [0; 8192];
    loop {
        let count = reader.read(&mut buffer).map_err(|error| not_tar(&error))?;
        if count == 0 {
            break;
        }
        if buffer.iter().take(count).any(|byte| *byte != 0) {
            return Err(Malformed::NotTar {
                detail: "bytes after the end of the archive".to_owned(),
            });
        }
    }
    if reader.gzip.into_inner().is_empty() {
        return Ok(());
    }
    Err(Malformed::NotGzip {
        detail: "bytes after the end of the gzip member".to_owned(),
    })
}

struct Walk {
    caps: Caps,
    documents_left: u64,
    /// The name that an extension header gave for the entry after it.
    name: Option<Vec<u8>>,
    seen: HashSet<String>,
    members: Members,
}

impl Walk {
    fn entry(&mut self, mut entry: Entry<'_, Unpacked<'_>>) -> Result<(), Malformed> {
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName => return self.long_name(&mut entry),
            EntryType::XHeader | EntryType::XGlobalHeader => return self.pax(&mut entry, kind),
            _ => {}
        }
        let name = self
            .name
            .take()
            .unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let path = normal(&name)?;
        match kind {
            EntryType::Directory => Ok(()),
            EntryType::Regular => self.file(&mut entry, path),
            EntryType::Symlink | EntryType::Link | EntryType::GNULongLink => Err(unsafe_path(&name, "is a link")),
            _ => Err(unsafe_path(&name, "is neither a file nor a directory")),
        }
    }

    fn file(&mut self, entry: &mut Entry<'_, Unpacked<'_>>, path: String) -> Result<(), Malformed> {
        if path.is_empty() {
            return Err(unsafe_path(b"/", "is the root itself"));
        }
        if entry.size() > self.caps.member {
            return Err(Malformed::TooLarge {
                what: format!("entry {path:?}"),
                limit: self.caps.member,
            });
        }
        if !self.seen.insert(path.clone()) {
            return Err(Malformed::DuplicatePath { path });
        }
        match use_of(&path)? {
            Use::Module => {
                let bytes = content(entry)?;
                self.members.modules.push((path, bytes));
            }
            Use::Data => {
                let bytes = self.document(entry)?;
                self.members.data.push((path, bytes));
            }
            Use::Manifest => self.members.manifest = Some(self.document(entry)?),
            Use::Signatures => self.members.signatures = true,
            Use::Nothing => {}
        }
        Ok(())
    }

    fn document(&mut self, entry: &mut Entry<'_, Unpacked<'_>>) -> Result<Vec<u8>, Malformed> {
        let left = self.documents_left.checked_sub(entry.size());
        self.documents_left = left.ok_or_else(|| Malformed::TooLarge {
            what: "data and manifest together".to_owned(),
            limit: self.caps.documents,
        })?;
        content(entry)
    }

    /// GNU tar's way to write names of more than 100 bytes.
    fn long_name(&mut self, entry: &mut Entry<'_, Unpacked<'_>>) -> Result<(), Malformed> {
        if entry.size() > MAX_PATH_BYTES as u64 + 1 {
            return Err(unsafe_path(b"", "has a name that is too long"));
        }
        let mut name = content(entry)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        self.name = Some(name);
        Ok(())
    }

    /// POSIX's way to write long names, and much else that does not matter here.
    fn pax(&mut self, entry: &mut Entry<'_, Unpacked<'_>>, kind: EntryType) -> Result<(), Malformed> {
        if entry.size() > MAX_PAX_BYTES {
            return Err(Malformed::TooLarge {
                what: "an extension header".to_owned(),
                limit: MAX_PAX_BYTES,
            });
        }
        let records = content(entry)?;
        for record in PaxExtensions::new(&records) {
            let record = record.map_err(|error| not_tar(&error))?;
            match record.key_bytes() {
                b"path" if kind == EntryType::XHeader => {
                    self.name = Some(record.value_bytes().to_vec());
                }
                b"path" | b"size" => {
                    return Err(Malformed::NotTar {
                        detail: "an extension header changes sizes or all names".to_owned(),
                    });
                }
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(unsafe_path(b"", "is a sparse file"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A member's bytes. Its size was checked; the vector grows with what is really there.
fn content(entry: &mut Entry<'_, Unpacked<'_>>) -> Result<Vec<u8>, Malformed> {
    let size = entry.size();
    let mut bytes = Vec::new();
    entry
        .take(size)
        .read_to_end(&mut bytes)
        .map_err(|error| not_tar(&error))?;
    if (bytes.len() as u64) < size {
        return Err(Malformed::NotTar {
            detail: "an entry ends early".to_owned(),
        });
    }
    Ok(bytes)
}

fn unsafe_path(name: &[u8], rule: &'static str) -> Malformed {
    let shown = name.get(..name.len().min(200)).unwrap_or_default();
    Malformed::UnsafePath {
        path: String::from_utf8_lossy(shown).into_owned(),
        rule,
    }
}

/// The path below the bundle's root without leading or trailing slash; empty for the root itself.
fn normal(name: &[u8]) -> Result<String, Malformed> {
    let wrong = |rule| Err(unsafe_path(name, rule));
    if name.len() > MAX_PATH_BYTES {
        return wrong("has a name that is too long");
    }
    let Ok(text) = std::str::from_utf8(name) else {
        return wrong("has a name that is not UTF-8");
    };
    if text.contains(['\0', '\\']) {
        return wrong("has a name with a backslash or a NUL");
    }
    let below = text.strip_prefix('/').unwrap_or(text);
    let below = below.strip_suffix('/').unwrap_or(below);
    let mut segments = Vec::new();
    for segment in below.split('/') {
        match segment {
            "." => {}
            "" if below.is_empty() => {}
            "" => return wrong("has an empty segment in its name"),
            ".." => return wrong("leaves the bundle with \"..\""),
            segment => segments.push(segment),
        }
    }
    if segments.len() > MAX_PATH_SEGMENTS {
        return wrong("is nested too deep");
    }
    Ok(segments.join("/"))
}

fn use_of(path: &str) -> Result<Use, Malformed> {
    let base = path.rsplit('/').next().unwrap_or_default();
    match base {
        "policy.wasm" => Ok(Use::Module),
        "data.json" => Ok(Use::Data),
        ".signatures.json" => Ok(Use::Signatures),
        "patch.json" => Err(Malformed::DeltaBundle { path: path.to_owned() }),
        "data.yaml" | "data.yml" => Err(Malformed::MalformedData {
            path: path.to_owned(),
            detail: "YAML is read in many ways: run `opa build`, which writes data.json".to_owned(),
        }),
        _ if path == ".manifest" => Ok(Use::Manifest),
        // OPA would read these as manifests too.
        _ if path.ends_with(".manifest") || path.ends_with(".manifest.pb") => Err(Malformed::MalformedManifest {
            detail: format!("there is {path:?}: have one JSON manifest, /.manifest"),
        }),
        _ => Ok(Use::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leading_slash_is_the_root_and_nothing_leaves_it() {
        for (name, want) in [
            ("/policy.wasm", "policy.wasm"),
            ("./a/./b", "a/b"),
            ("a/", "a"),
            ("./", ""),
            ("/", ""),
            ("a..b/...", "a..b/..."),
        ] {
            assert_eq!(normal(name.as_bytes()).unwrap(), want, "{name}");
        }
        let long = "a".repeat(MAX_PATH_BYTES + 1);
        let deep = "a/".repeat(MAX_PATH_SEGMENTS + 1);
        for name in [
            "..",
            "../x",
            "/../x",
            "a/../b",
            "//etc/passwd",
            "a//b",
            "a\\..\\b",
            "a\0b",
            &long,
            &deep,
        ] {
            assert_eq!(normal(name.as_bytes()).unwrap_err().reason(), "UnsafePath", "{name}");
        }
        assert_eq!(normal(b"a\xff").unwrap_err().reason(), "UnsafePath");
    }
}
