//! One deviation of a vendor, in the vendor's own words: requests are refused until they obey.

use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

use crate::refusal::Refusal;

type Refuses = dyn Fn(&Value, &HeaderMap) -> bool + Send + Sync;

/// Refuses what `refuses` holds for, before all other checks.
#[derive(Clone)]
pub struct Rule {
    status: u16,
    words: String,
    refuses: Arc<Refuses>,
}

impl Rule {
    /// `refuses` sees the body and the headers of each call of the model.
    pub fn new(status: u16, words: &str, refuses: impl Fn(&Value, &HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        Self { status, words: words.to_owned(), refuses: Arc::new(refuses) }
    }

    /// The refusal, in the shape that `refusal` gives the words.
    pub(crate) fn check(
        &self,
        body: &Value,
        headers: &HeaderMap,
        refusal: impl Fn(u16, &str) -> Refusal,
    ) -> Result<(), Refusal> {
        if (self.refuses)(body, headers) { Err(refusal(self.status, &self.words)) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("status", &self.status).field("words", &self.words).finish_non_exhaustive()
    }
}
