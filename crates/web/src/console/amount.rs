//! Values of the API as pages show them.

use serde_json::Number;
use types::Money;

use crate::format::{self, Shown};

/// Dollars. The API tells nano-dollars exactly, as a JSON number.
pub(crate) fn dollars(number: &Number) -> Shown {
    money(number).map_or_else(Shown::unknown, format::cost)
}

/// The same as an amount.
pub(crate) fn money(number: &Number) -> Option<Money> {
    let text = number.to_string();
    // A number as small as a nano-dollar is written with an exponent.
    let plain = || number.as_f64().map(|dollars| format!("{dollars:.9}"));
    text.parse().ok().or_else(|| plain()?.parse().ok())
}

/// Dollars that the API tells as decimal text, as in records.
pub(crate) fn of_text(text: &str) -> Shown {
    text.parse().map_or_else(|_| Shown::unknown(), format::cost)
}

#[cfg(test)]
mod tests {
    use super::{dollars, of_text};

    #[test]
    fn amounts_lose_no_digit() {
        let shown = |text: &str| dollars(&serde_json::from_str(text).unwrap());
        assert_eq!(shown("12.5").short, "$12.50");
        assert_eq!(shown("0.000000525").exact, "$0.000000525");
        assert_eq!(shown("1e-9").exact, "$0.000000001");
        assert_eq!(shown("0").short, "$0.00");
        assert!(!shown("1e40").is_known);
        assert_eq!((of_text("0.00012").short, of_text("much").is_known), (String::from("$0.00012"), false));
    }
}
