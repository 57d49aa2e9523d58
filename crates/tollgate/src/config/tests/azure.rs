use std::path::PathBuf;

use super::*;
use crate::config::entra::{Entra, Source};
use crate::config::identity::Identity;
use crate::config::secret::Secret;

fn files(params: &str) -> Files {
    Files::new(&format!("model_list:\n  - model_name: m\n    litellm_params: {params}\n"))
}

fn url(params: &str) -> String {
    let (config, _) = files(params).env("AZURE_API_KEY", "k").good();
    config.deployments[0].url(config.deployments[0].dialect.path())
}

#[test]
fn every_form_of_an_azure_address_leads_to_its_api() {
    // learn.microsoft.com, Azure OpenAI reference and api-version lifecycle, 2026-08.
    let classic = "https://r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
    let v1 = "https://r.openai.azure.com/openai/v1/chat/completions";
    let cases = [
        ("api_base: https://r.openai.azure.com, api_version: 2024-10-21", classic),
        ("api_base: https://r.openai.azure.com/, api_version: 2024-10-21", classic),
        ("azure_endpoint: https://r.openai.azure.com, api_version: 2024-10-21", classic),
        ("api_base: https://r.openai.azure.com/openai, api_version: 2024-10-21", classic),
        (
            "api_base: 'https://r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21'",
            classic,
        ),
        ("api_base: https://r.openai.azure.com/openai/v1/", v1),
        ("api_base: https://r.openai.azure.com/openai/v1, api_version: 2024-10-21", v1),
        (
            "api_base: https://r.openai.azure.com",
            "https://r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2025-02-01-preview",
        ),
    ];
    for (params, expected) in cases {
        assert_eq!(url(&format!("{{model: azure/gpt, {params}}}")), expected, "{params}");
    }
    let preview = "{model: azure/gpt, api_base: https://r.openai.azure.com, api_version: preview}";
    assert_eq!(url(preview), format!("{v1}?api-version=preview"));
    let marked = "{model: azure/o_series/gpt, api_base: https://r.openai.azure.com, api_version: 2024-10-21}";
    assert_eq!(url(marked), classic);
    let foundry = "https://r.services.ai.azure.com";
    let of_foundry = [
        (foundry.to_string(), "grok", format!("{foundry}/openai/v1/chat/completions")),
        (
            format!("{foundry}/models"),
            "grok",
            format!("{foundry}/models/chat/completions?api-version=2024-05-01-preview"),
        ),
        (foundry.to_string(), "claude-opus-5", format!("{foundry}/anthropic/v1/messages")),
        (format!("{foundry}/anthropic/v1/messages"), "mine", format!("{foundry}/anthropic/v1/messages")),
    ];
    for (base, model, expected) in of_foundry {
        let files = files(&format!("{{model: azure_ai/{model}, api_base: '{base}', api_key: k}}"));
        let (config, _) = files.good();
        assert_eq!(config.deployments[0].url(config.deployments[0].dialect.path()), expected, "{base}");
    }
}

#[test]
fn only_what_belongs_to_a_deployment_stands_below_it() {
    let (config, _) =
        files("{model: azure/gpt, api_base: https://r.openai.azure.com, api_version: v, api_key: k}").good();
    let deployment = &config.deployments[0];
    let address = |path: &str| deployment.url(path);
    assert_eq!(address("/embeddings"), "https://r.openai.azure.com/openai/deployments/gpt/embeddings?api-version=v");
    assert_eq!(
        address("/images/generations"),
        "https://r.openai.azure.com/openai/deployments/gpt/images/generations?api-version=v"
    );
    assert_eq!(address("/responses"), "https://r.openai.azure.com/openai/responses?api-version=v");
}

#[test]
fn the_base_model_says_what_a_deployment_of_any_name_can_do() {
    let quirks = |params: &str| {
        let (config, _) = files(&format!("{{api_base: https://r.openai.azure.com, api_key: k, {params}}}")).good();
        config.deployments[0].quirks.clone()
    };
    let known = quirks("model: azure/gpt-5");
    assert_eq!(quirks("model: azure/team-a, base_model: azure/gpt-5"), known);
    assert_ne!(quirks("model: azure/team-a"), known);
}

fn entra(files: &Files) -> Entra {
    let (config, _) = files.good();
    assert!(config.deployments[0].credential.is_none(), "a token or a key, not both");
    match config.deployments[0].identity.clone() {
        Some(Identity::Entra(entra)) => (*entra).clone(),
        other => panic!("{other:?} is no identity of Entra ID"),
    }
}

const AZURE: &str = "model: azure/gpt, api_base: https://r.openai.azure.com";

#[test]
fn s27_default_azure_credential_asks_in_microsofts_order() {
    // learn.microsoft.com, credential chains in the Azure Identity library, 2026-08.
    let token_url = "https://login.microsoftonline.com/t/oauth2/v2.0/token".to_string();
    let client_id = "c".to_string();
    let full = Files::new(&format!(
        "model_list:\n  - {{model_name: m, litellm_params: {{{AZURE}}}}}\nlitellm_settings: {{enable_azure_ad_token_refresh: true}}\n"
    ))
    .env("AZURE_TENANT_ID", "t")
    .env("AZURE_CLIENT_ID", "c")
    .env("AZURE_CLIENT_SECRET", "s")
    .env("AZURE_FEDERATED_TOKEN_FILE", "/f");
    let environment =
        Source::ClientSecret { token_url: token_url.clone(), client_id: client_id.clone(), secret: Secret::new("s") };
    let workload = Source::Workload { token_url, client_id, file: PathBuf::from("/f") };
    let imds = Source::Imds { base: "http://169.254.169.254".into(), client_id: Some("c".into()) };
    let (az, azd) = (Source::Cli { tenant: None }, Source::DeveloperCli { tenant: None });
    let scope = "https://cognitiveservices.azure.com/.default";
    let all = vec![environment, workload.clone(), imds, az.clone(), azd.clone()];
    assert_eq!(entra(&full), Entra { scope: scope.into(), sources: all });
    let one = full.env("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential").env("AZURE_SCOPE", "api://x/.default");
    assert_eq!(entra(&one), Entra { scope: "api://x/.default".into(), sources: vec![workload] });
    let dev = files(&format!("{{{AZURE}}}")).env("AZURE_TOKEN_CREDENTIALS", "dev");
    assert_eq!(entra(&dev).sources, [az, azd]);
}

#[test]
fn s27_a_key_a_token_and_an_identity_of_the_deployment_go_before_the_environment() {
    let identity = format!("{{{AZURE}, tenant_id: t, client_id: c, client_secret: s}}");
    assert_eq!(entra(&files(&identity).env("AZURE_API_KEY", "k")).sources.len(), 1);
    let in_environment =
        |files: Files| files.env("AZURE_TENANT_ID", "t").env("AZURE_CLIENT_ID", "c").env("AZURE_CLIENT_SECRET", "s");
    for (params, header, value) in [
        (format!("{{{AZURE}, api_key: k}}"), "api-key", "k"),
        (format!("{{{AZURE}, azure_ad_token: jwt}}"), "authorization", "Bearer jwt"),
    ] {
        let (config, _) = in_environment(files(&params)).good();
        let (name, secret) = config.deployments[0].credential.as_ref().expect("a header");
        assert_eq!((name.as_str(), secret.expose()), (header, value));
        assert!(config.deployments[0].identity.is_none());
    }
    let federated = files(&format!("{{{AZURE}, azure_ad_token: oidc/file//run/token, tenant_id: t, client_id: c}}"));
    assert!(matches!(&entra(&federated).sources[..], [Source::Workload { file, .. }] if file.ends_with("run/token")));
}

#[test]
fn s27_what_is_missing_to_sign_in_is_said_with_its_place() {
    let message = |files: Files| files.bad().remove(0);
    assert_eq!(
        message(files(&format!("{{{AZURE}, client_secret: canary}}"))),
        "config.yaml:2:5: model_list[0].litellm_params.tenant_id: the client secret is not whole: there is no `tenant_id` (or AZURE_TENANT_ID) and no `client_id` (or AZURE_CLIENT_ID)
    hint: write them into `litellm_params` or set the variables; docs/azure.md"
    );
    assert!(message(files(&format!("{{{AZURE}}}"))).contains("there is no key for azure"));
    assert!(message(files(&format!("{{{AZURE}}}"))).contains("enable_azure_ad_token_refresh: true"));
    let odd = files(&format!("{{{AZURE}}}")).env("AZURE_TOKEN_CREDENTIALS", "something");
    assert!(message(odd).contains("AZURE_TOKEN_CREDENTIALS names no source of tokens that is known"));
    let plain = files(&format!("{{{AZURE}, tenant_id: t, client_id: c, client_secret: s}}"));
    let plain = plain.env("AZURE_AUTHORITY_HOST", "http://login.example.com");
    assert!(message(plain).contains("AZURE_AUTHORITY_HOST must begin with https://"));
    let wildcard = files("{model: azure/*, api_base: https://r.openai.azure.com, api_key: k}");
    assert!(message(wildcard).contains("a wildcard needs the v1 API"));
}
