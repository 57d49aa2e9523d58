//! What a client sends again is neither asked nor billed twice.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tollgate_sim::{Answer as Said, Faults, Step, Usage};
use tollgate_store::database::Database;

use crate::fleet::{Fleet, ship};
use crate::stage::{BOTH, Client, MASTER_KEY, has, merged};
use crate::support::http::{Answer, post, send};
use crate::support::isolated;

const KEY: &str = "idempotency-key";
const COUNT: &str = "x-stainless-retry-count";
const PATIENCE: Duration = Duration::from_secs(20);
/// A dollar for each token of output.
const DOLLAR: i64 = 1_000_000_000;

struct House {
    fleet: Fleet,
    database: Database,
}

/// An answer of five tokens.
fn five() -> Step {
    let usage = Usage::Exact(json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}));
    Step::answer(Said { piece_chars: 2, ..Said::text("An answer.").usage(usage) })
}

impl House {
    async fn open(step: Step, more: Value) -> House {
        let prices = json!({"input_cost_per_token": 0, "output_cost_per_token": 1.0});
        let ship = ship("m", step).with(prices);
        let fleet =
            Fleet::start(vec![ship], merged(json!({"general_settings": {"master_key": MASTER_KEY}}), more)).await;
        let database = Database::sqlite(&fleet.gateway.data_dir().join("tollgate.db")).await;
        House { fleet, database: database.expect("the gateway has made its tables") }
    }

    async fn ask(&self, client: Client, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.fleet.ask_with(client, headers, body).await
    }

    fn asked(&self) -> usize {
        self.fleet.sims[0].requests().len()
    }

    /// The status and cost of each line of the ledger, in their order, when there are so many.
    async fn ledger(&self, wanted: usize) -> Vec<(String, i64)> {
        let rows = "SELECT status, cost_nanos FROM ledger ORDER BY at_ms, charge";
        for _ in 0..500 {
            let found: Vec<(String, i64)> =
                sqlx::query_as(rows).fetch_all(&self.database.pool).await.expect("the ledger");
            if found.len() >= wanted {
                // One more would come within this time.
                tokio::time::sleep(Duration::from_millis(200)).await;
                return sqlx::query_as(rows).fetch_all(&self.database.pool).await.expect("the ledger");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the ledger has no {wanted} lines");
    }

    /// A request on a connection of its own, sent and not read.
    async fn sent(&self, headers: &[(&str, &str)], body: &Value) -> TcpStream {
        let address = self.fleet.gateway.url("").replace("http://", "");
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        let body = body.to_string();
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\nx-api-key: {MASTER_KEY}\r\n{more}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.expect("a request that is read");
        stream
    }

    async fn until_asked(&self, times: usize) {
        let asked = self.fleet.sims[0].wait_until(|all| all.len() == times);
        timeout(PATIENCE, asked).await.expect("the upstream is asked");
    }
}

fn is_replay(answer: &Answer) -> bool {
    answer.header("x-tollgate-replayed") == Some("true")
}

fn hello(stream: bool) -> Value {
    Client::Chat.hello(json!({"stream": stream}))
}

#[test]
fn an_answer_is_given_again_as_it_was_and_costs_nothing() {
    isolated(|| async {
        let house = House::open(five().always(), json!({})).await;
        let mut asked = 0;
        for client in BOTH {
            for stream in [false, true] {
                for (first, again) in [([(KEY, "k-1")], [(KEY, "k-1")]), ([(COUNT, "0")], [(COUNT, "1")])] {
                    // Names and texts of their own, so that each case stands alone.
                    let name = format!("{client:?} {stream}");
                    let body = client.hello(json!({"stream": stream, "messages": [{"role": "user", "content": name}]}));
                    let key = format!("{name} key");
                    let own = |header: &[(&'static str, &'static str)]| {
                        header.iter().map(|(n, v)| (*n, if *n == KEY { key.clone() } else { v.to_string() })).next()
                    };
                    let (first, again) = (own(&first).expect("one"), own(&again).expect("one"));
                    let one = house.ask(client, &[(first.0, &first.1)], &body).await;
                    let two = house.ask(client, &[(again.0, &again.1)], &body).await;
                    asked += 1;
                    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200), "{name}");
                    assert!(!is_replay(&one) && is_replay(&two), "{name} {first:?}");
                    assert_eq!(one.body, two.body, "{name}: byte by byte");
                    assert_eq!(one.header("content-type"), two.header("content-type"));
                    assert_eq!(one.header("x-tollgate-deployment"), two.header("x-tollgate-deployment"));
                    assert_ne!(one.header("request-id"), two.header("request-id"), "it is a request of its own");
                    if !stream {
                        assert_eq!(one.header("x-litellm-response-cost"), Some("5"));
                        assert_eq!(two.header("x-litellm-response-cost"), Some("0"));
                    }
                    assert_eq!(house.asked(), asked, "{name} {first:?}");
                }
            }
        }
        assert_eq!(house.ledger(asked).await, vec![("answered".to_string(), 5 * DOLLAR); asked]);
    });
}

#[test]
fn only_what_is_marked_as_sent_again_is_taken_for_it() {
    isolated(|| async {
        let house = House::open(five().always(), json!({})).await;
        let claude = [(COUNT, "1"), ("user-agent", "claude-cli/2.1.329 (external, cli)")];
        let rows: [&[(&str, &str)]; 5] = [&[], &[], &[(COUNT, "x")], &claude, &claude];
        for (n, headers) in rows.iter().enumerate() {
            let answer = house.ask(Client::Chat, headers, &hello(false)).await;
            assert!(!is_replay(&answer), "{headers:?}");
            assert_eq!(house.asked(), n + 1);
        }
        // The first of an SDK is no retry, and of several that are equal a retry gets none of the others' answers.
        for (headers, asked) in [([(COUNT, "0")], 6), ([(COUNT, "0")], 7), ([(COUNT, "1")], 8), ([(COUNT, "2")], 9)] {
            assert!(!is_replay(&house.ask(Client::Chat, &headers, &hello(false)).await));
            assert_eq!(house.asked(), asked, "{headers:?}");
        }
        // Another body or path is another request.
        let other = Client::Chat.hello(json!({"messages": [{"role": "user", "content": "other"}]}));
        assert!(!is_replay(&house.ask(Client::Chat, &[(COUNT, "0")], &other).await));
        assert!(!is_replay(&house.ask(Client::Messages, &[(COUNT, "1")], &other).await));
    });
}

#[test]
fn nothing_is_kept_where_the_configuration_says_so() {
    isolated(|| async {
        let house = House::open(five().always(), json!({"tollgate_settings": {"idempotency": false}})).await;
        for _ in 0..2 {
            assert!(!is_replay(&house.ask(Client::Chat, &[(KEY, "k")], &hello(false)).await));
        }
        assert_eq!(house.asked(), 2);
    });
}

#[test]
fn another_caller_with_the_same_key_gets_an_answer_of_its_own() {
    isolated(|| async {
        let house = House::open(five().always(), json!({})).await;
        let made = post(&house.fleet.gateway.url("/key/generate"), &[("x-api-key", MASTER_KEY)], &json!({})).await;
        let other = made.json()["key"].as_str().expect("a key").to_string();
        let url = house.fleet.gateway.url(Client::Chat.path());
        let ask = async |key: &str| post(&url, &[("x-api-key", key), (KEY, "k")], &hello(false)).await;
        assert!(!is_replay(&ask(MASTER_KEY).await));
        assert!(!is_replay(&ask(&other).await), "it is another's");
        assert!(is_replay(&ask(&other).await));
        assert_eq!(house.asked(), 2);
        // Who may not call any more gets nothing of what it has got before.
        post(&house.fleet.gateway.url("/key/block"), &[("x-api-key", MASTER_KEY)], &json!({"key": other})).await;
        assert_eq!(ask(&other).await.status, 401);
    });
}

#[test]
fn a_key_that_is_sent_with_another_request_is_refused_in_the_clients_dialect() {
    isolated(|| async {
        let house = House::open(five().always(), json!({})).await;
        for client in BOTH {
            let key = [(KEY, client.path())];
            assert_eq!(house.ask(client, &key, &client.hello(json!({}))).await.status, 200);
            let other = house.ask(client, &key, &client.hello(json!({"max_tokens": 99}))).await;
            assert_eq!(other.status, 422, "{}", other.text());
            let (kind, message) = client.error(&other);
            assert_eq!(kind, "invalid_request_error");
            has(&message, "This Idempotency-Key was sent with another request before.");
            assert_eq!(other.header("x-should-retry"), Some("false"));
            let long = "k".repeat(256);
            let long = house.ask(client, &[(KEY, &long)], &client.hello(json!({}))).await;
            assert_eq!(long.status, 400, "{}", long.text());
            has(&client.error(&long).1, "Idempotency-Key may have 255 characters at most.");
        }
        assert_eq!(house.asked(), 2);
    });
}

#[test]
fn a_form_is_the_same_whatever_stands_between_its_parts() {
    isolated(|| async {
        let house = House::open(five().always(), json!({})).await;
        let url = house.fleet.gateway.url("/v1/audio/transcriptions");
        let ask = async |boundary: &str, sound: &str| {
            let kind = format!("multipart/form-data; boundary={boundary}");
            let body = format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n--{boundary}\r\n\
                 content-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\ncontent-type: audio/wav\r\n\r\n{sound}\r\n--{boundary}--\r\n"
            );
            let headers = [("x-api-key", MASTER_KEY), ("content-type", kind.as_str()), (KEY, "k")];
            send(http::Method::POST, &url, &headers, body).await
        };
        let one = ask("aaaa1111", "RIFF1234").await;
        assert_eq!(one.status, 200, "{}", one.text());
        let two = ask("bbbb2222", "RIFF1234").await;
        assert!(is_replay(&two), "{}", two.text());
        assert_eq!(one.body, two.body);
        assert_eq!(ask("bbbb2222", "RIFF5678").await.status, 422);
    });
}

#[test]
fn whoever_asks_again_while_the_first_is_answered_waits_and_gets_its_answer() {
    isolated(|| async {
        let slow = Faults { before_headers: Duration::from_secs(1), ..Faults::default() };
        let house = House::open(five().faults(slow).always(), json!({})).await;
        for (n, stream) in [false, true].into_iter().enumerate() {
            let key = format!("k{n}");
            let headers = [(KEY, key.as_str())];
            let body = hello(stream);
            let (one, two) =
                tokio::join!(house.ask(Client::Chat, &headers, &body), house.ask(Client::Chat, &headers, &body));
            assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
            assert_eq!(one.body, two.body);
            assert!(is_replay(&one) != is_replay(&two), "one of them was first");
            assert_eq!(house.asked(), n + 1);
        }
        assert_eq!(house.ledger(2).await.len(), 2);
    });
}

#[test]
fn a_failure_is_not_remembered() {
    isolated(|| async {
        let down = Step::json(500, &json!({"error": {"message": "down", "type": "server_error"}})).times(1);
        let house = House::open(down, json!({})).await;
        house.fleet.sims[0].replace_script([
            Step::json(500, &json!({"error": {"message": "down", "type": "server_error"}})).times(1),
            // An error after the answer has begun.
            five()
                .faults(Faults { error_after: Some((3, json!({"error": {"message": "broke"}}))), ..Faults::default() })
                .times(1),
            five().faults(Faults { cut_after: Some((3, tollgate_sim::Ending::Close)), ..Faults::default() }).times(1),
            five().always(),
        ]);
        let ask = async || house.ask(Client::Chat, &[(KEY, "k")], &hello(true)).await;
        assert_eq!(ask().await.status, 500);
        for _ in 0..2 {
            let broken = ask().await;
            assert!(
                broken.status == 200 && !is_replay(&broken) && broken.text().contains("error"),
                "{}",
                broken.text()
            );
        }
        let whole = ask().await;
        assert!(whole.status == 200 && !is_replay(&whole) && whole.text().contains("[DONE]"), "{}", whole.text());
        assert!(is_replay(&ask().await));
    });
}

#[test]
fn a_request_that_its_client_gave_up_is_billed_for_what_was_seen_and_the_next_for_itself() {
    isolated(|| async {
        let minute = Duration::from_secs(60);
        let house = House::open(five().always(), json!({})).await;
        // Before anything came, which is where most time-outs are; then in the midst of the answer.
        for (n, (faults, marks)) in [
            (Faults { before_headers: minute, ..Faults::default() }, [(KEY, "k"), (KEY, "k")]),
            (Faults { silence: Some((4, minute)), ..Faults::default() }, [(COUNT, "0"), (COUNT, "1")]),
        ]
        .into_iter()
        .enumerate()
        {
            house.fleet.sims[0].replace_script([five().faults(faults).times(1), five().always()]);
            let body =
                Client::Chat.hello(json!({"stream": true, "messages": [{"role": "user", "content": format!("{n}")}]}));
            let mut first = house.sent(&marks[..1], &body).await;
            house.until_asked(2 * n + 1).await;
            if n == 1 {
                let (mut seen, mut buffer) = (String::new(), [0; 4096]);
                while !seen.contains("content\":\"") {
                    let read = timeout(PATIENCE, first.read(&mut buffer)).await.expect("in time").expect("open");
                    assert!(read > 0, "{seen}");
                    seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
                }
            }
            drop(first);
            let again = timeout(PATIENCE, house.ask(Client::Chat, &marks[1..], &body)).await.expect("it need not wait");
            assert!(again.status == 200 && !is_replay(&again), "{}", again.text());
            assert_eq!(house.asked(), 2 * n + 2, "the retry goes out anew");
            // From here on it is like any other.
            assert!(is_replay(&house.ask(Client::Chat, &[(marks[1].0, if n == 0 { "k" } else { "2" })], &body).await));
        }
        let ledger = house.ledger(4).await;
        let of = |status: &str| -> Vec<i64> {
            ledger.iter().filter(|(of, _)| of == status).map(|(_, cost)| *cost).collect()
        };
        assert_eq!(of("answered"), [5 * DOLLAR; 2], "{ledger:?}");
        let mut aborted = of("aborted");
        aborted.sort_unstable();
        // Nothing was seen of the one, and a few tokens of the other.
        assert_eq!((aborted.len(), aborted[0]), (2, 0), "{ledger:?}");
        assert!((DOLLAR..5 * DOLLAR).contains(&aborted[1]), "{ledger:?}");
    });
}

#[test]
fn an_answer_that_was_made_and_got_lost_on_its_way_is_given_again() {
    isolated(|| async {
        let house = House::open(five().always(), json!({})).await;
        for (n, stream) in [false, true].into_iter().enumerate() {
            let body = hello(stream);
            let lost = house.sent(&[(COUNT, "0")], &body).await;
            // It is whole and paid for, and nobody has read it.
            assert_eq!(house.ledger(n + 1).await.len(), n + 1);
            drop(lost);
            let again = house.ask(Client::Chat, &[(COUNT, "1")], &body).await;
            assert!(is_replay(&again), "{}", again.text());
            has(&again.text(), if stream { "[DONE]" } else { "An answer." });
            assert_eq!(house.asked(), n + 1);
            assert_eq!(house.ledger(n + 1).await.len(), n + 1, "no line more");
        }
    });
}
