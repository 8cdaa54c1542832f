//! A registry that makes up its content as it sends it, because no real one would be given 20 GB of zeros for a benchmark,
//! or a model of 100 GB that is nowhere. It is asked what a real one is asked, and counts what it sends.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is sent.
pub(crate) enum Body {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Zeros between a beginning and an end.
    Zeros { before: Vec<u8>, zeros: u64, after: u64 },
}

/// The server; it lives as long as the process.
pub(crate) struct Server {
    /// `127.0.0.1:port`.
    pub(crate) host: String,
    sent: Arc<AtomicU64>,
}

impl Server {
    /// Answers these paths, and others with 404.
    pub(crate) fn start(content: HashMap<String, Body>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (content, sent) = (Arc::new(content), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&sent);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (content, counter) = (Arc::clone(&content), Arc::clone(&counter));
                // Whoever goes away early is no failure.
                std::thread::spawn(move || answer(stream, &content, &counter).unwrap_or_default());
            }
        });
        Self { host, sent }
    }

    /// Bytes of bodies sent since the last call.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.swap(0, Ordering::Relaxed)
    }
}

/// One connection, as many requests as come.
fn answer(stream: TcpStream, content: &HashMap<String, Body>, sent: &AtomicU64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut stream = stream;
    while let Some(line) = lines.next() {
        let line = line?;
        for header in lines.by_ref() {
            if header?.is_empty() {
                break;
            }
        }
        let path = line.split(' ').nth(1).unwrap_or_default();
        match content.get(path) {
            None => stream.write_all(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")?,
            Some(body) => {
                write!(stream, "HTTP/1.1 200 x\r\nContent-Length: {}\r\n\r\n", body.length())?;
                body.write(&mut stream)?;
                sent.fetch_add(body.length(), Ordering::Relaxed);
            }
        }
    }
    Ok(())
}

impl Body {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros { before, zeros, after } => before.len() as u64 + zeros + after,
        }
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> std::io::Result<()> {
        match self {
            Self::Bytes(bytes) => to.write_all(bytes),
            Self::Zeros { before, zeros, after } => {
                to.write_all(before)?;
                let block = vec![0; 256 * 1024];
                let mut left = zeros + after;
                while left > 0 {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
                    to.write_all(block.get(..length).unwrap_or_default())?;
                    left -= length as u64;
                }
                Ok(())
            }
        }
    }
}
