//! Tools of MCP servers, named at once or found by ToolSearch.

use serde_json::json;
use tollgate_sim::{Answer, SimConfig};

use crate::stage::{Stage, has, mcp_config, tools};
use crate::support::isolated;

const MEASURE: &str = "mcp__desk__measure";

#[test]
fn s01_a_deferred_mcp_tool_is_found_by_tool_search_and_called() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([
            Answer::tool("call_1", "ToolSearch", &json!({"query": format!("select:{MEASURE}"), "max_results": 5})),
            Answer::tool("call_2", MEASURE, &json!({"text": "twelve chars"})),
            Answer::text("It has twelve."),
        ]);
        let run = stage.claude(&["-p", "measure", "--strict-mcp-config", "--mcp-config", &mcp_config(&[])]).await;
        stage.all_went_well(&run);
        assert!(!tools(&stage.call(0)).contains(&MEASURE.to_owned()), "it is deferred");
        assert!(tools(&stage.call(1)).contains(&MEASURE.to_owned()), "it is offered once found");
        let results = stage.results();
        has(&results[0], MEASURE);
        assert_eq!(results[1], "12 characters");
    });
}

#[test]
fn s01_mcp_tools_are_offered_at_once_without_tool_search_also_with_long_names() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([Answer::tool("call_1", MEASURE, &json!({"text": "four"})), Answer::text("And the other.")]);
        let args = ["-p", "measure", "--strict-mcp-config", "--mcp-config", &mcp_config(&["long"])];
        let off = [("ENABLE_TOOL_SEARCH", "false")];
        let run = stage.claude_with(&args, &off).await;
        stage.all_went_well(&run);
        assert_eq!(stage.results(), ["4 characters"]);

        // The model knows the long name only in the form that fits.
        let offered = tools(&stage.call(0));
        let long = offered.iter().find(|name| name.starts_with("mcp__desk__report_")).expect("it is offered");
        stage.play([Answer::tool("call_2", long, &json!({})), Answer::text("Done.")]);
        let run = stage.claude_with(&args, &off).await;
        stage.all_went_well(&run);
        assert_eq!(stage.results(), ["the long name arrived"]);
    });
}
