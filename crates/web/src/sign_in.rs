//! `/sign-in` and `/sign-out`: how people come in, and go.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::assets::CONSOLE_CSS_URL;
use crate::console::form::{Form, done};
use crate::console::signed::Calls;
use crate::message::message;
use crate::prose::Prose;
use crate::shell::{self, CONSOLE, Failed, Shell};
use crate::visit::{Pages, Visit};

/// The paths of who is not signed in yet, or no more.
pub(crate) fn router() -> Router<Arc<Pages>> {
    Router::new().route("/sign-in", get(show).post(sign_in)).route("/sign-out", post(sign_out))
}

/// A request by anybody, with the API behind it.
pub(crate) struct Guest {
    pub(crate) visit: Visit,
    pub(crate) calls: Calls,
}

impl FromRequestParts<Arc<Pages>> for Guest {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, pages: &Arc<Pages>) -> Result<Guest, Failed> {
        let visit = match Visit::from_request_parts(parts, pages).await {
            Ok(visit) => visit,
            Err(never) => match never {},
        };
        let Some(calls) = Calls::of(parts) else {
            let why = "Signing in needs the gateway behind it, and there is none here.";
            return Err(message(&visit.place, StatusCode::SERVICE_UNAVAILABLE, "No gateway", why).into());
        };
        Ok(Guest { visit, calls })
    }
}

#[derive(Deserialize)]
struct Methods {
    data: Ways,
}

/// How people sign in here.
#[derive(Default, Deserialize)]
struct Ways {
    #[serde(default)]
    sign_up: String,
    #[serde(default)]
    issuers: Vec<Issuer>,
}

#[derive(Deserialize)]
struct Issuer {
    id: String,
    name: String,
}

/// A link to an issuer of identities.
struct Way {
    name: String,
    href: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    shell: Shell,
    css_url: &'static str,
    ways: Vec<Way>,
    takes_people: bool,
    email: String,
    next: String,
    /// The password was right, and a code is asked for.
    wants_code: bool,
    problem: Option<Prose>,
    notice: Option<&'static str>,
}

/// What may be said above the form, by the word in `done`.
const DONE: [(&str, &str); 2] = [
    ("signed-out", "You are signed out."),
    ("password", "Your password is changed. Sign in with it and the code of your second factor."),
];

async fn show(guest: Guest) -> Response {
    let asked = guest.visit.ask("done");
    let notice = DONE.into_iter().find(|(word, _)| Some(*word) == asked).map(|(_, text)| text);
    let next = guest.visit.ask("next").unwrap_or_default().to_owned();
    page(StatusCode::OK, SignIn { notice, next, ..blank(&guest).await })
}

async fn blank(guest: &Guest) -> SignIn {
    let place = &guest.visit.place;
    let methods = guest.calls.call_unseen(Method::GET, "/v1/auth/methods", None).await;
    let ways = methods.read::<Methods>().map(|methods| methods.data).unwrap_or_default();
    let shell =
        Shell::of(place, "Sign in", CONSOLE, "/sign-in").about(format!("Sign in to {}.", place.brand));
    let next = own_path(guest.visit.ask("next"));
    let way = |issuer: Issuer| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", next).finish();
        Way { name: issuer.name, href: format!("/v1/auth/oidc/{}?{query}", issuer.id) }
    };
    SignIn {
        shell,
        css_url: CONSOLE_CSS_URL.as_str(),
        takes_people: ways.sign_up == "open",
        ways: ways.issuers.into_iter().map(way).collect(),
        email: String::new(),
        next: String::new(),
        wants_code: false,
        problem: None,
        notice: None,
    }
}

fn page(status: StatusCode, page: SignIn) -> Response {
    shell::private(shell::page(status, &page))
}

/// Where somebody goes once they are signed in: a path of this site, else the console.
pub(crate) fn own_path(next: Option<&str>) -> &str {
    let is_own = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.chars().all(|c| c.is_ascii_graphic() && c != '\\')
    };
    next.filter(is_own).unwrap_or(CONSOLE)
}

async fn sign_in(guest: Guest, form: Form) -> Result<Response, Failed> {
    let mut body = json!({
        "email": form.text("email").unwrap_or_default(),
        "password": form.raw("password").unwrap_or_default(),
    });
    if let (Some(code), Some(map)) = (form.text("code"), body.as_object_mut()) {
        map.insert(String::from("code"), code.into());
    }
    let reply = guest.calls.call_unseen(Method::POST, "/v1/auth/sign-in", Some(body.to_string())).await;
    match reply.read::<Value>() {
        Ok(_) => {
            let mut response = shell::private(done(own_path(form.text("next"))));
            reply.pass_cookies(&mut response);
            Ok(response)
        }
        Err(refused) => {
            let wants_code = refused.kind.starts_with("second_factor");
            let problem = match &*refused.kind {
                "second_factor_required" => None,
                "invalid_credentials" => Some(Prose::of("The address or the password is wrong.")),
                _ => Some(Prose::of(&refused.sentence())),
            };
            let (email, next) = (form.again("email"), form.again("next"));
            let filled = SignIn { email, next, wants_code, problem, ..blank(&guest).await };
            Ok(page(refused.status, filled))
        }
    }
}

async fn sign_out(guest: Guest, _: Form) -> Response {
    let reply = guest.calls.call_unseen(Method::POST, "/v1/auth/sign-out", None).await;
    // Who is not signed in any more has what they asked for.
    let mut response = shell::private(done("/sign-in?done=signed-out"));
    reply.pass_cookies(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::own_path;
    use crate::testing::api::{FakeApi, send, visit};

    fn error(kind: &str) -> serde_json::Value {
        json!({"error": {"type": kind, "message": "because"}})
    }

    #[test]
    fn nobody_is_led_elsewhere() {
        for (next, goes) in [
            (Some("/console/keys?a=b"), "/console/keys?a=b"),
            (Some("//evil.example"), "/console"),
            (Some("/\\evil.example"), "/console"),
            (Some("https://evil.example"), "/console"),
            (Some("/a\nb"), "/console"),
            (None, "/console"),
        ] {
            assert_eq!(own_path(next), goes, "{next:?}");
        }
    }

    #[tokio::test]
    async fn the_console_asks_to_sign_in_and_leads_back() {
        let api = Arc::new(FakeApi::nobody());
        let away = visit(&api, "/console?span=week", None).await;
        assert_eq!((away.status, away.header("location")), (303, "/sign-in?next=%2Fconsole%3Fspan%3Dweek"));
        let door = visit(&api, away.header("location"), None).await;
        assert_eq!((door.status, door.header("cache-control")), (200, "no-store"));
        door.holds("name=\"next\" value=\"/console?span=week\"");
        door.holds("href=\"/v1/auth/oidc/corp?return_to=%2Fconsole%3Fspan%3Dweek\"");
        door.holds("href=\"/sign-up\"");
    }

    #[tokio::test]
    async fn a_session_becomes_a_cookie() {
        let api = Arc::new(FakeApi::nobody().answering("POST /v1/auth/sign-in", 200, json!({"data": {}})));
        let form = "email=+ada%40example.com+&password=+with+space+&next=%2Fconsole%2Fkeys";
        let come = visit(&api, "/sign-in", Some(form)).await;
        assert_eq!((come.status, come.header("location")), (303, "/console/keys"));
        assert_eq!(come.header("set-cookie"), "session=st_1");
        let sent: serde_json::Value = serde_json::from_str(&api.sent("POST /v1/auth/sign-in")[0]).unwrap();
        assert_eq!(sent, json!({"email": "ada@example.com", "password": " with space "}));
        let foreign = send(&api, "/sign-in", Some(form), &[("sec-fetch-site", "cross-site")]).await;
        assert_eq!((foreign.status, foreign.header("set-cookie")), (403, ""));
        assert_eq!(api.sent("POST /v1/auth/sign-in").len(), 1, "it never got to the API");
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_and_the_address_kept() {
        let form = "email=ada%40example.com&password=x";
        for (kind, says) in [
            ("invalid_credentials", "The address or the password is wrong."),
            ("second_factor_required", "name=\"code\""),
            ("second_factor_wrong", "Because."),
        ] {
            let api = Arc::new(FakeApi::nobody().answering("POST /v1/auth/sign-in", 401, error(kind)));
            let again = visit(&api, "/sign-in", Some(form)).await;
            assert_eq!(again.status, 401, "{kind}");
            again.holds(says);
            again.holds("value=\"ada@example.com\"");
            again.lacks("value=\"x\"");
        }
    }
}
