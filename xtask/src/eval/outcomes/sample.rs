//! Outcomes that are made up, so that there is something to run from a fresh clone: our own prompts, and models whose abilities
//! by kind of work, prices and lengths of answers are drawn from a seed. They say nothing about real models.

use anyhow::Result;
use catalog::Snapshot;
use routing::classify::Label;
use routing::quality::{Abilities, ROWS};
use routing::random::Random;

use super::read::{Outcome, Outcomes, Prompt};
use crate::eval::simulate::normal;
use crate::train;

/// Models of the catalog, whose prior is then known, and two of nobody's; with their price, dollars per million tokens of input
/// and output.
const MODELS: [(&str, f64, f64); 8] = [
    ("anthropic/claude-opus-4-6", 5.0, 25.0),
    ("openai/gpt-5.2", 1.75, 14.0),
    ("mistralai/mistral-large-2512", 0.5, 1.5),
    ("deepseek/deepseek-v3.2", 0.28, 0.42),
    ("mistralai/mistral-small-2603", 0.15, 0.6),
    ("meta-llama/llama-3.1-8b-instruct", 0.05, 0.08),
    ("house/coder", 0.2, 0.8),
    ("house/translator", 0.1, 0.4),
];
/// How far an ability may be from its prior, as a standard deviation.
const SURPRISE: f64 = 0.06;
/// How far prompts of one kind differ in what they take.
const DIFFICULTY: f64 = 0.12;
/// Tokens of an answer, by label.
const OUTPUT: [f64; 8] = [1_200.0, 900.0, 700.0, 300.0, 350.0, 200.0, 250.0, 300.0];

/// Makes them; prompts that the classifier was not trained on are the test.
pub fn outcomes(snapshot: &Snapshot, seed: u64) -> Result<Outcomes> {
    let abilities = Abilities::of(snapshot);
    let mut random = Random::new(seed);
    let rows: Vec<[f64; ROWS]> =
        MODELS.iter().map(|(id, ..)| rows(snapshot, &abilities, id, &mut random)).collect();
    let mut prompts = Vec::new();
    for (text, label, apart) in train::messages()? {
        let takes = DIFFICULTY * normal(&mut random);
        let outcomes = MODELS.iter().zip(&rows).map(|((_, input, output), rows)| {
            let chance = (rows[label as usize] - takes).clamp(0.02, 0.98);
            // Graded in steps, as a judge would.
            let quality = [0.0, 0.5, 1.0].map(|grade| grade + 0.2 * (random.unit() - 0.5));
            let grade = if random.unit() < chance { 2 } else { usize::from(random.unit() < chance * 0.5) };
            let tokens = OUTPUT[label as usize] * (0.4 * normal(&mut random)).exp();
            let cost = (text.len() as f64 / 4.0 * input + tokens * output) / 1e6;
            Outcome { quality: quality[grade].clamp(0.0, 1.0), cost }
        });
        let outcomes = outcomes.collect();
        prompts.push(Prompt { text, task: Some(label.name().to_owned()), is_test: Some(apart), outcomes });
    }
    Ok(Outcomes { models: MODELS.map(|(id, ..)| id.to_owned()).to_vec(), prompts, left_out: 0 })
}

/// What a model can, by kind of work: near its prior where it has one; a specialist elsewhere.
fn rows(snapshot: &Snapshot, abilities: &Abilities, id: &str, random: &mut Random) -> [f64; ROWS] {
    let known = snapshot.resolve(id).map(|model| abilities.rows(model));
    let special = match id {
        "house/coder" => Some(Label::Code),
        "house/translator" => Some(Label::Translation),
        _ => None,
    };
    let mut rows = known.unwrap_or([0.5; ROWS]);
    for (at, row) in rows.iter_mut().enumerate() {
        let own = if special.is_some_and(|label| label as usize == at) { 0.9 } else { *row };
        *row = (own + SURPRISE * normal(random)).clamp(0.05, 0.97);
    }
    rows
}
