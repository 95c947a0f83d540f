//! Whatever a provider answers is an error or leaves as JSON with our id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use types::{Money, UsageSource};
use wire::hub::{Ident, Settlement};
use wire::openai_chat::{render, scan};

fuzz_target!(|body: &[u8]| {
    let Ok(answer) = scan(body) else { return };
    let ident =
        Ident { id: "gen-1".into(), model: "\"a/b\"".into(), provider: "\"P\"".into(), ..Ident::default() };
    let settlement = Settlement {
        usage: answer.seen.usage.unwrap_or_default(),
        source: UsageSource::Provider,
        cost: Money::from_nanos(1),
        input_cost: Money::from_nanos(1),
        output_cost: Money::ZERO,
        warnings: Vec::new(),
        own_key_cost: None,
        metadata: None,
    };
    let ours = render(body, &answer, &ident, &settlement);
    // A name that comes twice is the provider's fault, and whichever its reader takes is its own affair.
    let members = wire::json::object(body).expect("it was scanned").len();
    if serde_json::from_slice::<Map<String, Value>>(body).is_ok_and(|parsed| parsed.len() == members) {
        let ours: Value = serde_json::from_slice(&ours).expect("JSON in, JSON out");
        assert_eq!(
            (&ours["id"], &ours["model"], &ours["provider"]),
            (&"gen-1".into(), &"a/b".into(), &"P".into())
        );
        assert!(ours["usage"]["cost"].is_number());
    }
});
