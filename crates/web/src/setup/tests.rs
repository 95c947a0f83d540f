use std::collections::BTreeSet;

use super::{Tried, clients, markdown, paths};
use crate::testing::{SMALL, Still};
use crate::testing::{ask, get, only_sandbox, several_on};

#[tokio::test]
async fn every_client_has_its_page_with_the_readers_own_address() {
    let list = get(several_on(), "/setup").await;
    let mut slugs = BTreeSet::new();
    for client in clients() {
        assert!(slugs.insert(client.slug), "{} twice", client.slug);
        list.holds(&format!("href=\"/setup/{}\"", client.slug));
        let path = format!("/setup/{}", client.slug);
        let page =
            ask(several_on(), Still::new(&SMALL, &[]), "GET", &path, &[("host", "llm.example.com")]).await;
        assert_eq!(page.status, 200, "{path}");
        page.holds(&format!("<h1>{}</h1>", client.name));
        page.holds("http://llm.example.com");
        // Nothing was left to be filled in, and nobody else's address is there.
        for left in ["{base}", "{auto}", "{slug}", "{VAR}", "{Brand}", "127.0.0.1:8080"] {
            page.lacks(left);
        }
        page.holds(client.on);
    }
    assert_eq!(slugs.len(), 14);
    assert_eq!(paths().count(), 15);
    assert_eq!(get(several_on(), "/setup/nobody").await.status, 404);
}

#[tokio::test]
async fn a_page_says_how_its_client_was_tried() {
    for client in clients() {
        let page = get(only_sandbox(), &format!("/setup/{}", client.slug)).await;
        match client.tried {
            Tried::Not(_) => {
                page.holds(">Not tested<");
                assert!(client.version.is_empty(), "{}", client.slug);
            }
            _ => {
                page.holds(">Tested<");
                assert!(client.version.contains(|c: char| c.is_ascii_digit()), "{}", client.slug);
            }
        }
    }
}

#[tokio::test]
async fn the_operators_brand_stands_in_the_steps_and_is_text() {
    let mut status = several_on();
    (status.brand, status.brand_slug) = (String::from("<b>Gate</b>"), String::from("gate"));
    let page = get(status, "/setup/codex").await;
    page.lacks("<b>Gate");
    for text in ["model_provider = &#34;gate&#34;", "gate/auto", "GATE_KEY", "&#60;b&#62;Gate&#60;/b&#62;"] {
        page.holds(text);
    }
}

#[test]
fn the_document_is_made_from_the_same_table() {
    let text = markdown();
    for client in clients() {
        assert!(text.contains(&format!("### {}\n", client.name)), "{}", client.slug);
    }
    assert!(!text.contains("{base}") && text.contains("http://127.0.0.1:8080/v1"), "{text}");
}
