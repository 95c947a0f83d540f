use super::*;
use crate::fixture::{edited, files, load, snapshot};
use crate::{Rule, diff, export};
use types::{PriceKind, Quote};

const DAY: &str = "2026-08-01";
const ENDPOINT: &str = "providers/mistral/endpoints/small-4.toml";

fn run(format: Format, text: &str) -> Imported {
    import(format, text, &snapshot(), DAY, Some("mistral")).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(format: Format, text: &str) -> String {
    import(format, text, &snapshot(), DAY, Some("mistral")).map(|_| ()).unwrap_err().to_string()
}

fn price(snapshot: &Snapshot, endpoint: &str, kind: PriceKind) -> Option<String> {
    let quote = snapshot.endpoint(endpoint)?.price.quote(kind)?;
    Some(match quote {
        Quote::Unknown => "unknown".to_owned(),
        Quote::Known(rate) => rate.per_million(),
    })
}

/// A feed of one offer of Mistral's in the form of models.dev.
fn models_dev(cost: &str) -> String {
    format!(
        r#"{{"mistral": {{"id": "mistral", "name": "Mistral", "env": ["MISTRAL_API_KEY"], "npm": "@ai-sdk/mistral", "models": {{
          "mistral-small-2603": {{"id": "mistral-small-2603", "name": "Small 4", "family": "mistral-small", "attachment": true,
            "reasoning": false, "tool_call": true, "release_date": "2026-03-16", "last_updated": "2026-07-30", "open_weights": true,
            "modalities": {{"input": ["text", "image"], "output": ["text"]}}, "limit": {{"context": 262144, "output": 32768}},
            "smell": "of rain", "cost": {cost}}}}}}}}}"#
    )
}

#[test]
fn another_source_becomes_dissent_and_the_same_source_is_refreshed() {
    let text = models_dev(r#"{"input": 0.2, "output": 0.60, "cache_read": 0.02}"#);
    let Imported { snapshot: after, report } = run(Format::ModelsDev, &text);
    let endpoint = after.endpoint("mistral/small-4").unwrap();
    let claim = |kind| {
        &endpoint
            .price_claims
            .iter()
            .find(|row| row.kind == kind && row.override_index.is_none())
            .unwrap()
            .claim
    };
    // `feed` said 0.15 and stands; what models.dev says is kept beside it.
    assert_eq!(price(&after, "mistral/small-4", PriceKind::Input).as_deref(), Some("0.15"));
    let said: Vec<&str> = claim(PriceKind::Input).dissent.iter().map(|other| &*other.source).collect();
    assert_eq!(
        (said, claim(PriceKind::Input).rule),
        (vec!["page", "models.dev"], Some(Rule::VendorOrFeedOverPage))
    );
    assert_eq!(claim(PriceKind::CacheRead).rule, Some(Rule::Kept));
    assert!(claim(PriceKind::Output).dissent.is_empty());
    assert_eq!(
        after.model("mistralai/small-4").unwrap().facts.open_weights.as_ref().unwrap().as_of.as_ref(),
        DAY
    );
    assert_eq!(report.unknown_fields.into_iter().collect::<Vec<_>>(), [("model.smell".to_owned(), 1)]);
    assert!(report.fields_without_place.contains_key("model.last_updated"));
    // The same feed once more says nothing new; a later one of the same source moves its own dissent.
    let again = import(Format::ModelsDev, &text, &after, "2026-08-02", None).unwrap();
    assert_eq!((again.report.claims.taken, again.report.claims.dissent), (0, 0));
    assert_eq!(again.snapshot.version, after.version);
    let moved = import(
        Format::ModelsDev,
        &models_dev(r#"{"input": 0.15, "output": 0.6}"#),
        &after,
        "2026-08-03",
        None,
    )
    .unwrap();
    let endpoint = moved.snapshot.endpoint("mistral/small-4").unwrap();
    assert_eq!(endpoint.price_claims[0].claim.dissent.len(), 1, "it has come round");
    // An older feed of the source changes nothing.
    let older =
        import(Format::ModelsDev, &models_dev(r#"{"input": 9, "output": 9}"#), &after, "2026-07-01", None)
            .unwrap();
    assert_eq!(
        older.snapshot.endpoint("mistral/small-4").unwrap().price_claims[0].claim.dissent[1].as_of.as_ref(),
        DAY
    );
    assert!(older.report.claims.older >= 1);
}

#[test]
fn prices_that_are_the_feeds_own_follow_it() {
    // Everything of this endpoint is said by models.dev.
    let own = files().map(|(file, text)| {
        let text = if file == "providers/venice/endpoints/small-4@eu.toml" {
            text.replace("\"feed\"", "\"models.dev\"")
        } else {
            text
        };
        (file, text)
    });
    let source =
        [("sources/models.dev.toml", "name = \"models.dev\"\nurl = \"https://models.dev\"\n".to_owned())];
    let base = load(own.chain(source)).unwrap();
    let text = |cost: &str| {
        models_dev(cost).replace("\"mistral\"", "\"venice\"").replace("mistral-small-2603", "Small-4-EU")
    };
    let cheaper = text(
        r#"{"input": 0.1, "output": 0.5, "tiers": [{"tier": {"type": "context", "size": 200000}, "input": 0.2}]}"#,
    );
    let after = import(Format::ModelsDev, &cheaper, &base, DAY, None).unwrap();
    assert_eq!(price(&after.snapshot, "venice/small-4@eu", PriceKind::Input).as_deref(), Some("0.1"));
    let sheet = &after.snapshot.endpoint("venice/small-4@eu").unwrap().price;
    assert_eq!((sheet.overrides.len(), sheet.overrides[0].above_input_tokens), (1, Some(200_000)));
    // It lists the tier no more.
    let flat =
        import(Format::ModelsDev, &text(r#"{"input": 0.1, "output": 0.5}"#), &after.snapshot, DAY, None)
            .unwrap();
    assert!(flat.snapshot.endpoint("venice/small-4@eu").unwrap().price.overrides.is_empty());
    assert_eq!(flat.report.claims.withdrawn, 1);
    // A price of 0 is no price, and nothing is taken away because a feed is silent.
    let free =
        import(Format::ModelsDev, &text(r#"{"input": 0, "output": 0}"#), &flat.snapshot, DAY, None).unwrap();
    assert_eq!(price(&free.snapshot, "venice/small-4@eu", PriceKind::Input).as_deref(), Some("0.1"));
    assert_eq!(free.report.free_not_believed, 2);
    assert_eq!(diff(&base, &free.snapshot).models_removed.len(), 0);
}

#[test]
fn new_offers_and_models_come_with_their_source() {
    let text = models_dev(r#"{"input": 0.9, "output": 2}"#)
        .replace("\"mistral-small-2603\"", "\"mistral-small-5\"")
        .replace("\"Small 4\"", "\"Small 5\"");
    let Imported { snapshot: after, .. } = run(Format::ModelsDev, &text);
    let model = after.model("mistralai/mistral-small-5").expect("its family has one author");
    assert_eq!(
        (model.name.as_str(), &*model.source, model.context_tokens()),
        ("Small 5", "models.dev", Some(262_144))
    );
    assert_eq!(price(&after, "mistral/mistral-small-5", PriceKind::Output).as_deref(), Some("2"));
    assert!(after.source("models.dev").is_some());
    // Nobody knows who made this one.
    let stray = text
        .replace("\"family\": \"mistral-small\"", "\"family\": \"stray\"")
        .replace("\"mistral\"", "\"venice\"");
    let skipped = run(Format::ModelsDev, &stray).report.skipped;
    assert_eq!(skipped.into_keys().collect::<Vec<_>>(), ["nobody says who made the model"]);
    // A price that nobody says is unknown, not free.
    let silent =
        run(Format::ModelsDev, &text.replace(r#""cost": {"input": 0.9, "output": 2}"#, r#""cost": null"#));
    assert_eq!(
        price(&silent.snapshot, "mistral/mistral-small-5", PriceKind::Input).as_deref(),
        Some("unknown")
    );
}

#[test]
fn a_bad_feed_is_refused_whole_with_the_entry() {
    let dev = |cost: &str| models_dev(cost);
    let rows = [
        (Format::ModelsDev, dev(r#"{"input": -1, "output": 1}"#), "`mistral/mistral-small-2603`: `input` is a negative price: -1"),
        (Format::ModelsDev, dev(r#"{"input": "cheap", "output": 1}"#), "`mistral/mistral-small-2603`: `input` must be a decimal"),
        (Format::ModelsDev, dev(r#"{"input": 150000, "output": 1}"#), "per token and per million mixed up"),
        (Format::ModelsDev, dev("[]"), "`cost` must be an object"),
        (Format::ModelsDev, "{}".to_owned(), "is it the api.json of models.dev?"),
        (Format::ModelsDev, "{".to_owned(), "`the feed`: is not JSON"),
        (Format::Litellm, r#"{"x": {"mode": "chat"}}"#.to_owned(), "`x`: has no `litellm_provider`"),
        (Format::Litellm, r#"{"x": {"litellm_provider": "mistral", "input_cost_per_token": 0.15}}"#.to_owned(), "mixed up"),
        (Format::Openrouter, r#"{"data": [{"name": "x"}]}"#.to_owned(), "has an entry without `id`"),
        (Format::Openrouter, r#"{"models": []}"#.to_owned(), "has no `data`"),
        (Format::GenaiPrices, r#"[{"id": "mistral", "models": [{"id": "x"}]}]"#.to_owned(), "`mistral/x`: `prices` is missing"),
        (Format::GenaiPrices, r#"[{"id": "m", "models": [{"id": "x", "match": {"like": "x"}, "prices": {}}]}]"#.to_owned(), "must be one rule"),
        (Format::ProviderDocument, r#"{"data": []}"#.to_owned(), "is it a provider document?"),
        (Format::ProviderDocument,
         r#"{"data": [{"id": "x", "input_modalities": [{"type": "text", "pricing": [{"type": "prompt", "unit": "token"}]}]}]}"#.to_owned(),
         "`x`: `cost_usd` is missing"),
    ];
    for (format, text, wanted) in rows {
        let said = refused(format, &text);
        assert!(said.contains(wanted), "{}: wanted {wanted}, got {said}", format.name());
    }
    assert!(import(Format::ModelsDev, &dev("{}"), &snapshot(), "2026-08", None).is_err());
    assert!(
        import(Format::ProviderDocument, r#"{"data": []}"#, &snapshot(), DAY, None)
            .unwrap_err()
            .to_string()
            .contains("--provider")
    );
}

#[test]
fn litellm_counts_per_token_with_exponents() {
    let text = r#"{
      "sample_spec": {"litellm_provider": "one of them", "input_cost_per_token": 0.0},
      "mistral/mistral-small-2603": {"litellm_provider": "mistral", "mode": "chat", "max_tokens": 32768, "max_input_tokens": 262144,
        "max_output_tokens": 32768, "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "input_cost_per_token_above_200k_tokens": 3e-07,
        "cache_read_input_token_cost": 1.5000000000000002e-08, "input_cost_per_audio_token": 1e-06, "supports_function_calling": true,
        "supports_reasoning": true, "supports_telepathy": true, "deprecation_date": "2027-01-31", "supports_vision": true},
      "bedrock/none": {"litellm_provider": "bedrock", "input_cost_per_token": 1e-06},
      "elsewhere/x": {"litellm_provider": "aiml", "input_cost_per_token": 1e-06}
    }"#;
    let Imported { snapshot: after, report } = run(Format::Litellm, text);
    let sheet = &after.endpoint("mistral/small-4").unwrap().price;
    let claim = &after.endpoint("mistral/small-4").unwrap().price_claims;
    // The same prices as ours: no dissent. What we have not is taken.
    assert_eq!(
        claim.iter().filter(|row| row.claim.dissent.iter().any(|d| &*d.source == "litellm")).count(),
        0
    );
    assert_eq!(price(&after, "mistral/small-4", PriceKind::AudioInput).as_deref(), Some("1"));
    assert!(
        sheet
            .overrides
            .iter()
            .any(|change| (change.above_input_tokens, change.utc_window) == (Some(200_000), None))
    );
    let facts = &after.model("mistralai/small-4").unwrap().facts;
    assert_eq!(facts.retires.as_ref().map(|claim| claim.value.as_str()), Some("2027-01-31"));
    assert_eq!(facts.reasoning.as_ref().map(|claim| claim.value), Some(true));
    assert_eq!(report.prices_rounded, 1);
    assert_eq!(report.unknown_fields.keys().collect::<Vec<_>>(), ["model.supports_telepathy"]);
    let why: Vec<&str> = report.skipped.keys().copied().collect();
    assert_eq!(why, ["no such provider here", "of a provider that is not known here"]);
}

#[test]
fn openrouter_lists_facts_and_endpoints_meet_offers() {
    let list = r#"{"data": [
      {"id": "mistralai/small-4", "canonical_slug": "mistralai/small-4", "name": "Mistral: Small 4", "created": 1773619200, "description": "words",
       "context_length": 131072, "architecture": {"modality": "text->text", "input_modalities": ["text"], "output_modalities": ["text"],
       "tokenizer": "Mistral", "instruct_type": null}, "pricing": {"prompt": "0.00000015", "completion": "0.0000006"},
       "top_provider": {"context_length": 131072, "max_completion_tokens": 32768, "is_moderated": false}, "per_request_limits": null,
       "supported_parameters": ["tools", "reasoning"], "expiration_date": "2027-02-01", "hugging_face_id": "mistralai/Small-4"},
      {"id": "newco/owl", "name": "NewCo: Owl", "context_length": 4096, "pricing": {"prompt": "0", "completion": "0"}, "aura": 1},
      {"id": "openrouter/auto", "name": "Auto", "pricing": {"prompt": "-1", "completion": "-1"}}]}"#;
    let Imported { snapshot: after, report } = run(Format::Openrouter, list);
    let facts = &after.model("mistralai/small-4").unwrap().facts;
    assert_eq!(
        (facts.context_tokens.as_ref().unwrap().value, facts.context_tokens.as_ref().unwrap().dissent.len()),
        (262_144, 2)
    );
    assert_eq!(facts.retires.as_ref().unwrap().value, "2027-02-01");
    let owl = after.model("newco/owl").expect("a model without an offer");
    assert_eq!((owl.name.as_str(), after.author("newco").unwrap().name.as_str()), ("Owl", "NewCo"));
    assert!(
        diff(&snapshot(), &after).endpoints_added.is_empty(),
        "OpenRouter is no provider of this catalog"
    );
    assert_eq!(report.unknown_fields.keys().collect::<Vec<_>>(), ["model.aura"]);
    let endpoints = r#"{"data": {"id": "mistralai/small-4", "name": "x", "endpoints": [
      {"name": "Mistral | x", "tag": "mistral", "provider_name": "Mistral", "context_length": 262144, "quantization": "fp8", "max_completion_tokens": null,
       "pricing": {"prompt": "0.00000018", "completion": "0.0000006", "image": "0", "request": "0", "discount": 0,
         "overrides": [{"min_prompt_tokens": 256000, "completion": "0.0000009"}, {"utc_start": 1630, "utc_end": 30, "prompt": "0.0000003"}]},
       "supported_parameters": ["tools"], "status": 0, "uptime_last_30m": 99.9},
      {"tag": "together/fp8", "pricing": {"prompt": "0.000001", "completion": "0.000001"}}]}}"#;
    let Imported { snapshot: after, report } = run(Format::Openrouter, endpoints);
    let offer = after.endpoint("mistral/small-4").unwrap();
    assert_eq!(offer.facts.quantization.as_ref().unwrap().value, "fp8");
    let input = &offer.price_claims[0].claim;
    assert_eq!((input.dissent.len(), &*input.dissent[1].source), (2, "openrouter"));
    assert!(
        offer.price.overrides.iter().all(|change| change.above_input_tokens.is_some()),
        "tiers of a disputed sheet stay out"
    );
    assert!(report.skipped.contains_key("its tiers belong to base prices that other sources dispute"));
    assert!(report.skipped.contains_key("no such provider here"));
}

#[test]
fn genai_prices_meet_every_offer_that_their_rule_fits() {
    let text = r#"[{"id": "mistral", "name": "Mistral", "api_pattern": "x", "models": [
      {"id": "mistral-small", "match": {"or": [{"starts_with": "MISTRAL-SMALL"}, {"regex": "x+"}]}, "context_window": 1, "mood": 1,
       "prices": [{"prices": {"input_mtok": 9, "output_mtok": 9}},
         {"constraint": {"start_date": "2026-01-01"}, "prices": {"input_mtok": {"base": 0.15, "tiers": [{"start": 500000, "price": 0.4}]},
           "output_mtok": 0.6, "cache_read_mtok": 0.015, "requests_kcount": 2}},
         {"constraint": {"start_date": "2027-01-01"}, "prices": {"input_mtok": 99, "output_mtok": 99}},
         {"constraint": {"start_time": "01:00:00Z", "end_time": "02:00:00Z"}, "prices": {"input_mtok": 0.05}}]},
      {"id": "other", "match": {"equals": "other"}, "prices": {"input_mtok": 1}}]}]"#;
    let Imported { snapshot: after, report } = run(Format::GenaiPrices, text);
    let sheet = &after.endpoint("mistral/small-4").unwrap().price;
    assert_eq!(price(&after, "mistral/small-4", PriceKind::Input).as_deref(), Some("0.15"));
    assert_eq!(
        sheet.quote(PriceKind::Requests).and_then(Quote::rate).map(types::Rate::per_unit).as_deref(),
        Some("0.002")
    );
    let conditions: Vec<_> =
        sheet.overrides.iter().map(|o| (o.above_input_tokens, o.utc_window.is_some())).collect();
    assert_eq!(
        conditions,
        [(Some(200_000), true), (Some(256_000), false), (Some(500_000), false), (None, true)]
    );
    assert!(report.skipped.contains_key("prices of days to come"));
    assert!(report.skipped.contains_key("no such offer here, and the feed has no id to call it by"));
    assert_eq!(report.unknown_fields.keys().collect::<Vec<_>>(), ["model.mood"]);
}

#[test]
fn a_provider_document_is_the_providers_own_word() {
    let text = r#"{"data": [{"schema_version": "2.4", "id": "mistral-small-2603", "name": "Small 4", "is_ready": true, "is_free": true, "aura": 1,
      "deprecation_date": "2027-01-31", "quantization": "fp8", "pricing": [{"type": "request", "unit": "request", "cost_usd": "0.001"}],
      "input_modalities": [{"type": "text", "supported_inputs": {"max_context_length": {"value": 131072, "unit": "token"}},
        "pricing": [{"type": "prompt", "unit": "token", "cost_usd": "0", "overrides": [{"when": {"prompt_tokens": {"gte": 200001}}, "cost_usd": "0.0000003"}]},
          {"type": "cache_write", "unit": "token", "cost_usd": "0.0000002", "ttl_seconds": 3600}]}, {"type": "image"}],
      "output_modalities": [{"type": "text", "max_length": {"value": 8192, "unit": "token"}, "supported_parameters": {"tools": {"type": "boolean"}},
        "pricing": [{"type": "completion", "unit": "token", "cost_usd": "0.0000006"}, {"type": "completion", "unit": "megapixel", "cost_usd": "1"}]}]}]}"#;
    let Imported { snapshot: after, report } = run(Format::ProviderDocument, text);
    let offer = after.endpoint("mistral/small-4").unwrap();
    let input = &offer.price_claims[0].claim;
    assert_eq!(
        input.dissent[1].value,
        Quote::Known(types::Rate::FREE),
        "free is believed, and is dissent here"
    );
    assert_eq!(&*input.dissent[1].source, "mistral-document");
    assert_eq!(price(&after, "mistral/small-4", PriceKind::CacheWrite1h).as_deref(), Some("0.2"));
    assert_eq!(
        (offer.facts.context_tokens.as_ref().unwrap().value, offer.status),
        (131_072, crate::Status::Beta)
    );
    assert_eq!(report.fields_without_place["pricing text completion per megapixel"], 1);
    assert_eq!(report.unknown_fields.keys().collect::<Vec<_>>(), ["model.aura"]);
}

/// What a format can't say: see the page of each exporter.
#[test]
fn what_is_exported_comes_back_as_what_we_have() {
    let snapshot = snapshot();
    let view = export::View {
        snapshot: &snapshot,
        available: &|_| true,
        live: &export::unmeasured,
        virtual_models: &[],
    };
    let all = crate::query::Selection::all(&snapshot);
    let rows = [
        (Format::ModelsDev, export::models_dev(&snapshot)),
        (Format::Openrouter, export::models(&view, &all, None)),
        (Format::Openrouter, export::endpoints(&view, snapshot.resolve("small-4").unwrap()).unwrap()),
        (Format::Litellm, export::litellm(&snapshot)),
        (Format::GenaiPrices, export::genai(&snapshot)),
    ];
    for (format, text) in rows {
        let Imported { snapshot: after, report } = import(format, &text, &snapshot, DAY, None).unwrap();
        let change = diff(&snapshot, &after);
        assert!(change.prices_changed.is_empty(), "{}: {change:?}", format.name());
        assert_eq!(report.claims.dissent, 0, "{}: {report}\n{text}", format.name());
        assert!(report.unknown_fields.is_empty(), "{}: {report}", format.name());
        assert!(report.claims.agreed > 0, "{}: {report}", format.name());
    }
}

#[test]
fn our_own_format_comes_back_whole() {
    let before = snapshot();
    let after = own(&export::own(&before)).unwrap();
    assert_eq!(after.version, before.version);
    assert_eq!(after.endpoints, before.endpoints);
    assert!(own("{}").unwrap_err().to_string().contains("is not our own format"));
    let other = edited(ENDPOINT, "\"0.60\"", "\"0.70\"").unwrap();
    assert_eq!(diff(&before, &own(&export::own(&other)).unwrap()).prices_changed.len(), 1);
    assert!(own(&export::own(&before).replace("\"format\":1", "\"format\":2")).is_err());
}
