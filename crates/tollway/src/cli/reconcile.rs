//! `tollway ledger reconcile`: our books beside a provider's usage export, by day and model.
//!
//! - What the export has is compared: requests, input and output tokens, cost. Cost is what we say that the provider takes,
//!   corrections counted.
//! - A model of theirs is ours when it is the name that we call it by there; else when it is that name and a date.
//! - Drift is the difference by the larger side. Above the threshold a line is raised, and the exit code is 1.

mod export;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::ProviderUse;

use self::export::{Export, Sums};
use super::args::Reconcile;
use super::output::columns;
use super::rerate::date;
use super::{Context, Failure, keys};

/// Drift is counted in millionths.
const WHOLE: i128 = 1_000_000;

pub(super) async fn reconcile(context: &mut Context<'_>, args: &Reconcile) -> Result<(), Failure> {
    let threshold = percent(&args.threshold).ok_or_else(|| {
        Failure::BadInput(format!("--threshold {}: write a decimal in percent, such as 0.1", args.threshold))
    })?;
    let told = export::mapping(&args.map).map_err(Failure::BadInput)?;
    let theirs = export::read(&args.file, &told)
        .map_err(|why| Failure::BadInput(format!("--file {}: {why}", args.file.display())))?;
    let (loaded, store) = keys::open_with_catalog(context).await?;
    let Some(provider) = loaded.catalog.providers.iter().find(|known| *known.id == *args.provider) else {
        let why = format!("no provider is called `{}`; see `tollway check`", args.provider);
        return Err(Failure::BadInput(why));
    };
    let days = theirs.keys().map(|(day, _)| *day);
    let (from, to) = (days.clone().min().unwrap_or_default(), days.max().unwrap_or_default());
    let ours = store.provider_use(&provider.id, from, to).await.map_err(|e| keys::failed(&e))?;
    store.close().await;
    let names: BTreeMap<&str, &str> = loaded
        .catalog
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.id.as_ref(), endpoint.provider_model_id.as_ref()))
        .collect();
    let lines = compare(&theirs, &ours, &names, threshold);
    let raised: Vec<&Line> = lines.iter().filter(|line| line.is_raised).collect();
    context.out.answer(&human(&lines), &answer(&args.provider, &lines, (from, to)))?;
    if raised.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = raised.iter().map(|line| line.warning()).collect();
    Err(Failure::Failed(told.join("\n")))
}

/// Decimal percent as millionths.
fn percent(text: &str) -> Option<i128> {
    let nanos = text.parse::<types::Money>().ok().filter(|percent| !percent.is_negative())?.nanos();
    Some(i128::from(nanos) / 100_000)
}

/// One number of one model on one day, on both sides.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    day: i64,
    model: String,
    what: &'static str,
    theirs: i128,
    ours: i128,
    /// Millionths of the larger side; negative: we count less.
    drift: i128,
    is_raised: bool,
}

impl Line {
    fn new(day: i64, model: &str, what: &'static str, (theirs, ours): (i128, i128), threshold: i128) -> Line {
        let larger = theirs.abs().max(ours.abs());
        let drift = if larger == 0 { 0 } else { (ours - theirs) * WHOLE / larger };
        // Compared without division, so that nothing hides below a millionth.
        let is_raised = (ours - theirs).abs() * WHOLE > larger * threshold;
        Line { day, model: model.to_owned(), what, theirs, ours, drift, is_raised }
    }

    fn amount(&self, number: i128) -> String {
        match self.what {
            "cost" => i64::try_from(number)
                .map_or_else(|_| number.to_string(), |n| types::Money::from_nanos(n).to_string()),
            _ => number.to_string(),
        }
    }

    /// `-0.153`
    fn percent(&self) -> String {
        let thousandths = self.drift.unsigned_abs() / 10;
        let sign = if self.drift < 0 { "-" } else { "" };
        format!("{sign}{}.{:03}", thousandths / 1_000, thousandths % 1_000)
    }

    fn shown(&self) -> &str {
        if self.model.is_empty() { "all models" } else { &self.model }
    }

    fn warning(&self) -> String {
        format!(
            "{} {}: {}: the provider says {}, our books {}: {} % apart",
            date(self.day),
            self.shown(),
            self.what,
            self.amount(self.theirs),
            self.amount(self.ours),
            self.percent()
        )
    }
}

/// Every number that the export has, beside ours.
fn compare(
    theirs: &Export,
    ours: &[ProviderUse],
    names: &BTreeMap<&str, &str>,
    threshold: i128,
) -> Vec<Line> {
    let mut own = own(theirs, ours, names);
    // What the export tells at all, it tells of all models.
    let tells = |pick: fn(&Sums) -> bool| theirs.values().any(pick);
    let told = [
        tells(|sums| sums.requests.is_some()),
        tells(|sums| sums.input_tokens.is_some()),
        tells(|sums| sums.output_tokens.is_some()),
        tells(|sums| sums.cost.is_some()),
    ];
    let mut lines = Vec::new();
    let mut keys: Vec<(i64, String)> = theirs.keys().cloned().collect();
    keys.extend(own.keys().filter(|key| !theirs.contains_key(*key)).cloned());
    keys.sort();
    for key in keys {
        let (we, they) =
            (own.remove(&key).unwrap_or_default(), theirs.get(&key).copied().unwrap_or_default());
        let count = |n: Option<u64>| i128::from(n.unwrap_or_default());
        let cost = |sums: &Sums| sums.cost.map_or(0, |cost| i128::from(cost.nanos()));
        let numbers = [
            ("requests", count(they.requests), count(we.requests)),
            ("input tokens", count(they.input_tokens), count(we.input_tokens)),
            ("output tokens", count(they.output_tokens), count(we.output_tokens)),
            ("cost", cost(&they), cost(&we)),
        ];
        for ((what, theirs, ours), _) in numbers.into_iter().zip(told).filter(|(_, told)| *told) {
            if (theirs, ours) != (0, 0) {
                lines.push(Line::new(key.0, &key.1, what, (theirs, ours), threshold));
            }
        }
    }
    lines
}

/// Our sums under the export's names of models.
fn own(theirs: &Export, ours: &[ProviderUse], names: &BTreeMap<&str, &str>) -> Export {
    let mut own = Export::new();
    for row in ours {
        let short = row.endpoint.split_once('/').map_or(row.endpoint.as_str(), |(_, name)| name);
        let name = names.get(row.endpoint.as_str()).copied().unwrap_or(short);
        // An export that doesn't tell models apart that day has one line for all.
        let known = theirs.range((row.day, String::new())..).take_while(|((day, _), _)| *day == row.day);
        let mut known = known.map(|((_, model), _)| model.as_str()).peekable();
        let model = match known.peek() {
            Some(&"") => "",
            _ => known.find(|model| is_same_model(name, model)).unwrap_or(name),
        };
        let sums = own.entry((row.day, model.to_owned())).or_default();
        let plus =
            |slot: &mut Option<u64>, more: u64| *slot = Some(slot.unwrap_or_default().saturating_add(more));
        plus(&mut sums.requests, row.requests);
        plus(&mut sums.input_tokens, row.input_tokens);
        plus(&mut sums.output_tokens, row.output_tokens);
        sums.cost = Some(sums.cost.unwrap_or_default().saturating_add(row.cost));
    }
    own
}

/// The same name, or the same name with a date behind one of the two: `-2024-07-18`, `-20240718`, `@20240718`.
fn is_same_model(ours: &str, theirs: &str) -> bool {
    let dated = |long: &str, short: &str| {
        let rest = long.strip_prefix(short).and_then(|rest| rest.strip_prefix(['-', '@']));
        rest.is_some_and(|date| {
            let digits = date.bytes().filter(u8::is_ascii_digit).count();
            digits == 8 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        })
    };
    let (ours, theirs) = (ours.to_ascii_lowercase(), theirs.to_ascii_lowercase());
    ours == theirs || dated(&theirs, &ours) || dated(&ours, &theirs)
}

fn human(lines: &[Line]) -> String {
    let heading = ["day", "model", "what", "provider", "our books", "drift %", ""];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(lines.iter().map(|line| {
        vec![
            date(line.day),
            line.shown().to_owned(),
            line.what.to_owned(),
            line.amount(line.theirs),
            line.amount(line.ours),
            line.percent(),
            if line.is_raised { "raised".to_owned() } else { String::new() },
        ]
    }));
    let raised = lines.iter().filter(|line| line.is_raised).count();
    format!("{}\n{} numbers compared, {raised} raised", columns(&rows), lines.len())
}

fn answer(provider: &str, lines: &[Line], (from, to): (i64, i64)) -> Value {
    json!({
        "provider": provider,
        "from": date(from),
        "to": date(to),
        "compared": lines.len(),
        "raised": lines.iter().filter(|line| line.is_raised).count(),
        "lines": lines.iter().map(|line| json!({
            "day": date(line.day),
            "model": if line.model.is_empty() { Value::Null } else { json!(line.model) },
            "what": line.what,
            "provider": line.amount(line.theirs),
            "ours": line.amount(line.ours),
            "drift_percent": line.percent(),
            "raised": line.is_raised,
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use types::Money;

    use super::*;

    fn used(day: i64, endpoint: &str, tokens: u64, cost: i64) -> ProviderUse {
        let endpoint = endpoint.to_owned();
        let cost = Money::from_nanos(cost);
        ProviderUse { day, endpoint, requests: 1, input_tokens: tokens, output_tokens: 0, cost }
    }

    fn says(day: i64, model: &str, cost: i64) -> ((i64, String), Sums) {
        ((day, model.to_owned()), Sums { cost: Some(Money::from_nanos(cost)), ..Sums::default() })
    }

    fn lines(theirs: &[((i64, String), Sums)], ours: &[ProviderUse]) -> Vec<(String, i128, i128, bool)> {
        let names = BTreeMap::from([("lab/small", "small-v1")]);
        compare(&theirs.iter().cloned().collect(), ours, &names, 1_000)
            .into_iter()
            .map(|line| {
                (format!("{} {} {}", line.day, line.model, line.what), line.theirs, line.ours, line.is_raised)
            })
            .collect()
    }

    #[test]
    fn drift_above_the_threshold_is_raised_and_a_tenth_of_a_percent_is_not() {
        for (ours, raised) in [
            (1_000_000, false),
            (999_000, false),
            (998_999, true),
            (1_001_001, false),
            (1_001_002, true),
            (0, true),
        ] {
            let found = lines(&[says(1, "small-v1", 1_000_000)], &[used(1, "lab/small", 5, ours)]);
            assert_eq!(found, [("1 small-v1 cost".to_owned(), 1_000_000, i128::from(ours), raised)]);
        }
    }

    #[test]
    fn models_are_found_by_name_and_date_and_what_one_side_lacks_is_raised() {
        let theirs = [says(1, "small-v1-2024-07-18", 10), says(1, "other", 7), says(2, "", 12)];
        let ours = [
            used(1, "lab/small", 5, 10),
            used(1, "lab/gone", 5, 3),
            used(2, "lab/small", 1, 5),
            used(2, "lab/big", 1, 7),
        ];
        let expect = [
            ("1 gone cost", 0, 3, true),
            ("1 other cost", 7, 0, true),
            ("1 small-v1-2024-07-18 cost", 10, 10, false),
            ("2  cost", 12, 12, false),
        ];
        let expect: Vec<_> =
            expect.map(|(what, theirs, ours, raised)| (what.to_owned(), theirs, ours, raised)).into();
        assert_eq!(lines(&theirs, &ours), expect);
        assert!(!is_same_model("gpt-4o", "gpt-4o-mini") && is_same_model("claude-x-20250929", "claude-x"));
    }

    #[test]
    fn thresholds_are_decimals_and_drifts_are_shown() {
        assert_eq!((percent("0.1"), percent("0"), percent("100")), (Some(1_000), Some(0), Some(1_000_000)));
        assert_eq!((percent("x"), percent("-1")), (None, None));
        let line = Line::new(1, "m", "cost", (1_000_000, 998_470), 1_000);
        assert_eq!((line.percent().as_str(), line.amount(line.theirs).as_str()), ("-0.153", "0.001"));
    }
}
