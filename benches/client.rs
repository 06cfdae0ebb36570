//! The leanest HTTP/1.1 client that still looks at every answer: what it costs is taken from the same two cores as what it measures.

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// One connection, kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case, as they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Connects to a port of the loopback.
    pub(crate) async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.with_context(|| format!("nobody listens on port {port}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(1 << 16) })
    }

    /// Sends one whole request and reads the whole answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Answer> {
        let (status, head, body) = self.exchange(request).await?;
        let head = String::from_utf8_lossy(&self.received[..head]).into_owned();
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let body = self.received[body..].to_vec();
        Ok(Answer { status, headers, body })
    }

    /// As [`Connection::send`], for those who want the status only.
    pub(crate) async fn status(&mut self, request: &[u8]) -> Result<u16> {
        Ok(self.exchange(request).await?.0)
    }

    /// GETs `path` with no further headers than those in `more`, each ended by a line break.
    pub(crate) async fn get(&mut self, path: &str, more: &str) -> Result<Answer> {
        self.send(&get(path, more)).await
    }

    /// Status, where the head ends and where the body begins.
    async fn exchange(&mut self, request: &[u8]) -> Result<(u16, usize, usize)> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let (head, end) = loop {
            ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the connection was closed");
            if let Some(head) = find(&self.received, b"\r\n\r\n") {
                break (head, head + 4);
            }
        };
        let status = self.received.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| digits.parse().ok());
        let status = status.context("not an HTTP answer")?;
        let length = if matches!(status, 204 | 304) { 0 } else { content_length(&self.received[..head])? };
        while self.received.len() < end + length {
            ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the body broke off");
        }
        ensure!(self.received.len() == end + length, "more came than was announced");
        Ok((status, head, end))
    }
}

/// The bytes of a GET.
pub(crate) fn get(path: &str, more: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{}\r\n", more.replace('\n', "\r\n")).into_bytes()
}

fn content_length(head: &[u8]) -> Result<usize> {
    let name = b"content-length:";
    for line in head.split(|byte| *byte == b'\n') {
        if line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name) {
            return Ok(std::str::from_utf8(&line[name.len()..])?.trim().parse()?);
        }
    }
    bail!("an answer without a length: {}", String::from_utf8_lossy(head))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
