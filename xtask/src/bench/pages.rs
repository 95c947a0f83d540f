//! `cargo xtask bench --pages`: how long the program takes for a page of each template, over one connection, compressed as browsers ask
//! for it, with the catalog that ships and a few hundred calls in the books. The program has core 0 for itself.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::line::{self, Effort, Figures, Line};
use super::section;
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
/// Measures and prints; false when `check` is asked for and the goal is missed.
pub fn run(args: &super::Args) -> Result<bool> {
    let program = line::built(args.debug)?;
    let dir = tempfile::Builder::new().prefix("tollway-pages-").tempdir()?;
    let port = sh::free_port()?;
    fs::write(dir.path().join("tollway.toml"), configuration())?;
    let (data, config) = (dir.path().join("data"), dir.path().join("tollway.toml"));
    let environment = [
        ("TOLLWAY_DATA_DIR", data.as_os_str()),
        ("TOLLWAY_CONFIG", config.as_os_str()),
        ("TOLLWAY_BOOTSTRAP_KEY", testkit::app::OWNER_KEY.as_ref()),
    ];
    let _server = line::start(&program, dir.path(), port, &environment)?;
    let mut line = Line::open(port)?;
    let models: Value = serde_json::from_slice(&line.get("/v1/models/count", false)?.body)?;
    let count = models["data"]["count"].as_u64().context("the number of models")?;
    ensure!(count >= MODELS_MIN, "the catalog has {count} models; the goal speaks of {MODELS_MIN}");
    line.heads = format!("authorization: Bearer {}\r\nx-title: Bench\r\n", testkit::app::OWNER_KEY);
    (0..CALLS).try_for_each(|_| call(&mut line))?;
    line.heads.clear();
    let requests = if args.quick { WARM_UP } else { REQUESTS };
    let effort = Effort { warm_up: WARM_UP, requests, most: Duration::MAX };
    let measured = PAGES.iter().map(|(name, path)| {
        let status = if *name == "not found" { 404 } else { 200 };
        line::measure(&mut line, name, path, status, effort)
    });
    let figures = measured.collect::<Result<Vec<_>>>()?;
    println!("\n{}", table(&figures));
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&json_of(&figures, count))?)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    if args.write {
        let page = sh::root().join("docs/benchmarks.md");
        let old = fs::read_to_string(&page).unwrap_or_default();
        fs::write(&page, section::replaced(&old, section::PAGES, &written(&figures, count, requests)))?;
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

/// A call of the sandbox, so that there is something to rank.
fn call(line: &mut Line) -> Result<()> {
    let body = r#"{"model":"sandbox/echo","messages":[{"role":"user","content":"How fast are pages?"}]}"#;
    let answer = line.send("POST", "/v1/chat/completions", body)?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 200, "a call answers {}: {text}", answer.status);
    Ok(())
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
fn written(figures: &[Figures], models: u64, requests: usize) -> String {
    let mut out = format!(
        "{}\n\nWritten by `cargo xtask bench --pages --write`: {requests} requests of each over one connection, gzip, {models} models in \
         the catalog,\n{CALLS} calls in the books, the program alone on one core; `first` is the first ask after the start. The goal is a p95 of at \
         most {GOAL_P95_MS} ms.\n\n| page | first, ms | p50, ms | p95, ms | bytes | goal |\n| --- | --- | --- | --- | --- | --- |\n",
        section::PAGES
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

#[cfg(test)]
mod tests {
    use super::{Figures, is_met, table, written};

    fn figures(p95_ms: f64) -> Figures {
        let (name, path) = (String::from("model"), String::from("/a/b"));
        Figures { name, path, first_ms: 9.0, p50_ms: 1.0, p95_ms, bytes: 10_000, requests: 400 }
    }

    #[test]
    fn one_slow_page_misses_the_goal() {
        assert!(is_met(&[figures(5.0), figures(0.5)]));
        assert!(!is_met(&[figures(5.0), figures(5.01)]));
        assert!(table(&[figures(5.01)]).contains("MISSED") && !table(&[figures(5.0)]).contains("MISSED"));
        assert!(
            written(&[figures(5.01)], 573, 400).contains("| model | 9.00 | 1.00 | 5.01 | 10000 | missed |")
        );
    }
}
