//! Payment cards and bank accounts.

use super::numbers::{Gap, Run, is_said_before, stands_alone_after, stands_alone_before};
use crate::lexer::Window;

/// How card numbers are grouped (ISO/IEC 7812 leaves it open; these are what issuers print).
const SHAPES: [&[usize]; 5] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 1]];

/// Words that say that a card's number follows.
const CARD_WORDS: [&str; 8] = ["card", "visa", "pan", "karte", "kreditkarte", "tarjeta", "carte", "carta"];

/// A payment card: a known prefix with a length that it has, and the right check digit (Luhn).
pub(super) fn card(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    // No issuer begins with another digit; most numbers end here.
    if !matches!(text.at(at), Some(b'2'..=b'6')) || !stands_alone_before(text, at) {
        return None;
    }
    let run = Run::read(text, at);
    let whole = run.group(0).len() >= 12;
    let groups = match whole {
        true => 1,
        false => SHAPES.iter().find(|shape| run.is_shaped(shape) && fits(run.digits(shape.len())))?.len(),
    };
    let even = run.is_even(groups, &[Gap::Blank, Gap::Dash]) || (groups == 4 && run.is_even(4, &[Gap::Dot]));
    let end = run.end(groups);
    let ends = stands_alone_after(text, end) || matches!(text.at(end), Some(b'/' | b'-' | b':'));
    let digits = run.digits(groups);
    // Thirteen digits are an article's number more often than a card's: those have not been issued for long.
    let likely = digits.len() > 13 || groups > 1 || is_said_before(text, at, &CARD_WORDS);
    (even && ends && fits(digits) && likely).then_some((at, end))
}

fn fits(digits: &[u8]) -> bool {
    is_issued(digits) && luhn(digits) && digits.windows(2).any(|pair| pair.first() != pair.last())
}

/// Whether an issuer has numbers of this prefix and length (ranges as published by the networks, 2026).
fn is_issued(digits: &[u8]) -> bool {
    let prefix = |count: usize| digits.iter().take(count).fold(0_u32, |sum, d| sum * 10 + u32::from(*d));
    let (two, three, four, six) = (prefix(2), prefix(3), prefix(4), prefix(6));
    match digits.len() {
        13 => digits.first() == Some(&4),
        14 => matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37),
        16 => {
            let visa_or_mastercard = two / 10 == 4 || matches!(two, 51..=55) || matches!(four, 2221..=2720);
            let discover = four == 6011 || matches!(three, 644..=649) || two == 65;
            visa_or_mastercard || discover || is_long(two, four, six)
        }
        12 => is_maestro(four),
        17 | 18 => is_long(two, four, six),
        19 => two / 10 == 4 || is_long(two, four, six),
        _ => false,
    }
}

/// Networks with numbers of 16 to 19 digits: UnionPay, JCB, Mir, Maestro.
fn is_long(two: u32, four: u32, six: u32) -> bool {
    two == 62
        || matches!(four, 3528..=3589 | 2200..=2204)
        || is_maestro(four)
        || matches!(six, 810_000..=817_199)
}

fn is_maestro(four: u32) -> bool {
    matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763)
}

/// The check digit of ISO/IEC 7812-1.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Countries and how long their account numbers are (SWIFT IBAN registry, release 99, 2024-12).
const COUNTRIES: [(&[u8; 2], u8); 82] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"XK", 20),
];

/// An account number: a country, its length, and the remainder of ISO 13616. Blanks or dashes may stand between groups.
pub(super) fn iban(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    let letter =
        |offset| text.at(at + offset).filter(u8::is_ascii_alphabetic).map(|b| b.to_ascii_uppercase());
    let country = [letter(0)?, letter(1)?];
    let is_digit = |offset| text.at(at + offset).is_some_and(|byte: u8| byte.is_ascii_digit());
    if !is_digit(2) || !is_digit(3) {
        return None;
    }
    let (_, length) = COUNTRIES.iter().find(|(code, _)| **code == country)?;
    let (mut end, mut taken, mut remainder) = (at, 0, 0_u32);
    // The first four characters come last in the sum: kept until then.
    let mut head = [0_u32; 4];
    while taken < usize::from(*length) {
        match text.at(end)? {
            byte if byte.is_ascii_alphanumeric() => {
                let value = char::from(byte).to_digit(36)?;
                match head.get_mut(taken) {
                    Some(slot) => *slot = value,
                    None => remainder = fold(remainder, value),
                }
                (taken, end) = (taken + 1, end + 1);
            }
            b' ' | b'-' if taken > 0 && !matches!(text.before(end), Some(b' ' | b'-')) => end += 1,
            0xC2 if text.at(end + 1) == Some(0xA0) => end += 2,
            _ => return None,
        }
    }
    remainder = head.iter().fold(remainder, |sum, value| fold(sum, *value));
    let ends = !text.at(end).is_some_and(|byte| byte.is_ascii_alphanumeric());
    (ends && remainder == 1).then_some((at, end))
}

fn fold(sum: u32, value: u32) -> u32 {
    (sum * if value > 9 { 100 } else { 10 } + value) % 97
}
