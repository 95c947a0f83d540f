//! Questions that people have about a model, with the answers that the data gives.

use catalog::{Endpoint, Modality, Model};
use ledger::Terms;
use types::Timestamp;

use super::{Subject, cheapest, modalities, price_phrase, related};
use crate::calculate::{self, EXAMPLE_CALL};
use crate::format::{self, count_of};

/// As many other models as an answer names.
const OTHERS_MAX: usize = 3;
/// As many providers as an answer names.
const PROVIDERS_MAX: usize = 8;

/// A question and its answer, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Faq {
    /// Ends with a question mark.
    pub(crate) question: String,
    /// Whole sentences.
    pub(crate) answer: String,
}

/// The questions that the data answers, in the order in which people ask them.
pub(crate) fn faq(subject: &Subject<'_>) -> Vec<Faq> {
    let Some(model) = subject.of() else {
        return Vec::new();
    };
    let name = &model.name;
    let asked = [
        (format!("What does {name} cost?"), costs(subject)),
        (format!("How long is the context of {name}?"), context(subject, model)),
        (format!("Who serves {name}?"), served(subject, model)),
        (format!("Does {name} support tools, images and JSON?"), abilities(model)),
        (format!("What does {name} know, and until when?"), knowledge(model)),
        (format!("Are the weights of {name} open?"), weights(model)),
        (format!("What happens to prompts sent to {name}?"), policy(subject)),
        (format!("How is {name} called?"), called(model)),
        (format!("When does the router pick {name}?"), subject.routed.map(str::to_owned)),
        (format!("What are alternatives to {name}?"), others(subject)),
        ("Which fees are added?".to_owned(), Some(subject.fees.join(" "))),
    ];
    let answered = asked.into_iter().filter_map(|(question, answer)| {
        Some(Faq { question, answer: answer.filter(|answer| !answer.is_empty())? })
    });
    answered.collect()
}

fn costs(subject: &Subject<'_>) -> Option<String> {
    let offers = subject.offers.len() as u64;
    if offers == 0 {
        return Some("Nobody in this catalog offers it, so it has no price.".to_owned());
    }
    let Some(endpoint) = cheapest(subject.snapshot, subject.model, subject.on) else {
        return Some(match offers {
            1 => "The price of its only offer is unknown.".to_owned(),
            _ => format!("The prices of its {offers} offers are unknown."),
        });
    };
    let phrase = price_phrase(endpoint)?;
    let provider = subject.provider(endpoint);
    // One that is on may have no known price: the cheapest is then another, which is off.
    let on = if subject.on.has(endpoint) { subject.offers_on() } else { 0 };
    let mut answer = match (offers, on) {
        (1, _) => format!("{} at {provider}, who alone offers it.", capital(&phrase)),
        (_, 0) => format!("From {phrase} at {provider}, the lowest of {offers} offers."),
        (_, 1) => format!(
            "{} at {provider}, the one of {offers} offers that is switched on here.",
            capital(&phrase)
        ),
        (_, on) => format!(
            "From {phrase} at {provider}, the lowest of the {on} of {offers} offers that are switched on here."
        ),
    };
    let (input, output) = EXAMPLE_CALL;
    let priced = calculate::examples(&endpoint.price, Terms::default(), Timestamp::default());
    // Without conditions that come and go with the time of day, one sum holds for all of it.
    let is_steady = endpoint.price.overrides.iter().all(|change| change.utc_window.is_none());
    let is_chat = subject.of().is_some_and(Model::is_chat);
    if let Some(row) = priced.last().filter(|row| is_chat && is_steady && row.amount.nanos() > 0) {
        answer.push_str(&format!(
            " {} of {} tokens in and {} out cost {} there.",
            count_of(row.calls, "request"),
            format::count(input),
            format::count(output),
            row.cost.text()
        ));
    }
    for change in &endpoint.price.overrides {
        answer.push_str(&format!(" Other prices hold {}.", calculate::condition(change)));
    }
    Some(answer)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn context(subject: &Subject<'_>, model: &Model) -> Option<String> {
    let context = model.context_tokens()?;
    let mut answer = format!("{} tokens, {}.", format::tokens(context).in_full(), format::words(context));
    if let Some(most) = model.max_output_tokens() {
        answer.push_str(&format!(" An answer can have up to {} tokens.", format::tokens(most).in_full()));
    }
    let mut differing: Vec<String> = Vec::new();
    for endpoint in subject.offers {
        let own = endpoint.context_tokens(subject.snapshot).filter(|own| *own != context);
        if let Some(own) = own {
            let told = format!("{} {}", subject.provider(endpoint), format::tokens(own).text());
            if !differing.contains(&told) {
                differing.push(told);
            }
        }
    }
    if !differing.is_empty() {
        differing.truncate(PROVIDERS_MAX);
        answer.push_str(&format!(" Some offers differ: {}.", format::list(&differing)));
    }
    Some(answer)
}

fn served(subject: &Subject<'_>, model: &Model) -> Option<String> {
    let mut names = subject.providers();
    let count = names.len();
    if count == 0 {
        return Some(match model.facts.weights_url {
            Some(_) => "Nobody in this catalog; its weights can be had and run by oneself.".to_owned(),
            None => "Nobody in this catalog.".to_owned(),
        });
    }
    let on = subject.offers_on();
    let rest = count.saturating_sub(PROVIDERS_MAX);
    names.truncate(PROVIDERS_MAX);
    let mut who: Vec<String> = names.into_iter().map(str::to_owned).collect();
    if rest > 0 {
        who.push(format!("{rest} more"));
    }
    let here = match on {
        0 if count == 1 => "It is not switched on here.".to_owned(),
        0 => "None of them is switched on here.".to_owned(),
        _ => format!("{} can be called here.", count_of(on, "offer")),
    };
    Some(format!("{}. {here}", format::list(&who)))
}

fn abilities(model: &Model) -> Option<String> {
    if !model.is_chat() {
        let (inputs, outputs) = (modalities(model.input_modalities()), modalities(model.output_modalities()));
        return Some(format!("It takes {inputs} and gives {outputs}."));
    }
    let takes_images =
        model.facts.input_modalities.as_ref().map(|claim| claim.value.contains(&Modality::Image));
    let rows = [
        ("tools", model.tool_call()),
        ("images as input", takes_images),
        ("JSON held to a schema", model.structured_output()),
        ("reasoning before the answer", model.reasoning()),
    ];
    let named = |wanted: Option<bool>| {
        let names: Vec<&str> =
            rows.iter().filter(|(_, fact)| *fact == wanted).map(|(name, _)| *name).collect();
        (!names.is_empty()).then(|| format::list(&names))
    };
    if rows.iter().all(|(_, fact)| fact.is_none()) {
        return None;
    }
    let told = [
        named(Some(true)).map(|names| format!("Yes: {names}.")),
        named(Some(false)).map(|names| format!("No: {names}.")),
        named(None).map(|names| format!("Unknown: {names}.")),
    ];
    Some(told.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn knowledge(model: &Model) -> Option<String> {
    let cutoff = model.facts.knowledge_cutoff.as_ref()?;
    let mut answer =
        format!("It was trained on what was known up to {}.", format::date(&cutoff.value).text());
    if let Some(released) = &model.facts.released {
        answer.push_str(&format!(" It was released on {}.", format::date(&released.value).text()));
    }
    if let Some(released) = &model.facts.released {
        // As far as both are given: `2026` may well be before a day of it.
        let shared = cutoff.value.len().min(released.value.len());
        if cutoff.value.get(..shared) > released.value.get(..shared) {
            answer.push_str(" They can't both be right; see their sources.");
        }
    }
    // `released on Mar 2026` is no English.
    Some(if model.facts.released.as_ref().is_some_and(|claim| claim.value.len() < 10) {
        answer.replace("released on", "released in")
    } else {
        answer
    })
}

fn weights(model: &Model) -> Option<String> {
    let is_open = model.facts.open_weights.as_ref()?.value;
    if !is_open {
        return Some("No, they have not been published.".to_owned());
    }
    let license = match &model.facts.license {
        Some(claim) => format!("Yes, under the license {}.", claim.value),
        None => "Yes; the license is unknown.".to_owned(),
    };
    let place = model.facts.weights_url.as_ref().map(|claim| format!(" They are at {}.", claim.value));
    Some(license + place.as_deref().unwrap_or_default())
}

/// What providers are said to do with prompts, by how many say so.
fn policy(subject: &Subject<'_>) -> Option<String> {
    let mut seen: Vec<&Endpoint> = Vec::new();
    for endpoint in subject.offers {
        if !seen.iter().any(|known| known.provider == endpoint.provider) {
            seen.push(endpoint);
        }
    }
    let mut told = Vec::new();
    let mut unknown = 0_u64;
    for endpoint in &seen {
        let facts = &endpoint.provider_in(subject.snapshot)?.facts;
        let training = facts.trains_on_data.as_ref().map(|claim| match claim.value {
            true => "trains on them".to_owned(),
            false => "does not train on them".to_owned(),
        });
        let kept = facts.retention_days.as_ref().map(|claim| match claim.value {
            0 => "keeps nothing".to_owned(),
            days => format!("keeps them for {}", count_of(days, "day")),
        });
        let says: Vec<String> = training.into_iter().chain(kept).collect();
        match says.is_empty() {
            true => unknown += 1,
            false if told.len() < PROVIDERS_MAX => {
                told.push(format!("{} {}.", subject.provider(endpoint), format::list(&says)));
            }
            false => {}
        }
    }
    if told.is_empty() {
        return None;
    }
    if unknown > 0 {
        told.push(format!("Of {} it is unknown.", count_of(unknown, "other provider")));
    }
    Some(told.join(" "))
}

fn called(model: &Model) -> Option<String> {
    let mut answer = format!("With the model id `{}`.", model.id);
    let aliases: Vec<String> =
        model.aliases.iter().take(OTHERS_MAX).map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        answer.push_str(&format!(" It also answers to {}.", format::list(&aliases)));
    }
    Some(answer)
}

fn others(subject: &Subject<'_>) -> Option<String> {
    let near = related(subject.snapshot, subject.model, OTHERS_MAX, subject.on);
    let told: Vec<String> = near
        .iter()
        .filter_map(|other| {
            let model = subject.snapshot.models.get(other.model)?;
            let price = cheapest(subject.snapshot, other.model, subject.on).and_then(price_phrase);
            let price = price.map_or_else(|| "price unknown".to_owned(), |price| format!("from {price}"));
            Some(format!("{} ({}; {price})", model.name, other.because))
        })
        .collect();
    (!told.is_empty()).then(|| format!("{}.", format::list(&told)))
}
