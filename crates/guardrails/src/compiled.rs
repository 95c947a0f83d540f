//! Rules that hold together, ready for use.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::detect::assigned;
use crate::injection;
use crate::kind::{Action, Kind};
use crate::lexer::{Lexer, Step, Window};
use crate::own::Own;
use crate::rules::{RuleError, Rules};
use crate::tally::Tally;

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a request, said by the user.
    User,
    /// In a request, said by somebody else: system prompts, results of tools, earlier answers.
    Other,
    /// In an answer.
    Answer,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 3] = [Place::User, Place::Other, Place::Answer];

    /// `input` or `output`.
    pub const fn direction(self) -> &'static str {
        match self {
            Place::User | Place::Other => "input",
            Place::Answer => "output",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Something of a kind.
    Kind(Kind),
    /// What a pattern of one's own matches, by its number among all.
    Own(usize),
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub what: What,
    /// What becomes of it.
    pub action: Action,
    /// Where it stands, bytes.
    pub span: Range<usize>,
}

/// A pattern of some layer.
#[derive(Debug)]
struct Named {
    name: String,
    placeholder: String,
    layer: usize,
    actions: [Action; 3],
}

/// Rules that hold together. Cheap to share, and worth keeping: patterns are compiled once.
#[derive(Debug)]
pub struct Compiled {
    layers: Vec<Arc<Rules>>,
    patterns: Vec<Named>,
    lexers: [Lexer; 3],
    fingerprint: u64,
}

impl Compiled {
    /// Compiles what holds together. Who names something in any of them is heard: the strictest action counts.
    pub fn new(layers: &[Arc<Rules>]) -> Result<Compiled, RuleError> {
        let mut patterns = Vec::new();
        let mut tables = Vec::new();
        for (layer, rules) in layers.iter().enumerate() {
            rules.check()?;
            for (at, pattern) in rules.patterns.iter().enumerate() {
                let path = format!("patterns[{at}].pattern");
                let own = Own::compile(&pattern.pattern).map_err(|what| RuleError::new(path, what))?;
                tables.push(Arc::new(own));
                let name = if pattern.name.is_empty() { (at + 1).to_string() } else { pattern.name.clone() };
                let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
                let label: String = pattern.name.chars().map(plain).collect();
                let placeholder = if label.is_empty() { "[REDACTED]".into() } else { format!("[{label}]") };
                let actions = Place::ALL.map(|place| pattern.at(place));
                patterns.push(Named { name, placeholder, layer, actions });
            }
        }
        let lexers = Place::ALL.map(|place| {
            let on =
                Kind::ALL.map(|kind| layers.iter().any(|rules| rules.action(kind, place) != Action::Off));
            let is_on = |(at, _): &(usize, &Arc<Own>)| {
                patterns.get(*at).is_some_and(|pattern| pattern.action(place) != Action::Off)
            };
            let own = tables.iter().enumerate().filter(is_on).map(|(at, own)| (at, Arc::clone(own)));
            Lexer::new(on, own.collect())
        });
        let written = serde_json::to_vec(&layers.iter().map(|rules| &**rules).collect::<Vec<_>>());
        let digest: [u8; 32] = Sha256::digest(written.unwrap_or_default()).into();
        let (first, _) = digest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        Ok(Compiled { layers: layers.to_vec(), patterns, lexers, fingerprint: u64::from_le_bytes(*first) })
    }

    /// The same for the same rules in the same order.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether anything is looked for at a place.
    pub fn watches(&self, place: Place) -> bool {
        !self.lexer(place).is_idle() || self.looks_for_injection(place)
    }

    /// Whether what is found at a place may have to change or refuse the text, not only be counted.
    pub fn acts(&self, place: Place) -> bool {
        let strict = |action: Action| action >= Action::Mask;
        Kind::ALL.iter().any(|kind| self.layers.iter().any(|rules| strict(rules.action(*kind, place))))
            || self.patterns.iter().any(|pattern| strict(pattern.action(place)))
    }

    fn looks_for_injection(&self, place: Place) -> bool {
        self.layers.iter().any(|rules| rules.action(Kind::PromptInjection, place) != Action::Off)
    }

    pub(crate) fn lexer(&self, place: Place) -> &Lexer {
        let [user, other, answer] = &self.lexers;
        match place {
            Place::User => user,
            Place::Other => other,
            Place::Answer => answer,
        }
    }

    /// The name of what was found: the kind's, or `pattern:<name>`.
    pub fn name(&self, what: What) -> Cow<'static, str> {
        match what {
            What::Kind(kind) => Cow::Borrowed(kind.name()),
            What::Own(at) => {
                Cow::Owned(format!("pattern:{}", self.patterns.get(at).map_or("", |pattern| &pattern.name)))
            }
        }
    }

    /// What stands for it where it is masked.
    pub fn placeholder(&self, what: What) -> &str {
        match what {
            What::Kind(kind) => kind.placeholder(),
            What::Own(at) => self.patterns.get(at).map_or("[REDACTED]", |pattern| &pattern.placeholder),
        }
    }

    /// What becomes of a text that was found: the strictest that any of the rules says which don't let it through.
    pub(crate) fn judge(&self, what: What, text: &str, place: Place) -> Action {
        let lets_through = |rules: &Rules| rules.allow.iter().any(|phrase| holds(text, phrase));
        match what {
            What::Kind(kind) => {
                let said = self.layers.iter().map(|rules| (rules, rules.action(kind, place)));
                let said = said.filter(|(rules, action)| *action != Action::Off && !lets_through(rules));
                said.map(|(_, action)| action).max().unwrap_or(Action::Off)
            }
            What::Own(at) => {
                let Some(pattern) = self.patterns.get(at) else { return Action::Off };
                let through = self.layers.get(pattern.layer).is_some_and(|rules| lets_through(rules));
                if through { Action::Off } else { pattern.action(place) }
            }
        }
    }

    /// What is found in a whole text, in order, none over another.
    pub fn scan(&self, text: &str, place: Place) -> Vec<Finding> {
        let mut found = Vec::new();
        let (lexer, window) = (self.lexer(place), Window::whole(text));
        let mut at = 0;
        if !lexer.is_idle() {
            while let Step::Found(what, hit) = lexer.next(&window, at) {
                let action = self.judge(what, text.get(hit.start..hit.end).unwrap_or_default(), place);
                if action != Action::Off {
                    found.push(Finding { what, action, span: hit.start..hit.end });
                }
                at = hit.end;
            }
        }
        if self.looks_for_injection(place) {
            let what = What::Kind(Kind::PromptInjection);
            for span in injection::find(text) {
                let action = self.judge(what, text.get(span.clone()).unwrap_or_default(), place);
                if action != Action::Off {
                    found.retain(|other| other.span.end <= span.start || other.span.start >= span.end);
                    found.push(Finding { what, action, span });
                }
            }
            found.sort_by_key(|finding| finding.span.start);
        }
        found
    }

    /// A text with placeholders for what is to be masked or blocked; everything found is counted.
    pub fn mask<'t>(&self, text: &'t str, place: Place, tally: &mut Tally) -> Cow<'t, str> {
        let found = self.scan(text, place);
        found.iter().for_each(|finding| tally.add(self, place, finding));
        self.replaced(text, &found)
    }

    /// The same for the value of a member of JSON, whose key may say what it is.
    pub fn mask_value<'t>(&self, key: &str, text: &'t str, place: Place, tally: &mut Tally) -> Cow<'t, str> {
        let said = assigned::value_under(key, text).filter(|kind| self.lexer(place).is_on(*kind));
        let Some(kind) = said else { return self.mask(text, place, tally) };
        let what = What::Kind(kind);
        let action = self.judge(what, text, place);
        if action == Action::Off {
            return Cow::Borrowed(text);
        }
        let finding = Finding { what, action, span: 0..text.len() };
        tally.add(self, place, &finding);
        self.replaced(text, &[finding])
    }

    fn replaced<'t>(&self, text: &'t str, found: &[Finding]) -> Cow<'t, str> {
        if found.iter().all(|finding| finding.action < Action::Mask) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for finding in found.iter().filter(|finding| finding.action >= Action::Mask) {
            out.push_str(text.get(at..finding.span.start).unwrap_or_default());
            out.push_str(self.placeholder(finding.what));
            at = finding.span.end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        Cow::Owned(out)
    }
}

impl Named {
    fn action(&self, place: Place) -> Action {
        self.actions.get(place.index()).copied().unwrap_or_default()
    }
}

/// Whether a text holds a phrase, whatever the case of its ASCII letters.
fn holds(text: &str, phrase: &str) -> bool {
    text.as_bytes().windows(phrase.len().max(1)).any(|part| part.eq_ignore_ascii_case(phrase.as_bytes()))
}
