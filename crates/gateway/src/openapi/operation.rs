//! One operation: what the tables say of a route, and what its area tells beside.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use wire::hub::Dialect;

use super::areas::Told;
use types::Right;

use crate::auth::Access;
use crate::auth::session::asks_organization;
use crate::error::TABLE;
use crate::router::Route;

/// What any key can be refused for.
const KEY: [&str; 9] = [
    "key_missing",
    "key_malformed",
    "key_unknown",
    "key_disabled",
    "key_expired",
    "key_rotated",
    "key_frozen",
    "key_rule",
    "wrong_key_kind",
];
/// What a session can be refused for.
const SESSION: [&str; 3] = ["session_invalid", "foreign_page", "store_unavailable"];
/// What a body can be refused for.
const BODY: [&str; 2] = ["invalid_request", "body_too_large"];
/// What can be found out about a call before it is made.
const DECIDES: [&str; 18] = [
    "invalid_request",
    "invalid_header",
    "context_length_exceeded",
    "not_translatable",
    "max_cost_exceeded",
    "key_rule",
    "model_not_found",
    "model_retired",
    "no_endpoints",
    "policy_not_found",
    "preset_not_found",
    "tokens_limited",
    "rate_limited",
    "too_many_in_flight",
    "store_unavailable",
    "endpoints_resting",
    "books_unavailable",
    "overloaded",
];
/// What becomes of calls beyond it.
const CALLS: [&str; 15] = [
    "guardrail_blocked",
    "provider_refused",
    "budget_exceeded",
    "key_limit_exceeded",
    "insufficient_credits",
    "byok_balance_empty",
    "content_policy",
    "idempotency_in_flight",
    "outcome_unknown",
    "answer_not_kept",
    "idempotency_mismatch",
    "provider_rate_limited",
    "provider_error",
    "stream_broken",
    "provider_timeout",
];
/// Request headers of whatever decides.
const HINTS: [&str; 13] = [
    "Preference",
    "CostQuality",
    "MaxCost",
    "MaxLatency",
    "Cache",
    "CacheTtl",
    "CacheClear",
    "AutoCache",
    "Escalate",
    "Metadata",
    "SessionId",
    "Referer",
    "Title",
];

/// Puts an operation together.
pub(super) fn build(route: &Route, tag: &str, told: &Told, call_headers: &Map<String, Value>) -> Value {
    let mut operation = Map::new();
    let mut put = |name: &str, value: Value| operation.insert(name.to_owned(), value);
    put("tags", json!([tag]));
    put("operationId", json!(id(route)));
    put("summary", json!(sentence(route.about)));
    if let Some(description) = &told.description {
        put("description", json!(description));
    }
    let parameters = parameters(route, told);
    if !parameters.is_empty() {
        put("parameters", json!(parameters));
    }
    let usual = told.body.as_ref();
    let usual = usual.map(|body| (JSON.to_owned(), json!({ "schema": body, "example": told.example })));
    let content: Map<String, Value> = usual.into_iter().chain(told.forms.clone()).collect();
    if !content.is_empty() {
        put("requestBody", json!({ "required": !told.body_optional, "content": content }));
    }
    put("responses", responses(route, told, call_headers));
    put("security", security(route.access, told));
    // Which of the two kinds of key it is, OpenAPI has no word for.
    put("x-access", json!(access_name(route.access)));
    if let Access::Manage(right) | Access::Decide(right) = route.access {
        // What the role of whoever calls has to allow.
        put("x-right", json!(right.name()));
        put("x-roles", json!(right.holders()));
    }
    Value::Object(operation)
}

const JSON: &str = "application/json";

/// `post_keys_hash_rotate`.
pub(super) fn id(route: &Route) -> String {
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && *word != "v1");
    words.fold(route.method.to_ascii_lowercase(), |id, word| format!("{id}_{word}"))
}

fn sentence(about: &str) -> String {
    let mut letters = about.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn parameters(route: &Route, told: &Told) -> Vec<Value> {
    let (dialect, generates) = route.speaks();
    let hints = generates || (told.decides && dialect == Dialect::Chat);
    let more = HINTS.into_iter().filter(|_| hints).chain(generates.then_some("IdempotencyKey"));
    let more =
        more.chain((takes_session(route.access) && asks_organization(route.path)).then_some("Organization"));
    let more = more.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
    told.parameters.iter().cloned().chain(more).collect()
}

/// How it is asked for, by whom, and whether the organization that they name counts.
fn asker(route: &Route) -> (&'static str, Access, bool) {
    (route.method, route.access, asks_organization(route.path))
}

/// Whether who is signed in may call it.
const fn takes_session(access: Access) -> bool {
    !matches!(access, Access::Public | Access::ApiKey)
}

const fn access_name(access: Access) -> &'static str {
    match access {
        Access::Public => "public",
        Access::ApiKey => "api_key",
        Access::Manage(_) => "management_key",
        Access::AnyKey | Access::Decide(_) => "any_key",
        Access::Session => "session",
        Access::Operator => "operator",
    }
}

fn security(access: Access, told: &Told) -> Value {
    match access {
        Access::Public if told.key_optional => json!([{}, { "key": [] }]),
        Access::Public if told.session_optional => json!([{}, { "session": [] }, { "cookie": [] }]),
        Access::Public => json!([]),
        Access::ApiKey => json!([{ "key": [] }]),
        Access::Session => json!([{ "session": [] }, { "cookie": [] }]),
        Access::Manage(_) | Access::AnyKey | Access::Decide(_) | Access::Operator => {
            json!([{ "key": [] }, { "session": [] }, { "cookie": [] }])
        }
    }
}

fn responses(route: &Route, told: &Told, call_headers: &Map<String, Value>) -> Value {
    let (dialect, generates) = route.speaks();
    let mut responses = Map::new();
    for (status, answer) in &told.answers {
        let mut response = Map::new();
        response.insert("description".to_owned(), json!(answer.description));
        let own = answer.headers.clone();
        let common = call_headers.clone().into_iter().filter(|_| generates && status == "200");
        let headers: Map<String, Value> = own.into_iter().chain(common).collect();
        if !headers.is_empty() {
            response.insert("headers".to_owned(), Value::Object(headers));
        }
        let usual = answer.schema.as_ref().map(|schema| (JSON.to_owned(), json!({ "schema": schema })));
        let content: Map<String, Value> = usual.into_iter().chain(answer.content.clone()).collect();
        if !content.is_empty() {
            response.insert("content".to_owned(), Value::Object(content));
        }
        responses.insert(status.clone(), Value::Object(response));
    }
    let schema = match dialect {
        Dialect::Messages => "AnthropicError",
        Dialect::Gemini => "GeminiError",
        _ => "Error",
    };
    let content = json!({ JSON: { "schema": { "$ref": format!("#/components/schemas/{schema}") } } });
    for (status, kinds) in errors(asker(route), told, generates) {
        let kinds: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
        let response = json!({ "description": kinds.join(", "), "content": content });
        responses.entry(status.to_string()).or_insert(response);
    }
    if generates {
        let description = "The provider refused the request; the status is its own.";
        responses.insert("4XX".to_owned(), json!({ "description": description, "content": content }));
    }
    Value::Object(responses)
}

/// The types of errors that can come, by status.
fn errors<'t>(
    (method, access, named): (&str, Access, bool),
    told: &'t Told,
    generates: bool,
) -> BTreeMap<u16, Vec<&'t str>> {
    let with_key = !matches!(access, Access::Public | Access::Session);
    let with_session = takes_session(access);
    let with_right = matches!(access, Access::Manage(right) | Access::Decide(right) if right != Right::Read);
    let groups: [(bool, &[&str]); 9] = [
        (with_right, &["role_insufficient"]),
        (with_session && named, &["organization_unknown"]),
        (with_key, &KEY),
        (with_session, &SESSION),
        (told.body.is_some(), &BODY),
        // What is sent with nothing to say is read all the same.
        (method != "GET", &["body_too_large"]),
        (generates || told.decides, &DECIDES),
        (generates, &CALLS),
        (true, &["internal"]),
    ];
    let follow = groups.into_iter().filter(|(holds, _)| *holds).flat_map(|(_, kinds)| kinds.iter().copied());
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for kind in told.errors.iter().map(String::as_str).chain(follow) {
        let Some(doc) = TABLE.iter().find(|doc| doc.kind == kind) else { continue };
        let kinds = by_status.entry(doc.status).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    by_status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_follow_from_who_calls_and_what_is_sent() {
        let told = Told { body: Some(json!({})), errors: vec!["not_found".to_owned()], ..Told::default() };
        let kinds = |access, generates| -> Vec<u16> {
            errors(("POST", access, true), &told, generates).into_keys().collect()
        };
        assert_eq!(kinds(Access::Public, false), [400, 404, 413, 500]);
        assert_eq!(kinds(Access::Session, false), [400, 401, 403, 404, 413, 500, 503]);
        assert_eq!(
            kinds(Access::ApiKey, true),
            [400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504]
        );
    }

    #[test]
    fn a_body_that_nobody_asked_for_can_be_too_large() {
        let statuses = |method| -> Vec<u16> {
            errors((method, Access::ApiKey, true), &Told::default(), false).into_keys().collect()
        };
        assert_eq!(statuses("GET"), [401, 403, 500]);
        assert_eq!(statuses("DELETE"), [401, 403, 413, 500]);
    }

    #[test]
    fn who_is_signed_in_may_say_where_they_work() {
        let named = |path: &str| {
            let route = crate::router::ROUTES.iter().find(|route| route.path == path).unwrap();
            let told = Told::default();
            let wanted = json!({ "$ref": "#/components/parameters/Organization" });
            (
                parameters(route, &told).contains(&wanted),
                errors(asker(route), &told, false)
                    .values()
                    .flatten()
                    .any(|kind| *kind == "organization_unknown"),
            )
        };
        for path in ["/v1/auth/me", "/v1/keys", "/v1/credits", "/v1/audit"] {
            assert_eq!(named(path), (true, true), "{path}");
        }
        for path in ["/v1/models", "/v1/embeddings", "/v1/auth/sign-in", "/v1/auth/sign-out"] {
            assert_eq!(named(path), (false, false), "{path}");
        }
    }

    #[test]
    fn every_group_names_errors_of_the_table() {
        for kind in KEY.iter().chain(&SESSION).chain(&BODY).chain(&DECIDES).chain(&CALLS) {
            assert!(TABLE.iter().any(|doc| doc.kind == *kind), "{kind}");
        }
    }
}
