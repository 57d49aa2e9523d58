//! Thoughts: shown to the client, kept by it, and given back where the model wants them.

use tollgate_sim::{Answer, ChatStrictness, SimConfig, Thinking};

use crate::stage::{Stage, bash, messages};
use crate::support::isolated;

fn thinks(thought: &str, then: Answer) -> Answer {
    let mut answer = Answer::thinking(thought);
    answer.parts.extend(then.parts);
    answer
}

/// What each assistant message of the last call has as its thoughts.
fn thoughts(stage: &Stage) -> Vec<Option<String>> {
    let body = stage.last_call();
    let assistant = messages(&body).iter().filter(|message| message["role"] == "assistant");
    assistant.map(|message| message["reasoning_content"].as_str().map(str::to_owned)).collect()
}

/// Kimi takes its thoughts back on turns with tool calls; the field is unknown to OpenAI's own API.
#[test]
fn s12_kimi_gets_its_thoughts_back_on_tool_turns_also_after_continue() {
    isolated(|| async {
        let strict = ChatStrictness::default().accepting(&["reasoning_content"]);
        let stage = Stage::chat(SimConfig::default().chat(strict)).await;
        stage.play([
            thinks("THOUGHT-1", bash("call_1", "echo one")),
            thinks("THOUGHT-2", bash("call_2", "echo two")),
            Answer::text("Half."),
        ]);
        let run = stage.claude(&["-p", "think", "--output-format", "stream-json", "--verbose"]).await;
        stage.all_went_well(&run);
        assert!(run.stdout.contains("THOUGHT-2"), "the client is shown the thoughts: {run:?}");
        let expected = [Some("THOUGHT-1".to_owned()), Some("THOUGHT-2".to_owned())];
        assert_eq!(thoughts(&stage), expected);

        stage.play([Answer::text("Whole.")]);
        stage.all_went_well(&stage.claude(&["-p", "and?", "--continue"]).await);
        assert_eq!(thoughts(&stage)[..2], expected);
        assert_eq!(stage.results(), ["one", "two"]);
    });
}

/// DeepSeek refuses an assistant turn with tool calls and without thoughts, even where it did not think.
#[test]
fn s12_deepseek_always_finds_thoughts_on_tool_turns() {
    isolated(|| async {
        let strict = ChatStrictness { requires_reasoning_content: true, ..ChatStrictness::default() };
        let stage = Stage::chat_with(SimConfig::default().chat(strict), "openai/deepseek-v4-pro", "").await;
        stage.play([
            thinks("THOUGHT-1", bash("call_1", "echo one")),
            bash("call_2", "echo two"),
            Answer::text("Done."),
        ]);
        let run = stage.claude(&["-p", "think"]).await;
        stage.all_went_well(&run);
        let thoughts = thoughts(&stage);
        assert_eq!(thoughts[0].as_deref(), Some("THOUGHT-1"));
        assert!(thoughts[1].is_some());
    });
}

#[test]
fn s08_a_session_without_thinking_sends_nothing_of_it_upstream() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([bash("call_1", "echo one"), Answer::text("Done.")]);
        let run = stage.claude_with(&["-p", "go"], &[("MAX_THINKING_TOKENS", "0")]).await;
        stage.all_went_well(&run);
        assert_eq!(stage.results(), ["one"]);
    });
}

/// Local servers leave the model's thoughts as tags in its text.
#[test]
fn s08_thoughts_in_tags_are_thoughts_for_the_client() {
    isolated(|| async {
        let strict = ChatStrictness::default().accepting(&["chat_template_kwargs", "reasoning_content"]);
        let stage = Stage::chat_with(SimConfig::default().chat(strict), "hosted_vllm/qwen3", "").await;
        stage.play([
            thinks("THOUGHT-1", bash("call_1", "echo one")).thinking_as(Thinking::Tags),
            thinks("THOUGHT-2", Answer::text("Done.")).thinking_as(Thinking::Tags),
        ]);
        let run = stage.claude(&["-p", "think"]).await;
        stage.all_went_well(&run);
        assert_eq!(run.stdout.trim(), "Done.", "no tag and no thought is in the text");
        assert!(!stage.last_call().to_string().contains("<think>"));
    });
}
