//! `/v1/auth/oidc/{issuer}/callback`: the browser is back from the issuer, and a session begins as a password begins one; with `GET`
//! the issuer's answer, with `POST` the code of a second factor, where the person has one.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use store::{Act, User};

use super::exchange::{self, Told, error_name};
use super::identities::identity_object;
use super::issuer::Issuer;
use super::people::{self, Person};
use super::state::{self, Browser, Waiting};
use super::{keep_quiet, redirect};
use crate::app::Worker;
use crate::auth::throttle::Who;
use crate::auth::{AuthError, Desk, address, consent, session, sign_in};
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::payments::page::Html;
use crate::{acts, at_most, router};

/// Largest code with what stands around it.
const CODE_BYTES_MAX: usize = 4 * 1024;

/// Somebody who may come in.
struct Arrival<'a> {
    issuer: &'a Issuer,
    browser: Browser,
    user: User,
    /// The identity that becomes theirs: subject and address.
    link: Option<(String, String)>,
    return_to: Option<String>,
    is_new: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    code: String,
}

/// Whether a person looks at it.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

/// A refusal, as a page where a person looks at it.
fn tell(
    desk: &Desk<'_>,
    done: Result<Response<ResponseBody>, GatewayError>,
) -> Result<Response<ResponseBody>, GatewayError> {
    let mut response = match done {
        Ok(response) => response,
        Err(error) if wants_page(&desk.parts.headers) => {
            let status = StatusCode::from_u16(error.kind().0).unwrap_or(StatusCode::BAD_REQUEST);
            let body = format!(
                "<h1>You are not signed in</h1><p class=\"bad\" role=\"alert\">{}</p>",
                Html(&error.to_string())
            );
            let mut page = consent::page("Not signed in", &body, None, status);
            if let Some(wait) = error.retry_after() {
                page.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
            }
            page
        }
        Err(error) => return Err(error),
    };
    keep_quiet(&mut response);
    Ok(response)
}

/// `GET`: the issuer sent the browser back.
pub(in crate::auth) async fn come_back(
    worker: &Arc<Worker>,
    parts: &Parts,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let issuer = desk.issuer()?;
    tell(&desk, answered(&desk, issuer).await)
}

async fn answered(desk: &Desk<'_>, issuer: &Issuer) -> Result<Response<ResponseBody>, GatewayError> {
    let who = Who::at(address(&desk.parts.headers));
    desk.try_once(&who)?;
    let state = desk.asked("state").ok_or(AuthError::SignInState)?;
    let (browser, waiting) = state::come_back(desk, &issuer.settings.slug, &state).await?;
    let Waiting::Away { return_to, link } = waiting else { return Err(AuthError::SignInState.into()) };
    let told = told(desk, issuer, &browser, &state).await?;
    // As many tries as were counted on the way: one to set out, one to come back.
    let throttle = &desk.people().throttle;
    if let Some((user, session)) = link {
        let response = link_to(desk, issuer, &told, (&user, &session), return_to).await?;
        throttle.succeeded(&who);
        return Ok(response);
    }
    let person = people::find(desk, issuer, &told).await?;
    throttle.succeeded(&who);
    throttle.succeeded(&who);
    let (user, link, is_new) = match person {
        Person::Known { identity, user } => {
            let (now, email) = (desk.now(), told.email.unwrap_or_default());
            desk.store(
                |gateway| async move { gateway.store.touch_identity(&identity.id, &email, now).await },
            )
            .await?;
            (user, None, false)
        }
        Person::ByEmail { user } => (user, Some((told.subject, told.email.unwrap_or_default())), false),
        Person::New { user } => (user, None, true),
    };
    if desk.second_factor(&user).await?.is_none() {
        return welcome(desk, Arrival { issuer, browser, user, link, return_to, is_new }).await;
    }
    let waiting = Waiting::Code { user: user.id, link, return_to };
    state::await_code(desk, &browser, &issuer.settings.slug, &waiting, None).await?;
    match wants_page(&desk.parts.headers) {
        true => Ok(question(issuer, None, StatusCode::UNAUTHORIZED)),
        false => Err(AuthError::CodeOfSignIn.into()),
    }
}

/// What the issuer says, if it says anything.
async fn told(
    desk: &Desk<'_>,
    issuer: &Issuer,
    browser: &Browser,
    state: &str,
) -> Result<Told, GatewayError> {
    let (settings, now) = (&issuer.settings, desk.now());
    let metadata = issuer.metadata(now).await;
    let metadata = metadata.map_err(|why| exchange::Unable::from(why).told(settings))?;
    // RFC 9207: an answer says whose it is, so that none is brought to another issuer.
    let from = desk.asked("iss");
    let is_from = from
        .as_deref()
        .map_or(!metadata.authorization_response_iss_parameter_supported, |from| from == settings.issuer);
    if !is_from {
        return Err(AuthError::SignInState.into());
    }
    if let Some(error) = desk.asked("error") {
        return Err(exchange::Unable::Refused(error_name(&error)).told(settings).into());
    }
    let code = desk.asked("code").ok_or(AuthError::SignInState)?;
    let redirect_uri = desk.callback_url(issuer);
    let told = exchange::who(issuer, (&code, &redirect_uri), (browser, state), now).await;
    told.map_err(|unable| unable.told(settings).into())
}

/// Makes the identity the one of whoever asked for it, while the session in which they did goes on.
async fn link_to(
    desk: &Desk<'_>,
    issuer: &Issuer,
    told: &Told,
    (user, session): (&str, &str),
    return_to: Option<String>,
) -> Result<Response<ResponseBody>, GatewayError> {
    let (id, now) = (user.to_owned(), desk.now());
    let (user, sessions) = desk
        .store(|gateway| async move {
            Ok((gateway.store.user(&id).await?, gateway.store.sessions(&id, now).await?))
        })
        .await?;
    let user = user.filter(|user| user.disabled.is_none()).ok_or(AuthError::SessionOver)?;
    if !sessions.iter().any(|one| one.id == session) {
        return Err(AuthError::SessionOver.into());
    }
    let email = told.email.clone().unwrap_or_default();
    let one = people::identity(desk, issuer, &user.id, (&told.subject, &email))?;
    let one = people::link(desk, issuer, &user, one).await?;
    note(desk, &user, (&one.id, "linked")).await;
    Ok(match return_to {
        Some(to) => redirect(&to),
        None => router::json(json!({ "data": identity_object(desk, &one) }).to_string()),
    })
}

/// `POST`: the code of the second factor.
pub(in crate::auth) async fn second_factor(
    worker: &Arc<Worker>,
    parts: &Parts,
    body: Bytes,
) -> Result<Response<ResponseBody>, GatewayError> {
    let desk = Desk::open(worker, parts);
    let issuer = desk.issuer()?;
    at_most(&body, CODE_BYTES_MAX)?;
    let kind =
        parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let code = match kind.starts_with("application/x-www-form-urlencoded") {
        true => {
            let mut fields = url::form_urlencoded::parse(&body);
            fields.find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
        }
        false => serde_json::from_slice::<Code>(&body).ok().map(|body| body.code),
    };
    let code = code.ok_or_else(|| {
        GatewayError::InvalidRequest(String::from("the body can't be read; send {\"code\": \"123456\"}"))
    })?;
    let done = finish(&desk, issuer, &code).await;
    let is_wrong = matches!(&done, Err(GatewayError::Auth(AuthError::Code | AuthError::TooMany(_))));
    match done {
        Err(error) if is_wrong && wants_page(&parts.headers) => {
            let status = StatusCode::from_u16(error.kind().0).unwrap_or(StatusCode::UNAUTHORIZED);
            tell(&desk, Ok(question(issuer, Some(&error.to_string()), status)))
        }
        done => tell(&desk, done),
    }
}

async fn finish(
    desk: &Desk<'_>,
    issuer: &Issuer,
    code: &str,
) -> Result<Response<ResponseBody>, GatewayError> {
    let (browser, waiting, until) = state::take_code(desk, &issuer.settings.slug).await?;
    let Waiting::Code { user: id, link, return_to } = waiting.clone() else {
        return Err(AuthError::SignInState.into());
    };
    match prove(desk, &id, code).await {
        Ok(user) => {
            let arrival = Arrival { issuer, browser, user, link, return_to, is_new: false };
            welcome(desk, arrival).await
        }
        Err(error) => {
            // Whoever mistypes tries again, as long as there is time.
            state::await_code(desk, &browser, &issuer.settings.slug, &waiting, Some(until)).await?;
            Err(error)
        }
    }
}

/// Checks the code; a wrong one counts as a wrong password does.
async fn prove(desk: &Desk<'_>, id: &str, code: &str) -> Result<User, GatewayError> {
    let id = id.to_owned();
    let user = desk.store(|gateway| async move { gateway.store.user(&id).await }).await?;
    let user = user.filter(|user| user.disabled.is_none()).ok_or(AuthError::SignInState)?;
    let who = Who::new(&user.email, address(&desk.parts.headers));
    desk.try_once(&who)?;
    if let Some(factor) = desk.second_factor(&user).await? {
        desk.take_code(&user, &factor, code).await?;
    }
    desk.people().throttle.succeeded(&who);
    Ok(user)
}

/// Asks for the code.
fn question(issuer: &Issuer, wrong: Option<&str>, status: StatusCode) -> Response<ResponseBody> {
    let wrong =
        wrong.map(|wrong| format!("<p class=\"bad\" role=\"alert\">{}</p>", Html(wrong))).unwrap_or_default();
    let body = format!(
        "<h1>Your second factor</h1><p>{} knows you. Type the code of your authenticator app, or a recovery code.</p>{wrong}\
         <form method=\"post\" action=\"/v1/auth/oidc/{}/callback\"><label>Code<input name=\"code\" inputmode=\"numeric\" \
         autocomplete=\"one-time-code\" required autofocus></label><div class=\"do\"><button class=\"yes\">Sign in</button></div>\
         </form>",
        Html(&issuer.settings.name),
        Html(&issuer.settings.slug),
    );
    consent::page("Your second factor", &body, None, status)
}

/// The session, with what is to be done at the end of the way.
async fn welcome(desk: &Desk<'_>, arrival: Arrival<'_>) -> Result<Response<ResponseBody>, GatewayError> {
    let Arrival { issuer, browser, user, link, return_to, is_new } = arrival;
    let how = match (&link, is_new) {
        (Some(_), _) => "linked",
        (None, true) => "new",
        (None, false) => "known",
    };
    if let Some((subject, email)) = link {
        let one = people::identity(desk, issuer, &user.id, (&subject, &email))?;
        people::link(desk, issuer, &user, one).await?;
    }
    let settings = &desk.people().settings;
    let mut response = match return_to {
        Some(to) => {
            let (text, _) = session::begin(desk.worker, desk.parts, &user).await?;
            let mut response = redirect(&to);
            session::set_cookie(&mut response, Some(&text), settings.is_secure, settings.session_s);
            response
        }
        None => {
            let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
            sign_in::welcome(desk, &user, status).await?
        }
    };
    browser.set_cookie(&mut response, settings.is_secure, 0);
    // An answer to `POST` that names the person is written down by whoever serves it.
    if desk.parts.method == Method::GET || response.status() == StatusCode::SEE_OTHER {
        note(desk, &user, (&issuer.settings.slug, how)).await;
    }
    Ok(response)
}

/// Writes the act down.
async fn note(desk: &Desk<'_>, user: &User, (object, how): (&str, &str)) {
    let act = Act {
        at: desk.now(),
        account: user.account.clone(),
        actor: user.id.clone(),
        action: format!("{} /v1/auth/oidc/{{issuer}}/callback", desk.parts.method),
        object: object.to_owned(),
        address: address(&desk.parts.headers).map_or_else(String::new, |address| address.to_string()),
        status: 200,
        detail: json!({ "identity": how }).to_string(),
    };
    acts::note(desk.worker, act).await;
}
