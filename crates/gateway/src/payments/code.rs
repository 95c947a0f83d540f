//! Voucher codes such as `TW-07ENW-3AHRZ-6DMV2-9GQAV`: Crockford's base 32, which has no I, L, O and U.
//!
//! The letters before them say what the text is, not whose: they stay when the brand changes, so that old cards are read.
//!
//! 18 random digits are 90 bits, so a plain SHA-256 is enough at rest; two more are a checksum over them. Lower case, spaces
//! and missing dashes are read too, O as 0, I and L as 1.

use sha2::{Digest, Sha256};
use types::KeyHash;

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RANDOM_DIGITS: usize = 18;
const ALL_DIGITS: usize = RANDOM_DIGITS + 2;

/// The secret text of a voucher. Debug shows only the label.
#[derive(Clone, PartialEq, Eq)]
pub struct VoucherCode(String);

impl std::fmt::Debug for VoucherCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VoucherCode({})", self.label())
    }
}

impl VoucherCode {
    /// Makes a code from random bytes.
    pub fn generate(random: [u8; RANDOM_DIGITS]) -> VoucherCode {
        let mut digits: String = random.iter().map(|byte| digit(*byte)).collect();
        let check = check(&digits);
        digits.push_str(&check);
        VoucherCode(digits)
    }

    /// Reads a code as a person types it; `None`: cut or mistyped.
    pub fn read(text: &str) -> Option<VoucherCode> {
        let text: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        let text = text.to_ascii_uppercase();
        // A code may begin with these letters by chance: only its length tells.
        let text = text.strip_prefix("TW").filter(|rest| rest.len() == ALL_DIGITS).unwrap_or(&text);
        let mut digits = String::with_capacity(ALL_DIGITS);
        for char in text.chars() {
            let char = match char {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            if !char.is_ascii() || !DIGITS.contains(&(char as u8)) || digits.len() == ALL_DIGITS {
                return None;
            }
            digits.push(char);
        }
        let (random, said) = digits.split_at_checked(RANDOM_DIGITS)?;
        (check(random) == said).then(|| VoucherCode(digits.clone()))
    }

    /// The code, as it is printed.
    pub fn expose(&self) -> String {
        let groups: Vec<&str> = (0..4).filter_map(|at| self.0.get(at * 5..at * 5 + 5)).collect();
        format!("TW-{}", groups.join("-"))
    }

    /// The hash under which it is stored.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }

    /// What may be shown later: `TW-AB...YZ`.
    pub fn label(&self) -> String {
        let end = self.0.len().saturating_sub(2);
        format!("TW-{}...{}", self.0.get(..2).unwrap_or_default(), self.0.get(end..).unwrap_or_default())
    }
}

fn digit(bits: u8) -> char {
    DIGITS.get(usize::from(bits % 32)).map_or('0', |digit| char::from(*digit))
}

fn check(digits: &str) -> String {
    Sha256::digest(format!("voucher {digits}")).iter().take(2).map(|byte| digit(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = VoucherCode::generate(std::array::from_fn(|at| at as u8 * 7));
        let text = code.expose();
        assert_eq!(text, "TW-07ENW-3AHRZ-6DMV2-9GQAV");
        for typed in [
            text.clone(),
            text.to_lowercase(),
            text.replace('-', " "),
            text.replace("TW-", "").replace('-', ""),
        ] {
            assert_eq!(
                VoucherCode::read(&typed).as_ref().map(VoucherCode::hash),
                Some(code.hash()),
                "{typed}"
            );
        }
        assert_eq!(VoucherCode::read(&text.replace('0', "o")), Some(code.clone()));
        assert!(!format!("{code:?}").contains(&text[8..13]));
    }

    #[test]
    fn one_wrong_digit_is_seen_nearly_always() {
        let code = VoucherCode::generate(std::array::from_fn(|at| at as u8 * 11));
        let (mut seen, mut all) = (0, 0);
        for at in 0..ALL_DIGITS {
            for other in DIGITS {
                let mut bytes = code.0.clone().into_bytes();
                if bytes[at] != *other {
                    bytes[at] = *other;
                    all += 1;
                    seen += usize::from(VoucherCode::read(std::str::from_utf8(&bytes).unwrap()).is_none());
                }
            }
        }
        assert!(seen * 100 >= all * 99, "{seen} of {all}");
        for bad in ["", "TW-", "TW-AAAAA", "TW-UUUUU-UUUUU-UUUUU-UUUUU", &format!("{}0", code.expose()), "ä"]
        {
            assert_eq!(VoucherCode::read(bad), None, "{bad}");
        }
    }
}
