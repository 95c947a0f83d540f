//! Fields of a request's body that are for the gateway: served here, never sent to a provider, and the same in every dialect.

use crate::asked::{Asked, Escalate, TRACE_CHARS_MAX, TRACE_FIELDS_MAX};
use crate::auto;
use crate::hub::{Dialect, RequestError};
use crate::node::Node;

/// Their names.
const OURS: [&str; 16] = [
    "models",
    "provider",
    "route",
    "session_id",
    "trace",
    "usage",
    "sandbox",
    "include_reasoning",
    "debug",
    "plugins",
    "transforms",
    "preset",
    "stop_server_tools_when",
    "requesty",
    "auto_cache",
    "escalate",
];

/// Whether a field is for the gateway.
pub(crate) fn is_ours(key: &str) -> bool {
    OURS.contains(&key) || auto::is_field(key)
}

/// Reads such a field, as far as no dialect reads it by itself: what is served, and what a caller must be told is not.
pub(crate) fn read<'b>(
    dialect: Option<Dialect>,
    key: &str,
    value: Node<'b>,
    asked: &mut Asked<'b>,
) -> Result<(), RequestError> {
    match key {
        "auto_cache" => asked.auto_cache = Some(value.bool().ok_or_else(not_a_switch)?),
        "escalate" => asked.escalate = escalate(value)?,
        "requesty" => requesty(value, asked)?,
        "trace" => trace(value, asked),
        key if auto::is_field(key) => asked.auto.take(key, value)?,
        "debug" => {
            let wanted = value.get("echo_upstream_body").and_then(Node::bool) == Some(true);
            match dialect {
                Some(Dialect::Chat) => asked.echo_body = wanted,
                _ if wanted => asked.untold("debug"),
                _ => (),
            }
        }
        "preset" => {
            let name = value.string().ok_or_else(|| RequestError::Field {
                field: "preset".to_owned(),
                problem: "must be a preset's name".to_owned(),
            })?;
            asked.preset = Some(name.into_owned()).filter(|name| !name.is_empty());
        }
        // Trying the next model when one fails is what always happens.
        "route" if value.string().is_some_and(|route| route != "fallback") => asked.untold("route"),
        "transforms" if !value.elements().is_empty() => asked.untold("transforms"),
        "stop_server_tools_when" => asked.untold("stop_server_tools_when"),
        // Responses has it itself.
        "max_tool_calls" if dialect == Some(Dialect::Chat) => asked.untold("max_tool_calls"),
        "plugins" => {
            // Chat reads a search of the web itself.
            let searches = |plugin: &Node<'_>| {
                dialect == Some(Dialect::Chat) && plugin.get_string("id").as_deref() == Some("web")
            };
            let off = |plugin: &Node<'_>| plugin.get("enabled").and_then(Node::bool) == Some(false);
            for plugin in
                value.elements().into_iter().filter(|plugin| auto::is_plugin(*plugin) && !off(plugin))
            {
                asked.auto.plugin(plugin)?;
            }
            let served = |plugin: &Node<'_>| searches(plugin) || auto::is_plugin(*plugin);
            if value.elements().iter().any(|plugin| !served(plugin) && !off(plugin)) {
                asked.untold("plugins");
            }
        }
        _ => (),
    }
    Ok(())
}

fn escalate(value: Node<'_>) -> Result<Option<Escalate>, RequestError> {
    if value.is_null() {
        return Ok(None);
    }
    let read = match value.bool() {
        Some(true) => Some(Escalate::Next),
        Some(false) => Some(Escalate::No),
        None => value.string().as_deref().and_then(Escalate::read),
    };
    let problem = "must be true, false or the name of the model to go to";
    read.map(Some)
        .ok_or_else(|| RequestError::Field { field: "escalate".to_owned(), problem: problem.to_owned() })
}

fn not_a_switch() -> RequestError {
    RequestError::Field { field: "auto_cache".to_owned(), problem: "must be true or false".to_owned() }
}

/// Requesty's object: `auto_cache`, and what is not served of it.
fn requesty(object: Node<'_>, asked: &mut Asked<'_>) -> Result<(), RequestError> {
    for (key, value) in object.members() {
        match &*key {
            "auto_cache" => asked.auto_cache = Some(value.bool().ok_or_else(not_a_switch)?),
            other => asked.untold(&format!("requesty/{}", other.chars().take(64).collect::<String>())),
        }
    }
    Ok(())
}

/// `trace`: what the caller names its work by; texts and numbers, the first few of them.
fn trace(value: Node<'_>, asked: &mut Asked<'_>) {
    for (name, value) in value.members().into_iter().take(TRACE_FIELDS_MAX) {
        let text = match value.string() {
            Some(text) => text.into_owned(),
            None => value.u64().map(|number| number.to_string()).unwrap_or_default(),
        };
        if !text.is_empty() {
            let short = |text: &str| text.chars().take(TRACE_CHARS_MAX).collect::<String>();
            asked.trace.push((short(&name), short(&text)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(dialect: Option<Dialect>, body: &'static str) -> Asked<'static> {
        let mut asked = Asked::default();
        for (key, value) in Node::parse(body.as_bytes()).unwrap().members() {
            read(dialect, &key, value, &mut asked).unwrap();
        }
        asked
    }

    #[test]
    fn what_is_not_served_is_told_once_and_what_has_no_effect_is_not() {
        let rows: [(&str, &[&str]); 7] = [
            (r#"{"route":"fallback","transforms":[],"plugins":[],"preset":""}"#, &[]),
            (r#"{"route":"all","transforms":["middle-out"]}"#, &["route", "transforms"]),
            (r#"{"plugins":[{"id":"web"}],"max_tool_calls":3}"#, &["max_tool_calls"]),
            (r#"{"plugins":[{"id":"file-parser"},{"id":"web"}]}"#, &["plugins"]),
            (r#"{"plugins":[{"id":"file-parser","enabled":false}]}"#, &[]),
            (r#"{"stop_server_tools_when":[{}]}"#, &["stop_server_tools_when"]),
            (r#"{"debug":{"echo_upstream_body":false}}"#, &[]),
        ];
        for (body, expect) in rows {
            assert_eq!(told(Some(Dialect::Chat), body).not_served, expect, "{body}");
        }
        let body = r#"{"debug":{"echo_upstream_body":true},"plugins":[{"id":"web"}],"max_tool_calls":3}"#;
        assert_eq!(told(Some(Dialect::Responses), body).not_served, ["debug", "plugins"]);
        assert!(told(Some(Dialect::Chat), body).echo_body);
        let rows = [(r#"{"preset":"a"}"#, Some("a")), (r#"{"preset":""}"#, None)];
        for (body, expect) in rows {
            assert_eq!(told(None, body).preset.as_deref(), expect, "{body}");
        }
    }

    #[test]
    fn escalation_is_a_switch_or_a_model() {
        let rows = [
            (r#"{"escalate":true}"#, Some(Escalate::Next)),
            (r#"{"escalate":false}"#, Some(Escalate::No)),
            (r#"{"escalate":"a/b"}"#, Some(Escalate::To("a/b".to_owned()))),
            (r#"{"escalate":null}"#, None),
        ];
        for (body, expect) in rows {
            assert_eq!(told(None, body).escalate, expect, "{body}");
        }
        for bad in [r#"{"escalate":1}"#, r#"{"escalate":""}"#, r#"{"escalate":{}}"#] {
            let value = Node::parse(bad.as_bytes()).unwrap().get("escalate").unwrap();
            assert!(escalate(value).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_trace_is_bounded_text() {
        let asked = told(None, r#"{"trace":{"trace_id":"t-1","span":7,"empty":"","deep":{"a":1}}}"#);
        assert_eq!(
            asked.trace,
            [("trace_id".to_owned(), "t-1".to_owned()), ("span".to_owned(), "7".to_owned())]
        );
    }
}
