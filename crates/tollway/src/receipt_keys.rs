//! The key that signs receipts: given by file or variable, else made on the first start.
//!
//! - The secret key is Ed25519 in PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it. Our own is
//!   `receipt-key.pem` in the data folder, readable by its owner only.
//! - `receipt-keys.json` beside it is the set of public keys. One that was used stays in it when another takes its place.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gateway::receipts::{SEED_BYTES, Signer};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use types::ExposeSecret;

use crate::config::Config;

const SECRET_FILE: &str = "receipt-key.pem";
/// The set of public keys, in the data folder.
pub(crate) const PUBLIC_FILE: &str = "receipt-keys.json";

/// DER of a PKCS#8 key before its 32 bytes (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// The algorithm's name, and what stands before the key, in either version of PKCS#8.
const ED25519_OID: [u8; 5] = [6, 3, 0x2b, 0x65, 0x70];
const KEY_HEAD: [u8; 4] = [4, 0x22, 4, 0x20];

/// What signs receipts in this configuration. Makes the key where there is none, and lists its public half.
pub(crate) fn signer(config: &Config) -> anyhow::Result<Signer> {
    let dir = &config.server.data_dir;
    let seed = match (&config.billing.receipt_key, &config.billing.receipt_key_file) {
        (Some(text), _) => {
            seed_of(text.expose_secret()).context("billing.receipt_key is no secret key of Ed25519 in PEM")?
        }
        (None, Some(path)) => read(path)?,
        (None, None) => match dir.join(SECRET_FILE) {
            path if path.exists() => read(&path)?,
            path => make(&path)?,
        },
    };
    let public = dir.join(PUBLIC_FILE);
    let earlier = match std::fs::read(&public) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is damaged; restore it or take it away", public.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
        Err(error) => return Err(error).with_context(|| format!("can't read {}", public.display())),
    };
    let signer = Signer::new(&seed, &earlier)?;
    if *signer.keys() != earlier {
        keep(&public, signer.keys()).with_context(|| format!("can't write {}", public.display()))?;
    }
    Ok(signer)
}

fn read(path: &Path) -> anyhow::Result<[u8; SEED_BYTES]> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    seed_of(&text).with_context(|| {
        let path = path.display();
        format!("{path} is no secret key of Ed25519; make one with `openssl genpkey -algorithm ed25519 -out {path}`")
    })
}

/// The 32 bytes in the PEM.
fn seed_of(pem: &str) -> anyhow::Result<[u8; SEED_BYTES]> {
    let Ok(der) = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()) else {
        bail!("there is no PRIVATE KEY in PEM");
    };
    let der = der.secret_pkcs8_der();
    let find = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).position(|at| at == wanted);
    let rest = find(der, &ED25519_OID).and_then(|at| der.get(at..));
    let key = rest.and_then(|rest| rest.get(find(rest, &KEY_HEAD)? + KEY_HEAD.len()..));
    let seed = key.and_then(|key| key.first_chunk::<SEED_BYTES>());
    seed.copied().context("the key is of another kind")
}

fn make(path: &Path) -> anyhow::Result<[u8; SEED_BYTES]> {
    let mut seed = [0u8; SEED_BYTES];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let der = [PKCS8_HEAD.as_slice(), &seed].concat();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        });
    written.with_context(|| format!("can't write {}", path.display()))?;
    Ok(seed)
}

/// Whole or not at all.
fn keep(path: &Path, keys: &Value) -> std::io::Result<()> {
    let draft = path.with_extension("json.new");
    std::fs::write(&draft, format!("{keys:#}\n"))?;
    std::fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config(dir: &Path) -> Config {
        let mut config = crate::config::defaults().unwrap();
        config.server.data_dir = dir.to_owned();
        config
    }

    #[test]
    fn a_key_is_made_once_kept_to_its_owner_and_stays_listed() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        let first = signer(&config).unwrap();
        let mode = std::fs::metadata(dir.path().join(SECRET_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(signer(&config).unwrap().keys(), first.keys());
        std::fs::remove_file(dir.path().join(SECRET_FILE)).unwrap();
        let second = signer(&config).unwrap();
        assert_ne!(second.kid(), first.kid());
        assert_eq!(second.keys()["keys"][1], first.keys()["keys"][0]);
        let receipt = first.sign(r#"{"charged_usd":"0","cost_usd":"0"}"#);
        gateway::receipts::verify(&receipt, second.keys()).unwrap();
    }

    /// The example key of RFC 8410, section 10.3, as openssl writes it.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";

    #[test]
    fn keys_of_openssl_are_read_and_others_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own.pem");
        std::fs::write(&path, OPENSSL).unwrap();
        let mut config = config(dir.path());
        config.billing.receipt_key_file = Some(path.clone());
        assert_eq!(
            signer(&config).unwrap().keys()["keys"][0]["x"],
            "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"
        );
        assert!(!dir.path().join(SECRET_FILE).exists());
        std::fs::write(&path, OPENSSL.replace("K2Vw", "K2Vx")).unwrap();
        let error = format!("{:#}", signer(&config).unwrap_err());
        assert!(error.contains("openssl genpkey"), "{error}");
    }
}
