//! A snapshot as bytes: what the binary embeds. Postcard behind a mark that names the format's version.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

/// Changes whenever a struct that is stored changes.
const MARK: &[u8; 8] = b"twcat\x00\x00\x02";

/// Bytes that are hashed together.
const HASHED_AT_ONCE: usize = 4_096;

/// Why bytes are not a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// They begin with something else: another program or version wrote them.
    #[error("these bytes are not a catalog snapshot of this version")]
    Mark,
    /// They are cut or damaged.
    #[error("the catalog snapshot is damaged: {0}")]
    Damaged(#[from] postcard::Error),
    /// An endpoint names a model or provider that is not there.
    #[error("the catalog snapshot is damaged: an endpoint points nowhere")]
    Dangling,
}

/// Writes the mark and the value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(postcard::to_extend(value, MARK.to_vec())?)
}

/// The hash of what [`encode`] would write, which is never there as a whole.
pub(crate) fn digest<T: Serialize>(value: &T) -> Result<[u8; 32], CodecError> {
    let mut hashed = Hashed { hash: Sha256::new(), last: MARK.to_vec() };
    hashed = postcard::to_extend(value, hashed)?;
    hashed.hash.update(&hashed.last);
    Ok(hashed.hash.finalize().into())
}

/// Bytes on their way into a hash.
struct Hashed {
    hash: Sha256,
    last: Vec<u8>,
}

impl Extend<u8> for Hashed {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        self.last.extend(bytes);
        if self.last.len() >= HASHED_AT_ONCE {
            self.hash.update(&self.last);
            self.last.clear();
        }
    }
}

/// Reads what [`encode`] wrote; bytes left over are damage.
pub(crate) fn decode<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, CodecError> {
    let body = bytes.strip_prefix(MARK.as_slice()).ok_or(CodecError::Mark)?;
    let (value, rest) = postcard::take_from_bytes(body)?;
    if rest.is_empty() { Ok(value) } else { Err(postcard::Error::DeserializeBadEncoding.into()) }
}

/// Long lists that get all of their room at once, and some for what a configuration adds: serde gives at most a megabyte
/// ahead, and a list that grows leaves its former places behind.
pub(crate) struct Whole<T>(pub(crate) Vec<T>);

/// The most items that a length ahead of them is trusted for: damaged bytes may claim any.
const TRUSTED_MAX: usize = 1 << 14;
/// Room for more.
const SPARE: usize = 32;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
                let length = items.size_hint().unwrap_or_default().min(TRUSTED_MAX);
                let mut list = Vec::with_capacity(length + SPARE);
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(list)
            }
        }
        d.deserialize_seq(Items(PhantomData)).map(Whole)
    }
}

/// Price sheets for postcard. Their own form leaves fields out, which a format without field names can't read back.
pub(crate) mod sheet {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use types::PriceSheet;

    pub(crate) fn serialize<S: Serializer>(sheet: &Arc<PriceSheet>, s: S) -> Result<S::Ok, S::Error> {
        (&sheet.quotes, &sheet.overrides).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<PriceSheet>, D::Error> {
        let (quotes, overrides) = Deserialize::deserialize(d)?;
        Ok(Arc::new(PriceSheet { quotes, overrides }))
    }
}

/// Texts that recur, such as source ids and dates. Reading one that was read a moment ago shares it: a catalog has tens
/// of thousands of them and a few hundred different ones.
pub(crate) mod shared {
    use std::cell::RefCell;
    use std::fmt;
    use std::sync::Arc;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    /// How many texts are remembered, per thread.
    const RECENT_MAX: usize = 8;

    thread_local! {
        static RECENT: RefCell<Vec<Arc<str>>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn serialize<S: Serializer>(text: &Arc<str>, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Arc<str>, D::Error> {
        d.deserialize_str(Shared)
    }

    struct Shared;

    impl Visitor<'_> for Shared {
        type Value = Arc<str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
            Ok(RECENT.with_borrow_mut(|recent| {
                if let Some(at) = recent.iter().position(|known| **known == *text) {
                    if let Some(head) = recent.get_mut(..=at) {
                        head.rotate_right(1);
                    }
                } else {
                    recent.truncate(RECENT_MAX - 1);
                    recent.insert(0, Arc::from(text));
                }
                recent.first().map_or_else(|| Arc::from(text), Arc::clone)
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Text(#[serde(with = "shared")] Arc<str>);

    #[test]
    fn recurring_texts_are_shared_and_right() {
        let texts: Vec<Text> =
            (0..40).map(|n| Text(format!("text {}", n * n % 13).as_str().into())).collect();
        let again: Vec<Text> = decode(&encode(&texts).unwrap()).unwrap();
        assert_eq!(again, texts);
        let letters = ["a", "b", "a"].map(|letter| Text(letter.into())).to_vec();
        let twice: Vec<Text> = decode(&encode(&letters).unwrap()).unwrap();
        assert!(Arc::ptr_eq(&twice[0].0, &twice[2].0));
    }
}
