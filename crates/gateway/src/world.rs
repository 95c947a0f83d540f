//! Everything that a call looks up, as one immutable value: the catalog snapshot and, beside it, which providers are
//! switched on, how they are reached, and the state of their endpoints. A reload replaces it whole; breakers live on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use catalog::{MaxTokensName, OnDisconnect, Protocol, Provider, Snapshot, StreamUsage, ToolCallIds};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, header};
use parking_lot::Mutex;
use routing::health::{Figures, Size};
use routing::keyring::Keyring;
use routing::plan::Conditions;
use routing::quality::Abilities;
use routing::shortlist::Shortlist;
use types::{Clock, ExposeSecret, SecretString, Timestamp};
use wire::hub::{Dialect, Flavor};
use wire::openai_chat::Adapt;
use zeroize::Zeroizing;

use crate::settings::Settings;
use crate::upstream::address::{self, Operation};
use crate::upstream::credentials::Credentials;
use crate::upstream::guard::Guard;
use crate::vitals::Vitals;

/// Secrets shorter than this are not looked for in what providers write: they are words.
const SCRUBBED_BYTES_MIN: usize = 8;

/// What the configuration and the environment say about a provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderSetup {
    /// Whether calls may go to it.
    pub on: bool,
    /// Why it is on or off, for people: `key from MISTRAL_API_KEY`, `no key; set MISTRAL_API_KEY`.
    pub why: String,
    /// Its keys: none, one, or several that calls take in turn.
    pub api_keys: Vec<SecretString>,
    /// Where it is; already filled from the environment.
    pub base_url: Option<String>,
    /// For reaching it.
    pub connect_timeout: Option<Duration>,
    /// To the first byte.
    pub first_byte_timeout: Option<Duration>,
    /// Between bytes.
    pub stall_timeout: Option<Duration>,
    /// What happens when a caller leaves.
    pub on_disconnect: Option<OnDisconnect>,
    /// Headers sent along.
    pub headers: Vec<(String, String)>,
    /// What proves who calls, where a fixed header can't: signatures, tokens that expire.
    pub credentials: Option<Arc<dyn Credentials>>,
}

/// A provider on this node.
#[derive(Debug)]
pub struct ProviderState {
    /// Why it is off; `None`: it is on.
    pub off: Option<String>,
    /// Why it is on, for people.
    pub why: String,
    /// Where it is, also while it is off: own keys of accounts may call it all the same.
    pub base_url: Option<String>,
    /// How it is reached; `None` for the sandbox and for what is off.
    pub target: Option<Arc<Target>>,
    /// The state of its keys, where there are several; survives reloads that leave the keys as they are.
    pub keyring: Option<Arc<Mutex<Keyring>>>,
    /// What it is spoken to in.
    pub dialect: Dialect,
    /// How that dialect is hosted.
    pub flavor: Flavor,
    /// It serves OpenAI Responses too.
    pub responses: bool,
    /// Its quirks.
    pub adapt: Adapt,
    /// Its name as a JSON string.
    pub name_json: String,
    /// What happens when a caller leaves.
    pub on_disconnect: OnDisconnect,
    /// For reaching it.
    pub connect_timeout: Duration,
    /// To the first byte.
    pub first_byte_timeout: Duration,
    /// Between bytes.
    pub stall_timeout: Duration,
}

/// An address, ready to be sent to.
#[derive(Debug)]
pub struct Target {
    /// `https://host:port`: what connections are pooled by.
    pub origin: Arc<str>,
    /// http or https.
    pub scheme: Scheme,
    /// Host and port as in the address.
    pub authority: Authority,
    /// For name resolution and TLS.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Which paths it has.
    pub protocol: Protocol,
    /// The base URL's path.
    pub base_path: String,
    /// The base URL's query.
    pub base_query: Option<String>,
    /// Path of chat completions, ready, where the protocol has one that names no model.
    pub chat_path: Option<PathAndQuery>,
    /// Headers of every request, the key among them where there is one.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The header of each key, where there are several.
    pub keys: Vec<(HeaderName, HeaderValue)>,
    /// What proves who calls, where a fixed header can't.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// Judges where connections go, for an address that a caller chose.
    pub guard: Option<Arc<Guard>>,
}

impl Target {
    /// The same for an address that a caller chose. Its connections are kept apart from those that nobody judged.
    pub(crate) fn guarded(self, guard: Arc<Guard>) -> Target {
        Target { origin: format!("guarded {}", self.origin).into(), guard: Some(guard), ..self }
    }

    /// Takes what proves who calls out of a text that a provider wrote: some repeat it in their errors.
    pub fn scrub(&self, text: &mut String) {
        for (_, value) in self.headers.iter().chain(&self.keys).filter(|(_, value)| value.is_sensitive()) {
            let Ok(secret) = std::str::from_utf8(value.as_bytes()) else { continue };
            let secret = secret.strip_prefix("Bearer ").unwrap_or(secret);
            if secret.len() >= SCRUBBED_BYTES_MIN && text.contains(secret) {
                *text = text.replace(secret, "[key]");
            }
        }
    }

    /// Understands an address. The error ends a sentence that begins with what the address is for.
    pub fn of_url(base: &str) -> Result<Target, String> {
        let url = url::Url::parse(base).map_err(|error| format!("`{base}` is no address: {error}"))?;
        let scheme = match url.scheme() {
            "https" => Scheme::HTTPS,
            "http" => Scheme::HTTP,
            other => return Err(format!("has the scheme `{other}`; use http or https")),
        };
        if !url.username().is_empty() || url.password().is_some() || base.contains("${") {
            return Err(String::from("must not hold credentials or unfilled ${NAMES}"));
        }
        let host = url.host_str().ok_or("has no host")?.to_owned();
        let port = url.port_or_known_default().ok_or("has no port")?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        let unusable = || String::from("has a host that can't be used");
        let authority: Authority = authority.parse().map_err(|_| unusable())?;
        let host_header = HeaderValue::from_str(authority.as_str()).map_err(|_| unusable())?;
        let agent = HeaderValue::from_static(concat!("tollway/", env!("CARGO_PKG_VERSION")));
        Ok(Target {
            origin: format!("{}://{host}:{port}", url.scheme()).into(),
            scheme,
            authority,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            protocol: Protocol::Openai,
            base_path: url.path().trim_end_matches('/').to_owned(),
            base_query: url.query().map(str::to_owned),
            chat_path: None,
            headers: vec![
                (header::HOST, host_header),
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (header::USER_AGENT, agent),
            ],
            keys: Vec::new(),
            credentials: None,
            guard: None,
        })
    }

    /// The path of an operation. `None`: the model's name can't stand in a path.
    pub fn path(&self, dialect: Dialect, model: &str, operation: Operation) -> Option<PathAndQuery> {
        let generate = matches!(operation, Operation::Generate { .. });
        if let Some(path) = self.chat_path.as_ref().filter(|_| generate && dialect == Dialect::Chat) {
            return Some(path.clone());
        }
        let query = self.base_query.as_deref();
        address::path(self.protocol, dialect, &self.base_path, query, model, operation).parse().ok()
    }
}

/// One immutable view of catalog and configuration.
pub struct World {
    /// The catalog.
    pub snapshot: Arc<Snapshot>,
    /// By the snapshot's provider index.
    pub providers: Vec<ProviderState>,
    /// By the snapshot's endpoint index.
    pub endpoints: Vec<Arc<Vitals>>,
    /// Some provider that is on is read on when a caller leaves.
    pub reads_on: bool,
    /// How good its models are likely to be.
    pub abilities: Abilities,
    /// What virtual models choose from.
    shortlist: Shortlist,
    /// Which one it is, counted over reloads.
    pub number: u64,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("catalog", &self.snapshot.version).finish_non_exhaustive()
    }
}

impl World {
    /// Builds the view. Refuses addresses and headers that can't be used, naming the key of the configuration.
    pub fn build(
        snapshot: Arc<Snapshot>,
        setups: &HashMap<String, ProviderSetup>,
        previous: Option<&World>,
        settings: &Settings,
        clock: Arc<dyn Clock>,
    ) -> Result<World, Vec<String>> {
        let mut problems = Vec::new();
        let nothing = ProviderSetup::default();
        let providers: Vec<ProviderState> = snapshot
            .providers
            .iter()
            .map(|provider| {
                let setup = setups.get(&*provider.id).unwrap_or(&nothing);
                let before = previous.and_then(|world| world.provider(&provider.id));
                provider_state(provider, setup, settings, before, &mut problems)
            })
            .collect();
        let mut old: HashMap<&str, &Arc<Vitals>> = HashMap::new();
        if let Some(previous) = previous {
            old.extend(previous.snapshot.endpoints.iter().map(|e| &*e.id).zip(&previous.endpoints));
        }
        let endpoints = snapshot
            .endpoints
            .iter()
            .map(|e| old.get(&*e.id).map_or_else(Arc::default, |state| Arc::clone(state)))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let abilities = Abilities::of(&snapshot);
        let number = previous.map_or(1, |previous| previous.number + 1);
        let reads_on = providers.iter().any(|p| p.off.is_none() && p.on_disconnect != OnDisconnect::Cancel);
        let mut world = World {
            snapshot,
            providers,
            endpoints,
            reads_on,
            abilities,
            shortlist: Shortlist::default(),
            number,
            clock,
        };
        world.shortlist = Shortlist::of(&world.snapshot, &world);
        Ok(world)
    }

    /// What is known at one moment.
    pub fn at(&self, now: Timestamp) -> Moment<'_> {
        Moment { world: self, now }
    }

    /// Whether calls can go to this endpoint: its provider is on and its price known.
    pub fn is_available(&self, endpoint: &catalog::Endpoint) -> bool {
        self.providers.get(endpoint.provider).is_some_and(|p| p.off.is_none()) && endpoint.is_priced()
    }

    /// The state of the provider with this slug.
    fn provider(&self, slug: &str) -> Option<&ProviderState> {
        self.provider_of(slug).map(|(_, state)| state)
    }

    /// The provider with this slug and its state.
    pub fn provider_of(&self, slug: &str) -> Option<(&Provider, &ProviderState)> {
        self.snapshot.providers.iter().zip(&self.providers).find(|(provider, _)| &*provider.id == slug)
    }

    /// Slugs and names of the providers that are on, the sandbox last.
    pub fn switched_on(&self) -> Vec<(&Provider, &ProviderState)> {
        let mut on: Vec<_> =
            self.snapshot.providers.iter().zip(&self.providers).filter(|(_, s)| s.off.is_none()).collect();
        on.sort_by_key(|(p, _)| p.protocol == Protocol::Sandbox);
        on
    }
}

/// What the node knows of its endpoints at one moment: for a decision, which would otherwise ask the clock for each of them.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'w> {
    world: &'w World,
    now: Timestamp,
}

impl Conditions for Moment<'_> {
    fn switched_on(&self, endpoint: usize) -> bool {
        Conditions::switched_on(self.world, endpoint)
    }

    fn shortlist(&self) -> Option<&Shortlist> {
        Some(&self.world.shortlist)
    }

    fn healthy(&self, endpoint: usize) -> bool {
        self.world.endpoints.get(endpoint).is_some_and(|vitals| vitals.is_well(self.now))
    }

    fn figures(&self, endpoint: usize, size: Size) -> Figures {
        self.world.figures(endpoint, size)
    }

    fn load(&self, endpoint: usize) -> f64 {
        self.world.endpoints.get(endpoint).map_or(0.0, |vitals| vitals.load(self.now))
    }
}

impl Conditions for World {
    fn switched_on(&self, endpoint: usize) -> bool {
        let provider = self.snapshot.endpoints.get(endpoint).and_then(|e| self.providers.get(e.provider));
        provider.is_some_and(|p| p.off.is_none())
    }

    fn shortlist(&self) -> Option<&Shortlist> {
        Some(&self.shortlist)
    }

    fn healthy(&self, endpoint: usize) -> bool {
        let now = self.clock.now();
        self.endpoints.get(endpoint).is_some_and(|vitals| vitals.is_well(now))
    }

    fn figures(&self, endpoint: usize, size: Size) -> Figures {
        self.endpoints.get(endpoint).map(|vitals| vitals.figures(size)).unwrap_or_default()
    }

    fn load(&self, endpoint: usize) -> f64 {
        let now = self.clock.now();
        self.endpoints.get(endpoint).map_or(0.0, |vitals| vitals.load(now))
    }
}

fn provider_state(
    provider: &Provider,
    setup: &ProviderSetup,
    settings: &Settings,
    before: Option<&ProviderState>,
    problems: &mut Vec<String>,
) -> ProviderState {
    let mut off = (!setup.on).then(|| setup.why.clone());
    let mut target = None;
    if off.is_none() && provider.protocol != Protocol::Sandbox {
        match make_target(provider, setup) {
            Ok(made) => target = Some(Arc::new(made)),
            Err(problem) => {
                problems.push(format!("providers.{}: {problem}", provider.id));
                off = Some(problem);
            }
        }
    }
    ProviderState {
        off,
        why: setup.why.clone(),
        base_url: setup
            .base_url
            .clone()
            .or_else(|| provider.address().filter(|address| !address.contains("${")).map(str::to_owned)),
        keyring: target.as_deref().and_then(|target| keyring(target, before)),
        target,
        dialect: dialect(provider.protocol),
        flavor: flavor(provider.protocol),
        responses: provider.quirks.responses,
        adapt: adapt(provider),
        name_json: wire::json::quote(&provider.name),
        on_disconnect: setup.on_disconnect.unwrap_or(provider.quirks.on_disconnect),
        connect_timeout: setup.connect_timeout.unwrap_or(settings.connect_timeout),
        first_byte_timeout: setup.first_byte_timeout.unwrap_or(settings.first_byte_timeout),
        stall_timeout: setup.stall_timeout.unwrap_or(settings.stall_timeout),
    }
}

/// The state of several keys: as it was where they are the same, else fresh.
fn keyring(target: &Target, before: Option<&ProviderState>) -> Option<Arc<Mutex<Keyring>>> {
    let same = before.filter(|b| b.target.as_ref().is_some_and(|old| old.keys == target.keys));
    let kept = same.and_then(|before| before.keyring.clone());
    let fresh = || Arc::new(Mutex::new(Keyring::new(target.keys.len())));
    (!target.keys.is_empty()).then(|| kept.unwrap_or_else(fresh))
}

/// What a protocol speaks.
const fn dialect(protocol: Protocol) -> Dialect {
    match protocol {
        Protocol::Openai | Protocol::Mistral | Protocol::Azure | Protocol::Sandbox => Dialect::Chat,
        Protocol::OpenaiResponses => Dialect::Responses,
        Protocol::Anthropic | Protocol::VertexAnthropic => Dialect::Messages,
        Protocol::Gemini | Protocol::Vertex => Dialect::Gemini,
        Protocol::Bedrock => Dialect::Converse,
        Protocol::Cohere => Dialect::Cohere,
        Protocol::Ollama => Dialect::Ollama,
    }
}

const fn flavor(protocol: Protocol) -> Flavor {
    match protocol {
        Protocol::Mistral => Flavor::Mistral,
        Protocol::Azure => Flavor::Azure,
        Protocol::Vertex | Protocol::VertexAnthropic => Flavor::Vertex,
        Protocol::Bedrock => Flavor::Bedrock,
        _ => Flavor::Direct,
    }
}

fn adapt(provider: &Provider) -> Adapt {
    let quirks = &provider.quirks;
    if provider.protocol == Protocol::Mistral && *quirks == catalog::Quirks::default() {
        // A server of this protocol that only the configuration knows: what the protocol itself asks for.
        return Adapt {
            max_tokens_name: Some("max_tokens"),
            stream_usage: wire::openai_chat::StreamUsage::Always,
            rename: [("seed".to_owned(), "random_seed".to_owned())].into(),
            rename_roles: [("developer".to_owned(), "system".to_owned())].into(),
            short_tool_call_ids: true,
            ..Adapt::default()
        };
    }
    Adapt {
        max_tokens_name: quirks.max_tokens_name.map(|name| match name {
            MaxTokensName::MaxTokens => "max_tokens",
            MaxTokensName::MaxCompletionTokens => "max_completion_tokens",
        }),
        unsupported: quirks.unsupported_parameters.clone(),
        stream_usage: match quirks.stream_usage {
            StreamUsage::OnRequest => wire::openai_chat::StreamUsage::OnRequest,
            StreamUsage::Always => wire::openai_chat::StreamUsage::Always,
            StreamUsage::Never => wire::openai_chat::StreamUsage::Never,
        },
        rename: quirks.rename_parameters.clone(),
        rename_roles: quirks.rename_roles.clone(),
        short_tool_call_ids: quirks.tool_call_ids == ToolCallIds::Alphanumeric9,
    }
}

pub(crate) fn make_target(provider: &Provider, setup: &ProviderSetup) -> Result<Target, String> {
    let base = setup.base_url.as_deref().or(provider.address()).ok_or("base_url is missing")?;
    let mut target = Target::of_url(base).map_err(|problem| format!("base_url {problem}"))?;
    target.protocol = provider.protocol;
    if matches!(provider.protocol, Protocol::Openai | Protocol::Mistral) {
        let generate = Operation::Generate { stream: false };
        let query = target.base_query.as_deref();
        let path = address::path(provider.protocol, Dialect::Chat, &target.base_path, query, "", generate);
        let path = path.parse().map_err(|_| String::from("base_url has a path that can't be used"))?;
        target.chat_path = Some(path);
    }
    if provider.protocol == Protocol::Anthropic {
        let version = HeaderValue::from_static("2023-06-01");
        target.headers.push((HeaderName::from_static("anthropic-version"), version));
    }
    if setup.credentials.is_none() {
        let keys = setup.api_keys.iter().map(|key| auth_header(provider, key));
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        match keys.len() {
            0 | 1 => target.headers.extend(keys),
            _ => target.keys = keys,
        }
    }
    for (name, value) in &setup.headers {
        let bad = || format!("extra_headers.{name} is no header that can be sent");
        let header = (name.parse().map_err(|_| bad())?, HeaderValue::from_str(value).map_err(|_| bad())?);
        target.headers.push(header);
    }
    target.credentials.clone_from(&setup.credentials);
    Ok(target)
}

fn auth_header(provider: &Provider, key: &SecretString) -> Result<(HeaderName, HeaderValue), String> {
    let usual = match provider.protocol {
        Protocol::Anthropic => Some("x-api-key"),
        Protocol::Gemini => Some("x-goog-api-key"),
        Protocol::Azure => Some("api-key"),
        _ => None,
    };
    let (name, text) = match provider.quirks.auth_header.as_deref().or(usual) {
        Some(name) if !name.eq_ignore_ascii_case("authorization") => (
            name.parse().map_err(|_| format!("auth_header `{name}` is no header name"))?,
            Zeroizing::new(key.expose_secret().as_bytes().to_vec()),
        ),
        _ => {
            let mut text = Zeroizing::new(Vec::with_capacity(7 + key.expose_secret().len()));
            text.extend_from_slice(b"Bearer ");
            text.extend_from_slice(key.expose_secret().as_bytes());
            (header::AUTHORIZATION, text)
        }
    };
    // The header's bytes are wiped when its last copy is dropped.
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| {
        String::from("the key has characters that can't travel in a header; is there a line end in it?")
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}
