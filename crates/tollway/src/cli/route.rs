//! `tollway route`: asks a running server where a request would go.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use gateway::Sent;
use gateway::upstream::{self, Outbound, Pool, UpstreamError};
use gateway::world::Target;
use http::{HeaderName, HeaderValue, header};
use serde_json::{Value, json};

use super::args::Route;
use super::output::columns;
use super::{Context, Failure, load};
use crate::config::Config;

/// Most bytes of a prompt, a request or an answer.
const BYTES_MAX: usize = 16 << 20;
/// To reach the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For all of it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Where the key may stand.
const KEY_NAME: &str = "TOLLWAY_API_KEY";

pub(super) async fn route(context: &mut Context<'_>, args: &Route) -> Result<(), Failure> {
    let config = load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?.config;
    let base = match &args.url {
        Some(url) => url.trim_end_matches('/').trim_end_matches("/v1").to_owned(),
        None => here(&config)?,
    };
    let key = args.key.as_deref().or_else(|| context.env.get(KEY_NAME)).filter(|key| !key.is_empty());
    let outbound = outbound(args, body(args, &config)?, key)?;
    let (status, answer) = ask(&base, outbound, context).await?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|_| {
        Failure::Failed(format!(
            "{base} answered {status} without JSON, so it is no server of this kind; check --url"
        ))
    })?;
    if status != 200 {
        return Err(refused(&base, status, &answer, args.key.is_some(), key.is_some()));
    }
    context.out.answer(&human(&answer), &answer)
}

/// The server of this configuration.
fn here(config: &Config) -> Result<String, Failure> {
    let mut address = config.server.listen;
    if address.port() == 0 {
        let why = "`server.listen` leaves the port to the system; name the server with --url";
        return Err(Failure::BadInput(why.to_owned()));
    }
    if address.ip().is_unspecified() {
        // A server that listens everywhere listens here too.
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let scheme = if config.server.tls_cert_file.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{address}"))
}

/// The request: a file's, or one around a prompt.
fn body(args: &Route, config: &Config) -> Result<Vec<u8>, Failure> {
    let auto = || json!(format!("{}/auto", config.brand.slug));
    let mut request = match (&args.file, args.prompt.as_deref()) {
        (Some(path), _) => read_request(path)?,
        (None, Some("-")) => around(&read_prompt()?),
        (None, prompt) => around(prompt.unwrap_or_default()),
    };
    if let Value::Object(fields) = &mut request {
        match &args.model {
            Some(model) => drop(fields.insert("model".to_owned(), json!(model))),
            None => drop(fields.entry("model").or_insert_with(auto)),
        }
    }
    Ok(request.to_string().into_bytes())
}

fn around(prompt: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": prompt }] })
}

fn read_prompt() -> Result<String, Failure> {
    let mut text = String::new();
    let mut bounded = std::io::stdin().lock().take(BYTES_MAX as u64);
    bounded.read_to_string(&mut text).map_err(|error| {
        Failure::BadInput(format!("the prompt on standard input can't be read: {error}; send UTF-8 text"))
    })?;
    if text.trim().is_empty() {
        let why = "standard input is empty; pipe a prompt into it, or write the prompt as an argument";
        return Err(Failure::BadInput(why.to_owned()));
    }
    Ok(text)
}

fn read_request(path: &Path) -> Result<Value, Failure> {
    let bad = |what: String| Failure::BadInput(format!("--file {}: {what}", path.display()));
    let text = std::fs::read(path).map_err(|error| bad(format!("can't be read: {error}")))?;
    let request: Value =
        serde_json::from_slice(&text).map_err(|error| bad(format!("is no JSON: {error}")))?;
    match request.is_object() {
        true => Ok(request),
        false => Err(bad("is no request; write an object such as {\"messages\": [...]}".to_owned())),
    }
}

fn outbound(args: &Route, body: Vec<u8>, key: Option<&str>) -> Result<Outbound, Failure> {
    let mut headers = Vec::new();
    let mut add = |name: HeaderName, value: &str, what: &str| {
        let value = HeaderValue::from_str(value)
            .map_err(|_| Failure::BadInput(format!("{what} holds characters that no header can carry")))?;
        headers.push((name, value));
        Ok::<_, Failure>(())
    };
    if let Some(key) = key {
        add(header::AUTHORIZATION, &format!("Bearer {key}"), "the key")?;
    }
    // Every brand understands this prefix beside its own.
    if let Some(dial) = args.dial {
        add(HeaderName::from_static("x-tollway-cost-quality"), &dial.to_string(), "--dial")?;
    }
    if let Some(preference) = &args.preference {
        add(HeaderName::from_static("x-tollway-preference"), preference, "--preference")?;
    }
    Ok(Outbound { path: http::uri::PathAndQuery::from_static("/v1/route"), headers, body: body.into() })
}

/// Status and body.
async fn ask(base: &str, mut outbound: Outbound, context: &Context<'_>) -> Result<(u16, Vec<u8>), Failure> {
    let target = Target::of_url(base).map_err(|problem| {
        Failure::BadInput(format!("--url {problem}; write an address such as http://127.0.0.1:8080"))
    })?;
    let path = format!("{}{}", target.base_path, outbound.path);
    outbound.path = path.parse().map_err(|_| {
        Failure::BadInput("--url has a path that can't be asked for; leave it out".to_owned())
    })?;
    let pool = Pool::new(0, Duration::ZERO);
    let mut sent = Sent::default();
    let asking = async {
        let mut reply =
            upstream::send(&pool, &target, outbound, CONNECT_TIMEOUT, context.clock, &mut sent).await?;
        let mut whole = Vec::new();
        while let Some(bytes) = reply.body.next().await {
            match bytes {
                Ok(bytes) if whole.len() + bytes.len() <= BYTES_MAX => whole.extend_from_slice(&bytes),
                // What came is no whole JSON, and is refused as that.
                _ => break,
            }
        }
        Ok::<_, UpstreamError>((reply.status, whole))
    };
    match tokio::time::timeout(TIMEOUT, asking).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error @ (UpstreamError::Connect(_) | UpstreamError::ConnectTimeout(_)))) => {
            Err(Failure::Failed(format!(
                "no server at {base}: {error}; start it with `tollway serve`, or name another with --url"
            )))
        }
        Ok(Err(error)) => Err(Failure::Failed(format!("{base} did not answer: {error}; look into its log"))),
        Err(_) => Err(Failure::Failed(format!(
            "{base} did not answer within {} s; look into its log",
            TIMEOUT.as_secs()
        ))),
    }
}

/// What the server has against it, and what to do.
fn refused(base: &str, status: u16, answer: &Value, from_flag: bool, has_key: bool) -> Failure {
    let told = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("it does not say why");
    let text = match (status, has_key) {
        (401, false) => format!(
            "{base} wants an API key; write --key KEY or set {KEY_NAME}; `tollway keys create --name NAME` makes one"
        ),
        (401 | 403, true) => {
            let place = if from_flag { "--key" } else { KEY_NAME };
            format!(
                "{base} refuses the key of {place}: {told}; take an API key of that server, `tollway keys create --name NAME` makes one"
            )
        }
        (404, _) if answer.get("error").is_none() => {
            format!("{base} has no /v1/route, so it is no server of this kind; check --url")
        }
        _ => format!("{base} answered {status}: {told}"),
    };
    if status < 500 { Failure::BadInput(text) } else { Failure::Failed(text) }
}

fn human(answer: &Value) -> String {
    let data = answer.get("data").unwrap_or(answer);
    let heading =
        ["rank", "endpoint", "quality", "expected USD", "worst USD", "first token", "propensity", "reason"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(list(data, "plan").enumerate().map(|(at, step)| line(at, step)));
    let mut text = columns(&rows);
    let about: Vec<String> = [
        ("task", with_share(data)),
        ("dial", shown(data, "dial")),
        ("preference", shown(data, "preference")),
        ("policy", shown(data, "policy")),
        ("session", shown(data, "sticky")),
    ]
    .into_iter()
    .filter(|(_, value)| value != "-")
    .map(|(name, value)| format!("{name} {value}"))
    .collect();
    if !about.is_empty() {
        text.push_str(&format!("\n{}\n", about.join(", ")));
    }
    let funnel: Vec<Vec<String>> = list(data, "routing_funnel")
        .map(|step| vec![shown(step, "endpoint_count"), shown(step, "step"), shown(step, "reason")])
        .collect();
    if !funnel.is_empty() {
        text.push_str(&format!("\nendpoints left, filter by filter\n{}", columns(&funnel)));
    }
    for warning in list(answer, "warnings") {
        text.push_str(&format!("\nnote: {}\n", shown(warning, "message")));
    }
    format!("{text}\n{}\n", shown(data, "summary"))
}

fn line(at: usize, step: &Value) -> Vec<String> {
    let rounded = |key: &str, digits: usize| match step.get(key).and_then(Value::as_f64) {
        Some(number) => format!("{number:.digits$}"),
        None => "-".to_owned(),
    };
    let latency = match step.get("latency_ms").and_then(Value::as_f64) {
        Some(ms) => format!("{ms:.0} ms"),
        None => "-".to_owned(),
    };
    vec![
        (at + 1).to_string(),
        shown(step, "endpoint"),
        rounded("quality", 3),
        shown(step, "expected_cost_usd"),
        shown(step, "worst_case_cost_usd"),
        latency,
        rounded("propensity", 3),
        shown(step, "reason"),
    ]
}

/// `code (0.91)`
fn with_share(data: &Value) -> String {
    match data.get("task_confidence").and_then(Value::as_f64) {
        Some(share) => format!("{} ({share:.2})", shown(data, "task")),
        None => shown(data, "task"),
    }
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// A text as it is, a number as it is written, nothing as a dash.
fn shown(value: &Value, key: &str) -> String {
    match value.get(key) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_the_funnel_and_the_sentence_are_shown() {
        let answer = json!({
            "data": {
                "task": "code", "task_confidence": 0.914, "dial": 0.3, "summary": "lab/m goes first.",
                "plan": [{"endpoint": "lab/m", "reason": "cheapest", "quality": null, "expected_cost_usd": "0.0001",
                    "worst_case_cost_usd": "0.02", "latency_ms": 120.4, "propensity": 0.96875}],
                "routing_funnel": [{"step": "Initial Endpoints", "endpoint_count": 3, "reason": "every offer"}],
            },
            "warnings": [{"code": "x", "message": "the variant had no effect"}],
        });
        let text = human(&answer);
        for part in [
            "1     lab/m     -        0.0001        0.02       120 ms       0.969       cheapest",
            "task code (0.91), dial 0.3",
            "3  Initial Endpoints  every offer",
            "note: the variant had no effect",
            "lab/m goes first.",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let answer = json!({"error": {"message": "the key is not known"}});
        let rows = [
            (401, false, "set TOLLWAY_API_KEY"),
            (401, true, "refuses the key of --key: the key is not known"),
            (404, true, "answered 404: the key is not known"),
            (503, true, "answered 503"),
        ];
        for (status, has_key, expect) in rows {
            let failure = refused("http://here", status, &answer, true, has_key);
            assert!(failure.text().contains(expect), "{failure:?}");
            assert_eq!(matches!(failure, Failure::Failed(_)), status >= 500, "{failure:?}");
        }
    }
}
