//! What `deny.toml` says, checked without `cargo deny`, whose build takes longer than all our tests. The file keeps that
//! tool's format, so that it can be used too.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Tree;
use super::graph::Package;

/// The parts of `deny.toml` that we check.
#[derive(Default, Deserialize)]
pub struct Deny {
    bans: Bans,
    licenses: Licenses,
    sources: Sources,
}

#[derive(Default, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    use_instead: String,
    /// Foreign crates that may use it all the same.
    #[serde(default)]
    wrappers: Vec<String>,
}

#[derive(Default, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

impl Deny {
    /// Reads the text of `deny.toml`.
    pub fn parse(text: &str) -> Result<Deny> {
        toml::from_str(text).context("reading deny.toml")
    }
}

/// No banned crate is in the tree, but below those that the ban names as wrappers.
pub fn crates(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for ban in &tree.deny.bans.deny {
        for user in tree.graph.users_of(&ban.name) {
            if !ban.wrappers.contains(&user.name) {
                violations.push(format!("{} uses {}; use {} instead", user.name, ban.name, ban.use_instead));
            }
        }
    }
    violations
}

/// Each foreign crate offers at least one license that we accept.
pub fn licenses(tree: &Tree) -> Vec<String> {
    let accepted = |package: &&Package| {
        let expression = package.license.as_deref().unwrap_or_default();
        !accepts(expression, &tree.deny.licenses.allow)
    };
    let foreign = tree.graph.packages.iter().filter(|package| package.source.is_some());
    foreign
        .filter(accepted)
        .map(|package| {
            let license = package.license.as_deref().unwrap_or("none stated");
            format!("{} {}: license {license} is not on the list of deny.toml", package.name, package.version)
        })
        .collect()
}

/// An SPDX expression: `OR` binds weaker than `AND`, old manifests write `/` for `OR`, and `X WITH Y` is one license.
fn accepts(expression: &str, allow: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut words = words.as_slice();
    any_of(&mut words, allow) && words.is_empty()
}

fn any_of(words: &mut &[&str], allow: &[String]) -> bool {
    let mut accepted = all_of(words, allow);
    while let ["OR", rest @ ..] = *words {
        *words = rest;
        accepted |= all_of(words, allow);
    }
    accepted
}

fn all_of(words: &mut &[&str], allow: &[String]) -> bool {
    let mut accepted = one(words, allow);
    while let ["AND", rest @ ..] = *words {
        *words = rest;
        accepted &= one(words, allow);
    }
    accepted
}

fn one(words: &mut &[&str], allow: &[String]) -> bool {
    let (name, rest) = match *words {
        ["(", rest @ ..] => {
            *words = rest;
            let accepted = any_of(words, allow);
            let closed = words.split_first().filter(|(word, _)| **word == ")");
            *words = closed.map_or(*words, |(_, rest)| rest);
            return accepted && closed.is_some();
        }
        [license, "WITH", exception, rest @ ..] => (format!("{license} WITH {exception}"), rest),
        [license, rest @ ..] => ((*license).to_owned(), rest),
        [] => return false,
    };
    *words = rest;
    allow.contains(&name)
}

/// Every foreign crate is from the registry.
pub fn sources(tree: &Tree) -> Vec<String> {
    let allowed = |source: &str| {
        let registry = source.strip_prefix("registry+").unwrap_or_default();
        tree.deny.sources.allow_registry.iter().any(|url| url == registry)
    };
    let foreign =
        tree.graph.packages.iter().filter_map(|package| Some((package, package.source.as_deref()?)));
    foreign
        .filter(|(_, source)| !allowed(source))
        .map(|(package, source)| {
            format!("{} {} is from {source}; use crates.io", package.name, package.version)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Kind, Package, testing::graph};
    use super::super::testing::tree;
    use super::{Deny, accepts, crates, licenses, sources};

    const DENY: &str = r#"
        [bans]
        deny = [{ crate = "openssl", use-instead = "rustls", wrappers = ["old"] }]
        [licenses]
        allow = ["MIT"]
        [sources]
        allow-registry = ["https://index"]
    "#;

    #[test]
    fn a_banned_crate_is_found_outside_its_wrappers() {
        for (user, count) in [("old", 0), ("tollway-store", 1), ("new", 1)] {
            let mut tree = tree(&[]);
            tree.deny = Deny::parse(DENY).expect("valid");
            tree.graph = graph(&[(user, "openssl", Kind::Normal)]);
            assert_eq!(crates(&tree).len(), count, "{user}");
        }
    }

    #[test]
    fn license_expressions() {
        let allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        let rows = [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("MIT/Apache-2.0", true),
            ("MIT AND GPL-3.0", false),
            ("(GPL-3.0 OR MIT) AND Apache-2.0", true),
            ("GPL-3.0 OR MIT AND BSL-1.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("GPL-2.0 WITH Classpath-exception-2.0", false),
            ("(MIT", false),
            ("", false),
        ];
        for (expression, expect) in rows {
            assert_eq!(accepts(expression, &allow), expect, "{expression}");
        }
    }

    #[test]
    fn foreign_crates_are_checked() {
        let rows = [
            (Some("MIT"), Some("registry+https://index"), 0, 0),
            (None, Some("registry+https://index"), 1, 0),
            (Some("MIT"), Some("git+https://index"), 0, 1),
            (Some("MIT"), Some("registry+https://other"), 0, 1),
            (None, None, 0, 0),
        ];
        for (license, source, bad_licenses, bad_sources) in rows {
            let mut tree = tree(&[]);
            tree.deny = Deny::parse(DENY).expect("valid");
            let (license, source) = (license.map(str::to_owned), source.map(str::to_owned));
            tree.graph.packages.push(Package { license, source, ..Package::default() });
            assert_eq!((licenses(&tree).len(), sources(&tree).len()), (bad_licenses, bad_sources));
        }
    }
}
