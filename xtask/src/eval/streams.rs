//! What Tollway adds to a frame while many streams run: each frame carries the instant at which the provider sent it, and the
//! client looks at the clock when it has it. Direct, through nginx and through Tollway in the same run; these two have a core
//! for themselves, on which they wait for work.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testkit::app::OWNER_KEY;
use testkit::{Lab, TestApp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::servers::nginx_config;
use crate::{sh, tools};

const STREAMS: usize = 256;
const FRAMES: usize = 100;
/// Each is measured so often; its best round counts, since what the machine does beside can only add.
const ROUNDS: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);
/// The goal: microseconds added at the 99th percentile.
const GOAL_US: f64 = 50.0;

/// Builds optimized, and measures there: this program on core 1, Tollway on core 0.
pub fn run() -> Result<bool> {
    let mut build = sh::cargo();
    build.args(["build", "--release", "--locked", "--bins", "--package", "tollway", "--package", "xtask"]);
    sh::run(build.args(["--package", "tollway-testkit"]))?;
    let release = sh::target_dir().join("release");
    let dir = tempfile::tempdir()?;
    let pinned = dir.path().join("tollway");
    fs::write(
        &pinned,
        format!("#!/bin/sh\nexec taskset -c 0 '{}' \"$@\"\n", release.join("tollway").display()),
    )?;
    fs::set_permissions(&pinned, fs::Permissions::from_mode(0o755))?;
    let mut measure = std::process::Command::new("taskset");
    sh::from_root(&mut measure);
    measure.args(["-c", "1"]).arg(release.join("xtask")).args(["eval", "streams", "--measure"]);
    Ok(measure.env("TOLLWAY_BIN", &pinned).status().context("measuring")?.success())
}

/// Prints what was seen; true when the goal is met.
pub fn measure() -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = listener.local_addr()?;
        tokio::spawn(provide(listener, start));
        let lab = Lab::at_url("lab", &format!("http://{upstream}/v1")).model("lab/m", "1", "2");
        let app = TestApp::builder().lab(lab).set("server.workers", "1").start().await;
        let dir = tempfile::tempdir()?;
        let [plain, nginx_port] = sh::free_ports()?;
        let config = dir.path().join("nginx.conf");
        fs::write(&config, nginx_config(dir.path(), upstream.port(), plain, nginx_port))?;
        let mut command = std::process::Command::new("taskset");
        command.args(["-c", "0"]).arg(tools::nginx()?).arg("-p").arg(dir.path()).arg("-c").arg(&config);
        let mut nginx = sh::Server::start(&mut command, "TERM", &dir.path().join("nginx.log"))?;
        nginx.wait_until("nginx", || sh::listens(nginx_port))?;
        let mut rounds = Vec::new();
        let ports = [("direct", upstream.port()), ("nginx", nginx_port), ("tollway", app.addr().port())];
        for (name, port) in ports.iter().cycle().take(ports.len() * ROUNDS) {
            let delays = listen(*port, start).await?;
            let (p50, p99) = (at(&delays, 50), at(&delays, 99));
            println!(
                "{name}: {} frames of {STREAMS} streams, p50 {p50:.0} us, p99 {p99:.0} us",
                delays.len()
            );
            rounds.push((p50, p99));
        }
        let best = |pick: fn(&(f64, f64)) -> f64, who: usize| {
            rounds.iter().skip(who).step_by(ports.len()).map(pick).fold(f64::MAX, f64::min)
        };
        let added = |pick: fn(&(f64, f64)) -> f64, who: usize| best(pick, who) - best(pick, 0);
        println!("nginx adds: p50 {:.0} us, p99 {:.0} us", added(|r| r.0, 1), added(|r| r.1, 1));
        let (p50, p99) = (added(|r| r.0, 2), added(|r| r.1, 2));
        println!("tollway adds: p50 {p50:.0} us, p99 {p99:.0} us (goal {GOAL_US})");
        Ok(p99 <= GOAL_US)
    })
}

/// A percentile, microseconds.
fn at(sorted: &[Duration], percent: usize) -> f64 {
    let delay = sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
    delay.map_or(0.0, |delay| delay.as_secs_f64() * 1e6)
}

/// The provider: every connection gets one stream whose frames carry the time since `start` in nanoseconds.
async fn provide(listener: TcpListener, start: Instant) {
    let mut number = 0u32;
    while let Ok((stream, _)) = listener.accept().await {
        number = number.wrapping_add(1);
        // Streams begin at any moment, so that their frames do not come in salvos.
        let offset = PAUSE / 256 * (number.wrapping_mul(167) % 256);
        tokio::spawn(speak(stream, start, offset));
    }
}

async fn speak(mut stream: TcpStream, start: Instant, offset: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = vec![0; 64 * 1024];
    // One request fits one read: it is small, and its sender waits.
    if stream.read(&mut request).await? == 0 {
        return Ok(());
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    tokio::time::sleep(offset).await;
    for _ in 0..FRAMES {
        tokio::time::sleep(PAUSE).await;
        let sent = start.elapsed().as_nanos();
        let event = format!(
            "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"<{sent:020}>\"}},\"finish_reason\":null}}]}}\n\n"
        );
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
    }
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
    stream.write_all(format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len()).as_bytes()).await
}

/// All streams at once; how long each frame took, sorted.
async fn listen(port: u16, start: Instant) -> Result<Vec<Duration>> {
    let clients: Vec<_> = (0..STREAMS).map(|_| tokio::spawn(hear(port, start))).collect();
    let mut sorted = Vec::with_capacity(STREAMS * FRAMES);
    for client in clients {
        sorted.append(&mut client.await??);
    }
    sorted.sort_unstable();
    ensure!(sorted.len() == STREAMS * FRAMES, "{} frames of {} came", sorted.len(), STREAMS * FRAMES);
    Ok(sorted)
}

async fn hear(port: u16, start: Instant) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let body = r#"{"model":"lab/m","stream":true,"messages":[{"role":"user","content":"go"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OWNER_KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut text = Vec::with_capacity(8 * 1024);
    let mut own = Vec::with_capacity(FRAMES);
    while own.len() < FRAMES && stream.read_buf(&mut text).await? > 0 {
        let now = start.elapsed();
        let mut rest = 0;
        while let Some(open) = text.get(rest..).and_then(|t| t.iter().position(|b| *b == b'<')) {
            let from = rest + open + 1;
            let Some(digits) = text.get(from..from + 20) else { break };
            let sent = std::str::from_utf8(digits)?.parse::<u64>()?;
            own.push(now.saturating_sub(Duration::from_nanos(sent)));
            rest = from + 20;
        }
        text.drain(..rest);
    }
    Ok(own)
}
