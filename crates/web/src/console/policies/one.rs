//! `/console/policies/{name}` and `/console/policies/new`: the editor, with a dry run and a replay of what is typed beside it: what is
//! tried is the text in the form, saved or not.

use askama::Template;
use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use types::Right;

use super::replay::Replayed;
use super::route::Planned;
use super::{PATH, Policy, replay, route};
use crate::console::again::Again;
use crate::console::form::{Form, done};
use crate::console::frame::Frame;
use crate::console::signed::{Signed, segment};
use crate::console::versions::{self, Version};
use crate::shell::{Crumb, Failed};

const DONE: [(&str, &str); 1] = [("saved", "The policy is written. It holds from the next request on.")];

/// How far back a replay goes.
const SINCE: [(&str, &str); 4] =
    [("7d", "Seven days"), ("24h", "A day"), ("30d", "Thirty days"), ("1h", "An hour")];

/// What a new policy may begin with: word, name, text. `AUTO` and `CHEAP` stand for the virtual models of this place.
const STARTS: [(&str, &str, &str); 3] = [
    (
        "fallback",
        "One after another",
        "{\n  \"strategy\": \"fallback\",\n  \"models\": [\n    {\"model\": \"AUTO\", \"retries\": 1},\n    \"CHEAP\"\n  ]\n}",
    ),
    (
        "balance",
        "Shares of the traffic",
        "{\n  \"strategy\": \"balance\",\n  \"models\": [\n    {\"model\": \"AUTO\", \"weight\": 90},\n    {\"model\": \"CHEAP\", \"weight\": 10}\n  ],\n  \"sticky_by\": \"user_id\"\n}",
    ),
    (
        "rules",
        "By the kind of work",
        "{\n  \"rules\": [\n    {\"name\": \"code\", \"when\": {\"task\": [\"code\", \"reasoning\"]}, \"models\": [\"AUTO\"]},\n    {\"name\": \"long\", \"when\": {\"input_tokens_min\": 20000}, \"models\": [\"CHEAP\"]}\n  ],\n  \"models\": [\"CHEAP\", \"AUTO\"]\n}",
    ),
];

#[derive(Template)]
#[template(path = "console/policy.html")]
struct One {
    shell: Frame,
    crumbs: Vec<Crumb>,
    /// Empty: a new one.
    name: String,
    path: String,
    form: Form,
    since: &'static [(&'static str, &'static str)],
    starts: Vec<(&'static str, &'static str)>,
    versions: Vec<Version>,
    planned: Option<Planned>,
    replayed: Option<Replayed>,
    may_build: bool,
}

/// What a page is made of beside what the API tells: what was typed, and what came of trying it.
#[derive(Default)]
struct Typed {
    again: Again,
    planned: Option<Planned>,
    replayed: Option<Replayed>,
}

impl From<Again> for Typed {
    fn from(again: Again) -> Typed {
        Typed { again, ..Typed::default() }
    }
}

/// What the trying begins with.
fn with_prompt(form: Form) -> Form {
    form.with("prompt", "Write a function that reverses a list.").with("since", "7d")
}

/// `GET /console/policies/new`.
pub(crate) async fn new(signed: Signed) -> Result<Response, Failed> {
    page(&signed, None, Typed::default()).await
}

/// `GET /console/policies/{name}`.
pub(crate) async fn show(Path(name): Path<String>, signed: Signed) -> Result<Response, Failed> {
    page(&signed, Some(&name), Typed::default()).await
}

async fn page(signed: &Signed, name: Option<&str>, typed: Typed) -> Result<Response, Failed> {
    let policy: Option<Policy> = match name {
        Some(name) => Some(signed.get(&format!("/v1/policies/{}", segment(name))).await?),
        None => None,
    };
    let api = policy.as_ref().map(|policy| format!("/v1/policies/{}", segment(&policy.name)));
    let rows: Vec<Value> = match &api {
        Some(api) => signed.ask(&format!("{api}/versions")).await.unwrap_or_default(),
        None => Vec::new(),
    };
    let form = typed.again.form(|| with_prompt(filled(signed, policy.as_ref())));
    if let (Some(api), Some(policy)) = (&api, &policy) {
        signed.offers(Method::PUT, api, Some(&policy.policy));
        let messages = json!([{ "role": "user", "content": "Hello" }]);
        let ask = json!({ "model": policy.id, "messages": messages });
        signed.offers(Method::POST, "/v1/route", Some(&ask));
        signed.offers(Method::POST, "/v1/replay", Some(&json!({ "policy": policy.id, "since": "7d" })));
    } else {
        let example = json!({ "name": "careful", "models": ["mistralai/mistral-small-2603"] });
        signed.offers(Method::POST, "/v1/policies", Some(&example));
    }
    let name = policy.map(|policy| policy.name).unwrap_or_default();
    let title = if name.is_empty() { "New policy" } else { &name };
    let page = One {
        shell: Frame::of(signed, title, PATH).told(signed, &DONE).again(&typed.again),
        crumbs: vec![Crumb::new(PATH, "Policies")],
        path: format!("{PATH}/{}", if name.is_empty() { String::from("new") } else { segment(&name) }),
        name,
        form,
        since: SINCE.as_slice(),
        starts: STARTS.iter().map(|(word, name, _)| (*word, *name)).collect(),
        versions: versions::of(&rows, &["policy"]),
        planned: typed.planned,
        replayed: typed.replayed,
        may_build: signed.me.may(Right::Build),
    };
    Ok(typed.again.answer(&page))
}

fn filled(signed: &Signed, policy: Option<&Policy>) -> Form {
    if let Some(policy) = policy {
        let text = versions::pretty(&policy.policy);
        return Form::default().with("policy", text).with("version", policy.version.to_string());
    }
    let asked = signed.visit.ask("from");
    let start = STARTS.iter().find(|(word, ..)| Some(*word) == asked).or(STARTS.first());
    let brand = &signed.visit.place.brand_slug;
    let text = start.map(|(.., text)| {
        text.replace("AUTO", &format!("{brand}/auto")).replace("CHEAP", &format!("{brand}/cheap"))
    });
    Form::default().with("policy", text.unwrap_or_default())
}

/// `POST /console/policies/new`.
pub(crate) async fn create(signed: Signed, form: Form) -> Result<Response, Failed> {
    act_on(&signed, None, form).await
}

/// `POST /console/policies/{name}`.
pub(crate) async fn act(Path(name): Path<String>, signed: Signed, form: Form) -> Result<Response, Failed> {
    act_on(&signed, Some(&name), form).await
}

async fn act_on(signed: &Signed, name: Option<&str>, form: Form) -> Result<Response, Failed> {
    if let (Some("delete"), Some(name)) = (form.text("act"), name) {
        return delete(signed, name, form).await;
    }
    let policy = match versions::typed(&form, "policy", "the policy") {
        Ok(policy) => policy,
        Err(why) => {
            return page(signed, name, Again::wrong(form, &why).into()).await;
        }
    };
    match form.text("act") {
        Some("try") => match route::ask(signed, &form, &policy).await {
            Ok(planned) => {
                let planned = Some(planned);
                page(signed, name, Typed { planned, ..Again::with(form).into() }).await
            }
            Err(refused) => page(signed, name, Again::refused(form, &refused).into()).await,
        },
        Some("replay") => match replay::ask(signed, &form, &policy).await {
            Ok(replayed) => {
                let replayed = Some(replayed);
                page(signed, name, Typed { replayed, ..Again::with(form).into() }).await
            }
            Err(refused) => page(signed, name, Again::refused(form, &refused).into()).await,
        },
        _ => save(signed, name, form, policy).await,
    }
}

async fn save(
    signed: &Signed,
    name: Option<&str>,
    form: Form,
    mut policy: Value,
) -> Result<Response, Failed> {
    let typed = form.text("name").unwrap_or_default().to_owned();
    let sent = match name {
        Some(name) => {
            let api = format!("/v1/policies/{}", segment(name));
            signed.send_over(Method::PUT, &api, Some(&policy), versions::seen(&form)).await
        }
        None => {
            if let Some(policy) = policy.as_object_mut() {
                policy.insert(String::from("name"), typed.clone().into());
            }
            signed.send(Method::POST, "/v1/policies", Some(&policy)).await
        }
    };
    let written = name.unwrap_or(&typed);
    match sent {
        Ok(answer) => {
            let warnings = versions::warnings(&answer);
            match warnings.is_empty() {
                true => Ok(done(&format!("{PATH}/{}?done=saved", segment(written)))),
                false => page(signed, Some(written), Again::warned(warnings).into()).await,
            }
        }
        Err(refused) => page(signed, name, Again::refused(form, &refused).into()).await,
    }
}

async fn delete(signed: &Signed, name: &str, form: Form) -> Result<Response, Failed> {
    let api = format!("/v1/policies/{}", segment(name));
    match signed.send_over(Method::DELETE, &api, None, versions::seen(&form)).await {
        Ok(_) => Ok(done("/console/policies?done=deleted")),
        Err(refused) => page(signed, Some(name), Again::refused(None, &refused).into()).await,
    }
}
