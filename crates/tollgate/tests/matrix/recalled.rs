//! S12, the hard cases of a chat client, most of them before Claude, as a stream and in one piece: what is put back is what the model made, at its
//! place, or nothing.

use serde_json::{Value, json};
use tollgate_sim::{Answer, ChatStrictness, MessagesStrictness, Part, Sim, Step, signature};

use crate::client::{Ask, Client, FORMS, Form, Seen};
use crate::converse::{Talk, sent, to};
use crate::support::http::post;
use crate::support::stage::config;
use crate::support::{Gateway, isolated};
use crate::upstream::Upstream;

const CHAT: &dyn crate::client::Speaks = &crate::client::chat::Chat;

struct Scene {
    sim: Sim,
    gateway: Gateway,
}

/// Newest models: a signature holds only where nothing before it has changed.
fn binding() -> MessagesStrictness {
    MessagesStrictness { binds_thoughts: true, ..MessagesStrictness::default() }
}

/// Models that think on a budget.
fn budget() -> MessagesStrictness {
    MessagesStrictness { thinking_types: vec!["enabled".into(), "disabled".into()], ..binding() }
}

impl Scene {
    async fn start(strictness: MessagesStrictness) -> Scene {
        let types = strictness.thinking_types.clone();
        let sim = Sim::start(Upstream::Messages.plays().sim().messages(strictness)).await;
        let mut params = Upstream::Messages.plays().params(&sim.base_url());
        params["api_key"] = json!("key");
        if types.len() == 2 {
            params["quirks"] = json!({"messages": {"thinking": types}});
        }
        let entry = json!({"model_name": "m", "litellm_params": params});
        let gateway = Gateway::start(&config(&[entry]).to_string(), &[]).await;
        Scene { sim, gateway }
    }

    /// A turn, after which the client's history has the answer and what its calls gave.
    async fn turn(&self, form: Form, body: &mut Value, keeps_words: bool) -> (Seen, Vec<String>) {
        let talk = Talk { gateway: &self.gateway, client: Client::Chat, form };
        let (mut seen, changes) = talk.turn(Upstream::Messages, "m", body).await;
        if !keeps_words {
            seen.history = CHAT.without_thoughts(&seen.history);
        }
        CHAT.go_on(body, &seen, &vec!["seen"; seen.calls.len()]);
        (seen, changes)
    }

    /// The contents of the assistant's messages in the last request with these words; none was refused.
    fn told(&self, words: &str) -> Vec<Value> {
        let sent = sent(&self.sim, words);
        let body = sent.last().expect("a request").json();
        let messages = body["messages"].as_array().expect("messages").iter();
        messages.filter(|message| message["role"] == "assistant").map(|message| message["content"].clone()).collect()
    }
}

fn asking(words: &str) -> Value {
    CHAT.body(Ask::Think, words)
}

fn look(answer: Answer, id: &str) -> Answer {
    answer.and_tool(id, "look", &json!({"path": "a"}))
}

/// Kinds of blocks, with the words of thoughts and the ids of calls.
fn outline(content: &Value) -> Vec<String> {
    let blocks = content.as_array().expect("blocks").iter();
    let shown = blocks.map(|block| match block["type"].as_str() {
        Some("thinking") => format!("thinks {}", block["thinking"].as_str().unwrap_or_default()),
        Some("tool_use") => format!("calls {}", block["id"].as_str().unwrap_or_default()),
        other => other.unwrap_or_default().to_owned(),
    });
    shown.collect()
}

/// What Claude is told of this answer in the next turn, whatever the client keeps of its words.
async fn comes_back(scene: &Scene, answer: Answer) -> Value {
    let mut all = Vec::new();
    for (form, keeps) in FORMS.into_iter().flat_map(|form| [(form, true), (form, false)]) {
        let words = format!("Look, {form:?}, {keeps}, {}.", scene.sim.requests().len());
        scene.sim.replace_script([to(&words, Step::answer(answer.clone())), to(&words, Step::text("Done."))]);
        let mut body = asking(&words);
        scene.turn(form, &mut body, keeps).await;
        let (seen, changes) = scene.turn(form, &mut body, keeps).await;
        assert_eq!((seen.text.as_str(), changes), ("Done.", vec!["restored:thinking".to_owned()]), "{words}");
        all.push(scene.told(&words).remove(0));
    }
    assert!(all.iter().all(|content| *content == all[0] || scene.binds()), "{all:?}");
    all.remove(0)
}

impl Scene {
    /// Then signatures differ from conversation to conversation.
    fn binds(&self) -> bool {
        self.sim.requests().iter().any(|request| request.json().to_string().contains("EqQBbound"))
    }
}

#[test]
fn s12_one_thought_before_two_calls_comes_back_before_both() {
    isolated(|| async {
        let scene = Scene::start(binding()).await;
        let content = comes_back(&scene, look(look(Answer::thinking("Both."), "call_1"), "call_2")).await;
        assert_eq!(outline(&content), ["thinks Both.", "calls call_1", "calls call_2"]);
    });
}

#[test]
fn s12_thoughts_between_text_and_calls_come_back_where_they_were() {
    isolated(|| async {
        let scene = Scene::start(binding()).await;
        let second = |answer: Answer| answer.and(Part::Thinking("Two.".into()));
        let content =
            comes_back(&scene, look(second(look(Answer::thinking("One.").and_text("Well."), "call_1")), "call_2"));
        let content = content.await;
        assert_eq!(outline(&content), ["thinks One.", "text", "calls call_1", "thinks Two.", "calls call_2"]);
        let content = comes_back(&scene, look(second(Answer::thinking("One.").and_text("Well.")), "call_3")).await;
        assert_eq!(outline(&content), ["thinks One.", "text", "thinks Two.", "calls call_3"]);
    });
}

#[test]
fn s12_redacted_thoughts_and_signatures_without_words_come_back() {
    isolated(|| async {
        let scene = Scene::start(MessagesStrictness::default()).await;
        let silent = json!({"type": "thinking", "thinking": "", "signature": signature("")});
        let redacted = json!({"type": "redacted_thinking", "data": "EmwKAhgB"});
        let answer = Answer::default().and(Part::Block(silent.clone())).and(Part::Block(redacted.clone()));
        let content = comes_back(&scene, look(answer, "call_1")).await;
        let call = json!({"type": "tool_use", "id": "call_1", "name": "look", "input": {"path": "a"}});
        assert_eq!(content, json!([silent, redacted, call]));
    });
}

/// Each turn's messages begin with those of the turn before, so that every bound signature holds; thoughts that led to no call were
/// sent in no turn, with or without their words.
#[test]
fn s12_a_long_conversation_is_told_the_same_with_every_turn() {
    isolated(|| async {
        let scene = Scene::start(binding()).await;
        for (form, keeps) in FORMS.into_iter().flat_map(|form| [(form, true), (form, false)]) {
            let words = format!("Look, {form:?}, {keeps}.");
            let steps = [
                look(Answer::thinking("One."), "call_1"),
                look(Answer::thinking("Two.").and_text("Again."), "call_2"),
                Answer::thinking("Three.").and_text("Done."),
                look(Answer::thinking("Four."), "call_3"),
                Answer::text("Done."),
            ];
            scene.sim.replace_script(steps.map(|answer| to(&words, Step::answer(answer))));
            let mut body = asking(&words);
            for turn in 0..5 {
                let (seen, _) = scene.turn(form, &mut body, keeps).await;
                if turn == 2 {
                    assert_eq!(seen.text, "Done.");
                    body["messages"].as_array_mut().unwrap().push(json!({"role": "user", "content": "And b?"}));
                }
            }
            let requests: Vec<Value> = sent(&scene.sim, &words).iter().map(|request| request.json()).collect();
            assert_eq!(requests.len(), 5, "none was sent twice");
            for pair in requests.windows(2) {
                let [before, after] = [&pair[0], &pair[1]].map(|body| body["messages"].as_array().unwrap());
                assert_eq!(before[..], after[..before.len()]);
            }
            let told: Vec<Vec<String>> = scene.told(&words).iter().map(outline).collect();
            let looks = ["thinks Two.", "text", "calls call_2"];
            assert_eq!(
                told[..2],
                [vec!["thinks One.".to_owned(), "calls call_1".into()], looks.map(String::from).into()]
            );
            assert_eq!(told[2..], [vec!["text".to_owned()], vec!["thinks Four.".into(), "calls call_3".into()]]);
        }
    });
}

/// The client writes its system prompt anew: the signatures hold no more. That costs one refusal, which the client does not see, and
/// what is thought from there on comes back again.
#[test]
fn s12_thoughts_that_hold_no_more_are_refused_once_and_new_ones_come_back() {
    isolated(|| async {
        let scene = Scene::start(binding()).await;
        let words = "Look.";
        let steps = ["One.", "Two.", "Three."].map(|words| look(Answer::thinking(words), &format!("call {words}")));
        scene.sim.replace_script(steps.map(|answer| to(words, Step::answer(answer))));
        let mut body = asking(words);
        scene.turn(Form::Piece, &mut body, false).await;
        body["messages"].as_array_mut().unwrap().insert(0, json!({"role": "system", "content": "Be brief."}));
        let (_, changes) = scene.turn(Form::Piece, &mut body, false).await;
        assert!(changes.contains(&"repaired:thinking_signature".to_owned()), "{changes:?}");
        scene.turn(Form::Piece, &mut body, false).await;
        let refused = scene.sim.requests().iter().filter(|request| request.refused.is_some()).count();
        assert_eq!((refused, scene.sim.requests().len()), (1, 4));
        let last = scene.sim.requests().pop().unwrap().json();
        assert_eq!(outline(&last["messages"][1]["content"]).len(), 1, "{last}");
        assert_eq!(outline(&last["messages"][3]["content"])[0], "thinks Two.");
    });
}

#[test]
fn s12_a_budget_to_think_stays_while_thoughts_come_back_and_pauses_where_they_are_lost() {
    isolated(|| async {
        let scene = Scene::start(budget()).await;
        let words = "Look.";
        let steps = [look(Answer::thinking("One."), "call_1"), Answer::text("Done."), Answer::text("Done.")];
        scene.sim.replace_script(steps.map(Step::answer));
        let mut body = asking(words);
        scene.turn(Form::Piece, &mut body, false).await;
        let (_, changes) = scene.turn(Form::Piece, &mut body.clone(), false).await;
        assert_eq!(changes, ["restored:thinking"]);
        let last = scene.sim.requests().pop().unwrap().json();
        assert_eq!(last["thinking"]["type"], "enabled", "{last}");
        // The client edits the beginning: it is another conversation, of which nothing is known.
        body["messages"][0]["content"] = json!("Look there.");
        let (_, changes) = scene.turn(Form::Piece, &mut body, false).await;
        assert_eq!(changes, ["softened:thinking"]);
        let last = scene.sim.requests().pop().unwrap().json();
        assert_eq!(outline(&last["messages"][1]["content"]), ["calls call_1"]);
        assert!(scene.sim.requests().iter().all(|request| request.refused.is_none()));
    });
}

/// Two keys, the same words, the same id of a call.
#[test]
fn s12_no_caller_is_given_the_thoughts_of_another() {
    isolated(|| async {
        let sim = Sim::start(Upstream::Messages.plays().sim()).await;
        let mut params = Upstream::Messages.plays().params(&sim.base_url());
        params["api_key"] = json!("key");
        // Without a master key anybody may call, and the key that is sent tells callers apart.
        let config = json!({"model_list": [{"model_name": "m", "litellm_params": params}]});
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        sim.replace_script([
            Step::answer(look(Answer::thinking("Anna's secret."), "call_1")),
            Step::text("Done."),
            Step::text("Done."),
        ]);
        let mut body = asking("Look.");
        CHAT.address(&mut body, "m", Form::Piece);
        let url = gateway.url("/v1/chat/completions");
        let ask = async |key: &str, body: &Value| {
            let answer = post(&url, &[("x-api-key", key)], body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer
        };
        let mut seen = CHAT.read(&ask("anna", &body).await, Form::Piece, "m", true);
        seen.history = CHAT.without_thoughts(&seen.history);
        CHAT.go_on(&mut body, &seen, &["seen"]);
        for (key, restored) in [("bert", None), ("anna", Some("restored:thinking"))] {
            assert_eq!(ask(key, &body).await.header("x-tollgate-changes"), restored, "{key}");
            let last = String::from_utf8(sim.requests().pop().unwrap().body.to_vec()).unwrap();
            assert_eq!(last.contains("Anna's secret."), restored.is_some(), "{key}");
        }
    });
}

/// Gemini behind Google's chat endpoint: a chat client that knows no `extra_content` has the first call's signature put back, and where
/// it is not known, the word that Google documents for that.
#[test]
fn s12_googles_chat_endpoint_gets_its_signatures_back_from_a_client_that_drops_them() {
    isolated(|| async {
        let takes = ChatStrictness::default().accepting(&["extra_content"]);
        let sim = Sim::start(Upstream::Chat.plays().sim().chat(takes)).await;
        let base = format!("{}/v1", sim.base_url());
        let params = json!({"model": "gemini/gemini-3-pro", "endpoint": "chat", "api_base": base, "api_key": "key"});
        let gateway =
            Gateway::start(&config(&[json!({"model_name": "m", "litellm_params": params})]).to_string(), &[]).await;
        let call = json!({"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"path\":\"a\"}"},
            "extra_content": {"google": {"thought_signature": "CikBown"}}});
        let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gemini-3-pro", "choices": [{
            "index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]});
        sim.replace_script([Step::json(200, &answer), Step::text("Done."), Step::text("Done.")]);
        let mut body = asking("Look.");
        CHAT.address(&mut body, "m", Form::Piece);
        let ask = async |body: &Value| Client::Chat.send(&gateway, "m", Form::Piece, body).await;
        let first = ask(&body).await;
        assert_eq!(first.json()["choices"][0]["message"]["tool_calls"][0]["extra_content"], call["extra_content"]);
        let mut seen = CHAT.read(&first, Form::Piece, "gemini-3-pro", false);
        seen.history = CHAT.without_thoughts(&seen.history);
        CHAT.go_on(&mut body, &seen, &["seen"]);
        for (words, signature) in [("Look.", "CikBown"), ("Look there.", "skip_thought_signature_validator")] {
            body["messages"][0]["content"] = json!(words);
            assert_eq!(ask(&body).await.status, 200, "{words}");
            let sent = sim.requests().pop().unwrap().json();
            let state = &sent["messages"][1]["tool_calls"][0]["extra_content"];
            assert_eq!(*state, json!({"google": {"thought_signature": signature}}), "{words}");
        }
    });
}
