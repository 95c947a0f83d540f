//! `GET /llms.txt`: a short map of this server for language models, in the form of <https://llmstxt.org> (seen 2026-11): a heading, what
//! this is, what one must know, and lists of links. Written from the tables of routes and from the catalog, like everything else.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Response};
use serde_json::Value;

use super::areas::{self, Area};
use crate::app::{Gateway, Worker};
use crate::auth::Access;
use crate::body::ResponseBody;
use crate::error::GatewayError;
use crate::listings::{cached, virtual_models};
use crate::router::{ROUTES, Route};
use crate::world::World;

/// Most models that are named; the list of all is linked.
const MODELS_MAX: usize = 100;

/// Answers with the map, rendered once per catalog.
pub async fn show(worker: &Arc<Worker>, parts: &Parts) -> Result<Response<ResponseBody>, GatewayError> {
    let rendered = cached(worker, "llms.txt", text).await?;
    Ok(rendered.answer_as(parts, HeaderValue::from_static("text/plain; charset=utf-8")))
}

fn text(gateway: &Gateway, world: &World) -> String {
    let brand = &gateway.settings.brand;
    let url = gateway.payments.public_url.trim_end_matches('/');
    let mut map = head(&brand.name, url);
    map.push_str(&models(gateway, world, url));
    map.push_str(&calls(&areas::read(brand), url));
    map
}

fn head(name: &str, url: &str) -> String {
    format!(
        "# {name}\n\n> A gateway to language models: one API over every provider that is switched on here, in the dialects of \
         OpenAI, Anthropic and Google. Each call is routed, priced and recorded, and can be explained afterwards.\n\n\
         - Base URL: `{url}/v1` for OpenAI's clients, `{url}` for Anthropic's and Google's, `{url}/api/v1` for OpenRouter's.\n\
         - Auth: `Authorization: Bearer KEY`, also `x-api-key`. API keys call models; management keys and sessions manage.\n\
         - Model names: `author/model`; `GET /v1/models` has them all. A model's answer says what it cost in `usage.cost`.\n\
         - Errors: `{{\"error\":{{\"code\",\"type\",\"message\",\"metadata\"}}}}`; `type` is stable, the message says what to do.\n\n\
         ## Reference\n\n\
         - [OpenAPI document]({url}/openapi.json): every call with its parameters, bodies, answers and errors\n\
         - [Models]({url}/v1/models): what can be asked for, with prices and limits\n\
         - [Catalog]({url}/catalog.json): every fact with its source and date\n\
         - [Fees]({url}/v1/fees): what is charged beside the providers' prices\n"
    )
}

/// The virtual models, and those that can be called now.
fn models(gateway: &Gateway, world: &World, url: &str) -> String {
    let mut list = String::from("\n## Models\n\n");
    for model in virtual_models(gateway) {
        list.push_str(&format!("- [{id}]({url}/{id}): {}\n", model.description, id = model.id));
    }
    let snapshot = &world.snapshot;
    let callable = snapshot.models.iter().enumerate().filter(|(at, _)| {
        snapshot.model_endpoints(*at).any(|endpoint| endpoint.is_priced() && world.is_available(endpoint))
    });
    for (_, model) in callable.clone().take(MODELS_MAX) {
        let context = model.context_tokens().map_or_else(String::new, |n| format!(", {n} tokens of context"));
        let id = &model.id;
        list.push_str(&format!("- [{id}]({url}/v1/models/{id}): {}{context}\n", model.name));
    }
    let left = callable.count().saturating_sub(MODELS_MAX);
    if left > 0 {
        list.push_str(&format!("- [{left} more]({url}/v1/models)\n"));
    }
    list
}

/// What can be called, area by area: with an API key first, what manages behind it as what may be left out.
fn calls(areas: &[Area], url: &str) -> String {
    let mut list = String::new();
    let mut managing = String::from("\n## Optional\n\n");
    for area in areas {
        let routes = ROUTES.iter().filter(|route| area.operations.contains_key(&name(route)));
        let (open, kept): (Vec<&Route>, Vec<&Route>) = routes.partition(|route| {
            matches!(route.access, Access::ApiKey | Access::AnyKey | Access::Decide(_) | Access::Public)
        });
        if !open.is_empty() {
            let about = area.tag.as_ref().and_then(|tag| tag.get("description").and_then(Value::as_str));
            list.push_str(&format!("\n## {}\n\n{}\n\n", area.tag_name(), about.unwrap_or_default()));
            open.iter().for_each(|route| list.push_str(&line(route, url)));
        }
        kept.iter().for_each(|route| managing.push_str(&line(route, url)));
    }
    list + &managing
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}

/// A call, linked to its place in the OpenAPI document.
fn line(route: &Route, url: &str) -> String {
    let pointer = super::template(route.path).replace('/', "~1");
    let method = route.method.to_ascii_lowercase();
    // Braces are no part of an address.
    let pointer = pointer.replace('{', "%7B").replace('}', "%7D");
    format!("- [{}]({url}/openapi.json#/paths/{pointer}/{method}): {}\n", name(route), route.about)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Brand;

    #[test]
    fn the_map_has_every_route_in_the_form_of_llms_txt() {
        let brand = Brand::new("Tollway", "tollway", "X-Tollway", "sk-tw").unwrap();
        let map = head("Tollway", "https://x.example") + &calls(&areas::read(&brand), "https://x.example");
        assert!(map.starts_with("# Tollway\n\n> A gateway"));
        for route in ROUTES {
            assert!(
                map.contains(&format!("- [{}](https://x.example/openapi.json#", name(route))),
                "{route:?}"
            );
        }
        let headings: Vec<&str> = map.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings.last(), Some(&"Optional"));
        let chat = map.find("[POST /v1/chat/completions]").unwrap();
        assert!(chat < map.find("## Optional").unwrap() && chat < map.find("[POST /v1/keys]").unwrap());
        assert!(map.contains("#/paths/~1v1~1keys~1%7Bhash%7D/patch)"));
    }
}
