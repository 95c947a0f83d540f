//! Price sheets, line by line: what a feed says of an offer's prices meets what stands there.

use std::sync::Arc;

use types::{Override, PriceKind, PriceSheet, Quote, Rate};

use super::feed::{Line, Says};
use super::{Counts, Tally, take_claim};
use crate::claim::Claim;
use crate::endpoint::{Endpoint, PriceClaim};
use crate::price;

type Stated = (Line, Claim<Quote>);

/// Every price of an endpoint with its condition and claim.
pub(crate) fn lines(endpoint: &Endpoint) -> Vec<Stated> {
    let stated = endpoint.price_claims.iter().filter_map(|row| {
        let change = match row.override_index {
            Some(at) => Some(endpoint.price.overrides.get(at as usize)?),
            None => None,
        };
        let line = Line {
            above: change.and_then(|change| change.above_input_tokens),
            window: change.and_then(|change| change.utc_window),
            kind: row.kind,
            quote: row.claim.value,
        };
        Some((line, row.claim.clone()))
    });
    stated.collect()
}

/// Puts lines together as a sheet. Overrides keep their order; new ones follow, the smaller size first, windows last.
pub(crate) fn put(endpoint: &mut Endpoint, lines: Vec<Stated>) {
    let mut conditions: Vec<_> = endpoint
        .price
        .overrides
        .iter()
        .map(|change| (change.above_input_tokens, change.utc_window))
        .collect();
    let mut fresh: Vec<_> = lines.iter().map(|(line, _)| (line.above, line.window)).collect();
    fresh.retain(|condition| *condition != (None, None) && !conditions.contains(condition));
    fresh.sort_by_key(|(above, window)| (window.map(|(from, to)| (from.minute(), to.minute())), *above));
    fresh.dedup();
    conditions.extend(fresh);
    let mut claims = Vec::with_capacity(lines.len());
    let mut quotes = |above, window, index| {
        let mut list = Vec::new();
        for kind in PriceKind::ALL {
            let found =
                lines.iter().find(|(line, _)| (line.above, line.window, line.kind) == (above, window, kind));
            if let Some((_, claim)) = found {
                list.push((kind, claim.value));
                claims.push(PriceClaim { kind, override_index: index, claim: claim.clone() });
            }
        }
        list
    };
    let mut sheet = PriceSheet { quotes: quotes(None, None, None), overrides: Vec::new() };
    for (above, window) in conditions {
        let index = u32::try_from(sheet.overrides.len()).ok();
        let quotes = quotes(above, window, index);
        if !quotes.is_empty() {
            sheet.overrides.push(Override { above_input_tokens: above, utc_window: window, quotes });
        }
    }
    endpoint.price_version = price::version(&endpoint.id, &sheet);
    endpoint.price = Arc::new(sheet);
    endpoint.price_claims = claims;
}

/// What decides about prices beside their claims.
pub(crate) struct Manner<'a> {
    pub(crate) says: &'a Says,
    pub(crate) source: &'a str,
    pub(crate) carries: fn(&Line) -> bool,
    /// A price of 0 is one.
    pub(crate) believes_free: bool,
}

/// Takes the prices that a feed states for an offer.
pub(crate) fn take(
    endpoint: &mut Endpoint,
    theirs: &[Line],
    manner: &Manner<'_>,
    counts: &mut Counts,
    tally: &mut Tally,
    at: &str,
) {
    let mut ours = lines(endpoint);
    let is_new = ours.is_empty();
    let believed = |line: &&Line| {
        let free = line.quote == Quote::Known(Rate::FREE);
        let token_price = matches!(line.kind, PriceKind::Input | PriceKind::Output);
        let stands = ours.iter().any(|(own, _)| own.is_same_as(line) && own.quote == line.quote);
        !free || !token_price || manner.believes_free || stands
    };
    let (known, free): (Vec<&Line>, Vec<&Line>) = theirs.iter().partition(|line| believed(line));
    tally.free_not_believed += free.len() as u64;
    let is_theirs = !is_new
        && !known.is_empty()
        && ours
            .iter()
            .all(|(_, claim)| *claim.source == *manner.source && !manner.says.is_older_than(&claim.as_of));
    if is_theirs {
        let before = ours.len();
        // Most feeds have no word for a price that is charged and unknown: their silence takes none away.
        let still = |line: &Line| {
            line.quote == Quote::Unknown
                || !(manner.carries)(line)
                || theirs.iter().any(|listed| listed.is_same_as(line))
        };
        ours.retain(|(line, _)| still(line));
        counts.withdrawn += (before - ours.len()) as u64;
    }
    let (base, changes): (Vec<&Line>, Vec<&Line>) =
        known.into_iter().partition(|line| line.above.is_none() && line.window.is_none());
    for line in &base {
        take_line(&mut ours, line, manner, counts);
    }
    // Tiers belong to their base prices: those of a sheet that is disputed stay out.
    let tiers_fit = is_new || is_theirs || {
        let same = |(own, claim): &Stated| {
            let listed = base.iter().find(|line| line.is_same_as(own));
            listed.is_none_or(|line| line.quote == claim.value)
        };
        ours.iter().filter(|(own, _)| own.above.is_none() && own.window.is_none()).all(same)
    };
    for line in changes {
        let stands = ours.iter().any(|(own, _)| own.is_same_as(line));
        if tiers_fit || stands {
            take_line(&mut ours, line, manner, counts);
        } else {
            tally.skip("its tiers belong to base prices that other sources dispute", at);
        }
    }
    if is_new {
        complete(&mut ours, manner);
    }
    put(endpoint, ours);
}

fn take_line(ours: &mut Vec<Stated>, line: &Line, manner: &Manner<'_>, counts: &mut Counts) {
    let claim = manner.says.claim(line.quote);
    match ours.iter_mut().find(|(own, _)| own.is_same_as(line)) {
        Some((_, own)) => {
            let mut held = Some(own.clone());
            take_claim(&mut held, Some(claim), counts);
            if let Some(held) = held {
                *own = held;
            }
        }
        None => {
            counts.taken += 1;
            ours.push((*line, claim));
        }
    }
}

/// A new offer without a price is charged, and nobody knows how much.
fn complete(ours: &mut Vec<Stated>, manner: &Manner<'_>) {
    if ours.iter().any(|(line, _)| line.above.is_none() && line.window.is_none()) {
        return;
    }
    for kind in [PriceKind::Input, PriceKind::Output] {
        ours.push((Line::base(kind, Quote::Unknown), manner.says.claim(Quote::Unknown)));
    }
}
