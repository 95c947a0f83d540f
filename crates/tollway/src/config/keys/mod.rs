//! The table of keys: the one source of parsing, messages, the typed configuration and `docs/config.md`.

mod flow;
mod main;
pub(super) mod money;
mod people;
mod provider;
mod sign_in;
mod telemetry;

use std::collections::BTreeMap;

use types::SecretString;

use super::money::Row;
use super::settings::{Config, ModelConfig, ProviderConfig};
use super::sign_in::IssuerConfig;

/// What a key is when nobody sets it.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// This text, read as a variable's value would be.
    Value(&'static str),
    /// Nothing; the text says what happens then.
    Unset(&'static str),
}

/// One key. `T` is what it is part of: the whole configuration, a provider or a model.
#[derive(Debug)]
pub struct Key<T: 'static> {
    /// `server.listen`; `providers.<slug>.base_url`; `providers.<slug>.models[].id`.
    pub path: &'static str,
    /// When nobody sets it.
    pub preset: Preset,
    /// An allowed value other than the default, as a variable's value would be written.
    pub example: &'static str,
    /// What it does; sentences.
    pub doc: &'static str,
    pub(crate) kind: Kind<T>,
}

/// What a key takes, and where it goes.
#[derive(Debug)]
pub(crate) enum Kind<T: 'static> {
    /// `true` or `false`.
    Flag(fn(&mut T, bool)),
    /// A whole number.
    Number { min: u64, max: u64, set: fn(&mut T, u64) },
    /// A size: a whole number of bytes, or text with a unit.
    Bytes { min: u64, max: u64, set: fn(&mut T, u64) },
    /// One of a few words.
    Choice { allowed: &'static [&'static str], set: fn(&mut T, &str) },
    /// A text with a form. `set` answers whether the text has it.
    Text { allowed: &'static str, set: fn(&mut T, &str) -> bool },
    /// A text that is never shown. `set` answers whether the text has its form.
    Secret { allowed: &'static str, set: fn(&mut T, SecretString) -> bool },
    /// A list of texts that are never shown. `set` answers whether every one has its form.
    Secrets { allowed: &'static str, set: fn(&mut T, Vec<SecretString>) -> bool },
    /// A list of texts. `set` answers whether every one has its form.
    List { allowed: &'static str, set: fn(&mut T, &[String]) -> bool },
    /// A list of tables of texts. `set` answers whether every one has its form.
    Tables { allowed: &'static str, set: fn(&mut T, &[Row]) -> bool },
    /// A table of texts. `set` answers whether every one has its form.
    Texts { allowed: &'static str, set: fn(&mut T, &BTreeMap<String, String>) -> bool },
    /// A table of HTTP headers.
    Headers(fn(&mut T, BTreeMap<String, SecretString>)),
    /// A table of prices.
    Prices(fn(&mut T, BTreeMap<String, String>)),
    /// A list of models.
    Models(fn(&mut T, Vec<ModelConfig>)),
}

impl<T> Key<T> {
    /// What it takes, in words: `one of metered, prepaid`.
    pub fn allowed(&self) -> String {
        match &self.kind {
            Kind::Flag(_) => "true or false".to_owned(),
            Kind::Number { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::Bytes { min, max, .. } => {
                format!("a size from {} to {}, as bytes or as text such as `20 MiB`", size(*min), size(*max))
            }
            Kind::Choice { allowed, .. } => format!("one of {}", allowed.join(", ")),
            Kind::Text { allowed, .. }
            | Kind::Secret { allowed, .. }
            | Kind::Secrets { allowed, .. }
            | Kind::Tables { allowed, .. }
            | Kind::Texts { allowed, .. }
            | Kind::List { allowed, .. } => (*allowed).to_owned(),
            Kind::Headers(_) => {
                "a table of header names and text values, without Host, Content-Length, Connection and \
                 Transfer-Encoding"
                    .to_owned()
            }
            Kind::Prices(_) => {
                "a table of prices in decimal text such as `input_usd_per_mtok = \"0.15\"`".to_owned()
            }
            Kind::Models(_) => "a list of tables, each with at least `id`".to_owned(),
        }
    }

    /// Whether the value must not be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret { .. } | Kind::Secrets { .. } | Kind::Headers(_))
    }

    /// The last part of the path: `listen`.
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

/// The keys of the whole, section by section.
pub fn keys() -> impl Iterator<Item = &'static Key<Config>> + Clone {
    main::KEYS.iter().chain(money::KEYS).chain(people::KEYS).chain(flow::KEYS).chain(telemetry::KEYS)
}

/// The keys of a provider.
pub fn provider_keys() -> &'static [Key<ProviderConfig>] {
    provider::KEYS
}

/// The keys of a model that a provider adds.
pub fn model_keys() -> &'static [Key<ModelConfig>] {
    provider::MODEL_KEYS
}

/// The keys of an issuer of identities.
pub fn issuer_keys() -> &'static [Key<IssuerConfig>] {
    sign_in::KEYS
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// A size with the largest unit that divides it.
pub(crate) fn size(bytes: u64) -> String {
    [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")]
        .into_iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(|| format!("{bytes} bytes"), |(unit, name)| format!("{} {name}", bytes / unit))
}

/// Reads `1024`, `64 KiB`, `20MiB` or `2 GB`.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(digits_end)?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 1,
        "kib" => KIB,
        "mib" => MIB,
        "gib" => GIB,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_with_their_units() {
        let rows = [
            ("0", Some(0)),
            ("1024", Some(1024)),
            ("20 MiB", Some(20 * MIB)),
            ("4gib", Some(4 * GIB)),
            ("2 MB", Some(2_000_000)),
            ("", None),
            ("-1", None),
            ("1.5 MiB", None),
            ("5 pounds", None),
            ("99999999999 GiB", None),
        ];
        for (text, expect) in rows {
            assert_eq!(parse_size(text), expect, "{text}");
        }
        assert_eq!(size(20 * MIB), "20 MiB");
        assert_eq!(size(1500), "1500 bytes");
    }
}
