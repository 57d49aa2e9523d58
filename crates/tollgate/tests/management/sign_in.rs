//! Callers with a token of an identity provider: held to what holds for a key of the same team and user.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, Issuer, Signer, claims, now};
use crate::stage::{Stage, Store};
use crate::support::http::{Answer, send};
use crate::support::isolated;
use crate::support::stage::{Client, MASTER_KEY, has};

const BOTH: [Store; 2] = [Store::Sqlite, Store::Postgres];

fn fields() -> Value {
    json!({"user_id_jwt_field": "sub", "team_id_jwt_field": "team"})
}

/// A gateway that takes the tokens of one issuer with one key, `k`.
struct House {
    issuer: Issuer,
    signer: Signer,
    stage: Stage,
}

impl House {
    async fn open(store: Store, jwtauth: Value) -> House {
        let signer = Signer::ed();
        let issuer = Issuer::with(&[signer.public("k")]).await;
        let stage = Stage::with(store, issuer.config(jwtauth)).await;
        House { issuer, signer, stage }
    }

    fn token(&self, more: Value) -> String {
        self.signer.token(Some("k"), &claims(more))
    }

    async fn models(&self, token: &str) -> Vec<String> {
        let list = self.stage.ok(token, "GET /v1/models", Value::Null).await;
        let ids = list["data"].as_array().expect("a list").iter();
        ids.map(|model| model["id"].as_str().expect("an id").to_string()).collect()
    }

    async fn message(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers =
            [("authorization", &*bearer), ("anthropic-version", "2023-06-01"), ("content-type", "application/json")];
        let body = Client::Messages.hello(json!({})).to_string();
        send(Method::POST, &self.stage.gateway.url("/v1/messages"), &headers, body).await
    }
}

#[test]
fn a_token_signed_in_each_of_the_usual_ways_calls_for_its_user_and_team() {
    isolated(|| async {
        for store in BOTH {
            let signers = [("rsa", Signer::rsa()), ("p256", Signer::p256()), ("ed", Signer::ed())];
            let keys: Vec<Value> = signers.iter().map(|(id, signer)| signer.public(id)).collect();
            let issuer = Issuer::with(&keys).await;
            let stage = Stage::with(store, issuer.config(fields())).await;
            stage.admin("POST /team/new", json!({"team_id": "t"})).await;
            stage.admin("POST /user/new", json!({"user_id": "ada", "auto_create_key": false})).await;
            for (id, signer) in &signers {
                let token = signer.token(Some(id), &claims(json!({"sub": "ada", "team": "t"})));
                assert_eq!(stage.chat(&token, "m").await.status, 200, "{id}");
                // Without a name any key of the kind may be meant.
                let token = signer.token(None, &claims(json!({"sub": "ada", "team": "t", "aud": ["x", AUDIENCE]})));
                assert_eq!(stage.chat(&token, "m").await.status, 200, "{id}");
            }
            assert_eq!(issuer.fetched(), ["/keys"], "one fetch serves all");
            // 15 dollars each.
            for _ in 0..500 {
                let team = stage.admin("GET /team/info?team_id=t", Value::Null).await;
                if team["team_info"]["spend"] == json!(90.0) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let team = stage.admin("GET /team/info?team_id=t", Value::Null).await;
            assert_eq!(team["team_info"]["spend"], json!(90.0), "{team}");
            let rows = stage.admin("GET /spend/logs", Value::Null).await;
            let first = &rows.as_array().expect("rows")[0];
            assert_eq!((&first["user"], &first["team_id"]), (&json!("ada"), &json!("t")), "{first}");
        }
    });
}

#[test]
fn s21_a_token_calls_and_lists_what_its_team_and_user_may_and_spends_from_their_budgets() {
    isolated(|| async {
        for store in BOTH {
            let house = House::open(store, fields()).await;
            let stage = &house.stage;
            stage.admin("POST /team/new", json!({"team_id": "t", "models": ["m"], "max_budget": 40})).await;
            stage.admin("POST /user/new", json!({"user_id": "ada", "auto_create_key": false})).await;
            let token = house.token(json!({"sub": "ada", "team": "t"}));
            assert_eq!(house.models(&token).await, ["m"]);
            let refused = stage.chat(&token, "other").await;
            assert_eq!(refused.status, 403, "{}", refused.text());
            has(&refused.text(), "This team may not use the model `other`; it may use m");
            // A request may cost 30 dollars and does cost 15.
            assert_eq!(stage.chat(&token, "m").await.status, 200);
            let spent = async {
                while stage.chat(&token, "m").await.status == 200 {}
                stage.chat(&token, "m").await
            };
            let over = tokio::time::timeout(Duration::from_secs(20), spent).await.expect("the budget ends");
            assert_eq!(over.status, 402, "{}", over.text());
            has(&over.text(), "the team has a budget of $40");
            stage.admin("POST /team/block", json!({"team_id": "t"})).await;
            let blocked = stage.chat(&token, "m").await;
            assert_eq!((blocked.status.as_u16(), blocked.text().contains("This team is blocked.")), (401, true));
            stage.admin("POST /team/unblock", json!({"team_id": "t"})).await;
            stage.admin("POST /team/update", json!({"team_id": "t", "max_budget": null, "rpm_limit": 1})).await;
            let statuses = [stage.chat(&token, "m").await.status, stage.chat(&token, "m").await.status];
            assert_eq!(statuses.map(|status| status.as_u16()), [200, 429]);
        }
    });
}

#[test]
fn a_token_that_is_not_good_is_a_401_that_says_what_is_wrong_and_shows_nothing_of_it() {
    isolated(|| async {
        let house = House::open(Store::Sqlite, fields()).await;
        let stage = &house.stage;
        stage.admin("POST /team/new", json!({"team_id": "t"})).await;
        let good = claims(json!({"team": "t"}));
        let with = |more: Value| house.token(crate::support::stage::merged(json!({"team": "t"}), more));
        let signed = house.signer.token(Some("k"), &good);
        let (head, signature) = signed.rsplit_once('.').expect("three parts");
        let (header, _) = head.split_once('.').expect("three parts");
        let other = with(json!({"team": "another"}));
        let payload = other.split('.').nth(1).expect("three parts");
        let rsa = Signer::rsa();
        house.issuer.serves("/keys", json!({"keys": [house.signer.public("k"), rsa.public("r")]}));
        let shared = Signer::Shared(rsa.public_der());
        let bad = [
            (with(json!({"exp": now() - 60})), "it has expired"),
            (with(json!({"nbf": now() + 120})), "it is not good yet"),
            (with(json!({"exp": null})), "its claim `exp` is missing"),
            (
                with(json!({"iss": "https://evil.example.com/"})),
                "its issuer (`iss`) is not https://id.example.com/ (JWT_ISSUER",
            ),
            (with(json!({"iss": null})), "its issuer (`iss`) is not"),
            (with(json!({"aud": "api://other"})), "its audience (`aud`) is not api://tollgate (JWT_AUDIENCE"),
            (with(json!({"aud": null})), "its audience (`aud`) is not"),
            (Signer::ed().token(Some("k"), &good), "its signature is wrong"),
            (format!("{header}.{payload}.{signature}"), "its signature is wrong"),
            (house.signer.token(Some("x9"), &good), "no key with its id `x9`"),
            (Signer::p256().token(Some("k"), &good), "no key with its id `k`"),
            (shared.token(Some("r"), &good), "it is not signed with one of RS256"),
            (Signer::Nobody.token(Some("k"), &good), "it is not signed with one of RS256"),
            (format!("{header}.e30"), "The key is not valid"),
            (format!("{header}.!!.{signature}"), "it is no JSON web token"),
        ];
        for (token, words) in &bad {
            for client in [Client::Messages, Client::Chat] {
                let answer = match client {
                    Client::Messages => house.message(token).await,
                    Client::Chat => stage.chat(token, "m").await,
                };
                assert_eq!(answer.status, 401, "{words}: {}", answer.text());
                let (kind, message) = client.error(&answer);
                let wanted = if client == Client::Messages { "authentication_error" } else { "invalid_request_error" };
                assert_eq!(kind, wanted, "{words}");
                has(&message, words);
                assert_eq!(answer.header("x-should-retry"), Some("false"));
                let shown = format!("{:?} {}", answer.headers, answer.text());
                for part in token.split('.').filter(|part| part.len() > 20) {
                    assert!(!shown.contains(part), "{words}: {shown}");
                }
            }
        }
        // Within a key's leeway.
        assert_eq!(stage.chat(&with(json!({"exp": now() - 10, "nbf": now() + 10})), "m").await.status, 200);
        assert_eq!(house.stage.sim.requests().len(), 1, "of all these one went up");
        let records = stage.admin("GET /tollgate/requests", Value::Null).await.to_string();
        let log = stage.gateway.log();
        for (token, words) in &bad {
            for part in token.split('.').filter(|part| part.len() > 20) {
                assert!(!log.contains(part) && !records.contains(part), "{words}");
            }
        }
        let made = house.issuer.fetched().len();
        assert!(made <= 3, "keys that are made up do not make the gateway ask on and on: {made} fetches");
    });
}

#[test]
fn a_token_of_nobody_who_is_known_is_a_403_that_names_the_setting() {
    isolated(|| async {
        for store in BOTH {
            let house =
                House::open(store, crate::support::stage::merged(fields(), json!({"org_id_jwt_field": "org"}))).await;
            let stage = &house.stage;
            stage.admin("POST /team/new", json!({"team_id": "t"})).await;
            for (more, words) in [
                (
                    json!({"team": "nowhere"}),
                    "no team nowhere is known here; create it with /team/new, or set litellm_jwtauth.team_id_upsert",
                ),
                (
                    json!({"sub": "eve", "team": "t"}),
                    "the user eve is not known here; create it with /user/new, or set litellm_jwtauth.user_id_upsert",
                ),
                (json!({"team": "t", "org": "o"}), "the organization o is not known here"),
                (json!({}), "it names neither a user nor a team (litellm_jwtauth.user_id_jwt_field"),
            ] {
                let answer = stage.chat(&house.token(more), "m").await;
                assert_eq!(answer.status, 403, "{}", answer.text());
                has(&Client::Chat.error(&answer).1, words);
                assert_eq!(answer.header("x-should-retry"), Some("false"));
            }
            // It is seen at once when it is made.
            stage.admin("POST /team/new", json!({"team_id": "nowhere"})).await;
            assert_eq!(stage.chat(&house.token(json!({"team": "nowhere"})), "m").await.status, 200);
        }
    });
}

#[test]
fn users_and_teams_are_made_where_the_settings_say_so_and_only_of_the_right_domain() {
    isolated(|| async {
        for store in BOTH {
            let jwtauth = json!({
                "user_id_jwt_field": "sub", "user_email_jwt_field": "profile.mail", "user_allowed_email_domain": "example.com",
                "user_id_upsert": true, "team_id_jwt_field": "team", "team_id_upsert": true,
            });
            let house = House::open(store, jwtauth).await;
            let stage = &house.stage;
            let stranger = house.token(json!({"sub": "eve", "profile": {"mail": "eve@example.com.evil.org"}}));
            let refused = stage.chat(&stranger, "m").await;
            assert_eq!(refused.status, 403, "{}", refused.text());
            has(&refused.text(), "litellm_jwtauth.user_allowed_email_domain");
            assert_eq!(stage.call(MASTER_KEY, "GET /v2/user/info?user_id=eve", &Value::Null).await.status, 404);

            let ada = house.token(json!({"sub": "ada", "team": "fresh", "profile": {"mail": "Ada@Example.com"}}));
            let asked = futures_util::future::join_all((0..8).map(|_| stage.chat(&ada, "m"))).await;
            assert!(asked.iter().all(|answer| answer.status == 200), "at the same time");
            let user = stage.admin("GET /v2/user/info?user_id=ada", Value::Null).await;
            assert_eq!(
                (&user["user_email"], &user["user_role"]),
                (&json!("Ada@Example.com"), &json!("internal_user")),
                "{user}"
            );
            let team = stage.admin("GET /team/info?team_id=fresh", Value::Null).await;
            assert_eq!(team["team_id"], "fresh", "{team}");
        }
    });
}

#[test]
fn of_several_teams_the_first_that_may_call_the_model_pays() {
    isolated(|| async {
        let jwtauth = json!({"team_ids_jwt_field": "realm.groups", "enforce_team_based_model_access": true, "user_id_jwt_field": "sub"});
        let house = House::open(Store::Sqlite, jwtauth).await;
        let stage = &house.stage;
        stage.admin("POST /team/new", json!({"team_id": "a", "models": ["m"]})).await;
        stage.admin("POST /team/new", json!({"team_id": "b", "models": ["other"]})).await;
        stage.admin("POST /user/new", json!({"user_id": "ada", "auto_create_key": false})).await;
        let token = house.token(json!({"realm": {"groups": ["unknown", "a", "b"]}}));
        assert_eq!(house.models(&token).await, ["m", "other"]);
        assert_eq!(stage.chat(&token, "m").await.status, 200);
        assert_eq!(stage.chat(&token, "other").await.status, 200);
        let one = stage.ok(&token, "GET /v1/models/other", Value::Null).await;
        assert_eq!(one["id"], "other");
        let spend_of = async |team: &str| {
            let info = stage.admin(&format!("GET /team/info?team_id={team}"), Value::Null).await;
            info["team_info"]["spend"].as_f64().expect("a number")
        };
        for _ in 0..500 {
            if spend_of("a").await + spend_of("b").await >= 30.0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!((spend_of("a").await, spend_of("b").await), (15.0, 15.0));
        let teamless = stage.chat(&house.token(json!({"sub": "ada"})), "m").await;
        assert_eq!(teamless.status, 403);
        has(&teamless.text(), "litellm_jwtauth.enforce_team_based_model_access");
    });
}

#[test]
fn a_token_with_the_administrators_scope_manages_and_does_nothing_else() {
    isolated(|| async {
        for store in BOTH {
            let house =
                House::open(store, json!({"user_id_jwt_field": "sub", "admin_jwt_scope": "gateway:admin"})).await;
            let stage = &house.stage;
            let admin = house.token(json!({"sub": "root", "scope": "openid gateway:admin"}));
            let made = stage.ok(&admin, "POST /key/generate", json!({"key_alias": "by-token"})).await;
            assert_eq!(made["created_by"], "root", "{made}");
            assert_eq!(stage.chat(made["key"].as_str().expect("a key"), "m").await.status, 200);
            let call = stage.chat(&admin, "m").await;
            assert_eq!(call.status, 403, "{}", call.text());
            has(&call.text(), "admin_allowed_routes");
            // As a list, and of another.
            let listed = house.token(json!({"sub": "root", "scope": ["gateway:admin"]}));
            stage.ok(&listed, "GET /key/list", Value::Null).await;
            let plain = house.token(json!({"sub": "root", "scope": "openid"}));
            assert_eq!(stage.call(&plain, "GET /key/list", &Value::Null).await.status, 403);
        }
    });
}

#[test]
fn a_role_says_what_an_object_is_and_lets_it_in_with_what_the_role_may() {
    isolated(|| async {
        let mut config = json!({
            "object_id_jwt_field": "oid", "roles_jwt_field": "resource_access.gateway.roles", "enforce_rbac": true,
            "role_mappings": [{"role": "gw.team", "internal_role": "team"}, {"role": "gw.root", "internal_role": "proxy_admin"}],
        });
        config["team_allowed_routes"] = json!(["/v1/chat/completions", "/v1/models"]);
        let signer = Signer::ed();
        let issuer = Issuer::with(&[signer.public("k")]).await;
        let mut blocks = issuer.config(config);
        blocks["general_settings"]["role_permissions"] = json!([{"role": "team", "models": ["m"]}]);
        let house = House { stage: Stage::with(Store::Sqlite, blocks).await, issuer, signer };
        let of = |role: &str| house.token(json!({"oid": "o-1", "resource_access": {"gateway": {"roles": [role]}}}));
        let team = of("gw.team");
        assert_eq!(house.stage.chat(&team, "m").await.status, 200);
        assert_eq!(house.stage.chat(&team, "other").await.status, 403);
        let elsewhere = house.message(&team).await;
        assert_eq!(elsewhere.status, 403, "{}", elsewhere.text());
        has(&elsewhere.text(), "team_allowed_routes");
        house.stage.ok(&of("gw.root"), "GET /team/list", Value::Null).await;
        let nobody = house.stage.chat(&of("visitor"), "m").await;
        assert_eq!(nobody.status, 403);
        has(&nobody.text(), "litellm_jwtauth.role_mappings");
    });
}

#[test]
fn a_scope_opens_the_models_that_are_mapped_to_it() {
    isolated(|| async {
        let jwtauth = json!({
            "team_id_jwt_field": "team", "enforce_scope_based_access": true,
            "scope_mappings": [{"scope": "models.m", "models": ["m"]}, {"scope": "models.other", "models": ["other"]}],
        });
        let house = House::open(Store::Sqlite, jwtauth).await;
        house.stage.admin("POST /team/new", json!({"team_id": "t"})).await;
        let of = |scope: &str| house.token(json!({"team": "t", "scope": scope}));
        assert_eq!(house.models(&of("models.m")).await, ["m"]);
        assert_eq!(house.models(&of("models.m models.other")).await, ["m", "other"]);
        assert!(house.models(&of("openid")).await.is_empty());
        assert_eq!(house.stage.chat(&of("openid"), "m").await.status, 403);
        assert_eq!(house.stage.chat(&of("models.other"), "other").await.status, 200);
    });
}

#[test]
fn the_customer_of_a_token_is_the_requests_whatever_the_request_says() {
    isolated(|| async {
        let house =
            House::open(Store::Sqlite, json!({"team_id_jwt_field": "team", "end_user_id_jwt_field": "customer"})).await;
        let stage = &house.stage;
        stage.admin("POST /team/new", json!({"team_id": "t"})).await;
        stage.admin("POST /customer/new", json!({"user_id": "c", "blocked": true})).await;
        let token = house.token(json!({"team": "t", "customer": "c"}));
        let body = json!({"model": "m", "user": "someone-else", "messages": [{"role": "user", "content": "hello"}]});
        let refused = stage.call(&token, "POST /v1/chat/completions", &body).await;
        assert_eq!(refused.status, 401, "{}", refused.text());
        has(&refused.text(), "This customer is blocked");
    });
}

#[test]
fn a_new_key_of_the_issuer_is_fetched_when_a_token_names_it_and_discovery_documents_are_followed() {
    isolated(|| async {
        let (old, new) = (Signer::p256(), Signer::ed());
        let issuer = Issuer::with(&[old.public("old")]).await;
        let discovery = "/realms/x/.well-known/openid-configuration";
        issuer.serves(discovery, json!({"jwks_uri": format!("{}/keys", issuer.base)}));
        let stage = Stage::with(Store::Sqlite, issuer.config_at(discovery, fields())).await;
        stage.admin("POST /team/new", json!({"team_id": "t"})).await;
        let claims = claims(json!({"team": "t"}));
        assert_eq!(stage.chat(&old.token(Some("old"), &claims), "m").await.status, 200);
        issuer.serves("/keys", json!({"keys": [old.public("old"), new.public("new")]}));
        let asked = futures_util::future::join_all(
            (0..5).map(|_| async { stage.chat(&new.token(Some("new"), &claims), "m").await.status }),
        );
        assert_eq!(asked.await, [200; 5], "all that came while it was fetched");
        assert_eq!(issuer.fetched(), [discovery, "/keys", discovery, "/keys"]);
    });
}

#[test]
fn an_issuer_that_is_away_is_a_503_for_the_first_and_nothing_to_those_after() {
    isolated(|| async {
        let house =
            House::open(Store::Sqlite, crate::support::stage::merged(fields(), json!({"public_key_ttl": 1}))).await;
        let stage = &house.stage;
        stage.admin("POST /team/new", json!({"team_id": "t"})).await;
        let token = house.token(json!({"team": "t"}));
        house.issuer.down(true);
        let away = stage.chat(&token, "m").await;
        assert_eq!(away.status, 503, "{}", away.text());
        has(&away.text(), "127.0.0.1 answers with status 503 (JWT_PUBLIC_KEY_URL");
        assert_eq!(away.header("retry-after"), Some("2"));
        house.issuer.down(false);
        tokio::time::sleep(Duration::from_millis(2100)).await;
        assert_eq!(stage.chat(&token, "m").await.status, 200);
        house.issuer.down(true);
        // The keys are old by now.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        for _ in 0..3 {
            assert_eq!(stage.chat(&token, "m").await.status, 200);
        }
        // Who has a key of the gateway never needed it.
        assert_eq!(stage.chat(MASTER_KEY, "m").await.status, 200);
    });
}

#[test]
fn tokens_are_taken_beside_keys_in_any_header_and_without_a_master_key_nobody_comes_in_unsigned() {
    isolated(|| async {
        let signer = Signer::ed();
        let issuer = Issuer::with(&[signer.public("k")]).await;
        let mut blocks = issuer.config(json!({"user_id_jwt_field": "sub", "user_id_upsert": true}));
        blocks["general_settings"]["master_key"] = Value::Null;
        let stage = Stage::with(Store::Sqlite, blocks).await;
        let token = signer.token(Some("k"), &claims(json!({"sub": "ada"})));
        let bearer = format!("Bearer {token}");
        let body = Client::Chat.hello(json!({})).to_string();
        let json = ("content-type", "application/json");
        let ask = async |headers: &[(&str, &str)]| {
            send(Method::POST, &stage.gateway.url("/v1/chat/completions"), headers, body.clone()).await.status.as_u16()
        };
        assert_eq!(ask(&[("authorization", &bearer), json]).await, 200);
        assert_eq!(ask(&[("x-api-key", &token), ("authorization", "Bearer sk-left-over"), json]).await, 200);
        assert_eq!(ask(&[json]).await, 401);
        assert_eq!(ask(&[("authorization", "Bearer sk-anything"), json]).await, 401);
        let expired = signer.token(Some("k"), &claims(json!({"sub": "ada", "exp": now() - 60})));
        assert_eq!(ask(&[("x-api-key", &expired), json]).await, 401);
    });
}

#[test]
fn a_token_sees_what_was_spent_and_answered_for_its_bearer_and_nothing_of_others() {
    isolated(|| async {
        let house = House::open(Store::Sqlite, json!({"user_id_jwt_field": "sub", "user_id_upsert": true})).await;
        let stage = &house.stage;
        let (ada, eve) = (house.token(json!({"sub": "ada"})), house.token(json!({"sub": "eve"})));
        for key in [MASTER_KEY, &ada, &eve] {
            assert_eq!(stage.chat(key, "m").await.status, 200);
        }
        let mut rows = Value::Null;
        for _ in 0..500 {
            rows = stage.admin("GET /spend/logs", Value::Null).await;
            if rows.as_array().is_some_and(|rows| rows.len() == 3) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(rows.as_array().map(Vec::len), Some(3), "{rows}");
        let own = stage.ok(&ada, "GET /spend/logs", Value::Null).await;
        let users: Vec<&Value> = own.as_array().expect("rows").iter().map(|row| &row["user"]).collect();
        assert_eq!(users, ["ada"], "{own}");
        // An answer that is kept is its bearer's, with the next token too.
        let body = json!({"model": "m", "input": "hello"});
        let made = stage.ok(&ada, "POST /v1/responses", body).await;
        let path = format!("GET /v1/responses/{}", made["id"].as_str().expect("an id"));
        assert_eq!(stage.call(&eve, &path, &Value::Null).await.status, 404);
        let next = house.token(json!({"sub": "ada", "jti": "2"}));
        assert_eq!(stage.call(&next, &path, &Value::Null).await.status, 200);
    });
}
