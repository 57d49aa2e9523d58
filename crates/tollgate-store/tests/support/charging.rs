//! A gateway that charges until it is killed: `charging DATABASE JOURNAL`, for the tests of what a crash leaves. It says what it has
//! done, a line each.

use tollgate_policy::access::ScopeKind;
use tollgate_policy::budget::{Estimate, Pot};
use tollgate_policy::window::Window;
use tollgate_store::database::Database;
use tollgate_store::ledger::{Charge, Payer};
use tollgate_store::meter::{Asking, Meter, Settings};

/// Of every so many requests one is still under way when the process dies.
const UNENDED: usize = 10;
const HELD: u64 = 1000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (place, journal) = arguments.next().zip(arguments.next()).ok_or("charging DATABASE JOURNAL")?;
    let database = match place.starts_with("postgres:") {
        true => Database::postgres(&place).await?,
        false => Database::sqlite(place.as_ref()).await?,
    };
    let meter = Meter::open(database, Settings::new(journal.into()))?;
    let pots = [Pot {
        kind: ScopeKind::Key,
        id: "k".into(),
        model: "".into(),
        window: Window::Total,
        max_nanos: Some(1_000_000_000),
        increase: None,
        soft_nanos: None,
    }];
    let mut unended = Vec::new();
    for number in 0.. {
        let asking = Asking {
            request_id: format!("req_{number}"),
            payer: Payer { key_hash: "k".into(), ..Payer::default() },
            model: "gpt-x".to_string(),
            tags: Vec::new(),
            pots: &pots,
            estimate: Estimate::flat(HELD),
        };
        let reservation = meter.reserve(asking, 1_795_694_400_000 + number as u64).await?;
        if number % UNENDED == 0 {
            unended.push(reservation);
            println!("held");
        } else {
            reservation.settle(Charge { cost_nanos: 1, ..Charge::default() });
            println!("settled");
        }
    }
    Ok(())
}
