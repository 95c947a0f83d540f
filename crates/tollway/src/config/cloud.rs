//! What proves who calls at the clouds: from the configuration, else from the cloud's usual variables.

use std::path::Path;
use std::sync::Arc;

use catalog::{Protocol, Provider};
use gateway::upstream::credentials::{Aws, Credentials, Entra, Google};
use gateway::world::Target;
use types::{Clock, SecretString};

use super::Environment;
use super::settings::CloudConfig;

/// Where Entra gives tokens.
const AUTHORITY: &str = "https://login.microsoftonline.com";

/// What is there of a provider's credentials.
#[derive(Clone, Debug)]
pub enum Cloud {
    /// Its protocol has none, or none are set.
    Nothing,
    /// Signatures of AWS.
    Aws {
        /// Who.
        access_key_id: String,
        /// With what.
        secret_access_key: SecretString,
        /// For keys that expire.
        session_token: Option<SecretString>,
        /// Where.
        region: String,
    },
    /// A Google service account.
    Google {
        /// Its JSON file.
        file: String,
    },
    /// An application of Microsoft Entra ID.
    Entra {
        /// Whose.
        tenant_id: String,
        /// Which.
        client_id: String,
        /// With what.
        client_secret: SecretString,
        /// Where.
        authority: String,
    },
}

/// Finds a provider's credentials, and says where they are from.
pub(super) fn find(
    provider: &Provider,
    own: Option<&CloudConfig>,
    env: &Environment,
) -> (Cloud, Option<&'static str>) {
    let nothing = CloudConfig::default();
    let own = own.unwrap_or(&nothing);
    let text = |own: &Option<String>, name: &str| {
        own.clone().or_else(|| env.get(name).filter(|v| !v.is_empty()).map(str::to_owned))
    };
    let secret = |own: &Option<SecretString>, name: &str| {
        own.clone().or_else(|| env.get(name).filter(|v| !v.is_empty()).map(SecretString::from))
    };
    let cloud = match provider.protocol {
        Protocol::Bedrock => (|| {
            Some(Cloud::Aws {
                access_key_id: text(&own.aws_access_key_id, "AWS_ACCESS_KEY_ID")?,
                secret_access_key: secret(&own.aws_secret_access_key, "AWS_SECRET_ACCESS_KEY")?,
                session_token: secret(&own.aws_session_token, "AWS_SESSION_TOKEN"),
                region: text(&own.aws_region, "AWS_REGION").unwrap_or_else(|| String::from("us-east-1")),
            })
        })(),
        Protocol::Vertex | Protocol::VertexAnthropic => {
            text(&own.google_credentials_file, "GOOGLE_APPLICATION_CREDENTIALS")
                .map(|file| Cloud::Google { file })
        }
        Protocol::Azure => (|| {
            Some(Cloud::Entra {
                tenant_id: text(&own.azure_tenant_id, "AZURE_TENANT_ID")?,
                client_id: text(&own.azure_client_id, "AZURE_CLIENT_ID")?,
                client_secret: secret(&own.azure_client_secret, "AZURE_CLIENT_SECRET")?,
                authority: text(&own.azure_authority_url, "AZURE_AUTHORITY_HOST")
                    .unwrap_or_else(|| AUTHORITY.to_owned()),
            })
        })(),
        _ => None,
    };
    match cloud {
        None => (Cloud::Nothing, None),
        Some(cloud) => {
            let from = match cloud {
                Cloud::Aws { .. } => "signs as AWS_ACCESS_KEY_ID",
                Cloud::Google { .. } => "tokens of the service account in GOOGLE_APPLICATION_CREDENTIALS",
                _ => "tokens of the Entra application",
            };
            (cloud, Some(from))
        }
    }
}

/// What is missing, in words, where a provider of the clouds has nothing that proves who calls.
pub(super) fn missing(protocol: Protocol) -> Option<&'static str> {
    match protocol {
        Protocol::Bedrock => {
            Some("no key; set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        Protocol::Vertex | Protocol::VertexAnthropic => {
            Some("no credentials; set GOOGLE_APPLICATION_CREDENTIALS to a service account's file")
        }
        Protocol::Azure => {
            Some("no key; set AZURE_API_KEY, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET")
        }
        _ => None,
    }
}

impl Cloud {
    /// Makes what signs or fetches tokens. `Ok(None)`: nothing is needed.
    ///
    /// # Errors
    /// What is wrong with the file or the address.
    pub fn credentials(&self, clock: &Arc<dyn Clock>) -> Result<Option<Arc<dyn Credentials>>, String> {
        Ok(Some(match self {
            Cloud::Nothing => return Ok(None),
            Cloud::Aws { access_key_id, secret_access_key, session_token, region } => Arc::new(Aws::new(
                access_key_id,
                secret_access_key,
                session_token.as_ref(),
                region,
                Arc::clone(clock),
            )),
            Cloud::Google { file } => Arc::new(Google::from_file(Path::new(file))?),
            Cloud::Entra { tenant_id, client_id, client_secret, authority } => Arc::new(Entra::new(
                Target::of_url(authority)?,
                tenant_id,
                client_id,
                client_secret.clone(),
                Arc::clone(clock),
            )),
        }))
    }
}
