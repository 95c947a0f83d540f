//! `/console/server/state`: how journal, store and process are on this node, as it is now.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::{JOBS, STATE};
use crate::console::amount;
use crate::console::frame::Frame;
use crate::console::signed::{Signed, sentence};
use crate::format::{self, Shown};
use crate::model::Stat;
use crate::shell::{self, Failed};

/// Less than this share of a disk free is little: one in so many.
const LITTLE_OF: u64 = 10;

#[derive(Deserialize)]
struct Told {
    process: Process,
    failing: Vec<Failing>,
    journal: Option<Journal>,
    store: Store,
    disk: Option<Disk>,
}

#[derive(Deserialize)]
struct Process {
    version: String,
    started_at: String,
    uptime_s: u64,
    workers: u64,
    memory_bytes: Option<u64>,
    in_flight: u64,
    holds_open: u64,
    hold_waiters: u64,
    panics: u64,
    keys: u64,
}

#[derive(Deserialize)]
struct Failing {
    reason: String,
}

#[derive(Deserialize)]
struct Journal {
    segments: u64,
    bytes: u64,
    unfolded_bytes: Option<u64>,
    unfolded_records: u64,
    backlog_bytes_max: u64,
    waiting_bytes: u64,
    folded_at: Option<String>,
    synced_at: Option<String>,
    sync: String,
    errors: u64,
    last_error_at: Option<String>,
    last_error: Option<String>,
}

#[derive(Deserialize)]
struct Store {
    kind: String,
    answers: bool,
    bytes: Option<u64>,
    schema: Option<u64>,
    connections: Connections,
    entry: Option<u64>,
    entry_hash: Option<String>,
    records_refused: Option<u64>,
}

#[derive(Deserialize)]
struct Connections {
    open: u64,
    idle: u64,
    max: u64,
}

#[derive(Deserialize)]
struct Disk {
    free_bytes: u64,
    total_bytes: u64,
}

/// A line of a table.
struct Row {
    name: &'static str,
    value: Shown,
    note: String,
    is_bad: bool,
}

struct Part {
    id: &'static str,
    name: &'static str,
    about: &'static str,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "console/server_state.html")]
struct Page {
    shell: Frame,
    failing: Vec<String>,
    stats: Vec<Stat>,
    parts: Vec<Part>,
    jobs: &'static str,
    /// The newest entry of the books with its hash, as `ledger verify --noted` takes it.
    noted: Option<String>,
}

/// `GET /console/server/state`.
pub(crate) async fn state(signed: Signed) -> Result<Response, Failed> {
    let told: Told = signed.get("/v1/server/state").await?;
    let store = &told.store;
    let noted = store.entry.zip(store.entry_hash.as_deref()).map(|(entry, hash)| format!("{entry}:{hash}"));
    let page = Page {
        shell: Frame::of(&signed, "State", STATE),
        failing: told.failing.iter().map(|one| sentence(&one.reason)).collect(),
        stats: stats(&told),
        parts: vec![journal(told.journal.as_ref()), store_part(store), process(&told)],
        jobs: JOBS,
        noted,
    };
    Ok(shell::private(shell::page(StatusCode::OK, &page)))
}

fn stats(told: &Told) -> Vec<Stat> {
    let process = &told.process;
    let stat = |name, value: Shown, note: String| Stat { name, value, note };
    let behind =
        told.journal.as_ref().map_or_else(Shown::unknown, |journal| format::short(journal.unfolded_records));
    let disk = told.disk.as_ref().map_or_else(Shown::unknown, |disk| format::bytes(disk.free_bytes));
    let of = told.disk.as_ref().map(|disk| format!("of {}", format::bytes(disk.total_bytes).short));
    vec![
        stat("Not in the books yet", behind, String::from("records of the journal")),
        stat("Calls in flight", format::short(process.in_flight), holds(process)),
        stat("Up", Shown::same(format::duration(process.uptime_s)), format!("version {}", process.version)),
        stat("Disk free", disk, of.unwrap_or_default()),
    ]
}

fn holds(process: &Process) -> String {
    let waiters = match process.hold_waiters {
        0 => String::new(),
        count => format!(", {} waiting for money", format::count_of(count, "call")),
    };
    format!("{}{waiters}", format::count_of(process.holds_open, "hold"))
}

fn row(name: &'static str, value: Shown, note: impl Into<String>) -> Row {
    Row { name, value, note: note.into(), is_bad: false }
}

/// A line that is bad where it counts anything.
fn bad(name: &'static str, count: u64, note: impl Into<String>) -> Row {
    Row { name, value: format::short(count), note: note.into(), is_bad: count > 0 }
}

fn size(bytes: Option<u64>) -> Shown {
    bytes.map_or_else(Shown::unknown, format::bytes)
}

fn instant(at: Option<&str>, never: &str) -> Shown {
    at.map_or_else(|| Shown::same(never), amount::instant)
}

fn journal(journal: Option<&Journal>) -> Part {
    let rows = match journal {
        None => vec![Row { is_bad: true, ..row("Folder", Shown::unknown(), "it can't be read") }],
        Some(journal) => {
            let max = format::bytes(journal.backlog_bytes_max).short;
            let when = match journal.sync.as_str() {
                "always" => "before each answer is over",
                _ => "once a second; a power cut loses what came since",
            };
            let error = journal.last_error.as_deref().map(|why| {
                let at = instant(journal.last_error_at.as_deref(), "");
                format!("last {}: {why}", at.short)
            });
            vec![
                row(
                    "Segments",
                    format::short(journal.segments),
                    format!("{} on disk", format::bytes(journal.bytes).short),
                ),
                row(
                    "Not folded yet",
                    size(journal.unfolded_bytes),
                    format!(
                        "{}; beyond {max} new calls are refused",
                        format::count_of(journal.unfolded_records, "record")
                    ),
                ),
                row("Folded last", instant(journal.folded_at.as_deref(), "not yet"), ""),
                row("Flushed to the disk", instant(journal.synced_at.as_deref(), "not yet"), when),
                bad(
                    "Could not be written",
                    journal.errors,
                    error.unwrap_or_else(|| String::from("times since the start")),
                ),
                bad("Waiting in memory", journal.waiting_bytes, "bytes that the disk refuses"),
            ]
        }
    };
    let about =
        "What calls cost is written here before their last byte leaves, and folded into the store after.";
    Part { id: "journal", name: "Journal", about, rows }
}

fn store_part(store: &Store) -> Part {
    let kind = if store.kind == "postgres" { "Postgres" } else { "SQLite" };
    let answers = match store.answers {
        true => row("Database", Shown::same(kind), "it answers"),
        false => Row {
            is_bad: true,
            ..row("Database", Shown::same(kind), "it does not answer: the books wait, calls go on")
        },
    };
    let connections = &store.connections;
    let number =
        |number: Option<u64>| number.map_or_else(Shown::unknown, |number| Shown::same(format::count(number)));
    let rows = vec![
        answers,
        row("Size", size(store.bytes), "indexes included"),
        row("Schema", number(store.schema), "newest step"),
        row(
            "Connections",
            Shown::same(connections.open.to_string()),
            format!("{} idle, at most {}", connections.idle, connections.max),
        ),
        row("Entries", number(store.entry), "in the books"),
        bad("Set aside", store.records_refused.unwrap_or_default(), "records that could not be booked"),
    ];
    Part {
        id: "store",
        name: "Store",
        about: "Accounts, keys, the books and everything that pages count.",
        rows,
    }
}

fn process(told: &Told) -> Part {
    let process = &told.process;
    let disk = told.disk.as_ref().map(|disk| Row {
        is_bad: disk.free_bytes < disk.total_bytes / LITTLE_OF,
        ..row(
            "Disk",
            format::bytes(disk.free_bytes),
            format!("free of {}", format::bytes(disk.total_bytes).short),
        )
    });
    let mut rows = vec![
        row("Version", Shown::same(process.version.as_str()), ""),
        row(
            "Started",
            amount::instant(&process.started_at),
            format!("{} ago", format::duration(process.uptime_s)),
        ),
        row("Workers", format::short(process.workers), "threads that carry calls"),
        row("Memory", size(process.memory_bytes), "resident"),
        row("Keys", format::short(process.keys), "in memory"),
        bad("Panics", process.panics, "caught since the start"),
    ];
    rows.extend(disk);
    Part { id: "process", name: "Process", about: "This node; others have their own page.", rows }
}
