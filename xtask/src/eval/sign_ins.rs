//! Guessing at full count: wrong passwords from one place and from many, for addresses that are known and that are not; and many sign-ins
//! at once. Nobody may learn who has an account, by what is answered or how long it takes, and memory stays bounded.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use testkit::TestApp;

use crate::sh;

const PASSWORD: &str = "plum kettle orbit sandal";
const WRONG: &str = "wrong kettle orbit sandal";
/// Sign-ins at once.
const AT_ONCE: usize = 200;
/// What they may take beside what the server has: those that are hashed at once (2 of 19 MiB), and what is sent and kept of each.
const GROWTH_MAX_KIB: u64 = 96 * 1024;
/// How far the medians of known and unknown addresses may lie apart, of the larger one.
const APART_MAX: f64 = 0.05;
/// Addresses with an account.
const KNOWN: usize = 40;
/// Tries of each before it has to wait: one fewer than makes it wait.
const TRIES: usize = 4;

/// How often each status was answered.
type Statuses = BTreeMap<u16, usize>;

/// True when nothing is learned, and everything stays bounded.
pub fn run(count: usize) -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway", "--bin", "tollway"]))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let app = TestApp::builder()
            .set("people.sign_up", "\"open\"")
            .set("server.trusted_proxies", "[\"127.0.0.1\"]")
            .start()
            .await;
        for number in 0..KNOWN {
            enter(&app, number).await?;
        }
        let is_alike = alike(&app).await?;
        let is_slow = guess(&app, count).await?;
        let is_bounded = crowd(&app).await?;
        Ok(is_alike && is_slow && is_bounded)
    })
}

fn known(number: usize) -> String {
    format!("known{number}@example.com")
}

/// A place of its own for each number.
fn place(number: usize) -> String {
    format!("198.{}.{}.{}", 18 + number / 65_536 % 2, number / 256 % 256, number % 256)
}

async fn enter(app: &TestApp, number: usize) -> Result<()> {
    let email = known(number);
    let asked = json!({"email": email, "password": PASSWORD});
    let request = app.anonymous().request("POST", "/v1/auth/sign-up");
    request.header("x-forwarded-for", &place(100_000 + number)).json(&asked).send().await.expect(202);
    let token = testkit::eventually("a mail", || async {
        let log = app.log();
        let line = log.lines().rfind(|line| line.contains(&email) && line.contains("mt_"))?;
        let text = line.get(line.find("mt_")?..)?;
        Some(
            text.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
                .collect::<String>(),
        )
    })
    .await;
    app.anonymous().post("/v1/auth/verify", &json!({"token": token})).await.expect(201);
    Ok(())
}

async fn attempt(app: &TestApp, email: &str, from: &str) -> (u16, String, Duration) {
    let request = app.anonymous().request("POST", "/v1/auth/sign-in").header("x-forwarded-for", from);
    let begun = Instant::now();
    let reply = request.json(&json!({"email": email, "password": WRONG})).send().await;
    (reply.status, reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned(), begun.elapsed())
}

/// Known and unknown addresses in turn, each from a place of its own: the same words, and the same time.
async fn alike(app: &TestApp) -> Result<bool> {
    let mut times = [Vec::new(), Vec::new()];
    let mut words = [BTreeMap::new(), BTreeMap::new()];
    for round in 0..KNOWN * TRIES {
        let pair = [known(round % KNOWN), format!("nobody{}@example.com", round % KNOWN)];
        let mut order = [(0, &pair[0]), (1, &pair[1])];
        // Who comes first is no difference between them.
        order.rotate_left(round % 2);
        for (side, email) in order {
            let (status, text, took) = attempt(app, email, &place(200_000 + round * 2 + side)).await;
            times.get_mut(side).context("a side")?.push(took);
            *words.get_mut(side).context("a side")?.entry((status, text)).or_insert(0) += 1;
        }
    }
    let medians = times.map(|mut side| {
        side.sort();
        side.get(side.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e3
    });
    let apart = (medians[0] - medians[1]).abs() / medians[0].max(medians[1]);
    println!(
        "wrong passwords: {:.1} ms for a known address, {:.1} ms for an unknown one ({:.1} % apart), {} of each; the same words: {}",
        medians[0],
        medians[1],
        apart * 100.0,
        KNOWN * TRIES,
        words[0] == words[1]
    );
    Ok(words[0] == words[1] && apart <= APART_MAX)
}

/// A half from one place for one address, a half each from another place for the same address.
async fn guess(app: &TestApp, count: usize) -> Result<bool> {
    let before = resident(app)?;
    let mut is_good = true;
    for (what, is_spread) in [("from one place", false), ("each from another place", true)] {
        let mut seen: [Statuses; 2] = Default::default();
        let mut said = [BTreeMap::new(), BTreeMap::new()];
        let begun = Instant::now();
        for number in 0..count / 4 {
            for (side, email) in ["known0@example.com", "nobody0@example.com"].into_iter().enumerate() {
                let far = 300_000 + number * 2 + side;
                let from = if is_spread { place(far) } else { place(400_000 + side) };
                let (status, text, _) = attempt(app, email, &from).await;
                *seen.get_mut(side).context("a side")?.entry(status).or_default() += 1;
                // How long to wait is a number of its own each time.
                let bare: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
                *said.get_mut(side).context("a side")?.entry(bare).or_insert(0_usize) += 1;
            }
        }
        let words = |side: &BTreeMap<String, usize>| side.keys().cloned().collect::<Vec<_>>();
        let same = seen[0].keys().eq(seen[1].keys()) && words(&said[0]) == words(&said[1]);
        let only_polite = seen.iter().all(|side| side.keys().all(|status| matches!(status, 401 | 429)));
        println!(
            "{} wrong passwords {what} in {:.0} s: known {:?}, unknown {:?}; the same words: {same}",
            count / 2,
            begun.elapsed().as_secs_f64(),
            seen[0],
            seen[1]
        );
        is_good &= same && only_polite;
    }
    let grown = resident(app)?.saturating_sub(before);
    println!("memory grew by {grown} KiB meanwhile");
    Ok(is_good && grown <= GROWTH_MAX_KIB)
}

/// Many at once, each from a place of its own, for addresses that nobody tried yet.
async fn crowd(app: &TestApp) -> Result<bool> {
    let before = resident(app)?;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..AT_ONCE {
        let caller = app.anonymous();
        let from = place(500_000 + number);
        let body = json!({"email": format!("late{number}@example.com"), "password": WRONG});
        tasks.spawn(async move {
            caller
                .request("POST", "/v1/auth/sign-in")
                .header("x-forwarded-for", &from)
                .json(&body)
                .send()
                .await
                .status
        });
    }
    let mut peak = before;
    let mut seen = Statuses::new();
    while let Some(status) = tasks.join_next().await {
        *seen.entry(status?).or_default() += 1;
        peak = peak.max(resident(app)?);
    }
    let grown = peak.saturating_sub(before);
    println!("{AT_ONCE} sign-ins at once: {seen:?}; memory grew by {grown} KiB at the most");
    app.owner().chat("sandbox/echo").await.expect(200);
    Ok(grown <= GROWTH_MAX_KIB && seen.keys().all(|status| matches!(status, 401 | 503)))
}

/// What the server has in memory, KiB.
fn resident(app: &TestApp) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", app.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
