//! ID tokens that are not to be believed, each in one point only: all are refused with that point named, and nobody comes in.

use serde_json::{Value, json};
use testkit::issuer::{Key, encoded, signed_with_secret, unsigned};

use super::{Browser, issuer, person, signed_in};

/// How a token is made of a key and the claims that would be right.
type Make = fn(&Key, &Value) -> String;
/// A name, a token, and what its refusal says.
type Row = (&'static str, Make, &'static str);

/// The modulus of RFC 7515's example of a public RSA key (appendix A.2).
const MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs\
D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV\
MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().expect("claims").shift_remove(name);
    claims
}

fn right(key: &Key, claims: &Value) -> String {
    key.sign(&key.header(), claims)
}

fn instant(claims: &Value) -> i64 {
    claims["iat"].as_i64().expect("an instant")
}

fn headed(key: &Key, name: &str, value: Value) -> Value {
    with(&key.header(), name, value)
}

const NAMES: &[Row] = &[
    ("another issuer", |k, c| right(k, &with(c, "iss", json!("https://evil.example"))), "`iss`"),
    (
        "a slash more",
        |k, c| right(k, &with(c, "iss", json!(format!("{}/", c["iss"].as_str().expect("a text"))))),
        "`iss`",
    ),
    (
        "an issuer in capitals",
        |k, c| right(k, &with(c, "iss", json!(c["iss"].as_str().map(str::to_uppercase)))),
        "`iss`",
    ),
    ("issuers", |k, c| right(k, &with(c, "iss", json!([c["iss"]]))), "`iss`"),
    ("an issuer that is a number", |k, c| right(k, &with(c, "iss", json!(1))), "`iss`"),
    ("no issuer", |k, c| right(k, &without(c, "iss")), "`iss`"),
    ("for another", |k, c| right(k, &with(c, "aud", json!("another"))), "`aud`"),
    ("for nobody", |k, c| right(k, &without(c, "aud")), "`aud`"),
    ("for an empty list", |k, c| right(k, &with(c, "aud", json!([]))), "`aud`"),
    ("for others", |k, c| right(k, &with(c, "aud", json!(["a", "b"]))), "`aud`"),
    ("for us in capitals", |k, c| right(k, &with(c, "aud", json!("TOLLWAY TEST"))), "`aud`"),
    ("for an object", |k, c| right(k, &with(c, "aud", json!({"tollway test": true}))), "`aud`"),
    (
        "for us and another, by nobody",
        |k, c| right(k, &with(c, "aud", json!([c["aud"], "another"]))),
        "`azp`",
    ),
    (
        "for us and another, by the other",
        |k, c| right(k, &with(&with(c, "aud", json!([c["aud"], "another"])), "azp", json!("another"))),
        "`azp`",
    ),
    ("for us, by another", |k, c| right(k, &with(c, "azp", json!("another"))), "`azp`"),
    ("for us, by nothing", |k, c| right(k, &with(c, "azp", json!(null))), "`azp`"),
    ("no nonce", |k, c| right(k, &without(c, "nonce")), "`nonce`"),
    ("an empty nonce", |k, c| right(k, &with(c, "nonce", json!(""))), "`nonce`"),
    ("another nonce", |k, c| right(k, &with(c, "nonce", json!("n-0S6_WzA2Mj"))), "`nonce`"),
    (
        "a longer nonce",
        |k, c| right(k, &with(c, "nonce", json!(format!("{}x", c["nonce"].as_str().expect("a text"))))),
        "`nonce`",
    ),
    ("a list of nonces", |k, c| right(k, &with(c, "nonce", json!([c["nonce"]]))), "`nonce`"),
    ("no subject", |k, c| right(k, &without(c, "sub")), "`sub`"),
    ("an empty subject", |k, c| right(k, &with(c, "sub", json!(""))), "`sub`"),
    ("a subject that is a number", |k, c| right(k, &with(c, "sub", json!(1))), "`sub`"),
    ("a subject that is too long", |k, c| right(k, &with(c, "sub", json!("1".repeat(256)))), "`sub`"),
    ("a subject with a line's end", |k, c| right(k, &with(c, "sub", json!("1\n2"))), "`sub`"),
    ("a subject with a zero", |k, c| right(k, &with(c, "sub", json!("1\u{0}"))), "`sub`"),
];

const INSTANTS: &[Row] = &[
    ("too old", |k, c| right(k, &with(c, "exp", json!(instant(c) - 120))), "`exp`"),
    ("without an end", |k, c| right(k, &without(c, "exp")), "`exp`"),
    ("an end that is a text", |k, c| right(k, &with(c, "exp", json!("2099"))), "`exp`"),
    ("an end below zero", |k, c| right(k, &with(c, "exp", json!(-1))), "`exp`"),
    ("an end beyond numbers", |k, c| right(k, &with(c, "exp", json!(1e300))), "`exp`"),
    ("an end that is nothing", |k, c| right(k, &with(c, "exp", json!(null))), "`exp`"),
    ("not yet good", |k, c| right(k, &with(c, "nbf", json!(instant(c) + 600))), "`nbf`"),
    ("good from a text on", |k, c| right(k, &with(c, "nbf", json!("now"))), "`nbf`"),
    ("made at no time", |k, c| right(k, &without(c, "iat")), "`iat`"),
    ("made tomorrow", |k, c| right(k, &with(c, "iat", json!(instant(c) + 86_400))), "`iat`"),
    ("made an hour ago", |k, c| right(k, &with(c, "iat", json!(instant(c) - 3_600))), "`iat`"),
    ("made at a text", |k, c| right(k, &with(c, "iat", json!("now"))), "`iat`"),
    (
        "with another access token",
        |k, c| right(k, &with(c, "at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ"))),
        "`at_hash`",
    ),
    ("with an access token of no text", |k, c| right(k, &with(c, "at_hash", json!(1))), "`at_hash`"),
];

const ALGORITHMS: &[Row] = &[
    ("none", |k, c| format!("{}.", unsigned(&headed(k, "alg", json!("none")), c)), "algorithm"),
    ("none, signed all the same", |k, c| k.sign(&headed(k, "alg", json!("none")), c), "algorithm"),
    (
        "none, otherwise written",
        |k, c| format!("{}.", unsigned(&headed(k, "alg", json!("nOnE")), c)),
        "algorithm",
    ),
    (
        "HS256 with the public key",
        |k, c| signed_with_secret(&headed(k, "alg", json!("HS256")), c, k.public()),
        "algorithm",
    ),
    (
        "HS256 with the public key as a text",
        |k, c| signed_with_secret(&headed(k, "alg", json!("HS256")), c, k.jwk().to_string().as_bytes()),
        "algorithm",
    ),
    (
        "HS256 with a modulus",
        |_, c| signed_with_secret(&json!({"alg": "HS256", "kid": "rsa"}), c, MODULUS.as_bytes()),
        "algorithm",
    ),
    (
        "HS256 with the client's secret",
        |k, c| signed_with_secret(&headed(k, "alg", json!("HS256")), c, b"canary:secret+of 100%"),
        "algorithm",
    ),
    (
        "HS256 with the set's own shared key",
        |_, c| {
            signed_with_secret(
                &json!({"alg": "HS256", "kid": "shared"}),
                c,
                b"shared-shared-shared-shared-shar",
            )
        },
        "algorithm",
    ),
    (
        "an algorithm that the issuer does not use",
        |k, c| k.sign(&headed(k, "alg", json!("PS256")), c),
        "algorithm",
    ),
    ("an algorithm that nobody knows", |k, c| k.sign(&headed(k, "alg", json!("ES512")), c), "algorithm"),
    ("no algorithm", |k, c| k.sign(&without(&k.header(), "alg"), c), "algorithm"),
    ("a list of algorithms", |k, c| k.sign(&headed(k, "alg", json!(["ES256"])), c), "no signed token"),
];

const KEYS: &[Row] = &[
    ("RS256 over a key on a curve", |k, c| k.sign(&headed(k, "alg", json!("RS256")), c), "no key"),
    ("ES384 over a key of P-256", |k, c| k.sign(&headed(k, "alg", json!("ES384")), c), "no key"),
    ("EdDSA over a key of P-256", |k, c| k.sign(&headed(k, "alg", json!("EdDSA")), c), "no key"),
    ("a key that nobody knows", |k, c| k.sign(&headed(k, "kid", json!("k9")), c), "no key"),
    ("a key by an empty name", |k, c| k.sign(&headed(k, "kid", json!("")), c), "no key"),
    ("the RSA key's name", |k, c| k.sign(&headed(k, "kid", json!("rsa")), c), "no key"),
    ("a key for encryption", |k, c| k.sign(&headed(k, "kid", json!("enc")), c), "no key"),
    ("a key for other work", |k, c| k.sign(&headed(k, "kid", json!("ops")), c), "no key"),
    (
        "a key of another algorithm by its own word",
        |k, c| k.sign(&headed(k, "kid", json!("alg")), c),
        "no key",
    ),
    ("no name, where two keys fit", |k, c| k.sign(&without(&k.header(), "kid"), c), "no key"),
    (
        "somebody's key under the issuer's name",
        |k, c| Key::new("evil", k.algorithm()).sign(&k.header(), c),
        "signature",
    ),
    (
        "somebody's key in the header",
        |k, c| {
            let evil = Key::new(&k.kid, "ES256");
            evil.sign(&headed(k, "jwk", evil.jwk()), c)
        },
        "signature",
    ),
    (
        "somebody's keys at an address in the header",
        |k, c| Key::new("evil", "ES256").sign(&headed(k, "jku", json!("https://evil.example/keys")), c),
        "signature",
    ),
    ("the key beside", |k, c| k.sign(&headed(k, "kid", json!("k2")), c), "signature"),
];

const FORMS: &[Row] = &[
    ("a signature with a bit flipped", |k, c| flipped(&right(k, c)), "signature"),
    (
        "half a signature",
        |k, c| right(k, c).chars().rev().skip(43).collect::<String>().chars().rev().collect(),
        "signature",
    ),
    ("no signature", |k, c| format!("{}.", unsigned(&k.header(), c)), "signature"),
    (
        "a signature of zeros",
        |k, c| format!("{}.{}", unsigned(&k.header(), c), encoded(&[0; 64])),
        "signature",
    ),
    ("a signature that is no base64", |k, c| format!("{}.%%%", unsigned(&k.header(), c)), "signature"),
    ("another subject under the signature", |k, c| moved(k, c, &with(c, "sub", json!("2"))), "signature"),
    (
        "another header over the signature",
        |k, c| {
            let token = right(k, c);
            let rest = token.split_once('.').map_or("", |(_, rest)| rest).to_owned();
            format!("{}.{rest}", encoded(headed(k, "x", json!(1)).to_string().as_bytes()))
        },
        "signature",
    ),
    ("two parts", |k, c| unsigned(&k.header(), c), "no signed token"),
    ("five parts", |k, c| format!("{}.a.b", right(k, c)), "no signed token"),
    ("nothing", |_, _| String::new(), "no signed token"),
    ("dots", |_, _| "..".to_owned(), "no signed token"),
    ("a header that is no JSON", |k, c| right(k, c).replacen("ey", "xx", 1), "no signed token"),
    ("claims that are no object", |k, _| k.sign(&k.header(), &json!(["sub"])), "no signed token"),
    ("claims that are a text", |k, _| k.sign(&k.header(), &json!("sub")), "no signed token"),
    ("a token of 17 KiB", |k, c| right(k, &with(c, "x", json!("x".repeat(13_000)))), "16 KiB"),
    ("an access token", |k, c| k.sign(&headed(k, "typ", json!("at+jwt")), c), "no signed token"),
    ("a logout token", |k, c| k.sign(&headed(k, "typ", json!("logout+jwt")), c), "no signed token"),
    (
        "something critical that nobody understands",
        |k, c| k.sign(&with(&headed(k, "crit", json!(["exp"])), "exp", json!(1)), c),
        "no signed token",
    ),
    ("a compressed one", |k, c| k.sign(&headed(k, "zip", json!("DEF")), c), "no signed token"),
];

fn flipped(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').expect("a signature");
    // The first letter: all of its bits count.
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{head}.{other}{}", &signature[1..])
}

fn moved(key: &Key, claims: &Value, to: &Value) -> String {
    let token = right(key, claims);
    let signature = token.rsplit_once('.').map_or("", |(_, signature)| signature);
    format!("{}.{signature}", unsigned(&key.header(), to))
}

#[tokio::test]
async fn a_token_that_is_wrong_in_one_point_lets_nobody_in() {
    let issuer = issuer();
    issuer.publish(json!({"kid": "rsa", "kty": "RSA", "use": "sig", "e": "AQAB", "n": MODULUS}));
    issuer.publish(json!({"kid": "shared", "kty": "oct", "k": encoded(b"shared-shared-shared-shared-shar")}));
    issuer.publish(json!({"kid": "strange", "kty": "LATTICE", "x": 1}));
    issuer.publish(Key::new("k2", "ES256").jwk());
    for (kid, name, value) in
        [("enc", "use", json!("enc")), ("ops", "key_ops", json!(["sign"])), ("alg", "alg", json!("ES384"))]
    {
        // The signing key itself, under another name and for another use.
        issuer.publish(with(&with(&issuer.key().jwk(), "kid", json!(kid)), name, value));
    }
    let app = issuer.app().set("people.sign_up", "\"open\"").set("sign_in.main.create", "true").start().await;
    let ada = person("1", "ada@example.com");
    let mut tried = 0;
    for (name, forge, says) in [NAMES, INSTANTS, ALGORITHMS, KEYS, FORMS].into_iter().flatten() {
        issuer.forge(forge);
        let mut browser = Browser::new(&app);
        let reply = browser.sign_in(&issuer, &ada).await;
        let told = reply.json();
        assert_eq!(
            (reply.status, told["error"]["type"].as_str()),
            (401, Some("id_token_refused")),
            "{name}: {told}"
        );
        assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains(says)), "{name}: {told}");
        assert!(!browser.has_session(), "{name}");
        tried += 1;
    }
    assert!(tried >= 80, "{tried}");
    assert_eq!(app.cli(&["users", "list"]).await["users"], json!([]), "nobody was made");
    // Each was wrong in its one point only: what is right is let in, also where it is unusual.
    let right_ones: [(&str, Make); 7] = [
        ("right", right),
        ("in a list of one", |k, c| right(k, &with(c, "aud", json!([c["aud"]])))),
        ("for us and another, by us", |k, c| {
            right(k, &with(&with(c, "aud", json!([c["aud"], "another"])), "azp", c["aud"].clone()))
        }),
        ("a clock behind by half a minute", |k, c| right(k, &with(c, "iat", json!(instant(c) + 30)))),
        ("over for half a minute", |k, c| right(k, &with(c, "exp", json!(instant(c) - 30)))),
        ("good since now", |k, c| right(k, &with(c, "nbf", c["iat"].clone()))),
        ("without a type", |k, c| k.sign(&without(&k.header(), "typ"), c)),
    ];
    for (name, forge) in right_ones {
        issuer.forge(forge);
        let reply = Browser::new(&app).sign_in(&issuer, &ada).await;
        assert!(matches!(reply.status, 200 | 201), "{name}: {}", reply.text());
        signed_in(&app, &reply).get("/v1/auth/me").await.expect(200);
    }
}
