//! Counts, shares, speeds and lists.

use super::shown::Shown;

/// Digits in groups of three: `1,362`.
pub(super) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count: `1,362`.
pub(crate) fn count(number: u64) -> String {
    grouped(number.into())
}

/// A count with its noun, which takes an `s`: `1 model`, `31 models`.
pub(crate) fn count_of(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// Three significant digits with K, M, B or T, half up; all digits behind them: `1.05M`, `1,048,576`.
pub(crate) fn short(number: u64) -> Shown {
    const UNITS: [(u128, &str); 4] =
        [(1_000, "K"), (1_000_000, "M"), (1_000_000_000, "B"), (1_000_000_000_000, "T")];
    let exact = count(number);
    if number < 1_000 {
        return Shown::same(exact);
    }
    let number = u128::from(number);
    for (unit, name) in UNITS {
        // What rounds up to a thousand of this unit is one of the next.
        let is_last = name == "T";
        for digits in [100, 10, 1] {
            let rounded = (number * digits + unit / 2) / unit;
            let fits = rounded < 1_000 || (is_last && digits == 1);
            if rounded >= digits && fits {
                let (whole, rest) = (rounded / digits, rounded % digits);
                let rest = match digits {
                    100 => format!(".{rest:02}"),
                    10 => format!(".{rest}"),
                    _ => String::new(),
                };
                let rest = rest.trim_end_matches('0').trim_end_matches('.');
                return Shown::both(format!("{}{rest}{name}", grouped(whole)), exact);
            }
        }
    }
    Shown::same(exact)
}

/// A number of tokens, short with all digits behind; unknown where nobody says.
pub(crate) fn tokens(number: impl Into<Option<u64>>) -> Shown {
    number.into().map_or_else(Shown::unknown, short)
}

/// How many English words so many tokens are, in three significant digits: three words for four tokens.
pub(crate) fn words(tokens: u64) -> String {
    let words = tokens - tokens.div_ceil(4);
    let unit = 10_u64.pow(words.checked_ilog10().unwrap_or(0).saturating_sub(2));
    let rounded = words.saturating_add(unit / 2) / unit * unit;
    format!("about {}", count_of(rounded, "word"))
}

/// A share of a whole with up to two digits after the point. All and nothing are only said where they are true.
pub(crate) fn percent(part: u64, whole: u64) -> Shown {
    if whole == 0 {
        return Shown::unknown();
    }
    let part = part.min(whole);
    Shown::both(hundredths(part, whole), format!("{} of {}", count(part), count(whole)))
}

fn hundredths(part: u64, whole: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(whole));
    let near = (part * 10_000 + whole / 2) / whole;
    let near = if part < whole { near.min(9_999) } else { near };
    if near == 0 && part > 0 {
        return "< 0.01%".to_owned();
    }
    let text = format!("{}.{:02}", near / 100, near % 100);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A share between 0 and 1, as [`percent`] words it; anything else is unknown.
pub(crate) fn ratio(share: f64) -> Shown {
    const WHOLE: u64 = 1_000_000_000;
    if !(0.0..=1.0).contains(&share) {
        return Shown::unknown();
    }
    // In range, so neither cut nor turned.
    let part = (share * 1e9).round() as u64;
    // Rounding to a billionth must not make a whole of what is none.
    let part = if share < 1.0 { part.min(WHOLE - 1) } else { part };
    let part = if share > 0.0 { part.max(1) } else { part };
    Shown::same(hundredths(part, WHOLE))
}

/// A measured time: `440 ms`, `1.2 s`, `2.5 min`; what is no time is unknown.
pub(crate) fn milliseconds(ms: f64) -> Shown {
    const MS_MAX: f64 = 1e12;
    if !(0.0..=MS_MAX).contains(&ms) {
        return Shown::unknown();
    }
    let exact = format!("{} ms", count(ms.round() as u64));
    match ms {
        ..9.95 => Shown::same(format!("{} ms", one_digit(ms))),
        ..999.5 => Shown::same(exact),
        ..9_950.0 => Shown::both(format!("{} s", one_digit(ms / 1e3)), exact),
        ..119_500.0 => Shown::both(format!("{:.0} s", ms / 1e3), exact),
        _ => Shown::both(format!("{} min", one_digit(ms / 6e4)), exact),
    }
}

/// A size: `512 B`, `1.4 KiB`, `2.1 GiB`, with all bytes behind.
pub(crate) fn bytes(bytes: u64) -> Shown {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let exact = count_of(bytes, "byte");
    let mut size = bytes as f64 / 1024.0;
    if bytes < 1_024 {
        return Shown::both(format!("{bytes} B"), exact);
    }
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if size < 1_023.95 {
            break;
        }
        (size, unit) = (size / 1024.0, *next);
    }
    Shown::both(format!("{} {unit}", one_digit(size)), exact)
}

/// Output tokens per second: `29 tok/s`; what is no speed is unknown.
pub(crate) fn speed(tokens_per_s: f64) -> Shown {
    const SPEED_MAX: f64 = 1e12;
    match tokens_per_s {
        speed if !(0.0..=SPEED_MAX).contains(&speed) => Shown::unknown(),
        speed @ ..9.95 => Shown::same(format!("{} tok/s", one_digit(speed))),
        speed => Shown::both(
            format!("{} tok/s", count(speed.round() as u64)),
            format!("{} tokens per second", one_digit(speed)),
        ),
    }
}

fn one_digit(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Yes, no, or unknown.
pub(crate) fn yes_no(fact: Option<bool>) -> Shown {
    match fact {
        Some(true) => Shown::same("yes"),
        Some(false) => Shown::same("no"),
        None => Shown::unknown(),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[impl AsRef<str>]) -> String {
    let mut text = String::new();
    for (at, item) in items.iter().enumerate() {
        match items.len() - at {
            _ if at == 0 => {}
            1 => text.push_str(" and "),
            _ => text.push_str(", "),
        }
        text.push_str(item.as_ref());
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{count, count_of, list, milliseconds, percent, ratio, short, speed, tokens, words, yes_no};

    #[test]
    fn a_share_is_all_or_nothing_only_where_it_is() {
        let rows =
            [(1.0, "100%"), (0.0, "0%"), (0.5, "50%"), (1e-30, "< 0.01%"), (1.0 - f64::EPSILON, "99.99%")];
        for (share, expect) in rows {
            assert_eq!(ratio(share).text(), expect, "{share}");
        }
        for share in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
            assert!(!ratio(share).is_known, "{share}");
        }
    }

    #[test]
    fn short_forms_keep_three_digits_and_all_behind_them() {
        let rows = [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1K", "1,000"),
            (1_004, "1K", "1,004"),
            (8_192, "8.19K", "8,192"),
            (32_768, "32.8K", "32,768"),
            (256_000, "256K", "256,000"),
            (262_144, "262K", "262,144"),
            (999_499, "999K", "999,499"),
            (999_500, "1M", "999,500"),
            (1_048_576, "1.05M", "1,048,576"),
            (6_500_000_000, "6.5B", "6,500,000,000"),
            (119_000_000_000, "119B", "119,000,000,000"),
            (1_500_000_000_000, "1.5T", "1,500,000,000,000"),
            (u64::MAX, "18,446,744T", "18,446,744,073,709,551,615"),
        ];
        for (number, shown, exact) in rows {
            let got = short(number);
            assert_eq!((got.short.as_str(), got.exact.as_str()), (shown, exact));
        }
        assert_eq!(tokens(None).text(), "unknown");
        assert_eq!(tokens(256_000).short, "256K");
    }

    #[test]
    fn counts_have_their_nouns() {
        assert_eq!(
            (count(1_362), count_of(1, "model"), count_of(1_000, "model")),
            ("1,362".into(), "1 model".into(), "1,000 models".into())
        );
        assert_eq!(count_of(0, "model"), "0 models");
    }

    #[test]
    fn words_are_three_for_four_tokens() {
        let rows = [
            (33_000, "about 24,800 words"),
            (256_000, "about 192,000 words"),
            (262_144, "about 197,000 words"),
            (1, "about 0 words"),
            (2, "about 1 word"),
            (4, "about 3 words"),
        ];
        for (tokens, expect) in rows {
            assert_eq!(words(tokens), expect);
        }
        for tokens in (1_000..2_000_000).step_by(9_973).chain([u64::MAX / 2]) {
            let text = words(tokens);
            let digits: u64 = text.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
            let exact = tokens / 4 * 3;
            assert!(digits.abs_diff(exact) <= exact / 20, "{tokens}: {text}");
        }
    }

    #[test]
    fn all_and_nothing_are_only_said_where_true() {
        let rows = [
            (0, 10, "0%"),
            (10, 10, "100%"),
            (11, 10, "100%"),
            (999_999, 1_000_000, "99.99%"),
            (1, 1_000_000, "< 0.01%"),
            (1, 3, "33.33%"),
            (1, 2, "50%"),
            (199, 200, "99.5%"),
            (u64::MAX - 1, u64::MAX, "99.99%"),
        ];
        for (part, whole, expect) in rows {
            assert_eq!(percent(part, whole).short, expect, "{part} of {whole}");
        }
        assert_eq!(percent(199, 200).exact, "199 of 200");
        assert!(!percent(1, 0).is_known);
    }

    #[test]
    fn measured_numbers_say_no_more_than_they_know() {
        let rows = [
            (0.0, "0 ms"),
            (0.04, "0 ms"),
            (1.26, "1.3 ms"),
            (439.6, "440 ms"),
            (999.7, "1 s"),
            (1_240.0, "1.2 s"),
            (12_400.0, "12 s"),
            (150_000.0, "2.5 min"),
        ];
        for (ms, expect) in rows {
            assert_eq!(milliseconds(ms).short, expect);
        }
        assert_eq!(milliseconds(1_240.0).exact, "1,240 ms");
        let rows = [(29.0, "29 tok/s"), (29.44, "29 tok/s"), (1.25, "1.2 tok/s"), (2_100.0, "2,100 tok/s")];
        for (rate, expect) in rows {
            assert_eq!(speed(rate).short, expect);
        }
        for none in [f64::NAN, -1.0, f64::INFINITY, 1e300] {
            assert!(!milliseconds(none).is_known && !speed(none).is_known);
        }
        assert_eq!(
            (yes_no(Some(true)).text(), yes_no(Some(false)).text(), yes_no(None).text()),
            ("yes", "no", "unknown")
        );
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list(&[""; 0]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b"]), "a and b");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }

    proptest! {
        #[test]
        fn short_is_within_half_a_percent(number in 0_u64..5_000_000_000_000_000) {
            let shown = short(number);
            prop_assert_eq!(shown.exact.replace(',', "").parse::<u64>().unwrap(), number);
            let (digits, unit) = match shown.short.char_indices().last() {
                Some((at, 'K')) => (&shown.short[..at], 1e3),
                Some((at, 'M')) => (&shown.short[..at], 1e6),
                Some((at, 'B')) => (&shown.short[..at], 1e9),
                Some((at, 'T')) => (&shown.short[..at], 1e12),
                _ => (shown.short.as_str(), 1.0),
            };
            let back = digits.replace(',', "").parse::<f64>().unwrap() * unit;
            prop_assert!((back - number as f64).abs() <= number as f64 * 0.005);
        }
    }
}
