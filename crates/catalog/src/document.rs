//! A parsed TOML file that remembers lines, hands out its keys once, and calls what is left over unknown.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::claim::{Claim, Dissent};
use crate::problem::{Flaw, Problem};

/// A value with its place.
pub(crate) type Node<'t> = Spanned<DeValue<'t>>;

/// Reads one TOML value into a typed one.
pub(crate) trait ReadValue<T>: Fn(&DeValue<'_>) -> Result<T, Flaw> + Copy {}
impl<T, F: Fn(&DeValue<'_>) -> Result<T, Flaw> + Copy> ReadValue<T> for F {}

/// One copy of each text that recurs, such as source ids and dates.
#[derive(Debug, Default)]
pub(crate) struct Interner(HashMap<Box<str>, Arc<str>>);

impl Interner {
    pub(crate) fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = text.into();
        self.0.insert(text.into(), Arc::clone(&shared));
        shared
    }
}

/// A mention of another file's id, to be checked once every file is read.
#[derive(Clone, Debug)]
pub(crate) struct Mention {
    pub(crate) id: Arc<str>,
    pub(crate) line: usize,
}

/// One file under reading: its problems, its default source and date, and the sources it mentions.
pub(crate) struct Page<'s> {
    file: String,
    line_starts: Vec<usize>,
    strings: &'s mut Interner,
    pub(crate) problems: Vec<Problem>,
    pub(crate) sources: Vec<Mention>,
    source: Option<Arc<str>>,
    as_of: Option<Arc<str>>,
}

impl<'s> Page<'s> {
    pub(crate) fn new(file: &str, text: &str, strings: &'s mut Interner) -> Page<'s> {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Page {
            file: file.to_owned(),
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
            strings,
            problems: Vec::new(),
            sources: Vec::new(),
            source: None,
            as_of: None,
        }
    }

    /// The line, from 1, on which a span begins.
    pub(crate) fn line(&self, span: &Range<usize>) -> usize {
        self.line_starts.partition_point(|start| *start <= span.start).max(1)
    }

    pub(crate) fn problem(&mut self, line: usize, rule: &'static str, message: impl Into<String>) {
        self.problems.push(Problem { file: self.file.clone(), line, rule, message: message.into() });
    }

    pub(crate) fn intern(&mut self, text: &str) -> Arc<str> {
        self.strings.get(text)
    }

    /// Parses the text; a syntax error is a problem.
    pub(crate) fn parse<'t>(&mut self, text: &'t str) -> Option<Table<'t>> {
        match DeTable::parse(text) {
            Ok(table) => Some(Table { entries: table.into_inner(), line: 1 }),
            Err(error) => {
                let line = error.span().map_or(1, |span| self.line(&span));
                let duplicate = error.message().contains("duplicate key");
                self.problem(line, if duplicate { "duplicate-key" } else { "bad-toml" }, error.message());
                None
            }
        }
    }

    fn mention(&mut self, id: &str, line: usize) -> Arc<str> {
        let id = self.intern(id);
        self.sources.push(Mention { id: Arc::clone(&id), line });
        id
    }
}

/// A table whose keys are taken out one by one.
pub(crate) struct Table<'t> {
    entries: DeTable<'t>,
    pub(crate) line: usize,
}

impl<'t> Table<'t> {
    /// Takes a key out, with the line of its value.
    pub(crate) fn take(&mut self, page: &Page<'_>, key: &str) -> Option<(Node<'t>, usize)> {
        let node = self.entries.remove(key)?;
        let line = page.line(&node.span());
        Some((node, line))
    }

    /// The line of a key's value, when it is there.
    pub(crate) fn line_of(&self, page: &Page<'_>, key: &str) -> Option<usize> {
        self.entries.get(key).map(|node| page.line(&node.span()))
    }

    /// An optional value; a bad one is a problem and then absent.
    pub(crate) fn value<T>(&mut self, page: &mut Page<'_>, key: &str, read: impl ReadValue<T>) -> Option<T> {
        let (node, line) = self.take(page, key)?;
        accept(page, key, line, read(node.get_ref()))
    }

    /// A value that must be there.
    pub(crate) fn required<T>(
        &mut self,
        page: &mut Page<'_>,
        key: &str,
        read: impl ReadValue<T>,
    ) -> Option<T> {
        if !self.entries.contains_key(key) {
            page.problem(self.line, "missing-key", format!("`{key}` is required"));
            return None;
        }
        self.value(page, key, read)
    }

    /// A table below this one; absent is empty.
    pub(crate) fn table(&mut self, page: &mut Page<'_>, key: &str) -> Table<'t> {
        let Some((node, line)) = self.take(page, key) else {
            return Table { entries: DeTable::new(), line: self.line };
        };
        match node.into_inner() {
            DeValue::Table(entries) => Table { entries, line },
            _ => {
                page.problem(line, "bad-value", format!("`{key}` must be a table"));
                Table { entries: DeTable::new(), line }
            }
        }
    }

    /// The tables of an array of tables; absent is none.
    pub(crate) fn tables(&mut self, page: &mut Page<'_>, key: &str) -> Vec<Table<'t>> {
        let Some((node, line)) = self.take(page, key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = node.into_inner() else {
            page.problem(line, "bad-value", format!("`{key}` must be an array of tables"));
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for item in items {
            let line = page.line(&item.span());
            match item.into_inner() {
                DeValue::Table(entries) => tables.push(Table { entries, line }),
                _ => page.problem(line, "bad-value", format!("`{key}` must hold tables only")),
            }
        }
        tables
    }

    /// A map of texts; absent is empty.
    pub(crate) fn texts(&mut self, page: &mut Page<'_>, key: &str) -> Vec<(String, String)> {
        let table = self.table(page, key);
        let mut pairs = Vec::with_capacity(table.entries.len());
        for (name, node) in table.entries {
            let line = page.line(&node.span());
            match node.into_inner() {
                DeValue::String(text) => pairs.push((name.into_inner().into_owned(), text.into_owned())),
                _ => page.problem(line, "bad-value", format!("`{key}.{}` must be text", name.get_ref())),
            }
        }
        pairs
    }

    /// A source that must be named.
    pub(crate) fn mentioned(&mut self, page: &mut Page<'_>, key: &str) -> Option<Mention> {
        let line = self.line_of(page, key).unwrap_or(self.line);
        let id = self.required(page, key, crate::kind::text)?;
        let id = page.mention(&id, line);
        Some(Mention { id, line })
    }

    /// The model of an endpoint, which must be named.
    pub(crate) fn mentioned_model(&mut self, page: &mut Page<'_>) -> Option<Mention> {
        let line = self.line_of(page, "model").unwrap_or(self.line);
        let id = self.required(page, "model", crate::kind::text)?;
        Some(Mention { id: page.intern(&id), line })
    }

    /// Reads `source` and `as_of` at the top of a file: the defaults of its claims.
    pub(crate) fn provenance(&mut self, page: &mut Page<'_>) -> (Arc<str>, Arc<str>) {
        page.source = self.mentioned(page, "source").map(|mention| mention.id);
        if let Some(date) = self.required(page, "as_of", crate::kind::DATE.read) {
            page.as_of = Some(page.intern(&date));
        }
        (page.source.clone().unwrap_or_default(), page.as_of.clone().unwrap_or_default())
    }

    /// An optional claim: a bare value, or a table with `value`, `source`, `as_of`, `rule` and `dissent`.
    pub(crate) fn claim<T>(
        &mut self,
        page: &mut Page<'_>,
        key: &str,
        read: impl ReadValue<T>,
    ) -> Option<Claim<T>> {
        let (node, line) = self.take(page, key)?;
        match node.into_inner() {
            DeValue::Table(entries) => Table { entries, line }.into_claim(page, key, read),
            bare => {
                let value = accept(page, key, line, read(&bare))?;
                let (source, as_of) = (page.source.clone(), page.as_of.clone());
                Some(Claim {
                    value,
                    source: source.unwrap_or_default(),
                    as_of: as_of.unwrap_or_default(),
                    rule: None,
                    dissent: Vec::new(),
                })
            }
        }
    }

    fn into_claim<T>(mut self, page: &mut Page<'_>, key: &str, read: impl ReadValue<T>) -> Option<Claim<T>> {
        let (source, as_of) = self.stated(page);
        let rule = self.value(page, "rule", crate::kind::rule);
        let others = self.tables(page, "dissent");
        if rule.is_none() && !others.is_empty() {
            let message = format!("`{key}` has dissent and no `rule` that says why its value was chosen");
            page.problem(self.line, "dissent-without-rule", message);
        }
        let dissent = others.into_iter().filter_map(|mut other| {
            let (source, as_of) = other.stated(page);
            let value = other.required(page, "value", read);
            other.finish(page);
            Some(Dissent { value: value?, source, as_of })
        });
        let dissent = dissent.collect();
        let value = self.required(page, "value", read);
        self.finish(page);
        Some(Claim { value: value?, source, as_of, rule, dissent })
    }

    /// The source and date of one claim; those of the file where it gives none.
    fn stated(&mut self, page: &mut Page<'_>) -> (Arc<str>, Arc<str>) {
        let source = match self.take(page, "source") {
            Some((node, line)) => accept(page, "source", line, (crate::kind::TEXT.read)(node.get_ref()))
                .map(|id| page.mention(&id, line)),
            None => page.source.clone(),
        };
        let as_of = match self.value(page, "as_of", crate::kind::DATE.read) {
            Some(date) => Some(page.intern(&date)),
            None => page.as_of.clone(),
        };
        (source.unwrap_or_default(), as_of.unwrap_or_default())
    }

    /// Everything that nobody took is unknown.
    pub(crate) fn finish(self, page: &mut Page<'_>) {
        for (key, _) in &self.entries {
            let line = page.line(&key.span());
            page.problem(line, "unknown-key", format!("`{}` is not a key of this table", key.get_ref()));
        }
    }
}

fn accept<T>(page: &mut Page<'_>, key: &str, line: usize, value: Result<T, Flaw>) -> Option<T> {
    match value {
        Ok(value) => Some(value),
        Err(flaw) => {
            page.problem(line, flaw.rule, format!("`{key}` {}", flaw.message));
            None
        }
    }
}
