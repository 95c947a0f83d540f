//! The `tollway` binary.

use std::process::ExitCode;

use tollway::cli::{self, Parts};
use tollway::config::Environment;
use tollway::{embedded, serve};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let parts = Parts { embedded: embedded::catalog, serve: serve::serve };
    cli::main(std::env::args_os(), Environment::from_process(), &parts)
}
