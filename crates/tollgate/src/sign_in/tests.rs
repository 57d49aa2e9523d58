use serde_json::{Value, json};
use tollgate_policy::access::Role;

use super::claims::{Claims, find, names, words};
use super::refused::{Nobody, Refused};
use super::who::{Who, read};
use super::*;
use crate::config::from_text;

fn claims(value: Value) -> Claims {
    value.as_object().expect("an object").clone()
}

/// As it is read from a configuration with these keys of `litellm_jwtauth`.
fn sign_in(jwtauth: Value) -> SignIn {
    let config = json!({
        "model_list": [{"model_name": "m", "litellm_params": {"model": "ollama/m"}}],
        "general_settings": {"enable_jwt_auth": true, "litellm_jwtauth": jwtauth},
        "environment_variables": {"JWT_PUBLIC_KEY_URL": "http://127.0.0.1/keys", "JWT_AUDIENCE": "a"},
    });
    let (config, problems) = from_text("config.yaml", &config.to_string(), &|_| None).expect("a configuration");
    assert_eq!(problems.len(), 0, "{problems:?}");
    Arc::unwrap_or_clone(config.settings.sign_in.expect("it is enabled"))
}

fn who(jwtauth: Value, token: Value) -> Result<Who, Refused> {
    let sign_in = sign_in(jwtauth);
    read(&sign_in, &sign_in.issuers[0].claims, &claims(token))
}

#[test]
fn a_field_is_a_claim_or_lies_within_objects() {
    let claims = claims(json!({
        "sub": "ada", "https://x.example/team": "t", "n": 7, "a": {"b.c": {"d": ["x", 1, null, ""]}}, "e": {"b": 1},
    }));
    let text = |field: &str| names(&claims, Some(&field.to_string())).join(" ");
    assert_eq!(text("sub"), "ada");
    assert_eq!(text("https://x.example/team"), "t");
    assert_eq!(text("n"), "7");
    assert_eq!(text("a.b.c.d"), "x 1");
    assert_eq!((text("a"), text("missing"), text("sub.x")), Default::default());
    assert_eq!(find(&claims, "e.b"), Some(&json!(1)));
    assert!(names(&claims, None).is_empty());
    let long = self::claims(json!({"sub": "x".repeat(201)}));
    assert!(names(&long, Some(&"sub".to_string())).is_empty());
}

#[test]
fn words_are_a_list_or_a_text_with_spaces() {
    assert_eq!(words(&claims(json!({"scope": "a  b"})), "scope"), ["a", "b"]);
    assert_eq!(words(&claims(json!({"scope": ["a b", "c"]})), "scope"), ["a b", "c"]);
    assert!(words(&claims(json!({"scope": 1})), "scope").is_empty());
}

#[test]
fn user_teams_organisation_and_customer_come_from_their_fields() {
    let fields = json!({
        "user_id_jwt_field": "sub", "user_email_jwt_field": "email", "team_id_jwt_field": "team", "team_ids_jwt_field": "groups",
        "org_id_jwt_field": "org", "end_user_id_jwt_field": "customer",
    });
    let token =
        json!({"sub": "ada", "email": "a@b.c", "team": "t", "groups": ["u", "t", "v"], "org": "o", "customer": "c"});
    let found = who(fields, token).expect("somebody");
    assert_eq!(found.user.as_deref(), Some("ada"));
    assert_eq!(found.teams, ["t", "u", "v"], "each once, the single one first");
    assert_eq!((found.organisation.as_deref(), found.end_user.as_deref()), (Some("o"), Some("c")));
    assert_eq!(found.grants.routes, ["openai_routes", "info_routes"], "LiteLLM's, for teams");
    assert!(found.must_be_known && !found.admin);
    // Who is known by the address alone is called by it.
    let found = who(json!({"user_email_jwt_field": "email"}), json!({"email": "a@b.c"})).expect("somebody");
    assert_eq!((found.user.as_deref(), found.grants.routes.len()), (Some("a@b.c"), 0));
    let found = who(json!({"team_ids_jwt_field": "groups", "team_id_default": "all"}), json!({"groups": []}));
    assert_eq!(found.expect("the default team").teams, ["all"]);
}

#[test]
fn the_scope_of_administrators_is_litellms_unless_another_is_given() {
    let token = json!({"sub": "x", "scope": "openid litellm_proxy_admin"});
    let admin = who(json!({"user_id_jwt_field": "sub"}), token.clone()).expect("an administrator");
    assert!(admin.admin);
    assert_eq!(
        admin.grants.routes,
        ["management_routes", "spend_tracking_routes", "global_spend_tracking_routes", "info_routes"]
    );
    let other = who(json!({"user_id_jwt_field": "sub", "admin_jwt_scope": "other"}), token).expect("a user");
    assert!(!other.admin);
    // Entra ID's name for it.
    assert!(who(json!({}), json!({"scp": "litellm_proxy_admin"})).expect("an administrator").admin);
}

#[test]
fn who_is_to_be_kept_out_is() {
    let nobody = |jwtauth: Value, token: Value| match who(jwtauth, token) {
        Err(Refused::Nobody(nobody)) => nobody,
        other => panic!("{other:?}"),
    };
    assert_eq!(nobody(json!({}), json!({"sub": "ada"})), Nobody::Unnamed);
    let needs_team = json!({"user_id_jwt_field": "sub", "enforce_team_based_model_access": true});
    assert_eq!(nobody(needs_team, json!({"sub": "ada"})), Nobody::NoTeam);
    let roles = json!({"user_id_jwt_field": "sub", "user_roles_jwt_field": "roles", "user_allowed_roles": ["dev"]});
    assert_eq!(nobody(roles.clone(), json!({"sub": "ada", "roles": ["devs"]})), Nobody::UserRole);
    assert!(who(roles, json!({"sub": "ada", "roles": ["x", "dev"]})).is_ok());
    let rbac = json!({
        "user_id_jwt_field": "sub", "enforce_rbac": true, "roles_jwt_field": "roles",
        "role_mappings": [{"role": "r", "internal_role": "internal_user"}],
    });
    assert_eq!(nobody(rbac, json!({"sub": "ada", "roles": "other"})), Nobody::Role);
    let domain = json!({
        "user_id_jwt_field": "sub", "user_email_jwt_field": "email", "user_allowed_email_domain": "@Example.com",
    });
    for email in [
        json!(null),
        json!("ada"),
        json!("ada@evil.com"),
        json!("ada@sub.example.com"),
        json!("a@example.com@evil.com"),
    ] {
        let token = json!({"sub": "ada", "email": email});
        assert_eq!(nobody(domain.clone(), token), Nobody::EmailDomain("example.com".into()));
    }
    assert!(who(domain, json!({"sub": "ada", "email": "ada@EXAMPLE.com"})).is_ok());
}

#[test]
fn a_role_says_whether_the_object_is_a_user_or_a_team() {
    let settings = || {
        json!({
            "object_id_jwt_field": "oid", "roles_jwt_field": "roles",
            "role_mappings": [{"role": "t", "internal_role": "team"}, {"role": "u", "internal_role": "internal_user"}],
        })
    };
    let team = who(settings(), json!({"oid": "o", "roles": "t u"})).expect("a team");
    assert_eq!((team.teams.as_slice(), team.user, team.must_be_known), (&["o".to_string()][..], None, false));
    let user = who(settings(), json!({"oid": "o", "roles": ["u"]})).expect("a user");
    assert_eq!((user.teams.len(), user.user.as_deref()), (0, Some("o")));
    assert!(sign_in(settings()).roles.iter().any(|mapping| mapping.means == Role::Team));
}

#[test]
fn what_a_role_and_scopes_open_is_what_both_open() {
    let mut of_role = sign_in(json!({
        "team_id_jwt_field": "team", "roles_jwt_field": "roles", "role_mappings": [{"role": "r", "internal_role": "team"}],
        "enforce_scope_based_access": true,
        "scope_mappings": [{"scope": "a", "models": ["m", "n"]}, {"scope": "b", "models": ["o"]}, {"scope": "all"}],
    }));
    of_role.permissions.push(crate::config::sign_in::Permission {
        of: Role::Team,
        models: vec!["n".into(), "o".into()],
        routes: vec!["/v1/messages".into()],
    });
    let open = |scope: &str| {
        let token = claims(json!({"team": "t", "roles": "r", "scope": scope}));
        read(&of_role, &of_role.issuers[0].claims, &token).expect("a team").grants
    };
    assert_eq!((open("a").models, open("a").routes), (vec!["n".to_string()], vec!["/v1/messages".to_string()]));
    assert_eq!(open("a b").models, ["n", "o"]);
    assert_eq!(open("all").models, ["n", "o"]);
    assert_eq!(open("none").models, ["no-default-models"]);
}

#[test]
fn only_what_is_built_like_a_token_is_one() {
    assert!(is_token("eyJhbGciOiJub25lIn0.e30."));
    for key in ["sk-1234", "ey", "eyJ.e30", "a.b.c", ""] {
        assert!(!is_token(key), "{key}");
    }
}
