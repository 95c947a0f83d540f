//! `/v1/server/announcements`: what the operator tells people on the pages, written, worded anew, ended, taken away.
//!
//! - A text is Markdown of at most [`TEXT_CHARS_MAX`] characters; pages make it safe as they do comments.
//! - It is shown from `from` (now, where nobody says) until `until` (until somebody ends it).

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use store::Announcement;
use types::Timestamp;

use super::Answer;
use crate::announcements::{EVERYBODY, SIGNED_IN, object};
use crate::app::Worker;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::insight::invalid;
use crate::router;

/// Longest text.
const TEXT_CHARS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    text: String,
    level: Option<Level>,
    audience: Option<Audience>,
    from: Option<String>,
    until: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    text: Option<String>,
    level: Option<Level>,
    audience: Option<Audience>,
    from: Option<String>,
    /// Absent: as it was; null: until somebody ends it.
    #[serde(default, deserialize_with = "given")]
    until: Option<Option<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Info,
    Warning,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Audience {
    Everybody,
    SignedIn,
}

fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warning => "warning",
        }
    }
}

impl Audience {
    const fn name(self) -> &'static str {
        match self {
            Audience::Everybody => EVERYBODY,
            Audience::SignedIn => SIGNED_IN,
        }
    }
}

/// `GET`: all of them, the one that begins last first.
pub(super) async fn list(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let desk = Desk::open(worker, parts);
    let all = desk.store(|gateway| async move { gateway.store.announcements().await }).await?;
    let shown: Vec<Value> = all.iter().map(|one| told(one, desk.now())).collect();
    Ok(router::json(json!({ "data": shown }).to_string()))
}

/// `POST`: a new one.
pub(super) async fn create(worker: &Arc<Worker>, parts: &Parts, body: &Bytes) -> Answer {
    let desk = Desk::open(worker, parts);
    let asked: New = read(body, r#"{"text": "We move tonight.", "level": "info", "audience": "everybody"}"#)?;
    let now = desk.now();
    let new = Announcement {
        id: worker.new_id("ann").ok_or(GatewayError::Internal)?,
        text: text(&asked.text)?,
        level: asked.level.unwrap_or(Level::Info).name().to_owned(),
        audience: asked.audience.unwrap_or(Audience::Everybody).name().to_owned(),
        starts: asked.from.map_or(Ok(now), |text| instant(&text, "from"))?,
        ends: asked.until.map(|text| instant(&text, "until")).transpose()?,
        created: now,
        changed: now,
    };
    let mut response = keep(&desk, new).await?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `PATCH /{id}`: what is not named stays as it was. Whoever dismissed it on a page sees it again.
pub(super) async fn edit(worker: &Arc<Worker>, parts: &Parts, body: &Bytes) -> Answer {
    let desk = Desk::open(worker, parts);
    let asked: Edit = read(body, r#"{"until": "2026-12-31T18:00:00Z"}"#)?;
    let mut one = find(&desk).await?;
    if let Some(new) = &asked.text {
        one.text = text(new)?;
    }
    if let Some(level) = asked.level {
        one.level = level.name().to_owned();
    }
    if let Some(audience) = asked.audience {
        one.audience = audience.name().to_owned();
    }
    if let Some(from) = &asked.from {
        one.starts = instant(from, "from")?;
    }
    if let Some(until) = asked.until {
        one.ends = until.map(|text| instant(&text, "until")).transpose()?;
    }
    one.changed = desk.now();
    keep(&desk, one).await
}

/// `DELETE /{id}`.
pub(super) async fn delete(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let desk = Desk::open(worker, parts);
    let id = find(&desk).await?.id;
    desk.write(|gateway| async move { gateway.store.delete_announcement(&id).await }).await?;
    Ok(router::json(r#"{"deleted":true}"#))
}

async fn find(desk: &Desk<'_>) -> Result<Announcement, GatewayError> {
    let id = desk.segment("announcements");
    let all = desk.store(|gateway| async move { gateway.store.announcements().await }).await?;
    all.into_iter().find(|one| one.id == id).ok_or_else(|| {
        GatewayError::NotFound(String::from("no announcement has that id; see GET /v1/server/announcements"))
    })
}

/// Keeps one, and answers with it once this node shows it.
async fn keep(desk: &Desk<'_>, one: Announcement) -> Answer {
    if one.ends.is_some_and(|ends| ends < one.starts) {
        return Err(invalid("`until` must not be before `from`"));
    }
    let kept = one.clone();
    desk.write(|gateway| async move { gateway.store.put_announcement(&kept).await }).await?;
    Ok(router::json(json!({ "data": told(&one, desk.now()) }).to_string()))
}

/// One as the operator reads it.
fn told(one: &Announcement, now: Timestamp) -> Value {
    let state = match (one.is_in_force(now), now < one.starts) {
        (true, _) => "in_force",
        (false, true) => "waiting",
        (false, false) => "over",
    };
    let mut told = object(one);
    if let Value::Object(map) = &mut told {
        map.insert(String::from("audience"), json!(one.audience));
        map.insert(String::from("state"), json!(state));
        map.insert(String::from("created_at"), json!(crate::key::rfc3339(one.created)));
    }
    told
}

fn read<T: DeserializeOwned>(body: &Bytes, example: &str) -> Result<T, GatewayError> {
    serde_json::from_slice(body)
        .map_err(|error| invalid(format!("the body can't be read: {error}; send {example}")))
}

/// A text without controls and blank ends.
fn text(text: &str) -> Result<String, GatewayError> {
    let text = text.replace("\r\n", "\n");
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let text = text.trim();
    match text.chars().count() {
        0 => Err(invalid("`text` says what people are to know")),
        1..=TEXT_CHARS_MAX => Ok(text.to_owned()),
        _ => Err(invalid(format!("`text` has at most {TEXT_CHARS_MAX} characters"))),
    }
}

fn instant(text: &str, name: &str) -> Result<Timestamp, GatewayError> {
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| invalid(format!("`{name}` is no instant; write it as `2026-12-31T18:00:00Z`")))?;
    Ok(Timestamp(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_can_leave_or_lift_the_end() {
        let of = |body: &'static str| read::<Edit>(&Bytes::from_static(body.as_bytes()), "").unwrap().until;
        assert_eq!(of("{}"), None);
        assert_eq!(of(r#"{"until": null}"#), Some(None));
        assert_eq!(of(r#"{"until": "x"}"#), Some(Some("x".to_owned())));
        assert!(read::<Edit>(&Bytes::from_static(br#"{"levle": "info"}"#), "").is_err());
        assert!(read::<New>(&Bytes::from_static(br#"{"text": "x", "level": "loud"}"#), "").is_err());
    }

    #[test]
    fn texts_are_short_and_instants_are_instants() {
        assert_eq!(text(" a\u{7}\r\nb ").unwrap(), "a\nb");
        assert!(text(" \n ").is_err() && text(&"x".repeat(TEXT_CHARS_MAX + 1)).is_err());
        assert_eq!(instant("1970-01-01T00:00:01Z", "from").unwrap(), Timestamp::from_seconds(1));
        assert!(instant("tomorrow", "from").is_err() && instant("2026-12-31", "from").is_err());
    }

    #[test]
    fn it_waits_holds_and_is_over() {
        let at = Timestamp::from_seconds;
        let one = Announcement {
            id: String::from("ann_1"),
            text: String::from("x"),
            level: String::from("info"),
            audience: String::from(EVERYBODY),
            starts: at(10),
            ends: Some(at(20)),
            created: at(0),
            changed: at(0),
        };
        let state = |now| told(&one, at(now))["state"].clone();
        assert_eq!((state(9), state(10), state(20)), (json!("waiting"), json!("in_force"), json!("over")));
    }
}
