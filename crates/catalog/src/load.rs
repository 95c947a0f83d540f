//! Reads a catalog folder: walks it, reads every file strictly, checks what files say about each other. Whole or
//! nothing: one problem anywhere and there is no snapshot.

use std::fs;
use std::path::Path;

use crate::document::{Interner, Mention, Page};
use crate::kind::is_id;
use crate::model::{Author, Source};
use crate::problem::{Problem, report};
use crate::provider::Provider;
use crate::read::{self, EndpointFile, ModelFile};
use crate::snapshot::{Parts, Snapshot};
use crate::validate;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// The most files of a catalog.
const FILES_MAX: usize = 100_000;
/// How deep folders go: `providers/<provider>/endpoints`.
const FOLDER_DEPTH_MAX: usize = 3;

/// Something read, with the file it is from.
pub(crate) struct Filed<T> {
    pub(crate) file: String,
    pub(crate) item: T,
}

/// All files, read, before they are checked against each other.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) sources: Vec<Filed<Source>>,
    pub(crate) authors: Vec<Filed<Author>>,
    pub(crate) models: Vec<Filed<ModelFile>>,
    pub(crate) providers: Vec<Filed<Provider>>,
    pub(crate) endpoints: Vec<Filed<EndpointFile>>,
    pub(crate) mentions: Vec<Filed<Mention>>,
    pub(crate) problems: Vec<Problem>,
}

impl Draft {
    fn problem(&mut self, file: &str, rule: &'static str, message: impl Into<String>) {
        self.problems.push(Problem { file: file.to_owned(), line: 1, rule, message: message.into() });
    }

    /// Reads one file by its path below the catalog's folder.
    pub(crate) fn add(&mut self, file: &str, text: &str, strings: &mut Interner) {
        let Some(stem) = file.strip_suffix(".toml") else {
            if file != "README.md" {
                self.problem(file, "unknown-file", "a catalog holds .toml files only");
            }
            return;
        };
        let parts: Vec<&str> = stem.split('/').collect();
        let ids = match parts.as_slice() {
            ["providers", provider, "endpoints", name] => {
                let (slug, variant) = name.split_once('@').unwrap_or((name, "x"));
                is_id(provider) && is_id(slug) && is_id(variant)
            }
            other => other.iter().all(|part| is_id(part)),
        };
        if !ids {
            self.problem(file, "bad-id", "names are lower-case letters, digits, `.`, `_` and `-`");
            return;
        }
        let mut page = Page::new(file, text, strings);
        let file = file.to_owned();
        if let Some(table) = page.parse(text) {
            match parts.as_slice() {
                ["sources", id] => {
                    let item = read::source(id, table, &mut page);
                    self.sources.extend(item.map(|item| Filed { file: file.clone(), item }));
                }
                ["authors", id] => {
                    let item = read::author(id, table, &mut page);
                    self.authors.extend(item.map(|item| Filed { file: file.clone(), item }));
                }
                ["models", author, slug] => {
                    let item = read::model(author, slug, table, &mut page);
                    self.models.extend(item.map(|item| Filed { file: file.clone(), item }));
                }
                ["providers", id, "provider"] => {
                    let item = read::provider(id, table, &mut page);
                    self.providers.extend(item.map(|item| Filed { file: file.clone(), item }));
                }
                ["providers", provider, "endpoints", name] => {
                    let item = read::endpoint(provider, name, table, &mut page);
                    self.endpoints.extend(item.map(|item| Filed { file: file.clone(), item }));
                }
                _ => page.problem(1, "unknown-file", "no kind of file has this path; see docs/catalog.md"),
            }
        }
        self.problems.append(&mut page.problems);
        self.mentions.extend(page.sources.drain(..).map(|item| Filed { file: file.clone(), item }));
    }

    /// Checks the files against each other and makes the snapshot.
    pub(crate) fn finish(mut self) -> Result<Snapshot, Vec<Problem>> {
        let mut problems = std::mem::take(&mut self.problems);
        validate::check(&self, &mut problems);
        if !problems.is_empty() {
            return Err(report(problems));
        }
        let parts = Parts {
            sources: self.sources.into_iter().map(|filed| filed.item).collect(),
            authors: self.authors.into_iter().map(|filed| filed.item).collect(),
            models: self.models.into_iter().map(|filed| filed.item.model).collect(),
            providers: self.providers.into_iter().map(|filed| filed.item).collect(),
            endpoints: self
                .endpoints
                .into_iter()
                .map(|filed| (filed.item.model.id, filed.item.provider, filed.item.endpoint))
                .collect(),
        };
        Snapshot::assemble(parts).map_err(|message| {
            vec![Problem { file: String::new(), line: 1, rule: "broken-reference", message }]
        })
    }
}

/// Reads the catalog in `dir`. Whole or nothing: the error lists what is wrong, sorted by file and line, at most 200.
pub fn load_dir(dir: &Path) -> Result<Snapshot, Vec<Problem>> {
    let mut draft = Draft::default();
    let mut files = Vec::new();
    walk(dir, "", 0, &mut files, &mut draft);
    let mut strings = Interner::default();
    for file in &files {
        let path = dir.join(file);
        let size = fs::metadata(&path).map_or(0, |data| data.len());
        if size > FILE_BYTES_MAX {
            draft.problem(file, "file-too-large", format!("is larger than {FILE_BYTES_MAX} bytes"));
            continue;
        }
        match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => draft.add(file, &text, &mut strings),
            Ok(Err(_)) => draft.problem(file, "bad-toml", "is not UTF-8 text"),
            Err(error) => draft.problem(file, "unreadable", error.to_string()),
        }
    }
    if files.is_empty() && draft.problems.is_empty() {
        draft.problem(".", "empty-catalog", "no catalog file was found in this folder");
    }
    draft.finish()
}

/// Collects the paths of all files, sorted, with `/` between folders.
fn walk(dir: &Path, below: &str, depth: usize, files: &mut Vec<String>, draft: &mut Draft) {
    let place = if below.is_empty() { "." } else { below };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return draft.problem(place, "unreadable", error.to_string()),
    };
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => found.push(entry.path()),
            Err(error) => draft.problem(place, "unreadable", error.to_string()),
        }
    }
    found.sort();
    for path in found {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            draft.problem(place, "bad-id", "a file's name is not UTF-8 text");
            continue;
        };
        let file = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if files.len() >= FILES_MAX {
            return draft.problem(
                &file,
                "too-many-files",
                format!("a catalog has at most {FILES_MAX} files"),
            );
        }
        if !path.is_dir() {
            files.push(file);
        } else if depth >= FOLDER_DEPTH_MAX {
            draft.problem(&file, "unknown-file", "no kind of file has this path; see docs/catalog.md");
        } else {
            walk(&path, &file, depth + 1, files, draft);
        }
    }
}
