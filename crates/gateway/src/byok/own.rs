//! The keys of one account as calls see them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use store::ByokRow;
use types::{AccountId, Clock, SecretString};

use super::Byok;
use super::material::Material;
use super::seal::{Bound, Masters};
use super::settings::{AccountSettings, KeySettings};
use crate::vitals::Vitals;
use crate::world::{Target, World};

/// What an account brought along.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    /// In the order in which they are tried, those of one provider among each other.
    pub(crate) keys: Vec<Arc<OwnKey>>,
    /// How the account uses them.
    pub(crate) settings: AccountSettings,
}

/// A key that an account brought along.
pub(crate) struct OwnKey {
    pub(crate) row: ByokRow,
    pub(crate) settings: KeySettings,
    /// Where it is sent, and which world that is of.
    target: Mutex<Option<(u64, Arc<Target>)>>,
    vitals: Mutex<HashMap<Arc<str>, Arc<Vitals>>>,
}

impl std::fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnKey")
            .field("row", &self.row)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Own {
    /// The same with other settings.
    pub(super) fn with_settings(&self, text: &str) -> Own {
        let Some(settings) = AccountSettings::read(text) else {
            tracing::error!("how an account uses its provider keys can't be read; write it again");
            return self.clone();
        };
        Own { keys: self.keys.clone(), settings }
    }

    /// The same with a key as it is now, or without it.
    pub(super) fn with_key(&self, row: &ByokRow) -> Own {
        let old = self.keys.iter().find(|key| key.row.id == row.id);
        if old.is_some_and(|old| old.row.changed_seq >= row.changed_seq) {
            return self.clone();
        }
        let mut keys: Vec<Arc<OwnKey>> =
            self.keys.iter().filter(|key| key.row.id != row.id).cloned().collect();
        if !row.deleted {
            match KeySettings::read(&row.settings) {
                Some(settings) => keys.push(Arc::new(OwnKey::new(row, settings, old.map(AsRef::as_ref)))),
                None => tracing::error!(
                    byok_key = row.id,
                    "the settings of a provider key can't be read; write it again"
                ),
            }
        }
        keys.sort_by_key(|key| (key.settings.is_fallback, key.settings.sort_order, key.row.created));
        Own { keys, settings: self.settings.clone() }
    }

    /// The key of this number.
    pub(crate) fn key(&self, number: u16) -> Option<&Arc<OwnKey>> {
        self.keys.get(usize::from(number))
    }

    /// The key of this id.
    pub(crate) fn find(&self, id: &str) -> Option<&Arc<OwnKey>> {
        self.keys.iter().find(|key| key.row.id == id)
    }
}

impl OwnKey {
    fn new(row: &ByokRow, settings: KeySettings, old: Option<&OwnKey>) -> OwnKey {
        // What befell a text befell that text.
        let same = old.filter(|old| old.row.sealed == row.sealed);
        let vitals = same.map(|old| old.vitals.lock().clone()).unwrap_or_default();
        OwnKey { row: row.clone(), settings, target: Mutex::default(), vitals: Mutex::new(vitals) }
    }

    /// What its endpoint's calls with this key were like.
    pub(crate) fn vitals(&self, endpoint: &Arc<str>) -> Arc<Vitals> {
        Arc::clone(self.vitals.lock().entry(Arc::clone(endpoint)).or_default())
    }

    /// Where it is sent, ready.
    ///
    /// # Errors
    /// Why it can't be used, without anything secret in it.
    pub(crate) fn target(&self, byok: &Byok, world: &World) -> Result<Arc<Target>, String> {
        if let Some((number, target)) = &*self.target.lock()
            && *number == world.number
        {
            return Ok(Arc::clone(target));
        }
        let material = self.open(byok, world)?;
        let target =
            material.target(world, &self.row.provider, self.settings.base_url.as_deref(), &byok.keeper)?;
        let target = Arc::new(target);
        *self.target.lock() = Some((world.number, Arc::clone(&target)));
        Ok(target)
    }

    fn open(&self, byok: &Byok, world: &World) -> Result<Material, String> {
        let text = open(&byok.masters(), &self.row, &self.settings)?;
        let protocol = world.provider_of(&self.row.provider).map(|(provider, _)| provider.protocol);
        Material::read(protocol.ok_or("its provider is not in the catalog any more")?, &text)
    }
}

/// Opens what is sealed in a row.
///
/// # Errors
/// Why not; never a secret.
pub fn open(masters: &Masters, row: &ByokRow, settings: &KeySettings) -> Result<SecretString, String> {
    masters.open(&bound(row, settings), &row.sealed, &row.master).map_err(|error| error.to_string())
}

/// What a row's text is bound to.
pub fn bound<'a>(row: &'a ByokRow, settings: &'a KeySettings) -> Bound<'a> {
    Bound {
        id: &row.id,
        account: row.account.as_str(),
        provider: &row.provider,
        base_url: settings.base_url.as_deref(),
    }
}

/// A new row, sealed.
///
/// # Errors
/// It can't be sealed.
pub fn sealed(
    masters: &Masters,
    (id, account, provider): (String, AccountId, String),
    settings: &KeySettings,
    text: &SecretString,
    (clock, by): (&dyn Clock, &str),
) -> Result<ByokRow, String> {
    let mut row = ByokRow {
        id,
        account,
        provider,
        sealed: String::new(),
        master: String::new(),
        settings: settings.text(),
        created: clock.now(),
        created_by: by.to_owned(),
        deleted: false,
        changed_seq: 0,
    };
    let made = masters.seal(&bound(&row, settings), text).map_err(|error| error.to_string())?;
    (row.sealed, row.master) = made;
    Ok(row)
}
