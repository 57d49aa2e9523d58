//! What a request itself says about routing, in LiteLLM's words.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use tollgate_dialect::json::{Writer, members};

static NUM_RETRIES: HeaderName = HeaderName::from_static("x-litellm-num-retries");
static TAGS: HeaderName = HeaderName::from_static("x-litellm-tags");
static PRIORITY: HeaderName = HeaderName::from_static("x-tollgate-priority");
static DISABLE_FALLBACKS: HeaderName = HeaderName::from_static("x-litellm-disable-fallbacks");

/// Everything here is the caller's wish for this request alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Routes to ask after this one, in place of the configured ones.
    pub fallbacks: Option<Vec<String>>,
    pub disable_fallbacks: bool,
    pub num_retries: Option<u32>,
    pub tags: Vec<String>,
    /// Among the caller's own requests that wait; lower goes first.
    pub priority: i64,
    /// Nobody waits for the answer: interactive requests go first.
    pub batch: bool,
}

impl Wishes {
    /// Takes a top-level member of the body; true if it is for us alone and must not go up.
    pub fn read_member(&mut self, name: &str, value: &str) -> bool {
        match name {
            "fallbacks" => {
                // Anthropic has a parameter of that name: a list of objects.
                let Some(names) = texts(value) else { return false };
                self.fallbacks = Some(names);
                true
            }
            "disable_fallbacks" => {
                self.disable_fallbacks = value == "true";
                true
            }
            "num_retries" => {
                self.num_retries = value.parse().ok();
                true
            }
            // LiteLLM's `priority`. Providers that have a parameter of this name get it by `extra_body`.
            "priority" => match value.parse() {
                Ok(priority) => {
                    self.priority = priority;
                    true
                }
                Err(_) => false,
            },
            // OpenAI's word for a request that may wait; it is the provider's as well.
            "service_tier" => {
                self.batch = value == "\"flex\"";
                false
            }
            "tags" => match texts(value) {
                Some(tags) => {
                    self.tags = tags;
                    true
                }
                None => false,
            },
            // LiteLLM's clients put their tags there; the rest of it is the provider's.
            "metadata" => match metadata_tags(value) {
                Some(tags) => {
                    self.tags = tags;
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    pub fn read_headers(&mut self, headers: &HeaderMap) {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        if let Some(retries) = text(&NUM_RETRIES).and_then(|text| text.parse().ok()) {
            self.num_retries = Some(retries);
        }
        if let Some(tags) = text(&TAGS) {
            self.tags = tags.split(',').map(|tag| tag.trim().to_string()).filter(|tag| !tag.is_empty()).collect();
        }
        match text(&PRIORITY) {
            Some("batch") => self.batch = true,
            Some("interactive") => self.batch = false,
            _ => {}
        }
        if text(&DISABLE_FALLBACKS) == Some("true") {
            self.disable_fallbacks = true;
        }
    }
}

fn metadata_tags(metadata: &str) -> Option<Vec<String>> {
    let members = members(metadata).ok()?;
    members.iter().find(|(name, _)| *name == "tags").and_then(|(_, value)| texts(value))
}

/// A list of texts.
fn texts(value: &str) -> Option<Vec<String>> {
    serde_json::from_str(value).ok()
}

/// The body without the members that are for us alone.
pub fn without_ours(body: &Bytes) -> Bytes {
    let Some(members) = std::str::from_utf8(body).ok().and_then(|text| members(text).ok()) else { return body.clone() };
    let mut w = Writer::with_capacity(body.len());
    w.open_object();
    for (name, value) in members {
        match (Wishes::default().read_member(name, value), name) {
            (false, _) => {
                w.key(name).raw(value);
            }
            (true, "metadata") => rest_of_metadata(value, &mut w),
            (true, _) => {}
        }
    }
    w.close_object();
    w.out.into()
}

fn rest_of_metadata(metadata: &str, w: &mut Writer) {
    let members = members(metadata).unwrap_or_default();
    if members.iter().all(|(name, _)| *name == "tags") {
        return;
    }
    w.key("metadata").open_object();
    for (name, value) in members.into_iter().filter(|(name, _)| *name != "tags") {
        w.key(name).raw(value);
    }
    w.close_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_and_taken_out_of_the_body() {
        let body = r#"{"model":"m","fallbacks":["a","b"],"num_retries":0,"messages":[ {"role":"user"} ],"disable_fallbacks":true,"metadata":{"tags":["t"],"user_id":"u"}}"#;
        let mut wishes = Wishes::default();
        for (name, value) in members(body).unwrap() {
            wishes.read_member(name, value);
        }
        assert_eq!(
            wishes,
            Wishes {
                fallbacks: Some(vec!["a".into(), "b".into()]),
                disable_fallbacks: true,
                num_retries: Some(0),
                tags: vec!["t".into()],
                ..Wishes::default()
            }
        );
        assert_eq!(
            without_ours(&Bytes::from_static(body.as_bytes())),
            r#"{"model":"m","messages":[ {"role":"user"} ],"metadata":{"user_id":"u"}}"#
        );
        let only_tags = Bytes::from_static(br#"{"metadata":{"tags":["t"]},"model":"m"}"#);
        assert_eq!(without_ours(&only_tags), r#"{"model":"m"}"#);
    }

    #[test]
    fn a_request_says_how_urgent_it_is_and_the_providers_part_of_it_stays() {
        let body = Bytes::from_static(br#"{"model":"m","priority":-3,"service_tier":"flex"}"#);
        let mut wishes = Wishes::default();
        for (name, value) in members(std::str::from_utf8(&body).unwrap()).unwrap() {
            wishes.read_member(name, value);
        }
        assert_eq!((wishes.priority, wishes.batch), (-3, true));
        assert_eq!(without_ours(&body), r#"{"model":"m","service_tier":"flex"}"#);
        let header = |word| HeaderMap::from_iter([("x-tollgate-priority".parse().unwrap(), word)]);
        wishes.read_headers(&header(http::HeaderValue::from_static("interactive")));
        assert!(!wishes.batch);
        wishes.read_headers(&header(http::HeaderValue::from_static("batch")));
        assert!(wishes.batch);
        // What is no whole number is not LiteLLM's.
        assert!(!wishes.read_member("priority", r#""high""#));
    }

    #[test]
    fn anthropics_own_fallbacks_stay_where_they_are() {
        let body = Bytes::from_static(br#"{"model":"m","fallbacks":[{"model":"claude-opus-4-8"}]}"#);
        assert_eq!(without_ours(&body), body);
    }
}
