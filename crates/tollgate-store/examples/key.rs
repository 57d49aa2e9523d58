//! What a request waits for until its key is known and may do what it asks for: `cargo xtask bench key`.
//!
//! The key's hash, the caller in memory, whether it may use the path and then the model: what `pipeline/authenticate.rs` and
//! `access.rs` do of a key that was seen before. A thousand keys take turns, each in a team of an organisation, of a user.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tollgate_policy::access::Grants;
use tollgate_policy::authorise::{self, AccessGroups, Names, may_call};
use tollgate_policy::route::{CatchAll, RouteTable};
use tollgate_store::access::Author;
use tollgate_store::callers::Callers;
use tollgate_store::database::Database;
use tollgate_store::entity::{Organisation, Team, User, VirtualKey};

const KEYS: usize = 1_000;
const ROUNDS: usize = 300;
const NOW_MS: u64 = 1_795_659_610_000;
const PATH: &str = "/v1/messages";
const MODEL: &str = "model-17";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = Database::sqlite(&folder.path().join("tollgate.db")).await.expect("a database");
    let keys: Vec<String> = (0..KEYS).map(|n| format!("sk-{n:043}")).collect();
    fill(&database, &keys).await;
    let callers = Callers::new(database).await.expect("callers");
    let routes: Vec<String> = (0..30).map(|n| format!("model-{n}")).collect();
    let routes = RouteTable::new(routes.iter().map(String::as_str), Vec::new(), CatchAll::default());
    let groups = AccessGroups::from([("production".to_string(), vec!["model-1*".to_string()])]);
    let names = Names { routes: &routes, groups: &groups };
    for key in &keys {
        assert!(whole(&callers, key, names).await, "every key may call");
    }
    let mut took: Vec<[Duration; 3]> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for key in &keys {
            black_box(VirtualKey::hash_of(black_box(key)));
        }
        let hashed = began.elapsed();
        let began = Instant::now();
        for key in &keys {
            black_box(callers.find(&VirtualKey::hash_of(black_box(key))).await.expect("an answer"));
        }
        let found = began.elapsed();
        let began = Instant::now();
        for key in &keys {
            black_box(whole(&callers, black_box(key), names).await);
        }
        took.push([hashed, found, began.elapsed()]);
    }
    for (index, what) in ["the hash", "with the caller in memory", "with path and model"].iter().enumerate() {
        let mut rounds: Vec<Duration> = took.iter().map(|took| took[index]).collect();
        rounds.sort_unstable();
        let nanos = |duration: Duration| duration.as_nanos() / KEYS as u128;
        let (median, slow) = (nanos(rounds[ROUNDS / 2]), nanos(rounds[ROUNDS * 99 / 100]));
        println!("{what:28} {median:6} ns at the median, {slow:6} ns in 1 of 100 rounds of {KEYS}");
    }
}

async fn whole(callers: &Callers, key: &str, names: Names<'_>) -> bool {
    let Ok(Some(chain)) = callers.find(&VirtualKey::hash_of(key)).await else { return false };
    let caller = authorise::Caller { role: chain.role(), scopes: &chain.scopes, address: None };
    may_call(&caller, PATH, None, names, NOW_MS).is_ok() && may_call(&caller, PATH, Some(MODEL), names, NOW_MS).is_ok()
}

async fn fill(database: &Database, keys: &[String]) {
    let mut write = database.write(&Author::default(), NOW_MS).await.expect("a write");
    let models =
        |names: &[&str]| Grants { models: names.iter().map(|name| name.to_string()).collect(), ..Grants::default() };
    let organisation = Organisation { id: "acme".into(), ..Organisation::default() };
    write.create(organisation).await.expect("an organisation");
    let team = Team {
        id: "core".into(),
        organisation_id: Some("acme".into()),
        grants: models(&["production"]),
        ..Team::default()
    };
    write.create(team).await.expect("a team");
    write.create(User { id: "ada".into(), ..User::default() }).await.expect("a user");
    for key in keys {
        let (team_id, user_id) = (Some("core".to_string()), Some("ada".to_string()));
        let grants = models(&["all-team-models"]);
        let key = VirtualKey { hash: VirtualKey::hash_of(key), team_id, user_id, grants, ..VirtualKey::default() };
        write.create(key).await.expect("a key");
    }
    write.commit().await.expect("a commit");
}
