use serde_json::{Value, json};

use super::{Asks, Preset, apply, from_request};
use crate::hub::Dialect;

fn preset(value: &Value) -> Preset {
    Preset::read(&value.to_string()).unwrap()
}

/// What a preset of most things makes of a body, and what was lost.
fn filled(preset: &Preset, dialect: Dialect, body: &str, model: Option<&str>) -> (Value, Vec<String>) {
    let max_tokens = serde_json::from_str::<Value>(body).unwrap()["max_tokens"].as_u64();
    let asks = Asks { dialect, body: body.as_bytes(), model, model_id: model.unwrap_or("a/b"), max_tokens };
    let applied = apply(preset, "support", &asks).unwrap();
    let said = applied.warnings.iter().map(|warning| warning.message.clone()).collect();
    (serde_json::from_slice(&applied.body).unwrap(), said)
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": name, "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}})
}

fn most() -> Preset {
    preset(&json!({"system_prompt": "Be brief.", "config": {
        "model": "a/b", "models": ["c/d"], "provider": {"zdr": true}, "temperature": 0.25, "max_tokens": 9000, "top_p": 0.5,
        "stop": ["HALT"], "reasoning_effort": "low", "tools": [tool("one"), tool("two")], "user": "u", "cache_enabled": true,
    }}))
}

#[test]
fn chat_keeps_its_bytes_and_gets_what_it_has_not() {
    let body = r#"{ "model":"@preset/support", "messages":[ {"role":"user","content":"h\u00e9"}], "n":1.0}"#;
    let asks = Asks {
        dialect: Dialect::Chat,
        body: body.as_bytes(),
        model: None,
        model_id: "a/b",
        max_tokens: None,
    };
    let small = preset(&json!({"system_prompt": "S", "config": {"model": "a/b", "temperature": 0.25}}));
    let applied = apply(&small, "support", &asks).unwrap();
    assert_eq!(
        String::from_utf8(applied.body).unwrap(),
        r#"{ "model":"a/b", "messages":[{"role":"system","content":"S"}, {"role":"user","content":"h\u00e9"}], "n":1.0,"temperature":0.25}"#
    );
    let body =
        json!({"preset": "support", "messages": [{"role": "user", "content": "q"}], "temperature": null})
            .to_string();
    let (body, lost) = filled(&most(), Dialect::Chat, &body, None);
    assert_eq!(lost, Vec::<String>::new());
    assert_eq!(
        (&body["model"], &body["models"], &body["temperature"]),
        (&json!("a/b"), &json!(["c/d"]), &json!(0.25))
    );
    assert_eq!(body["tools"], json!([tool("one"), tool("two")]));
    assert!(body.get("preset").is_none() && body.get("cache_enabled").is_none(), "{body}");
}

#[test]
fn the_request_wins() {
    let body = json!({"model": "x/y@preset/support", "messages": [{"role": "user", "content": "q"}, {"role": "developer", "content": "D"}],
        "max_completion_tokens": 5, "temperature": 1, "provider": {"only": ["p"]}, "reasoning": {"effort": "high"},
        "tools": [tool("two"), {"type": "web_search"}], "models": []});
    let (body, _) = filled(&most(), Dialect::Chat, &body.to_string(), Some("x/y"));
    assert_eq!(
        (&body["model"], &body["models"], &body["temperature"]),
        (&json!("x/y"), &json!([]), &json!(1))
    );
    assert_eq!((body.get("max_tokens"), body.get("reasoning_effort")), (None, None));
    assert_eq!((&body["provider"], &body["top_p"]), (&json!({"only": ["p"]}), &json!(0.5)));
    assert_eq!(body["messages"].as_array().unwrap().len(), 2, "it brings system text of its own");
    assert_eq!(body["tools"], json!([tool("two"), {"type": "web_search"}, tool("one")]));
}

#[test]
fn responses_are_filled_up_in_their_own_words() {
    let body = json!({"model": "@preset/support", "input": "q", "text": {"verbosity": "low"}, "instructions": "",
        "tools": [{"type": "function", "name": "two"}]});
    let (body, lost) = filled(&most(), Dialect::Responses, &body.to_string(), None);
    assert_eq!(
        lost,
        ["preset `support`: `stop` was left out: this dialect has no place for it, or the model none"]
    );
    assert_eq!((&body["instructions"], &body["max_output_tokens"]), (&json!("Be brief."), &json!(9000)));
    assert_eq!((&body["provider"], &body["reasoning"]["effort"]), (&json!({"zdr": true}), &json!("low")));
    let names: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(
        (names, body.get("store"), body.get("include")),
        (vec![json!("two"), json!("one")], None, None)
    );
    let own = json!({"input": [{"role": "developer", "content": "D"}, {"role": "user", "content": "q"}]});
    assert!(filled(&most(), Dialect::Responses, &own.to_string(), None).0.get("instructions").is_none());
    let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
    let formed = preset(&json!({"config": {"response_format": schema}}));
    let (body, _) = filled(&formed, Dialect::Responses, r#"{"input":"q","text":{"verbosity":"low"}}"#, None);
    assert_eq!((&body["text"]["verbosity"], &body["text"]["format"]["name"]), (&json!("low"), &json!("n")));
}

#[test]
fn messages_are_filled_up_in_their_own_words() {
    let body = json!({"model": "@preset/support", "messages": [{"role": "user", "content": "q"}], "tools": [{"name": "one", "input_schema": {}}]});
    let (filled_up, _) = filled(&most(), Dialect::Messages, &body.to_string(), None);
    assert_eq!((&filled_up["system"], &filled_up["max_tokens"]), (&json!("Be brief."), &json!(9000)));
    assert_eq!(
        (&filled_up["stop_sequences"], &filled_up["metadata"]["user_id"]),
        (&json!(["HALT"]), &json!("u"))
    );
    assert_eq!(
        (&filled_up["thinking"]["type"], filled_up["tools"].as_array().map(Vec::len)),
        (&json!("enabled"), Some(2))
    );
    assert_eq!(filled_up["messages"].as_array().unwrap().len(), 1);
    // A budget has to fit into the cap, and the cap is the request's.
    let mut narrow = body.clone();
    narrow["max_tokens"] = json!(100);
    narrow["system"] = json!([{"type": "text", "text": "own"}]);
    let (narrow, lost) = filled(&most(), Dialect::Messages, &narrow.to_string(), None);
    assert_eq!((&narrow["max_tokens"], narrow.get("thinking")), (&json!(100), None));
    assert!(
        narrow["system"].is_array() && lost.iter().any(|said| said.contains("leaves no room")),
        "{lost:?}"
    );
    let mut calm = body;
    calm["thinking"] = json!({"type": "disabled"});
    assert_eq!(
        filled(&most(), Dialect::Messages, &calm.to_string(), None).0["thinking"],
        json!({"type": "disabled"})
    );
    let formed = preset(&json!({"config": {"tools": [tool("one")], "seed": 7,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}}}));
    let (body, lost) = filled(
        &formed,
        Dialect::Messages,
        r#"{"messages":[{"role":"user","content":"q"}],"output_config":{"effort":"low"}}"#,
        None,
    );
    assert_eq!(
        body["output_config"],
        json!({"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}})
    );
    assert_eq!(
        (body["tools"].as_array().map(Vec::len), body.get("tool_choice"), body.get("max_tokens")),
        (Some(1), None, None)
    );
    assert_eq!(lost.len(), 1, "{lost:?}");
}

#[test]
fn gemini_is_filled_up_in_either_spelling() {
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "q"}]}], "preset": "support",
        "generation_config": {"top_p": 0.9, "responseMimeType": "text/plain"},
        "tools": [{"function_declarations": [{"name": "two"}]}]});
    let (body, _) = filled(&most(), Dialect::Gemini, &body.to_string(), None);
    let config = &body["generation_config"];
    assert_eq!(
        (&config["top_p"], config.get("topP"), &config["temperature"]),
        (&json!(0.9), None, &json!(0.25))
    );
    assert_eq!((&config["maxOutputTokens"], &config["stopSequences"]), (&json!(9000), &json!(["HALT"])));
    assert!(
        config["thinkingConfig"].get("includeThoughts").is_none() && config["thinkingConfig"].is_object(),
        "{config}"
    );
    let declared = body["tools"][0]["function_declarations"].as_array().unwrap();
    let names: Vec<_> = declared.iter().map(|function| function["name"].clone()).collect();
    assert_eq!((names, body["tools"].as_array().map(Vec::len)), (vec![json!("two"), json!("one")], Some(1)));
    assert_eq!(
        (&body["systemInstruction"]["parts"][0]["text"], body.get("model")),
        (&json!("Be brief."), None)
    );
    let own = json!({"contents": [{"parts": []}], "system_instruction": {"parts": [{"text": "own"}]}, "tools": [{"googleSearch": {}}]});
    let (own, _) = filled(&most(), Dialect::Gemini, &own.to_string(), None);
    assert_eq!((own.get("systemInstruction"), own["tools"].as_array().map(Vec::len)), (None, Some(2)));
    assert!(own["generationConfig"].is_object());
    let formed =
        preset(&json!({"config": {"response_format": {"type": "json_object"}, "tools": [tool("one")]}}));
    let (body, lost) = filled(&formed, Dialect::Gemini, r#"{"contents":[]}"#, None);
    assert_eq!((&body["generationConfig"], lost), (&json!({"responseMimeType": "application/json"}), vec![]));
}

#[test]
fn completions_get_what_they_have_a_place_for() {
    let (body, lost) =
        filled(&most(), Dialect::Completions, r#"{"prompt":"q","model":"@preset/support"}"#, None);
    assert_eq!(
        (&body["max_tokens"], &body["temperature"], &body["model"]),
        (&json!(9000), &json!(0.25), &json!("a/b"))
    );
    let about: Vec<&str> = lost.iter().filter_map(|said| said.split('`').nth(3)).collect();
    assert_eq!(about, ["system_prompt", "reasoning_effort", "tools"]);
}

#[test]
fn a_choice_without_tools_is_told_and_odd_requests_stay_whole() {
    let chooses = preset(&json!({"config": {"tool_choice": "required"}}));
    let (_, lost) = filled(&chooses, Dialect::Responses, r#"{"input":"q"}"#, None);
    assert_eq!(lost.len(), 1, "{lost:?}");
    for odd in [
        r#"{"tools":"x","generationConfig":7,"contents":"c"}"#,
        r#"{"tools":[],"generationConfig":{},"contents":[]}"#,
        "{}",
    ] {
        for dialect in [Dialect::Gemini, Dialect::Messages, Dialect::Responses, Dialect::Completions] {
            filled(&most(), dialect, odd, None);
        }
    }
}

#[test]
fn a_preset_is_taken_out_of_a_request() {
    let rows = [
        (
            Dialect::Chat,
            json!({"model": "a/b", "stream": true, "temperature": 0.5, "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "q"}, {"role": "developer", "content": [{"type": "text", "text": "T"}]}]}),
            json!({"system_prompt": "S\n\nT", "config": {"model": "a/b", "temperature": 0.5}}),
        ),
        (Dialect::Chat, json!({"seed": 1}), json!({"config": {"seed": 1}})),
        (
            Dialect::Responses,
            json!({"model": "a/b", "instructions": "S", "input": "q", "max_output_tokens": 50, "reasoning": {"effort": "xhigh"}, "provider": {"zdr": true},
                "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]}),
            json!({"system_prompt": "S", "config": {"model": "a/b", "provider": {"zdr": true},
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}], "max_tokens": 50, "reasoning": {"effort": "xhigh"}}}),
        ),
        (
            Dialect::Messages,
            json!({"model": "a/b", "system": [{"type": "text", "text": "S"}], "max_tokens": 50, "stop_sequences": ["x"], "thinking": {"type": "enabled", "budget_tokens": 2000},
                "messages": [{"role": "user", "content": "q"}], "models": ["c/d"]}),
            json!({"system_prompt": "S", "config": {"model": "a/b", "models": ["c/d"], "max_tokens": 50, "stop": ["x"], "reasoning": {"max_tokens": 2000, "enabled": true}}}),
        ),
    ];
    for (dialect, body, expect) in rows {
        let made = from_request(dialect, body.to_string().as_bytes()).unwrap();
        let written: Value = serde_json::from_str(&made.preset.write()).unwrap();
        assert_eq!(written, expect, "{dialect:?}");
        assert!(
            Preset::read(&made.preset.write()).is_ok() && made.warnings.is_empty(),
            "{:?}",
            made.warnings
        );
    }
    assert!(from_request(Dialect::Messages, b"[]").is_err());
}
