//! The columns of a file, and Parquet.

use std::borrow::Cow;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::usage::Row;

pub enum Value<'a> {
    Text(Cow<'a, str>),
    Number(i64),
}

type Column = fn(&Row) -> Value<'_>;

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn number(number: u64) -> Value<'static> {
    Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The same names as in JSON.
pub const COLUMNS: [(&str, Column); 24] = [
    ("at_ms", |row| number(row.at_ms)),
    ("charge", |row| text(&row.charge)),
    ("request_id", |row| text(&row.request_id)),
    ("key_hash", |row| text(&row.key_hash)),
    ("team_id", |row| text(&row.team_id)),
    ("user_id", |row| text(&row.user_id)),
    ("organisation_id", |row| text(&row.organisation_id)),
    ("end_user", |row| text(&row.end_user)),
    ("model", |row| text(&row.model)),
    ("deployment", |row| text(&row.deployment)),
    ("provider", |row| text(&row.provider)),
    ("upstream_model", |row| text(&row.upstream_model)),
    ("status", |row| text(&row.status)),
    ("input_tokens", |row| number(row.tokens.input_tokens)),
    ("output_tokens", |row| number(row.tokens.output_tokens)),
    ("cache_read_tokens", |row| number(row.tokens.cache_read_tokens)),
    ("cache_write_tokens", |row| number(row.tokens.cache_write_tokens)),
    ("reasoning_tokens", |row| number(row.tokens.reasoning_tokens)),
    ("cost_nanos", |row| number(row.cost_nanos)),
    ("estimated", |row| number(u64::from(row.estimated))),
    ("duration_ms", |row| number(row.duration_ms)),
    // -1: nothing came.
    ("first_token_ms", |row| row.first_token_ms.map_or(Value::Number(-1), number)),
    ("attempts", |row| number(row.attempts)),
    ("tags", |row| Value::Text(Cow::Owned(row.tags.join(" ")))),
];

/// Rows of one group, which is in memory while it is made: some megabytes.
const GROUP: usize = 4_000;

/// A Parquet file under way. No compression, but texts that come again and again are kept once per group.
pub struct Table {
    rows: Vec<Row>,
    writer: SerializedFileWriter<Vec<u8>>,
}

impl Table {
    pub fn new() -> Result<Table, ParquetError> {
        let column = |(name, value): &(&str, Column)| {
            let (physical, converted) = match value(&Row::default()) {
                Value::Text(_) => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
                Value::Number(_) => (Physical::INT64, ConvertedType::NONE),
            };
            let column = Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
            column.with_converted_type(converted).build().map(Arc::new)
        };
        let columns = COLUMNS.iter().map(column).collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("ledger").with_fields(columns).build()?;
        // An index of pages would be kept in memory to the end of the file.
        let properties = WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
        Ok(Table { rows: Vec::new(), writer })
    }

    pub fn add(&mut self, rows: Vec<Row>) -> Result<(), ParquetError> {
        self.rows.extend(rows);
        if self.rows.len() >= GROUP { self.write_group() } else { Ok(()) }
    }

    pub fn finish(&mut self) -> Result<(), ParquetError> {
        if !self.rows.is_empty() {
            self.write_group()?;
        }
        self.writer.finish().map(drop)
    }

    /// What is written since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.inner_mut())
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.writer.next_row_group()?;
        for (_, value) in COLUMNS {
            let (mut texts, mut numbers) = (Vec::new(), Vec::new());
            for row in &rows {
                match value(row) {
                    Value::Text(text) => texts.push(ByteArray::from(text.as_ref())),
                    Value::Number(number) => numbers.push(number),
                }
            }
            let Some(mut column) = group.next_column()? else { break };
            match numbers.is_empty() {
                true => column.typed::<ByteArrayType>().write_batch(&texts, None, None)?,
                false => column.typed::<Int64Type>().write_batch(&numbers, None, None)?,
            };
            column.close()?;
        }
        group.close().map(drop)
    }
}
