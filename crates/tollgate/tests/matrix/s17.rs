//! S17 for every pair: a forced tool choice is kept where the model takes it while it thinks, and becomes `auto` only where it
//! is refused.

use serde_json::json;
use tollgate_sim::{Answer, ChatStrictness, ConverseStrictness, MessagesStrictness, Sim, SimConfig, Step};

use crate::client::{Ask, Client, FORMS};
use crate::converse::{Talk, sent, to};
use crate::support::stage::config;
use crate::support::{Gateway, isolated};
use crate::upstream::{UPSTREAMS, Upstream, pairs};

/// Whether the simulated model refuses a forced choice while it thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    Takes,
    Refuses,
}

fn sim(upstream: Upstream, model: Model) -> SimConfig {
    let sim = upstream.plays().sim();
    if model == Model::Takes {
        return sim;
    }
    // Moonshot's rule, and that of the newest Claude models.
    let chat = ChatStrictness { refuses_forced_tool: true, ..sim.chat.clone() };
    let messages = MessagesStrictness { refuses_forced_tool: true, ..sim.messages.clone() };
    let converse = ConverseStrictness { forced_tool: false, ..sim.converse.clone() };
    sim.chat(chat.accepting(&["thinking"])).messages(messages).converse(converse)
}

async fn plays(client: Client, upstream: Upstream, model: Model) {
    let words = |form| format!("Look, {form:?}.");
    let call = || Step::answer(Answer::tool("call_1", "look", &json!({"path": "a"})));
    let steps = FORMS.map(|form| to(&words(form), call()));
    let sim = Sim::start(sim(upstream, model).steps(steps)).await;
    let mut params = upstream.plays().params(&sim.base_url());
    params["api_key"] = json!("key");
    if (upstream, model) == (Upstream::Chat, Model::Refuses) {
        // A server of Moonshot's kind, which has a switch for thoughts.
        params["quirks"]["reasoning"] = json!("thinking");
    }
    let gateway =
        Gateway::start(&config(&[json!({"model_name": "m", "litellm_params": params})]).to_string(), &[]).await;
    for form in FORMS {
        let talk = Talk { gateway: &gateway, client, form };
        let (seen, changes) = talk.turn(upstream, "m", &client.speaks().body(Ask::Forced, &words(form))).await;
        assert_eq!(seen.calls.len(), 1, "{form:?}");
        let requests = sim.requests();
        let got = upstream.plays().read(requests.last().expect("a request"));
        let softened = changes.iter().any(|change| change.ends_with(":tool_choice"));
        let kept = if model == Model::Takes { ("look", false) } else { ("auto", true) };
        // To Converse `auto` is not said: without a choice the model chooses.
        let unsaid = upstream == Upstream::Converse && got.choice.is_empty();
        let choice = if unsaid { "auto" } else { got.choice.as_str() };
        assert_eq!((choice, softened), kept, "{form:?}: {changes:?}");
        // Where the client's bytes go on nothing is added to them.
        let own_bytes = client == Client::Messages && upstream.own_client() == Some(client);
        let asks_in_words = got.system.contains("look");
        assert_eq!(asks_in_words, model == Model::Refuses && !own_bytes, "{form:?}: {}", got.system);
    }
}

/// A forced choice in a later turn, whose history has thoughts that the gateway put back.
async fn after_thoughts(upstream: Upstream) {
    let words = |form| format!("Look, {form:?}.");
    let thinks = Answer::thinking("I look.").and_tool("call_1", "look", &json!({"path": "a"}));
    let steps = FORMS.into_iter().flat_map(|form| {
        let again = Answer::tool("call_2", "look", &json!({"path": "b"}));
        [to(&words(form), Step::answer(thinks.clone())), to(&words(form), Step::answer(again))]
    });
    let sim = Sim::start(upstream.plays().sim().steps(steps)).await;
    let mut params = upstream.plays().params(&sim.base_url());
    params["api_key"] = json!("key");
    let gateway =
        Gateway::start(&config(&[json!({"model_name": "m", "litellm_params": params})]).to_string(), &[]).await;
    for form in FORMS {
        let talk = Talk { gateway: &gateway, client: Client::Chat, form };
        let mut body = Client::Chat.speaks().body(Ask::Forced, &words(form));
        let (mut seen, _) = talk.turn(upstream, "m", &body).await;
        seen.history = Client::Chat.speaks().without_thoughts(&seen.history);
        Client::Chat.speaks().go_on(&mut body, &seen, &["seen"]);
        let (seen, changes) = talk.turn(upstream, "m", &body).await;
        assert_eq!(seen.calls.len(), 1, "{upstream:?} {form:?}");
        assert_eq!(changes, ["restored:thinking"], "{upstream:?} {form:?}");
        let sent = sent(&sim, &words(form));
        assert_eq!(sent.len(), 2, "{upstream:?} {form:?}: right at the first try");
        assert_eq!(upstream.plays().read(&sent[1]).choice, "look", "{upstream:?} {form:?}");
    }
}

#[test]
fn s17_a_chat_client_forces_a_tool_on_every_upstream_in_a_turn_with_restored_thoughts() {
    isolated(|| async {
        for upstream in UPSTREAMS {
            after_thoughts(upstream).await;
        }
    });
}

macro_rules! pairs {
    ($($name:ident: $client:ident, $upstream:ident, $model:ident;)*) => {
        $(
            #[test]
            fn $name() {
                isolated(|| plays(Client::$client, Upstream::$upstream, Model::$model));
            }
        )*

        #[test]
        fn s17_is_played_for_every_pair() {
            let played = [$((Client::$client, Upstream::$upstream, Model::$model)),*];
            for (client, upstream) in pairs() {
                assert!(played.contains(&(client, upstream, Model::Takes)), "{client:?} {upstream:?}");
            }
        }
    };
}

pairs! {
    s17_a_messages_client_forces_a_tool_on_chat: Messages, Chat, Takes;
    s17_a_messages_client_forces_a_tool_on_responses: Messages, Responses, Takes;
    s17_a_messages_client_forces_a_tool_on_messages: Messages, Messages, Takes;
    s17_a_messages_client_forces_a_tool_on_gemini: Messages, Gemini, Takes;
    s17_a_messages_client_forces_a_tool_on_converse: Messages, Converse, Takes;
    s17_a_messages_client_forces_a_tool_on_invoke_model: Messages, Invoke, Takes;
    s17_a_chat_client_forces_a_tool_on_chat: Chat, Chat, Takes;
    s17_a_chat_client_forces_a_tool_on_responses: Chat, Responses, Takes;
    s17_a_chat_client_forces_a_tool_on_messages: Chat, Messages, Takes;
    s17_a_chat_client_forces_a_tool_on_gemini: Chat, Gemini, Takes;
    s17_a_chat_client_forces_a_tool_on_converse: Chat, Converse, Takes;
    s17_a_chat_client_forces_a_tool_on_invoke_model: Chat, Invoke, Takes;
    s17_a_responses_client_forces_a_tool_on_chat: Responses, Chat, Takes;
    s17_a_responses_client_forces_a_tool_on_responses: Responses, Responses, Takes;
    s17_a_responses_client_forces_a_tool_on_messages: Responses, Messages, Takes;
    s17_a_responses_client_forces_a_tool_on_gemini: Responses, Gemini, Takes;
    s17_a_responses_client_forces_a_tool_on_converse: Responses, Converse, Takes;
    s17_a_responses_client_forces_a_tool_on_invoke_model: Responses, Invoke, Takes;
    s17_a_gemini_client_forces_a_tool_on_chat: Gemini, Chat, Takes;
    s17_a_gemini_client_forces_a_tool_on_responses: Gemini, Responses, Takes;
    s17_a_gemini_client_forces_a_tool_on_messages: Gemini, Messages, Takes;
    s17_a_gemini_client_forces_a_tool_on_gemini: Gemini, Gemini, Takes;
    s17_a_gemini_client_forces_a_tool_on_converse: Gemini, Converse, Takes;
    s17_a_gemini_client_forces_a_tool_on_invoke_model: Gemini, Invoke, Takes;
    s17_a_messages_client_is_softened_where_chat_refuses: Messages, Chat, Refuses;
    s17_a_messages_client_is_softened_where_messages_refuse: Messages, Messages, Refuses;
    s17_a_messages_client_is_softened_where_converse_refuses: Messages, Converse, Refuses;
    s17_a_messages_client_is_softened_where_invoke_model_refuses: Messages, Invoke, Refuses;
    s17_a_chat_client_is_softened_where_chat_refuses: Chat, Chat, Refuses;
    s17_a_chat_client_is_softened_where_messages_refuse: Chat, Messages, Refuses;
    s17_a_chat_client_is_softened_where_converse_refuses: Chat, Converse, Refuses;
    s17_a_chat_client_is_softened_where_invoke_model_refuses: Chat, Invoke, Refuses;
    s17_a_responses_client_is_softened_where_chat_refuses: Responses, Chat, Refuses;
    s17_a_responses_client_is_softened_where_messages_refuse: Responses, Messages, Refuses;
    s17_a_responses_client_is_softened_where_converse_refuses: Responses, Converse, Refuses;
    s17_a_responses_client_is_softened_where_invoke_model_refuses: Responses, Invoke, Refuses;
    s17_a_gemini_client_is_softened_where_chat_refuses: Gemini, Chat, Refuses;
    s17_a_gemini_client_is_softened_where_messages_refuse: Gemini, Messages, Refuses;
    s17_a_gemini_client_is_softened_where_converse_refuses: Gemini, Converse, Refuses;
    s17_a_gemini_client_is_softened_where_invoke_model_refuses: Gemini, Invoke, Refuses;
}
