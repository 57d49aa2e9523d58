//! S12 for every pair: thoughts go back to the model that had them, from the client or from memory; never a 400.

use serde_json::{Value, json};
use tollgate_sim::{Answer, ChatStrictness, Sim, Step};

use crate::client::{Ask, Call, Client, FORMS};
use crate::converse::{Talk, sent, to};
use crate::support::stage::config;
use crate::support::{Gateway, isolated};
use crate::thoughts::{comes_back, is_restored};
use crate::upstream::{Item, UPSTREAMS, Upstream, pairs};

const THOUGHT: &str = "I look at it.";

fn called() -> Call {
    Call { id: "call_1".to_owned(), name: "look".to_owned(), args: json!({"path": "a"}) }
}

/// Thinks and calls, and after the result says what it found.
fn script(words: &str) -> [Step; 2] {
    let answer = Answer::thinking(THOUGHT).and_tool("call_1", "look", &called().args);
    [to(words, Step::answer(answer)), to(words, Step::text("Found."))]
}

async fn plays(client: Client, upstream: Upstream) {
    let words = |form, kept| format!("Look, {form:?}, {kept}.");
    let all = || FORMS.into_iter().flat_map(|form| [true, false].map(|kept| (form, kept)));
    let steps = all().flat_map(|(form, kept)| script(&words(form, kept)));
    // A chat server that refuses calls without thoughts, as DeepSeek does.
    let insists = ChatStrictness { requires_reasoning_content: true, ..ChatStrictness::default() };
    let sim = Sim::start(upstream.plays().sim().chat(insists).steps(steps)).await;
    let mut params = upstream.plays().params(&sim.base_url());
    params["api_key"] = json!("key");
    let gateway =
        Gateway::start(&config(&[json!({"model_name": "m", "litellm_params": params})]).to_string(), &[]).await;
    for (form, kept) in all() {
        let (talk, words) = (Talk { gateway: &gateway, client, form }, words(form, kept));
        let mut body: Value = client.speaks().body(Ask::Think, &words);
        let (mut seen, _) = talk.turn(upstream, "m", &body).await;
        if !kept {
            seen.history = client.speaks().without_thoughts(&seen.history);
        }
        client.speaks().go_on(&mut body, &seen, &["seen"]);
        let (seen, changes) = talk.turn(upstream, "m", &body).await;
        assert_eq!(seen.text, "Found.", "{words}");
        let got = upstream.plays().read(sent(&sim, &words).last().expect("two requests"));
        let mut items = vec![Item::User(words.clone())];
        items.extend(comes_back(client, upstream, kept, THOUGHT, &called()));
        items.push(Item::Call(called()));
        items.push(Item::Result { id: "call_1".to_owned(), text: "seen".to_owned(), images: Vec::new() });
        assert_eq!(got.items, items, "{words}");
        let told = if is_restored(client, upstream, kept) { vec!["restored:thinking"] } else { vec![] };
        assert_eq!(changes, told, "{words}");
    }
}

/// Memory is empty after a restart: the client's history lacks thoughts that nobody has any more.
async fn forgets(upstream: Upstream) {
    let words = |form| format!("Look, {form:?}.");
    let steps = FORMS.into_iter().flat_map(|form| script(&words(form)));
    let insists = ChatStrictness { requires_reasoning_content: true, ..ChatStrictness::default() };
    let sim = Sim::start(upstream.plays().sim().chat(insists).steps(steps)).await;
    let mut params = upstream.plays().params(&sim.base_url());
    params["api_key"] = json!("key");
    if upstream == Upstream::Chat {
        // What such a vendor accepts in place of thoughts.
        params["quirks"]["reasoning_filler"] = json!(" ");
    }
    let config = config(&[json!({"model_name": "m", "litellm_params": params})]).to_string();
    let mut gateway = Gateway::start(&config, &[]).await;
    let mut bodies: Vec<Value> = Vec::new();
    for form in FORMS {
        let talk = Talk { gateway: &gateway, client: Client::Chat, form };
        let mut body = Client::Chat.speaks().body(Ask::Think, &words(form));
        let (mut seen, _) = talk.turn(upstream, "m", &body).await;
        seen.history = Client::Chat.speaks().without_thoughts(&seen.history);
        Client::Chat.speaks().go_on(&mut body, &seen, &["seen"]);
        bodies.push(body);
    }
    gateway.restart().await;
    for (form, body) in FORMS.into_iter().zip(bodies) {
        let talk = Talk { gateway: &gateway, client: Client::Chat, form };
        let (seen, changes) = talk.turn(upstream, "m", &body).await;
        assert_eq!((seen.text.as_str(), changes), ("Found.", Vec::new()), "{upstream:?} {form:?}");
        // None of them was refused.
        assert_eq!(sent(&sim, &words(form)).len(), 2, "{upstream:?} {form:?}");
    }
}

#[test]
fn s12_a_chat_client_is_refused_by_no_upstream_after_a_restart_of_the_gateway() {
    isolated(|| async {
        for upstream in UPSTREAMS {
            forgets(upstream).await;
        }
    });
}

macro_rules! pairs {
    ($($name:ident: $client:ident, $upstream:ident;)*) => {
        $(
            #[test]
            fn $name() {
                isolated(|| plays(Client::$client, Upstream::$upstream));
            }
        )*

        #[test]
        fn s12_is_played_for_every_pair() {
            let played = [$((Client::$client, Upstream::$upstream)),*];
            for pair in pairs() {
                assert!(played.contains(&pair), "{pair:?}");
            }
        }
    };
}

pairs! {
    s12_a_messages_client_gives_thoughts_back_to_chat: Messages, Chat;
    s12_a_messages_client_gives_thoughts_back_to_responses: Messages, Responses;
    s12_a_messages_client_gives_thoughts_back_to_messages: Messages, Messages;
    s12_a_messages_client_gives_thoughts_back_to_gemini: Messages, Gemini;
    s12_a_messages_client_gives_thoughts_back_to_converse: Messages, Converse;
    s12_a_messages_client_gives_thoughts_back_to_invoke_model: Messages, Invoke;
    s12_a_chat_client_gives_thoughts_back_to_chat: Chat, Chat;
    s12_a_chat_client_gives_thoughts_back_to_responses: Chat, Responses;
    s12_a_chat_client_gives_thoughts_back_to_messages: Chat, Messages;
    s12_a_chat_client_gives_thoughts_back_to_gemini: Chat, Gemini;
    s12_a_chat_client_gives_thoughts_back_to_converse: Chat, Converse;
    s12_a_chat_client_gives_thoughts_back_to_invoke_model: Chat, Invoke;
    s12_a_responses_client_gives_thoughts_back_to_chat: Responses, Chat;
    s12_a_responses_client_gives_thoughts_back_to_responses: Responses, Responses;
    s12_a_responses_client_gives_thoughts_back_to_messages: Responses, Messages;
    s12_a_responses_client_gives_thoughts_back_to_gemini: Responses, Gemini;
    s12_a_responses_client_gives_thoughts_back_to_converse: Responses, Converse;
    s12_a_responses_client_gives_thoughts_back_to_invoke_model: Responses, Invoke;
    s12_a_gemini_client_gives_thoughts_back_to_chat: Gemini, Chat;
    s12_a_gemini_client_gives_thoughts_back_to_responses: Gemini, Responses;
    s12_a_gemini_client_gives_thoughts_back_to_messages: Gemini, Messages;
    s12_a_gemini_client_gives_thoughts_back_to_gemini: Gemini, Gemini;
    s12_a_gemini_client_gives_thoughts_back_to_converse: Gemini, Converse;
    s12_a_gemini_client_gives_thoughts_back_to_invoke_model: Gemini, Invoke;
}
