//! Every program that the site prints, as lines of JSON, for who wants to run them:
//!
//! ```text
//! cargo run -p tollway-web --example snippets -- quickstart http://127.0.0.1:8080 KEY_VARIABLE KIND MODEL
//! cargo run -p tollway-web --example snippets -- recipe CATALOG ENDPOINT
//! ```

use std::path::Path;

use serde_json::json;
use tollway_web::snippets::{Kind, Place, Snippet, quickstart, recipe};

#[expect(clippy::print_stdout, reason = "this program is for reading its output")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let all = match words.as_slice() {
        ["quickstart", base_url, key_variable, kind, model] => {
            let kind = Kind::ALL.into_iter().find(|known| known.name() == *kind);
            kind.map(|kind| quickstart(&Place { base_url, key_variable }, model, kind))
        }
        ["recipe", folder, endpoint] => of_offer(Path::new(folder), endpoint),
        _ => None,
    };
    for snippet in all.unwrap_or_default() {
        println!(
            "{}",
            json!({
                "id": snippet.id, "language": snippet.language.name(), "package": snippet.package,
                "variables": snippet.variables, "reads": snippet.reads, "writes": snippet.writes, "code": snippet.code,
            })
        );
    }
}

fn of_offer(folder: &Path, endpoint: &str) -> Option<Vec<Snippet>> {
    let snapshot = catalog::load_dir(folder).ok()?;
    let endpoint = snapshot.endpoint(endpoint)?;
    let kind = Kind::of(endpoint.model_in(&snapshot)?)?;
    Some(recipe(&snapshot, endpoint, kind)?.calls)
}
