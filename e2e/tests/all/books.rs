//! The books from outside: receipts, corrections while the server runs, reconciliation, and a check of a copy.

use serde_json::{Value, json};
use testkit::{FakeUpstream, Lab, Script, TestApp, Tokens};

/// One cent a call: ten tokens of output at $1,000 per million.
async fn cent_app(upstream: &FakeUpstream, prepaid: bool) -> TestApp {
    upstream.answer_with(|_| Script::chat("ab", Tokens::new(20, 10)));
    let lab = Lab::at("lab", upstream).model("lab/cent", "0", "1000");
    let builder = TestApp::builder().lab(lab);
    if prepaid { builder.prepaid().start().await } else { builder.start().await }
}

/// A call and its record, once it is booked.
async fn called(app: &TestApp) -> Value {
    let reply = app.owner().chat("lab/cent").await.expect(200);
    app.settled().await;
    app.owner().generation(&reply.generation_id()).await
}

async fn failing(app: &TestApp, words: &[&str]) -> (Option<i32>, String) {
    let output = app.cli_raw(words).await;
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn a_receipt_is_checked_offline_and_a_changed_one_refused() {
    let upstream = FakeUpstream::start();
    let mut app = cent_app(&upstream, false).await;
    let record = called(&app).await;
    assert_eq!(record["balance"], "metered");
    assert_eq!(record["paid_from"][0]["amount_usd"], "0.01");
    assert_eq!(record["cost_lines"][1]["formula"], "10 x 1000 USD / 1,000,000 = 0.01 USD", "{record}");
    let keys = app.anonymous().get("/.well-known/tollway-receipts.json").await.expect(200);
    let (key_file, file) = (app.data_dir().join("saved-keys.json"), app.data_dir().join("receipt"));
    std::fs::write(&key_file, keys.text()).expect("written");
    let receipt = record["receipt"].as_str().expect("a receipt");
    std::fs::write(&file, receipt).expect("written");
    let (key_file, file) = (key_file.display().to_string(), file.display().to_string());

    let by_url = app.cli(&["receipt", "verify", &file, "--url", &app.url()]).await;
    assert_eq!((&by_url["valid"], &by_url["receipt"]["charged_usd"]), (&json!(true), &json!("0.01")));
    // Without a server, with the saved keys.
    app.sigterm();
    app.exited().await;
    let said = app.cli(&["receipt", "verify", &file, "--key", &key_file]).await["receipt"].clone();
    assert_eq!((&said["generation"], &said["status"]), (&record["id"], &json!("ok")));
    assert_eq!(said["usage"], json!({ "input": 20, "output": 10, "requests": 1 }));
    let by_folder = app.cli(&["receipt", "verify", &file]).await;
    assert_eq!(by_folder["receipt"], said);

    let mut parts: Vec<String> = receipt.split('.').map(str::to_owned).collect();
    parts[1] = parts[1].replace('A', "B");
    std::fs::write(app.data_dir().join("receipt"), parts.join(".")).expect("written");
    let (code, text) = failing(&app, &["receipt", "verify", &file, "--key", &key_file]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("the signature is wrong"), "{text}");
}

#[tokio::test]
async fn a_wrong_price_is_put_right_while_the_server_runs() {
    let upstream = FakeUpstream::start();
    let app = cent_app(&upstream, true).await;
    app.cli(&["credits", "grant", "0.03"]).await;
    let owner = app.owner();
    testkit::eventually("the grant to be seen", || async {
        (owner.chat("lab/cent").await.status == 200).then_some(())
    })
    .await;
    let record = called(&app).await;
    owner.chat("lab/cent").await.expect(402);

    let file = app.data_dir().join("right.toml");
    std::fs::write(&file, "input_usd_per_mtok = \"0\"\noutput_usd_per_mtok = \"500\"\n").expect("written");
    let (old, file) = (record["price_version"].as_str().unwrap_or_default(), file.display().to_string());
    let words = ["ledger", "rerate", "--price-version", old, "--as", &file];
    let told = app.cli(&words).await;
    assert_eq!((&told["corrected"], &told["applied"]), (&json!(2), &json!(false)), "{told}");
    assert_eq!(told["accounts"][0]["owed_usd"], "0.01");
    owner.chat("lab/cent").await.expect(402);

    let apply = [&words[..], &["--apply"]].concat();
    assert_eq!(app.cli(&apply).await["corrected"], 2);
    assert_eq!(app.cli(&apply).await["corrected"], 0, "it is booked once");
    testkit::eventually("what was given back to be spent", || async {
        (owner.chat("lab/cent").await.status == 200).then_some(())
    })
    .await;
    app.settled().await;
    let again = owner.generation(record["id"].as_str().unwrap_or_default()).await;
    assert_eq!((&again["total_cost"], &again["cost_usd"]), (&json!("0.005"), &json!("0.005")), "{again}");
    assert_eq!(again["corrections"][0]["charged_usd"], "-0.005");
    let credits = owner.get("/v1/credits").await.expect(200).json();
    assert_eq!(credits["data"]["used_usd"], "0.02", "{credits}");
    let report = app.cli(&["ledger", "verify"]).await;
    assert_eq!((&report["ok"], &report["corrections"]), (&json!(true), &json!(2)), "{report}");
}

#[tokio::test]
async fn a_provider_s_export_is_held_against_the_books() {
    let upstream = FakeUpstream::start();
    let app = cent_app(&upstream, false).await;
    let record = called(&app).await;
    called(&app).await;
    let day = record["created_at"].as_str().unwrap_or_default()[..10].to_owned();
    let file = app.data_dir().join("usage.csv");
    let path = file.display().to_string();
    let words = ["ledger", "reconcile", "--provider", "lab", "--file", &path];
    let maps = ["--map", "Day=day", "--map", "Model=model", "--map", "Tokens=output", "--map", "USD=cost"];
    let words = [&words[..], &maps].concat();
    std::fs::write(&file, format!("Day,Model,Tokens,USD\n{day},tiny,20,$0.02\n")).expect("written");
    let good = app.cli(&words).await;
    assert_eq!((&good["compared"], &good["raised"]), (&json!(2), &json!(0)), "{good}");
    std::fs::write(&file, format!("Day,Model,Tokens,USD\n{day},tiny,20,0.021\n")).expect("written");
    let (code, text) = failing(&app, &words).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("tiny: cost: the provider says 0.021, our books 0.02: -4.761 % apart"), "{text}");
    let loose = [&words[..], &["--threshold", "5"]].concat();
    assert_eq!(app.cli(&loose).await["raised"], 0);
}

#[tokio::test]
async fn a_copy_of_the_store_is_checked_without_a_server_and_a_changed_one_fails() {
    let upstream = FakeUpstream::start();
    let mut app = cent_app(&upstream, false).await;
    for _ in 0..3 {
        called(&app).await;
    }
    app.sigterm();
    app.exited().await;
    let copy = app.data_dir().join("copy.db");
    std::fs::copy(app.data_dir().join("tollway.db"), &copy).expect("copied");
    let url = format!("sqlite:{}", copy.display());
    let good = app.cli(&["ledger", "verify", "--store", &url]).await;
    assert_eq!((&good["ok"], &good["generations"]), (&json!(true), &json!(3)));
    let head = good["head"].as_str().unwrap_or_default().to_owned();
    app.cli(&["ledger", "verify", "--store", &url, "--noted", &head]).await;
    let other = format!("3:{}", "0".repeat(64));
    let (code, text) = failing(&app, &["ledger", "verify", "--store", &url, "--noted", &other]).await;
    assert!(code == Some(1) && text.contains("chain_noted"), "{text}");

    // One digit of what was charged, in the file itself.
    let mut bytes = std::fs::read(&copy).expect("read");
    let wanted = b"\"charged\":10000000";
    let at = bytes.windows(wanted.len()).position(|window| window == wanted).expect("a record in the file");
    bytes[at + wanted.len() - 8] = b'9';
    std::fs::write(&copy, bytes).expect("written");
    let (code, text) = failing(&app, &["ledger", "verify", "--store", &url]).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("generation_digest: gen-") && text.contains("generation_columns: gen-"), "{text}");
}
