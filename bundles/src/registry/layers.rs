//! Layers of any size, read once from end to end: as bytes arrive, one thread hashes the layer as a whole while another
//! looks at the files in it. No more than a few pieces are held, however large the layer is.
//!
//! What was found in a layer is told only if the layer's bytes have its digest: a registry that sends other bytes is an
//! error, whatever is in them.

use std::io::{self, BufRead, Read};
use std::panic;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{Receiver, channel};

use super::answer::transport;
use super::error::RegistryError;
use super::session::{Ask, Session};
use crate::digest::Digest;
use crate::model::artifact::{Contents, ContentsError, Layer, Reading, contents};

/// Pieces between the connection and the thread that looks into them, of up to half a megabyte each.
const PIECES: usize = 4;
/// Bytes a second below which a layer is given up, on the whole.
const SLOWEST: u64 = 1024 * 1024;

/// How long a layer may take: so long as any answer, and as long as its bytes need.
pub(super) fn deadline(patience: Duration, layer: &Layer) -> Duration {
    patience.saturating_add(Duration::from_secs(layer.size / SLOWEST))
}

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
    let patience = session.line.settings.timeout;
    let mut response = in_time(patience, &ask, session.respond(&ask)).await??;
    let mut arrived = Arrived::new(&ask, layer);
    arrived.announced(response.content_length())?;
    let (to, from) = channel(PIECES);
    let (own_layer, own_reading) = (layer.clone(), reading.clone());
    let looking = tokio::task::spawn_blocking(move || contents(&own_layer, &own_reading, Pieces::new(from)));
    // None once whoever looks has seen enough: whether it was the layer is not known before its end.
    let mut to = Some(to);
    loop {
        let piece = in_time(patience, &ask, response.chunk()).await?;
        let Some(piece) = piece.map_err(|error| transport(ask.at(), error, Duration::ZERO))? else {
            break;
        };
        arrived.take(&piece)?;
        if let Some(open) = &to
            && open.send(piece).await.is_err()
        {
            to = None;
        }
    }
    arrived.finish()?;
    drop(to);
    match looking.await {
        Ok(found) => Ok(found),
        Err(ended) => panic::resume_unwind(ended.into_panic()),
    }
}

/// A registry that says nothing for so long says nothing more.
async fn in_time<T>(patience: Duration, ask: &Ask, answer: impl Future<Output = T>) -> Result<T, RegistryError> {
    tokio::time::timeout(patience, answer)
        .await
        .map_err(|_| RegistryError::Timeout {
            at: ask.at(),
            after: patience,
        })
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

    /// More than the manifest says is not waited for.
    fn announced(&self, length: Option<u64>) -> Result<(), RegistryError> {
        if length.is_some_and(|length| length > self.layer.size) {
            return Err(self.too_large());
        }
        Ok(())
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
            return Err(RegistryError::Malformed {
                at: self.ask.at(),
                problem: format!(
                    "the layer has {} bytes, and its manifest says {}",
                    self.count, self.layer.size
                ),
            });
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
