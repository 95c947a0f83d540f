//! What each kind looks like. A detector is asked at one place, looks ahead as far as it must and back [`BEHIND_BYTES`] at most,
//! and decides by that alone.
//!
//! Whatever checks itself is checked: card numbers and national numbers by their check digits, account numbers by theirs,
//! our own keys by their checksum. What does not needs a form of its own, or a word before it that says what it is.
//!
//! [`BEHIND_BYTES`]: crate::lexer::BEHIND_BYTES

pub(crate) mod assigned;
mod banking;
mod email;
mod key_forms;
mod keys;
mod national;
mod network;
mod numbers;
mod phone;

use crate::kind::Kind;
use crate::lexer::Window;

/// Something that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Which kinds are looked for, by their index.
type On = [bool; Kind::COUNT];

fn is_on(on: &On, kind: Kind) -> bool {
    on.get(kind.index()).copied().unwrap_or(false)
}

fn any_secret(on: &On) -> bool {
    [Kind::ApiKey, Kind::Jwt, Kind::Password].iter().any(|kind| is_on(on, *kind))
}

/// `find` as a finding of a kind, where that is looked for.
fn tried(on: &On, kind: Kind, find: impl FnOnce() -> Option<(usize, usize)>) -> Option<Hit> {
    if !is_on(on, kind) {
        return None;
    }
    find().map(|(start, end)| Hit { kind, start, end })
}

/// At the first letter of a word.
pub(crate) fn at_letter(text: &Window<'_>, at: usize, byte: u8, on: &On) -> Option<Hit> {
    let keyed = || keys::find(text, at, byte).filter(|hit| is_on(on, hit.kind));
    keyed()
        .or_else(|| if any_secret(on) { assigned::after_is(text, at, byte, on) } else { None })
        .or_else(|| tried(on, Kind::Iban, || banking::iban(text, at)))
        .or_else(|| tried(on, Kind::NationalId, || national::at_letter(text, at)))
        .or_else(|| tried(on, Kind::IpAddress, || network::version_6(text, at)))
        .or_else(|| tried(on, Kind::Email, || email::find(text, at)))
}

/// At the first digit of a number.
pub(crate) fn at_digit(text: &Window<'_>, at: usize, on: &On) -> Option<Hit> {
    tried(on, Kind::CreditCard, || banking::card(text, at))
        .or_else(|| tried(on, Kind::Ssn, || national::ssn(text, at)))
        .or_else(|| tried(on, Kind::NationalId, || national::at_digit(text, at)))
        .or_else(|| tried(on, Kind::IpAddress, || network::version_4(text, at)))
        .or_else(|| tried(on, Kind::IpAddress, || network::version_6(text, at)))
        .or_else(|| tried(on, Kind::ApiKey, || keys::telegram(text, at)))
        .or_else(|| tried(on, Kind::Phone, || phone::at_digit(text, at)))
        .or_else(|| tried(on, Kind::Email, || email::find(text, at)))
}

/// At a mark that may say what follows.
pub(crate) fn at_mark(text: &Window<'_>, at: usize, byte: u8, on: &On) -> Option<Hit> {
    match byte {
        b'+' => tried(on, Kind::Phone, || phone::international(text, at)),
        b'(' => tried(on, Kind::Phone, || phone::at_bracket(text, at)),
        b'-' => tried(on, Kind::PrivateKey, || keys::pem(text, at)),
        _ if any_secret(on) => assigned::after_mark(text, at, byte, on),
        _ => None,
    }
}
