//! JSON of feeds, field by field. Numbers are read from their text, never through a float, and what nobody asks for is counted.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use types::{PriceKind, Quote, Rate};

use super::{FeedError, Tally};
use crate::kind;

/// The digits that every binary float keeps. A decimal that is longer than any of a price was written from a float and is rounded
/// to so many.
const FLOAT_DIGITS: usize = 15;

/// An object of a feed whose fields are taken out one by one.
pub(crate) struct Fields<'t> {
    map: BTreeMap<String, &'t RawValue>,
    /// The entry, as errors name it.
    pub(crate) at: String,
    /// What kind of object it is, as counts of unknown fields name it.
    what: &'static str,
}

/// The items of an object, in their order of ids.
pub(crate) fn object<'t>(raw: &'t RawValue, at: &str) -> Result<BTreeMap<String, &'t RawValue>, FeedError> {
    serde_json::from_str(raw.get()).map_err(|_| FeedError::new(at, "must be an object"))
}

/// The items of a list.
pub(crate) fn list<'t>(raw: &'t RawValue, at: &str) -> Result<Vec<&'t RawValue>, FeedError> {
    serde_json::from_str(raw.get()).map_err(|_| FeedError::new(at, "must be a list"))
}

/// A whole feed.
pub(crate) fn document(text: &str) -> Result<&RawValue, FeedError> {
    serde_json::from_str(text).map_err(|error| FeedError::new("the feed", format!("is not JSON: {error}")))
}

impl<'t> Fields<'t> {
    pub(crate) fn new(raw: &'t RawValue, what: &'static str, at: &str) -> Result<Fields<'t>, FeedError> {
        Ok(Fields { map: object(raw, at)?, at: at.to_owned(), what })
    }

    /// A field that is there and not `null`.
    pub(crate) fn raw(&mut self, key: &str) -> Option<&'t RawValue> {
        self.map.remove(key).filter(|raw| raw.get() != "null")
    }

    pub(crate) fn bad(&self, key: &str, message: &str) -> FeedError {
        FeedError::new(&self.at, format!("`{key}` {message}"))
    }

    fn parsed<T: serde::de::DeserializeOwned>(
        &mut self,
        key: &str,
        must: &str,
    ) -> Result<Option<T>, FeedError> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| self.bad(key, must))
    }

    /// Text without control characters; empty is absent.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, FeedError> {
        let text: Option<String> = self.parsed(key, "must be text")?;
        let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        if text.as_deref().is_some_and(|text| text.len() > 4_096 || text.contains(|c: char| c.is_control())) {
            return Err(self.bad(key, "must be at most 4096 bytes without control characters"));
        }
        Ok(text)
    }

    pub(crate) fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>, FeedError> {
        self.parsed(key, "must be a list of texts")
    }

    pub(crate) fn flag(&mut self, key: &str) -> Result<Option<bool>, FeedError> {
        self.parsed(key, "must be true or false")
    }

    /// A count of tokens. Feeds write whole numbers as `262144`, `262144.0` and `"262144"`.
    pub(crate) fn count(&mut self, key: &str) -> Result<Option<u64>, FeedError> {
        const MAX: u64 = 1 << 53;
        let Some(number) = self.decimal(key)? else { return Ok(None) };
        let whole = number.whole().filter(|n| *n <= MAX);
        whole.map(Some).ok_or_else(|| self.bad(key, "must be a whole number of tokens"))
    }

    /// A date; what is no date is refused.
    pub(crate) fn date(&mut self, key: &str) -> Result<Option<String>, FeedError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        // Some write an instant: its day counts.
        let day = text.split_once('T').map_or(text.as_str(), |(day, _)| day).to_owned();
        if kind::day(&day).is_none() {
            return Err(self.bad(key, "must be a date, such as \"2026-03-16\""));
        }
        Ok(Some(day))
    }

    /// A decimal, written as a number or as text.
    pub(crate) fn decimal(&mut self, key: &str) -> Result<Option<Decimal>, FeedError> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        decimal(raw).map(Some).ok_or_else(|| self.bad(key, "must be a decimal"))
    }

    /// A price. `shift`: how many digits stand between its unit and nano-dollars per million.
    pub(crate) fn price(
        &mut self,
        key: &str,
        kind: PriceKind,
        shift: i32,
        tally: &mut Tally,
    ) -> Result<Option<Quote>, FeedError> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        quote(raw, kind, shift, tally).map(Some).map_err(|message| self.bad(key, &message))
    }

    pub(crate) fn object(&mut self, key: &str, what: &'static str) -> Result<Option<Fields<'t>>, FeedError> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        Fields::new(raw, what, &self.at).map(Some).map_err(|_| self.bad(key, "must be an object"))
    }

    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<&'t RawValue>, FeedError> {
        let Some(raw) = self.raw(key) else { return Ok(Vec::new()) };
        list(raw, &self.at).map_err(|_| self.bad(key, "must be a list"))
    }

    /// Fields that are known and that no fact of a catalog is made of.
    pub(crate) fn no_place(&mut self, keys: &[&str], tally: &mut Tally) {
        for key in keys {
            if self.map.remove(*key).is_some_and(|raw| raw.get() != "null") {
                *tally.no_place.entry(format!("{}.{key}", self.what)).or_default() += 1;
            }
        }
    }

    /// Everything that nobody took is unknown.
    pub(crate) fn finish(self, tally: &mut Tally) {
        for key in self.map.into_keys() {
            let key: String = key.chars().take(80).collect();
            *tally.unknown.entry(format!("{}.{key}", self.what)).or_default() += 1;
        }
    }
}

/// A decimal as it was written: `digits` x 10^-`scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) negative: bool,
    digits: String,
    scale: i32,
}

/// Reads `0.15`, `1.5e-07` or either as text.
pub(crate) fn decimal(raw: &RawValue) -> Option<Decimal> {
    let text = raw.get();
    match serde_json::from_str::<String>(text) {
        Ok(text) => Decimal::parse(text.trim()),
        Err(_) => Decimal::parse(text),
    }
}

/// A price as nano-dollars per million, exactly; the error says what is wrong with it.
pub(crate) fn quote(raw: &RawValue, kind: PriceKind, shift: i32, tally: &mut Tally) -> Result<Quote, String> {
    let number = decimal(raw).ok_or("must be a decimal")?;
    if number.negative && !number.is_zero() {
        return Err(format!("is a negative price: {}", raw.get()));
    }
    let rate = match number.rate(shift) {
        Some(rate) => rate,
        None => {
            let rounded = number.rounded().and_then(|number| number.rate(shift));
            tally.rounded += 1;
            rounded.ok_or_else(|| format!("is no price that can be billed exactly: {}", raw.get()))?
        }
    };
    let text = if kind.is_per_unit() { rate.per_unit() } else { rate.per_million() };
    kind::quote(kind, &text).map_err(|flaw| flaw.message)
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all = format!("{whole}{fraction}");
        if whole.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) || all.len() > 60 {
            return None;
        }
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let digits = all.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        let cut = i32::try_from(digits.len() - kept.len()).ok()?;
        Some(Decimal { negative, digits: kept.to_owned(), scale: scale.checked_sub(cut)? })
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Times 10^`shift`, where that is a whole number.
    fn shifted(&self, shift: i32) -> Option<u128> {
        if self.is_zero() {
            return Some(0);
        }
        let power = u32::try_from(shift.checked_sub(self.scale)?).ok()?;
        self.digits.parse::<u128>().ok()?.checked_mul(10u128.checked_pow(power)?)
    }

    fn whole(&self) -> Option<u64> {
        if self.negative && !self.is_zero() { None } else { u64::try_from(self.shifted(0)?).ok() }
    }

    fn rate(&self, shift: i32) -> Option<Rate> {
        Rate::from_nanos_per_million(i64::try_from(self.shifted(shift)?).ok()?)
    }

    /// What a float of so many digits was written for; `None` for shorter ones, which mean what they say.
    fn rounded(&self) -> Option<Decimal> {
        let cut = self.digits.len().checked_sub(FLOAT_DIGITS).filter(|cut| *cut > 0)?;
        let (kept, rest) = self.digits.split_at(FLOAT_DIGITS);
        let up = rest.as_bytes().first().is_some_and(|digit| *digit >= b'5');
        let number = kept.parse::<u64>().ok()?.checked_add(u64::from(up))?;
        let scale = self.scale.checked_sub(i32::try_from(cut).ok()?)?;
        Decimal::parse(&format!("{number}e{}", -scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_whatever_way_they_are_written() {
        let per_token = 15;
        let rows = [
            ("1.5e-07", per_token, Some("0.15"), 0),
            ("\"0.00000015\"", per_token, Some("0.15"), 0),
            ("1.5E-7", per_token, Some("0.15"), 0),
            ("2e-06", per_token, Some("2"), 0),
            ("0.0", per_token, Some("0"), 0),
            ("-0.0", per_token, Some("0"), 0),
            ("0.15", 9, Some("0.15"), 0),
            ("3", 9, Some("3"), 0),
            ("5.46875e-07", per_token, Some("0.546875"), 0),
            // Written from floats: the sixteenth digit is noise.
            ("1.2500000000000001e-06", per_token, Some("1.25"), 1),
            ("7.999999999999999e-07", per_token, Some("0.8"), 1),
            ("0.19999999999999998", 9, Some("0.2"), 1),
            // More digits than a bill has, and no noise.
            ("0.1234567891", 9, None, 1),
            ("1e-16", per_token, None, 1),
            ("-1", 9, None, 0),
            ("2001", 9, None, 0),
            ("1e40", 9, None, 1),
            ("\"free\"", 9, None, 0),
            ("1e99999999999", 9, None, 0),
            ("true", 9, None, 0),
        ];
        for (text, shift, wanted, rounded) in rows {
            let raw: &RawValue = serde_json::from_str(text).unwrap();
            let mut tally = Tally::default();
            let found = quote(raw, PriceKind::Input, shift, &mut tally);
            let text_of = |quote: Quote| quote.rate().map(Rate::per_million);
            assert_eq!(found.ok().and_then(text_of).as_deref(), wanted, "{text}");
            assert_eq!(tally.rounded, rounded, "{text}");
        }
    }

    #[test]
    fn fields_that_nobody_takes_are_counted() {
        let text = r#"{"a": 1.0, "b": "x", "c": null, "d": {}, "e": [1]}"#;
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        let mut tally = Tally::default();
        let mut fields = Fields::new(raw, "model", "p/m").unwrap();
        assert_eq!(fields.count("a").unwrap(), Some(1));
        assert!(fields.flag("b").unwrap_err().to_string().contains("`p/m`: `b` must be true or false"));
        fields.no_place(&["c", "d", "z"], &mut tally);
        fields.finish(&mut tally);
        assert_eq!(tally.no_place.into_iter().collect::<Vec<_>>(), [("model.d".to_owned(), 1)]);
        assert_eq!(tally.unknown.into_iter().collect::<Vec<_>>(), [("model.e".to_owned(), 1)]);
    }
}
