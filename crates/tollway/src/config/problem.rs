//! What is wrong with a configuration, in one line each.

use std::fmt;
use std::sync::Arc;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, from 1; 0 is the file as a whole.
    File {
        /// The file as it was named.
        name: Arc<str>,
        /// The line.
        line: usize,
    },
    /// A variable of the environment.
    Env(String),
    /// The table of keys.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File { name, line: 0 } => f.write_str(name),
            Place::File { name, line } => write!(f, "{name}:{line}"),
            Place::Env(name) => f.write_str(name),
            Place::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// The full key, such as `server.listen`; empty when it is about a file as a whole.
    pub key: String,
    /// What.
    pub(super) what: What,
}

/// The kinds of problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// No such key. `nearest` is what may have been meant, `allowed` what stands in its section.
    Unknown { nearest: Option<String>, allowed: String },
    /// A value of the wrong kind or out of range. `shown` is absent for secrets.
    Bad { shown: Option<String>, allowed: String },
    /// A rule in its own words, which go on after the key's name.
    Rule(String),
}

impl Problem {
    pub(super) fn rule(place: Place, key: &str, why: String) -> Problem {
        Problem { place, key: key.to_owned(), what: What::Rule(why) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match &self.what {
            What::Unknown { nearest, allowed } => {
                write!(f, "unknown key `{}`", self.key)?;
                if let Some(nearest) = nearest {
                    write!(f, "; did you mean `{nearest}`?")?;
                }
                write!(f, "; allowed: {allowed}")
            }
            What::Bad { shown, allowed } => {
                let shown =
                    shown.as_deref().map_or_else(|| "(value hidden)".to_owned(), |v| format!("= {v}"));
                write!(f, "`{}` {shown} is not allowed; allowed: {allowed}", self.key)
            }
            What::Rule(why) if self.key.is_empty() => f.write_str(why),
            What::Rule(why) => write!(f, "`{}` {why}", self.key),
        }
    }
}

/// Everything that is wrong, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The candidate that `name` most likely means; `None` when nothing is near.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Names come from outside, and the distance is quadratic.
    const NAME_CHARS_MAX: usize = 80;
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    let last = name.rsplit('.').next().unwrap_or_default();
    let far = (name.chars().count() / 3).clamp(1, 5);
    let distance = |candidate: &str| {
        let whole = strsim::damerau_levenshtein(&name, candidate);
        // The right key in the wrong section is one mistake, however long the sections' names.
        let moved = candidate.rsplit('.').next() == Some(last);
        if moved { whole.min(1) } else { whole }
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
