//! A file is one idea and a function one screen.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::{File, Tree};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const SOURCES: [&str; 8] = [".rs", ".py", ".mjs", ".js", ".sh", ".css", ".html", ".sql"];

/// No source file is longer than 600 lines, tests included.
pub fn files(tree: &Tree) -> Vec<String> {
    tree.with_suffix(&SOURCES)
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines; cut it along its ideas", file.path))
        .collect()
}

/// No function, in tests either, has a body of more than 70 lines, blank ones and comments apart. Clippy says the same
/// of the code that it compiles; this sees all of it.
pub fn functions(tree: &Tree) -> Vec<String> {
    tree.with_suffix(&[".rs"]).flat_map(long_functions).collect()
}

fn long_functions(file: &File) -> Vec<String> {
    let parsed = match syn::parse_file(&file.text) {
        Ok(parsed) => parsed,
        Err(error) => return vec![format!("{}: does not parse: {error}", file.path)],
    };
    let mut finder = Finder { file, violations: Vec::new() };
    finder.visit_file(&parsed);
    finder.violations
}

struct Finder<'a> {
    file: &'a File,
    violations: Vec<String>,
}

impl Finder<'_> {
    fn check(&mut self, name: &syn::Ident, body: Span) {
        let (first, last) = (body.start().line, body.end().line);
        let body = self.file.text.lines().skip(first).take(last.saturating_sub(first + 1));
        let lines = body.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        if lines > FUNCTION_LINES_MAX {
            self.violations.push(format!("{}:{first}: {name} has {lines} lines; cut it", self.file.path));
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.check(&item.sig.ident, item.block.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.check(&item.sig.ident, item.block.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.check(&item.sig.ident, block.span());
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::tree;
    use super::{files, functions};

    #[test]
    fn a_long_file_is_found() {
        for (path, lines, count) in
            [("a.rs", 600, 0), ("a.rs", 601, 1), ("a.css", 601, 1), ("Cargo.lock", 601, 0)]
        {
            assert_eq!(files(&tree(&[(path, &"\n".repeat(lines))])).len(), count, "{path} {lines}");
        }
    }

    #[test]
    fn a_long_function_is_found_wherever_it_is() {
        let body = |lines: usize| format!("{{\n{}\n// a comment\n\n}}", vec!["f();"; lines].join("\n"));
        for (lines, count) in [(70, 0), (71, 1)] {
            let body = body(lines);
            let rows = [
                format!("fn a() {body}"),
                format!("impl A {{ fn a(&self) {body} }}"),
                format!("trait A {{ fn a(&self) {body} }}"),
                format!("#[cfg(test)] mod tests {{ #[test] fn a() {body} }}"),
            ];
            for text in rows {
                assert_eq!(functions(&tree(&[("a.rs", &text)])).len(), count, "{lines} in {text}");
            }
        }
        assert_eq!(functions(&tree(&[("a.rs", "fn {")])).len(), 1);
    }
}
