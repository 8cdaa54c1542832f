//! How a model on a hub is named, and what a page of its files says.

use super::super::artifact::Reading;
use super::super::hub::{HubFile, HubModel, HubModelError, ListingError, Need};
use super::*;

const COMMIT: &str = "a09a35458c702b33eeacc393d103063234e8bc28";

#[test]
fn a_model_is_named_by_a_commit_and_by_nothing_that_moves() {
    for text in [
        format!("hf://Qwen/Qwen2.5-7B@{COMMIT}"),
        format!("hf://Qwen/Qwen2.5-7B:{COMMIT}"),
    ] {
        let model: HubModel = text.parse().unwrap();
        assert_eq!(model.to_string(), format!("hf://Qwen/Qwen2.5-7B@{COMMIT}"));
    }
    for revision in [
        "",
        "@",
        "@main",
        "@a09a354",
        ":v1.0",
        &format!("@{}", COMMIT.to_uppercase()),
        &format!("@{COMMIT}0"),
    ] {
        let text = format!("hf://Qwen/Qwen2.5-7B{revision}");
        let error = text.parse::<HubModel>().unwrap_err();
        assert!(matches!(error, HubModelError::Mutable { .. }), "{text}: {error}");
        assert!(error.to_string().contains("40 hexadecimal digits"), "{error}");
    }
    for name in [
        "",
        "gpt2",
        "/a",
        "a/",
        "a/b/c",
        "../a",
        "a/..",
        "a/b?c",
        "a/b%2f",
        "a b/c",
        "a/é",
        &"a/b".repeat(60),
    ] {
        let text = format!("hf://{name}@{COMMIT}");
        let error = text.parse::<HubModel>().unwrap_err();
        assert!(matches!(error, HubModelError::Name { .. }), "{text}: {error}");
    }
    assert!("oci://a/b".parse::<HubModel>().is_err());
}

#[test]
fn a_page_has_files_and_what_is_published_of_them() {
    let digest = Digest::of(b"weights");
    let page = format!(
        r#"[{{"type": "directory", "path": "onnx", "size": 0, "oid": "x"}},
            {{"type": "file", "path": "config.json", "size": 2, "oid": "x", "lastCommit": null}},
            {{"type": "file", "path": "onnx/a.bin", "size": 7, "lfs": {{"oid": "{}", "size": 7, "pointerSize": 130}}}}]"#,
        digest.hex()
    );
    let files = HubFile::read_page(page.as_bytes()).unwrap();
    let found: Vec<_> = files
        .iter()
        .map(|file| (file.name.as_str(), file.size, file.published))
        .collect();
    assert_eq!(found, [("config.json", 2, None), ("onnx/a.bin", 7, Some(digest))]);
    assert_eq!(HubFile::read_page(b"[]").unwrap(), []);

    for (page, words) in [
        ("", "EOF"),
        ("{}", "invalid type"),
        (r#"[{"type": "file", "path": "a"}]"#, "size"),
        (r#"[{"type": "file", "path": "a", "size": 1.5}]"#, "invalid type"),
        (
            r#"[{"type": "file", "path": "a", "path": "b", "size": 1}]"#,
            "duplicate field",
        ),
        (
            r#"[{"type": "symlink", "path": "a", "size": 1}]"#,
            "neither a file nor a directory",
        ),
        (
            r#"[{"type": "file", "path": "a", "size": 1, "lfs": {"oid": "x", "size": 1}}]"#,
            "not a SHA-256",
        ),
    ] {
        let error = HubFile::read_page(page.as_bytes()).unwrap_err();
        assert!(matches!(error, ListingError::Malformed { .. }), "{page}: {error}");
        assert!(error.to_string().contains(words), "{page}: {error}");
    }
    for name in ["../a", "/a", "a//b", "a\\\\b", ""] {
        let page = format!(r#"[{{"type": "file", "path": "{name}", "size": 1}}]"#);
        let error = HubFile::read_page(page.as_bytes()).unwrap_err();
        assert!(matches!(error, ListingError::Name(_)), "{name}: {error}");
    }
}

#[test]
fn bytes_are_needed_where_what_is_published_says_too_little() {
    let file = |size: u64, published: bool| HubFile {
        name: name("a"),
        size,
        published: published.then(|| Digest::of(b"abc")),
    };
    let need = |file: &HubFile, shards: Option<usize>| {
        let manifest = read(&statement(&tree(&[("a", "abc")]), shards)).unwrap();
        let reading = Reading::of(manifest.serialization(), None, None);
        file.need(&manifest, &reading)
    };
    assert!(matches!(need(&file(3, true), None), Need::Published(_)));
    assert!(matches!(need(&file(3, true), Some(8)), Need::Published(_)));
    assert!(matches!(need(&file(3, true), Some(2)), Need::Other));
    assert!(matches!(need(&file(3, false), None), Need::Bytes));
    // Another size than the shards say, and no file that is listed.
    assert!(matches!(need(&file(4, false), Some(2)), Need::Nothing(_)));
    let other = HubFile {
        name: name("b"),
        ..file(3, false)
    };
    assert!(matches!(need(&other, None), Need::Nothing(_)));
}
