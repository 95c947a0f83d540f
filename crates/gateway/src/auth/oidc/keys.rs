//! An issuer's keys, and the arithmetic of signatures: ring's.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Header};
use ring::digest;
use ring::signature as arithmetic;
use serde_json::Value;

/// Keys that are looked at; of a longer set the first.
const KEYS_MAX: usize = 64;

/// A set of public keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<Jwk>);

impl Keys {
    /// Reads a set (RFC 7517). Keys that nobody here understands are left out; `None`: it is no set.
    pub(super) fn read(body: &[u8]) -> Option<Keys> {
        let mut set: Value = serde_json::from_slice(body).ok()?;
        let Some(Value::Array(all)) = set.get_mut("keys").map(Value::take) else { return None };
        let keys = all.into_iter().take(KEYS_MAX).filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Some(Keys(keys.filter(is_for_signatures).collect()))
    }

    /// The keys that a token with this header can be signed with.
    pub(super) fn that_fit(&self, header: &Header) -> Vec<DecodingKey> {
        let mut fit: Vec<&Jwk> = self.0.iter().filter(|key| serves(key, header.alg)).collect();
        match &header.kid {
            Some(kid) => fit.retain(|key| key.common.key_id.as_ref() == Some(kid)),
            // Nobody tries a token against one key after the other.
            None if fit.len() > 1 => fit.clear(),
            None => {}
        }
        // Else the library has no arithmetic to do; that it is there already is no fault.
        let _ = ARITHMETIC.install_default();
        fit.into_iter().filter_map(|key| DecodingKey::from_jwk(key).ok()).collect()
    }
}

fn is_for_signatures(key: &Jwk) -> bool {
    let common = &key.common;
    let verifies = |ops: &Vec<KeyOperations>| ops.contains(&KeyOperations::Verify);
    common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(verifies)
}

/// Whether a key is of an algorithm's kind, and for no other algorithm.
fn serves(key: &Jwk, algorithm: Algorithm) -> bool {
    let is_kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => matches!(
            algorithm,
            Algorithm::RS256
                | Algorithm::RS384
                | Algorithm::RS512
                | Algorithm::PS256
                | Algorithm::PS384
                | Algorithm::PS512
        ),
        AlgorithmParameters::EllipticCurve(curve) => matches!(
            (&curve.curve, algorithm),
            (EllipticCurve::P256, Algorithm::ES256) | (EllipticCurve::P384, Algorithm::ES384)
        ),
        AlgorithmParameters::OctetKeyPair(pair) => {
            pair.curve == EllipticCurve::Ed25519 && algorithm == Algorithm::EdDSA
        }
        // A shared secret, or something unknown.
        _ => false,
    };
    is_kind && key.common.key_algorithm.is_none_or(|own| own == KeyAlgorithm::from(algorithm))
}

/// Whether an access token is the one that an ID token came with: `at_hash` is the first half of its hash.
pub(super) fn is_hash_of(at_hash: &str, access_token: &str, algorithm: Algorithm) -> bool {
    let kind = match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::EdDSA => &digest::SHA512,
        _ => &digest::SHA256,
    };
    let hash = digest::digest(kind, access_token.as_bytes());
    let half = hash.as_ref().get(..hash.as_ref().len() / 2).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half) == at_hash
}

/// The library's arithmetic: checks signatures of public keys, and signs nothing.
static ARITHMETIC: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(Error::from(ErrorKind::UnsupportedAlgorithm)),
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Check { algorithm: *algorithm, way: Way::of(*algorithm)?, key: key.clone() }))
    },
    // For the making of keys, which nobody does here.
    key_utils: KeyUtils::new_unimplemented(),
};

/// One signature to be checked.
struct Check {
    algorithm: Algorithm,
    way: Way,
    key: DecodingKey,
}

enum Way {
    Rsa(&'static arithmetic::RsaParameters),
    Point(&'static dyn arithmetic::VerificationAlgorithm),
}

impl Way {
    fn of(algorithm: Algorithm) -> Result<Way, Error> {
        Ok(match algorithm {
            Algorithm::RS256 => Way::Rsa(&arithmetic::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Way::Rsa(&arithmetic::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Way::Rsa(&arithmetic::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Way::Rsa(&arithmetic::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Way::Rsa(&arithmetic::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Way::Rsa(&arithmetic::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => Way::Point(&arithmetic::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Way::Point(&arithmetic::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Way::Point(&arithmetic::ED25519),
            _ => return Err(Error::from(ErrorKind::InvalidAlgorithm)),
        })
    }
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let done = match (&self.way, self.key.kind()) {
            (Way::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                arithmetic::RsaPublicKeyComponents { n, e }.verify(parameters, message, signed)
            }
            (Way::Point(kind), DecodingKeyKind::SecretOrDer(point)) => {
                arithmetic::UnparsedPublicKey::new(*kind, point).verify(message, signed)
            }
            _ => return Err(signature::Error::new()),
        };
        done.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
