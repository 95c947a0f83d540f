//! The house rules that a program can check. Each rule is one function over the files and the crate graph, with a test
//! beside it that shows it fail.

mod bans;
mod edges;
mod graph;
mod links;
mod rust;
mod sizes;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::sh;
use bans::Deny;
use graph::Graph;

/// A text file of the project.
struct File {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

/// All that a rule may look at.
struct Tree {
    files: Vec<File>,
    graph: Graph,
    deny: Deny,
}

impl Tree {
    fn with_suffix<'a>(&'a self, suffixes: &'a [&str]) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(|file| suffixes.iter().any(|suffix| file.path.ends_with(suffix)))
    }
}

/// A rule gives one line per violation: where, what, and what to do instead.
type Rule = (&'static str, fn(&Tree) -> Vec<String>);

const RULES: [Rule; 13] = [
    ("crates depend along the allowed edges", edges::allowed),
    ("thinking crates are free of sockets and SQL", edges::thinking),
    ("every crate takes the lints of the house", edges::lints),
    ("banned crates stay out", bans::crates),
    ("licenses are on the list", bans::licenses),
    ("crates come from crates.io", bans::sources),
    ("files stop at 600 lines", sizes::files),
    ("functions stop at 70 lines", sizes::functions),
    ("only the store speaks SQL", rust::sql),
    ("thinking crates read no clock", rust::clocks),
    ("no float near money", rust::floats),
    ("no banned words", words::check),
    ("relative links resolve", links::check),
];

/// Prints every violation; true when there is none.
pub fn run() -> Result<bool> {
    let (_, failed) = check()?;
    Ok(failed == 0)
}

/// How many rules hold, and how many do not.
pub fn check() -> Result<(u64, u64)> {
    let root = sh::root();
    let deny = fs::read_to_string(root.join("deny.toml")).context("reading deny.toml")?;
    let tree = Tree { files: files(&root)?, graph: Graph::load()?, deny: Deny::parse(&deny)? };
    let mut failed = 0;
    for (name, rule) in RULES {
        let violations = rule(&tree);
        println!("{} {name}", if violations.is_empty() { "ok  " } else { "FAIL" });
        for violation in &violations {
            println!("       {violation}");
        }
        failed += u64::from(!violations.is_empty());
    }
    Ok((RULES.len() as u64 - failed, failed))
}

/// The text files that git tracks or would track; outside a repository, those of the folder.
fn files(root: &Path) -> Result<Vec<File>> {
    let mut git = std::process::Command::new("git");
    // The folder may belong to another user, as in a container's volume.
    git.current_dir(root).args(["-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]);
    let mut paths: Vec<PathBuf> = match sh::capture(&mut git) {
        Ok(list) => list.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect(),
        Err(_) => walk(root)?,
    };
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        // A tracked file may be deleted in the working folder, and one that is no text has no words.
        let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
        files.push(File { path: path.to_string_lossy().into_owned(), text });
    }
    Ok(files)
}

fn walk(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let is_skipped =
                [".git", "target", "data", "node_modules"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !is_skipped {
                open.push(path);
            } else if path.is_file() {
                found.push(path.strip_prefix(root)?.to_path_buf());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod testing {
    use super::{Deny, File, Graph, Tree};

    /// A tree of these files, with no crates.
    pub(super) fn tree(files: &[(&str, &str)]) -> Tree {
        let files =
            files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect();
        Tree { files, graph: Graph::default(), deny: Deny::default() }
    }
}
