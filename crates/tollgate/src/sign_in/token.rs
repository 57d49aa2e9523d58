//! Whether a token is good: signed by a key of its issuer, meant for us, and neither too old nor too new (RFC 7519, RFC 8725).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, AlgorithmFamily, Header, Validation, decode, decode_header};
use serde_json::Value;

use super::claims::Claims;
use super::keys::Key;
use super::refused::Refused;
use crate::app::App;
use crate::config::sign_in::{Issuer, SignIn};

/// Clocks differ by so much.
const LEEWAY_S: u64 = 30;
/// Longer names of keys are not shown.
const LONGEST_ID: usize = 100;

/// Whether it is built like a token: three parts, the first of them a JSON object. No key of ours is.
pub fn is_token(text: &str) -> bool {
    text.starts_with("ey") && text.split('.').count() == 3
}

/// What a token says, and whose it is.
pub async fn verified<'s>(app: &App, sign_in: &'s SignIn, token: &str) -> Result<(Claims, &'s Issuer), Refused> {
    let header = decode_header(token).map_err(|_| unreadable(token))?;
    // A public key is no secret: with a method that takes one, anybody could sign.
    if header.alg.family() == AlgorithmFamily::Hmac {
        return Err(Refused::Algorithm);
    }
    // Extensions that have to be understood; none is (RFC 7515, 4.1.11).
    if header.crit.is_some() {
        return Err(Refused::Unreadable);
    }
    let mut refused = Refused::UnknownKey(header.kid.as_ref().map(|id| shown(id)));
    for issuer in issuers(sign_in, token)? {
        let validation = validation(issuer, header.alg);
        for address in &issuer.keys {
            let keys = match app.key_sets.of(&app.client, address, sign_in.keys_for).await {
                Ok(keys) => keys,
                Err(why) => {
                    refused = Refused::KeysAway(why);
                    continue;
                }
            };
            let mut fitting = fitting(&keys, &header);
            if fitting.is_empty() {
                let newer = app.key_sets.newer(&app.client, address, &keys).await;
                fitting = self::fitting(&newer, &header);
            }
            for key in fitting {
                match decode::<Claims>(token, &key.key, &validation) {
                    Ok(good) => return Ok((good.claims, issuer)),
                    Err(error) => refused = why(error.kind(), issuer),
                }
            }
        }
    }
    Err(refused)
}

/// A method that is not known cannot be read.
fn unreadable(token: &str) -> Refused {
    let names_a_method = part(token, 0).is_some_and(|header: Value| header["alg"].is_string());
    if names_a_method { Refused::Algorithm } else { Refused::Unreadable }
}

fn part<T: serde::de::DeserializeOwned>(token: &str, index: usize) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Those whose the token can be, by what it says itself; that it is so the signature shows.
fn issuers<'s>(sign_in: &'s SignIn, token: &str) -> Result<Vec<&'s Issuer>, Refused> {
    let claims: Value = part(token, 1).ok_or(Refused::Unreadable)?;
    let said = claims["iss"].as_str();
    let can_be = |issuer: &&Issuer| issuer.names.is_empty() || issuer.names.iter().any(|name| said == Some(name));
    let issuers: Vec<&Issuer> = sign_in.issuers.iter().filter(can_be).collect();
    if issuers.is_empty() {
        return Err(Refused::Issuer(sign_in.issuers.iter().flat_map(|issuer| issuer.names.clone()).collect()));
    }
    Ok(issuers)
}

fn validation(issuer: &Issuer, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    let mut required = vec!["exp"];
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation.validate_aud = !issuer.audiences.is_empty();
    if validation.validate_aud {
        validation.set_audience(&issuer.audiences);
        required.push("aud");
    }
    if !issuer.names.is_empty() {
        validation.set_issuer(&issuer.names);
        required.push("iss");
    }
    validation.set_required_spec_claims(&required);
    validation
}

/// The keys that may have signed it.
fn fitting(keys: &Arc<Vec<Key>>, header: &Header) -> Vec<Key> {
    let fits = |key: &&Key| {
        let named = match (&header.kid, &key.id) {
            (Some(asked), Some(id)) => asked == id,
            _ => true,
        };
        named && key.key.family() == header.alg.family() && key.algorithm.is_none_or(|own| own == header.alg)
    };
    keys.iter().filter(fits).cloned().collect()
}

fn why(error: &ErrorKind, issuer: &Issuer) -> Refused {
    match error {
        ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::ExpiredSignature => Refused::Expired,
        ErrorKind::ImmatureSignature => Refused::NotYet,
        ErrorKind::InvalidIssuer => Refused::Issuer(issuer.names.clone()),
        ErrorKind::InvalidAudience => Refused::Audience(issuer.audiences.clone()),
        ErrorKind::MissingRequiredClaim(name) | ErrorKind::InvalidClaimFormat(name) => match name.as_str() {
            "aud" => Refused::Audience(issuer.audiences.clone()),
            name => Refused::Claim(name.to_string()),
        },
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Refused::Algorithm,
        _ => Refused::Unreadable,
    }
}

fn shown(id: &str) -> String {
    id.chars().filter(|c| !c.is_control()).take(LONGEST_ID).collect()
}
