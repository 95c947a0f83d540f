use super::*;
use crate::hub::{Content, SealFormat, Source};

fn show(request: &Request<'_>) -> Vec<String> {
    let mut shown = Vec::new();
    request.each_block(&mut |block| {
        let what = match &block.content {
            Content::Text(text) => format!("text {text}"),
            Content::Image { source: Source::Base64 { media_type, data }, .. } => {
                format!("image {media_type} {data}")
            }
            Content::Image { source: Source::Url(url), .. } => format!("image {url}"),
            Content::File { source: Source::FileId(id), .. } => format!("file {id}"),
            Content::Video { source: Source::Url(url) } => format!("video {url}"),
            Content::Audio { source: Source::Base64 { media_type, .. } } => format!("audio {media_type}"),
            Content::Reasoning { text, seal, .. } => {
                format!("thought {text:?} {:?}", seal.as_ref().map(|seal| seal.data.as_str()))
            }
            Content::ToolCall { id, name, arguments, seal, .. } => {
                format!("call {id} {name} {arguments} {:?}", seal.as_ref().map(|seal| seal.data.as_str()))
            }
            Content::ToolResult { id, name, is_error, .. } => format!("result {id} {name:?} {is_error}"),
            other => format!("{other:?}"),
        };
        shown.push(format!("{what} @{}", block.pointer));
    });
    shown
}

#[test]
fn every_part_becomes_a_block() {
    let body = br#"{"system_instruction":{"parts":[{"text":"be"}]},"contents":[
        {"parts":[{"text":"q"},{"inline_data":{"mime_type":"image/png","data":"AA-_"}},{"fileData":{"fileUri":"https://x/y.jpg"}},
            {"fileData":{"fileUri":"https://youtu.be/z"}},{"fileData":{"fileUri":"gs://b/f.pdf","mimeType":"application/pdf"}},
            {"inlineData":{"mimeType":"audio/wav","data":""}}]},
        {"role":"model","parts":[{"text":"h","thought":true},{"text":"m","thought":true},{"text":"","thought":true,"thoughtSignature":"S0=="},
            {"text":"say","thoughtSignature":"S1"},{"functionCall":{"name":"f","args":{"a":1}},"thought_signature":"S2"},
            {"functionCall":{"name":"g"}},{"functionCall":{"id":"own","name":"f","args":null}},{"executableCode":{"code":"1"}}]},
        {"role":"function","parts":[{"functionResponse":{"name":"g","response":{"error":"bad"}}},{"functionResponse":{"name":"f","response":{"result":"ok"}}},
            {"functionResponse":{"id":"own","name":"f","response":{"a":[1],"result":2},"parts":[{"inlineData":{"mimeType":"image/png","data":"BB"}}]}}]}]}"#;
    let request = read_request(body).unwrap();
    let expect = [
        "text be @/system_instruction/parts/0",
        "text q @/contents/0/parts/0",
        "image image/png AA+/ @/contents/0/parts/1",
        "image https://x/y.jpg @/contents/0/parts/2",
        "video https://youtu.be/z @/contents/0/parts/3",
        "file gs://b/f.pdf @/contents/0/parts/4",
        "audio audio/wav @/contents/0/parts/5",
        "thought \"hm\" Some(\"S0==\") @/contents/1/parts/0",
        "text say @/contents/1/parts/3",
        "thought \"\" Some(\"S1\") @/contents/1/parts/3",
        "call call_0001 f {\"a\":1} Some(\"S2\") @/contents/1/parts/4",
        "call call_0002 g {} None @/contents/1/parts/5",
        "call own f {} None @/contents/1/parts/6",
        "Native(Node(Object, 31 bytes)) @/contents/1/parts/7",
        "result call_0002 Some(\"g\") true @/contents/2/parts/0",
        "text bad @/contents/2/parts/0/functionResponse/response",
        "result call_0001 Some(\"f\") false @/contents/2/parts/1",
        "text ok @/contents/2/parts/1/functionResponse/response",
        "result own Some(\"f\") false @/contents/2/parts/2",
        "text {\"a\":[1],\"result\":2} @/contents/2/parts/2/functionResponse/response",
        "image image/png BB @/contents/2/parts/2/functionResponse/parts/0",
    ];
    assert_eq!(show(&request), expect);
}

#[test]
fn settings_are_read_in_both_spellings() {
    let body = br#"{"contents":"hi","generation_config":{"temperature":0.50,"topP":0.9,"top_k":40,"maxOutputTokens":"100","candidateCount":2,
        "stopSequences":["a","b"],"seed":7,"responseLogprobs":true,"logprobs":3,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},
        "responseModalities":["TEXT","IMAGE"],"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"LOW"},"speechConfig":{}},
        "safetySettings":[{}],"cachedContent":"c","provider":{"only":["x"]},"model":"m",
        "tools":[{"functionDeclarations":[{"name":"f","parameters_json_schema":{"type":"object"}}],"code_execution":{}},{"googleSearch":{"excludeDomains":["x.org"]}}],
        "toolConfig":{"functionCallingConfig":{"mode":"any","allowedFunctionNames":["f"]},"retrievalConfig":{"languageCode":"de"}}}"#;
    let request = read_request(body).unwrap();
    let sampling = &request.sampling;
    assert_eq!(
        [sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed],
        [Some("0.50"), Some("0.9"), Some("40"), Some("7")]
    );
    assert_eq!((request.max_tokens, request.choices, request.logprobs), (Some(100), 2, Some(3)));
    assert_eq!(request.stop, ["a", "b"]);
    assert_eq!(request.modalities, ["text", "image"]);
    assert!(matches!(request.format, Some(Format::Schema { schema: Some(_), .. })));
    let thinking = request.thinking.as_ref().unwrap();
    assert_eq!((thinking.effort, thinking.exclude), (Some(Effort::Low), false));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
    let tools: Vec<_> =
        request.tools.iter().map(|tool| (tool.name.as_ref(), tool.pointer.as_str())).collect();
    assert_eq!(
        tools,
        [
            ("f", "/tools/0/functionDeclarations/0"),
            ("codeExecution", "/tools/0/code_execution"),
            ("googleSearch", "/tools/1/googleSearch")
        ]
    );
    assert_eq!(request.web_search.as_ref().unwrap().blocked_domains, ["x.org"]);
    let rest: Vec<_> = request.rest.iter().map(|rest| rest.pointer.as_str()).collect();
    assert_eq!(
        rest,
        [
            "/generation_config/speechConfig",
            "/safetySettings",
            "/cachedContent",
            "/toolConfig/retrievalConfig"
        ]
    );
}

#[test]
fn thinking_formats_and_refusals() {
    let with = |config: &str| {
        format!("{{\"contents\":[{{\"parts\":{{\"text\":\"x\"}}}}],\"generationConfig\":{config}}}")
    };
    let off = with(r#"{"thinkingConfig":{"thinkingBudget":0}}"#);
    assert!(read_request(off.as_bytes()).unwrap().thinking.unwrap().is_off());
    let dynamic = with(r#"{"thinkingConfig":{"thinkingBudget":-1}}"#);
    assert!(read_request(dynamic.as_bytes()).unwrap().thinking.unwrap().adaptive);
    let json = with(r#"{"responseMimeType":"application/json"}"#);
    assert_eq!(read_request(json.as_bytes()).unwrap().format, Some(Format::JsonObject));
    let word = with(r#"{"responseMimeType":"text/x.enum","responseSchema":{"enum":["a"]}}"#);
    assert!(matches!(read_request(word.as_bytes()).unwrap().format, Some(Format::Native(_))));
    let inner =
        br#"{"generateContentRequest":{"model":"m","contents":[{"parts":[{"text":"x"}]}],"labels":{}}}"#;
    assert_eq!(read_request(inner).unwrap().rest[0].pointer, "/generateContentRequest/labels");
    for (body, field) in [
        ("{}", "contents"),
        (r#"{"contents":[]}"#, "contents"),
        (r#"{"contents":[{"role":"robot"}]}"#, "contents[0].role"),
        (r#"{"contents":[5]}"#, "contents.0"),
    ] {
        let Err(RequestError::Field { field: found, .. }) = read_request(body.as_bytes()) else {
            panic!("{body}")
        };
        assert_eq!(found, field);
    }
    let foreign = br#"{"contents":[{"role":"model","parts":[{"thought":true,"thoughtSignature":"TollwaySeal15b22616e7468726f7069632d636c617564652d7631222c2273222c747275652c6e756c6c5d20"}]}]}"#;
    let request = read_request(foreign).unwrap();
    let Content::Reasoning { seal: Some(seal), .. } = &request.turns[0].blocks[0].content else { panic!() };
    assert_eq!((&seal.format, seal.data.as_str()), (&SealFormat::Anthropic, "s"));
}
