//! How an offer is called at its provider, as its page prints it: what to install is what is installed here, the key goes into the
//! variable that the page names, and every program is run as it stands against a server of that protocol.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use e2e::programs::{node_dir, run, variable};
use scraper::Html;
use serde_json::json;
use testkit::{FakeUpstream, Recorded, Script, TestApp, Tokens};

use super::page::{all, text, within};

const KEY: &str = "key-of-the-provider-0123456789";
const SAYS: &str = "Hello there";

/// An offer's page, where its provider is reached, how it wants the key, and how many programs there are.
struct Offer {
    page: &'static str,
    /// Behind the server's address.
    base: &'static str,
    header: &'static str,
    programs: usize,
}

const OFFERS: [Offer; 10] = [
    Offer { page: "mistralai/mistral-small-2603/mistral", base: "/v1", header: "authorization", programs: 3 },
    Offer { page: "anthropic/claude-sonnet-5/anthropic", base: "/v1", header: "x-api-key", programs: 3 },
    Offer { page: "google/gemini-2.5-flash/google", base: "/v1beta", header: "x-goog-api-key", programs: 2 },
    Offer { page: "cohere/command-a-03-2025/cohere", base: "", header: "authorization", programs: 2 },
    Offer { page: "openai/gpt-4.1/azure", base: "/openai/v1", header: "api-key", programs: 3 },
    Offer { page: "anthropic/claude-fable-5/amazon-bedrock", base: "", header: "authorization", programs: 1 },
    Offer {
        page: "google/gemini-2.5-flash/google-vertex",
        base: "/v1/projects/p/locations/l",
        header: "authorization",
        programs: 1,
    },
    Offer {
        page: "anthropic/claude-sonnet-5/google-vertex",
        base: "/v1/projects/p/locations/l",
        header: "authorization",
        programs: 1,
    },
    Offer {
        page: "meta-llama/llama-3.3-70b-instruct/google-vertex",
        base: "/v1/projects/p/locations/l",
        header: "authorization",
        programs: 1,
    },
    Offer {
        page: "anthropic/claude-sonnet-5/google-vertex-anthropic",
        base: "/v1/projects/p/locations/l",
        header: "authorization",
        programs: 1,
    },
];

impl Offer {
    fn provider(&self) -> &str {
        self.page.rsplit('/').next().expect("a provider")
    }
}

/// What a provider of each protocol answers.
fn answer(request: &Recorded) -> Script {
    let path = request.path();
    let parts = json!([{"text": SAYS}]);
    if path.ends_with(":generateContent") {
        let usage = json!({"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7});
        let candidate =
            json!({"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0});
        return Script::json(200, &json!({"candidates": [candidate], "usageMetadata": usage}));
    }
    if path.ends_with("/converse") {
        let usage = json!({"inputTokens": 5, "outputTokens": 2, "totalTokens": 7});
        let output = json!({"message": {"role": "assistant", "content": parts}});
        return Script::json(200, &json!({"output": output, "stopReason": "end_turn", "usage": usage}));
    }
    let blocks = json!([{"type": "text", "text": SAYS}]);
    if path.ends_with("/v2/chat") {
        let message = json!({"role": "assistant", "content": blocks});
        let usage = json!({"tokens": {"input_tokens": 5, "output_tokens": 2}});
        return Script::json(
            200,
            &json!({"id": "1", "finish_reason": "COMPLETE", "message": message, "usage": usage}),
        );
    }
    if path.ends_with("/messages") || path.ends_with(":rawPredict") {
        let usage = json!({"input_tokens": 5, "output_tokens": 2});
        return Script::json(
            200,
            &json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks,
                "stop_reason": "end_turn", "stop_sequence": null, "usage": usage,
            }),
        );
    }
    Script::chat(SAYS, Tokens::new(8, 2))
}

/// The code of the step of this name; empty where it has none.
fn step(html: &Html, name: &str) -> String {
    let recipe = all(html, "#recipe").into_iter().next().expect("a recipe");
    let headings = within(recipe, "h3");
    let heading = headings.iter().find(|heading| text(**heading).ends_with(name));
    let Some(heading) = heading else { return String::new() };
    let behind = heading.next_siblings().filter_map(scraper::ElementRef::wrap);
    let own = behind.take_while(|element| element.value().name() != "h3");
    own.flat_map(|element| within(element, "code"))
        .next()
        .map(|code| code.text().collect())
        .unwrap_or_default()
}

/// The variables that a step sets: the first is that of the key.
fn variables(code: &str) -> Vec<String> {
    let set = code.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    set.map(|(name, _)| name.to_owned()).collect()
}

/// What a page says to install is what the tests have installed.
async fn is_installed(line: &str) {
    let package = line.split_whitespace().last().expect("a package");
    if line.starts_with("npm install ") {
        assert!(node_dir().join("node_modules").join(package).is_dir(), "{line}");
    } else {
        assert!(line.starts_with("pip install "), "{line}");
        let mut show = Command::new(variable("TOLLWAY_E2E_PYTHON"));
        show.args(["-m", "pip", "show", "--quiet", "--disable-pip-version-check", package]);
        run(show).await;
    }
}

fn command(id: &str, code: &str, folder: &Path) -> Command {
    let (name, mut command) = match id.split('-').nth(1) {
        Some("curl") => ("call.sh", Command::new("bash")),
        Some("python") => ("call.py", Command::new(variable("TOLLWAY_E2E_PYTHON"))),
        Some("typescript") => ("call.mts", Command::new("node")),
        other => panic!("{other:?} of {id} is no language that can be run"),
    };
    std::fs::write(folder.join(name), code).expect("write the program");
    command.arg(name).current_dir(folder);
    command
}

/// A program in which variables within this address are written as the catalog writes them: `${NAME}`.
fn placeholders_alike(code: String, address: &str) -> String {
    let names = address.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    names.fold(code, |code, name| {
        let forms = [format!("{{os.environ['{name}']}}"), format!("${{process.env.{name}}}")];
        forms.iter().fold(code, |code, form| code.replace(form, &format!("${{{name}}}")))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_are_called_at_their_providers_as_it_is_printed() {
    let upstream = FakeUpstream::start();
    upstream.answer_with(answer);
    let address = format!("http://{}", upstream.addr());
    let mut builder = TestApp::builder();
    let places: BTreeMap<&str, &str> = OFFERS.iter().map(|offer| (offer.provider(), offer.base)).collect();
    for (provider, base) in places {
        builder = builder.set(&format!("providers.{provider}.base_url"), &format!("\"{address}{base}\""));
    }
    let app = builder.start().await;
    for path in ["/api.json", "/catalog.json", "/v1/providers"] {
        let text = app.anonymous().get(path).await.expect(200).text();
        assert!(!text.contains(&address), "{path} tells where this server's own provider is");
    }
    let mut published = BTreeMap::new();
    for offer in &OFFERS {
        let told =
            app.anonymous().get(&format!("/providers/{}.json", offer.provider())).await.expect(200).json();
        let base = told["provider"]["base_url"].as_str().expect("an address").to_owned();
        assert!(!base.contains(&address), "{base}");
        published.insert(offer.provider(), base);
    }
    for offer in &OFFERS {
        let page = app.anonymous().get(&format!("/{}", offer.page)).await.expect(200).text();
        let html = Html::parse_document(&page);
        for line in step(&html, "Install").lines() {
            is_installed(line).await;
        }
        let key = variables(&step(&html, "Key")).first().cloned().expect("a variable for the key");
        let model = step(&html, "Model ID");
        assert!(!model.is_empty(), "the model's id of {}", offer.page);
        let programs = all(&html, "#recipe details[id]");
        assert_eq!(programs.len(), offer.programs, "programs of {}", offer.page);
        for program in programs {
            let id = program.attr("id").expect("an id");
            let code: String = within(program, "pre code")[0].text().collect();
            // The address of the provider is printed, not where this server is configured to call it.
            let (own, theirs) = (format!("{address}{}", offer.base), &published[offer.provider()]);
            assert!(!code.contains(&address), "{}, {id}: {code}", offer.page);
            // An SDK may take it without the version.
            let origin = theirs.split('/').take(3).collect::<Vec<_>>().join("/");
            let code = placeholders_alike(code, theirs).replace(theirs, &own).replace(&origin, &address);
            let folder = tempfile::tempdir().expect("a folder");
            std::os::unix::fs::symlink(node_dir().join("node_modules"), folder.path().join("node_modules"))
                .expect("a link");
            let mut command = command(id, &code, folder.path());
            command.env(&key, KEY);
            // Two SDKs are printed as they call the provider itself; these variables of theirs lead them here.
            command.env("GOOGLE_GEMINI_BASE_URL", &address).env("CO_API_URL", &address);
            let before = upstream.request_count();
            let said = run(command).await;
            assert!(said.contains(SAYS), "{}, {id}: {said}", offer.page);
            let asked = upstream.requests();
            assert_eq!(asked.len(), before + 1, "{}, {id}", offer.page);
            let request = &asked[before];
            // An SDK chooses the header itself.
            let is_sdk = !id.contains("curl");
            let mut headers = request.headers().iter();
            let has_key =
                headers.any(|(name, value)| (is_sdk || name == offer.header) && value.contains(KEY));
            assert!(has_key, "{}, {id}: {:?}", offer.page, request.headers());
            let path = request.path().replace("%3A", ":").replace("%2F", "/");
            // On Vertex AI the path has more between publisher and model.
            let paths = [path.clone(), path.replace("/models/", "/")];
            let names_it =
                paths.iter().any(|path| path.contains(&model)) || request.json()["model"] == *model;
            assert!(names_it, "{}, {id}: {path} {}", offer.page, request.json());
        }
    }
}
