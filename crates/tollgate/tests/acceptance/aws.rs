//! Claude on Amazon Bedrock: its own form, and signing in to AWS from every source of keys.

mod native;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Aws, Grants, Sim, SimConfig, Step};

use crate::stage::{BOTH, Client, MASTER_KEY, config, has, merged};
use crate::support::http::{Answer, post};
use crate::support::{Gateway, isolated};

/// The beginnings of every secret that the simulated AWS has.
const CANARIES: [&str; 3] = ["aws-canary-secret", "aws-canary-session", "aws-canary-proof"];
const PROOF: &str = "aws-canary-proof-5c1d";
const INVOKE: &str = "/model/us.anthropic.claude-sonnet-4-6/invoke";

/// A gateway before one account of AWS.
struct Cloud {
    aws: Aws,
    sim: Sim,
    gateway: Gateway,
    /// Files that the gateway reads.
    files: tempfile::TempDir,
}

/// What a deployment says, and what is around it. `BASE` stands for AWS's address, `DIR` for the folder with the files.
#[derive(Default)]
struct Setup {
    params: Value,
    /// Further blocks of the config.
    more: Value,
    env: Vec<(&'static str, String)>,
    files: Vec<(&'static str, String)>,
}

impl Setup {
    fn params(params: Value) -> Setup {
        Setup { params, ..Setup::default() }
    }

    fn more(mut self, more: Value) -> Setup {
        self.more = more;
        self
    }

    fn env(mut self, name: &'static str, value: &str) -> Setup {
        self.env.push((name, value.to_owned()));
        self
    }

    fn file(mut self, name: &'static str, text: &str) -> Setup {
        self.files.push((name, text.to_owned()));
        self
    }
}

/// A Claude of the account, without credentials.
fn claude() -> Value {
    json!({"model": "bedrock/us.anthropic.claude-sonnet-4-6", "aws_region_name": "eu-west-1",
        "aws_bedrock_runtime_endpoint": "BASE", "num_retries": 0})
}

/// The user's own keys, in the deployment.
fn user(aws: &Aws) -> Value {
    let (id, secret) = aws.user();
    json!({"aws_access_key_id": id, "aws_secret_access_key": secret})
}

impl Cloud {
    async fn start(aws: Aws, setup: Setup) -> Cloud {
        Cloud::scripted(aws, SimConfig::default(), setup).await
    }

    async fn scripted(aws: Aws, sim: SimConfig, setup: Setup) -> Cloud {
        let params = if setup.params.is_null() { json!({}) } else { setup.params.clone() };
        let entry = json!({"model_name": "m", "litellm_params": merged(claude(), params)});
        Cloud::of(aws, sim, &[entry], setup).await
    }

    async fn of(aws: Aws, sim: SimConfig, entries: &[Value], setup: Setup) -> Cloud {
        let sim = Sim::start(sim.aws(&aws)).await;
        let files = tempfile::tempdir().unwrap();
        let dir = files.path().display().to_string();
        let told = |text: &str| text.replace("BASE", &sim.base_url()).replace("DIR", &dir);
        for (name, text) in &setup.files {
            let path = files.path().join(name);
            std::fs::write(&path, told(text)).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let env: Vec<(&str, String)> = setup.env.iter().map(|(name, value)| (*name, told(value))).collect();
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let gateway =
            Gateway::start_with_env(&told(&merged(config(entries), setup.more.clone()).to_string()), &[], &env).await;
        Cloud { aws, sim, gateway, files }
    }

    async fn ask(&self, client: Client) -> Answer {
        self.ask_for(client, "m").await
    }

    async fn ask_for(&self, client: Client, model: &str) -> Answer {
        let body = client.hello(json!({"model": model}));
        post(&self.gateway.url(client.path()), &[("x-api-key", MASTER_KEY)], &body).await
    }

    /// The access key ids that signed the calls of the model, in order.
    fn signers(&self) -> Vec<String> {
        let calls = self.sim.requests_to("/invoke");
        let credential = |header: &str| header.split("Credential=").nth(1)?.split('/').next().map(str::to_owned);
        calls
            .iter()
            .map(|call| credential(call.header("authorization").unwrap_or_default()).unwrap_or_default())
            .collect()
    }

    fn no_secret_in(&self, text: &str) {
        for secret in CANARIES {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }

    /// Both clients are answered, and `issued` temporary keys were enough.
    async fn serves(&self, issued: usize) {
        for client in BOTH {
            assert_eq!(client.text(&self.ask(client).await), "Hello from the simulated model.");
        }
        assert_eq!(self.aws.issued(), issued, "what was had once serves both requests");
        for call in self.sim.requests_to("/invoke") {
            assert_eq!(call.path, INVOKE);
            assert_eq!(call.header("x-amz-security-token").is_some(), issued > 0);
        }
        self.no_secret_in(&self.gateway.log());
    }
}

async fn signs_in(aws: Aws, setup: Setup, issued: usize) -> Cloud {
    let cloud = Cloud::start(aws, setup).await;
    cloud.serves(issued).await;
    cloud
}

#[test]
fn keys_of_the_deployment_sign_claudes_own_form() {
    isolated(|| async {
        let aws = Aws::new(Grants::Nobody);
        let setup = Setup::params(user(&aws));
        let cloud = signs_in(aws, setup, 0).await;
        let call = &cloud.sim.requests_to("/invoke")[0];
        let header = call.header("authorization").unwrap();
        has(header, "/eu-west-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=");
        let body = call.json();
        assert_eq!((&body["anthropic_version"], &body["max_tokens"]), (&json!("bedrock-2023-05-31"), &json!(100)));
        assert!(body.get("model").is_none() && body.get("stream").is_none());
        assert_eq!((call.header("anthropic-version"), call.header("x-api-key")), (None, None));
    });
}

#[test]
fn keys_of_variables_and_of_profiles_sign() {
    isolated(|| async {
        let aws = || Aws::new(Grants::Nobody);
        let (id, secret) = aws().user();
        let in_variables = Setup::default().env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
        signs_in(aws(), in_variables, 0).await;
        let by_reference =
            json!({"aws_access_key_id": "os.environ/MY_ID", "aws_secret_access_key": "os.environ/MY_KEY"});
        signs_in(aws(), Setup::params(by_reference).env("MY_ID", id).env("MY_KEY", secret), 0).await;
        let keys = format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        let named = Setup::params(json!({"aws_profile_name": "prod"}))
            .env("AWS_SHARED_CREDENTIALS_FILE", "DIR/credentials")
            .file("credentials", &format!("[prod]\n{keys}"));
        signs_in(aws(), named, 0).await;
        // The region too.
        let default = Setup::params(json!({"aws_region_name": null}))
            .env("AWS_CONFIG_FILE", "DIR/config")
            .file("config", &format!("[default]\nregion = eu-west-1\n{keys}"));
        signs_in(aws(), default, 0).await;
    });
}

#[test]
fn a_role_is_assumed_with_the_keys_of_the_deployment_or_of_a_source_profile() {
    isolated(|| async {
        let external_id = Some("tollgate ext&id".to_owned());
        let aws = Aws::new(Grants::Role { external_id: external_id.clone() });
        let role = json!({"aws_role_name": aws.role(), "aws_session_name": "gateway-1", "aws_external_id": external_id,
            "aws_sts_endpoint": "BASE"});
        let setup = Setup::params(merged(user(&aws), role));
        let cloud = signs_in(aws, setup, 1).await;
        let asked = cloud.sim.requests().into_iter().find(|call| call.path == "/").unwrap();
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        has(&body, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fgateway");
        has(&body, "&RoleSessionName=gateway-1&ExternalId=tollgate%20ext%26id");
        has(asked.header("authorization").unwrap(), "/eu-west-1/sts/aws4_request");

        let aws = Aws::new(Grants::Role { external_id: None });
        let (id, secret) = aws.user();
        let files = format!(
            "[base]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[role]\nrole_arn = {}\nsource_profile = base\nregion = eu-west-1\n",
            aws.role()
        );
        let setup = Setup::params(json!({"aws_profile_name": "role"}))
            .env("AWS_SHARED_CREDENTIALS_FILE", "DIR/credentials")
            .env("AWS_ENDPOINT_URL_STS", "BASE")
            .file("credentials", &files);
        signs_in(aws, setup, 1).await;
    });
}

#[test]
fn a_web_identity_assumes_its_role_unsigned_and_its_file_is_read_anew_each_time() {
    isolated(|| async {
        let aws = || Aws::new(Grants::WebIdentity(PROOF.into()));
        let role = aws().role();
        let in_pod = Setup::default()
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", "DIR/token")
            .env("AWS_ROLE_ARN", role)
            .env("AWS_ENDPOINT_URL_STS", "BASE")
            .file("token", &format!("{PROOF}\n"));
        let cloud = signs_in(aws(), in_pod, 1).await;
        std::fs::write(cloud.files.path().join("token"), "aws-canary-proof-another").unwrap();
        cloud.aws.revoke();
        let refused = cloud.ask(Client::Chat).await;
        assert_eq!(refused.status, 502, "the file's new token is refused: {}", refused.text());
        cloud.no_secret_in(&refused.text());
        std::fs::write(cloud.files.path().join("token"), PROOF).unwrap();
        Client::Chat.text(&cloud.ask(Client::Chat).await);

        for token in ["oidc/file/DIR/token", "oidc/env/PROOF", PROOF] {
            let params = json!({"aws_web_identity_token": token, "aws_role_name": role, "aws_sts_endpoint": "BASE"});
            let setup = Setup::params(params).env("PROOF", PROOF).file("token", PROOF);
            signs_in(aws(), setup, 1).await;
        }
    });
}

#[test]
fn a_program_a_container_and_a_virtual_machine_give_keys() {
    isolated(|| async {
        let aws = Aws::new(Grants::Nobody);
        let [id, secret, session, end] = aws.issue();
        let printed = json!({"Version": 1, "AccessKeyId": id, "SecretAccessKey": secret, "SessionToken": session, "Expiration": end});
        let program = Setup::params(json!({"aws_profile_name": "tool"}))
            .env("AWS_CONFIG_FILE", "DIR/config")
            .file("config", "[profile tool]\ncredential_process = \"DIR/tool\" --for 'a b'\n")
            .file("tool", &format!("#!/bin/sh\n[ \"$2\" = 'a b' ] && echo '{printed}'\n"));
        signs_in(aws, program, 1).await;

        let aws = || Aws::new(Grants::Container { authorization: PROOF.into() });
        let agent = || Setup::default().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "BASE/agent/keys");
        signs_in(aws(), agent().env("AWS_CONTAINER_AUTHORIZATION_TOKEN", PROOF), 1).await;
        let file =
            agent().env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "DIR/token").file("token", &format!("{PROOF}\n"));
        signs_in(aws(), file, 1).await;

        let machine = Setup::default().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "BASE/");
        let cloud = signs_in(Aws::new(Grants::Instance), machine, 1).await;
        assert_eq!(cloud.sim.requests_to("/latest/api/token").len(), 1);
    });
}

#[test]
fn a_key_of_bedrocks_own_is_sent_as_a_bearer_and_nothing_is_signed() {
    isolated(|| async {
        const KEY: &str = "bedrock-api-key-canary-1f";
        let given = Setup::params(json!({"api_key": KEY}));
        let found = Setup::default().env("AWS_BEARER_TOKEN_BEDROCK", KEY).env("AWS_ACCESS_KEY_ID", "unused");
        for setup in [given, found] {
            let cloud = Cloud::start(Aws::new(Grants::Nobody).bearer(KEY), setup).await;
            Client::Messages.text(&cloud.ask(Client::Messages).await);
            let call = &cloud.sim.requests_to("/invoke")[0];
            assert_eq!(call.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
            assert_eq!(call.header("x-amz-date"), None);
        }
        // What the deployment says goes before the environment.
        let aws = Aws::new(Grants::Nobody).bearer("another");
        let setup = Setup::params(user(&aws)).env("AWS_BEARER_TOKEN_BEDROCK", KEY);
        signs_in(aws, setup, 0).await;
    });
}

#[test]
fn deployments_that_sign_in_alike_share_keys_also_in_other_regions() {
    isolated(|| async {
        let aws = Aws::new(Grants::Instance);
        let entry = |name: &str, region: &str, model: &str| {
            let own = json!({"aws_region_name": region, "model": model});
            json!({"model_name": name, "litellm_params": merged(claude(), own)})
        };
        let entries = [
            entry("a", "eu-west-1", "bedrock/us.anthropic.claude-sonnet-4-6"),
            entry(
                "b",
                "eu-west-1",
                "bedrock/invoke/arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/x1",
            ),
            entry("far", "us-west-2", "bedrock/us.anthropic.claude-sonnet-4-6"),
        ];
        let setup = Setup::default().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "BASE");
        let cloud = Cloud::of(aws, SimConfig::default(), &entries, setup).await;
        Client::Chat.text(&cloud.ask_for(Client::Chat, "a").await);
        Client::Chat.text(&cloud.ask_for(Client::Chat, "b").await);
        let far = cloud.ask_for(Client::Chat, "far").await;
        assert_eq!(far.status, 502, "the account is elsewhere: {}", far.text());
        has(&Client::Chat.error(&far).1, "Credential should be scoped to a valid region.");
        assert_eq!(cloud.aws.issued(), 1);
        let paths: Vec<String> = cloud.sim.requests_to("/invoke").into_iter().map(|call| call.path).collect();
        assert_eq!(
            paths[1],
            "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fx1/invoke"
        );
        assert_eq!(paths.len(), 3, "a wrong region is not asked again");
    });
}

#[test]
fn keys_are_replaced_before_their_last_five_minutes_while_requests_go_on_with_them() {
    isolated(|| async {
        let aws = Aws::new(Grants::Instance);
        aws.issue_for(302);
        let setup = Setup::default().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "BASE");
        let cloud = Cloud::start(aws, setup).await;
        Client::Chat.text(&cloud.ask(Client::Chat).await);
        cloud.aws.issue_for(3600);
        Client::Chat.text(&cloud.ask(Client::Chat).await);
        let replaced = cloud.sim.wait_until(|_| cloud.aws.issued() == 2);
        tokio::time::timeout(Duration::from_secs(20), replaced).await.expect("second keys");
        let third = async {
            loop {
                Client::Chat.text(&cloud.ask(Client::Chat).await);
                if cloud.signers().last().is_some_and(|id| id == "ASIASIM2") {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), third).await.expect("the second keys are used");
        assert_eq!(cloud.signers()[..2], ["ASIASIM1", "ASIASIM1"]);
        assert_eq!(cloud.aws.issued(), 2, "fresh keys are not replaced");
    });
}

#[test]
fn keys_that_ended_are_replaced_once_and_the_request_is_signed_again() {
    isolated(|| async {
        for client in BOTH {
            let setup = Setup::default().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "BASE");
            let cloud = Cloud::start(Aws::new(Grants::Instance), setup).await;
            client.text(&cloud.ask(client).await);
            cloud.aws.revoke();
            assert_eq!(client.text(&cloud.ask(client).await), "Hello from the simulated model.");
            assert_eq!(cloud.signers(), ["ASIASIM1", "ASIASIM1", "ASIASIM2"]);
            let calls = cloud.sim.requests_to("/invoke");
            assert_eq!(calls[1].refused.as_deref(), Some("The security token included in the request is expired"));
            assert_eq!(calls[1].body, calls[2].body, "the same request");
            cloud.no_secret_in(&cloud.gateway.log());

            cloud.aws.refuse_all();
            let answer = cloud.ask(client).await;
            assert_eq!(answer.status, 502, "{}", answer.text());
            assert_eq!(cloud.signers().len(), 5, "once more with new keys, and no more");
            cloud.no_secret_in(&answer.text());
        }
    });
}

#[test]
fn what_is_signed_wrongly_is_refused_and_told_without_secrets() {
    isolated(|| async {
        let (id, _) = Aws::new(Grants::Nobody).user();
        let with = |id: &str, secret: &str| json!({"aws_access_key_id": id, "aws_secret_access_key": secret});
        let cases = [
            (with(id, "aws-canary-secret-wrong"), "The request signature we calculated does not match"),
            (with("AKIAUNKNOWN", "aws-canary-secret"), "The security token included in the request is invalid."),
        ];
        for (params, words) in cases {
            for client in BOTH {
                let cloud = Cloud::start(Aws::new(Grants::Nobody), Setup::params(params.clone())).await;
                let answer = cloud.ask(client).await;
                assert_eq!(answer.status, 502, "{}", answer.text());
                assert_eq!(answer.header("x-should-retry"), Some("false"));
                has(&client.error(&answer).1, words);
                cloud.no_secret_in(&answer.text());
                assert_eq!(cloud.signers().len(), 1, "the same keys are not tried again");
                cloud.gateway.logged(answer.header("request-id").unwrap()).await;
                cloud.no_secret_in(&cloud.gateway.log());
            }
        }
        // AWS quotes the session token with the text that it signed itself.
        let setup = Setup::default().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "BASE");
        let cloud = Cloud::start(Aws::new(Grants::Instance), setup).await;
        Client::Messages.text(&cloud.ask(Client::Messages).await);
        cloud.aws.clock_ahead(Duration::from_secs(600));
        let late = cloud.ask(Client::Messages).await;
        has(&Client::Messages.error(&late).1, "Signature expired: ");
        assert_eq!(late.status, 502);
    });
}

#[test]
fn no_keys_is_a_502_that_says_which_source_failed_and_what_to_do_without_the_secret() {
    isolated(|| async {
        let aws = Aws::new(Grants::Nobody);
        let role = json!({"aws_role_name": aws.role(), "aws_sts_endpoint": "BASE"});
        let setup = Setup::params(merged(user(&aws), role));
        let cloud = Cloud::start(aws, setup).await;
        for client in BOTH {
            let answer = cloud.ask(client).await;
            assert_eq!(answer.status, 502, "{}", answer.text());
            assert_eq!(answer.header("x-tollgate-reason"), Some("no_token"));
            let (_, message) = client.error(&answer);
            has(
                &message,
                "the gateway cannot sign in to bedrock: STS AssumeRole: status 403: AccessDenied: User: arn:aws:iam",
            );
            has(&message, "the role's trust policy must let this identity assume it");
            cloud.no_secret_in(&answer.text());
        }
        assert_eq!(cloud.signers(), Vec::<String>::new());
        cloud.aws.down(Some(503));
        let again = cloud.ask(Client::Chat).await;
        assert_eq!(again.header("x-should-retry"), None, "the service may come back: {}", again.text());
        cloud.no_secret_in(&cloud.gateway.log());
    });
}

#[test]
fn requests_at_the_same_time_wait_for_one_fetch_of_keys() {
    isolated(|| async {
        let setup = Setup::default().env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "BASE");
        let cloud = Cloud::start(Aws::new(Grants::Instance), setup).await;
        for expected in [1, 2] {
            let asked = futures_util::future::join_all((0..8).map(|_| cloud.ask(Client::Chat))).await;
            assert!(asked.iter().all(|answer| answer.status == 200));
            assert_eq!(cloud.aws.issued(), expected, "one fetch for all");
            cloud.aws.revoke();
        }
    });
}

#[test]
fn refusals_of_bedrock_are_read_by_their_names_and_words() {
    isolated(|| async {
        let said = |status, kind: &str, words: &str| {
            Step::json(status, &json!({"message": words})).header("x-amzn-errortype", kind)
        };
        let cases = [
            (429, "ThrottlingException", "Too many tokens, please wait before trying again.", 429, "rate_limit_error"),
            (400, "ValidationException", "Input is too long for requested model.", 400, "invalid_request_error"),
            (
                403,
                "AccessDeniedException",
                "You don't have access to the model with the specified model ID.",
                502,
                "api_error",
            ),
        ];
        for (status, kind, words, expected, shape) in cases {
            let aws = Aws::new(Grants::Nobody);
            let setup = Setup::params(user(&aws));
            let sim = SimConfig::default().step(said(status, kind, words).always());
            let cloud = Cloud::scripted(aws, sim, setup).await;
            let answer = cloud.ask(Client::Messages).await;
            assert_eq!(answer.status, expected, "{}", answer.text());
            let (told, message) = Client::Messages.error(&answer);
            assert_eq!(told, shape, "{message}");
            has(&message, words);
        }
    });
}
