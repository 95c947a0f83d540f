//! The provider, nginx and Tollway, each on its core, for as long as the guard lives.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::load::{MODEL, Shape};
use super::process;
use crate::{sh, tools};

const PROXY_CORE: &str = "0";
const PEER_CORE: &str = "1";
/// After a stream's first frame the provider rests, so that the client, which shares its core, sees it come.
const STREAM_PAUSE_US: &str = "1000";
/// What the bench's key may spend, so that every request reserves and books.
const CREDIT_USD: &str = "1000000";
/// Until the jobs that run first have run.
const SETTLED: Duration = Duration::from_secs(3);

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    Direct,
    Nginx,
    Tollway,
}

impl Target {
    pub const ALL: [Target; 3] = [Target::Direct, Target::Nginx, Target::Tollway];

    pub fn name(self) -> &'static str {
        match self {
            Target::Direct => "direct",
            Target::Nginx => "nginx",
            Target::Tollway => "tollway",
        }
    }
}

/// What is measured once, outside of the rounds.
#[derive(Clone, Copy, Default)]
pub struct Facts {
    /// After a start from a file that is not in the page cache: what the program asked for itself.
    pub tollway_idle_kib: u64,
    /// After a start from a file that is: with what the kernel maps beside it because it costs nothing.
    pub tollway_idle_cached_kib: u64,
    pub tollway_loaded_kib: u64,
    pub nginx_idle_kib: u64,
    pub nginx_loaded_kib: u64,
    /// From the start of the process to the first 200 of `/readyz`, in an empty folder.
    pub first_start_ms: f64,
    /// The same with the data of an earlier run; the median.
    pub start_ms: f64,
}

/// Everything that runs during the measurement.
pub struct Setup {
    pub release: PathBuf,
    pub key: String,
    /// A key with everything that can govern it: budgets on three levels, limits of its own, tags.
    pub governed_key: String,
    pub facts: Facts,
    upstream_port: u16,
    nginx_port: u16,
    nginx_stream_port: u16,
    tollway_port: u16,
    nginx: sh::Server,
    tollway: sh::Server,
    _upstream: sh::Server,
    _dir: TempDir,
}

impl Setup {
    /// Starts all, and measures starts and idle memory on the way.
    pub fn start(start_count: usize) -> Result<Setup> {
        let release = sh::target_dir().join("release");
        let dir = tempfile::Builder::new().prefix("tollway-bench-").tempdir()?;
        let upstream_port = sh::free_port()?;
        let mut command = pinned(PEER_CORE, &release.join("fake-upstream"));
        command.args(["--port", &upstream_port.to_string(), "--pause-us", STREAM_PAUSE_US]);
        let mut upstream = sh::Server::start(&mut command, "TERM", &dir.path().join("upstream.log"))?;
        upstream.wait_until("the provider", || sh::listens(upstream_port))?;

        let [nginx_port, nginx_stream_port] = sh::free_ports()?;
        let config = dir.path().join("nginx.conf");
        fs::write(&config, nginx_config(dir.path(), upstream_port, nginx_port, nginx_stream_port))?;
        let mut command = pinned(PROXY_CORE, &tools::nginx()?);
        command.arg("-p").arg(dir.path()).arg("-c").arg(&config);
        let mut nginx = sh::Server::start(&mut command, "TERM", &dir.path().join("nginx.log"))?;
        nginx.wait_until("nginx", || sh::listens(nginx_port) && sh::listens(nginx_stream_port))?;

        let tollway_port = sh::free_port()?;
        fs::write(dir.path().join("tollway.toml"), tollway_config(upstream_port, tollway_port))?;
        let (mut tollway, first_start_ms) = start_tollway(&release, dir.path(), tollway_port)?;
        let key = make_key(&release, dir.path())?;
        let mut start_ms = Vec::new();
        for _ in 0..start_count {
            drop(tollway);
            let (next, took_ms) = start_tollway(&release, dir.path(), tollway_port)?;
            tollway = next;
            start_ms.push(took_ms);
        }
        let mut idle_kib = [0; 2];
        for (is_cached, kib) in [false, true].into_iter().zip(&mut idle_kib) {
            drop(tollway);
            if !is_cached {
                process::forget(&release.join("tollway"))?;
            }
            (tollway, _) = start_tollway(&release, dir.path(), tollway_port)?;
            std::thread::sleep(SETTLED);
            *kib = process::resident_kib(tollway.pid());
        }
        let governed_key = make_governed_key(&release, dir.path(), tollway_port)?;
        let facts = Facts {
            tollway_idle_kib: idle_kib[0],
            tollway_idle_cached_kib: idle_kib[1],
            nginx_idle_kib: process::resident_kib(nginx.pid()),
            first_start_ms,
            start_ms: median(&mut start_ms),
            ..Facts::default()
        };
        Ok(Setup {
            release,
            key,
            governed_key,
            facts,
            upstream_port,
            nginx_port,
            nginx_stream_port,
            tollway_port,
            nginx,
            tollway,
            _upstream: upstream,
            _dir: dir,
        })
    }

    /// Where the client connects.
    pub fn port(&self, target: Target, shape: Shape) -> u16 {
        match (target, shape) {
            (Target::Direct, _) => self.upstream_port,
            (Target::Nginx, Shape::Stream) => self.nginx_stream_port,
            (Target::Nginx, _) => self.nginx_port,
            (Target::Tollway, _) => self.tollway_port,
        }
    }

    /// CPU time of the target so far, microseconds.
    pub fn cpu_us(&self, target: Target) -> u64 {
        match target {
            Target::Direct => 0,
            Target::Nginx => process::cpu_us(self.nginx.pid()),
            Target::Tollway => process::cpu_us(self.tollway.pid()),
        }
    }

    /// Waits until Tollway has booked what it was asked: what is left over would be work in another's measurement, and would be
    /// missing in its own.
    pub fn settle(&self) {
        const QUIET_US: u64 = 10_000;
        for _ in 0..200 {
            let before = self.cpu_us(Target::Tollway);
            std::thread::sleep(Duration::from_millis(300));
            if self.cpu_us(Target::Tollway) - before < QUIET_US {
                break;
            }
        }
    }

    /// Memory after the load.
    pub fn measure_loaded(&mut self) {
        self.facts.tollway_loaded_kib = process::resident_kib(self.tollway.pid());
        self.facts.nginx_loaded_kib = process::resident_kib(self.nginx.pid());
    }
}

/// The median; 0 of nothing.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn pinned(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}

/// nginx as it would be set up by somebody who knows it: kept-alive connections on both sides, no log. Plain answers
/// are buffered as by default; streams have a server of their own without buffering.
pub fn nginx_config(dir: &Path, upstream: u16, plain: u16, stream: u16) -> String {
    let dir = dir.display();
    let server = |port: u16, buffering: &str| {
        format!(
            "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://provider; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; proxy_buffering {buffering}; }} }}\n"
        )
    };
    format!(
        "user root;\nworker_processes 1;\ndaemon off;\npid {dir}/nginx.pid;\nerror_log stderr warn;\n\
         events {{ worker_connections 2048; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\ntcp_nodelay on;\nclient_body_buffer_size 1m;\n\
         client_max_body_size 32m;\nclient_body_temp_path {dir}/body;\nproxy_temp_path {dir}/proxy;\n\
         fastcgi_temp_path {dir}/fastcgi;\nuwsgi_temp_path {dir}/uwsgi;\nscgi_temp_path {dir}/scgi;\n\
         upstream provider {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}\n\
         {}{}}}\n",
        server(plain, "on"),
        server(stream, "off"),
    )
}

fn tollway_config(upstream: u16, port: u16) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nworkers = 1\n\n[billing]\nmode = \"prepaid\"\n\n\
         [log]\nlevel = \"warn\"\n\n\
         [providers.lab]\nprotocol = \"openai\"\nbase_url = \"http://127.0.0.1:{upstream}/v1\"\napi_key = \"none\"\n\n\
         [[providers.lab.models]]\nid = \"{MODEL}\"\nprovider_model_id = \"bench\"\ncontext_tokens = 1000000\n\
         max_output_tokens = 4096\n\n[providers.lab.models.price]\ninput_usd_per_mtok = \"0.15\"\n\
         output_usd_per_mtok = \"0.60\"\n"
    )
}

/// The program in the bench's folder, free of what this machine's environment sets: no provider key makes another
/// provider come on.
fn tollway(release: &Path, dir: &Path) -> Command {
    let mut command = pinned(PROXY_CORE, &release.join("tollway"));
    command.current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TOLLWAY_CONFIG", dir.join("tollway.toml")).env("TOLLWAY_DATA_DIR", dir.join("data"));
    command
}

fn start_tollway(release: &Path, dir: &Path, port: u16) -> Result<(sh::Server, f64)> {
    let start = Instant::now();
    let mut server = sh::Server::start(&mut tollway(release, dir), "TERM", &dir.join("tollway.log"))?;
    server.wait_until("Tollway", || is_ready(port))?;
    Ok((server, start.elapsed().as_secs_f64() * 1_000.0))
}

fn is_ready(port: u16) -> bool {
    let ask = || -> Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

/// A key with a spend limit and a rate limit on an account with credit: nothing of the governed way is left out.
fn make_key(release: &Path, dir: &Path) -> Result<String> {
    let mut grant = tollway(release, dir);
    sh::capture(grant.args(["credits", "grant", CREDIT_USD, "--json"])).context("granting credit")?;
    let mut create = tollway(release, dir);
    create.args(["keys", "create", "--name", "bench", "--spend-limit", CREDIT_USD, "--json"]);
    create.args(["--requests-per-minute", "1000000000"]);
    let made: Value = serde_json::from_str(&sh::capture(&mut create)?).context("reading the new key")?;
    let key = made["key"].as_str().context("`keys create --json` gave no key")?;
    ensure!(!key.is_empty(), "`keys create --json` gave an empty key");
    Ok(key.to_owned())
}

/// A key under budgets of its project, its tag and itself, with limits of requests, tokens and spending by day, and tags.
fn make_governed_key(release: &Path, dir: &Path, port: u16) -> Result<String> {
    let mut create = tollway(release, dir);
    create.args(["keys", "create", "--name", "bench-manager", "--management", "--json"]);
    let made: Value =
        serde_json::from_str(&sh::capture(&mut create)?).context("reading the management key")?;
    let manager = made["key"].as_str().context("`keys create --json` gave no key")?;
    let key = json!({
        "name": "bench-governed", "project": "bench", "tags": ["blue", "bench"], "limit": 1_000_000,
        "limit_reset": "daily", "requests_per_minute": 1_000_000_000, "tokens_per_minute": 4_000_000_000_u32,
    });
    let made = post(port, "/v1/keys", manager, &key)?;
    let text = made["key"].as_str().with_context(|| format!("no key was made: {made}"))?.to_owned();
    let id = made["data"]["id"].as_str().with_context(|| format!("the key has no id: {made}"))?;
    for subject in ["project:bench", "tag:blue", &format!("key:{id}")] {
        let budget = json!({
            "name": subject, "subject": subject, "period": "month", "amount_usd": CREDIT_USD, "hard": true,
        });
        let made = post(port, "/v1/budgets", manager, &budget)?;
        ensure!(made["data"]["id"].is_string(), "no budget was made: {made}");
    }
    // A change acts within a second.
    std::thread::sleep(Duration::from_secs(1));
    Ok(text)
}

/// Asks the server's management API, again for as long as it has not heard of what was made before.
fn post(port: u16, path: &str, key: &str, body: &Value) -> Result<Value> {
    let body = body.to_string();
    let mut answer = String::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        answer.clear();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("HTTP/1.1 2") {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let (_, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    serde_json::from_str(body).with_context(|| format!("`{path}` answered: {answer}"))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle() {
        for (mut values, expect) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![1.0], 1.0), (vec![], 0.0)] {
            assert_eq!(median(&mut values), expect);
        }
    }
}
