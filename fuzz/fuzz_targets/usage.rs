//! Whatever a provider reports, the buckets never hold more than it said, and they can be priced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use types::{PriceKind, PriceSheet, Rate, Timestamp};

fuzz_target!(|object: &[u8]| {
    let Some(usage) = wire::usage::read(object) else { return };
    let rate = Rate::from_nanos_per_million(150_000_000).expect("not negative");
    let sheet = PriceSheet::flat([(PriceKind::Input, rate), (PriceKind::Output, rate)]);
    let cost = sheet.cost(&usage, Timestamp::from_seconds(0)).expect("both prices are known");
    assert!(cost.total.nanos() >= 0);
    // A field that nobody reads may hold bytes that are no text.
    let Ok(said) = serde_json::from_slice::<Value>(object) else { return };
    if let Some(prompt) = said["prompt_tokens"].as_u64() {
        assert!(usage.input <= prompt);
    }
});
