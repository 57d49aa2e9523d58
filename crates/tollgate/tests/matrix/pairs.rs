//! Plays the matrix: one gateway and one provider for each upstream, in it a route of its own for each cell.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tollgate_sim::Sim;

use crate::cell::{Cell, Stage};
use crate::client::{CLIENTS, FORMS};
use crate::support::stage::config;
use crate::support::{Gateway, isolated};
use crate::upstream::{FURTHER, UPSTREAMS, Upstream};

fn cells(upstream: Upstream) -> Vec<Cell> {
    let cells = CLIENTS.into_iter().flat_map(|client| upstream.cases().iter().map(move |case| (client, *case)));
    let cells = cells.filter(|(client, case)| upstream.is_played(*client, *case));
    cells.flat_map(|(client, case)| FORMS.map(|form| Cell::new(client, upstream, case, form))).collect()
}

async fn plays(upstream: Upstream) {
    let cells = cells(upstream);
    let steps: Vec<_> = cells.iter().flat_map(Cell::script).collect();
    let sim = Sim::start(upstream.plays().sim().steps(steps)).await;
    let entries: Vec<Value> = cells.iter().map(|cell| cell.entry(&sim)).collect();
    let mut config = config(&entries);
    config["litellm_settings"] = json!({"num_retries": 0});
    let gateway = Gateway::start(&config.to_string(), &[]).await;
    let stage = Stage { sim, gateway };
    let played = join_all(cells.iter().map(|cell| AssertUnwindSafe(cell.play(&stage)).catch_unwind())).await;
    let failed: Vec<String> = cells.iter().zip(played).filter_map(|(cell, played)| told(cell, played.err()?)).collect();
    assert!(failed.is_empty(), "{} of {} cells failed:\n{}", failed.len(), cells.len(), failed.join("\n"));
}

/// The cell and why it failed.
fn told(cell: &Cell, panic: Box<dyn Any + Send>) -> Option<String> {
    let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    Some(format!("{}: {}", cell.name(), words.unwrap_or("failed")))
}

macro_rules! matrix {
    ($($name:ident: $upstream:ident;)*) => {
        $(
            #[test]
            fn $name() {
                isolated(|| plays(Upstream::$upstream));
            }
        )*

        #[test]
        fn every_upstream_is_played() {
            assert_eq!(vec![$(Upstream::$upstream),*], [&UPSTREAMS[..], &FURTHER].concat());
        }
    };
}

matrix! {
    every_client_is_at_home_on_chat: Chat;
    every_client_is_at_home_on_responses: Responses;
    every_client_is_at_home_on_messages: Messages;
    every_client_is_at_home_on_gemini: Gemini;
    every_client_is_at_home_on_converse: Converse;
    every_client_is_at_home_on_invoke_model: Invoke;
    every_client_is_at_home_on_a_claude_that_thinks_on_a_budget: Budget;
    every_client_is_at_home_on_gemini_on_vertex: VertexGemini;
    every_client_is_at_home_on_claude_on_vertex: VertexClaude;
    every_client_is_at_home_on_azure: Azure;
    every_client_is_at_home_on_claude_in_foundry: Foundry;
    every_client_is_at_home_on_converse_with_signed_requests: Signed;
}
