//! What spans say, what is kept, and what waits on disk.

use std::collections::BTreeMap;
use std::path::Path;

use ledger::{Attempt, GenerationRecord, Status};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use types::{AccountId, GenerationId, KeyId, Money, Timestamp, Usage};

use super::backlog::{self, Backlog};
use super::spans::{self, Place, Rules};

fn record(n: u128) -> GenerationRecord {
    let at = Timestamp::from_seconds(1_800_000_000);
    let id = GenerationId::new(at, n);
    let mut record = GenerationRecord::new(id, at, AccountId::new("acct_a"), KeyId::new("key_a"));
    record.dialect = "anthropic_messages".to_owned();
    record.requested_model = "tollway/auto".to_owned();
    record.model = "lab/tiny".to_owned();
    record.provider = "mistral".to_owned();
    record.endpoint = "mistral/tiny".to_owned();
    record.http_status = 200;
    record.usage =
        Usage { input: 7, cache_read: 3, cache_write_1h: 2, output: 4, reasoning: 1, ..Usage::default() };
    record.charged = Money::from_nanos(1_234);
    record.duration_us = 5_000;
    record.ttft_us = Some(2_000);
    record.streamed = true;
    record.counted = vec!["project:web".to_owned(), "tag:blue".to_owned(), "tag:red".to_owned()];
    record.user = Some("alice@example.com".to_owned());
    record.dimensions = BTreeMap::from([("team".to_owned(), "secret-team".to_owned())]);
    record.attempts = vec![
        Attempt {
            endpoint: "other/tiny".to_owned(),
            status: 500,
            ended_us: 900,
            outcome: "the key sk-123 is wrong".to_owned(),
            ..Attempt::default()
        },
        Attempt {
            endpoint: "mistral/tiny".to_owned(),
            status: 200,
            started_us: 1_000,
            first_byte_us: Some(1_900),
            ended_us: 4_900,
            outcome: "ok".to_owned(),
            cost: Money::from_nanos(1_000),
            ..Attempt::default()
        },
    ];
    record
}

const PLAIN: Rules<'_> = Rules {
    per_mille: 1000,
    follow_parent: true,
    user_secret: None,
    caller_labels: false,
    place: &|endpoint| {
        let server = Some(("api.example.com".to_owned(), 443));
        (endpoint == "mistral/tiny").then(|| Place { model: "lab/tiny".to_owned(), server })
    },
};

fn shown(value: &Value) -> String {
    match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::ArrayValue(list) => {
            let all: Vec<String> = list.values.iter().map(|v| shown(v.value.as_ref().unwrap())).collect();
            format!("[{}]", all.join(", "))
        }
        other => panic!("{other:?}"),
    }
}

fn attributes(all: &[KeyValue]) -> BTreeMap<&str, String> {
    let read: BTreeMap<&str, String> = all
        .iter()
        .map(|pair| (pair.key.as_str(), shown(pair.value.as_ref().unwrap().value.as_ref().unwrap())))
        .collect();
    assert_eq!(read.len(), all.len(), "a name is there once");
    read
}

fn expect(span: &Span, rows: &[(&str, Option<&str>)]) {
    let all = attributes(&span.attributes);
    for (name, value) in rows {
        assert_eq!(all.get(name).map(String::as_str), *value, "{name} of {}", span.name);
    }
}

#[test]
fn a_generation_is_a_span_of_the_server_with_one_of_a_client_for_each_attempt() {
    let spans = spans::of(&record(1), &PLAIN).unwrap();
    let [server, failed, answered] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((server.name.as_str(), server.kind), ("chat tollway/auto", 2));
    assert_eq!((failed.name.as_str(), failed.kind), ("chat other/tiny", 3));
    assert_eq!(answered.name, "chat lab/tiny");
    assert_eq!(server.start_time_unix_nano, 1_800_000_000_000_000_000);
    assert_eq!(server.end_time_unix_nano - server.start_time_unix_nano, 5_000_000);
    assert_eq!(answered.start_time_unix_nano - server.start_time_unix_nano, 1_000_000);
    assert_eq!(server.events[0].time_unix_nano - server.start_time_unix_nano, 2_000_000);
    assert_eq!((answered.events[0].name.as_str(), failed.events.len()), ("first_byte", 0));
    for span in [failed, answered] {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&server.trace_id, &server.span_id));
    }
    assert!(server.parent_span_id.is_empty() && failed.span_id != answered.span_id);
    assert_eq!([server, failed, answered].map(|span| span.status.as_ref().unwrap().code), [0, 2, 0]);
    expect(
        server,
        &[
            ("gen_ai.operation.name", Some("chat")),
            ("gen_ai.provider.name", Some("mistral_ai")),
            ("gen_ai.request.model", Some("tollway/auto")),
            ("gen_ai.response.model", Some("lab/tiny")),
            ("gen_ai.usage.input_tokens", Some("12")),
            ("gen_ai.usage.output_tokens", Some("5")),
            ("gen_ai.usage.cache_read.input_tokens", Some("3")),
            ("gen_ai.usage.cache_write.input_tokens", Some("2")),
            ("gen_ai.usage.reasoning.output_tokens", Some("1")),
            ("gen_ai.response.time_to_first_chunk", Some("0.002")),
            ("tollway.cost.charged_nano_usd", Some("1234")),
            ("tollway.project", Some("web")),
            ("tollway.tags", Some("[blue, red]")),
            ("tollway.account.id", Some("acct_a")),
            ("user.hash", None),
            ("tollway.meta.team", None),
        ],
    );
    let no_place =
        [("server.address", None), ("error.type", Some("http_5xx")), ("tollway.attempt.outcome", None)];
    expect(failed, &no_place);
    let rows = [
        ("gen_ai.provider.name", Some("mistral_ai")),
        ("gen_ai.request.model", Some("lab/tiny")),
        ("server.address", Some("api.example.com")),
        ("server.port", Some("443")),
        ("error.type", None),
        ("gen_ai.usage.input_tokens", None),
        ("tollway.attempt.provider_nano_usd", Some("1000")),
    ];
    expect(answered, &rows);
    assert!(!format!("{spans:?}").contains("alice"));
    assert_eq!(spans, spans::of(&record(1), &PLAIN).unwrap(), "the same each time");
}

#[test]
fn users_are_hashed_and_labels_told_only_where_that_is_wanted() {
    let wanted = Rules { user_secret: Some(b"of this node"), caller_labels: true, ..PLAIN };
    let spans = spans::of(&record(1), &wanted).unwrap();
    let all = attributes(&spans[0].attributes);
    assert_eq!(all["tollway.meta.team"], "secret-team");
    assert_eq!(all["user.hash"].len(), 32);
    assert!(!format!("{spans:?}").contains("alice"));
    let elsewhere = Rules { user_secret: Some(b"of another"), ..PLAIN };
    let others = spans::of(&record(1), &elsewhere).unwrap();
    assert_ne!(attributes(&others[0].attributes)["user.hash"], all["user.hash"]);
}

#[test]
fn the_callers_trace_is_joined() {
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let ids = |record: &GenerationRecord| {
        let span = spans::of(record, &PLAIN)?.remove(0);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Some((hex(&span.trace_id), hex(&span.parent_span_id)))
    };
    let mut one = record(1);
    let own = ids(&one).unwrap();
    assert_eq!((own.0.len(), own.1.as_str()), (32, ""));
    assert_ne!(own.0, ids(&record(2)).unwrap().0);
    // OpenRouter's way: in the body.
    one.dimensions.insert("trace.trace_id".to_owned(), "my trace".to_owned());
    assert_eq!(ids(&one).unwrap(), own);
    one.dimensions.insert("trace.trace_id".to_owned(), trace.to_owned());
    assert_eq!(ids(&one).unwrap(), (trace.to_owned(), String::new()));
    one.dimensions.insert("trace.parent_span_id".to_owned(), span.to_owned());
    assert_eq!(ids(&one).unwrap(), (trace.to_owned(), span.to_owned()));
    let header = "11111111111111111111111111111111-2222222222222222";
    one.traceparent = format!("00-{header}-01").parse().ok();
    assert_eq!(ids(&one).unwrap(), ("1".repeat(32), "2".repeat(16)));
    one.traceparent = format!("00-{header}-00").parse().ok();
    assert_eq!(ids(&one), None, "the caller doesn't record it");
    assert!(spans::of(&one, &Rules { follow_parent: false, ..PLAIN }).is_some());
}

#[test]
fn the_share_is_kept_by_the_id_of_the_trace_alone() {
    let kept = |per_mille: u64| -> Vec<u128> {
        let rules = Rules { per_mille, ..PLAIN };
        (0..2000).filter(|n| spans::of(&record(*n), &rules).is_some()).collect()
    };
    assert_eq!((kept(0).len(), kept(1000).len()), (0, 2000));
    let (few, some) = (kept(100), kept(300));
    assert!(
        (120..280).contains(&few.len()) && (480..720).contains(&some.len()),
        "{} {}",
        few.len(),
        some.len()
    );
    assert!(few.iter().all(|n| some.contains(n)), "a smaller share is a part of a larger one");
    let mut edge = [0xff; 16];
    assert!(spans::is_kept(&edge, 1), "the highest chance");
    edge[9] = 0;
    assert!(!spans::is_kept(&edge, 990) && spans::is_kept(&edge, 1000));
}

#[test]
fn what_failed_says_so() {
    let rows = [
        (Status::Ok, 200, None, 0, None),
        (Status::Truncated, 200, Some("provider_broke_off"), 2, Some("[error]")),
        (Status::Cancelled, 200, None, 0, Some("[error]")),
        (Status::Failed, 400, Some("context_length_exceeded"), 0, None),
        (Status::Failed, 503, Some("provider_unavailable"), 2, None),
    ];
    for (status, http_status, error, code, finish) in rows {
        let mut one = record(1);
        (one.status, one.http_status, one.error) = (status, http_status, error.map(str::to_owned));
        let span = spans::of(&one, &PLAIN).unwrap().remove(0);
        assert_eq!(span.status.as_ref().unwrap().code, code, "{status:?} {http_status}");
        expect(&span, &[("error.type", error), ("gen_ai.response.finish_reasons", finish)]);
    }
}

/// A file of the journal with these generations.
fn segment(path: &Path, numbers: std::ops::Range<u128>) {
    let mut bytes = ledger::HEADER.to_vec();
    numbers.for_each(|n| ledger::frame(&record(n), &mut bytes).unwrap());
    std::fs::write(path, bytes).unwrap();
}

struct Disk {
    root: tempfile::TempDir,
}

impl Disk {
    fn new() -> Disk {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("journal")).unwrap();
        Disk { root }
    }

    fn journal(&self, name: &str) -> std::path::PathBuf {
        self.root.path().join("journal").join(format!("{name}.journal"))
    }

    fn ours(&self, name: &str) -> std::path::PathBuf {
        backlog::folder(self.root.path()).join(format!("{name}.journal"))
    }

    fn open(&self, bytes_max: u64) -> Backlog {
        Backlog::open(&self.root.path().join("journal"), self.root.path(), bytes_max).unwrap().0
    }
}

/// Takes everything, in batches of this size, and gives the ids in the order in which they came.
fn drain(backlog: &mut Backlog, size: usize) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(batch) = backlog.next(size).unwrap() {
        all.extend(batch.records.iter().map(|record| record.id.to_string()));
        backlog.done(&batch).unwrap();
    }
    all
}

fn ids(numbers: std::ops::Range<u128>) -> Vec<String> {
    numbers.map(|n| record(n).id.to_string()).collect()
}

#[test]
fn every_record_is_there_once_across_restarts_and_moves() {
    let disk = Disk::new();
    segment(&disk.journal("a-00-000000"), 0..5);
    segment(&disk.journal("a-01-000000"), 5..8);
    segment(&disk.journal("a-02-000000"), 0..0);
    let mut backlog = disk.open(u64::MAX);
    let first = backlog.next(2).unwrap().unwrap();
    assert_eq!(first.records.len(), 2);
    let again = disk.open(u64::MAX).next(2).unwrap().unwrap();
    assert_eq!(again.records, first.records, "what nobody took comes again");
    backlog.done(&first).unwrap();
    let second = backlog.next(2).unwrap().unwrap();
    assert_eq!(second.records[0].id, record(5).id, "the other file has its turn");
    // The fold has done with the first one, and the process starts anew.
    std::fs::rename(disk.journal("a-00-000000"), disk.ours("a-00-000000")).unwrap();
    let mut backlog = disk.open(u64::MAX);
    let waiting = backlog.waiting_bytes();
    let mut all = drain(&mut backlog, 2);
    all.sort();
    let mut left = ids(2..8);
    left.sort();
    assert_eq!(all, left);
    assert!(waiting > 0 && backlog.waiting_bytes() == 0);
    assert!(!disk.ours("a-00-000000").exists(), "a file that is told is deleted");
    assert!(disk.journal("a-01-000000").exists(), "one of the journal is the books'");
    segment(&disk.journal("a-01-000000"), 5..9);
    assert_eq!(drain(&mut backlog, 100), ids(8..9), "what is appended is next");
}

#[test]
fn the_oldest_file_goes_when_too_much_waits_and_is_counted() {
    let disk = Disk::new();
    let mut backlog = disk.open(u64::MAX);
    segment(&disk.ours("a-00-000000"), 0..5);
    segment(&disk.ours("a-00-000001"), 5..9);
    segment(&disk.journal("a-00-000002"), 9..11);
    let old = std::fs::File::open(disk.ours("a-00-000000")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    let taken = backlog.next(2).unwrap().unwrap();
    backlog.done(&taken).unwrap();
    assert_eq!(backlog.shrink().unwrap(), 0);
    let mut small = disk.open(std::fs::metadata(disk.ours("a-00-000001")).unwrap().len());
    assert_eq!(small.shrink().unwrap(), 3, "two of the five were taken");
    assert_eq!(drain(&mut small, 100), ids(5..11));
    let mut none = disk.open(0);
    segment(&disk.ours("b"), 0..3);
    assert_eq!((none.shrink().unwrap(), none.shrink().unwrap()), (3, 0));
}

#[test]
fn damage_ends_a_file_and_a_torn_end_is_waited_for() {
    let disk = Disk::new();
    let mut backlog = disk.open(u64::MAX);
    let path = disk.journal("a-00-000000");
    segment(&path, 0..3);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    assert_eq!(drain(&mut backlog, 100), ids(0..2));
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(drain(&mut backlog, 100), ids(2..3), "the rest was written meanwhile");
    let mut broken = whole.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 0xff;
    std::fs::write(disk.ours("b-00-000000"), broken).unwrap();
    assert_eq!(drain(&mut backlog, 100), ids(0..1));
    assert!(!disk.ours("b-00-000000").exists());
    std::fs::write(disk.ours("c-00-000000"), b"nothing of ours").unwrap();
    assert!(drain(&mut backlog, 100).is_empty());
    segment(&disk.ours("d-00-000000"), 0..2);
    std::fs::write(backlog::folder(disk.root.path()).join("positions.json"), b"{").unwrap();
    let again = disk.open(u64::MAX).next(9).unwrap().unwrap();
    assert_eq!(again.records.len(), 3, "positions that are damaged begin anew");
    backlog::discard(disk.root.path());
    assert!(!backlog::folder(disk.root.path()).exists());
}
