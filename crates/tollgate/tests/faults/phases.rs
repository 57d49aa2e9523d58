//! S22: a timeout names what was waited for, for how long, and the key that decides.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tollgate_sim::{Answer, Faults, Piece, Step};

use crate::support::chat_checker;
use crate::support::checker;
use crate::support::fleet::{Fleet, Ship, ship};
use crate::support::isolated;
use crate::support::stage::{BOTH, Client, has};

/// A port where connections are neither taken nor refused: the queue of its listener is full.
struct FullPort {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl FullPort {
    async fn open() -> FullPort {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(connected) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            queued.push(connected.unwrap());
        }
        FullPort { address, _listener: listener, _queued: queued }
    }
}

/// Asks every route in both dialects at once, and compares what the client is told.
async fn all_told(ships: Vec<Ship>, rows: &[(&str, bool, &str, &str)]) {
    let fleet = Fleet::start(ships, json!({})).await;
    let asked = rows.iter().flat_map(|row| BOTH.map(|client| (client, row))).map(|(client, row)| {
        let body = client.hello(json!({"model": row.0, "stream": row.1}));
        let fleet = &fleet;
        async move { (client, row, fleet.ask(client, &body).await) }
    });
    for (client, (route, _, reason, words), answer) in futures_util::future::join_all(asked).await {
        let (found, message) = if answer.status == 200 {
            in_stream(client, &answer.body)
        } else {
            assert_eq!(answer.status, 504, "{}", answer.text());
            assert_eq!(answer.header("x-tollgate-reason"), Some(*reason));
            client.error(&answer)
        };
        assert_eq!(answer.status == 200, *reason == "idle_timeout", "{route}");
        assert_eq!(found, "timeout_error");
        has(&message, &format!("{route}: timed out {words}"));
    }
}

fn in_stream(client: Client, body: &[u8]) -> (String, String) {
    let error = match client {
        Client::Messages => checker::stream_of("silent", body).failed().clone(),
        Client::Chat => chat_checker::lenient(body).failed().clone(),
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&error["type"]), text(&error["message"]))
}

#[test]
fn s22_connecting_that_takes_too_long_is_named_with_the_limit_that_ran_out() {
    isolated(|| async {
        let port = FullPort::open().await;
        let full = |route, limits: Value| {
            let base = json!({"api_base": format!("http://{}/v1", port.address)});
            ship(route, Step::text("never asked")).with(base).with(limits)
        };
        // Takes connections and says nothing on them.
        let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = json!({"api_base": format!("https://{}/v1", mute.local_addr().unwrap())});
        let ships = vec![
            ship("tls", Step::text("never asked")).with(tls),
            full("short", json!({"timeout": 1})),
            full("shorter", json!({"timeout": 60, "stream_timeout": 0.5})),
            full("fixed", json!({})),
        ];
        all_told(
            ships,
            &[
                ("tls", true, "connect_timeout", "connecting to the upstream after 5 s (fixed; "),
                (
                    "short",
                    false,
                    "connect_timeout",
                    "connecting to the upstream after 1 s (litellm_params.timeout decides)",
                ),
                (
                    "short",
                    true,
                    "connect_timeout",
                    "connecting to the upstream after 1 s (litellm_params.timeout decides)",
                ),
                (
                    "shorter",
                    true,
                    "connect_timeout",
                    "connecting to the upstream after 0.5 s (litellm_params.stream_timeout decides)",
                ),
                ("shorter", false, "connect_timeout", "connecting to the upstream after 5 s (fixed; "),
                ("fixed", false, "connect_timeout", "connecting to the upstream after 5 s (fixed; "),
                ("fixed", true, "connect_timeout", "connecting to the upstream after 5 s (fixed; "),
            ],
        )
        .await;
    });
}

#[test]
fn s22_silence_is_named_before_the_first_byte_and_between_two_pieces() {
    isolated(|| async {
        let long = Duration::from_secs(600);
        let never = Faults { before_headers: long, ..Faults::default() };
        let stops = Faults { silence: Some((3, long)), ..Faults::default() };
        let limits = json!({"timeout": 4, "stream_timeout": 3.5});
        let pieces = Answer { piece_chars: 4, ..Answer::text("some words and then nothing") };
        let ships = vec![
            ship("mute", Step::text("too late").faults(never)).with(limits.clone()),
            ship("silent", Step::answer(pieces).faults(stops)).with(limits),
        ];
        all_told(
            ships,
            &[
                (
                    "mute",
                    false,
                    "first_byte_timeout",
                    "waiting for the first byte of the answer after 4 s (litellm_params.timeout decides)",
                ),
                (
                    "mute",
                    true,
                    "first_byte_timeout",
                    "waiting for the first byte of the stream after 3.5 s (litellm_params.stream_timeout decides)",
                ),
                (
                    "silent",
                    true,
                    "idle_timeout",
                    "waiting for more of an idle stream after 3.5 s (litellm_params.stream_timeout decides)",
                ),
            ],
        )
        .await;
    });
}

/// Each blank comes in time, and the answer never: what is promised for it in one piece is the time in total.
#[test]
fn s22_an_answer_in_one_piece_that_only_drips_is_ended_in_total() {
    isolated(|| async {
        let drip = || [Piece::text(" "), Piece::Pause(Duration::from_millis(400))];
        let begun = [Piece::text("{\"id\": \"c1\","), Piece::Pause(Duration::from_millis(400))];
        let pieces = begun.into_iter().chain(std::iter::repeat_with(drip).take(30).flatten()).collect();
        let ships = vec![ship("drip", Step::sse(pieces)).with(json!({"timeout": 2, "stream_timeout": 60}))];
        all_told(
            ships,
            &[(
                "drip",
                false,
                "total_timeout",
                "waiting for the end of the whole answer (total) after 2 s (litellm_params.timeout decides)",
            )],
        )
        .await;
    });
}

/// As in LiteLLM, whose `timeout` is also that between two pieces of a stream without a `stream_timeout`.
#[test]
fn s22_timeout_alone_also_ends_a_stream_that_falls_silent() {
    isolated(|| async {
        let stops = Faults { silence: Some((3, Duration::from_secs(600))), ..Faults::default() };
        let pieces = Answer { piece_chars: 4, ..Answer::text("some words and then nothing") };
        let ships = vec![ship("silent", Step::answer(pieces).faults(stops)).with(json!({"timeout": 2}))];
        all_told(
            ships,
            &[(
                "silent",
                true,
                "idle_timeout",
                "waiting for more of an idle stream after 2 s (litellm_params.timeout decides)",
            )],
        )
        .await;
    });
}
