use super::*;
use crate::fixture::snapshot;
use types::{PriceKind, Quote};

fn price(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

fn lab(models: Vec<OverlayModel>) -> OverlayProvider {
    OverlayProvider {
        slug: "lab".to_owned(),
        protocol: Some(Protocol::Openai),
        base_url: Some("http://127.0.0.1:8000/v1/".to_owned()),
        models,
        ..OverlayProvider::default()
    }
}

fn tiny() -> OverlayModel {
    OverlayModel {
        id: "lab/Llama-Tiny".to_owned(),
        provider_model_id: Some("tiny".to_owned()),
        context_tokens: Some(8192),
        price: price(&[("input_usd_per_mtok", "0.15"), ("output_usd_per_mtok", "0.60")]),
        ..OverlayModel::default()
    }
}

fn apply(provider: OverlayProvider) -> Result<Snapshot, Vec<String>> {
    snapshot().with_overlay(&Overlay { providers: vec![provider] })
}

#[test]
fn an_unknown_provider_brings_its_models() {
    let after = apply(lab(vec![tiny()])).unwrap();
    let endpoint = after.endpoint("lab/llama-tiny").unwrap();
    assert!(endpoint.is_priced() && endpoint.from_config);
    assert_eq!(&*endpoint.provider_model_id, "tiny");
    assert_eq!(endpoint.context_tokens(&after), Some(8192));
    assert!(endpoint.supported_parameters(&after).contains(&"tools"));
    let model = endpoint.model_in(&after).unwrap();
    assert_eq!(
        (&*model.id, model.name.as_str(), model.is_chat()),
        ("lab/llama-tiny", "lab/Llama-Tiny", true)
    );
    let (_, provider) = after.provider("lab").unwrap();
    assert_eq!(provider.address(), Some("http://127.0.0.1:8000/v1"));
    assert_eq!(provider.base_url, None, "the operator's own address is nobody's but theirs");
    for name in ["lab/llama-tiny", "lab/Llama-Tiny", "lab/tiny", "llama-tiny"] {
        assert_eq!(after.resolve(name).map(|at| &after.models[at].id), Some(&model.id), "{name}");
    }
    assert!(after.source(CONFIG_SOURCE).is_some() && after.author("lab").is_some());
    assert_ne!(after.version, snapshot().version);
    assert_eq!(after.endpoints_of(after.resolve("small-4").unwrap()).len(), 2);
}

#[test]
fn a_known_model_gets_another_endpoint_under_any_of_its_names() {
    for id in ["mistralai/small-4", "mistral/old-small"] {
        let after = apply(lab(vec![OverlayModel { id: id.to_owned(), ..OverlayModel::default() }])).unwrap();
        let endpoint = after.endpoint("lab/small-4").unwrap();
        assert_eq!(&*endpoint.model_in(&after).unwrap().id, "mistralai/small-4", "{id}");
        assert_eq!(endpoint.context_tokens(&after), Some(262_144));
        assert_eq!(endpoint.price.quote(PriceKind::Input), Some(Quote::Unknown));
        assert!(!endpoint.is_priced());
    }
}

#[test]
fn a_known_provider_keeps_what_is_not_said() {
    let entry = OverlayProvider {
        slug: "mistral".to_owned(),
        base_url: Some("http://localhost:9/v1".to_owned()),
        on_disconnect: Some(OnDisconnect::Drain),
        models: vec![OverlayModel {
            price: price(&[("input_usd_per_mtok", "0"), ("output_usd_per_mtok", "0")]),
            id: "mistralai/small-4".to_owned(),
            ..OverlayModel::default()
        }],
        ..OverlayProvider::default()
    };
    let after = apply(entry).unwrap();
    let (at, provider) = after.provider("mistral").unwrap();
    assert_eq!((provider.protocol, provider.from_config), (Protocol::Mistral, false));
    assert_eq!(provider.address(), Some("http://localhost:9/v1"));
    assert_eq!(
        provider.base_url,
        snapshot().provider("mistral").unwrap().1.base_url,
        "what is published stays"
    );
    assert_eq!(provider.quirks.on_disconnect, OnDisconnect::Drain);
    assert_eq!(provider.quirks.unsupported_parameters, ["seed"]);
    assert_eq!(
        after.endpoints_of_provider(at).len(),
        1,
        "the configured offer takes the place of the catalog's"
    );
    let endpoint = after.endpoint("mistral/small-4").unwrap();
    assert!(endpoint.from_config && endpoint.is_priced());
}

#[test]
fn errors_name_key_value_and_what_is_allowed() {
    let rows: [(OverlayProvider, &[&str]); 7] = [
        (
            OverlayProvider { protocol: None, ..lab(vec![]) },
            &["providers.lab.protocol: ", "openai, openai-responses, mistral, anthropic, gemini"],
        ),
        (OverlayProvider { base_url: None, ..lab(vec![]) }, &["providers.lab.base_url: ", "`openai`"]),
        (
            OverlayProvider { base_url: Some("127.0.0.1:8000".to_owned()), ..lab(vec![]) },
            &["providers.lab.base_url: `127.0.0.1:8000` must be an address"],
        ),
        (
            lab(vec![OverlayModel { id: "llama3:8b".to_owned(), ..tiny() }]),
            &["providers.lab.models[0].id: `llama3:8b`", "<author>/<slug>", "provider_model_id"],
        ),
        (
            lab(vec![OverlayModel { input_modalities: Some(vec!["smell".to_owned()]), ..tiny() }]),
            &["providers.lab.models[0].input_modalities: `smell`", "text, image, file, audio, video"],
        ),
        (
            lab(vec![OverlayModel { price: price(&[("input", "1")]), ..tiny() }]),
            &["providers.lab.models[0].price.input: ", "input_usd_per_mtok"],
        ),
        (
            lab(vec![tiny(), tiny()]),
            &["providers.lab.models[1].id: ", "`lab/llama-tiny`", "an earlier entry made"],
        ),
    ];
    for (provider, wanted) in rows {
        let errors = apply(provider).map(|_| ()).unwrap_err().join("\n");
        for part in wanted {
            assert!(errors.contains(part), "wanted {part:?} in {errors:?}");
        }
    }
}

#[test]
fn nothing_configured_changes_nothing() {
    assert_eq!(snapshot().with_overlay(&Overlay::default()).unwrap().version, snapshot().version);
}
