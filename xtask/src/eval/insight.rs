//! Questions about use, the log, and forgetting, at a size: a database is filled with generations by the store's own fold, then every
//! question of a dashboard is asked often, quietly and beside a writer, and a tenth as many prompts and answers are deleted while
//! others write. What all rollups say is held against the ledger.

mod fill;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gateway::contents::sweep::sweep;
use store::{By, Content, LogCursor, LogFilter, LogText, Measure, Question, Said, Spread, Store};
use types::{AccountId, KeyId, Money, Timestamp};

use self::fill::{DAYS, END_S, Filler, account};
use crate::sh;

/// What is filled counts as folded out of this journal segment, whose offset says how many there are.
pub const SEGMENT: &str = fill::SEGMENT;
/// What a question of a dashboard may take, of 95 in 100.
const P95_MAX: Duration = Duration::from_millis(300);
/// How long a writer may wait for what is deleted.
const STALL_MAX: Duration = Duration::from_millis(50);
/// Rows that are deleted in a minute, at least.
const DELETED_PER_MINUTE_MIN: f64 = 1_000_000.0;
/// How often each question is asked.
const ROUNDS: usize = 20;
/// Generations up to which every row of every rollup is recomputed.
const VERIFIED_MAX: u64 = 200_000;
/// Bytes of a prompt and answer, sealed.
const TEXT_BYTES: usize = 2_000;
/// Most of them, and how many are written at once.
const TEXTS: (u64, u64) = (1_000_000, 1_000);

#[derive(clap::Args)]
pub struct Args {
    /// How many generations
    #[arg(long, default_value_t = 10_000_000)]
    count: u64,
    /// The folder of the database; it stays there, and is used again when it has that many
    #[arg(long)]
    dir: Option<std::path::PathBuf>,
    /// In this build, which should be an optimized one
    #[arg(long, hide = true)]
    measure: bool,
}

/// Builds an optimized xtask and measures with it.
pub fn run(args: &Args) -> Result<bool> {
    if args.measure {
        let temporary = tempfile::tempdir()?;
        return measure(args.dir.as_deref().unwrap_or(temporary.path()), args.count, true);
    }
    let mut build = sh::cargo();
    build.args(["build", "--release", "--locked", "--bins", "--package", "xtask"]);
    sh::run(&mut build)?;
    let mut measure = std::process::Command::new(sh::target_dir().join("release/xtask"));
    measure.args(["eval", "insight", "--measure", "--count", &args.count.to_string()]);
    if let Some(dir) = &args.dir {
        measure.arg("--dir").arg(dir);
    }
    Ok(measure.status()?.success())
}

/// A small one, in this build: that everything is right. Its times are printed and judge nothing: they are those of a busy machine.
pub fn sample(count: u64) -> Result<bool> {
    let dir = tempfile::tempdir()?;
    measure(dir.path(), count, false)
}

fn measure(dir: &Path, count: u64, judges_times: bool) -> Result<bool> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join("insight.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let store = Arc::new(Store::open(&format!("sqlite:{}", path.display())).await?);
        fill(&store, count).await?;
        let bytes = std::fs::metadata(&path)?.len();
        println!("{count} generations, {:.2} GB, {} bytes each", bytes as f64 / 1e9, bytes / count.max(1));
        let is_right = totals(&store, count).await?;
        let quiet = ask_all(&store, "quiet").await?;
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn(write_on(Arc::clone(&store), count, Arc::clone(&stop)));
        let busy = ask_all(&store, "beside a writer").await?;
        stop.store(true, Ordering::Relaxed);
        writer.await??;
        let deleting = forget(&store, (count / 10).clamp(1, TEXTS.0)).await?;
        store.close().await;
        Ok(is_right && (!judges_times || (quiet && busy && deleting)))
    })
}

/// Folds generations until there are as many.
async fn fill(store: &Store, count: u64) -> Result<()> {
    let begun = Instant::now();
    let mut filler = Filler::new(count);
    filler.accounts(store).await?;
    filler.skip(store).await?;
    let there = filler.done();
    while filler.done() < count {
        filler.fold(store).await?;
        if filler.done().is_multiple_of(1_000_000) {
            println!("{} folded after {:.0} s", filler.done(), begun.elapsed().as_secs_f64());
        }
    }
    let new = filler.done() - there;
    if new > 0 {
        println!("folded {new} generations, {:.0} a second", new as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(())
}

/// All rollups say what the ledger does.
async fn totals(store: &Store, count: u64) -> Result<bool> {
    let mut ledger = Money::ZERO;
    let mut rollups = [Money::ZERO; 5];
    for n in 0..fill::ACCOUNTS {
        let account = account(n);
        ledger = ledger.saturating_add(store.credits(&account).await?.metered);
        let asked: [(&[By], bool); 5] = [
            (&[], false),
            (&[By::Model], true),
            (&[By::Facet("finish_reason".to_owned())], false),
            (&[By::Facet("user".to_owned())], true),
            (&[By::Facet("dim:team".to_owned()), By::Key], false),
        ];
        for (sum, (groups, hours)) in rollups.iter_mut().zip(asked) {
            let unit = if hours { 3_600 } else { 86_400 };
            let (days, step) = (DAYS + 1, DAYS / 9);
            let first = END_S / 86_400 - DAYS;
            // In slices: nobody asks for every hour of every end user at once.
            for day in (first..first + days).step_by(usize::try_from(step).unwrap_or(1)) {
                let question = Question {
                    account: &account,
                    key: None,
                    hours,
                    from: day * 86_400 / unit,
                    to: (day + step).min(first + days) * 86_400 / unit,
                    split: false,
                    groups,
                    filters: &[],
                    measures: &[Measure::Charged],
                    joined: &[],
                    spreads: &[],
                    most: None,
                };
                for row in store.used(&question).await? {
                    let charged = Money::from_nanos(row.figures.sums.get(Measure::Charged));
                    *sum = sum.saturating_add(charged);
                }
            }
        }
    }
    let equal = rollups.iter().all(|sum| *sum == ledger);
    println!(
        "the ledger says {ledger} USD, the rollups {rollups:?}: {}",
        if equal { "equal" } else { "NOT EQUAL" }
    );
    if count > VERIFIED_MAX {
        return Ok(equal);
    }
    let report = store.verify().await?;
    for problem in report.problems.iter().take(10) {
        println!("{}: {}: {}", problem.check, problem.subject, problem.detail);
    }
    println!("verified {} generations: {} problems", report.generations, report.problems.len());
    Ok(equal && report.problems.is_empty())
}

/// A question of a dashboard: over so many days, by hours, split, by what, with percentiles.
struct Asked {
    name: &'static str,
    days: i64,
    hours: bool,
    split: bool,
    groups: Vec<By>,
    spreads: bool,
    key: Option<KeyId>,
}

fn questions() -> Vec<Asked> {
    let asked = |name, days, (hours, split), groups: &[By], spreads| Asked {
        name,
        days,
        hours,
        split,
        groups: groups.to_vec(),
        spreads,
        key: None,
    };
    let facet = |name: &str| By::Facet(name.to_owned());
    let one = || Some(KeyId::new("key_0_3"));
    vec![
        asked("31 days by day", 31, (false, true), &[], false),
        asked("31 days by day and model, with percentiles", 31, (false, true), &[By::Model], true),
        asked("90 days by model and key", DAYS, (false, false), &[By::Model, By::Key], false),
        asked("90 days by provider, with percentiles", DAYS, (false, false), &[By::Provider], true),
        asked("7 days by hour and model", 7, (true, true), &[By::Model], false),
        asked("14 days by hour", 14, (true, true), &[], false),
        asked("14 days by hour, with percentiles", 14, (true, true), &[], true),
        asked("90 days by day and tag", DAYS, (false, true), &[facet("tag")], false),
        asked("31 days by end user", 31, (false, false), &[facet("user")], false),
        asked("31 days by app, with percentiles", 31, (false, false), &[facet("app")], true),
        asked("7 days by hour and team", 7, (true, true), &[facet("dim:team")], false),
        Asked {
            key: one(),
            ..asked("31 days of one key by day and model", 31, (false, true), &[By::Model], true)
        },
        Asked {
            key: one(),
            ..asked("31 days of one key by end user", 31, (false, false), &[facet("user")], false)
        },
    ]
}

/// Asks every question often; true when 95 of 100 are answered in time, of each.
async fn ask_all(store: &Store, how: &str) -> Result<bool> {
    let account = account(0);
    let mut good = true;
    for asked in questions() {
        let unit = if asked.hours { 3_600 } else { 86_400 };
        let spreads: &[Spread] = if asked.spreads { &Spread::ALL } else { &[] };
        let question = Question {
            account: &account,
            key: asked.key.as_ref(),
            hours: asked.hours,
            from: (END_S - asked.days * 86_400) / unit,
            to: END_S / unit + 1,
            split: asked.split,
            groups: &asked.groups,
            filters: &[],
            measures: &Measure::ALL,
            joined: &[],
            spreads,
            most: None,
        };
        let mut times = Vec::with_capacity(ROUNDS);
        let mut rows = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            rows = store.used(&question).await?.len();
            times.push(begun.elapsed());
        }
        good &= judged(&format!("{}, {rows} rows", asked.name), how, times);
    }
    for (name, filter, far) in searches() {
        let at = Timestamp::from_seconds(END_S - far * 86_400);
        let id = types::GenerationId::new(at, 0);
        let cursor = (far > 0).then_some(LogCursor { created: at, id });
        let mut times = Vec::with_capacity(ROUNDS);
        let mut rows = 0;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            rows = store.log(&account, &filter, cursor.as_ref(), 50).await?.generations.len();
            times.push(begun.elapsed());
        }
        good &= judged(&format!("log: {name}, {rows} rows"), how, times);
    }
    Ok(good)
}

fn searches() -> Vec<(&'static str, LogFilter, i64)> {
    let text =
        |text, value: &str| LogFilter { texts: vec![(text, value.to_owned())], ..LogFilter::default() };
    vec![
        ("the newest", LogFilter::default(), 0),
        ("a page from half-way on", LogFilter::default(), DAYS / 2),
        ("of one model", text(LogText::Model, "author/model-3"), 0),
        ("those that failed", text(LogText::Status, "failed"), 0),
        ("of one session", text(LogText::Session, "session-77"), 0),
        ("of one end user", text(LogText::User, "user-7"), 0),
        ("of a model that nobody called", text(LogText::Model, "author/none"), 0),
        ("with feedback", LogFilter { feedback: Some(Said::Something), ..LogFilter::default() }, 0),
    ]
}

fn judged(name: &str, how: &str, mut times: Vec<Duration>) -> bool {
    times.sort();
    let at = |per_cent: usize| {
        times.get((times.len() * per_cent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    };
    let is_good = at(95) <= P95_MAX;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mark = if is_good { "" } else { "  TOO SLOW" };
    println!("{:>8.1} ms p50 {:>8.1} ms p95  {name} ({how}){mark}", ms(at(50)), ms(at(95)));
    is_good
}

/// Folds small batches, as a server under load does, until told to stop.
async fn write_on(store: Arc<Store>, count: u64, stop: Arc<AtomicBool>) -> Result<()> {
    let mut filler = Filler::behind(count);
    while !stop.load(Ordering::Relaxed) {
        filler.fold_some(&store, 20).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Keeps texts that have expired, and deletes them while another writes; true when it was fast and nobody waited long.
async fn forget(store: &Arc<Store>, count: u64) -> Result<bool> {
    let whose = account(0);
    let now = Timestamp::from_seconds(END_S);
    store.set_privacy(&whose, 30, false, now).await?;
    let begun = Instant::now();
    for first in (0..count).step_by(usize::try_from(TEXTS.1)?) {
        let rows: Vec<Content> = (first..(first + TEXTS.1).min(count)).map(|n| text(n, &whose)).collect();
        store.put_contents(&rows).await?;
    }
    println!("wrote {count} texts of {TEXT_BYTES} bytes in {:.1} s", begun.elapsed().as_secs_f64());
    let alone = longest_wait(store, Duration::from_secs(2)).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
        async move {
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                longest = longest.max(longest_wait(&store, Duration::from_millis(100)).await?);
            }
            anyhow::Ok(longest)
        }
    });
    let begun = Instant::now();
    let deleted = sweep(store, now).await?;
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    let stall = writer.await??;
    ensure!(deleted == count, "{deleted} of {count} texts were deleted");
    let per_minute = deleted as f64 * 60.0 / took.as_secs_f64();
    println!(
        "deleted {deleted} texts in {:.1} s, {per_minute:.0} a minute; a writer waited {:.1} ms at the longest, {:.1} ms alone",
        took.as_secs_f64(),
        stall.as_secs_f64() * 1e3,
        alone.as_secs_f64() * 1e3
    );
    Ok(per_minute >= DELETED_PER_MINUTE_MIN && stall <= STALL_MAX)
}

/// The longest of small writes over a time.
async fn longest_wait(store: &Store, over: Duration) -> Result<Duration> {
    let begun = Instant::now();
    let mut longest = Duration::ZERO;
    while begun.elapsed() < over {
        let one = Instant::now();
        store
            .ensure_account(&AccountId::new("acct_writer"), "writer", Timestamp::from_seconds(END_S))
            .await?;
        longest = longest.max(one.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(longest)
}

fn text(n: u64, whose: &AccountId) -> Content {
    let created = Timestamp::from_seconds(END_S - 40 * 86_400 + i64::try_from(n / 20).unwrap_or(0));
    Content {
        id: types::GenerationId::new(created, u128::from(n)).to_string(),
        account: whose.clone(),
        key: KeyId::new("key_0_0"),
        created,
        expires: Timestamp(created.micros() + 1),
        master: "0123456789ab".to_owned(),
        sealed: "x".repeat(TEXT_BYTES),
    }
}
