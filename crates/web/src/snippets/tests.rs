use std::collections::HashSet;
use std::path::Path;
use std::sync::LazyLock;

use catalog::{Protocol, Snapshot, load_dir};

use super::*;

static CATALOG: LazyLock<Snapshot> =
    LazyLock::new(|| load_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog"))).unwrap());

const PLACE: Place<'static> = Place { base_url: "http://127.0.0.1:8080", key_variable: "TOLLWAY_KEY" };

impl Kind {
    const ALL: [Kind; 6] =
        [Kind::Chat, Kind::Embeddings, Kind::Rerank, Kind::Images, Kind::Speech, Kind::Transcription];

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

#[test]
fn every_kind_has_its_programs() {
    for kind in Kind::ALL {
        let all = quickstart(&PLACE, "acme/small", kind);
        let ids: HashSet<&str> = all.iter().map(|snippet| snippet.id.as_str()).collect();
        assert_eq!(ids.len(), all.len(), "{kind:?}");
        assert_eq!(all.len(), if kind == Kind::Chat { 6 } else { 3 }, "{kind:?}");
        for snippet in &all {
            assert!(
                snippet.code.contains("acme/small") && snippet.code.contains("TOLLWAY_KEY"),
                "{}",
                snippet.code
            );
            assert!(snippet.code.contains("http://127.0.0.1:8080") && snippet.code.ends_with('\n'));
            assert_eq!(snippet.variables, ["TOLLWAY_KEY"]);
            assert_eq!(snippet.package.is_some(), snippet.install.is_some());
            assert!(
                snippet.code.lines().all(|line| line.chars().count() <= 110 && line == line.trim_end()),
                "{}",
                snippet.code
            );
            for file in snippet.reads.into_iter().chain(snippet.writes) {
                assert!(snippet.code.contains(file), "{}", snippet.code);
            }
        }
    }
}

#[test]
fn a_call_reads_as_one_would_write_it() {
    let all = quickstart(&PLACE, "acme/small", Kind::Chat);
    let code = |id: &str| all.iter().find(|snippet| snippet.id == id).unwrap().code.as_str();
    assert_eq!(
        code("curl"),
        "curl http://127.0.0.1:8080/v1/chat/completions \\\n  -H \"Authorization: Bearer $TOLLWAY_KEY\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  -d '{\n    \"model\": \"acme/small\",\n    \
         \"messages\": [{\"role\": \"user\", \"content\": \"Say hello in one sentence.\"}]\n  }'\n"
    );
    assert_eq!(
        code("python-openai"),
        "import os\n\nfrom openai import OpenAI\n\n\
         client = OpenAI(base_url=\"http://127.0.0.1:8080/v1\", api_key=os.environ[\"TOLLWAY_KEY\"])\n\n\
         answer = client.chat.completions.create(\n    model=\"acme/small\",\n    \
         messages=[{\"role\": \"user\", \"content\": \"Say hello in one sentence.\"}],\n)\n\
         print(answer.choices[0].message.content)\n"
    );
    assert!(code("python-anthropic").contains("base_url=\"http://127.0.0.1:8080\","));
}

/// Nothing that comes from a file or a header leaves its literal.
#[test]
fn hostile_values_stay_values() {
    let evil = "a\"b'c$(reboot)`reboot`\\\n\u{2028}${HOME}!{x}";
    let place = Place { base_url: "http://x\"$(reboot)`id`'\\!", key_variable: "K" };
    for kind in Kind::ALL {
        for snippet in quickstart(&place, evil, kind) {
            let code = &snippet.code;
            match snippet.language {
                Language::Curl => {
                    let (address, _) = code.split_once("/v1/").unwrap();
                    assert!(address.contains("\"http://x\\\"\\$(reboot)\\`id\\`'\\\\"), "{code}");
                    // The body's apostrophe ends the quotes, is escaped, and begins them again.
                    assert!(code.contains("b'\\''c$(reboot)"), "{code}");
                }
                _ => {
                    assert!(!code.contains('\u{2028}'), "{code}");
                    assert!(code.contains("\"http://x\\\"$(reboot)`id`'\\\\!"), "{code}");
                    assert!(
                        code.contains("\"a\\\"b'c$(reboot)`reboot`\\\\\\n\\u2028${HOME}!{x}\""),
                        "{code}"
                    );
                }
            }
        }
    }
}

#[test]
fn addresses_take_their_variables_from_the_environment() {
    let address = "https://${A_HOST}.example/{x}/${B}/${not a name}";
    assert_eq!(literal::placeholders(address), ["A_HOST", "B"]);
    assert_eq!(literal::shell(address), "\"https://${A_HOST}.example/{x}/${B}/\\${not a name}\"");
    assert_eq!(
        literal::python(address),
        "f\"https://{os.environ['A_HOST']}.example/{{x}}/{os.environ['B']}/${{not a name}}\""
    );
    assert_eq!(
        literal::typescript(address),
        "`https://${process.env.A_HOST}.example/{x}/${process.env.B}/\\${not a name}`"
    );
    assert_eq!(literal::shell("http://[::1]:8080/v1"), "\"http://[::1]:8080/v1\"");
    assert_eq!(literal::segment("a b/c:0?"), "a%20b/c:0%3F");
}

#[test]
fn models_are_called_for_what_they_give() {
    let rows = [
        ("mistralai/mistral-small-2603", Some(Kind::Chat)),
        ("mistralai/mistral-embed", Some(Kind::Embeddings)),
    ];
    for (id, kind) in rows {
        let model = CATALOG.models.iter().find(|model| *model.id == *id);
        if let Some(model) = model {
            assert_eq!(Kind::of(model), kind, "{id}");
        }
    }
    let kinds: HashSet<String> = CATALOG.models.iter().filter_map(Kind::of).map(Kind::name).collect();
    assert!(kinds.contains("chat") && kinds.contains("embeddings"), "{kinds:?}");
}

#[test]
fn every_offer_of_the_catalog_has_a_recipe_that_names_it() {
    let mut without = HashSet::new();
    for endpoint in &CATALOG.endpoints {
        let Some(kind) = endpoint.model_in(&CATALOG).and_then(Kind::of) else { continue };
        let provider = endpoint.provider_in(&CATALOG).unwrap();
        let Some(recipe) = recipe(&CATALOG, endpoint, kind) else {
            without.insert((provider.protocol.name(), kind.name()));
            assert!(
                provider.base_url.is_none() || provider.protocol == Protocol::Sandbox || kind != Kind::Chat,
                "{}",
                endpoint.id
            );
            continue;
        };
        assert_eq!(recipe.model_id, *endpoint.provider_model_id);
        assert!(!recipe.calls.is_empty());
        for call in &recipe.calls {
            let id = &*endpoint.provider_model_id;
            // On Vertex AI the path has more between publisher and model.
            let is_named = call.code.contains(id) || call.code.contains(&id.replacen('/', "/models/", 1));
            assert!(is_named, "{}: {}", endpoint.id, call.code);
            for variable in &call.variables {
                assert!(call.code.contains(variable.as_str()), "{}: {}", endpoint.id, call.code);
                let told = recipe
                    .steps
                    .iter()
                    .filter_map(|step| step.code.as_deref())
                    .any(|code| code.contains(variable.as_str()));
                assert!(told, "{}: {variable}", endpoint.id);
            }
        }
    }
    assert!(without.contains(&("sandbox", "chat".to_owned())) && without.len() < 12, "{without:?}");
}

#[test]
fn gotchas_are_told() {
    let endpoint = CATALOG.endpoint("mistral/mistral-small-2603").unwrap();
    let recipe = recipe(&CATALOG, endpoint, Kind::Chat).unwrap();
    let all = recipe.gotchas.join("\n");
    for told in [
        "Its id at Mistral is `mistral-small-2603`; `mistralai/mistral-small-2603` is its id here.",
        "`seed` is called `random_seed`.",
        "Ids of tool calls must be nine letters or digits.",
        "Closing a stream early doesn't stop the bill.",
        "`logit_bias`",
    ] {
        assert!(all.contains(told), "{told} in {all}");
    }
    let names: Vec<&str> = recipe.steps.iter().map(|step| step.name).collect();
    assert_eq!(names, ["Install", "Key", "Model ID"]);
    assert_eq!(recipe.steps[1].code.as_deref(), Some("export MISTRAL_API_KEY=..."));
}

#[test]
fn a_brand_makes_a_variable() {
    for (slug, expect) in
        [("tollway", "TOLLWAY_KEY"), ("my-gate.1", "MY_GATE_1_KEY"), ("7up", "API_KEY"), ("", "API_KEY")]
    {
        assert_eq!(key_variable(slug), expect);
    }
}
