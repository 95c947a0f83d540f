//! Sealed reasoning in `encrypted_content`. What another family made travels in a wrapping of ours, so that a caller of this
//! dialect can give it back to who made it: `tollway.<format>.<s|e>.<call id or empty>.<data>`.

use crate::hub::{Seal, SealFormat};

const MARK: &str = "tollway.";

/// A seal as `encrypted_content`.
pub(super) fn wrap(seal: &Seal, call_id: &str) -> String {
    if seal.format == SealFormat::Responses && call_id.is_empty() {
        return seal.data.clone();
    }
    let kind = if seal.signature { 's' } else { 'e' };
    let call: String = call_id.chars().filter(|c| *c != '.').collect();
    format!("{MARK}{}.{kind}.{call}.{}", seal.format.name(), seal.data)
}

/// `encrypted_content` as a seal, and the call that it belongs to, if any.
pub(super) fn unwrap(content: &str, id: Option<&str>) -> (Seal, Option<String>) {
    let id = id.map(str::to_owned);
    let own =
        || Seal { format: SealFormat::Responses, data: content.to_owned(), signature: false, id: id.clone() };
    let Some(rest) = content.strip_prefix(MARK) else { return (own(), None) };
    let mut parts = rest.splitn(4, '.');
    let (Some(format), Some(kind), Some(call), Some(data)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return (own(), None);
    };
    let call = (!call.is_empty()).then(|| call.to_owned());
    let seal = Seal {
        format: SealFormat::read(format),
        data: data.to_owned(),
        signature: kind == "s",
        id: call.clone(),
    };
    (seal, call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_seals_come_back_as_they_went() {
        let seal =
            Seal { format: SealFormat::Gemini, data: "a.b".into(), signature: true, id: Some("c1".into()) };
        assert_eq!(unwrap(&wrap(&seal, "c1"), None), (seal, Some("c1".into())));
        let own = Seal {
            format: SealFormat::Responses,
            data: "x".into(),
            signature: false,
            id: Some("rs_1".into()),
        };
        assert_eq!((wrap(&own, ""), unwrap("x", Some("rs_1"))), ("x".into(), (own, None)));
    }
}
