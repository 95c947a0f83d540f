//! What the site says in sentences of a model, to read:
//!
//! ```text
//! cargo run -p tollway-web --example prose -- CATALOG MODEL...
//! ```

use std::path::Path;

use tollway_web::describe::{Offer, Subject, best_for, faq, related, summary};

#[expect(clippy::print_stdout, reason = "this program is for reading its output")]
fn main() {
    let mut words = std::env::args().skip(1);
    let Some(Ok(snapshot)) = words.next().map(|folder| catalog::load_dir(Path::new(&folder))) else {
        return;
    };
    for id in words {
        let Some(model) = snapshot.models.iter().position(|known| *known.id == *id) else {
            continue;
        };
        let offers: Vec<Offer<'_>> =
            snapshot.model_endpoints(model).map(|endpoint| Offer { endpoint, is_on: false }).collect();
        let subject = Subject { snapshot: &snapshot, model, offers: &offers, routed: None, fees: &[] };
        println!("\n{id}\n{}", summary(&subject));
        for asked in faq(&subject) {
            println!("  {}\n    {}", asked.question, asked.answer);
        }
        for task in best_for(&snapshot, model) {
            println!("  for {}: {}", task.name, task.because);
        }
        for other in related(&snapshot, model, 6) {
            let id = snapshot.models.get(other.model).map(|model| model.id.to_string()).unwrap_or_default();
            println!("  see {id}: {}", other.because);
        }
    }
}
