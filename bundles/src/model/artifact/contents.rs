//! Reading a layer's bytes once, from end to end, in a buffer of fixed size: what files are in it, and what they hash to.
//!
//! Nothing here says that the bytes are the layer's: whoever reads them from a registry hashes them as well, and believes
//! neither files nor errors before that digest is the layer's.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use tar::EntryType;
use zstd::stream::read::Decoder;

use super::archive;
use super::error::ContentsError;
use super::{Layer, LayerKind, Packing};
use crate::model::algorithm::Algorithm;
use crate::model::compare::SeenFile;
use crate::model::manifest::plain;
use crate::model::name::FileName;
use crate::model::serialization::{Method, Serialization};

/// Unpacked bytes allowed for each packed one that was read. Weights hardly shrink; what unpacks to more is made to.
const RATIO_MAX: u64 = 64;
/// Unpacked bytes allowed in any case: a small archive of zeros harms nobody.
const UNPACKED_FREE: u64 = 256 * 1024 * 1024;
const BUFFER: usize = 256 * 1024;
/// Packed with Zstandard, bytes refer to others at most this far back, as a power of two: so many are kept. Those who write
/// layers look back over 8 MiB, or 32 at their best.
const WINDOW_LOG_MAX: u32 = 25;
/// Digests of one layer's files, of the parts they are divided into. No list has more.
const PARTS_MAX: u64 = 100_000;
/// Largest file whose bytes are kept.
const KEPT_MAX: u64 = 8 * 1024 * 1024;

/// What to look for in a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The hash.
    pub algorithm: Algorithm,
    /// What one digest covers.
    pub method: Method,
    /// The only folder whose files count; without one all do.
    pub folder: Option<FileName>,
    /// A file whose bytes are kept, up to 8 MiB: the signature.
    pub keep: Option<FileName>,
}

/// What was found in a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its files within the folder, under their full names.
    pub files: Vec<SeenFile>,
    /// What is outside of it.
    pub outside: Outside,
    /// The bytes of the file to keep.
    pub kept: Option<Vec<u8>>,
}

/// What a layer has outside of the model's folder, as far as it matters to the model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// Whether there is anything but folders.
    pub is_there: bool,
    /// Symbolic links.
    pub links: BTreeSet<String>,
    /// Folders that are named or have something in them.
    pub folders: BTreeSet<String>,
}

impl Outside {
    pub(super) fn note(&mut self, path: &str, kind: EntryType) {
        self.is_there |= kind != EntryType::Directory;
        if kind == EntryType::Symlink {
            self.links.insert(path.to_owned());
        }
        let folder = match kind {
            EntryType::Directory => path,
            _ => path.rsplit_once('/').map_or("", |(folder, _)| folder),
        };
        if !self.folders.contains(folder) {
            self.folders.insert(folder.to_owned());
        }
    }
}

impl Reading {
    /// As a list of files was made.
    pub fn of(serialization: &Serialization, folder: Option<FileName>, keep: Option<FileName>) -> Self {
        Self {
            algorithm: serialization.algorithm,
            method: serialization.method,
            folder,
            keep,
        }
    }
}

/// Reads a layer, which ends where `reader` ends.
pub fn contents(layer: &Layer, reading: &Reading, reader: impl BufRead) -> Result<Contents, ContentsError> {
    match &layer.kind {
        LayerKind::File(name) => one_file(name, layer.size, reading, reader),
        LayerKind::Archive(Packing::Plain) => archive::walk(Input::new(reader, layer.size), reading),
        LayerKind::Archive(Packing::Gzip) => {
            let broken = |detail| ContentsError::NotGzip { detail };
            let (packed, read) = Packed::new(reader);
            archive::walk(unpacked(MultiGzDecoder::new(packed), read, broken), reading)
        }
        LayerKind::Archive(Packing::Zstd) => {
            let broken = |detail| ContentsError::NotZstd { detail };
            let (packed, read) = Packed::new(reader);
            let decoder = Decoder::with_buffer(packed).and_then(|mut decoder| {
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                Ok(decoder)
            });
            let decoder = decoder.map_err(|error| broken(error.to_string()))?;
            archive::walk(unpacked(decoder, read, broken), reading)
        }
    }
}

fn unpacked<R: Read>(decoder: R, packed: Rc<Cell<u64>>, broken: fn(String) -> ContentsError) -> Input<BufReader<R>> {
    Input {
        packed: Some(packed),
        broken,
        ..Input::new(BufReader::with_capacity(BUFFER, decoder), UNPACKED_FREE)
    }
}

/// Packed bytes, counted as they are read: what a manifest says of their number is not known to be true before their end.
struct Packed<R> {
    reader: R,
    read: Rc<Cell<u64>>,
}

impl<R> Packed<R> {
    /// With the count, which outlives it.
    fn new(reader: R) -> (Self, Rc<Cell<u64>>) {
        let read = Rc::default();
        let packed = Self {
            reader,
            read: Rc::clone(&read),
        };
        (packed, read)
    }

    fn count(&self, bytes: usize) {
        self.read.set(self.read.get().saturating_add(bytes as u64));
    }
}

impl<R: BufRead> BufRead for Packed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.count(count);
        self.reader.consume(count);
    }
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.count(count);
        Ok(count)
    }
}

fn one_file(name: &FileName, size: u64, reading: &Reading, reader: impl BufRead) -> Result<Contents, ContentsError> {
    let mut contents = Contents::default();
    contents.add(&mut Input::new(reader, size), name.clone(), size, reading)?;
    let file = contents.files.pop();
    let found = file.map(|file| Contents::of_file(file, reading)).unwrap_or_default();
    Ok(Contents {
        kept: contents.kept,
        ..found
    })
}

impl Contents {
    /// Of a layer that is one file.
    pub(super) fn of_file(file: SeenFile, reading: &Reading) -> Self {
        let mut contents = Self::default();
        match &reading.folder {
            Some(folder) if !file.name.is_within(folder) => {
                contents.outside.note(file.name.as_str(), EntryType::Regular);
            }
            _ => contents.files.push(file),
        }
        contents
    }

    /// Hashes the next `size` bytes as a file.
    pub(super) fn add<R: BufRead>(
        &mut self,
        input: &mut Input<R>,
        name: FileName,
        size: u64,
        reading: &Reading,
    ) -> Result<(), ContentsError> {
        let mut kept = (reading.keep.as_ref() == Some(&name) && size <= KEPT_MAX).then(Vec::new);
        let mut digests = Vec::new();
        let mut rest = size;
        for part in reading.method.parts(size) {
            if input.parts_left == 0 {
                break;
            }
            input.parts_left -= 1;
            let mut hasher = reading.algorithm.hasher();
            input.pass(part.end - part.start, |piece| {
                hasher.update(piece);
                if let Some(kept) = &mut kept {
                    kept.extend_from_slice(piece);
                }
            })?;
            rest -= part.end - part.start;
            digests.push(hasher.finish());
        }
        // What no list is long enough for has no digest, and differs from every list.
        if rest > 0 {
            input.pass(rest, |_| {})?;
            digests.clear();
        }
        self.kept = kept.or(self.kept.take());
        self.files.push(SeenFile { name, size, digests });
        Ok(())
    }
}

/// The unpacked bytes of a layer, of which no more than a limit are taken.
pub(super) struct Input<R> {
    reader: R,
    taken: u64,
    /// Bytes that may be taken, and more for what was unpacked to them.
    limit: u64,
    /// The packed bytes read so far, where they are.
    packed: Option<Rc<Cell<u64>>>,
    parts_left: u64,
    /// What it is that cannot be read, in the decompressor's words.
    broken: fn(String) -> ContentsError,
}

impl<R: BufRead> Input<R> {
    fn new(reader: R, limit: u64) -> Self {
        Self {
            reader,
            taken: 0,
            limit,
            packed: None,
            parts_left: PARTS_MAX,
            broken: |detail| ContentsError::NotGzip { detail },
        }
    }

    /// The next bytes, at most `most`; none at the end.
    pub(super) fn next(&mut self, most: u64) -> Result<&[u8], ContentsError> {
        let piece = self
            .reader
            .fill_buf()
            .map_err(|error| (self.broken)(plain(&error.to_string(), 120)))?;
        let length = piece.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let packed = self.packed.as_ref().map_or(0, |read| read.get());
        let limit = self.limit.max(packed.saturating_mul(RATIO_MAX));
        if self.taken.saturating_add(length as u64) > limit {
            return Err(ContentsError::TooMuch {
                what: "its unpacked bytes",
                limit,
            });
        }
        Ok(piece.get(..length).unwrap_or_default())
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count as u64);
        self.reader.consume(count);
    }

    /// Hands on the next `count` bytes, piece by piece.
    pub(super) fn pass(&mut self, count: u64, mut to: impl FnMut(&[u8])) -> Result<(), ContentsError> {
        let mut left = count;
        while left > 0 {
            let piece = self.next(left)?;
            if piece.is_empty() {
                return Err(ContentsError::NotTar {
                    detail: "it ends early",
                });
            }
            let length = piece.len();
            to(piece);
            self.consume(length);
            left -= length as u64;
        }
        Ok(())
    }
}
