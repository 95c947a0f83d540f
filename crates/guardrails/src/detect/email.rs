//! Mail addresses (RFC 5321's usual form; quoted local parts are not looked for).

use crate::lexer::Window;

const LOCAL_MAX: usize = 64;
const LABEL_MAX: usize = 63;
const DOMAIN_MAX: usize = 253;

/// Top-level domains of three letters and more that are in common use (IANA's root zone, 2026-11; most of its 1,400 have hardly any
/// addresses), and two that are set aside for examples (RFC 2606). Two letters are a country's.
const TOPS: [&str; 86] = [
    "academy",
    "aero",
    "agency",
    "app",
    "art",
    "asia",
    "bank",
    "bar",
    "berlin",
    "bio",
    "biz",
    "blog",
    "business",
    "cafe",
    "care",
    "cat",
    "church",
    "city",
    "cloud",
    "club",
    "coffee",
    "com",
    "community",
    "company",
    "consulting",
    "coop",
    "dental",
    "design",
    "dev",
    "digital",
    "edu",
    "email",
    "energy",
    "engineering",
    "eus",
    "events",
    "example",
    "family",
    "farm",
    "finance",
    "foundation",
    "fund",
    "gal",
    "global",
    "gmbh",
    "gov",
    "group",
    "health",
    "help",
    "host",
    "info",
    "int",
    "international",
    "invalid",
    "law",
    "legal",
    "life",
    "live",
    "london",
    "ltd",
    "media",
    "mil",
    "mobi",
    "museum",
    "name",
    "net",
    "network",
    "news",
    "online",
    "org",
    "page",
    "paris",
    "pro",
    "school",
    "services",
    "shop",
    "site",
    "software",
    "solutions",
    "space",
    "store",
    "studio",
    "swiss",
    "team",
    "tech",
    "test",
];
const MORE_TOPS: [&str; 10] =
    ["tel", "travel", "university", "wien", "work", "works", "world", "xyz", "zone", "support"];
/// Two letters that are no country but the end of a file's name.
const FILES: [&str; 6] = ["js", "ts", "cs", "gz", "db", "hs"];

pub(super) fn find(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    if text.before(at) == Some(b'@') {
        return None;
    }
    let end = text.run(at, LOCAL_MAX + 1, is_local);
    if text.at(end) != Some(b'@') || end == at || end - at > LOCAL_MAX || text.before(end) == Some(b'.') {
        return None;
    }
    let domain = end + 1;
    let domain_end = domain_end(text, domain)?;
    // `git@host.com:path` is where a repository is.
    let is_place = text.at(domain_end) == Some(b':')
        && text
            .at(domain_end + 1)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'~');
    let is_git = text.slice(at, end) == b"git";
    (!is_place && !is_git).then_some((at, domain_end))
}

/// Characters of local parts; of scripts other than Latin none, since they need no blank before an address.
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'')
        || (0xC3..=0xC9).contains(&byte)
        || (0x80..=0xBF).contains(&byte)
}

/// Where the domain ends that begins at a place: at least two labels, the last a known one.
fn domain_end(text: &Window<'_>, domain: usize) -> Option<usize> {
    let is_label = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || byte == b'-'
            || (0xC3..=0xC5).contains(&byte)
            || (0x80..=0xBF).contains(&byte)
    };
    let (mut at, mut labels, mut good) = (domain, 0, None);
    while at < domain + DOMAIN_MAX {
        let end = text.run(at, LABEL_MAX + 1, is_label);
        let label = text.slice(at, end);
        if label.is_empty() || label.len() > LABEL_MAX || label.starts_with(b"-") {
            break;
        }
        labels += 1;
        let next = text.at(end);
        let goes_on = next == Some(b'.') && text.at(end + 1).is_some_and(is_label);
        let ends = !next.is_some_and(|byte| byte == b'_' || byte == b'@') || goes_on;
        if labels > 1 && is_top(label) && ends {
            good = Some(end);
        } else if labels > 1 && !goes_on {
            // The sentence goes on without a blank: `a@b.com.Then`.
            break;
        }
        if !goes_on {
            break;
        }
        at = end + 1;
    }
    good
}

fn is_top(label: &[u8]) -> bool {
    let lower = label.to_ascii_lowercase();
    let Ok(name) = std::str::from_utf8(&lower) else { return false };
    match name.len() {
        2 => name.bytes().all(|byte| byte.is_ascii_alphabetic()) && !FILES.contains(&name),
        _ => TOPS.binary_search(&name).is_ok() || MORE_TOPS.contains(&name) || name.starts_with("xn--"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(TOPS.is_sorted());
    }
}
