//! What people think of a model: a section of its page, and the forms in it. `/<author>/<slug>/ratings` takes them.
//!
//! - All of it comes from the management API and goes to it; the page knows nobody's rights.
//! - Comments are Markdown of strangers: [`safe::markdown`] makes HTML of them, everything else is escaped as text.
//! - Who is not signed in and finds no rating finds no section either.

use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Number, Value, json};
use url::form_urlencoded;

use crate::console::form::{Form, done};
use crate::console::signed::{Calls, Refused, Signed, sentence};
use crate::format::{self, Shown};
use crate::model::{self, Found};
use crate::not_found;
use crate::prose::Prose;
use crate::safe::{self, SafeHtml};
use crate::shell::{self, Crumb, Failed, Shell};
use crate::visit::{Pages, Visit};

/// What forms did, by the word in `done`.
const DONE: [(&str, &str); 4] = [
    ("rated", "Your rating is in."),
    ("edited", "Your rating is edited."),
    ("deleted", "Your rating is deleted."),
    ("reported", "Thank you: somebody will look at it."),
];

/// Where the forms of a model go.
pub(crate) fn router() -> Router<Arc<Pages>> {
    Router::new()
        .route("/{author}/{slug}/ratings", get(back).post(rate).fallback(not_found::not_found))
        .route("/{author}/{slug}/ratings/delete", post(delete).fallback(not_found::not_found))
        .route("/{author}/{slug}/ratings/report", post(report).fallback(not_found::not_found))
}

/// The API behind a page that everybody sees; there may be none.
pub(crate) struct Behind(pub(crate) Option<Calls>);

impl FromRequestParts<Arc<Pages>> for Behind {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Pages>) -> Result<Behind, Infallible> {
        Ok(Behind(Calls::of(parts)))
    }
}

#[derive(Deserialize)]
struct Data {
    data: Told,
}

/// As the API tells it.
#[derive(Deserialize)]
struct Told {
    count: u64,
    average: Option<Number>,
    histogram: Histogram,
    comments: Vec<One>,
    next: Option<String>,
    own: Option<One>,
    may_rate: bool,
}

#[derive(Clone, Deserialize)]
struct Histogram {
    #[serde(rename = "1")]
    one: u64,
    #[serde(rename = "2")]
    two: u64,
    #[serde(rename = "3")]
    three: u64,
    #[serde(rename = "4")]
    four: u64,
    #[serde(rename = "5")]
    five: u64,
}

/// A rating.
#[derive(Deserialize)]
struct One {
    id: String,
    name: String,
    stars: u64,
    comment: String,
    created_at: String,
    edited_at: Option<String>,
    hidden: Option<Hidden>,
}

#[derive(Deserialize)]
struct Hidden {
    by_reports: bool,
    why: String,
}

/// What is said of a model, as far as everybody sees it.
pub(crate) struct Score {
    pub(crate) count: u64,
    /// One decimal: `4.3`.
    pub(crate) average: String,
    histogram: Value,
}

impl Score {
    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let average: Option<Number> = self.average.parse().ok();
        json!({ "count": self.count, "average": average, "histogram": self.histogram })
    }

    /// For search engines.
    pub(crate) fn jsonld(&self) -> Value {
        json!({
            "@type": "AggregateRating", "ratingValue": self.average, "ratingCount": self.count,
            "bestRating": 5, "worstRating": 1,
        })
    }
}

/// What a page shows of it.
pub(crate) struct Ratings {
    /// `None`: nobody has rated it.
    pub(crate) score: Option<Score>,
    /// The section; empty where there is nothing to show.
    pub(crate) html: String,
    /// It shows what only who is signed in sees.
    pub(crate) is_private: bool,
}

/// How many gave so many stars.
struct Bar {
    stars: &'static str,
    count: String,
    /// Of the longest one, in percent.
    length: u64,
}

/// Somebody's stars as a picture and in words.
pub(crate) struct Stars {
    pub(crate) picture: String,
    words: String,
}

/// A comment of the list.
struct Comment {
    id: String,
    name: String,
    stars: Stars,
    html: SafeHtml,
    written: Shown,
    edited: Option<Shown>,
    is_own: bool,
}

/// One's own rating.
struct Own {
    name: String,
    stars: Stars,
    written: Shown,
    /// Why nobody else sees it.
    hidden: Option<String>,
}

/// The fields of the form, filled.
struct Fields {
    action: String,
    name: String,
    comment: String,
    choices: [Choice; 5],
    button: &'static str,
}

/// A radio button.
struct Choice {
    stars: u64,
    word: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "ratings.html")]
struct Section {
    path: String,
    sign_in: String,
    notice: Option<&'static str>,
    count: String,
    mean: Option<(String, Stars)>,
    bars: Vec<Bar>,
    comments: Vec<Comment>,
    /// The address of the next page.
    older: Option<String>,
    /// This is not the first page.
    is_later: bool,
    own: Option<Own>,
    /// For who may rate.
    fields: Option<Fields>,
}

/// The form by itself, with what is wrong.
#[derive(Template)]
#[template(path = "rate.html")]
struct Rate {
    shell: Shell,
    crumbs: Vec<Crumb>,
    title: String,
    problem: Prose,
    fields: Option<Fields>,
}

/// What people think of this model; `None`: there are no ratings here, or nobody knows at the moment.
pub(crate) async fn of_model(visit: &Visit, behind: &Behind, id: &str) -> Option<Ratings> {
    let calls = behind.0.as_ref()?;
    let after = visit.ask("after").filter(|_| !visit.is_json);
    let mut path = format!("/v1/models/{id}/ratings");
    if let Some(after) = after {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("after", after).finish();
        path.push_str(&format!("?{query}"));
    }
    let told = calls.call_unseen(Method::GET, &path, None).await.read::<Data>().ok()?.data;
    let score = told.average.as_ref().filter(|_| told.count > 0).map(|average| Score {
        count: told.count,
        average: average.to_string(),
        histogram: told.histogram.json(),
    });
    let is_private = told.may_rate;
    let html =
        if score.is_some() || is_private { section(visit, id, told).render().ok()? } else { String::new() };
    Some(Ratings { score, html, is_private })
}

impl Histogram {
    fn json(&self) -> Value {
        json!({ "1": self.one, "2": self.two, "3": self.three, "4": self.four, "5": self.five })
    }

    fn bars(&self) -> Vec<Bar> {
        let rows = [
            ("5 stars", self.five),
            ("4 stars", self.four),
            ("3 stars", self.three),
            ("2 stars", self.two),
            ("1 star", self.one),
        ];
        let most = rows.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
        let bar = |(stars, count)| Bar {
            stars,
            count: format::count(count),
            length: count.saturating_mul(100).div_ceil(most),
        };
        rows.into_iter().map(bar).collect()
    }
}

fn section(visit: &Visit, id: &str, told: Told) -> Section {
    let path = format!("/{id}");
    let asked = visit.ask("done");
    let own_id = told.own.as_ref().map(|own| own.id.clone());
    let next = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", &format!("{path}#ratings"))
        .finish();
    let older = told.next.as_ref().map(|next| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("after", next).finish();
        format!("{path}?{query}#ratings")
    });
    Section {
        sign_in: format!("/sign-in?{next}"),
        notice: DONE.into_iter().find(|(word, _)| Some(*word) == asked).map(|(_, text)| text),
        count: format::count_of(told.count, "rating"),
        mean: told.average.as_ref().map(|average| {
            let average = average.to_string();
            (average.clone(), stars(average.parse::<f64>().map_or(0, |mean| mean.round() as u64)))
        }),
        bars: told.histogram.bars(),
        comments: told.comments.into_iter().map(|one| comment(one, own_id.as_deref())).collect(),
        older,
        is_later: visit.ask("after").is_some(),
        fields: told.may_rate.then(|| Fields::of(&path, told.own.as_ref())),
        own: told.own.map(own),
        path,
    }
}

pub(crate) fn stars(count: u64) -> Stars {
    let full = usize::try_from(count.min(5)).unwrap_or_default();
    Stars {
        picture: format!("{}{}", "★".repeat(full), "☆".repeat(5 - full)),
        words: format!("{count} of 5 stars"),
    }
}

/// The day of an instant.
pub(crate) fn day(instant: &str) -> Shown {
    format::date(instant.get(..10).unwrap_or_default())
}

fn comment(one: One, own: Option<&str>) -> Comment {
    Comment {
        is_own: own == Some(&one.id),
        name: one.name,
        stars: stars(one.stars),
        html: safe::markdown(&one.comment),
        written: day(&one.created_at),
        edited: one.edited_at.as_deref().map(day),
        id: one.id,
    }
}

fn own(one: One) -> Own {
    Own {
        name: one.name,
        stars: stars(one.stars),
        written: day(one.edited_at.as_deref().unwrap_or(&one.created_at)),
        hidden: one.hidden.map(|hidden| match hidden.by_reports {
            true => String::from("several people reported it, and nobody has looked at it yet."),
            false if hidden.why.is_empty() => String::from("a moderator hid it."),
            false => sentence(&hidden.why),
        }),
    }
}

impl Fields {
    /// With a rating that is there, or empty.
    fn of(path: &str, own: Option<&One>) -> Fields {
        let (name, comment) = own.map(|own| (own.name.clone(), own.comment.clone())).unwrap_or_default();
        Fields {
            action: format!("{path}/ratings"),
            name,
            comment,
            choices: choices(own.map(|own| own.stars)),
            button: if own.is_some() { "Save" } else { "Rate" },
        }
    }

    /// With what was typed.
    fn again(path: &str, form: &Form) -> Fields {
        Fields {
            action: format!("{path}/ratings"),
            name: form.again("name"),
            comment: form.again("comment"),
            choices: choices(form.text("stars").and_then(|text| text.parse().ok())),
            button: "Rate",
        }
    }
}

fn choices(chosen: Option<u64>) -> [Choice; 5] {
    let words = [(1, "Poor"), (2, "Weak"), (3, "Fair"), (4, "Good"), (5, "Excellent")];
    words.map(|(stars, word)| Choice { stars, word, is_chosen: chosen == Some(stars) })
}

/// The id of the model of an address, or the page instead.
fn named(visit: &Visit, (author, slug): &(String, String)) -> Result<String, Failed> {
    let id = match model::find(visit, author, slug) {
        Found::Model(at) => visit.snapshot().models.get(at).map(|model| model.id.to_string()),
        Found::Moved(id) => Some(id),
        Found::Nothing => None,
    };
    id.ok_or_else(|| Failed::from(not_found::page_of(visit)))
}

/// `GET`: the forms are a part of the model's own page.
async fn back(visit: Visit, Path(path): Path<(String, String)>) -> Result<Response, Failed> {
    Ok(shell::seen_at(&format!("/{}#ratings", named(&visit, &path)?)))
}

fn back_to(id: &str, word: &str) -> Response {
    done(&format!("/{id}?done={word}#ratings"))
}

/// `POST`: one's rating, new or anew.
async fn rate(signed: Signed, Path(path): Path<(String, String)>, form: Form) -> Result<Response, Failed> {
    let id = named(&signed.visit, &path)?;
    let body = json!({
        "stars": form.text("stars").and_then(|text| text.parse::<i64>().ok()).unwrap_or_default(),
        "name": form.text("name").unwrap_or_default(),
        "comment": form.text("comment").unwrap_or_default(),
    });
    match signed.send(Method::PUT, &format!("/v1/models/{id}/ratings"), Some(&body)).await {
        Ok(answer) => {
            let is_edited = answer.pointer("/data/edited_at").is_some_and(|at| !at.is_null());
            Ok(back_to(&id, if is_edited { "edited" } else { "rated" }))
        }
        Err(refused) => Ok(refuse(&signed, &id, &refused, Some(Fields::again(&format!("/{id}"), &form)))),
    }
}

/// `POST .../delete`: one's rating is taken back.
async fn delete(signed: Signed, Path(path): Path<(String, String)>, _: Form) -> Result<Response, Failed> {
    let id = named(&signed.visit, &path)?;
    match signed.send(Method::DELETE, &format!("/v1/models/{id}/ratings"), None).await {
        Ok(_) => Ok(back_to(&id, "deleted")),
        Err(refused) => Ok(refuse(&signed, &id, &refused, None)),
    }
}

/// `POST .../report`: something said against another's rating.
async fn report(signed: Signed, Path(path): Path<(String, String)>, form: Form) -> Result<Response, Failed> {
    let id = named(&signed.visit, &path)?;
    let rating = form.text("id").unwrap_or_default();
    let is_id = !rating.is_empty() && rating.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let rating = if is_id { rating } else { "none" };
    let body = json!({ "reason": form.text("reason").unwrap_or_default() });
    match signed.send(Method::POST, &format!("/v1/ratings/{rating}/report"), Some(&body)).await {
        Ok(_) => Ok(back_to(&id, "reported")),
        Err(refused) => Ok(refuse(&signed, &id, &refused, None)),
    }
}

/// What could not be done, and why; with what was typed.
fn refuse(signed: &Signed, id: &str, refused: &Refused, fields: Option<Fields>) -> Response {
    let visit = &signed.visit;
    let name = visit.snapshot().model(id).map_or_else(|| id.to_owned(), |model| model.name.clone());
    let problem = match &*refused.kind {
        "invalid_request" if refused.message.contains("`stars`") => Prose::of("Choose one to five stars."),
        _ => Prose::of(&refused.sentence()),
    };
    let title = if fields.is_some() { format!("Rate {name}") } else { String::from("That did not work") };
    let page = Rate {
        shell: Shell::of(&visit.place, &title, "/models", &format!("/{id}")),
        crumbs: vec![Crumb::new("/models", "Models"), Crumb::new(format!("/{id}#ratings"), name)],
        title,
        problem,
        fields,
    };
    let status =
        if refused.status.is_client_error() { refused.status } else { StatusCode::SERVICE_UNAVAILABLE };
    shell::private(shell::page(status, &page))
}

#[cfg(test)]
mod tests;
