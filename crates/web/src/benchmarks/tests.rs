use crate::testing::{SHIPPED, Still, get, see, several_on};

fn shipped() -> Still {
    Still::new(&SHIPPED, &["mistral"])
}

#[tokio::test]
async fn every_benchmark_has_its_page_and_twin() {
    let list = see(shipped(), "/benchmarks").await;
    assert_eq!((list.status, list.text.matches("<h1").count()), (200, 1));
    let twin = see(shipped(), "/benchmarks.json").await;
    let told: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
    let benches = told["data"].as_array().unwrap();
    assert!(benches.len() > 20);
    for bench in benches {
        let slug = bench["slug"].as_str().unwrap();
        list.holds(&format!("href=\"/benchmarks/{slug}\""));
        let page = see(shipped(), &format!("/benchmarks/{slug}")).await;
        assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1), "{slug}");
        page.holds(&format!("{} result", bench["results"]));
        let twin = see(shipped(), &format!("/benchmarks/{slug}.json")).await;
        assert_eq!(twin.header("access-control-allow-origin"), "*");
        let one: serde_json::Value = serde_json::from_str(&twin.text).unwrap();
        assert_eq!(one["models"], bench["models"]);
        for score in one["series"].as_array().unwrap().iter().flat_map(|s| s["scores"].as_array().unwrap()) {
            page.holds(&format!("<a href=\"/{}\">", score["model"].as_str().unwrap()));
            page.holds(score["score"].as_str().unwrap());
        }
    }
}

#[tokio::test]
async fn only_what_has_a_score_is_ranked() {
    let page = see(shipped(), "/benchmarks/aider-polyglot").await;
    page.holds("Ranked among 31 models of this source");
    page.holds("<span class=\"best\">");
    let missing = SHIPPED.models.len() - 31;
    page.holds(&format!("{missing} models of the catalog have no published result here"));
    let single = get(several_on(), "/benchmarks/scicode").await;
    single.holds("Single results");
    single.holds("<td class=\"n\" data-value=\"38\">38");
    single.lacks("Ranked among");
    single.lacks("class=\"best\"");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    for path in ["/benchmarks/nothing", "/benchmarks/%22%3E%3Cscript%3E", "/benchmarks/..%2f.."] {
        let page = get(several_on(), path).await;
        assert_eq!(page.status, 404, "{path}");
        page.lacks("<script>");
    }
    assert_eq!(
        get(several_on(), "/benchmarks/nothing.json").await.header("content-type"),
        "application/json"
    );
}
