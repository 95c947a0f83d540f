//! `/`: what runs here, how to try it, which providers are on and how to switch the others on.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use crate::format::{self, Shown};
use crate::shell::{Shell, page, private};
use crate::visit::Pages;
use crate::{ProviderLine, Status, Viewer, host};

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    shell: Shell,
    /// Of the catalog.
    as_of: Shown,
    uptime: String,
    models: String,
    endpoints: String,
    providers: String,
    billing: &'static str,
    key_variable: String,
    /// Whoever looks runs the place: keys of providers can be pasted here.
    is_operator: bool,
    /// Nobody is signed in.
    is_stranger: bool,
    /// Providers that a key switches on: slug and name.
    choices: Vec<(String, String)>,
    on: Vec<Line>,
    off: Vec<Line>,
    /// Only simulated providers are on: say so, and show the way out.
    only_sandbox: bool,
    /// The variable to show as an example.
    example: Option<Example>,
    status: Status,
}

struct Line {
    provider: ProviderLine,
    models: String,
    how: Vec<Piece>,
}

/// A variable that switches a provider on.
struct Example {
    name: String,
    variable: String,
}

/// A part of a sentence: code or words.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    is_code: bool,
}

pub(crate) async fn home(State(pages): State<Arc<Pages>>, headers: HeaderMap, uri: Uri) -> Response {
    let viewer = pages.site.viewer(&headers).await;
    let status = pages.site.status(host(&headers, &uri));
    let place = pages.place(&headers, &uri).await;
    let title = format!("{} · LLM gateway", status.brand);
    let home = Home {
        as_of: format::date(&status.as_of),
        shell: Shell { canonical: format!("{}/", status.base_url), ..Shell::new(title, &place) },
        uptime: uptime(status.uptime_s),
        models: count(status.models),
        endpoints: count(status.endpoints),
        providers: count(status.providers),
        billing: match status.billing_mode.as_str() {
            "metered" => "priced and booked, no balance needed",
            "prepaid" => "a call needs credit first",
            _ => "",
        },
        key_variable: key_variable(&status.brand_slug),
        is_operator: viewer == Viewer::Operator,
        is_stranger: viewer == Viewer::Anyone,
        choices: choices(&status.providers_off),
        on: lines(&status.providers_on),
        off: lines(&status.providers_off),
        only_sandbox: !status.providers_on.is_empty()
            && status.providers_on.iter().all(|provider| provider.simulated),
        example: example(&status.providers_off),
        status,
    };
    let response = page(StatusCode::OK, &home);
    if viewer == Viewer::Anyone { response } else { private(response) }
}

/// Providers that a key under a usual name would switch on, Mistral first, since it gives keys away.
fn choices(off: &[ProviderLine]) -> Vec<(String, String)> {
    let takes_key =
        |provider: &&ProviderLine| pieces(&provider.how).iter().any(|piece| is_variable(&piece.text));
    let mut all: Vec<_> =
        off.iter().filter(takes_key).map(|line| (line.slug.clone(), line.name.clone())).collect();
    all.sort_by_key(|(slug, name)| (slug != "mistral", name.to_lowercase()));
    all
}

fn lines(providers: &[ProviderLine]) -> Vec<Line> {
    let line = |provider: &ProviderLine| Line {
        models: count(provider.models),
        how: pieces(&provider.how),
        provider: provider.clone(),
    };
    providers.iter().map(line).collect()
}

/// Mistral where it is off, since it gives keys away; else the first that a variable switches on.
fn example(off: &[ProviderLine]) -> Option<Example> {
    let named = |provider: &ProviderLine| {
        let variable = pieces(&provider.how).into_iter().find(|piece| is_variable(&piece.text))?;
        Some(Example { name: provider.name.clone(), variable: variable.text })
    };
    let mistral = off.iter().filter(|provider| provider.slug == "mistral").find_map(named);
    mistral.or_else(|| off.iter().find_map(named))
}

/// Cuts a sentence where code begins and ends: between backticks, and at names of environment variables.
fn pieces(sentence: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (at, part) in sentence.split('`').enumerate() {
        if at % 2 == 1 {
            push(&mut pieces, part, true);
            continue;
        }
        let is_edge = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        for word in part.split_inclusive(is_edge) {
            let bare = word.strip_suffix(is_edge).unwrap_or(word);
            push(&mut pieces, bare, is_variable(bare));
            push(&mut pieces, word.get(bare.len()..).unwrap_or_default(), false);
        }
    }
    pieces
}

fn push(pieces: &mut Vec<Piece>, text: &str, is_code: bool) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if !is_code && !last.is_code => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), is_code }),
    }
}

fn is_variable(word: &str) -> bool {
    let is_name_byte = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
    word.contains('_') && word.starts_with(|c: char| c.is_ascii_uppercase()) && word.bytes().all(is_name_byte)
}

/// The shell variable that the examples keep the key in: `tollway` gives `TOLLWAY_KEY`.
pub(crate) fn key_variable(brand_slug: &str) -> String {
    let upper =
        brand_slug.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    let name: String = upper.collect();
    // A variable can't begin with a digit.
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { format!("{name}_KEY") } else { "API_KEY".into() }
}

/// The two largest units that are not zero to the left of them: `2 d 3 h`, `5 min`, `12 s`.
fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A count for people: `1,362`.
fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{count, key_variable, pieces, uptime};
    use crate::Viewer;
    use crate::testing::{Records, SMALL, Still, ask, get, only_sandbox, provider, send, several_on};

    #[tokio::test]
    async fn the_facts_are_those_of_the_program() {
        let page = get(several_on(), "/").await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), "no-cache");
        page.holds("<title>Tollway · LLM gateway</title>");
        for fact in ["Ready", "0.1.0", "metered", "SQLite", "1 h 2 min", "573", "1,362", "71", "2 Jul 2026"] {
            page.holds(&format!(">{fact}<"));
        }
        for link in ["/v1/models", "/v1/providers", "/catalog.json", "/api.json", "/catalog/schema.json"] {
            page.holds(&format!("href=\"{link}\""));
        }
        page.lacks("Only the sandbox is on");
        page.lacks("Not ready");
    }

    #[tokio::test]
    async fn the_curl_can_be_pasted() {
        let page = get(several_on(), "/").await;
        let curl = "curl -N http://127.0.0.1:8080/v1/chat/completions \\\n  \
                    -H \"Authorization: Bearer $TOLLWAY_KEY\" \\\n  \
                    -H \"Content-Type: application/json\" \\\n  \
                    -d '{\"model\":\"tollway/auto\",\"stream\":true,\n       \
                    \"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'";
        page.holds(curl);
        page.holds("tollway keys create --name");
    }

    #[tokio::test]
    async fn providers_say_what_they_offer_and_what_switches_them_on() {
        let page = get(several_on(), "/").await;
        page.holds("31 models");
        page.holds("Simulated answers");
        page.holds("<code>GROQ_API_KEY</code>");
        page.holds("<code>GEMINI_API_KEY</code>, <code>GOOGLE_API_KEY</code>");
        page.holds("its dialect comes later; see <code>docs</code>");
        page.holds("3 more providers");
    }

    #[tokio::test]
    async fn with_only_the_sandbox_on_the_page_shows_the_way_out() {
        let page = get(only_sandbox(), "/").await;
        page.holds("Only the sandbox is on");
        page.holds("export MISTRAL_API_KEY=");
        let mut status = only_sandbox();
        status.providers_off.retain(|provider| provider.slug != "mistral");
        get(status, "/").await.holds("export GROQ_API_KEY=");
    }

    #[tokio::test]
    async fn who_runs_the_place_pastes_a_key_and_others_are_told_to_sign_in() {
        let page = |viewer| async move {
            let records = Records { viewer, ..Records::default() };
            ask(only_sandbox(), Still::new(&SMALL, &[]).recorded(records), "GET", "/", &[]).await
        };
        let operator = page(Viewer::Operator).await;
        operator.holds("action=\"/console/server/provider-keys\"");
        operator.holds("<select name=\"provider\"><option value=\"mistral\">Mistral</option>");
        // What a key alone does not switch on.
        operator.lacks("<option value=\"vertex\">");
        assert_eq!(operator.header("cache-control"), "no-store");
        let stranger = page(Viewer::Anyone).await;
        stranger.holds("href=\"/sign-in?next=/%23providers\"");
        stranger.lacks("/console/server/provider-keys");
        let other = page(Viewer::SignedIn).await;
        other.lacks("/console/server/provider-keys");
        other.lacks("sign in as the operator");
    }

    #[tokio::test]
    async fn not_ready_says_why() {
        let mut status = several_on();
        (status.ready, status.not_ready_reason) = (false, Some("the store does not answer".into()));
        let page = get(status.clone(), "/").await;
        page.holds(">Not ready<");
        page.holds("the store does not answer");
        page.lacks(">Ready<");
        (status.providers_on, status.not_ready_reason) = (Vec::new(), None);
        get(status, "/").await.holds("No provider is on");
    }

    #[tokio::test]
    async fn nothing_that_an_operator_or_a_catalog_names_becomes_markup() {
        let hostile = "<img src=x onerror=alert(1)>\"'&";
        let mut status = several_on();
        status.brand = hostile.into();
        status.not_ready_reason = Some(hostile.into());
        status.ready = false;
        status.providers_on.push(provider(hostile, hostile, true, 1, hostile));
        for path in ["/", "/nowhere"] {
            let page = get(status.clone(), path).await;
            page.lacks("<img src=x");
            page.lacks("alert(1)>");
            page.holds("&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;");
        }
        get(status, "/").await.lacks("Tollway");
    }

    #[tokio::test]
    async fn head_is_get_without_the_body() {
        for path in ["/", "/robots.txt", "/favicon.svg", "/assets/app.css"] {
            let head = send(several_on(), "HEAD", path).await;
            assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
        }
        assert_eq!(send(several_on(), "POST", "/").await.status, 405);
    }

    #[test]
    fn sentences_are_cut_at_code() {
        let rows = [
            ("", vec![]),
            ("MISTRAL_API_KEY", vec![("MISTRAL_API_KEY", true)]),
            ("A_KEY or B_KEY", vec![("A_KEY", true), (" or ", false), ("B_KEY", true)]),
            ("set `x = 1`, please", vec![("set ", false), ("x = 1", true), (", please", false)]),
            ("only OLLAMA, a_b, Ünï_", vec![("only OLLAMA, a_b, Ünï_", false)]),
            ("open ` tick", vec![("open ", false), (" tick", true)]),
        ];
        for (sentence, expect) in rows {
            let found = pieces(sentence);
            let found: Vec<_> = found.iter().map(|piece| (piece.text.as_str(), piece.is_code)).collect();
            assert_eq!(found, expect, "{sentence}");
        }
    }

    #[test]
    fn small_texts() {
        for (seconds, expect) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h 0 min"),
            (97_200, "1 d 3 h"),
        ] {
            assert_eq!(uptime(seconds), expect);
        }
        for (number, expect) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), expect);
        }
        for (slug, expect) in
            [("tollway", "TOLLWAY_KEY"), ("my-gate", "MY_GATE_KEY"), ("9to5", "API_KEY"), ("", "API_KEY")]
        {
            assert_eq!(key_variable(slug), expect);
        }
    }
}
