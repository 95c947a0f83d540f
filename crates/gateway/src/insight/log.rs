//! `GET /v1/generations`: the log of the caller's generations, newest first, by any of what is known of them; `GET /v1/traces/{id}`:
//! the calls of one trace, oldest first, with what they come to.
//!
//! A page has at most `limit` generations and a `next_cursor` where there may be more. Where little matches, a page can have fewer
//! and go on all the same: so many rows are looked at for one page, and no more.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use ledger::GenerationRecord;
use serde_json::{Map, Value, json};
use store::{LOG_PAGE_MAX, Listed, LogCursor, LogFilter, LogNumber, LogText, LogTotals, Said};
use types::{GenerationId, Money, Timestamp};

use super::{Scope, invalid, key_named};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::generation::milliseconds;
use crate::key::rfc3339;
use crate::router;

/// Generations of a page where the caller doesn't say.
const PAGE: i64 = 50;
/// Most calls of a trace that are shown.
const TRACE_MAX: i64 = 500;
/// Longest text that is looked for.
const TEXT_CHARS_MAX: usize = 256;

/// Texts by the names that they are asked for by.
const TEXTS: [(&str, LogText); 14] = [
    ("model", LogText::Model),
    ("provider", LogText::Provider),
    ("status", LogText::Status),
    ("finish_reason", LogText::FinishReason),
    ("error", LogText::Error),
    ("session_id", LogText::Session),
    ("trace_id", LogText::Trace),
    ("user", LogText::User),
    ("external_user", LogText::User),
    ("app", LogText::App),
    ("tag", LogText::Tag),
    ("key", LogText::Key),
    ("api_key_id", LogText::Key),
    ("api_key_hash", LogText::Key),
];

/// Numbers by name, each with `min_` or `max_` before it.
const NUMBERS: [(&str, LogNumber); 5] = [
    ("cost_usd", LogNumber::Cost),
    ("duration_ms", LogNumber::Duration),
    ("ttft_ms", LogNumber::Ttft),
    ("input_tokens", LogNumber::InputTokens),
    ("output_tokens", LogNumber::OutputTokens),
];

/// What a caller asks of the log.
#[derive(Debug, Default)]
struct Asked {
    filter: LogFilter,
    limit: i64,
    cursor: Option<LogCursor>,
}

impl Asked {
    fn read(query: &[(String, String)], key: impl Fn(&str) -> Option<String>) -> Result<Asked, GatewayError> {
        let mut asked = Asked { limit: PAGE, ..Asked::default() };
        for (name, value) in query {
            asked.take(name, value, &key)?;
        }
        Ok(asked)
    }

    fn take(
        &mut self,
        name: &str,
        value: &str,
        key: impl Fn(&str) -> Option<String>,
    ) -> Result<(), GatewayError> {
        let filter = &mut self.filter;
        if let Some((_, text)) = TEXTS.iter().find(|(known, _)| *known == name) {
            if value.is_empty() || value.chars().count() > TEXT_CHARS_MAX {
                return Err(invalid(format!("`{name}` has 1 to {TEXT_CHARS_MAX} characters")));
            }
            // A key that was revoked long ago is known by its id only.
            let named = if *text == LogText::Key { key(value) } else { None };
            filter.texts.push((*text, named.unwrap_or_else(|| value.to_owned())));
            return Ok(());
        }
        if let Some((is_least, name)) =
            name.strip_prefix("min_").map(|n| (true, n)).or(name.strip_prefix("max_").map(|n| (false, n)))
            && let Some((_, number)) = NUMBERS.iter().find(|(known, _)| *known == name)
        {
            let bound = Some(number_of(*number, name, value)?);
            let (least, most) = if is_least { (bound, None) } else { (None, bound) };
            filter.numbers.push((*number, least, most));
            return Ok(());
        }
        match name {
            "from" | "start" => filter.from = Some(instant(name, value, false)?),
            "to" | "end" => filter.to = Some(instant(name, value, true)?),
            "feedback" => {
                filter.feedback = Some(match value {
                    "any" => Said::Something,
                    "none" => Said::Nothing,
                    "up" | "good" => Said::Good,
                    "down" | "bad" => Said::Bad,
                    _ => return Err(invalid("`feedback` is any, none, up or down")),
                });
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LOG_PAGE_MAX).contains(limit));
                self.limit = limit.ok_or_else(|| invalid(format!("`limit` is 1 to {LOG_PAGE_MAX}")))?;
            }
            "cursor" => {
                let cursor = read_cursor(value);
                self.cursor = Some(cursor.ok_or_else(|| invalid("`cursor` is what `next_cursor` said"))?);
            }
            _ => return Err(invalid(format!("`{name}` is nothing that generations are found by"))),
        }
        Ok(())
    }
}

/// An instant, or a date: its beginning, or its end where it ends a span.
fn instant(name: &str, value: &str, is_end: bool) -> Result<Timestamp, GatewayError> {
    if let Ok(at) = value.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(at.as_microsecond()));
    }
    let hour = super::span::read(value, name, is_end, true)?;
    Ok(Timestamp::from_seconds(hour.saturating_mul(3_600)))
}

fn number_of(number: LogNumber, name: &str, value: &str) -> Result<i64, GatewayError> {
    let wrong = |what: &str| invalid(format!("`{name}` is bounded by {what}"));
    match number {
        LogNumber::Cost => {
            value.parse::<Money>().map(Money::nanos).map_err(|_| wrong("plain decimal dollars such as 0.05"))
        }
        LogNumber::Duration | LogNumber::Ttft => {
            let ms = value.parse::<i64>().ok().and_then(|ms| ms.checked_mul(1_000));
            ms.ok_or_else(|| wrong("whole milliseconds"))
        }
        LogNumber::InputTokens | LogNumber::OutputTokens => {
            value.parse().map_err(|_| wrong("a whole number"))
        }
    }
}

fn write_cursor(cursor: &LogCursor) -> String {
    format!("{}.{}", cursor.created.micros(), cursor.id)
}

fn read_cursor(text: &str) -> Option<LogCursor> {
    let (created, id) = text.split_once('.')?;
    Some(LogCursor { created: Timestamp(created.parse().ok()?), id: GenerationId::parse(id)? })
}

/// Answers a page of the log; with the totals of a session or trace where one is asked for.
pub(crate) async fn list(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let scope = Scope::of(worker, parts)?;
    let key = |name: &str| key_named(worker, &scope.account, name).map(|id| id.to_string());
    let mut asked = Asked::read(&router::query(parts), key)?;
    if let Some(own) = &scope.key {
        asked.filter.texts.push((LogText::Key, own.to_string()));
    }
    let together =
        asked.filter.texts.iter().find(|(text, _)| matches!(text, LogText::Session | LogText::Trace));
    let together = together.cloned();
    let desk = Desk::open(worker, parts);
    let answer = desk.store(|gateway| async move {
        let store = &gateway.store;
        let page = store.log(&scope.account, &asked.filter, asked.cursor.as_ref(), asked.limit).await?;
        let totals = match &together {
            Some((text, value)) => {
                Some(store.log_totals(&scope.account, scope.key.as_ref(), (*text, value)).await?)
            }
            None => None,
        };
        Ok((page, totals))
    });
    let (page, totals) = answer.await?;
    let mut body = Map::new();
    body.insert("data".to_owned(), page.generations.iter().map(listed).collect());
    body.insert("next_cursor".to_owned(), json!(page.next.as_ref().map(write_cursor)));
    if let Some(totals) = totals {
        body.insert("totals".to_owned(), total(&totals));
    }
    Ok(router::json(Value::Object(body).to_string()))
}

/// The calls of one trace.
pub(crate) async fn trace(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let scope = Scope::of(worker, parts)?;
    let desk = Desk::open(worker, parts);
    let id = percent_encoding::percent_decode_str(&desk.segment("traces")).decode_utf8_lossy().into_owned();
    if id.chars().count() > TEXT_CHARS_MAX {
        return Err(GatewayError::NotFound(String::from("no trace has an id that long")));
    }
    let mut filter = LogFilter { texts: vec![(LogText::Trace, id.clone())], ..LogFilter::default() };
    if let Some(own) = &scope.key {
        filter.texts.push((LogText::Key, own.to_string()));
    }
    let name = id.clone();
    let answer = desk.store(|gateway| async move {
        let store = &gateway.store;
        let page = store.log(&scope.account, &filter, None, TRACE_MAX).await?;
        let totals = store.log_totals(&scope.account, scope.key.as_ref(), (LogText::Trace, &name)).await?;
        Ok((page, totals))
    });
    let (page, totals) = answer.await?;
    if totals.requests == 0 {
        return Err(GatewayError::NotFound(String::from(
            "no generation has that trace; it is what `trace.trace_id` in a body or a `-Meta-Trace_Id` header said",
        )));
    }
    let generations: Vec<Value> = page.generations.iter().rev().map(listed).collect();
    let body = json!({"data": {
        "id": id,
        "totals": total(&totals),
        "generations": generations,
        "truncated": totals.requests > TRACE_MAX,
    }});
    Ok(router::json(body.to_string()))
}

fn total(totals: &LogTotals) -> Value {
    json!({
        "requests": totals.requests,
        "failed": totals.failed,
        "tokens_prompt": totals.input_tokens,
        "tokens_completion": totals.output_tokens,
        "cost_usd": totals.cost.to_string(),
        "charged_usd": totals.charged.to_string(),
        "first_at": rfc3339(Timestamp(totals.first)),
        "last_at": rfc3339(Timestamp(totals.last)),
        "span_ms": milliseconds(totals.last.saturating_sub(totals.first)),
    })
}

/// A generation as the log lists it; `/v1/generation` has the rest.
pub(crate) fn listed(one: &Listed) -> Value {
    let record = &one.record;
    let usage = &record.usage;
    let money = |booked: Money, corrected: Money| booked.saturating_add(corrected).to_string();
    json!({
        "id": record.id,
        "created_at": rfc3339(record.created),
        "key": record.key,
        "model": record.model,
        "requested_model": if record.requested_model.is_empty() { &record.model } else { &record.requested_model },
        "provider": record.provider,
        "endpoint": record.endpoint,
        "api_type": record.dialect,
        "status": record.status.name(),
        "http_status": record.http_status,
        "finish_reason": record.finish_reason,
        "error": record.error,
        "streamed": record.streamed,
        "tokens_prompt": usage.input_total(),
        "tokens_completion": usage.output_total(),
        "usage": usage,
        "cost_usd": money(record.cost.total, one.cost_corrected),
        "charged_usd": money(record.charged, one.charged_corrected),
        "is_corrected": one.cost_corrected != Money::ZERO || one.charged_corrected != Money::ZERO,
        "paid_by": record.paid_by(),
        "is_cached": record.cache_source.is_some(),
        "ttft_ms": record.ttft_us.map(milliseconds),
        "duration_ms": milliseconds(record.duration_us),
        "attempts": record.attempts.len(),
        "app": record.app,
        "user": record.user,
        "session_id": record.session_id,
        "trace_id": trace_of(record),
        "tags": tags(record).collect::<Vec<_>>(),
        "dimensions": record.dimensions,
        "feedback": one.feedback,
    })
}

/// What groups a call with others.
pub(crate) fn trace_of(record: &GenerationRecord) -> Option<&String> {
    record.dimensions.get("trace.trace_id").or(record.dimensions.get("trace_id"))
}

/// The tags that a call counts for.
pub(crate) fn tags(record: &GenerationRecord) -> impl Iterator<Item = &str> {
    record.counted.iter().filter_map(|subject| subject.strip_prefix("tag:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Asked, GatewayError> {
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Asked::read(&query, |name| (name == "known").then(|| String::from("key_1")))
    }

    #[test]
    fn everything_that_generations_are_found_by_is_read() {
        let asked = read(&[
            ("from", "2026-01-31"),
            ("to", "2026-01-31"),
            ("model", "a/b"),
            ("api_key_hash", "known"),
            ("min_cost_usd", "0.000000002"),
            ("max_duration_ms", "1500"),
            ("feedback", "down"),
            ("limit", "7"),
            ("cursor", "5.gen-1767225600-AAAAAAAAAAAAAAAAAAAA"),
        ])
        .unwrap();
        let filter = &asked.filter;
        let span = filter.to.unwrap().micros() - filter.from.unwrap().micros();
        assert_eq!((span, asked.limit), (86_400_000_000, 7));
        let texts = [(LogText::Model, "a/b".to_owned()), (LogText::Key, "key_1".to_owned())];
        assert_eq!(filter.texts, texts);
        let numbers = [(LogNumber::Cost, Some(2), None), (LogNumber::Duration, None, Some(1_500_000))];
        assert_eq!((filter.numbers.as_slice(), filter.feedback), (&numbers[..], Some(Said::Bad)));
        let cursor = asked.cursor.unwrap();
        assert_eq!(read_cursor(&write_cursor(&cursor)), Some(cursor));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (name, value) in [
            ("colour", "blue"),
            ("limit", "0"),
            ("limit", "many"),
            ("cursor", "x"),
            ("feedback", "meh"),
            ("from", "then"),
            ("min_cost_usd", "1e3"),
            ("max_ttft_ms", "9223372036854775807"),
            ("model", ""),
        ] {
            assert!(read(&[(name, value)]).is_err(), "{name}={value}");
        }
        assert_eq!(read(&[("key", "key_9")]).unwrap().filter.texts, [(LogText::Key, "key_9".to_owned())]);
    }
}
