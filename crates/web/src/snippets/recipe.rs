//! How an offer is called at its provider, without us, and what trips people up there. Made from what the catalog holds of
//! the provider: protocol, address, variables, quirks.

use catalog::{Endpoint, MaxTokensName, Protocol, Provider, Snapshot, Status, ToolCallIds};

use super::{Auth, Kind, Snippet, Target, anthropic, literal, openai, others};
use crate::format;

/// How to call an offer at its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// What to do first, in order.
    pub(crate) steps: Vec<Step>,
    /// The call, in the languages that its protocol has a tried program for.
    pub(crate) calls: Vec<Snippet>,
    /// What the provider calls the model.
    pub(crate) model_id: String,
    /// What differs from what one would expect.
    pub(crate) gotchas: Vec<String>,
    /// What all this is made from, and how it was tried.
    pub(crate) basis: String,
}

/// One step of a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// `Install`, `Key`, `Model ID`.
    pub(crate) name: &'static str,
    /// In words.
    pub(crate) text: String,
    /// What to type, where there is something to type.
    pub(crate) code: Option<String>,
}

impl Step {
    /// Whether what is to be typed is typed into a shell.
    pub(crate) fn is_command(&self) -> bool {
        self.name != MODEL_ID
    }
}

/// The name of the step that says what the model is called.
const MODEL_ID: &str = "Model ID";
/// The variable for a token that Google's own tool makes.
const GOOGLE_TOKEN: &str = "GOOGLE_ACCESS_TOKEN";

/// How an offer is called at its provider. `None` where there is no program for it: its address is the operator's own, or
/// its protocol has no path for this kind.
pub(crate) fn recipe(snapshot: &Snapshot, endpoint: &Endpoint, kind: Kind) -> Option<Recipe> {
    let provider = endpoint.provider_in(snapshot)?;
    let base = provider.base_url.as_deref()?;
    let key = key_of(provider);
    let auth = match provider.quirks.auth_header.as_deref() {
        _ if key.is_none() => Auth::None,
        Some(header) => Auth::Header(header),
        None => Auth::Bearer,
    };
    let target = Target { base, key: key.unwrap_or("KEY"), auth, model: &endpoint.provider_model_id };
    let calls = calls(provider.protocol, &target, kind)?;
    Some(Recipe {
        steps: steps(provider, &target, &calls),
        calls,
        model_id: endpoint.provider_model_id.to_string(),
        gotchas: gotchas(snapshot, endpoint, provider, &target, kind),
        basis: format!(
            "Made from the protocol ({}), the address and the key's variable that the catalog has for {}. The programs are run against a \
             server of that protocol, not against {} itself.",
            provider.protocol, provider.name, provider.name
        ),
    })
}

fn key_of(provider: &Provider) -> Option<&str> {
    match provider.protocol {
        Protocol::Vertex | Protocol::VertexAnthropic => Some(GOOGLE_TOKEN),
        _ if provider.quirks.auth_optional => None,
        _ => provider.api_key_env.first().map(String::as_str),
    }
}

fn calls(protocol: Protocol, target: &Target<'_>, kind: Kind) -> Option<Vec<Snippet>> {
    let in_openai_shape = || {
        let mut calls = openai::calls(target, kind);
        // The SDKs send a bearer token; where another header is wanted, only curl is sure to be right.
        if matches!(target.auth, Auth::Header(_)) && protocol != Protocol::Azure {
            calls.truncate(1);
        }
        calls
    };
    match (protocol, kind) {
        (Protocol::Openai | Protocol::Mistral | Protocol::Azure | Protocol::Ollama, _) => {
            Some(in_openai_shape())
        }
        (_, kind) if kind != Kind::Chat => None,
        (Protocol::Anthropic, _) => Some(anthropic::at_provider(target)),
        (Protocol::Gemini, _) => Some(others::gemini(target)),
        (Protocol::Cohere, _) => Some(others::cohere(target)),
        (Protocol::Bedrock, _) => Some(others::bedrock(target)),
        (Protocol::Vertex, _) if !target.model.starts_with("claude-") => Some(others::vertex(target)),
        (Protocol::Vertex | Protocol::VertexAnthropic, _) => Some(others::vertex_anthropic(target)),
        _ => None,
    }
}

fn steps(provider: &Provider, target: &Target<'_>, calls: &[Snippet]) -> Vec<Step> {
    let mut steps = Vec::new();
    let installs: Vec<&str> = calls.iter().filter_map(|call| call.install.as_deref()).collect();
    if !installs.is_empty() {
        steps.push(Step {
            name: "Install",
            text: "Only what you use; curl needs nothing.".to_owned(),
            code: Some(installs.join("\n")),
        });
    }
    let placeholders = literal::placeholders(target.base);
    let export = |name: &String| format!("export {name}=...");
    let (text, mut code) = match (provider.protocol, target.auth) {
        (Protocol::Vertex | Protocol::VertexAnthropic, _) => (
            "A token of Google's command line tool, good for an hour.".to_owned(),
            vec![format!("export {GOOGLE_TOKEN}=$(gcloud auth print-access-token)")],
        ),
        (_, Auth::None) => (format!("{} needs no key.", provider.name), Vec::new()),
        _ => (format!("A key of {}.", provider.name), vec![export(&target.key.to_owned())]),
    };
    code.extend(placeholders.iter().map(export));
    steps.push(Step { name: "Key", text, code: (!code.is_empty()).then(|| code.join("\n")) });
    steps.push(Step {
        name: MODEL_ID,
        text: format!("What {} calls the model.", provider.name),
        code: Some(target.model.to_owned()),
    });
    steps
}

fn gotchas(
    snapshot: &Snapshot,
    endpoint: &Endpoint,
    provider: &Provider,
    target: &Target<'_>,
    kind: Kind,
) -> Vec<String> {
    let mut told = Vec::new();
    let name = &provider.name;
    let ours = endpoint.model_in(snapshot).map(|model| model.id.to_string()).unwrap_or_default();
    if *endpoint.provider_model_id != *ours {
        told.push(format!("Its id at {name} is `{}`; `{ours}` is its id here.", endpoint.provider_model_id));
    }
    let placeholders = literal::placeholders(target.base);
    if !placeholders.is_empty() {
        let names: Vec<String> = placeholders.iter().map(|name| format!("`{name}`")).collect();
        told.push(format!("The address is your own: it is made from {}.", format::list(&names)));
    }
    if let Auth::Header(header) = target.auth {
        told.push(format!("The key goes into the header `{header}`, not into `Authorization`."));
    }
    if kind == Kind::Chat {
        told.extend(of_conversations(provider));
    }
    if kind == Kind::Speech {
        told.push("Names of voices are the provider's own; `alloy` is one of OpenAI's.".to_owned());
    }
    match endpoint.status {
        Status::Live => {}
        Status::Alpha | Status::Beta => {
            told.push(format!("{name} calls this offer {}: it may change.", endpoint.status.name()));
        }
        Status::Deprecated => told.push(format!("{name} is about to withdraw this offer.")),
    }
    told
}

fn of_conversations(provider: &Provider) -> Vec<String> {
    let (name, quirks) = (&provider.name, &provider.quirks);
    let mut told = Vec::new();
    if matches!(provider.protocol, Protocol::Anthropic | Protocol::VertexAnthropic) {
        told.push("`max_tokens` is required.".to_owned());
    }
    match quirks.max_tokens_name {
        Some(MaxTokensName::MaxTokens) => {
            told.push("The output limit is `max_tokens`; `max_completion_tokens` is not taken.".to_owned());
        }
        Some(MaxTokensName::MaxCompletionTokens) => {
            told.push("The output limit is `max_completion_tokens`; `max_tokens` is not taken.".to_owned());
        }
        None => {}
    }
    if !quirks.unsupported_parameters.is_empty() {
        let names: Vec<String> =
            quirks.unsupported_parameters.iter().map(|name| format!("`{name}`")).collect();
        told.push(format!("Not supported: {}.", format::list(&names)));
    }
    if quirks.strict_parameters {
        told.push(format!("{name} refuses requests with fields that it doesn't know."));
    }
    for (ours, theirs) in &quirks.rename_parameters {
        told.push(format!("`{ours}` is called `{theirs}`."));
    }
    for (ours, theirs) in &quirks.rename_roles {
        told.push(format!("The role `{ours}` is called `{theirs}`."));
    }
    if quirks.tool_call_ids == ToolCallIds::Alphanumeric9 {
        told.push("Ids of tool calls must be nine letters or digits.".to_owned());
    }
    if provider.facts.cancel_stops_billing.as_ref().is_some_and(|claim| !claim.value) {
        told.push("Closing a stream early doesn't stop the bill.".to_owned());
    }
    told
}
