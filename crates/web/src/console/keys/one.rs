//! `/console/keys/{key}`: what a key spends and may do, and everything that is done to it.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use types::Right;
use url::form_urlencoded;

use super::used::{DAYS, Row, Table, Used};
use super::{Cap, DONE, Key, PATH, State, edit, fresh, used};
use crate::chart::{self, Chart, Stack};
use crate::console::again::Again;
use crate::console::amount;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::names::model_path;
use crate::console::signed::{Refused, Signed, segment};
use crate::format::{self, Shown};
use crate::shell::{Crumb, Failed};

/// How long the former text is taken.
const GRACES: [(&str, &str); 4] =
    [("0", "Not at all"), ("3600", "An hour"), ("86400", "A day"), ("604800", "A week")];

/// Use of a model by the key.
struct Line {
    model: String,
    /// Its calls in the log.
    href: Option<String>,
    spent: Shown,
    requests: Shown,
    failed: Shown,
}

#[derive(Template)]
#[template(path = "console/key.html")]
struct One {
    shell: Frame,
    crumbs: Vec<Crumb>,
    key: Key,
    path: String,
    state: State,
    cap: Option<Cap>,
    total: Shown,
    held: Shown,
    created: Shown,
    expires: Option<Shown>,
    old_text: Option<Shown>,
    used: Used,
    chart: Option<Chart>,
    lines: Vec<Line>,
    /// Its calls in the log.
    log: String,
    form: Form,
    resets: &'static [(&'static str, &'static str)],
    public: &'static [(&'static str, &'static str)],
    graces: &'static [(&'static str, &'static str)],
    is_theirs: bool,
    may_govern: bool,
}

/// `GET /console/keys/{key}`.
pub(crate) async fn show(Path(name): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, &name, Again::default()).await
}

async fn page(signed: &Signed, name: &str, again: Again) -> Result<Response, Failed> {
    let key: Key = signed.get(&format!("/v1/keys/{}", segment(name))).await?;
    let by_day = ask(signed, &key, json!({ "granularity": "day" })).await;
    let by_model = ask(
        signed,
        &key,
        json!({ "dimensions": ["model"], "order_by": { "field": "total_usage", "direction": "desc" } }),
    )
    .await;
    let today = signed.visit.today();
    let form = again.form(|| edit::form(&key)).with("grace_s", "86400");
    let is_theirs = key.is_theirs(signed);
    if is_theirs {
        let limit = json!({ "limit": form.text("limit"), "limit_reset": form.text("limit_reset") });
        signed.offers(Method::PATCH, &key.api(), Some(&limit));
        signed.offers(Method::POST, &format!("{}/rotate", key.api()), Some(&json!({ "grace_s": 86_400 })));
    }
    let shell = Frame::of(signed, &key.name, PATH).told(signed, &DONE).again(&again);
    let page = One {
        shell,
        crumbs: vec![Crumb::new(PATH, "Keys")],
        path: key.path(),
        state: key.state(signed.visit.now),
        cap: key.spent(),
        total: amount::usd(&key.usage_usd),
        held: amount::usd(&key.held_usd),
        created: amount::day(&key.created_at),
        expires: key.expires_at.as_deref().map(amount::instant),
        old_text: key.old_text_until.as_deref().map(amount::instant),
        used: by_day.as_ref().map_or_else(|| used::of(&None, "", today), |rows| used::sum(rows, today)),
        chart: by_day.as_ref().map(|rows| chart_of(rows, today)),
        log: log(&key, None),
        lines: by_model.unwrap_or_default().into_iter().map(|row| line(&key, row)).collect(),
        form,
        resets: edit::RESETS.as_slice(),
        public: edit::PUBLIC.as_slice(),
        graces: GRACES.as_slice(),
        is_theirs,
        may_govern: signed.me.may(Right::Govern),
        key,
    };
    Ok(again.answer(&page))
}

/// Use of the key over the last days.
async fn ask(signed: &Signed, key: &Key, more: Value) -> Option<Vec<Row>> {
    let mut ask = json!({
        "metrics": ["total_usage", "request_count", "error_count"],
        "filters": [{ "field": "key", "operator": "eq", "value": key.id }],
    });
    if let (Some(ask), Value::Object(more)) = (ask.as_object_mut(), more) {
        ask.extend(more);
    }
    let table: Table = signed.query("/v1/analytics/query", &ask).await.ok()?;
    Some(table.data)
}

/// The calls of a key, or those that a model answered, as the log finds them.
fn log(key: &Key, model: Option<&str>) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("key", key.hash.as_str())].into_iter().chain(model.map(|model| ("model", model))))
        .finish();
    format!("{}?{query}", crate::console::logs::LOGS)
}

fn line(key: &Key, row: Row) -> Line {
    Line {
        spent: amount::dollars(&row.total_usage),
        requests: format::short(row.request_count),
        failed: format::percent(row.error_count, row.request_count),
        href: row
            .model
            .as_deref()
            .filter(|model| model_path(model).is_some())
            .map(|model| log(key, Some(model))),
        model: row.model.filter(|model| !model.is_empty()).unwrap_or_else(|| String::from("(none reached)")),
    }
}

/// Dollars by day.
fn chart_of(rows: &[Row], today: i64) -> Chart {
    let bars: Vec<Stack> = (today - DAYS + 1..=today)
        .map(|day| {
            let title = format::day(day).short;
            let of_day = rows.iter().filter(|row| used::day(&row.date) == Some(day));
            let spent = of_day.filter_map(|row| row.total_usage.as_f64()).sum();
            let short = title.rsplit_once(' ').map_or(title.as_str(), |(short, _)| short).to_owned();
            Stack { label: short, title, parts: vec![spent] }
        })
        .collect();
    let show = |value: f64| {
        let nanos: types::Money = format!("{value:.9}").parse().unwrap_or_default();
        format::cost(nanos).short
    };
    let frame = chart::Frame {
        id: "spent-by-day",
        title: "Spent by day",
        x: chart::Axis { title: "Day, UTC", show: &|at| at.to_string() },
        y: chart::Axis { title: "US dollars", show: &show },
    };
    chart::stacked(&frame, &["Spent"], &bars)
}

/// `POST /console/keys/{key}`.
pub(crate) async fn act(Path(name): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/keys/{}", segment(&name));
    let to = |word: &str| Ok(done(&format!("{PATH}/{}?done={word}", segment(&name))));
    let sent = match form.text("act") {
        Some("stop") => set(&signed, &api, &json!({ "disabled": true })).await.map(|()| "stopped"),
        Some("start") => set(&signed, &api, &json!({ "disabled": false })).await.map(|()| "started"),
        Some("rotate") => return rotate(&signed, &name, &api, &form).await,
        Some("revoke") => return revoke(&signed, &name, &api, &form).await,
        _ => return save(&signed, &name, &api, form).await,
    };
    match sent {
        Ok(word) => to(word),
        Err(refused) => page(&signed, &name, Again::refused(None, &refused)).await,
    }
}

async fn set(signed: &Signed, api: &str, body: &Value) -> Result<(), Refused> {
    signed.send(Method::PATCH, api, Some(body)).await.map(drop)
}

async fn save(signed: &Signed, name: &str, api: &str, form: Form) -> Result<Response, Failed> {
    let mut body = match edit::body(&form) {
        Ok(body) => body,
        Err(why) => {
            return page(signed, name, Again::wrong(form, &why)).await;
        }
    };
    if signed.me.may(Right::Govern) {
        body.insert(String::from("access_lists"), json!(form.list("access_lists")));
    }
    match set(signed, api, &Value::Object(body)).await {
        Ok(()) => Ok(done(&format!("{PATH}/{}?done=saved", segment(name)))),
        Err(refused) => page(signed, name, Again::refused(form, &refused)).await,
    }
}

async fn rotate(signed: &Signed, name: &str, api: &str, form: &Form) -> Result<Response, Failed> {
    let grace: u64 = form.text("grace_s").and_then(|text| text.parse().ok()).unwrap_or(86_400);
    let body = json!({ "grace_s": grace });
    match signed.send(Method::POST, &format!("{api}/rotate"), Some(&body)).await {
        Ok(answer) => {
            let until = answer.pointer("/data/old_text_until").and_then(Value::as_str);
            let note = match until {
                Some(until) => format!("The former text is taken until {}.", amount::instant(until).short),
                None => String::from("The former text is refused from now on."),
            };
            Ok(fresh::page(signed, &answer, note))
        }
        Err(refused) => page(signed, name, Again::refused(None, &refused)).await,
    }
}

/// Revoking can't be taken back: whoever asks for it types the key's name.
async fn revoke(signed: &Signed, name: &str, api: &str, form: &Form) -> Result<Response, Failed> {
    let key: Key = signed.get(api).await?;
    if form.text("name") != Some(key.name.trim()) {
        let why = "That is not the key's name. Nothing was revoked.";
        return page(signed, name, Again::wrong(None, why)).await;
    }
    match signed.send(Method::DELETE, api, None).await {
        Ok(_) => Ok(done("/console/keys?done=revoked")),
        Err(refused) => page(signed, name, Again::refused(None, &refused)).await,
    }
}
