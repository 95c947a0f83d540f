//! Sections of a written page that several commands share: each writes its own and keeps the others.

/// The heading that a command's own part begins with, of pages of the site.
pub const PAGES: &str = "## Pages";
/// The same of pages of the console, whose size stands behind it.
pub const CONSOLE: &str = "## Console";

/// What stands behind the part that belongs to no heading of ours; empty where there is none.
pub fn kept(old: &str) -> &str {
    let first = [PAGES, CONSOLE].iter().filter_map(|heading| at(old, heading)).min();
    first.and_then(|at| old.get(at..)).unwrap_or_default()
}

/// A page with another section under a heading: in place of the one that was there, else at the end.
pub fn replaced(old: &str, heading: &str, section: &str) -> String {
    let section = section.trim_end();
    let Some(begin) = at(old, heading) else { return format!("{}\n\n{section}\n", old.trim_end()) };
    let (before, rest) = old.split_at(begin);
    let behind = rest.get(1..).and_then(|rest| rest.find("\n## ")).and_then(|end| rest.get(end + 2..));
    let behind = behind.map(|behind| format!("\n{}\n", behind.trim_end())).unwrap_or_default();
    format!("{before}{section}\n{behind}")
}

/// Where a line is this heading and nothing else.
fn at(text: &str, heading: &str) -> Option<usize> {
    let found = text.match_indices(heading).map(|(at, _)| at);
    let is_line = |at: &usize| {
        let (before, behind) = (text.get(..*at), text.get(at + heading.len()..));
        before.is_some_and(|before| before.is_empty() || before.ends_with('\n'))
            && behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(['\n', ':']))
    };
    found.into_iter().find(is_line)
}

#[cfg(test)]
mod tests {
    use super::{CONSOLE, PAGES, kept, replaced};

    #[test]
    fn each_section_takes_the_place_of_the_one_before() {
        let old = "# Benchmarks\n\n| a |\n";
        let million = format!("{CONSOLE}: 1 million");
        let pages = replaced(old, PAGES, &format!("{PAGES}\n\nfast"));
        assert_eq!(pages, "# Benchmarks\n\n| a |\n\n## Pages\n\nfast\n");
        let both = replaced(&pages, &million, &format!("{million}\n\nfast"));
        assert_eq!(both, format!("{pages}\n{million}\n\nfast\n"));
        let three = replaced(&both, &format!("{million}s"), &format!("{million}s\n\nslow"));
        assert_eq!(three, format!("{both}\n{million}s\n\nslow\n"), "another size is another section");
        let again = replaced(&three, PAGES, &format!("{PAGES}\n\nfaster\n"));
        assert_eq!(again, three.replacen("fast", "faster", 1));
        let last = replaced(&three, &format!("{million}s"), &format!("{million}s\n\nfast"));
        assert_eq!(last, three.replace("slow", "fast"));
    }

    #[test]
    fn what_others_wrote_is_kept() {
        assert_eq!(kept("# Benchmarks\n"), "");
        assert_eq!(
            kept("# B\n\n## Pages\n\na\n\n## Console: 5\n\nb\n"),
            "## Pages\n\na\n\n## Console: 5\n\nb\n"
        );
        assert_eq!(kept("# B\n\n## Console: 5\n\nb\n"), "## Console: 5\n\nb\n");
    }
}
