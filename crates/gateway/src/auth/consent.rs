//! `/auth`: the page on which a person lets an app have a key, and chooses what it may spend. One file, no script; it goes back to the
//! app's address alone.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use sha2::{Digest, Sha256};
use store::Organization;
use types::{AccountId, Right, Timestamp};
use url::Url;

use super::apps::{self, Let, Method};
use super::{AuthError, Desk, session, sign_in};
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::payments::page::Html;
use crate::{at_most, router};

/// Largest form.
const FORM_BYTES_MAX: usize = 16 * 1024;
/// What is offered as a limit.
const LIMIT_USD: &str = "10";

const CSS: &str = "\
:root{color-scheme:light dark;--bg:#eceff3;--card:#fff;--ink:#14181d;--dim:#56606c;--line:#c3cad3;--do:#1d4fd8;--on:#fff;--bad:#b42318}\
@media(prefers-color-scheme:dark){:root{--bg:#0f1216;--card:#191e25;--ink:#e8ecf1;--dim:#9aa5b1;--line:#3a444f;--do:#7aa2ff;--on:#0b1020;--bad:#ff9b91}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}\
main{width:min(28rem,100%);padding:2rem;background:var(--card);border-radius:10px;box-shadow:0 1px 14px #0002}\
h1{margin:0 0 .25rem;font-size:1.35rem;line-height:1.3;overflow-wrap:anywhere}\
p{margin:.25rem 0 1rem;color:var(--dim)}\
label{display:block;margin-top:.9rem;font-size:.9rem;font-weight:600}\
input,select{width:100%;height:2.75rem;margin-top:.3rem;padding:.5rem .7rem;font:inherit;font-weight:400;color:inherit;background:transparent;border:1px solid var(--line);border-radius:6px}\
select option{color:#14181d;background:#fff}\
.two{display:grid;grid-template-columns:1fr 1fr;gap:.8rem}\
.do{display:grid;grid-template-columns:1fr 1fr;gap:.8rem;margin-top:1.5rem}\
button{padding:.7rem;font:inherit;font-weight:600;border-radius:6px;border:1px solid var(--line);background:transparent;color:inherit;cursor:pointer}\
button.yes{order:2;background:var(--do);border-color:var(--do);color:var(--on)}\
:focus-visible{outline:3px solid var(--do);outline-offset:2px}\
a.way{display:block;margin-top:.8rem;padding:.7rem;font-weight:600;text-align:center;text-decoration:none;color:inherit;border:1px solid var(--line);border-radius:6px}\
.or{margin:1.1rem 0 -.4rem;text-align:center;font-size:.9rem}\
.bad{padding:.6rem .8rem;border:1px solid var(--bad);border-radius:6px;color:var(--bad)}\
code{display:block;padding:.8rem;border:1px solid var(--line);border-radius:6px;overflow-wrap:anywhere;user-select:all}\
@media(max-width:30rem){body{display:block}main{border-radius:0;min-height:100vh}}";

static STYLE: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(CSS)));

/// What the app asks for, as its address says.
struct Asked {
    app: Option<Url>,
    challenge: Option<String>,
    method: Method,
    label: Option<String>,
}

impl Asked {
    fn read(parts: &Parts) -> Result<Asked, GatewayError> {
        let query = router::query(parts);
        let of = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let app = of("callback_url").as_deref().map(apps::callback).transpose()?;
        let challenge = apps::challenge(of("code_challenge"))?;
        if app.is_none() && challenge.is_none() {
            return Err(apps::wrong("without a `callback_url` a `code_challenge` is a must"));
        }
        let method = Method::named(of("code_challenge_method").as_deref())?;
        Ok(Asked { app, challenge, method, label: of("key_label") })
    }

    fn name(&self) -> &str {
        self.app.as_ref().and_then(Url::host_str).unwrap_or("An app on your machine")
    }
}

/// The fields of the form.
struct Form(Vec<(String, String)>);

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty())
    }
}

/// A page; `to` is where its form may lead in the end.
pub(super) fn page(title: &str, body: &str, to: Option<&Url>, status: StatusCode) -> Response<ResponseBody> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{}</title><style>{CSS}</style></head><body><main>{body}\
         </main></body></html>",
        Html(title)
    );
    let mut response = Response::new(ResponseBody::full(html));
    *response.status_mut() = status;
    // Browsers hold the way back to the app against the form's target, too.
    let app = to.map_or_else(String::new, |to| format!(" {}", to.origin().ascii_serialization()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'self'{app}; frame-ancestors 'none'",
        *STYLE
    );
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn refused(error: &GatewayError) -> Response<ResponseBody> {
    let status = StatusCode::from_u16(error.kind().0).unwrap_or(StatusCode::BAD_REQUEST);
    let body = format!("<h1>This can't be asked</h1><p class=\"bad\">{}</p>", Html(&error.to_string()));
    page("This can't be asked", &body, None, status)
}

/// The question, to who is signed in (`own`: the organizations they may make keys in) or with ways to sign in.
fn question(brand: &str, asked: &Asked, own: Result<&[Organization], &str>, wrong: Option<&str>) -> String {
    let mut body = format!(
        "<h1>{} asks for a key</h1><p>It can call models at {} and spend your credit, within what you allow here. You can \
         take the key away at any time.</p>",
        Html(asked.name()),
        Html(brand)
    );
    // Writing to a String can't fail.
    let _ = match wrong {
        Some(wrong) => write!(body, "<p class=\"bad\" role=\"alert\">{}</p>", Html(wrong)),
        None => Ok(()),
    };
    body.push_str("<form method=\"post\">");
    match own {
        Err(ways) => {
            body.push_str(ways);
            body.push_str(
                "<label>E-mail<input name=\"email\" type=\"email\" autocomplete=\"username\" required></label>\
                 <label>Password<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\
                 <label>Code of your authenticator, if you have one<input name=\"code\" inputmode=\"numeric\" \
                 autocomplete=\"one-time-code\"></label>",
            );
        }
        Ok(own) => {
            body.push_str("<label>On the account of<select name=\"organization\">");
            for one in own {
                let (id, name) = (Html(one.account.as_str()), Html(&one.name));
                let _ = write!(body, "<option value=\"{id}\">{name}</option>");
            }
            body.push_str("</select></label>");
        }
    }
    let label = asked.label.as_deref().unwrap_or_else(|| asked.name());
    let _ = write!(
        body,
        "<label>Name of the key<input name=\"label\" maxlength=\"100\" value=\"{}\"></label><div class=\"two\">\
         <label>At most, in USD<input name=\"limit\" inputmode=\"decimal\" value=\"{LIMIT_USD}\" \
         placeholder=\"no limit\"></label><label>Per<select name=\"reset\"><option value=\"monthly\">month</option>\
         <option value=\"weekly\">week</option><option value=\"daily\">day</option><option value=\"total\">in all</option>\
         </select></label></div><label>Ends after days<input name=\"days\" inputmode=\"numeric\" placeholder=\"never\">\
         </label><div class=\"do\"><button class=\"yes\" name=\"answer\" value=\"yes\">Allow</button>\
         <button name=\"answer\" value=\"no\" formnovalidate>Refuse</button></div></form>",
        Html(label)
    );
    body
}

/// Links to the issuers by whom people sign in here, each of which leads back to the question.
fn ways(desk: &Desk<'_>) -> String {
    let here = desk.parts.uri.path_and_query().map_or("/auth", |here| here.as_str());
    let back = url::form_urlencoded::byte_serialize(here.as_bytes()).collect::<String>();
    let issuers = desk.people().issuers.iter().map(|issuer| &issuer.settings);
    let links = issuers.map(|issuer| {
        let (slug, name) = (Html(&issuer.slug), Html(&issuer.name));
        format!("<a class=\"way\" href=\"/v1/auth/oidc/{slug}?return_to={back}\">Sign in with {name}</a>")
    });
    let links = links.collect::<String>();
    if links.is_empty() { links } else { format!("{links}<p class=\"or\">or with your password</p>") }
}

/// The organizations in which a person may make keys.
async fn places(desk: &Desk<'_>, user: &str) -> Result<Vec<Organization>, GatewayError> {
    let user = user.to_owned();
    let mut all = desk.store(|gateway| async move { gateway.store.organizations(&user).await }).await?;
    all.retain(|one| one.role.may(Right::Build));
    Ok(all)
}

/// `GET /auth`.
pub(super) async fn show(
    worker: &Arc<Worker>,
    mut parts: Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    session::note(worker, &mut parts).await;
    let desk = Desk::open(worker, &parts);
    let asked = match Asked::read(&parts) {
        Ok(asked) => asked,
        Err(error) => return Ok(refused(&error)),
    };
    let own = match session::visitor(&parts) {
        Ok(visitor) => Some(places(&desk, &visitor.user.id).await?),
        Err(_) => None,
    };
    let brand = &desk.gateway().settings.brand.name;
    let title = format!("{} asks for a key", asked.name());
    let ways = ways(&desk);
    let body = question(brand, &asked, own.as_deref().ok_or(&ways), None);
    Ok(page(&title, &body, asked.app.as_ref(), StatusCode::OK))
}

/// `POST /auth`: what the person answered.
pub(super) async fn answer(
    worker: &Arc<Worker>,
    mut parts: Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    at_most(&body, FORM_BYTES_MAX)?;
    let form = Form(url::form_urlencoded::parse(&body).into_owned().collect());
    session::note(worker, &mut parts).await;
    let desk = Desk::open(worker, &parts);
    let asked = match Asked::read(&parts) {
        Ok(asked) => asked,
        Err(error) => return Ok(refused(&error)),
    };
    if form.get("answer") != Some("yes") {
        return Ok(match &asked.app {
            Some(app) => back(app, ("error", "access_denied")),
            None => page("Refused", "<h1>Refused</h1><p>The app gets no key.</p>", None, StatusCode::OK),
        });
    }
    let visitor = session::visitor(&parts).ok().map(|visitor| visitor.user.clone());
    let is_signed_in = visitor.is_some();
    let given = match visitor {
        Some(user) => Ok(user),
        None => sign_in::prove(&desk, form.get("email"), form.get("password"), form.get("code")).await,
    };
    let done = match given {
        Ok(user) => allow(&desk, &asked, &form, &user.id, is_signed_in).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(code) => Ok(match &asked.app {
            Some(app) => back(app, ("code", &code)),
            None => {
                let body = format!(
                    "<h1>Allowed</h1><p>Give this code to the app within ten minutes:</p><code>{}</code>",
                    Html(&code)
                );
                page("Allowed", &body, None, StatusCode::OK)
            }
        }),
        Err(error) => {
            let own = match session::visitor(&parts) {
                Ok(visitor) => Some(places(&desk, &visitor.user.id).await?),
                Err(_) => None,
            };
            let brand = &desk.gateway().settings.brand.name;
            let ways = ways(&desk);
            let body = question(brand, &asked, own.as_deref().ok_or(&ways), Some(&error.to_string()));
            let status = StatusCode::from_u16(error.kind().0).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(page("Try again", &body, asked.app.as_ref(), status))
        }
    }
}

/// Keeps what was allowed; the code for the app.
async fn allow(
    desk: &Desk<'_>,
    asked: &Asked,
    form: &Form,
    user: &str,
    is_signed_in: bool,
) -> Result<String, GatewayError> {
    let own = places(desk, user).await?;
    let place = match form.get("organization").map(AccountId::new) {
        Some(chosen) if is_signed_in => own.iter().find(|one| one.account == chosen),
        _ => own.first(),
    };
    let account = place.ok_or(AuthError::NotMember)?.account.clone();
    let days = form.get("days").map(|days| {
        let days = days.parse::<i64>().ok().filter(|days| (1..=3_650).contains(days));
        days.ok_or_else(|| apps::wrong("the days until its end are a whole number from 1 to 3650"))
    });
    let expires = days
        .transpose()?
        .map(|days| Timestamp::from_seconds(desk.now().seconds().saturating_add(days * 86_400)).micros());
    let allowed = Let {
        challenge: asked.challenge.clone(),
        method: asked.method,
        label: apps::label(form.get("label"), asked.app.as_ref())?,
        limit: form.get("limit").map(apps::limit).transpose()?,
        limit_reset: apps::reset(form.get("reset"))?,
        expires,
    };
    apps::keep(desk, account, user.to_owned(), &allowed).await
}

/// Back to the app.
fn back(app: &Url, pair: (&str, &str)) -> Response<ResponseBody> {
    let mut to = app.clone();
    to.query_pairs_mut().append_pair(pair.0, pair.1);
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(to) = HeaderValue::from_str(to.as_str()) {
        headers.insert(header::LOCATION, to);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_app_says_of_itself_stays_a_text() {
        let evil = "\"><script>alert('x')</script>";
        let app = Url::parse("https://app.example/cb").unwrap();
        let asked =
            Asked { app: Some(app), challenge: None, method: Method::S256, label: Some(evil.to_owned()) };
        let organization = Organization {
            account: AccountId::new(evil),
            name: evil.to_owned(),
            personal: false,
            created: Timestamp::from_seconds(0),
            role: types::Role::Owner,
        };
        for own in [Err(""), Ok(std::slice::from_ref(&organization))] {
            let body = question(evil, &asked, own, Some(evil));
            assert!(!body.contains("<script") && !body.contains("'x'"), "{body}");
        }
    }
}
