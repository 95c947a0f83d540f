use crate::chain::{self, Digest, START, Sealed};

fn postings() -> Vec<(String, i64)> {
    vec![("credits:acct_a".to_owned(), -5), ("provider:lab".to_owned(), 5)]
}

fn link(change: impl FnOnce(&mut Sealed<'_>)) -> Digest {
    let postings = postings();
    let mut entry = Sealed {
        seq: 7,
        id: "gen:x",
        at: 1_779_358_422_000_000,
        kind: "generation",
        reason: None,
        postings: &postings,
        evidence: Some(&[9; 32]),
    };
    change(&mut entry);
    chain::link(&[1; 32], &entry)
}

/// The bytes are a promise to everyone who checks a chain with a program of their own.
#[test]
fn the_canonical_bytes_are_what_they_always_were() {
    let mut bytes = Vec::new();
    let number = |bytes: &mut Vec<u8>, n: i64| bytes.extend_from_slice(&n.to_le_bytes());
    let text = |bytes: &mut Vec<u8>, t: &str| {
        bytes.extend_from_slice(&(t.len() as i64).to_le_bytes());
        bytes.extend_from_slice(t.as_bytes());
    };
    text(&mut bytes, "tollway entry 1");
    bytes.extend_from_slice(&[1; 32]);
    number(&mut bytes, 7);
    text(&mut bytes, "gen:x");
    number(&mut bytes, 1_779_358_422_000_000);
    text(&mut bytes, "generation");
    number(&mut bytes, -1);
    number(&mut bytes, 2);
    for (account, amount) in postings() {
        text(&mut bytes, &account);
        number(&mut bytes, amount);
    }
    number(&mut bytes, 32);
    bytes.extend_from_slice(&[9; 32]);
    use sha2::Digest as _;
    let expect: Digest = sha2::Sha256::digest(&bytes).into();
    assert_eq!(link(|_| ()), expect);
}

#[test]
fn every_field_counts_and_none_runs_into_the_next() {
    let other: Vec<(String, i64)> = vec![("credits:acct_a".to_owned(), -6), ("provider:lab".to_owned(), 6)];
    let swapped: Vec<(String, i64)> = postings().into_iter().rev().collect();
    let renamed: Vec<(String, i64)> = vec![("credits:acct_b".to_owned(), -5), ("provider:lab".to_owned(), 5)];
    let none: Vec<(String, i64)> = Vec::new();
    let mut all = vec![
        link(|_| ()),
        link(|e| e.seq = 8),
        link(|e| e.id = "gen:y"),
        link(|e| e.at += 1),
        link(|e| e.kind = "grant"),
        link(|e| e.reason = Some("")),
        link(|e| e.reason = Some("why")),
        link(|e| e.evidence = None),
        link(|e| e.evidence = Some(&[8; 32])),
        link(|e| (e.id, e.kind) = ("gen:xg", "eneration")),
        chain::link(
            &[2; 32],
            &Sealed {
                seq: 7,
                id: "gen:x",
                at: 0,
                kind: "grant",
                reason: None,
                postings: &none,
                evidence: None,
            },
        ),
        chain::link(
            &[3; 32],
            &Sealed {
                seq: 7,
                id: "gen:x",
                at: 0,
                kind: "grant",
                reason: None,
                postings: &none,
                evidence: None,
            },
        ),
    ];
    for postings in [&other, &swapped, &renamed, &none] {
        let entry = Sealed {
            seq: 7,
            id: "gen:x",
            at: 1_779_358_422_000_000,
            kind: "generation",
            reason: None,
            postings,
            evidence: Some(&[9; 32]),
        };
        all.push(chain::link(&[1; 32], &entry));
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn digests_of_records_and_fields_tell_their_parts_apart() {
    let mut all = vec![
        chain::of_generation("gen-1", "{}", ""),
        chain::of_generation("gen-1", "", "{}"),
        chain::of_generation("gen-2", "{}", ""),
        chain::of_generation("gen-1", "{}", "x"),
        chain::of_fields("a", &["gen-1", "{}", ""], &[]),
        chain::of_fields("a", &["gen-1", "{}"], &[0]),
        chain::of_fields("a", &["gen-1", "{}"], &[1]),
        chain::of_fields("b", &["gen-1", "{}"], &[1]),
        chain::of_fields("a", &["gen-1{}"], &[1]),
    ];
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn hashes_are_written_as_hexadecimal_and_read_back() {
    let mut digest = START;
    assert_eq!(chain::hex(&digest), "0".repeat(64));
    for (at, slot) in digest.iter_mut().enumerate() {
        *slot = (at * 8 + 3) as u8;
    }
    let text = chain::hex(&digest);
    assert!(text.starts_with("030b131b") && text.ends_with("f3fb"), "{text}");
    assert_eq!(chain::unhex(&text), Some(digest));
    for wrong in [
        "",
        "0b",
        &text[1..],
        &text.to_uppercase(),
        &text.replace('f', "g"),
        &format!("{text}0"),
        &"é".repeat(32),
    ] {
        assert_eq!(chain::unhex(wrong), None, "{wrong}");
    }
}
