//! Google's own SDK on upstreams of every dialect.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Sim, SimConfig, Step};

use crate::support::{Gateway, Session, isolated};

const KEY: &str = "sk-gateway";

async fn told(sim: &Sim, params: Value, stream: bool) -> Value {
    let config = json!({"model_list": [{"model_name": "m", "litellm_params": params}],
        "general_settings": {"master_key": KEY}, "litellm_settings": {"num_retries": 0}});
    let gateway = Gateway::start(&config.to_string(), &[]).await;
    let session = Session::new();
    // Elsewhere a model that converses embeds nothing.
    let embeds = params["model"].as_str().is_some_and(|model| model.starts_with("openai/"));
    session.write("calls.json", json!({"model": "m", "stream": stream, "embeds": embeds}).to_string());
    let run = session.python(include_str!("google_calls.py"), &[("BASE_URL", &gateway.url("")), ("KEY", KEY)]).await;
    assert_eq!(run.code, Some(0), "{run:?}\n{}", gateway.log());
    let refused: Vec<String> = sim.requests().into_iter().filter_map(|request| request.refused).collect();
    assert_eq!(refused, Vec::<String>::new(), "the strict server takes what the gateway sends");
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

#[test]
fn googles_sdk_calls_tools_counts_lists_and_reads_errors_on_every_upstream() {
    isolated(|| async {
        for model in ["openai/x", "anthropic/claude-sonnet-4-6", "gemini/gemini-3-pro", "gemini/gemini-2.5-flash"] {
            for stream in [false, true] {
                let calls = Answer::thinking("hm")
                    .and_text("Reading.")
                    .and_tool("a", "read", &json!({"path": "x"}))
                    .and_tool("b", "read", &json!({"path": "y"}));
                let sim = SimConfig::default().steps([Step::answer(calls), Step::text("Both are empty.")]);
                let sim = if model.contains("2.5") { sim.gemini(tollgate_sim::GeminiStrictness::older()) } else { sim };
                let sim = Sim::start(sim).await;
                let base = if model.starts_with("openai") { format!("{}/v1", sim.base_url()) } else { sim.base_url() };
                let told = told(&sim, json!({"model": model, "api_base": base, "api_key": "k"}), stream).await;
                let about = format!("{model} {stream}: {told:#}");
                assert_eq!((&told["text"], &told["then"]), (&json!("Reading."), &json!("Both are empty.")), "{about}");
                let read = |path: &str| json!({"name": "read", "args": {"path": path}});
                assert_eq!(told["calls"], json!([read("x"), read("y")]), "{about}");
                assert_eq!(told["finish"], "STOP", "{about}");
                assert!(told["total"].as_u64() > Some(0) && told["counted"].as_u64() > Some(0), "{about}");
                assert_eq!(told["models"], json!(["models/m"]), "{about}");
                assert_eq!(told["refused"], json!({"code": 401, "status": "UNAUTHENTICATED"}), "{about}");
                assert_eq!(told["thoughts"], "hm", "{about}");
                let embeddings = if model == "openai/x" { json!([[0.1, -0.25], [0.1, -0.25]]) } else { json!(null) };
                assert_eq!(told["embeddings"], embeddings, "{about}");
            }
        }
    });
}
