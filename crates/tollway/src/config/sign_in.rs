//! `[sign_in.<slug>]`: issuers of identities by whom people sign in.

use std::collections::BTreeMap;

use gateway::auth::oidc::IssuerSettings;
use types::SecretString;

use super::Environment;
use super::keys::issuer_keys;
use super::problem::{Place, Problem};
use super::value::{Spot, set};

/// `[sign_in.<slug>]`
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the table of keys is the documentation")]
pub struct IssuerConfig {
    pub issuer: String,
    pub client_id: String,
    /// `client_secret`, or the value of the variable that `client_secret_env` names.
    pub client_secret: Option<SecretString>,
    pub client_secret_env: Option<String>,
    pub name: Option<String>,
    pub scopes: Vec<String>,
    pub create: bool,
    /// In lower case.
    pub domains: Vec<String>,
    pub link_by_email: bool,
}

impl IssuerConfig {
    /// As the gateway wants it.
    pub fn settings(&self, slug: &str) -> IssuerSettings {
        IssuerSettings {
            slug: slug.to_owned(),
            name: self.name.clone().unwrap_or_else(|| slug.to_owned()),
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            scopes: self.scopes.clone(),
            create: self.create,
            domains: self.domains.clone(),
            link_by_email: self.link_by_email,
        }
    }
}

/// Reads the keys of one issuer.
pub(super) fn read(
    slug: &str,
    found: &BTreeMap<String, Spot>,
    env: &Environment,
    problems: &mut Vec<Problem>,
) -> IssuerConfig {
    let mut issuer = IssuerConfig::default();
    for key in issuer_keys() {
        let path = format!("sign_in.{slug}.{}", key.name());
        set(key, &path, found.get(key.name()), &mut issuer, problems);
    }
    let place = |key: &str| found.get(key).map_or(Place::Default, |spot| spot.place.clone());
    let anywhere = || found.values().next().map_or(Place::Default, |spot| spot.place.clone());
    for key in ["issuer", "client_id"].into_iter().filter(|key| !found.contains_key(*key)) {
        let why = format!("has no `{key}`; add one");
        problems.push(Problem::rule(anywhere(), &format!("sign_in.{slug}"), why));
    }
    let Some(name) = issuer.client_secret_env.clone().filter(|_| issuer.client_secret.is_none()) else {
        return issuer;
    };
    match env.get(&name).filter(|value| !value.is_empty()) {
        Some(value) => issuer.client_secret = Some(SecretString::from(value)),
        None => {
            let why = format!("names `{name}`, which is not set; set it, or remove the key");
            let path = format!("sign_in.{slug}.client_secret_env");
            problems.push(Problem::rule(place("client_secret_env"), &path, why));
        }
    }
    issuer
}
