//! What can be written after `tollway catalog`.

use std::path::PathBuf;

use catalog::import::Format;
use clap::{Args, Subcommand, ValueEnum};

/// `tollway catalog`
#[derive(Debug, Subcommand)]
pub enum Catalog {
    /// Check a catalog's files: each problem with file, line and rule.
    Check {
        /// The catalog's folder; without it `catalog.dir`, else the built-in catalog.
        dir: Option<PathBuf>,
    },
    /// Write the catalog, with what the configuration adds.
    Export(ExportCatalog),
    /// Read a feed into the operator's catalog, all of it or nothing. A running server takes it up within seconds.
    Import(ImportCatalog),
    /// Say what one catalog has that another had not: offers, prices, facts, deprecations.
    Diff(Diff),
}

/// `tollway catalog export`
#[derive(Debug, Args)]
pub struct ExportCatalog {
    /// The format.
    #[arg(value_enum, default_value = "own")]
    pub format: ExportFormat,
    /// Where to; `-` is standard output.
    #[arg(default_value = "-")]
    pub file: PathBuf,
}

/// `tollway catalog import`
#[derive(Debug, Args)]
pub struct ImportCatalog {
    /// The format.
    #[arg(value_enum)]
    pub format: ImportFormat,
    /// The feed; `-` is standard input.
    pub file: PathBuf,
    /// The day of the feed, such as 2026-03-16; without it today.
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<String>,
    /// Whose a provider document is, by slug.
    #[arg(long, value_name = "SLUG")]
    pub provider: Option<String>,
    /// The catalog's folder; without it `catalog.dir`. It is made from the built-in catalog where it isn't there.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// `tollway catalog diff`
#[derive(Debug, Args)]
pub struct Diff {
    /// The older one: a catalog's folder, a file of `tollway catalog export own`, or `built-in`.
    pub old: String,
    /// The newer one; without it the configured catalog.
    pub new: Option<String>,
}

/// Formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Every fact with its source, as in /catalog.json.
    Own,
    /// The shape of models.dev, as in /api.json.
    ModelsDev,
    /// The shape of OpenRouter's model list, as in /v1/models.
    Openrouter,
    /// OpenRouter's provider document, schema 2.4: what can be called and billed here.
    ProviderDocument,
    /// LiteLLM's price map.
    Litellm,
    /// genai-prices, version 2.
    GenaiPrices,
}

/// Formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Our own: it takes the place of the whole catalog.
    Own,
    /// The api.json of models.dev.
    ModelsDev,
    /// OpenRouter's list of models, or the endpoints of models.
    Openrouter,
    /// OpenRouter's provider document, schema 2.4; needs --provider.
    ProviderDocument,
    /// LiteLLM's model_prices_and_context_window.json.
    Litellm,
    /// The data.json of genai-prices, version 2.
    GenaiPrices,
}

impl ImportFormat {
    /// `None` for our own.
    pub(super) fn feed(self) -> Option<Format> {
        Some(match self {
            ImportFormat::Own => return None,
            ImportFormat::ModelsDev => Format::ModelsDev,
            ImportFormat::Openrouter => Format::Openrouter,
            ImportFormat::ProviderDocument => Format::ProviderDocument,
            ImportFormat::Litellm => Format::Litellm,
            ImportFormat::GenaiPrices => Format::GenaiPrices,
        })
    }
}
