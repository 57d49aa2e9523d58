//! Which keys exist, as data: the lists in `known_keys/` were made from LiteLLM 1.109.1's own types and documentation.

use std::sync::LazyLock;

use tollgate_policy::glob::Glob;
use tollgate_policy::nearest::nearest;

/// The keys of one kind of block.
#[derive(Debug)]
pub struct Keys {
    /// For telling blocks apart when repeated warnings are counted.
    pub block: &'static str,
    names: Vec<&'static str>,
    patterns: Vec<Glob>,
}

impl Keys {
    fn parse(block: &'static str, text: &'static str) -> Keys {
        let lines = || text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Keys {
            block,
            names: lines().filter(|line| !line.contains('*')).collect(),
            patterns: lines().filter(|line| line.contains('*')).map(Glob::new).collect(),
        }
    }

    pub fn contains(&self, key: &str) -> bool {
        self.names.contains(&key) || self.patterns.iter().any(|pattern| pattern.matches(key))
    }

    pub fn nearest(&self, key: &str) -> Option<&'static str> {
        nearest(key, self.names.iter().copied(), 1).first().copied()
    }
}

macro_rules! keys {
    ($name:ident, $file:literal) => {
        pub static $name: LazyLock<Keys> =
            LazyLock::new(|| Keys::parse($file, include_str!(concat!("known_keys/", $file, ".txt"))));
    };
}

keys!(TOP_LEVEL, "top_level");
keys!(LITELLM_PARAMS, "litellm_params");
keys!(OPENAI_PARAMS, "openai_params");
keys!(MODEL_INFO, "model_info");
keys!(LITELLM_SETTINGS, "litellm_settings");
keys!(ROUTER_SETTINGS, "router_settings");
keys!(GENERAL_SETTINGS, "general_settings");
keys!(LITELLM_JWTAUTH, "litellm_jwtauth");
keys!(TOLLGATE_SETTINGS, "tollgate_settings");
