mod chain;
mod correction;
mod entry;
mod fees;
mod hold;
mod journal;
mod names;
mod receipt;
mod vectors;

use std::sync::Arc;

use types::{AccountId, GenerationId, KeyId, Money, PriceKind, PriceSheet, Rate, Timestamp, Usage};

use crate::{Attempt, BillingMode, GenerationRecord};

/// What an ordinary streamed chat call leaves behind: 1,200 tokens in, 350 out, at 0.15 and 0.60.
pub(crate) fn sample(n: u128) -> GenerationRecord {
    let at = Timestamp(1_779_358_422_123_456);
    let id = GenerationId::new(at, n);
    let sheet = PriceSheet::flat([
        (PriceKind::Input, Rate::parse_per_million("0.15").unwrap()),
        (PriceKind::Output, Rate::parse_per_million("0.60").unwrap()),
    ]);
    let usage = Usage { input: 1200, output: 350, requests: 1, ..Usage::default() };
    let cost = sheet.cost(&usage, at).unwrap();
    GenerationRecord {
        requested_model: "tollway/auto".to_owned(),
        model: "mistralai/mistral-small-2603".to_owned(),
        provider: "mistral".to_owned(),
        endpoint: "mistral/mistral-small-2603".to_owned(),
        dialect: "openai_chat".to_owned(),
        http_status: 200,
        finish_reason: Some("stop".to_owned()),
        streamed: true,
        usage,
        provider_cost: cost.total,
        charged: cost.total,
        cost,
        mode: BillingMode::Prepaid,
        price_version: "price-5f0c1a2b9d3e".to_owned(),
        price_sheet: Arc::new(sheet),
        attempts: vec![Attempt {
            endpoint: "mistral/mistral-small-2603".to_owned(),
            status: 200,
            started_us: 310,
            first_byte_us: Some(412_000),
            ended_us: 1_950_000,
            outcome: "ok".to_owned(),
            cost: Money::ZERO,
            byok_key: None,
        }],
        ttft_us: Some(412_300),
        duration_us: 1_951_000,
        ..GenerationRecord::new(id, at, AccountId::new("acct_owner"), KeyId::new("key_4fJq1Zp8"))
    }
}
