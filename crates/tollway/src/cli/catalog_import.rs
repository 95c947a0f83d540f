//! `tollway catalog import`: a feed into the operator's catalog folder.
//!
//! The new catalog is written beside the folder, file by file, and read back; only when it is what it should be does it take the
//! folder's place, in one step of the file system. Files that the feed changes nothing about keep their bytes. Until then, and
//! whatever goes wrong, the folder is what it was.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ::catalog::import::{FeedError, Imported};
use ::catalog::{Snapshot, changed_files, files};
use serde_json::json;

use super::args::ImportCatalog;
use super::catalog::{diff_json, diff_table};
use super::{Context, Failure, load};

/// The largest feed that is read, in bytes.
const FEED_BYTES_MAX: u64 = 256 * 1024 * 1024;

pub(super) fn import(context: &mut Context<'_>, args: &ImportCatalog) -> Result<(), Failure> {
    let (config, built_in) =
        load::configured(context.cli.config.as_deref(), context.env, context.parts.embedded)?;
    let Some(dir) = args.dir.clone().or(config.catalog.dir) else {
        return Err(Failure::BadInput(
            "there is no folder to import into; set `catalog.dir`, or say --dir".to_owned(),
        ));
    };
    let is_there = dir.exists();
    let base = if is_there { load::read_dir(&dir)? } else { built_in };
    let text = read(&args.file)?;
    let refused =
        |error: FeedError| Failure::BadInput(format!("the feed is refused, and nothing is changed: {error}"));
    let (new, report) = match args.format.feed() {
        None => (::catalog::import::own(&text).map_err(refused)?, None),
        Some(format) => {
            let today = context.clock.now().day();
            let as_of = args.as_of.clone().unwrap_or_else(|| date(today));
            let provider = args.provider.as_deref();
            let Imported { snapshot, report } =
                ::catalog::import::import(format, &text, &base, &as_of, provider).map_err(refused)?;
            (snapshot, Some(report))
        }
    };
    let diff = ::catalog::diff(&base, &new);
    if !args.dry_run {
        install(&dir, &base, &new, is_there)?;
    }
    let done = match args.dry_run {
        true => "nothing is written".to_owned(),
        false => format!("{} is written", dir.display()),
    };
    let told = report.as_ref().map(ToString::to_string).unwrap_or_default();
    let json = json!({
        "dir": dir, "written": !args.dry_run, "report": report, "changes": diff_json(&diff, &base, &new),
    });
    context.out.answer(&format!("{told}{done}: {}", diff_table(&diff)), &json)
}

fn date(day: i64) -> String {
    let micros = day.saturating_mul(86_400_000_000);
    let at = jiff::Timestamp::from_microsecond(micros).map(|at| at.to_string());
    at.unwrap_or_default().chars().take(10).collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::BadInput(format!("can't read {}: {error}", file.display()));
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().take(FEED_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    } else {
        fs::File::open(file)
            .and_then(|file| file.take(FEED_BYTES_MAX).read_to_string(&mut text))
            .map_err(failed)?;
    }
    Ok(text)
}

/// A folder beside the catalog's that goes when it is dropped.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Puts the new catalog in the folder's place.
fn install(dir: &Path, old: &Snapshot, new: &Snapshot, is_there: bool) -> Result<(), Failure> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("catalog");
    let beside = dir.with_file_name(format!(".{name}.import-{}", std::process::id()));
    let failed = |error: std::io::Error| {
        Failure::Failed(format!("can't write {}: {error}; {} is as it was", beside.display(), dir.display()))
    };
    let beside_guard = Beside(beside.clone());
    let changes: BTreeMap<String, Option<String>> = if is_there {
        copy(dir, &beside).map_err(failed)?;
        changed_files(old, new)
    } else {
        files(new).into_iter().map(|(file, text)| (file, Some(text))).collect()
    };
    for (file, text) in &changes {
        let path = beside.join(file);
        match text {
            Some(text) => write(&path, text),
            None => fs::remove_file(&path),
        }
        .map_err(failed)?;
    }
    let written = load::read_dir(&beside)?;
    if !::catalog::diff(new, &written).is_empty() {
        return Err(Failure::Failed(format!(
            "what was written is not what was read; {} is as it was",
            dir.display()
        )));
    }
    exchange(&beside, dir, is_there).map_err(failed)?;
    drop(beside_guard);
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = fs::File::create(path)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() { copy(&source, &target)? } else { fs::copy(&source, &target).map(drop)? }
    }
    Ok(())
}

/// In one step where the file system can: what was there is beside it afterwards.
fn exchange(beside: &Path, dir: &Path, is_there: bool) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    if !is_there {
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent)?;
        }
        return fs::rename(beside, dir);
    }
    match renameat_with(CWD, beside, CWD, dir, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        // A file system without that step: a reload in between finds no folder, and keeps what it has.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            let aside = beside.with_extension("old");
            fs::rename(dir, &aside)?;
            fs::rename(beside, dir)?;
            fs::remove_dir_all(&aside)
        }
        Err(error) => Err(error.into()),
    }
}
