//! The environment, read once and passed on as a value.

use std::collections::BTreeMap;
use std::fmt;

/// A snapshot of environment variables. Debug shows names only.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The process's environment. What is not valid UTF-8 is kept with its broken parts replaced.
    pub fn from_process() -> Environment {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Environment { variables: std::env::vars_os().map(|(k, v)| (lossy(k), lossy(v))).collect() }
    }

    /// An environment of these variables; for tests.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Environment {
        Environment { variables: pairs.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect() }
    }

    /// A variable's value, empty ones included.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// All variables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Replaces each `${NAME}` by the variable's value.
    ///
    /// # Errors
    /// The name of the first variable that is not set or empty.
    pub fn fill(&self, template: &str) -> Result<String, String> {
        let mut out = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { break };
            out.push_str(before);
            match self.get(name).filter(|v| !v.is_empty()) {
                Some(value) => out.push_str(value),
                None => return Err(name.to_owned()),
            }
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_templates_and_names_what_is_missing() {
        let env = Environment::of([("HOST", "h.example"), ("EMPTY", "")]);
        let rows = [
            ("https://${HOST}/v1", Ok("https://h.example/v1")),
            ("plain", Ok("plain")),
            ("${HOST}${HOST", Ok("h.example${HOST")),
            ("a ${EMPTY}", Err("EMPTY")),
            ("${NONE}", Err("NONE")),
        ];
        for (template, expect) in rows {
            assert_eq!(env.fill(template).as_deref().map_err(String::as_str), expect, "{template}");
        }
        assert!(!format!("{env:?}").contains("h.example"));
    }
}
