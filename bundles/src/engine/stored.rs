//! Compiled modules on disk, so that a restart need not compile. An entry is machine code that the process will run, so
//! the folder belongs to the process alone, an entry's name says all that it depends on, and its bytes are held to
//! their digest before they are mapped. What does not fit is as good as absent: it is compiled anew.

use std::fs::{self, File, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wasmtime::Module;

use super::runtime::Runtime;
use super::snapshot::{About, Snapshot};
use crate::digest::Digest;

/// Raised when what a snapshot holds, or what is known of it, changes.
const FORMAT: &str = "interlock module 2";
/// Entries that are kept, and their code in bytes: a bundle with a hundred megabytes of data in memory has them here too.
/// The longest unused go first.
const MOST: usize = 128;
const MOST_BYTES: u64 = 512 << 20;
/// The extension of what is being written, and how old it gets only if the writer is gone.
const ASIDE: &str = "writing";
const ABANDONED: Duration = Duration::from_hours(1);
/// An entry's description.
const MAX_DESCRIPTION_BYTES: u64 = 1 << 20;

/// The folder.
pub(super) struct Stored {
    dir: PathBuf,
}

/// What stands beside the machine code.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Description {
    code: Digest,
    about: About,
    /// Of both.
    digest: Digest,
}

impl Description {
    fn new(code: Digest, about: About) -> Self {
        let digest = Self::digest(code, &about);
        Self { code, about, digest }
    }

    fn is_whole(&self) -> bool {
        self.digest == Self::digest(self.code, &self.about)
    }

    fn digest(code: Digest, about: &About) -> Digest {
        // It consists of maps, lists, texts and numbers, which can always be written.
        let about = serde_json::to_vec(about).unwrap_or_default();
        Digest::of(&[code.to_string().as_bytes(), &about].concat())
    }
}

/// What an entry depends on.
pub(super) struct Key(String);

impl Key {
    /// Of everything that goes into a snapshot, and the runtime: its version, its configuration, the processor.
    pub(super) fn of<'a>(runtime: &Runtime, inputs: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut key = Sha256::new();
        key.update(FORMAT);
        key.update(env!("CARGO_PKG_VERSION"));
        let mut engine = Digester(Sha256::new());
        runtime.engine.precompile_compatibility_hash().hash(&mut engine);
        key.update(engine.0.finalize());
        for input in inputs {
            key.update(Sha256::digest(input));
        }
        Self(Digest::from_sha256(key.finalize().into()).hex())
    }
}

/// Collects what is hashed.
struct Digester(Sha256);

impl Hasher for Digester {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

impl Stored {
    /// Uses a folder, making it if needed. Nobody else may write to it from now on.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The module stored under a key, if it is there and whole.
    pub(super) fn load(&self, runtime: &Runtime, key: &Key) -> Option<(Module, About)> {
        match self.read(runtime, key) {
            Ok(found) => found,
            Err(problem) => {
                tracing::warn!(module = %key.0, problem, "a stored module cannot be used and is compiled anew");
                None
            }
        }
    }

    fn read(&self, runtime: &Runtime, key: &Key) -> Result<Option<(Module, About)>, String> {
        let told = |error: io::Error| error.to_string();
        let path = self.path(key, "json");
        let mut description = Vec::new();
        match File::open(&path) {
            Ok(file) => file.take(MAX_DESCRIPTION_BYTES).read_to_end(&mut description),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        }
        .map_err(told)?;
        let description: Description = serde_json::from_slice(&description).map_err(|error| error.to_string())?;
        if !description.is_whole() {
            return Err("its description has another digest".to_owned());
        }
        // One open file from here on: what is hashed is what is mapped.
        let mut file = File::open(self.path(key, "code")).map_err(told)?;
        if digest(&mut file).map_err(told)? != description.code {
            return Err("its code has another digest".to_owned());
        }
        let module = map(runtime, file).map_err(|error| error.to_string())?;
        // Only for the order of going; whether it can be written does not matter.
        let _ = File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Ok(Some((module, description.about)))
    }

    /// Compiles a snapshot, stores it, and returns the module as it is mapped from there.
    pub(super) fn store(&self, runtime: &Runtime, key: &Key, snapshot: &Snapshot) -> wasmtime::Result<Module> {
        let code = runtime.engine.precompile_module(&snapshot.wasm)?;
        let description = Description::new(Digest::of(&code), snapshot.about.clone());
        self.write(&self.path(key, "code"), &code)?;
        self.write(&self.path(key, "json"), &serde_json::to_vec(&description)?)?;
        if let Err(error) = self.sweep(MOST, MOST_BYTES) {
            tracing::warn!(%error, "the folder of compiled modules cannot be swept");
        }
        match self.read(runtime, key) {
            Ok(Some((module, _))) => Ok(module),
            Ok(None) => wasmtime::bail!("it was removed at once"),
            Err(problem) => wasmtime::bail!("{problem}"),
        }
    }

    /// In one step: a crash leaves the old entry or the new one.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let moment = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let aside = path.with_extension(format!("{}-{}.{ASIDE}", std::process::id(), moment.as_nanos()));
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        File::open(&self.dir)?.sync_all()
    }

    /// Removes the entries that were not used for longest, the last one excepted. A mapped one stays mapped.
    fn sweep(&self, most: usize, most_bytes: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let is = |wanted: &str| path.extension().is_some_and(|extension| extension == wanted);
            // Another thread may just have renamed or removed it.
            let Ok(modified) = fs::metadata(&path).and_then(|found| found.modified()) else {
                continue;
            };
            if is("json") {
                entries.push((modified, path));
            } else if (is(ASIDE) || is("code") && !path.with_extension("json").exists())
                && modified.elapsed().is_ok_and(|age| age > ABANDONED)
            {
                remove(&path)?;
            }
        }
        entries.sort_unstable_by(|one, other| other.cmp(one));
        let mut bytes = 0_u64;
        for (index, (_, path)) in entries.into_iter().enumerate() {
            let code = path.with_extension("code");
            bytes = bytes.saturating_add(fs::metadata(&code).map_or(0, |found| found.len()));
            if index > 0 && (index >= most || bytes > most_bytes) {
                remove(&path)?;
                remove(&code)?;
            }
        }
        Ok(())
    }

    fn path(&self, key: &Key, extension: &str) -> PathBuf {
        self.dir.join(&key.0).with_extension(extension)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn digest(file: &mut File) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(Digest::from_sha256(hash.finalize().into())),
            read => hash.update(chunk.get(..read).unwrap_or_default()),
        }
    }
}

#[expect(
    unsafe_code,
    reason = "mapping machine code that an earlier process of ours compiled"
)]
fn map(runtime: &Runtime, file: File) -> wasmtime::Result<Module> {
    // SAFETY: `Module::serialize` of this version of the runtime wrote the file: its name says so, its digest was just
    // compared, and the runtime checks version, configuration and processor once more. Nobody changes it while it is
    // mapped: the folder is open to this user only, and entries are replaced by renaming, never written to.
    unsafe { Module::deserialize_open_file(&runtime.engine, file) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::engine::{Engine, Limits};
    use crate::trust::LocalFile;

    fn decide(engine: &Engine) -> String {
        decide_within(engine, Limits::default())
    }

    fn decide_within(engine: &Engine, limits: Limits) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/policies/careful.tar.gz");
        let bundle = LocalFile::read(&path).unwrap().open().unwrap();
        let policy = engine.compile(&bundle, limits).unwrap();
        let input =
            json!({"object": {"spec": {"containers": [{"name": "app", "image": "nginx:1.27", "memory": "2Gi"}]}}});
        let result = policy.evaluate("gates/decision", &input, Timestamp::UNIX_EPOCH);
        result.unwrap().to_string()
    }

    fn find(dir: &Path, wanted: &str) -> PathBuf {
        let mut files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        files
            .find(|path| path.extension().is_some_and(|found| found == wanted))
            .unwrap()
    }

    #[test]
    fn a_stored_module_answers_as_the_one_it_was_compiled_from_did() {
        let dir = tempfile::tempdir().unwrap();
        let compiled = decide(&Engine::with_cache(dir.path()).unwrap());
        let code = find(dir.path(), "code");
        let written = fs::metadata(&code).unwrap().modified().unwrap();
        assert_eq!(decide(&Engine::with_cache(dir.path()).unwrap()), compiled);
        assert_eq!(
            fs::metadata(&code).unwrap().modified().unwrap(),
            written,
            "it was compiled again"
        );
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn limits_that_a_snapshot_depends_on_belong_to_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::with_cache(dir.path()).unwrap();
        let entries = |limits| {
            decide_within(&engine, limits);
            fs::read_dir(dir.path()).unwrap().count() / 2
        };
        let usual = Limits::default();
        assert_eq!(entries(usual), 1);
        let patient = Limits {
            deadline: Duration::from_secs(9),
            concurrency: 1,
            ..usual
        };
        assert_eq!(entries(patient), 1);
        let memory_bytes = 64 << 20;
        assert_eq!(entries(Limits { memory_bytes, ..usual }), 2);
        let input_depth = 50;
        assert_eq!(entries(Limits { input_depth, ..usual }), 3);
    }

    #[test]
    fn what_is_not_whole_is_compiled_anew_and_stored_whole() {
        let dir = tempfile::tempdir().unwrap();
        let compiled = decide(&Engine::with_cache(dir.path()).unwrap());
        let (code, about) = (find(dir.path(), "code"), find(dir.path(), "json"));
        let (whole, described) = (fs::read(&code).unwrap(), fs::read(&about).unwrap());
        let flipped = {
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes
        };
        let other_digest = String::from_utf8(described.clone())
            .unwrap()
            .replace("sha256:", "sha256:0");
        for (path, bytes) in [
            (&code, flipped.as_slice()),
            (&code, &whole[..whole.len() - 1]),
            (&code, b""),
            (&about, b"{}"),
            (&about, b""),
            (&about, other_digest.as_bytes()),
        ] {
            // In its place, not into it: the file is mapped.
            fs::remove_file(path).unwrap();
            fs::write(path, bytes).unwrap();
            assert_eq!(decide(&Engine::with_cache(dir.path()).unwrap()), compiled);
            assert_eq!(fs::read(&code).unwrap(), whole);
            assert_eq!(fs::read(&about).unwrap(), described);
        }
        fs::remove_file(&code).unwrap();
        assert_eq!(decide(&Engine::with_cache(dir.path()).unwrap()), compiled);
        assert!(code.exists());
    }

    #[test]
    fn the_longest_unused_go_first_by_number_and_by_weight() {
        let dir = tempfile::tempdir().unwrap();
        let stored = Stored::open(dir.path()).unwrap();
        for (age, name) in ["newest", "second", "third", "oldest"].iter().enumerate() {
            fs::write(dir.path().join(format!("{name}.code")), [0; 100]).unwrap();
            let path = dir.path().join(format!("{name}.json"));
            let file = File::create(path).unwrap();
            let used = SystemTime::now() - Duration::from_secs(age as u64 * 60);
            file.set_modified(used).unwrap();
        }
        let left = || -> BTreeSet<String> {
            let files = fs::read_dir(dir.path()).unwrap();
            files
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect()
        };
        let both = |names: &[&str]| -> BTreeSet<String> {
            let files = names
                .iter()
                .flat_map(|name| [format!("{name}.code"), format!("{name}.json")]);
            files.collect()
        };
        stored.sweep(3, 1000).unwrap();
        assert_eq!(left(), both(&["newest", "second", "third"]));
        stored.sweep(3, 250).unwrap();
        assert_eq!(left(), both(&["newest", "second"]));
        // A module larger than all room is still worth its start.
        stored.sweep(3, 50).unwrap();
        assert_eq!(left(), both(&["newest"]));
    }
}
