//! An issuer of identities (OpenID Connect) whose every word can be bent: it holds its clients to secret, redirect URI and PKCE, gives
//! each code away once, and signs what a test wants it to sign with keys of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use ring::{digest, hmac};
use serde_json::{Value, json};
use url::Url;

use crate::{AppBuilder, FakeUpstream, Recorded, Script, TestApp};

/// What the server under test is called there, and with what it proves it.
pub const CLIENT_ID: &str = "tollway test";
/// Holds what has to be encoded before it goes into a header.
pub const CLIENT_SECRET: &str = "canary:secret+of 100%";

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key of an issuer's.
pub struct Key {
    /// Its `kid`.
    pub kid: String,
    pair: Pair,
}

impl Key {
    /// A new one for an algorithm: `ES256`, `ES384` or `EdDSA`.
    pub fn new(kid: &str, algorithm: &str) -> Key {
        let random = SystemRandom::new();
        let ecdsa = |kind| {
            let made = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
            EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).expect("a key")
        };
        let pair = match algorithm {
            "ES256" => Pair::P256(ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Pair::P384(ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            "EdDSA" => {
                let made = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).expect("a key"))
            }
            other => panic!("no keys for {other}"),
        };
        Key { kid: kid.to_owned(), pair }
    }

    /// The algorithm that it signs with.
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    /// What everybody may know of it, as bytes.
    pub fn public(&self) -> &[u8] {
        match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// The same as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let mut jwk = json!({ "kid": self.kid, "use": "sig", "alg": self.algorithm() });
        if let Pair::Ed25519(_) = self.pair {
            (jwk["kty"], jwk["crv"], jwk["x"]) =
                (json!("OKP"), json!("Ed25519"), json!(encoded(self.public())));
            return jwk;
        }
        let point = &self.public()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let curve = if point.len() == 64 { "P-256" } else { "P-384" };
        (jwk["kty"], jwk["crv"]) = (json!("EC"), json!(curve));
        (jwk["x"], jwk["y"]) = (json!(encoded(x)), json!(encoded(y)));
        jwk
    }

    /// A header as this key's tokens have it.
    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "kid": self.kid, "typ": "JWT" })
    }

    /// A token with any header, signed by this key.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = unsigned(header, claims);
        let signature = match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature").as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(text.as_bytes()).as_ref().to_vec(),
        };
        format!("{text}.{}", encoded(&signature))
    }
}

/// Bytes as tokens have them.
pub fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and claims, without a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()))
}

/// A token "signed" with a secret: what somebody makes who takes a public key for one.
pub fn signed_with_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let text = unsigned(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", encoded(tag.as_ref()))
}

type Forge = Arc<dyn Fn(&Key, &Value) -> String + Send + Sync>;

/// What a code stands for.
struct Grant {
    redirect_uri: String,
    challenge: String,
    claims: Value,
}

struct Inner {
    keys: Vec<Arc<Key>>,
    /// Keys that are published beside.
    more_keys: Vec<Value>,
    grants: BTreeMap<String, Grant>,
    codes: usize,
    forge: Forge,
    metadata: Value,
    userinfo: Option<Value>,
    /// Access tokens that were given out; the last of them is taken.
    access_tokens: usize,
    now: fn() -> i64,
}

/// An issuer on a free port of the loopback. It stops when it is dropped.
pub struct FakeIssuer {
    /// Its server.
    pub server: FakeUpstream,
    inner: Arc<Mutex<Inner>>,
}

impl FakeIssuer {
    /// Starts one, with a clock (seconds since 1970).
    pub fn start(now: fn() -> i64) -> FakeIssuer {
        let server = FakeUpstream::start();
        let url = format!("http://{}", server.addr());
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize?tenant=1"),
            "token_endpoint": format!("{url}/token?tenant=1"),
            "userinfo_endpoint": format!("{url}/userinfo"),
            "jwks_uri": format!("{url}/keys"),
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "ES384", "EdDSA", "HS256", "none"],
        });
        let inner = Arc::new(Mutex::new(Inner {
            keys: vec![Arc::new(Key::new("k1", "ES256"))],
            more_keys: Vec::new(),
            grants: BTreeMap::new(),
            codes: 0,
            forge: Arc::new(|key, claims| key.sign(&key.header(), claims)),
            metadata,
            userinfo: None,
            access_tokens: 0,
            now,
        }));
        let own = Arc::clone(&inner);
        server.answer_with(move |request| own.lock().answer(request));
        FakeIssuer { server, inner }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.addr())
    }

    /// A server with this issuer as `main`, and callers told apart by `X-Forwarded-For`.
    pub fn app(&self) -> AppBuilder {
        self.on(TestApp::builder())
    }

    /// The same on what was begun.
    pub fn on(&self, builder: AppBuilder) -> AppBuilder {
        builder
            .set("server.trusted_proxies", "[\"127.0.0.1\"]")
            .set("sign_in.main.issuer", &format!("{:?}", self.url()))
            .set("sign_in.main.name", "\"The lab\"")
            .set("sign_in.main.client_id", &format!("{CLIENT_ID:?}"))
            .set("sign_in.main.client_secret", &format!("{CLIENT_SECRET:?}"))
    }

    /// The key that it signs with now.
    pub fn key(&self) -> Arc<Key> {
        Arc::clone(self.inner.lock().keys.last().expect("a key"))
    }

    /// Signs with another key from now on, and publishes it alone.
    pub fn rotate(&self, key: Key) {
        self.inner.lock().keys = vec![Arc::new(key)];
    }

    /// Publishes this key beside its own.
    pub fn publish(&self, jwk: Value) {
        self.inner.lock().more_keys.push(jwk);
    }

    /// Changes what it says of itself.
    pub fn says(&self, name: &str, value: Value) {
        self.inner.lock().metadata[name] = value;
    }

    /// What it answers to who asks for more than the token says; `None`: 404.
    pub fn tells(&self, claims: Option<Value>) {
        self.inner.lock().userinfo = claims;
    }

    /// Makes tokens like this from now on, out of its key and the claims that would be right.
    pub fn forge(&self, make: impl Fn(&Key, &Value) -> String + Send + Sync + 'static) {
        self.inner.lock().forge = Arc::new(make);
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let plain = |request: &Recorded| request.path().split('?').next() == Some(path);
        self.server.requests().iter().filter(|request| plain(request)).count()
    }

    /// What a browser does that was sent here: somebody with these claims signs in, and the browser goes back to the path that this
    /// gives.
    pub fn authorize(&self, location: &str, person: &Value) -> String {
        let asked = Url::parse(location).expect("an address");
        assert!(location.starts_with(&format!("{}/authorize?tenant=1&", self.url())), "{location}");
        let of: BTreeMap<String, String> = asked.query_pairs().into_owned().collect();
        let get = |name: &str| of.get(name).cloned().unwrap_or_else(|| panic!("no {name} in {location}"));
        assert_eq!((get("response_type").as_str(), get("client_id").as_str()), ("code", CLIENT_ID));
        assert_eq!(get("code_challenge_method"), "S256");
        assert!(get("scope").split(' ').any(|scope| scope == "openid"), "{location}");
        let mut inner = self.inner.lock();
        inner.codes += 1;
        let code = format!("canary-code-{}", inner.codes);
        let now = (inner.now)();
        let mut claims = json!({
            "iss": self.url(), "aud": CLIENT_ID, "nonce": get("nonce"),
            "iat": now, "exp": now + 300,
        });
        for (name, value) in person.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        let redirect_uri = get("redirect_uri");
        let grant = Grant { redirect_uri: redirect_uri.clone(), challenge: get("code_challenge"), claims };
        inner.grants.insert(code.clone(), grant);
        let mut back = Url::parse(&redirect_uri).expect("an address");
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &get("state"));
        format!("{}?{}", back.path(), back.query().unwrap_or_default())
    }
}

impl Inner {
    fn answer(&mut self, request: &Recorded) -> Script {
        let path = request.path().split('?').next().unwrap_or_default();
        match (request.method(), path) {
            ("GET", "/.well-known/openid-configuration") => Script::json(200, &self.metadata),
            ("GET", "/keys") => {
                let keys: Vec<Value> =
                    self.keys.iter().map(|key| key.jwk()).chain(self.more_keys.clone()).collect();
                Script::json(200, &json!({ "keys": keys }))
            }
            ("POST", "/token") => match self.token(request) {
                Ok(answer) => Script::json(200, &answer),
                Err(error) => Script::json(400, &json!({ "error": error })),
            },
            ("GET", "/userinfo") => {
                let bearer = format!("Bearer canary-access-{}", self.access_tokens);
                match &self.userinfo {
                    Some(claims) if request.header("authorization") == Some(&bearer) => {
                        Script::json(200, claims)
                    }
                    _ => Script::json(404, &json!({})),
                }
            }
            _ => Script::json(404, &json!({})),
        }
    }

    fn token(&mut self, request: &Recorded) -> Result<Value, &'static str> {
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(request.body()).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str);
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = STANDARD.encode(format!("{}:{}", encode(CLIENT_ID), encode(CLIENT_SECRET)));
        let by_header = request.header("authorization") == Some(&format!("Basic {pair}"));
        let by_form = field("client_id") == Some(CLIENT_ID) && field("client_secret") == Some(CLIENT_SECRET);
        if by_header == by_form {
            return Err("invalid_client");
        }
        let grant = self.grants.remove(field("code").unwrap_or_default()).ok_or("invalid_grant")?;
        let verifier = field("code_verifier").unwrap_or_default();
        let made = encoded(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref());
        let fits = field("grant_type") == Some("authorization_code")
            && field("redirect_uri") == Some(&grant.redirect_uri)
            && made == grant.challenge;
        if !fits {
            return Err("invalid_grant");
        }
        self.access_tokens += 1;
        let key = self.keys.last().expect("a key");
        let id_token = (self.forge)(key, &grant.claims);
        let access_token = format!("canary-access-{}", self.access_tokens);
        Ok(
            json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": 60, "id_token": id_token }),
        )
    }
}
