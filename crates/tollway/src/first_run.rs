//! The owner's account and the first key, and what is told on standard output at a start. The key goes there once and nowhere
//! else.

use std::io::Write;

use store::{NewKey, Store};
use types::{AccountId, ApiKeyText, Timestamp};

use crate::cli::{OWNER, generate};
use crate::config::Config;

/// Makes the owner's account on the first start, with a key unless one was given. The key is returned only when it was made.
pub(crate) async fn prepare(
    store: &Store,
    config: &Config,
    now: Timestamp,
) -> anyhow::Result<Option<ApiKeyText>> {
    let owner = AccountId::new(OWNER);
    store.ensure_account(&owner, "Owner", now).await?;
    if let Some(given) = &config.bootstrap_key {
        let (id, _) = generate(&config.brand.key_prefix)?;
        store.ensure_key(&new_key(id, owner, given, "bootstrap", now)).await?;
        return Ok(None);
    }
    // Whether this is the first start is told by the keys, revoked ones too: whoever revoked them all wants none back.
    if !store.list_keys(None).await?.is_empty() {
        return Ok(None);
    }
    let (id, text) = generate(&config.brand.key_prefix)?;
    store.insert_key(&new_key(id, owner, &text, "first key", now)).await?;
    Ok(Some(text))
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
    }
}

/// What is said when calls can be served.
pub(crate) struct Greeting<'a> {
    /// The brand and version.
    pub(crate) config: &'a Config,
    /// `http://127.0.0.1:8080`.
    pub(crate) base_url: &'a str,
    /// The first key, when it was made just now.
    pub(crate) key: Option<&'a ApiKeyText>,
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
        let key = match self.key {
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
        text
    }
}
