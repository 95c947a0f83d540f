//! The owner's account and the first key, and what is told on standard output at a start. The key goes there once and nowhere
//! else.

use std::io::Write;

use store::{NewKey, Store};
use types::{AccountId, ApiKeyText, Timestamp};

use crate::cli::{OWNER, generate, users};
use crate::config::Config;

/// What a first start makes, and shows once.
#[derive(Debug, Default)]
pub(crate) struct First {
    /// The first key.
    pub(crate) key: Option<ApiKeyText>,
    /// What its reader owns the server with.
    pub(crate) owner_token: Option<String>,
}

/// Makes the owner's account on the first start, with a key unless one was given, and a token for its owner to come in with.
pub(crate) async fn prepare(store: &Store, config: &Config, now: Timestamp) -> anyhow::Result<First> {
    let owner = AccountId::new(OWNER);
    store.ensure_account(&owner, "Owner", now).await?;
    if let Some(given) = &config.bootstrap_key {
        let (id, _) = generate(&config.brand.key_prefix)?;
        store.ensure_key(&new_key(id, owner, given, "bootstrap", now)).await?;
        return Ok(First::default());
    }
    // Whether this is the first start is told by the keys, revoked ones too: whoever revoked them all wants none back.
    if !store.list_keys(None).await?.is_empty() {
        return Ok(First::default());
    }
    let (id, text) = generate(&config.brand.key_prefix)?;
    store.insert_key(&new_key(id, owner, &text, "first key", now)).await?;
    let token = users::invitation(store, "", &users::ownership(), now).await?;
    Ok(First { key: Some(text), owner_token: Some(token) })
}

fn new_key(
    id: types::KeyId,
    account: AccountId,
    text: &ApiKeyText,
    name: &str,
    created: Timestamp,
) -> NewKey {
    NewKey {
        id,
        account,
        hash: text.hash(),
        label: text.label(),
        name: name.to_owned(),
        management: false,
        spend_limit: None,
        expires: None,
        requests_per_minute: None,
        concurrency: None,
        created,
        project: None,
        rules: String::from("{}"),
        holder: None,
        role: None,
    }
}

/// What is said when calls can be served.
pub(crate) struct Greeting<'a> {
    /// The brand and version.
    pub(crate) config: &'a Config,
    /// `http://127.0.0.1:8080`.
    pub(crate) base_url: &'a str,
    /// What was made just now.
    pub(crate) first: &'a First,
    /// Names of the real providers that are on.
    pub(crate) providers: &'a [String],
}

impl Greeting<'_> {
    /// Writes it in one piece, so that nothing gets between its lines.
    pub(crate) fn print(&self) {
        // A closed pipe is no reason not to serve.
        let _ = std::io::stdout().lock().write_all(self.text().as_bytes());
        let _ = std::io::stdout().flush();
    }

    fn text(&self) -> String {
        let brand = &self.config.brand;
        let mut text =
            format!("{} {} is ready on {}\n", brand.name, env!("CARGO_PKG_VERSION"), self.base_url);
        if self.providers.is_empty() {
            text.push_str(
                "No real provider is switched on: the sandbox answers, and says that it simulates.\n",
            );
            text.push_str("Set MISTRAL_API_KEY, OPENAI_API_KEY or another provider's usual variable to switch one on.\n");
        } else {
            text.push_str(&format!("Switched on: {}\n", self.providers.join(", ")));
        }
        let key = match &self.first.key {
            Some(key) => {
                text.push_str(&format!(
                    "\nYour first API key, shown only this once:\n\n  {}\n",
                    key.expose()
                ));
                key.expose()
            }
            None => "$TOLLWAY_KEY",
        };
        text.push_str(&format!(
            "\nTry it:\n\n  curl -N {}/v1/chat/completions \\\n    -H \"Authorization: Bearer {key}\" \\\n    -H \"Content-Type: application/json\" \\\n    -d '{{\"model\":\"{}/auto\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n\n",
            self.base_url, brand.slug
        ));
        if let Some(token) = &self.first.owner_token {
            text.push_str(&format!(
                "To sign in as the owner, within 7 days and only once, open\n\n  {0}/accept?token={token}\n\nor\n\n  curl \
                 {0}/v1/auth/accept \\\n    -d '{{\"token\":\"{token}\",\"email\":\"you@example.com\",\"password\":\"...\"}}'\n\n",
                self.base_url
            ));
        }
        text
    }
}
