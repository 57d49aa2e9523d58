//! Questions about usage, and its files.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use tollgate_policy::budget::Estimate;
use tollgate_store::ledger::{Charge, Payer, Status, Tokens};
use tollgate_store::meter::{Asking, Meter, Settings};
use tollgate_store::usage::{
    By, Cursor, Export, Filter, Format, Line, RowQuestion, SumQuestion, UsageError, page, row, sums,
};

use crate::stage::{NOON, Stage};

crate::contract! {
    sums_are_by_whatever_is_asked_for
    days_are_those_of_the_zone
    tags_stand_alone
    pages_go_on_where_the_last_one_ended
    pages_of_a_few_requests_among_many_are_complete
    a_file_has_every_row_once
}

const HOUR: u64 = 3_600_000;

/// Somebody's request of a model, which costs so much.
async fn charge(meter: &Meter, at_ms: u64, who: (&str, &str), model: &str, tags: &[&str], of: Charge) {
    let asking = Asking {
        request_id: format!("req_{at_ms}"),
        payer: Payer {
            key_hash: who.0.into(),
            team_id: who.1.into(),
            end_user: "o\"neil, x".into(),
            ..Payer::default()
        },
        model: model.to_string(),
        tags: tags.iter().map(|tag| tag.to_string()).collect(),
        pots: &[],
        estimate: Estimate::flat(0),
    };
    meter.reserve(asking, at_ms).await.unwrap().settle(of);
}

fn cost(cost_nanos: u64) -> Charge {
    let tokens = Tokens { input: 100, output: 20, cache_read: 5, cache_write: 3, reasoning: 10 };
    Charge { deployment: "d".to_string(), provider: "openai".to_string(), tokens, cost_nanos, ..Charge::default() }
}

fn failed() -> Charge {
    Charge { tokens: Tokens::default(), status: Status::Failed, ..cost(0) }
}

fn lines(lines: Vec<Line>) -> Vec<(Vec<String>, u64, u64)> {
    lines.into_iter().map(|line| (line.of, line.sums.requests, line.sums.cost_nanos)).collect()
}

fn of(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

fn all(by: &[By]) -> SumQuestion {
    SumQuestion { from_ms: 0, to_ms: u64::MAX, by: by.to_vec(), ..SumQuestion::default() }
}

async fn sums_are_by_whatever_is_asked_for(stage: &Stage) {
    let meter = stage.gateway();
    charge(&meter, NOON, ("k1", "t1"), "gpt", &[], cost(1)).await;
    charge(&meter, NOON + 2 * HOUR, ("k1", "t1"), "claude", &[], cost(20)).await;
    charge(&meter, NOON + 1, ("k2", "t1"), "gpt", &[], cost(300)).await;
    charge(&meter, NOON + 2, ("k3", "t2"), "gpt", &[], failed()).await;
    meter.flush().await;
    let ask = async |question| lines(sums(&stage.database, &TimeZone::UTC, &question).await.unwrap());

    let whole = sums(&stage.database, &TimeZone::UTC, &all(&[])).await.unwrap()[0].sums;
    assert_eq!((whole.requests, whole.failed, whole.cost_nanos), (4, 1, 321));
    assert_eq!((whole.input_tokens, whole.output_tokens, whole.cache_read_tokens), (300, 60, 15));
    assert_eq!((whole.cache_write_tokens, whole.reasoning_tokens), (9, 30));
    assert_eq!(
        ask(all(&[By::Team, By::Model])).await,
        [(of(&["t1", "gpt"]), 2, 301), (of(&["t1", "claude"]), 1, 20), (of(&["t2", "gpt"]), 1, 0)]
    );
    let filter = Filter { model: Some("gpt".to_string()), ..Filter::default() };
    assert_eq!(
        ask(SumQuestion { filter, ..all(&[By::Key]) }).await,
        [(of(&["k2"]), 1, 300), (of(&["k1"]), 1, 1), (of(&["k3"]), 1, 0)]
    );
    let filter = Filter { status: Some(Status::Failed), ..Filter::default() };
    assert_eq!(ask(SumQuestion { filter, ..all(&[By::Status]) }).await, [(of(&["failed"]), 1, 0)]);
    assert_eq!(ask(SumQuestion { most: Some(1), ..all(&[By::Key]) }).await, [(of(&["k2"]), 1, 300)]);
    let first = SumQuestion { from_ms: NOON, to_ms: NOON + HOUR, ..all(&[]) };
    assert_eq!(ask(first).await, [(of(&[]), 3, 301)]);
    let nothing = SumQuestion { from_ms: NOON, to_ms: NOON, ..all(&[]) };
    assert_eq!(ask(nothing).await, []);
}

async fn days_are_those_of_the_zone(stage: &Stage) {
    // Half an hour after whole ones: hours of its own clocks are summed up.
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    let settings = Settings { zone: zone.clone(), ..Settings::new(stage.journal()) };
    let meter = Meter::open(stage.database.clone(), settings).unwrap();
    // 2026-11-27 00:00 there.
    let midnight = 1_795_717_800_000;
    charge(&meter, midnight - 1, ("k", "t"), "gpt", &[], cost(1)).await;
    charge(&meter, midnight, ("k", "t"), "gpt", &[], cost(20)).await;
    charge(&meter, midnight + 86_400_000 - 1, ("k", "t"), "gpt", &[], cost(300)).await;
    meter.flush().await;
    let question = SumQuestion { from_ms: midnight - HOUR, to_ms: midnight + 86_400_000, ..all(&[By::Day]) };
    assert_eq!(
        lines(sums(&stage.database, &zone, &question).await.unwrap()),
        [(of(&["1795717800000"]), 2, 320), (of(&["1795631400000"]), 1, 1)]
    );
    // Hours of the second day alone, and of both.
    let last = SumQuestion { from_ms: midnight + HOUR, to_ms: midnight + 86_400_000, ..all(&[By::Day]) };
    assert_eq!(lines(sums(&stage.database, &zone, &last).await.unwrap()), [(of(&["1795717800000"]), 1, 300)]);
    let around = SumQuestion { from_ms: midnight - HOUR, to_ms: midnight + 1, ..all(&[]) };
    assert_eq!(lines(sums(&stage.database, &zone, &around).await.unwrap()), [(of(&[]), 2, 21)]);
}

async fn tags_stand_alone(stage: &Stage) {
    let meter = stage.gateway();
    charge(&meter, NOON, ("k1", "t1"), "gpt", &["red", "big"], cost(1)).await;
    charge(&meter, NOON + 1, ("k2", "t1"), "gpt", &["red"], cost(20)).await;
    meter.flush().await;
    let ask = async |question| sums(&stage.database, &TimeZone::UTC, &question).await;
    assert_eq!(lines(ask(all(&[By::Tag])).await.unwrap()), [(of(&["red"]), 2, 21), (of(&["big"]), 1, 1)]);
    let filter = Filter { tag: Some("big".to_string()), ..Filter::default() };
    assert_eq!(lines(ask(SumQuestion { filter: filter.clone(), ..all(&[]) }).await.unwrap()), [(of(&[]), 1, 1)]);
    assert!(matches!(ask(all(&[By::Tag, By::Key])).await, Err(UsageError::TagsStandAlone)));
    // Rows have both.
    let both = Filter { key_hash: Some("k1".to_string()), tag: Some("red".to_string()), ..Filter::default() };
    for (filter, found) in [(filter, 1), (both, 1)] {
        let question = RowQuestion { to_ms: u64::MAX, filter, most: 10, ..RowQuestion::default() };
        assert_eq!(page(&stage.database, &question).await.unwrap().rows.len(), found);
    }
}

async fn pages_go_on_where_the_last_one_ended(stage: &Stage) {
    let meter = stage.gateway();
    // Five at the same moment, and five later.
    for index in 0..10 {
        charge(&meter, NOON + index / 5, ("k1", "t1"), "gpt", &[], cost(index)).await;
    }
    meter.flush().await;
    let mut question = RowQuestion { to_ms: u64::MAX, most: 3, ..RowQuestion::default() };
    let mut costs = Vec::new();
    loop {
        let page = page(&stage.database, &question).await.unwrap();
        assert!(page.rows.is_sorted_by(|a, b| a.at_ms >= b.at_ms));
        costs.extend(page.rows.iter().map(|row| row.cost_nanos));
        let Some(next) = page.next else { break };
        // As a client sends it back.
        question.after = Some(next.to_string().parse::<Cursor>().unwrap());
    }
    assert_eq!(costs.len(), 10);
    assert_eq!(costs.into_iter().collect::<BTreeSet<_>>(), (0..10).collect());
    let rows = row(&stage.database, &format!("req_{NOON}")).await.unwrap();
    assert_eq!(rows.len(), 5);
    assert_eq!((rows[0].key_hash.as_str(), rows[0].end_user.as_str()), ("k1", "o\"neil, x"));
    assert_eq!((rows[0].first_token_ms, rows[0].tokens.reasoning_tokens), (None, 10));
    assert!(matches!("nonsense".parse::<Cursor>(), Err(UsageError::NoCursor(_))));
}

async fn pages_of_a_few_requests_among_many_are_complete(stage: &Stage) {
    let meter = stage.gateway();
    // Every hour ten of one key, and every fifth hour one of another.
    for hour in 0..20 {
        for index in 0..10 {
            charge(&meter, NOON + hour * HOUR + index, ("busy", "t"), "gpt", &[], cost(1)).await;
        }
        if hour % 5 == 0 {
            charge(&meter, NOON + hour * HOUR + 5, ("rare", "t"), "gpt", &[], cost(hour)).await;
        }
    }
    meter.flush().await;
    let filter = Filter { key_hash: Some("rare".to_string()), ..Filter::default() };
    let mut question = RowQuestion { to_ms: u64::MAX, most: 3, filter, ..RowQuestion::default() };
    let costs = |page: &tollgate_store::usage::Page| page.rows.iter().map(|row| row.cost_nanos).collect::<Vec<_>>();
    let first = page(&stage.database, &question).await.unwrap();
    assert_eq!(costs(&first), [15, 10, 5]);
    question.after = first.next;
    let second = page(&stage.database, &question).await.unwrap();
    assert_eq!((costs(&second), second.next), (vec![0], None));
    let within = RowQuestion { from_ms: NOON + 5 * HOUR + 6, after: None, ..question };
    assert_eq!(costs(&page(&stage.database, &within).await.unwrap()), [15, 10]);
}

async fn a_file_has_every_row_once(stage: &Stage) {
    let meter = stage.gateway();
    // More than a page.
    for index in 0..1500 {
        charge(&meter, NOON + index, ("k1", "t1"), "gpt", &["a", "b"], cost(index)).await;
    }
    meter.flush().await;
    let file = async |format| {
        let question = RowQuestion { to_ms: u64::MAX, ..RowQuestion::default() };
        let mut export = Export::new(stage.database.clone(), question, format).unwrap();
        let mut file = Vec::new();
        while let Some(piece) = export.next().await.unwrap() {
            file.extend(piece);
        }
        file
    };
    let csv = String::from_utf8(file(Format::Csv).await).unwrap();
    let csv: Vec<&str> = csv.lines().collect();
    assert_eq!(csv.len(), 1501);
    assert!(csv[0].starts_with("at_ms,charge,request_id,key_hash,"), "{}", csv[0]);
    let (before, after) = csv[1].split_once("\"o\"\"neil, x\"").unwrap();
    assert!(before.starts_with(&format!("{},", NOON + 1499)) && before.ends_with(",k1,t1,,,"), "{before}");
    assert_eq!(after, ",gpt,d,openai,,answered,100,20,5,3,10,1499,0,0,-1,0,a b");

    let json = String::from_utf8(file(Format::JsonLines).await).unwrap();
    let costs: BTreeSet<u64> = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["cost_nanos"].as_u64().unwrap())
        .collect();
    assert_eq!(costs, (0..1500).collect());

    let parquet = SerializedFileReader::new(bytes::Bytes::from(file(Format::Parquet).await)).unwrap();
    assert_eq!(parquet.metadata().file_metadata().num_rows(), 1500);
    let first = parquet.get_row_iter(None).unwrap().next().unwrap().unwrap();
    assert_eq!((first.get_long(0).unwrap(), first.get_long(18).unwrap()), (NOON as i64 + 1499, 1499));
    assert_eq!((first.get_string(7).unwrap().as_str(), first.get_string(23).unwrap().as_str()), ("o\"neil, x", "a b"));
}
