//! However a text is cut, what leaves is what the whole would have become.

#![expect(clippy::unwrap_used, reason = "a test may fail by it")]

use std::sync::Arc;

use proptest::prelude::*;
use tollway_guardrails::{
    Action, Compiled, HELD_BYTES_MAX, JsonStream, Place, Rules, Stream, Tally, mask_json,
};

fn rules(action: &str) -> Arc<Compiled> {
    let written = serde_json::json!({
        "kinds": {"personal": action, "financial": action, "secrets": action},
        "patterns": [{"name": "employee", "pattern": r"\bEMP-\d{4,6}\b", "action": action},
                     {"name": "long", "pattern": "a{3,}b", "action": action}],
        "allow": ["@allowed.example"]
    });
    let rules = Arc::new(Rules::read(&written).unwrap());
    Arc::new(Compiled::new(&[rules]).unwrap())
}

/// A private key that nobody has; put together, so that nothing takes this file for one.
fn pem() -> String {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n".repeat(4);
    format!("-----BEGIN {0}-----\n{body}abc=\n-----END {0}-----", "PRIVATE KEY")
}

/// Texts with something of every kind, and what comes close to it.
fn texts() -> Vec<String> {
    let key = format!("sk-{}", "proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3");
    let jwt = format!(
        "{}.{}.{}",
        "eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0abc", "dBjftJeZ4CVPmB92K27uhbUJU1p1r"
    );
    vec![
        String::from(
            "Write to jane.doe+x@mail.example.com, or john@allowed.example. Call +49 151 23456789 now.",
        ),
        String::from("SSN 123-45-6789, card 4111 1111 1111 1111 12/29, IBAN DE89 3704 0044 0532 0130 00."),
        format!("key {key} and {jwt}; DB_PASSWORD=hunter2! url postgres://u:s3cr3t9@10.1.2.3:5432/db"),
        format!("before {} after", pem()),
        String::from("-----BEGIN PRIVATE KEY----- is what the first line says"),
        String::from("EMP-12345 EMP-123456 EMP-12 aaaab aaaa b xEMP-1234 2001:db8::1:2 version 1.2.3.4"),
        String::from("my password is tr0ub4dor, Tel. (030) 1234567, 020 7946 0958, 1 (415) 555-2671"),
        String::from("日本語のtaro@example.co.jpです。電話 03-1234-5678 müller@straße.de O'Brien@x.org"),
        String::from(
            "order 4111111111111112 isbn 978-3-16-148410-0 at 12:30:45 on 2024-01-31 +0200 a=b c:d e=>f",
        ),
        String::from("a lone s and sk- and AKIA and eyJ and +1 and 4 and (415) and -----BEGIN and EMP-"),
    ]
}

fn in_pieces(rules: &Arc<Compiled>, text: &str, cuts: &[usize]) -> (String, Tally) {
    let mut stream = Stream::new(Arc::clone(rules), Place::Answer);
    let (mut out, mut tally, mut from) = (String::new(), Tally::default(), 0);
    for cut in cuts.iter().copied().chain([text.len()]) {
        stream.push(&text[from..cut], &mut out, &mut tally).unwrap();
        assert!(stream.held_bytes() <= HELD_BYTES_MAX);
        from = cut;
    }
    stream.finish(&mut out, &mut tally).unwrap();
    (out, tally)
}

fn json_in_pieces(rules: &Arc<Compiled>, text: &str, cuts: &[usize]) -> (String, Tally) {
    let mut stream = JsonStream::new(Arc::clone(rules), Place::Answer);
    let (mut out, mut tally, mut from) = (String::new(), Tally::default(), 0);
    for cut in cuts.iter().copied().chain([text.len()]) {
        stream.push(&text[from..cut], &mut out, &mut tally).unwrap();
        from = cut;
    }
    stream.finish(&mut out, &mut tally).unwrap();
    (out, tally)
}

fn boundaries(text: &str) -> Vec<usize> {
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect()
}

#[test]
fn cut_anywhere_a_text_becomes_the_same() {
    for action in ["mask", "flag"] {
        let rules = rules(action);
        for text in texts() {
            let mut tally = Tally::default();
            let whole = rules.mask(&text, Place::Answer, &mut tally).into_owned();
            for cut in boundaries(&text) {
                assert_eq!(
                    in_pieces(&rules, &text, &[cut]),
                    (whole.clone(), tally.clone()),
                    "{text} at {cut}"
                );
            }
            assert_eq!(in_pieces(&rules, &text, &boundaries(&text)), (whole, tally), "{text} by characters");
        }
    }
}

#[test]
fn each_text_has_findings_to_be_cut() {
    let rules = rules("mask");
    let found: Vec<usize> = texts().iter().map(|text| rules.scan(text, Place::Answer).len()).collect();
    assert_eq!(found, [2, 3, 5, 1, 0, 4, 4, 4, 0, 0], "of each text");
}

#[test]
fn json_stays_json_wherever_it_is_cut() {
    let rules = rules("mask");
    let key = r"\u0073k-proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V2w3";
    let rows = [
        (
            format!(r#"{{"to":"jane@example.com","n":4111111111111111,"s":"{key}\n\"x\" é \ud83d\ude00"}}"#),
            r#"{"to":"[EMAIL]","n":"[CREDIT_CARD]","s":"[API_KEY]\n\"x\" é 😀"}"#,
        ),
        (
            String::from(r#"[{"password":"tr0ub4dor"}, {"jane@example.com":[1,2.5e3,-4,true,null,"a\\b"]}]"#),
            r#"[{"password":"[PASSWORD]"}, {"jane@example.com":[1,2.5e3,-4,true,null,"a\\b"]}]"#,
        ),
        (
            String::from(
                r#"{"a":{"api_key":"q8Zt41LmXv93KdPw07Rs"},"card":[4111111111111112,"4111-1111-1111-1111"]}"#,
            ),
            r#"{"a":{"api_key":"[API_KEY]"},"card":[4111111111111112,"[CREDIT_CARD]"]}"#,
        ),
        (String::from("no json, jane@example.com"), "no json, [EMAIL]"),
        (String::from(r#"{"a":"lone \ud800 x jane@example.com"}"#), r#"{"a":"lone \ud800 x [EMAIL]"}"#),
    ];
    for (text, expected) in rows {
        let mut tally = Tally::default();
        assert_eq!(mask_json(&rules, &text, Place::Answer, &mut tally), expected);
        if expected.starts_with(['{', '[']) && !expected.contains("ud800") {
            serde_json::from_str::<serde_json::Value>(expected).unwrap();
        }
        for cut in boundaries(&text) {
            let cut = json_in_pieces(&rules, &text, &[cut]);
            assert_eq!(cut, (expected.to_owned(), tally.clone()), "{text}");
        }
        assert_eq!(json_in_pieces(&rules, &text, &boundaries(&text)).0, expected);
    }
}

#[test]
fn what_is_blocked_is_said_as_soon_as_it_is_sure() {
    let rules = rules("block");
    let mut stream = Stream::new(Arc::clone(&rules), Place::Answer);
    let (mut out, mut tally) = (String::new(), Tally::default());
    stream.push("The card is 4111 1111 11", &mut out, &mut tally).unwrap();
    assert_eq!(out, "The card is ");
    stream.push("11 111", &mut out, &mut tally).unwrap();
    assert!(stream.push("1, and more", &mut out, &mut tally).is_err());
    assert_eq!(out, "The card is [CREDIT_CARD]", "nothing of it has left, and nothing after it");
    assert_eq!(tally.blocked(), ["credit_card"]);
    assert_eq!(tally.counts()[0].action, Action::Block);
}

#[test]
fn the_strictest_action_wins_and_an_allowance_is_its_own_rules_only() {
    let read = |value: serde_json::Value| Arc::new(Rules::read(&value).unwrap());
    let key = read(serde_json::json!({"kinds": {"email": "flag"}, "allow": ["@example.com"]}));
    let account = read(serde_json::json!({"kinds": {"email": "mask"}}));
    let text = "jane@example.com";
    let masked = |layers: &[Arc<Rules>]| {
        let rules = Compiled::new(layers).unwrap();
        rules.mask(text, Place::User, &mut Tally::default()).into_owned()
    };
    assert_eq!(masked(&[Arc::clone(&key)]), text);
    assert_eq!(masked(&[key, account]), "[EMAIL]");
}

fn pieces() -> impl Strategy<Value = String> {
    let atoms = prop_oneof![
        Just(String::from("jane@example.com")),
        Just(String::from("4111 1111 1111 1111")),
        Just(String::from("+1 415 555 2671")),
        Just(String::from("123-45-6789")),
        Just(String::from("password: hunter22")),
        Just(String::from("-----BEGIN RSA PRIVATE KEY-----")),
        Just(String::from("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC")),
        Just(String::from("-----END RSA PRIVATE KEY-----")),
        Just(String::from("10.20.30.40")),
        Just(String::from("aaab")),
        "[ -~]{0,6}",
        "[0-9 .-]{1,12}",
        "[a-zé@.:=]{1,8}",
        Just(String::from("\n")),
    ];
    proptest::collection::vec(atoms, 0..14).prop_map(|atoms| atoms.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_cut_at_random_becomes_the_same(text in pieces(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let rules = rules("mask");
        let mut tally = Tally::default();
        let whole = rules.mask(&text, Place::Answer, &mut tally).into_owned();
        let all = boundaries(&text);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| all[cut.index(all.len())]).collect();
        cuts.sort_unstable();
        prop_assert_eq!(in_pieces(&rules, &text, &cuts), (whole, tally));
    }

    #[test]
    fn any_json_stays_json(text in pieces(), cut in any::<prop::sample::Index>()) {
        let rules = rules("mask");
        let json = serde_json::json!({"a": text, "token": [text], "n": 4_111_111_111_111_111_u64}).to_string();
        let masked = mask_json(&rules, &json, Place::Answer, &mut Tally::default());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{}", masked);
        let all = boundaries(&json);
        let cut = all[cut.index(all.len())];
        prop_assert_eq!(json_in_pieces(&rules, &json, &[cut]).0, masked);
    }
}
