//! `docs/api.md`: the OpenAPI document for people.

use gateway::settings::Brand;
use serde_json::Value;

use super::{Page, cell};

const INTRO: &str = "\
Every call, area by area, from the same source as `GET /openapi.json`, which each call is tested against. Every path under `/v1` is served
under `/api/v1` too, and GET paths answer HEAD.

```sh
curl http://127.0.0.1:8080/v1/key -H \"Authorization: Bearer $TOLLWAY_KEY\"
```

- A key is sent as `Authorization: Bearer`; `x-api-key`, `x-goog-api-key` and `api-key` are taken too. API keys call models, management keys
  manage. Who is [signed in](people.md) manages too, as far as their [role](organizations.md) in the organization goes.
- Amounts are US dollars: decimal text is exact, JSON numbers beside it have the same digits. Instants are UTC.
- A field or parameter that is marked with `?` may be absent. [Errors](errors.md) have causes and remedies.
- Header names are those of the default brand.
";

/// The page.
pub(super) fn page() -> String {
    let brand = Brand::new("Tollway", "tollway", "X-Tollway", "sk-tw");
    let document = brand.map(|brand| gateway::openapi::document(&brand, false)).unwrap_or_default();
    let mut page = Page::new("API");
    page.line(format_args!("{INTRO}"));
    for tag in items(&document, "tags") {
        let name = text(tag, "name");
        page.line(format_args!("## {name}\n\n{}\n", text(tag, "description")));
        for (path, item) in entries(&document, "paths") {
            for (method, told) in item.as_object().into_iter().flatten() {
                if items(told, "tags").any(|own| own == name) {
                    operation(&mut page, (method, path), told);
                }
            }
        }
    }
    let components = at(&document, "components");
    headers(&mut page, components);
    page.line(format_args!("## Shapes\n"));
    for (name, schema) in entries(components, "schemas") {
        // The types have a page of their own.
        let own = (name == "ErrorType").then_some("One of the [types](errors.md).");
        page.line(format_args!("### {name}\n\n{}\n", own.unwrap_or_else(|| text(schema, "description"))));
        fields(&mut page, schema, 1);
    }
    page.finish()
}

fn at<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    at(value, key).as_str().unwrap_or_default()
}

fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    at(value, key).as_array().into_iter().flatten()
}

fn entries<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    at(value, key).as_object().into_iter().flatten()
}

fn operation(page: &mut Page, (method, path): (&str, &str), told: &Value) {
    page.line(format_args!("### {} {path}\n", method.to_uppercase()));
    let who = match text(told, "x-access") {
        "public" => "Anyone",
        "api_key" => "An API key",
        "management_key" => "A management key or a session",
        "any_key" => "Any key or a session",
        "session" => "A session",
        _ => "A management key of the owner's account, or who runs the server",
    };
    let roles = text(told, "x-roles");
    let roles = if roles.is_empty() || text(told, "x-right") == "read" {
        String::new()
    } else {
        format!(" of these roles: {roles}")
    };
    let more = text(told, "description");
    let space = if more.is_empty() { "" } else { " " };
    page.line(format_args!("{}.{space}{more} **{who}{roles}.**\n", text(told, "summary")));
    let (named, own): (Vec<&Value>, Vec<&Value>) =
        items(told, "parameters").partition(|parameter| parameter.get("$ref").is_some());
    if !own.is_empty() {
        page.line(format_args!("| parameter | in | type | what |\n| --- | --- | --- | --- |"));
    }
    for parameter in &own {
        let (name, place) = (text(parameter, "name"), text(parameter, "in"));
        let mark = if at(parameter, "required") == true { "" } else { "?" };
        let (kind, what) = (kind(at(parameter, "schema")), text(parameter, "description"));
        page.line(format_args!("| `{name}`{mark} | {place} | {} | {} |", cell(&kind), cell(what)));
    }
    if !own.is_empty() {
        page.line(format_args!(""));
    }
    if !named.is_empty() {
        let names: Vec<String> = named.iter().map(|named| format!("`{}`", target(named))).collect();
        page.line(format_args!("[Request headers](#request-headers): {}.\n", names.join(", ")));
    }
    body(page, at(told, "requestBody"));
    answers(page, told);
}

/// The last part of a reference.
fn target(reference: &Value) -> &str {
    text(reference, "$ref").rsplit('/').next().unwrap_or_default()
}

fn body(page: &mut Page, body: &Value) {
    for (media, told) in entries(body, "content") {
        let schema = at(told, "schema");
        let optional = if at(body, "required") == true { "" } else { ", may be absent" };
        page.line(format_args!("Body (`{media}`{optional}): {}\n", kind(schema)));
        if let Some(example) = told.get("example").and_then(|example| serde_json::to_string(example).ok()) {
            page.line(format_args!("```json\n{example}\n```\n"));
        }
        fields(page, schema, 1);
    }
}

/// What is answered, and the types of errors, whose shape is the same everywhere.
fn answers(page: &mut Page, told: &Value) {
    let is_error = |response: &Value| text(response, "description").starts_with('`');
    page.line(format_args!("| status | answer |\n| --- | --- |"));
    for (status, response) in entries(told, "responses").filter(|(_, response)| !is_error(response)) {
        let contents =
            entries(response, "content").map(|(media, content)| match kind(at(content, "schema")).as_str() {
                "anything" => format!(" `{media}`."),
                kind => format!(" `{media}`: {kind}."),
            });
        let what = format!("{}{}", text(response, "description"), contents.collect::<String>());
        page.line(format_args!("| {status} | {} |", cell(&what)));
    }
    page.line(format_args!(""));
    let responses = || entries(told, "responses").map(|(_, response)| response);
    let errors: Vec<&str> =
        responses().filter(|one| is_error(one)).map(|one| text(one, "description")).collect();
    if !errors.is_empty() {
        page.line(format_args!("Errors: {}.\n", errors.join(", ")));
    }
    for response in responses().filter(|one| !is_error(one)) {
        fields(page, at(at(at(response, "content"), "application/json"), "schema"), 2);
    }
}

/// A schema in words.
fn kind(schema: &Value) -> String {
    if schema.get("$ref").is_some() {
        let name = target(schema);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(fixed) = schema.get("const") {
        return format!("`{fixed}`");
    }
    for (word, of) in [(" or ", "anyOf"), (" with ", "allOf")] {
        let kinds: Vec<String> = items(schema, of).map(kind).filter(|kind| kind != "anything").collect();
        if !kinds.is_empty() {
            return kinds.join(word);
        }
    }
    let values: Vec<String> = items(schema, "enum").map(|value| format!("`{value}`")).collect();
    if !values.is_empty() {
        return values.join(", ");
    }
    let names = match at(schema, "type") {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().into_iter().collect::<Vec<_>>(),
    };
    let names: Vec<String> = names.into_iter().map(|name| one_kind(name, schema)).collect();
    if names.is_empty() { String::from("anything") } else { names.join(" or ") }
}

fn one_kind(name: &str, schema: &Value) -> String {
    match name {
        "array" => format!("list of {}", kind(at(schema, "items"))),
        "object" => match schema.get("additionalProperties").filter(|values| values.is_object()) {
            Some(values) => format!("map of {}", kind(values)),
            None => data(schema),
        },
        other => other.to_owned(),
    }
}

/// An object, or what one that has nothing but `data` holds.
fn data(schema: &Value) -> String {
    let mut named = entries(schema, "properties");
    match (named.next(), named.next()) {
        (Some((name, value)), None) if name == "data" => format!("`data`: {}", kind(value)),
        _ => "object".to_owned(),
    }
}

/// The fields of an object, those of objects within it behind a dot, where there are so many.
fn fields(page: &mut Page, schema: &Value, least: usize) {
    let mut rows = Vec::new();
    collect(schema, "", &mut rows);
    if rows.len() < least {
        return;
    }
    page.line(format_args!("| field | type | what |\n| --- | --- | --- |"));
    rows.iter().for_each(|row| page.line(format_args!("{row}")));
    page.line(format_args!(""));
}

fn collect(schema: &Value, before: &str, rows: &mut Vec<String>) {
    let required: Vec<&str> = items(schema, "required").filter_map(Value::as_str).collect();
    for (name, value) in entries(schema, "properties") {
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        let what = text(value, "description");
        rows.push(format!("| `{before}{name}`{mark} | {} | {} |", cell(&kind(value)), cell(what)));
        collect(value, &format!("{before}{name}."), rows);
        collect(at(value, "items"), &format!("{before}{name}[]."), rows);
    }
}

/// Headers that many calls take or answer with.
fn headers(page: &mut Page, components: &Value) {
    page.line(format_args!(
        "## Request headers\n\n| in calls | header | type | what |\n| --- | --- | --- | --- |"
    ));
    for (id, told) in entries(components, "parameters") {
        let (name, kind) = (text(told, "name"), kind(at(told, "schema")));
        page.line(format_args!(
            "| `{id}` | `{name}` | {} | {} |",
            cell(&kind),
            cell(text(told, "description"))
        ));
    }
    page.line(format_args!("\n## Answer headers\n\nOf calls that make a generation; not each has all.\n"));
    page.line(format_args!("| header | what |\n| --- | --- |"));
    for (_, told) in entries(components, "headers") {
        page.line(format_args!("| `{}` | {} |", text(told, "x-name"), cell(text(told, "description"))));
    }
    page.line(format_args!(""));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_page_has_every_route_and_its_links_lead_to_headings() {
        let page = page();
        let calls = page.lines().filter(|line| line.starts_with("### ") && line.contains(" /"));
        assert_eq!(calls.count(), gateway::router::ROUTES.len());
        let headings: BTreeSet<String> = page
            .lines()
            .filter_map(|line| {
                line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
            })
            .map(|heading| heading.to_lowercase().replace(' ', "-"))
            .collect();
        let links: BTreeSet<&str> =
            page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(links.len() > 50 && links.iter().all(|link| headings.contains(*link)), "{links:?}");
        assert!(page.contains("| `limit_usd` | [Usd](#usd) or null |"));
    }

    #[test]
    fn rows_have_the_cells_of_their_head() {
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let page = page();
        let mut wanted = 0;
        for pair in page.lines().collect::<Vec<_>>().windows(2) {
            if pair[1].starts_with("| ---") {
                wanted = cells(pair[1]);
            }
            if pair[0].starts_with("| ") && pair[1].starts_with("| ") {
                assert_eq!(cells(pair[1]), wanted, "{}", pair[1]);
            }
        }
        assert!(wanted > 0);
    }
}
