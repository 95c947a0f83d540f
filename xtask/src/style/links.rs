//! Links between pages must lead somewhere, to the heading too.

use std::collections::BTreeSet;

use super::{File, Tree};

/// Every relative link of every page leads to a file of the project and, behind `#`, to a heading of it.
pub fn check(tree: &Tree) -> Vec<String> {
    let paths: BTreeSet<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
    let mut violations = Vec::new();
    for file in tree.with_suffix(&[".md"]) {
        for (line, target) in links(&file.text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = resolve(&file.path, path);
            let is_folder =
                paths.iter().any(|known| known.starts_with(&format!("{}/", path.trim_end_matches('/'))));
            if !paths.contains(path.as_str()) && !is_folder && !path.is_empty() {
                violations.push(format!("{}:{line}: {target} leads nowhere", file.path));
            } else if !heading.is_empty() && !has_heading(tree, &path, heading) {
                violations.push(format!("{}:{line}: {path} has no heading #{heading}", file.path));
            }
        }
    }
    violations
}

/// `(line, target)` of each inline link, code apart.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in outside_fences(text) {
        let spoken: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        let mut rest = spoken.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, next) = after.split_once(')').unwrap_or((after, ""));
            let target = target.split_whitespace().next().unwrap_or_default();
            found.push((at, target.trim_matches(['<', '>']).to_owned()));
            rest = next;
        }
    }
    found
}

fn outside_fences(text: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((at + 1, line));
        }
    }
    lines
}

/// The project path of a link written in `page`.
fn resolve(page: &str, link: &str) -> String {
    if link.is_empty() {
        return page.to_owned();
    }
    let mut parts: Vec<&str> = if link.starts_with('/') { Vec::new() } else { page.split('/').collect() };
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                // Above the root there is nothing of ours.
                if parts.pop().is_none() {
                    return link.to_owned();
                }
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn has_heading(tree: &Tree, path: &str, heading: &str) -> bool {
    let Some(File { text, .. }) = tree.files.iter().find(|file| file.path == path && path.ends_with(".md"))
    else {
        // Anchors into code are line numbers.
        return true;
    };
    let headings = outside_fences(text).into_iter().filter_map(|(_, line)| line.strip_prefix('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|anchor| anchor == heading)
}

/// The anchor that forges make of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::testing::tree;
    use super::check;

    #[test]
    fn dead_links_are_found() {
        let rows = [
            ("[a](b.md)", 0),
            ("[a](c.md)", 1),
            ("[a](b.md#two-words)", 0),
            ("[a](b.md#three)", 1),
            ("[a](#here) and [b](../README.md)", 0),
            ("[a](../docs)", 0),
            ("[a](../../README.md)", 1),
            ("[a](https://example.com/c.md) `[a](c.md)`", 0),
            ("```\n[a](c.md)\n```", 0),
        ];
        for (line, count) in rows {
            let page = format!("# Here\n{line}\n");
            let files = [("docs/a.md", page.as_str()), ("docs/b.md", "## Two words\n"), ("README.md", "")];
            assert_eq!(check(&tree(&files)).len(), count, "{line}");
        }
    }
}
