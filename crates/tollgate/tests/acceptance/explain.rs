//! S38: `tollgate explain` over the real binary, without a gateway.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::stage::has;
use crate::support::client::run;
use crate::support::{Run, isolated};

fn explain(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(dir).env_clear().env("HOME", dir).arg("explain").args(args);
    command
}

async fn explained(args: &[&str]) -> Run {
    let dir = tempfile::tempdir().expect("a temporary folder");
    run(explain(dir.path(), args)).await
}

const PASTED: &str = r#"API Error: 400 litellm.BadRequestError: OpenrouterException - {"error":{"message":"requests with max_tokens > 8192 must have stream: true"}}"#;

#[test]
fn s38_a_pasted_error_gives_meaning_causes_check_fix_and_what_is_done_about_it() {
    isolated(|| async {
        let run = explained(&[PASTED]).await;
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
        let mut rest = run.stdout.as_str();
        for part in [
            "max_tokens above a limit must be streamed",
            "\nMeaning\n",
            "\nLikely causes\n  1. ",
            "\n  2. ",
            "\nThe check that tells them apart\n",
            "\nFix\n",
            "force_stream: auto",
            "\nWhat Tollgate does\n",
            "x-tollgate-changes",
            "\nAlso in this text\n  litellm.BadRequestError\n",
            "\nRead more\n",
            "/docs/errors/max-tokens-needs-stream.md\n",
        ] {
            let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not where it belongs in:\n{}", run.stdout));
            rest = &rest[at + part.len()..];
        }
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 80 || line.contains('/')), "{}", run.stdout);
        assert!(!run.stdout.contains('\u{1b}'), "no colours in a pipe");
    });
}

#[test]
fn s38_words_without_quotes_and_standard_input_are_read_alike() {
    isolated(|| async {
        let words = explained(&["prompt", "is", "too", "long:", "9", "tokens", ">", "8", "maximum"]).await;
        has(&words.stdout, "The prompt does not fit into the context window");

        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut command = explain(dir.path(), &["-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut input = child.stdin.take().expect("standard input");
        input.write_all(b"ERROR  x\nprompt is\n  too long: 9 tokens > 8 maximum\n").await.expect("it reads");
        drop(input);
        let output = child.wait_with_output().await.expect("it ends");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stdout), words.stdout);
    });
}

#[test]
fn s38_an_unknown_text_is_said_to_be_unknown_with_the_next_step() {
    isolated(|| async {
        let run = explained(&["fatal: not a git repository (or any of the parent directories): .git"]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        for part in ["Not known", "tollgate explain <request-id>", "tollgate check", "/issues"] {
            has(&run.stdout, part);
        }
        assert!(!run.stdout.contains("Likely causes"), "{}", run.stdout);
    });
}

#[test]
fn s38_json_has_every_match_whole() {
    isolated(|| async {
        let run = explained(&["--json", PASTED]).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        let answer: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(answer["known"], true);
        let ids: Vec<&str> =
            answer["matches"].as_array().expect("a list").iter().filter_map(|m| m["id"].as_str()).collect();
        assert_eq!(ids, ["max-tokens-needs-stream", "litellm-bad-request"]);
        let first = &answer["matches"][0];
        for key in ["title", "meaning", "check", "fix", "tollgate", "page"] {
            assert!(first[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {first}");
        }
        assert!(first["causes"].as_array().is_some_and(|causes| causes.len() > 1), "{first}");

        let run = explained(&["--json", "nothing of the kind"]).await;
        let answer: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(
            (run.code, &answer["known"], answer["matches"].as_array().map(Vec::len)),
            (Some(1), &false.into(), Some(0))
        );
        assert!(answer["next"].as_array().is_some_and(|steps| !steps.is_empty()), "{answer}");
    });
}

#[test]
fn s38_no_text_is_a_usage_error_and_without_a_gateway_the_way_to_one_is_told() {
    isolated(|| async {
        for (args, code, lines, says) in [
            (&["   "][..], 2, 1, "no text"),
            (&[], 1, 2, "TOLLGATE_BASE_URL"),
            (&["req_019a8f0c2b7d7f3e8a1c5d9e0f4b6a72"], 1, 2, "TOLLGATE_BASE_URL"),
        ] {
            let run = explained(args).await;
            assert_eq!((run.code, run.stdout.as_str(), run.stderr.lines().count()), (Some(code), "", lines), "{run:?}");
            has(&run.stderr, says);
        }
    });
}
