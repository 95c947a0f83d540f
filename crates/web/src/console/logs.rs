//! `/console/logs`: the generations of an organization, newest first, found by what is known of them. Its first page follows what
//! comes in where scripts run (`tail.js`); a reload does the same.

pub(crate) mod generation;
mod line;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded::Serializer;

pub(crate) use self::line::{Line, Listed, Totals, instant, lines, segment};
use super::again::Again;
use super::frame::Frame;
use super::names::{Key, Names};
use super::signed::Signed;
use crate::assets::TAIL_URL;
use crate::shell::{self, Failed};

/// Where it is.
pub(crate) const LOGS: &str = "/console/logs";
/// What generations are found by beside their time, as addresses and the API call it.
pub(crate) const FILTERS: [&str; 18] = [
    "model",
    "provider",
    "key",
    "status",
    "error",
    "finish_reason",
    "session_id",
    "trace_id",
    "user",
    "app",
    "tag",
    "feedback",
    "min_cost_usd",
    "max_cost_usd",
    "min_duration_ms",
    "min_ttft_ms",
    "min_input_tokens",
    "min_output_tokens",
];
/// What the form beside the list has a field for; the others stay in the address.
const FIELDS: [&str; 11] = [
    "model",
    "provider",
    "key",
    "status",
    "error",
    "session_id",
    "user",
    "tag",
    "feedback",
    "min_cost_usd",
    "min_duration_ms",
];
/// Most keys that are offered as a choice; more are found by their id.
const KEYS_MAX: usize = 200;

#[derive(Deserialize)]
struct PageOf {
    data: Vec<Listed>,
    next_cursor: Option<String>,
}

/// A file of everything in the span.
struct Export {
    name: &'static str,
    about: &'static str,
    href: String,
}

#[derive(Template)]
#[template(path = "console/logs.html")]
struct Logs {
    shell: Frame,
    tail_url: &'static str,
    lines: Vec<Line>,
    /// What is filled in, by the name of the field.
    asked: Vec<(String, String)>,
    keys: Vec<Key>,
    /// Filters that the form has no field for.
    kept: Vec<(String, String)>,
    is_filtered: bool,
    is_first: bool,
    next: Option<String>,
    newest: String,
    exports: Vec<Export>,
}

impl Logs {
    /// What is filled into a field.
    fn value(&self, name: &str) -> &str {
        self.asked.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.value(name) == value
    }
}

/// The rows alone, for the script.
#[derive(Template)]
#[template(path = "console/log_rows.html")]
struct Rows {
    lines: Vec<Line>,
}

pub(crate) async fn logs(signed: Signed) -> Result<Response, Failed> {
    let asked: Vec<(String, String)> = asked(&signed);
    let cursor = signed.visit.ask("cursor").map(|cursor| (String::from("cursor"), cursor.to_owned()));
    let path = address("/v1/generations", asked.iter().chain(&cursor));
    let reply = signed.calls.call(Method::GET, &path, None).await;
    let names = Names::of_keys(&signed).await?;
    let (page, again) = match reply.read::<PageOf>() {
        Ok(page) => (page, Again::default()),
        Err(refused) if refused.status == StatusCode::BAD_REQUEST => {
            (PageOf { data: Vec::new(), next_cursor: None }, Again::refused(None, &refused))
        }
        Err(refused) => return Err(signed.failed(&refused)),
    };
    let lines = lines(&page.data, &names, signed.visit.today());
    if signed.visit.part.as_deref() == Some("log") {
        return Ok(shell::private(shell::part(Rows { lines }.render())));
    }
    let next = page.next_cursor.map(|cursor| (String::from("cursor"), cursor));
    let next = next.map(|next| address(LOGS, asked.iter().chain([&next])));
    let has_field = |name: &str| FIELDS.contains(&name) || matches!(name, "from" | "to");
    let mut keys = names.keys;
    keys.retain(|key| !key.is_management_key);
    keys.truncate(KEYS_MAX);
    let page = Logs {
        shell: Frame::of(&signed, "Logs", LOGS).again(&again),
        tail_url: TAIL_URL.as_str(),
        lines,
        kept: asked.iter().filter(|(name, _)| !has_field(name)).cloned().collect(),
        keys,
        is_filtered: !asked.is_empty(),
        is_first: cursor.is_none(),
        next,
        newest: address(LOGS, asked.iter()),
        exports: exports(&asked),
        asked,
    };
    Ok(again.answer(&page))
}

/// What generations are looked for by.
fn asked(signed: &Signed) -> Vec<(String, String)> {
    let is_known = |name: &str| FILTERS.contains(&name) || matches!(name, "from" | "to");
    signed.visit.query.iter().filter(|(name, _)| is_known(name)).cloned().collect()
}

fn address<'a>(path: &str, pairs: impl IntoIterator<Item = &'a (String, String)>) -> String {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Exports know the span, and no other filter.
fn exports(asked: &[(String, String)]) -> Vec<Export> {
    let forms = [
        ("csv", "CSV", "a line per generation"),
        ("jsonl", "JSON lines", "everything that the log has of each"),
        ("focus", "FOCUS 1.2", "a line per charge, for cost tools"),
    ];
    let of = |(format, name, about): (&str, &'static str, &'static str)| {
        let format = [(String::from("format"), format.to_owned())];
        let span = asked.iter().filter(|(name, _)| name == "from" || name == "to");
        Export { name, about, href: address("/v1/exports/generations", format.iter().chain(span)) }
    };
    forms.into_iter().map(of).collect()
}
