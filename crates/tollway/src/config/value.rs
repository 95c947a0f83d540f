//! From a raw value, as a file or a variable has it, to the place where a key puts it.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};
use toml::Spanned;
use toml::de::DeValue;
use types::{PriceKind, Rate, SecretString};

use super::keys::{Key, Kind, Preset, model_keys, parse_size};
use super::money::Row;
use super::problem::{Place, Problem, What, nearest};
use super::settings::{ModelConfig, without_credentials};

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) raw: Raw,
}

/// A value before its key was asked what it should be.
#[derive(Clone)]
pub(super) enum Raw {
    /// A variable's value, which is text whatever it means.
    Loose(String),
    Text(String),
    /// As written, so that no float is made of it.
    Integer(String),
    Float(String),
    Flag(bool),
    Date(String),
    List(Vec<Spot>),
    Table(Vec<(String, Spot)>),
}

/// Raw values may be secrets.
impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Raw(..)")
    }
}

/// A value that its key refuses.
struct Refused;

impl Spot {
    /// Takes a TOML value over, with the places that `place` finds for spans.
    pub(super) fn of(value: &Spanned<DeValue<'_>>, place: &dyn Fn(std::ops::Range<usize>) -> Place) -> Spot {
        let raw = match value.get_ref() {
            DeValue::String(text) => Raw::Text(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => {
                Raw::Integer(number.as_str().replace('_', ""))
            }
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(value) => Raw::Integer(value.to_string()),
                Err(_) => Raw::Integer(number.as_str().to_owned()),
            },
            DeValue::Float(number) => Raw::Float(number.as_str().to_owned()),
            DeValue::Boolean(flag) => Raw::Flag(*flag),
            DeValue::Datetime(date) => Raw::Date(date.to_string()),
            DeValue::Array(items) => Raw::List(items.iter().map(|item| Spot::of(item, place)).collect()),
            DeValue::Table(table) => Raw::Table(
                table
                    .iter()
                    .map(|(key, value)| (key.get_ref().to_string(), Spot::of(value, place)))
                    .collect(),
            ),
        };
        Spot { place: place(value.span()), raw }
    }

    /// A variable's value as the structured TOML that it must be, with the variable as place of every part.
    fn structured(&self) -> Option<Spot> {
        let Raw::Loose(text) = &self.raw else { return Some(self.clone()) };
        let value = DeValue::parse(text).ok()?;
        Some(Spot::of(&value, &|_| self.place.clone()))
    }
}

impl Raw {
    fn shown(&self) -> String {
        const CHARS_MAX: usize = 80;
        let text = match self {
            Raw::Loose(text) | Raw::Text(text) => format!("{:?}", without_credentials(text)),
            Raw::Integer(text) | Raw::Float(text) | Raw::Date(text) => text.clone(),
            Raw::Flag(flag) => flag.to_string(),
            Raw::List(items) => {
                let items: Vec<String> = items.iter().map(|item| item.raw.shown()).collect();
                format!("[{}]", items.join(", "))
            }
            Raw::Table(_) => "a table".to_owned(),
        };
        let short: String = text.chars().take(CHARS_MAX).collect();
        if short.len() < text.len() { format!("{short}...") } else { short }
    }

    fn text(&self) -> Result<&str, Refused> {
        match self {
            Raw::Loose(text) | Raw::Text(text) => Ok(text),
            _ => Err(Refused),
        }
    }

    fn flag(&self) -> Result<bool, Refused> {
        match self {
            Raw::Flag(flag) => Ok(*flag),
            Raw::Loose(text) => text.parse().map_err(|_| Refused),
            _ => Err(Refused),
        }
    }

    fn number(&self) -> Result<u64, Refused> {
        match self {
            Raw::Integer(text) => text.parse().map_err(|_| Refused),
            Raw::Loose(text) => text.trim().parse().map_err(|_| Refused),
            _ => Err(Refused),
        }
    }

    fn bytes(&self) -> Result<u64, Refused> {
        match self {
            Raw::Loose(text) | Raw::Text(text) => parse_size(text.trim()).ok_or(Refused),
            _ => self.number(),
        }
    }

    fn list(&self) -> Result<Vec<String>, Refused> {
        match self {
            Raw::List(items) => items.iter().map(|item| item.raw.text().map(str::to_owned)).collect(),
            Raw::Loose(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(str::to_owned)
                .collect()),
            _ => Err(Refused),
        }
    }
}

/// Puts what `spot` holds, or the key's default, where the key belongs. `path` is the key's path as its user wrote it.
pub(super) fn set<T>(
    key: &Key<T>,
    path: &str,
    spot: Option<&Spot>,
    into: &mut T,
    problems: &mut Vec<Problem>,
) {
    let preset;
    let spot = match (spot, key.preset) {
        (Some(spot), _) => spot,
        (None, Preset::Value(text)) => {
            preset = Spot { place: Place::Default, raw: Raw::Loose(text.to_owned()) };
            &preset
        }
        (None, Preset::Unset(_)) => return,
    };
    if try_set(key, path, spot, into, problems).is_err() {
        let shown = (!key.is_secret()).then(|| spot.raw.shown());
        let what = What::Bad { shown, allowed: key.allowed() };
        problems.push(Problem { place: spot.place.clone(), key: path.to_owned(), what });
    }
}

fn try_set<T>(
    key: &Key<T>,
    path: &str,
    spot: &Spot,
    into: &mut T,
    problems: &mut Vec<Problem>,
) -> Result<(), Refused> {
    let ensure = |good: bool| if good { Ok(()) } else { Err(Refused) };
    let within =
        |value: u64, min: u64, max: u64| if (min..=max).contains(&value) { Ok(value) } else { Err(Refused) };
    match &key.kind {
        Kind::Flag(put) => put(into, spot.raw.flag()?),
        Kind::Number { min, max, set } => set(into, within(spot.raw.number()?, *min, *max)?),
        Kind::Bytes { min, max, set } => set(into, within(spot.raw.bytes()?, *min, *max)?),
        Kind::Choice { allowed, set } => {
            let text = spot.raw.text()?;
            ensure(allowed.contains(&text))?;
            set(into, text);
        }
        Kind::Text { set, .. } => ensure(set(into, spot.raw.text()?))?,
        Kind::Secret { set, .. } => ensure(set(into, SecretString::from(spot.raw.text()?)))?,
        Kind::List { set, .. } => ensure(set(into, &list(spot)?))?,
        Kind::Secrets { set, .. } => {
            // One secret needs no brackets.
            let all = match &spot.raw {
                Raw::Text(one) => vec![one.clone()],
                _ => list(spot)?,
            };
            ensure(set(into, all.into_iter().map(SecretString::from).collect()))?;
        }
        Kind::Tables { set, .. } => {
            let spot = spot.structured().ok_or(Refused)?;
            let Raw::List(items) = &spot.raw else { return Err(Refused) };
            let rows = items.iter().map(|item| texts(&table(item)?)).collect::<Result<Vec<_>, _>>()?;
            ensure(set(into, &rows))?;
        }
        Kind::Texts { set, .. } => ensure(set(into, &texts(&table(spot)?)?.into_iter().collect()))?,
        Kind::Headers(put) => put(into, headers(path, &table(spot)?, problems)),
        Kind::Prices(put) => put(into, prices(path, &table(spot)?, problems)),
        Kind::Models(put) => {
            let spot = spot.structured().ok_or(Refused)?;
            let Raw::List(items) = &spot.raw else { return Err(Refused) };
            let tables: Vec<_> =
                items.iter().map(|item| Ok((&item.place, table(item)?))).collect::<Result<_, _>>()?;
            put(into, models(path, &tables, problems));
        }
    }
    Ok(())
}

/// A list in TOML, or in a variable also as texts between commas.
fn list(spot: &Spot) -> Result<Vec<String>, Refused> {
    match &spot.raw {
        Raw::Loose(text) if text.trim_start().starts_with('[') => {
            spot.structured().ok_or(Refused)?.raw.list()
        }
        raw => raw.list(),
    }
}

fn table(spot: &Spot) -> Result<Vec<(String, Spot)>, Refused> {
    match spot.structured().ok_or(Refused)?.raw {
        Raw::Table(entries) => Ok(entries),
        _ => Err(Refused),
    }
}

/// The values of a table, all of them texts.
fn texts(entries: &[(String, Spot)]) -> Result<Row, Refused> {
    entries.iter().map(|(name, spot)| Ok((name.clone(), spot.raw.text()?.to_owned()))).collect()
}

fn headers(
    path: &str,
    entries: &[(String, Spot)],
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, SecretString> {
    // These are the connection's own: setting them would break the framing of the request.
    const REFUSED: [&str; 4] = ["host", "content-length", "connection", "transfer-encoding"];
    let mut out = BTreeMap::new();
    for (name, spot) in entries {
        let value = spot.raw.text().ok().filter(|value| HeaderValue::from_str(value).is_ok());
        let plain =
            HeaderName::try_from(name.as_str()).is_ok() && !REFUSED.contains(&name.to_lowercase().as_str());
        match value {
            Some(value) if plain => {
                out.insert(name.clone(), SecretString::from(value));
            }
            _ => {
                let allowed = "a header's name and text value, except Host, Content-Length, Connection and \
                               Transfer-Encoding"
                    .to_owned();
                let what = What::Bad { shown: None, allowed };
                problems.push(Problem { place: spot.place.clone(), key: format!("{path}.{name}"), what });
            }
        }
    }
    out
}

fn prices(path: &str, entries: &[(String, Spot)], problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (name, spot) in entries {
        let key = format!("{path}.{name}");
        let Some(kind) = PriceKind::ALL.into_iter().find(|kind| kind.file_key() == name) else {
            let known = PriceKind::ALL.map(PriceKind::file_key);
            let nearest = nearest(name, known).map(str::to_owned);
            let what = What::Unknown { nearest, allowed: known.join(", ") };
            problems.push(Problem { place: spot.place.clone(), key, what });
            continue;
        };
        let read = if kind.is_per_unit() { Rate::parse_per_unit } else { Rate::parse_per_million };
        let allowed = match &spot.raw {
            Raw::Text(text) if text == "unknown" || read(text).is_ok() => {
                out.insert(name.clone(), text.clone());
                continue;
            }
            Raw::Integer(number) | Raw::Float(number) => {
                format!("decimal text; write it with quotes: `{name} = \"{number}\"`")
            }
            _ => "dollars in decimal text such as \"0.15\", \"0\" for free, or \"unknown\"".to_owned(),
        };
        let what = What::Bad { shown: Some(spot.raw.shown()), allowed };
        problems.push(Problem { place: spot.place.clone(), key, what });
    }
    out
}

type Table<'a> = (&'a Place, Vec<(String, Spot)>);

fn models(path: &str, tables: &[Table<'_>], problems: &mut Vec<Problem>) -> Vec<ModelConfig> {
    let mut out: Vec<ModelConfig> = Vec::with_capacity(tables.len());
    for (at, (place, entries)) in tables.iter().enumerate() {
        let mut model = ModelConfig::default();
        let path = format!("{path}[{at}]");
        for (name, spot) in entries {
            let key_path = format!("{path}.{name}");
            match model_keys().iter().find(|key| key.name() == name) {
                Some(key) => set(key, &key_path, Some(spot), &mut model, problems),
                None => {
                    let known: Vec<&str> = model_keys().iter().map(Key::name).collect();
                    let nearest = nearest(name, known.iter().copied()).map(str::to_owned);
                    let what = What::Unknown { nearest, allowed: known.join(", ") };
                    problems.push(Problem { place: spot.place.clone(), key: key_path, what });
                }
            }
        }
        let named = entries.iter().any(|(name, _)| name == "id");
        if !named {
            let why = "has no `id`; add one, such as `id = \"lab/llama-tiny\"`".to_owned();
            problems.push(Problem::rule((*place).clone(), &path, why));
        } else if out.iter().any(|other| !other.id.is_empty() && other.id == model.id) {
            let why = format!("has the same id as another model of this provider: `{}`", model.id);
            problems.push(Problem::rule((*place).clone(), &path, why));
        }
        out.push(model);
    }
    out
}
