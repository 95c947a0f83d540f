use serde_json::Value;

use crate::testing::{SHIPPED, Still, ask, get, see, several_on};

fn shipped() -> Still {
    Still::new(&SHIPPED, &["mistral"])
}

async fn twin(path: &str) -> Value {
    serde_json::from_str(&see(shipped(), path).await.text).unwrap()
}

#[tokio::test]
async fn dots_lead_to_models_and_stand_in_the_table() {
    for query in ["", "?b=aider-polyglot@aider-chat", "?b=scicode@openrouter-ai&p=output", "?p=input"] {
        let page = see(shipped(), &format!("/charts{query}")).await;
        assert_eq!((page.status, page.text.matches("<h1").count()), (200, 1), "{query}");
        let told = twin(&format!("/charts.json{query}")).await;
        let rows = told["data"].as_array().unwrap();
        assert!(rows.len() >= 3, "{query}");
        for row in rows {
            let id = row["model"].as_str().unwrap();
            page.holds(&format!("<th scope=\"row\" data-value=\"{}", SHIPPED.model(id).unwrap().name));
            if row["price_usd_per_mtok"] != "0" {
                page.holds(&format!("<a href=\"/{id}\" aria-label="));
            }
        }
        page.lacks("There is no picture");
        // Heads are short enough for their columns, and each cell says what it is where there is no head.
        page.holds("<small>$ per 1M</small></th>").holds(">Score<small>").holds("data-label=\"Score\"");
    }
}

#[tokio::test]
async fn a_best_buy_is_beaten_by_nothing_cheaper() {
    let told = twin("/charts.json").await;
    let number = |row: &Value, name: &str| row[name].as_str().unwrap().parse::<f64>().unwrap();
    let rows = told["data"].as_array().unwrap();
    for row in rows {
        let (price, score) = (number(row, "price_usd_per_mtok"), number(row, "score"));
        let is_beaten = rows.iter().any(|other| {
            let (p, s) = (number(other, "price_usd_per_mtok"), number(other, "score"));
            (p <= price && s > score) || (p < price && s >= score)
        });
        if is_beaten {
            assert_eq!(row["is_best_buy"], false, "{row}");
        }
    }
    assert!(rows.iter().any(|row| row["is_best_buy"] == true));
    assert!(rows.iter().any(|row| row["is_best_buy"] == false));
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let page = see(shipped(), "/charts?b=%22%3E%3Cscript%3E&p=nothing").await;
    page.holds("There is no picture of what was asked for");
    page.lacks("\"><script>");
    let empty = get(several_on(), "/charts").await;
    empty.holds("Nothing to draw yet");
    let told = twin("/charts.json?b=nothing").await;
    assert!(told["data"].as_array().unwrap().len() >= 3);
    let part = ask(several_on(), shipped(), "GET", "/charts?p=input", &[("x-part", "picture")]).await;
    part.lacks("<h1");
    part.holds("Input price, $ per 1M tokens");
}
