use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::gemini::answer_in::tests::odd;
use crate::gemini::{canonical, read_request};
use crate::hub::Source;
use crate::hub::{
    Block, Effort, Fetched, Flavor, Rest, Sampling, Seal, SealFormat, Thinking, Turn, WebSearch,
};
use crate::node::Node;
use crate::openai_chat::Adapt;

struct Place {
    adapt: Adapt,
    fetched: Fetched,
}

impl Place {
    fn new() -> Place {
        Place { adapt: Adapt::default(), fetched: Fetched::new() }
    }

    fn target<'a>(&'a self, model: &'a str) -> Target<'a> {
        Target {
            model,
            max_output_tokens: Some(65_536),
            flavor: Flavor::Direct,
            adapt: &self.adapt,
            structured_output: None,
            reasoning: None,
            auto_cache: false,
            fetched: &self.fetched,
        }
    }

    fn write(&self, request: &Request<'_>, model: &str) -> (Value, Vec<String>) {
        let out = write_request(request, &self.target(model)).unwrap();
        let body = serde_json::from_slice(&out.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out.body)));
        (body, out.warnings.into_iter().map(|w| w.pointer).collect())
    }
}

fn turn<'b>(role: Role, contents: Vec<Content<'b>>) -> Turn<'b> {
    let block = |(at, content)| Block::new(content, format!("/messages/1/content/{at}"));
    Turn { role, blocks: contents.into_iter().enumerate().map(block).collect(), name: None }
}

fn text(text: &str) -> Content<'_> {
    Content::Text(text.into())
}

fn gemini(data: &str, id: Option<&str>) -> Option<Seal> {
    let id = id.map(str::to_owned);
    Some(Seal { format: SealFormat::Gemini, data: data.to_owned(), signature: id.is_none(), id })
}

fn thought<'b>(text: &'b str, seal: Option<Seal>) -> Content<'b> {
    Content::Reasoning { text: text.into(), summary: false, seal }
}

fn call<'b>(id: &'b str, arguments: &'b str, seal: Option<Seal>) -> Content<'b> {
    Content::ToolCall {
        id: id.into(),
        name: "srv/f".into(),
        arguments: arguments.into(),
        custom: false,
        seal,
    }
}

fn result<'b>(id: &'b str, content: Vec<Content<'b>>, is_error: bool) -> Content<'b> {
    let content = content.into_iter().map(|content| Block::new(content, "/in")).collect();
    Content::ToolResult { id: id.into(), name: None, content, is_error }
}

fn png<'b>() -> Content<'b> {
    let source = Source::Base64 { media_type: "image/jpg".into(), data: "iVBORw0KGgoAA".into() };
    Content::Image { source, detail: None }
}

fn asked<'b>() -> Request<'b> {
    let mut request = Request::new(Dialect::Chat);
    request.turns.push(turn(Role::User, vec![text("q")]));
    request
}

#[test]
fn a_tool_loop_keeps_its_signatures_on_their_parts() {
    let mut request = asked();
    request.turns.insert(0, turn(Role::System, vec![text("be"), png()]));
    request.turns.push(turn(
        Role::Assistant,
        vec![
            thought("hm", None),
            thought("", gemini("S2", Some("c2"))),
            thought("", gemini("S0", None)),
            text("let me"),
            call("c1", "{\"a\":1}", gemini("S1", None)),
            call("c2", "", None),
            call("c3", "{broken", None),
        ],
    ));
    request.turns.push(turn(
        Role::User,
        vec![
            result("c2", vec![text("[1]")], false),
            result("c1", vec![text("{\"ok\":true}"), png()], false),
            result("c9", vec![text("lost")], false),
            text("so?"),
        ],
    ));
    request.turns.push(turn(Role::Assistant, vec![call("c4", "{}", None), call("c5", "{}", None)]));
    request
        .turns
        .push(turn(Role::User, vec![result("c4", vec![text("bad")], true), result("c5", vec![], false)]));
    let place = Place::new();
    let (body, losses) = place.write(&request, "gemini-2.5-pro");
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "be"}]}));
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoAA"}});
    let called = |args: Value| json!({"functionCall": {"name": "srv_f", "args": args}});
    let signed = |args: Value, seal: &str| json!({"functionCall": {"name": "srv_f", "args": args}, "thoughtSignature": seal});
    let answered = |response: Value| json!({"functionResponse": {"name": "srv_f", "response": response}});
    assert_eq!(
        body["contents"],
        json!([
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true}, {"text": "let me", "thoughtSignature": "S0"},
                signed(json!({"a": 1}), "S1"), signed(json!({}), "S2"), called(json!({}))]},
            {"role": "user", "parts": [
                answered(json!({"ok": true})), answered(json!({"result": "[1]"})),
                answered(json!({"error": "no result was given"})), image, {"text": "lost"}, {"text": "so?"}]},
            {"role": "model", "parts": [called(json!({})), called(json!({}))]},
            {"role": "user", "parts": [answered(json!({"error": "bad"})), answered(json!({"result": ""}))]},
        ])
    );
    assert_eq!(losses.len(), 4, "{losses:?}");
    let (body, _) = place.write(&request, "gemini-3-pro");
    let parts = &body["contents"][3]["parts"];
    assert_eq!(parts[0], signed(json!({}), "skip_thought_signature_validator"));
    assert_eq!(parts[1], called(json!({})));
    assert_eq!(body["contents"][1]["parts"][2], signed(json!({"a": 1}), "S1"));
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["parts"], json!([image]));
    let renamed = write_request(&request, &place.target("gemini-3-pro")).unwrap().renamed_tools;
    assert_eq!(renamed, [("srv_f".to_owned(), "srv/f".to_owned())]);
}

#[test]
fn seals_find_the_text_beside_them_and_foreign_ones_stay_here() {
    let foreign = Seal { format: SealFormat::Anthropic, data: "x".into(), signature: true, id: None };
    let rows = [
        (vec![text("a"), thought("", gemini("S", None))], json!([{"text": "a", "thoughtSignature": "S"}])),
        (
            vec![png(), thought("", gemini("S", None))],
            json!([{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoAA"}, "thoughtSignature": "S"}]),
        ),
        (vec![thought("", gemini("S", None))], json!([{"text": "", "thoughtSignature": "S"}])),
        (
            vec![thought("h", gemini("S", None)), text("a")],
            json!([{"text": "h", "thought": true, "thoughtSignature": "S"}, {"text": "a"}]),
        ),
        (vec![thought("h", Some(foreign.clone())), text("a")], json!([{"text": "a"}])),
        (vec![thought("h", Some(foreign))], json!([{"text": "."}])),
        (
            vec![thought("", gemini("S", None)), call("c", "{}", None)],
            json!([{"functionCall": {"name": "srv_f", "args": {}}, "thoughtSignature": "S"}]),
        ),
    ];
    for (contents, expect) in rows {
        let mut request = asked();
        request.turns.push(turn(Role::Assistant, contents));
        assert_eq!(Place::new().write(&request, "gemini-2.5-pro").0["contents"][1]["parts"], expect);
    }
}

#[test]
fn media_go_as_bytes_or_addresses() {
    let mut place = Place::new();
    place.fetched.insert("http://x/a".into(), ("image/webp".into(), "AAAA".into()));
    let image = |source| Content::Image { source, detail: None };
    let mut request = asked();
    let file = |source| Content::File { source, filename: None };
    request.turns.push(turn(
        Role::User,
        vec![
            image(Source::Url("https://x.org/a.png".into())),
            image(Source::Url("http://x/a".into())),
            file(Source::Base64 { media_type: "".into(), data: "JVBERi0x".into() }),
            file(Source::Text("plain".into())),
            file(Source::FileId("gs://b/c.csv".into())),
            Content::Video { source: Source::Url("https://youtu.be/z".into()) },
        ],
    ));
    let (body, _) = place.write(&request, "gemini-2.5-flash");
    assert_eq!(
        body["contents"][0]["parts"],
        json!([{"text": "q"},
            {"fileData": {"mimeType": "image/png", "fileUri": "https://x.org/a.png"}},
            {"inlineData": {"mimeType": "image/webp", "data": "AAAA"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0x"}},
            {"text": "plain"},
            {"fileData": {"mimeType": "text/csv", "fileUri": "gs://b/c.csv"}},
            {"fileData": {"fileUri": "https://youtu.be/z"}}])
    );
    for source in [Source::Url("https://x.org/a".into()), Source::FileId("file-1".into())] {
        let mut request = asked();
        request.turns.push(turn(Role::User, vec![image(source)]));
        let impossible = write_request(&request, &place.target("gemini-2.5-flash")).unwrap_err();
        assert_eq!(impossible.pointer, "/messages/1/content/0");
    }
}

fn tool<'b>(name: &'b str, schema: Option<&'b str>) -> Tool<'b> {
    Tool {
        kind: ToolKind::Function,
        name: name.into(),
        description: Some("d".into()),
        parameters: schema.map(|schema| Node::parse(schema.as_bytes()).unwrap()),
        strict: None,
        cache: None,
        pointer: "/tools/0".into(),
    }
}

#[test]
fn tools_choices_and_forms_fit_the_generation() {
    let schema = r#"{"type":"object","properties":{"a":{"const":1}},"$schema":"x"}"#;
    let mut request = asked();
    request.tools = vec![tool("f", Some(schema)), tool("g", Some(r#"{"type":"object","properties":{}}"#))];
    request.tool_choice = Some(ToolChoice::Named("f".into()));
    request.parallel_tool_calls = Some(false);
    request.web_search = Some(WebSearch::default());
    let form = Node::parse(br#"{"type":"object"}"#).unwrap();
    request.format = Some(Format::Schema { name: None, description: None, schema: Some(form), strict: None });
    let place = Place::new();
    let (body, losses) = place.write(&request, "gemini-2.5-pro");
    let plain: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(
        body["tools"],
        json!([{"functionDeclarations": [
            {"name": "f", "description": "d", "parametersJsonSchema": plain}, {"name": "g", "description": "d"}]}])
    );
    assert_eq!(
        body["toolConfig"],
        json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}})
    );
    assert!(
        body["systemInstruction"]["parts"][0]["text"].as_str().unwrap().ends_with(r#"{"type":"object"}"#)
    );
    assert_eq!(body.get("generationConfig"), None);
    assert_eq!(losses, ["/response_format", "/parallel_tool_calls", "/web_search_options"]);
    let (body, _) = place.write(&request, "gemini-3-flash");
    assert_eq!(body["generationConfig"]["responseJsonSchema"], json!({"type": "object"}));
    let (body, _) = place.write(&request, "gemini-1.5-pro");
    let declared = &body["tools"][0]["functionDeclarations"][0]["parameters"];
    assert_eq!(declared["properties"]["a"], json!({"type": "STRING", "enum": ["1"]}));
    request.tool_choice = Some(ToolChoice::Allowed { names: vec!["g".into()], required: false });
    let (body, _) = place.write(&request, "gemini-2.5-pro");
    assert_eq!(body["tools"][0]["functionDeclarations"].as_array().unwrap().len(), 1);
    assert_eq!(body["toolConfig"]["functionCallingConfig"], json!({"mode": "AUTO"}));
    request.tools.clear();
    let (body, losses) = place.write(&request, "gemma-3-27b-it");
    assert_eq!((&body["tools"], losses.len()), (&json!([{"googleSearch": {}}]), 1));
    assert_eq!((body.get("toolConfig"), body.get("systemInstruction")), (None, None));
    assert_eq!(body["contents"][0]["parts"][1]["text"], "q");
}

#[test]
fn settings_are_carried_or_said_to_be_lost() {
    let mut request = asked();
    let mut place = Place::new();
    place.adapt.unsupported = vec!["presence_penalty".into()];
    request.sampling = Sampling {
        temperature: Some("2.5"),
        top_p: Some("0.90"),
        top_k: Some("40"),
        seed: Some("99999999999"),
        presence_penalty: Some("0.5"),
        min_p: Some("0.1"),
        ..Sampling::default()
    };
    request.stop = vec!["1".into(), "2".into(), "3".into(), "4".into(), "5".into(), "6".into()];
    request.max_tokens = Some(1_000_000);
    request.choices = 2;
    request.logprobs = Some(4);
    request.user = Some("u".into());
    request.modalities = vec!["text".into(), "image".into()];
    let image = Node::parse(br#"{"aspect_ratio":"16:9"}"#).unwrap();
    request.rest.push(Rest { pointer: "/image_config".into(), name: "image_config".into(), value: image });
    request.rest.push(Rest { pointer: "/odd".into(), name: "odd".into(), value: image });
    let (body, losses) = place.write(&request, "gemini-2.5-flash-image");
    assert_eq!(
        body["generationConfig"],
        json!({"maxOutputTokens": 65536, "stopSequences": ["1", "2", "3", "4", "5"], "temperature": 2, "topP": 0.9,
            "topK": 40, "seed": body["generationConfig"]["seed"], "responseLogprobs": true, "logprobs": 4,
            "responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "16:9"}})
    );
    assert!(body["generationConfig"]["seed"].as_i64().unwrap() <= i64::from(i32::MAX));
    let expect = [
        "/max_tokens",
        "/stop",
        "/n",
        "/temperature",
        "/presence_penalty",
        "/seed",
        "/min_p",
        "/user",
        "/odd",
    ];
    assert_eq!(losses, expect);
}

#[test]
fn thoughts_are_asked_for_as_the_generation_knows_them() {
    let effort = |effort| Thinking { effort: Some(effort), ..Thinking::default() };
    let budget = |tokens| Thinking { budget_tokens: Some(tokens), ..Thinking::default() };
    let on = Thinking { enabled: Some(true), ..Thinking::default() };
    let hidden = Thinking { exclude: true, ..effort(Effort::Low) };
    let rows = [
        ("gemini-2.5-pro", effort(Effort::High), json!({"thinkingBudget": 8000, "includeThoughts": true}), 0),
        ("gemini-2.5-pro", effort(Effort::None), json!({"thinkingBudget": 128}), 1),
        ("gemini-2.5-flash", effort(Effort::None), json!({"thinkingBudget": 0}), 0),
        ("gemini-2.5-flash-lite", budget(100), json!({"thinkingBudget": 512, "includeThoughts": true}), 1),
        ("gemini-2.5-flash", on.clone(), json!({"thinkingBudget": -1, "includeThoughts": true}), 0),
        ("gemini-2.5-flash", hidden, json!({"thinkingBudget": 2000}), 0),
        (
            "gemini-3-pro-preview",
            effort(Effort::Medium),
            json!({"thinkingLevel": "high", "includeThoughts": true}),
            1,
        ),
        (
            "gemini-3.1-pro",
            effort(Effort::Medium),
            json!({"thinkingLevel": "medium", "includeThoughts": true}),
            0,
        ),
        ("gemini-3-flash", effort(Effort::None), json!({"thinkingLevel": "minimal"}), 1),
        (
            "gemini-3-flash",
            effort(Effort::Xhigh),
            json!({"thinkingLevel": "high", "includeThoughts": true}),
            1,
        ),
        ("gemini-3-flash", budget(1000), json!({"thinkingLevel": "minimal", "includeThoughts": true}), 1),
        ("gemini-3-flash", on, json!({"includeThoughts": true}), 0),
        ("gemini-2.0-flash", effort(Effort::High), Value::Null, 1),
        ("gemini-2.5-flash-image", effort(Effort::None), Value::Null, 0),
    ];
    for (model, thinking, expect, losses) in rows {
        let mut request = asked();
        request.max_tokens = Some(10_000);
        request.thinking = Some(thinking);
        let (body, lost) = Place::new().write(&request, model);
        let config = body["generationConfig"].get("thinkingConfig").cloned().unwrap_or_default();
        assert_eq!((config, lost.len()), (expect, losses), "{model} {:?}", request.thinking);
    }
}

#[test]
fn a_gemini_callers_own_fields_survive_the_hub() {
    let body = br#"{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"executableCode":{"language":"PYTHON","code":"1"}},{"text":"b"}]},
        {"role":"user","parts":[{"text":"c"}]}],"safetySettings":[{"category":"X"}],"cachedContent":"k","tools":[{"codeExecution":{}},{"google_search":{"a":1}}],
        "generationConfig":{"responseMimeType":"application/json","speechConfig":{"x":1},"responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}}}"#;
    let body = canonical(body);
    let request = read_request(&body).unwrap();
    let (out, losses) = Place::new().write(&request, "gemini-2.5-pro");
    assert_eq!(losses, Vec::<String>::new());
    assert_eq!(out["contents"][1]["parts"][0]["executableCode"]["code"], "1");
    assert_eq!(out["safetySettings"], json!([{"category": "X"}]));
    assert_eq!(out["cachedContent"], "k");
    assert_eq!(out["tools"], json!([{"codeExecution": {}}, {"googleSearch": {"a": 1}}]));
    assert_eq!(
        out["generationConfig"],
        json!({"responseMimeType": "application/json", "speechConfig": {"x": 1},
            "responseJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}}})
    );
}

proptest! {
    /// Whatever a caller sends becomes a well-formed body, or a plain refusal.
    #[test]
    fn bodies_are_always_json(parts in prop::collection::vec(odd(), 0..3), answer in prop::collection::vec(odd(), 0..3), tools in odd(),
                              config in odd(), third: bool) {
        let body = json!({"contents": [{"parts": parts}, {"role": "model", "parts": answer}], "tools": [tools], "generationConfig": config}).to_string();
        let body = canonical(body.as_bytes());
        let place = Place::new();
        if let Ok(request) = read_request(&body)
            && let Ok(out) = write_request(&request, &place.target(if third { "gemini-3-pro" } else { "gemini-1.5-pro" }))
        {
            let out: Value = serde_json::from_slice(&out.body).unwrap();
            for content in out["contents"].as_array().unwrap() {
                prop_assert!(!content["parts"].as_array().unwrap().is_empty());
            }
        }
    }
}
