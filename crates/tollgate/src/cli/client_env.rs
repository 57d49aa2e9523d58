//! What a coding agent must be told to speak to the gateway, and what must not be there.

use super::{CliError, Client, Shell};

/// The environment of a client: variables to set and variables to remove.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientEnv {
    pub program: &'static str,
    pub install: &'static str,
    pub set: Vec<(&'static str, String)>,
    pub unset: &'static [&'static str],
}

/// Where the gateway is and as what the client shall use it.
pub struct Access<'a> {
    pub base_url: &'a str,
    pub key: &'a str,
    /// `None`: the client asks for its own names, for which the gateway has routes or a `catch_all`.
    pub model: Option<&'a str>,
    /// Tokens that the model can take, where known.
    pub context_window: Option<u64>,
}

/// An error for clients that this version cannot start.
pub fn served(client: Client) -> Result<(), CliError> {
    match client {
        Client::Claude => Ok(()),
        Client::Codex | Client::Opencode | Client::Gemini => Err(CliError::usage(format!(
            "{} is not served by this version; `claude` is",
            format!("{client:?}").to_lowercase()
        ))),
    }
}

pub fn client_env(client: Client, access: &Access<'_>) -> Result<ClientEnv, CliError> {
    served(client).map(|()| claude(access))
}

const CLAUDE_MODELS: [&str; 5] = [
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
];

/// Claude Code 2.1: variables as in its documentation (code.claude.com/docs/en/env-vars, 2026-11). The small, subagent and tier
/// models are all set, so that no background call asks for a `claude-*` name that is not configured.
fn claude(access: &Access<'_>) -> ClientEnv {
    let mut set = vec![
        ("ANTHROPIC_BASE_URL", access.base_url.to_string()),
        ("ANTHROPIC_AUTH_TOKEN", access.key.to_string()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".into()),
        ("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "1".into()),
    ];
    if let Some(model) = access.model {
        set.extend(CLAUDE_MODELS.map(|name| (name, model.to_string())));
    }
    // It takes an unknown model to have a window of a million tokens and would compact too late.
    if let Some(window) = access.context_window {
        set.push(("CLAUDE_CODE_MAX_CONTEXT_TOKENS", window.to_string()));
    }
    ClientEnv {
        program: "claude",
        install: "npm install -g @anthropic-ai/claude-code",
        set,
        unset: &[
            "ANTHROPIC_API_KEY",
            "ANTHROPIC_SMALL_FAST_MODEL",
            "ANTHROPIC_BEDROCK_BASE_URL",
            "ANTHROPIC_VERTEX_BASE_URL",
            "ANTHROPIC_FOUNDRY_BASE_URL",
            "ANTHROPIC_AWS_BASE_URL",
            "ANTHROPIC_UNIX_SOCKET",
            "AWS_BEARER_TOKEN_BEDROCK",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_VERTEX",
            "CLAUDE_CODE_USE_FOUNDRY",
            "CLAUDE_CODE_USE_ANTHROPIC_AWS",
        ],
    }
}

impl ClientEnv {
    /// Lines for a shell to evaluate.
    pub fn script(&self, shell: Shell) -> String {
        let mut lines = String::new();
        for name in self.unset {
            lines.push_str(&match shell {
                Shell::Bash => format!("unset {name}\n"),
                Shell::Fish => format!("set -e {name}\n"),
                Shell::Powershell => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue\n"),
            });
        }
        for (name, value) in &self.set {
            lines.push_str(&match shell {
                Shell::Bash => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
                Shell::Fish => format!("set -gx {name} '{}'\n", value.replace('\\', r"\\").replace('\'', r"\'")),
                Shell::Powershell => format!("$env:{name} = '{}'\n", value.replace('\'', "''")),
            });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access<'static> {
        Access {
            base_url: "http://127.0.0.1:4000",
            key: "sk-it's",
            model: Some("kimi-k2.5"),
            context_window: Some(262_144),
        }
    }

    #[test]
    fn s37_claude_gets_every_model_variable_and_no_conflicting_credential() {
        let env = client_env(Client::Claude, &access()).unwrap();
        for name in [
            "ANTHROPIC_MODEL",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL",
            "ANTHROPIC_DEFAULT_SONNET_MODEL",
            "ANTHROPIC_DEFAULT_OPUS_MODEL",
            "CLAUDE_CODE_SUBAGENT_MODEL",
        ] {
            assert!(env.set.contains(&(name, "kimi-k2.5".to_string())), "{name}");
        }
        assert!(env.set.contains(&("CLAUDE_CODE_MAX_CONTEXT_TOKENS", "262144".to_string())));
        assert!(env.unset.contains(&"ANTHROPIC_API_KEY"));
        assert!(env.set.iter().all(|(name, _)| !env.unset.contains(name)));
    }

    #[test]
    fn values_are_quoted_for_each_shell() {
        let env = client_env(Client::Claude, &access()).unwrap();
        assert!(env.script(Shell::Bash).contains(r"export ANTHROPIC_AUTH_TOKEN='sk-it'\''s'"));
        assert!(env.script(Shell::Fish).contains(r"set -gx ANTHROPIC_AUTH_TOKEN 'sk-it\'s'"));
        assert!(env.script(Shell::Powershell).contains("$env:ANTHROPIC_AUTH_TOKEN = 'sk-it''s'"));
        assert!(env.script(Shell::Bash).contains("unset ANTHROPIC_API_KEY\n"));
    }
}
