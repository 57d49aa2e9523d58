//! `GET /spend/logs/export`: the rows of `/spend/logs` as a file, all of them.

use tollgate_store::usage::{Export, Format, RowQuestion};

use super::{Range, date, ended, filter};
use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::routes::Output;

/// A file whose first piece is made: so what cannot be read at all is an error still, and no file.
pub struct File {
    pub name: String,
    pub kind: &'static str,
    pub first: Vec<u8>,
    pub rest: Export,
}

/// `format` is `csv`, `jsonl` or `parquet`; the latest row comes first.
pub async fn export(desk: &Desk, asked: Asked) -> Result<Output, ApiError> {
    let query = &asked.query;
    let (format, ending) = match query.text("format") {
        None | Some("csv") => (Format::Csv, "csv"),
        Some("jsonl") => (Format::JsonLines, "jsonl"),
        Some("parquet") => (Format::Parquet, "parquet"),
        Some(_) => return Err(ApiError::invalid("format", "must be csv, jsonl or parquet")),
    };
    let mut filter = filter(desk, query).await?;
    filter.status = ended(query)?;
    let Range { from_ms, to_ms } = Range::of(query, desk)?;
    let (first_day, last_day) = (date(&from_ms.to_string(), &desk.zone), date(&(to_ms - 1).to_string(), &desk.zone));
    let question = RowQuestion { from_ms, to_ms, filter, ..RowQuestion::default() };
    let mut rest = Export::new(desk.database.clone(), question, format)?;
    let first = rest.next().await?.unwrap_or_default();
    let name = format!("usage-{first_day}-{last_day}.{ending}");
    Ok(Output::File(Box::new(File { name, kind: format.content_type(), first, rest })))
}
