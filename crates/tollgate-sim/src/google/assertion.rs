//! A service account's key, and the assertions that it signs (RFC 7519, RFC 7515: RS256).

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::refused;
use crate::refusal::Check;

pub const KEY_ID: &str = "6f1c0c0ffee0";
/// The longest that an assertion may be good.
const LONGEST: u64 = 3600;
/// Clocks may differ by so much.
const SKEW: u64 = 300;

pub struct Signer {
    pem: String,
    public: Vec<u8>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Default for Signer {
    /// A key that nobody had before.
    fn default() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("the system has randomness");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key that was generated can be written");
        let encoded = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> =
            (0..encoded.len()).step_by(64).map(|at| &encoded[at..encoded.len().min(at + 64)]).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        Self { pem, public: pair.public_key().as_ref().to_vec() }
    }
}

impl Signer {
    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    pub fn check(&self, assertion: &str, issuer: &str, scope: &str, audience: &str) -> Check {
        let wrong = |words: &str| Err(refused(400, "invalid_grant", &format!("{words} Sent: {assertion}")));
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims, signature] = parts[..] else { return wrong("Invalid JWT: three parts are wanted.") };
        let json = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
        let (Some(head), Some(claims_json)) = (json(header), json(claims)) else { return wrong("Invalid JWT.") };
        if head != json!({"typ": "JWT", "alg": "RS256", "kid": KEY_ID}) {
            return wrong("Invalid JWT header.");
        }
        let signed = format!("{header}.{claims}");
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public);
        let good = URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| key.verify(signed.as_bytes(), &bytes).is_ok());
        if !good {
            return wrong("Invalid JWT Signature.");
        }
        if claims_json["iss"] != issuer {
            return wrong("Invalid grant: account not found");
        }
        if claims_json["aud"] != audience {
            return wrong(&format!("Invalid JWT: Failed audience check. The right audience is {audience}"));
        }
        if claims_json["scope"] != scope {
            return Err(refused(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided."));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match (claims_json["iat"].as_u64(), claims_json["exp"].as_u64()) {
            (Some(from), Some(to)) if from <= now + SKEW && to > now && to > from && to - from <= LONGEST => Ok(()),
            _ => wrong(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
            ),
        }
    }
}
