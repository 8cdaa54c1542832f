//! Folders that are not simply a tree of files.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::model::directory::{DirectoryError, LinkProblem};

/// A folder with the file `a`, a folder `d` with the file `b`, and what a test puts there.
struct Model {
    outer: tempfile::TempDir,
    statement: Value,
    allowed: Allowed,
}

impl Model {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir_all(outer.path().join("model/d")).unwrap();
        let files = tree(&[("a", "1"), ("d/b", "2")]);
        for (name, content) in &files {
            fs::write(outer.path().join("model").join(name), content).unwrap();
        }
        Self {
            outer,
            statement: statement(&files, None),
            allowed: Allowed::default(),
        }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.outer.path().join("model").join(name)
    }

    fn manifest(&self) -> Manifest {
        super::read(&self.statement).unwrap()
    }

    fn serialization(&mut self, field: &str, value: Value) {
        self.statement["predicate"]["serialization"][field] = value;
    }

    fn read(&self) -> Result<Vec<SeenFile>, DirectoryError> {
        crate::model::directory::read(&self.outer.path().join("model"), &self.manifest(), &self.allowed)
    }

    fn reason(&self) -> &'static str {
        self.read().map_or_else(|error| error.reason(), |_| "read")
    }

    /// The differences, in words.
    fn told(&self) -> Vec<String> {
        let comparison = self.manifest().compare(self.read().unwrap(), &self.allowed);
        comparison.differences.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn a_folder_without_more_is_the_same() {
    let model = Model::new();
    assert_eq!(model.told(), [""; 0]);
    fs::create_dir(model.path("void")).unwrap();
    assert_eq!(model.told(), [""; 0]);
}

#[test]
fn links_are_followed_where_both_allow_it_and_stay_inside() {
    let mut model = Model::new();
    symlink("d/b", model.path("link")).unwrap();
    let problem = |model: &Model| match model.read().unwrap_err() {
        DirectoryError::Link { problem, .. } => problem,
        other => panic!("{other}"),
    };
    assert_eq!(problem(&model), LinkProblem::NotSigned);
    model.allowed.symlinks = true;
    assert_eq!(problem(&model), LinkProblem::NotSigned);
    model.serialization("allow_symlinks", json!(true));
    assert_eq!(model.told(), [r#""link" is there and not signed"#]);
    model.allowed.symlinks = false;
    assert_eq!(problem(&model), LinkProblem::NotAllowed);

    model.allowed.symlinks = true;
    fs::write(model.outer.path().join("outside"), "2").unwrap();
    fs::create_dir(model.outer.path().join("model-2")).unwrap();
    fs::write(model.outer.path().join("model-2/b"), "2").unwrap();
    for (target, want) in [
        ("../outside", LinkProblem::LeadsElsewhere),
        ("../model-2/b", LinkProblem::LeadsElsewhere),
        ("/etc/hostname", LinkProblem::LeadsElsewhere),
        ("nowhere", LinkProblem::LeadsElsewhere),
        ("link", LinkProblem::LeadsElsewhere),
        ("d", LinkProblem::ToFolder),
        (".", LinkProblem::ToFolder),
    ] {
        fs::remove_file(model.path("link")).unwrap();
        symlink(target, model.path("link")).unwrap();
        assert_eq!(problem(&model), want, "{target}");
    }
    // In place of a listed file it counts by its content.
    fs::remove_file(model.path("link")).unwrap();
    fs::rename(model.path("a"), model.path("d/a")).unwrap();
    symlink("d/a", model.path("a")).unwrap();
    assert_eq!(model.told(), [r#""d/a" is there and not signed"#]);
}

#[test]
fn the_named_folder_itself_may_be_a_link() {
    let model = Model::new();
    let link = model.outer.path().join("current");
    symlink("model", &link).unwrap();
    let seen = crate::model::directory::read(&link, &model.manifest(), &model.allowed).unwrap();
    assert!(model.manifest().compare(seen, &model.allowed).is_same());
}

#[test]
fn what_is_no_file_and_what_no_list_can_name_is_an_error() {
    let model = Model::new();
    let _socket = std::os::unix::net::UnixListener::bind(model.path("socket")).unwrap();
    assert_eq!(model.reason(), "SpecialFile");
    for name in [&b"\xff"[..], b"a\nb", b"a\\b", b" a"] {
        let model = Model::new();
        File::create(model.path("d").join(OsStr::from_bytes(name))).unwrap();
        assert_eq!(model.reason(), "MalformedName", "{name:?}");
    }
}

#[test]
fn only_what_signer_and_caller_pass_over_is_passed_over() {
    let mut model = Model::new();
    for name in [".gitignore", "notes", "model.sig"] {
        fs::write(model.path(name), "x").unwrap();
    }
    let extra = |name: &str, why: &str| format!("{name:?} is there and not signed{why}");
    let refused = ": the signer passed over it, which is not allowed here";
    assert_eq!(
        model.told(),
        [extra(".gitignore", ""), extra("model.sig", ""), extra("notes", "")]
    );
    model.serialization("ignore_paths", json!([".git", ".gitignore", "notes", "model.sig"]));
    assert_eq!(model.told(), [extra("model.sig", refused), extra("notes", refused)]);
    model.allowed.signature = Some(name("model.sig"));
    model.allowed.ignored.push(name("notes"));
    assert_eq!(model.told(), [""; 0]);
    // A folder that is passed over is not looked into.
    fs::create_dir(model.path(".git")).unwrap();
    symlink("/", model.path(".git/link")).unwrap();
    assert_eq!(model.told(), [""; 0]);
    // Only at the top, as the signer said.
    fs::create_dir(model.path("d/.git")).unwrap();
    fs::write(model.path("d/.git/x"), "x").unwrap();
    assert_eq!(model.told(), [extra("d/.git/x", "")]);
}

#[test]
fn a_file_is_not_taken_for_a_folder_nor_a_folder_for_a_file() {
    let model = Model::new();
    let read = |path: &Path, manifest: &Manifest| crate::model::directory::read(path, manifest, &Allowed::default());
    assert_eq!(
        read(&model.path("a"), &model.manifest()).unwrap_err().reason(),
        "NotAFolder"
    );
    assert_eq!(
        read(&model.path("none"), &model.manifest()).unwrap_err().reason(),
        "ModelUnreadable"
    );
    let single = super::read(&statement(&tree(&[(".", "1")]), None)).unwrap();
    assert_eq!(read(&model.path("d"), &single).unwrap_err().reason(), "NotAFile");
    let seen = read(&model.path("a"), &single).unwrap();
    assert!(single.compare(seen, &Allowed::default()).is_same());
    let seen = read(&model.path("d/b"), &single).unwrap();
    assert_eq!(single.compare(seen, &Allowed::default()).count, 1);
}

#[test]
fn only_what_is_left_to_compare_is_hashed() {
    let mut model = Model::new();
    model.statement = statement(&tree(&[("a", "1"), ("d/b", "222")]), Some(2));
    fs::write(model.path("c"), "3").unwrap();
    let seen = model.read().unwrap();
    let hashed: Vec<_> = seen
        .iter()
        .map(|file| (file.name.as_str(), file.digests.len()))
        .collect();
    assert_eq!(hashed, [("a", 1), ("c", 0), ("d/b", 0)]);
}
