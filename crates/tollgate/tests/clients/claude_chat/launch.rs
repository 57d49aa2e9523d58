//! `tollgate run claude` (S37).

use tollgate_sim::{Answer, Sim, SimConfig, Step};

use crate::stage::{MODEL, bash, config};
use crate::support::{Session, installed, isolated, run};

#[test]
fn s37_tollgate_run_starts_claude_with_all_it_needs_and_ends_with_its_exit_code() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key("sk-provider").steps([
            Step::answer(bash("call_1", "echo from the client > made.txt")),
            Step::answer(Answer::text("Launched.")),
        ]))
        .await;
        let session = Session::new();
        session.write("config.yaml", config(MODEL, "openai/kimi-k2.5", &format!("{}/v1", sim.base_url()), ""));
        let mut command = session.command(env!("CARGO_BIN_EXE_tollgate").as_ref());
        let path = format!("{}:/usr/bin:/bin", installed("npm/node_modules/.bin").display());
        command
            .env("PATH", path)
            .env("IS_SANDBOX", "1")
            // What a user may have set for other purposes must not get in the way.
            .env("ANTHROPIC_API_KEY", "sk-of-another-account")
            .env("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
            .env("ANTHROPIC_MODEL", "claude-nowhere")
            .args(["run", "claude", "--model", MODEL, "--config", "config.yaml", "--"])
            .args(["--dangerously-skip-permissions", "-p", "make a file"]);
        let run = run(command).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.stdout.trim(), "Launched.");
        assert_eq!(session.file("made.txt").as_deref(), Some("from the client\n"));
        let refused: Vec<_> = sim.requests().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused, Vec::<String>::new());
        assert_eq!(sim.requests_to("/v1/chat/completions").len(), 2);
        // Otherwise it would take a model that it does not know to have a million tokens, and compact too late.
        assert!(!run.stderr.contains("context window of 1m"), "{run:?}");
        assert!(run.stderr.contains("tollgate: ") && run.stderr.contains(" tokens in, "), "{run:?}");
    });
}
