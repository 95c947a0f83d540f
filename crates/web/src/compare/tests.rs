use serde_json::Value;

use super::names_of;
use crate::testing::{SHIPPED, SMALL, Still, ask, get, see, several_on};

const PAIR: &str = "/compare/mistralai/small-4/mistralai/large-3";

fn measured() -> Still {
    Still::new(&SMALL, &["mistral"]).measured("mistral/small-4", 440.0, 29.0).measured(
        "mistral/large-3",
        300.0,
        60.0,
    )
}

async fn twin(path: &str) -> Value {
    serde_json::from_str(&see(measured(), path).await.text).unwrap()
}

#[tokio::test]
async fn the_chart_tells_colors_of_dots_alone_and_no_two_landmarks_are_called_alike() {
    let one = || Still::new(&SMALL, &["mistral"]).measured("mistral/small-4", 440.0, 29.0);
    let legend = |page: &str| {
        let (_, legend) = page.split_once("<ul class=\"chart-legend\">").unwrap();
        legend.split_once("</ul>").unwrap().0.to_owned()
    };
    let page = see(one(), PAIR).await;
    let told = legend(&page.text);
    assert!(told.contains("Mistral Small 4") && !told.contains("Mistral Large 3"), "{told}");
    assert!(legend(&see(measured(), PAIR).await.text).contains("Mistral Large 3"));
    for path in [PAIR, "/mistralai/small-4"] {
        let page = see(one(), path).await;
        let names: Vec<&str> =
            page.text.split("aria-labelledby=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{path}: {names:?}");
    }
}

#[test]
fn paths_are_pairs() {
    let rows: [(&str, &[&str]); 4] =
        [("a/b/c/d", &["a/b", "c/d"]), ("a/b/c", &["a/b", "c"]), ("", &[]), ("//a//b/", &["a/b"])];
    for (path, wanted) in rows {
        assert_eq!(names_of(path), wanted, "{path}");
    }
}

#[tokio::test]
async fn the_form_leads_to_the_path_and_other_names_to_the_ids() {
    let rows = [
        ("/compare?m=mistralai/small-4&m=mistralai/large-3", 303, PAIR),
        ("/compare?m=small-latest&m=&m=Mistral+Large+3&m=", 303, PAIR),
        ("/compare?m=mistralai/small-4&m=small-latest&m=mistralai/large-3", 303, PAIR),
        ("/compare/mistral/small-2603/mistralai/large-3", 308, PAIR),
        ("/compare/mistralai/small-4/mistralai/large-3/mistralai/small-4", 308, PAIR),
        (
            "/compare/MistralAI/small-4/mistralai/large-3.json",
            308,
            "/compare/mistralai/small-4/mistralai/large-3.json",
        ),
    ];
    for (path, status, wanted) in rows {
        let answer = get(several_on(), path).await;
        assert_eq!((answer.status, answer.header("location")), (status, wanted), "{path}");
    }
    let change = get(several_on(), "/compare?change=1&m=mistralai/small-4&m=mistralai/large-3").await;
    assert_eq!(change.status, 200);
    change.holds("value=\"mistralai/small-4\"");
}

#[tokio::test]
async fn who_is_best_is_the_same_in_numbers_table_and_twin() {
    let page = see(measured(), PAIR).await;
    assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1));
    page.holds("<dt>Cheapest input</dt><dd>Mistral Small 4 <small>$0.15 per 1M tokens</small>");
    page.holds("<span class=\"v best\">$0.15</span>");
    page.holds("<span class=\"v\">$0.50</span>");
    page.holds("<dt>Fastest output</dt><dd>Mistral Large 3");
    page.holds("<span class=\"best\"><span title=\"60 tokens per second\">60 tok/s</span></span>");
    let told = twin(&format!("{PAIR}.json")).await;
    let row = |name: &str| {
        let rows = told["rows"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    let input = row("Input");
    assert_eq!((&input["cells"][0]["value"], &input["cells"][0]["is_best"]), (&"$0.15".into(), &true.into()));
    assert_eq!(
        (&input["cells"][1]["value"], &input["cells"][1]["is_best"]),
        (&"$0.50".into(), &false.into())
    );
    assert_eq!(row("Cache read")["cells"][1]["value"], Value::Null);
    assert_eq!(row("Parameters")["cells"][0]["is_best"], false);
    assert_eq!(told["models"][0]["cheapest"]["input_usd_per_mtok"], "0.15");
    assert_eq!(told["costs"]["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn rows_that_are_equal_are_folded_and_unknown_is_spoken() {
    let page = see(measured(), PAIR).await;
    let (open, folded) = page.text.split_once("Equal everywhere").unwrap();
    assert!(open.contains(">Reasoning</th>") && !open.contains(">Tool calling</th>"));
    assert!(folded.contains(">Tool calling</th>"));
    assert!(open.contains("<span class=\"sr-only\">unknown</span>"));
}

#[tokio::test]
async fn the_plot_shows_only_what_was_measured() {
    let page = see(measured(), PAIR).await;
    page.holds("Mistral Small 4 at Mistral: $0.60, 29 tok/s");
    page.holds("Mistral Large 3 at Mistral: $1.50, 60 tok/s");
    page.lacks("at Venice");
    let bare = get(several_on(), PAIR).await;
    bare.holds("nothing is measured yet");
    bare.lacks("Soonest first token");
    bare.lacks("<svg class=\"chart-plot\"");
}

#[tokio::test]
async fn unknown_names_get_the_form_with_suggestions() {
    let page = get(several_on(), "/compare/mistralai/smal-4/mistralai/large-3").await;
    assert_eq!((page.status, page.text.matches("<h1").count()), (404, 1));
    page.holds("<a href=\"/compare?m=mistralai%2Fsmall-4&#38;m=mistralai%2Flarge-3\">mistralai/small-4</a>");
    for path in ["/compare/%22%3E%3Cscript%3Ealert(1)%3C/x", "/compare?m=%22%3E%3Cscript%3Ealert(1)&m=x"] {
        let page = get(several_on(), path).await;
        page.lacks("<script>alert");
        page.holds("No model of the catalog has this name");
    }
    let one = get(several_on(), "/compare/mistralai/small-4").await;
    one.holds("Choose one more");
    let five = get(
        several_on(),
        "/compare?m=acme/bare&m=acme/vectors&m=sandbox/echo&m=mistralai/small-4&m=mistralai/large-3",
    )
    .await;
    five.holds("Four models fit");
    let twin = get(several_on(), "/compare/mistralai/smal-4/mistralai/large-3.json").await;
    assert_eq!(twin.status, 404);
    twin.holds("\"mistralai/small-4\"");
}

#[tokio::test]
async fn hostile_names_stay_text() {
    let page = get(several_on(), "/compare/acme/bare/mistralai/small-4").await;
    assert_eq!(page.status, 200);
    page.lacks("<script>alert");
    page.lacks("<b>&");
    page.lacks("<i>Cloud");
}

#[tokio::test]
async fn its_calculator_is_the_calculator() {
    let page = see(measured(), &format!("{PAIR}?in=1000&out=100&n=10&per=month")).await;
    // (1,000 x 0.15 + 100 x 0.60) and (1,000 x 0.50 + 100 x 1.50) dollars per million, ten times.
    page.holds("$0.0021");
    page.holds("$0.0065");
    page.holds("href=\"/calculator?in=1000&#38;out=100&#38;n=10&#38;per=month&#38;m=mistralai/small-4&#38;m=mistralai/large-3\"");
    let part = ask(several_on(), measured(), "GET", PAIR, &[("x-part", "costs")]).await;
    part.lacks("<h1");
    part.holds("Mistral Large 3");
}

#[tokio::test]
async fn four_of_the_catalog_fit_and_are_light() {
    let newest: Vec<&str> =
        SHIPPED.models.iter().filter(|m| m.benchmarks.len() > 1).map(|m| &*m.id).take(4).collect();
    let path = format!("/compare/{}", newest.join("/"));
    let page = see(Still::new(&SHIPPED, &["mistral"]), &path).await;
    assert_eq!(page.status, 200);
    assert!(page.text.len() < 150_000, "{}", page.text.len());
    page.holds("Leave out");
    let choose = see(Still::new(&SHIPPED, &["mistral"]), "/compare").await;
    choose.holds("To start from");
    assert!(choose.text.len() < 150_000, "{}", choose.text.len());
}

#[tokio::test]
async fn the_ticks_of_the_list_lead_here() {
    let list = get(several_on(), "/models").await;
    list.holds("id=\"compare\" action=\"/compare\"");
    list.holds("name=\"m\" value=\"mistralai/small-4\" form=\"compare\"");
}
