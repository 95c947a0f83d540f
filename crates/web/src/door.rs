//! The small pages at which people come in: `/sign-up`, `/sign-up/verify`, `/accept`, `/reset`. Each is a form that becomes one call of
//! the API; a token that was mailed comes in the address, and is taken when somebody presses the button, not when a mail program looks.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value};

use crate::assets::CONSOLE_CSS_URL;
use crate::console::form::{Form, done};
use crate::console::signed::{Refused, Reply};
use crate::prose::Prose;
use crate::shell::{self, CONSOLE, Failed, Shell};
use crate::sign_in::Guest;
use crate::visit::Pages;

/// The paths.
pub(crate) fn router() -> Router<Arc<Pages>> {
    Router::new()
        .route("/sign-up", get(sign_up).post(ask_in))
        .route("/sign-up/verify", get(verify).post(prove))
        .route("/accept", get(accept).post(come_in))
        .route("/reset", get(reset).post(renew))
}

/// A thing to type.
struct Field {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    hint: &'static str,
    is_required: bool,
    value: String,
}

const fn field(
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
) -> Field {
    Field { name, label, kind, autocomplete, hint: "", is_required: true, value: String::new() }
}

fn email() -> Field {
    field("email", "E-mail address", "email", "username")
}

fn password() -> Field {
    let hint = "At least 12 characters, hard to guess. A few words of your own are better than signs.";
    Field { hint, ..field("password", "Password", "password", "new-password") }
}

fn name() -> Field {
    let hint = "What others in your organization see.";
    Field { hint, is_required: false, ..field("name", "Name", "text", "name") }
}

/// A page with one form.
#[derive(Template)]
#[template(path = "door.html")]
struct Door {
    shell: Shell,
    css_url: &'static str,
    title: &'static str,
    lead: String,
    action: &'static str,
    /// What was mailed.
    token: String,
    fields: Vec<Field>,
    button: &'static str,
    problem: Option<Prose>,
}

impl Door {
    fn new(guest: &Guest, title: &'static str, lead: impl Into<String>, action: &'static str) -> Door {
        let place = &guest.visit.place;
        let shell =
            Shell::of(place, title, CONSOLE, &guest.visit.path).about(format!("{title}: {}.", place.brand));
        let token = guest.visit.ask("token").unwrap_or_default().to_owned();
        let lead = lead.into();
        let css_url = CONSOLE_CSS_URL.as_str();
        Door { shell, css_url, title, lead, action, token, fields: Vec::new(), button: title, problem: None }
    }

    fn with(mut self, fields: Vec<Field>, button: &'static str) -> Door {
        (self.fields, self.button) = (fields, button);
        self
    }

    /// The same with what was typed, but for passwords, and why it was not taken.
    fn again(mut self, form: &Form, refused: &Refused) -> Response {
        for field in self.fields.iter_mut().filter(|field| field.kind != "password") {
            field.value = form.again(field.name);
        }
        self.token = form.again("token");
        self.problem = Some(Prose::of(&refused.sentence()));
        self.page(refused.status)
    }

    fn show(self) -> Response {
        self.page(StatusCode::OK)
    }

    fn page(self, status: StatusCode) -> Response {
        shell::private(shell::page(status, &self))
    }
}

/// Sends a form's fields, and its token, to a path of the API.
async fn send(guest: &Guest, path: &str, form: &Form, fields: &[&str]) -> Reply {
    let mut body: Map<String, Value> = form.object(fields);
    for exact in ["password", "token"] {
        if let Some(text) = form.raw(exact).filter(|text| !text.is_empty()) {
            body.insert(exact.to_owned(), text.into());
        }
    }
    guest.calls.call_unseen(Method::POST, path, Some(Value::Object(body).to_string())).await
}

/// On to the console, with the session that began.
fn welcome(reply: &Reply) -> Response {
    let mut response = shell::private(done(CONSOLE));
    reply.pass_cookies(&mut response);
    response
}

fn mailed(guest: &Guest, address: &str, what: &str) -> Response {
    let lead = format!("If {address} can be reached, it gets a mail in a moment. {what}");
    let page = Door::new(guest, "Look into your mail", lead, "");
    Door { button: "", ..page }.show()
}

fn sign_up_page(guest: &Guest) -> Door {
    let lead = "You get an organization of your own. What proves that the address is yours is mailed to it.";
    Door::new(guest, "Sign up", lead, "/sign-up").with(vec![email(), name(), password()], "Sign up")
}

async fn sign_up(guest: Guest) -> Response {
    sign_up_page(&guest).show()
}

async fn ask_in(guest: Guest, form: Form) -> Result<Response, Failed> {
    let reply = send(&guest, "/v1/auth/sign-up", &form, &["email", "name"]).await;
    Ok(match reply.read::<Value>() {
        Ok(_) => mailed(&guest, &form.again("email"), "Its link is good for a day."),
        Err(refused) => sign_up_page(&guest).again(&form, &refused),
    })
}

fn verify_page(guest: &Guest) -> Door {
    let lead = "One more step, and you are in. The link is good once.";
    Door::new(guest, "Your address", lead, "/sign-up/verify").with(vec![], "Come in")
}

async fn verify(guest: Guest) -> Response {
    verify_page(&guest).show()
}

async fn prove(guest: Guest, form: Form) -> Result<Response, Failed> {
    let reply = send(&guest, "/v1/auth/verify", &form, &[]).await;
    Ok(match reply.read::<Value>() {
        Ok(_) => welcome(&reply),
        Err(refused) => verify_page(&guest).again(&form, &refused),
    })
}

fn accept_page(guest: &Guest) -> Door {
    let lead =
        "New here? Choose a password. Already signed in? Leave everything empty, and join as yourself.";
    let optional = |field: Field| Field { is_required: false, ..field };
    let claim = Field {
        hint: "Only who claims a new server names it; else it is the one that was invited.",
        ..optional(email())
    };
    Door::new(guest, "You are invited", lead, "/accept")
        .with(vec![claim, name(), optional(password())], "Come in")
}

async fn accept(guest: Guest) -> Response {
    accept_page(&guest).show()
}

async fn come_in(guest: Guest, form: Form) -> Result<Response, Failed> {
    let reply = send(&guest, "/v1/auth/accept", &form, &["email", "name"]).await;
    Ok(match reply.read::<Value>() {
        Ok(_) => welcome(&reply),
        Err(refused) => accept_page(&guest).again(&form, &refused),
    })
}

fn reset_page(guest: &Guest, has_token: bool) -> Door {
    if has_token {
        let lead = "All your sessions end. Who has a second factor signs in with it afterwards.";
        return Door::new(guest, "New password", lead, "/reset").with(vec![password()], "Change it");
    }
    let lead = "A link is mailed to your address, good for an hour.";
    Door::new(guest, "New password", lead, "/reset").with(vec![email()], "Mail me the link")
}

async fn reset(guest: Guest) -> Response {
    let has_token = guest.visit.ask("token").is_some();
    reset_page(&guest, has_token).show()
}

async fn renew(guest: Guest, form: Form) -> Result<Response, Failed> {
    let has_token = form.has("token");
    let path = if has_token { "/v1/auth/reset/confirm" } else { "/v1/auth/reset" };
    let reply = send(&guest, path, &form, &["email"]).await;
    Ok(match reply.read::<Value>() {
        Ok(answer) if answer.pointer("/data/second_factor").is_some() => done("/sign-in?done=password"),
        Ok(_) if has_token => welcome(&reply),
        Ok(_) => mailed(&guest, &form.again("email"), "Its link is good for an hour."),
        Err(refused) => reset_page(&guest, has_token).again(&form, &refused),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use crate::testing::api::{FakeApi, visit};

    fn answers(what: &str, status: u16) -> Arc<FakeApi> {
        let body = match status {
            200..300 => json!({"data": {"mailed_to": "ada@example.com"}}),
            _ => json!({"error": {"type": "weak_password", "message": "too easy to guess"}}),
        };
        Arc::new(FakeApi::nobody().answering(what, status, body))
    }

    #[tokio::test]
    async fn each_form_is_one_call() {
        for (path, what, form, sends) in [
            (
                "/sign-up",
                "POST /v1/auth/sign-up",
                "email=ada%40example.com&name=Ada&password=+a+b",
                json!({"email": "ada@example.com", "name": "Ada", "password": " a b"}),
            ),
            ("/sign-up/verify", "POST /v1/auth/verify", "token=mt_1", json!({"token": "mt_1"})),
            ("/accept", "POST /v1/auth/accept", "token=mt_1&email=&password=", json!({"token": "mt_1"})),
            ("/reset", "POST /v1/auth/reset", "email=a%40b.c", json!({"email": "a@b.c"})),
            (
                "/reset",
                "POST /v1/auth/reset/confirm",
                "token=mt_1&password=x",
                json!({"password": "x", "token": "mt_1"}),
            ),
        ] {
            let api = answers(what, 200);
            let page = visit(&api, path, Some(form)).await;
            assert!(matches!(page.status, 200 | 303), "{path}: {}", page.status);
            let sent: serde_json::Value = serde_json::from_str(&api.sent(what)[0]).unwrap();
            assert_eq!(sent, sends, "{path}");
            let api = answers(what, 422);
            let again = visit(&api, path, Some(form)).await;
            assert_eq!(again.status, 422, "{path}");
            again.holds("Too easy to guess.");
            again.lacks(" a b");
        }
    }

    #[tokio::test]
    async fn a_mailed_link_takes_nothing_by_being_looked_at() {
        for path in ["/sign-up/verify", "/accept", "/reset"] {
            let api = answers("POST /v1/auth/verify", 200);
            let page = visit(&api, &format!("{path}?token=mt_%22%3E%3Cb%3E"), None).await;
            assert_eq!((page.status, page.header("cache-control")), (200, "no-store"), "{path}");
            page.holds("value=\"mt_&#34;&#62;&#60;b&#62;\"");
            assert!(api.sent("POST /v1/auth/verify").is_empty());
        }
    }
}
