//! A statement that is put together, with its values beside it.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe};

#[derive(Default)]
pub struct Statement {
    text: String,
    values: Vec<Value>,
}

enum Value {
    Number(i64),
    Text(String),
}

impl Statement {
    pub fn new(text: &str) -> Statement {
        Statement { text: text.to_string(), values: Vec::new() }
    }

    /// Text of ours, never a caller's.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub fn number(&mut self, value: i64) {
        self.value(Value::Number(value));
    }

    pub fn text(&mut self, value: &str) {
        self.value(Value::Text(value.to_string()));
    }

    fn value(&mut self, value: Value) {
        let cast = match value {
            Value::Number(_) => "BIGINT",
            Value::Text(_) => "TEXT",
        };
        self.values.push(value);
        // PostgreSQL wants to know what it is also where nothing says so.
        self.text.push_str(&format!("CAST(${} AS {cast})", self.values.len()));
    }

    pub async fn rows(self, pool: &AnyPool) -> Result<Vec<AnyRow>, sqlx::Error> {
        let query: Query<'_, Any, AnyArguments> = sqlx::query(AssertSqlSafe(self.text));
        let bind = |query: Query<'static, Any, AnyArguments>, value| match value {
            Value::Number(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
        };
        self.values.into_iter().fold(query, bind).fetch_all(pool).await
    }
}
