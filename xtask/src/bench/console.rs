//! `cargo xtask bench --console --dir DIR`: how long the server takes for the console's pages at a size: over a database that
//! `cargo xtask eval insight --count N --dir DIR` has filled, as the owner of the account with most in it, who also runs the server. What was
//! filled stays as it is; beside it come what a start of the server makes, its owner, the keys that the generations name, and a few rules to
//! show. The program has core 0 for itself; pages are asked over one connection, compressed as browsers ask for them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use store::{By, Invited, Measure, NewKey, Question, Store, StoreError};
use types::{AccountId, KeyHash, KeyId, Role, Timestamp};

use super::line::{self, Effort, Figures, Line};
use super::section;
use crate::{eval, sh};

/// What 95 of 100 answers may take, milliseconds, up to so many generations and beyond.
const GOALS_P95_MS: [f64; 2] = [50.0, 300.0];
const GENERATIONS_OF_FIRST: u64 = 1_000_000;
/// Bytes of a page, compressed.
const BYTES_MAX: usize = 150_000;
/// How often each page is asked.
const FULL: Effort = Effort { warm_up: 5, requests: 100, most: Duration::from_secs(30) };
const QUICK: Effort = Effort { warm_up: 1, requests: 5, most: Duration::from_secs(5) };
/// Who comes in.
const EMAIL: &str = "owner@example.com";
const PASSWORD: &str = "plum kettle orbit sandal";
/// The folder of the server's own files, in that of the database.
const OWN: &str = "server";
const DAY_S: i64 = 86_400;

/// Pages whose address says more than their path. In braces: days before the newest generation, and what it and its account have.
const ASKED: [(&str, &str); 33] = [
    ("overview, 30 days to today", "/console"),
    ("overview, 30 days", "/console?from={30}&to={0}"),
    ("overview, a day", "/console?from={0}&to={0}"),
    ("overview, 7 days, by key", "/console?from={7}&to={0}&by=key"),
    ("overview, 90 days", "/console?from={90}&to={0}"),
    ("overview, 90 days, first token by provider", "/console?from={90}&to={0}&metric=ttft&by=provider"),
    ("overview, 30 days, tokens by tag", "/console?from={30}&to={0}&metric=tokens&by=tag&table=tag"),
    ("overview, 90 days, end users", "/console?from={90}&to={0}&table=user"),
    ("overview, 30 days, end users", "/console?from={30}&to={0}&table=user"),
    ("overview, 30 days, apps", "/console?from={30}&to={0}&table=app"),
    ("overview, 90 days of a key", "/console?from={90}&to={0}&key={key}"),
    ("overview, a day of a model", "/console?from={0}&to={0}&model={model}"),
    ("overview, 90 days of a tag", "/console?from={90}&to={0}&tag=t1"),
    ("overview, 90 days of an end user", "/console?from={90}&to={0}&user={user}"),
    ("logs", "/console/logs"),
    ("logs, half-way", "/console/logs?cursor={cursor}"),
    ("logs, those that failed", "/console/logs?status=failed"),
    ("logs of a model", "/console/logs?model={model}"),
    ("logs of a key", "/console/logs?key={key}"),
    ("logs of an end user", "/console/logs?user={user}"),
    ("logs of a tag, in a week", "/console/logs?tag=t1&from={7}&to={0}"),
    ("logs, what can't be found", "/console/logs?model=author/none&min_duration_ms=60000"),
    ("a generation", "/console/logs/{generation}"),
    ("a session", "/console/sessions/{session}"),
    ("a key", "/console/keys/{hash}"),
    ("a new key", "/console/keys/new"),
    ("a new policy", "/console/policies/new"),
    ("a new preset", "/console/presets/new"),
    ("statement of 30 days", "/console/credits?from={30}&to={0}"),
    ("statement of 90 days", "/console/credits?from={90}&to={0}"),
    ("audit log of the server", "/console/audit?of=server"),
    ("margin of 30 days", "/console/server/margin?from={30}&to={0}"),
    ("margin of 90 days", "/console/server/margin?from={90}&to={0}"),
];

/// Measures and prints; false when `check` is asked for and a goal is missed.
pub fn run(args: &super::Args) -> Result<bool> {
    let dir = args.dir.as_deref().context("--dir")?;
    let database = fs::canonicalize(dir).context("the folder").map(|dir| dir.join("insight.db"))?;
    let how = "fill it first: cargo xtask eval insight --count N --dir DIR";
    ensure!(database.is_file(), "there is no {}; {how}", database.display());
    let url = format!("sqlite:{}", database.display());
    let program = line::built(args.debug)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (account, generations) = runtime.block_on(filled(&url))?;
    let own = dir.join(OWN);
    fs::create_dir_all(&own)?;
    let (port, data) = (sh::free_port()?, fs::canonicalize(&own)?.join("data"));
    let environment =
        [("TOLLWAY_DATA_DIR", data.as_os_str()), ("TOLLWAY_STORE__URL", std::ffi::OsStr::new(&url))];
    let _server = line::start(&program, &own, port, &environment)?;
    let mut line = Line::open(port)?;
    if !signs_in(&mut line)? {
        // The first run in this folder: the greeting may have been another start's.
        let mut command = Command::new(&program);
        command.args(["users", "owner-token"]).current_dir(&own).env_clear().envs(environment);
        claim(&mut line, &sh::capture(&mut command)?)?;
        ensure!(signs_in(&mut line)?, "the owner's address and password are not taken");
    }
    runtime.block_on(dress(&url, &account))?;
    work_in(&mut line, &account)?;
    let rows = rows(&mut line, &account)?;
    let effort = if args.quick { QUICK } else { FULL };
    let mut figures = Vec::with_capacity(rows.len());
    for (name, path) in &rows {
        figures.push(line::measure(&mut line, name, path, 200, effort)?);
        sh::check_interrupted()?;
    }
    let run = Run { generations, goal_p95_ms: goal(generations), figures };
    println!("\n{}", run.table());
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_string_pretty(&run.json())?)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    if args.write {
        let page = sh::root().join("docs/benchmarks.md");
        let old = fs::read_to_string(&page).unwrap_or_default();
        fs::write(&page, section::replaced(&old, &run.heading(), &run.section()))?;
    }
    Ok(!args.check || run.figures.iter().all(|page| run.verdict(page).is_none()))
}

fn goal(generations: u64) -> f64 {
    let [first, beyond] = GOALS_P95_MS;
    if generations <= GENERATIONS_OF_FIRST { first } else { beyond }
}

/// The account with most in it, and how many generations there are. Brings the schema up to date, as a start would.
async fn filled(url: &str) -> Result<(AccountId, u64)> {
    let store = Store::open(url).await?;
    let generations = store.segment_offset(eval::insight::SEGMENT).await?;
    let most = |one: &store::AccountTotals| one.charged.nanos().saturating_add(one.metered.nanos());
    let account = store.totals().await?.into_iter().max_by_key(most).context("nothing is filled")?.account;
    store.close().await;
    Ok((account, generations))
}

fn key(account: &AccountId, id: KeyId, n: usize) -> NewKey {
    NewKey {
        account: account.clone(),
        hash: KeyHash::of(&format!("{account} {id}")),
        label: format!("sk-tw-...{n:03}"),
        name: format!("Key number {n}"),
        management: false,
        spend_limit: None,
        expires: None,
        requests_per_minute: None,
        concurrency: None,
        created: Timestamp(0),
        project: None,
        rules: String::from("{}"),
        holder: None,
        role: None,
        id,
    }
}

/// Claims the server with the token that was printed.
fn claim(line: &mut Line, said: &str) -> Result<()> {
    let (_, behind) = said.split_once("accept?token=").context("no token for the owner was printed")?;
    let token = behind.split_whitespace().next().unwrap_or_default();
    let body = json!({ "token": token, "email": EMAIL, "password": PASSWORD, "name": "Owner" });
    act(line, "POST", "/v1/auth/accept", &body)
}

/// Signs in; false: nobody has claimed the server yet.
fn signs_in(line: &mut Line) -> Result<bool> {
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let answer = line.send("POST", "/v1/auth/sign-in", &body.to_string())?;
    if answer.status == 401 {
        return Ok(false);
    }
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 200, "signing in is answered {}: {text}", answer.status);
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    line.heads = format!("cookie: {}\r\nsec-fetch-site: same-origin\r\n", cookie.context("no cookie")?);
    Ok(true)
}

/// Makes the keys that the account's generations name.
async fn make_keys(store: &Store, account: &AccountId) -> Result<()> {
    let question = Question {
        account,
        key: None,
        hours: false,
        from: 0,
        to: i64::from(i32::MAX),
        split: false,
        groups: &[By::Key],
        filters: &[],
        measures: &[Measure::Requests],
        joined: &[],
        spreads: &[],
        most: None,
    };
    for (n, row) in store.used(&question).await?.into_iter().enumerate() {
        let id = KeyId::new(row.groups.into_iter().next().unwrap_or_default());
        store.ensure_key(&key(account, id, n)).await?;
    }
    Ok(())
}

/// Makes whoever came in an owner of the account, and its keys.
async fn dress(url: &str, account: &AccountId) -> Result<()> {
    let store = Store::open(url).await?;
    make_keys(&store, account).await?;
    let user = store.user_by_email(EMAIL).await?.context("nobody came in")?.id;
    let now = Timestamp::from_seconds(4_000_000_000);
    let invited = Invited {
        id: String::from("inv_bench"),
        account: account.clone(),
        email: EMAIL.to_owned(),
        role: Role::Owner,
        invited_by: user.clone(),
        created: Timestamp(0),
        expires: now,
    };
    match store.insert_invitation(&invited, &KeyHash::of("bench")).await {
        Ok(()) => ensure!(store.take_invitation(&invited, &user, Timestamp(0)).await?, "nobody joined"),
        // A member already, from a run before.
        Err(StoreError::Conflict(_)) => (),
        Err(error) => return Err(error.into()),
    }
    store.close().await;
    Ok(())
}

/// Goes to work in the account, which has a few rules from then on.
fn work_in(line: &mut Line, account: &AccountId) -> Result<()> {
    act(line, "PUT", "/v1/auth/organization", &json!({ "organization": account }))?;
    let budget = json!({ "name": "Team", "subject": "account", "amount_usd": "100000", "period": "monthly" });
    let rules = [
        ("/v1/budgets", budget),
        ("/v1/policies", json!({ "name": "careful", "models": ["sandbox/echo"] })),
        ("/v1/presets", json!({ "slug": "support", "name": "Support", "system_prompt": "Be kind." })),
    ];
    for (path, body) in rules {
        let there = get(line, path)?;
        if there.pointer("/data/0").is_none() {
            act(line, "POST", path, &body)?;
        }
    }
    Ok(())
}

fn act(line: &mut Line, method: &str, path: &str, body: &Value) -> Result<()> {
    let answer = line.send(method, path, &body.to_string())?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status < 300, "{method} {path} is answered {}: {text}", answer.status);
    Ok(())
}

fn get(line: &mut Line, path: &str) -> Result<Value> {
    let answer = line.get(path, false)?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 200, "{path} is answered {}: {text}", answer.status);
    serde_json::from_slice(&answer.body).with_context(|| format!("reading what {path} says"))
}

/// Names and addresses: those above, then every section that the console's side leads to.
fn rows(line: &mut Line, account: &AccountId) -> Result<Vec<(String, String)>> {
    let newest = get(line, "/v1/generations?limit=1")?;
    let newest = newest.pointer("/data/0").with_context(|| format!("{account} has no generation"))?;
    let text = |name: &str| newest.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, key) = (text("id"), text("key"));
    let at: i64 = id.split('-').nth(1).and_then(|at| at.parse().ok()).context("an id without an instant")?;
    let keys = get(line, "/v1/keys")?;
    let all = keys.pointer("/data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let hash = all.iter().find(|one| one["id"] == key.as_str()).and_then(|one| one["hash"].as_str());
    let day = |before: i64| {
        let date = jiff::Timestamp::from_second(at - before * DAY_S);
        date.map(|date| date.to_string().chars().take(10).collect()).unwrap_or_default()
    };
    let half = Timestamp::from_seconds(at - 45 * DAY_S);
    let values: [(&str, String); 11] = [
        ("{0}", day(0)),
        ("{7}", day(6)),
        ("{30}", day(29)),
        ("{90}", day(89)),
        ("{key}", key.clone()),
        ("{model}", text("model")),
        ("{user}", text("user")),
        ("{session}", text("session_id")),
        ("{hash}", hash.with_context(|| format!("no key {key}"))?.to_owned()),
        ("{cursor}", format!("{}.{}", half.micros(), types::GenerationId::new(half, 0))),
        ("{generation}", id),
    ];
    let filled = |(name, path): &(&str, &str)| {
        let path = values.iter().fold((*path).to_owned(), |path, (word, value)| path.replace(word, value));
        (name.to_string(), path)
    };
    let mut rows: Vec<(String, String)> = ASKED.iter().map(filled).collect();
    let page = line.get("/console", false)?;
    let known: BTreeSet<String> = rows.iter().map(|(_, path)| path.clone()).collect();
    rows.extend(sections(&String::from_utf8_lossy(&page.body)).filter(|(_, path)| !known.contains(path)));
    Ok(rows)
}

/// The pages that the side of the console leads to.
fn sections(page: &str) -> impl Iterator<Item = (String, String)> {
    let side = page.split_once("<nav class=\"side").map_or("", |(_, behind)| behind);
    let side = side.split_once("</nav>").map_or("", |(side, _)| side);
    let paths: BTreeSet<&str> =
        side.split("href=\"").skip(1).filter_map(|href| href.split('"').next()).collect();
    paths.into_iter().map(|path| (path.to_owned(), path.to_owned())).collect::<Vec<_>>().into_iter()
}

/// What a run found.
struct Run {
    generations: u64,
    goal_p95_ms: f64,
    figures: Vec<Figures>,
}

impl Run {
    /// What a page misses; none: nothing.
    fn verdict(&self, page: &Figures) -> Option<&'static str> {
        match (page.p95_ms <= self.goal_p95_ms, page.bytes <= BYTES_MAX) {
            (true, true) => None,
            (false, true) => Some("TOO SLOW"),
            (true, false) => Some("TOO LARGE"),
            (false, false) => Some("TOO SLOW, TOO LARGE"),
        }
    }

    fn table(&self) -> String {
        let head = format!("{} generations, goal: p95 {} ms", self.generations, self.goal_p95_ms);
        let mut out =
            format!("{head:<46}{:>10}{:>10}{:>10}{:>10}\n", "first ms", "p50 ms", "p95 ms", "bytes");
        for page in &self.figures {
            let verdict = self.verdict(page).map(|missed| format!("  {missed}")).unwrap_or_default();
            let _ = writeln!(
                out,
                "{:<46}{:>10.2}{:>10.2}{:>10.2}{:>10}{verdict}",
                page.name, page.first_ms, page.p50_ms, page.p95_ms, page.bytes
            );
        }
        let missed = self.figures.iter().filter(|page| self.verdict(page).is_some()).count();
        let _ = writeln!(out, "{} pages, {missed} miss a goal", self.figures.len());
        out
    }

    fn json(&self) -> Value {
        let pages = self.figures.iter().map(|page| {
            json!({
                "name": page.name, "path": page.path, "first_ms": page.first_ms, "p50_ms": page.p50_ms, "p95_ms": page.p95_ms,
                "bytes": page.bytes, "requests": page.requests, "goal_met": self.verdict(page).is_none(),
            })
        });
        let pages: Vec<Value> = pages.collect();
        json!({ "generations": self.generations, "goal_p95_ms": self.goal_p95_ms, "bytes_max": BYTES_MAX, "pages": pages })
    }

    fn heading(&self) -> String {
        format!("{}: {} generations", section::CONSOLE, self.generations)
    }

    /// For `docs/benchmarks.md`.
    fn section(&self) -> String {
        let mut out = format!(
            "{}\n\nWritten by `cargo xtask bench --console --dir DIR --write`: up to {} requests of each page over one connection, gzip, as the owner \
             of an\naccount with nine tenths of the generations, SQLite, the program alone on one core; `first` is the first ask. The goal is a p95 of\n\
             at most {} ms and {} KB.\n\n| page | first, ms | p50, ms | p95, ms | bytes | goal |\n| --- | --- | --- | --- | --- | --- |\n",
            self.heading(),
            FULL.requests,
            self.goal_p95_ms,
            BYTES_MAX / 1_000
        );
        for page in &self.figures {
            let verdict = self.verdict(page).map_or_else(|| String::from("met"), str::to_lowercase);
            let _ = writeln!(
                out,
                "| {} | {:.2} | {:.2} | {:.2} | {} | {verdict} |",
                page.name, page.first_ms, page.p50_ms, page.p95_ms, page.bytes
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_MAX, Figures, Run, goal, sections};

    fn run(p95_ms: f64, bytes: usize, generations: u64) -> Run {
        let (name, path) = (String::from("logs"), String::from("/console/logs"));
        let page = Figures { name, path, first_ms: 9.0, p50_ms: 1.0, p95_ms, bytes, requests: 100 };
        Run { generations, goal_p95_ms: goal(generations), figures: vec![page] }
    }

    #[test]
    fn a_page_is_judged_by_time_and_size() {
        let rows = [
            (50.0, BYTES_MAX, 1_000_000, "| met |"),
            (50.1, BYTES_MAX, 1_000_000, "| too slow |"),
            (50.1, BYTES_MAX, 1_000_001, "| met |"),
            (300.1, BYTES_MAX, 10_000_000, "| too slow |"),
            (1.0, BYTES_MAX + 1, 20_000, "| too large |"),
        ];
        for (p95_ms, bytes, generations, expect) in rows {
            let run = run(p95_ms, bytes, generations);
            assert!(run.section().contains(expect), "{p95_ms} {bytes} {generations}: {}", run.section());
            assert_eq!(run.table().contains("TOO"), expect != "| met |");
        }
    }

    #[test]
    fn the_side_says_which_sections_there_are() {
        let page = r#"<a href="/models">M</a><nav class="side wide"><a href="/console/keys">K</a><a href="/chat">P</a></nav><a href="/x">"#;
        let paths: Vec<String> = sections(page).map(|(_, path)| path).collect();
        assert_eq!(paths, ["/chat", "/console/keys"]);
    }
}
