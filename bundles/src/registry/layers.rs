//! Layers of any size, read once from end to end: as bytes arrive, one thread hashes the layer as a whole while another
//! looks at the files in it. No more than a few pieces are held, however large the layer is.
//!
//! What was found in a layer is told only if the layer's bytes have its digest: a registry that sends other bytes is an
//! error, whatever is in them.

use std::io::{self, BufRead, Read};
use std::panic;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{Receiver, channel};

use super::answer::transport;
use super::error::RegistryError;
use super::session::{Ask, Session};
use crate::digest::Digest;
use crate::model::artifact::{Contents, ContentsError, Layer, Reading, contents};

/// Pieces between the connection and the thread that looks into them, of up to half a megabyte each.
const PIECES: usize = 4;
/// Bytes a second below which a layer is given up, on the whole; and how many times as long as any answer it has for a slow
/// start.
const SLOWEST: u64 = 1024 * 1024;
const START: u32 = 10;

/// What is in a layer, or why that cannot be said of the layer that it is.
pub(super) async fn look_into(
    mut session: Session<'_>,
    layer: &Layer,
    reading: &Reading,
) -> Result<Result<Contents, ContentsError>, RegistryError> {
    let ask = Ask {
        elsewhere: true,
        ..Ask::get(
            session.url(&format!("blobs/{}", layer.digest))?,
            "*/*",
            ("layer bytes", layer.size),
        )
    };
    let mut hurry = Hurry::new(session.line.settings.timeout);
    let answer = hurry.wait(&ask, session.respond(&ask)).await?;
    let mut response = answer.map_err(|error| named_and_gone(layer, error))?;
    let mut arrived = Arrived::new(&ask, layer);
    arrived.announced(response.content_length())?;
    let (to, from) = channel(PIECES);
    let (own_layer, own_reading) = (layer.clone(), reading.clone());
    let looking = tokio::task::spawn_blocking(move || contents(&own_layer, &own_reading, Pieces::new(from)));
    // None once whoever looks has seen enough: whether it was the layer is not known before its end.
    let mut to = Some(to);
    loop {
        let piece = hurry.wait(&ask, response.chunk()).await?;
        let Some(piece) = piece.map_err(|error| transport(ask.at(), error, Duration::ZERO))? else {
            break;
        };
        arrived.take(&piece)?;
        hurry.arrived = arrived.count;
        let before = Instant::now();
        if let Some(open) = &to
            && open.send(piece).await.is_err()
        {
            to = None;
        }
        // That this machine is slow is not the registry's fault.
        hurry.started += before.elapsed();
    }
    arrived.finish()?;
    drop(to);
    match looking.await {
        Ok(found) => Ok(found),
        Err(ended) => panic::resume_unwind(ended.into_panic()),
    }
}

/// A manifest that is there and names a layer that is not: the registry contradicts itself, and nobody asked for too much.
pub(super) fn named_and_gone(layer: &Layer, error: RegistryError) -> RegistryError {
    match error {
        RegistryError::NotFound { at, .. } => RegistryError::Malformed {
            at,
            problem: format!("the manifest names the layer {}, which is not there", layer.digest),
        },
        other => other,
    }
}

/// How long a registry may take for a layer: no longer than any answer without a word, and on the whole as long as the bytes
/// need that came. How many there are to come is the manifest's word alone.
struct Hurry {
    started: Instant,
    patience: Duration,
    arrived: u64,
}

impl Hurry {
    fn new(patience: Duration) -> Self {
        Self {
            started: Instant::now(),
            patience,
            arrived: 0,
        }
    }

    async fn wait<T>(&self, ask: &Ask, answer: impl Future<Output = T>) -> Result<T, RegistryError> {
        let whole = self.patience.saturating_mul(START) + Duration::from_secs(self.arrived / SLOWEST);
        let left = whole.saturating_sub(self.started.elapsed());
        let (left, after) = if left < self.patience {
            (left, whole)
        } else {
            (self.patience, self.patience)
        };
        tokio::time::timeout(left, answer)
            .await
            .map_err(|_| RegistryError::Timeout { at: ask.at(), after })
    }
}

/// What has arrived of a layer.
struct Arrived<'a> {
    ask: &'a Ask,
    layer: &'a Layer,
    hasher: Sha256,
    count: u64,
}

impl<'a> Arrived<'a> {
    fn new(ask: &'a Ask, layer: &'a Layer) -> Self {
        Self {
            ask,
            layer,
            hasher: Sha256::new(),
            count: 0,
        }
    }

    /// Another number than the manifest says is not waited for.
    fn announced(&self, length: Option<u64>) -> Result<(), RegistryError> {
        match length {
            Some(length) if length > self.layer.size => Err(self.too_large()),
            Some(length) if length < self.layer.size => Err(too_short(self.ask, self.layer, length)),
            _ => Ok(()),
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), RegistryError> {
        self.count = self.count.saturating_add(piece.len() as u64);
        if self.count > self.layer.size {
            return Err(self.too_large());
        }
        self.hasher.update(piece);
        Ok(())
    }

    /// Size and digest are both the manifest's word: bytes that fit the one only are another layer.
    fn finish(self) -> Result<(), RegistryError> {
        let got = Digest::from_sha256(self.hasher.finalize().into());
        if got != self.layer.digest {
            return Err(RegistryError::DigestMismatch {
                at: self.ask.at(),
                want: self.layer.digest.to_string(),
                got,
            });
        }
        if self.count != self.layer.size {
            return Err(too_short(self.ask, self.layer, self.count));
        }
        Ok(())
    }

    fn too_large(&self) -> RegistryError {
        let (what, limit) = self.ask.cap;
        RegistryError::LimitExceeded {
            at: self.ask.at(),
            what,
            limit,
        }
    }
}

fn too_short(ask: &Ask, layer: &Layer, length: u64) -> RegistryError {
    RegistryError::Malformed {
        at: ask.at(),
        problem: format!("the layer has {length} bytes, and its manifest says {}", layer.size),
    }
}

/// The pieces as one stream, which ends when no more are sent.
struct Pieces<B> {
    from: Receiver<B>,
    piece: Option<B>,
    read: usize,
}

impl<B: AsRef<[u8]>> Pieces<B> {
    fn new(from: Receiver<B>) -> Self {
        Self {
            from,
            piece: None,
            read: 0,
        }
    }

    fn rest(&self) -> &[u8] {
        let piece = self.piece.as_ref().map_or(&[][..], AsRef::as_ref);
        piece.get(self.read..).unwrap_or_default()
    }
}

impl<B: AsRef<[u8]>> BufRead for Pieces<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.rest().is_empty() {
            let Some(next) = self.from.blocking_recv() else { break };
            self.piece = Some(next);
            self.read = 0;
        }
        Ok(self.rest())
    }

    fn consume(&mut self, count: usize) {
        self.read += count;
    }
}

impl<B: AsRef<[u8]>> Read for Pieces<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let length = piece.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(piece) {
            *to = *from;
        }
        self.consume(length);
        Ok(length)
    }
}
