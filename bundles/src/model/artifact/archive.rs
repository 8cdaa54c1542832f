//! Walks a tar archive: POSIX ustar with the extensions of pax and GNU for long names and sizes (POSIX.1-2017 `pax`,
//! "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format").
//!
//! Tools differ in what they make of an unusual archive, and what is verified must be what is unpacked by whatever tool. So
//! only plain files and folders are taken, and whatever two tools could read as different files is refused: two headers for
//! one entry, a size that is told twice, a number that not all take for one, bytes after the end. The `tar` crate reads
//! names and kinds; it does not walk, because it would hold names of any length and could not be told sizes that stand in a
//! pax header, and it reads numbers as few others do.

use std::borrow::Cow;
use std::io::BufRead;
use std::ops::Range;

use tar::{EntryType, Header};

use super::contents::{Contents, Input, Reading};
use super::error::ContentsError;
use crate::model::manifest::RESOURCES_MAX;
use crate::model::name::{self, FileName};

const BLOCK: u64 = 512;
type Block = [u8; 512];
/// Headers of all kinds, in one layer.
const ENTRIES_MAX: u64 = 1_000_000;
/// All names of one layer's files together.
const NAMES_MAX: u64 = 16 * 1024 * 1024;
const LONG_NAME_MAX: u64 = 8 * 1024;
const PAX_MAX: u64 = 256 * 1024;
/// How layers of images say that a file of an earlier layer is gone, or all of a folder (OCI image-spec, `layer.md`).
const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// All files of an archive, which must end where the input ends.
pub(super) fn walk<R: BufRead>(input: Input<R>, reading: &Reading) -> Result<Contents, ContentsError> {
    let mut walk = Walk {
        input,
        reading,
        contents: Contents::default(),
        ahead: None,
        names: 0,
    };
    for _ in 0..ENTRIES_MAX {
        match walk.block()? {
            Some(block) if block.iter().all(|byte| *byte == 0) => return walk.end(),
            Some(block) => walk.entry(&block)?,
            None => return walk.end(),
        }
    }
    Err(ContentsError::TooMuch {
        what: "its entries",
        limit: ENTRIES_MAX,
    })
}

struct Walk<'r, R> {
    input: Input<R>,
    reading: &'r Reading,
    contents: Contents,
    /// What a header said about the entry after it.
    ahead: Option<Ahead>,
    /// Bytes of all names.
    names: u64,
}

#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: BufRead> Walk<'_, R> {
    fn block(&mut self) -> Result<Option<Block>, ContentsError> {
        if self.input.next(1)?.is_empty() {
            return Ok(None);
        }
        let (mut block, mut filled) = ([0; 512], 0);
        self.input.pass(BLOCK, |piece| {
            let end = filled + piece.len();
            if let Some(space) = block.get_mut(filled..end) {
                space.copy_from_slice(piece);
            }
            filled = end;
        })?;
        Ok(Some(block))
    }

    /// Behind the end mark come only zeros. Reading them also checks the compression's checksum.
    fn end(mut self) -> Result<Contents, ContentsError> {
        if self.ahead.is_some() {
            return Err(not_tar("it ends after a header that is about another entry"));
        }
        loop {
            let piece = self.input.next(u64::MAX)?;
            if piece.is_empty() {
                return Ok(self.contents);
            }
            if piece.iter().any(|byte| *byte != 0) {
                return Err(not_tar("there are bytes after its end"));
            }
            let length = piece.len();
            self.input.consume(length);
        }
    }

    fn entry(&mut self, block: &Block) -> Result<(), ContentsError> {
        let header = Header::from_byte_slice(block);
        if number(block, CHECKSUM) != Some(checksum(block)) {
            return Err(not_tar("a header has a wrong checksum"));
        }
        if let Some(detail) = two_names(block) {
            return Err(not_tar(detail));
        }
        let own_size = number(block, SIZE).ok_or_else(|| not_tar("a size is no number"))?;
        // Some tools take a header with another field that is no number for the archive's end.
        if !OTHER_NUMBERS.into_iter().all(|at| is_number_or_empty(block, at)) {
            return Err(not_tar("a field of a header is no number"));
        }
        let kind = header.entry_type();
        match kind {
            // Where a link leads does not matter: those of the model are refused.
            EntryType::GNULongLink => return self.header_content(own_size, LONG_NAME_MAX).map(drop),
            EntryType::GNULongName | EntryType::XHeader | EntryType::XGlobalHeader => {
                return self.extension(kind, own_size);
            }
            _ => {}
        }
        let ahead = self.ahead.take().unwrap_or_default();
        let size = match ahead.size {
            // Who writes the size into an extension has no room for it in the header.
            Some(size) if own_size == 0 || own_size == size => size,
            Some(_) => return Err(not_tar("an entry has two sizes")),
            None => own_size,
        };
        let name = ahead.name.map_or_else(|| header.path_bytes(), Cow::Owned);
        self.take(kind, &name, size)
    }

    fn take(&mut self, kind: EntryType, name: &[u8], size: u64) -> Result<(), ContentsError> {
        use EntryType as Kind;
        match kind {
            Kind::Regular => {}
            Kind::Directory | Kind::Symlink | Kind::Link | Kind::Char | Kind::Block | Kind::Fifo if size == 0 => {}
            Kind::GNUSparse => return Err(refuse(name, "is a sparse file, which tools unpack differently")),
            _ => return Err(refuse(name, "is of a kind that tools unpack differently")),
        }
        let is_folder = kind == Kind::Directory;
        let path = match path(name, is_folder)? {
            Some(path) => path,
            None if is_folder => return Ok(()),
            None => return Err(refuse(name, "is the root itself, and no folder")),
        };
        if let Some(rule) = self.hides(path, kind) {
            return Err(refuse(name, rule));
        }
        let folder = self.reading.folder.as_ref().map_or("", FileName::as_str);
        match kind {
            _ if !is_within(path, folder) => {
                if path.len() > name::BYTES_MAX {
                    return Err(refuse(name, "has a name that is longer than a path may be"));
                }
                self.count_name(path)?;
                self.contents.outside.note(path, kind);
                self.input.pass(size, |_| {})?;
            }
            Kind::Directory => {}
            Kind::Regular => self.file(FileName::parse(path)?, size)?,
            Kind::Symlink | Kind::Link => return Err(refuse(name, "is a link, which no list is about")),
            _ => return Err(refuse(name, "is neither a file nor a folder")),
        }
        self.padding(size)
    }

    fn count_name(&mut self, name: &str) -> Result<(), ContentsError> {
        self.names += name.len() as u64;
        if self.names > NAMES_MAX {
            return Err(ContentsError::TooMuch {
                what: "the names of its files",
                limit: NAMES_MAX,
            });
        }
        Ok(())
    }

    fn file(&mut self, name: FileName, size: u64) -> Result<(), ContentsError> {
        self.count_name(name.as_str())?;
        if self.contents.files.len() >= RESOURCES_MAX {
            return Err(ContentsError::TooMuch {
                what: "its files",
                limit: RESOURCES_MAX as u64,
            });
        }
        self.contents.add(&mut self.input, name, size, self.reading)
    }

    /// Why an entry would change what is in the model's folder by other means than being a file in it, if it would.
    fn hides(&self, path: &str, kind: EntryType) -> Option<&'static str> {
        let (parent, base) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.reading.folder.as_ref().map_or("", FileName::as_str);
        let touches = |other: &str| is_within(other, folder) || is_within(folder, other);
        if base.starts_with(WHITEOUT) {
            let hidden = match base.strip_prefix(WHITEOUT) {
                Some(target) if base != OPAQUE && !parent.is_empty() => format!("{parent}/{target}"),
                Some(target) if base != OPAQUE => target.to_owned(),
                _ => parent.to_owned(),
            };
            return touches(&hidden).then_some("removes files of an earlier layer");
        }
        let is_on_the_way = !folder.is_empty() && is_within(folder, path);
        (is_on_the_way && kind != EntryType::Directory).then_some("is on the way to the model's folder, and no folder")
    }

    /// A header that is about the next entry, or about nothing that matters here.
    fn extension(&mut self, kind: EntryType, size: u64) -> Result<(), ContentsError> {
        if self.ahead.is_some() {
            return Err(not_tar("an entry has two headers about it"));
        }
        let is_name = kind == EntryType::GNULongName;
        let mut content = self.header_content(size, if is_name { LONG_NAME_MAX } else { PAX_MAX })?;
        match kind {
            EntryType::GNULongName => {
                let end = content.iter().position(|byte| *byte == 0).unwrap_or(content.len());
                content.truncate(end);
                self.ahead = Some(Ahead {
                    name: Some(content),
                    size: None,
                });
            }
            EntryType::XHeader => self.ahead = Some(pax(&content)?),
            _ => {
                let all = pax(&content)?;
                if all.name.is_some() || all.size.is_some() {
                    return Err(not_tar("a header gives all entries one name or size"));
                }
            }
        }
        Ok(())
    }

    fn header_content(&mut self, size: u64, most: u64) -> Result<Vec<u8>, ContentsError> {
        if size > most {
            return Err(ContentsError::TooMuch {
                what: "the bytes of a header",
                limit: most,
            });
        }
        let mut content = Vec::new();
        self.input.pass(size, |piece| content.extend_from_slice(piece))?;
        self.padding(size)?;
        Ok(content)
    }

    /// Entries begin at whole blocks.
    fn padding(&mut self, size: u64) -> Result<(), ContentsError> {
        let over = size % BLOCK;
        self.input.pass(if over == 0 { 0 } else { BLOCK - over }, |_| {})
    }
}

/// What a pax header says that matters here.
fn pax(mut content: &[u8]) -> Result<Ahead, ContentsError> {
    let mut ahead = Ahead::default();
    while !content.is_empty() {
        let (key, value, rest) = record(content).ok_or_else(|| not_tar("a pax header is malformed"))?;
        content = rest;
        match key {
            b"path" => match ahead.name.replace(value.to_vec()) {
                None => {}
                Some(_) => return Err(not_tar("a pax header gives two names")),
            },
            b"size" => {
                let size = decimal(value).ok_or_else(|| not_tar("a size is no number"))?;
                if ahead.size.replace(size).is_some() {
                    return Err(not_tar("a pax header gives two sizes"));
                }
            }
            key if key.starts_with(b"GNU.sparse") || key == b"SCHILY.realsize" => {
                return Err(not_tar("it has a sparse file, which tools unpack differently"));
            }
            _ => {}
        }
    }
    Ok(ahead)
}

/// The first record, `LENGTH KEY=VALUE` and a line break, the length being that of all of it; and what is behind it.
fn record(content: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = content.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(content.get(..space)?)?).ok()?;
    let (record, rest) = content.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((record.get(..equals)?, record.get(equals + 1..)?, rest))
}

fn decimal(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

/// Where numbers stand in a header.
const SIZE: Range<usize> = 124..136;
const CHECKSUM: Range<usize> = 148..156;
/// Mode, owner, group, time of change, and the two of a device.
const OTHER_NUMBERS: [Range<usize>; 6] = [100..108, 108..116, 116..124, 136..148, 329..337, 337..345];

/// A number that all tools read alike: in octal digits, with spaces before and spaces or NUL behind; or in binary behind
/// the byte 80, as GNU's and star write what does not fit.
fn number(block: &Block, at: Range<usize>) -> Option<u64> {
    let field = block.get(at)?;
    if let [0x80, binary @ ..] = field {
        let value = |sum: u64, byte: &u8| sum.checked_mul(256)?.checked_add(u64::from(*byte));
        return binary.iter().try_fold(0, value);
    }
    let text = field.trim_ascii_start();
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let is_octal = !digits.is_empty() && field.iter().all(|byte| matches!(byte, b' ' | 0 | b'0'..=b'7'));
    (is_octal && rest.iter().all(|byte| matches!(byte, b' ' | 0)))
        .then(|| digits.iter().fold(0, |sum, digit| sum * 8 + u64::from(digit - b'0')))
}

/// Whether a field whose value does not matter is no reason for tools to differ. Times before 1970 begin with the byte FF.
fn is_number_or_empty(block: &Block, at: Range<usize>) -> bool {
    match block.get(at.clone()).unwrap_or_default() {
        [0xff, ..] => true,
        field if field.iter().all(|byte| matches!(byte, b' ' | 0)) => true,
        _ => number(block, at).is_some(),
    }
}

/// Why tools differ in an entry's name, if they do. Behind the fields that all know stands the beginning of a long name
/// (ustar), other times (GNU) or both (star), and some tools take it for a name whatever kind of header it is.
fn two_names(block: &Block) -> Option<&'static str> {
    let (Some(kind), Some(prefix), Some(rest)) = (block.get(257..265), block.get(345..500), block.get(500..)) else {
        return Some("a header is short");
    };
    let is_empty = |part: &[u8]| part.iter().all(|byte| *byte == 0);
    if kind != b"ustar\x0000" && !is_empty(prefix) {
        return Some("a header that is not ustar's has something where ustar has the beginning of a name");
    }
    (!is_empty(rest)).then_some("a header has something behind its fields")
}

/// The sum of a header's bytes, those of the checksum itself taken for spaces.
fn checksum(block: &Block) -> u64 {
    let byte = |(at, byte): (usize, &u8)| u64::from(if CHECKSUM.contains(&at) { b' ' } else { *byte });
    block.iter().enumerate().map(byte).sum()
}

/// A name without the `./` that `tar -C FOLDER .` writes and the slash behind a folder; nothing for the root itself.
fn path(name: &[u8], is_folder: bool) -> Result<Option<&str>, ContentsError> {
    let text = std::str::from_utf8(name).map_err(|_| refuse(name, "has a name that is not UTF-8"))?;
    let text = if is_folder {
        text.strip_suffix('/').unwrap_or(text)
    } else {
        text
    };
    match text.strip_prefix("./").unwrap_or(text) {
        "" | "." => Ok(None),
        text if text.contains('\0') || text.split('/').any(|segment| matches!(segment, "" | "." | "..")) => Err(
            refuse(name, "has a name that tools read differently, or that leads elsewhere"),
        ),
        text => Ok(Some(text)),
    }
}

/// Whether a path is that of the folder or stands below it; the root, `""`, has all paths.
fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || name::is_within(path, folder)
}

fn not_tar(detail: &'static str) -> ContentsError {
    ContentsError::NotTar { detail }
}

fn refuse(name: &[u8], rule: &'static str) -> ContentsError {
    let shown = name.get(..name.len().min(200)).unwrap_or_default();
    ContentsError::Unsafe {
        entry: format!("{:?}", String::from_utf8_lossy(shown)),
        rule,
    }
}
