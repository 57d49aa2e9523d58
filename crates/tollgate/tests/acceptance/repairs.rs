//! S05, S12, S15, S17 and the rest of the table of repairs: a strict upstream refuses in its vendor's words, the request is
//! repaired once, and from then on it is right at once.

mod bedrock;
mod cases;
mod guards;

use serde_json::{Value, json};
use tollgate_policy::glob::Glob;
use tollgate_policy::repair::table::{Row, rows};
use tollgate_sim::{Provider, Recorded, Rule, Sim, SimConfig};

use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, Stage, Upstream, changes, config, merged};
use crate::support::http::{Answer, post};
use crate::support::{Gateway, isolated};
use cases::{Case, cases};

fn row(id: &str) -> &'static Row {
    rows().find(|row| row.id == id).unwrap_or_else(|| panic!("no row {id}"))
}

async fn stage(case: &Case) -> Stage {
    let (words, _) = row(case.row).seen[case.words];
    let providers = vec![Provider::Chat, Provider::Messages, Provider::Responses, Provider::Gemini, Provider::Converse];
    let sim = SimConfig { providers, ..SimConfig::default() };
    let sim = sim.chat(case.chat.clone()).messages(case.messages.clone()).key(PROVIDER_KEY);
    let sim = sim.rule(Rule::new(case.status, words, case.refuses));
    let sim = Sim::start(sim).await;
    let of_aws = case.params["model"].as_str().is_some_and(|model| model.starts_with("bedrock/"));
    let place = json!({"api_base": sim.base_url(), "aws_region_name": "us-east-1"});
    let params = if of_aws { merged(case.params.clone(), place) } else { case.params.clone() };
    let gateway = Gateway::start(&config(&[case.upstream.entry(&sim, "m", params)]).to_string(), &[]).await;
    Stage { sim, gateway }
}

async fn ask(stage: &Stage, case: &Case) -> Answer {
    let body = merged(json!({"model": "m", "max_tokens": 100}), case.body.clone());
    let headers: Vec<(&str, &str)> =
        std::iter::once(("x-api-key", MASTER_KEY)).chain(case.beta.map(|beta| ("anthropic-beta", beta))).collect();
    post(&stage.gateway.url(case.client.path()), &headers, &body).await
}

async fn repaired_once_and_remembered(case: &Case) {
    let name = format!("{} ({:?} to {:?}, words {})", case.row, case.client, case.upstream, case.words);
    let stage = stage(case).await;
    let first = ask(&stage, case).await;
    let refused = |sent: &[Recorded]| sent.iter().map(|r| r.refused.clone()).collect::<Vec<_>>();
    let sent = stage.sent();
    assert_eq!(first.status, 200, "{name}: {}\n{:?}", first.text(), refused(&sent));
    assert_eq!(sent.len(), 2, "{name}: {:?}", refused(&sent));
    assert_eq!(sent[0].refused.as_deref(), Some(row(case.row).seen[case.words].0), "{name}");
    let reported = Glob::new(&format!("repaired:{}", row(case.row).reports));
    let told = changes(&first);
    assert!(told.iter().any(|change| reported.matches(change)), "{name}: {told:?}");

    let again = ask(&stage, case).await;
    assert_eq!(again.status, 200, "{name}: {}", again.text());
    if case.remembered {
        assert_eq!(stage.sent().len(), 3, "{name}: {:?}", refused(&stage.sent()));
        assert_eq!(again.header("x-tollgate-attempts"), Some("1"), "{name}");
    } else {
        assert_eq!(stage.sent().len(), 4, "{name}");
    }
}

fn run(client: Client, upstream: Upstream) {
    isolated(move || async move {
        for case in cases().iter().filter(|case| case.client == client && case.upstream == upstream) {
            repaired_once_and_remembered(case).await;
        }
    });
}

#[test]
fn every_row_of_the_table_has_a_case() {
    let cases = cases();
    for row in rows() {
        assert!(cases.iter().any(|case| case.row == row.id), "the row {} has no case", row.id);
    }
}

#[test]
fn refusals_of_chat_upstreams_are_repaired_once_for_chat_clients() {
    run(Client::Chat, Upstream::Chat);
}

#[test]
fn refusals_of_chat_upstreams_are_repaired_once_for_messages_clients() {
    run(Client::Messages, Upstream::Chat);
}

#[test]
fn refusals_of_messages_upstreams_are_repaired_once_for_messages_clients() {
    run(Client::Messages, Upstream::Messages);
}

#[test]
fn refusals_of_messages_upstreams_are_repaired_once_for_chat_clients() {
    run(Client::Chat, Upstream::Messages);
}

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}
