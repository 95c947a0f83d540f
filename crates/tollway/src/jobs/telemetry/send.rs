//! Brings spans to the collector, by OTLP over HTTP (opentelemetry-proto 1.x, `docs/specification.md`).
//!
//! What an answer means:
//! - 2xx: taken. It may say that some spans were not wanted; those are counted and never sent again.
//! - 429, 502, 503, 504, and no answer: later, after what `Retry-After` asks, else after a pause that doubles.
//! - 401, 403, 404: key or address are wrong. The standard would have the spans dropped; they wait instead, because they are as
//!   good as before once the operator has put it right.
//! - 413: less at once; a generation that is too large by itself is lost.
//! - anything else: refused for good, lost and counted.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use gateway::upstream::once::{self, Errand};
use gateway::upstream::retry_after;
use gateway::world::Target;
use http::{HeaderName, HeaderValue, Method, Response, header};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use types::Timestamp;

use crate::config::telemetry::{Otlp, Protocol, headers};

const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Longest pause that a collector can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// What came of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The collector has it; so many spans it did not want.
    Taken {
        /// Of those that were sent.
        rejected: u64,
    },
    /// To be tried again.
    Later {
        /// As the collector asked.
        after: Option<Duration>,
        /// Whether a person has to put something right.
        wrong: bool,
        /// For the log: the status, 0 where there was none.
        status: u16,
    },
    /// Too much at once.
    TooLarge,
    /// Never.
    Refused {
        /// For the log.
        status: u16,
    },
}

/// The collector.
pub(super) struct Collector {
    target: Target,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    protocol: Protocol,
    gzip: bool,
    timeout: Duration,
    resource: Vec<KeyValue>,
}

impl Collector {
    /// As it is configured. `traces_url` was checked with the configuration.
    pub(super) fn new(otlp: &Otlp, traces_url: &str, resource: Vec<KeyValue>) -> anyhow::Result<Collector> {
        let url = url::Url::parse(traces_url)?;
        let origin = &url[..url::Position::BeforePath];
        let target =
            Target::of_url(origin).map_err(|why| anyhow::anyhow!("telemetry.otlp.endpoint {why}"))?;
        let content = match otlp.protocol {
            Protocol::Protobuf => "application/x-protobuf",
            Protocol::Json => "application/json",
        };
        let mut all = headers(otlp);
        all.push((header::CONTENT_TYPE, HeaderValue::from_static(content)));
        if otlp.gzip {
            all.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        Ok(Collector {
            target,
            path: url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
            headers: all,
            protocol: otlp.protocol,
            gzip: otlp.gzip,
            timeout: Duration::from_millis(otlp.timeout_ms),
            resource,
        })
    }

    /// Where it is, for people.
    pub(super) fn origin(&self) -> &str {
        &self.target.origin
    }

    /// Sends spans once.
    pub(super) async fn send(&self, spans: Vec<Span>, now: Timestamp) -> anyhow::Result<Sent> {
        let body = self.body(spans)?;
        let mut headers = self.headers.clone();
        headers.push((header::CONTENT_LENGTH, HeaderValue::from(body.len())));
        let errand = Errand { method: Method::POST, path: self.path.clone(), headers, body };
        let answer = once::answer(&self.target, errand, self.timeout, ANSWER_BYTES_MAX).await;
        Ok(answer
            .map_or(Sent::Later { after: None, wrong: false, status: 0 }, |answer| self.judge(&answer, now)))
    }

    fn body(&self, spans: Vec<Span>) -> anyhow::Result<Bytes> {
        let scope = InstrumentationScope {
            name: "tollway".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource = Some(Resource { attributes: self.resource.clone(), ..Resource::default() });
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        let request = ExportTraceServiceRequest { resource_spans };
        let plain = match self.protocol {
            Protocol::Protobuf => request.encode_to_vec(),
            Protocol::Json => serde_json::to_vec(&request)?,
        };
        if !self.gzip {
            return Ok(plain.into());
        }
        let mut packed = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
        packed.write_all(&plain)?;
        Ok(packed.finish()?.into())
    }

    fn judge(&self, answer: &Response<Bytes>, now: Timestamp) -> Sent {
        let status = answer.status().as_u16();
        let after = retry_after(answer.headers(), now).map(|wait| wait.min(RETRY_AFTER_MAX));
        match status {
            200..=299 => Sent::Taken { rejected: self.rejected(answer.body()) },
            429 | 502 | 503 | 504 => Sent::Later { after, wrong: false, status },
            401 | 403 | 404 => Sent::Later { after, wrong: true, status },
            413 => Sent::TooLarge,
            _ => Sent::Refused { status },
        }
    }

    /// Spans that were not wanted. An answer that can't be read says nothing.
    fn rejected(&self, body: &[u8]) -> u64 {
        let read = match self.protocol {
            Protocol::Protobuf => ExportTraceServiceResponse::decode(body).ok(),
            Protocol::Json => json_answer(body),
        };
        let partly = read.and_then(|answer| answer.partial_success);
        partly.and_then(|partly| u64::try_from(partly.rejected_spans).ok()).unwrap_or(0)
    }
}

/// JSON writes 64-bit numbers as texts, or as numbers.
fn json_answer(body: &[u8]) -> Option<ExportTraceServiceResponse> {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let count = answer.pointer("/partialSuccess/rejectedSpans")?;
    let rejected_spans = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
    let partial_success =
        Some(ExportTracePartialSuccess { rejected_spans, ..ExportTracePartialSuccess::default() });
    Some(ExportTraceServiceResponse { partial_success })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(protocol: Protocol, status: u16, headers: &[(&str, &str)], body: &'static [u8]) -> Sent {
        let otlp = Otlp { protocol, ..Otlp::default() };
        let collector = Collector::new(&otlp, "http://127.0.0.1:4318/v1/traces", Vec::new()).unwrap();
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        collector.judge(&answer.body(Bytes::from_static(body)).unwrap(), Timestamp::from_seconds(0))
    }

    #[test]
    fn answers_are_judged_as_the_standard_has_it() {
        let later = |after: Option<u64>, wrong, status| Sent::Later {
            after: after.map(Duration::from_secs),
            wrong,
            status,
        };
        type Row = (u16, &'static [(&'static str, &'static str)], Sent);
        let rows: [Row; 12] = [
            (200, &[], Sent::Taken { rejected: 0 }),
            (202, &[], Sent::Taken { rejected: 0 }),
            (429, &[], later(None, false, 429)),
            (503, &[("retry-after", "7")], later(Some(7), false, 503)),
            (503, &[("retry-after", "Thu, 01 Jan 1970 00:00:09 GMT")], later(Some(9), false, 503)),
            (503, &[("retry-after", "86400")], later(Some(300), false, 503)),
            (502, &[], later(None, false, 502)),
            (401, &[], later(None, true, 401)),
            (404, &[], later(None, true, 404)),
            (413, &[], Sent::TooLarge),
            (400, &[], Sent::Refused { status: 400 }),
            (500, &[("retry-after", "7")], Sent::Refused { status: 500 }),
        ];
        for (status, headers, expect) in rows {
            assert_eq!(judge(Protocol::Protobuf, status, headers, b""), expect, "{status}");
        }
    }

    #[test]
    fn spans_that_were_not_wanted_are_read_from_either_form() {
        let proto = b"\x0a\x05\x08\x02\x12\x01x";
        let rows: [(Protocol, &'static [u8], u64); 6] = [
            (Protocol::Protobuf, proto, 2),
            (Protocol::Protobuf, b"not a message", 0),
            (Protocol::Json, br#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}"#, 3),
            (Protocol::Json, br#"{"partialSuccess":{"rejectedSpans":4}}"#, 4),
            (Protocol::Json, b"{}", 0),
            (Protocol::Json, b"<html>", 0),
        ];
        for (protocol, body, rejected) in rows {
            assert_eq!(judge(protocol, 200, &[], body), Sent::Taken { rejected });
        }
    }
}
