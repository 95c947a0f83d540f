//! Typed ids. Each is a short text with a prefix that says what it names.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> $name {
                $name(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// An account that owns keys and money: `acct_...`; the owner's is `acct_owner`.
    AccountId
);
text_id!(
    /// A key: `key_...`. Never the key's text.
    KeyId
);
text_id!(
    /// A ledger entry; made by the caller, and its idempotency key.
    EntryId
);

/// The account of whoever runs the server.
pub const OWNER_ACCOUNT: &str = "acct_owner";

/// `gen-<unix seconds>-<20 alphanumerics>`: one client request and its outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenerationId([u8; GenerationId::LEN]);

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl GenerationId {
    /// Bytes of the text: ten digits of seconds serve until the year 2286.
    pub const LEN: usize = 4 + 10 + 1 + 20;

    /// Makes an id from an instant and 128 random bits.
    pub fn new(at: Timestamp, random: u128) -> GenerationId {
        let mut text = *b"gen-0000000000-00000000000000000000";
        let mut seconds = at.seconds().clamp(0, 9_999_999_999);
        for slot in text.iter_mut().skip(4).take(10).rev() {
            *slot = b'0' + (seconds % 10) as u8;
            seconds /= 10;
        }
        // Ten digits of each half: dividing 128 bits by 62 twenty times would cost more than the rest of the id.
        let halves = [random as u64, (random >> 64) as u64];
        for (half, mut rest) in halves.into_iter().enumerate() {
            for slot in text.iter_mut().skip(15 + half * 10).take(10) {
                *slot = ALPHANUMERIC.get((rest % 62) as usize).copied().unwrap_or(b'A');
                rest /= 62;
            }
        }
        GenerationId(text)
    }

    /// Reads the text form; `None` when it is not one.
    pub fn parse(text: &str) -> Option<GenerationId> {
        let bytes: [u8; GenerationId::LEN] = text.as_bytes().try_into().ok()?;
        let (head, tail) = text.strip_prefix("gen-")?.split_once('-')?;
        let well_formed = head.len() == 10
            && head.bytes().all(|b| b.is_ascii_digit())
            && tail.bytes().all(|b| b.is_ascii_alphanumeric());
        well_formed.then_some(GenerationId(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for GenerationId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for GenerationId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<GenerationId, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        GenerationId::parse(&text).ok_or_else(|| serde::de::Error::custom("not a generation id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_ids_have_the_form_that_clients_know() {
        let id = GenerationId::new(Timestamp::from_seconds(1_779_358_422), u128::MAX);
        assert!(id.as_str().starts_with("gen-1779358422-"), "{id}");
        assert_eq!(id.as_str().len(), GenerationId::LEN);
        assert_eq!(GenerationId::parse(id.as_str()), Some(id));
        assert_eq!(GenerationId::parse("gen-12-abc"), None);
        assert_eq!(GenerationId::parse("gen-1779358422-0000000000000000000\u{e9}"), None);
    }
}
