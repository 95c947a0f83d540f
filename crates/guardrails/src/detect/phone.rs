//! Telephone numbers: with a country, as North America and its neighbours write them, as Europe does, or any after a word that says so.
//! A bare run of digits is none.

use super::numbers::{Gap, Run, gap, is_said_before, stands_alone_after, stands_alone_before};
use crate::lexer::Window;

/// Fewest and most digits with a country (ITU-T E.164 has at most 15).
const DIGITS: (usize, usize) = (8, 15);
/// Words that say that a telephone number follows.
const WORDS: [&str; 36] = [
    "phone",
    "phones",
    "phone number",
    "telephone",
    "tel",
    "tel.",
    "mobile",
    "cell",
    "cellphone",
    "fax",
    "whatsapp",
    "sms",
    "hotline",
    "telefon",
    "telefono",
    "teléfono",
    "téléphone",
    "telefone",
    "celular",
    "móvil",
    "handy",
    "mobil",
    "portable",
    "numéro",
    "rufnummer",
    "hp",
    "phone_number",
    "mobile_number",
    "电话",
    "手机",
    "電話",
    "携帯",
    "전화",
    "телефон",
    "тел",
    "número",
];
/// Words that may say it.
const VERBS: [&str; 10] =
    ["call", "dial", "ring", "reach", "text", "contact", "llama", "appelle", "ruf", "anrufen"];

/// `+` and a country.
pub(super) fn international(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    if !matches!(text.at(at + 1), Some(b'1'..=b'9')) || text.in_word(at) || text.before(at) == Some(b'+') {
        return None;
    }
    let (groups, dots, end, digits) = grouped(text, at + 1, DIGITS.1)?;
    // With one dot it is a decimal, with a coordinate two.
    let decimal = dots > 0 && (groups < 4 || dots + 1 != groups);
    let ends = !text.at(end).is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    (digits >= DIGITS.0 && !decimal && ends).then_some((at, end))
}

/// Groups of digits with brackets, blanks, dashes or dots between them, as long as they stay within `most` digits: how many
/// groups and dots, where they end, how many digits.
fn grouped(text: &Window<'_>, start: usize, most: usize) -> Option<(usize, usize, usize, usize)> {
    let (mut groups, mut dots, mut end, mut digits) = (0, 0, start, 0);
    let (mut at, mut pending) = (start, 0);
    loop {
        let group_end = text.run(at, most + 1, |byte| byte.is_ascii_digit());
        let size = group_end - at;
        if size == 0 || digits + size > most {
            // A first group that is too long is no number at all.
            return (groups > 0).then_some((groups, dots, end, digits));
        }
        (groups, dots, digits, end) = (groups + 1, dots + pending, digits + size, group_end);
        // After a long group another number begins.
        if size >= 9 || groups > 7 {
            return Some((groups, dots, end, digits));
        }
        (at, pending) = between(text, group_end)?;
        if at == group_end {
            return Some((groups, dots, end, digits));
        }
    }
}

/// Where the next group begins, and whether a dot stands before it; the same place where none does.
fn between(text: &Window<'_>, end: usize) -> Option<(usize, usize)> {
    let (mut at, mut dots) = (end, 0);
    for _ in 0..3 {
        match (text.at(at), gap(text, at)) {
            (Some(b'(' | b')'), _) => at += 1,
            (_, Some((kind, bytes))) => {
                dots += usize::from(kind == Gap::Dot);
                at += bytes;
            }
            _ => break,
        }
    }
    let follows = text.at(at).is_some_and(|byte| byte.is_ascii_digit());
    Some(if follows { (at, dots) } else { (end, 0) })
}

/// `(415) 555-2671`, or any number in brackets after a word.
pub(super) fn at_bracket(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    if !matches!(text.at(at + 1), Some(b'0'..=b'9')) || text.in_word(at) {
        return None;
    }
    let close = text.run(at + 1, 6, |byte| byte.is_ascii_digit());
    if text.at(close) != Some(b')') {
        return None;
    }
    let next = match text.at(close + 1) {
        Some(b' ' | b'-' | b'.') => close + 2,
        _ => close + 1,
    };
    if !text.at(next).is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let run = Run::read(text, next);
    let area: Vec<u8> = text.slice(at + 1, close).iter().map(|byte| byte - b'0').collect();
    if is_area(&area)
        && run.is_shaped(&[3, 4])
        && is_exchange(run.group(0))
        && stands_alone_after(text, run.end(2))
    {
        return Some((at, run.end(2)));
    }
    // (030) 1234567, (0221) 12 34 56 78
    let (groups, _, end, digits) = grouped(text, next, 9)?;
    let trunk = area.first() == Some(&0) && area.len() > 2 && groups < 5;
    let enough = digits >= 6 && digits + area.len() >= 9;
    let said = trunk || is_said_before(text, at, &WORDS);
    (enough && said && stands_alone_after(text, end)).then_some((at, end))
}

/// Numbers that begin with a digit.
pub(super) fn at_digit(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    if !stands_alone_before(text, at) && !is_after_prefix(text, at) {
        return None;
    }
    let run = Run::read(text, at);
    if run.group(0).len() > 15 {
        return None;
    }
    formed(text, at, &run).map(|end| (at, end)).or_else(|| said(text, at))
}

/// `tel:0301234567` and the like have a mark before them that numbers in general have not.
fn is_after_prefix(text: &Window<'_>, at: usize) -> bool {
    matches!(text.before(at), Some(b'.' | b'-')) && is_said_before(text, at, &WORDS)
}

/// By their form alone.
fn formed(text: &Window<'_>, at: usize, run: &Run) -> Option<usize> {
    let even = |groups| run.is_even(groups, &[Gap::Dash, Gap::Dot]);
    let american = |first: usize| is_area(run.group(first)) && is_exchange(run.group(first + 1));
    if run.is_shaped(&[3, 3, 4]) && even(3) && american(0) && is_end(text, run, 3) {
        return Some(run.end(3));
    }
    let one = run.is_shaped(&[1, 3, 3, 4]) && run.group(0) == [1] && american(1);
    if one && (even(4) || run.is_even(4, &[Gap::Blank])) && is_end(text, run, 4) {
        return Some(run.end(4));
    }
    // 1 (415) 555-2671
    if run.group(0) == [1] && text.has(run.end(1), b" (") {
        return at_bracket(text, run.end(1) + 1).map(|(_, end)| end);
    }
    // The rest of a longer number in groups is no number of its own.
    if text.before(at) == Some(b' ') && text.before(at - 1).is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match run.group(0) {
        // 0049 30 1234567
        [0, 0, 1..=9, ..] if run.groups() >= 2 => {
            let (groups, dots, end, digits) = grouped(text, at, DIGITS.1 + 2)?;
            let fits = digits >= DIGITS.0 + 2 && groups >= 3 && dots == 0;
            (fits && stands_alone_after(text, end)).then_some(end)
        }
        [0, 1..=9] => paired(text, run),
        [0, 1..=9, ..] => trunk(text, run),
        _ => None,
    }
}

/// `01 23 45 67 89`, as in France.
fn paired(text: &Window<'_>, run: &Run) -> Option<usize> {
    let pairs = run.is_shaped(&[2, 2, 2, 2, 2]) && run.is_even(5, &[Gap::Blank, Gap::Dot, Gap::Dash]);
    let longer = run.groups() > 5 && run.gap(5) == run.gap(1);
    (pairs && !longer && is_end(text, run, 5)).then(|| run.end(5))
}

/// `030 1234567`, `07911 123456`, `020 7946 0958`: a zero, an area, the rest.
fn trunk(text: &Window<'_>, run: &Run) -> Option<usize> {
    let area = run.group(0).len();
    if !(3..=5).contains(&area) {
        return None;
    }
    // What belongs to it: groups of three digits and more.
    let mut groups = 1;
    while groups < 4 && (3..=8).contains(&run.group(groups).len()) && run.digits(groups + 1).len() <= 12 {
        groups += 1;
    }
    let digits = run.digits(groups).len();
    let even = run.is_even(groups, &[Gap::Blank, Gap::Dash])
        || matches!((run.gap(1), groups), (Some(Gap::Slash), 2))
        || (groups == 3 && run.gap(1) != Some(Gap::Dot) && run.gap(2) == Some(Gap::Dash));
    (groups >= 2 && even && (10..=12).contains(&digits) && is_end(text, run, groups)).then(|| run.end(groups))
}

/// By a word before it.
fn said(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    let (groups, dots, end, digits) = grouped(text, at, DIGITS.1)?;
    let decimal = dots > 0 && groups < 3;
    if digits < 7 || decimal || !stands_alone_after(text, end) || is_date(text, at, end) {
        return None;
    }
    let is_likely = groups >= 2 || digits >= 9;
    let said =
        is_said_before(text, at, &WORDS) || (is_likely && digits >= 9 && is_said_before(text, at, &VERBS));
    said.then_some((at, end))
}

/// `2024-01-31`, `31.01.2024` and `1/31/2024`.
fn is_date(text: &Window<'_>, at: usize, end: usize) -> bool {
    let run = Run::read(text, at);
    let year = |group: &[u8]| matches!(group, [1, 9, ..] | [2, 0, ..]) && group.len() == 4;
    let slashes = run.gap(1) == Some(Gap::Slash) && run.gap(2) == Some(Gap::Slash);
    let first = run.is_shaped(&[4, 2, 2]) && year(run.group(0)) && run.end(3) <= end;
    slashes || first || (run.is_shaped(&[2, 2, 4]) && year(run.group(2)) && run.end(3) <= end)
}

fn is_end(text: &Window<'_>, run: &Run, groups: usize) -> bool {
    stands_alone_after(text, run.end(groups))
}

/// An area of the North American plan: not 0xx, 1xx or N11.
fn is_area(digits: &[u8]) -> bool {
    matches!(digits, [2..=9, _, _]) && !matches!(digits, [_, 1, 1])
}

fn is_exchange(digits: &[u8]) -> bool {
    matches!(digits, [2..=9, _, _])
}
