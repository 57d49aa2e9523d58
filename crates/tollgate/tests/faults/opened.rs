//! S15: a stream that was opened because nothing came is still one stream, whoever goes on with it.

use std::time::Duration;

use serde_json::json;
use tollgate_sim::{Answer, Ending, Faults, Step};

use crate::script::{error, step};
use crate::support::chat_checker;
use crate::support::checker;
use crate::support::fleet::{Fleet, ship};
use crate::support::http::Answer as Answered;
use crate::support::isolated;
use crate::support::stage::{BOTH, Client, Upstream};
use crate::table::{Fault, Form, WORDS};

const ALL: [Upstream; 2] = [Upstream::Chat, Upstream::Messages];

/// What the second deployment does once the first was given up.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Second {
    Answers,
    Fails,
    IsCut,
}

impl Second {
    fn step(self, upstream: Upstream) -> Step {
        match self {
            Second::Answers => Step::answer(Answer { piece_chars: 4, ..Answer::text("Here at last.") }),
            Second::Fails => Step::json(500, &error(upstream, 500)),
            Second::IsCut => step(Fault::CutAfterText, Form::Stream, upstream, Ending::Clean),
        }
    }

    fn check(self, client: Client, model: &str, answer: &Answered) {
        let (text, error) = match client {
            Client::Messages => {
                let seen = checker::stream_of(model, &answer.body);
                assert_eq!(seen.complete, self == Second::Answers);
                let text = seen.blocks.first().map(|block| format!("{block:?}"));
                (text.unwrap_or_default(), seen.error)
            }
            Client::Chat => {
                let seen = chat_checker::lenient(&answer.body);
                assert_eq!(seen.done, self == Second::Answers);
                (seen.text, seen.error)
            }
        };
        let message = error.map(|error| error["message"].as_str().unwrap().to_owned());
        match self {
            Second::Answers => assert!(message.is_none() && text.contains("Here at last."), "{message:?} {text}"),
            Second::Fails => assert!(message.unwrap().contains(WORDS)),
            Second::IsCut => assert!(message.unwrap().contains("before the answer was complete")),
        }
    }
}

#[test]
fn s15_a_stream_opened_by_silence_goes_on_as_one_stream_whoever_answers() {
    isolated(|| async {
        let mut cases = Vec::new();
        for (first, second) in ALL.iter().flat_map(|first| ALL.map(|second| (*first, second))) {
            for ends in [Second::Answers, Second::Fails, Second::IsCut] {
                cases.extend(BOTH.map(|client| {
                    (format!("route-{}-{}", cases.len(), client.path().len()), client, first, second, ends)
                }));
            }
        }
        let silent =
            || Step::text("too late").faults(Faults { before_headers: Duration::from_secs(600), ..Faults::default() });
        let ships = cases.iter().flat_map(|(route, _, first, second, ends)| {
            let first = ship(route, silent()).speaks(*first).with(json!({"stream_timeout": 2}));
            [first, ship(route, ends.step(*second)).speaks(*second)]
        });
        let more = json!({"tollgate_settings": {"commit_after_ms": 300}});
        let fleet = Fleet::start(ships.collect(), more).await;
        let asked = cases.iter().map(|(route, client, ..)| {
            let body = client.hello(json!({"model": route, "stream": true}));
            let fleet = &fleet;
            async move { fleet.ask(*client, &body).await }
        });
        let answers = futures_util::future::join_all(asked).await;
        for ((route, client, first, second, ends), answer) in cases.iter().zip(&answers) {
            println!("{client:?} {first:?} {second:?} {ends:?}: {}", answer.text());
            assert_eq!(answer.status, 200);
            let passed_on = second.speaks() == *client && first.speaks() == *client && *ends != Second::Fails;
            ends.check(*client, if passed_on { second.model() } else { route }, answer);
        }
        assert_eq!(fleet.counts(), vec![1; 2 * cases.len()]);
    });
}
