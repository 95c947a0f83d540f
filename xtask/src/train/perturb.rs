//! The same prompt as another hand would type it.

use routing::random::Random;

use super::Prompt;

const BEFORE: [&str; 10] = [
    "please ",
    "hey, ",
    "can you ",
    "hi! ",
    "could you please ",
    "quick one: ",
    "bitte ",
    "hola, ",
    "s'il te plaît ",
    "ok so ",
];
const AFTER: [&str; 6] = [" thanks!", " please", " thx", " danke", " merci", " asap"];

/// A perturbed copy: typing errors, another case, words of politeness.
pub(super) fn perturbed(prompt: &Prompt, random: &mut Random) -> Prompt {
    let mut copy = prompt.clone();
    let text = match copy.turns.iter_mut().rev().find(|turn| turn.role == "user") {
        Some(turn) => &mut turn.text,
        None => &mut copy.text,
    };
    *text = mistyped(text, random);
    match (random.unit() * 5.0) as usize {
        0 => *text = text.to_lowercase(),
        1 => *text = text.to_uppercase(),
        _ => (),
    }
    let pick =
        |list: &[&str], random: &mut Random| list[(random.unit() * list.len() as f64) as usize].to_owned();
    match (random.unit() * 4.0) as usize {
        0 => *text = pick(&BEFORE, random) + text,
        1 => text.push_str(&pick(&AFTER, random)),
        _ => (),
    }
    copy
}

/// One letter in sixty swapped with the next, dropped or doubled.
fn mistyped(text: &str, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let errors = chars.len() / 60 + usize::from(random.unit() < 0.5);
    for _ in 0..errors {
        let at = (random.unit() * chars.len() as f64) as usize;
        if at + 1 >= chars.len() || !chars[at].is_ascii_alphabetic() || !chars[at + 1].is_ascii_alphabetic() {
            continue;
        }
        match (random.unit() * 3.0) as usize {
            0 => chars.swap(at, at + 1),
            1 => drop(chars.remove(at)),
            _ => chars.insert(at, chars[at]),
        }
    }
    chars.into_iter().collect()
}
