//! From a record to spans: one of the server for the generation, and below it one of a client for each attempt.
//!
//! - Names are those of OpenTelemetry's conventions for generative AI (repository `semantic-conventions-genai`, registry
//!   `gen-ai-dev/1.42.0-dev`, as of 2026-11-22; status: development) and of the general ones (1.44.0); ours begin with `tollway.`.
//! - Tokens and money are on the server's span only, so that a sum over all spans counts each generation once.
//! - Amounts are whole nano-dollars: exact, and they can be added up.
//! - Ids of spans are made from the generation's id: what is sent twice is the same span.
//! - Nothing of a prompt or an answer is here, because nothing of it is in a record.

use hmac::{Hmac, KeyInit, Mac};
use ledger::{Attempt, GenerationRecord, Status};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status as SpanStatus};
use sha2::{Digest, Sha256};
use types::Timestamp;

use super::values::{Attributes, is_stable_name};

/// Outcomes of attempts that are no failures of theirs: they answered, or were called off.
const NO_ERRORS: [&str; 3] = ["ok", "escalated", "hedge_lost"];
/// Span flags: bit 8 says that it is known whether the parent is remote, bit 9 that it is.
const PARENT_IS_LOCAL: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x300;

/// Longest name of a span; callers choose the model's part of it.
const NAME_CHARS_MAX: usize = 200;

/// What is known of an endpoint beside what records say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Id of its model.
    pub(crate) model: String,
    /// Host and port of the provider.
    pub(crate) server: Option<(String, u16)>,
}

/// What spans are made by.
pub(crate) struct Rules<'a> {
    /// Of a thousand traces so many are kept.
    pub(crate) per_mille: u64,
    /// Traces that the caller doesn't record are left out.
    pub(crate) follow_parent: bool,
    /// Users' ids are hashed with this; `None`: they are left out.
    pub(crate) user_secret: Option<&'a [u8]>,
    /// What callers write freely is taken along.
    pub(crate) caller_labels: bool,
    /// Looks an endpoint up.
    pub(crate) place: &'a dyn Fn(&str) -> Option<Place>,
}

/// The ids of a generation's spans.
struct Ids {
    trace: [u8; 16],
    parent: Option<[u8; 8]>,
}

impl Ids {
    /// The caller's trace, from the header or else from the body's `trace`, where its ids have the standard's form; else one of
    /// its own.
    fn of(record: &GenerationRecord) -> Ids {
        if let Some(caller) = record.traceparent {
            return Ids { trace: caller.trace, parent: Some(caller.parent) };
        }
        let told = |name: &str| record.dimensions.get(name).map(String::as_str);
        if let Some(trace) = told("trace.trace_id").and_then(hex) {
            return Ids { trace, parent: told("trace.parent_span_id").and_then(hex) };
        }
        Ids { trace: hashed("trace", record, ""), parent: None }
    }
}

/// The spans of a generation; `None`: it is left out.
pub(crate) fn of(record: &GenerationRecord, rules: &Rules<'_>) -> Option<Vec<Span>> {
    let ids = Ids::of(record);
    let unwanted = rules.follow_parent && record.traceparent.is_some_and(|caller| !caller.is_sampled());
    if unwanted || !is_kept(&ids.trace, rules.per_mille) {
        return None;
    }
    let own: [u8; 8] = hashed("span", record, "");
    let mut spans = Vec::with_capacity(1 + record.attempts.len());
    spans.push(server(record, &ids, own, rules));
    for (at, attempt) in record.attempts.iter().enumerate() {
        spans.push(client(record, attempt, at, (ids.trace, own), rules));
    }
    Some(spans)
}

/// The last 56 bits of a trace's id are its chance, as W3C Trace Context level 2 has it: the highest ones are kept.
pub(super) fn is_kept(trace: &[u8; 16], per_mille: u64) -> bool {
    let chance = trace.iter().skip(9).fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let left_out = u128::from(1000 - per_mille.min(1000)) * (1 << 56) / 1000;
    u128::from(chance) >= left_out
}

fn server(record: &GenerationRecord, ids: &Ids, own: [u8; 8], rules: &Rules<'_>) -> Span {
    let operation = operation(&record.dialect);
    let asked = if record.requested_model.is_empty() { &record.model } else { &record.requested_model };
    let is_error = matches!(record.status, Status::Truncated) || record.http_status >= 500;
    let code = if is_error { StatusCode::Error } else { StatusCode::Unset };
    let mut all = Attributes::default();
    all.text("gen_ai.operation.name", operation);
    all.text("gen_ai.request.model", asked);
    answer(&mut all, record);
    units(&mut all, record);
    circumstances(&mut all, record, rules);
    let first = record.ttft_us.map(|us| event("first_content", after(record.created, us)));
    Span {
        trace_id: ids.trace.to_vec(),
        span_id: own.to_vec(),
        parent_span_id: ids.parent.map(|parent| parent.to_vec()).unwrap_or_default(),
        flags: PARENT_IS_REMOTE | record.traceparent.map_or(1, |caller| u32::from(caller.flags)),
        name: format!("{operation} {asked}").trim_end().chars().take(NAME_CHARS_MAX).collect(),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: after(record.created, 0),
        end_time_unix_nano: after(record.created, record.duration_us),
        attributes: all.0,
        events: first.into_iter().collect(),
        status: Some(SpanStatus { message: String::new(), code: code.into() }),
        ..Span::default()
    }
}

fn client(
    record: &GenerationRecord,
    attempt: &Attempt,
    at: usize,
    (trace, parent): ([u8; 16], [u8; 8]),
    rules: &Rules<'_>,
) -> Span {
    let operation = operation(&record.dialect);
    let place = (rules.place)(&attempt.endpoint).unwrap_or_default();
    let is_error = !NO_ERRORS.contains(&attempt.outcome.as_str());
    let code = if is_error { StatusCode::Error } else { StatusCode::Unset };
    let mut all = Attributes::default();
    all.text("gen_ai.operation.name", operation);
    all.text("gen_ai.provider.name", provider(attempt.endpoint.split('/').next().unwrap_or_default()));
    all.text("gen_ai.request.model", &place.model);
    // An own key may have an address of its own, which is the account's business.
    if let Some((host, port)) = place.server.filter(|_| attempt.byok_key.is_none()) {
        all.text("server.address", &host);
        all.int("server.port", i64::from(port));
    }
    if attempt.status > 0 {
        all.int("http.response.status_code", i64::from(attempt.status));
    }
    if is_error {
        all.text("error.type", error_type(&attempt.outcome, attempt.status));
    }
    all.text("tollway.endpoint", &attempt.endpoint);
    all.int("tollway.attempt.number", i64::try_from(at + 1).unwrap_or(i64::MAX));
    if is_stable_name(&attempt.outcome) {
        all.text("tollway.attempt.outcome", &attempt.outcome);
    }
    all.int("tollway.attempt.provider_nano_usd", attempt.cost.nanos());
    all.optional("tollway.byok.key", attempt.byok_key.as_deref());
    let first = attempt.first_byte_us.map(|us| event("first_byte", after(record.created, us)));
    Span {
        trace_id: trace.to_vec(),
        span_id: hashed::<8>("attempt", record, &at.to_string()).to_vec(),
        parent_span_id: parent.to_vec(),
        flags: PARENT_IS_LOCAL | record.traceparent.map_or(1, |caller| u32::from(caller.flags)),
        name: format!(
            "{operation} {}",
            if place.model.is_empty() { &attempt.endpoint } else { &place.model }
        ),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: after(record.created, attempt.started_us),
        end_time_unix_nano: after(record.created, attempt.ended_us.max(attempt.started_us)),
        attributes: all.0,
        events: first.into_iter().collect(),
        status: Some(SpanStatus { message: String::new(), code: code.into() }),
        ..Span::default()
    }
}

/// Who answered, and how it ended.
fn answer(all: &mut Attributes, record: &GenerationRecord) {
    all.text("gen_ai.provider.name", provider(&record.provider));
    all.text("gen_ai.response.model", &record.model);
    all.text("gen_ai.response.id", record.id.as_str());
    let finish = match (&record.finish_reason, record.status) {
        (Some(reason), _) => Some(reason.as_str()),
        // The convention's word for an answer that began and did not end as it should.
        (None, Status::Truncated | Status::Cancelled) => Some("error"),
        (None, _) => None,
    };
    all.list("gen_ai.response.finish_reasons", finish);
    if record.streamed {
        all.flag("gen_ai.request.stream", true);
        if let Some(us) = record.ttft_us {
            all.seconds("gen_ai.response.time_to_first_chunk", us);
        }
    }
    all.text("http.request.method", "POST");
    if record.http_status > 0 {
        all.int("http.response.status_code", i64::from(record.http_status));
    }
    if let Some(error) = &record.error {
        all.text("error.type", error_type(error, record.http_status));
    }
    all.text("tollway.status", record.status.name());
    all.text("tollway.endpoint", &record.endpoint);
    all.int("tollway.attempts", i64::try_from(record.attempts.len()).unwrap_or(i64::MAX));
    all.optional("tollway.response.upstream_id", record.upstream_id.as_deref());
    all.optional("tollway.on_disconnect", record.on_disconnect.as_deref());
    all.optional("tollway.cache.source", record.cache_source.as_ref().map(|id| id.as_str()));
    if let Some(escalated) = &record.escalated {
        all.text("tollway.escalated.from", &escalated.from);
        all.text("tollway.escalated.why", &escalated.why);
    }
}

/// Tokens, other units and money.
fn units(all: &mut Attributes, record: &GenerationRecord) {
    let usage = &record.usage;
    all.units("gen_ai.usage.input_tokens", usage.input_total(), true);
    all.units("gen_ai.usage.output_tokens", usage.output_total(), true);
    let writes = usage.cache_write.saturating_add(usage.cache_write_1h);
    for (name, units) in [
        ("gen_ai.usage.cache_read.input_tokens", usage.cache_read),
        ("gen_ai.usage.cache_write.input_tokens", writes),
        ("gen_ai.usage.audio.input_tokens", usage.audio_input),
        ("gen_ai.usage.image.input_tokens", usage.image_input),
        ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
        ("gen_ai.usage.audio.output_tokens", usage.audio_output),
        ("gen_ai.usage.image.output_tokens", usage.image_output),
        ("tollway.usage.searches", usage.searches),
        ("tollway.usage.images", usage.images),
        ("tollway.usage.audio_seconds", usage.audio_seconds),
        ("tollway.usage.characters", usage.characters),
    ] {
        all.units(name, units, false);
    }
    all.text("tollway.usage.source", source(record));
    all.int("tollway.cost.charged_nano_usd", record.charged.nanos());
    all.int("tollway.cost.list_nano_usd", record.cost.total.nanos());
    all.int("tollway.cost.provider_nano_usd", record.provider_cost.nanos());
    for line in &record.cost.lines {
        all.int(&format!("tollway.cost.list.{}_nano_usd", line.kind.name()), line.amount.nanos());
    }
    all.text("tollway.paid_by", record.paid_by());
    all.text("tollway.price_version", &record.price_version);
    all.optional("tollway.byok.key", record.byok_key.as_deref());
    all.optional("tollway.waived", record.waived.as_deref());
}

/// Who asked, and under which rules.
fn circumstances(all: &mut Attributes, record: &GenerationRecord, rules: &Rules<'_>) {
    all.text("tollway.generation.id", record.id.as_str());
    all.text("tollway.account.id", record.account.as_str());
    all.text("tollway.key.id", record.key.as_str());
    all.text("tollway.dialect", &record.dialect);
    let counted = |kind: &'static str| record.counted.iter().filter_map(move |one| one.strip_prefix(kind));
    all.optional("tollway.project", counted("project:").next());
    all.list("tollway.tags", counted("tag:"));
    all.optional("gen_ai.conversation.id", record.session_id.as_deref());
    all.optional("tollway.policy", record.policy.as_deref());
    all.optional("tollway.preset", record.preset.as_deref());
    all.optional("tollway.task", record.routed.as_ref().map(|routed| routed.task.as_str()));
    all.list("tollway.warnings", record.warnings.iter().map(|warning| warning.code.as_str()));
    let found: Vec<String> = record
        .guardrails
        .iter()
        .map(|one| format!("{}:{}:{}:{}", one.direction, one.kind, one.action, one.count))
        .collect();
    all.list("tollway.guardrails", found.iter().map(String::as_str));
    if let Some((user, secret)) = record.user.as_deref().zip(rules.user_secret) {
        all.text("user.hash", &user_hash(record.account.as_str(), user, secret));
    }
    if rules.caller_labels {
        let app = record.app.as_ref();
        all.optional("tollway.app.title", app.and_then(|app| app.title.as_deref()));
        all.optional("tollway.app.referer", app.and_then(|app| app.referer.as_deref()));
        for (name, value) in &record.dimensions {
            all.text(&format!("tollway.meta.{name}"), value);
        }
    }
}

/// The convention's name of what a dialect asks for.
fn operation(dialect: &str) -> &str {
    match dialect {
        "openai_chat" | "openai_responses" | "anthropic_messages" | "bedrock_converse" | "cohere"
        | "ollama" => "chat",
        "openai_completions" => "text_completion",
        "gemini" => "generate_content",
        other => other,
    }
}

/// The convention's name of a provider, where it has one; else our slug. Nobody reached: the convention wants a name all the same.
fn provider(slug: &str) -> &str {
    match slug {
        "" => "_OTHER",
        "amazon-bedrock" => "aws.bedrock",
        "azure" => "azure.ai.openai",
        "google" => "gcp.gemini",
        "google-vertex" | "google-vertex-anthropic" => "gcp.vertex_ai",
        "mistral" => "mistral_ai",
        "moonshotai" => "moonshot_ai",
        "xai" => "x_ai",
        other => other,
    }
}

fn source(record: &GenerationRecord) -> &'static str {
    match record.usage_source {
        types::UsageSource::Provider => "provider",
        types::UsageSource::Estimated => "estimated",
        types::UsageSource::None => "none",
    }
}

/// A name of ours or of the provider's; what a provider wrote that is no name is left out.
fn error_type(name: &str, status: u16) -> &str {
    match (is_stable_name(name), status) {
        (true, _) => name,
        (false, 400..=499) => "http_4xx",
        (false, 500..=599) => "http_5xx",
        (false, _) => "_OTHER",
    }
}

fn user_hash(account: &str, user: &str, secret: &[u8]) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(account.as_bytes());
    mac.update(b"\n");
    mac.update(user.as_bytes());
    mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that are always the same for a generation. Never all zero, which would be no id.
fn hashed<const N: usize>(what: &str, record: &GenerationRecord, more: &str) -> [u8; N] {
    let digest =
        Sha256::new().chain_update(what).chain_update(record.id.as_str()).chain_update(more).finalize();
    let mut out = [0; N];
    out.iter_mut().zip(digest).for_each(|(slot, byte)| *slot = byte);
    if out == [0; N] { [1; N] } else { out }
}

/// Bytes of exactly so many hex digits, not all zero.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).ok()?;
        *slot = u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
    }
    (out != [0; N]).then_some(out)
}

/// Nanoseconds since 1970, so many microseconds after an instant.
fn after(start: Timestamp, us: i64) -> u64 {
    let micros = start.micros().saturating_add(us.max(0)).max(0);
    micros.unsigned_abs().saturating_mul(1000)
}

fn event(name: &str, at: u64) -> Event {
    Event { time_unix_nano: at, name: name.to_owned(), ..Event::default() }
}

/// Attributes of the resource that every span belongs to; later ones win.
pub(crate) fn resource(pairs: &[(&str, &str)]) -> Vec<KeyValue> {
    let mut all = Attributes::default();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if pairs.iter().skip(at + 1).all(|(later, _)| later != name) {
            all.text(name, value);
        }
    }
    all.0
}
