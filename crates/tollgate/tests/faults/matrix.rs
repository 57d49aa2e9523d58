//! Plays the table: for each fault one gateway, and in it for each cell a route of its own, so that no rest of one cell is
//! felt in another.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use crate::cell::{ARRANGEMENTS, Arrangement, Cell};
use crate::script::endings;
use crate::support::fleet::Fleet;
use crate::support::isolated;
use crate::support::stage::{BOTH, Upstream};
use crate::table::{Fault, Row, rows};

fn cells(row: &Row) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut first = 0;
    for &form in row.forms {
        for &ending in endings(row.fault, form) {
            for upstream in [Upstream::Chat, Upstream::Messages] {
                for client in BOTH {
                    for arrangement in ARRANGEMENTS {
                        let cell = Cell { client, upstream, form, arrangement, ending, first };
                        let alone = matches!(arrangement, Arrangement::Alone | Arrangement::Retry);
                        first += if alone { 1 } else { 2 };
                        cells.push(cell);
                    }
                }
            }
        }
    }
    cells
}

async fn play(row: Row) {
    let cells = cells(&row);
    let ships = cells.iter().flat_map(|cell| cell.ships(row.fault)).collect();
    let fallbacks: Vec<_> = cells.iter().filter_map(Cell::fallbacks).collect();
    let fleet = Fleet::start(ships, json!({"router_settings": {"fallbacks": fallbacks}})).await;
    let asked = cells.iter().map(|cell| async { fleet.ask(cell.client, &cell.body()).await });
    let answers = futures_util::future::join_all(asked).await;
    let counts = fleet.counts();
    for (n, (cell, answer)) in cells.iter().zip(&answers).enumerate() {
        let end = cells.get(n + 1).map_or(counts.len(), |next| next.first);
        let checked = catch_unwind(AssertUnwindSafe(|| cell.check(&row, answer, &counts[cell.first..end])));
        assert!(checked.is_ok(), "{}, {cell:?}:\n{} {:?}\n{}", row.name, answer.status, answer.headers, answer.text());
    }
}

fn plays(fault: Fault) {
    isolated(move || async move {
        for row in rows().into_iter().filter(|row| row.fault == fault) {
            play(row).await;
        }
    });
}

macro_rules! matrix {
    ($($name:ident: $fault:expr;)*) => {
        $(
            #[test]
            fn $name() {
                plays($fault);
            }
        )*

        #[test]
        fn every_row_of_the_table_is_played() {
            let played = [$($fault),*];
            for row in rows() {
                assert!(played.contains(&row.fault), "{}", row.name);
            }
        }
    };
}

matrix! {
    a_refused_connection_ends_as_the_table_says: Fault::Refused;
    a_reset_before_the_headers_ends_as_the_table_says: Fault::ResetBeforeHeaders;
    a_401_ends_as_the_table_says: Fault::Status(401);
    a_403_ends_as_the_table_says: Fault::Status(403);
    a_404_ends_as_the_table_says: Fault::Status(404);
    a_408_ends_as_the_table_says: Fault::Status(408);
    a_429_ends_as_the_table_says: Fault::Status(429);
    a_429_with_a_time_ends_as_the_table_says: Fault::RateLimitWithWait;
    a_500_ends_as_the_table_says: Fault::Status(500);
    a_web_page_ends_as_the_table_says: Fault::HtmlPage;
    a_503_ends_as_the_table_says: Fault::Status(503);
    a_529_ends_as_the_table_says: Fault::Status(529);
    a_silence_before_the_first_byte_ends_as_the_table_says: Fault::SilentBeforeHeaders;
    a_silence_in_the_middle_ends_as_the_table_says: Fault::SilentInTheMiddle;
    a_cut_before_anything_ends_as_the_table_says: Fault::CutBeforeAnything;
    a_cut_before_content_ends_as_the_table_says: Fault::CutBeforeContent;
    a_cut_after_text_ends_as_the_table_says: Fault::CutAfterText;
    a_cut_in_a_tool_call_ends_as_the_table_says: Fault::CutInToolCall;
    a_cut_in_thinking_ends_as_the_table_says: Fault::CutInThinking;
    an_error_before_content_ends_as_the_table_says: Fault::ErrorBeforeContent;
    an_error_after_content_ends_as_the_table_says: Fault::ErrorAfterContent;
    nothing_in_a_200_ends_as_the_table_says: Fault::Empty;
    garbage_in_a_200_ends_as_the_table_says: Fault::Garbage;
}
