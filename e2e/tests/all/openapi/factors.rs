//! Who calls the operations of second factors, and with which code.

use e2e::webhooks::now;
use serde_json::{Value, json};
use testkit::{Actor, TestApp};

use super::prepare::{PASSWORD, text};
use super::team::come_in;
use crate::second_factor::authenticator;

/// Somebody for an operation of second factors, with the fields of its example that are theirs alone.
pub(super) async fn person(app: &TestApp, name: &str) -> Option<(Actor, Vec<(&'static str, Value)>)> {
    if !name.contains(" /v1/auth/totp") {
        return None;
    }
    // What one call puts in force, the next would stumble over: each has somebody new.
    let letters = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    let (person, _) = come_in(app, &format!("{}@example.com", letters.to_lowercase()), &[]).await;
    if matches!(name, "GET /v1/auth/totp" | "POST /v1/auth/totp") {
        return Some((person, Vec::new()));
    }
    let begun = person.post("/v1/auth/totp", &json!({ "password": PASSWORD })).await.expect(200).json();
    let now = u64::try_from(now()).expect("after 1970");
    let code = authenticator(&text(&begun, "/data/secret")).generate(now).to_string();
    if name == "POST /v1/auth/totp/confirm" {
        return Some((person, vec![("code", json!(code))]));
    }
    let shown = json!({ "code": code });
    let confirmed = person.post("/v1/auth/totp/confirm", &shown).await.expect(200).json();
    // The code that put it in force is used up.
    Some((person, vec![("code", json!(text(&confirmed, "/data/recovery_codes/0")))]))
}
