//! Our own OpenAPI document under schemathesis, which nobody here wrote: as everybody who can call, each operation gets what the
//! document allows and what it doesn't. None may answer with a 5xx, with what the document doesn't say, or to whom it should not.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testkit::TestApp;

use crate::{sh, tools};

const CHECKS: &str = "not_a_server_error,response_schema_conformance,content_type_conformance,\
                      status_code_conformance,ignored_auth";
const PASSWORD: &str = "plum kettle orbit sandal";
/// These end the session that asks, and with it the rest of the run.
const ENDS: [&str; 4] =
    ["/v1/auth/sign-out", "/v1/auth/sessions", "/v1/auth/sessions/{id}", "/v1/auth/password"];

#[derive(clap::Args)]
pub struct Args {
    /// Random requests per operation and caller
    #[arg(long, default_value_t = 20)]
    examples: u32,
    /// Where the random numbers start
    #[arg(long, default_value_t = super::SEED)]
    seed: u64,
}

/// True when there was nothing to complain about, as anybody.
pub fn run(args: &Args) -> Result<bool> {
    sh::run(sh::cargo().args(["build", "--locked", "--package", "tollway", "--bin", "tollway"]))?;
    drive(args.examples, args.seed, "coverage,fuzzing", &["nobody", "key", "management", "owner", "viewer"])
}

/// A little of it, with the program that is built: as who may do most, and as nobody.
pub fn sample() -> Result<bool> {
    drive(2, super::SEED, "fuzzing", &["nobody", "owner"])
}

fn drive(examples: u32, seed: u64, phases: &str, callers: &[&str]) -> Result<bool> {
    let program = tools::schemathesis()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (app, keys) = runtime.block_on(async {
        let app = TestApp::builder().first_start().set("people.sign_up", "\"open\"").start().await;
        let keys = callers_of(&app).await;
        keys.map(|keys| (app, keys))
    })?;
    let mut is_good = true;
    for (name, key) in keys.iter().filter(|(name, _)| callers.contains(name)) {
        println!("schemathesis as {name}");
        let mut command = Command::new(&program);
        command.args(["run", &format!("{}/openapi.json", app.url()), "--checks", CHECKS, "--phases", phases]);
        command.args(["--max-examples", &examples.to_string(), "--seed", &seed.to_string(), "--no-color"]);
        command.args(["--continue-on-failure", "--warnings", "off", "--output-sanitize", "true"]);
        for path in ENDS {
            command.args(["--exclude-path", path]);
        }
        if !key.is_empty() {
            command.args(["--header", &format!("Authorization: Bearer {key}")]);
        }
        is_good &= tell(&command.current_dir(app.data_dir()).output()?)?;
    }
    Ok(is_good)
}

/// Prints what matters of a run; true when it was clean and did something.
fn tell(output: &std::process::Output) -> Result<bool> {
    let text = String::from_utf8_lossy(&output.stdout);
    let generated = text.lines().find(|line| line.contains(" generated, ")).unwrap_or_default().trim();
    println!("  {generated}");
    if !output.status.success() || generated.is_empty() {
        println!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
        return Ok(false);
    }
    Ok(true)
}

/// Everybody who can call: their name, and what they send as their key.
async fn callers_of(app: &TestApp) -> Result<Vec<(&'static str, String)>> {
    let printed = testkit::eventually("the greeting", || async {
        Some(app.stdout()).filter(|printed| printed.contains("/v1/auth/accept"))
    })
    .await;
    let owner = taken(&printed).context("no owner's token was printed")?;
    let owner = session(
        app,
        "/v1/auth/accept",
        json!({"token": owner, "email": "owner@example.com", "password": PASSWORD}),
    )
    .await?;
    // A member of the owner's organization who may only look.
    let asked = json!({"email": "viewer@example.com", "role": "viewer"});
    app.with_key(&owner).post("/v1/organization/invitations", &asked).await.expect(201);
    let mailed = testkit::eventually("an invitation", || async {
        let log = app.log();
        taken(log.lines().rfind(|line| line.contains("viewer@example.com") && line.contains("mt_"))?)
    })
    .await;
    let viewer = session(app, "/v1/auth/accept", json!({"token": mailed, "password": PASSWORD})).await?;
    app.with_key(&viewer).get("/v1/auth/me").await.expect(200);
    let (_, key) = app.new_key(&[]).await;
    let (_, management) = app.new_key(&["--management"]).await;
    Ok(vec![
        ("nobody", String::new()),
        ("key", key),
        ("management", management),
        ("owner", owner),
        ("viewer", viewer),
    ])
}

async fn session(app: &TestApp, path: &str, body: Value) -> Result<String> {
    let reply = app.anonymous().post(path, &body).await;
    ensure!(matches!(reply.status, 200 | 201), "{path}: {} {}", reply.status, reply.text());
    reply.json()["data"]["token"].as_str().map(str::to_owned).context("no session was begun")
}

/// The token in a text.
fn taken(text: &str) -> Option<String> {
    let at = text.find("mt_")?;
    Some(
        text.get(at..)?.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect(),
    )
}
