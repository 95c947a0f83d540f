//! Policies: routing rules that are written down, and asked for by the model name `policy/<name>`.
//!
//! ```json
//! {"strategy": "fallback", "models": [{"model": "anthropic/claude-sonnet-4.5", "retries": 2}, "tollway/auto"],
//!  "rules": [{"when": {"task": ["code"], "input_tokens_max": 8000, "tags": {"team": "blue"}},
//!             "strategy": "latency", "models": ["mistralai/devstral-2", "openai/gpt-5-mini"]}]}
//! ```
//!
//! - The first rule whose every condition holds decides; without one the policy's own `models` do.
//! - `fallback`: one model after another; `retries` tries a model so many times more, over its endpoints and then from the first
//!   again after 500 ms, 1, 2, 4 s; without `retries` each endpoint has one try. `balance`: one model is drawn by `weight`, the same
//!   for the same `trace_id` or user, and the others stand behind it. `latency`: what is likely to answer soonest, with a little
//!   doubt about what is little known. `cost`: what costs least for this request.
//! - `cache` switches the response cache for what the policy routes: `{"enabled": true, "ttl_s": 600}`. A rule's own goes before the
//!   policy's, member by member.
//! - `escalate_to` names the model that is asked, once, where an answer is found wanting by a check that costs nothing.
//! - Reading is strict: an unknown field or a bad value is refused with its place and what would be right.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};
use types::Timestamp;

use crate::random::Random;

/// Most models of a route, most rules of a policy.
pub const MODELS_MAX: usize = 32;
/// See [`MODELS_MAX`].
pub const RULES_MAX: usize = 32;
/// Most retries of one model.
pub const RETRIES_MAX: u64 = 10;
/// The pause before a model's first endpoint is tried again, milliseconds; it doubles each time up to [`BACKOFF_MAX_MS`].
pub const BACKOFF_MS: u64 = 500;
/// See [`BACKOFF_MS`].
pub const BACKOFF_MAX_MS: u64 = 4_000;
/// The longest that a policy may let an answer stand, seconds: a day.
pub const CACHE_TTL_S_MAX: u64 = 86_400;
const DAY_US: i64 = 86_400_000_000;
/// The kinds of work that a rule may name.
const TASKS: [&str; 11] = [
    "reasoning",
    "code",
    "creative",
    "rewrite",
    "chat",
    "extraction",
    "summarize",
    "translation",
    "tool_use",
    "multimodal",
    "unknown",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// For people.
    pub description: String,
    /// In order; the first that holds decides.
    pub rules: Vec<Rule>,
    /// What holds when no rule does.
    pub otherwise: Route,
    /// What of requests and answers is watched, as it was written; whoever enforces it reads it.
    pub guardrails: Option<Value>,
}

/// A condition and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// For people and records.
    pub name: String,
    /// All must hold.
    pub when: When,
    /// What is done then.
    pub route: Route,
}

/// Conditions; what is empty holds always.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// Kinds of work.
    pub tasks: Vec<String>,
    /// At least so many input tokens.
    pub input_tokens_min: Option<u64>,
    /// At most so many input tokens.
    pub input_tokens_max: Option<u64>,
    /// Free dimensions of the request.
    pub tags: BTreeMap<String, String>,
    /// Ids or names of API keys.
    pub keys: Vec<String>,
    /// Whether it declares tools.
    pub tools: Option<bool>,
    /// Minutes of the day, UTC: from, and before; over midnight where from is later.
    pub hours: Option<(u16, u16)>,
    /// Days of the week, UTC, Monday first.
    pub days: Option<[bool; 7]>,
}

/// Which models, in which manner.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The manner.
    pub strategy: Strategy,
    /// The models.
    pub models: Vec<Link>,
    /// What `balance` keeps together.
    pub sticky_by: StickyBy,
    /// Where the dial of a virtual model among them stands.
    pub dial: Option<f64>,
    /// What holds of the response cache.
    pub cache: CacheRule,
    /// The model that is asked, once, where an answer is found wanting.
    pub escalate_to: Option<String>,
}

/// What a policy says of the response cache; what it does not say is left to the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheRule {
    /// On or off.
    pub enabled: Option<bool>,
    /// How long an answer stands, seconds.
    pub ttl_s: Option<u32>,
}

impl CacheRule {
    /// This one, and where it says nothing the other.
    #[must_use]
    pub fn or(self, other: CacheRule) -> CacheRule {
        CacheRule { enabled: self.enabled.or(other.enabled), ttl_s: self.ttl_s.or(other.ttl_s) }
    }
}

/// One model of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Any model name but a policy's.
    pub model: String,
    /// Tries after the first; `None`: each endpoint once.
    pub retries: Option<u32>,
    /// Its share under `balance`, against the sum of all.
    pub weight: u32,
}

/// How a route's models are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// One after another.
    Fallback,
    /// Drawn by weight.
    Balance,
    /// What likely answers soonest.
    Latency,
    /// What costs least.
    Cost,
}

impl Strategy {
    const ALL: [(&'static str, Strategy); 4] = [
        ("fallback", Strategy::Fallback),
        ("balance", Strategy::Balance),
        ("latency", Strategy::Latency),
        ("cost", Strategy::Cost),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Strategy::ALL.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }
}

/// What is the same for calls that belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StickyBy {
    /// `trace.trace_id`, else the user.
    #[default]
    Either,
    /// `trace.trace_id` only.
    TraceId,
    /// The user only.
    UserId,
}

/// Why a policy can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", if .path.is_empty() { "the policy" } else { .path })]
pub struct PolicyError {
    /// Where: `rules[0].when.task`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// What conditions are asked about.
pub struct Situation<'a> {
    /// The kind of work; asked only when a rule names one.
    pub task: &'a dyn Fn() -> &'static str,
    /// A likely count of input tokens.
    pub input_tokens: u64,
    /// A free dimension by its name.
    pub tag: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The key's id and name.
    pub key: [&'a str; 2],
    /// Declares tools.
    pub tools: bool,
    /// When.
    pub at: Timestamp,
}

impl Policy {
    /// Reads a policy from JSON.
    pub fn read(json: &str) -> Result<Policy, PolicyError> {
        let value: Value =
            serde_json::from_str(json).map_err(|error| wrong("", &format!("is no JSON: {error}")))?;
        let map = object(&value, "")?;
        known(
            map,
            "",
            &[
                "description",
                "rules",
                "strategy",
                "models",
                "sticky_by",
                "dial",
                "cache",
                "escalate_to",
                "guardrails",
            ],
        )?;
        let description = text(map, "", "description")?.unwrap_or_default();
        let rules = list(map, "", "rules", RULES_MAX)?.unwrap_or_default();
        let mut rules =
            rules.iter().enumerate().map(|(at, rule)| read_rule(rule, at)).collect::<Result<Vec<_>, _>>()?;
        let otherwise = read_route(map, "")?;
        for rule in &mut rules {
            rule.route.cache = rule.route.cache.or(otherwise.cache);
        }
        let guardrails = map.get("guardrails").filter(|value| !value.is_null()).cloned();
        Ok(Policy { description, rules, otherwise, guardrails })
    }

    /// The route that holds in a situation, and the number of the rule that decided.
    pub fn route(&self, situation: &Situation<'_>) -> (&Route, Option<usize>) {
        let found = self.rules.iter().enumerate().find(|(_, rule)| rule.when.holds(situation));
        found.map_or((&self.otherwise, None), |(at, rule)| (&rule.route, Some(at)))
    }

    /// Every model that it names, with its place.
    pub fn models(&self) -> impl Iterator<Item = (String, &str)> {
        let routes = self.rules.iter().enumerate().map(|(at, rule)| (format!("rules[{at}]."), &rule.route));
        routes.chain([(String::new(), &self.otherwise)]).flat_map(|(path, route)| {
            let links = route.models.iter().enumerate();
            let escalates = route.escalate_to.as_deref().map(|model| (format!("{path}escalate_to"), model));
            links.map(move |(at, link)| (format!("{path}models[{at}]"), &*link.model)).chain(escalates)
        })
    }
}

impl When {
    fn holds(&self, situation: &Situation<'_>) -> bool {
        let tokens = situation.input_tokens;
        let minute = u16::try_from(situation.at.0.rem_euclid(DAY_US) / 60_000_000).unwrap_or(0);
        // The first of January 1970 was a Thursday.
        let day = usize::try_from((situation.at.0.div_euclid(DAY_US) + 3).rem_euclid(7)).unwrap_or(0);
        let within = |(from, before): (u16, u16)| match from <= before {
            true => (from..before).contains(&minute),
            false => minute >= from || minute < before,
        };
        self.input_tokens_min.is_none_or(|min| tokens >= min)
            && self.input_tokens_max.is_none_or(|max| tokens <= max)
            && self.tools.is_none_or(|tools| tools == situation.tools)
            && self.hours.is_none_or(within)
            && self.days.is_none_or(|days| days.get(day).copied().unwrap_or(false))
            && (self.keys.is_empty() || self.keys.iter().any(|key| situation.key.contains(&key.as_str())))
            && self.tags.iter().all(|(name, value)| (situation.tag)(name) == Some(value.as_str()))
            && (self.tasks.is_empty() || self.tasks.iter().any(|task| task == (situation.task)()))
    }
}

impl Route {
    /// The chance of a model to be drawn first; `None` where nothing is drawn.
    pub fn chance(&self, at: usize) -> Option<f64> {
        let sum: u64 = self.models.iter().map(|link| u64::from(link.weight)).sum();
        let weight = self.models.get(at).map_or(0, |link| link.weight);
        (self.strategy == Strategy::Balance && sum > 0).then(|| f64::from(weight) / sum as f64)
    }

    /// A hash of what calls share that belong together; `None`: nothing. Given their `trace_id` and user.
    pub fn together(&self, traced: Option<&str>, user: Option<&str>) -> Option<u64> {
        let shared = match self.sticky_by {
            StickyBy::Either => traced.or(user),
            StickyBy::TraceId => traced,
            StickyBy::UserId => user,
        }?;
        let mut hash = DefaultHasher::new();
        shared.hash(&mut hash);
        Some(hash.finish())
    }

    /// The models in the order of attempts, by their index: as written, or for `balance` the drawn one first and the others by
    /// weight behind it. `together`: a hash of what the calls share that must go to the same model.
    pub fn order(&self, together: Option<u64>, seed: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.models.len()).collect();
        if self.strategy != Strategy::Balance {
            return order;
        }
        let weight = |at: usize| self.models.get(at).map_or(0, |link| u64::from(link.weight));
        order.sort_by_key(|at| std::cmp::Reverse(weight(*at)));
        let sum: u64 = self.models.iter().map(|link| u64::from(link.weight)).sum();
        let mut left = Random::new(together.unwrap_or(seed)).unit() * sum as f64;
        let drawn = self.models.iter().position(|link| {
            left -= f64::from(link.weight);
            left < 0.0
        });
        if let Some(place) = drawn.and_then(|drawn| order.iter().position(|at| *at == drawn)) {
            order.get_mut(..=place).unwrap_or_default().rotate_right(1);
        }
        order
    }
}

/// How long to wait before a model's endpoints are tried for the `round`th time again (0: the first), milliseconds, given a draw
/// from 0 to 1: [`BACKOFF_MS`] doubled each time, a tenth more or less.
pub fn backoff_ms(round: u32, draw: f64) -> u64 {
    let base = BACKOFF_MS.saturating_mul(1 << round.min(10)).min(BACKOFF_MAX_MS);
    (base as f64 * (0.9 + 0.2 * draw.clamp(0.0, 1.0))) as u64
}

fn wrong(path: &str, problem: &str) -> PolicyError {
    PolicyError { path: path.to_owned(), problem: problem.to_owned() }
}

fn under(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn object<'v>(value: &'v Value, path: &str) -> Result<&'v Map<String, Value>, PolicyError> {
    value.as_object().ok_or_else(|| wrong(path, "must be an object"))
}

fn known(map: &Map<String, Value>, path: &str, names: &[&str]) -> Result<(), PolicyError> {
    match map.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => {
            Err(wrong(&under(path, key), &format!("is not known here; known are {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

fn text(map: &Map<String, Value>, path: &str, key: &str) -> Result<Option<String>, PolicyError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= 1_000 => Ok(Some(text.clone())),
        Some(_) => Err(wrong(&under(path, key), "must be a text of at most 1,000 bytes")),
    }
}

fn whole(map: &Map<String, Value>, path: &str, key: &str, max: u64) -> Result<Option<u64>, PolicyError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().filter(|number| *number <= max) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(&under(path, key), &format!("must be a whole number from 0 to {max}"))),
        },
    }
}

fn list<'v>(
    map: &'v Map<String, Value>,
    path: &str,
    key: &str,
    max: usize,
) -> Result<Option<&'v [Value]>, PolicyError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) if list.len() <= max => Ok(Some(list)),
        Some(_) => Err(wrong(&under(path, key), &format!("must be a list of at most {max}"))),
    }
}

/// A list of texts, or one text.
fn texts(map: &Map<String, Value>, path: &str, key: &str) -> Result<Vec<String>, PolicyError> {
    if let Some(Value::String(one)) = map.get(key) {
        return Ok(vec![one.clone()]);
    }
    let values = list(map, path, key, 64)?.unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    values
        .iter()
        .map(text)
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(&under(path, key), "must be a list of texts"))
}

fn read_rule(value: &Value, at: usize) -> Result<Rule, PolicyError> {
    let path = format!("rules[{at}]");
    let map = object(value, &path)?;
    known(map, &path, &["name", "when", "strategy", "models", "sticky_by", "dial", "cache", "escalate_to"])?;
    let when = map
        .get("when")
        .ok_or_else(|| wrong(&under(&path, "when"), "is missing; name at least one condition"))?;
    let name = text(map, &path, "name")?.unwrap_or_else(|| format!("rule {}", at + 1));
    Ok(Rule { name, when: read_when(when, &under(&path, "when"))?, route: read_route(map, &path)? })
}

fn read_when(value: &Value, path: &str) -> Result<When, PolicyError> {
    let map = object(value, path)?;
    let names = ["task", "input_tokens_min", "input_tokens_max", "tags", "key", "tools", "hours", "days"];
    known(map, path, &names)?;
    if map.is_empty() {
        return Err(wrong(path, &format!("is empty; name at least one of {}", names.join(", "))));
    }
    let tasks = texts(map, path, "task")?;
    if let Some(odd) = tasks.iter().find(|task| !TASKS.contains(&task.as_str())) {
        return Err(wrong(
            &under(path, "task"),
            &format!("`{odd}` is no kind of work; known are {}", TASKS.join(", ")),
        ));
    }
    let mut tags = BTreeMap::new();
    if let Some(given) = map.get("tags") {
        for (name, value) in object(given, &under(path, "tags"))? {
            let value = value
                .as_str()
                .ok_or_else(|| wrong(&under(path, &format!("tags.{name}")), "must be a text"))?;
            tags.insert(name.clone(), value.to_owned());
        }
    }
    let tools = match map.get("tools") {
        None | Some(Value::Null) => None,
        Some(value) => {
            Some(value.as_bool().ok_or_else(|| wrong(&under(path, "tools"), "must be true or false"))?)
        }
    };
    let days = texts(map, path, "days")?;
    let mut week = [false; 7];
    for name in &days {
        let day = DAYS.iter().position(|day| day == name).and_then(|at| week.get_mut(at));
        *day.ok_or_else(|| {
            wrong(&under(path, "days"), &format!("`{name}` is no day; write {}", DAYS.join(", ")))
        })? = true;
    }
    let hours = match texts(map, path, "hours")?.as_slice() {
        [] => None,
        [from, before] => clock(from).zip(clock(before)),
        _ => return Err(wrong(&under(path, "hours"), HOURS)),
    };
    if hours.is_none() && map.contains_key("hours") {
        return Err(wrong(&under(path, "hours"), HOURS));
    }
    Ok(When {
        tasks,
        input_tokens_min: whole(map, path, "input_tokens_min", u64::MAX)?,
        input_tokens_max: whole(map, path, "input_tokens_max", u64::MAX)?,
        tags,
        keys: texts(map, path, "key")?,
        tools,
        hours,
        days: (!days.is_empty()).then_some(week),
    })
}

const HOURS: &str = "must be two times of day, UTC, such as [\"22:00\", \"06:00\"]";

fn clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 24 && minutes < 60 && hours * 60 + minutes <= 1_440).then_some(hours * 60 + minutes)
}

fn read_route(map: &Map<String, Value>, path: &str) -> Result<Route, PolicyError> {
    let strategy = text(map, path, "strategy")?;
    let strategy = match strategy.as_deref() {
        None => Strategy::Fallback,
        Some(name) => {
            Strategy::ALL.iter().find(|(known, _)| *known == name).map(|(_, one)| *one).ok_or_else(|| {
                wrong(&under(path, "strategy"), "must be fallback, balance, latency or cost")
            })?
        }
    };
    let sticky_by = match text(map, path, "sticky_by")?.as_deref() {
        None => StickyBy::Either,
        Some("trace_id") => StickyBy::TraceId,
        Some("user_id") => StickyBy::UserId,
        Some(_) => return Err(wrong(&under(path, "sticky_by"), "must be trace_id or user_id")),
    };
    let dial = match map.get("dial") {
        None | Some(Value::Null) => None,
        Some(value) => {
            Some(value.as_f64().filter(|dial| (0.0..=1.0).contains(dial)).ok_or_else(|| {
                wrong(&under(path, "dial"), "must be a number from 0 (quality) to 1 (cost)")
            })?)
        }
    };
    let models = list(map, path, "models", MODELS_MAX)?.unwrap_or_default();
    let link = |(at, value)| read_link(value, &under(path, &format!("models[{at}]")));
    let models: Vec<Link> = models.iter().enumerate().map(link).collect::<Result<_, _>>()?;
    if models.is_empty() {
        return Err(wrong(&under(path, "models"), "is missing; name at least one model"));
    }
    if strategy == Strategy::Balance && models.iter().all(|link| link.weight == 0) {
        return Err(wrong(&under(path, "models"), "have no weight; give at least one a weight above 0"));
    }
    let escalate_to = text(map, path, "escalate_to")?;
    let escalate_to = escalate_to.map(|name| named(&name, &under(path, "escalate_to"))).transpose()?;
    let cache = read_cache(map, path)?;
    Ok(Route { strategy, models, sticky_by, dial, cache, escalate_to })
}

fn read_cache(map: &Map<String, Value>, path: &str) -> Result<CacheRule, PolicyError> {
    let path = under(path, "cache");
    let map = match map.get("cache") {
        None | Some(Value::Null) => return Ok(CacheRule::default()),
        Some(value) => object(value, &path)?,
    };
    known(map, &path, &["enabled", "ttl_s"])?;
    let enabled = match map.get("enabled") {
        None | Some(Value::Null) => None,
        Some(value) => {
            Some(value.as_bool().ok_or_else(|| wrong(&under(&path, "enabled"), "must be true or false"))?)
        }
    };
    let seconds = || wrong(&under(&path, "ttl_s"), "must be a whole number of seconds from 1 to 86400");
    let ttl_s = match map.get("ttl_s") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let told = value.as_u64().filter(|ttl| (1..=CACHE_TTL_S_MAX).contains(ttl));
            Some(told.and_then(|ttl| u32::try_from(ttl).ok()).ok_or_else(seconds)?)
        }
    };
    Ok(CacheRule { enabled, ttl_s })
}

fn named(name: &str, path: &str) -> Result<String, PolicyError> {
    match name.trim() {
        "" => Err(wrong(path, "is empty; name a model")),
        name if name.starts_with("policy/") => {
            Err(wrong(path, "is a policy; policies name models, not each other"))
        }
        name => Ok(name.to_owned()),
    }
}

fn read_link(value: &Value, path: &str) -> Result<Link, PolicyError> {
    if let Some(name) = value.as_str() {
        return Ok(Link { model: named(name, path)?, retries: None, weight: 1 });
    }
    let map = value.as_object().ok_or_else(|| {
        wrong(
            path,
            "must be a model's name, or an object such as {\"model\": \"author/name\", \"retries\": 2}",
        )
    })?;
    known(map, path, &["model", "retries", "weight"])?;
    let model =
        text(map, path, "model")?.ok_or_else(|| wrong(&under(path, "model"), "is missing; name a model"))?;
    let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    Ok(Link {
        model: named(&model, path)?,
        retries: small(whole(map, path, "retries", RETRIES_MAX)?),
        weight: small(whole(map, path, "weight", 1_000_000)?).unwrap_or(1),
    })
}

#[cfg(test)]
mod tests;
