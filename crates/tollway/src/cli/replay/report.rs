//! What a replay tells, for people: the two sides beside each other, what may be concluded, and where models would differ.

use gateway::replaying::{Figures, Told, usd};
use routing::replay::{Estimates, Interval};

use super::super::keys::instant;
use super::super::output::columns;

/// What is told, for people.
pub(super) struct Report<'t>(pub(super) &'t Told);

impl Report<'_> {
    /// For people.
    pub(super) fn human(&self) -> String {
        let mut text = format!(
            "{} requests since {}, as they happened and under {}\n({} records read, {} of them without facts, {} that nothing would serve now)\n",
            self.0.requests,
            instant(self.0.since),
            self.0.under,
            self.0.read,
            self.0.without_facts,
            self.0.unplanned
        );
        let (Some(answered), Some(cost)) = (&self.0.answered, &self.0.cost) else {
            text.push_str(
                "\nnothing to replay: conversations are recorded with facts as they are served; serve some, or widen --since\n",
            );
            return text;
        };
        text.push('\n');
        text.push_str(&columns(&self.table(answered)));
        text.push('\n');
        text.push_str(&columns(&details(answered, cost)));
        text.push_str(&format!(
            "effective sample size {:.0}, overlap {}\n\n",
            answered.effective,
            percent(answered.overlap)
        ));
        text.push_str(&conclusion("answered well", answered, &percent));
        text.push_str(&conclusion("cost of a request, USD", cost, &usd));
        text.push_str(&self.human_shifts());
        text
    }

    fn table(&self, answered: &Estimates) -> Vec<Vec<String>> {
        let would = match answered.thin() {
            Some(_) => "not known".to_owned(),
            None => percent(answered.robust.mean.clamp(0.0, 1.0)),
        };
        let quality = |side: &Figures| side.quality.map_or("-".to_owned(), |quality| format!("{quality:.3}"));
        let first = |side: &Figures| match side.first_token {
            Some((ms, known)) => format!("{ms:.0} ms (known of {})", percent(known)),
            None => "-".to_owned(),
        };
        let row = |name: &str, a: String, b: String| vec![name.to_owned(), a, b];
        let (happened, other) = (&self.0.happened, &self.0.other);
        vec![
            row("", "happened".to_owned(), "other".to_owned()),
            row("answered well", percent(answered.happened.mean), would),
            row("cost, USD, at the recorded usage", happened.cost.to_string(), other.cost.to_string()),
            row("expected quality (prior)", quality(happened), quality(other)),
            row("expected time to the first token", first(happened), first(other)),
        ]
    }

    fn human_shifts(&self) -> String {
        if self.0.shifts.is_empty() {
            return "\nno request would have gone to another model\n".to_owned();
        }
        let heading = ["requests", "from", "to", "happened USD", "other USD"].map(str::to_owned).to_vec();
        let rows = self.0.shifts.iter().map(|shift| {
            vec![
                shift.requests.to_string(),
                shift.from.clone(),
                shift.to.clone(),
                shift.happened.to_string(),
                shift.other.to_string(),
            ]
        });
        let rows: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
        format!("\nthe largest shifts between models\n{}", columns(&rows))
    }
}

/// What each estimator says, with intervals that hold the truth 95 times of 100.
fn details(answered: &Estimates, cost: &Estimates) -> Vec<Vec<String>> {
    let span = |of: &Interval, show: &dyn Fn(f64) -> String| {
        format!("{} ({} to {})", show(of.mean), show(of.low), show(of.high))
    };
    let row = |name: &str, pick: fn(&Estimates) -> Interval| {
        vec![name.to_owned(), span(&pick(answered), &percent), span(&pick(cost), &usd)]
    };
    vec![
        ["estimate (95 %)", "answered well", "cost of a request, USD"].map(str::to_owned).to_vec(),
        row("direct method", |told| told.direct),
        row("SNIPS", |told| told.snips),
        row("doubly robust", |told| told.robust),
    ]
}

fn conclusion(what: &str, told: &Estimates, show: &dyn Fn(f64) -> String) -> String {
    if let Some(thin) = told.thin() {
        return format!("{what}: nothing is concluded, {thin}\n");
    }
    let (low, high, happened) = (told.robust.low, told.robust.high, told.happened.mean);
    let verdict = if happened < low {
        "higher than what happened"
    } else if happened > high {
        "lower than what happened"
    } else {
        "no difference from what happened that could not be chance"
    };
    format!("{what}: {} to {}; {verdict} ({})\n", show(low), show(high), show(happened))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(happened: f64, low: f64, high: f64) -> Estimates {
        let at = |mean: f64| Interval { mean, low, high };
        let robust = at((low + high) / 2.0);
        Estimates { happened: at(happened), robust, effective: 900.0, overlap: 0.5, ..Estimates::default() }
    }

    #[test]
    fn a_conclusion_is_drawn_only_where_chance_can_t_explain_it() {
        let rows = [
            (told(0.9, 0.95, 0.97), "95.0 % to 97.0 %; higher than what happened (90.0 %)"),
            (told(0.9, 0.85, 0.88), "lower than what happened"),
            (told(0.9, 0.88, 0.92), "no difference"),
            (Estimates { effective: 12.0, ..told(0.9, 0.95, 0.97) }, "nothing is concluded, support is thin"),
            (Estimates { overlap: 0.01, ..told(0.9, 0.95, 0.97) }, "nothing is concluded, support is thin"),
        ];
        for (told, expect) in rows {
            let text = conclusion("answered well", &told, &percent);
            assert!(text.contains(expect), "{text}");
        }
        assert_eq!(usd(1_234.4), "0.000001234");
    }
}
