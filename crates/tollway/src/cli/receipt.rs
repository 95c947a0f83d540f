//! `tollway receipt verify`

use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway::receipts::{self, RECEIPT_BYTES_MAX, ReceiptError};
use gateway::upstream::fetch;
use gateway::upstream::guard::Guard;
use serde_json::{Value, json};

use super::args::VerifyReceipt;
use super::{Context, Failure, load};
use crate::receipt_keys::PUBLIC_FILE;

/// Where servers have their public keys.
const WELL_KNOWN: &str = "/.well-known/tollway-receipts.json";

pub(super) async fn verify(context: &mut Context<'_>, args: &VerifyReceipt) -> Result<(), Failure> {
    let receipt = receipt_of(&read(&args.file)?)?;
    let keys = keys(context, args).await?;
    let said = receipts::verify(&receipt, &keys).map_err(|error| match error {
        ReceiptError::NotAReceipt(_) | ReceiptError::BadKeys(_) => Failure::BadInput(error.to_string()),
        ReceiptError::UnknownKey(_) => {
            Failure::Failed(format!("{error}; take those of the server that signed it, with --key or --url"))
        }
        _ => Failure::Failed(error.to_string()),
    })?;
    let field = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let human = format!(
        "the receipt is valid: {} of {}, {} of {}, charged {} USD of {} USD at price version {}",
        field("generation"),
        field("created"),
        field("model"),
        field("issuer"),
        field("charged_usd"),
        field("cost_usd"),
        field("price_version"),
    );
    context.out.answer(&human, &json!({ "valid": true, "receipt": said }))
}

fn read(path: &Path) -> Result<String, Failure> {
    let bad = |what: String| Failure::BadInput(format!("{}: {what}", path.display()));
    let mut text = String::new();
    let limit = RECEIPT_BYTES_MAX as u64 + 1;
    let done = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).map_err(|error| bad(format!("can't be read: {error}")))?;
        file.take(limit).read_to_string(&mut text)
    };
    done.map_err(|error| bad(format!("can't be read: {error}")))?;
    if text.len() > RECEIPT_BYTES_MAX {
        return Err(bad(format!("is longer than any receipt, {RECEIPT_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// The receipt itself, or that of an answer around it.
fn receipt_of(text: &str) -> Result<String, Failure> {
    if !text.trim_start().starts_with('{') {
        return Ok(text.trim().to_owned());
    }
    let answer: Value = serde_json::from_str(text)
        .map_err(|error| Failure::BadInput(format!("the file is neither a receipt nor JSON: {error}")))?;
    let found = answer.pointer("/data/receipt").or_else(|| answer.get("receipt")).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| {
        Failure::BadInput(
            "the JSON has no `receipt`; take the answer of GET /v1/generation?id=...".to_owned(),
        )
    })
}

async fn keys(context: &Context<'_>, args: &VerifyReceipt) -> Result<Value, Failure> {
    let (place, text) = match (&args.url, &args.key) {
        (Some(url), _) => {
            let url = format!("{}{WELL_KNOWN}", url.trim_end_matches('/').trim_end_matches("/v1"));
            let failed = |what| Failure::Failed(format!("the keys of {url} can't be fetched: {what}"));
            let (_, body) = fetch::fetch(&url, RECEIPT_BYTES_MAX, &Guard::new(true)).await.map_err(failed)?;
            (url, STANDARD.decode(body).unwrap_or_default())
        }
        (None, key) => {
            let path = match key {
                Some(path) => path.clone(),
                None => {
                    let loaded =
                        load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?;
                    loaded.config.server.data_dir.join(PUBLIC_FILE)
                }
            };
            let why = |error| {
                let path = path.display();
                Failure::BadInput(format!("{path} can't be read: {error}; name the keys with --key or --url"))
            };
            (path.display().to_string(), std::fs::read(&path).map_err(why)?)
        }
    };
    serde_json::from_slice(&text)
        .map_err(|error| Failure::BadInput(format!("{place} holds no public keys: {error}")))
}
