//! Tokens of Microsoft Entra ID (client credentials), for Azure OpenAI. Kept until five minutes before their end.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use serde::Deserialize;
use tokio::sync::Mutex;
use types::{Clock, ExposeSecret, SecretString, Timestamp};

use super::{Credentials, CredentialsError, Proof, Unsigned};
use crate::care::Sent;
use crate::upstream::collect;
use crate::upstream::{self, Outbound, Pool};
use crate::world::Target;

const SCOPE: &str = "https://cognitiveservices.azure.com/.default";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A token is fetched anew this long before its end.
const EARLY_S: i64 = 300;

/// An application that signs in by itself.
pub struct Entra {
    authority: Target,
    tenant_id: String,
    client_id: String,
    client_secret: SecretString,
    pool: Pool,
    clock: Arc<dyn Clock>,
    token: Mutex<Option<(HeaderValue, Timestamp)>>,
}

impl std::fmt::Debug for Entra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entra").field("tenant", &self.tenant_id).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: i64,
}

impl Entra {
    /// An application. `authority` is where tokens are given: `https://login.microsoftonline.com`.
    pub fn new(
        authority: Target,
        tenant_id: &str,
        client_id: &str,
        client_secret: SecretString,
        clock: Arc<dyn Clock>,
    ) -> Entra {
        Entra {
            authority,
            tenant_id: tenant_id.to_owned(),
            client_id: client_id.to_owned(),
            client_secret,
            pool: Pool::new(1, Duration::from_secs(30)),
            clock,
            token: Mutex::new(None),
        }
    }

    async fn fetch(&self) -> Result<(HeaderValue, Timestamp), CredentialsError> {
        let failed = |what: &str| CredentialsError(format!("Entra gave no token: {what}"));
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .append_pair("scope", SCOPE)
            .finish();
        let path = format!("{}/{}/oauth2/v2.0/token", self.authority.base_path, self.tenant_id);
        let path = path.parse().map_err(|_| failed("the tenant's id fits no path"))?;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let outbound = Outbound { path, headers: vec![(header::CONTENT_TYPE, kind)], body: form.into() };
        let mut sent = Sent::default();
        let sending =
            upstream::send(&self.pool, &self.authority, outbound, CONNECT_TIMEOUT, &*self.clock, &mut sent);
        let reply = tokio::time::timeout(ANSWER_TIMEOUT, sending)
            .await
            .map_err(|_| failed("it did not answer"))?
            .map_err(|error| failed(&error.to_string()))?;
        let status = reply.status;
        let body = collect(reply.body, ANSWER_BYTES_MAX).await.map_err(|_| failed("its answer broke off"))?;
        if status != 200 {
            return Err(failed(&format!("it answered {status}; check tenant, client and secret")));
        }
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| failed("its answer holds none"))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", answer.access_token))
            .map_err(|_| failed("it fits no header"))?;
        value.set_sensitive(true);
        let until = self.clock.now().seconds() + (answer.expires_in - EARLY_S).max(1);
        Ok((value, Timestamp::from_seconds(until)))
    }
}

impl Credentials for Entra {
    fn prove<'a>(&'a self, _request: Unsigned<'a>) -> Proof<'a> {
        Box::pin(async move {
            // Held while a token is fetched: others wait for that one instead of fetching their own.
            let mut held = self.token.lock().await;
            if let Some((value, until)) = &*held
                && self.clock.now() < *until
            {
                return Ok(vec![(header::AUTHORIZATION, value.clone())]);
            }
            let fresh = Box::pin(self.fetch()).await?;
            let value = fresh.0.clone();
            *held = Some(fresh);
            Ok(vec![(header::AUTHORIZATION, value)])
        })
    }
}
