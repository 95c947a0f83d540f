use serde_json::{Value, json};
use types::Money;

use super::sample;
use crate::*;

fn said(corrections: &[(String, Correction)]) -> Value {
    let text = receipt(&sample(1), corrections, "2026-05-21T10:13:42Z", "tollway");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_receipt_is_the_same_bytes_every_time() {
    let text = receipt(&sample(1), &[], "2026-05-21T10:13:42Z", "tollway");
    let id = sample(1).id;
    let expect = format!(
        concat!(
            r#"{{"account_sha256":"{account}","charged_usd":"0.00039","cost_usd":"0.00039","created":"2026-05-21T10:13:42Z","#,
            r#""endpoint":"mistral/mistral-small-2603","generation":"{id}","issuer":"tollway","lines":["#,
            r#"{{"amount_usd":"0.00018","bucket":"input","price_usd_per_million":"0.15","units":1200}},"#,
            r#"{{"amount_usd":"0.00021","bucket":"output","price_usd_per_million":"0.6","units":350}}],"#,
            r#""model":"mistralai/mistral-small-2603","price_version":"price-5f0c1a2b9d3e","status":"ok","#,
            r#""usage":{{"input":1200,"output":350,"requests":1}},"v":1}}"#
        ),
        account = account_digest("acct_owner"),
        id = id,
    );
    assert_eq!(text, expect);
    // `printf acct_owner | sha256sum`
    assert_eq!(account_digest("acct_owner").len(), 64);
    assert_ne!(account_digest("acct_owner"), account_digest("acct_other"));
}

#[test]
fn corrections_are_listed_and_counted() {
    let back = Money::from_nanos(-90_000);
    let one = Correction { cost: back, charged: back, provider_cost: back };
    let said = said(&[("pv-2".to_owned(), one), ("pv-3".to_owned(), Correction::default())]);
    assert_eq!((&said["charged_usd"], &said["cost_usd"]), (&json!("0.0003"), &json!("0.0003")));
    let expect = json!([
        { "charged_usd": "-0.00009", "cost_usd": "-0.00009", "price_version": "pv-2" },
        { "charged_usd": "0", "cost_usd": "0", "price_version": "pv-3" },
    ]);
    assert_eq!(said["corrections"], expect);
    assert_eq!(check_sums(&said), Ok(()));
    assert!(self::said(&[]).get("corrections").is_none());
}

#[test]
fn sums_that_do_not_fit_are_told() {
    assert_eq!(check_sums(&said(&[])), Ok(()));
    let rows: [(&str, Value, &str); 9] = [
        ("/lines/0/units", json!(1201), "1201 input at its price are 0.00018015, not 0.00018"),
        ("/lines/0/amount_usd", json!("0.00017"), "at its price"),
        ("/lines/0/units", json!(-1), "no units"),
        ("/lines/0/price_usd_per_million", json!("x"), "not a decimal amount"),
        ("/lines/0/amount_usd", json!(5), "it has no `amount_usd`"),
        ("/cost_usd", json!("0.00038"), "sum to 0.00039, not to 0.00038"),
        ("/charged_usd", json!("0.0004"), "0.0004 was charged for what cost 0.00039"),
        ("/charged_usd", json!("-0.0001"), "-0.0001 was charged"),
        ("/charged_usd", json!("y"), "not a decimal amount"),
    ];
    for (pointer, value, expect) in rows {
        let mut changed = said(&[]);
        *changed.pointer_mut(pointer).unwrap() = value;
        let error = check_sums(&changed).unwrap_err();
        assert!(error.contains(expect), "{pointer}: {error}");
    }
    assert_eq!(check_sums(&json!({})), Err("it has no `cost_usd`".to_owned()));
    let equal = json!({ "cost_usd": "1", "charged_usd": "1", "corrections": [{ "cost_usd": "1" }] });
    assert_eq!(check_sums(&equal), Ok(()));
}
