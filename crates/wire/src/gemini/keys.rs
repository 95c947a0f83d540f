//! Callers' names: camelCase and snake_case alike.

use std::borrow::Cow;

use crate::node::Node;

/// A member of an object that the dialect defines.
pub(super) struct Field<'b> {
    /// Its name in camelCase.
    pub(super) name: Cow<'b, str>,
    /// Its name as it came, for pointers.
    pub(super) key: Cow<'b, str>,
    /// Its value; never `null`.
    pub(super) value: Node<'b>,
}

/// The members of an object, their names in camelCase.
pub(super) fn fields(node: Node<'_>) -> Vec<Field<'_>> {
    node.members()
        .into_iter()
        .map(|(key, value)| Field { name: Cow::Owned(camel(&key).into_owned()), key, value })
        .collect()
}

/// The member of this camelCase name, in either spelling.
pub(super) fn get<'b>(node: Node<'b>, name: &str) -> Option<Node<'b>> {
    node.members().into_iter().find(|(key, _)| camel(key) == name).map(|(_, value)| value)
}

/// The string member of this camelCase name.
pub(super) fn get_string<'b>(node: Node<'b>, name: &str) -> Option<Cow<'b, str>> {
    get(node, name)?.string()
}

/// A whole number, also where it comes as a string, as protobuf writes 64 bits.
pub(super) fn number(node: Node<'_>) -> Option<u64> {
    node.u64().or_else(|| node.string()?.parse().ok())
}

/// The elements of a list; anything else is a list of itself.
pub(super) fn list(node: Node<'_>) -> Vec<Node<'_>> {
    if node.raw().starts_with(b"[") { node.elements() } else { vec![node] }
}

/// A name in camelCase.
pub(crate) fn camel(key: &str) -> Cow<'_, str> {
    if !key.contains('_') {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len());
    let mut upper = false;
    for letter in key.chars() {
        match letter {
            '_' => upper = !name.is_empty(),
            letter if std::mem::take(&mut upper) => name.extend(letter.to_uppercase()),
            letter => name.push(letter),
        }
    }
    Cow::Owned(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one() {
        for (key, name) in [
            ("topP", "topP"),
            ("top_p", "topP"),
            ("_responseJsonSchema", "responseJsonSchema"),
            ("parameters_json_schema", "parametersJsonSchema"),
            ("", ""),
            ("_", ""),
        ] {
            assert_eq!(camel(key), name);
        }
    }
}
