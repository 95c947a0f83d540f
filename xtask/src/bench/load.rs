//! The load generator: a closed loop of keep-alive connections on one thread, little enough work that the proxy and
//! not the client is the limit. One connection reads and blocks; several share an event loop.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use mio::net::TcpStream as EventStream;
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};

/// The model that everybody is asked for.
pub const MODEL: &str = "lab/bench";
const LARGE_BYTES: usize = 200_000;
const PLAIN_BYTES: usize = 1_000;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Shape {
    /// About 1 KB, answered at once
    Plain,
    /// About 200 KB, answered at once
    Large,
    /// About 1 KB, answered in frames
    Stream,
}

impl Shape {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Plain => "plain",
            Shape::Large => "large",
            Shape::Stream => "stream",
        }
    }

    fn request(self, key: &str) -> Vec<u8> {
        let size = if self == Shape::Large { LARGE_BYTES } else { PLAIN_BYTES };
        let system = "You answer in one short sentence. ".repeat(5);
        let user = "A gateway forwards what it is given, and says what it cost. ";
        let user = user.repeat(size.saturating_sub(system.len() + 120) / user.len() + 1);
        let stream = if self == Shape::Stream { r#","stream":true"# } else { "" };
        let body = format!(
            r#"{{"model":"{MODEL}","messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{user}"}}],"max_tokens":64{stream}}}"#
        );
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\naccept: */*\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        (head + &body).into_bytes()
    }
}

#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    key: String,
    #[arg(long, value_enum)]
    shape: Shape,
    #[arg(long)]
    connections: usize,
    /// Stop after so many requests
    #[arg(long)]
    count: Option<u64>,
    /// Stop after so long, where no count is given
    #[arg(long)]
    duration_ms: u64,
}

/// What one run saw.
#[derive(Serialize, Deserialize)]
pub struct Outcome {
    pub requests: u64,
    pub seconds: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Until the first byte of the body.
    pub first_byte_p50_us: f64,
}

/// Runs and prints the outcome as JSON.
pub fn run(args: &Args) -> Result<bool> {
    let request = args.shape.request(&args.key);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let limit = Limit { count: args.count, until: Instant::now() + Duration::from_millis(args.duration_ms) };
    let start = Instant::now();
    let mut times = if args.connections == 1 {
        one(address, &request, &limit)?
    } else {
        many(address, &request, args.connections, &limit)?
    };
    let seconds = start.elapsed().as_secs_f64();
    let outcome = Outcome {
        requests: times.whole.len() as u64,
        seconds,
        p50_us: percentile(&mut times.whole, 50),
        p99_us: percentile(&mut times.whole, 99),
        first_byte_p50_us: percentile(&mut times.first_byte, 50),
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(true)
}

struct Limit {
    count: Option<u64>,
    until: Instant,
}

impl Limit {
    fn is_reached(&self, done: usize) -> bool {
        self.count.map_or_else(|| Instant::now() >= self.until, |count| done as u64 >= count)
    }
}

#[derive(Default)]
struct Times {
    whole: Vec<Duration>,
    first_byte: Vec<Duration>,
}

fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).map_or(0.0, |time| time.as_nanos() as f64 / 1_000.0)
}

fn one(address: SocketAddr, request: &[u8], limit: &Limit) -> Result<Times> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut times = Times::default();
    let mut buffer = vec![0; 64 * 1024];
    while !limit.is_reached(times.whole.len()) {
        let start = Instant::now();
        let mut answer = Answer::default();
        stream.write_all(request)?;
        loop {
            let count = stream.read(&mut buffer)?;
            ensure!(count > 0, "the connection was closed in the middle of an answer");
            let had_body = answer.has_body();
            let is_done = answer.feed(buffer.get(..count).unwrap_or_default())?;
            if !had_body && answer.has_body() {
                times.first_byte.push(start.elapsed());
            }
            if is_done {
                break;
            }
        }
        times.whole.push(start.elapsed());
    }
    Ok(times)
}

struct Connection {
    stream: EventStream,
    /// Bytes of the request that are out.
    written: usize,
    started: Instant,
    answer: Answer,
}

impl Connection {
    fn restart(&mut self, request: &[u8]) -> Result<()> {
        self.written = 0;
        self.started = Instant::now();
        self.answer = Answer::default();
        self.write(request)
    }

    fn write(&mut self, request: &[u8]) -> Result<()> {
        while let Some(rest) = request.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.written += count,
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::NotConnected].contains(&error.kind()) => {
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// True when an answer is complete. A short read empties the socket, and a complete answer is all there is.
    fn read(&mut self, buffer: &mut [u8]) -> Result<bool> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the connection was closed in the middle of an answer"),
                Ok(count) => {
                    if self.answer.feed(buffer.get(..count).unwrap_or_default())? {
                        return Ok(true);
                    }
                    if count < buffer.len() {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn many(address: SocketAddr, request: &[u8], connection_count: usize, limit: &Limit) -> Result<Times> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(connection_count);
    let mut connections = Vec::with_capacity(connection_count);
    for at in 0..connection_count {
        let mut stream = EventStream::connect(address)?;
        stream.set_nodelay(true)?;
        poll.registry().register(&mut stream, Token(at), Interest::READABLE | Interest::WRITABLE)?;
        connections.push(Connection {
            stream,
            written: 0,
            started: Instant::now(),
            answer: Answer::default(),
        });
    }
    let mut times = Times::default();
    let mut buffer = vec![0; 64 * 1024];
    while !limit.is_reached(times.whole.len()) {
        poll.poll(&mut events, Some(Duration::from_secs(10)))?;
        ensure!(!events.is_empty(), "no answer within 10 s");
        for event in &events {
            let connection = connections.get_mut(event.token().0).context("an event of nobody")?;
            if event.is_writable() && connection.written < request.len() {
                connection.write(request)?;
            }
            if event.is_readable() && connection.read(&mut buffer)? {
                times.whole.push(connection.started.elapsed());
                connection.restart(request)?;
            }
        }
    }
    Ok(times)
}

/// Reads one answer, however it is cut: by length or in chunks.
#[derive(Default)]
struct Answer {
    head: Vec<u8>,
    body: Option<Body>,
    body_bytes: usize,
}

enum Body {
    /// So many bytes are left.
    Length(usize),
    /// The text of the next chunk's size line.
    ChunkSize(Vec<u8>),
    /// So many bytes of the chunk and its line end are left.
    Chunk(usize),
    /// The line end after the last chunk.
    End(usize),
}

impl Answer {
    fn has_body(&self) -> bool {
        self.body_bytes > 0
    }

    /// Takes the next bytes; true when the answer is complete.
    fn feed(&mut self, mut bytes: &[u8]) -> Result<bool> {
        if self.body.is_none() {
            let known = self.head.len();
            self.head.extend_from_slice(bytes);
            let from = known.saturating_sub(3);
            let end =
                self.head.get(from..).unwrap_or_default().windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end.map(|at| from + at + 4) else { return Ok(false) };
            bytes = bytes.get(end - known..).unwrap_or_default();
            self.body = Some(self.read_head(end)?);
        }
        self.body_bytes += bytes.len();
        let Some(body) = &mut self.body else { return Ok(false) };
        body.feed(bytes)
    }

    fn read_head(&self, end: usize) -> Result<Body> {
        let head = String::from_utf8_lossy(self.head.get(..end).unwrap_or_default()).to_ascii_lowercase();
        let rest = || String::from_utf8_lossy(self.head.get(end..).unwrap_or_default()).into_owned();
        ensure!(head.starts_with("http/1.1 200"), "not a 200: {head}{}", rest());
        if head.contains("\r\ntransfer-encoding: chunked") {
            return Ok(Body::ChunkSize(Vec::new()));
        }
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length:"));
        Ok(Body::Length(length.context("an answer without a length")?.trim().parse()?))
    }
}

impl Body {
    fn feed(&mut self, mut bytes: &[u8]) -> Result<bool> {
        loop {
            match self {
                Body::Length(left) => {
                    *left = left.checked_sub(bytes.len()).context("more bytes than content-length said")?;
                    return Ok(*left == 0);
                }
                Body::ChunkSize(line) => {
                    let Some(at) = bytes.iter().position(|byte| *byte == b'\n') else {
                        line.extend_from_slice(bytes);
                        return Ok(false);
                    };
                    line.extend_from_slice(bytes.get(..at).unwrap_or_default());
                    bytes = bytes.get(at + 1..).unwrap_or_default();
                    let size = usize::from_str_radix(std::str::from_utf8(line)?.trim(), 16)?;
                    *self = if size == 0 { Body::End(2) } else { Body::Chunk(size + 2) };
                }
                Body::Chunk(left) => {
                    let taken = bytes.len().min(*left);
                    *left -= taken;
                    bytes = bytes.get(taken..).unwrap_or_default();
                    if *left > 0 {
                        return Ok(false);
                    }
                    *self = Body::ChunkSize(Vec::new());
                }
                Body::End(left) => {
                    *left = left.checked_sub(bytes.len()).context("bytes after the last chunk")?;
                    return Ok(*left == 0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Answer, Shape, percentile};

    #[test]
    fn an_answer_ends_where_it_ends_however_it_is_cut() {
        let rows: [&[u8]; 3] = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\nA\r\n0123456789\r\n0\r\n\r\n",
        ];
        for bytes in rows {
            for cut in 0..bytes.len() {
                let mut answer = Answer::default();
                assert!(!answer.feed(&bytes[..cut]).expect("reads"), "cut at {cut}");
                assert!(answer.feed(&bytes[cut..]).expect("reads"), "cut at {cut}");
                assert!(answer.has_body());
            }
        }
        let error = Answer::default().feed(b"HTTP/1.1 402 Payment Required\r\ncontent-length: 0\r\n\r\n");
        assert!(error.is_err());
    }

    #[test]
    fn requests_have_their_size_and_are_json() {
        for (shape, sizes) in [(Shape::Plain, 900..1_200), (Shape::Large, 195_000..205_000)] {
            let request = String::from_utf8(shape.request("k")).expect("text");
            let (_, body) = request.split_once("\r\n\r\n").expect("head");
            assert!(sizes.contains(&body.len()), "{}", body.len());
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
        }
    }

    #[test]
    fn percentiles() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_micros).collect();
        assert_eq!((percentile(&mut times, 50), percentile(&mut times, 99)), (51.0, 100.0));
        assert_eq!(percentile(&mut [], 50), 0.0);
    }
}
