//! What a coding agent must be told to speak to the gateway, and what must not be there.

use std::path::Path;

use super::{Client, Shell};

/// The environment of a client: variables to set and variables to remove.
#[derive(Debug, PartialEq, Eq)]
pub struct ClientEnv {
    pub program: &'static str,
    pub install: &'static str,
    pub set: Vec<(&'static str, String)>,
    pub unset: &'static [&'static str],
    /// What no variable can say: arguments that go before the user's own.
    pub args: Vec<String>,
    /// What only a file can say.
    pub settings: Option<Settings>,
}

/// Settings in a folder of the client's own, to which a variable points. There is nothing secret in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub variable: &'static str,
    pub folder: &'static str,
    /// Within the folder.
    pub file: &'static str,
    pub content: &'static str,
}

impl ClientEnv {
    /// Points to the settings where there are some, and writes them the first time: after that they are the user's.
    pub fn place(&mut self, dir: &Path) -> std::io::Result<()> {
        let Some(Settings { variable, folder, file, content }) = self.settings else { return Ok(()) };
        let folder = dir.join(folder);
        let file = folder.join(file);
        if !file.exists() {
            std::fs::create_dir_all(file.parent().unwrap_or(dir))?;
            std::fs::write(&file, content)?;
        }
        self.set.push((variable, folder.display().to_string()));
        Ok(())
    }
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

pub fn client_env(client: Client, access: &Access<'_>) -> ClientEnv {
    match client {
        Client::Claude => claude(access),
        Client::Codex => codex(access),
        Client::Opencode => opencode(access),
        Client::Gemini => gemini(access),
    }
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
        args: Vec::new(),
        settings: None,
    }
}

/// Where Codex finds the key: the name stands in the provider that it is given.
const CODEX_KEY: &str = "TOLLGATE_API_KEY";

/// Codex 0.169 speaks Responses alone and takes its provider from its configuration, of which `-c key=value` (TOML) is the part for one
/// start (its documentation, 2026-11).
fn codex(access: &Access<'_>) -> ClientEnv {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut config = vec![
        "model_provider=\"tollgate\"".to_string(),
        "model_providers.tollgate.name=\"Tollgate\"".to_string(),
        format!("model_providers.tollgate.base_url={}", text(&format!("{}/v1", access.base_url))),
        format!("model_providers.tollgate.env_key={}", text(CODEX_KEY)),
        "model_providers.tollgate.wire_api=\"responses\"".to_string(),
    ];
    config.extend(access.model.map(|model| format!("model={}", text(model))));
    config.extend(access.context_window.map(|window| format!("model_context_window={window}")));
    ClientEnv {
        program: "codex",
        install: "npm install -g @openai/codex",
        set: vec![(CODEX_KEY, access.key.to_string())],
        unset: &["OPENAI_API_KEY", "OPENAI_BASE_URL", "CODEX_API_KEY"],
        args: config.into_iter().flat_map(|line| ["-c".to_string(), line]).collect(),
        settings: None,
    }
}

/// Output tokens that opencode asks for where a model's limit is not known.
const OPENCODE_OUTPUT: u64 = 32_000;
/// And the window that it compacts by.
const OPENCODE_CONTEXT: u64 = 128_000;

/// opencode 1.18 reads a whole configuration from a variable and lays it over its files (opencode.ai/docs/config, 2026-11).
fn opencode(access: &Access<'_>) -> ClientEnv {
    let provider = serde_json::json!({
        "npm": "@ai-sdk/openai-compatible",
        "name": "Tollgate",
        "options": {"baseURL": format!("{}/v1", access.base_url), "apiKey": access.key},
    });
    let mut config = serde_json::json!({"provider": {"tollgate": provider}});
    if let Some(model) = access.model {
        let context = access.context_window.unwrap_or(OPENCODE_CONTEXT);
        let limit = serde_json::json!({"context": context, "output": OPENCODE_OUTPUT.min(context / 2)});
        config["provider"]["tollgate"]["models"][model] =
            serde_json::json!({"name": model, "tool_call": true, "reasoning": true, "limit": limit});
        // The second one makes titles.
        for key in ["model", "small_model"] {
            config[key] = format!("tollgate/{model}").into();
        }
    }
    ClientEnv {
        program: "opencode",
        install: "npm install -g opencode-ai",
        set: vec![("OPENCODE_CONFIG_CONTENT", config.to_string())],
        unset: &[],
        args: Vec::new(),
        settings: None,
    }
}

/// With an address of its own Gemini CLI chooses a way to sign in that it then refuses ("Invalid auth method selected"), unless its
/// settings name one; and a user may have signed in at Google there. So it gets a home of its own. Its settings for a whole system are
/// no way: they have to be root's.
const GEMINI_SETTINGS: Settings = Settings {
    variable: "GEMINI_CLI_HOME",
    folder: "gemini",
    file: ".gemini/settings.json",
    content: "{\"security\": {\"auth\": {\"selectedType\": \"gemini-api-key\"}}}\n",
};

/// Gemini CLI 0.61 (geminicli.com/docs, 2026-11).
fn gemini(access: &Access<'_>) -> ClientEnv {
    let mut set =
        vec![("GEMINI_API_KEY", access.key.to_string()), ("GOOGLE_GEMINI_BASE_URL", access.base_url.to_string())];
    set.extend(access.model.map(|model| ("GEMINI_MODEL", model.to_string())));
    ClientEnv {
        program: "gemini",
        install: "npm install -g @google/gemini-cli",
        set,
        unset: &[
            "GOOGLE_API_KEY",
            "GOOGLE_CLOUD_PROJECT",
            "GOOGLE_GENAI_USE_GCA",
            "GOOGLE_GENAI_USE_VERTEXAI",
            "GOOGLE_VERTEX_BASE_URL",
            "CODE_ASSIST_ENDPOINT",
        ],
        args: Vec::new(),
        settings: Some(GEMINI_SETTINGS),
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
            let value = quoted(value, shell);
            lines.push_str(&match shell {
                Shell::Bash => format!("export {name}={value}\n"),
                Shell::Fish => format!("set -gx {name} {value}\n"),
                Shell::Powershell => format!("$env:{name} = {value}\n"),
            });
        }
        if !self.args.is_empty() {
            lines.push_str(&self.function(shell));
        }
        lines
    }

    /// The program under its own name, with the arguments that no variable can say.
    fn function(&self, shell: Shell) -> String {
        let quoted: Vec<String> = self.args.iter().map(|arg| quoted(arg, shell)).collect();
        let (program, args) = (self.program, quoted.join(" "));
        match shell {
            Shell::Bash => format!("{program}() {{ command {program} {args} \"$@\"; }}\n"),
            Shell::Fish => format!("function {program}; command {program} {args} $argv; end\n"),
            Shell::Powershell => {
                format!("function {program} {{ & (Get-Command {program} -CommandType Application)[0] {args} @args }}\n")
            }
        }
    }
}

fn quoted(text: &str, shell: Shell) -> String {
    match shell {
        Shell::Bash => format!("'{}'", text.replace('\'', r"'\''")),
        Shell::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
        Shell::Powershell => format!("'{}'", text.replace('\'', "''")),
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
        let env = client_env(Client::Claude, &access());
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
        let env = client_env(Client::Claude, &access());
        assert!(env.script(Shell::Bash).contains(r"export ANTHROPIC_AUTH_TOKEN='sk-it'\''s'"));
        assert!(env.script(Shell::Fish).contains(r"set -gx ANTHROPIC_AUTH_TOKEN 'sk-it\'s'"));
        assert!(env.script(Shell::Powershell).contains("$env:ANTHROPIC_AUTH_TOKEN = 'sk-it''s'"));
        assert!(env.script(Shell::Bash).contains("unset ANTHROPIC_API_KEY\n"));
    }

    #[test]
    fn s37_codex_gets_its_provider_by_arguments_and_the_key_by_a_variable() {
        let env = client_env(Client::Codex, &access());
        assert_eq!(env.set, [("TOLLGATE_API_KEY", "sk-it's".to_string())]);
        assert!(env.args.iter().all(|arg| !arg.contains("sk-it")), "arguments are seen by everybody: {:?}", env.args);
        for line in [
            r#"model_provider="tollgate""#,
            r#"model_providers.tollgate.base_url="http://127.0.0.1:4000/v1""#,
            r#"model_providers.tollgate.env_key="TOLLGATE_API_KEY""#,
            r#"model_providers.tollgate.wire_api="responses""#,
            r#"model="kimi-k2.5""#,
            "model_context_window=262144",
        ] {
            assert!(env.args.windows(2).any(|pair| pair == ["-c", line]), "{line}: {:?}", env.args);
        }
        let script = env.script(Shell::Bash);
        assert!(script.contains(r#"codex() { command codex '-c' 'model_provider="tollgate"'"#), "{script}");
        assert!(script.trim_end().ends_with(r#""$@"; }"#), "{script}");
    }

    #[test]
    fn s37_opencode_gets_a_whole_configuration_in_a_variable() {
        let env = client_env(Client::Opencode, &access());
        let config: serde_json::Value = serde_json::from_str(&env.set[0].1).unwrap();
        assert_eq!(
            (env.set[0].0, &config["model"], &config["small_model"]),
            ("OPENCODE_CONFIG_CONTENT", &"tollgate/kimi-k2.5".into(), &"tollgate/kimi-k2.5".into())
        );
        let provider = &config["provider"]["tollgate"];
        assert_eq!(
            provider["options"],
            serde_json::json!({"baseURL": "http://127.0.0.1:4000/v1", "apiKey": "sk-it's"})
        );
        assert_eq!(provider["models"]["kimi-k2.5"]["limit"], serde_json::json!({"context": 262_144, "output": 32_000}));
    }

    #[test]
    fn s37_gemini_gets_address_key_and_model_and_no_other_way_to_google() {
        let env = client_env(Client::Gemini, &access());
        for pair in [
            ("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:4000"),
            ("GEMINI_API_KEY", "sk-it's"),
            ("GEMINI_MODEL", "kimi-k2.5"),
        ] {
            assert!(env.set.contains(&(pair.0, pair.1.to_string())), "{pair:?}");
        }
        assert!(env.unset.contains(&"GOOGLE_GENAI_USE_VERTEXAI"));

        let (mut env, dir) = (env, tempfile::tempdir().unwrap());
        env.place(&dir.path().join("new")).unwrap();
        let (variable, folder) = env.set.last().unwrap();
        assert_eq!(*variable, "GEMINI_CLI_HOME");
        let file = Path::new(folder).join(".gemini/settings.json");
        assert!(std::fs::read_to_string(&file).unwrap().contains(r#""selectedType": "gemini-api-key""#));
        std::fs::write(&file, "{}").unwrap();
        env.place(&dir.path().join("new")).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "{}", "it is the user's now");
    }
}
