//! What takes keys in: where they may be sent, and what their provider says of them.

use std::sync::Arc;

use types::{Clock, SecretString};

use super::material::Material;
use super::probe;
use super::settings::{KeySettings, Tested};
use crate::error::GatewayError;
use crate::upstream::guard::Guard;
use crate::world::World;

/// Takes keys in.
#[derive(Clone)]
pub struct Keeper {
    pub(super) guard: Arc<Guard>,
    pub(super) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Keeper {
    /// `private_too`: own addresses of providers may be on private networks.
    pub fn new(private_too: bool, clock: Arc<dyn Clock>) -> Keeper {
        Keeper { guard: Arc::new(Guard::new(private_too)), clock }
    }

    /// Understands a key, asks its provider about it, and notes both in the settings. What comes back says why it is not tested.
    ///
    /// # Errors
    /// It can't be a key of this provider; the provider refused it, and `force` is not set.
    pub async fn test(
        &self,
        world: &World,
        provider: &str,
        text: &SecretString,
        settings: &mut KeySettings,
        force: bool,
    ) -> Result<String, GatewayError> {
        let Some((known, _)) = world.provider_of(provider) else {
            return Err(GatewayError::InvalidRequest(String::from(
                "`provider` names none of the catalog; `GET /v1/providers` lists them",
            )));
        };
        let material = Material::read(known.protocol, text).map_err(GatewayError::InvalidRequest)?;
        let target = material
            .target(world, provider, settings.base_url.as_deref(), self)
            .map_err(GatewayError::InvalidRequest)?;
        if let Some(guard) = &target.guard {
            // Each connection is judged again; here its owner is still there to be told.
            let judged = guard.judge(&target).await;
            judged
                .map_err(|error| GatewayError::InvalidRequest(format!("base_url can't be used: {error}")))?;
        }
        material.label().clone_into(&mut settings.label);
        let (tested, note) = probe::ask(&target).await;
        if tested == Tested::Refused && !force {
            return Err(GatewayError::OwnKeyRefused { provider: known.name.to_string(), note });
        }
        settings.tested = tested;
        settings.tested_at = Some(self.clock.now());
        Ok(note)
    }
}
