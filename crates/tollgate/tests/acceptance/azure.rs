//! S27: Azure's addresses, and signing in to it with Entra ID from every source of tokens.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{API_VERSION, Answer as Said, Azure, Identity, Sim, SimConfig, Step};

use crate::stage::{BOTH, Client, MASTER_KEY, config, has, merged};
use crate::support::http::{Answer, post};
use crate::support::{Gateway, isolated};

const SECRET: &str = "client-secret-canary-77aa";
/// The beginning of every token that the simulated Entra ID gives.
const TOKEN: &str = "entra-canary-token";

/// A gateway before one Azure resource.
struct Cloud {
    azure: Azure,
    sim: Sim,
    gateway: Gateway,
}

/// What a deployment says; `BASE` stands for the address of the resource, in variables too.
struct Setup<'s> {
    params: Value,
    more: Value,
    env: Vec<(&'s str, String)>,
}

impl Cloud {
    async fn start(azure: Azure, setup: Setup<'_>) -> Cloud {
        Cloud::scripted(azure, SimConfig::default(), setup).await
    }

    async fn scripted(azure: Azure, sim: SimConfig, setup: Setup<'_>) -> Cloud {
        let sim = Sim::start(sim.azure(&azure)).await;
        let base = sim.base_url();
        let entry = json!({"model_name": "m", "litellm_params": merged(classic(), setup.params)});
        let whole = merged(config(&[entry]), setup.more).to_string().replace("BASE", &base);
        let env: Vec<(&str, String)> = setup.env.iter().map(|(k, v)| (*k, v.replace("BASE", &base))).collect();
        let env: Vec<(&str, &str)> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let gateway = Gateway::start_with_env(&whole, &[], &env).await;
        Cloud { azure, sim, gateway }
    }

    async fn ask(&self, client: Client) -> Answer {
        post(&self.gateway.url(client.path()), &[("x-api-key", MASTER_KEY)], &client.hello(json!({}))).await
    }

    /// The `authorization` headers that the models' paths saw, in order.
    fn bearers(&self) -> Vec<String> {
        let calls = self.sim.requests_to("/chat/completions");
        calls.iter().map(|call| call.header("authorization").unwrap_or_default().to_owned()).collect()
    }

    fn no_secret_in_the_log(&self) {
        let log = self.gateway.log();
        for secret in [SECRET, TOKEN] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
    }
}

fn classic() -> Value {
    json!({"model": "azure/my-gpt", "api_base": "BASE", "api_version": API_VERSION})
}

fn with_secret(azure: &Azure) -> Setup<'static> {
    let params = json!({"tenant_id": azure.tenant(), "client_id": azure.client_id, "client_secret": SECRET});
    Setup { params, more: json!({}), env: vec![("AZURE_AUTHORITY_HOST", "BASE".into())] }
}

/// DefaultAzureCredential with these variables.
fn chain(env: Vec<(&'static str, String)>) -> Setup<'static> {
    let more = json!({"litellm_settings": {"enable_azure_ad_token_refresh": true}});
    Setup { params: json!({}), more, env }
}

fn bearer(nth: usize) -> String {
    format!("Bearer {TOKEN}-{nth}")
}

async fn signs_in(azure: Azure, setup: Setup<'_>) -> Cloud {
    let cloud = Cloud::start(azure, setup).await;
    for client in BOTH {
        assert_eq!(client.text(&cloud.ask(client).await), "Hello from the simulated model.");
    }
    assert_eq!(cloud.bearers(), [bearer(1), bearer(1)], "one token serves both requests");
    assert_eq!(cloud.azure.issued(), 1);
    for call in cloud.sim.requests_to("/chat/completions") {
        assert_eq!(call.path, "/openai/deployments/my-gpt/chat/completions");
        assert_eq!(call.query.as_deref(), Some(format!("api-version={API_VERSION}").as_str()));
        assert_eq!(call.header("api-key"), None);
    }
    cloud.no_secret_in_the_log();
    cloud
}

#[test]
fn s27_a_client_secret_of_the_deployment_gives_the_bearer() {
    isolated(|| async {
        let azure = Azure::new(Identity::ClientSecret(SECRET.into()));
        let setup = with_secret(&azure);
        let cloud = signs_in(azure, setup).await;
        let fetch = &cloud.sim.requests_to("/oauth2/v2.0/token")[0];
        let body = String::from_utf8_lossy(&fetch.body).into_owned();
        has(&body, "scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default");
    });
}

#[test]
fn s27_a_client_secret_of_the_environment_gives_the_bearer() {
    isolated(|| async {
        let azure = Azure::new(Identity::ClientSecret(SECRET.into()));
        let mut setup = chain(vec![
            ("AZURE_AUTHORITY_HOST", "BASE".into()),
            ("AZURE_TENANT_ID", azure.tenant().into()),
            ("AZURE_CLIENT_ID", azure.client_id.clone()),
            ("AZURE_CLIENT_SECRET", SECRET.into()),
        ]);
        // The three together are a wish to sign in, also without the setting.
        setup.more = json!({});
        signs_in(azure, setup).await;
    });
}

#[test]
fn s27_a_username_and_password_give_the_bearer() {
    isolated(|| async {
        let azure =
            Azure::new(Identity::Password { username: "a@contoso.com".into(), password: format!("{SECRET} &=+ü") });
        let params = json!({"tenant_id": azure.tenant(), "client_id": azure.client_id,
            "azure_username": "a@contoso.com", "azure_password": format!("{SECRET} &=+ü")});
        let setup = Setup { params, more: json!({}), env: vec![("AZURE_AUTHORITY_HOST", "BASE".into())] };
        signs_in(azure, setup).await;
    });
}

#[test]
fn s27_a_workload_identity_gives_the_bearer_and_its_file_is_read_anew_each_time() {
    isolated(|| async {
        let azure = Azure::new(Identity::Workload(SECRET.into()));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, format!("{SECRET}\n")).unwrap();
        let setup = chain(vec![
            ("AZURE_AUTHORITY_HOST", "BASE".into()),
            ("AZURE_TENANT_ID", azure.tenant().into()),
            ("AZURE_CLIENT_ID", azure.client_id.clone()),
            ("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string()),
            ("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential".into()),
        ]);
        let cloud = signs_in(azure, setup).await;
        std::fs::write(&file, "another-proof").unwrap();
        cloud.azure.revoke();
        let refused = cloud.ask(Client::Chat).await;
        assert_eq!(refused.status, 502, "the file's new proof is refused: {}", refused.text());
        std::fs::write(&file, SECRET).unwrap();
        Client::Chat.text(&cloud.ask(Client::Chat).await);
    });
}

#[test]
fn s27_a_managed_identity_of_a_virtual_machine_gives_the_bearer() {
    isolated(|| async {
        let azure = Azure::new(Identity::Imds);
        let setup = chain(vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", "BASE".into())]);
        let cloud = signs_in(azure, setup).await;
        let fetch = &cloud.sim.requests_to("/metadata/identity/oauth2/token")[0];
        has(fetch.query.as_deref().unwrap(), "resource=https%3A%2F%2Fcognitiveservices.azure.com");
        assert!(!fetch.query.as_deref().unwrap().contains("client_id"), "the system's identity has no id");
    });
}

#[test]
fn s27_a_managed_identity_of_app_service_gives_the_bearer_of_the_identity_that_was_named() {
    isolated(|| async {
        let azure = Azure::new(Identity::AppService { header: SECRET.into() });
        let mut setup = chain(vec![("IDENTITY_ENDPOINT", "BASE/msi/token".into()), ("IDENTITY_HEADER", SECRET.into())]);
        setup.params = json!({"client_id": azure.client_id});
        let cloud = signs_in(azure, setup).await;
        let fetch = &cloud.sim.requests_to("/msi/token")[0];
        has(fetch.query.as_deref().unwrap(), &format!("client_id={}", cloud.azure.client_id));
    });
}

#[test]
fn s27_az_login_gives_the_bearer() {
    isolated(|| async {
        let azure = Azure::new(Identity::Imds);
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("az");
        let token = azure.issue();
        let script = format!(
            "#!/bin/sh\n[ \"$*\" = 'account get-access-token --output json --scope \
             https://cognitiveservices.azure.com/.default' ] || exit 1\n\
             echo '{{\"accessToken\":\"{token}\",\"expires_on\":4102444800,\"tokenType\":\"Bearer\"}}'\n"
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", dir.path().display(), std::env::var_os("PATH").unwrap().display());
        let setup = chain(vec![("PATH", path), ("AZURE_TOKEN_CREDENTIALS", "dev".into())]);
        signs_in(azure, setup).await;
    });
}

#[test]
fn s27_the_chain_goes_on_where_a_source_gives_nothing() {
    isolated(|| async {
        // The variables are there, but this tenant knows only the machine's identity.
        let azure = Azure::new(Identity::Imds);
        let setup = chain(vec![
            ("AZURE_AUTHORITY_HOST", "BASE".into()),
            ("AZURE_TENANT_ID", azure.tenant().into()),
            ("AZURE_CLIENT_ID", azure.client_id.clone()),
            ("AZURE_CLIENT_SECRET", SECRET.into()),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "BASE".into()),
        ]);
        let cloud = signs_in(azure, setup).await;
        assert_eq!(cloud.sim.requests_to("/oauth2/v2.0/token").len(), 1);
    });
}

#[test]
fn s27_a_token_is_replaced_before_its_last_five_minutes_while_requests_go_on_with_it() {
    isolated(|| async {
        let azure = Azure::new(Identity::ClientSecret(SECRET.into()));
        azure.issue_for(301);
        let setup = with_secret(&azure);
        let cloud = Cloud::start(azure, setup).await;
        Client::Chat.text(&cloud.ask(Client::Chat).await);
        // It may not be fetched before the answer is there.
        cloud.azure.issue_for(3600);
        Client::Chat.text(&cloud.ask(Client::Chat).await);
        let replaced = cloud.sim.wait_until(|_| cloud.azure.issued() == 2);
        tokio::time::timeout(Duration::from_secs(20), replaced).await.expect("a second token");
        // The answer of the endpoint has to reach the gateway first.
        let third = async {
            loop {
                Client::Chat.text(&cloud.ask(Client::Chat).await);
                if cloud.bearers().last() == Some(&bearer(2)) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), third).await.expect("the second token is used");
        assert_eq!(cloud.bearers()[..2], [bearer(1), bearer(1)]);
        assert_eq!(cloud.azure.issued(), 2, "a fresh token is not replaced");
    });
}

#[test]
fn s27_a_token_that_cannot_be_replaced_yet_is_used_as_long_as_it_is_good() {
    isolated(|| async {
        let azure = Azure::new(Identity::ClientSecret(SECRET.into()));
        azure.issue_for(301);
        let setup = with_secret(&azure);
        let cloud = Cloud::start(azure, setup).await;
        Client::Chat.text(&cloud.ask(Client::Chat).await);
        cloud.azure.down(Some(503));
        for _ in 0..3 {
            Client::Chat.text(&cloud.ask(Client::Chat).await);
        }
        cloud.gateway.logged("could not be replaced yet").await;
        assert_eq!(cloud.bearers(), vec![bearer(1); 4]);
        assert_eq!(cloud.sim.requests_to("/oauth2/v2.0/token").len(), 2, "it is not tried with every request");
        cloud.no_secret_in_the_log();
    });
}

#[test]
fn s27_a_401_causes_one_forced_refresh_and_one_retry() {
    isolated(|| async {
        for client in BOTH {
            let azure = Azure::new(Identity::ClientSecret(SECRET.into()));
            let setup = with_secret(&azure);
            let cloud = Cloud::start(azure, setup).await;
            client.text(&cloud.ask(client).await);
            cloud.azure.revoke();
            assert_eq!(client.text(&cloud.ask(client).await), "Hello from the simulated model.");
            assert_eq!(cloud.bearers(), [bearer(1), bearer(1), bearer(2)]);
            let calls = cloud.sim.requests_to("/chat/completions");
            assert_eq!(calls[1].body, calls[2].body, "the same request");
            cloud.no_secret_in_the_log();
        }
    });
}

#[test]
fn s27_a_second_401_is_a_502_that_quotes_no_token_and_nothing_more_is_sent() {
    isolated(|| async {
        for client in BOTH {
            let azure = Azure::new(Identity::ClientSecret(SECRET.into()));
            azure.refuse_all();
            let setup = with_secret(&azure);
            let cloud = Cloud::start(azure, setup).await;
            let answer = cloud.ask(client).await;
            assert_eq!(answer.status, 502, "{}", answer.text());
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            has(&client.error(&answer).1, "Access denied due to invalid subscription key");
            assert!(!answer.text().contains(TOKEN), "{}", answer.text());
            assert_eq!(cloud.bearers(), [bearer(1), bearer(2)]);
            cloud.gateway.logged(answer.header("request-id").unwrap()).await;
            cloud.no_secret_in_the_log();
        }
    });
}

#[test]
fn s27_requests_at_the_same_time_wait_for_one_fetch() {
    isolated(|| async {
        let azure = Azure::new(Identity::ClientSecret(SECRET.into()));
        let setup = with_secret(&azure);
        let cloud = Cloud::start(azure, setup).await;
        let asked = futures_util::future::join_all((0..8).map(|_| cloud.ask(Client::Chat))).await;
        assert!(asked.iter().all(|answer| answer.status == 200));
        assert_eq!(cloud.azure.issued(), 1);
        cloud.azure.revoke();
        let asked = futures_util::future::join_all((0..8).map(|_| cloud.ask(Client::Chat))).await;
        assert!(asked.iter().all(|answer| answer.status == 200));
        assert_eq!(cloud.azure.issued(), 2, "one refresh for all that were refused");
    });
}

#[test]
fn s27_no_token_is_a_502_that_says_which_source_failed_and_what_to_set_without_the_secret() {
    isolated(|| async {
        let azure = Azure::new(Identity::ClientSecret("another".into()));
        let setup = with_secret(&azure);
        let cloud = Cloud::start(azure, setup).await;
        for client in BOTH {
            let answer = cloud.ask(client).await;
            assert_eq!(answer.status, 502, "{}", answer.text());
            assert_eq!(answer.header("x-tollgate-reason"), Some("no_token"));
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            let (_, message) = client.error(&answer);
            has(&message, "client secret: status 401: invalid_client: AADSTS7000215");
            has(&message, "client_secret must be the secret's value, not its id");
            assert!(!answer.text().contains(SECRET), "{}", answer.text());
            cloud.gateway.logged(answer.header("request-id").unwrap()).await;
        }
        assert_eq!(cloud.bearers(), Vec::<String>::new());
        cloud.no_secret_in_the_log();
    });
}

#[test]
fn s27_without_a_token_another_deployment_answers() {
    isolated(|| async {
        let azure = Azure::new(Identity::ClientSecret("another".into())).key("resource-key");
        let sim = Sim::start(SimConfig::default().azure(&azure)).await;
        let own =
            json!({"tenant_id": azure.tenant(), "client_id": azure.client_id, "client_secret": SECRET, "order": 1});
        let by_key = json!({"api_key": "resource-key", "order": 2});
        let entry = |params| json!({"model_name": "m", "litellm_params": merged(classic(), params)});
        let whole = config(&[entry(own), entry(by_key)]).to_string().replace("BASE", &sim.base_url());
        let gateway = Gateway::start_with_env(&whole, &[], &[("AZURE_AUTHORITY_HOST", &sim.base_url())]).await;
        let body = Client::Chat.hello(json!({}));
        let answer = post(&gateway.url(Client::Chat.path()), &[("x-api-key", MASTER_KEY)], &body).await;
        Client::Chat.text(&answer);
        let call = &sim.requests_to("/chat/completions")[0];
        assert_eq!((call.header("api-key"), call.header("authorization")), (Some("resource-key"), None));
    });
}

#[test]
fn s27_the_v1_api_and_claude_in_foundry_take_the_bearer_too() {
    isolated(|| async {
        let azure = Azure::new(Identity::ClientSecret(SECRET.into()));
        let sim = Sim::start(SimConfig::default().azure(&azure)).await;
        let own = json!({"tenant_id": azure.tenant(), "client_id": azure.client_id, "client_secret": SECRET});
        let entry =
            |name: &str, params: Value| json!({"model_name": name, "litellm_params": merged(params, own.clone())});
        let whole = config(&[
            entry("v1", json!({"model": "azure/my-gpt", "api_base": "BASE/openai/v1/"})),
            entry("preview", json!({"model": "azure/my-gpt", "api_base": "BASE", "api_version": "preview"})),
            entry("claude", json!({"model": "azure_ai/claude-opus-5", "api_base": "BASE"})),
        ]);
        let whole = whole.to_string().replace("BASE", &sim.base_url());
        let gateway = Gateway::start_with_env(&whole, &[], &[("AZURE_AUTHORITY_HOST", &sim.base_url())]).await;
        for name in ["v1", "preview", "claude"] {
            let body = Client::Chat.hello(json!({"model": name}));
            let answer = post(&gateway.url(Client::Chat.path()), &[("x-api-key", MASTER_KEY)], &body).await;
            Client::Chat.text(&answer);
        }
        let all = sim.requests();
        let calls: Vec<_> = all.iter().filter(|call| !call.path.ends_with("/token")).collect();
        let paths: Vec<_> = calls.iter().map(|call| (call.path.as_str(), call.query.as_deref())).collect();
        let expected = [
            ("/openai/v1/chat/completions", None),
            ("/openai/v1/chat/completions", Some("api-version=preview")),
            ("/anthropic/v1/messages", None),
        ];
        assert_eq!(paths, expected);
        let bearers: Vec<_> = calls.iter().map(|call| call.header("authorization").unwrap()).collect();
        assert_eq!(bearers, [bearer(1), bearer(1), bearer(2)], "one token for each scope");
        let last = sim.requests_to("/token").pop().unwrap();
        has(&String::from_utf8_lossy(&last.body), "scope=https%3A%2F%2Fai.azure.com%2F.default");
        assert_eq!(calls[0].json()["model"], "my-gpt");
    });
}

#[test]
fn azures_words_for_an_unknown_deployment_a_filtered_prompt_and_too_many_requests_are_understood() {
    isolated(|| async {
        let filtered = json!({"error": {
            "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.",
            "type": null, "param": "prompt", "code": "content_filter", "status": 400,
            "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"jailbreak": {"filtered": true, "detected": true}}}}});
        // The same, flattened by a proxy.
        let flat = json!({"error": {"code": "400", "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."}});
        let busy = json!({"error": {"code": "429", "message": "Requests have exceeded the token rate limit. Please retry after 7 seconds."}});
        let script = SimConfig::default()
            .step(Step::json(400, &filtered))
            .step(Step::json(400, &flat))
            .step(Step::json(429, &busy))
            .step(Step::answer(Said::text("fine")));
        let azure = Azure::new(Identity::Imds).key("resource-key");
        let setup =
            Setup { params: json!({"api_key": "resource-key", "num_retries": 0}), more: json!({}), env: Vec::new() };
        let cloud = Cloud::scripted(azure, script, setup).await;
        for _ in 0..2 {
            let answer = cloud.ask(Client::Messages).await;
            assert_eq!(answer.status, 400, "{}", answer.text());
            assert_eq!(answer.header("x-tollgate-reason"), Some("content_policy"));
        }
        let answer = cloud.ask(Client::Messages).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("7")), "{}", answer.text());

        let azure = Azure::new(Identity::Imds).key("resource-key");
        let setup = Setup {
            params: json!({"model": "azure/gone", "api_key": "resource-key"}),
            more: json!({}),
            env: Vec::new(),
        };
        let cloud = Cloud::start(azure, setup).await;
        let answer = cloud.ask(Client::Messages).await;
        assert_eq!(answer.status, 404, "{}", answer.text());
        has(&Client::Messages.error(&answer).1, "The API deployment for this resource does not exist");
    });
}
