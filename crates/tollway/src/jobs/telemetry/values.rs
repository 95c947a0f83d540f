//! Attributes of spans: what is empty is left out, what is long is cut.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};

/// Longest text of an attribute, characters.
const TEXT_CHARS_MAX: usize = 256;
/// Most values of a list.
const LIST_MAX: usize = 64;
/// Longest name that counts as one, bytes.
const NAME_BYTES_MAX: usize = 64;

/// Attributes in the order in which they were said.
#[derive(Default)]
pub(super) struct Attributes(pub(super) Vec<KeyValue>);

impl Attributes {
    pub(super) fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.push(name, string(text));
        }
    }

    pub(super) fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    pub(super) fn int(&mut self, name: &str, value: i64) {
        self.push(name, Value::IntValue(value));
    }

    /// A count; zero is left out unless it is told always.
    pub(super) fn units(&mut self, name: &str, units: u64, always: bool) {
        if units > 0 || always {
            self.int(name, i64::try_from(units).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn flag(&mut self, name: &str, value: bool) {
        self.push(name, Value::BoolValue(value));
    }

    /// A span of time that the convention wants as a fraction of seconds.
    pub(super) fn seconds(&mut self, name: &str, us: i64) {
        self.push(name, Value::DoubleValue(us as f64 / 1_000_000.0));
    }

    /// A list of texts; an empty one is left out.
    pub(super) fn list<'t>(&mut self, name: &str, texts: impl IntoIterator<Item = &'t str>) {
        let values: Vec<AnyValue> =
            texts.into_iter().take(LIST_MAX).map(|text| AnyValue { value: Some(string(text)) }).collect();
        if !values.is_empty() {
            self.push(name, Value::ArrayValue(ArrayValue { values }));
        }
    }

    fn push(&mut self, name: &str, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        self.0.push(KeyValue { key: name.to_owned(), value, ..KeyValue::default() });
    }
}

fn string(text: &str) -> Value {
    Value::StringValue(text.chars().take(TEXT_CHARS_MAX).collect())
}

/// Whether a text is a name such as those of errors, and no sentence that somebody wrote.
pub(super) fn is_stable_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(plain)
}
