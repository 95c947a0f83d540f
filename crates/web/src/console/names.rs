//! What keys and their holders are called: numbers and records name them by id.

use std::collections::HashMap;

use axum::http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::signed::{Signed, segment};
use crate::shell::Failed;

/// Keys of a page of the API.
const PAGE_KEYS: usize = 100;
/// Most pages of keys that are read; keys beyond are shown by their id.
const PAGES_MAX: usize = 5;

/// A key.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) hash: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) is_management_key: bool,
    #[serde(default)]
    pub(crate) disabled: bool,
}

impl Key {
    /// Where it is limited and stopped.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", super::keys::PATH, segment(&self.id))
    }
}

/// The page of a model, where an id is written as models' ids are.
pub(crate) fn model_path(id: &str) -> Option<String> {
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    let (author, slug) = id.split_once('/')?;
    // A model is asked for with wishes behind a colon.
    let slug = slug.split_once(':').map_or(slug, |(slug, _)| slug);
    (is_name(author) && is_name(slug)).then(|| format!("/{author}/{slug}"))
}

/// A person or a program that holds keys.
#[derive(Deserialize)]
struct Holder {
    id: String,
    name: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

/// Names by id.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) keys: Vec<Key>,
    holders: HashMap<String, String>,
}

impl Names {
    /// Of the keys of the organization.
    pub(crate) async fn of_keys(signed: &Signed) -> Result<Names, Failed> {
        let mut keys: Vec<Key> = Vec::new();
        for page in 0..PAGES_MAX {
            let path = match page {
                0 => String::from("/v1/keys?include_disabled=true"),
                _ => format!("/v1/keys?include_disabled=true&offset={}", page * PAGE_KEYS),
            };
            let more: Vec<Key> = signed.get(&path).await?;
            let is_full = more.len() == PAGE_KEYS;
            keys.extend(more);
            if !is_full {
                break;
            }
        }
        Ok(Names { keys, holders: HashMap::new() })
    }

    /// With those who hold keys, and act: who may not read them sees their ids.
    pub(crate) async fn with_holders(mut self, signed: &Signed) -> Names {
        self.holders = holders(signed).await;
        self
    }

    /// A key by its id.
    pub(crate) fn key(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// What an id, or the hash of a key, is called; itself where nobody says.
    pub(crate) fn of<'n>(&'n self, id: &'n str) -> &'n str {
        let key = self.keys.iter().find(|key| key.id == id || key.hash == id);
        let key = key.map(|key| key.name.as_str()).filter(|name| !name.is_empty());
        key.or_else(|| self.holders.get(id).map(String::as_str)).unwrap_or(id)
    }
}

async fn holders(signed: &Signed) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for path in ["/v1/organization/members", "/v1/organization/service-accounts"] {
        for holder in unseen::<Vec<Holder>>(signed, path).await.unwrap_or_default() {
            let name = [holder.name, holder.email].into_iter().flatten().find(|name| !name.is_empty());
            names.insert(holder.id.clone(), name.unwrap_or(holder.id));
        }
    }
    names
}

/// What a path answers, where a page does without if it doesn't, and its foot need not show it.
pub(crate) async fn unseen<T: DeserializeOwned>(signed: &Signed, path: &str) -> Option<T> {
    let reply = signed.calls.call_unseen(Method::GET, path, None).await;
    let read: Result<Data<T>, _> = reply.read();
    read.ok().map(|read| read.data)
}

#[cfg(test)]
mod tests {
    use super::model_path;

    #[test]
    fn only_what_is_written_as_a_model_leads_to_one() {
        let rows = [
            ("mistralai/small-4", Some("/mistralai/small-4")),
            ("a/b:free", Some("/a/b")),
            ("policy/<b>", None),
            ("javascript:alert(1)", None),
            ("a/b/c", None),
            ("/evil.example", None),
            ("a/b?x", None),
            ("", None),
        ];
        for (id, path) in rows {
            assert_eq!(model_path(id).as_deref(), path, "{id}");
        }
    }
}
