//! Tokens of a Google service account, for Vertex AI. The crate keeps a token until shortly before its end.

use std::path::Path;

use gcp_auth::{CustomServiceAccount, TokenProvider};
use http::{HeaderValue, header};
use serde::Deserialize;
use types::{ExposeSecret, SecretString};

use super::{Credentials, CredentialsError, Proof, Unsigned};

const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];

/// A service account.
pub struct Google(CustomServiceAccount);

impl std::fmt::Debug for Google {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Google")
    }
}

/// Where Google gives tokens. A service account says itself where its tokens are from: one that a caller brought along must
/// not lead elsewhere.
const TOKEN_URLS: [&str; 2] =
    ["https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token"];

#[derive(Deserialize)]
struct TokenUrl {
    token_uri: String,
}

impl Google {
    /// Reads an account that a caller brought along. The error says what is wrong with it, never what is in it.
    pub fn from_json(text: &SecretString) -> Result<Google, String> {
        let wrong = || String::from("`key` is no service account's JSON; copy the whole file");
        let told: TokenUrl = serde_json::from_str(text.expose_secret()).map_err(|_| wrong())?;
        if !TOKEN_URLS.contains(&told.token_uri.as_str()) {
            return Err(format!("`key.token_uri` must be {}", TOKEN_URLS[0]));
        }
        CustomServiceAccount::from_json(text.expose_secret()).map(Google).map_err(|_| wrong())
    }

    /// Reads the account's JSON file. The error says what is wrong with it, never what is in it.
    pub fn from_file(path: &Path) -> Result<Google, String> {
        CustomServiceAccount::from_file(path)
            .map(Google)
            .map_err(|error| format!("{} is no service account's file: {error}", path.display()))
    }
}

impl Credentials for Google {
    fn prove<'a>(&'a self, _request: Unsigned<'a>) -> Proof<'a> {
        Box::pin(async move {
            let token = self.0.token(SCOPES).await.map_err(|_| {
                CredentialsError(String::from(
                    "Google gave no token for the service account; is its key valid?",
                ))
            })?;
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.as_str()))
                .map_err(|_| CredentialsError(String::from("Google's token fits no header")))?;
            value.set_sensitive(true);
            Ok(vec![(header::AUTHORIZATION, value)])
        })
    }
}
