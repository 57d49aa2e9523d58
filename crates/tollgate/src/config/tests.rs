use std::path::PathBuf;

use tollgate_dialect::Dialect;

use super::*;

mod aws;
mod azure;
mod broken;
mod capture;
mod documentation;
mod environment;
mod health;
mod limits;
mod litellm;
mod parameters;
mod queue;
mod redis;
mod retention;
mod routing;
mod secrets;
mod sign_in;
mod vertex;

/// A folder with a configuration, and variables.
pub struct Files {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Files {
    pub fn new(yaml: &str) -> Files {
        let files = Files { folder: tempfile::tempdir().expect("a temporary folder"), env: Vec::new() };
        files.add("config.yaml", yaml)
    }

    pub fn add(self, name: &str, text: &str) -> Files {
        std::fs::write(self.folder.path().join(name), text).expect("is written");
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Files {
        self.env.push((name.into(), value.into()));
        self
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    pub fn load(&self) -> Outcome {
        let env = |name: &str| self.env.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        load(&self.path(), &env)
    }

    pub fn good(&self) -> (Config, Vec<String>) {
        let (config, problems) = self.load().unwrap_or_else(|p| panic!("is refused: {:#?}", self.lines(&p)));
        (config, self.lines(&problems))
    }

    /// The errors' lines, `line:column: path: message`.
    pub fn bad(&self) -> Vec<String> {
        match self.load() {
            Ok(_) => panic!("is accepted"),
            Err(problems) => self.lines(&problems),
        }
    }

    fn lines(&self, problems: &[Problem]) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        problems.iter().map(|p| p.to_string().replace(&folder, "")).collect()
    }
}

#[test]
fn a_litellm_config_of_ten_lines_works() {
    let files = Files::new(
        "model_list:
  - model_name: kimi
    litellm_params:
      model: openai/kimi-k2.5
      api_base: https://llm.example.com/v1/
      api_key: os.environ/EXAMPLE_KEY
litellm_settings:
  drop_params: true
general_settings:
  master_key: sk-of-my-own
",
    )
    .env("EXAMPLE_KEY", "sk-upstream");
    let (config, problems) = files.good();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(config.master_key.as_ref().map(|k| k.expose()), Some("sk-of-my-own"));
    let [deployment] = config.deployments.as_slice() else { panic!("one deployment") };
    assert_eq!((deployment.group.as_str(), deployment.model.as_str()), ("kimi", "kimi-k2.5"));
    assert_eq!((deployment.provider.as_str(), deployment.dialect), ("openai_like", Dialect::Chat));
    assert_eq!(deployment.url(deployment.dialect.path()), "https://llm.example.com/v1/chat/completions");
    let (name, key) = deployment.credential.as_ref().expect("a key");
    assert_eq!((name.as_str(), key.expose()), ("authorization", "Bearer sk-upstream"));
    assert!(deployment.drop_params);
    assert_eq!(config.routes.resolve("kimi").expect("is routed").deployments, [0]);
}
