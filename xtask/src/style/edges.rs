//! Which crate may know which, and what may be linked into the crates that only think.

use super::Tree;
use super::graph::{Kind, Package};

/// Who may use whom, below included. Who is not here may use all.
const ALLOWED: [(&str, &[&str]); 9] = [
    ("types", &[]),
    ("wire", &["types"]),
    ("guardrails", &["types"]),
    ("catalog", &["types"]),
    ("routing", &["types", "catalog"]),
    ("ledger", &["types"]),
    ("store", &["types", "ledger"]),
    ("gateway", &["types", "wire", "guardrails", "catalog", "routing", "ledger", "store"]),
    ("web", &["types", "catalog", "routing", "ledger", "store"]),
];
const FREE: [&str; 4] = ["tollway", "testkit", "e2e", "xtask"];
/// Crates that take values and return values.
pub const THINKING: [&str; 6] = ["types", "wire", "guardrails", "catalog", "routing", "ledger"];
const WAITING: [&str; 4] = ["tokio", "hyper", "axum", "sqlx"];

/// Crates of the workspace use only those that the table allows; tests may use the test kit too.
pub fn allowed(tree: &Tree) -> Vec<String> {
    tree.graph.members().flat_map(|package| edges_of(tree, package)).collect()
}

fn edges_of(tree: &Tree, package: &Package) -> Vec<String> {
    let name = package.short_name();
    if FREE.contains(&name) {
        return Vec::new();
    }
    let Some((_, allowed)) = ALLOWED.iter().find(|(user, _)| *user == name) else {
        return vec![format!("{name}: a new crate needs its row in ARCHITECTURE.md and in this rule")];
    };
    let used = package.deps.iter().map(|(at, kind)| (&tree.graph.packages[*at], *kind));
    used.filter(|(used, _)| used.is_member)
        .map(|(used, kind)| (used.short_name(), kind))
        .filter(|(used, kind)| !(allowed.contains(used) || *kind == Kind::Dev && *used == "testkit"))
        .map(|(used, _)| format!("{name} must not use {used}; it may use: {}", allowed.join(", ")))
        .collect()
}

/// Nothing that waits, serves or stores is linked into a thinking crate, however far down.
pub fn thinking(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for package in tree.graph.members().filter(|package| THINKING.contains(&package.short_name())) {
        for linked in tree.graph.linked_into(package) {
            let family = |name: &&str| linked == *name || linked.starts_with(&format!("{name}-"));
            if WAITING.iter().any(family) {
                violations.push(format!("{} links {linked}; pass values in instead", package.short_name()));
            }
        }
    }
    violations
}

/// Every crate of the product takes `[lints] workspace = true`; the others forbid `unsafe` in a table of their own.
pub fn lints(tree: &Tree) -> Vec<String> {
    let manifests = tree.with_suffix(&["Cargo.toml"]).filter(|file| file.text.contains("[package]"));
    let outside = |path: &str| path.starts_with("fuzz/");
    manifests
        .filter(|file| !outside(&file.path))
        .filter(|file| {
            let inherits = file.text.contains("[lints]\nworkspace = true");
            let own = file.text.contains("unsafe_code = \"forbid\"") && !file.path.starts_with("crates/");
            !inherits && !own
        })
        .map(|file| format!("{}: add `[lints] workspace = true`", file.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::graph::{Kind, testing::graph};
    use super::super::testing::tree;
    use super::{allowed, lints, thinking};

    #[test]
    fn edges_outside_the_table_are_found() {
        let rows = [
            ("tollway-gateway", "tollway-wire", Kind::Normal, 0),
            ("tollway-wire", "serde", Kind::Normal, 0),
            ("tollway-wire", "tollway-catalog", Kind::Normal, 1),
            ("tollway-web", "tollway-gateway", Kind::Normal, 1),
            ("tollway-types", "tollway-wire", Kind::Build, 1),
            ("tollway-gateway", "tollway-testkit", Kind::Dev, 0),
            ("tollway-gateway", "tollway-testkit", Kind::Normal, 1),
            ("tollway", "tollway-web", Kind::Normal, 0),
            ("tollway-newcomer", "serde", Kind::Normal, 1),
        ];
        for (user, used, kind, count) in rows {
            let mut tree = tree(&[]);
            tree.graph = graph(&[(user, used, kind)]);
            assert_eq!(allowed(&tree).len(), count, "{user} -> {used} {kind:?}");
        }
    }

    #[test]
    fn a_socket_is_found_however_far_down() {
        let rows = [
            ("tokio", Kind::Normal, 1),
            ("tokio-util", Kind::Normal, 1),
            ("tokio", Kind::Dev, 0),
            ("tokei", Kind::Normal, 0),
        ];
        for (used, kind, count) in rows {
            let mut tree = tree(&[]);
            tree.graph = graph(&[("tollway-wire", "middle", Kind::Normal), ("middle", used, kind)]);
            assert_eq!(thinking(&tree).len(), count, "{used} {kind:?}");
        }
    }

    #[test]
    fn a_crate_without_lints_is_found() {
        let rows = [
            ("crates/a/Cargo.toml", "[package]\n[lints]\nworkspace = true\n", 0),
            ("crates/a/Cargo.toml", "[package]\n[lints.rust]\nunsafe_code = \"forbid\"\n", 1),
            ("e2e/Cargo.toml", "[package]\n[lints.rust]\nunsafe_code = \"forbid\"\n", 0),
            ("e2e/Cargo.toml", "[package]\n", 1),
        ];
        for (path, text, count) in rows {
            assert_eq!(lints(&tree(&[(path, text)])).len(), count, "{path} {text}");
        }
    }
}
