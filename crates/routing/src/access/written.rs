//! What people write: approvals, access lists and groups as JSON.

use catalog::Snapshot;
use serde::{Deserialize, Serialize};

use super::ModelSet;
use crate::filters::matches_pattern;
use crate::name::{NameError, Names, What};

/// Most entries of a list.
const ENTRIES_MAX: usize = 2_000;
/// Longest text in a list.
const TEXT_CHARS_MAX: usize = 120;
/// Longest description.
const DESCRIPTION_CHARS_MAX: usize = 500;

/// Why what was written is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct WrittenError {
    /// Where: `models[0]`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Models under a name, for keys and groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessList {
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Ids, and patterns in which `*` stands for anything.
    pub models: Vec<String>,
    /// A release that fits a pattern is in it without being asked about.
    #[serde(default)]
    pub auto_approve: bool,
    /// What it held when it was written, where new releases wait: worked out here, never by who writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_ids: Option<Vec<String>>,
}

/// What an organization approves for all of its keys, and where prompts may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Approval {
    /// Ids and patterns; left out: every model, new releases too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// As of an access list.
    pub auto_approve: bool,
    /// As of an access list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_ids: Option<Vec<String>>,
    /// Only these providers, by slug. Empty: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// Only where it is computed there: `eu`, or a country. Empty: anywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Only providers that are known not to train on prompts.
    pub no_training: bool,
    /// Only providers that are known to keep nothing.
    pub zero_retention: bool,
}

/// People and service accounts with the same access lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Members and service accounts of the organization, by id.
    pub members: Vec<String>,
    /// The lists that hold what they may call, together.
    #[serde(default)]
    pub access_lists: Vec<String>,
}

impl AccessList {
    /// What it holds.
    pub fn models(&self) -> ModelSet {
        held(&self.models, self.approved_ids.as_deref())
    }

    /// Models of a catalog that fit and wait to be approved, by id.
    pub fn waiting<'s>(&self, snapshot: &'s Snapshot) -> Vec<&'s str> {
        waiting(&self.models, &self.models(), snapshot)
    }
}

impl Approval {
    /// What is approved; `None`: everything.
    pub fn models(&self) -> Option<ModelSet> {
        self.models.as_ref().map(|models| held(models, self.approved_ids.as_deref()))
    }

    /// Models of a catalog that fit and wait to be approved, by id.
    pub fn waiting<'s>(&self, snapshot: &'s Snapshot) -> Vec<&'s str> {
        match (&self.models, self.models()) {
            (Some(models), Some(held)) => waiting(models, &held, snapshot),
            _ => Vec::new(),
        }
    }
}

impl Group {
    /// Reads what was written.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(text: &str) -> Result<Group, WrittenError> {
        let group: Group = parse(text)?;
        for (name, list) in [("members", &group.members), ("access_lists", &group.access_lists)] {
            plain(name, list)?;
        }
        described(&group.description)?;
        Ok(group)
    }
}

/// Reads an access list and writes down what it holds by this catalog, for it to be kept.
///
/// # Errors
/// The first thing that is wrong.
pub fn freeze_list(text: &str, names: &Names, snapshot: &Snapshot) -> Result<AccessList, WrittenError> {
    let mut list: AccessList = parse(text)?;
    described(&list.description)?;
    if list.models.is_empty() {
        return Err(wrong("models", "is empty; name models by id, such as `mistralai/*`"));
    }
    list.approved_ids = freeze(&mut list.models, list.auto_approve, names, snapshot)?;
    Ok(list)
}

/// Reads an approval and writes down what it holds by this catalog, for it to be kept.
///
/// # Errors
/// The first thing that is wrong.
pub fn freeze_approval(text: &str, names: &Names, snapshot: &Snapshot) -> Result<Approval, WrittenError> {
    let mut approval: Approval = parse(text)?;
    plain("providers", &approval.providers)?;
    plain("regions", &approval.regions)?;
    let unknown =
        approval.providers.iter().position(|slug| !snapshot.providers.iter().any(|p| *p.id == **slug));
    if let Some(index) = unknown {
        return Err(wrong(&format!("providers[{index}]"), "is no provider; `GET /v1/providers` lists them"));
    }
    approval.approved_ids = match &mut approval.models {
        Some(models) => freeze(models, approval.auto_approve, names, snapshot)?,
        None => None,
    };
    Ok(approval)
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, WrittenError> {
    serde_json::from_str(text)
        .map_err(|error| WrittenError { path: String::new(), problem: format!("is refused: {error}") })
}

fn wrong(path: &str, problem: &str) -> WrittenError {
    WrittenError { path: path.to_owned(), problem: problem.to_owned() }
}

fn described(description: &str) -> Result<(), WrittenError> {
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(wrong("description", &format!("has more than {DESCRIPTION_CHARS_MAX} characters")));
    }
    Ok(())
}

fn plain(name: &str, list: &[String]) -> Result<(), WrittenError> {
    if list.len() > ENTRIES_MAX {
        return Err(wrong(name, &format!("has {} entries; it takes at most {ENTRIES_MAX}", list.len())));
    }
    let bad = |text: &String| {
        text.is_empty() || text.chars().count() > TEXT_CHARS_MAX || text.contains(char::is_control)
    };
    match list.iter().position(bad) {
        Some(index) => Err(wrong(
            &format!("{name}[{index}]"),
            &format!("must have 1 to {TEXT_CHARS_MAX} characters and no control characters"),
        )),
        None => Ok(()),
    }
}

/// Models are named by what they are really called from here on; what fits now is written down where new releases wait.
fn freeze(
    models: &mut [String],
    auto_approve: bool,
    names: &Names,
    snapshot: &Snapshot,
) -> Result<Option<Vec<String>>, WrittenError> {
    plain("models", models)?;
    let mut ids = Vec::new();
    for (index, name) in models.iter_mut().enumerate() {
        let path = format!("models[{index}]");
        *name = name.trim().to_lowercase();
        if !name.contains('*') {
            *name = known(&path, name, names, snapshot)?;
            ids.push(name.clone());
            continue;
        }
        let before = ids.len();
        let fitting = snapshot.models.iter().filter(|model| matches_pattern(name, &model.id));
        ids.extend(fitting.map(|model| model.id.to_string()));
        if ids.len() == before && !auto_approve {
            let problem = "fits no model of the catalog; with `auto_approve` it may wait for one";
            return Err(wrong(&path, problem));
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok((!auto_approve).then_some(ids))
}

fn known(path: &str, name: &str, names: &Names, snapshot: &Snapshot) -> Result<String, WrittenError> {
    let problem = match names.resolve(snapshot, name) {
        Ok(target) => match target.what {
            What::Model(index) if target.pin.is_none() && target.variant.is_none() => {
                let model = snapshot.models.get(index).map(|model| model.id.to_string());
                return model.ok_or_else(|| wrong(path, "is no model"));
            }
            What::Model(_) => String::from("names a variant or a provider; name the model alone"),
            What::Virtual(_) => {
                String::from("is a virtual model: it chooses among the models that are allowed")
            }
        },
        Err(NameError::Unknown { name, suggestions }) if suggestions.is_empty() => {
            format!("names `{name}`, and no model is called so; `GET /v1/models` lists them all")
        }
        Err(NameError::Unknown { name, suggestions }) => {
            format!(
                "names `{name}`, and no model is called so; did you mean `{}`?",
                suggestions.join("` or `")
            )
        }
        Err(other) => format!("can't be used: {other}"),
    };
    Err(wrong(path, &problem))
}

fn held(models: &[String], approved: Option<&[String]>) -> ModelSet {
    ModelSet::new(approved.unwrap_or(models).iter().map(String::as_str))
}

fn waiting<'s>(models: &[String], held: &ModelSet, snapshot: &'s Snapshot) -> Vec<&'s str> {
    let fits = |id: &str| models.iter().any(|pattern| matches_pattern(pattern, id));
    let ids = snapshot.models.iter().map(|model| &*model.id);
    ids.filter(|id| fits(id) && !held.holds(id)).collect()
}
