//! Sealing provider keys: XChaCha20-Poly1305 under a master key, a random nonce for each, and bound to its row, so that a
//! ciphertext that is moved to another row, account, provider or address opens nowhere.
//!
//! - There may be several master keys. The last one seals, each opens what it sealed. A master key's id is a hash of it, so
//!   that no id can name the wrong key.
//! - They come from the configuration, or from a file with one key a line (64 hexadecimal digits or 44 of base64; `#` begins a
//!   remark), which is made on the first start where nothing is configured. Only its owner may read it.
//! - A row whose master key is not there is a clear error of that row, and nothing else.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use types::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// Version of the sealed form, first in its text.
const FORM: &str = "1.";
/// Largest master key file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What a sealed key is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The row.
    pub id: &'a str,
    /// Whose.
    pub account: &'a str,
    /// For which provider.
    pub provider: &'a str,
    /// The only address it may be sent to, where that isn't the provider's own.
    pub base_url: Option<&'a str>,
}

impl Bound<'_> {
    /// Each part with its length before it, so that no two rows make the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut out = b"tollway byok 1".to_vec();
        for part in [Some(self.id), Some(self.account), Some(self.provider), self.base_url] {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(part.unwrap_or_default().as_bytes());
        }
        out
    }
}

/// Why something can't be sealed or opened. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The master key isn't there.
    #[error(
        "it is sealed under master key {0}, which is not configured; add that key to `byok.master_key_file`, or enter the provider key again"
    )]
    UnknownMaster(String),
    /// What is stored is not what was sealed.
    #[error("its sealed text does not belong to its row or was damaged; enter the provider key again")]
    Damaged,
    /// The system gave no randomness, or there is nothing to seal with.
    #[error("it can't be sealed at the moment; try again")]
    Unsealed,
}

struct Master {
    id: String,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

/// The master keys, the oldest first.
pub struct Masters {
    keys: Vec<Master>,
    file: Option<PathBuf>,
}

impl std::fmt::Debug for Masters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masters").field("ids", &self.ids()).field("file", &self.file).finish()
    }
}

impl Masters {
    /// Those of a text: keys with white space or commas between them, the newest last.
    ///
    /// # Errors
    /// What is wrong with it, never what it holds.
    pub fn given(text: &SecretString) -> Result<Masters, String> {
        let mut keys = Vec::new();
        for (number, word) in text.expose_secret().split([',', ' ', '\t', '\r', '\n']).enumerate() {
            if !word.is_empty() {
                keys.push(master(word).ok_or_else(|| wrong(number + 1, "key"))?);
            }
        }
        Masters::of(keys, None)
    }

    /// Those of a file.
    ///
    /// # Errors
    /// It can't be read, or what is wrong with it, never what it holds.
    pub fn from_file(path: &Path) -> Result<Masters, String> {
        let mut text = Zeroizing::new(String::new());
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
            .map_err(|error| format!("{} can't be read: {error}", path.display()))?;
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let bad = || format!("{}: {}", path.display(), wrong(number + 1, "line"));
                keys.push(master(line).ok_or_else(bad)?);
            }
        }
        Masters::of(keys, Some(path.to_owned())).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Those of a file, which is made with one new key where it isn't there.
    ///
    /// # Errors
    /// As [`Masters::from_file`]; it can't be written.
    pub fn from_file_or_new(path: &Path) -> Result<Masters, String> {
        let failed = |error: io::Error| format!("{} can't be written: {error}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let key = new_key()?;
        let line = Zeroizing::new(format!("{HEAD}{}\n", hex(&*key).as_str()));
        // Written beside it and put in place whole, so that nobody reads half a key; who comes second uses the first one's.
        let beside = path.with_extension(format!("new-{}", std::process::id()));
        if !path.exists() {
            write_private(&beside, &line).map_err(failed)?;
            let linked = fs::hard_link(&beside, path);
            let _ = fs::remove_file(&beside);
            match linked {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => (),
            }
        }
        Masters::from_file(path)
    }

    /// Adds a new key to the file that these are from; it seals from then on.
    ///
    /// # Errors
    /// They are from no file, or it can't be written.
    pub fn add_new(&self) -> Result<Masters, String> {
        let path = self.file.as_deref().ok_or(
            "the master keys are given by `byok.master_key`; add a new key at its end, restart, and rotate without --new-key",
        )?;
        let failed = |error: io::Error| format!("{} can't be written: {error}", path.display());
        let key = new_key()?;
        let mut text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(hex(&*key).as_str());
        text.push('\n');
        let beside = path.with_extension(format!("new-{}", std::process::id()));
        write_private(&beside, &text).and_then(|()| fs::rename(&beside, path)).map_err(failed)?;
        Masters::from_file(path)
    }

    fn of(keys: Vec<Master>, file: Option<PathBuf>) -> Result<Masters, String> {
        if keys.is_empty() {
            return Err(String::from("holds no master key; write 64 hexadecimal digits, or 44 of base64"));
        }
        Ok(Masters { keys, file })
    }

    /// The same read again; `None` where they are from no file.
    pub(crate) fn again(&self) -> Option<Result<Masters, String>> {
        self.file.as_deref().map(Masters::from_file)
    }

    /// Their ids, the newest last.
    pub fn ids(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.id.as_str()).collect()
    }

    /// Whether the key of this id is there.
    pub fn knows(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// Whether something is sealed with the newest key.
    pub fn is_newest(&self, id: &str) -> bool {
        self.keys.last().is_some_and(|key| key.id == id)
    }

    /// Seals with the newest key: the sealed text and that key's id.
    ///
    /// # Errors
    /// [`SealError::Unsealed`].
    pub fn seal(&self, bound: &Bound<'_>, text: &SecretString) -> Result<(String, String), SealError> {
        let master = self.keys.last().ok_or(SealError::Unsealed)?;
        let mut nonce = [0u8; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| SealError::Unsealed)?;
        let payload = Payload { msg: text.expose_secret().as_bytes(), aad: &bound.bytes() };
        let sealed =
            cipher(master).encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Unsealed)?;
        let whole: Vec<u8> = nonce.into_iter().chain(sealed).collect();
        Ok((format!("{FORM}{}", STANDARD.encode(whole)), master.id.clone()))
    }

    /// Opens what the key of this id has sealed.
    ///
    /// # Errors
    /// The key isn't there, or it was sealed for another row.
    pub fn open(&self, bound: &Bound<'_>, sealed: &str, id: &str) -> Result<SecretString, SealError> {
        let master = self.keys.iter().find(|key| key.id == id);
        let master = master.ok_or_else(|| SealError::UnknownMaster(id.chars().take(40).collect()))?;
        let whole = sealed.strip_prefix(FORM).and_then(|text| STANDARD.decode(text).ok());
        let whole = whole.ok_or(SealError::Damaged)?;
        let (nonce, sealed) = whole.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Damaged)?;
        let payload = Payload { msg: sealed, aad: &bound.bytes() };
        let text = cipher(master).decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::Damaged)?;
        let text = Zeroizing::new(text);
        std::str::from_utf8(&text).map(SecretString::from).map_err(|_| SealError::Damaged)
    }
}

const HEAD: &str = "# Master keys of provider keys, one a line; the last one seals. Without them stored provider keys can't be read.\n";

fn cipher(master: &Master) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&*master.key).into())
}

fn wrong(number: usize, what: &str) -> String {
    format!("{what} {number} is no master key; write 32 bytes as 64 hexadecimal digits, or as 44 of base64")
}

fn new_key() -> Result<Zeroizing<[u8; KEY_BYTES]>, String> {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    getrandom::fill(&mut *key).map_err(|error| format!("no randomness for a master key: {error}"))?;
    Ok(key)
}

fn master(text: &str) -> Option<Master> {
    let bytes = Zeroizing::new(match text.len() {
        64 => text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?,
        _ => STANDARD.decode(text).ok()?,
    });
    let key = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()?);
    let digest = Sha256::new().chain_update(b"tollway byok master key").chain_update(*key).finalize();
    let id = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Some(Master { id, key })
}

fn byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(
        bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| format!("{text}{byte:02x}")),
    )
}

/// A file that only its owner can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn bound(id: &str) -> Bound<'_> {
        Bound { id, account: "acct_a", provider: "openai", base_url: None }
    }

    fn masters(text: &str) -> Masters {
        Masters::given(&SecretString::from(text)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_row_only() {
        let keys = masters(ONE);
        let text = SecretString::from("sk-secret");
        let (sealed, id) = keys.seal(&bound("byok_1"), &text).unwrap();
        assert!(!sealed.contains("sk-secret") && keys.is_newest(&id));
        assert_eq!(keys.open(&bound("byok_1"), &sealed, &id).unwrap().expose_secret(), "sk-secret");
        let (again, _) = keys.seal(&bound("byok_1"), &text).unwrap();
        assert_ne!(sealed, again, "each has a nonce of its own");
        let others = [
            bound("byok_2"),
            Bound { account: "acct_b", ..bound("byok_1") },
            Bound { provider: "mistral", ..bound("byok_1") },
            Bound { base_url: Some("https://evil.example"), ..bound("byok_1") },
            Bound { id: "byok_1acct_a", account: "", ..bound("") },
        ];
        for other in others {
            assert_eq!(keys.open(&other, &sealed, &id).unwrap_err(), SealError::Damaged, "{other:?}");
        }
        for damaged in ["", "1.", "1.AAAA", &sealed[2..], &format!("{}A", &sealed[..sealed.len() - 2])] {
            assert_eq!(
                keys.open(&bound("byok_1"), damaged, &id).unwrap_err(),
                SealError::Damaged,
                "{damaged}"
            );
        }
    }

    #[test]
    fn several_master_keys_open_and_the_newest_seals() {
        let two = STANDARD.encode([7u8; 32]);
        let (old, both, new) = (masters(ONE), masters(&format!("{ONE}, {two}")), masters(&two));
        let text = SecretString::from("sk-secret");
        let (sealed, id) = old.seal(&bound("a"), &text).unwrap();
        assert!(both.open(&bound("a"), &sealed, &id).is_ok());
        assert_eq!(new.open(&bound("a"), &sealed, &id).unwrap_err(), SealError::UnknownMaster(id.clone()));
        let (sealed, newest) = both.seal(&bound("a"), &text).unwrap();
        assert_ne!(id, newest);
        assert!(new.open(&bound("a"), &sealed, &newest).is_ok() && !both.is_newest(&id));
    }

    #[test]
    fn what_is_no_master_key_is_refused_without_showing_it() {
        for text in
            ["", "  ", "abc", &ONE[..62], "zz0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]
        {
            let error = Masters::given(&SecretString::from(text)).unwrap_err();
            assert!(text.trim().is_empty() || !error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_file_is_made_once_for_its_owner_only_and_takes_new_keys() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/keys");
        let first = Masters::from_file_or_new(&path).unwrap();
        assert_eq!(first.ids(), Masters::from_file_or_new(&path).unwrap().ids());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let more = first.add_new().unwrap();
        assert_eq!(more.ids().first(), first.ids().first());
        assert_eq!((more.ids().len(), first.again().unwrap().unwrap().ids().len()), (2, 2));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(masters(ONE).add_new().is_err() && masters(ONE).again().is_none());
    }
}
