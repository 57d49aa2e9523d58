//! The fields of a request, taken one by one. What nobody takes is kept as it came.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tollgate_policy::window::Window;
use tollgate_store::entity::Extra;

use super::error::ApiError;
use super::{money, time};

#[cfg(test)]
mod tests;

/// What a request says of a field: nothing, that there shall be none, or a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Field<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Field<T> {
    /// Absent keeps what is there, null clears it.
    pub fn set(self, target: &mut Option<T>) {
        match self {
            Field::Absent => {}
            Field::Null => *target = None,
            Field::Value(value) => *target = Some(value),
        }
    }

    /// The same where none is an empty or a usual value.
    pub fn put(self, target: &mut T)
    where
        T: Default,
    {
        match self {
            Field::Absent => {}
            Field::Null => *target = T::default(),
            Field::Value(value) => *target = value,
        }
    }

    pub fn value(self) -> Option<T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Null => None,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    pub fn try_map<U, E>(self, map: impl FnOnce(T) -> Result<U, E>) -> Result<Field<U>, E> {
        Ok(match self {
            Field::Absent => Field::Absent,
            Field::Null => Field::Null,
            Field::Value(value) => Field::Value(map(value)?),
        })
    }
}

/// The object of a request, less what was taken.
#[derive(Clone, Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    pub fn new(fields: Map<String, Value>) -> Fields {
        Fields(fields)
    }

    /// The body of a request; no body is an empty object.
    pub fn parse(body: &[u8]) -> Result<Fields, ApiError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Fields::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(ApiError::body("the request body must be a JSON object")),
            Err(error) => Err(ApiError::body(format!("the request body is not valid JSON: {error}"))),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_string(), value);
    }

    pub fn json(&mut self, name: &str) -> Field<Value> {
        match self.0.shift_remove(name) {
            None => Field::Absent,
            Some(Value::Null) => Field::Null,
            Some(value) => Field::Value(value),
        }
    }

    /// A text; an empty one counts as none, as pages send it for a field that was left empty.
    pub fn text(&mut self, name: &str) -> Result<Field<String>, ApiError> {
        match self.json(name) {
            Field::Value(Value::String(text)) if text.trim().is_empty() => Ok(Field::Null),
            Field::Value(Value::String(text)) => Ok(Field::Value(text)),
            Field::Value(_) => Err(ApiError::invalid(name, "must be a text, or null for none")),
            Field::Absent => Ok(Field::Absent),
            Field::Null => Ok(Field::Null),
        }
    }

    /// A text without which the request means nothing.
    pub fn needed(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)?.value().ok_or_else(|| ApiError::invalid(name, "is missing"))
    }

    pub fn flag(&mut self, name: &str) -> Result<Field<bool>, ApiError> {
        self.json(name).try_map(|value| value.as_bool().ok_or_else(|| ApiError::invalid(name, "must be true or false")))
    }

    /// A whole number of 0 or more.
    pub fn count(&mut self, name: &str) -> Result<Field<u64>, ApiError> {
        self.json(name).try_map(|value| count(&value).ok_or_else(|| ApiError::invalid(name, COUNT)))
    }

    /// Dollars as nano-dollars.
    pub fn nanos(&mut self, name: &str) -> Result<Field<u64>, ApiError> {
        self.json(name).try_map(|value| money::nanos(&value).ok_or_else(|| ApiError::invalid(name, money::ALLOWED)))
    }

    /// A duration after which a budget begins anew.
    pub fn window(&mut self, name: &str) -> Result<Field<(Window, String)>, ApiError> {
        self.text(name)?.try_map(|text| Ok((time::window(&text).ok_or_else(|| not_a_duration(name))?, text)))
    }

    /// Milliseconds since 1970 of a time in ISO 8601.
    pub fn moment(&mut self, name: &str) -> Result<Field<u64>, ApiError> {
        let wrong = || ApiError::invalid(name, "must be a time such as 2026-12-31T23:59:59Z");
        self.text(name)?.try_map(|text| time::parse(&text).ok_or_else(wrong))
    }

    /// When something ends that lasts so long from now on; null and `-1`: never.
    pub fn expiry(&mut self, name: &str, now_ms: u64) -> Result<Field<u64>, ApiError> {
        match self.text(name)? {
            Field::Value(text) if text == "-1" => Ok(Field::Null),
            field => field.try_map(|text| time::after(&text, now_ms).ok_or_else(|| not_a_duration(name))),
        }
    }

    pub fn texts(&mut self, name: &str) -> Result<Field<Vec<String>>, ApiError> {
        self.json(name).try_map(|value| texts(&value).ok_or_else(|| ApiError::invalid(name, "must be a list of texts")))
    }

    pub fn object(&mut self, name: &str) -> Result<Field<Map<String, Value>>, ApiError> {
        self.json(name).try_map(|value| match value {
            Value::Object(fields) => Ok(fields),
            _ => Err(ApiError::invalid(name, "must be an object")),
        })
    }

    pub fn names(&mut self, name: &str) -> Result<Field<BTreeMap<String, String>>, ApiError> {
        let wrong = || ApiError::invalid(name, "must be an object of texts");
        self.object(name)?.try_map(|fields| {
            let named = fields.into_iter().map(|(name, target)| Some((name, target.as_str()?.to_string())));
            named.collect::<Option<_>>().ok_or_else(wrong)
        })
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Field<T>, ApiError> {
        self.text(name)?.try_map(|text| {
            let found = choices.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                ApiError::invalid(name, format!("must be one of {}", words.join(", ")))
            })
        })
    }

    /// The rest is kept beside what the gateway reads; null takes a field away.
    pub fn keep_rest(self, extra: &mut Extra) {
        for (name, value) in self.0 {
            if value.is_null() {
                extra.shift_remove(&name);
            } else {
                extra.insert(name, value);
            }
        }
    }

    /// As it was sent, for answers that echo it.
    pub fn peek(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or(Value::Null)
    }
}

const COUNT: &str = "must be a whole number of 0 or more, or null for no limit";

/// Clients write whole numbers as 5.0 and as texts, too.
pub fn count(value: &Value) -> Option<u64> {
    let whole =
        |number: f64| (number >= 0.0 && number.fract() == 0.0 && number < 2f64.powi(53)).then_some(number as u64);
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| Some(item.as_str()?.to_string())).collect()
}

fn not_a_duration(name: &str) -> ApiError {
    ApiError::invalid(name, "must be a duration such as 30s, 30m, 24h, 7d or 1mo, or null for none")
}
