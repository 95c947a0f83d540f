//! The crate graph, from `cargo metadata`.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::sh;

/// How one crate uses another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Normal,
    Build,
    Dev,
}

/// One crate. `deps` are indexes into the graph.
#[derive(Default)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    /// `None`: a folder of ours.
    pub source: Option<String>,
    pub is_member: bool,
    pub deps: Vec<(usize, Kind)>,
}

impl Package {
    /// The crate's name within the workspace, as the design says it.
    pub fn short_name(&self) -> &str {
        self.name.strip_prefix("tollway-").unwrap_or(&self.name)
    }
}

#[derive(Default)]
pub struct Graph {
    pub packages: Vec<Package>,
}

impl Graph {
    /// Asks cargo.
    pub fn load() -> Result<Graph> {
        let text = sh::capture(sh::cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
        let value: Value = serde_json::from_str(&text).context("reading cargo metadata")?;
        Graph::read(&value).context("cargo metadata has another shape than expected")
    }

    fn read(value: &Value) -> Option<Graph> {
        let listed = value["packages"].as_array()?;
        let members: Vec<&str> =
            value["workspace_members"].as_array()?.iter().filter_map(Value::as_str).collect();
        let index: HashMap<&str, usize> = listed
            .iter()
            .enumerate()
            .filter_map(|(at, package)| Some((package["id"].as_str()?, at)))
            .collect();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let mut packages = Vec::new();
        for package in listed {
            packages.push(Package {
                name: text(&package["name"])?,
                version: text(&package["version"])?,
                license: text(&package["license"]),
                source: text(&package["source"]),
                is_member: members.contains(&package["id"].as_str()?),
                deps: Vec::new(),
            });
        }
        for node in value["resolve"]["nodes"].as_array()? {
            let from = *index.get(node["id"].as_str()?)?;
            for dep in node["deps"].as_array()? {
                let to = *index.get(dep["pkg"].as_str()?)?;
                let kinds = dep["dep_kinds"].as_array()?.iter().map(|kind| match kind["kind"].as_str() {
                    Some("dev") => Kind::Dev,
                    Some("build") => Kind::Build,
                    _ => Kind::Normal,
                });
                packages.get_mut(from)?.deps.extend(kinds.map(|kind| (to, kind)));
            }
        }
        Some(Graph { packages })
    }

    /// Our own crates.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_member)
    }

    /// Who uses this crate, in any way.
    pub fn users_of(&self, name: &str) -> Vec<&Package> {
        let is_it = |(at, _): &(usize, Kind)| self.packages[*at].name == name;
        self.packages.iter().filter(|package| package.deps.iter().any(is_it)).collect()
    }

    /// All that is linked into a crate: its normal dependencies and theirs.
    pub fn linked_into(&self, package: &Package) -> BTreeSet<&str> {
        let normal = |package: &Package| {
            package
                .deps
                .iter()
                .filter(|(_, kind)| *kind == Kind::Normal)
                .map(|(at, _)| *at)
                .collect::<Vec<_>>()
        };
        let mut open = normal(package);
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            if seen.insert(at) {
                open.extend(normal(&self.packages[at]));
            }
        }
        seen.into_iter().map(|at| self.packages[at].name.as_str()).collect()
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::{Graph, Kind, Package};

    /// A graph of `(user, used, kind)`; names that start with `tollway-` are ours.
    pub(in crate::style) fn graph(edges: &[(&str, &str, Kind)]) -> Graph {
        let mut graph = Graph::default();
        let at = |name: &str, graph: &mut Graph| {
            graph.packages.iter().position(|package| package.name == name).unwrap_or_else(|| {
                let is_member = name.starts_with("tollway");
                graph.packages.push(Package { name: name.into(), is_member, ..Package::default() });
                graph.packages.len() - 1
            })
        };
        for (user, used, kind) in edges {
            let (from, to) = (at(user, &mut graph), at(used, &mut graph));
            graph.packages[from].deps.push((to, *kind));
        }
        graph
    }
}
