//! From listed resources to files: the list must be sorted by path, and the shards of a file must cover it from its
//! first byte on, each as large as the manifest says, without gap, overlap or disorder.

use std::num::NonZeroU64;

use super::ListedFile;
use super::document::ResourceDocument;
use crate::model::algorithm::ContentDigest;
use crate::model::error::ManifestError;
use crate::model::name::FileName;
use crate::model::serialization::{Method, Serialization, shown};

/// The bytes of a file that a shard covers: from `start` up to, and not with, `end`.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

/// The files that the resources list, in their order; at least one.
pub(super) fn files(
    resources: &[ResourceDocument<'_>],
    serialization: &Serialization,
) -> Result<Vec<ListedFile>, ManifestError> {
    let label = label(serialization);
    let mut files: Vec<ListedFile> = Vec::new();
    for resource in resources {
        let digest = digest(resource, serialization, &label)?;
        match serialization.method {
            Method::Files => add_file(&mut files, name(&resource.name)?, digest)?,
            Method::Shards { size } => {
                let (path, span) = shard(&resource.name)?;
                add_shard(&mut files, name(path)?, span, size, digest)?;
            }
        }
    }
    if files.is_empty() {
        return Err(ManifestError::NothingListed);
    }
    Ok(files)
}

/// What every resource of a manifest names as its algorithm.
fn label(serialization: &Serialization) -> String {
    let algorithm = serialization.algorithm.name();
    match serialization.method {
        Method::Files => algorithm.to_owned(),
        Method::Shards { size } => format!("{algorithm}-sharded-{size}"),
    }
}

fn digest(
    resource: &ResourceDocument<'_>,
    serialization: &Serialization,
    label: &str,
) -> Result<ContentDigest, ManifestError> {
    if resource.algorithm != label {
        return Err(ManifestError::Algorithm {
            name: shown(&resource.name),
            found: shown(&resource.algorithm),
            want: label.to_owned(),
        });
    }
    let digest = serialization.algorithm.digest_from_hex(&resource.digest);
    digest.ok_or_else(|| ManifestError::MalformedDigest {
        name: shown(&resource.name),
        found: shown(&resource.digest),
        want: serialization.algorithm.hex_digits(),
    })
}

fn name(text: &str) -> Result<FileName, ManifestError> {
    match text {
        "." => Ok(FileName::whole()),
        text => FileName::parse(text).map_err(ManifestError::Name),
    }
}

/// Splits `path:start:end`. A path with a colon is refused, as `model-signing` does: it could be a path with a range.
fn shard(text: &str) -> Result<(&str, Span), ManifestError> {
    let mut pieces = text.split(':');
    let pieces = (pieces.next(), pieces.next(), pieces.next(), pieces.next());
    let (Some(path), Some(start), Some(end), None) = pieces else {
        return Err(ManifestError::MalformedShard { found: shown(text) });
    };
    match (offset(start), offset(end)) {
        (Some(start), Some(end)) => Ok((path, Span { start, end })),
        _ => Err(ManifestError::MalformedShard { found: shown(text) }),
    }
}

/// A number in its one spelling.
fn offset(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

fn add_file(files: &mut Vec<ListedFile>, name: FileName, digest: ContentDigest) -> Result<(), ManifestError> {
    match files.last() {
        Some(last) if last.name == name => return Err(ManifestError::DuplicateName { name }),
        last => check_order(last, &name)?,
    }
    files.push(ListedFile {
        name,
        size: None,
        digests: vec![digest],
    });
    Ok(())
}

fn add_shard(
    files: &mut Vec<ListedFile>,
    name: FileName,
    span: Span,
    size: NonZeroU64,
    digest: ContentDigest,
) -> Result<(), ManifestError> {
    if let Some(last) = files.last_mut().filter(|last| last.name == name) {
        check_span(&name, last.size.unwrap_or_default(), span, size)?;
        last.size = Some(span.end);
        last.digests.push(digest);
        return Ok(());
    }
    check_order(files.last(), &name)?;
    check_span(&name, 0, span, size)?;
    files.push(ListedFile {
        name,
        size: Some(span.end),
        digests: vec![digest],
    });
    Ok(())
}

fn check_order(last: Option<&ListedFile>, name: &FileName) -> Result<(), ManifestError> {
    match last {
        Some(last) if last.name > *name => Err(ManifestError::Unsorted {
            name: name.clone(),
            after: last.name.clone(),
        }),
        _ => Ok(()),
    }
}

/// Whether a shard goes on where the one before it ended, `covered` bytes into the file, after shards that were full.
fn check_span(name: &FileName, covered: u64, span: Span, size: NonZeroU64) -> Result<(), ManifestError> {
    let size = size.get();
    let not_so_long = |start: u64, end: u64| ManifestError::ShardSpan {
        name: name.clone(),
        start,
        end,
        size,
    };
    if span.start != covered {
        return Err(ManifestError::ShardStart {
            name: name.clone(),
            found: span.start,
            want: covered,
        });
    }
    if !covered.is_multiple_of(size) {
        return Err(not_so_long(covered - covered % size, covered));
    }
    match span.end.checked_sub(span.start) {
        Some(length) if (1..=size).contains(&length) => Ok(()),
        _ => Err(not_so_long(span.start, span.end)),
    }
}
