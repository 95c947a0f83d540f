//! `POST /console/policies/{name}/restore` and its like of presets and guardrails: an older version is put in force again. It is written
//! as a new one over the version that whoever asks has seen; nothing is overwritten.

use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::form::{Form, done};
use super::signed::{Refused, Signed, segment};
use super::{guardrails, policies, presets, versions};
use crate::shell::Failed;

/// What of a preset every version of it shares.
const OF_PRESET: [&str; 3] = ["name", "description", "status"];

/// A version as the API lists it.
#[derive(Deserialize)]
struct Row {
    version: u64,
    #[serde(default)]
    deleted: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Which version a form asks for.
fn asked(form: &Form) -> Option<u64> {
    form.text("number").and_then(|text| text.parse().ok())
}

/// What the version said that a form asks for.
async fn said(signed: &Signed, api: &str, form: &Form) -> Result<Map<String, Value>, Refused> {
    let none = || Refused {
        status: StatusCode::NOT_FOUND,
        kind: String::from("not_found"),
        message: String::from("there is no such version, or it took away what there was"),
        retry_after: None,
    };
    let number = asked(form).ok_or_else(none)?;
    let rows: Vec<Row> = signed.ask(&format!("{api}/versions")).await?;
    let row = rows.into_iter().find(|row| row.version == number && !row.deleted);
    row.map(|row| row.rest).ok_or_else(none)
}

/// Writes it over the version that was seen, and shows the page again.
async fn put(
    signed: &Signed,
    api: &str,
    form: &Form,
    body: Result<Value, Refused>,
    page: &str,
) -> Result<Response, Failed> {
    // Where nothing is in force there is nothing to write over.
    let over = versions::seen(form).filter(|version| *version > 0);
    let written = match body {
        Ok(body) => signed.send_over(Method::PUT, api, Some(&body), over).await,
        Err(refused) => Err(refused),
    };
    match written {
        Ok(_) => Ok(done(&format!("{page}?done=saved"))),
        Err(refused) => Err(signed.failed(&refused)),
    }
}

/// What stands under a name of a version.
fn part(mut said: Map<String, Value>, name: &str) -> Value {
    said.get_mut(name).map(Value::take).unwrap_or_default()
}

pub(crate) async fn policy(Path(name): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/policies/{}", segment(&name));
    let body = said(&signed, &api, &form).await.map(|said| part(said, "policy"));
    put(&signed, &api, &form, body, &format!("{}/{}", policies::PATH, segment(&name))).await
}

pub(crate) async fn preset(Path(slug): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/presets/{}", segment(&slug));
    let now: Map<String, Value> = signed.get(&api).await?;
    let body = said(&signed, &api, &form).await.map(|said| {
        let shared = now.into_iter().filter(|(name, _)| OF_PRESET.contains(&name.as_str()));
        let own = said.into_iter().filter(|(name, _)| matches!(name.as_str(), "config" | "system_prompt"));
        Value::Object(shared.chain(own).filter(|(_, value)| !value.is_null()).collect())
    });
    put(&signed, &api, &form, body, &format!("{}/{}", presets::PATH, segment(&slug))).await
}

pub(crate) async fn guardrails(signed: Signed, form: Form) -> Result<Response, Failed> {
    let api = "/v1/guardrails";
    let body = said(&signed, api, &form).await.map(|said| part(said, "guardrails"));
    put(&signed, api, &form, body, guardrails::PATH).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use crate::testing::api::{FakeApi, visit};

    const DAY: &str = "2026-07-02T12:00:00Z";

    fn version(number: u64, name: &str, said: Value) -> Value {
        json!({"version": number, "created_at": DAY, "created_by": "usr_1", "deleted": said.is_null(), name: said})
    }

    fn api() -> FakeApi {
        let policy = json!({"id": "policy/p", "name": "p", "version": 3, "updated_at": DAY, "policy": {"models": ["c"]}});
        let policies = json!([
            version(3, "policy", json!({"models": ["c"]})),
            version(2, "policy", Value::Null),
            version(1, "policy", json!({"models": ["a"]})),
        ]);
        let preset = json!({"slug": "s", "name": "Support", "description": null, "status": "active", "updated_at": DAY,
            "designated_version": {"version": 2, "config": {"model": "b"}, "system_prompt": "new"}});
        let presets = json!([
            {"version": 2, "created_at": DAY, "creator_id": "usr_1", "config": {"model": "b"}, "system_prompt": "new"},
            {"version": 1, "created_at": DAY, "creator_id": "usr_1", "config": {"model": "a"}, "system_prompt": null},
        ]);
        let own = json!({"version": 2, "updated_at": DAY, "guardrails": {"kinds": {"email": "mask"}}});
        let guardrails = json!([
            version(2, "guardrails", json!({"kinds": {"email": "mask"}})),
            version(1, "guardrails", json!({"kinds": {"email": "block"}})),
        ]);
        let changed =
            json!({"error": {"type": "version_mismatch", "message": "somebody wrote version 4 meanwhile"}});
        FakeApi::signed_in("owner", false)
            .answering("GET /v1/policies/p", 200, json!({ "data": policy }))
            .answering("GET /v1/policies/p/versions", 200, json!({ "data": policies }))
            .answering("PUT /v1/policies/p", 200, json!({"data": {}}))
            .answering("GET /v1/presets/s", 200, json!({ "data": preset }))
            .answering("GET /v1/presets/s/versions", 200, json!({ "data": presets }))
            .answering("PUT /v1/presets/s", 200, json!({"data": {}}))
            .answering("GET /v1/guardrails", 200, json!({ "data": own }))
            .answering("GET /v1/guardrails/versions", 200, json!({ "data": guardrails }))
            .answering("PUT /v1/guardrails", 412, changed)
    }

    #[tokio::test]
    async fn an_older_version_is_written_as_a_new_one() {
        let api = Arc::new(api());
        let page = visit(&api, "/console/policies/p", None).await;
        page.holds("action=\"/console/policies/p/restore\"");
        assert_eq!(
            page.text.matches("Put version").count(),
            1,
            "neither the present one nor one that took it away"
        );
        let back = visit(&api, "/console/policies/p/restore", Some("number=1&version=3")).await;
        assert_eq!((back.status, back.header("location")), (303, "/console/policies/p?done=saved"));
        assert_eq!(api.sent("PUT /v1/policies/p"), [r#"{"models":["a"]}"#]);
        assert_eq!(api.versions(), ["\"3\""]);
        for none in ["number=2&version=3", "number=9&version=3", "version=3"] {
            assert_eq!(visit(&api, "/console/policies/p/restore", Some(none)).await.status, 404, "{none}");
        }
        visit(&api, "/console/presets/s", None).await.holds("action=\"/console/presets/s/restore\"");
        let back = visit(&api, "/console/presets/s/restore", Some("number=1&version=2")).await;
        assert_eq!(back.header("location"), "/console/presets/s?done=saved");
        let sent: Value = serde_json::from_str(&api.sent("PUT /v1/presets/s")[0]).unwrap();
        assert_eq!(sent, json!({"name": "Support", "status": "active", "config": {"model": "a"}}));
    }

    #[tokio::test]
    async fn who_was_slower_is_told_so() {
        let api = Arc::new(api());
        visit(&api, "/console/guardrails", None).await.holds("action=\"/console/guardrails/restore\"");
        let late = visit(&api, "/console/guardrails/restore", Some("number=1&version=2")).await;
        assert_eq!(late.status, 412);
        late.holds("Somebody wrote version 4 meanwhile");
        assert_eq!(api.sent("PUT /v1/guardrails"), [r#"{"kinds":{"email":"block"}}"#]);
    }
}
