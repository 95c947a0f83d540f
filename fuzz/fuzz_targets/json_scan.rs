//! The scanner takes every object that a full parser takes, and its spans are the values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use wire::json;

fuzz_target!(|text: &[u8]| {
    let scanned = json::object(text);
    let Ok(parsed) = serde_json::from_slice::<Map<String, Value>>(text) else { return };
    let members = scanned.expect("a full parser takes it");
    for member in &members {
        let value = json::slice(text, &member.value);
        let value: Value = serde_json::from_slice(value).expect("a value's span is a value");
        let key = [b"\"", json::slice(text, &member.key), b"\""].concat();
        let key: String = serde_json::from_slice(&key).expect("a key's span is a key");
        // Of a key that comes twice the parser keeps the last.
        assert!(parsed.contains_key(&key));
        match &value {
            Value::Array(list) => assert_eq!(json::element_count(text, &member.value), list.len()),
            Value::String(plain) => {
                assert_eq!(json::string(text, &member.value).as_deref(), Some(plain.as_str()))
            }
            _ => {}
        }
    }
    assert!(members.len() >= parsed.len());
});
