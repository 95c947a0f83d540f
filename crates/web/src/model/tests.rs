use crate::testing::{SHIPPED, SMALL, Still, get, packed, see, several_on};

#[tokio::test]
async fn everything_that_is_known_is_there() {
    let world = Still::new(&SMALL, &["mistral", "venice"]).measured("mistral/small-4", 440.0, 29.0);
    let page = see(world, "/mistralai/small-4").await;
    assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
    for text in [
        "<h1>Mistral Small 4</h1>",
        "mistralai/small-4</code>",
        "16 Mar 2026",
        "Jun 2025",
        "119B",
        "6.5B",
        "Mixture of Experts",
        "Apache-2.0",
        "Routed first",
        "440 ms",
        "880 ms",
        "29 tok/s",
        "fp8",
        "keeps nothing",
        "no training",
        "SciCode",
        "percent correct",
        "above 200,000 input tokens, for all of them",
        "tollway/auto",
        "mistral/small-2603",
        "no balance is needed",
        "Frequently asked",
        "client.chat.completions.create",
        "from openai import OpenAI",
        "application/ld+json",
    ] {
        page.holds(text);
    }
    page.lacks("Not sourced</span></td></tr>\n<tr><th scope=\"row\">License");
}

#[tokio::test]
async fn several_that_are_measured_are_drawn_with_their_table() {
    let one = || Still::new(&SMALL, &["mistral", "venice"]).measured("mistral/small-4", 440.0, 29.0);
    see(one(), "/mistralai/small-4").await.lacks("Price against speed");
    let page = see(one().measured("venice/small-4@eu", 666.0, 96.0), "/mistralai/small-4").await;
    page.holds("Price against speed");
    page.holds("href=\"/mistralai/small-4/venice\"");
    page.holds("Show as table");
    page.holds("<code>mistralai/small-4</code>");
}

#[tokio::test]
async fn a_fact_opens_to_its_source_and_to_who_says_otherwise() {
    let page = get(several_on(), "/mistralai/small-4").await;
    let (_, context) = page.text.split_once("<th scope=\"row\">Context</th>").unwrap();
    let cell = context.split("</tr>").next().unwrap();
    for text in [
        "256K",
        "disputed",
        "<b>256K</b> (256,000): <a href=\"https://page.example/prices?a=1&#38;b=2\" rel=\"noreferrer\">Vendor page</a>",
        "15 Jun 2026",
        "Chosen because most sources say so.",
        "<b>262K</b> (262,144): <a href=\"https://feed.example\" rel=\"noreferrer\">Feed</a>",
    ] {
        assert!(cell.contains(text), "no {text} in {cell}");
    }
    page.holds("href=\"#from-mistral/small-4\"");
    page.holds("id=\"from-mistral/small-4\"");
}

#[tokio::test]
async fn what_is_not_known_has_no_section_and_no_markup_gets_through() {
    let page = get(several_on(), "/acme/bare").await;
    assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
    for section in ["id=\"performance\"", "id=\"pricing\"", "id=\"benchmarks\"", "id=\"uptime\""] {
        page.lacks(section);
    }
    page.holds("Not sourced");
    page.holds("Unknown");
    for hostile in ["<script>alert", "<img src=x", "<i>Cloud", "bare\"'>", "<b>& Sons"] {
        page.lacks(hostile);
    }
    let vectors = get(several_on(), "/acme/vectors").await;
    vectors.holds("Vectors by Acme");
    vectors.lacks("Expected share of good answers");
}

#[tokio::test]
async fn other_names_lead_to_the_one_address() {
    for (path, to) in [
        ("/mistral/small-2603", "/mistralai/small-4"),
        ("/Mistralai/Small-4", "/mistralai/small-4"),
        ("/mistral/mistral-small-2603", "/mistralai/small-4"),
        ("/mistral/small-2603.json", "/mistralai/small-4.json"),
    ] {
        let page = get(several_on(), path).await;
        assert_eq!((page.status, page.header("location")), (308, to), "{path}");
    }
    let lost = get(several_on(), "/mistralai/small-5").await;
    assert_eq!(lost.status, 404);
    lost.holds("<a href=\"/mistralai/small-4\">");
    let lost = get(several_on(), "/mistralai/nothing-like-it.json").await;
    assert_eq!((lost.status, lost.header("content-type")), (404, "application/json"));
}

#[tokio::test]
async fn the_twin_says_what_the_page_says() {
    let world = || Still::new(&SMALL, &["mistral"]).measured("mistral/small-4", 440.0, 29.0);
    let twin = see(world(), "/mistralai/small-4.json").await;
    assert_eq!((twin.status, twin.header("access-control-allow-origin")), (200, "*"));
    let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
    assert_eq!(told["facts"]["context_tokens"]["value"], 256_000);
    assert_eq!(told["facts"]["context_tokens"]["dissent"][0]["value"], 262_144);
    assert!(told["facts"]["temperature"]["source"].is_string());
    let offer = &told["offers"][0];
    assert_eq!(offer["price"]["input_usd_per_mtok"]["value"], "0.15");
    assert_eq!(offer["price"]["input_usd_per_mtok"]["dissent"][0]["value"], "0.2");
    assert_eq!((&offer["routed"]["place"], &offer["live"]["samples"]), (&1.into(), &40.into()));
    let page = see(world(), "/mistralai/small-4").await;
    for price in ["$0.15", "$0.60", "$0.015", "$0.1875"] {
        page.holds(price);
    }
}

#[tokio::test]
async fn every_model_of_the_catalog_has_a_page_that_is_light_enough() {
    let mut heaviest = (0, "");
    for model in &SHIPPED.models {
        // Slugs of authors and models must not take paths that others answer.
        let reserved = [
            "v1",
            "api",
            "assets",
            "auth",
            "models",
            "providers",
            "calculator",
            "charts",
            "compare",
            "benchmarks",
            "catalog",
            "v1beta",
            "console",
        ];
        assert!(!reserved.contains(&&*model.author), "{}", model.id);
        assert!(!model.slug.ends_with(".json") && !model.author.ends_with(".json"), "{}", model.id);
        heaviest = heaviest.max((SHIPPED.endpoints_of(SHIPPED.resolve(&model.id).unwrap()).len(), &model.id));
    }
    let world = || {
        let on = ["mistral", "groq", "deepinfra", "togetherai", "openai"];
        let all = SHIPPED.endpoints.iter();
        all.fold(Still::new(&SHIPPED, &on), |world, endpoint| world.measured(&endpoint.id, 440.0, 29.0))
    };
    for id in [heaviest.1, "mistralai/mistral-small-2603", "sandbox/echo"] {
        let page = see(world(), &format!("/{id}")).await;
        assert_eq!(page.status, 200, "{id}");
        let bytes = packed(world(), &format!("/{id}")).await;
        assert!(bytes <= 40_000 && page.text.len() <= 300_000, "{id}: {bytes} of {}", page.text.len());
    }
}

#[tokio::test]
async fn tables_say_what_each_cell_is_where_they_have_no_head() {
    let page = see(Still::new(&SMALL, &["mistral", "venice"]), "/mistralai/small-4").await;
    page.holds("picked at random among healthy offers, cheaper ones more often");
    for section in ["providers", "benchmarks"] {
        let (_, after) =
            page.text.split_once(&format!("<section class=\"wrap block\" id=\"{section}\"")).unwrap();
        let (_, table) = after.split_once("<div class=\"scroll stack\"").unwrap();
        let (_, rows) = table.split_once("</table>").unwrap().0.split_once("<tbody>").unwrap();
        let cells: Vec<&str> = rows.split("<td").skip(1).filter_map(|cell| cell.split('>').next()).collect();
        assert!(!cells.is_empty(), "{section}");
        for cell in cells {
            assert!(cell.contains("data-label=") || cell.contains("none"), "{section}: <td{cell}>");
        }
    }
}
