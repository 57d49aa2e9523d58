//! An identity provider: it signs tokens, and serves the public halves of its keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::stage::merged;

pub const ISSUER: &str = "https://id.example.com/";
pub const AUDIENCE: &str = "api://tollgate";

/// What tokens are signed with.
pub enum Signer {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    /// A secret that both sides would have to know.
    Shared(Vec<u8>),
    Nobody,
}

impl Signer {
    pub fn rsa() -> Signer {
        Signer::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")))
    }

    pub fn p256() -> Signer {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let document = document.expect("a key");
        Signer::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).expect("a key"))
    }

    pub fn ed() -> Signer {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Signer::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key"))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Signer::Rsa(_) => "RS256",
            Signer::P256(_) => "ES256",
            Signer::Ed(_) => "EdDSA",
            Signer::Shared(_) => "HS256",
            Signer::Nobody => "none",
        }
    }

    /// The public half, as RFC 7517 and RFC 8037 write it.
    pub fn public(&self, id: &str) -> Value {
        let own = match self {
            Signer::Rsa(pair) => {
                // RSAPublicKey of 2048 bits (RFC 8017, A.1.1): its modulus stands behind nine bytes, and 65537 behind that.
                let der = pair.public_key().as_ref();
                assert_eq!((&der[..4], &der[265..]), (&[0x30, 0x82, 0x01, 0x0a][..], &[2, 3, 1, 0, 1][..]));
                json!({"kty": "RSA", "n": b64(&der[9..265]), "e": "AQAB", "alg": "RS256", "use": "sig"})
            }
            Signer::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..65])})
            }
            Signer::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())}),
            Signer::Shared(secret) => json!({"kty": "oct", "k": b64(secret), "alg": "HS256"}),
            Signer::Nobody => json!({}),
        };
        merged(own, json!({"kid": id}))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            Signer::P256(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Signer::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Signer::Shared(secret) => {
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
                aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec()
            }
            Signer::Nobody => Vec::new(),
        }
    }

    /// A token with these claims (RFC 7519), of the key with this id.
    pub fn token(&self, id: Option<&str>, claims: &Value) -> String {
        let header = json!({"alg": self.algorithm(), "typ": "JWT", "kid": id});
        let message = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", b64(&signature))
    }

    pub fn public_der(&self) -> Vec<u8> {
        match self {
            Signer::Rsa(pair) => pair.public_key().as_der().expect("a document").as_ref().to_vec(),
            _ => Vec::new(),
        }
    }
}

/// Claims that are good for five minutes, with these beside.
pub fn claims(more: Value) -> Value {
    merged(json!({"iss": ISSUER, "aud": AUDIENCE, "exp": now() + 300, "iat": now()}), more)
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[derive(Default)]
struct State {
    documents: BTreeMap<String, Value>,
    down: bool,
    fetched: Vec<String>,
}

/// A web server with JSON documents.
pub struct Issuer {
    state: Arc<Mutex<State>>,
    pub base: String,
}

impl Issuer {
    pub async fn start() -> Issuer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State::default()));
        let serving = state.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    let mut some = [0; 1024];
                    match stream.read(&mut some).await {
                        Ok(n) if n > 0 => head.extend_from_slice(&some[..n]),
                        _ => break,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_string();
                let answer = {
                    let mut state = lock(&serving);
                    state.fetched.push(path.clone());
                    match state.documents.get(&path).filter(|_| !state.down) {
                        Some(document) => ("200 OK", document.to_string()),
                        None => ("503 Service Unavailable", String::new()),
                    }
                };
                let (status, body) = answer;
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        });
        Issuer { state, base }
    }

    /// One that serves these keys at `/keys`.
    pub async fn with(keys: &[Value]) -> Issuer {
        let issuer = Issuer::start().await;
        issuer.serves("/keys", json!({"keys": keys}));
        issuer
    }

    pub fn serves(&self, path: &str, document: Value) {
        lock(&self.state).documents.insert(path.to_string(), document);
    }

    pub fn down(&self, down: bool) {
        lock(&self.state).down = down;
    }

    /// The paths that were asked for.
    pub fn fetched(&self) -> Vec<String> {
        lock(&self.state).fetched.clone()
    }

    /// The blocks of a config that take its tokens, with these keys of `litellm_jwtauth`.
    pub fn config(&self, jwtauth: Value) -> Value {
        self.config_at("/keys", jwtauth)
    }

    pub fn config_at(&self, path: &str, jwtauth: Value) -> Value {
        json!({
            "general_settings": {"enable_jwt_auth": true, "litellm_jwtauth": jwtauth},
            "environment_variables": {
                "JWT_PUBLIC_KEY_URL": format!("{}{path}", self.base), "JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE,
            },
        })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
