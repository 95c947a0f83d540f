//! The log: to standard error, as text or JSON lines. Prompts, answers and keys never reach it.

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Starts logging. A second call in one process (tests) changes nothing.
pub(crate) fn start(log: &Log) {
    let directives = log.filter.clone().unwrap_or_else(|| log.level.name().to_owned());
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
