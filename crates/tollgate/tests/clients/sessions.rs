//! One session of each agent on upstreams of every dialect: two turns of the user with thoughts before each call of a tool, files read,
//! written and changed, two calls at once, and a picture looked at.

pub mod agents;

use tollgate_sim::{Answer, Match, Part, Step};

use self::agents::{Act, Agent, CLAUDE, CODEX, GEMINI, OPENCODE_CHAT, OPENCODE_MESSAGES, OPENCODE_RESPONSES};
use crate::stage::{Stage, has, png};
use crate::support::upstreams::Upstream::{self, Chat, Converse, Gemini, Invoke, Messages, Responses};
use crate::support::{Run, isolated};

/// An answer of the model: what it thinks, says and does.
struct Round {
    thought: &'static str,
    says: &'static str,
    acts: &'static [Act],
}

const FIRST: [Round; 4] = [
    Round { thought: "THOUGHT-1", says: "Let me see.", acts: &[Act::Read("notes.txt")] },
    Round { thought: "THOUGHT-2", says: "", acts: &[Act::Write("made.txt", "first")] },
    Round { thought: "THOUGHT-3", says: "", acts: &[Act::Shell("echo says-one"), Act::Shell("echo says-two")] },
    Round { thought: "", says: "Half of it.", acts: &[] },
];
const SECOND: [Round; 4] = [
    Round { thought: "", says: "", acts: &[Act::Read("made.txt")] },
    Round { thought: "THOUGHT-4", says: "", acts: &[Act::Edit("made.txt", "first", "second")] },
    Round { thought: "THOUGHT-5", says: "And a look.", acts: &[Act::Look("a.png")] },
    Round { thought: "", says: "Whole.", acts: &[] },
];

/// What the agent's tools gave, in order.
const RESULTS: [&str; 4] = ["the notes are here", "says-one", "says-two", "first"];

impl Round {
    /// The id of a call tells its round.
    fn answer(&self, agent: &Agent, stage: &Stage, upstream: Upstream, nth: usize) -> Answer {
        let mut answer = Answer::default();
        if !self.thought.is_empty() {
            answer = answer.and(Part::Thinking(self.thought.into()));
        }
        if !self.says.is_empty() {
            answer = answer.and_text(self.says);
        }
        for (i, act) in self.acts.iter().enumerate() {
            answer = upstream.call(answer, &format!("call_{nth}_{i}"), &(agent.act)(act, stage));
        }
        answer
    }
}

async fn turn(agent: &Agent, stage: &Stage, upstream: Upstream, rounds: &[Round], begin: bool) -> Run {
    let before = stage.calls().len();
    let tools = |there| Match { has_tools: Some(there), ..Match::default() };
    let answers = rounds.iter().enumerate().map(|(i, round)| round.answer(agent, stage, upstream, before + i));
    let answers = answers.map(|answer| Step::answer(answer).when(tools(true)));
    // A title for the session, on which nothing depends.
    stage.sim.replace_script(answers.chain([Step::text("A file").when(tools(false)).always()]));
    let run = agent.turn(stage, begin).await;
    stage.all_went_well(&run);
    has(&run.stdout, rounds[rounds.len() - 1].says);
    if agent.shows_thoughts {
        for thought in rounds.iter().map(|round| round.thought) {
            assert!(run.stdout.contains(thought) || run.stderr.contains(thought), "{thought} was not shown: {run:?}");
        }
    }
    let asked = stage.calls().iter().skip(before).filter(|call| upstream.offers_tools(&call.json())).count();
    assert_eq!(asked, rounds.len(), "each answer was asked for once: {run:?}");
    run
}

async fn session(agent: &Agent, upstream: Upstream) {
    let stage = Stage::of(upstream, agent.model).await;
    stage.session.write("notes.txt", "the notes are here\n");
    stage.session.write("a.png", png());
    turn(agent, &stage, upstream, &FIRST, true).await;
    assert_eq!(stage.session.file("made.txt").as_deref().map(str::trim), Some("first"));
    let run = turn(agent, &stage, upstream, &SECOND, false).await;
    assert_eq!(stage.session.file("made.txt").as_deref().map(str::trim), Some("second"));

    let last = stage.last_call();
    let told = last.to_string();
    let mut rest = told.as_str();
    for result in RESULTS {
        let at = rest.find(result).unwrap_or_else(|| panic!("{result} is not in its place: {told}\n{run:?}"));
        rest = &rest[at + result.len()..];
    }
    assert!(rest.contains("image/png") || rest.contains(r#""format":"png""#), "no picture: {told}");
    let first = FIRST.iter().filter(|_| agent.keeps_thoughts);
    for round in first.chain(&SECOND).filter(|round| !round.thought.is_empty()) {
        let call = (agent.act)(&round.acts[0], &stage);
        has(&told, &upstream.state(round.thought, &call));
    }
}

macro_rules! sessions {
    ($($name:ident: $agent:ident on $upstream:ident;)*) => {
        $(#[test]
        fn $name() {
            isolated(|| session(&$agent, $upstream));
        })*
    };
}

sessions! {
    claude_code_holds_a_session_on_chat: CLAUDE on Chat;
    claude_code_holds_a_session_on_responses: CLAUDE on Responses;
    claude_code_holds_a_session_on_messages: CLAUDE on Messages;
    claude_code_holds_a_session_on_gemini: CLAUDE on Gemini;
    claude_code_holds_a_session_on_converse: CLAUDE on Converse;
    claude_code_holds_a_session_on_bedrock: CLAUDE on Invoke;
    codex_holds_a_session_on_chat: CODEX on Chat;
    codex_holds_a_session_on_responses: CODEX on Responses;
    codex_holds_a_session_on_messages: CODEX on Messages;
    codex_holds_a_session_on_gemini: CODEX on Gemini;
    codex_holds_a_session_on_converse: CODEX on Converse;
    codex_holds_a_session_on_bedrock: CODEX on Invoke;
    gemini_cli_holds_a_session_on_chat: GEMINI on Chat;
    gemini_cli_holds_a_session_on_responses: GEMINI on Responses;
    gemini_cli_holds_a_session_on_messages: GEMINI on Messages;
    gemini_cli_holds_a_session_on_gemini: GEMINI on Gemini;
    gemini_cli_holds_a_session_on_converse: GEMINI on Converse;
    gemini_cli_holds_a_session_on_bedrock: GEMINI on Invoke;
    opencode_by_chat_holds_a_session_on_chat: OPENCODE_CHAT on Chat;
    opencode_by_chat_holds_a_session_on_messages: OPENCODE_CHAT on Messages;
    opencode_by_chat_holds_a_session_on_gemini: OPENCODE_CHAT on Gemini;
    opencode_by_chat_holds_a_session_on_converse: OPENCODE_CHAT on Converse;
    opencode_by_messages_holds_a_session_on_chat: OPENCODE_MESSAGES on Chat;
    opencode_by_messages_holds_a_session_on_messages: OPENCODE_MESSAGES on Messages;
    opencode_by_messages_holds_a_session_on_gemini: OPENCODE_MESSAGES on Gemini;
    opencode_by_messages_holds_a_session_on_bedrock: OPENCODE_MESSAGES on Invoke;
    opencode_by_responses_holds_a_session_on_chat: OPENCODE_RESPONSES on Chat;
    opencode_by_responses_holds_a_session_on_responses: OPENCODE_RESPONSES on Responses;
    opencode_by_responses_holds_a_session_on_messages: OPENCODE_RESPONSES on Messages;
    opencode_by_responses_holds_a_session_on_gemini: OPENCODE_RESPONSES on Gemini;
}
