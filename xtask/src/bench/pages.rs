//! `cargo xtask bench --pages`: how long the program takes for a page of each template, over one connection, compressed as browsers ask
//! for it, with the catalog that ships and a few hundred calls in the books. The program has core 0 for itself.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::sh;

/// A page of each template, with the heaviest that the catalog has.
const PAGES: [(&str, &str); 24] = [
    ("home", "/"),
    ("models", "/models"),
    ("models, searched and narrowed", "/models?q=mistral&open=yes"),
    ("models, by use", "/models?sort=popular"),
    ("model", "/mistralai/mistral-small-2603"),
    ("model with most offers", "/openai/gpt-oss-120b"),
    ("model as JSON", "/openai/gpt-oss-120b.json"),
    ("picture of a model", "/mistralai/mistral-small-2603/card.png"),
    ("offer", "/mistralai/mistral-small-2603/mistral"),
    ("author", "/mistralai"),
    ("providers", "/providers"),
    ("provider", "/providers/mistral"),
    ("compare, to choose", "/compare"),
    ("compare", "/compare/mistralai/mistral-small-2603/openai/gpt-oss-120b"),
    ("calculator", "/calculator?m=mistralai/mistral-small-2603&m=openai/gpt-oss-120b"),
    ("charts", "/charts"),
    ("benchmarks", "/benchmarks"),
    ("benchmark", "/benchmarks/scicode"),
    ("rankings", "/rankings"),
    ("apps", "/apps"),
    ("status", "/status"),
    ("feed of new models", "/feeds/models.atom"),
    ("sitemap", "/sitemap.xml"),
    ("not found", "/nowhere/at-all"),
];
/// The catalog is to be at least as large as the goal speaks of.
const MODELS_MIN: u64 = 500;
/// Models of the configuration beside those that ship, so that there are as many.
const OWN_MODELS: usize = 100;
const GOAL_P95_MS: f64 = 5.0;
/// Calls that are in the books before pages are asked.
const CALLS: usize = 300;
/// Requests of each page, and those before that are not counted.
const REQUESTS: usize = 400;
const WARM_UP: usize = 20;
/// Where the table stands in `docs/benchmarks.md`.
const HEADING: &str = "## Pages";
/// An answer that takes longer is an error.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What was measured of a page, milliseconds and bytes.
#[derive(Clone, Debug, PartialEq)]
struct Figures {
    name: &'static str,
    path: &'static str,
    /// The very first ask after the start.
    first_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    /// The body as it crosses the wire.
    bytes: usize,
}

/// Measures and prints; false when `check` is asked for and the goal is missed.
pub fn run(args: &super::Args) -> Result<bool> {
    let profile = if args.debug { "debug" } else { "release" };
    let mut build = sh::cargo();
    build.args(["build", "--locked", "--package", "tollway"]);
    if !args.debug {
        build.arg("--release");
    }
    sh::run(&mut build)?;
    let dir = tempfile::Builder::new().prefix("tollway-pages-").tempdir()?;
    let port = sh::free_port()?;
    fs::write(dir.path().join("tollway.toml"), configuration())?;
    let mut server = start(&sh::target_dir().join(profile).join("tollway"), dir.path(), port)?;
    server.wait_until("Tollway", || sh::listens(port))?;
    let mut line = Line::open(port)?;
    let models: Value = serde_json::from_slice(&line.get("/v1/models/count", false)?.1)?;
    let count = models["data"]["count"].as_u64().context("the number of models")?;
    ensure!(count >= MODELS_MIN, "the catalog has {count} models; the goal speaks of {MODELS_MIN}");
    (0..CALLS).try_for_each(|_| line.call())?;
    let requests = if args.quick { WARM_UP } else { REQUESTS };
    let figures = PAGES.iter().map(|page| measure(&mut line, *page, requests)).collect::<Result<Vec<_>>>()?;
    println!("\n{}", table(&figures));
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&json_of(&figures, count))?)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    if args.write {
        let page = sh::root().join("docs/benchmarks.md");
        let old = fs::read_to_string(&page).unwrap_or_default();
        fs::write(&page, replaced(&old, &section(&figures, count, requests)))?;
    }
    Ok(!args.check || is_met(&figures))
}

/// A provider that is never called, with models.
fn configuration() -> String {
    let mut text = String::from(
        "[providers.lab]\nprotocol = \"openai\"\nbase_url = \"http://127.0.0.1:9/v1\"\napi_key = \"none\"\n",
    );
    for at in 0..OWN_MODELS {
        let _ = write!(
            text,
            "[[providers.lab.models]]\nid = \"lab/model-{at}\"\ncontext_tokens = 8192\n[providers.lab.models.price]\n\
             input_usd_per_mtok = \"0.1\"\noutput_usd_per_mtok = \"0.2\"\n"
        );
    }
    text
}

fn start(program: &Path, dir: &Path, port: u16) -> Result<sh::Server> {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program).current_dir(dir).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("TOLLWAY_LISTEN", format!("127.0.0.1:{port}")).env("TOLLWAY_DATA_DIR", dir.join("data"));
    command.env("TOLLWAY_CONFIG", dir.join("tollway.toml"));
    command.env("TOLLWAY_BOOTSTRAP_KEY", testkit::app::OWNER_KEY);
    sh::Server::start(&mut command, "TERM", &dir.join("log"))
}

fn measure(line: &mut Line, (name, path): (&'static str, &'static str), requests: usize) -> Result<Figures> {
    let mut ask = || {
        let start = Instant::now();
        let (status, body) = line.get(path, true).with_context(|| path.to_owned())?;
        ensure!(status == 200 || (status == 404 && name == "not found"), "{path} answers {status}");
        anyhow::Ok((start.elapsed(), body.len()))
    };
    let (first, bytes) = ask()?;
    (0..WARM_UP).try_for_each(|_| ask().map(|_| ()))?;
    let mut times = (0..requests).map(|_| Ok(ask()?.0)).collect::<Result<Vec<Duration>>>()?;
    times.sort_unstable();
    let at = |percent: usize| {
        let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    Ok(Figures { name, path, first_ms: first.as_secs_f64() * 1e3, p50_ms: at(50), p95_ms: at(95), bytes })
}

/// One connection that is kept.
struct Line {
    stream: BufReader<TcpStream>,
}

impl Line {
    fn open(port: u16) -> Result<Line> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Line { stream: BufReader::new(stream) })
    }

    fn get(&mut self, path: &str, packed: bool) -> Result<(u16, Vec<u8>)> {
        let takes = if packed { "accept-encoding: gzip\r\n" } else { "" };
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{takes}\r\n"))
    }

    /// A call of the sandbox, so that there is something to rank.
    fn call(&mut self) -> Result<()> {
        let body = r#"{"model":"sandbox/echo","messages":[{"role":"user","content":"How fast are pages?"}]}"#;
        let (status, answer) = self.ask(&format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\nx-title: Bench\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            testkit::app::OWNER_KEY,
            body.len()
        ))?;
        ensure!(status == 200, "a call answers {status}: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    fn ask(&mut self, request: &str) -> Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        self.stream.read_line(&mut head)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        let mut length = None;
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header)?;
            match header.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.trim().parse::<usize>()?);
                }
                Some(_) => (),
                None if header.trim_end().is_empty() => break,
                None => bail!("no header: {header}"),
            }
        }
        let mut body = vec![0; length.context("an answer without a length")?];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}

fn is_met(figures: &[Figures]) -> bool {
    figures.iter().all(|page| page.p95_ms <= GOAL_P95_MS)
}

fn verdict(page: &Figures) -> &'static str {
    if page.p95_ms <= GOAL_P95_MS { "met" } else { "missed" }
}

/// For the terminal.
fn table(figures: &[Figures]) -> String {
    let mut out = format!("{:<32}{:>10}{:>10}{:>10}{:>10}\n", "", "first ms", "p50 ms", "p95 ms", "bytes");
    for page in figures {
        let verdict = if verdict(page) == "met" { "" } else { "  MISSED" };
        let _ = writeln!(
            out,
            "{:<32}{:>10.2}{:>10.2}{:>10.2}{:>10}{verdict}",
            page.name, page.first_ms, page.p50_ms, page.p95_ms, page.bytes
        );
    }
    out
}

fn json_of(figures: &[Figures], models: u64) -> Value {
    let pages = figures.iter().map(|page| {
        json!({
            "name": page.name, "path": page.path, "first_ms": page.first_ms, "p50_ms": page.p50_ms, "p95_ms": page.p95_ms,
            "bytes": page.bytes, "goal_met": page.p95_ms <= GOAL_P95_MS,
        })
    });
    json!({ "models": models, "goal_p95_ms": GOAL_P95_MS, "pages": pages.collect::<Vec<_>>() })
}

/// For `docs/benchmarks.md`.
fn section(figures: &[Figures], models: u64, requests: usize) -> String {
    let mut out = format!(
        "{HEADING}\n\nWritten by `cargo xtask bench --pages --write`: {requests} requests of each over one connection, gzip, {models} models in \
         the catalog,\n{CALLS} calls in the books, the program alone on one core; `first` is the first ask after the start. The goal is a p95 of at \
         most {GOAL_P95_MS} ms.\n\n| page | first, ms | p50, ms | p95, ms | bytes | goal |\n| --- | --- | --- | --- | --- | --- |\n"
    );
    for page in figures {
        let _ = writeln!(
            out,
            "| {} | {:.2} | {:.2} | {:.2} | {} | {} |",
            page.name,
            page.first_ms,
            page.p50_ms,
            page.p95_ms,
            page.bytes,
            verdict(page)
        );
    }
    out
}

/// The section of a page of before; empty where it had none.
pub fn kept(old: &str) -> &str {
    old.find(HEADING).and_then(|at| old.get(at..)).unwrap_or_default()
}

/// A page with another section.
fn replaced(old: &str, section: &str) -> String {
    let before = old.strip_suffix(kept(old)).unwrap_or(old).trim_end();
    format!("{before}\n\n{section}")
}

#[cfg(test)]
mod tests {
    use super::{Figures, is_met, kept, replaced, section, table};

    fn figures(p95_ms: f64) -> Figures {
        Figures { name: "model", path: "/a/b", first_ms: 9.0, p50_ms: 1.0, p95_ms, bytes: 10_000 }
    }

    #[test]
    fn one_slow_page_misses_the_goal() {
        assert!(is_met(&[figures(5.0), figures(0.5)]));
        assert!(!is_met(&[figures(5.0), figures(5.01)]));
        assert!(table(&[figures(5.01)]).contains("MISSED") && !table(&[figures(5.0)]).contains("MISSED"));
        assert!(
            section(&[figures(5.01)], 573, 400).contains("| model | 9.00 | 1.00 | 5.01 | 10000 | missed |")
        );
    }

    #[test]
    fn the_section_takes_the_place_of_the_one_before() {
        let first = replaced("# Benchmarks\n\n| a |\n", &section(&[figures(1.0)], 573, 400));
        let second = replaced(&first, &section(&[figures(2.0)], 573, 400));
        assert!(first.starts_with("# Benchmarks\n\n| a |\n\n## Pages\n"));
        assert_eq!(second, first.replace("1.00 | 1.00 |", "1.00 | 2.00 |"));
        assert_eq!((kept("# Benchmarks\n"), kept(&second).starts_with("## Pages")), ("", true));
    }
}
