//! `/console/traces/{id}` and `/console/sessions/{id}`: calls that belong together, the oldest first, and what they come to.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::again::Again;
use super::frame::Frame;
use super::logs::generation::stats_of;
use super::logs::{LOGS, Line, Listed, Totals, lines, segment};
use super::names::Names;
use super::signed::{Refused, Signed};
use crate::model::Stat;
use crate::prose::Prose;
use crate::shell::{Crumb, Failed};

/// Most calls that are shown.
const CALLS_MAX: u64 = 500;

#[derive(Deserialize)]
struct Trace {
    totals: Totals,
    generations: Vec<Listed>,
    truncated: bool,
}

#[derive(Deserialize)]
struct Session {
    data: Vec<Listed>,
    totals: Totals,
}

#[derive(Template)]
#[template(path = "console/trace.html")]
struct Page {
    shell: Frame,
    crumbs: Vec<Crumb>,
    kind: &'static str,
    id: String,
    stats: Vec<Stat>,
    lines: Vec<Line>,
    truncated: bool,
    about: Prose,
}

pub(crate) async fn trace(signed: Signed, Path(id): Path<String>) -> Result<Response, Failed> {
    let trace: Trace = signed.get(&format!("/v1/traces/{}", segment(&id))).await?;
    let about = "A trace is what a client says in `trace.trace_id` of a body.";
    page(&signed, ("Trace", id, about), trace).await
}

pub(crate) async fn session(signed: Signed, Path(id): Path<String>) -> Result<Response, Failed> {
    let path = format!("/v1/generations?session_id={}&limit={CALLS_MAX}", segment(&id));
    let reply = signed.calls.call(axum::http::Method::GET, &path, None).await;
    let session: Session = reply.read().map_err(|refused| signed.failed(&refused))?;
    if session.totals.requests == 0 {
        return Err(signed.failed(&Refused {
            status: StatusCode::NOT_FOUND,
            kind: String::from("not_found"),
            message: String::from("no call said that it belongs to this session"),
        }));
    }
    let mut generations = session.data;
    generations.reverse();
    let truncated = session.totals.requests > CALLS_MAX;
    let about = "A session is what a client says in the header `x-session-id`.";
    page(&signed, ("Session", id, about), Trace { totals: session.totals, generations, truncated }).await
}

async fn page(
    signed: &Signed,
    (kind, id, about): (&'static str, String, &'static str),
    trace: Trace,
) -> Result<Response, Failed> {
    let names = Names::of_keys(signed).await?;
    let page = Page {
        shell: Frame::of(signed, kind, LOGS),
        crumbs: vec![Crumb::new(LOGS, "Logs")],
        kind,
        id,
        stats: stats_of(&trace.totals),
        lines: lines(&trace.generations, &names, signed.visit.today()),
        truncated: trace.truncated,
        about: Prose::of(about),
    };
    Ok(Again::default().answer(&page))
}
