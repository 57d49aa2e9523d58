//! What stands behind the question mark.

use super::error::ApiError;
use crate::http::percent_decode;

#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

/// A page of a list, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    pub page: u32,
    pub size: u32,
}

impl Paging {
    pub fn pages(self, total: u64) -> u64 {
        total.div_ceil(u64::from(self.size))
    }
}

impl Query {
    pub fn new(text: Option<&str>) -> Query {
        let pairs = text.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let decoded = |text: &str| percent_decode(&text.replace('+', " "));
        Query(
            pairs.map(|(name, value)| (decoded(name), decoded(value))).filter(|(_, value)| !value.is_empty()).collect(),
        )
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn needed(&self, name: &str) -> Result<&str, ApiError> {
        self.text(name).ok_or_else(|| ApiError::invalid(name, "is missing in the query"))
    }

    /// A list, as a name that is repeated or with commas.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(key, _)| key == name).flat_map(|(_, value)| value.split(','));
        values.map(|value| value.trim().to_string()).filter(|value| !value.is_empty()).collect()
    }

    pub fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| ["true", "1", "yes"].contains(&value.to_ascii_lowercase().as_str()))
    }

    fn count(&self, name: &str, usual: u32, most: u32) -> Result<u32, ApiError> {
        let Some(text) = self.text(name) else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| ApiError::invalid(name, format!("must be a whole number from 1 to {most}")))
    }

    /// `size`: what the parameter for the size of a page is called here.
    pub fn paging(&self, size: &str, usual: u32, most: u32) -> Result<Paging, ApiError> {
        Ok(Paging { page: self.count("page", 1, 1_000_000)?, size: self.count(size, usual, most)? })
    }

    pub fn descending(&self, usual: bool) -> Result<bool, ApiError> {
        match self.text("sort_order") {
            None => Ok(usual),
            Some("asc") => Ok(false),
            Some("desc") => Ok(true),
            Some(_) => Err(ApiError::invalid("sort_order", "must be asc or desc")),
        }
    }
}
