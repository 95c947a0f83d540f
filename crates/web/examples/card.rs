//! Writes the preview picture of a model, to look at:
//!
//! ```text
//! cargo run -p tollway-web --example card -- CATALOG MODEL FILE.png
//! ```

use std::path::Path;
use std::process::ExitCode;

use tollway_web::machine::card;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, model, file] = words.as_slice() else {
        return ExitCode::FAILURE;
    };
    let Ok(snapshot) = catalog::load_dir(Path::new(folder)) else {
        return ExitCode::FAILURE;
    };
    let position = snapshot.models.iter().position(|known| *known.id == **model);
    let card = position.and_then(|position| card::of_model(&snapshot, position, "Tollway"));
    let written = card.and_then(|card| card::png(&card).ok()).and_then(|png| std::fs::write(file, png).ok());
    if written.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
