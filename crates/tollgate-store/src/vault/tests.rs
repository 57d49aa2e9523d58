use serde_json::json;

use super::*;
use crate::entity::{Extra, Params};

fn fields(value: Value) -> Extra {
    serde_json::from_value(value).unwrap()
}

#[test]
fn credentials_are_sealed_and_opened_again_and_nothing_else_changes() {
    let vault = Vault::new("a salt");
    let clear = fields(json!({
        "model": "openai/gpt-5", "api_key": "provider-canary", "aws_secret_access_key": "aws-canary", "rpm": 5,
        "extra_headers": {"Authorization": "Bearer header-canary"}, "input_cost_per_token": 0.000001,
        "api_base": "https://me:url-canary@example.com/v1", "vertex_credentials": {"private_key": "vertex-canary"},
    }));
    let sealed = Params::seal(&vault, "m1", clear.clone()).unwrap();
    let stored = serde_json::to_string(&sealed).unwrap();
    assert!(!stored.contains("canary"), "{stored}");
    assert_eq!(sealed.open(&vault, "m1"), Ok(clear));
    let shown = sealed.without_credentials();
    assert_eq!(shown.keys().collect::<Vec<_>>(), ["model", "rpm", "input_cost_per_token"]);
}

#[test]
fn another_secret_or_another_place_opens_nothing() {
    let sealed = Vault::new("a").seal("model/m1/api_key", b"x").unwrap();
    assert_eq!(Vault::new("a").open("model/m1/api_key", &sealed).as_deref(), Ok(b"x".as_slice()));
    assert_eq!(Vault::new("b").open("model/m1/api_key", &sealed), Err(VaultError::WrongSecret));
    assert_eq!(Vault::new("a").open("model/m2/api_key", &sealed), Err(VaultError::WrongSecret));
    assert_eq!(Vault::new("a").open("model/m1/api_key", "sealed:1:AAAA"), Err(VaultError::WrongSecret));
    assert_eq!(Vault::new("").seal("p", b"x"), Err(VaultError::NoSecret));
}

#[test]
fn the_same_text_is_sealed_differently_each_time() {
    let vault = Vault::new("a");
    assert_ne!(vault.seal("p", b"x"), vault.seal("p", b"x"));
}

#[test]
fn a_text_that_only_looks_sealed_is_sealed_like_a_credential() {
    let vault = Vault::new("a");
    let clear = fields(json!({"model": "sealed:1:not really"}));
    assert_eq!(Params::seal(&vault, "m", clear.clone()).unwrap().open(&vault, "m"), Ok(clear));
}

#[test]
fn secrets_are_taken_out_of_a_document_however_deep_they_are() {
    let mut document = json!({
        "hash": "ab", "metadata": {"logging": [{"callback_vars": {"langfuse_secret_key": "sk-lf", "host": "h"}}]},
        "limits": {"rates": {"tokens_per_minute": 5}}, "password": "p",
    });
    redact(&mut document);
    let expected = json!({
        "hash": "ab", "metadata": {"logging": [{"callback_vars": {"langfuse_secret_key": "[redacted]", "host": "h"}}]},
        "limits": {"rates": {"tokens_per_minute": 5}}, "password": "[redacted]",
    });
    assert_eq!(document, expected);
}
