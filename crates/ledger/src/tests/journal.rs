use std::sync::Arc;

use proptest::prelude::*;
use types::{Cost, GenerationId, Money, Override, PriceKind, PriceSheet, Quote, Usage};

use super::sample;
use crate::*;

fn journal(records: u128) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    (0..records).for_each(|n| frame(&sample(n), &mut bytes).unwrap());
    bytes
}

fn records(scan: Scan<'_>) -> Vec<GenerationRecord> {
    scan.records.into_iter().map(|logged| logged.record).collect()
}

fn ids(bytes: &[u8], offset: u64) -> (Vec<GenerationId>, u64, Tail) {
    let scan = scan(bytes, offset, usize::MAX).unwrap();
    (scan.records.iter().map(|logged| logged.record.id).collect(), scan.next_offset, scan.tail)
}

#[test]
fn a_typical_record_is_small_and_comes_back_equal() {
    let json = serde_json::to_string(&sample(1)).unwrap();
    assert!(json.len() < 700, "{} bytes: {json}", json.len());
    let bytes = journal(3);
    let scan = scan(&bytes, 0, usize::MAX).unwrap();
    assert_eq!((scan.next_offset, scan.tail), (bytes.len() as u64, Tail::Clean));
    assert_eq!(scan.records[1].body, serde_json::to_string(&sample(1)).unwrap());
    assert_eq!(records(scan), (0..3).map(sample).collect::<Vec<_>>());
}

/// As a journal writes it: the sheet in the first of a version only.
fn named(n: u128) -> GenerationRecord {
    GenerationRecord { price_sheet: Arc::default(), ..sample(n) }
}

#[test]
fn a_sheet_is_found_in_an_earlier_record_of_the_file() {
    let mut bytes = journal(1);
    let second = bytes.len();
    frame(&named(1), &mut bytes).unwrap();
    frame(&named(2), &mut bytes).unwrap();
    let whole = scan(&bytes, 0, usize::MAX).unwrap();
    let own: Vec<bool> = whole.records.iter().map(|logged| logged.has_own_sheet).collect();
    assert_eq!(own, [true, false, false]);
    assert!(!whole.records[1].body.contains("sheet"));
    assert!(whole.records.iter().all(|logged| !logged.lacks_sheet()));
    assert_eq!(records(whole), (0..3).map(sample).collect::<Vec<_>>());

    // A scan that begins behind the sheet can't know it, and says so.
    let later = scan(&bytes[second..], second as u64, usize::MAX).unwrap();
    assert!(later.records.iter().all(|logged| logged.lacks_sheet() && !logged.has_own_sheet));
    assert_eq!(records(later), (1..3).map(named).collect::<Vec<_>>());
}

#[test]
fn another_version_s_sheet_is_never_taken() {
    let mut bytes = journal(1);
    let other = GenerationRecord { price_version: "price-other".to_owned(), ..named(1) };
    frame(&other, &mut bytes).unwrap();
    let found = scan(&bytes, 0, usize::MAX).unwrap();
    assert!(found.records[1].lacks_sheet());
    // What was free needs none.
    let free = GenerationRecord { cost: Cost::default(), ..other };
    assert!(!Logged::whole(free).unwrap().lacks_sheet());
}

fn facts() -> RequestFacts {
    let step = |quality: Option<&str>| Planned {
        endpoint: "mistral/mistral-small-2603".into(),
        propensity: "0.96875".into(),
        quality: quality.map(str::to_owned),
    };
    RequestFacts {
        input_tokens: 1_200,
        max_tokens: Some(500),
        tools: true,
        shares: Some([125; 8]),
        planned: vec![step(Some("0.714")), step(None)],
        ..RequestFacts::default()
    }
}

#[test]
fn facts_are_short_and_records_from_before_them_are_read() {
    let json = serde_json::to_string(&facts()).unwrap();
    let expect = r#"{"in":1200,"max_tokens":500,"tools":true,"shares":[125,125,125,125,125,125,125,125],"plan":[["mistral/mistral-small-2603","0.96875","0.714"],["mistral/mistral-small-2603","0.96875"]]}"#;
    assert_eq!(json, expect);
    let old = serde_json::to_string(&sample(1)).unwrap();
    assert!(!old.contains("facts"));
    assert_eq!(serde_json::from_str::<GenerationRecord>(&old).unwrap().facts, None);
    assert_eq!(serde_json::from_str::<RequestFacts>(r#"{"in":7,"later":1}"#).unwrap().input_tokens, 7);
}

#[test]
fn every_field_comes_back() {
    let mut record = sample(1);
    let tier = Override {
        above_input_tokens: Some(200_000),
        utc_window: None,
        quotes: vec![(PriceKind::Input, Quote::Unknown)],
    };
    record.price_sheet = Arc::new(PriceSheet { overrides: vec![tier], ..(*record.price_sheet).clone() });
    (record.status, record.error, record.user) = (Status::Truncated, Some("stall".into()), Some("u".into()));
    record.app = Some(App { title: Some("t".into()), referer: None });
    record.usage = Usage { cache_read: 1, reasoning: 2, searches: 3, ..Usage::default() };
    record.cost.total = Money::from_nanos(77);
    record.dimensions.insert("team".into(), "a".into());
    record.warnings.push(Warning { code: "dropped".into(), pointer: "/x".into(), message: "m".into() });
    record.attempts.push(Attempt { outcome: "timeout".into(), ..Attempt::default() });
    record.facts = Some(facts());
    let markup = "2.5".parse().unwrap();
    record.terms = Some(crate::Terms { markup, ..crate::Terms::default() });
    let mut bytes = HEADER.to_vec();
    frame(&record, &mut bytes).unwrap();
    assert_eq!(records(scan(&bytes, 0, 9).unwrap()), [record]);
}

#[test]
fn a_scan_goes_on_where_another_stopped() {
    let bytes = journal(5);
    let first = scan(&bytes, 0, 2).unwrap();
    assert_eq!((first.records.len(), first.tail), (2, Tail::More));
    let rest = scan(&bytes[first.next_offset as usize..], first.next_offset, 100).unwrap();
    assert_eq!(records(rest.clone()), (2..5).map(sample).collect::<Vec<_>>());
    assert_eq!((rest.next_offset, rest.tail), (bytes.len() as u64, Tail::Clean));
}

#[test]
fn every_cut_loses_only_what_it_cuts() {
    let bytes = journal(2);
    let one = journal(1).len();
    for cut in 0..bytes.len() {
        let (found, next, tail) = ids(&bytes[..cut], 0);
        let whole = [HEADER_BYTES, one].iter().filter(|end| **end <= cut).count();
        assert_eq!(found.len(), whole.saturating_sub(1), "cut at {cut}");
        let start = [0, HEADER_BYTES, one][whole] as u64;
        let expected = if cut as u64 == start && cut > 0 { Tail::Clean } else { Tail::Torn { at: start } };
        assert_eq!(
            (next, tail),
            (start, if cut == 0 { Tail::Torn { at: 0 } } else { expected }),
            "cut at {cut}"
        );
    }
}

#[test]
fn zeros_after_the_last_frame_are_a_torn_tail() {
    let mut bytes = journal(1);
    let end = bytes.len() as u64;
    bytes.extend([0; 5000]);
    assert_eq!(ids(&bytes, 0).2, Tail::Torn { at: end });
}

#[test]
fn a_bad_frame_before_a_good_one_is_corruption() {
    let ends: Vec<usize> = (0..4).map(|n| journal(n).len()).collect();
    // In the length, the checksum, the payload of the second frame.
    for (flip, mask) in [(0, 0x40), (2, 0x10), (3, 0xff), (5, 1), (FRAME_HEAD_BYTES, 1), (300, 2)] {
        let mut bytes = journal(3);
        bytes[ends[1] + flip] ^= mask;
        let (found, next, tail) = ids(&bytes, 0);
        assert_eq!((found.len(), next), (1, ends[1] as u64), "byte {flip}");
        assert_eq!(tail, Tail::Corrupt { at: ends[1] as u64 }, "byte {flip}");
    }
    let mut last = journal(3);
    last[ends[2] + 50] ^= 1;
    assert_eq!(ids(&last, 0).2, Tail::Torn { at: ends[2] as u64 });
}

#[test]
fn a_record_of_a_newer_version_is_never_cut_away() {
    let mut bytes = journal(1);
    let end = bytes.len() as u64;
    let mut newer = sample(2);
    newer.v += 1;
    frame(&newer, &mut bytes).unwrap();
    assert_eq!(ids(&bytes, 0).2, Tail::Corrupt { at: end });
}

#[test]
fn another_file_is_not_a_journal() {
    assert_eq!(scan(b"SQLite format 3\0...", 0, 1), Err(ScanError::NotAJournal));
    assert_eq!(scan(b"x", 0, 1), Err(ScanError::NotAJournal));
}

#[test]
fn a_record_that_is_too_large_keeps_its_money() {
    let mut large = sample(1);
    large.dimensions.insert("note".to_owned(), "x".repeat(FRAME_BYTES_MAX));
    let mut bytes = HEADER.to_vec();
    frame(&large, &mut bytes).unwrap();
    let found = records(scan(&bytes, 0, 1).unwrap()).remove(0);
    assert_eq!((found.id, &found.cost, found.charged), (large.id, &large.cost, large.charged));
    assert_eq!(found.warnings[0].code, "record_shortened");

    large.model = "x".repeat(FRAME_BYTES_MAX);
    let before = bytes.clone();
    assert!(matches!(frame(&large, &mut bytes), Err(FrameError::TooLarge(_))));
    assert_eq!(bytes, before);
}

proptest! {
    #[test]
    fn no_bytes_can_break_a_scan(mut noise in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..2000) {
        let mut bytes = journal(2);
        let at = HEADER_BYTES + at % (bytes.len() - HEADER_BYTES);
        bytes.truncate(at);
        bytes.append(&mut noise);
        let scan = scan(&bytes, 0, usize::MAX).unwrap();
        prop_assert!(scan.next_offset <= bytes.len() as u64);
        prop_assert!(scan.records.iter().enumerate().all(|(n, logged)| logged.record == sample(n as u128)));
    }
}

#[test]
fn a_record_that_never_was_in_a_journal_has_its_sheet() {
    let logged = Logged::whole(sample(1)).unwrap();
    assert!(logged.has_own_sheet && !logged.lacks_sheet());
    let bare = GenerationRecord { price_sheet: Default::default(), ..sample(1) };
    assert!(!Logged::whole(bare).unwrap().has_own_sheet);
}
