//! Signed receipts: the bill of a generation that anybody can check without us.
//!
//! - A receipt is a JSON Web Signature in its compact form (RFC 7515): header, payload and signature in base64url with dots
//!   between. The header is `{"alg":"EdDSA","kid":...,"typ":"tollway-receipt"}`, the payload is `ledger::receipt`, the
//!   signature Ed25519 (RFC 8037). Libraries of every language read it.
//! - The public keys are a JSON Web Key Set; `kid` is the key's thumbprint (RFC 7638). A key that was used once stays listed,
//!   so that old receipts can be checked after the key was replaced.
//! - A receipt is made when it is read, and says what the books say then.
//!
//! `GET /.well-known/tollway-receipts.json` answers with the set.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Response;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::app::Worker;
use crate::body::ResponseBody;
use crate::router;

/// What the headers of receipts call them.
const TYPE: &str = "tollway-receipt";
/// The longest text that is looked at as a receipt, bytes.
pub const RECEIPT_BYTES_MAX: usize = 1 << 20;

/// Bytes of a secret key.
pub const SEED_BYTES: usize = 32;

/// What signs receipts.
#[derive(Debug)]
pub struct Signer {
    key: Ed25519KeyPair,
    kid: String,
    keys: Value,
}

/// Why a text can't be taken as a receipt of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not three parts of base64url with dots between, or no JSON in them.
    #[error("this is no receipt: {0}")]
    NotAReceipt(&'static str),
    /// Signed by nobody whose key is there.
    #[error("the receipt is signed with the key {0}, which is not among the public keys")]
    UnknownKey(String),
    /// Changed after it was signed, or signed by somebody else.
    #[error("the signature is wrong: the receipt was changed, or another key signed it")]
    BadSignature,
    /// Signed by us, and yet wrong.
    #[error("the receipt is signed, and its numbers don't fit: {0}")]
    BadSums(String),
    /// The key set is none.
    #[error("the public keys can't be read: {0}")]
    BadKeys(&'static str),
}

impl Signer {
    /// Signs with this secret key. `earlier` is a key set whose keys stay listed.
    pub fn new(seed: &[u8; SEED_BYTES], earlier: &Value) -> Result<Signer, ReceiptError> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| ReceiptError::BadKeys("the secret key is none of Ed25519"))?;
        let own = jwk(key.public_key().as_ref());
        let kid = own.get("kid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut keys = vec![own];
        let listed = earlier.get("keys").and_then(Value::as_array).into_iter().flatten();
        keys.extend(listed.filter(|other| other.get("kid").and_then(Value::as_str) != Some(&kid)).cloned());
        Ok(Signer { key, kid, keys: json!({ "keys": keys }) })
    }

    /// The public keys, the present one first.
    pub fn keys(&self) -> &Value {
        &self.keys
    }

    /// The present key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The receipt with this payload.
    pub fn sign(&self, payload: &str) -> String {
        let header = json!({ "alg": "EdDSA", "kid": self.kid, "typ": TYPE }).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// A public key as in a key set, named by its thumbprint.
fn jwk(public: &[u8]) -> Value {
    let x = URL_SAFE_NO_PAD.encode(public);
    let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
    let kid = URL_SAFE_NO_PAD.encode(thumbprint);
    json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig" })
}

/// What a receipt says, when it is whole and one of `keys` signed it. `keys` is a key set or a single key.
pub fn verify(receipt: &str, keys: &Value) -> Result<Value, ReceiptError> {
    let mut parts = receipt.trim().split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(ReceiptError::NotAReceipt("it has not three parts with dots between"));
    };
    let decode = |part: &str| {
        URL_SAFE_NO_PAD.decode(part).map_err(|_| ReceiptError::NotAReceipt("a part is not base64url"))
    };
    let read = |bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes).map_err(|_| ReceiptError::NotAReceipt("a part is not JSON"))
    };
    let told = read(&decode(header)?)?;
    let (content, proof) = (decode(payload)?, decode(signature)?);
    if told.get("alg").and_then(Value::as_str) != Some("EdDSA")
        || told.get("typ").and_then(Value::as_str) != Some(TYPE)
    {
        return Err(ReceiptError::NotAReceipt("its header says that it is something else"));
    }
    let kid = told.get("kid").and_then(Value::as_str).unwrap_or_default();
    let public = public_key(keys, kid)?;
    let signed = receipt.trim().rsplit_once('.').map_or("", |(signed, _)| signed);
    UnparsedPublicKey::new(&ED25519, public)
        .verify(signed.as_bytes(), &proof)
        .map_err(|_| ReceiptError::BadSignature)?;
    let content = read(&content)?;
    ledger::check_sums(&content).map_err(ReceiptError::BadSums)?;
    Ok(content)
}

fn public_key(keys: &Value, kid: &str) -> Result<Vec<u8>, ReceiptError> {
    let listed = match keys.get("keys") {
        Some(Value::Array(keys)) => keys.as_slice(),
        None if keys.get("kty").is_some() => std::slice::from_ref(keys),
        _ => return Err(ReceiptError::BadKeys("write the set of /.well-known/tollway-receipts.json")),
    };
    let key = listed.iter().find(|key| key.get("kid").and_then(Value::as_str) == Some(kid));
    let key = key.ok_or_else(|| ReceiptError::UnknownKey(kid.chars().take(64).collect()))?;
    let is_ours = key.get("kty").and_then(Value::as_str) == Some("OKP")
        && key.get("crv").and_then(Value::as_str) == Some("Ed25519");
    let x = key.get("x").and_then(Value::as_str).filter(|_| is_ours);
    x.and_then(|x| URL_SAFE_NO_PAD.decode(x).ok()).ok_or(ReceiptError::BadKeys("a key is none of Ed25519"))
}

/// The public keys.
pub fn show(worker: &Arc<Worker>) -> Response<ResponseBody> {
    router::json(worker.gateway.receipts.keys().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILL: &str = r#"{"charged_usd":"0.00018","cost_usd":"0.00018","lines":[{"amount_usd":"0.00018","bucket":"input","price_usd_per_million":"0.15","units":1200}]}"#;

    fn signer(seed: u8, earlier: &Value) -> Signer {
        Signer::new(&[seed; SEED_BYTES], earlier).unwrap()
    }

    /// RFC 8037, appendix A: the key, its thumbprint, and the signature of "Example of Ed25519 signing".
    #[test]
    fn keys_and_signatures_are_those_of_the_standard() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let signer = Signer::new(seed.as_slice().try_into().unwrap(), &Value::Null).unwrap();
        assert_eq!(signer.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(signer.keys()["keys"][0]["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let expect = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(URL_SAFE_NO_PAD.encode(signer.key.sign(signed.as_bytes())), expect);
    }

    #[test]
    fn a_receipt_is_valid_under_the_keys_and_after_they_were_replaced() {
        let first = signer(1, &Value::Null);
        let receipt = first.sign(BILL);
        let said = verify(&receipt, first.keys()).unwrap();
        assert_eq!(said["cost_usd"], "0.00018");
        let second = signer(2, first.keys());
        assert_eq!(second.keys()["keys"].as_array().unwrap().len(), 2);
        assert_eq!(verify(&format!("{receipt}\n"), second.keys()), Ok(said));
        let again = signer(2, second.keys());
        assert_eq!(again.keys(), second.keys(), "a key is listed once");
        assert!(matches!(verify(&second.sign(BILL), first.keys()), Err(ReceiptError::UnknownKey(_))));
    }

    #[test]
    fn every_changed_character_is_found() {
        let signer = signer(3, &Value::Null);
        let receipt = signer.sign(BILL);
        for at in 0..receipt.len() {
            let mut changed = receipt.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(verify(&changed, signer.keys()).is_err(), "{at}: {changed}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let signer = signer(4, &Value::Null);
        let sums = signer.sign(&BILL.replace("\"cost_usd\":\"0.00018\"", "\"cost_usd\":\"0.00017\""));
        let other = json!({ "alg": "none", "kid": signer.kid(), "typ": TYPE }).to_string();
        let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(other), URL_SAFE_NO_PAD.encode(BILL));
        let rows = [
            ("", "not three parts"),
            ("a.b", "not three parts"),
            ("?.?.?", "not base64url"),
            ("YQ.YQ.YQ", "not JSON"),
            (&unsigned, "something else"),
            (&sums, "sum to 0.00018, not to 0.00017"),
        ];
        for (receipt, expect) in rows {
            let error = verify(receipt, signer.keys()).unwrap_err().to_string();
            assert!(error.contains(expect), "{receipt}: {error}");
        }
        assert!(matches!(verify(&signer.sign(BILL), &json!([])), Err(ReceiptError::BadKeys(_))));
    }
}
