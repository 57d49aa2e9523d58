use super::*;
use crate::config::aws::{Aws, Keys, Proof, Role, Source, Sts};
use crate::config::identity::Identity;
use crate::config::secret::Secret;

fn files(params: &str) -> Files {
    Files::new(&format!("model_list:\n  - model_name: m\n    litellm_params: {params}\n"))
}

fn aws(files: &Files) -> Aws {
    let (config, problems) = files.good();
    assert!(problems.is_empty(), "{problems:?}");
    assert!(config.deployments[0].credential.is_none(), "keys or a bearer, not both");
    match config.deployments[0].identity.clone() {
        Some(Identity::Aws(aws)) => aws,
        other => panic!("{other:?} is no identity of AWS"),
    }
}

const CLAUDE: &str = "model: bedrock/us.anthropic.claude-opus-5";
const KEYS: &str = "aws_access_key_id: AKID, aws_secret_access_key: s";

fn keys(id: &str) -> Source {
    Source::Keys(Keys { id: id.into(), secret: Secret::new("s"), session: None })
}

#[test]
fn a_models_name_says_by_which_api_at_which_address_it_is_called() {
    let called = |params: &str| {
        let (config, _) = files(&format!("{{{params}, {KEYS}}}")).good();
        let deployment = &config.deployments[0];
        let Some(Identity::Aws(aws)) = &deployment.identity else { panic!("signs") };
        let address = deployment.address(deployment.dialect, &deployment.model, true);
        (address, aws.region.clone(), aws.service.clone())
    };
    let found = |address: &str, region: &str, service: &str| (address.into(), region.into(), service.into());
    let runtime = |region: &str, model: &str| {
        let address =
            format!("https://bedrock-runtime.{region}.amazonaws.com/model/{model}/invoke-with-response-stream");
        found(&address, region, "bedrock")
    };
    let model = "us.anthropic.claude-opus-5";
    assert_eq!(called(&format!("{CLAUDE}, aws_region_name: us-east-1")), runtime("us-east-1", model));
    let invoke = format!("model: bedrock/invoke/{model}, aws_region_name: us-east-1");
    assert_eq!(called(&invoke), runtime("us-east-1", model));
    assert_eq!(called(&format!("model: bedrock/eu-central-1/{model}")), runtime("eu-central-1", model));
    assert_eq!(
        called(&format!("model: {model}, custom_llm_provider: bedrock, aws_region_name: us-east-1")),
        runtime("us-east-1", model)
    );
    let old = "anthropic.claude-sonnet-4-5-20250929-v1:0";
    let escaped = "anthropic.claude-sonnet-4-5-20250929-v1%3A0";
    assert_eq!(called(&format!("model: 'bedrock/{old}', aws_region_name: us-east-1")), runtime("us-east-1", escaped));
    let arn = "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/x";
    let escaped = "arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fx";
    assert_eq!(called(&format!("model: 'bedrock/invoke/{arn}'")), runtime("us-west-2", escaped));
    assert_eq!(called(&format!("model: 'bedrock/{arn}', base_model: claude-opus-5")), runtime("us-west-2", escaped));
    let china = "https://bedrock-runtime.cn-north-1.amazonaws.com.cn";
    let in_china = called(&format!("{CLAUDE}, aws_region_name: cn-north-1")).0;
    assert_eq!(in_china, format!("{china}/model/{model}/invoke-with-response-stream"));
    for key in ["api_base", "aws_bedrock_runtime_endpoint"] {
        let vpc = "https://vpce-1.bedrock-runtime.ap-south-1.vpce.amazonaws.com";
        let expected = found(&format!("{vpc}/model/{model}/invoke-with-response-stream"), "ap-south-1", "bedrock");
        assert_eq!(called(&format!("{CLAUDE}, {key}: '{vpc}/'")), expected);
    }
    let mantle = "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages";
    for model in ["bedrock/mantle/anthropic.claude-opus-5", "bedrock_mantle/anthropic.claude-opus-5"] {
        let expected = found(mantle, "us-east-1", "bedrock-mantle");
        assert_eq!(called(&format!("model: {model}, aws_region_name: us-east-1")), expected);
    }
    let openai = "https://bedrock-mantle.us-east-1.api.aws/openai/v1/chat/completions";
    let gpt = called("model: bedrock/mantle/openai.gpt-6, aws_region_name: us-east-1");
    assert_eq!(gpt, found(openai, "us-east-1", "bedrock-mantle"));
}

#[test]
fn a_claude_on_bedrock_has_what_is_known_of_it_by_its_own_name() {
    let quirks = |model: &str| {
        let (config, _) = files(&format!("{{model: '{model}', api_key: k, aws_region_name: us-east-1}}")).good();
        (config.deployments[0].quirks.messages.clone(), config.deployments[0].max_output_tokens)
    };
    let (bare, most) = quirks("bedrock/us.anthropic.claude-opus-5-5");
    assert!(bare.genuine && !bare.forced_tool && !bare.prefill);
    assert_eq!(most, Some(128_000));
    let arn = "bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5-5";
    assert_eq!(quirks(arn).0, bare);
    assert_eq!(quirks("bedrock/anthropic.claude-haiku-4-5-20251001-v1:0").1, Some(64_000));
}

#[test]
fn the_default_chain_takes_the_first_source_that_is_set_up() {
    // AWS SDKs and Tools Reference Guide, "Understand the credential provider chain", 2026-11.
    let deployment = format!("{{{CLAUDE}, aws_region_name: us-east-1}}");
    let sts = || Sts { url: "https://sts.us-east-1.amazonaws.com".into(), region: "us-east-1".into() };
    let role = |session: &str| Role { arn: "arn:aws:iam::1:role/R".into(), session: session.into() };
    let machine = files(&deployment);
    assert_eq!(*aws(&machine).source, Source::Instance { base: "http://169.254.169.254".into() });
    let task = machine.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x");
    let url = "http://169.254.170.2/v2/credentials/x".to_string();
    assert_eq!(*aws(&task).source, Source::Container { url, token: None });
    let pod = task.env("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token").env("AWS_ROLE_ARN", "arn:aws:iam::1:role/R");
    let web = Source::WebIdentity { sts: sts(), role: role("tollgate"), proof: Proof::File("/run/token".into()) };
    assert_eq!(*aws(&pod).source, web);
    let home = pod.add("credentials", "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=s\n[other]\naws_access_key_id=OTHER\naws_secret_access_key=s\n");
    let path = home.path().with_file_name("credentials").display().to_string();
    let home = home.env("AWS_SHARED_CREDENTIALS_FILE", &path);
    assert_eq!(*aws(&home).source, keys("DEFAULT"));
    let named = home.env("AWS_PROFILE", "other");
    assert_eq!(*aws(&named).source, keys("OTHER"));
    let all = named.env("AWS_ACCESS_KEY_ID", "ENV").env("AWS_SECRET_ACCESS_KEY", "s");
    assert_eq!(*aws(&all).source, keys("ENV"));
}

#[test]
fn a_role_is_assumed_with_the_keys_beside_it_but_a_pods_own_role_at_once() {
    let role =
        "aws_role_name: 'arn:aws:iam::1:role/R', aws_external_id: x, aws_session_name: me, aws_region_name: eu-west-1";
    let sts = Sts { url: "https://sts.eu-west-1.amazonaws.com".into(), region: "eu-west-1".into() };
    let arn = Role { arn: "arn:aws:iam::1:role/R".into(), session: "me".into() };
    let assumed = |base: Source| Source::Role {
        sts: sts.clone(),
        role: arn.clone(),
        external_id: Some("x".into()),
        base: std::sync::Arc::new(base),
    };
    assert_eq!(*aws(&files(&format!("{{{CLAUDE}, {role}, {KEYS}}}"))).source, assumed(keys("AKID")));
    let machine = Source::Instance { base: "http://169.254.169.254".into() };
    assert_eq!(*aws(&files(&format!("{{{CLAUDE}, {role}}}"))).source, assumed(machine));
    let pod = files(&format!("{{{CLAUDE}, {role}}}"))
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token")
        .env("AWS_ROLE_ARN", "arn:aws:iam::1:role/R");
    assert!(matches!(&*aws(&pod).source, Source::WebIdentity { role, .. } if role.session == "me"));
}

#[test]
fn what_is_missing_for_aws_is_said_with_its_place_and_what_to_write() {
    let message = |files: Files| files.bad().remove(0);
    let with = |params: &str| files(&format!("{{{CLAUDE}, {params}}}"));
    assert_eq!(
        message(files(&format!("{{{CLAUDE}, {KEYS}}}"))),
        "config.yaml:2:5: model_list[0].litellm_params.aws_region_name: the AWS region is not known
    hint: write `aws_region_name: us-east-1`, or set AWS_REGION"
    );
    assert!(message(with(&format!("{KEYS}, aws_region_name: 'US East'"))).contains("is no AWS region"));
    let region = "aws_region_name: us-east-1";
    let half = message(with(&format!("{region}, aws_access_key_id: canary")));
    assert!(
        half.contains("there is no `aws_secret_access_key`, or its variable is not set") && !half.contains("canary")
    );
    let unset = message(with(&format!("{region}, aws_access_key_id: os.environ/NONE, aws_secret_access_key: s")));
    assert!(unset.contains("NONE is not set"), "{unset}");
    let nothing = message(with(region).env("AWS_EC2_METADATA_DISABLED", "true"));
    assert!(nothing.contains("there are no credentials for AWS") && nothing.contains("AWS_BEARER_TOKEN_BEDROCK"));
    let profile = message(with(&format!("{region}, aws_profile_name: prod")));
    assert!(profile.contains("there is no AWS profile called prod"), "{profile}");
    let folder = |text: &str| {
        let files = with(&format!("{region}, aws_profile_name: p")).add("config", text);
        let path = files.path().with_file_name("config").display().to_string();
        message(files.env("AWS_CONFIG_FILE", &path))
    };
    let sso = folder("[profile p]\nsso_session = x\n");
    assert!(sso.contains("IAM Identity Center (SSO)") && sso.contains("aws configure export-credentials --profile p"));
    assert!(folder("[profile p]\nrole_arn = arn:aws:iam::1:role/R\n").contains("with whose keys it assumes its role"));
    let circle = "[profile p]\nrole_arn = arn:aws:iam::1:role/R\nsource_profile = q\n[profile q]\nrole_arn = arn:aws:iam::1:role/Q\nsource_profile = p\n";
    assert!(folder(circle).contains("holds no credentials"));
    let plain = message(with(&format!(
        "{region}, {KEYS}, aws_role_name: 'arn:aws:iam::1:role/R', aws_sts_endpoint: 'http://sts.example.com'"
    )));
    assert!(plain.contains("the address of STS must begin with https://"));
    let agent = message(with(region).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://keys.example.com/"));
    assert!(agent.contains("leads over plain HTTP"), "{agent}");
    let short = message(with(&format!("{region}, {KEYS}, aws_role_name: gateway")));
    assert!(short.contains("the role to assume is no ARN"));
    let oidc = message(with(&format!(
        "{region}, aws_web_identity_token: oidc/github/x, aws_role_name: 'arn:aws:iam::1:role/R'"
    )));
    assert!(oidc.contains("`oidc/file/PATH`"));
}

#[test]
fn secrets_of_aws_are_shown_nowhere() {
    let params = format!(
        "{{{CLAUDE}, aws_region_name: us-east-1, aws_access_key_id: AKID, aws_secret_access_key: canary-a, aws_session_token: canary-b}}"
    );
    let (config, _) = files(&params).good();
    assert!(!format!("{config:?}").contains("canary"));
    let secrets: Vec<&str> = config.deployments[0].secrets().collect();
    assert_eq!(secrets, ["canary-a", "canary-b"]);
}

#[test]
fn what_converse_has_in_its_body_is_in_headers_of_invoke_model() {
    let guarded = "guardrailConfig: {guardrailIdentifier: g1, guardrailVersion: '2', trace: enabled}, \
        performanceConfig: {latency: optimized}, serviceTier: {type: flex}, requestMetadata: {team: a}, other: 1";
    let of = |model: &str| {
        let (config, _) = files(&format!("{{model: {model}, aws_region_name: us-east-1, {KEYS}, {guarded}}}")).good();
        let headers = config.deployments[0].headers.iter();
        let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        let body: Vec<_> = config.deployments[0].extra_body.iter().map(|(name, _)| name.clone()).collect();
        (headers, body)
    };
    let (headers, body) = of("bedrock/us.anthropic.claude-opus-5");
    assert_eq!(
        headers,
        [
            "x-amzn-bedrock-guardrailidentifier: g1",
            "x-amzn-bedrock-guardrailversion: 2",
            "x-amzn-bedrock-trace: ENABLED",
            "x-amzn-bedrock-performanceconfig-latency: optimized",
            "x-amzn-bedrock-service-tier: flex",
            r#"x-amzn-bedrock-request-metadata: {"team":"a"}"#,
        ]
    );
    assert_eq!(body, ["other"]);
    let (headers, body) = of("bedrock/converse/us.anthropic.claude-opus-5");
    assert!(headers.is_empty());
    assert_eq!(body, ["guardrailConfig", "performanceConfig", "serviceTier", "requestMetadata", "other"]);
}
