//! What a provider key is made of: one text, or the clouds' own JSON.
//!
//! | provider | takes |
//! | --- | --- |
//! | most | the key |
//! | Azure | the key, with an address of its own beside it; or `{"api_key", "resource_name", "resource_type"}`, also as the only item of a list; or `{"api_key", "endpoint_url"}`; or an Entra application: `{"azure_tenant_id", "azure_client_id", "azure_client_secret", "resource_name"}` |
//! | Bedrock | a Bedrock API key; or `{"accessKeyId", "secretAccessKey", "sessionToken", "region"}` |
//! | Vertex | the JSON of a service account, with `region` in it (`global` where it is left out) |

use std::sync::Arc;

use catalog::{Protocol, Provider};
use serde_json::{Map, Value};
use types::{Clock, ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::Keeper;
use super::input::shown;
use crate::upstream::credentials::{Aws, Credentials, Entra, Google};
use crate::world::{ProviderSetup, ProviderState, Target, World, make_target};

/// Where Entra gives tokens.
const ENTRA: &str = "https://login.microsoftonline.com";
/// Largest provider key, JSON and all.
pub const KEY_BYTES_MAX: usize = 16 * 1024;

/// What proves who calls.
enum Proof {
    Key(SecretString),
    Aws { id: String, secret: SecretString, session: Option<SecretString>, region: String },
    Google(SecretString),
    Entra { tenant: String, client: String, secret: SecretString },
}

/// A provider key, understood.
pub struct Material {
    proof: Proof,
    /// What stands for `${NAME}` in the provider's address.
    names: Vec<(&'static str, String)>,
    /// An address that the JSON names.
    base_url: Option<String>,
    label: String,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Material {
    /// Understands a key.
    ///
    /// # Errors
    /// What is wrong with it, never what it holds.
    pub fn read(protocol: Protocol, text: &SecretString) -> Result<Material, String> {
        let plain = text.expose_secret().trim();
        if plain.is_empty() || plain.len() > KEY_BYTES_MAX {
            return Err(format!("`key` must have 1 to {KEY_BYTES_MAX} bytes"));
        }
        if plain.starts_with(['{', '[']) {
            return of_json(protocol, plain);
        }
        match protocol {
            Protocol::Sandbox => Err(String::from("the sandbox takes no key")),
            Protocol::Vertex | Protocol::VertexAnthropic => Err(String::from(
                "`key` must be the JSON of a service account, with its `region` beside the other members",
            )),
            _ if plain.chars().any(|c| c.is_control() || !c.is_ascii()) => Err(String::from(
                "`key` has characters that can't travel in a header; is there a line end in it?",
            )),
            _ => Ok(Material {
                proof: Proof::Key(SecretString::from(plain)),
                names: Vec::new(),
                base_url: None,
                label: masked(plain),
            }),
        }
    }

    /// What may be shown of it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where it is sent, ready. `base_url`: the only address that its owner allows.
    ///
    /// # Errors
    /// Why it can't be used; never a secret.
    pub(crate) fn target(
        &self,
        world: &World,
        provider: &str,
        base_url: Option<&str>,
        keeper: &Keeper,
    ) -> Result<Target, String> {
        let (known, state) =
            world.provider_of(provider).ok_or("its provider is not in the catalog any more")?;
        let (address, chosen) = self.address(known, state, base_url)?;
        let credentials = self.credentials(&keeper.clock)?;
        let api_keys = match &self.proof {
            Proof::Key(key) => vec![key.clone()],
            _ => Vec::new(),
        };
        let setup =
            ProviderSetup { base_url: Some(address), api_keys, credentials, ..ProviderSetup::default() };
        let target = make_target(known, &setup)?;
        if !chosen {
            return Ok(target);
        }
        let guard = &keeper.guard;
        if target.scheme != http::uri::Scheme::HTTPS && !guard.is_open() {
            return Err(String::from("base_url must begin with https: a key is not sent in the clear"));
        }
        guard.check(&target).map_err(|error| format!("base_url can't be used: {error}"))?;
        Ok(target.guarded(Arc::clone(guard)))
    }

    /// The address, and whether the account chose any of it.
    fn address(
        &self,
        provider: &Provider,
        state: &ProviderState,
        own: Option<&str>,
    ) -> Result<(String, bool), String> {
        if let Some(own) = own.or(self.base_url.as_deref()) {
            return Ok((own.trim_end_matches('/').to_owned(), true));
        }
        let template = provider.base_url.as_deref().unwrap_or_default();
        let mut filled = template.to_owned();
        for (name, value) in &self.names {
            filled = filled.replace(&format!("${{{name}}}"), value);
        }
        // Vertex's address of no region in particular has no region in its host.
        filled = filled.replace("://global-aiplatform.", "://aiplatform.");
        let named = filled != template;
        if !filled.is_empty() && !filled.contains("${") {
            return Ok((if named { filled } else { state.base_url.clone().unwrap_or(filled) }, named));
        }
        state.base_url.clone().map(|address| (address, false)).ok_or_else(|| match provider.protocol {
            Protocol::Azure => String::from(
                "this provider needs an address: add `base_url`, or `resource_name` to the key's JSON",
            ),
            Protocol::Bedrock | Protocol::Vertex | Protocol::VertexAnthropic => {
                String::from("this provider needs a region: add `region` to the key's JSON")
            }
            _ => String::from("this provider needs an address: add `base_url`"),
        })
    }

    fn credentials(&self, clock: &Arc<dyn Clock>) -> Result<Option<Arc<dyn Credentials>>, String> {
        let clock = Arc::clone(clock);
        Ok(match &self.proof {
            Proof::Key(_) => None,
            Proof::Aws { id, secret, session, region } => {
                Some(Arc::new(Aws::new(id, secret, session.as_ref(), region, clock)))
            }
            Proof::Google(account) => Some(Arc::new(Google::from_json(account)?)),
            Proof::Entra { tenant, client, secret } => {
                Some(Arc::new(Entra::new(Target::of_url(ENTRA)?, tenant, client, secret.clone(), clock)))
            }
        })
    }
}

/// The first and last characters of a text that is long enough to have some left.
pub fn masked(text: &str) -> String {
    let count = text.chars().count();
    if count < 16 {
        return String::from("...");
    }
    let head: String = text.chars().take(if count < 32 { 2 } else { 5 }).collect();
    let tail: String = text.chars().skip(count - 4).collect();
    format!("{head}...{tail}")
}

fn of_json(protocol: Protocol, text: &str) -> Result<Material, String> {
    let broken = || String::from("`key` begins like JSON and is none; send the object as it is, or as text");
    let mut value: Value = serde_json::from_str(text).map_err(|_| broken())?;
    if let Value::Array(items) = &mut value {
        if items.len() > 1 {
            return Err(String::from("`key` lists several resources; add a key for each"));
        }
        value = items.pop().ok_or_else(broken)?;
    }
    let Value::Object(fields) = value else { return Err(broken()) };
    let mut fields = Fields(fields);
    let made = match protocol {
        Protocol::Azure => azure(&mut fields)?,
        Protocol::Bedrock => bedrock(&mut fields)?,
        Protocol::Vertex | Protocol::VertexAnthropic => google(&mut fields, text)?,
        _ => return Err(String::from("this provider's key is one text, not JSON")),
    };
    fields.nothing_left()?;
    Ok(made)
}

/// The members of a key's JSON; each is taken once.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(format!("`key.{name}` must be a text")),
        }
    }

    fn need(&mut self, name: &str) -> Result<String, String> {
        self.text(name)?.ok_or_else(|| format!("`key.{name}` is missing"))
    }

    /// What becomes part of an address.
    fn word(&mut self, name: &str) -> Result<Option<String>, String> {
        let plain =
            |text: &String| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        match self.text(name)? {
            Some(text) if !plain(&text) => Err(format!("`key.{name}` takes letters, digits and `-` only")),
            text => Ok(text),
        }
    }

    fn nothing_left(&self) -> Result<(), String> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{} of `key` is not known here; leave it out", shown(name))),
        }
    }
}

fn azure(fields: &mut Fields) -> Result<Material, String> {
    if fields.0.contains_key("model_id") || fields.0.contains_key("model_slug") {
        return Err(String::from(
            "keys of single Azure deployments are not served; name the deployment like the model, and leave `model_id` and `model_slug` out",
        ));
    }
    let resource = fields.word("resource_name")?;
    let foundry = match fields.text("resource_type")?.as_deref() {
        None | Some("openai") => false,
        Some("ai_foundry") => true,
        Some(_) => return Err(String::from("`key.resource_type` must be openai or ai_foundry")),
    };
    let url = fields.text("endpoint_url")?;
    let base_url = match (&resource, url) {
        (_, Some(url)) => Some(url),
        (Some(resource), None) if foundry => {
            Some(format!("https://{resource}.services.ai.azure.com/openai/v1"))
        }
        _ => None,
    };
    let names = resource.into_iter().map(|resource| ("AZURE_RESOURCE_NAME", resource)).collect();
    if let Some(tenant) = fields.word("azure_tenant_id")? {
        let client = fields.need("azure_client_id")?;
        let secret = SecretString::from(fields.need("azure_client_secret")?);
        let label = format!("Entra application {}", masked(&client));
        return Ok(Material { proof: Proof::Entra { tenant, client, secret }, names, base_url, label });
    }
    let key = Zeroizing::new(fields.need("api_key")?);
    let label = masked(&key);
    Ok(Material { proof: Proof::Key(SecretString::from(key.as_str())), names, base_url, label })
}

fn bedrock(fields: &mut Fields) -> Result<Material, String> {
    let region = fields.word("region")?;
    let region = region.unwrap_or_else(|| String::from("us-east-1"));
    let id = fields.need("accessKeyId")?;
    let secret = SecretString::from(fields.need("secretAccessKey")?);
    let session = fields.text("sessionToken")?.map(SecretString::from);
    let label = masked(&id);
    let names = vec![("AWS_REGION", region.clone())];
    Ok(Material { proof: Proof::Aws { id, secret, session, region }, names, base_url: None, label })
}

fn google(fields: &mut Fields, text: &str) -> Result<Material, String> {
    let region = fields.word("region")?.unwrap_or_else(|| String::from("global"));
    let project = fields.word("project_id")?.ok_or("`key.project_id` is missing")?;
    let email = fields.need("client_email")?;
    // The rest is the account's own and read with it.
    fields.0.clear();
    let account = SecretString::from(text);
    Google::from_json(&account)?;
    let label =
        format!("service account {}", email.chars().filter(|c| !c.is_control()).take(80).collect::<String>());
    let names = vec![("GOOGLE_VERTEX_LOCATION", region), ("GOOGLE_VERTEX_PROJECT", project)];
    Ok(Material { proof: Proof::Google(account), names, base_url: None, label })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(protocol: Protocol, text: &str) -> Result<Material, String> {
        Material::read(protocol, &SecretString::from(text))
    }

    #[test]
    fn keys_read_as_their_providers_take_them() {
        let azure =
            r#"[{"api_key":"0123456789abcdef0123","resource_name":"mine","resource_type":"ai_foundry"}]"#;
        let rows = [
            (Protocol::Openai, "sk-0123456789abcdef", "sk...cdef"),
            (Protocol::Openai, "short", "..."),
            (Protocol::Azure, azure, "01...0123"),
            (
                Protocol::Bedrock,
                r#"{"accessKeyId":"AKIA0123456789ABCDEF","secretAccessKey":"s","region":"eu-west-1"}"#,
                "AK...CDEF",
            ),
        ];
        for (protocol, text, label) in rows {
            assert_eq!(read(protocol, text).unwrap().label(), label, "{text}");
        }
        let made = read(Protocol::Azure, azure).unwrap();
        assert_eq!(made.base_url.as_deref(), Some("https://mine.services.ai.azure.com/openai/v1"));
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_the_key() {
        let rows = [
            (Protocol::Openai, "", "1 to"),
            (Protocol::Openai, "sk-secret\nx", "line end"),
            (Protocol::Openai, r#"{"secret":1}"#, "one text"),
            (Protocol::Vertex, "secret", "service account"),
            (Protocol::Azure, r#"{"api_key":"secret","resource_name":"a.evil/x"}"#, "letters, digits"),
            (Protocol::Azure, r#"{"api_key":"secret","secret_name":"b"}"#, "is not known"),
            (Protocol::Bedrock, r#"{"accessKeyId":"secret","region":"x@evil"}"#, "letters, digits"),
            (Protocol::Bedrock, r#"{"accessKeyId":"secret"}"#, "secretAccessKey"),
            (Protocol::Sandbox, "secret", "no key"),
            (Protocol::Bedrock, "{secret", "JSON"),
        ];
        for (protocol, text, says) in rows {
            let error = read(protocol, text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains("evil") && !error.contains("sk-secret"), "{error}");
        }
    }
}
