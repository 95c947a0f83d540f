//! `/console`: where everything begins, and the organization that one works in.

use askama::Template;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Number, json};

use super::amount::dollars;
use super::form::{Form, done};
use super::frame::Frame;
use super::signed::{Signed, sentence};
use crate::model::Stat;
use crate::shell::{self, CONSOLE, Failed};

/// What a form did.
const DONE: [(&str, &str); 1] = [("switched", "You work in another organization now.")];

/// Dollars, as the API tells them.
#[derive(Deserialize)]
struct Credits {
    total_credits: Number,
    total_usage: Number,
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    shell: Frame,
    organization: String,
    role: &'static str,
    stats: Vec<Stat>,
}

pub(crate) async fn overview(signed: Signed) -> Result<Response, Failed> {
    page(&signed, StatusCode::OK, None).await
}

async fn page(signed: &Signed, status: StatusCode, problem: Option<String>) -> Result<Response, Failed> {
    let credits: Credits = signed.get("/v1/credits").await?;
    let stat = |name, value| Stat { name, value: dollars(value), note: String::new() };
    let stats =
        vec![stat("Spent so far", &credits.total_usage), stat("Credit so far", &credits.total_credits)];
    let organization = signed.me.organizations.first().map(|known| known.name.clone()).unwrap_or_default();
    let shell = Frame::of(signed, "Overview", CONSOLE).told(signed, &DONE).problem(problem);
    let page = Overview { shell, organization, role: signed.me.role.name(), stats };
    Ok(shell::private(shell::page(status, &page)))
}

/// `POST /console/organization`: another organization to work in.
pub(crate) async fn organization(signed: Signed, form: Form) -> Result<Response, Failed> {
    let body = json!({ "organization": form.text("organization") });
    match signed.send(Method::PUT, "/v1/auth/organization", Some(&body)).await {
        Ok(_) => Ok(done("/console?done=switched")),
        Err(refused) => page(&signed, refused.status, Some(sentence(&refused.message))).await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::testing::api::{FakeApi, visit};

    fn api() -> FakeApi {
        let credits = json!({"data": {"total_credits": 12.5, "total_usage": 1e-9}});
        FakeApi::signed_in("viewer", false).answering("GET /v1/credits", 200, credits)
    }

    #[tokio::test]
    async fn it_says_who_works_where_and_what_it_asked() {
        let page = visit(&Arc::new(api()), "/console", None).await;
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
        page.holds("Night &#60;b&#62;Owls");
        page.lacks("<b>Owls");
        page.holds("<option value=\"acct_1\" selected>");
        page.holds("$12.50");
        page.holds("GET /v1/credits");
        page.lacks("GET /v1/auth/me</figcaption>");
    }

    #[tokio::test]
    async fn another_organization_is_chosen_by_a_call() {
        let done = api().answering("PUT /v1/auth/organization", 200, json!({"data": {}}));
        let api = Arc::new(done);
        let switched = visit(&api, "/console/organization", Some("organization=acct_2")).await;
        assert_eq!((switched.status, switched.header("location")), (303, "/console?done=switched"));
        assert_eq!(api.sent("PUT /v1/auth/organization"), [r#"{"organization":"acct_2"}"#]);
        visit(&api, "/console?done=switched", None).await.holds("You work in another organization now.");
        visit(&api, "/console?done=%3Cb%3E", None).await.lacks("<b>");
        let refused =
            visit(&Arc::new(super::tests::api()), "/console/organization", Some("organization=x")).await;
        assert_eq!(refused.status, 404);
        refused.holds("role=\"alert\"");
    }
}
