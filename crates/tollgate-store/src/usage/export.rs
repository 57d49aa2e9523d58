//! Rows of the ledger as a file: CSV, JSON Lines or Parquet. It is made a page at a time and is never whole in memory.

mod csv;
mod table;

use super::UsageError;
use super::rows::{MOST, Row, RowQuestion, page};
use crate::database::Database;
use table::Table;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    JsonLines,
    Parquet,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::JsonLines => "application/x-ndjson",
            // <https://www.iana.org/assignments/media-types/application/vnd.apache.parquet>
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Pieces of a file, one after the other.
pub struct Export {
    database: Database,
    question: RowQuestion,
    writer: Writer,
    done: bool,
}

enum Writer {
    Csv { begun: bool },
    JsonLines,
    Parquet(Box<Table>),
}

impl Export {
    /// `after` and `most` of the question do not matter.
    pub fn new(database: Database, question: RowQuestion, format: Format) -> Result<Export, UsageError> {
        let question = RowQuestion { after: None, most: MOST, ..question };
        let writer = match format {
            Format::Csv => Writer::Csv { begun: false },
            Format::JsonLines => Writer::JsonLines,
            Format::Parquet => Writer::Parquet(Box::new(Table::new()?)),
        };
        Ok(Export { database, question, writer, done: false })
    }

    /// The next piece, which may be empty. `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, UsageError> {
        if self.done {
            return Ok(None);
        }
        let page = page(&self.database, &self.question).await?;
        self.done = page.next.is_none();
        self.question.after = page.next;
        self.write(page.rows).map(Some)
    }

    fn write(&mut self, rows: Vec<Row>) -> Result<Vec<u8>, UsageError> {
        let mut piece = Vec::new();
        match &mut self.writer {
            Writer::Csv { begun } => {
                if !std::mem::replace(begun, true) {
                    csv::head(&mut piece);
                }
                rows.iter().for_each(|row| csv::row(row, &mut piece));
            }
            Writer::JsonLines => {
                for row in &rows {
                    serde_json::to_writer(&mut piece, row)?;
                    piece.push(b'\n');
                }
            }
            Writer::Parquet(table) => {
                table.add(rows)?;
                if self.done {
                    table.finish()?;
                }
                piece = table.take();
            }
        }
        Ok(piece)
    }
}
