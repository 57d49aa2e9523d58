//! `general_settings.enable_jwt_auth` and `litellm_jwtauth`.

use serde_json::{Value, json};

use super::Files;

fn files(general: Value) -> Files {
    let config = json!({
        "model_list": [{"model_name": "m", "litellm_params": {"model": "ollama/m"}}], "general_settings": general,
    });
    Files::new(&config.to_string())
}

fn with(jwtauth: Value) -> Files {
    let files = files(json!({"enable_jwt_auth": true, "litellm_jwtauth": jwtauth}));
    files.env("JWT_PUBLIC_KEY_URL", "https://id.example.com/keys").env("JWT_AUDIENCE", "a")
}

#[test]
fn variables_say_whose_tokens_are_taken() {
    let (config, problems) = files(json!({"enable_jwt_auth": true}))
        .env(
            "JWT_PUBLIC_KEY_URL",
            "https://id.example.com/keys, https://b.example.com/.well-known/openid-configuration",
        )
        .env("JWT_AUDIENCE", "a,b")
        .env("JWT_ISSUER", "https://id.example.com/")
        .good();
    assert!(problems.is_empty(), "{problems:?}");
    let sign_in = config.settings.sign_in.expect("it is enabled");
    let [issuer] = sign_in.issuers.as_slice() else { panic!("{:?}", sign_in.issuers) };
    assert_eq!(issuer.keys.len(), 2);
    assert_eq!((issuer.audiences.len(), issuer.names.as_slice()), (2, &["https://id.example.com/".to_string()][..]));
    assert_eq!(sign_in.keys_for.as_secs(), 600, "LiteLLM's public_key_ttl");

    let (config, _) = files(json!({"litellm_jwtauth": {"user_id_jwt_field": "sub"}})).good();
    assert!(config.settings.sign_in.is_none(), "it is not enabled");
}

#[test]
fn tokens_without_keys_to_check_them_with_are_an_error_and_without_an_audience_a_warning() {
    let none = files(json!({"enable_jwt_auth": true})).bad();
    assert!(none[0].contains("general_settings.enable_jwt_auth: there are no keys to check tokens with"), "{none:?}");
    let bad = files(json!({"enable_jwt_auth": true})).env("JWT_PUBLIC_KEY_URL", "id.example.com").bad();
    assert!(bad[0].contains("JWT_PUBLIC_KEY_URL: is no address"), "{bad:?}");
    let (_, problems) = files(json!({"enable_jwt_auth": true})).env("JWT_PUBLIC_KEY_URL", "https://x/keys").good();
    assert!(problems[0].contains("JWT_AUDIENCE: is not set"), "{problems:?}");
}

#[test]
fn issuers_have_their_own_keys_audiences_and_fields() {
    let issuers = json!([
        {"issuer": "https://a.example.com/realm/", "audience": "gateway", "team_ids_jwt_field": "groups"},
        {"issuer": "https://b.example.com", "jwks_url": "https://b.example.com/keys", "disable_audience_validation": true},
    ]);
    let jwtauth = json!({"user_id_jwt_field": "sub", "issuers": issuers});
    let (config, problems) = files(json!({"enable_jwt_auth": true, "litellm_jwtauth": jwtauth})).good();
    assert!(problems.is_empty(), "{problems:?}");
    let sign_in = config.settings.sign_in.expect("it is enabled");
    let [a, b] = sign_in.issuers.as_slice() else { panic!("{:?}", sign_in.issuers) };
    assert_eq!(a.keys[0].to_string(), "https://a.example.com/realm/.well-known/openid-configuration");
    assert_eq!((a.claims.user.as_deref(), a.claims.teams.as_deref()), (Some("sub"), Some("groups")));
    assert_eq!((b.keys[0].to_string(), b.audiences.len()), ("https://b.example.com/keys".to_string(), 0));
    for (entry, words) in [
        (json!({"audience": "x"}), "needs `issuer`"),
        (json!({"issuer": "https://a"}), "needs one of `audience` and `disable_audience_validation`"),
        (json!({"issuer": "https://a", "audience": "x", "key": 1}), "is no part of an issuer"),
    ] {
        let errors = with(json!({"issuers": [entry]})).bad();
        assert!(errors.iter().any(|error| error.contains(words)), "{words}: {errors:?}");
    }
}

#[test]
fn what_would_let_in_whom_it_was_to_keep_out_is_an_error() {
    for (jwtauth, words) in [
        (json!({"custom_validate": "my.check"}), "custom_validate: is Python, which is not run here"),
        (json!({"user_allowed_roles": ["x"]}), "goes with `user_roles_jwt_field`"),
        (json!({"user_roles_jwt_field": "x"}), "goes with `user_roles_jwt_field`"),
        (json!({"object_id_jwt_field": "oid"}), "needs `role_mappings`"),
        (json!({"user_allowed_email_domain": "x.com"}), "needs `user_email_jwt_field`"),
        (
            json!({"role_mappings": [{"role": "x", "internal_role": "king"}]}),
            "must be one of proxy_admin, team, internal_user",
        ),
    ] {
        let errors = with(jwtauth).bad();
        assert!(errors.iter().any(|error| error.contains(words)), "{words}: {errors:?}");
    }
    let (_, problems) = with(json!({"virtual_key_claim_field": "azp", "user_id_jwt_feld": "sub"})).good();
    assert!(problems.iter().any(|line| line.contains("virtual_key_claim_field: is accepted but has no effect yet")));
    assert!(problems.iter().any(|line| line.contains("did you mean `user_id_jwt_field`?")), "{problems:?}");
}
