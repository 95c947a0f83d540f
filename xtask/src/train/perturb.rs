//! The same prompt as another hand would type it.

use routing::random::Random;

use super::Prompt;

/// How somebody writes.
pub(super) struct Hand {
    before: &'static [&'static str],
    after: &'static [&'static str],
    /// One letter in so many is mistyped.
    letters_per_error: usize,
}

impl Hand {
    /// Of those whose prompts are measured.
    pub(super) const MEASURED: Hand = Hand {
        before: &[
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
        ],
        after: &[" thanks!", " please", " thx", " danke", " merci", " asap"],
        letters_per_error: 60,
    };
    /// Of those whose prompts are learned from: other words, more errors.
    pub(super) const TRAINED: Hand = Hand {
        before: &[
            "Hello there, ",
            "good morning, ",
            "would you ",
            "i need you to ",
            "one more thing: ",
            "so, ",
            "kindly ",
            "mal eben: ",
            "könntest du ",
            "guten Tag, ",
            "bonjour, ",
            "tu peux ",
            "buenas, ",
            "por favor, ",
            "olá, ",
            "ciao, ",
            "你好，",
            "请",
            "すみません、",
            "здравствуйте, ",
            "пожалуйста, ",
            "مرحبا، ",
            "नमस्ते, ",
            "merhaba, ",
            "proszę, ",
        ],
        after: &[
            " cheers",
            " ty",
            " Thank you very much.",
            " It's urgent.",
            " gracias",
            " obrigado",
            " grazie",
            "，谢谢",
            " よろしく",
            " спасибо",
            " lg",
            " vielen Dank!",
            " dzięki",
            " teşekkürler",
            " شكرا",
        ],
        letters_per_error: 45,
    };
}

/// A perturbed copy: typing errors, another case, words of politeness.
pub(super) fn perturbed(prompt: &Prompt, hand: &Hand, random: &mut Random) -> Prompt {
    let mut copy = prompt.clone();
    let text = match copy.turns.iter_mut().rev().find(|turn| turn.role == "user") {
        Some(turn) => &mut turn.text,
        None => &mut copy.text,
    };
    *text = mistyped(text, hand, random);
    match (random.unit() * 5.0) as usize {
        0 => *text = text.to_lowercase(),
        1 => *text = text.to_uppercase(),
        _ => (),
    }
    let pick =
        |list: &[&str], random: &mut Random| list[(random.unit() * list.len() as f64) as usize].to_owned();
    match (random.unit() * 4.0) as usize {
        0 => *text = pick(hand.before, random) + text,
        1 => text.push_str(&pick(hand.after, random)),
        _ => (),
    }
    copy
}

/// Letters swapped with the next, dropped or doubled.
fn mistyped(text: &str, hand: &Hand, random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let errors = chars.len() / hand.letters_per_error + usize::from(random.unit() < 0.5);
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
