//! AWS Signature Version 4, for Bedrock.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as Keys;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue};
use types::{Clock, ExposeSecret, SecretString};

use super::{Credentials, CredentialsError, Proof, Unsigned};

/// Signs each request with a secret key.
pub struct Aws {
    keys: Keys,
    region: String,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aws").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Aws {
    /// A signer for one region.
    pub fn new(
        access_key_id: &str,
        secret_access_key: &SecretString,
        session_token: Option<&SecretString>,
        region: &str,
        clock: Arc<dyn Clock>,
    ) -> Aws {
        let session = session_token.map(|token| token.expose_secret().to_owned());
        let keys = Keys::new(access_key_id, secret_access_key.expose_secret(), session, None, "tollway");
        Aws { keys, region: region.to_owned(), clock }
    }

    fn sign(&self, request: &Unsigned<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, CredentialsError> {
        let failed = |_| CredentialsError(String::from("the request could not be signed"));
        let identity = self.keys.clone().into();
        let seconds = u64::try_from(self.clock.now().seconds()).unwrap_or(0);
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("bedrock")
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| CredentialsError(String::from("the signing parameters are incomplete")))?
            .into();
        let url = format!("{}://{}{}", request.scheme, request.authority, request.path);
        let headers = [("content-type", "application/json")];
        let body = SignableBody::Bytes(request.body);
        let signable = SignableRequest::new("POST", url, headers.into_iter(), body)
            .map_err(|e| failed(e.to_string()))?;
        let (instructions, _) = sign(signable, &params).map_err(|e| failed(e.to_string()))?.into_parts();
        let (made, _) = instructions.into_parts();
        made.into_iter()
            .map(|header| {
                let name = HeaderName::from_static(header.name());
                let mut value = HeaderValue::from_str(header.value()).map_err(|e| failed(e.to_string()))?;
                value.set_sensitive(true);
                Ok((name, value))
            })
            .collect()
    }
}

impl Credentials for Aws {
    fn prove<'a>(&'a self, request: Unsigned<'a>) -> Proof<'a> {
        Box::pin(std::future::ready(self.sign(&request)))
    }
}
