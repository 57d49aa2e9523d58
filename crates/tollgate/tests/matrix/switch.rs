//! A conversation changes its model in the middle, to every other upstream and back. Each strict provider refuses the signatures of
//! others, so what arrives is its own or none.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tollgate_sim::{Answer, Sim, Step};

use crate::client::{Ask, Call, Client, FORMS, Form};
use crate::converse::{Talk, sent, to};
use crate::support::stage::config;
use crate::support::{Gateway, isolated};
use crate::thoughts::{comes_back, goes_elsewhere, sends_signature, share};
use crate::upstream::{Item, UPSTREAMS, Upstream};

/// From one upstream to another and back, with a tool turn and thoughts on each.
#[derive(Clone, Copy, Debug)]
struct Switch {
    form: Form,
    from: Upstream,
    to: Upstream,
}

impl Switch {
    fn words(&self, client: Client) -> String {
        format!("Look, {client:?}, {self:?}.")
    }

    /// What an upstream says in its part of the conversation.
    fn script(&self, client: Client, upstream: Upstream) -> Vec<Step> {
        let words = self.words(client);
        let look = |n: u8| {
            let (answer, call) = (Answer::thinking(&thought(n)), call(n));
            to(&words, Step::answer(answer.and_tool(&call.id, &call.name, &call.args)))
        };
        match upstream {
            from if from == self.from => vec![look(1), to(&words, Step::text("Done."))],
            other if other == self.to => vec![look(2)],
            _ => Vec::new(),
        }
    }
}

fn thought(n: u8) -> String {
    format!("Thought {n}.")
}

fn call(n: u8) -> Call {
    Call { id: format!("call_{n}"), name: "look".to_owned(), args: json!({"path": n.to_string()}) }
}

impl Switch {
    /// What the second request tells to `to`, and the third one to `from`.
    fn told(&self, client: Client) -> [Vec<Item>; 2] {
        let user = Item::User(self.words(client));
        let called =
            |n| [Item::Call(call(n)), Item::Result { id: call(n).id, text: "seen".to_owned(), images: vec![] }];
        let mut second = vec![user.clone()];
        second.extend(goes_elsewhere(client, self.from, self.to, &thought(1), &call(1)));
        second.extend(called(1));
        let mut third = vec![user];
        // Claude's thoughts must be all there or none of them, and those of another were left out. Words without a signature were
        // nobody's to check.
        let spoilt = self.from.is_claude() && !share(client, self.from, self.to) && sends_signature(client, self.to);
        if !spoilt {
            third.extend(comes_back(client, self.from, true, &thought(1), &call(1)));
        }
        third.extend(called(1));
        third.extend(goes_elsewhere(client, self.to, self.from, &thought(2), &call(2)));
        third.extend(called(2));
        [second, third]
    }
}

fn switches() -> impl Iterator<Item = Switch> {
    let pairs = UPSTREAMS.into_iter().flat_map(|from| UPSTREAMS.map(|to| (from, to))).filter(|(from, to)| from != to);
    pairs.flat_map(|(from, to)| FORMS.map(|form| Switch { form, from, to }))
}

async fn plays(client: Client) {
    let (mut sims, mut entries): (Vec<Sim>, Vec<Value>) = (Vec::new(), Vec::new());
    for upstream in UPSTREAMS {
        let steps: Vec<Step> = switches().flat_map(|switch| switch.script(client, upstream)).collect();
        let sim = Sim::start(upstream.plays().sim().steps(steps)).await;
        let mut params = upstream.plays().params(&sim.base_url());
        params["api_key"] = json!("key");
        entries.push(json!({"model_name": upstream.name(), "litellm_params": params}));
        sims.push(sim);
    }
    let gateway = Gateway::start(&config(&entries).to_string(), &[]).await;
    let conversations = switches().map(|switch| {
        let talk = Talk { gateway: &gateway, client, form: switch.form };
        async move {
            let mut body = client.speaks().body(Ask::Think, &switch.words(client));
            for upstream in [switch.from, switch.to] {
                let (seen, _) = talk.turn(upstream, upstream.name(), &body).await;
                assert_eq!(seen.calls.len(), 1, "{client:?} {switch:?} {upstream:?}");
                client.speaks().go_on(&mut body, &seen, &["seen"]);
            }
            let (seen, _) = talk.turn(switch.from, switch.from.name(), &body).await;
            assert_eq!(seen.text, "Done.", "{client:?} {switch:?}");
        }
    });
    join_all(conversations).await;
    for switch in switches() {
        let told = |upstream: Upstream| {
            let at = UPSTREAMS.iter().position(|other| *other == upstream).expect("one of them");
            let sent = sent(&sims[at], &switch.words(client));
            sent.iter().map(|request| upstream.plays().read(request).items).collect::<Vec<_>>()
        };
        let [second, third] = switch.told(client);
        assert_eq!(told(switch.to), [second], "{client:?} {switch:?}");
        assert_eq!(told(switch.from)[1..], [third], "{client:?} {switch:?}");
    }
}

#[test]
fn a_messages_client_changes_its_model_in_a_tool_turn_with_thoughts() {
    isolated(|| plays(Client::Messages));
}

#[test]
fn a_chat_client_changes_its_model_in_a_tool_turn_with_thoughts() {
    isolated(|| plays(Client::Chat));
}

#[test]
fn a_responses_client_changes_its_model_in_a_tool_turn_with_thoughts() {
    isolated(|| plays(Client::Responses));
}

#[test]
fn a_gemini_client_changes_its_model_in_a_tool_turn_with_thoughts() {
    isolated(|| plays(Client::Gemini));
}
