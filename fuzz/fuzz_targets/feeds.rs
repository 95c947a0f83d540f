//! A feed of anybody's making is refused with an entry, or what is made of it can be written and read. The first byte says which
//! format it is in.
#![no_main]

use std::sync::LazyLock;

use catalog::Snapshot;
use catalog::import::{Format, import, own};
use libfuzzer_sys::fuzz_target;

const BASE: &str = r#"{"format":1,"version":"x","sources":[{"id":"s","name":"S","url":"https://s.example"}],
"authors":[{"id":"a","name":"A"}],
"models":[{"id":"a/m","author":"a","name":"M","aliases":[],"facts":{"context_tokens":{"value":8,"source":"s","as_of":"2026"}},
"benchmarks":[],"source":"s","as_of":"2026"}],
"providers":[{"id":"p","name":"P","protocol":"openai","base_url":"https://p.example/v1","api_key_env":[],"facts":{},"quirks":{
"unsupported_parameters":[],"stream_usage":"on_request","tool_call_ids":"any","rename_roles":{},"rename_parameters":{},
"strict_parameters":false,"error_shape":"openai","on_disconnect":"cancel","auth_optional":false,"responses":false},"source":"s","as_of":"2026"}],
"endpoints":[{"id":"p/m","model":"a/m","provider":"p","provider_model_id":"m","status":"live","facts":{},
"price":{"input_usd_per_mtok":{"value":"1","source":"s","as_of":"2026"}},"price_overrides":[],"source":"s","as_of":"2026"}]}"#;

static CATALOG: LazyLock<Snapshot> = LazyLock::new(|| own(BASE).expect("the base is right"));

fuzz_target!(|input: &[u8]| {
    let Some((which, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let format = Format::ALL[usize::from(*which) % Format::ALL.len()];
    match import(format, text, &CATALOG, "2026-08-01", Some("p")) {
        Ok(imported) => {
            let written = catalog::export::own(&imported.snapshot);
            assert_eq!(own(&written).expect("what was made is read").version, imported.snapshot.version);
        }
        Err(error) => assert!(!error.entry.is_empty() && !error.message.is_empty()),
    }
});
