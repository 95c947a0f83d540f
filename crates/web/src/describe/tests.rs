use std::path::Path;
use std::sync::LazyLock;

use catalog::load_dir;
use proptest::prelude::*;
use types::{Money, Rate};

use super::*;

static CATALOG: LazyLock<Snapshot> =
    LazyLock::new(|| load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap());

fn at(id: &str) -> usize {
    CATALOG.models.iter().position(|model| *model.id == *id).unwrap()
}

fn with<T>(id: usize, ask: impl Fn(&Subject<'_>) -> T) -> T {
    let offers: Vec<&Endpoint> = CATALOG.model_endpoints(id).collect();
    let fees = ["Topping up is free of fees.".to_owned()];
    ask(&Subject {
        snapshot: &CATALOG,
        on: &Switches::default(),
        model: id,
        offers: &offers,
        routed: Some("Never."),
        fees: &fees,
    })
}

fn rate(text: &str) -> Rate {
    Rate::parse_per_million(text).unwrap()
}

#[test]
fn one_model_in_full() {
    let small = at("mistralai/mistral-small-2603");
    let summary = with(small, summary);
    assert!(
        summary.starts_with(
            "Mistral Small 4 by Mistral AI: text and images in, text out; a context of 256K tokens; from $"
        ),
        "{summary}"
    );
    let all = with(small, faq);
    let answer = |word: &str| {
        &all.iter().find(|faq| faq.question.contains(word)).unwrap_or_else(|| panic!("{word}")).answer
    };
    assert!(answer("cost").contains(" per 1M input tokens and "), "{}", answer("cost"));
    assert!(
        answer("cost").contains("1,000 requests of 10,000 tokens in and 1,000 out cost $"),
        "{}",
        answer("cost")
    );
    assert!(
        answer("context").starts_with(
            "256K (256,000) tokens, about 192,000 words. An answer can have up to 256K (256,000) tokens."
        ),
        "{}",
        answer("context")
    );
    assert_eq!(
        answer("tools"),
        "Yes: tools, images as input, JSON held to a schema and reasoning before the answer."
    );
    assert_eq!(
        answer("know"),
        "It was trained on what was known up to Jun 2025. It was released on 16 Mar 2026."
    );
    assert_eq!(
        answer("weights"),
        "Yes, under the license Apache-2.0. They are at https://huggingface.co/mistralai/Mistral-Small-4-119B-2603."
    );
    assert!(
        answer("prompts").contains("Mistral does not train on them and keeps them for 30 days."),
        "{}",
        answer("prompts")
    );
    assert!(answer("called").starts_with("With the model id `mistralai/mistral-small-2603`."));
    assert_eq!(
        (answer("router").as_str(), answer("fees").as_str()),
        ("Never.", "Topping up is free of fees.")
    );
}

/// The contradictions that other sites' pages have: for every model, numbers in prose are those of the table.
#[test]
fn prose_and_table_say_the_same_of_every_model() {
    for (position, model) in CATALOG.models.iter().enumerate() {
        let all = with(position, faq);
        assert!(all.len() >= 4, "{}", model.id);
        for Faq { question, answer } in &all {
            assert!(question.ends_with('?') && answer.ends_with('.'), "{}: {question} {answer}", model.id);
            assert!(
                !answer.contains("  ")
                    && !answer.contains("–")
                    && !answer.contains(" ,")
                    && !answer.contains(".."),
                "{}: {answer}",
                model.id
            );
        }
        let prose: String =
            all.iter().map(|faq| faq.answer.as_str()).chain([with(position, summary).as_str()]).collect();
        if let Some(endpoint) = cheapest(&CATALOG, position, &Switches::default()) {
            for (kind, rate) in headline(endpoint) {
                let shown = format::quote(kind, Some(types::Quote::Known(rate)));
                let is_said =
                    prose.contains(shown.text()) || prose.contains("nothing") || prose.contains("Nothing");
                assert!(is_said, "{}: {} not in {prose}", model.id, shown.text());
            }
        }
        if let Some(context) = model.context_tokens() {
            assert!(
                prose.contains(&format!("{} tokens", format::tokens(context).in_full())),
                "{}: {prose}",
                model.id
            );
        }
        if let (Some(_), Some(most)) = (model.context_tokens(), model.max_output_tokens()) {
            let told = format!("up to {} tokens", format::tokens(most).in_full());
            assert!(prose.contains(&told), "{}: {told} not in {prose}", model.id);
        }
        let says =
            |word: &str| all.iter().find(|faq| faq.question.contains(word)).map(|faq| faq.answer.as_str());
        if let (Some(answer), true) = (says("tools"), model.is_chat()) {
            let part = match model.tool_call() {
                Some(true) => "Yes: tools",
                Some(false) => "No: tools",
                None => "Unknown: tools",
            };
            assert!(answer.contains(part), "{}: {answer}", model.id);
        }
        let open = model.facts.open_weights.as_ref().map(|claim| claim.value);
        assert_eq!(says("weights").map(|answer| answer.starts_with("Yes")), open, "{}", model.id);
    }
}

#[test]
fn what_can_not_be_is_not_told_as_if() {
    let small = at("mistralai/mistral-small-2603");
    let knows = |cutoff: &str| {
        let mut snapshot = CATALOG.clone();
        if let Some(claim) = &mut snapshot.models[small].facts.knowledge_cutoff {
            claim.value = cutoff.to_owned();
        }
        let subject = Subject {
            snapshot: &snapshot,
            on: &Switches::default(),
            model: small,
            offers: &[],
            routed: None,
            fees: &[],
        };
        let all = faq(&subject);
        all.into_iter()
            .find(|faq| faq.question.contains("know"))
            .unwrap()
            .answer
            .contains("can't both be right")
    };
    // Released on 2026-03-16.
    let rows = [
        ("2025-06", false),
        ("2026", false),
        ("2026-03", false),
        ("2026-03-17", true),
        ("2026-04", true),
        ("2027", true),
    ];
    for (cutoff, is_told) in rows {
        assert_eq!(knows(cutoff), is_told, "{cutoff}");
    }
    let vectors = with(at("qwen/qwen3-embedding-8b"), faq);
    assert!(!vectors.iter().any(|faq| faq.answer.contains("1,000 out")), "{vectors:?}");
}

#[test]
fn related_models_follow_the_rule() {
    for (position, model) in CATALOG.models.iter().enumerate() {
        let near = related(&CATALOG, position, 6, &Switches::default());
        assert!(near.len() <= 6 && near.iter().all(|one| one.model != position), "{}", model.id);
        let mut seen: Vec<usize> = near.iter().map(|one| one.model).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), near.len(), "{}", model.id);
        for one in &near {
            let other = &CATALOG.models[one.model];
            assert_eq!(other.output_modalities(), model.output_modalities(), "{} and {}", model.id, other.id);
            let expect = match () {
                () if other.author == model.author
                    && model.family.is_some()
                    && other.family == model.family =>
                {
                    "same family"
                }
                () if other.author == model.author => "same author",
                () => "similar price and context",
            };
            assert_eq!(one.because, expect, "{} and {}", model.id, other.id);
        }
    }
    let near = related(&CATALOG, at("mistralai/mistral-small-2603"), 6, &Switches::default());
    let count = |because: &str| near.iter().filter(|one| one.because == because).count();
    assert_eq!((near.len(), count("similar price and context")), (6, 2));
    assert!(
        related(&CATALOG, 0, 0, &Switches::default()).is_empty()
            && related(&CATALOG, usize::MAX, 6, &Switches::default()).is_empty()
    );
}

#[test]
fn tasks_come_from_facts() {
    let slugs = |id: &str| {
        best_for(&CATALOG, at(id), &Switches::default()).iter().map(|task| task.slug).collect::<Vec<_>>()
    };
    let small = slugs("mistralai/mistral-small-2603");
    for slug in ["reasoning", "agents", "extraction", "long-documents", "vision", "self-hosting"] {
        assert!(small.contains(&slug), "{small:?}");
    }
    assert_eq!(slugs("qwen/qwen3-embedding-8b"), ["search"]);
    let cheap = CATALOG.models.iter().enumerate().filter(|(at, _)| {
        best_for(&CATALOG, *at, &Switches::default()).iter().any(|task| task.slug == "volume")
    });
    let share = cheap.count();
    assert!(share > 0 && share * 3 < CATALOG.models.len(), "{share}");
}

/// An offer that can be called, without a price: the cheapest is another's, and nobody is told that it is on.
#[test]
fn an_offer_that_is_on_without_a_price_is_not_the_cheapest_here() {
    let priceless = CATALOG.models.iter().enumerate().find_map(|(at, _)| {
        let offers: Vec<&Endpoint> = CATALOG.model_endpoints(at).collect();
        let unpriced = offers.iter().find(|offer| price_phrase(offer).is_none())?;
        let rest = offers.iter().filter(|offer| price_phrase(offer).is_some());
        let is_its_only = rest.clone().all(|offer| offer.provider != unpriced.provider);
        (is_its_only && rest.count() > 0).then_some((at, unpriced.provider))
    });
    let (model, provider) = priceless.unwrap();
    let id = &CATALOG.providers[provider].id;
    let world = crate::testing::Still::new(&crate::testing::SHIPPED, &[id]);
    let on = Switches::of(&world);
    let offers: Vec<&Endpoint> = CATALOG.model_endpoints(model).collect();
    let subject = Subject { snapshot: &CATALOG, on: &on, model, offers: &offers, routed: None, fees: &[] };
    assert!(subject.offers_on() > 0);
    let costs = &faq(&subject)[0].answer;
    assert!(costs.contains("From ") && !costs.contains("switched on here"), "{costs}");
}

#[test]
fn the_effective_price_is_the_average() {
    let got = effective(rate("0.15"), rate("0.015"), 72, 100).unwrap();
    // 0.28 x 0.15 + 0.72 x 0.015 = 0.0528.
    assert_eq!((got.price.short.as_str(), got.rate), ("$0.0528", rate("0.0528")));
    assert_eq!(got.formula, "28% of input at $0.15 and 72% at $0.015 per 1M tokens");
    assert_eq!(effective(rate("1"), rate("0.1"), 0, 7).unwrap().rate, rate("1"));
    assert_eq!(effective(rate("1"), rate("0.1"), 9, 7).unwrap().rate, rate("0.1"));
    assert!(effective(rate("1"), rate("0.1"), 0, 0).is_none());
}

#[test]
fn renting_costs_less_from_some_point_on() {
    let got = break_even(Money::from_usd(2), rate("0.15"), rate("0.60"), 20).unwrap();
    // 0.8 x 0.15 + 0.2 x 0.60 = 0.24; 1460 / 0.24 = 6083.3 million.
    assert_eq!(
        (got.month, got.blended, got.tokens_per_month),
        (Money::from_usd(1_460), rate("0.24"), 6_083_333_334)
    );
    assert_eq!(got.tokens_per_s, 2_315);
    assert_eq!(
        got.formula,
        "$2.00 an hour x 730 hours = $1,460.00 a month; / $0.24 per 1M tokens (20% output) = 6.08B tokens a month"
    );
    assert!(break_even(Money::from_usd(2), Rate::FREE, Rate::FREE, 20).is_none());
    assert!(break_even(Money::ZERO, rate("1"), rate("1"), 20).is_none());
    assert!(break_even(Money::MAX, rate("1"), rate("1"), 20).is_none());
}

proptest! {
    /// One token less and renting costs more; at the point it doesn't.
    #[test]
    fn the_break_even_point_is_exact(hour in 1_i64..1_000_000_000_000, input in 1_i64..90_000_000_000, output in 0_i64..90_000_000_000, share in 0_u64..=100) {
        let rates = (Rate::from_nanos_per_million(input).unwrap(), Rate::from_nanos_per_million(output).unwrap());
        if let Some(got) = break_even(Money::from_nanos(hour), rates.0, rates.1, share) {
            let exact = i128::from(input) * i128::from(100 - share) + i128::from(output) * i128::from(share);
            let cost = |tokens: u64| i128::from(tokens) * exact;
            let month = i128::from(got.month.nanos()) * 100_000_000;
            prop_assert!(cost(got.tokens_per_month) >= month && cost(got.tokens_per_month - 1) < month);
        }
    }

    #[test]
    fn effective_lies_between(input in 0_i64..90_000_000_000, read in 0_i64..90_000_000_000, hits: u64, of in 1_u64..) {
        let (a, b) = (Rate::from_nanos_per_million(input).unwrap(), Rate::from_nanos_per_million(read).unwrap());
        let got = effective(a, b, hits, of).unwrap().rate;
        prop_assert!(got >= a.min(b) && got <= a.max(b));
    }
}
