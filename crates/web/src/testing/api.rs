//! The management API as a table: what is asked for, and what is answered.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Answer, SMALL, Still, several_on, site};
use crate::api::{Api, Caller};
use crate::router;
use crate::site::Soon;

/// Answers of the API, and what was asked of it.
pub(crate) struct FakeApi {
    answers: Vec<(String, u16, Value)>,
    asked: Mutex<Vec<(String, String)>>,
}

impl FakeApi {
    /// Nobody is signed in.
    pub(crate) fn nobody() -> FakeApi {
        let over = json!({"error": {"type": "session_invalid", "message": "a session is needed"}});
        let ways = json!({"data": {"password": true, "sign_up": "open", "issuers": [
            {"id": "corp", "name": "Corp", "url": "/v1/auth/oidc/corp"}
        ]}});
        FakeApi { answers: Vec::new(), asked: Mutex::default() }
            .answering("GET /v1/auth/me", 401, over)
            .answering("GET /v1/auth/methods", 200, ways)
    }

    /// Ada is signed in, with this role in her team; or runs the server.
    pub(crate) fn signed_in(role: &str, is_operator: bool) -> FakeApi {
        let me = json!({"data": {
            "user": {"id": "usr_1", "email": "ada@example.com", "name": "Ada", "is_operator": is_operator},
            "session": {"id": "ses_1"},
            "organization": {"id": "acct_1", "role": role},
        }});
        let organizations = json!({"data": [
            {"id": "acct_2", "name": "Ada", "personal": true, "role": "owner"},
            {"id": "acct_1", "name": "Night <b>Owls</b>", "personal": false, "role": role},
        ]});
        FakeApi::nobody().answering("GET /v1/auth/me", 200, me).answering(
            "GET /v1/organizations",
            200,
            organizations,
        )
    }

    /// With an answer for `METHOD /path`, whatever its query is; a later one takes the place of an earlier.
    pub(crate) fn answering(mut self, what: &str, status: u16, body: Value) -> FakeApi {
        self.answers.insert(0, (what.to_owned(), status, body));
        self
    }

    /// The bodies that were sent to `METHOD /path`, whatever its query was.
    pub(crate) fn sent(&self, what: &str) -> Vec<String> {
        let asked = self.asked.lock();
        let of = asked.iter().filter(|(line, _)| line.split('?').next() == Some(what));
        of.map(|(_, body)| body.clone()).collect()
    }

    /// The paths of the calls so far, with their queries.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().iter().map(|(line, _)| line.clone()).collect()
    }
}

impl Api for FakeApi {
    fn call(&self, request: Request<Bytes>) -> Soon<'_, Response<Bytes>> {
        let line = format!("{} {}", request.method(), request.uri());
        self.asked.lock().push((line.clone(), String::from_utf8_lossy(request.body()).into_owned()));
        let found = self.answers.iter().find(|(known, ..)| line.split('?').next() == Some(known));
        let (status, body) = match found {
            Some((_, status, body)) => (*status, body.clone()),
            None => (
                404,
                json!({"error": {"type": "not_found", "message": format!("the test knows no `{line}`")}}),
            ),
        };
        let mut response = Response::builder().status(status);
        if line == "POST /v1/auth/sign-in" && status == 200 {
            response = response.header("set-cookie", "session=st_1");
        }
        Box::pin(async move { response.body(Bytes::from(body.to_string())).unwrap() })
    }
}

/// Asks a page with this API behind it. With a `form`, it is sent from a page of the site.
pub(crate) async fn visit(api: &Arc<FakeApi>, path: &str, form: Option<&str>) -> Answer {
    send(api, path, form, &[("sec-fetch-site", "same-origin")]).await
}

/// The same with other headers.
pub(crate) async fn send(
    api: &Arc<FakeApi>,
    path: &str,
    form: Option<&str>,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().uri(path).method(if form.is_some() { "POST" } else { "GET" });
    if form.is_some() {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let api: Arc<dyn Api> = Arc::clone(api) as Arc<dyn Api>;
    let request =
        request.extension(Caller(api)).body(Body::from(form.unwrap_or_default().to_owned())).unwrap();
    let pages = router(site(several_on(), Still::new(&SMALL, &["mistral"])));
    let (parts, body) = pages.oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(to_bytes(body, 1 << 22).await.unwrap().to_vec()).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, text }
}
