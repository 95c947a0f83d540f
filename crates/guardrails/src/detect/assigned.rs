//! Secrets that are told by the name they are given to: `DB_PASSWORD=...`, `"api_key": "..."`, `my password is ...`, and
//! passwords in addresses, `postgres://user:...@host`.
//!
//! - A password is a word with digits or marks in it; a plain word after `password:` is more often a label or a type.
//! - Whatever is called a key, a token or a secret has to look drawn by lot as well: 16 characters and more, letters and digits mixed
//!   within a part, about three bits to a character.
//! - What stands for a value is none: `${DB_PASSWORD}`, `<your-key>`, `os.environ[...]`, `********`.

use super::{Hit, On, is_on, keys};
use crate::kind::Kind;
use crate::lexer::Window;

/// Longest value, bytes.
const VALUE_MAX: usize = 512;
/// Fewest characters of a password and of a token.
const PASSWORD_MIN: usize = 5;
const TOKEN_MIN: usize = 16;
/// How much of a name is looked at.
const NAME_MAX: usize = 40;

/// Names of passwords, as they end.
const PASSWORDS: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "motdepasse",
    "contrasena",
    "senha",
    "kennwort",
    "pwd",
    "parola",
];
/// Names of keys and tokens, as they end.
const TOKENS: [&str; 22] = [
    "apikey",
    "apitoken",
    "apisecret",
    "accesskey",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "authkey",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "bearertoken",
    "sessiontoken",
    "bottoken",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "accountkey",
    "sharedkey",
    "secret",
    "token",
    "servicekey",
];
/// Tokens that are no secrets.
const HARMLESS: [&str; 12] = [
    "nexttoken",
    "pagetoken",
    "nextpagetoken",
    "continuationtoken",
    "cursortoken",
    "maxtoken",
    "csrftoken",
    "synctoken",
    "stoptoken",
    "eostoken",
    "padtoken",
    "bostoken",
];
/// What stands for a value, as it begins.
const STANDINS: [&str; 26] = [
    "your",
    "my_",
    "my-",
    "example",
    "changeme",
    "change_me",
    "change-me",
    "xxx",
    "...",
    "redacted",
    "placeholder",
    "dummy",
    "null",
    "none",
    "true",
    "false",
    "undefined",
    "string",
    "process.env",
    "os.",
    "env.",
    "config.",
    "settings.",
    "secrets.",
    "self.",
    "this.",
];

/// After `=` or `:`.
pub(super) fn after_mark(text: &Window<'_>, at: usize, byte: u8, on: &On) -> Option<Hit> {
    if byte == b':' && text.has(at + 1, b"//") {
        return in_address(text, at, on);
    }
    let is_test = matches!(text.before(at), Some(b'=' | b'!' | b'<' | b'>' | b':'))
        || (byte == b'=' && matches!(text.at(at + 1), Some(b'=' | b'~')))
        || (byte == b':' && matches!(text.at(at + 1), Some(b':')));
    if is_test {
        return None;
    }
    let name = Name::before(text, at);
    let kind = name.says()?;
    let mut start = at + 1;
    if matches!(text.at(start), Some(b'=' | b'>')) {
        start += 1;
    }
    value(text, start, kind, &name, on)
}

/// After `is` and the like.
pub(super) fn after_is(text: &Window<'_>, at: usize, byte: u8, on: &On) -> Option<Hit> {
    if !matches!(byte, b'i' | b'e' | b'I') || text.before(at) != Some(b' ') {
        return None;
    }
    let word = text.run(at, 5, |byte| byte.is_ascii_lowercase());
    if text.at(word) != Some(b' ') && text.at(word) != Some(b':') {
        return None;
    }
    if !matches!(text.slice(at, word), b"is" | b"ist" | b"es" | b"est") {
        return None;
    }
    let name = Name::before(text, at);
    let kind = name.says()?;
    let start = if text.at(word) == Some(b':') { word + 1 } else { word };
    value(text, start, kind, &name, on)
}

/// The password of `scheme://user:password@host`.
fn in_address(text: &Window<'_>, at: usize, on: &On) -> Option<Hit> {
    if !text.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let is_part = |byte: u8| {
        !matches!(byte, 0..=b' ' | b'/' | b'"' | b'\'' | b'<' | b'>' | b'?' | b'#' | b'@' | b'`' | b'\\')
    };
    let end = text.run(at + 3, 200, is_part);
    if text.at(end) != Some(b'@') {
        return None;
    }
    let colon = text.slice(at + 3, end).iter().position(|byte| *byte == b':')?;
    let start = at + 3 + colon + 1;
    let found = text.slice(start, end);
    if found.len() < 3
        || is_standin(found)
        || matches!(found, b"password" | b"pass" | b"passwd" | b"secret" | b"pw")
    {
        return None;
    }
    let keyed =
        found.first().and_then(|byte| keys::find(text, start, *byte)).filter(|hit| is_on(on, hit.kind));
    let password = Hit { kind: Kind::Password, start, end };
    keyed.or_else(|| is_on(on, Kind::Password).then_some(password))
}

/// The name before a mark: its last letters and digits in lower case, the last one first, blanks, marks and quotes left out.
struct Name {
    letters: [u8; NAME_MAX],
    /// Whether a gap stands after (in reading order: before) each letter.
    gaps: [bool; NAME_MAX],
    count: usize,
}

impl Name {
    fn before(text: &Window<'_>, at: usize) -> Name {
        let mut name = Name { letters: [0; NAME_MAX], gaps: [false; NAME_MAX], count: 0 };
        let mut marks = 0;
        for byte in text.back(at, NAME_MAX + 16).iter().rev() {
            if byte.is_ascii_alphanumeric() {
                marks = 0;
                name.push(byte.to_ascii_lowercase());
            } else if matches!(byte, 0xB1 | 0xC3) {
                // The one letter of these names that has a mark: `contraseña`.
                if *byte == 0xB1 {
                    name.push(b'n');
                }
            } else if matches!(
                byte,
                b' ' | b'_' | b'-' | b'.' | b'"' | b'\'' | b'`' | b'*' | b'\\' | b'\t' | b']'
            ) && marks < 4
            {
                marks += 1;
                name.gap();
            } else {
                break;
            }
            if name.count == NAME_MAX {
                break;
            }
        }
        name
    }

    fn of(key: &str) -> Name {
        let mut name = Name { letters: [0; NAME_MAX], gaps: [false; NAME_MAX], count: 0 };
        for byte in key.bytes().rev().take(NAME_MAX) {
            match byte.is_ascii_alphanumeric() {
                true => name.push(byte.to_ascii_lowercase()),
                false => name.gap(),
            }
        }
        name
    }

    fn push(&mut self, letter: u8) {
        if let Some(slot) = self.letters.get_mut(self.count) {
            *slot = letter;
            self.count += 1;
        }
    }

    fn gap(&mut self) {
        if let Some(slot) = self.count.checked_sub(1).and_then(|last| self.gaps.get_mut(last)) {
            *slot = true;
        }
    }

    fn ends_with(&self, word: &str) -> bool {
        let letters = self.letters.get(..self.count).unwrap_or_default();
        letters.len() >= word.len() && word.bytes().rev().eq(letters.iter().copied().take(word.len()))
    }

    /// The same, and a new word begins there.
    fn ends_with_word(&self, word: &str) -> bool {
        let gap = word.len().checked_sub(1).and_then(|at| self.gaps.get(at)).copied().unwrap_or(false);
        self.ends_with(word) && (self.count == word.len() || gap)
    }

    /// Which secret a name speaks of.
    fn says(&self) -> Option<Kind> {
        // Most names end in no letter that these end in.
        if !matches!(self.letters.first(), Some(b'd' | b'e' | b't' | b'a' | b'y' | b'n' | b's')) {
            return None;
        }
        let is_password = PASSWORDS.iter().any(|word| self.ends_with(word)) || self.ends_with_word("pass");
        if is_password {
            return Some(Kind::Password);
        }
        let is_token = TOKENS.iter().any(|word| self.ends_with(word)) || self.ends_with_word("authorization");
        (is_token && !HARMLESS.iter().any(|word| self.ends_with(word))).then_some(Kind::ApiKey)
    }

    fn is_header(&self) -> bool {
        self.ends_with("authorization")
    }
}

/// The value that follows, blanks and quotes apart.
fn value(text: &Window<'_>, start: usize, kind: Kind, name: &Name, on: &On) -> Option<Hit> {
    let mut start = text.run(start, 4, |byte| matches!(byte, b' ' | b'\t' | b'*'));
    if text.at(start) == Some(b'\\') && matches!(text.at(start + 1), Some(b'"' | b'\'')) {
        start += 1;
    }
    let quote = text.at(start).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    start += usize::from(quote.is_some());
    if name.is_header() {
        let scheme = text.run(start, 8, |byte| byte.is_ascii_alphabetic());
        if text.at(scheme) == Some(b' ') && scheme > start {
            start = scheme + 1;
        }
    }
    // A key that is known by its form is that.
    let first = text.at(start)?;
    if let Some(hit) = keys::find(text, start, first).filter(|hit| is_on(on, hit.kind)) {
        return Some(hit);
    }
    if !is_on(on, kind) {
        return None;
    }
    let end = text.run(start, VALUE_MAX, |byte| is_of_value(byte, quote));
    if end - start >= VALUE_MAX {
        return None;
    }
    let mut end = end;
    if let Some(quote) = quote {
        if !matches!(text.at(end), Some(byte) if byte == quote || byte == b'\\') {
            return None;
        }
    } else {
        while matches!(text.before(end), Some(b'.' | b':' | b'?' | b'*')) && end > start {
            end -= 1;
        }
        if matches!(text.at(end), Some(b'(' | b'[' | b'{')) {
            return None;
        }
    }
    let found = text.slice(start, end);
    (tells(kind, found) && (kind != Kind::Password || quote.is_some() || !is_call(text, end)))
        .then_some(Hit { kind, start, end })
}

/// Whether what follows shows that the value is some code.
fn is_call(text: &Window<'_>, end: usize) -> bool {
    matches!(text.at(end), Some(b'(' | b'['))
}

fn is_of_value(byte: u8, quote: Option<u8>) -> bool {
    match quote {
        Some(quote) => byte > b' ' && byte != quote && byte != b'\\',
        None => {
            byte > b' '
                && !matches!(
                    byte,
                    b'"' | b'\''
                        | b'`'
                        | b','
                        | b';'
                        | b'<'
                        | b'>'
                        | b'('
                        | b')'
                        | b'['
                        | b']'
                        | b'{'
                        | b'}'
                        | b'&'
                        | b'\\'
                        | b'|'
                )
        }
    }
}

/// Whether a value under a key of JSON is a secret; the kind.
pub(crate) fn value_under(key: &str, value: &str) -> Option<Kind> {
    let kind = Name::of(key).says()?;
    let bytes = value.as_bytes();
    let fits = bytes.len() <= VALUE_MAX && !bytes.iter().any(u8::is_ascii_whitespace);
    (fits && tells(kind, bytes)).then_some(kind)
}

/// Whether a key of JSON is the name of a secret.
pub(crate) fn is_name(key: &str) -> bool {
    Name::of(key).says().is_some()
}

fn tells(kind: Kind, value: &[u8]) -> bool {
    match kind {
        Kind::Password => is_password(value),
        _ => is_token(value),
    }
}

fn is_standin(value: &[u8]) -> bool {
    let first = value.first().copied().unwrap_or(b' ');
    let lower: Vec<u8> = value.iter().take(16).map(u8::to_ascii_lowercase).collect();
    matches!(first, b'$' | b'{' | b'<' | b'[' | b'%' | b'@')
        || STANDINS.iter().any(|word| lower.starts_with(word.as_bytes()))
        || value.windows(2).any(|pair| pair == b"${" || pair == b"{{")
        || keys::distinct(value) < 3
}

fn is_password(value: &[u8]) -> bool {
    if !(PASSWORD_MIN..=128).contains(&value.len())
        || is_standin(value)
        || value.windows(3).any(|w| w == b"://")
    {
        return false;
    }
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let is_mark = |byte: &&u8| {
        matches!(**byte, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'~' | b'+' | b'?')
    };
    let marks = value.iter().filter(is_mark).count();
    let ends_a_sentence = marks == 1 && digits == 0 && value.ends_with(b"!");
    (digits > 0 && letters > 0)
        || (marks > 0 && letters > 0 && !ends_a_sentence)
        || (digits >= 6 && letters == 0 && digits == value.len())
}

fn is_token(value: &[u8]) -> bool {
    let is_part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'.' | b'~' | b':')
    };
    if value.len() < TOKEN_MIN || !value.iter().all(is_part) || is_standin(value) || value.starts_with(b"/") {
        return false;
    }
    let parts = value.split(|byte| !byte.is_ascii_alphanumeric());
    let mixed = parts.filter(|part| part.len() >= 6).any(|part| {
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
        digits > 0 && digits < part.len()
    });
    let is_address = value.windows(3).any(|window| window == b"://");
    mixed && !is_address && keys::distinct(value) >= 10
}
