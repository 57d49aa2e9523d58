//! Messages as a cloud hosts them: what stands elsewhere there than with Anthropic itself.
//!
//! Sources: docs.cloud.google.com, "Request predictions with Claude models"; PyPI anthropic 2.11.0, `lib/vertex`; the beta
//! headers that LiteLLM 1.109.1 knows of each cloud (all November 2026).

use serde::{Deserialize, Serialize};

use super::forward::edit::Edits;
use super::wire::{Members, parse};
use crate::json::Writer;

/// Where Messages are hosted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// Anthropic, or whoever has its API as it is.
    #[default]
    Anthropic,
    /// Google's Vertex AI: `rawPredict` and `streamRawPredict`.
    Vertex,
    /// Amazon Bedrock: `InvokeModel` and `InvokeModelWithResponseStream`.
    Bedrock,
    /// Bedrock's Mantle, which has Anthropic's API.
    Mantle,
}

/// What a host has otherwise than Anthropic.
#[derive(Debug)]
pub struct Hosting {
    /// Members that leave the body, because the address says what they say.
    pub outside: &'static [&'static str],
    /// The body's `anthropic_version`; `None`: the version is a header.
    pub version: Option<&'static str>,
    pub betas_go: BetasGo,
    /// What known betas are called here; `None`: they are refused. Unknown ones go on, as with Anthropic.
    pub betas: &'static [(&'static str, Option<&'static str>)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BetasGo {
    /// Into the header `anthropic-beta`, as one line.
    Header,
    /// Into the body's `anthropic_beta`, as a list.
    Body,
}

const ANTHROPIC: Hosting = Hosting { outside: &[], version: None, betas_go: BetasGo::Header, betas: &[] };

const VERTEX: Hosting = Hosting {
    outside: &["model"],
    version: Some("vertex-2023-10-16"),
    betas_go: BetasGo::Header,
    betas: &[
        ("advanced-tool-use-2025-11-20", Some("tool-search-tool-2025-10-19")),
        ("advisor-tool-2026-03-01", None),
        ("code-execution-2025-08-25", None),
        ("effort-2025-11-24", None),
        ("fast-mode-2026-02-01", None),
        ("files-api-2025-04-14", None),
        ("fine-grained-tool-streaming-2025-05-14", None),
        ("mcp-client-2025-04-04", None),
        ("mcp-client-2025-11-20", None),
        ("oauth-2025-04-20", None),
        ("output-128k-2025-02-19", None),
        ("prompt-caching-scope-2026-01-05", None),
        ("skills-2025-10-02", None),
        ("structured-outputs-2025-11-13", None),
        ("token-efficient-tools-2025-02-19", None),
        ("web-fetch-2025-09-10", None),
    ],
};

const BEDROCK: Hosting = Hosting {
    outside: &["model", "stream"],
    version: Some("bedrock-2023-05-31"),
    betas_go: BetasGo::Body,
    betas: &[
        ("advanced-tool-use-2025-11-20", Some("tool-search-tool-2025-10-19")),
        ("advisor-tool-2026-03-01", None),
        ("claude-code-20250219", None),
        ("code-execution-2025-08-25", None),
        ("fast-mode-2026-02-01", None),
        ("files-api-2025-04-14", None),
        ("interleaved-thinking-2025-05-14", None),
        ("mcp-client-2025-04-04", None),
        ("mcp-client-2025-11-20", None),
        ("oauth-2025-04-20", None),
        ("output-128k-2025-02-19", None),
        ("per-turn-control-2026-07-01", None),
        ("prompt-caching-scope-2026-01-05", None),
        ("skills-2025-10-02", None),
        ("structured-outputs-2025-11-13", None),
        // LiteLLM sends it to no cloud, and Claude Code with every request.
        ("thinking-token-count-2026-05-13", None),
        ("token-efficient-tools-2025-02-19", None),
        ("web-fetch-2025-09-10", None),
        ("web-search-2025-03-05", None),
    ],
};

const MANTLE: Hosting = Hosting {
    betas: &[
        ("advisor-tool-2026-03-01", None),
        ("code-execution-2025-08-25", None),
        ("fast-mode-2026-02-01", None),
        ("files-api-2025-04-14", None),
        ("mcp-client-2025-04-04", None),
        ("mcp-client-2025-11-20", None),
        ("oauth-2025-04-20", None),
        ("prompt-caching-scope-2026-01-05", None),
        ("skills-2025-10-02", None),
        ("web-fetch-2025-09-10", None),
    ],
    ..ANTHROPIC
};

impl Host {
    pub fn hosting(self) -> &'static Hosting {
        match self {
            Host::Anthropic => &ANTHROPIC,
            Host::Vertex => &VERTEX,
            Host::Bedrock => &BEDROCK,
            Host::Mantle => &MANTLE,
        }
    }
}

impl Hosting {
    /// What a beta is called here; `None`: it is none.
    pub fn beta<'b>(&self, beta: &'b str) -> Option<&'b str> {
        self.betas.iter().find(|(name, _)| *name == beta).map_or(Some(beta), |(_, here)| *here)
    }

    /// The body as the host wants it, out of one for Anthropic. All but the named members keeps its bytes. A version that the
    /// body has already stays. `betas`: what [`Hosting::beta`] gave; they count where betas go into the body.
    pub fn body(&self, body: Vec<u8>, betas: &[&str]) -> Vec<u8> {
        let betas = if self.betas_go == BetasGo::Body { betas } else { &[] };
        if self.outside.is_empty() && self.version.is_none() && betas.is_empty() {
            return body;
        }
        let Ok(text) = std::str::from_utf8(&body) else { return body };
        let Ok(members) = parse(text, Members::read) else { return body };
        let mut edits = Edits::new(text);
        if let Some(version) = self.version.filter(|_| members.get(VERSION).is_none()) {
            edits.add_member(text.trim(), &format!("\"{VERSION}\":\"{version}\""));
        }
        if !betas.is_empty() {
            edits.add_member(text.trim(), &member(BETAS, betas));
        }
        let goes = |name: &str| self.outside.contains(&name) || (name == BETAS && !betas.is_empty());
        let drop: Vec<bool> = members.0.iter().map(|(name, _)| goes(name.escaped())).collect();
        edits.drop_members(&members, &drop);
        edits.apply()
    }
}

const VERSION: &str = "anthropic_version";
const BETAS: &str = "anthropic_beta";

fn member(name: &str, list: &[&str]) -> String {
    let mut writer = Writer::default();
    writer.open_array();
    for item in list {
        writer.str(item);
    }
    writer.close_array();
    format!("\"{name}\":{}", String::from_utf8_lossy(&writer.out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anthropic_messages::testing::{genuine, seal, target};
    use crate::anthropic_messages::{forward, request};
    use crate::{Target, decode_request};

    const ODD: &str = " {\"max_tokens\" : 5 ,\n\t\"zzz\":{\"b\":1,\"model\":1.50},\"model\"  :  \"mine\", \"stream\":true,\n \"messages\": [ {\"content\":\"\\ud83d\",\"role\":\"user\"} ] } ";

    fn hosted(hosting: &Hosting, body: &str, betas: &[&str]) -> String {
        String::from_utf8(hosting.body(body.as_bytes().to_vec(), betas)).unwrap()
    }

    #[test]
    fn s36_on_vertex_the_model_leaves_the_body_a_version_comes_into_it_and_all_else_keeps_its_bytes() {
        let quirks = genuine();
        let seal = seal();
        let forwarded =
            forward::request(ODD.as_bytes(), &Target { stream: true, ..target(&quirks, &seal) }).unwrap().body;
        let expected = ODD
            .replace("\"model\"  :  \"mine\", ", "")
            .replace(" {\"max_tokens\"", " {\"anthropic_version\":\"vertex-2023-10-16\",\"max_tokens\"");
        assert_eq!(String::from_utf8(VERTEX.body(forwarded, &[])).unwrap(), expected);
        assert_eq!(hosted(&ANTHROPIC, ODD, &["a"]), ODD);
    }

    #[test]
    fn a_body_that_was_encoded_is_hosted_alike() {
        let quirks = genuine();
        let seal = seal();
        let body =
            br#"{"model":"m","stream":true,"max_completion_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
        let decoded = decode_request(crate::Dialect::Chat, body).unwrap();
        let encoded = request::encode(&decoded, &Target { stream: true, ..target(&quirks, &seal) }).unwrap();
        let expected = concat!(
            r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":9,"stream":true,"#,
            r#""messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#
        );
        assert_eq!(String::from_utf8(VERTEX.body(encoded.body, &[])).unwrap(), expected);
    }

    #[test]
    fn a_version_that_the_body_has_stays_and_a_body_of_the_model_alone_is_still_json() {
        let own = r#"{"model":"m","anthropic_version":"2026-10-21"}"#;
        assert_eq!(hosted(&VERTEX, own, &[]), r#"{"anthropic_version":"2026-10-21"}"#);
        assert_eq!(hosted(&VERTEX, r#"{"model":"m"}"#, &[]), r#"{"anthropic_version":"vertex-2023-10-16"}"#);
        assert_eq!(hosted(&VERTEX, "no JSON", &[]), "no JSON");
    }

    #[test]
    fn betas_go_into_the_body_of_a_host_that_has_them_there_and_only_there() {
        let in_body = Hosting { outside: &["model", "stream"], betas_go: BetasGo::Body, ..VERTEX };
        let body = r#"{"model":"m","anthropic_beta":["old"],"stream":false,"max_tokens":1}"#;
        let expected = r#"{"anthropic_version":"vertex-2023-10-16","anthropic_beta":["a","b"],"max_tokens":1}"#;
        assert_eq!(hosted(&in_body, body, &["a", "b"]), expected);
        assert_eq!(hosted(&VERTEX, r#"{"max_tokens":1,"model":"m"}"#, &["a"]).matches("anthropic_beta").count(), 0);
    }

    /// Bedrock refuses one beta that it does not know with all others, and does not say which.
    #[test]
    fn bedrock_gets_of_claude_codes_betas_those_that_it_knows() {
        let sent = [
            "claude-code-20250219",
            "interleaved-thinking-2025-05-14",
            "context-management-2025-06-27",
            "mid-conversation-tool-changes-2026-07-01",
            "thinking-token-count-2026-05-13",
            "advanced-tool-use-2025-11-20",
            "effort-2025-11-24",
            "thinking-display-updates-2026-08-18",
            "per-turn-control-2026-07-01",
        ];
        let expected = [
            "context-management-2025-06-27",
            "mid-conversation-tool-changes-2026-07-01",
            "tool-search-tool-2025-10-19",
            "effort-2025-11-24",
            "thinking-display-updates-2026-08-18",
        ];
        assert_eq!(sent.into_iter().filter_map(|beta| BEDROCK.beta(beta)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn vertex_has_another_name_for_one_beta_none_for_others_and_takes_what_is_unknown() {
        assert_eq!(VERTEX.beta("advanced-tool-use-2025-11-20"), Some("tool-search-tool-2025-10-19"));
        assert_eq!(VERTEX.beta("prompt-caching-scope-2026-01-05"), None);
        assert_eq!(VERTEX.beta("context-1m-2025-08-07"), Some("context-1m-2025-08-07"));
        assert_eq!(VERTEX.beta("new-2027-01-01"), Some("new-2027-01-01"));
        assert_eq!(ANTHROPIC.beta("prompt-caching-scope-2026-01-05"), Some("prompt-caching-scope-2026-01-05"));
    }
}
