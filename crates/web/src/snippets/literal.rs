//! Values as literals of a language. In an address `${NAME}` stands for a variable of the environment.

use serde_json::Value;

/// A text in double quotes, for Python, JavaScript and JSON alike. Both languages read JSON's escapes.
pub(super) fn quoted(text: &str) -> String {
    // Line ends of Unicode's would end a line of an older JavaScript.
    Value::from(text).to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A part of an address: text, or a variable's name.
enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

fn parts(address: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = address;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, following)) = after.split_once('}').filter(|(name, _)| is_variable(name)) else {
            break;
        };
        parts.extend([Part::Text(before), Part::Variable(name)]);
        rest = following;
    }
    parts.push(Part::Text(rest));
    parts
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The variables of an address, each once.
pub(super) fn placeholders(address: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in parts(address) {
        if let Part::Variable(name) = part
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
        }
    }
    names
}

fn has_variables(address: &str) -> bool {
    !placeholders(address).is_empty()
}

/// An address in Python.
pub(super) fn python(address: &str) -> String {
    if !has_variables(address) {
        return quoted(address);
    }
    let inner: String = parts(address)
        .iter()
        .map(|part| match part {
            Part::Text(text) => inside(text).replace('{', "{{").replace('}', "}}"),
            Part::Variable(name) => format!("{{os.environ['{name}']}}"),
        })
        .collect();
    format!("f\"{inner}\"")
}

/// An address in TypeScript.
pub(super) fn typescript(address: &str) -> String {
    if !has_variables(address) {
        return quoted(address);
    }
    let inner: String = parts(address)
        .iter()
        .map(|part| match part {
            Part::Text(text) => inside(text).replace('`', "\\`").replace("${", "\\${"),
            Part::Variable(name) => format!("${{process.env.{name}}}"),
        })
        .collect();
    format!("`{inner}`")
}

fn inside(text: &str) -> String {
    let quoted = quoted(text);
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// An address in a shell: bare where it is plain, else in double quotes with everything but its variables escaped.
pub(super) fn shell(address: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"./:_-@".contains(&b);
    if address.bytes().all(is_plain) {
        return address.to_owned();
    }
    let inner: String = parts(address)
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.chars().map(escaped).collect(),
            Part::Variable(name) => format!("${{{name}}}"),
        })
        .collect();
    format!("\"{inner}\"")
}

fn escaped(c: char) -> String {
    match c {
        '"' | '\\' | '$' | '`' => format!("\\{c}"),
        // Nobody's address has these, and a history expansion can't be escaped in double quotes.
        '!' | '\n' | '\r' => String::new(),
        c => c.to_string(),
    }
}

/// A JSON body for `-d`, in single quotes, as it was laid out.
pub(super) fn body(json: &str) -> String {
    format!("'{}'", json.replace('\'', "'\\''"))
}

/// A part of a path: what an id may need to be escaped.
pub(super) fn segment(id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"./:_-@".contains(&b);
    id.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
