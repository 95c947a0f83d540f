//! `/v1/moderation`: what was reported or is hidden, and what becomes of it. Who runs the server decides, and the log of acts says who
//! did what to which rating.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Moderation, Queue, QueueAt, Queued};

use super::{Answer, cursor, data, found, invalid, needed, object, place, written};
use crate::app::Worker;
use crate::auth::Access;
use crate::desk::Desk;
use crate::key::{caller, rfc3339};
use crate::router;

/// Ratings of a page.
const PAGE_ROWS: i64 = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    action: Action,
    #[serde(default)]
    why: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Hide,
    Show,
    Dismiss,
    Delete,
}

impl Action {
    const fn name(self) -> &'static str {
        match self {
            Action::Hide => "hide",
            Action::Show => "show",
            Action::Dismiss => "dismiss",
            Action::Delete => "delete",
        }
    }
}

/// `GET /v1/moderation`: what was reported, the last report first; `?queue=hidden`: what is hidden.
pub(super) async fn queue(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    caller(worker, parts, Access::Operator)?;
    let query = router::query(parts);
    let ask = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let queue = match ask("queue") {
        None | Some("reported") => Queue::Reported,
        Some("hidden") => Queue::Hidden,
        Some(_) => return Err(invalid("`queue` is `reported` or `hidden`")),
    };
    let after = ask("after").map(place).transpose()?.map(|(at, id)| QueueAt(at, id));
    let desk = Desk::open(worker, parts);
    let rows = desk
        .store(|gateway| async move { gateway.store.moderation(queue, after.as_ref(), PAGE_ROWS).await })
        .await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE_ROWS);
    let next = rows.last().filter(|_| full).map(|last| cursor(last.at, &last.rating.id));
    let shown: Vec<Value> = rows.iter().map(queued).collect();
    Ok(router::json(json!({ "data": shown, "next": next }).to_string()))
}

/// `POST /v1/moderation/{id}`: one of four decisions. Who hides says why, and the author reads it.
pub(super) async fn decide(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let moderator = caller(worker, parts, Access::Operator)?;
    let desk = Desk::open(worker, parts);
    let asked: Asked = desk.body(&body, r#"{"action": "hide", "why": "It insults people."}"#)?;
    let what = match asked.action {
        Action::Hide => Moderation::Hide { why: needed(&asked.why, "why")? },
        Action::Show => Moderation::Show,
        Action::Dismiss => Moderation::Dismiss,
        Action::Delete => Moderation::Delete,
    };
    written(&asked.why, "why", super::REASON_CHARS_MAX)?;
    // A member or a service account, else the key.
    let by = moderator.rules.holder.clone().unwrap_or_else(|| moderator.rules.id.to_string());
    let (id, now) = (desk.segment("moderation"), desk.now());
    let rating = id.clone();
    let done =
        desk.store(|gateway| async move { gateway.store.moderate(&rating, &what, &by, now).await }).await;
    found(done, "no rating has this id")?;
    Ok(data(&json!({ "id": id, "action": asked.action.name() })))
}

/// A rating as a moderator sees it.
fn queued(queued: &Queued) -> Value {
    let mut shown = object(&queued.rating);
    let hidden = queued
        .rating
        .hidden
        .as_ref()
        .map(|hidden| json!({ "at": rfc3339(hidden.at), "by": hidden.by, "why": hidden.why }));
    let reports = queued.reports.iter().map(|report| {
        json!({
            "reason": report.reason,
            "reporter": report.reporter,
            "created_at": rfc3339(report.created),
            "resolved_at": report.resolved.map(rfc3339),
        })
    });
    if let Value::Object(map) = &mut shown {
        map.insert("model".to_owned(), json!(queued.rating.model));
        map.insert("author".to_owned(), json!({ "id": queued.rating.user, "email": queued.email }));
        map.insert("hidden".to_owned(), json!(hidden));
        map.insert("reports".to_owned(), reports.collect());
    }
    shown
}
