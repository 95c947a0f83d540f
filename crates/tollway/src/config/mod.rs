//! Configuration: one table of keys, read from three layers.
//!
//! - A value comes from the environment, else from the file, else from the table's default.
//! - Every key is also a variable: `server.listen` is `TOLLWAY_SERVER__LISTEN`, and four have short forms too. A
//!   variable that is set and empty counts as not set. Lists may be written with commas, tables as TOML.
//! - An unknown key, an unknown `TOLLWAY_*` variable or a bad value refuses to start. All of them are reported
//!   together, each with its place, what is allowed and the nearest known key. Values of secrets are never shown, nor
//!   are those of unknown keys, which may be misspelled secrets.
//! - Defaults go through the same parser as values that people write, so the table cannot disagree with the code.

mod cloud;
mod env;
mod keys;
mod layers;
mod money;
pub mod people;
mod problem;
mod providers;
mod settings;
pub mod sign_in;
pub mod telemetry;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};

use types::{ApiKeyText, SecretString};

pub use cloud::Cloud;
pub use env::Environment;
pub use keys::{Key, Preset, issuer_keys, keys, model_keys, provider_keys};
pub(crate) use layers::{SHORT_FORMS, SPECIAL, variable};
pub use money::{Payments, Seller, Stripe};
pub use problem::{Place, Problem, Problems};
pub use providers::{ProviderState, provider_states};
pub use settings::{
    Billing, Brand, Byok, Cache, CatalogSettings, CloudConfig, Config, Idempotency, Journal, JournalSync,
    Limits, Log, LogFormat, LogLevel, ModelConfig, ProviderConfig, Routing, Server, SiteSettings,
    StoreSettings, StoreUrl, Upstream,
};
pub use types::{Network, any_contains};

use layers::Layers;
use problem::What;

/// The file that is read when nobody names one and it exists.
pub const DEFAULT_FILE: &str = "tollway.toml";

/// A configuration file's text with the name that messages use.
#[derive(Clone, Debug)]
pub struct FileText {
    /// Where it was read.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// Finds and reads the file: `flag`, else `TOLLWAY_CONFIG`, else `tollway.toml` where it exists.
///
/// # Errors
/// A file that was named and can't be read.
pub fn read_file(flag: Option<&Path>, env: &Environment) -> Result<Option<FileText>, Problems> {
    let from_env = env.get("TOLLWAY_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from);
    let named = flag.map(Path::to_path_buf).or(from_env);
    let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(FileText { path, text })),
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let place = Place::File { name: path.display().to_string().into(), line: 0 };
            let what = What::Rule(format!("the configuration file can't be read: {error}"));
            Err(Problems(vec![Problem { place, key: String::new(), what }]))
        }
    }
}

/// Reads the configuration. `known_slugs` are the catalog's providers: they tell what slug
/// `TOLLWAY_PROVIDERS__VERTEX_ANTHROPIC__API_KEY` means.
///
/// # Errors
/// Every problem of the file and the environment, not only the first.
pub fn parse(file: Option<&FileText>, env: &Environment, known_slugs: &[&str]) -> Result<Config, Problems> {
    let mut problems = Vec::new();
    let mut layers = Layers::default();
    if let Some(file) = file {
        layers.add_file(file, &mut problems);
    }
    layers.add_env(env, known_slugs, &mut problems);

    let mut config = Config { file: file.map(|f| f.path.clone()), ..Config::default() };
    for key in keys() {
        value::set(key, key.path, layers.plain.get(key.path), &mut config, &mut problems);
    }
    for (slug, found) in &layers.providers {
        let provider = providers::read(slug, found, env, &mut problems);
        config.providers.insert(slug.clone(), provider);
    }
    for (slug, found) in &layers.sign_in {
        let issuer = sign_in::read(slug, found, env, &mut problems);
        config.sign_in.insert(slug.clone(), issuer);
    }
    config.bootstrap_key = bootstrap_key(env, &mut problems);
    payment_secrets(&mut config, &layers, env, &mut problems);
    config.log.filter = log_filter(env, &mut problems);
    config.telemetry.otlp.complete(&layers, env);
    check_together(&config, &layers, &mut problems);
    if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
}

/// The settings of a start with no file and no variable.
///
/// # Errors
/// None, unless the table of keys holds a default that it would itself refuse; a test sees to that.
pub fn defaults() -> Result<Config, Problems> {
    parse(None, &Environment::default(), &[])
}

fn bootstrap_key(env: &Environment, problems: &mut Vec<Problem>) -> Option<ApiKeyText> {
    const NAME: &str = "TOLLWAY_BOOTSTRAP_KEY";
    let text = env.get(NAME).filter(|v| !v.is_empty())?;
    match ApiKeyText::from_chosen(text) {
        Ok(key) => Some(key),
        Err(error) => {
            problems.push(Problem::rule(
                Place::Env(NAME.into()),
                NAME,
                format!("refused (value hidden): {error}"),
            ));
            None
        }
    }
}

/// Fills the secrets of payments from the variables that the configuration names.
fn payment_secrets(config: &mut Config, layers: &Layers, env: &Environment, problems: &mut Vec<Problem>) {
    let mut find = |key: &str, name: &Option<String>| {
        let name = name.as_deref()?;
        let value = env.get(name).filter(|value| !value.is_empty());
        if value.is_none() {
            let place = layers.plain.get(key).map_or(Place::Default, |spot| spot.place.clone());
            let why = format!("names `{name}`, which is not set; set it, or remove the key");
            problems.push(Problem::rule(place, key, why));
        }
        value.map(str::to_owned)
    };
    let stripe = &mut config.payments.stripe;
    let key = find("payments.stripe.secret_key_env", &stripe.secret_key_env);
    stripe.secret_key = stripe.secret_key.take().or(key.map(SecretString::from));
    let Some(text) = find("payments.stripe.webhook_secret_env", &stripe.webhook_secret_env) else { return };
    let all = text.split(',').map(|secret| SecretString::from(secret.trim().to_owned())).collect();
    match keys::money::secrets(all) {
        Some(secrets) if stripe.webhook_secrets.is_empty() => stripe.webhook_secrets = secrets,
        Some(_) => {}
        None => {
            let why = "names a variable with something else than one or two secrets of 8 characters or more";
            let key = "payments.stripe.webhook_secret_env";
            let place = layers.plain.get(key).map_or(Place::Default, |spot| spot.place.clone());
            problems.push(Problem::rule(place, key, why.to_owned()));
        }
    }
}

fn log_filter(env: &Environment, problems: &mut Vec<Problem>) -> Option<String> {
    const NAME: &str = "TOLLWAY_LOG";
    let text = env.get(NAME).filter(|v| !v.is_empty())?;
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(text) {
        let why = format!("is no filter ({error}); write `info` or `info,tollway=debug`");
        problems.push(Problem::rule(Place::Env(NAME.into()), NAME, why));
    }
    Some(text.to_owned())
}

/// The rules that look at more than one key.
fn check_together(config: &Config, layers: &Layers, problems: &mut Vec<Problem>) {
    let mut refuse = |key: &str, why: &str| {
        let place = layers.plain.get(key).map_or(Place::Default, |spot| spot.place.clone());
        problems.push(Problem::rule(place, key, why.to_owned()));
    };
    if config.store.redis_url.is_some() {
        let why = "is set, but shared state in Redis comes with the many-nodes step; remove it (one node needs none)";
        refuse("store.redis_url", why);
    }
    for (slug, issuer) in &config.sign_in {
        let twin =
            |(other, its): (&String, &sign_in::IssuerConfig)| other < slug && its.issuer == issuer.issuer;
        if config.sign_in.iter().any(twin) && !issuer.issuer.is_empty() {
            refuse(
                &format!("sign_in.{slug}.issuer"),
                "is that of another `[sign_in]` section; keep one of them",
            );
        }
    }
    if config.byok.master_key.is_some() && config.byok.master_key_file.is_some() {
        refuse("byok.master_key", "is set beside `byok.master_key_file`; set one of them");
    }
    match (&config.server.tls_cert_file, &config.server.tls_key_file) {
        (Some(_), None) => {
            refuse("server.tls_cert_file", "is set without `server.tls_key_file`; set both or neither")
        }
        (None, Some(_)) => {
            refuse("server.tls_key_file", "is set without `server.tls_cert_file`; set both or neither")
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    let listen = config.server.listen;
    if listen.port() != 0 && config.server.admin_listen == Some(listen) {
        refuse(
            "server.admin_listen",
            "is the same as `server.listen`; leave it unset to serve metrics there",
        );
    }
    if config.fees.top_up_min > config.fees.top_up_max {
        refuse("fees.top_up_min_usd", "is more than `fees.top_up_max_usd`; make it at most that");
    }
    if config.upstream.sse_frame_bytes_max > config.upstream.response_bytes_max {
        refuse(
            "upstream.sse_frame_bytes_max",
            "is larger than `upstream.response_bytes_max`; make it at most that",
        );
    }
}

impl Config {
    /// The store's URL: `store.url`, else SQLite in the data directory.
    pub fn store_url(&self) -> StoreUrl {
        self.store.url.clone().unwrap_or_else(|| {
            let file = self.server.data_dir.join("tollway.db");
            StoreUrl::new(SecretString::from(format!("sqlite:{}", file.display())))
        })
    }
}
