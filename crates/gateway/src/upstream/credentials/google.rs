//! Tokens of a Google service account, for Vertex AI. The crate keeps a token until shortly before its end.

use std::path::Path;

use gcp_auth::{CustomServiceAccount, TokenProvider};
use http::{HeaderValue, header};

use super::{Credentials, CredentialsError, Proof, Unsigned};

const SCOPES: &[&str] = &["https://www.googleapis.com/auth/cloud-platform"];

/// A service account.
pub struct Google(CustomServiceAccount);

impl std::fmt::Debug for Google {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Google")
    }
}

impl Google {
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
