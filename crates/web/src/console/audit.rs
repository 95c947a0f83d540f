//! `/console/audit`: who did what in the organization, newest first; who runs the server may see the whole server's.

use askama::Template;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::again::Again;
use super::frame::Frame;
use super::logs::instant;
use super::names::{Key, Names};
use super::signed::{Signed, segment};
use crate::format::{self, Shown};
use crate::shell::{CONSOLE, Failed};

const AUDIT: &str = "/console/audit";

#[derive(Deserialize)]
struct PageOf {
    data: Vec<Act>,
    next: Option<i64>,
}

/// An act as the API tells it.
#[derive(Deserialize)]
struct Act {
    number: i64,
    at: String,
    organization: String,
    actor: String,
    action: String,
    object: String,
    address: String,
    status: u16,
    detail: Value,
    hash: String,
}

/// A row.
struct Line {
    number: i64,
    at: Shown,
    organization: String,
    actor: String,
    actor_id: String,
    action: String,
    /// Who did it, and what, where there is a page of it.
    actor_href: Option<String>,
    object: String,
    object_href: Option<String>,
    address: String,
    class: &'static str,
    status: String,
    detail: Vec<(String, String)>,
    hash: String,
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct Page {
    shell: Frame,
    lines: Vec<Line>,
    is_operator: bool,
    is_whole: bool,
    is_first: bool,
    next: Option<String>,
}

pub(crate) async fn audit(signed: Signed) -> Result<Response, Failed> {
    let is_whole = signed.me.user.is_operator && signed.visit.ask("of") == Some("server");
    let path = if is_whole { "/v1/audit" } else { "/v1/organization/audit" };
    let before = signed.visit.ask("before").and_then(|before| before.parse::<i64>().ok());
    let path = before.map_or_else(|| path.to_owned(), |before| format!("{path}?before={before}"));
    let reply = signed.calls.call(Method::GET, &path, None).await;
    let page: PageOf = reply.read().map_err(|refused| signed.failed(&refused))?;
    // Keys act as well, and have names.
    let names = Names::of_keys(&signed).await?.with_holders(&signed).await;
    let next = page.next.map(|next| match is_whole {
        true => format!("{AUDIT}?of=server&before={next}"),
        false => format!("{AUDIT}?before={next}"),
    });
    let shown = Page {
        shell: Frame::of(&signed, "Audit log", AUDIT),
        lines: page.data.into_iter().map(|act| line(act, &names, is_whole)).collect(),
        is_operator: signed.me.user.is_operator,
        is_whole,
        is_first: before.is_none(),
        next,
    };
    Ok(Again::default().answer(&shown))
}

fn line(act: Act, names: &Names, is_whole: bool) -> Line {
    let fields: Map<String, Value> = match act.detail {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let told = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let (actor_href, object_href) = match is_whole {
        // The whole server's are mostly of organizations that this page is not of.
        true => (None, None),
        false => (actor(&act.actor, names), object(&act.action, &act.object, names)),
    };
    Line {
        actor_href,
        object_href,
        number: act.number,
        at: instant(&act.at).map_or_else(Shown::unknown, format::instant),
        organization: act.organization,
        actor: names.of(&act.actor).to_owned(),
        actor_id: act.actor,
        action: act.action,
        object: names.of(&act.object).to_owned(),
        address: act.address,
        class: match act.status {
            ..400 => "good",
            400..500 => "warn",
            _ => "bad",
        },
        status: match act.status {
            ..400 => String::from("done"),
            status => format!("refused, {status}"),
        },
        detail: fields.iter().map(|(name, value)| (name.clone(), told(value))).collect(),
        hash: act.hash,
    }
}

/// Where it is shown what somebody spent, or what a key may do.
fn actor(id: &str, names: &Names) -> Option<String> {
    names.key(id).map(Key::path).or_else(|| {
        let is_person = id.starts_with("usr_") || id.starts_with("sa_");
        is_person.then(|| format!("{CONSOLE}?member={}", segment(id)))
    })
}

/// The page of what somebody made or changed.
fn object(action: &str, id: &str, names: &Names) -> Option<String> {
    if let Some(key) = names.keys.iter().find(|key| key.id == id || key.hash == id) {
        return Some(key.path());
    }
    let (method, path) = action.split_once(' ')?;
    if method == "DELETE" || id.is_empty() {
        return None;
    }
    let kind = path.strip_prefix("/v1/")?.split('/').next().unwrap_or_default();
    let (under, id) = match kind {
        "budgets" => (super::budgets::PATH, id),
        "presets" => (super::presets::PATH, id),
        "policies" => (super::policies::PATH, id.strip_prefix("policy/").unwrap_or(id)),
        "byok" if id.starts_with("byok_") => (super::provider_keys::PATH, id),
        "access-lists" => ("/console/access-lists", id),
        "groups" => ("/console/groups", id),
        _ => return None,
    };
    Some(format!("{under}/{}", segment(id)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use crate::testing::api::{FakeApi, visit};

    fn acts(next: Option<i64>) -> Value {
        json!({"data": [{
            "number": 41, "at": "2026-07-03T11:00:00Z", "organization": "acct_1", "actor": "usr_1",
            "action": "PATCH /v1/keys/{hash}", "object": "key_9", "address": "127.0.0.1", "status": 403,
            "detail": {"name": "<script>alert(1)</script>", "limit": 5}, "redacted_at": null, "hash": "abcd",
        }], "next": next})
    }

    fn api(is_operator: bool) -> FakeApi {
        FakeApi::signed_in("admin", is_operator)
            .answering("GET /v1/organization/audit", 200, acts(Some(41)))
            .answering("GET /v1/audit", 200, acts(None))
            .answering(
                "GET /v1/keys",
                200,
                json!({"data": [{"id": "key_9", "hash": "h9", "name": "Night job"}]}),
            )
            .answering(
                "GET /v1/organization/members",
                200,
                json!({"data": [{"id": "usr_1", "name": "Ada", "email": "a@b.c"}]}),
            )
    }

    #[tokio::test]
    async fn it_says_who_did_what_and_leads_on() {
        let page = visit(&Arc::new(api(false)), "/console/audit", None).await;
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
        page.holds("Ada");
        page.holds("Night job");
        page.holds("refused, 403");
        page.holds("&#60;script&#62;");
        page.lacks("<script>alert");
        page.holds("href=\"/console?member=usr_1\"").holds("href=\"/console/keys/key_9\"");
        page.holds("/console/audit?before=41");
        page.lacks("of=server");
    }

    #[test]
    fn what_was_made_leads_to_its_page() {
        let names = crate::console::names::Names::default();
        for (action, id, path) in [
            ("POST /v1/policies", "policy/careful", Some("/console/policies/careful")),
            ("PUT /v1/presets/{slug}", "a b", Some("/console/presets/a%20b")),
            ("DELETE /v1/presets/{slug}", "support", None),
            ("PUT /v1/account/billing", "Acme", None),
            ("POST /v1/budgets", "", None),
        ] {
            assert_eq!(super::object(action, id, &names).as_deref(), path, "{action}");
        }
    }

    #[tokio::test]
    async fn only_who_runs_the_server_sees_all_of_it() {
        let api = Arc::new(api(true));
        visit(&api, "/console/audit", None).await.holds("of=server");
        visit(&api, "/console/audit?of=server", None).await.holds("GET /v1/audit</figcaption>");
        let other = visit(&Arc::new(self::api(false)), "/console/audit?of=server", None).await;
        other.holds("GET /v1/organization/audit</figcaption>");
    }

    #[tokio::test]
    async fn who_may_not_look_is_told_so() {
        let refused = json!({"error": {"type": "role", "message": "your role may not"}});
        let api = FakeApi::signed_in("viewer", false).answering("GET /v1/organization/audit", 403, refused);
        let page = visit(&Arc::new(api), "/console/audit", None).await;
        assert_eq!(page.status, 403);
        page.holds("Not yours to see");
    }
}
