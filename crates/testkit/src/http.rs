//! A small HTTP/1.1 client of the kit's own: it shows bytes as they come, says whether an answer was whole, and can
//! leave in the middle.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sse::{self, Event};
use crate::upstream::{find, head_end, parse_head};

/// Calls one server, with a connection of its own for each request.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    addr: SocketAddr,
}

/// A request being put together.
#[derive(Clone, Debug)]
pub struct Request {
    addr: SocketAddr,
    head: String,
    body: Bytes,
}

impl Client {
    /// A client of the server at `addr`.
    pub fn new(addr: SocketAddr) -> Client {
        Client { addr }
    }

    /// Begins a request.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.addr);
        Request { addr: self.addr, head, body: Bytes::new() }
    }

    /// Begins a GET.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }
}

impl Request {
    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Adds `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, key: &str) -> Request {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Request {
        self.body(body.to_string()).header("content-type", "application/json")
    }

    /// Sets the body's bytes.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Request {
        self.body = body.into();
        self
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Reply {
        match crate::within("an answer", self.try_send()).await {
            Ok(reply) => reply,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Sends it and reads the whole answer, for servers that may die meanwhile.
    pub async fn try_send(self) -> io::Result<Reply> {
        self.try_open().await?.try_rest().await
    }

    /// Sends it and reads the head of the answer only.
    pub async fn open(self) -> Body {
        match crate::within("the head of an answer", self.try_open()).await {
            Ok(body) => body,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Like [`Request::open`], for servers that may die meanwhile.
    pub async fn try_open(self) -> io::Result<Body> {
        let addr = self.addr;
        Body::open(addr, &self.wire()).await
    }

    /// Sends it and gives the connection back without waiting for an answer: dropping it is a caller who leaves.
    pub async fn send_only(self) -> TcpStream {
        let sent = async {
            let mut stream = TcpStream::connect(self.addr).await?;
            stream.write_all(&self.wire()).await?;
            io::Result::Ok(stream)
        };
        match crate::within("a request to be sent", sent).await {
            Ok(stream) => stream,
            Err(error) => panic!("could not send: {error}"),
        }
    }

    fn wire(&self) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        if !self.body.is_empty() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
    Ended,
}

/// An answer whose head has come and whose body is being read.
#[derive(Debug)]
pub struct Body {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    stream: TcpStream,
    buffer: BytesMut,
    framing: Framing,
    text: Vec<u8>,
}

impl Body {
    async fn open(addr: SocketAddr, request: &[u8]) -> io::Result<Body> {
        let mut stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let mut buffer = BytesMut::with_capacity(16 * 1024);
        let end = {
            let (mut read, mut write) = stream.split();
            // A server may answer before it has read everything: then the answer counts, not the failed write.
            let head = read_head(&mut read, &mut buffer);
            tokio::pin!(head);
            tokio::select! {
                end = &mut head => end?,
                _ = write.write_all(request) => head.await?,
            }
        };
        let (first, headers) = parse_head(&buffer.split_to(end));
        let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("not a status line: {first}")))?;
        let framing = if find(&headers, "transfer-encoding").is_some() {
            Framing::Chunked
        } else if let Some(length) = find(&headers, "content-length").and_then(|v| v.parse().ok()) {
            Framing::Length(length)
        } else if status == 204 || status == 304 {
            Framing::Ended
        } else {
            Framing::UntilClose
        };
        Ok(Body { status, headers, stream, buffer, framing, text: Vec::new() })
    }

    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The next piece of the body; `None` at its end.
    pub async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.take_piece()? {
                return Ok(Some(piece));
            }
            if self.framing == Framing::Ended || self.framing == Framing::Length(0) {
                self.framing = Framing::Ended;
                return Ok(None);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                if self.framing != Framing::UntilClose {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.framing = Framing::Ended;
            }
        }
    }

    fn take_piece(&mut self) -> io::Result<Option<Bytes>> {
        match self.framing {
            Framing::Ended => Ok(None),
            _ if self.buffer.is_empty() => Ok(None),
            Framing::UntilClose => Ok(Some(self.buffer.split().freeze())),
            Framing::Length(left) => {
                let piece = self.buffer.split_to(left.min(self.buffer.len())).freeze();
                self.framing = Framing::Length(left - piece.len());
                Ok((!piece.is_empty()).then_some(piece))
            }
            Framing::Chunked => {
                let Some(line) = memchr::memmem::find(&self.buffer, b"\r\n") else { return Ok(None) };
                let digits =
                    String::from_utf8_lossy(self.buffer.get(..line).unwrap_or_default()).into_owned();
                let size = usize::from_str_radix(digits.split(';').next().unwrap_or_default().trim(), 16)
                    .map_err(|_| io::Error::other(format!("not a chunk size: {digits}")))?;
                if self.buffer.len() < line + 2 + size + 2 {
                    return Ok(None);
                }
                self.buffer.advance(line + 2);
                let piece = self.buffer.split_to(size).freeze();
                self.buffer.advance(2);
                if size == 0 {
                    self.framing = Framing::Ended;
                }
                Ok((size > 0).then_some(piece))
            }
        }
    }

    /// The next server-sent event; `None` at the end of the stream. Comments are passed over.
    pub async fn event(&mut self) -> Option<Event> {
        crate::within("the next event of a stream", async {
            loop {
                if let Some(end) = memchr::memmem::find(&self.text, b"\n\n") {
                    let block: Vec<u8> = self.text.drain(..end + 2).collect();
                    match sse::events(&block).pop() {
                        Some(event) => return Some(event),
                        None => continue,
                    }
                }
                match self.piece().await {
                    Ok(Some(piece)) => self.text.extend_from_slice(&piece),
                    Ok(None) | Err(_) => return None,
                }
            }
        })
        .await
    }

    /// Reads to the end.
    pub async fn rest(self) -> Reply {
        match crate::within("the end of an answer", self.try_rest()).await {
            Ok(reply) => reply,
            Err(error) => panic!("the answer broke off: {error}"),
        }
    }

    /// Reads to the end; an answer that breaks off is given with `whole` false.
    pub async fn try_rest(mut self) -> io::Result<Reply> {
        let mut body = std::mem::take(&mut self.text);
        let whole = loop {
            match self.piece().await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        let headers = std::mem::take(&mut self.headers);
        Ok(Reply { status: self.status, headers, body, whole })
    }

    /// Leaves with RST, whatever is still on its way.
    pub fn abort(self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

async fn read_head(read: &mut (impl AsyncReadExt + Unpin), buffer: &mut BytesMut) -> io::Result<usize> {
    loop {
        if let Some(end) = head_end(buffer) {
            return Ok(end);
        }
        if read.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body after the transfer coding.
    pub body: Vec<u8>,
    /// False when the connection broke before the body's end.
    pub whole: bool,
}

impl Reply {
    /// The first header of that name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; panics when it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("status {}, not JSON ({error}): {}", self.status, self.text()),
        }
    }

    /// The body's data events.
    pub fn events(&self) -> Vec<Event> {
        sse::events(&self.body)
    }

    /// Panics with the body unless the status is the one expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "answer was: {}", self.text());
        self
    }

    /// `X-Generation-Id`.
    #[track_caller]
    pub fn generation_id(&self) -> String {
        match self.header("x-generation-id") {
            Some(id) => id.to_owned(),
            None => panic!("no x-generation-id among {:?}", self.headers),
        }
    }
}
