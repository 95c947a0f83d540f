//! National numbers of people.

use super::numbers::{Gap, Run, is_said_before, stands_alone_after, stands_alone_before};
use crate::lexer::Window;

const SSN_WORDS: [&str; 5] = ["ssn", "social security", "social security number", "ss#", "soc sec"];
const CPF_WORDS: [&str; 1] = ["cpf"];
/// The letter of a Spanish number, by its remainder.
const DNI_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// A social security number of the United States: with dashes, or with blanks or nothing after a word that says so. Numbers
/// that were never given out are none (area 000, 666 and 9xx, group 00, serial 0000).
pub(super) fn ssn(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    if !stands_alone_before(text, at) {
        return None;
    }
    let run = Run::read(text, at);
    let groups = match (run.is_shaped(&[3, 2, 4]), run.group(0).len()) {
        (true, _) if run.is_even(3, &[Gap::Dash]) => 3,
        (true, _) if run.is_even(3, &[Gap::Blank]) && is_said_before(text, at, &SSN_WORDS) => 3,
        (_, 9) if is_said_before(text, at, &SSN_WORDS) => 1,
        _ => return None,
    };
    let number = |digits: &[u8]| digits.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit));
    let digits = run.digits(groups);
    let (area, group, serial) =
        (number(digits.get(..3)?), number(digits.get(3..5)?), number(digits.get(5..9)?));
    let given = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    let end = run.end(groups);
    (given && stands_alone_after(text, end)).then_some((at, end))
}

/// Numbers that begin with a digit: CPF (Brazil), DNI (Spain), NIR (France).
pub(super) fn at_digit(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    if !stands_alone_before(text, at) {
        return None;
    }
    cpf(text, at).or_else(|| dni(text, at)).or_else(|| nir(text, at))
}

/// Numbers that begin with a letter: NIE (Spain), codice fiscale (Italy).
pub(super) fn at_letter(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    match text.at(at)?.to_ascii_uppercase() {
        b'X' | b'Y' | b'Z' if text.at(at + 1).is_some_and(|b| b.is_ascii_digit() || b == b'-') => {
            nie(text, at)
        }
        _ => fiscal_code(text, at),
    }
}

/// Eleven digits, the last two of which check the others (Receita Federal, Brazil).
fn cpf(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    let run = Run::read(text, at);
    let dotted = run.is_shaped(&[3, 3, 3, 2])
        && run.gap(1) == Some(Gap::Dot)
        && run.gap(2) == Some(Gap::Dot)
        && run.gap(3) == Some(Gap::Dash);
    let groups = match (dotted, run.group(0).len()) {
        (true, _) => 4,
        (_, 11) if is_said_before(text, at, &CPF_WORDS) => 1,
        _ => return None,
    };
    let digits = run.digits(groups);
    let check = |count: usize| {
        let weights = (2..=count as u32 + 1).rev();
        let sum: u32 = digits.iter().take(count).zip(weights).map(|(d, weight)| u32::from(*d) * weight).sum();
        match sum * 10 % 11 {
            10 => 0,
            rest => rest,
        }
    };
    let checked = digits.get(9).is_some_and(|digit| u32::from(*digit) == check(9))
        && digits.get(10).is_some_and(|digit| u32::from(*digit) == check(10));
    let varied = digits.windows(2).any(|pair| pair.first() != pair.last());
    let end = run.end(groups);
    (checked && varied && stands_alone_after(text, end)).then_some((at, end))
}

/// Eight digits and the letter that checks them (Ministerio del Interior, Spain).
fn dni(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    let end = text.run(at, 9, |byte| byte.is_ascii_digit());
    if end != at + 8 {
        return None;
    }
    lettered(text, at, end, text.slice(at, end), 0)
}

/// The same for foreigners: X, Y or Z stands for the first digit.
fn nie(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    let first = u32::from(text.at(at)?.to_ascii_uppercase() - b'X');
    let digits = if text.at(at + 1) == Some(b'-') { at + 2 } else { at + 1 };
    let end = text.run(digits, 8, |byte| byte.is_ascii_digit());
    if end != digits + 7 {
        return None;
    }
    lettered(text, at, end, text.slice(digits, end), first)
}

fn lettered(text: &Window<'_>, at: usize, end: usize, digits: &[u8], first: u32) -> Option<(usize, usize)> {
    let number = digits.iter().fold(first, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let letter = if matches!(text.at(end), Some(b'-')) { end + 1 } else { end };
    let right = DNI_LETTERS.get((number % 23) as usize)?;
    let found = text.at(letter).is_some_and(|byte| byte == *right);
    let ends =
        !text.at(letter + 1).is_some_and(|byte| byte == b'_' || byte == b'-' || byte.is_ascii_alphanumeric());
    (found && ends).then_some((at, letter + 1))
}

/// Fifteen digits: sex, year, month, place, order, and what is left of 97 (INSEE, France).
fn nir(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    if !matches!(text.at(at), Some(b'1' | b'2')) {
        return None;
    }
    let run = Run::read(text, at);
    let groups = match (run.is_shaped(&[1, 2, 2, 2, 3, 3, 2]), run.is_shaped(&[13, 2]), run.group(0).len()) {
        (true, ..) if run.is_even(7, &[Gap::Blank, Gap::Dash]) => 7,
        (_, true, _) => 2,
        (.., 15) => 1,
        _ => return None,
    };
    let digits = run.digits(groups);
    let number = |digits: &[u8]| digits.iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(*digit));
    let month = number(digits.get(3..5)?);
    let right = 97 - number(digits.get(..13)?) % 97 == number(digits.get(13..15)?);
    let end = run.end(groups);
    let dated = (1..=12).contains(&month) || (20..=42).contains(&month);
    (right && dated && stands_alone_after(text, end)).then_some((at, end))
}

/// Sixteen characters, the last of which checks the others (Decreto 23/12/1976, Italy).
fn fiscal_code(text: &Window<'_>, at: usize) -> Option<(usize, usize)> {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12,
        14, 16, 10, 22, 25, 24, 23,
    ];
    const SHAPE: &[u8; 16] = b"aaaaaa99a99a999a";
    let mut sum = 0;
    for (offset, expected) in SHAPE.iter().enumerate() {
        let byte = text.at(at + offset)?;
        let fits = if *expected == b'a' { byte.is_ascii_alphabetic() } else { byte.is_ascii_digit() };
        if !fits {
            return None;
        }
        let value = char::from(byte).to_digit(36)?;
        let even = if value > 9 { value - 10 } else { value };
        match offset {
            15 => return (sum % 26 == value - 10 && !next_is_word(text, at + 16)).then_some((at, at + 16)),
            _ if offset % 2 == 0 => sum += ODD.get(value as usize)?,
            _ => sum += even,
        }
    }
    None
}

fn next_is_word(text: &Window<'_>, at: usize) -> bool {
    text.at(at).is_some_and(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}
