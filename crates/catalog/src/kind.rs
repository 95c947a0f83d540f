//! What a value in a file can be: how it is read, and how JSON Schema says it.

use serde_json::json;
use toml::de::DeValue;
use types::{Money, PriceKind, Quote, Rate};

use crate::claim::Rule;
use crate::model::{Modality, Purpose};
use crate::problem::Flaw;

/// The longest text of a file, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// The quantizations that endpoints state.
const QUANTIZATIONS: [&str; 11] =
    ["int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32"];

/// A reader of values with the schema of what it accepts.
pub(crate) struct Kind<T> {
    pub(crate) read: fn(&DeValue<'_>) -> Result<T, Flaw>,
    pub(crate) schema: fn() -> serde_json::Value,
}

pub(crate) const TEXT: Kind<String> = Kind { read: text, schema: || json!({"type": "string"}) };
pub(crate) const TEXTS: Kind<Vec<String>> =
    Kind { read: texts, schema: || json!({"type": "array", "items": {"type": "string"}}) };
pub(crate) const URL: Kind<String> =
    Kind { read: url, schema: || json!({"type": "string", "format": "uri"}) };
pub(crate) const DATE: Kind<String> =
    Kind { read: date, schema: || json!({"type": "string", "pattern": "^\\d{4}(-\\d{2}(-\\d{2})?)?$"}) };
pub(crate) const BOOL: Kind<bool> = Kind { read: boolean, schema: || json!({"type": "boolean"}) };
pub(crate) const COUNT: Kind<u64> = Kind { read: count, schema: || json!({"type": "integer", "minimum": 0}) };
pub(crate) const DECIMAL: Kind<String> =
    Kind { read: decimal, schema: || json!({"type": "string", "pattern": "^-?\\d+(\\.\\d+)?$"}) };
pub(crate) const COUNTRY: Kind<String> =
    Kind { read: country, schema: || json!({"type": "string", "pattern": "^[A-Z]{2}$"}) };
pub(crate) const COUNTRIES: Kind<Vec<String>> = Kind {
    read: countries,
    schema: || json!({"type": "array", "items": {"type": "string", "pattern": "^[A-Z]{2}$"}}),
};
pub(crate) const QUANTIZATION: Kind<String> =
    Kind { read: quantization, schema: || json!({"enum": QUANTIZATIONS}) };
pub(crate) const INPUTS: Kind<Vec<Modality>> = Kind {
    read: inputs,
    schema: || json!({"type": "array", "items": {"enum": names(&Modality::INPUTS, Modality::name)}}),
};
pub(crate) const OUTPUTS: Kind<Vec<Modality>> = Kind {
    read: outputs,
    schema: || json!({"type": "array", "items": {"enum": names(&Modality::OUTPUTS, Modality::name)}}),
};
pub(crate) const PURPOSE: Kind<Purpose> =
    Kind { read: purpose, schema: || json!({"enum": names(Purpose::ALL, Purpose::name)}) };

fn bad(message: impl Into<String>) -> Flaw {
    Flaw::new("bad-value", message)
}

/// The names of a closed set.
pub(crate) fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|item| name(*item)).collect()
}

/// Non-empty text without control characters.
pub(crate) fn text(value: &DeValue<'_>) -> Result<String, Flaw> {
    let text = value.as_str().ok_or_else(|| bad("must be text"))?;
    if text.trim().is_empty() {
        return Err(bad("is empty; leave the key out when it is unknown"));
    }
    if text.len() > TEXT_BYTES_MAX || text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(bad(format!("must be at most {TEXT_BYTES_MAX} bytes without control characters")));
    }
    Ok(text.to_owned())
}

fn each<T>(value: &DeValue<'_>, read: fn(&DeValue<'_>) -> Result<T, Flaw>) -> Result<Vec<T>, Flaw> {
    let items = value.as_array().ok_or_else(|| bad("must be an array"))?;
    items.iter().map(|item| read(item.get_ref())).collect()
}

fn texts(value: &DeValue<'_>) -> Result<Vec<String>, Flaw> {
    each(value, text)
}

fn url(value: &DeValue<'_>) -> Result<String, Flaw> {
    let text = text(value)?;
    check_url(&text).map_err(bad)?;
    Ok(text)
}

/// An `http` or `https` address; `${NAME}` may stand anywhere in it.
pub(crate) fn check_url(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let well_formed = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if !well_formed || text.chars().any(char::is_whitespace) {
        return Err("must be an address that begins with https:// or http://".to_owned());
    }
    Ok(())
}

/// The address of an API: calls append their path, so it has no slash at its end.
pub(crate) fn base_url(value: &DeValue<'_>) -> Result<String, Flaw> {
    let text = url(value)?;
    check_base_url(&text).map_err(bad)?;
    Ok(text)
}

/// As [`base_url`], for configuration.
pub(crate) fn check_base_url(text: &str) -> Result<(), String> {
    check_url(text)?;
    if text.ends_with('/') || text.contains(['?', '#']) {
        return Err("must have no `/` at its end, no query and no fragment".to_owned());
    }
    Ok(())
}

fn date(value: &DeValue<'_>) -> Result<String, Flaw> {
    let text = value.as_str().filter(|text| day(text).is_some());
    text.map(str::to_owned).ok_or_else(|| {
        Flaw::new("bad-date", "must be a date as text: \"2026\", \"2026-03\" or \"2026-03-16\"")
    })
}

/// The day since 1970 on which a date begins; a year or month begins on its first day.
pub(crate) fn day(text: &str) -> Option<i64> {
    let full = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        10 => text.to_owned(),
        _ => return None,
    };
    let shape = full.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    if !shape {
        return None;
    }
    let date: jiff::civil::Date = full.parse().ok()?;
    let epoch = jiff::civil::date(1970, 1, 1);
    Some(i64::from(date.since(epoch).ok()?.get_days()))
}

fn boolean(value: &DeValue<'_>) -> Result<bool, Flaw> {
    value.as_bool().ok_or_else(|| bad("must be true or false"))
}

/// A count that JSON readers can hold exactly.
pub(crate) fn count(value: &DeValue<'_>) -> Result<u64, Flaw> {
    const MAX: u64 = 1 << 53;
    let integer = value.as_integer().ok_or_else(|| bad("must be a whole number"))?;
    let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
    number.filter(|n| *n <= MAX).ok_or_else(|| bad(format!("must be between 0 and {MAX}")))
}

fn decimal(value: &DeValue<'_>) -> Result<String, Flaw> {
    let refused = || bad("must be a decimal as text, such as \"34.9\"");
    let text = value.as_str().ok_or_else(refused)?;
    text.parse::<Money>().map_err(|_| refused())?;
    Ok(text.to_owned())
}

fn country(value: &DeValue<'_>) -> Result<String, Flaw> {
    let text = value.as_str().filter(|text| text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()));
    text.map(str::to_owned).ok_or_else(|| bad("must be two capital letters of ISO 3166, such as \"FR\""))
}

fn countries(value: &DeValue<'_>) -> Result<Vec<String>, Flaw> {
    each(value, country)
}

/// One of a closed set of names.
pub(crate) fn one_of<T: Copy>(
    value: &DeValue<'_>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Flaw> {
    let text = value.as_str().unwrap_or_default();
    all.iter().copied().find(|item| name(*item) == text).ok_or_else(|| {
        let allowed: Vec<&str> = all.iter().map(|item| name(*item)).collect();
        bad(format!("must be one of: {}", allowed.join(", ")))
    })
}

/// True for a quantization that endpoints state.
pub(crate) fn is_quantization(text: &str) -> bool {
    QUANTIZATIONS.contains(&text)
}

fn quantization(value: &DeValue<'_>) -> Result<String, Flaw> {
    one_of(value, &QUANTIZATIONS, |name| name).map(str::to_owned)
}

fn modalities(value: &DeValue<'_>, allowed: &[Modality]) -> Result<Vec<Modality>, Flaw> {
    let items = value.as_array().ok_or_else(|| bad("must be an array"))?;
    let read: Result<Vec<Modality>, Flaw> =
        items.iter().map(|item| one_of(item.get_ref(), allowed, Modality::name)).collect();
    let mut read = read?;
    let count = read.len();
    read.sort_unstable();
    read.dedup();
    if read.is_empty() || read.len() != count {
        return Err(bad("must name at least one modality, each once"));
    }
    Ok(read)
}

fn inputs(value: &DeValue<'_>) -> Result<Vec<Modality>, Flaw> {
    modalities(value, &Modality::INPUTS)
}

fn outputs(value: &DeValue<'_>) -> Result<Vec<Modality>, Flaw> {
    modalities(value, &Modality::OUTPUTS)
}

fn purpose(value: &DeValue<'_>) -> Result<Purpose, Flaw> {
    one_of(value, Purpose::ALL, Purpose::name)
}

/// The rule of a claim with dissent.
pub(crate) fn rule(value: &DeValue<'_>) -> Result<Rule, Flaw> {
    one_of(value, Rule::ALL, Rule::name)
}

/// The highest input or output price that is believed. Above it somebody mixed up per token, per thousand and per
/// million.
const PRICE_USD_PER_MTOK_MAX: i64 = 2_000;

/// A price: decimal text, or `unknown`.
pub(crate) fn quote(kind: PriceKind, text: &str) -> Result<Quote, Flaw> {
    if text == "unknown" {
        return Ok(Quote::Unknown);
    }
    let rate = if kind.is_per_unit() { Rate::parse_per_unit(text) } else { Rate::parse_per_million(text) };
    let rate = rate.map_err(|error| Flaw::new("price-not-decimal", format!("is no price: {error}")))?;
    let banded = matches!(kind, PriceKind::Input | PriceKind::Output);
    if banded && rate.nanos_per_million() > Money::from_usd(PRICE_USD_PER_MTOK_MAX).nanos() {
        let message = format!(
            "is above {PRICE_USD_PER_MTOK_MAX} USD per million tokens; per token and per million mixed up?"
        );
        return Err(Flaw::new("price-band", message));
    }
    Ok(Quote::Known(rate))
}

/// True for lower-case ids of letters, digits, `.`, `_` and `-` that begin with a letter or digit.
pub(crate) fn is_id(text: &str) -> bool {
    const BYTES_MAX: usize = 128;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    text.len() <= BYTES_MAX
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && text.bytes().all(allowed)
}
