//! Facets: everything that use is told apart by beside key, model and provider: the app, the end user, who holds the key, tags, projects, the reason why
//! an answer ended, and each free dimension of callers. A generation counts under each of its own.
//!
//! How many there are is the callers' choice, so each facet keeps so many values of an account in an hour and in a day: those that
//! came first. What comes beyond them counts under the value [`OTHER`], and a free dimension beyond [`DIMENSIONS_MAX`] under the
//! facet [`OTHER`]. A value that is kept has all of its generations of that hour or day, so that what is shown is never a part.
//!
//! Days are kept of the whole account and of each key, hours of the whole account only: end users times keys times hours would be more
//! than the generations themselves.
//!
//! Beside these stand the [`parts`]: the sums by key, model and provider once more, by one of these alone and by none, so that what is
//! asked most reads a row of a day for each model and not one for each model at each provider with each key.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use ledger::GenerationRecord;

use crate::StoreError;
use crate::db::Tx;
use crate::rollups::{Cells, Rollup};

/// What values and facets beyond those that are kept count under.
pub const OTHER: &str = "(other)";
/// Values of one facet of an account in one hour.
pub const VALUES_PER_HOUR_MAX: usize = 200;
/// Values of one facet of an account in one day.
pub const VALUES_PER_DAY_MAX: usize = 1_000;
/// Free dimensions of an account in one hour or day.
pub const DIMENSIONS_MAX: usize = 40;
/// What a free dimension's facet begins with.
pub const DIMENSION: &str = "dim:";

/// The part that has all calls of the account, under an empty value.
pub(crate) const ALL: &str = "all";
/// The part by key: its id.
pub(crate) const KEY: &str = "key";
/// The part by concrete model.
pub(crate) const MODEL: &str = "model";
/// The part by provider.
pub(crate) const PROVIDER: &str = "provider";

/// Longest value, bytes.
const VALUE_BYTES_MAX: usize = 256;
/// Dimensions that name single calls, conversations or users: those are looked up in the log, or have a facet of their own.
const APART: [&str; 6] =
    ["trace_id", "trace.trace_id", "session_id", "trace.session_id", "user_id", "generation_id"];

/// Facets and their values.
pub(crate) type Values<'r> = BTreeSet<(Cow<'r, str>, Cow<'r, str>)>;

/// What use by key, model and provider counts under in the rollups of facets, of the whole account each.
pub(crate) fn parts<'a>([key, model, provider]: &[Cow<'a, str>; 3]) -> [(&'static str, Cow<'a, str>); 4] {
    [(ALL, "".into()), (KEY, key.clone()), (MODEL, model.clone()), (PROVIDER, provider.clone())]
}

/// Whether a facet is a part: all of its values are kept.
pub(crate) fn is_part(facet: &str) -> bool {
    [ALL, KEY, MODEL, PROVIDER].contains(&facet)
}

/// The facets of a generation and their values.
pub(crate) fn of(record: &GenerationRecord) -> Values<'_> {
    let mut all = Values::new();
    let fixed = [
        ("model_requested", asked(record)),
        ("endpoint", &record.endpoint),
        ("api_type", &record.dialect),
        ("finish_reason", record.finish_reason.as_deref().unwrap_or_default()),
        ("error", record.error.as_deref().unwrap_or_default()),
        ("app", app(record)),
        ("user", user(record)),
    ];
    let subjects = record.counted.iter().filter_map(|subject| match subject.split_once(':') {
        Some(("project", value)) => Some(("project", value)),
        Some(("tag", value)) => Some(("tag", value)),
        Some(("member", value)) => Some(("member", value)),
        _ => None,
    });
    for (facet, value) in fixed.into_iter().chain(subjects).filter(|(_, value)| !value.is_empty()) {
        all.insert((facet.into(), shortened(value)));
    }
    for (name, value) in record.dimensions.iter().filter(|(name, _)| !APART.contains(&name.as_str())) {
        let facet = shortened(&format!("{DIMENSION}{name}")).into_owned();
        if !value.is_empty() {
            all.insert((facet.into(), shortened(value)));
        }
    }
    all
}

fn shortened(text: &str) -> Cow<'_, str> {
    let plain = if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { text.into() };
    if plain.len() <= VALUE_BYTES_MAX {
        return plain;
    }
    let mut end = VALUE_BYTES_MAX;
    while !plain.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(plain.get(..end).unwrap_or_default().to_owned())
}

/// The model as the caller wrote it.
pub(crate) fn asked(record: &GenerationRecord) -> &str {
    if record.requested_model.is_empty() { &record.model } else { &record.requested_model }
}

/// The app as it named itself.
pub(crate) fn app(record: &GenerationRecord) -> &str {
    let app = record.app.as_ref();
    app.and_then(|app| app.title.as_deref().or(app.referer.as_deref())).unwrap_or_default()
}

/// The caller's own user.
pub(crate) fn user(record: &GenerationRecord) -> &str {
    record.user.as_deref().or(dimension(record, "user_id")).unwrap_or_default()
}

/// What groups calls into a trace.
pub(crate) fn trace(record: &GenerationRecord) -> &str {
    dimension(record, "trace.trace_id").or(dimension(record, "trace_id")).unwrap_or_default()
}

fn dimension<'r>(record: &'r GenerationRecord, name: &str) -> Option<&'r str> {
    record.dimensions.get(name).map(String::as_str)
}

/// Whether a facet that is not there yet has a place among those that are.
pub(crate) fn has_place(facet: &str, kept: impl Iterator<Item = impl AsRef<str>>) -> bool {
    let is_free = |name: &str| name.starts_with(DIMENSION);
    !is_free(facet) || kept.filter(|name| is_free(name.as_ref())).count() < DIMENSIONS_MAX
}

/// How many values of a facet are kept.
pub(crate) fn values_max(rollup: Rollup) -> usize {
    if rollup == Rollup::FacetHours { VALUES_PER_HOUR_MAX } else { VALUES_PER_DAY_MAX }
}

/// The values that are kept of one account at one hour or day.
#[derive(Default)]
struct Kept {
    values: HashSet<(String, String)>,
    /// How many of each facet.
    facets: BTreeMap<String, usize>,
}

impl Kept {
    async fn read(tx: &mut Tx, rollup: Rollup, account: &str, at: i64) -> Result<Kept, StoreError> {
        let sql = match rollup {
            Rollup::FacetHours => {
                "SELECT DISTINCT facet, value FROM facet_hours WHERE account = $1 AND hour = $2"
            }
            _ => "SELECT DISTINCT facet, value FROM facet_days WHERE account = $1 AND day = $2",
        };
        let rows: Vec<(String, String)> = tx.fetch(sql, &[account.into(), at.into()]).await?;
        let mut kept = Kept::default();
        for (facet, value) in rows {
            kept.put(facet, value);
        }
        Ok(kept)
    }

    fn put(&mut self, facet: String, value: String) {
        if value != OTHER {
            *self.facets.entry(facet.clone()).or_default() += 1;
            self.values.insert((facet, value));
        } else if facet != OTHER {
            self.facets.entry(facet).or_default();
        }
    }

    /// What a facet's value counts under.
    fn place(
        &mut self,
        facet: &str,
        value: &str,
        values_max: usize,
        adds: bool,
    ) -> Option<[&'static str; 2]> {
        let name = (facet.to_owned(), value.to_owned());
        if self.values.contains(&name) {
            return None;
        }
        match self.facets.get(facet) {
            None if !adds || !has_place(facet, self.facets.keys()) => Some([OTHER, OTHER]),
            Some(count) if !adds || *count >= values_max => Some(["", OTHER]),
            _ => {
                self.put(name.0, name.1);
                None
            }
        }
    }
}

/// Moves what has no place of its own to [`OTHER`]. With `adds`, new values take a place as long as there is one. The caller holds
/// the lock on the rollups.
pub(crate) async fn bound<'a>(
    tx: &mut Tx,
    rollup: Rollup,
    cells: Cells<'a>,
    adds: bool,
) -> Result<Cells<'a>, StoreError> {
    let mut kept: Option<((&str, i64), Kept)> = None;
    let mut bounded = Cells::new();
    for ((account, at, [facet, value, key]), figures) in cells {
        if is_part(&facet) {
            bounded.insert((account, at, [facet, value, key]), figures);
            continue;
        }
        // Cells come in the order of accounts and hours.
        if kept.as_ref().is_none_or(|(of, _)| *of != (account, at)) {
            kept = Some(((account, at), Kept::read(tx, rollup, account, at).await?));
        }
        let place = kept.as_mut().and_then(|(_, kept)| kept.place(&facet, &value, values_max(rollup), adds));
        let (facet, value) = match place {
            None => (facet, value),
            Some(["", value]) => (facet, value.into()),
            Some([facet, value]) => (facet.into(), value.into()),
        };
        bounded.entry((account, at, [facet, value, key])).or_default().add(&figures);
    }
    Ok(bounded)
}
