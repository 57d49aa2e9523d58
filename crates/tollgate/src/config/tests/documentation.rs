//! docs/config.md cannot say what is not so.

use tollgate_dialect::quirks::Quirks;

use super::Files;

const PAGE: &str = include_str!("../../../../../docs/config.md");
const SIGN_IN: &str = include_str!("../../../../../docs/sign-in.md");

#[test]
fn every_example_of_the_documentation_loads_without_a_warning() {
    let of = |page: &'static str| page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    assert!(of(PAGE).count() >= 5);
    for example in of(PAGE).chain(of(SIGN_IN)) {
        let own = "model_list:\n  - {model_name: kimi-k2.5, litellm_params: {model: ollama/kimi}}\n  - {model_name: glm-5, litellm_params: {model: ollama/glm}}\n";
        let whole = if example.contains("model_list:") { example.to_string() } else { format!("{own}{example}") };
        let files = Files::new(&whole).add("more.yaml", "model_list: []\n");
        let files =
            ["OPENROUTER_API_KEY", "ANTHROPIC_API_KEY", "MASTER_KEY"].iter().fold(files, |f, name| f.env(name, "x"));
        let (_, problems) = files.good();
        assert!(problems.is_empty(), "{example}\n{problems:#?}");
    }
}

#[test]
fn every_quirk_is_documented() {
    let shown = format!("{:#?}", Quirks::default());
    let names = shown.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?.trim_start().split(": ").next()?;
        line.contains(": ").then_some(name)
    });
    for name in names {
        assert!(PAGE.contains(&format!("`{name}`")), "{name}");
    }
}
