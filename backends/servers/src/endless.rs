//! A server that says yes to everything and does not stop talking.

use crate::background::Background;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// So much comes in each answer. It ends after all, so that a client that takes everything fails its test and not the
/// host.
const ANSWER: usize = 96 << 20;
const CHUNK: usize = 64 << 10;

/// Answers each request with 200 and far more spaces than belong into an answer, without saying how many.
#[derive(Debug)]
pub struct Endless {
    background: Background,
}

impl Endless {
    /// On a free port.
    #[expect(clippy::new_without_default, reason = "a server that runs is no default")]
    pub fn new() -> Self {
        Self { background: Background::start(serve) }
    }

    /// Where it talks.
    pub fn address(&self) -> SocketAddr {
        self.background.address()
    }
}

/// One answer, to the first request of the connection.
async fn serve(mut stream: TcpStream) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
            return;
        }
    }
    let mut chunk = format!("{CHUNK:x}\r\n").into_bytes();
    chunk.resize(chunk.len() + CHUNK, b' ');
    chunk.extend_from_slice(b"\r\n");
    // The type is what Azure answers a batch with, and means nothing to others.
    let head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=x\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let mut said = stream.write_all(head).await;
    for _ in 0..ANSWER / CHUNK {
        if said.is_err() {
            return;
        }
        said = stream.write_all(&chunk).await;
    }
    let _whoever_listens = stream.write_all(b"0\r\n\r\n").await;
}
