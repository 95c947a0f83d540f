//! What a decision asks of every candidate, side by side: a catalog's endpoints are far apart in memory, and most of what they say is
//! asked of few of them.

use catalog::{Endpoint, Snapshot, Status};
use types::{Money, PriceKind, PriceSheet, Quote, Rate, Timestamp, Usage};

use crate::filters::{is_sandbox, tier};

/// An endpoint as far as every decision looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brief {
    /// Index in the snapshot.
    pub(crate) endpoint: u32,
    /// Index of its model; out of range where the endpoint is.
    pub(crate) model: u32,
    /// Input and output tokens together; the most where nobody says.
    pub(crate) context_tokens: u64,
    /// Its prices, where they are as simple as most are.
    pub(crate) flat: Option<Flat>,
    /// Answered inside this program.
    pub(crate) sandbox: bool,
    /// The sandbox's plain echo.
    pub(crate) echo: bool,
    /// About to be withdrawn.
    pub(crate) deprecated: bool,
    /// Of a service tier.
    pub(crate) tiered: bool,
}

impl Brief {
    pub(crate) fn of(snapshot: &Snapshot, index: u32) -> Option<Brief> {
        let e = snapshot.endpoints.get(index as usize)?;
        let sandbox = is_sandbox(snapshot, e);
        Some(Brief {
            endpoint: index,
            model: u32::try_from(e.model).unwrap_or(u32::MAX),
            context_tokens: e.context_tokens(snapshot).unwrap_or(u64::MAX),
            flat: Flat::of(&e.price),
            sandbox,
            echo: sandbox && &*e.name == "echo",
            deprecated: e.status == Status::Deprecated,
            tiered: tier(e).is_some(),
        })
    }

    /// The endpoint itself.
    pub(crate) fn in_snapshot<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Endpoint> {
        snapshot.endpoints.get(self.endpoint as usize)
    }

    /// What a request of so much input and output costs, as [`PriceSheet::total`] says; `None`: its price is not known.
    pub(crate) fn total(&self, snapshot: &Snapshot, input: u64, output: u64, at: Timestamp) -> Option<Money> {
        match self.flat.filter(|flat| flat.holds(input)) {
            Some(flat) => Some(flat.total(input, output)),
            None => {
                let usage = Usage { input, output, requests: 1, ..Usage::default() };
                self.in_snapshot(snapshot)?.price.total(&usage, at).ok()
            }
        }
    }
}

/// Prices that are the same at any time, up to a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flat {
    input: Rate,
    output: Rate,
    request: Rate,
    /// Input tokens above which others hold.
    up_to: u64,
}

impl Flat {
    /// `None`: input or output has no known price, or one that goes by the time of day.
    pub(crate) fn of(sheet: &PriceSheet) -> Option<Flat> {
        let known = |kind| sheet.quote(kind).and_then(Quote::rate);
        let request = match sheet.quote(PriceKind::Requests) {
            Some(quote) => quote.rate()?,
            None => Rate::FREE,
        };
        let mut up_to = u64::MAX;
        for change in &sheet.overrides {
            // What asks for a size asks it at any time.
            up_to = up_to.min(change.above_input_tokens?);
        }
        Some(Flat { input: known(PriceKind::Input)?, output: known(PriceKind::Output)?, request, up_to })
    }

    /// Whether these prices are those of a request of so much input.
    pub(crate) const fn holds(&self, input_tokens: u64) -> bool {
        input_tokens <= self.up_to
    }

    /// Each price is rounded by itself, in the order of a bill.
    pub(crate) fn total(&self, input: u64, output: u64) -> Money {
        let tokens = self.input.times(input).saturating_add(self.output.times(output));
        tokens.saturating_add(self.request.times(1))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::order::{expected, likely};
    use crate::plan::Facts;
    use crate::random::Random;

    #[test]
    fn what_is_worked_out_before_costs_what_the_sheet_says() {
        let snapshot =
            catalog::load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap();
        let mut random = Random::new(3);
        let mut flat = 0;
        for index in 0..snapshot.endpoints.len() as u32 {
            let brief = Brief::of(&snapshot, index).unwrap();
            let endpoint = brief.in_snapshot(&snapshot).unwrap();
            for input in [0, 1, 500, 128_000, 128_001, 200_000, 200_001, 5_000_000] {
                let at = Timestamp::from_seconds((random.unit() * 86_400.0) as i64);
                let output = (random.unit() * 9_000.0) as u64;
                let usage = Usage { input, output, requests: 1, ..Usage::default() };
                let total = endpoint.price.total(&usage, at).ok();
                assert_eq!(brief.total(&snapshot, input, output, at), total, "{}", endpoint.id);
                let facts = Facts { input_tokens: input, max_tokens: Some(output), at, ..Facts::default() };
                assert_eq!(likely(&brief, endpoint, &facts), expected(endpoint, &facts), "{}", endpoint.id);
                flat += u32::from(brief.flat.is_some_and(|flat| flat.holds(input)));
            }
        }
        assert!(flat as usize > snapshot.endpoints.len() * 4, "few prices are simple: {flat}");
    }
}
