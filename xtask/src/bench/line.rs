//! One connection that is kept, pages asked over it, and how long they took.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::sh;

/// An answer that takes longer is an error.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Starts the program on core 0 in a folder, in an empty environment but for these, and waits until it says that it is ready: what
/// connects before may be let go again.
pub fn start(
    program: &Path,
    dir: &Path,
    port: u16,
    environment: &[(&str, &std::ffi::OsStr)],
) -> Result<sh::Server> {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program).current_dir(dir).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TOLLWAY_LISTEN", format!("127.0.0.1:{port}"));
    command.envs(environment.iter().copied());
    let log = dir.join("log");
    let mut server = sh::Server::start(&mut command, "TERM", &log)?;
    let is_ready = || std::fs::read_to_string(&log).is_ok_and(|said| said.contains("is ready on"));
    server.wait_until("Tollway", is_ready)?;
    Ok(server)
}

/// Builds the program and says where it is.
pub fn built(debug: bool) -> Result<std::path::PathBuf> {
    let mut build = sh::cargo();
    build.args(["build", "--locked", "--package", "tollway"]);
    if !debug {
        build.arg("--release");
    }
    sh::run(&mut build)?;
    Ok(sh::target_dir().join(if debug { "debug" } else { "release" }).join("tollway"))
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    /// Lines of the head, without the first.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The header with this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// One connection.
pub struct Line {
    stream: BufReader<TcpStream>,
    /// Lines that every request has, each with its end.
    pub heads: String,
}

impl Line {
    pub fn open(port: u16) -> Result<Line> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Line { stream: BufReader::new(stream), heads: String::new() })
    }

    /// A page, `packed` as browsers ask for it.
    pub fn get(&mut self, path: &str, packed: bool) -> Result<Answer> {
        let takes = if packed { "accept-encoding: gzip\r\n" } else { "" };
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{}{takes}\r\n", self.heads))
    }

    /// JSON to a path.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.ask(&format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.heads,
            body.len()
        ))
    }

    fn ask(&mut self, request: &str) -> Result<Answer> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        self.stream.read_line(&mut head)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header)?;
            match header.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                None if header.trim_end().is_empty() => break,
                None => bail!("no header: {header}"),
            }
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.context("an answer without a length")?.1.parse::<usize>()?;
        let mut answer = Answer { status, headers, body: vec![0; length] };
        self.stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }
}

/// What was measured of a page, milliseconds and bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    pub name: String,
    pub path: String,
    /// The very first ask after the start.
    pub first_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    /// The body as it crosses the wire.
    pub bytes: usize,
    /// How often it was asked.
    pub requests: usize,
}

/// How often a page is asked.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Before that, not counted.
    pub warm_up: usize,
    pub requests: usize,
    /// A page that is slow is asked less often: once this long has passed, as often as it was warmed up.
    pub most: Duration,
}

/// Asks a page often; one that does not answer `status` is an error.
pub fn measure(line: &mut Line, name: &str, path: &str, status: u16, effort: Effort) -> Result<Figures> {
    let mut ask = || {
        let start = Instant::now();
        let answer = line.get(path, true).with_context(|| path.to_owned())?;
        let time = start.elapsed();
        ensure!(answer.status == status, "{path} answers {}", answer.status);
        anyhow::Ok((time, answer.body.len()))
    };
    let (first, bytes) = ask()?;
    (0..effort.warm_up).try_for_each(|_| ask().map(|_| ()))?;
    let (begun, mut times) = (Instant::now(), Vec::with_capacity(effort.requests));
    while times.len() < effort.requests && (times.len() < effort.warm_up || begun.elapsed() < effort.most) {
        times.push(ask()?.0);
    }
    times.sort_unstable();
    let at = |percent: usize| {
        let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    Ok(Figures {
        name: name.to_owned(),
        path: path.to_owned(),
        first_ms: first.as_secs_f64() * 1e3,
        p50_ms: at(50),
        p95_ms: at(95),
        bytes,
        requests: times.len(),
    })
}
