//! What a key, a policy or an account says, as JSON.
//!
//! ```json
//! {"kinds": {"personal": "mask", "email": "flag", "secrets": "block",
//!            "prompt_injection": {"action": "block", "scope": "user_only"}},
//!  "patterns": [{"name": "employee", "pattern": "EMP-\\d{6}", "action": "mask", "direction": "input"}],
//!  "allow": ["@example.com"]}
//! ```
//!
//! - A kind's own name goes before its group's, `personal`, `financial` or `secrets`.
//! - `direction` is `input`, `output` or `both` (default); `scope` is `all_messages` (default) or `user_only`, and speaks of requests.
//! - A finding whose text holds a phrase of `allow` is none for these rules; others that hold as well are not weakened by it.
//! - OpenRouter's `content_filters` and `content_filter_builtins` are read too.
//! - Reading is strict: an unknown name is refused with what is allowed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compiled::Place;
use crate::kind::{Action, Kind};
use crate::own::Own;

/// Most patterns of one's own.
pub(crate) const PATTERNS_MAX: usize = 32;
/// Longest pattern, bytes.
pub(crate) const PATTERN_BYTES_MAX: usize = 1_000;
/// Most phrases that are let through.
pub(crate) const ALLOW_MAX: usize = 100;
/// Shortest and longest such phrase, bytes.
pub(crate) const ALLOW_BYTES: (usize, usize) = (3, 200);
const NAME_BYTES_MAX: usize = 40;

/// What is wrong with rules, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    /// Where: `kinds.email`, `patterns[2].pattern`.
    pub path: String,
    /// What, and what would be right; begins with the path.
    pub message: String,
}

impl RuleError {
    pub(crate) fn new(path: impl Into<String>, what: impl std::fmt::Display) -> RuleError {
        let path = path.into();
        RuleError { message: format!("`{path}`: {what}"), path }
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Requests.
    Input,
    /// Answers.
    Output,
    /// Both.
    #[default]
    Both,
}

/// Whose messages of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// What the user says.
    UserOnly,
    /// System prompts, tool results and earlier answers as well.
    #[default]
    AllMessages,
}

/// What one kind's entry says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What becomes of it.
    pub action: Action,
    /// Which way.
    pub direction: Direction,
    /// Whose messages.
    pub scope: Scope,
}

impl Rule {
    fn at(self, place: Place) -> Action {
        let holds = match place {
            Place::User => self.direction != Direction::Output,
            Place::Other => self.direction != Direction::Output && self.scope == Scope::AllMessages,
            Place::Answer => self.direction != Direction::Input,
        };
        if holds { self.action } else { Action::Off }
    }
}

/// A pattern of one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Its name in records and placeholders: `[EMPLOYEE]`. Without one, its place in the list.
    #[serde(default, alias = "label", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// A regular expression without look-around and back-references.
    pub pattern: String,
    /// What becomes of it.
    #[serde(default = "mask")]
    pub action: Action,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
    /// Whose messages.
    #[serde(default, alias = "scan_scope")]
    pub scope: Scope,
}

fn mask() -> Action {
    Action::Mask
}

impl Pattern {
    /// What becomes of it at a place.
    pub(crate) fn at(&self, place: Place) -> Action {
        Rule { action: self.action, direction: self.direction, scope: self.scope }.at(place)
    }
}

/// Guardrails as somebody wrote them, and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Rules {
    /// By kind; a kind that is not there is off.
    pub kinds: BTreeMap<Kind, Rule>,
    /// Patterns of one's own.
    pub patterns: Vec<Pattern>,
    /// What is let through.
    pub allow: Vec<String>,
}

impl Rules {
    /// Reads them.
    pub fn read(value: &serde_json::Value) -> Result<Rules, String> {
        Rules::deserialize(value).map_err(|error| error.to_string())
    }

    /// True when they ask for nothing.
    pub fn is_empty(&self) -> bool {
        self.kinds.values().all(|rule| rule.action == Action::Off)
            && self.patterns.iter().all(|pattern| pattern.action == Action::Off)
    }

    /// What is wrong with them: bounds, and patterns that don't compile.
    pub fn check(&self) -> Result<(), RuleError> {
        if self.patterns.len() > PATTERNS_MAX {
            let what = format!("{} patterns; at most {PATTERNS_MAX} are taken", self.patterns.len());
            return Err(RuleError::new("patterns", what));
        }
        for (at, pattern) in self.patterns.iter().enumerate() {
            let name_path = format!("patterns[{at}].name");
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b' ';
            if pattern.name.len() > NAME_BYTES_MAX || !pattern.name.bytes().all(plain) {
                let what = "a name has at most 40 letters, digits, blanks, `_` and `-`";
                return Err(RuleError::new(name_path, what));
            }
            let earlier = self.patterns.get(..at).unwrap_or_default();
            if !pattern.name.is_empty() && earlier.iter().any(|other| other.name == pattern.name) {
                return Err(RuleError::new(name_path, "another pattern has the same name"));
            }
            let path = match pattern.name.as_str() {
                "" => format!("patterns[{at}].pattern"),
                name => format!("patterns[{at}].pattern ({name})"),
            };
            Own::compile(&pattern.pattern).map_err(|what| RuleError::new(path, what))?;
        }
        if self.allow.len() > ALLOW_MAX {
            return Err(RuleError::new("allow", format!("at most {ALLOW_MAX} phrases are taken")));
        }
        let fits = |phrase: &String| (ALLOW_BYTES.0..=ALLOW_BYTES.1).contains(&phrase.len());
        match self.allow.iter().position(|phrase| !fits(phrase)) {
            Some(at) => Err(RuleError::new(format!("allow[{at}]"), "a phrase has 3 to 200 bytes")),
            None => Ok(()),
        }
    }

    /// What becomes of a kind at a place, as far as these rules go.
    pub fn action(&self, kind: Kind, place: Place) -> Action {
        if kind == Kind::PromptInjection && place == Place::Answer {
            return Action::Off;
        }
        self.kinds.get(&kind).map_or(Action::Off, |rule| rule.at(place))
    }
}

/// The same as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kinds: BTreeMap<String, Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(alias = "scan_scope", skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(alias = "content_filters", skip_serializing_if = "Vec::is_empty")]
    patterns: Vec<Pattern>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    content_filter_builtins: Vec<Builtin>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "an action is `off`, `flag`, `mask` or `block`, by itself or as `{\"action\": \"mask\", \"direction\": \"input\", \"scope\": ...}`"
)]
enum Entry {
    Action(Action),
    Whole(Whole),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(default, alias = "scan_scope", skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Builtin {
    slug: String,
    action: Action,
    #[serde(default, alias = "scope", skip_serializing_if = "Option::is_none")]
    scan_scope: Option<Scope>,
}

impl TryFrom<Written> for Rules {
    type Error = RuleError;

    fn try_from(written: Written) -> Result<Rules, RuleError> {
        let whole = |entry: Entry| match entry {
            Entry::Action(action) => Whole { action, direction: None, scope: None },
            Entry::Whole(whole) => whole,
        };
        let mut named: Vec<(&'static [Kind], Whole)> = Vec::new();
        for (name, entry) in written.kinds {
            named.push((known(&format!("kinds.{name}"), &name)?, whole(entry)));
        }
        for (at, builtin) in written.content_filter_builtins.into_iter().enumerate() {
            let path = format!("content_filter_builtins[{at}].slug");
            let whole = Whole { action: builtin.action, direction: None, scope: builtin.scan_scope };
            named.push((known(&path, &builtin.slug)?, whole));
        }
        // Groups first, so that a kind's own entry writes over its group's.
        named.sort_by_key(|(kinds, _)| std::cmp::Reverse(kinds.len()));
        let mut kinds = BTreeMap::new();
        for (several, entry) in named {
            let rule = Rule {
                action: entry.action,
                direction: entry.direction.or(written.direction).unwrap_or_default(),
                scope: entry.scope.or(written.scope).unwrap_or_default(),
            };
            kinds.extend(several.iter().map(|kind| (*kind, rule)));
        }
        let rules = Rules { kinds, patterns: written.patterns, allow: written.allow };
        rules.check()?;
        Ok(rules)
    }
}

fn known(path: &str, name: &str) -> Result<&'static [Kind], RuleError> {
    let plain = name.replace('-', "_");
    if plain == "person_name" || plain == "address" {
        return Err(RuleError::new(path, "names and postal addresses need a language model; none is asked"));
    }
    Kind::of_name(name).ok_or_else(|| {
        let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        let what = format!("not a kind; the kinds are {}, personal, financial and secrets", all.join(", "));
        RuleError::new(path, what)
    })
}

impl From<Rules> for Written {
    fn from(rules: Rules) -> Written {
        let entry = |(kind, rule): (Kind, Rule)| {
            let plain = rule.direction == Direction::Both && rule.scope == Scope::AllMessages;
            let entry = match plain {
                true => Entry::Action(rule.action),
                false => Entry::Whole(Whole {
                    action: rule.action,
                    direction: Some(rule.direction),
                    scope: Some(rule.scope),
                }),
            };
            (kind.name().to_owned(), entry)
        };
        Written {
            kinds: rules.kinds.into_iter().map(entry).collect(),
            patterns: rules.patterns,
            allow: rules.allow,
            ..Written::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: serde_json::Value) -> Result<Rules, String> {
        Rules::read(&value)
    }

    #[test]
    fn a_kind_goes_before_its_group_and_what_is_written_is_read() {
        let rules = read(json!({
            "kinds": {"secrets": "block", "jwt": "flag", "email": {"action": "redact", "direction": "output"},
                      "phone": {"action": "mask", "scope": "user_only"}, "prompt-injection": "block"},
            "patterns": [{"label": "employee", "pattern": "EMP-\\d{6}"}],
            "allow": ["@example.com"]
        }))
        .unwrap();
        assert_eq!(rules.action(Kind::ApiKey, Place::Other), Action::Block);
        assert_eq!(rules.action(Kind::Jwt, Place::User), Action::Flag);
        assert_eq!(rules.action(Kind::Email, Place::User), Action::Off);
        assert_eq!(rules.action(Kind::Email, Place::Answer), Action::Mask);
        assert_eq!(rules.action(Kind::Phone, Place::Other), Action::Off);
        assert_eq!(rules.action(Kind::PromptInjection, Place::Answer), Action::Off);
        assert_eq!(rules.patterns[0].action, Action::Mask);
        let again: Rules = serde_json::from_value(serde_json::to_value(&rules).unwrap()).unwrap();
        assert_eq!(again, rules);
    }

    #[test]
    fn openrouters_form_is_read() {
        let rules = read(json!({
            "content_filter_builtins": [{"slug": "credit-card", "action": "redact"},
                {"slug": "regex-prompt-injection", "action": "block", "scan_scope": "user_only"}],
            "content_filters": [{"pattern": "x{3}", "action": "block", "label": "three"}]
        }))
        .unwrap();
        assert_eq!(rules.action(Kind::CreditCard, Place::User), Action::Mask);
        assert_eq!(rules.action(Kind::PromptInjection, Place::Other), Action::Off);
        assert_eq!(rules.patterns[0].name, "three");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let rows = [
            (json!({"kinds": {"emial": "mask"}}), "`kinds.emial`: not a kind"),
            (json!({"kinds": {"person-name": "mask"}}), "need a language model"),
            (json!({"kinds": {"email": "hide"}}), "an action is `off`, `flag`, `mask` or `block`"),
            (json!({"knids": {}}), "unknown field `knids`"),
            (
                json!({"patterns": [{"name": "a", "pattern": "(", "action": "mask"}]}),
                "`patterns[0].pattern (a)`",
            ),
            (json!({"patterns": [{"pattern": "a*"}]}), "matches nothing at all"),
            (json!({"patterns": [{"pattern": "a(?=b)"}]}), "look-around"),
            (
                json!({"patterns": [{"name": "a", "pattern": "x"}, {"name": "a", "pattern": "y"}]}),
                "same name",
            ),
            (json!({"allow": ["a"]}), "`allow[0]`: a phrase has 3 to 200 bytes"),
        ];
        for (value, expected) in rows {
            let error = read(value.clone()).unwrap_err();
            assert!(error.contains(expected), "{value}: {error}");
        }
        let many = vec![json!({"pattern": "x"}); PATTERNS_MAX + 1];
        assert!(read(json!({"patterns": many})).unwrap_err().contains("at most 32"));
    }
}
