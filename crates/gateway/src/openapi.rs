//! `GET /openapi.json`: every route as an OpenAPI 3.1 document; `GET /llms.txt` in [`llms`].
//!
//! - Path, method, who may call and the summary come from the table of routes, errors from the table of errors.
//! - What no table knows, parameters, bodies and answers, is data: a JSON file per area beside [`areas`], each fact once.
//! - The tests below hold tables and data together; `e2e` calls each operation with its example and judges the answer by its schema.

mod areas;
pub mod llms;
mod operation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use serde_json::{Map, Value, json};

use self::areas::Area;
use crate::app::Worker;
use crate::body::ResponseBody;
use crate::error::{GatewayError, TABLE};
use crate::listings::cached;
use crate::router::{ROUTES, Route};
use crate::settings::Brand;

/// The version of the form.
const VERSION: &str = "3.1.0";

/// Answers with the document, rendered once.
pub async fn show(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let rendered = cached(worker, "openapi", |gateway, _| {
        document(&gateway.settings.brand, gateway.people.settings.is_secure).to_string()
    });
    Ok(rendered.await?.answer(parts))
}

/// The document under a brand. `is_secure`: pages of this site are reached by TLS, which names the cookie of sessions.
pub fn document(brand: &Brand, is_secure: bool) -> Value {
    let areas = areas::read(brand);
    let call_headers = call_headers(&areas);
    let mut paths = Map::new();
    for route in ROUTES {
        let name = format!("{} {}", route.method, route.path);
        let found = areas.iter().find_map(|area| Some((area, area.operations.get(&name)?)));
        let Some((area, told)) = found else { continue };
        let operation = operation::build(route, area.tag_name(), told, &call_headers);
        let item = paths.entry(template(route.path)).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(route.method.to_ascii_lowercase(), operation);
        }
    }
    json!({
        "openapi": VERSION,
        "info": {
            "title": brand.name,
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "One API over every provider of language models, in the dialects that clients speak already. Every path \
                 under `/v1` is served under `/api/v1` too. The key is sent as `Authorization: Bearer`; where other \
                 systems' clients put it, `x-api-key`, `x-goog-api-key` or `api-key`, it is found as well. Header names \
                 that begin with `{}-` may begin with `x-openrouter-` or `x-gammainfra-` instead. Amounts are US dollars: \
                 decimal text is exact, JSON numbers have the same digits.",
                brand.header_prefix()
            ),
        },
        "servers": [{ "url": "/", "description": "This server." }],
        "tags": areas.iter().filter_map(|area| area.tag.clone()).collect::<Vec<_>>(),
        "paths": paths,
        "components": components(areas, is_secure),
    })
}

/// What a path is called in the document: OpenAPI takes one name for one place, so that a GET's parameters name them for all
/// methods.
fn template(path: &str) -> String {
    let same = |route: &&Route| route.method == "GET" && shape(route.path).eq(shape(path));
    ROUTES.iter().find(same).map_or(path, |route| route.path).to_owned()
}

/// A path whose parameters have no names.
fn shape(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part })
}

/// The headers that answers of generations have, by their names.
fn call_headers(areas: &[Area]) -> Map<String, Value> {
    let headers = areas.iter().flat_map(|area| &area.headers);
    let named = headers.filter_map(|(id, header)| {
        let name = header.get("x-name")?.as_str()?.to_owned();
        Some((name, json!({ "$ref": format!("#/components/headers/{id}") })))
    });
    named.collect()
}

fn components(areas: Vec<Area>, is_secure: bool) -> Value {
    let (mut schemas, mut parameters, mut headers) = (Map::new(), Map::new(), Map::new());
    for area in areas {
        schemas.extend(area.schemas);
        parameters.extend(area.parameters);
        headers.extend(area.headers);
    }
    schemas.insert(String::from("ErrorType"), error_type());
    json!({
        "schemas": schemas,
        "parameters": parameters,
        "headers": headers,
        "securitySchemes": {
            "key": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key for calls of models, a management key for everything else.",
            },
            "session": {
                "type": "http",
                "scheme": "bearer",
                "description": "The token that signing in gives. It may do what its person's role in the organization allows.",
            },
            "cookie": {
                "type": "apiKey",
                "in": "cookie",
                "name": crate::auth::session::cookie_name(is_secure),
                "description": "The same session as a cookie; it writes from pages of this site only.",
            },
        },
    })
}

/// Every `error.type`, with cause and remedy.
fn error_type() -> Value {
    let mut description = String::from("The stable name of an error.\n");
    for doc in TABLE {
        description.push_str(&format!("\n- `{}` ({}): {} {}", doc.kind, doc.status, doc.cause, doc.remedy));
    }
    let kinds: Vec<&str> = TABLE.iter().map(|doc| doc.kind).collect();
    json!({ "type": "string", "description": description, "enum": kinds })
}
