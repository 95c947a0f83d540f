//! Values for the slots of templates, right ones and near misses.

use base64::Engine;

use super::super::Random;

/// A value, and the kind that it is to be found as; `None`: it is not to be found.
pub(super) struct Made {
    pub(super) value: String,
    pub(super) kind: Option<&'static str>,
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";
const HEX: &[u8] = b"0123456789abcdef";
const PLAIN: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DASHED: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const CAPITALS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Slots and the kinds that their values are.
const FOUND: [(&str, &str); 25] = [
    ("email", "email"),
    ("phone", "phone"),
    ("phone_us", "phone"),
    ("phone_eu", "phone"),
    ("phone_fr", "phone"),
    ("phone_ctx", "phone"),
    ("ssn", "ssn"),
    ("ssn_plain", "ssn"),
    ("card", "credit_card"),
    ("card_amex", "credit_card"),
    ("iban", "iban"),
    ("ip", "ip_address"),
    ("ip6", "ip_address"),
    ("cpf", "national_id"),
    ("dni", "national_id"),
    ("nie", "national_id"),
    ("nir", "national_id"),
    ("fiscal", "national_id"),
    ("key", "api_key"),
    ("aws", "api_key"),
    ("token", "api_key"),
    ("pem", "private_key"),
    ("pem_escaped", "private_key"),
    ("jwt", "jwt"),
    ("password", "password"),
];

/// Whether a slot has this name.
pub(super) fn knows(name: &str) -> bool {
    name.starts_with("no:")
        || name.starts_with('=')
        || name == "password_url"
        || FOUND.iter().any(|(slot, _)| *slot == name)
}

/// A value for a slot.
pub(super) fn make(name: &str, random: &mut Random) -> Option<Made> {
    if let Some(near) = name.strip_prefix("no:") {
        return super::misses::make(near, random).map(|value| Made { value, kind: None });
    }
    if let Some((kind, value)) = name.strip_prefix('=').and_then(|written| written.split_once(':')) {
        let kind = guardrails::Kind::ALL.iter().map(|known| known.name()).find(|known| *known == kind)?;
        return Some(Made { value: value.to_owned(), kind: Some(kind) });
    }
    if name == "password_url" {
        let value =
            format!("{}{}{}", drawn(LOWER, 5, random), random.below(900) + 100, drawn(PLAIN, 4, random));
        return Some(Made { value, kind: Some("password") });
    }
    let (_, kind) = FOUND.iter().find(|(slot, _)| *slot == name)?;
    Some(Made { value: found(name, random), kind: Some(kind) })
}

fn found(name: &str, random: &mut Random) -> String {
    match name {
        "email" => email(random),
        "phone" => phone(random),
        "phone_us" => phone_us(random),
        "phone_eu" => phone_eu(random),
        "phone_fr" => phone_fr(random),
        "phone_ctx" => shaped("0## #######", random),
        "ssn" => format!(
            "{:03}-{:02}-{:04}",
            100 + random.below(500),
            1 + random.below(99),
            1 + random.below(9999)
        ),
        "ssn_plain" => {
            format!("{:03}{:02}{:04}", 100 + random.below(500), 1 + random.below(99), 1 + random.below(9999))
        }
        "card" => card(random),
        "card_amex" => grouped(&lunar("37", 15, random), &[4, 6, 5], ' '),
        "iban" => iban(random),
        "ip" => ip(random),
        "ip6" => ip6(random),
        "cpf" => cpf(random),
        "dni" => {
            let number = random.below(100_000_000);
            format!("{number:08}{}", letter(number))
        }
        "nie" => {
            let number = random.below(10_000_000);
            format!("Y{number:07}{}", letter(10_000_000 + number))
        }
        "nir" => nir(random),
        "fiscal" => fiscal(random),
        "key" => key(random),
        "aws" => format!("AKIA{}", drawn(CAPITALS, 15, random) + "7"),
        "token" => token(random),
        "pem" => pem("\n", random),
        "pem_escaped" => pem("\\n", random),
        "jwt" => jwt(random),
        _ => password(random),
    }
}

pub(super) fn drawn(set: &[u8], count: usize, random: &mut Random) -> String {
    (0..count).map(|_| char::from(set[random.below(set.len() as u64) as usize])).collect()
}

/// One of several.
pub(super) fn pick<'a>(from: &[&'a str], random: &mut Random) -> &'a str {
    from[random.below(from.len() as u64) as usize]
}

/// `#` becomes any digit.
pub(super) fn shaped(shape: &str, random: &mut Random) -> String {
    shape.chars().map(|c| if c == '#' { char::from(b'0' + random.below(10) as u8) } else { c }).collect()
}

fn email(random: &mut Random) -> String {
    const NAMES: [&str; 24] = [
        "jane.doe",
        "k.osei",
        "maria",
        "li.wei",
        "o'brien",
        "b_tanaka",
        "sven-olof",
        "a",
        "info",
        "no-reply",
        "ana.ruiz+news",
        "m.müller",
        "x99",
        "first.last",
        "rj",
        "support",
        "ceo",
        "h.van.dijk",
        "dev+ci",
        "nguyen.t",
        "p%q",
        "j.r.r.t",
        "QA",
        "Anna.K",
    ];
    const DOMAINS: [&str; 24] = [
        "example.com",
        "mail.example.org",
        "acme.io",
        "web.de",
        "uni-koeln.de",
        "co.uk",
        "stadt.wien",
        "firma.co.jp",
        "startup.dev",
        "bank.example",
        "x.ai",
        "posta.it",
        "orange.fr",
        "sub.team.company.com",
        "straße.de",
        "agency.gov",
        "club.tennis.org",
        "shop.online",
        "a-b.net",
        "123.com",
        "mail.ru",
        "qq.com",
        "EXAMPLE.COM",
        "cs.stanford.edu",
    ];
    format!("{}@{}", pick(&NAMES, random), pick(&DOMAINS, random))
}

fn phone(random: &mut Random) -> String {
    const SHAPES: [&str; 14] = [
        "+1 415 555 ####",
        "+1-212-555-####",
        "+49 151 2#######",
        "+4915112######",
        "+44 20 7946 0###",
        "+44 7911 12####",
        "+33 6 12 34 5# ##",
        "+81 3-1234-5###",
        "+86 138 0013 8###",
        "+55 11 9####-####",
        "+91 98765 4####",
        "+1 (650) 555-####",
        "+49 (0)30 1234####",
        "+41.44.668.18.##",
    ];
    let shape = pick(&SHAPES, random);
    shaped(shape, random)
}

fn phone_us(random: &mut Random) -> String {
    const SHAPES: [&str; 6] = [
        "(415) 555-####",
        "415-555-####",
        "212.555.####",
        "1-800-555-####",
        "(650)555-####",
        "1 (303) 555-####",
    ];
    let shape = pick(&SHAPES, random);
    shaped(shape, random)
}

fn phone_eu(random: &mut Random) -> String {
    const SHAPES: [&str; 6] = [
        "030 1234####",
        "0151-2345####",
        "020 7946 0###",
        "07911 12####",
        "(0221) 12####",
        "0049 30 1234####",
    ];
    let shape = pick(&SHAPES, random);
    shaped(shape, random)
}

fn phone_fr(random: &mut Random) -> String {
    const SHAPES: [&str; 3] = ["01 4# ## ## ##", "06.7#.##.##.##", "07-8#-##-##-##"];
    let shape = pick(&SHAPES, random);
    shaped(shape, random)
}

/// A number of a length with the check digit of cards.
fn lunar(prefix: &str, length: usize, random: &mut Random) -> String {
    let body = format!("{prefix}{}", drawn(DIGITS, length - 1 - prefix.len(), random));
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits = body.bytes().rev().map(|byte| u32::from(byte - b'0')).enumerate();
    let sum: u32 = digits.map(|(at, digit)| if at % 2 == 0 { doubled(digit) } else { digit }).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

fn grouped(digits: &str, sizes: &[usize], gap: char) -> String {
    let (mut out, mut rest) = (String::new(), digits);
    for size in sizes {
        let (group, more) = rest.split_at((*size).min(rest.len()));
        if !out.is_empty() {
            out.push(gap);
        }
        out.push_str(group);
        rest = more;
    }
    out
}

fn card(random: &mut Random) -> String {
    const KINDS: [(&str, usize); 10] = [
        ("4", 16),
        ("51", 16),
        ("2223", 16),
        ("34", 15),
        ("6011", 16),
        ("3530", 16),
        ("62", 16),
        ("36", 14),
        ("55", 16),
        ("4", 19),
    ];
    let (prefix, length) = KINDS[random.below(10) as usize];
    let digits = lunar(prefix, length, random);
    let sizes: &[usize] = match length {
        14 => &[4, 6, 4],
        15 => &[4, 6, 5],
        16 => &[4, 4, 4, 4],
        _ => &[4, 4, 4, 4, 3],
    };
    match random.below(3) {
        0 => digits,
        1 => grouped(&digits, sizes, ' '),
        _ => grouped(&digits, sizes, '-'),
    }
}

/// Letters as two digits, then what is left of 97, digit by digit.
fn mod_97(text: &str) -> u32 {
    text.chars().fold(0, |sum, c| {
        let value = c.to_digit(36).unwrap_or(0);
        (sum * if value > 9 { 100 } else { 10 } + value) % 97
    })
}

fn iban(random: &mut Random) -> String {
    const COUNTRIES: [(&str, &str); 9] = [
        ("DE", "##################"),
        ("GB", "NWBK##############"),
        ("FR", "####################0##"),
        ("NL", "ABNA##########"),
        ("ES", "####################"),
        ("IT", "X######################"),
        ("FI", "##############"),
        ("CH", "#################"),
        ("NO", "###########"),
    ];
    let (country, shape) = COUNTRIES[random.below(9) as usize];
    let body = shaped(shape, random);
    let check = 98 - mod_97(&format!("{body}{country}00"));
    let whole = format!("{country}{check:02}{body}");
    if random.below(2) == 0 {
        return whole;
    }
    let groups: Vec<&str> =
        (0..whole.len()).step_by(4).map(|at| &whole[at..(at + 4).min(whole.len())]).collect();
    groups.join(" ")
}

fn ip(random: &mut Random) -> String {
    let part = |random: &mut Random| random.below(254) + 1;
    format!(
        "{}.{}.{}.{}",
        [10, 172, 192, 203, 81, 8][random.below(6) as usize],
        part(random),
        part(random),
        part(random)
    )
}

fn ip6(random: &mut Random) -> String {
    let group = |random: &mut Random| format!("{:x}", random.below(0xFFFF) + 1);
    match random.below(3) {
        0 => format!("2001:db8::{}", group(random)),
        1 => format!("fe80::1:{}:{}", group(random), group(random)),
        _ => (0..7).fold(String::from("2a02"), |out, _| format!("{out}:{}", group(random))),
    }
}

fn cpf(random: &mut Random) -> String {
    let mut digits: Vec<u64> = (0..9).map(|_| random.below(10)).collect();
    for _ in 0..2 {
        let top = digits.len() as u64 + 1;
        let sum: u64 = digits.iter().zip((2..=top).rev()).map(|(digit, weight)| digit * weight).sum();
        digits.push(match sum * 10 % 11 {
            10 => 0,
            rest => rest,
        });
    }
    let text: String = digits.iter().map(u64::to_string).collect();
    format!("{}.{}.{}-{}", &text[..3], &text[3..6], &text[6..9], &text[9..])
}

fn letter(number: u64) -> char {
    char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize])
}

fn nir(random: &mut Random) -> String {
    let body = format!(
        "{}{:02}{:02}{:02}{:03}{:03}",
        1 + random.below(2),
        random.below(100),
        1 + random.below(12),
        1 + random.below(95),
        1 + random.below(900),
        1 + random.below(900)
    );
    let number: u64 = body.parse().unwrap_or(0);
    let whole = format!("{body}{:02}", 97 - number % 97);
    if random.below(2) == 0 { whole } else { grouped(&whole, &[1, 2, 2, 2, 3, 3, 2], ' ') }
}

fn fiscal(random: &mut Random) -> String {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let body = format!(
        "{}{}{}{}{}{}",
        drawn(CAPITALS.get(..26).unwrap_or_default(), 6, random),
        shaped("##", random),
        pick(&["A", "D", "H", "R", "T"], random),
        shaped("##", random),
        pick(&["L", "F", "H"], random),
        shaped("###", random)
    );
    let value = |c: char| if c.is_ascii_digit() { u32::from(c) - 48 } else { u32::from(c) - 65 };
    let sum: u32 = body
        .chars()
        .enumerate()
        .map(|(at, c)| if at % 2 == 0 { ODD[value(c) as usize] } else { value(c) })
        .sum();
    format!("{body}{}", char::from(b'A' + (sum % 26) as u8))
}

fn key(random: &mut Random) -> String {
    // Prefix, what follows, how many.
    const FORMS: [(&str, &[u8], usize); 24] = [
        ("sk-proj-", DASHED, 120),
        ("sk-", PLAIN, 48),
        ("sk-ant-api03-", DASHED, 93),
        ("sk-or-v1-", HEX, 64),
        ("sk-", HEX, 32),
        ("gsk_", PLAIN, 52),
        ("xai-", PLAIN, 80),
        ("pplx-", PLAIN, 48),
        ("hf_", PLAIN, 34),
        ("r8_", PLAIN, 37),
        ("ghp_", PLAIN, 36),
        ("github_pat_11", PLAIN, 80),
        ("glpat-", DASHED, 20),
        ("npm_", PLAIN, 36),
        ("xoxb-", PLAIN, 40),
        ("AIza", DASHED, 35),
        ("GOCSPX-", DASHED, 28),
        ("sk_live_", PLAIN, 24),
        ("rk_test_", PLAIN, 32),
        ("shpat_", HEX, 32),
        ("dop_v1_", HEX, 64),
        ("hvs.", PLAIN, 90),
        ("whsec_", PLAIN, 32),
        ("dapi", HEX, 32),
    ];
    let (prefix, set, count) = FORMS[random.below(24) as usize];
    // Some keys of a short form would have no digit by chance; real ones hardly ever.
    format!("{prefix}{}4{}7", drawn(set, count / 2 - 1, random), drawn(set, count - count / 2 - 1, random))
}

fn token(random: &mut Random) -> String {
    let count = 20 + random.below(30) as usize;
    format!("{}8{}3{}", drawn(PLAIN, 6, random), drawn(PLAIN, count - 10, random), drawn(LOWER, 3, random))
}

fn pem(line: &str, random: &mut Random) -> String {
    let label = format!("{}PRIVATE KEY", pick(&["", "RSA ", "EC ", "OPENSSH "], random));
    let body: Vec<String> = (0..4 + random.below(8)).map(|_| drawn(PLAIN, 64, random)).collect();
    format!(
        "-----BEGIN {label}-----{line}{}{line}{}=={line}-----END {label}-----",
        body.join(line),
        drawn(PLAIN, 22, random)
    )
}

fn jwt(random: &mut Random) -> String {
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header =
        part(pick(&["{\"alg\":\"HS256\",\"typ\":\"JWT\"}", "{\"alg\":\"RS256\",\"kid\":\"7\"}"], random));
    let claims =
        part(&format!("{{\"sub\":\"{}\",\"iat\":17{}}}", random.below(99999), shaped("########", random)));
    format!("{header}.{claims}.{}", drawn(DASHED.get(..62).unwrap_or_default(), 43, random))
}

fn password(random: &mut Random) -> String {
    match random.below(5) {
        0 => format!("{}{}!", drawn(LOWER, 6, random), random.below(100)),
        1 => drawn(PLAIN, 11, random) + "9k",
        2 => format!("{}#{}", drawn(PLAIN, 6, random), drawn(LOWER, 4, random)),
        3 => format!("Winter{}$", 2000 + random.below(30)),
        _ => format!("{}-{}-{}", drawn(LOWER, 5, random), drawn(LOWER, 4, random), 10 + random.below(90)),
    }
}
