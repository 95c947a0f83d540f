//! Whether what was written is a rule: the same for the API and the command line.

use catalog::Snapshot;
use routing::access;
use routing::name::{NameError, Names};
use routing::policy::Policy;
use store::RuleKind;
use wire::preset::Preset;

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(.path))]
pub struct RuleError {
    /// Where: `models[0]`, `config.temperature`; empty for the whole.
    pub path: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

fn place(path: &str) -> String {
    if path.is_empty() { String::from("the body ") } else { format!("`{path}` ") }
}

/// A rule that was found good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What may not be meant so, for whoever wrote it.
    pub warnings: Vec<String>,
    /// What is to be kept, where that is more than was written.
    pub text: Option<String>,
}

/// Reads a rule and looks its models up.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(kind: RuleKind, text: &str, names: &Names, snapshot: &Snapshot) -> Result<Checked, RuleError> {
    match kind {
        RuleKind::Policy => {
            let policy =
                Policy::read(text).map_err(|error| RuleError { path: error.path, problem: error.problem })?;
            for (path, model) in policy.models() {
                known(path, model, names, snapshot)?;
            }
            if let Some(written) = &policy.guardrails {
                guardrails::Rules::read(written)
                    .map_err(|problem| RuleError { path: "guardrails".into(), problem })?;
            }
            Ok(Checked::default())
        }
        RuleKind::Guardrails => {
            let read = serde_json::from_str::<guardrails::Rules>(text);
            let wrong = |error: serde_json::Error| RuleError {
                path: String::new(),
                problem: format!("is refused: {error}"),
            };
            read.map(|_| Checked::default()).map_err(wrong)
        }
        RuleKind::Preset => {
            let preset =
                Preset::read(text).map_err(|error| RuleError { path: error.path, problem: error.problem })?;
            for (path, model) in preset.models() {
                // A policy may be written after the preset that names it.
                if !model.starts_with("policy/") {
                    known(path, &model, names, snapshot)?;
                }
            }
            let warn = |field: &str| {
                format!(
                    "`config.{field}` is not known here; providers of the OpenAI dialect get it as it is, others don't"
                )
            };
            Ok(Checked { warnings: preset.unknown().map(warn).collect(), text: None })
        }
        RuleKind::Approval => kept(access::freeze_approval(text, names, snapshot)),
        RuleKind::AccessList => kept(access::freeze_list(text, names, snapshot)),
        RuleKind::Group => kept(access::Group::read(text)),
    }
}

/// What is kept of a rule of access: with the models that it held when it was written.
fn kept<T: serde::Serialize>(read: Result<T, access::WrittenError>) -> Result<Checked, RuleError> {
    let read = read.map_err(|error| RuleError { path: error.path, problem: error.problem })?;
    Ok(Checked { warnings: Vec::new(), text: serde_json::to_string(&read).ok() })
}

fn known(path: String, model: &str, names: &Names, snapshot: &Snapshot) -> Result<(), RuleError> {
    let problem = match names.resolve(snapshot, model) {
        Ok(_) => return Ok(()),
        Err(NameError::Unknown { name, suggestions }) => {
            let quoted: Vec<String> = suggestions.iter().map(|name| format!("`{name}`")).collect();
            let hint = match quoted.is_empty() {
                true => String::from("; `GET /v1/models` lists them all"),
                false => format!("; did you mean {}?", quoted.join(" or ")),
            };
            format!("names `{name}`, and no model is called so{hint}")
        }
        Err(other) => format!("can't be used: {other}"),
    };
    Err(RuleError { path, problem })
}
