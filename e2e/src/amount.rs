//! Amounts of money as callers see them, without a float in between.

use serde_json::Value;
use types::Money;

/// The number written after `"cost":` in a body or chunk, as money. JSON libraries would make a float of it.
pub fn cost_in(body: &str) -> Option<Money> {
    let (_, rest) = body.rsplit_once("\"cost\":")?;
    let end = rest.find([',', '}', ']'])?;
    rest.get(..end)?.trim().parse().ok()
}

/// A field that carries an amount as decimal text.
pub fn text_field(record: &Value, name: &str) -> Option<Money> {
    record.get(name)?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_read_to_the_last_digit() {
        let body = r#"{"usage":{"prompt_tokens":1,"cost": 0.000000001 },"x":1}"#;
        assert_eq!(cost_in(body), Some(Money::from_nanos(1)));
        assert_eq!(cost_in(r#"{"cost":1e-9}"#), None, "scientific notation is refused");
        assert_eq!(cost_in("{}"), None);
    }
}
