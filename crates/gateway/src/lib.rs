//! The data plane: `/v1` and `/api/v1`.
//!
//! [`router`] lists every route with who may call it; the file of a route is named after its path. A call's way is
//! `call` (take in, plan, hold), [`attempt`] (until a first byte), [`pump`] (the stream), [`settle`] (cost and record).
//! Outbound sockets are opened in [`upstream`] only.

mod access;
pub mod activity;
pub mod acts;
pub mod alerts;
pub mod announcements;
pub mod app;
pub mod attempt;
pub mod audio;
pub mod auth;
mod bill;
mod body;
mod budgets;
pub mod byok;
pub mod cache;
mod call;
mod care;
mod cascade;
pub mod catalog_feeds;
pub mod chat;
pub mod completions;
pub mod contents;
mod count;
mod course;
pub mod crash;
pub mod credits;
mod csv;
mod desk;
pub mod embeddings;
pub mod error;
mod feedback;
mod filling;
pub mod frames;
pub mod gemini;
pub mod generation;
pub mod guarding;
mod guardrails;
pub mod health;
mod hold;
pub mod idempotency;
pub mod images;
pub mod insight;
pub mod intake;
pub mod jobs;
pub mod journal;
pub mod judging;
pub mod key;
pub mod keys;
pub mod learned;
mod leaving;
mod leg;
pub mod listings;
pub mod mail;
pub mod messages;
pub mod metrics;
pub mod models;
pub mod news;
pub mod node;
pub mod openapi;
pub mod organization;
pub mod payments;
mod planning;
mod policies;
mod presets;
pub mod provider_keys;
mod pump;
pub mod ratings;
pub mod receipts;
pub mod reloads;
pub mod replay;
pub mod replaying;
mod request_facts;
pub mod rerank;
pub mod responses;
pub mod retries;
mod route;
pub mod router;
pub mod rules;
mod sandbox;
pub mod seals;
pub mod server;
pub mod settings;
pub mod settle;
pub mod span;
pub mod sticky;
mod task;
pub mod terms;
pub mod upstream;
pub mod vitals;
pub mod webhooks;
pub mod world;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;

pub use body::ResponseBody;
pub use care::{Bounds, Sent};

use crate::error::GatewayError;

/// How long a client may take to send its body.
const BODY_READ_TIMEOUT: Duration = Duration::from_secs(120);

/// Reads a request's body, bounded in size and time.
pub async fn read_body<B>(headers: &HeaderMap, body: B, bytes_max: usize) -> Result<Bytes, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let told =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if told.is_some_and(|length| length > bytes_max as u64) {
        return Err(GatewayError::BodyTooLarge(bytes_max));
    }
    let reading = read_frames(body, told, bytes_max);
    tokio::time::timeout(BODY_READ_TIMEOUT, reading).await.map_err(|_| {
        GatewayError::InvalidRequest(String::from("the body did not arrive within 120 s; send it faster"))
    })?
}

async fn read_frames<B>(mut body: B, told: Option<u64>, bytes_max: usize) -> Result<Bytes, GatewayError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let broken =
        || GatewayError::InvalidRequest(String::from("the body broke off before its end; send it again"));
    let mut first = Bytes::new();
    let mut whole: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.map_err(|_| broken())?.into_data() else { continue };
        if first.len() + whole.len() + bytes.len() > bytes_max {
            return Err(GatewayError::BodyTooLarge(bytes_max));
        }
        if first.is_empty() && whole.is_empty() {
            // Small bodies come in one piece and are not copied.
            first = bytes;
            continue;
        }
        if whole.is_empty() {
            whole.reserve(told.and_then(|n| usize::try_from(n).ok()).unwrap_or(first.len() * 4));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&bytes);
    }
    Ok(if whole.is_empty() { first } else { Bytes::from(whole) })
}
