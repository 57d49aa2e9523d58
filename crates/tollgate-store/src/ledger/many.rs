//! Statements that write many rows at once, each made once.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

use crate::database::Kind;

/// The numbers of rows for which there are statements: few, so that the database knows them by heart.
const SIZES: [usize; 4] = [128, 32, 8, 1];

/// One statement, for each of some numbers of rows.
pub struct Many {
    texts: [Arc<str>; SIZES.len()],
}

impl Many {
    /// `text`: the statement around the places for its values, `(…), (…)`.
    pub fn new(kind: Kind, columns: usize, text: impl Fn(&str) -> String) -> Many {
        Many { texts: SIZES.map(|rows| text(&places(kind, rows, columns)).into()) }
    }

    /// Statements that together write the rows, each with those that it writes.
    pub fn parts<'r, T>(&self, mut rows: &'r [T]) -> impl Iterator<Item = (AssertSqlSafe<Arc<str>>, &'r [T])> {
        std::iter::from_fn(move || {
            let at = SIZES.iter().position(|size| *size <= rows.len())?;
            let (part, rest) = rows.split_at(SIZES[at]);
            rows = rest;
            Some((AssertSqlSafe(self.texts[at].clone()), part))
        })
    }
}

/// SQLite looks through the names of all places for each value that it is given; those without a name it counts.
fn places(kind: Kind, rows: usize, columns: usize) -> String {
    let place = |at: usize| match kind {
        Kind::Sqlite => "?".to_string(),
        Kind::Postgres => format!("${at}"),
    };
    let row = |row: usize| {
        let places: Vec<String> = (1..=columns).map(|column| place(row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_written_by_one_statement_that_has_places_for_it() {
        let rows: Vec<usize> = (0..300).collect();
        for (kind, pair) in [(Kind::Sqlite, "(?, ?)"), (Kind::Postgres, "($1, $2)")] {
            let many = Many::new(kind, 2, |places| format!("INSERT {places};"));
            let parts: Vec<(String, &[usize])> =
                many.parts(&rows).map(|(text, rows)| (text.0.to_string(), rows)).collect();
            assert_eq!(parts.iter().flat_map(|(_, rows)| rows.iter().copied()).collect::<Vec<_>>(), rows);
            assert_eq!(parts.iter().map(|(_, rows)| rows.len()).collect::<Vec<_>>(), [128, 128, 32, 8, 1, 1, 1, 1]);
            for (text, rows) in &parts {
                assert_eq!(text.matches('(').count(), rows.len(), "{text}");
            }
            assert_eq!(parts[7].0, format!("INSERT {pair};"));
        }
        assert_eq!(places(Kind::Postgres, 2, 2), "($1, $2), ($3, $4)");
    }
}
