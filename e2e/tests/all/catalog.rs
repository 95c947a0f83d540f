//! The catalog over HTTP: open to all, in the shapes that clients validate, cached and compressed.

use std::io::Read as _;

use serde_json::Value;
use testkit::{FakeUpstream, Reply, TestApp};

const MODELS_MIN: usize = 450;

async fn catalog(app: &TestApp, path: &str) -> Reply {
    app.anonymous().get(path).await.expect(200)
}

#[tokio::test]
async fn every_model_is_listed_in_the_shape_of_openrouter() {
    let app = TestApp::builder().start().await;
    let list = catalog(&app, "/v1/models").await.json();
    let models = list["data"].as_array().expect("data");
    assert!(models.len() >= MODELS_MIN, "{} models", models.len());
    assert_eq!(list["total_count"], models.len());
    assert!(list["links"].as_object().is_some_and(|links| links.contains_key("next")));
    for model in models {
        let id = model["id"].as_str().expect("an id");
        for field in ["name", "canonical_slug"] {
            assert!(model[field].is_string(), "{id}: {field}");
        }
        assert!(model["created"].is_i64() && model["supported_parameters"].is_array(), "{id}");
        assert!(model["architecture"]["input_modalities"].is_array(), "{id}");
        for price in ["prompt", "completion"] {
            let value = &model["pricing"][price];
            let decimal = value.as_str().is_some_and(|text| !text.contains(['e', 'E']));
            assert!(value.is_null() || decimal, "{id}: pricing.{price} is {value}");
        }
    }
    let count = catalog(&app, "/v1/models/count").await.json();
    assert_eq!(count["data"]["count"], models.len());
    assert_eq!(list, catalog(&app, "/api/v1/models").await.json(), "both mounts agree");
}

#[tokio::test]
async fn a_model_is_found_by_each_of_its_names() {
    let app = TestApp::builder().start().await;
    let id = "mistralai/mistral-small-2603";
    for name in [id, "mistral/mistral-small-2603"] {
        let model = catalog(&app, &format!("/v1/models/{name}")).await.json();
        assert_eq!(model["data"]["id"], id, "{name}");
        let endpoints = catalog(&app, &format!("/v1/models/{name}/endpoints")).await.json();
        let offers = endpoints["data"]["endpoints"].as_array().expect("endpoints");
        assert!(!offers.is_empty(), "{name}: {endpoints}");
    }
    let upstream = FakeUpstream::start();
    let app = TestApp::builder().env("TOLLWAY_PROVIDERS__MISTRAL__BASE_URL", &upstream.base_url());
    let app = app.env("MISTRAL_API_KEY", "sk-mistral-0123456789").start().await;
    for name in [id, "mistral/mistral-small-2603", "mistral-small-4", "Mistralai/Mistral-Small-2603"] {
        let reply = app.owner().chat(name).await.expect(200);
        assert_eq!(reply.json()["model"], id, "{name}");
        assert_eq!(
            upstream.requests().last().map(|r| r.json()["model"].clone()),
            Some("mistral-small-2603".into())
        );
    }
    let models = catalog(&app, "/v1/models").await.json();
    let listed =
        models["data"].as_array().and_then(|all| all.iter().find(|m| m["id"] == id)).expect("listed");
    assert_eq!(listed["available"], true, "a provider key in the environment switches it on");
}

#[tokio::test]
async fn filters_and_sorts_narrow_the_list() {
    let app = TestApp::builder().start().await;
    let all = catalog(&app, "/v1/models/count").await.json()["data"]["count"].as_u64().expect("a count");
    let rows = [
        "output_modalities=embeddings",
        "supported_parameters=tools",
        "q=mistral",
        "providers=groq",
        "context=200000",
    ];
    for query in rows {
        let list = catalog(&app, &format!("/v1/models?{query}")).await.json();
        let found = list["total_count"].as_u64().expect("total_count");
        assert!(found > 0 && found < all, "{query}: {found} of {all}");
    }
    let page = catalog(&app, "/v1/models?limit=10&offset=5").await.json();
    assert_eq!(page["data"].as_array().map(Vec::len), Some(10));
    assert!(page["links"]["next"].is_string(), "{}", page["links"]);
    let cheap = catalog(&app, "/v1/models?sort=pricing-low-to-high&limit=300").await.json();
    let prices: Vec<types::Rate> = cheap["data"]
        .as_array()
        .expect("data")
        .iter()
        .filter_map(|model| types::Rate::parse_per_unit(model["pricing"]["prompt"].as_str()?).ok())
        .collect();
    assert!(prices.len() > 100 && prices.first() <= prices.last(), "{} prices", prices.len());
}

#[tokio::test]
async fn whole_catalogs_can_be_fetched() {
    let app = TestApp::builder().start().await;
    let own = catalog(&app, "/catalog.json").await.json();
    let text = own.to_string();
    for part in ["\"source\"", "\"as_of\"", "\"dissent\"", "vendor-or-feed-over-page"] {
        assert!(text.contains(part), "/catalog.json carries {part}");
    }
    let models_dev = catalog(&app, "/api.json").await.json();
    let mistral = &models_dev["mistral"];
    assert!(mistral["models"]["mistral-small-2603"]["cost"]["input"].is_number(), "{}", mistral["name"]);
    assert!(mistral["env"].is_array() && mistral["id"] == "mistral");
    let schema = catalog(&app, "/catalog/schema.json").await.json();
    assert!(schema["$schema"].is_string(), "{schema}");
    let providers = catalog(&app, "/v1/providers").await.json();
    assert!(providers["data"].as_array().is_some_and(|all| all.len() >= 69), "providers");
}

#[tokio::test]
async fn catalogs_are_cached_compressed_and_open_to_every_origin() {
    let app = TestApp::builder().start().await;
    for path in ["/v1/models", "/v1/providers", "/catalog.json", "/api.json", "/catalog/schema.json"] {
        let ask = || app.anonymous().request("GET", path).header("origin", "https://example.com");
        let plain = ask().send().await.expect(200);
        assert_eq!(plain.header("access-control-allow-origin"), Some("*"), "{path}");
        let etag = plain.header("etag").unwrap_or_else(|| panic!("{path} has no etag")).to_owned();
        let again = ask().header("if-none-match", &etag).send().await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        let other = ask().header("if-none-match", "\"another\"").send().await;
        assert_eq!(other.status, 200, "{path}");
        let packed = ask().header("accept-encoding", "gzip").send().await.expect(200);
        if packed.header("content-encoding") == Some("gzip") {
            let mut text = Vec::new();
            flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut text).expect("gzip");
            assert_eq!(text, plain.body, "{path}");
            assert!(packed.body.len() * 3 < text.len(), "{path}: {} of {}", packed.body.len(), text.len());
        } else {
            assert!(plain.body.len() < 4096, "{path} is large and not compressed");
        }
    }
    let preflight = app.anonymous().request("OPTIONS", "/v1/models").header("origin", "https://example.com");
    let reply = preflight.header("access-control-request-method", "GET").send().await;
    assert!(
        reply.status < 300 && reply.header("access-control-allow-origin") == Some("*"),
        "{}",
        reply.status
    );
}

#[tokio::test]
async fn a_configured_model_is_in_the_list_and_a_bad_catalog_is_refused() {
    let upstream = FakeUpstream::start();
    let app = TestApp::with(&upstream).await;
    let model = catalog(&app, "/v1/models/lab/tiny").await.json();
    let pricing: &Value = &model["data"]["pricing"];
    assert_eq!((&pricing["prompt"], &pricing["completion"]), (&"0.000001".into(), &"0.000002".into()));
    let folder = tempfile::tempdir().expect("a folder");
    let models = folder.path().join("models/lab");
    std::fs::create_dir_all(&models).expect("folders");
    std::fs::write(models.join("bad.toml"), "name = \"Bad\"\nnonsense = 1\n").expect("write");
    let output = app.cli_raw(&["catalog", "check", &folder.path().to_string_lossy()]).await;
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("bad.toml:2") && said.contains("unknown-key"),
        "file, line and rule are named: {said}"
    );
}
