//! A web server that says what a test tells it to, byte for byte: it lies about digests and lengths,
//! trickles, hangs, throttles and redirects, which no real registry does on demand. What a real one
//! does is tested against real ones, in the `tests` package.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What came in.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    pub(super) authorization: Option<String>,
    /// Counts from 0 over the server's life.
    pub(super) number: usize,
}

/// What goes out.
#[derive(Clone)]
pub(super) enum Reply {
    /// A whole answer, with a `Content-Length` that fits.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// 200 and this `Content-Length`, then these bytes, then the end.
    Claim(u64, Vec<u8>),
    /// 200 without a length, and bytes without end.
    Endless,
    /// 200, and a byte every 20 ms without end.
    Trickle,
    /// Nothing, ever.
    Hang,
    /// The connection closes.
    Close,
}

/// The server; it ends with the value.
pub(super) struct Liar {
    /// `127.0.0.1:port`.
    pub(super) host: String,
    seen: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Reply {
    pub(super) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::Answer(200, Vec::new(), body.into())
    }

    pub(super) fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }

    pub(super) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name, value.into()));
                Self::Answer(status, headers, body)
            }
            other => other,
        }
    }
}

impl Liar {
    pub(super) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { host, seen, task }
    }

    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request a connection; errors mean that the client has gone, which tests look at from its side.
async fn serve(mut stream: TcpStream, script: Arc<impl Fn(&Request) -> Reply>, log: Arc<Mutex<Vec<Request>>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            // A TLS handshake; a web server without TLS closes.
            Ok(1) if head.is_empty() && byte == [0x16] => return,
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let length: usize = header("content-length")
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let mut words = head.split(' ').map(str::to_owned);
    let request = {
        let mut log = log.lock().unwrap();
        let request = Request {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            authorization: header("authorization"),
            number: log.len(),
        };
        log.push(request.clone());
        request
    };
    let reply = script(&request);
    drop(answer(&mut stream, &request, reply).await);
}

async fn answer(stream: &mut TcpStream, request: &Request, reply: Reply) -> std::io::Result<()> {
    match reply {
        Reply::Answer(status, headers, body) => {
            let head = format!(
                "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).await?;
            for (name, value) in headers {
                stream.write_all(format!("{name}: {value}\r\n").as_bytes()).await?;
            }
            stream.write_all(b"\r\n").await?;
            if request.method != "HEAD" {
                stream.write_all(&body).await?;
            }
            stream.shutdown().await
        }
        Reply::Claim(length, body) => {
            stream
                .write_all(format!("HTTP/1.1 200 x\r\nContent-Length: {length}\r\n\r\n").as_bytes())
                .await?;
            stream.write_all(&body).await?;
            stream.shutdown().await
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 x\r\nConnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(&[b' '; 4096]).await?;
            }
        }
        Reply::Trickle => {
            stream.write_all(b"HTTP/1.1 200 x\r\nConnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Reply::Hang => std::future::pending().await,
        Reply::Close => Ok(()),
    }
}
