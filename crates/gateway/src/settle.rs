//! The end of a generation: usage to cost, cost to the hold, the record to the journal. Exactly once, whatever happens.
//!
//! A [`Flight`] is a call that has begun. [`Flight::settle`] consumes it; one that is dropped (its client left, its task
//! panicked) settles itself as cancelled. Nothing else ends a hold.
//!
//! What is billed:
//! - what the provider reported, when it reported anything;
//! - else, if the answer or a part of it was delivered, or the request had reached the provider when the client left: the
//!   request's and the answer's text by a tokenizer (`wire::tally`), marked `estimated`;
//! - for images, speech and the like: what the request told before, marked `estimated` too;
//! - nothing for an answer of the response cache, whose record names the generation that it is from;
//! - nothing when no attempt brought an answer, and never for an error's text;
//! - nothing for an answer that says nothing: no text, no call, no output that the provider reports (`leaving`). What the
//!   provider takes for it is the operator's, and the record says so.
//!
//! Where an own key of the account's paid the provider, the cost is recorded at list price and the account is charged the fee.
//!
//! A charge never exceeds what the hold can still obtain: the rest is written off, so that no balance goes below zero.

mod aside;
mod departed;
mod paying;
mod told;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use catalog::OnDisconnect;
use ledger::{Attempt, GenerationRecord, Hold, Refusal, Status};
use tokio::time::Instant;
use types::{Cost, GenerationId, Money, PriceKind, Timestamp, Usage, UsageSource};
use wire::Warning;
use wire::hub::{Ident, Settlement};
use wire::tally::{self, Request, Tally};

use self::told::{metadata_json, static_code};
use crate::app::{Gateway, Worker};
use crate::byok::Payer;
use crate::care::Sent;
use crate::crash;
use crate::error::GatewayError;
use crate::journal::JournalError;
use crate::keys::Permit;
use crate::leaving::{EMPTY_ANSWER, Leaving, says_nothing};
use crate::retries::Question;
use crate::sticky::Conversation;
use crate::terms::Pricing;

/// Bytes of delivered text that count as a token for the growth of a hold: fewer, so that a hold runs ahead of the bill.
const BYTES_PER_TOKEN_HOLD: u64 = 3;

/// A place among the calls in flight of this node.
#[derive(Debug)]
pub struct Slot(Arc<Worker>);

impl Slot {
    /// Takes a place; `Err` holds the maximum.
    pub fn take(worker: &Arc<Worker>) -> Result<Slot, usize> {
        let gateway = &worker.gateway;
        let before = gateway.metrics.in_flight.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(Arc::clone(worker));
        let max = gateway.settings.requests_in_flight_max;
        if usize::try_from(before).is_ok_and(|before| before >= max) { Err(max) } else { Ok(slot) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.gateway.metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call that has begun and is not settled yet.
#[derive(Debug)]
pub struct Flight(Option<Box<Inner>>);

#[derive(Debug)]
struct Inner {
    worker: Arc<Worker>,
    slot: Slot,
    permit: Permit,
    hold: Hold,
    payer: Payer,
    record: GenerationRecord,
    started: Instant,
    input_tokens: u64,
    read: Request,
    expected: Option<Usage>,
    /// Warnings that hold whoever answers; what comes after them is the present attempt's.
    own_warnings: Option<usize>,
    /// A request of the present attempt was written to a provider.
    sent: Sent,
    /// How its caller left.
    leaving: Option<Leaving>,
    /// Delivered bytes up to which the hold covers the output.
    covered_bytes: u64,
    metadata: Option<serde_json::Value>,
    conversation: Option<Conversation>,
    on_disconnect: OnDisconnect,
    earns_hedges: bool,
    earns_escalations: bool,
    question: Option<Question>,
}

/// What a flight begins with.
pub struct Departure {
    /// The thread that carries it.
    pub worker: Arc<Worker>,
    /// Its place on the node.
    pub slot: Slot,
    /// Its place on the key.
    pub permit: Permit,
    /// Money set aside.
    pub hold: Hold,
    /// Whose it is.
    pub(crate) payer: Payer,
    /// The record, as far as it is known.
    pub record: GenerationRecord,
    /// When it began, by the clock that can't jump.
    pub started: Instant,
    /// A likely count of input tokens.
    pub input_tokens: u64,
    /// What the model is to read, should nobody count it.
    pub read: Request,
    /// What it will likely use, where the request itself tells: everywhere but in conversations.
    pub expected: Option<Usage>,
    /// The plan, when the caller wants to see it.
    pub metadata: Option<serde_json::Value>,
    /// The conversation that it belongs to.
    pub conversation: Option<Conversation>,
    /// What is asked of a virtual model, for noticing who asks it again.
    pub question: Option<Question>,
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What the client was told.
    pub http_status: u16,
    /// What the provider reported.
    pub usage: Option<Usage>,
    /// What the model wrote.
    pub said: Tally,
    /// It called tools.
    pub calls: bool,
    /// Why it stopped.
    pub finish_reason: Option<String>,
    /// The provider's id.
    pub upstream_id: Option<String>,
    /// The stable name of the error.
    pub error: Option<&'static str>,
}

impl Flight {
    /// Begins. From here on the hold ends by settling only.
    pub fn begin(from: Departure) -> Flight {
        from.worker.gateway.metrics.holds_open.fetch_add(1, Ordering::Relaxed);
        // An answer of the cache costs nothing, however long it is.
        let covered_bytes = if from.record.cache_source.is_some() { u64::MAX } else { 0 };
        Flight(Some(Box::new(Inner {
            worker: from.worker,
            slot: from.slot,
            permit: from.permit,
            hold: from.hold,
            payer: from.payer,
            record: from.record,
            started: from.started,
            input_tokens: from.input_tokens,
            read: from.read,
            expected: from.expected,
            own_warnings: None,
            sent: Sent::of_this_call(),
            leaving: None,
            covered_bytes,
            metadata: from.metadata,
            conversation: from.conversation,
            on_disconnect: OnDisconnect::Cancel,
            earns_hedges: false,
            earns_escalations: false,
            question: from.question,
        })))
    }

    /// Its id.
    pub fn id(&self) -> Option<GenerationId> {
        self.0.as_ref().map(|inner| inner.record.id)
    }

    /// The process that it is part of.
    pub(crate) fn gateway(&self) -> Option<&Arc<Gateway>> {
        self.0.as_ref().map(|inner| &inner.worker.gateway)
    }

    /// Microseconds since it began.
    pub fn elapsed_us(&self) -> i64 {
        self.0.as_ref().map_or(0, |inner| inner.elapsed_us())
    }

    /// Attempts so far.
    pub fn attempts(&self) -> &[Attempt] {
        self.0.as_ref().map_or(&[], |inner| &inner.record.attempts)
    }

    /// When the request began: for prices.
    pub fn created(&self) -> Timestamp {
        self.0.as_ref().map_or(Timestamp(0), |inner| inner.record.created)
    }

    /// Notes an attempt that is over or, with the first byte, committed.
    pub fn note(&mut self, attempt: Attempt) {
        if let Some(inner) = &mut self.0 {
            inner.record.attempts.push(attempt);
        }
    }

    /// Notes an attempt that another was quicker than, before the one that won. What it cost is the operator's.
    pub fn lost(&mut self, attempt: Attempt) {
        let Some(inner) = &mut self.0 else { return };
        let attempts = &mut inner.record.attempts;
        let won = usize::from(attempts.last().is_some_and(|last| last.outcome == "ok"));
        attempts.insert(attempts.len() - won, attempt);
    }

    /// What it costs fills the budget of hedges.
    pub fn earns_hedges(&mut self) {
        if let Some(inner) = &mut self.0 {
            inner.earns_hedges = true;
        }
    }

    /// Notes that content begins to flow.
    pub fn first_byte(&mut self) {
        if let Some(inner) = &mut self.0 {
            inner.record.ttft_us = Some(inner.elapsed_us());
        }
    }

    /// Set while a request of the present attempt is at a provider.
    pub fn sent(&mut self) -> Option<&mut Sent> {
        self.0.as_mut().map(|inner| &mut inner.sent)
    }

    /// Takes the endpoint of the present attempt: its names and its prices.
    pub fn aim(&mut self, snapshot: &catalog::Snapshot, endpoint: &catalog::Endpoint) {
        let Some(inner) = &mut self.0 else { return };
        inner.sent.set(false);
        let record = &mut inner.record;
        let own_warnings = *inner.own_warnings.get_or_insert(record.warnings.len());
        record.warnings.truncate(own_warnings);
        record.endpoint = endpoint.id.to_string();
        record.model = snapshot.models.get(endpoint.model).map_or_else(String::new, |m| m.id.to_string());
        record.provider =
            snapshot.providers.get(endpoint.provider).map_or_else(String::new, |p| p.id.to_string());
        record.price_version = endpoint.price_version.to_string();
        record.price_sheet = Arc::clone(&endpoint.price);
        record.terms = Pricing::of(&inner.worker.gateway, &record.account).terms(&record.model);
        inner.covered_bytes = inner.covered();
    }

    /// Adds warnings to the record and to the answer.
    pub fn warn(&mut self, warnings: &[Warning]) {
        let Some(inner) = &mut self.0 else { return };
        for warning in warnings {
            let (code, pointer) = (warning.code.to_owned(), warning.pointer.clone());
            let warning = ledger::Warning { code, pointer, message: warning.message.clone() };
            if !inner.record.warnings.contains(&warning) {
                inner.record.warnings.push(warning);
            }
        }
    }

    /// Notes what guardrails found, and tells the caller.
    pub(crate) fn guarded(&mut self, tally: &guardrails::Tally) {
        let Some(inner) = &mut self.0 else { return };
        inner.worker.gateway.metrics.guarded(tally);
        told::guarded(&mut inner.record, tally);
    }

    /// How many warnings there are so far.
    pub fn warning_count(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.record.warnings.len())
    }

    /// How many of them hold whoever answers.
    pub fn own_warnings(&self) -> usize {
        self.0.as_ref().and_then(|inner| inner.own_warnings).unwrap_or_default()
    }

    /// Keeps what the answer's calls were sealed with.
    pub fn keep_seals(&self, calls: &[wire::hub::SealedCall]) {
        if let Some(inner) = &self.0 {
            inner.worker.gateway.seals.keep(&inner.record.account, calls);
        }
    }

    /// The rule that holds when the client leaves.
    pub fn on_disconnect(&mut self, rule: OnDisconnect) {
        if let Some(inner) = &mut self.0 {
            inner.on_disconnect = rule;
            inner.sent.care().into_iter().for_each(|care| care.aim(rule));
        }
    }

    /// Notes how its caller left.
    pub fn left(&mut self, leaving: Leaving) {
        if let Some(inner) = &mut self.0 {
            inner.leaving = Some(leaving);
        }
    }

    /// When its caller left, where nobody waits for the answer any more.
    pub(crate) fn abandoned(&self) -> Option<Instant> {
        let care = self.0.as_ref().and_then(|inner| inner.sent.care())?;
        care.left().filter(|_| care.is_abandoned())
    }

    /// The names that our answer carries.
    pub fn ident(&self, provider_json: &str) -> Ident {
        let (id, model) = self.0.as_ref().map_or_else(Default::default, |inner| {
            (inner.record.id.to_string(), wire::json::quote(&inner.record.model))
        });
        let created = self.created().seconds();
        Ident { id, model, provider: provider_json.to_owned(), created, ..Ident::default() }
    }

    /// Keeps the hold ahead of what has been delivered; an error when it can't grow.
    pub fn cover(&mut self, content_bytes: u64) -> Result<(), Box<Refusal>> {
        let Some(inner) = &mut self.0 else { return Ok(()) };
        if content_bytes <= inner.covered_bytes {
            return Ok(());
        }
        let tokens = inner.worker.gateway.settings.hold_output_tokens.max(1);
        let step = inner.output_cost(tokens);
        inner.hold.grow(step).map_err(Box::new)?;
        inner.covered_bytes =
            inner.covered_bytes.max(content_bytes).saturating_add(tokens * BYTES_PER_TOKEN_HOLD);
        Ok(())
    }

    /// Ends the call: cost, hold, record. What comes back is what the last bytes tell the client.
    pub fn settle(mut self, outcome: Outcome) -> Result<Settlement, JournalError> {
        match self.0.take() {
            Some(inner) => inner.settle(outcome),
            None => Err(JournalError::Lost),
        }
    }

    /// Whether this call's tokens have to be counted here, and what counts is not loaded yet.
    pub fn awaits_tokenizer(&self, reported: Option<&Usage>) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.awaits_tokenizer(reported))
    }

    /// Ends a call whose client is gone: nobody waits for what comes of it.
    pub fn leave(mut self, outcome: Outcome) {
        if let Some(inner) = self.0.take() {
            inner.leave(outcome);
        }
    }

    /// Ends a call that brought no answer, for the reason that the client is told.
    pub fn fail(self, error: &GatewayError) {
        let (http_status, kind) = error.kind();
        // The client gets the error either way; a record that waits in memory is not lost.
        let _ = self.settle(Outcome {
            status: Status::Failed,
            http_status,
            error: Some(kind),
            ..Outcome::default()
        });
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(inner) = self.0.take() {
            inner.leave(Outcome { status: Status::Cancelled, ..Outcome::default() });
        }
    }
}

impl Inner {
    fn elapsed_us(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn output_cost(&self, tokens: u64) -> Money {
        let usage = Usage { input: self.input_tokens, output: tokens, ..Usage::default() };
        self.charge(self.cost(&usage).output())
    }

    fn cost(&self, usage: &Usage) -> Cost {
        self.record.price_sheet.cost(usage, self.record.created).unwrap_or_else(|error| {
            // Endpoints with an unknown price are not routable, so this is a bug worth a line.
            tracing::error!(generation = %self.record.id, %error, "usage without a price was not billed");
            Cost::default()
        })
    }

    /// What is to be paid for a cost: under the account's terms, or the fee of an own key.
    fn charge(&self, cost: Money) -> Money {
        match self.record.terms.filter(|_| !self.payer.is_own()) {
            Some(terms) => terms.charge(cost).total,
            None => self.payer.price(cost),
        }
    }

    /// Output bytes that the present hold pays for.
    fn covered(&self) -> u64 {
        let input = self.cost(&Usage { input: self.input_tokens, requests: 1, ..Usage::default() }).total;
        let held = self.payer.covers(self.hold.amount());
        let held = match self.record.terms.filter(|_| !self.payer.is_own()) {
            Some(terms) => terms.cost_within(held),
            None => held,
        };
        let left = held.saturating_sub(input).nanos().max(0).unsigned_abs();
        let price =
            self.record.price_sheet.resolve(PriceKind::Output, self.input_tokens, self.record.created);
        let rate = price
            .and_then(|(_, quote)| quote.rate())
            .map_or(0, |rate| rate.nanos_per_million().unsigned_abs());
        if rate == 0 {
            return u64::MAX;
        }
        let tokens = u128::from(left) * 1_000_000 / u128::from(rate);
        u64::try_from(tokens).unwrap_or(u64::MAX).saturating_mul(BYTES_PER_TOKEN_HOLD)
    }

    fn used(&self, outcome: &Outcome) -> (Usage, UsageSource) {
        if self.record.cache_source.is_some() {
            return (Usage::default(), UsageSource::None);
        }
        if let Some(usage) = outcome.usage.filter(|_| outcome.status != Status::Failed) {
            let usage = Usage { requests: 1, ..usage };
            if self.expected.is_none() || self.is_charged_for(&usage) {
                return (usage, UsageSource::Provider);
            }
        }
        let delivered = match outcome.status {
            Status::Ok | Status::Truncated => true,
            Status::Cancelled => self.sent.is(),
            Status::Failed => false,
        };
        if !delivered {
            return (Usage::default(), UsageSource::None);
        }
        if let Some(expected) = self.expected {
            // Who left before there was an image or a sound pays for what was read only.
            let nothing_came = outcome.status == Status::Cancelled;
            let read = Usage { output: 0, audio_output: 0, image_output: 0, images: 0, ..expected };
            return (if nothing_came { read } else { expected }, UsageSource::Estimated);
        }
        let (input, output) = (self.read.tokens(), outcome.said.tokens());
        (Usage { input, output, requests: 1, ..Usage::default() }, UsageSource::Estimated)
    }

    /// Lets the conversation stay at the endpoint that has its prompt cached now.
    fn stay(&self, outcome: &Outcome, usage: &Usage) {
        // A better model was asked once; that is no reason to stay with it.
        let stays = outcome.status == Status::Ok && self.record.escalated.is_none();
        let Some(conversation) = self.conversation.filter(|_| stays) else { return };
        let sheet = &self.record.price_sheet;
        let rate = |kind| sheet.quote(kind).and_then(|quote| quote.rate());
        let saves = usage.cache_read > 0 && rate(PriceKind::CacheRead) < rate(PriceKind::Input);
        if conversation.named || saves {
            let now = self.worker.gateway.clock.now();
            self.worker.gateway.pins.keep(conversation, &self.record.endpoint, now);
        }
    }

    /// Settles; elsewhere where the tokenizer's vocabulary has to be loaded first, which takes a while.
    fn leave(self: Box<Self>, outcome: Outcome) {
        let counts = self.awaits_tokenizer(outcome.usage.as_ref())
            || (outcome.said.bytes() > 0 && !tally::is_loaded());
        if self.sent.is() && counts {
            let control = self.worker.gateway.control.clone();
            drop(control.spawn_blocking(move || {
                tally::load();
                drop(self.settle(outcome));
            }));
        } else {
            drop(self.settle(outcome));
        }
    }

    fn awaits_tokenizer(&self, reported: Option<&Usage>) -> bool {
        let counts = self.expected.is_none() && self.record.cache_source.is_none();
        reported.is_none() && counts && !tally::is_loaded()
    }

    /// Whether usage has any of the units that the sheet charges for. A provider that is paid by tokens and reports only that
    /// it made an image has reported nothing.
    fn is_charged_for(&self, usage: &Usage) -> bool {
        let asks = self.record.price_sheet.quotes.iter().any(|(kind, _)| *kind != PriceKind::Requests);
        !asks || self.cost(usage).lines.iter().any(|line| line.kind != PriceKind::Requests)
    }

    fn settle(mut self: Box<Self>, outcome: Outcome) -> Result<Settlement, JournalError> {
        let (usage, source) = self.used(&outcome);
        let cost = if source == UsageSource::None { Cost::default() } else { self.cost(&usage) };
        let duration_us = self.elapsed_us();
        self.stay(&outcome, &usage);
        self.evidence(&outcome);
        let empty = self.expected.is_none() && says_nothing(&outcome, &usage) && cost.total > Money::ZERO;
        let Inner { worker, slot, mut permit, hold, payer, mut record, metadata, sent, question, .. } = *self;
        if self.earns_hedges {
            worker.gateway.hedges.lock().paid(cost.total);
        }
        if self.earns_escalations {
            worker.gateway.escalations.lock().paid(cost.total);
        }
        // A fee is of the list price.
        record.terms = record.terms.filter(|_| cost.total > Money::ZERO && !payer.is_own());
        let due = payer.price(record.terms.map_or(cost.total, |terms| terms.charge(cost.total).total));
        let charged = hold.settle(if empty { Money::ZERO } else { due }).charged;
        let ours = paying::paid(&mut record, payer, cost.total, due);
        permit.used(usage.input_total().saturating_add(usage.output_total()), worker.gateway.clock.now());
        drop((slot, permit));
        record.waived = empty.then(|| EMPTY_ANSWER.to_owned());

        if outcome.status == Status::Cancelled {
            worker.gateway.metrics.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        (record.usage, record.usage_source) = (usage, source);
        (record.charged, record.duration_us) = (charged, duration_us);
        let is_whole = outcome.status == Status::Ok;
        ended(&mut record, outcome, ours);
        crate::feedback::learn(&worker.gateway, &record);
        if let Some(question) = question {
            worker.gateway.retries.answered(question, &record, worker.gateway.clock.now());
        }
        let list = record.byok_key.is_some().then_some(cost.total);
        let paid = list.unwrap_or(charged);
        let input_cost = match record.terms {
            Some(terms) => terms.charge(cost.input()).total.min(paid),
            None => cost.input().min(paid),
        };
        record.cost = cost;
        sent.care().into_iter().for_each(|care| care.settled(is_whole, charged));
        crash::point("settle");
        let appended = worker.gateway.journal.append(worker.number, &mut record);
        crash::point("booked");
        let metrics = &worker.gateway.metrics;
        metrics.holds_open.fetch_sub(1, Ordering::Relaxed);
        metrics.charged_nano_usd.fetch_add(charged.nanos().max(0).unsigned_abs(), Ordering::Relaxed);
        if appended == Err(JournalError::Lost) {
            tracing::error!(generation = %record.id, charged = %charged, "a record is lost: the journal and its backlog are full");
        }
        appended?;
        let slug = worker.gateway.settings.brand.slug.clone();
        Ok(Settlement {
            usage,
            source,
            cost: charged,
            input_cost,
            output_cost: paid.saturating_sub(input_cost),
            own_key_cost: list,
            metadata: metadata.map(|plan| (slug, metadata_json(&record, &plan))),
            warnings: record
                .warnings
                .into_iter()
                .map(|w| Warning { code: static_code(&w.code), pointer: w.pointer, message: w.message })
                .collect(),
        })
    }
}

/// Writes down how it ended, and what providers take: `ours` for the attempt that answered.
fn ended(record: &mut GenerationRecord, outcome: Outcome, ours: Money) {
    record.status = outcome.status;
    record.http_status = outcome.http_status;
    record.finish_reason = outcome.finish_reason;
    record.upstream_id = outcome.upstream_id;
    record.error = outcome.error.map(str::to_owned);
    // What losers of a hedge and answers that were set aside cost is nobody's but the operator's.
    let lost: Money = record.attempts.iter().map(|attempt| attempt.cost).sum();
    record.provider_cost = ours.saturating_add(lost);
    let answering = aside::answering(&mut record.attempts).filter(|_| outcome.status != Status::Failed);
    if let Some(last) = answering {
        last.ended_us = record.duration_us;
        last.cost = ours;
    }
}
