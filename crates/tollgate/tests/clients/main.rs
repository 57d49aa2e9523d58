//! Real clients in whole sessions. `cargo xtask test --quick` leaves this file out.

mod claude_chat;
mod claude_messages;
mod codex;
mod gemini_cli;
mod launch;
mod sessions;
mod stage;
#[path = "../support/mod.rs"]
mod support;

use support::{Session, isolated};
use tollgate_sim::{Sim, SimConfig, coding_agent};

/// The harness itself: client, network and simulator work together without a gateway between.
#[test]
fn claude_code_writes_a_file_against_the_simulator() {
    isolated(|| async {
        let session = Session::new();
        let file = session.work().join("made.txt");
        let steps = coding_agent(&file.to_string_lossy(), "hello from the simulator\n");
        let sim = Sim::start(SimConfig::default().key("sk-test").steps(steps)).await;

        let model = [("ANTHROPIC_MODEL", "claude-sonnet-5")];
        let run = session.claude(&sim.base_url(), "sk-test", &["-p", "make a file"], &model).await;

        let refused: Vec<_> = sim.requests().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused, Vec::<String>::new(), "the strict server takes everything that Claude Code sends");
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(session.file("made.txt").as_deref(), Some("hello from the simulator\n"), "{run:?}");
        assert!(run.stdout.contains("Done: "), "{run:?}");
        assert_eq!(sim.requests_to("/v1/messages").len(), 2);
    });
}

#[test]
fn the_python_sdks_talk_to_the_simulator() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key("sk-test")).await;
        let script = r"
import os, anthropic, openai
url = os.environ['BASE_URL']
a = anthropic.Anthropic(base_url=url, auth_token='sk-test', api_key=None, max_retries=0)
with a.messages.stream(model='m', max_tokens=50, messages=[{'role': 'user', 'content': 'x'}]) as s:
    print('anthropic:', s.get_final_text())
o = openai.OpenAI(base_url=url + '/v1', api_key='sk-test', max_retries=0)
chunks = o.chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'x'}], stream=True)
print('openai:', ''.join(c.choices[0].delta.content or '' for c in chunks if c.choices))
";
        let run = Session::new().python(script, &[("BASE_URL", &sim.base_url())]).await;
        let hello = "Hello from the simulated model.";
        assert_eq!(run.stdout, format!("anthropic: {hello}\nopenai: {hello}\n"), "{run:?}");
    });
}
