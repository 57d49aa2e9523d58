use std::path::PathBuf;

use serde_json::{Value, json};
use tollgate_dialect::hosted::Host;
use tollgate_dialect::quirks::{GeminiThinking, SchemaForm};
use tollgate_sim::Google;

use super::*;
use crate::config::google::{External, Source, Subject};
use crate::config::identity::Identity;
use crate::config::model::Deployment;
use crate::config::secret::Secret;

/// On Google Cloud, by a variable of Cloud Run.
fn files(params: &str) -> Files {
    Files::new(&format!("model_list:\n  - model_name: m\n    litellm_params: {params}\n")).env("K_SERVICE", "tollgate")
}

fn deployment(files: &Files) -> Deployment {
    let (config, problems) = files.good();
    assert_eq!(problems, Vec::<String>::new());
    config.deployments[0].clone()
}

fn url(params: &str, stream: bool) -> String {
    let deployment = deployment(&files(&format!("{{{params}}}")));
    deployment.address(deployment.dialect, &deployment.model, stream)
}

/// With the credentials in a file beside the configuration.
fn with_file(params: &str, credentials: &Value) -> Files {
    let files = files(params).add("credentials.json", &credentials.to_string());
    let path = files.path().with_file_name("credentials.json").display().to_string();
    files.env("GOOGLE_APPLICATION_CREDENTIALS", &path)
}

fn source(files: &Files) -> Source {
    let deployment = deployment(files);
    assert!(deployment.credential.is_none(), "a token or a key, not both");
    match deployment.identity {
        Some(Identity::Google(source)) => (*source).clone(),
        other => panic!("signs in to Google, not {other:?}"),
    }
}

const PLACE: &str = "vertex_project: p-1, vertex_location: us-east5";
const GLOBAL: &str = "vertex_project: p-1, vertex_location: global";

#[test]
fn every_model_has_its_address_by_publisher_and_location() {
    // docs.cloud.google.com, Vertex AI locations and "Request predictions with Claude models", 2026-11.
    let scope = "https://us-east5-aiplatform.googleapis.com/v1/projects/p-1/locations/us-east5";
    let global = "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global";
    let eu = "https://aiplatform.eu.rep.googleapis.com/v1/projects/p-1/locations/eu";
    let cases = [
        (
            format!("model: vertex_ai/gemini-3-pro, {PLACE}"),
            false,
            format!("{scope}/publishers/google/models/gemini-3-pro:generateContent"),
        ),
        (
            format!("model: vertex_ai/gemini-3-pro, {GLOBAL}"),
            true,
            format!("{global}/publishers/google/models/gemini-3-pro:streamGenerateContent?alt=sse"),
        ),
        (
            "model: vertex_ai_beta/gemini-3-pro, vertex_ai_project: p-1, vertex_ai_location: eu".into(),
            false,
            format!("{eu}/publishers/google/models/gemini-3-pro:generateContent"),
        ),
        (
            format!("model: vertex_ai/claude-opus-4-5@20251101, {PLACE}"),
            false,
            format!("{scope}/publishers/anthropic/models/claude-opus-4-5@20251101:rawPredict"),
        ),
        (
            format!("model: vertex_ai/claude-sonnet-5, {GLOBAL}"),
            true,
            format!("{global}/publishers/anthropic/models/claude-sonnet-5:streamRawPredict"),
        ),
        (
            format!("model: vertex_ai/gemini/4965075652664360960, {PLACE}"),
            false,
            format!("{scope}/endpoints/4965075652664360960:generateContent"),
        ),
        (
            format!("model: vertex_ai/openai/gpt-oss-120b-maas, {PLACE}"),
            true,
            format!("{scope}/endpoints/openapi/chat/completions"),
        ),
        (
            format!("model: vertex_ai/meta/llama-4-scout-maas, {PLACE}"),
            false,
            format!("{scope}/endpoints/openapi/chat/completions"),
        ),
    ];
    for (params, stream, expected) in cases {
        assert_eq!(url(&params, stream), expected, "{params}");
    }
    let of = |params: &str| deployment(&files(&format!("{{{params}, {PLACE}}}")));
    assert_eq!(of("model: vertex_ai/meta/llama-4-scout-maas").model, "meta/llama-4-scout-maas");
    assert_eq!(of("model: vertex_ai/gemini/4965075652664360960").model, "4965075652664360960");
}

#[test]
fn an_address_of_ones_own_goes_before_googles() {
    let model = "/publishers/google/models/g:generateContent";
    let cases = [
        ("https://gw.example.com", "https://gw.example.com/v1/projects/p-1/locations/us-east5"),
        (
            "https://gw.example.com/vertex/v1beta1/",
            "https://gw.example.com/vertex/v1beta1/projects/p-1/locations/us-east5",
        ),
        (
            "https://gw.example.com/v1/projects/other/locations/asia",
            "https://gw.example.com/v1/projects/p-1/locations/us-east5",
        ),
    ];
    for (base, expected) in cases {
        assert_eq!(
            url(&format!("model: vertex_ai/g, {PLACE}, api_base: '{base}'"), false),
            format!("{expected}{model}")
        );
    }
    let whole = "https://gw.example.com/v1/projects/other/locations/asia";
    let own = format!("model: vertex_ai/g, api_base: '{whole}/publishers/google/models/x:generateContent'");
    assert_eq!(url(&own, false), format!("{whole}{model}"));
}

#[test]
fn project_and_location_come_from_the_deployment_the_settings_the_environment_and_the_credentials_in_this_order() {
    let google = Google::new();
    let credentials = google.service_account("http://127.0.0.1:9");
    let place = |files: Files| {
        let base = deployment(&files).base_url.path().to_owned();
        base.strip_prefix("/v1/projects/").expect("a project").replace("/locations/", " ")
    };
    let model = "{model: vertex_ai/g}";
    let own = || with_file(model, &credentials).env("GOOGLE_CLOUD_LOCATION", "global");
    assert_eq!(place(own()), "my-project-1 global");
    assert_eq!(place(own().env("GOOGLE_CLOUD_PROJECT", "b").env("VERTEXAI_LOCATION", "us")), "b us");
    assert_eq!(place(own().env("GOOGLE_CLOUD_PROJECT", "b").env("VERTEXAI_PROJECT", "c")), "c global");
    let of_settings = |params: &str| {
        let yaml = format!(
            "model_list: [{{model_name: m, litellm_params: {{model: {params}}}}}]\n\
             litellm_settings: {{vertex_project: s, vertex_location: us-west1}}\n"
        );
        let files = Files::new(&yaml).env("K_SERVICE", "tollgate");
        files.env("VERTEXAI_PROJECT", "c").env("VERTEXAI_LOCATION", "us")
    };
    assert_eq!(place(of_settings("vertex_ai/g")), "s us-west1");
    assert_eq!(place(of_settings("vertex_ai/g, vertex_project: d")), "d us-west1");
}

#[test]
fn each_publishers_models_have_their_own_quirks() {
    let of = |model: &str| deployment(&files(&format!("{{model: vertex_ai/{model}, {GLOBAL}}}"))).quirks;
    let gemini = of("gemini-3-pro");
    assert!(gemini.thought_signatures && gemini.schema == SchemaForm::Gemini);
    assert_eq!((gemini.max_stop, gemini.gemini.thinking), (Some(5), GeminiThinking::Level));
    assert_eq!(of("gemini-2.5-flash").gemini.thinking, GeminiThinking::Budget);
    let claude = of("claude-sonnet-4-6");
    assert!(claude.messages.genuine && claude.messages.host == Host::Vertex && claude.messages.betas);
    assert_eq!((claude.schema, claude.tool_names), (SchemaForm::Plain, None), "Claude's schemas are not Gemini's");
    assert_eq!(of("meta/llama-4-scout-maas").schema, SchemaForm::Plain);
    let tuned = format!("{{model: vertex_ai/gemini/42, base_model: gemini-2.5-flash, {GLOBAL}}}");
    assert_eq!(deployment(&files(&tuned)).quirks, of("gemini-2.5-flash"));
}

#[test]
fn a_key_without_a_project_is_express_mode_and_with_one_it_is_sent_to_the_project() {
    let express = deployment(&files("{model: vertex_ai/gemini-3-pro, api_key: k}"));
    let address = express.address(express.dialect, &express.model, false);
    assert_eq!(address, "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-3-pro:generateContent");
    let (header, key) = express.credential.expect("a key");
    assert_eq!((header.as_str(), key.expose(), express.identity), ("x-goog-api-key", "k", None));
    let own = deployment(&files(&format!("{{model: vertex_ai/gemini-3-pro, api_key: k, {GLOBAL}}}")));
    assert!(own.base_url.path().ends_with("/projects/p-1/locations/global") && own.identity.is_none());
    let bad = files("{model: vertex_ai/claude-sonnet-5, api_key: k}").bad();
    assert!(bad[0].contains("with a key and without a project there are only Gemini models (express mode)"), "{bad:?}");
}

#[test]
fn every_form_of_credentials_is_read() {
    let google = Google::new();
    let model = format!("{{model: vertex_ai/g, {PLACE}}}");
    let base = "http://127.0.0.1:9";
    let file = google.service_account(base);
    let key = file["private_key"].as_str().expect("a key").trim();
    let account = Source::ServiceAccount {
        token_url: format!("{base}/token"),
        email: "gateway@my-project-1.iam.gserviceaccount.com".into(),
        key_id: Some("6f1c0c0ffee0".into()),
        key: Secret::new(key),
    };
    assert_eq!(source(&with_file(&model, &file)), account);
    let inline = format!("{{model: vertex_ai/g, {PLACE}, vertex_credentials: {}}}", json!(file.to_string()));
    assert_eq!(source(&files(&inline)), account, "JSON as text");
    let map = format!("{{model: vertex_ai/g, {PLACE}, vertex_credentials: {file}}}");
    assert_eq!(source(&files(&map)), account, "a map");
    let variable = format!("{{model: vertex_ai/g, {PLACE}, vertex_credentials: os.environ/SA}}");
    assert_eq!(source(&files(&variable).env("SA", &file.to_string())), account, "JSON in a variable");

    let user = with_file(&model, &google.authorized_user(base));
    let expected = Source::AuthorizedUser {
        token_url: format!("{base}/token"),
        client_id: "764086051850-canary.apps.googleusercontent.com".into(),
        client_secret: Secret::new(&google.client_secret),
        refresh_token: Secret::new(&google.refresh_token),
    };
    assert_eq!(source(&user), expected);
    let header = |d: Deployment| {
        d.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().expect("text"))).collect::<Vec<_>>()
    };
    assert_eq!(header(deployment(&user)), ["x-goog-user-project: quota-project-7"]);

    let from_file = google.external_account(base, &json!({"file": "/var/run/token"}));
    let external = |subject, field| External {
        token_url: format!("{base}/v1/token"),
        audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/k8s".into(),
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt".into(),
        subject,
        field,
        client: None,
        user_project: None,
    };
    let expected = external(Subject::File(PathBuf::from("/var/run/token")), None);
    assert_eq!(source(&with_file(&model, &from_file)), Source::External(Box::new(expected)));
    let from_url = json!({"url": "http://169.254.1.1/t", "headers": {"x-issuer": "yes"},
        "format": {"type": "json", "subject_token_field_name": "id_token"}});
    let subject =
        Subject::Url { url: "http://169.254.1.1/t".into(), headers: vec![("x-issuer".into(), Secret::new("yes"))] };
    let by = Source::External(Box::new(external(subject, Some("id_token".into()))));
    let impersonated = Google::new().impersonated().external_account(base, &from_url);
    let expected = Source::Impersonated {
        url: format!(
            "{base}/v1/projects/-/serviceAccounts/gateway@my-project-1.iam.gserviceaccount.com:generateAccessToken"
        ),
        seconds: 1800,
        delegates: Vec::new(),
        by: Box::new(by),
    };
    assert_eq!(source(&with_file(&model, &impersonated)), expected);

    let in_anothers_name = json!({"type": "impersonated_service_account", "delegates": ["d"],
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/x:generateAccessToken",
        "source_credentials": google.authorized_user(base)});
    let expected = Source::Impersonated {
        url: "https://iamcredentials.googleapis.com/v1/x:generateAccessToken".into(),
        seconds: 3600,
        delegates: vec!["d".into()],
        by: Box::new(source(&user)),
    };
    assert_eq!(source(&with_file(&model, &in_anothers_name)), expected);
}

#[test]
fn without_credentials_gclouds_are_used_and_then_the_metadata_server() {
    let google = Google::new();
    let model = format!("{{model: vertex_ai/g, {PLACE}}}");
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".config/gcloud");
    std::fs::create_dir_all(&folder).expect("is made");
    let path = home.path().display().to_string();
    let metadata = Source::Metadata { base: "http://metadata.google.internal".into() };
    assert_eq!(source(&files(&model).env("HOME", &path)), metadata);
    let elsewhere = files(&model).env("GCE_METADATA_HOST", "127.0.0.1:8080");
    assert_eq!(source(&elsewhere), Source::Metadata { base: "http://127.0.0.1:8080".into() });
    let file = google.authorized_user("http://127.0.0.1:9");
    std::fs::write(folder.join("application_default_credentials.json"), file.to_string()).expect("is written");
    assert!(matches!(source(&files(&model).env("HOME", &path)), Source::AuthorizedUser { .. }));
    let folder = folder.display().to_string();
    assert!(matches!(source(&files(&model).env("CLOUDSDK_CONFIG", &folder)), Source::AuthorizedUser { .. }));
}

#[test]
fn what_is_missing_or_cannot_be_read_is_an_error_with_a_hint_and_without_the_secret() {
    let google = Google::new();
    let secret = "canary-of-the-file";
    let bad = |params: &str, file: Value| {
        let lines = with_file(&format!("{{model: vertex_ai/g, {params}}}"), &file).bad();
        assert!(!lines.join("").contains(secret), "{lines:?}");
        lines.join("\n")
    };
    let base = "http://127.0.0.1:9";
    let federated = |source: Value| google.external_account(base, &source);
    let mut no_key = google.service_account(base);
    no_key["private_key"] = json!(secret);
    let mut strange = google.authorized_user(base);
    strange["token_uri"] = json!("http://example.com/token");
    let lacking = json!({"type": "authorized_user", "client_id": "c", "client_secret": secret});
    let cases = [
        (
            "vertex_location: global",
            federated(json!({"file": "f"})),
            "vertex_project: there is no project",
            "write `vertex_project: PROJECT_ID`",
        ),
        (
            "vertex_project: p",
            google.service_account(base),
            "vertex_location: there is no location",
            "write `vertex_location: global`",
        ),
        (
            "vertex_project: my project, vertex_location: global",
            google.service_account(base),
            "vertex_project: cannot stand in an address",
            "a project's id",
        ),
        (
            PLACE,
            json!({"type": "gdch_service_account", "key": secret}),
            "of no `type` that is known",
            "service_account, authorized_user",
        ),
        (PLACE, no_key, "`private_key` is no RSA key in PEM form", "Google's console wrote it"),
        (PLACE, lacking, "the credentials (authorized_user) have no `refresh_token`", "whole file"),
        (PLACE, strange, "`token_uri` is no address that begins with https://", "as Google wrote it"),
        (
            PLACE,
            federated(json!({"environment_id": "aws1"})),
            "`credential_source` has neither `file` nor `url`",
            "cannot be exchanged yet",
        ),
    ];
    for (params, file, message, hint) in cases {
        let said = bad(params, file);
        assert!(said.contains(message) && said.contains(hint), "{message}: {said}");
    }
    let unreadable = files(&format!("{{model: vertex_ai/g, {PLACE}, vertex_credentials: /no/such/{secret}}}")).bad();
    assert!(unreadable[0].contains("the file with the credentials cannot be read: No such file"), "{unreadable:?}");
    assert!(!unreadable[0].contains(secret));
    let broken = files(&format!("{{model: vertex_ai/g, {PLACE}, vertex_credentials: '{{{secret}'}}")).bad();
    assert!(broken[0].contains("the credentials are not JSON") && !broken[0].contains(secret), "{broken:?}");
    let own_way = files(&format!("{{model: vertex_ai/mistral-large, {PLACE}}}")).bad();
    assert!(own_way[0].contains("an API of its own that is not spoken yet"), "{own_way:?}");
}

#[test]
fn outside_of_google_cloud_the_metadata_server_is_a_warning() {
    let yaml = format!("model_list: [{{model_name: m, litellm_params: {{model: vertex_ai/g, {PLACE}}}}}]");
    let (_, problems) = Files::new(&yaml).good();
    let on_google =
        std::fs::read_to_string("/sys/class/dmi/id/product_name").is_ok_and(|name| name.starts_with("Google"));
    assert_eq!(problems.iter().any(|line| line.contains("there are no credentials of Google Cloud")), !on_google);
}
