//! Tollway: the binary's parts. `cli` reads the command line, `config` the configuration; `serve` starts everything and
//! stops it; `jobs` runs beside the calls.

pub mod cli;
pub mod config;
pub mod docs_gen;
pub mod embedded;
mod first_run;
mod http_server;
mod jobs;
mod receipt_keys;
mod secrets;
pub mod serve;
mod site;
mod telemetry;
mod vigil;
mod wire_up;
