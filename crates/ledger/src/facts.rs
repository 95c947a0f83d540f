//! What a decision was made from, without a word of the prompt: enough to ask later what another policy would have done.

use serde::{Deserialize, Serialize};

/// Most steps of a plan that are kept.
pub const PLANNED_MAX: usize = 6;

/// What was known of a request when it was decided where it goes. Of conversations only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestFacts {
    /// A likely count of input tokens.
    #[serde(rename = "in")]
    pub input_tokens: u64,
    /// The caller's cap on output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// It declares tools.
    #[serde(skip_serializing_if = "is_false")]
    pub tools: bool,
    /// It has image parts.
    #[serde(skip_serializing_if = "is_false")]
    pub image: bool,
    /// It has audio parts.
    #[serde(skip_serializing_if = "is_false")]
    pub audio: bool,
    /// It has file parts.
    #[serde(skip_serializing_if = "is_false")]
    pub file: bool,
    /// It asks for a JSON schema.
    #[serde(rename = "schema", skip_serializing_if = "is_false")]
    pub structured_output: bool,
    /// The answer was to be streamed.
    #[serde(skip_serializing_if = "is_false")]
    pub streamed: bool,
    /// How likely each kind of work was, thousandths, in the order of the classifier's labels; `None` where nothing was
    /// classified: only virtual models ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shares: Option<[u16; 8]>,
    /// The plan's first steps, at most [`PLANNED_MAX`].
    #[serde(rename = "plan", skip_serializing_if = "Vec::is_empty")]
    pub planned: Vec<Planned>,
}

/// One step of a plan. In JSON a row: `[endpoint, propensity]` or `[endpoint, propensity, quality]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Planned {
    /// `provider/name` of the endpoint.
    pub endpoint: String,
    /// The chance that it came first, decimal text from 0 to 1.
    pub propensity: String,
    /// How good its answer was expected to be, decimal text from 0 to 1; of virtual models only.
    pub quality: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Row {
    Rated(String, String, String),
    Plain(String, String),
}

impl From<Row> for Planned {
    fn from(row: Row) -> Planned {
        match row {
            Row::Rated(endpoint, propensity, quality) => {
                Planned { endpoint, propensity, quality: Some(quality) }
            }
            Row::Plain(endpoint, propensity) => Planned { endpoint, propensity, quality: None },
        }
    }
}

impl From<Planned> for Row {
    fn from(step: Planned) -> Row {
        match step.quality {
            Some(quality) => Row::Rated(step.endpoint, step.propensity, quality),
            None => Row::Plain(step.endpoint, step.propensity),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
