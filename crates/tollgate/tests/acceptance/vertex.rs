//! S36 on Google Cloud: Claude and Gemini on Vertex AI, and signing in to it with every form of credentials.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate_sim::{Answer as Said, Google, Sim, SimConfig, Step, call_signature, signature, vertex_call_signature};

use crate::gemini::speaker::{Form, Speaker};
use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, config, has, merged};
use crate::support::http::{Answer, post, send};
use crate::support::{Gateway, isolated};

const HELLO: &str = "Hello from the simulated model.";
/// The beginning of every token that the simulated Google gives.
const TOKEN: &str = "ya29.canary-token";
const SPEAKERS: [Speaker; 3] = [Speaker::Messages, Speaker::Chat, Speaker::Gemini];

/// A gateway before one project of Vertex AI, with the routes `m` (Gemini 3) and `claude`.
struct Cloud {
    google: Google,
    sim: Sim,
    gateway: Gateway,
    folder: TempDir,
}

/// Where the credentials come from.
enum From {
    /// `GOOGLE_APPLICATION_CREDENTIALS`.
    File(fn(&Google, &str, &TempDir) -> Value),
    /// `vertex_credentials`, the JSON itself.
    Inline,
    Metadata,
}

impl Cloud {
    async fn start(google: Google, from: From) -> Cloud {
        Cloud::scripted(google, SimConfig::default(), from, json!({})).await
    }

    /// `more`: further `litellm_params`.
    async fn scripted(google: Google, sim: SimConfig, from: From, more: Value) -> Cloud {
        let sim = Sim::start(sim.google(&google)).await;
        let base = sim.base_url();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials.json");
        let mut own = json!({"api_base": base, "vertex_project": google.project, "vertex_location": google.location});
        // Nobody's own gcloud.
        let mut env = vec![("CLOUDSDK_CONFIG", folder.path().display().to_string())];
        match from {
            From::File(credentials) => {
                std::fs::write(&file, credentials(&google, &base, &folder).to_string()).unwrap();
                env.push(("GOOGLE_APPLICATION_CREDENTIALS", file.display().to_string()));
            }
            From::Inline => own["vertex_credentials"] = json!(google.service_account(&base).to_string()),
            From::Metadata => env.push(("GCE_METADATA_HOST", base.replace("http://", ""))),
        }
        let own = merged(own, more);
        let entry = |name: &str, model: &str| json!({"model_name": name, "litellm_params": merged(json!({"model": model}), own.clone())});
        let mut whole = config(&[
            entry("m", "vertex_ai/gemini-3-pro"),
            entry("claude", "vertex_ai/claude-sonnet-4-6"),
            entry("llama", "vertex_ai/meta/llama-4-scout-maas"),
        ]);
        whole["litellm_settings"] = json!({"num_retries": 0});
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let gateway = Gateway::start_with_env(&whole.to_string(), &[], &env).await;
        Cloud { google, sim, gateway, folder }
    }

    async fn ask(&self, client: Client, model: &str) -> Answer {
        let body = client.hello(json!({"model": model}));
        post(&self.gateway.url(client.path()), &[("x-api-key", MASTER_KEY)], &body).await
    }

    /// The `authorization` headers that the models' paths saw, in order.
    fn bearers(&self) -> Vec<String> {
        let calls = self.sim.requests().into_iter().filter(|call| call.path.contains("/models/"));
        calls.map(|call| call.header("authorization").unwrap_or_default().to_owned()).collect()
    }

    fn no_secret_in_the_log(&self) {
        let log = self.gateway.log();
        for secret in self.google.secrets() {
            assert!(!log.contains(&secret), "{secret} in {log}");
        }
    }

    fn nothing_was_refused(&self) {
        let refused: Vec<String> = self.sim.requests().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused, Vec::<String>::new());
    }
}

fn bearer(nth: usize) -> String {
    format!("Bearer {TOKEN}-{nth}")
}

const ACCOUNT: From = From::File(|google, base, _| google.service_account(base));

/// Gemini and Claude, with one token.
async fn signs_in(google: Google, from: From) -> Cloud {
    let cloud = Cloud::start(google, from).await;
    assert_eq!(Client::Chat.text(&cloud.ask(Client::Chat, "m").await), HELLO);
    assert_eq!(Client::Messages.text(&cloud.ask(Client::Messages, "claude").await), HELLO);
    assert_eq!(cloud.bearers(), [bearer(1), bearer(1)], "one token serves both deployments");
    assert_eq!(cloud.google.tokens.issued(), 1);
    cloud.nothing_was_refused();
    cloud.no_secret_in_the_log();
    cloud
}

#[test]
fn a_service_accounts_file_gives_the_bearer() {
    isolated(|| async {
        let cloud = signs_in(Google::new(), ACCOUNT).await;
        let paths: Vec<String> = cloud.sim.requests().into_iter().map(|call| call.path).collect();
        let scope = "/v1/projects/my-project-1/locations/us-east5/publishers";
        let expected = [
            "/token".to_owned(),
            format!("{scope}/google/models/gemini-3-pro:generateContent"),
            format!("{scope}/anthropic/models/claude-sonnet-4-6:rawPredict"),
        ];
        assert_eq!(paths, expected);
    });
}

#[test]
fn credentials_in_the_configuration_give_the_bearer() {
    isolated(|| async {
        signs_in(Google::new(), From::Inline).await;
    });
}

#[test]
fn a_persons_gcloud_login_gives_the_bearer_and_its_project_pays() {
    isolated(|| async {
        let cloud = signs_in(Google::new(), From::File(|google, base, _| google.authorized_user(base))).await;
        let models = cloud.sim.requests().into_iter().filter(|call| call.path.contains("/models/"));
        let quota: Vec<Option<String>> =
            models.map(|call| call.header("x-goog-user-project").map(str::to_owned)).collect();
        assert_eq!(quota, [Some("quota-project-7".to_owned()), Some("quota-project-7".to_owned())]);
    });
}

#[test]
fn a_workloads_own_token_in_a_file_is_exchanged_and_read_anew_each_time() {
    isolated(|| async {
        let from = From::File(|google, base, folder| {
            let file = folder.path().join("subject");
            std::fs::write(&file, format!("{}\n", google.subject_token)).unwrap();
            google.external_account(base, &json!({"file": file}))
        });
        let cloud = signs_in(Google::new(), from).await;
        let file = cloud.folder.path().join("subject");
        std::fs::write(&file, "another-subject").unwrap();
        cloud.google.tokens.revoke();
        let refused = cloud.ask(Client::Chat, "m").await;
        assert_eq!(refused.status, 502, "the file's new token is refused: {}", refused.text());
        std::fs::write(&file, &cloud.google.subject_token).unwrap();
        Client::Chat.text(&cloud.ask(Client::Chat, "m").await);
    });
}

#[test]
fn a_workloads_own_token_from_an_address_is_exchanged_and_impersonates_a_service_account() {
    isolated(|| async {
        let from = From::File(|google, base, _| {
            let format = json!({"type": "json", "subject_token_field_name": "id_token"});
            let headers = json!({"x-issuer": "yes"});
            google.external_account(
                base,
                &json!({"url": format!("{base}/subject-token"), "headers": headers, "format": format}),
            )
        });
        let cloud = signs_in(Google::new().impersonated(), from).await;
        let asked = &cloud.sim.requests_to(":generateAccessToken")[0];
        assert_eq!(asked.json()["lifetime"], "1800s");
    });
}

#[test]
fn a_service_account_is_impersonated_by_a_persons_login() {
    isolated(|| async {
        let from = From::File(|google, base, _| {
            let account = google.service_account(base)["client_email"].as_str().unwrap().to_owned();
            json!({"type": "impersonated_service_account", "source_credentials": google.authorized_user(base),
                "service_account_impersonation_url": format!("{base}/v1/projects/-/serviceAccounts/{account}:generateAccessToken")})
        });
        let cloud = Cloud::start(Google::new(), from).await;
        assert_eq!(Client::Chat.text(&cloud.ask(Client::Chat, "m").await), HELLO);
        assert_eq!(cloud.bearers(), [bearer(2)], "the person's own token only asks for the other");
    });
}

#[test]
fn the_metadata_server_gives_the_bearer() {
    isolated(|| async {
        signs_in(Google::new(), From::Metadata).await;
    });
}

#[test]
fn a_key_without_a_project_is_express_mode() {
    isolated(|| async {
        let google = Google::new().key(PROVIDER_KEY);
        let sim = Sim::start(SimConfig::default().google(&google)).await;
        let params = json!({"model": "vertex_ai/gemini-3-pro", "api_base": sim.base_url(), "api_key": PROVIDER_KEY});
        let entry = json!({"model_name": "m", "litellm_params": params});
        let gateway = Gateway::start(&config(&[entry]).to_string(), &[]).await;
        let body = Client::Messages.hello(json!({}));
        let answer = post(&gateway.url("/v1/messages"), &[("x-api-key", MASTER_KEY)], &body).await;
        assert_eq!(Client::Messages.text(&answer), HELLO);
        let call = &sim.requests()[0];
        assert_eq!(call.path, "/v1/publishers/google/models/gemini-3-pro:generateContent");
        assert_eq!((call.header("x-goog-api-key"), call.header("authorization")), (Some(PROVIDER_KEY), None));
    });
}

#[test]
fn models_of_other_publishers_are_asked_by_openais_api() {
    isolated(|| async {
        let cloud = Cloud::start(Google::new(), ACCOUNT).await;
        assert_eq!(Client::Messages.text(&cloud.ask(Client::Messages, "llama").await), HELLO);
        let call = &cloud.sim.requests_to("/chat/completions")[0];
        assert_eq!(call.path, "/v1/projects/my-project-1/locations/us-east5/endpoints/openapi/chat/completions");
        assert_eq!(call.json()["model"], "meta/llama-4-scout-maas");
        assert_eq!(call.header("authorization"), Some(bearer(1).as_str()));
        let listed = send(http::Method::GET, &cloud.gateway.url("/v1/models"), &[("x-api-key", MASTER_KEY)], "").await;
        let ids: Vec<Value> = listed.json()["data"].as_array().unwrap().iter().map(|m| m["id"].clone()).collect();
        assert_eq!(ids, ["m", "claude", "llama"]);
    });
}

#[test]
fn s36_a_messages_client_reaches_claude_on_vertex_with_its_own_bytes_but_for_the_model_and_the_version() {
    isolated(|| async {
        let cloud = Cloud::start(Google::new(), ACCOUNT).await;
        for (stream, method) in [(false, "rawPredict"), (true, "streamRawPredict")] {
            let body = format!(
                " {{\"max_tokens\" : 64 ,\n\t\"system\":\"caf\\u00e9\\/\",\"model\"  :  \"claude\", \"stream\":{stream},\n \"messages\": [ {{\"content\":\"hi\",\"role\":\"user\"}} ] }} "
            );
            let headers = [
                ("x-api-key", MASTER_KEY),
                ("anthropic-version", "2023-06-01"),
                (
                    "anthropic-beta",
                    "context-1m-2025-08-07,prompt-caching-scope-2026-01-05,advanced-tool-use-2025-11-20",
                ),
            ];
            let url = cloud.gateway.url("/v1/messages?beta=true");
            let answer = send(http::Method::POST, &url, &headers, body.clone()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let sent = cloud.sim.requests().pop().unwrap();
            let path = "/v1/projects/my-project-1/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-6";
            assert_eq!(sent.path, format!("{path}:{method}"));
            let expected = body
                .replace("\"model\"  :  \"claude\", ", "")
                .replace(" {\"max_tokens\"", " {\"anthropic_version\":\"vertex-2023-10-16\",\"max_tokens\"");
            assert_eq!(String::from_utf8_lossy(&sent.body), expected);
            assert_eq!(sent.header("anthropic-beta"), Some("context-1m-2025-08-07, tool-search-tool-2025-10-19"));
            assert_eq!(sent.header("anthropic-version"), None);
            assert_eq!(sent.header("x-api-key"), None);
        }
        cloud.nothing_was_refused();
    });
}

#[test]
fn s36_every_client_calls_tools_over_two_turns_on_claude_on_vertex_and_its_thoughts_come_back() {
    isolated(|| async {
        for speaker in [Speaker::Messages, Speaker::Gemini] {
            for form in [Form::Whole, Form::Stream] {
                let said = Said::thinking("I have to look.").and_tool("toolu_a", "read", &json!({"path": "a"}));
                let script = SimConfig::default().steps([Step::answer(said), Step::text("It is empty.")]);
                let more = json!({"model": "vertex_ai/claude-sonnet-4-6"});
                let cloud = Cloud::scripted(Google::new(), script, ACCOUNT, more).await;
                let mut history = vec![speaker.says("Look at the file.")];
                let first = speaker.ask(&cloud.gateway, form, &history).await;
                history.push(first.message.clone());
                history.extend(speaker.results(&first.calls, &["empty"]));
                let second = speaker.ask(&cloud.gateway, form, &history).await;
                assert_eq!(second.text, "It is empty.", "{speaker:?} {form:?}");
                cloud.nothing_was_refused();
                let sent = cloud.sim.requests().pop().unwrap().json();
                let thought = &sent["messages"][1]["content"][0];
                assert_eq!(thought["signature"], signature("I have to look."), "{speaker:?} {form:?}: {sent}");
            }
        }
    });
}

#[test]
fn a_chat_client_reaches_claude_on_vertex_streamed_and_whole() {
    isolated(|| async {
        let cloud = Cloud::start(Google::new(), ACCOUNT).await;
        Client::Chat.text(&cloud.ask(Client::Chat, "claude").await);
        let body = Client::Chat.hello(json!({"model": "claude", "stream": true}));
        let streamed = post(&cloud.gateway.url("/v1/chat/completions"), &[("x-api-key", MASTER_KEY)], &body).await;
        has(&streamed.text(), "[DONE]");
        cloud.nothing_was_refused();
        assert_eq!(cloud.sim.requests_to(":streamRawPredict").len(), 1);
    });
}

/// Calls a tool, then answers.
fn calls() -> SimConfig {
    let called = Said::thinking("Hm.").and_tool("call_a", "read", &json!({"path": "a"}));
    SimConfig::default().steps([Step::answer(called), Step::text("It is empty.")])
}

#[test]
fn every_client_calls_tools_over_two_turns_on_gemini_on_vertex_and_the_signature_comes_back() {
    isolated(|| async {
        for speaker in SPEAKERS {
            for form in [Form::Whole, Form::Stream] {
                let cloud = Cloud::scripted(Google::new(), calls(), ACCOUNT, json!({})).await;
                let mut history = vec![speaker.says("Look at the file.")];
                let first = speaker.ask(&cloud.gateway, form, &history).await;
                history.push(first.message.clone());
                history.extend(speaker.results(&first.calls, &["empty"]));
                let second = speaker.ask(&cloud.gateway, form, &history).await;
                assert_eq!(second.text, "It is empty.", "{speaker:?} {form:?}");
                cloud.nothing_was_refused();
                let sent = cloud.sim.requests().pop().unwrap().json();
                let signatures: Vec<&Value> = sent["contents"][1]["parts"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(|part| part.get("thoughtSignature"))
                    .collect();
                assert_eq!(signatures, [&json!(vertex_call_signature("read", &json!({"path": "a"})))], "{sent}");
            }
        }
    });
}

#[test]
fn s36_a_conversation_that_began_at_ai_studio_goes_on_at_vertex_without_studios_signatures() {
    isolated(|| async {
        for speaker in SPEAKERS {
            let google = Google::new();
            let studio = Sim::start(calls().key(PROVIDER_KEY)).await;
            let vertex = Sim::start(SimConfig::default().google(&google)).await;
            let entry = |params: Value| json!({"model_name": "m", "litellm_params": params});
            let mut whole = config(&[
                entry(
                    json!({"model": "gemini/gemini-3-pro", "api_base": studio.base_url(), "api_key": PROVIDER_KEY, "order": 1}),
                ),
                entry(json!({"model": "vertex_ai/gemini-3-pro", "api_base": vertex.base_url(), "order": 2,
                    "vertex_project": google.project, "vertex_location": google.location,
                    "vertex_credentials": google.service_account(&vertex.base_url()).to_string()})),
            ]);
            whole["litellm_settings"] = json!({"num_retries": 0});
            let gateway = Gateway::start(&whole.to_string(), &[]).await;
            let mut history = vec![speaker.says("Look at the file.")];
            let first = speaker.ask(&gateway, Form::Whole, &history).await;
            let away = json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
            studio.replace_script([Step::json(503, &away).always()]);
            history.push(first.message.clone());
            history.extend(speaker.results(&first.calls, &["empty"]));
            let second = speaker.ask(&gateway, Form::Whole, &history).await;
            assert_eq!(second.text, HELLO, "{speaker:?}");
            let own = call_signature("read", &json!({"path": "a"}));
            let sent = vertex.requests_to(":generateContent");
            let bodies: Vec<String> =
                sent.iter().map(|call| String::from_utf8_lossy(&call.body).into_owned()).collect();
            // Sealed for a Messages client; else Vertex itself has to say that it is none of its own.
            let tries = if speaker == Speaker::Messages { 1 } else { 2 };
            assert_eq!(bodies.len(), tries, "{speaker:?}: {bodies:?}");
            let last = bodies.last().unwrap();
            assert!(!last.contains(&own) && last.contains("skip_thought_signature_validator"), "{speaker:?}: {last}");
        }
    });
}

#[test]
fn what_only_vertex_knows_goes_there_and_not_to_ai_studio_and_the_other_way_round() {
    isolated(|| async {
        let google = Google::new();
        let cloud = Cloud::start(google, ACCOUNT).await;
        let studio = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let params = json!({"model": "gemini/gemini-3-pro", "api_base": studio.base_url(), "api_key": PROVIDER_KEY});
        let before_studio =
            Gateway::start(&config(&[json!({"model_name": "m", "litellm_params": params})]).to_string(), &[]).await;
        let body =
            json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "labels": {"team": "a"}, "store": false});
        for (gateway, sim, kept, gone) in
            [(&cloud.gateway, &cloud.sim, "labels", "store"), (&before_studio, &studio, "store", "labels")]
        {
            let url = gateway.url("/v1beta/models/m:generateContent");
            let answer = post(&url, &[("x-goog-api-key", MASTER_KEY)], &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let sent = sim.requests_to(":generateContent").pop().unwrap().json();
            assert_eq!(sent[kept], body[kept], "{sent}");
            assert!(sent.get(gone).is_none(), "{sent}");
            has(answer.header("x-tollgate-changes").unwrap(), &format!("dropped:{gone}"));
        }
    });
}

#[test]
fn a_token_is_replaced_before_its_last_five_minutes_while_requests_go_on_with_it() {
    isolated(|| async {
        let google = Google::new();
        google.tokens.issue_for(301);
        let cloud = Cloud::start(google, ACCOUNT).await;
        Client::Chat.text(&cloud.ask(Client::Chat, "m").await);
        cloud.google.tokens.issue_for(3600);
        Client::Chat.text(&cloud.ask(Client::Chat, "m").await);
        let replaced = async {
            while cloud.bearers().last() != Some(&bearer(2)) {
                Client::Chat.text(&cloud.ask(Client::Chat, "m").await);
            }
        };
        tokio::time::timeout(Duration::from_secs(20), replaced).await.expect("the second token is used");
        assert_eq!(cloud.bearers()[..2], [bearer(1), bearer(1)]);
        assert_eq!(cloud.google.tokens.issued(), 2, "a fresh token is not replaced");
        cloud.nothing_was_refused();
    });
}

#[test]
fn a_token_that_is_refused_causes_one_forced_refresh_and_one_retry() {
    isolated(|| async {
        for model in ["m", "claude"] {
            let cloud = Cloud::start(Google::new(), ACCOUNT).await;
            Client::Messages.text(&cloud.ask(Client::Messages, model).await);
            cloud.google.tokens.revoke();
            assert_eq!(Client::Messages.text(&cloud.ask(Client::Messages, model).await), HELLO);
            assert_eq!(cloud.bearers(), [bearer(1), bearer(1), bearer(2)]);
            let calls: Vec<_> = cloud.sim.requests().into_iter().filter(|c| c.path.contains("/models/")).collect();
            assert_eq!(calls[1].body, calls[2].body, "the same request");
            cloud.no_secret_in_the_log();
        }
    });
}

#[test]
fn a_second_401_is_a_502_that_quotes_no_token_and_nothing_more_is_sent() {
    isolated(|| async {
        for model in ["m", "claude"] {
            let google = Google::new();
            google.tokens.refuse_all();
            let cloud = Cloud::start(google, ACCOUNT).await;
            let answer = cloud.ask(Client::Messages, model).await;
            assert_eq!(answer.status, 502, "{}", answer.text());
            has(&Client::Messages.error(&answer).1, "Request had invalid authentication credentials.");
            assert!(!answer.text().contains(TOKEN), "{}", answer.text());
            assert_eq!(cloud.bearers(), [bearer(1), bearer(2)]);
            cloud.gateway.logged(answer.header("request-id").unwrap()).await;
            cloud.no_secret_in_the_log();
        }
    });
}

#[test]
fn requests_at_the_same_time_wait_for_one_token() {
    isolated(|| async {
        let cloud = Cloud::start(Google::new(), ACCOUNT).await;
        let models = ["m", "claude", "m", "claude", "m", "claude"];
        let asked = futures_util::future::join_all(models.map(|model| cloud.ask(Client::Messages, model))).await;
        assert!(asked.iter().all(|answer| answer.status == 200));
        assert_eq!(cloud.google.tokens.issued(), 1);
    });
}

#[test]
fn no_token_is_a_502_that_says_which_credentials_failed_and_what_to_do_without_the_secret() {
    isolated(|| async {
        let cases: [(From, &str); 2] = [
            (
                From::File(|google, base, _| {
                    merged(google.authorized_user(base), json!({"refresh_token": "1//gone-canary"}))
                }),
                "gcloud auth application-default login: status 400: invalid_grant: Token has been expired or revoked. Sent: \
                 [redacted] (run `gcloud auth application-default login` again)",
            ),
            (
                // Another account's key.
                From::File(|google, base, _| {
                    let other = Google::new().service_account(base);
                    merged(google.service_account(base), json!({"private_key": other["private_key"]}))
                }),
                "service account: status 400: invalid_grant: Invalid JWT Signature. Sent: [redacted]",
            ),
        ];
        for (from, words) in cases {
            let cloud = Cloud::start(Google::new(), from).await;
            let answer = cloud.ask(Client::Messages, "claude").await;
            assert_eq!(answer.status, 502, "{}", answer.text());
            assert_eq!(answer.header("x-tollgate-reason"), Some("no_token"));
            let (_, message) = Client::Messages.error(&answer);
            has(&message, &format!("the gateway cannot sign in to vertex_ai: {words}"));
            assert_eq!(cloud.bearers(), Vec::<String>::new());
            cloud.gateway.logged(answer.header("request-id").unwrap()).await;
            cloud.no_secret_in_the_log();
            assert!(!cloud.gateway.log().contains("1//gone-canary"));
        }
    });
}

#[test]
fn token_endpoints_that_are_away_are_a_failure_that_passes() {
    isolated(|| async {
        let google = Google::new();
        google.tokens.down(Some(503));
        let cloud = Cloud::start(google, ACCOUNT).await;
        let answer = cloud.ask(Client::Chat, "m").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-tollgate-reason")), (502, Some("no_token")));
        assert_eq!(answer.header("x-should-retry"), None);
        cloud.google.tokens.down(None);
        tokio::time::timeout(Duration::from_secs(30), async {
            while cloud.ask(Client::Chat, "m").await.status != 200 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await
        .expect("it works again");
    });
}

#[test]
fn embeddings_are_refused_where_only_geminis_own_dialect_is_spoken() {
    isolated(|| async {
        let cloud = Cloud::start(Google::new(), ACCOUNT).await;
        let body = json!({"model": "m", "input": "hello"});
        let answer = post(&cloud.gateway.url("/v1/embeddings"), &[("x-api-key", MASTER_KEY)], &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        has(&answer.text(), "/v1/embeddings needs an OpenAI-compatible provider");
        assert_eq!(cloud.sim.requests().len(), 0);
    });
}
