//! `/v1/models/{author}/{slug}/ratings`: what people think of a model. Everybody reads; who is signed in has one rating of each model,
//! writes over it and takes it back. Beside it `/v1/ratings/{id}/report`, and for who runs the server `/v1/moderation`.
//!
//! - Others see of a person the name that they choose for it, and nothing else. Every person here has proven an address.
//! - A rating that enough people reported is hidden until a moderator has looked; its author sees that it is, and why.
//! - A rating stands under the model's id; aliases lead to it.

mod limits;
mod moderation;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{NewRating, NewReport, Rating, RatingAt};
use types::{Timestamp, is_unseen};

use self::limits::{Kind, Limits};
use crate::app::Worker;
use crate::auth::session;
use crate::body::ResponseBody;
use crate::desk::Desk;
use crate::error::GatewayError;
use crate::key::rfc3339;
use crate::{models, router};

/// Longest name.
const NAME_CHARS_MAX: usize = 40;
/// Longest comment, as Markdown.
const COMMENT_CHARS_MAX: usize = 4_000;
/// Longest reason of a report or of a moderator.
const REASON_CHARS_MAX: usize = 500;
/// How long the store is waited for.
const READ_MAX: Duration = Duration::from_millis(2_000);
/// Comments of a page where nobody says how many, and the most.
const PAGE: (i64, i64) = (20, 100);

type Answer = Result<Response<ResponseBody>, GatewayError>;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// What everybody sees of a model.
    Show,
    /// One's own rating written.
    Put,
    /// One's own rating taken back.
    Delete,
    /// Something said against another's.
    Report,
    /// What moderators look at.
    Queue,
    /// What they decide.
    Decide,
}

impl At {
    /// Whether it is somebody's opinion, and no act of administration.
    pub(crate) const fn is_opinion(self) -> bool {
        matches!(self, At::Put | At::Delete | At::Report)
    }
}

/// Ratings, as they were configured, and who has rated lately.
#[derive(Debug)]
pub struct Ratings {
    /// There are ratings.
    pub is_on: bool,
    /// So many people's reports hide a rating.
    pub hide_reports: i64,
    limits: Limits,
}

impl Ratings {
    /// With these settings.
    pub fn new(is_on: bool, hide_reports: i64) -> Ratings {
        Ratings { is_on, hide_reports, limits: Limits::default() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    stars: i64,
    name: String,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: String,
}

/// Serves a path.
pub(crate) async fn serve(worker: &Arc<Worker>, at: At, parts: Parts, body: Bytes) -> Answer {
    match at {
        At::Show => show(worker, parts).await,
        At::Put => put(worker, &parts, body).await,
        At::Delete => delete(worker, &parts).await,
        At::Report => report(worker, &parts, body).await,
        At::Queue => moderation::queue(worker, &parts).await,
        At::Decide => moderation::decide(worker, &parts, body).await,
    }
}

/// `GET`: average, counts, a page of comments; and one's own rating for who is signed in.
async fn show(worker: &Arc<Worker>, mut parts: Parts) -> Answer {
    session::note(worker, &mut parts).await;
    let desk = Desk::open(worker, &parts);
    let model = model(&desk)?;
    let (after, limit) = page(&parts)?;
    let user = session::visitor(&parts).ok().map(|visitor| visitor.user.id.clone());
    let (asked, may_rate) = (model.clone(), user.is_some());
    let read = desk.store(move |gateway| async move {
        gateway.store.rating_page(&asked, user.as_deref(), after.as_ref(), limit).await
    });
    // Pages wait for it: one that is late is shown without.
    let page = tokio::time::timeout(READ_MAX, read).await.map_err(|_| GatewayError::StoreUnavailable)??;
    let full = i64::try_from(page.comments.len()).is_ok_and(|count| count == limit);
    let next = page.comments.last().filter(|_| full).map(|last| cursor(last.created, &last.id));
    let [one, two, three, four, five] = page.counts;
    let answer = json!({
        "model": model,
        "count": page.counts.iter().sum::<i64>(),
        "average": average(&page.counts),
        "histogram": { "1": one, "2": two, "3": three, "4": four, "5": five },
        "comments": page.comments.iter().map(object).collect::<Vec<_>>(),
        "next": next,
        "own": page.own.as_ref().map(own),
        "may_rate": may_rate,
    });
    let mut response = data(&answer);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// `PUT`: one's rating, in place of an older one.
async fn put(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let desk = Desk::open(worker, parts);
    let user = session::visitor(parts)?.user.id.clone();
    let asked: Put = desk.body(&body, r#"{"stars": 4, "name": "Ada", "comment": "..."}"#)?;
    let model = model(&desk)?;
    if !(1..=5).contains(&asked.stars) {
        return Err(invalid("`stars` is a whole number from 1 to 5"));
    }
    let new = NewRating {
        id: worker.new_id("rat").ok_or(GatewayError::Internal)?,
        model,
        name: name(&asked.name)?,
        stars: asked.stars,
        comment: written(&asked.comment, "comment", COMMENT_CHARS_MAX)?,
        user,
    };
    let now = desk.now();
    desk.gateway().ratings.limits.count(Kind::Rating, &new.user, now)?;
    let (rating, made) = desk.store(|gateway| async move { gateway.store.rate(&new, now).await }).await?;
    let mut response = data(&own(&rating));
    if made {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

/// `DELETE`: one's rating is taken back.
async fn delete(worker: &Arc<Worker>, parts: &Parts) -> Answer {
    let desk = Desk::open(worker, parts);
    let user = session::visitor(parts)?.user.id.clone();
    let (model, now) = (model(&desk)?, desk.now());
    let done =
        desk.store(|gateway| async move { gateway.store.withdraw_rating(&model, &user, now).await }).await;
    found(done, "you have no rating of this model")?;
    Ok(router::json(r#"{"data":{"deleted":true}}"#))
}

/// `POST /v1/ratings/{id}/report`: once per person; saying it again changes nothing.
async fn report(worker: &Arc<Worker>, parts: &Parts, body: Bytes) -> Answer {
    let desk = Desk::open(worker, parts);
    let user = session::visitor(parts)?.user.id.clone();
    let asked: Reason = desk.body(&body, r#"{"reason": "It praises another product."}"#)?;
    let report = NewReport {
        id: worker.new_id("rep").ok_or(GatewayError::Internal)?,
        rating: desk.segment("ratings"),
        reason: needed(&asked.reason, "reason")?,
        reporter: user,
    };
    let (now, hide_at) = (desk.now(), desk.gateway().ratings.hide_reports);
    desk.gateway().ratings.limits.count(Kind::Report, &report.reporter, now)?;
    let done =
        desk.store(|gateway| async move { gateway.store.report_rating(&report, hide_at, now).await }).await;
    found(done, "no rating that you can see has this id")?;
    Ok(router::json(r#"{"data":{"reported":true}}"#))
}

/// The id of the model that the path names.
fn model(desk: &Desk<'_>) -> Result<String, GatewayError> {
    let world = desk.gateway().world.load();
    let at = models::named(&world, desk.parts)?;
    let model = world.snapshot.models.get(at).ok_or(GatewayError::Internal)?;
    Ok(model.id.to_string())
}

/// Where a page goes on, and how many it has.
fn page(parts: &Parts) -> Result<(Option<RatingAt>, i64), GatewayError> {
    let query = router::query(parts);
    let ask = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let limit = ask("limit").map_or(Some(PAGE.0), |text| text.parse().ok());
    let limit = limit.filter(|limit| (1..=PAGE.1).contains(limit));
    let limit = limit.ok_or_else(|| invalid(format!("`limit` is a whole number from 1 to {}", PAGE.1)))?;
    let after = ask("after").map(place).transpose()?;
    Ok((after.map(|(at, id)| RatingAt(at, id)), limit))
}

/// What `next` says of an entry.
fn cursor(at: Timestamp, id: &str) -> String {
    format!("{}.{id}", at.micros())
}

/// The entry of a `next`.
fn place(text: &str) -> Result<(Timestamp, String), GatewayError> {
    let parts = text.split_once('.').and_then(|(at, id)| Some((Timestamp(at.parse().ok()?), id)));
    let known = parts.filter(|(_, id)| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    let (at, id) = known.ok_or_else(|| invalid("`after` is the `next` of the page before"))?;
    Ok((at, id.to_owned()))
}

/// The mean with one decimal, half up; nothing of nothing.
fn average(counts: &[i64; 5]) -> Value {
    let count: i64 = counts.iter().sum();
    if count == 0 {
        return Value::Null;
    }
    let sum: i64 = counts.iter().zip(1..).map(|(count, stars)| count * stars).sum();
    let tenths = (sum * 20 + count) / (count * 2);
    json!(tenths as f64 / 10.0)
}

/// A rating as everybody sees it.
fn object(rating: &Rating) -> Value {
    json!({
        "id": rating.id,
        "name": rating.name,
        "stars": rating.stars,
        "comment": rating.comment,
        "created_at": rfc3339(rating.created),
        "edited_at": rating.edited.map(rfc3339),
    })
}

/// A rating as its person sees it.
fn own(rating: &Rating) -> Value {
    let mut shown = object(rating);
    let hidden = rating.hidden.as_ref().map(
        |hidden| json!({ "at": rfc3339(hidden.at), "by_reports": hidden.by == store::BY_REPORTS, "why": hidden.why }),
    );
    if let Value::Object(map) = &mut shown {
        map.insert("hidden".to_owned(), json!(hidden));
    }
    shown
}

/// A name that others see. It is one line that shows what it is; an address is none, for who fills forms in without looking.
fn name(text: &str) -> Result<String, GatewayError> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_plain = !text.trim().chars().any(|c| is_unseen(c) || c.is_control()) && !name.contains('@');
    let is_said = name.chars().any(char::is_alphanumeric) && name.chars().count() <= NAME_CHARS_MAX;
    if is_plain && is_said {
        return Ok(name);
    }
    Err(invalid(format!(
        "`name` is what others call you here: 1 to {NAME_CHARS_MAX} characters with a letter or digit among them, without `@` and \
         without characters that can't be seen"
    )))
}

/// A text of several lines, without controls and without blank ends.
fn written(text: &str, field: &str, chars_max: usize) -> Result<String, GatewayError> {
    let text = text.replace("\r\n", "\n");
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let text = text.trim();
    match text.chars().count() <= chars_max {
        true => Ok(text.to_owned()),
        false => Err(invalid(format!("`{field}` has at most {chars_max} characters"))),
    }
}

/// The same of what can't be left out.
fn needed(text: &str, field: &str) -> Result<String, GatewayError> {
    let text = written(text, field, REASON_CHARS_MAX)?;
    if text.is_empty() { Err(invalid(format!("`{field}` says why, in a few words"))) } else { Ok(text) }
}

/// The same with the right words where nothing was found.
fn found<T>(done: Result<T, GatewayError>, why: &str) -> Result<T, GatewayError> {
    done.map_err(|error| match error {
        GatewayError::NotFound(_) => GatewayError::NotFound(why.to_owned()),
        other => other,
    })
}

fn invalid(why: impl Into<String>) -> GatewayError {
    GatewayError::InvalidRequest(why.into())
}

fn data(value: &Value) -> Response<ResponseBody> {
    router::json(json!({ "data": value }).to_string())
}

#[cfg(test)]
mod tests;
