//! What a workload costs at each of several models.
//!
//! - A model is priced at the offer that costs least for this very workload, which need not be the one with the lowest price per
//!   token. `model@provider` or `model@provider/variant` takes that offer instead.
//! - The least month is marked only where two can be compared and differ.
//! - Where a number could not be read, nothing is priced: a wrong bill is worse than none.

use catalog::{Endpoint, Snapshot};
use ledger::{Percent, Terms};
use types::{Money, Quote};

use super::form::said;
use crate::calculate::{self, Asked, Estimate, Missing, Per, Workload};
use crate::format::{self, Shown};
use crate::visit::Visit;

/// Other offers of a model that are told.
const OTHERS_MAX: usize = 4;

/// The results of a calculation.
pub(crate) struct Costs {
    pub(crate) bills: Vec<Bill>,
    /// In words: `1,000 requests a day are 30,000 a month of 30 days`.
    pub(crate) volume: String,
    /// The preset whose numbers these are, with what it stands for.
    pub(crate) preset: Option<(&'static str, &'static str)>,
    /// What one request is, in words.
    pub(crate) request: String,
    /// Where this calculation is found again.
    pub(crate) address: String,
    /// Nobody chose the models.
    pub(crate) by_default: bool,
    /// Names of fields that could not be read, with what each is about and what to do.
    pub(crate) problems: Vec<(&'static str, (String, String))>,
    /// A discount by volume may come off, which is not counted.
    pub(crate) has_discounts: bool,
}

/// One model.
pub(crate) struct Bill {
    /// As it was asked for.
    pub(crate) given: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) priced: Option<Priced>,
    /// Why it has no price.
    pub(crate) problem: String,
    /// Ids like the one that nobody knows, and where they lead.
    pub(crate) others: Vec<(String, String)>,
    pub(crate) is_best: bool,
}

impl Bill {
    /// Ids like the one that nobody knows.
    pub(crate) fn suggestions(&self) -> Vec<&str> {
        if self.id.is_empty() { self.others.iter().map(|(id, _)| id.as_str()).collect() } else { Vec::new() }
    }
}

/// What it costs at an offer.
pub(crate) struct Priced {
    pub(crate) endpoint: String,
    pub(crate) provider: String,
    /// Calls can't go to it here now.
    pub(crate) is_off: bool,
    pub(crate) version: String,
    pub(crate) estimate: Estimate,
    pub(crate) request: Shown,
    pub(crate) month: Shown,
    pub(crate) lines: Vec<Line>,
    /// `$0.00036375 x 30,000 requests = $10.91`.
    pub(crate) formula: String,
    /// Markup of this place: how much in percent, and what that is.
    pub(crate) markup: Option<(String, Shown)>,
    pub(crate) uncharged: String,
    /// Other offers: name, month, address that takes it.
    pub(crate) elsewhere: Vec<Elsewhere>,
}

/// A line of the bill of one request.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    /// What else it stands in for.
    pub(crate) covers: String,
    pub(crate) units: String,
    pub(crate) rate: Shown,
    pub(crate) unit: &'static str,
    pub(crate) amount: Shown,
}

/// The same model at another offer.
pub(crate) struct Elsewhere {
    pub(crate) provider: String,
    pub(crate) month: Shown,
    pub(crate) address: String,
}

/// A model with the offer that was asked for, if any.
struct Asked1<'a> {
    model: usize,
    pin: Option<&'a str>,
}

impl Costs {
    /// Prices every model. `path` is the page that shows it.
    pub(crate) fn of(visit: &Visit, asked: &Asked, models: &[String], by_default: bool, path: &str) -> Costs {
        let workload = &asked.workload;
        let is_readable = asked.problems.iter().all(|problem| matches!(problem.field, "m" | "preset"));
        let given = |models: &[String]| {
            let models: Vec<&str> = models.iter().map(String::as_str).collect();
            format!("/calculator?{}", calculate::write(workload, &models))
        };
        let mut bills: Vec<Bill> = Vec::new();
        for (number, model) in models.iter().enumerate().filter(|_| is_readable) {
            let with = |other: &str| {
                let mut models = models.to_vec();
                models.iter_mut().skip(number).take(1).for_each(|known| other.clone_into(known));
                given(&models)
            };
            bills.push(bill(visit, workload, model, &with));
        }
        mark(&mut bills);
        let preset = calculate::PRESETS.iter().find(|preset| preset.workload == *workload);
        Costs {
            bills,
            volume: volume(workload),
            preset: preset.map(|preset| (preset.name, preset.text)),
            request: request(workload),
            address: if path == "/calculator" {
                given(models)
            } else {
                format!("{path}?{}", calculate::write(workload, &[]))
            },
            by_default,
            problems: asked.problems.iter().map(|problem| (problem.field, said(problem))).collect(),
            has_discounts: !visit.site.fees().discount.is_empty(),
        }
    }

    /// Whether a number could not be read, so that nothing is priced.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.problems.iter().any(|(field, _)| !matches!(*field, "m" | "preset"))
    }
}

fn volume(workload: &Workload) -> String {
    let month = format::count_of(workload.per_month(), "request");
    match workload.per {
        Per::Day => format!(
            "{} a day, which is {month} in a month of 30 days",
            format::count_of(workload.requests, "request")
        ),
        Per::Month => format!("{month} a month"),
    }
}

/// `1,500 input tokens (750 of them from the cache) and 400 output tokens`.
fn request(workload: &Workload) -> String {
    let usage = workload.usage();
    let mut parts: Vec<String> = Vec::new();
    match (workload.input, usage.cache_read) {
        (0, _) => {}
        (input, 0) => parts.push(format::count_of(input, "input token")),
        (input, cached) => {
            parts.push(format!(
                "{} ({} of them from the cache)",
                format::count_of(input, "input token"),
                format::count(cached)
            ));
        }
    }
    let rest = [
        (workload.output, "output token"),
        (workload.reasoning, "reasoning token"),
        (workload.images, "image"),
        (workload.audio_seconds, "second"),
        (workload.characters, "character"),
    ];
    parts.extend(
        rest.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format::count_of(*number, what)),
    );
    match workload.searches {
        0 => {}
        1 => parts.push("1 search".to_owned()),
        many => parts.push(format!("{} searches", format::count(many))),
    }
    if parts.is_empty() { "nothing".to_owned() } else { format::list(&parts) }
}

/// The least month, where there is something to choose.
fn mark(bills: &mut [Bill]) {
    let months = || bills.iter().filter_map(|bill| bill.priced.as_ref()).map(|priced| priced.estimate.month);
    let (least, most) = (months().min(), months().max());
    let is_best =
        |bill: &Bill| bill.priced.as_ref().map(|priced| priced.estimate.month) == least && least < most;
    let marks: Vec<bool> = bills.iter().map(is_best).collect();
    bills.iter_mut().zip(marks).for_each(|(bill, is_best)| bill.is_best = is_best);
}

/// What a name means: a model, or one of its offers.
fn find<'a>(snapshot: &Snapshot, given: &'a str) -> Option<Asked1<'a>> {
    if let Some(model) = snapshot.resolve(given) {
        return Some(Asked1 { model, pin: None });
    }
    let (name, pin) = given.split_once('@')?;
    Some(Asked1 { model: snapshot.resolve(name)?, pin: Some(pin) })
}

/// Whether an offer is what follows the `@`.
fn fits(snapshot: &Snapshot, endpoint: &Endpoint, pin: &str) -> bool {
    let (provider, variant) = pin.split_once('/').map_or((pin, None), |(p, v)| (p, Some(v)));
    let is_provider = endpoint.provider_in(snapshot).is_some_and(|known| *known.id == *provider);
    is_provider && variant.is_none_or(|variant| endpoint.variant.as_deref() == Some(variant))
}

fn pin_of(snapshot: &Snapshot, endpoint: &Endpoint, id: &str) -> String {
    let provider = endpoint.provider_in(snapshot).map(|provider| provider.id.to_string()).unwrap_or_default();
    match &endpoint.variant {
        Some(variant) => format!("{id}@{provider}/{variant}"),
        None => format!("{id}@{provider}"),
    }
}

fn bill(visit: &Visit, workload: &Workload, given: &str, with: &dyn Fn(&str) -> String) -> Bill {
    let snapshot = visit.snapshot();
    let none = |problem: String, id: &str, name: &str| Bill {
        given: given.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        priced: None,
        problem,
        others: Vec::new(),
        is_best: false,
    };
    let found = find(snapshot, given);
    let Some((asked, model)) =
        found.and_then(|asked| snapshot.models.get(asked.model).map(|model| (asked, model)))
    else {
        let like = snapshot.suggest(given.split('@').next().unwrap_or(given));
        let others = like.into_iter().map(|id| (id.to_owned(), with(id))).collect();
        return Bill { others, ..none("no model of this catalog has this name".to_owned(), "", given) };
    };
    let terms = Terms { markup: visit.site.fees().markup_of(&model.id), discount: Percent::ZERO };
    let mut priced: Vec<(&Endpoint, Estimate)> = Vec::new();
    let mut missing: Option<Missing> = None;
    for endpoint in snapshot.model_endpoints(asked.model) {
        match calculate::estimate(&endpoint.price, terms, workload, visit.now) {
            Ok(estimate) => priced.push((endpoint, estimate)),
            Err(why) => missing = missing.or(Some(why)),
        }
    }
    priced.sort_by(|(a, x), (b, y)| {
        x.month.cmp(&y.month).then(x.request.total.cmp(&y.request.total)).then(a.id.cmp(&b.id))
    });
    let at = match asked.pin {
        Some(pin) => priced.iter().position(|(endpoint, _)| fits(snapshot, endpoint, pin)),
        // A call goes to those that are switched on, where there are any.
        None => priced.iter().position(|(endpoint, _)| visit.index.on.has(endpoint)).or(Some(0)),
    };
    let Some((endpoint, estimate)) = at.and_then(|at| priced.get(at)) else {
        let problem = match (asked.pin, missing) {
            (Some(pin), _) if !priced.is_empty() => format!("`{pin}` has no priced offer of it"),
            (_, Some(missing)) => missing.text(),
            (_, None) => "nobody offers it".to_owned(),
        };
        return none(problem, &model.id, &model.name);
    };
    let others = priced.iter().filter(|(other, _)| other.id != endpoint.id).take(OTHERS_MAX);
    let elsewhere = others.map(|(other, estimate)| Elsewhere {
        provider: named(snapshot, other),
        month: format::cost(estimate.month),
        address: with(&pin_of(snapshot, other, &model.id)),
    });
    let elsewhere = elsewhere.collect();
    Bill {
        priced: Some(detail(visit, endpoint, estimate, terms, workload, elsewhere)),
        ..none(String::new(), &model.id, &model.name)
    }
}

/// A provider's name with what sets this offer apart.
fn named(snapshot: &Snapshot, endpoint: &Endpoint) -> String {
    let name = endpoint.provider_in(snapshot).map(|provider| provider.name.clone()).unwrap_or_default();
    match &endpoint.variant {
        Some(variant) => format!("{name} ({variant})"),
        None => name.to_string(),
    }
}

fn detail(
    visit: &Visit,
    endpoint: &Endpoint,
    estimate: &Estimate,
    terms: Terms,
    workload: &Workload,
    elsewhere: Vec<Elsewhere>,
) -> Priced {
    let line = |line: &calculate::Line| Line {
        name: format::price_name(line.kind),
        covers: covers(line),
        units: format::count(line.units),
        rate: format::quote(line.kind, Some(Quote::Known(line.rate))),
        unit: format::unit(line.kind),
        amount: format::cost(line.amount),
    };
    let uncharged: Vec<&str> = estimate.uncharged.iter().map(|kind| format::price_name(*kind)).collect();
    let exact = |amount: Money| format::cost(amount).exact;
    Priced {
        endpoint: endpoint.id.to_string(),
        provider: named(visit.snapshot(), endpoint),
        is_off: !visit.index.on.has(endpoint),
        version: endpoint.price_version.to_string(),
        request: format::cost(estimate.request.total),
        month: format::cost(estimate.month),
        lines: estimate.lines.iter().map(line).collect(),
        formula: format!(
            "{} \u{d7} {} = {}",
            exact(estimate.request.total),
            format::count_of(workload.per_month(), "request"),
            exact(estimate.month)
        ),
        markup: (!terms.markup.is_zero())
            .then(|| (terms.markup.to_string(), format::cost(estimate.request.markup))),
        uncharged: format::list(&uncharged).to_lowercase(),
        elsewhere,
        estimate: estimate.clone(),
    }
}

fn covers(line: &calculate::Line) -> String {
    let others = line.covers.iter().filter(|kind| **kind != line.kind);
    let names: Vec<String> = others.map(|kind| format::price_name(*kind).to_lowercase()).collect();
    format::list(&names)
}
