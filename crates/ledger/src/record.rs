//! The record of one generation: what the journal frames, the store keeps and `/v1/generation` answers from.
//!
//! In the JSON form what is empty, zero or absent is left out, and what every record has is written as rows without names
//! (module `brief`), so that a typical record stays under 700 bytes. A field may be added, never renamed or given another
//! meaning: that takes a new `v`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::{AccountId, Cost, GenerationId, KeyId, Money, PriceSheet, Timestamp, Usage, UsageSource};

use crate::brief;
use crate::departure::Departure;
use crate::facts::RequestFacts;
use crate::fee::Fee;
use crate::fees::{Charge, Terms};
use crate::trace::TraceParent;

/// The version that this code writes, and the newest that it reads.
pub const RECORD_VERSION: u8 = 1;

/// How a generation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The client received the whole answer.
    #[default]
    Ok,
    /// The client left before the end.
    Cancelled,
    /// The answer began and could not be finished.
    Truncated,
    /// No answer began.
    Failed,
}

impl Status {
    /// The name in records: `truncated`.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Cancelled => "cancelled",
            Status::Truncated => "truncated",
            Status::Failed => "failed",
        }
    }
}

/// Which book the charge is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingMode {
    /// Booked as use of the account; nobody needs a balance.
    #[default]
    Metered,
    /// Taken from the account's credits.
    Prepaid,
}

/// One try of one endpoint. Offsets are microseconds since [`GenerationRecord::created`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "brief::AttemptRow", into = "brief::AttemptRow")]
pub struct Attempt {
    /// `provider/name` of the endpoint.
    pub endpoint: String,
    /// The provider's HTTP status; 0 when none arrived.
    pub status: u16,
    /// When it began.
    pub started_us: i64,
    /// When the first byte of its body arrived.
    pub first_byte_us: Option<i64>,
    /// When it was over.
    pub ended_us: i64,
    /// What became of it, a stable name: `ok`, `timeout_first_byte`, `rate_limited`.
    pub outcome: String,
    /// What the provider takes for it from us: nothing where the caller's own key paid.
    pub cost: Money,
    /// Id of the caller's own key that it was made with; `None`: with the operator's.
    pub byok_key: Option<String>,
}

/// The application that called, as it named itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// `X-Title`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// `HTTP-Referer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referer: Option<String>,
}

/// Something that was dropped, changed or approximated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A stable name.
    pub code: String,
    /// JSON pointer to it in the caller's body; empty where it is not in the body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// For a person; never part of a prompt or an answer.
    pub message: String,
}

/// What guardrails found of one kind; never the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guarded {
    /// `input` or `output`.
    pub direction: String,
    /// The kind's stable name, `email`, or `pattern:<name>`.
    pub kind: String,
    /// What became of it: `flag`, `mask`, `block`.
    pub action: String,
    /// How often.
    pub count: u32,
}

/// One client request and its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationRecord {
    /// Version of this shape.
    pub v: u8,
    /// The id that the client was given.
    pub id: GenerationId,
    /// When the request began; prices are those of this instant.
    pub created: Timestamp,
    /// Who pays.
    pub account: AccountId,
    /// The key that called.
    pub key: KeyId,
    /// The model as the caller wrote it; left out when it is `model`.
    #[serde(rename = "asked", default, skip_serializing_if = "String::is_empty")]
    pub requested_model: String,
    /// The concrete model; empty when none was reached.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The provider's slug; empty when none was reached.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// `provider/name` of the endpoint that answered; empty when none did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// The caller's dialect: `openai_chat`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dialect: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub status: Status,
    /// The HTTP status that the client received; 0 when it left before one.
    #[serde(rename = "http", default, skip_serializing_if = "is_default")]
    pub http_status: u16,
    /// In our words: `stop`, `length`, `tool_calls`.
    #[serde(rename = "finish", default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// In the provider's words, where they differ.
    #[serde(rename = "native_finish", default, skip_serializing_if = "Option::is_none")]
    pub native_finish_reason: Option<String>,
    /// Whether the answer was a stream.
    #[serde(default, skip_serializing_if = "is_default")]
    pub streamed: bool,
    /// Units used.
    #[serde(default, skip_serializing_if = "is_default", with = "brief::usage")]
    pub usage: Usage,
    /// Where `usage` is from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub usage_source: UsageSource,
    /// `usage` at `price_sheet`.
    #[serde(default, skip_serializing_if = "is_default", with = "brief::cost")]
    pub cost: Cost,
    /// What providers take, every attempt counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub provider_cost: Money,
    /// What the account pays; at most `cost.total`, the difference is written off. With the caller's own key the fee, as
    /// far as it could be had.
    /// Markup and discount that apply to `cost`; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
    /// What the account pays; at most the total of [`GenerationRecord::charge`], the difference is written off.
    #[serde(default, skip_serializing_if = "is_default")]
    pub charged: Money,
    /// Which book it is charged to.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: BillingMode,
    /// Id of the caller's own key that paid the provider; then `cost` is the list price, which nobody owes us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byok_key: Option<String>,
    /// The fee for that; there exactly where `byok_key` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Fee>,
    /// Id of `price_sheet`; empty when nothing was priced.
    #[serde(rename = "prices", default, skip_serializing_if = "String::is_empty")]
    pub price_version: String,
    /// The prices that applied.
    #[serde(rename = "sheet", default, skip_serializing_if = "sheet_is_empty", with = "brief::sheet")]
    pub price_sheet: Arc<PriceSheet>,
    /// Every try, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Microseconds from the request to the first byte of content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_us: Option<i64>,
    /// Microseconds from the request to the last byte.
    #[serde(default)]
    pub duration_us: i64,
    /// The calling application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
    /// `x-session-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The caller's place in a trace of its own.
    #[serde(rename = "trace", default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
    /// The caller's own user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Free dimensions of `X-<Brand>-Meta-*`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// What the charge counts for beside account and key: `project:web`, `tag:blue`, `user:alice`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<String>,
    /// What was dropped, changed or approximated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// What guardrails found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<Guarded>,
    /// How a virtual model chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routed: Option<Routed>,
    /// What the decision was made from, for asking later what another policy would have done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<RequestFacts>,
    /// The policy that was asked for, its version and the rule that decided: `careful@3 night`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The preset that the request was filled up with, and its version: `support@2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// The answer was found wanting, and a better model was asked once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated: Option<Escalated>,
    /// The generation whose answer was told again, from the response cache; then nothing is used and nothing charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_source: Option<GenerationId>,
    /// The rule that was applied when the client left: `cancel`, `drain`, `drain_capped`; `keep` where the answer was owed under
    /// an `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disconnect: Option<String>,
    /// How the client left, where it did.
    #[serde(rename = "left", default, skip_serializing_if = "Option::is_none")]
    pub departure: Option<Departure>,
    /// Why nothing is charged although it cost something: `empty_answer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
    /// The provider's own id of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<String>,
    /// The stable name of the error, never its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// From which model to which, and why. The first answer's cost is on its attempt, and nobody's but the operator's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalated {
    /// The model whose answer was set aside.
    pub from: String,
    /// The model that answered instead.
    pub to: String,
    /// What was wrong, a stable name: `empty`, `tool_arguments`, `not_json`, `schema`.
    pub why: String,
}

/// How a virtual model chose: with the router's version and the seed, the choice can be made again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routed {
    /// The kind of work: `code`.
    pub task: String,
    /// How sure that was, decimal text from 0 to 1; `None` where it was not guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    /// Where the dial stood, decimal text from 0 (quality) to 1 (cost).
    pub dial: String,
    /// What chance was drawn from.
    pub seed: u64,
    /// Version of the decision code.
    pub router: String,
}

impl GenerationRecord {
    /// A record of which only the identity is known: status `Ok`, nothing used, nothing charged.
    pub fn new(id: GenerationId, created: Timestamp, account: AccountId, key: KeyId) -> GenerationRecord {
        GenerationRecord {
            v: RECORD_VERSION,
            id,
            created,
            account,
            key,
            requested_model: String::new(),
            model: String::new(),
            provider: String::new(),
            endpoint: String::new(),
            dialect: String::new(),
            status: Status::Ok,
            http_status: 0,
            finish_reason: None,
            native_finish_reason: None,
            streamed: false,
            usage: Usage::default(),
            usage_source: UsageSource::default(),
            cost: Cost::default(),
            provider_cost: Money::ZERO,
            terms: None,
            charged: Money::ZERO,
            mode: BillingMode::default(),
            byok_key: None,
            fee: None,
            price_version: String::new(),
            price_sheet: Arc::default(),
            attempts: Vec::new(),
            ttft_us: None,
            duration_us: 0,
            app: None,
            session_id: None,
            traceparent: None,
            user: None,
            dimensions: BTreeMap::new(),
            counted: Vec::new(),
            warnings: Vec::new(),
            guardrails: Vec::new(),
            routed: None,
            facts: None,
            policy: None,
            preset: None,
            escalated: None,
            cache_source: None,
            on_disconnect: None,
            departure: None,
            waived: None,
            upstream_id: None,
            error: None,
        }
    }

    /// What is to be paid for it: its cost under its terms.
    pub fn charge(&self) -> Charge {
        self.terms.unwrap_or_default().charge(self.cost.total)
    }

    /// Who paid: `byok` where the caller's own key paid the provider, else the book that the charge is taken from.
    pub fn paid_by(&self) -> &'static str {
        match (self.byok_key.is_some(), self.mode) {
            (true, _) => "byok",
            (false, BillingMode::Prepaid) => "credits",
            (false, BillingMode::Metered) => "usage",
        }
    }

    /// What was due and could not be had.
    pub fn written_off(&self) -> Money {
        self.due_of(self.cost.total).saturating_sub(self.charged)
    }

    /// What the account is to pay where it cost so much: the fee of an own key, or the cost under its terms.
    pub fn due_of(&self, cost: Money) -> Money {
        match self.fee {
            Some(fee) => fee.rate.of(cost),
            None => self.terms.unwrap_or_default().charge(cost).total,
        }
    }

    /// The same money without what a caller can make long: for a record that is too large for a frame.
    pub fn slim(&self) -> GenerationRecord {
        GenerationRecord {
            app: None,
            session_id: None,
            user: None,
            dimensions: BTreeMap::new(),
            warnings: vec![Warning {
                code: "record_shortened".to_owned(),
                pointer: String::new(),
                message: "the record was too large; app, session, user, dimensions, warnings and attempts were left out"
                    .to_owned(),
            }],
            attempts: Vec::new(),
            requested_model: self.requested_model.chars().take(200).collect(),
            upstream_id: None,
            ..self.clone()
        }
    }
}

/// True for a sheet that prices nothing.
pub fn sheet_is_empty(sheet: &Arc<PriceSheet>) -> bool {
    sheet.quotes.is_empty() && sheet.overrides.is_empty()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
