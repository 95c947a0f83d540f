//! `tollway export`: the generations of an account, oldest first, in the memory of one page.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use gateway::insight::export::{self, Exporter, Format};
use serde_json::json;
use store::{LogCursor, Store};
use types::AccountId;

use super::{Context, Failure, OWNER, keys, load};

/// `tollway export`
#[derive(Debug, Args)]
pub struct Export {
    /// In which form: csv, jsonl, or focus (FOCUS 1.2: a line per charge).
    #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = format)]
    pub format: Format,
    /// From when on: a date such as 2030-01-31, or an instant such as 2030-01-31T12:00:00Z; without it for 31 days.
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,
    /// Until when; a date counts whole. Without it until now.
    #[arg(long, value_name = "WHEN")]
    pub to: Option<String>,
    /// Whose; without it the owner's.
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// The file to write; without it standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

fn format(text: &str) -> Result<Format, &'static str> {
    Format::read(text).ok_or("write csv, jsonl or focus")
}

pub(super) async fn export(context: &mut Context<'_>, args: &Export) -> Result<(), Failure> {
    let span = export::span(args.from.as_deref(), args.to.as_deref(), context.clock.now())
        .map_err(|error| Failure::BadInput(error.to_string()))?;
    let config = load::load(context.cli.config.as_deref(), context.env, context.parts.embedded)?.config;
    let store = Store::open_to_read(config.store_url().expose()).await.map_err(|e| keys::failed(&e))?;
    let account = AccountId::new(args.account.as_deref().unwrap_or(OWNER));
    let seller = config.seller.name.as_deref().unwrap_or(&config.brand.name);
    let exporter = Exporter::new(args.format, seller);
    let mut file = match &args.out {
        Some(path) => {
            let file = File::create(path);
            let file =
                file.map_err(|e| Failure::Failed(format!("{} can't be written: {e}", path.display())))?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    let mut write = |text: &str| -> Result<(), Failure> {
        match &mut file {
            Some(file) => Ok(file.write_all(text.as_bytes())?),
            None if text.is_empty() => Ok(()),
            None => context.out.raw(text),
        }
    };
    write(&exporter.head())?;
    let (mut last, mut count): (Option<LogCursor>, usize) = (None, 0);
    loop {
        let page = store.log_onward(&account, None, span, last.as_ref()).await;
        let page = page.map_err(|e| keys::failed(&e))?;
        let Some(end) = page.last() else { break };
        last = Some(LogCursor { created: end.record.created, id: end.record.id });
        count += page.len();
        write(&exporter.rows(&page))?;
    }
    store.close().await;
    let Some(mut file) = file else { return Ok(()) };
    file.flush()?;
    let path = args.out.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    context.out.answer(
        &format!("{count} generations written to {path}"),
        &json!({"generations": count, "file": path, "format": args.format.extension()}),
    )
}
