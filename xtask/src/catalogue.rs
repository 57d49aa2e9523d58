//! Makes the model catalogue from a public package: context windows, output limits, prices and abilities.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::run;

/// Whose table it is: LiteLLM's, under the MIT licence.
const PACKAGE: &str = "litellm";
const TABLE: &str = "litellm/model_prices_and_context_window_backup.json";
const MADE: &str = "crates/tollgate/src/registry/catalogue.tsv";

/// The package's name of a provider, and ours. What is not here is not served, or has no models of its own.
const PROVIDERS: [(&str, &str); 50] = [
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("gemini", "gemini"),
    ("vertex_ai-language-models", "vertex_ai"),
    ("vertex_ai-anthropic_models", "vertex_ai"),
    ("vertex_ai-mistral_models", "vertex_ai"),
    ("vertex_ai-llama_models", "vertex_ai"),
    ("vertex_ai-deepseek_models", "vertex_ai"),
    ("vertex_ai-openai_models", "vertex_ai"),
    ("vertex_ai-qwen_models", "vertex_ai"),
    ("vertex_ai-embedding-models", "vertex_ai"),
    ("vertex_ai", "vertex_ai"),
    ("bedrock", "bedrock"),
    ("bedrock_converse", "bedrock"),
    ("azure", "azure"),
    ("azure_ai", "azure_ai"),
    ("deepseek", "deepseek"),
    ("moonshot", "moonshot"),
    ("zai", "zai"),
    ("dashscope", "dashscope"),
    ("minimax", "minimax"),
    ("xai", "xai"),
    ("mistral", "mistral"),
    ("codestral", "codestral"),
    ("cohere", "cohere"),
    ("cohere_chat", "cohere"),
    ("openrouter", "openrouter"),
    ("fireworks_ai", "fireworks_ai"),
    ("together_ai", "together_ai"),
    ("groq", "groq"),
    ("cerebras", "cerebras"),
    ("perplexity", "perplexity"),
    ("sambanova", "sambanova"),
    ("novita", "novita"),
    ("deepinfra", "deepinfra"),
    ("nebius", "nebius"),
    ("nscale", "nscale"),
    ("hyperbolic", "hyperbolic"),
    ("lambda_ai", "lambda_ai"),
    ("wandb", "wandb"),
    ("vercel_ai_gateway", "vercel_ai_gateway"),
    ("meta_llama", "meta_llama"),
    ("tencent", "tencent"),
    ("volcengine", "volcengine"),
    ("ovhcloud", "ovhcloud"),
    ("scaleway", "scaleway"),
    ("gradient_ai", "gradient_ai"),
    ("databricks", "databricks"),
    ("baseten", "baseten"),
    ("morph", "morph"),
];

const MODES: [&str; 6] = ["chat", "responses", "embedding", "completion", "image_generation", "rerank"];

/// Modes whose rows have columns behind the others: dollars for a million image tokens that go up and that come back, images, and searches.
const BY_UNIT: [&str; 2] = ["image_generation", "rerank"];

/// The package's word for an ability, and ours.
const ABILITIES: [(&str, &str); 8] = [
    ("supports_function_calling", "tools"),
    ("supports_vision", "vision"),
    ("supports_pdf_input", "pdf"),
    ("supports_audio_input", "audio"),
    ("supports_reasoning", "reasoning"),
    ("supports_response_schema", "schema"),
    ("supports_prompt_caching", "caching"),
    ("supports_web_search", "web_search"),
];

/// Prices of which a longer prompt has others. In the order of the columns.
const TIERED: [&str; 4] =
    ["input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost"];

/// In thousands of tokens.
const TIERS: [u64; 5] = [128, 200, 256, 272, 512];

/// `version` of the package, fetched with pip.
pub fn make(version: &str, date: &str) -> Result<(), String> {
    let table = fetch(version)?;
    let text = fs::read_to_string(&table).map_err(|error| format!("cannot read {}: {error}", table.display()))?;
    let all: Value = serde_json::from_str(&text).map_err(|error| format!("the package's table is no JSON: {error}"))?;
    let all = all.as_object().ok_or("the package's table is no object")?;
    // A model may stand there with and without its provider's name: the row that says more counts.
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    for (key, rest) in all.iter().filter_map(|(name, facts)| row(name, facts)) {
        let known = rows.entry(key).or_default();
        if known.len() < rest.len() {
            *known = rest;
        }
    }
    let mut made = format!(
        "# Models: what their makers and hosts charge and allow. Made by `cargo xtask catalogue` of {PACKAGE} {version} (MIT licence), {date}.\n\
         # Dollars per million tokens. `above`: input tokens beyond which the prices behind it hold. Sorted by its bytes.\n\
         # provider\tmodel\tmode\tinput limit\toutput limit\tinput\toutput\tcache read\tcache write\tcache write 1 h\tabove\tinput\toutput\tcache read\tcache write\tabilities\n\
         # For images and rerankers behind them: an image token up, one back, an image, a search; in millions too.\n",
    );
    for (key, rest) in &rows {
        made.push_str(&format!("{key}\t{rest}\n"));
    }
    fs::write(crate::root().join(MADE), made).map_err(|error| format!("cannot write {MADE}: {error}"))?;
    eprintln!("xtask: {} models in {MADE}", rows.len());
    Ok(())
}

fn fetch(version: &str) -> Result<PathBuf, String> {
    let folder = Path::new("target/catalogue");
    let wanted = format!("{PACKAGE}=={version}");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(folder).arg(&wanted);
    run::show(&mut pip)?;
    let files = fs::read_dir(crate::root().join(folder)).map_err(|error| error.to_string())?;
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{PACKAGE}-{version}-")) && name.ends_with(".whl")
    };
    let wheel = files.flatten().map(|file| file.path()).find(is_it).ok_or("pip has brought no wheel")?;
    let into = folder.join("unpacked");
    run::show(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&into))?;
    Ok(crate::root().join(into).join(TABLE))
}

/// Provider and model, and the other columns.
fn row(name: &str, facts: &Value) -> Option<(String, String)> {
    let theirs = facts["litellm_provider"].as_str()?;
    let ours = PROVIDERS.iter().find(|(name, _)| *name == theirs)?.1;
    let mode = facts["mode"].as_str().filter(|mode| MODES.contains(mode))?;
    let model = name.strip_prefix(&format!("{theirs}/")).or(name.strip_prefix(&format!("{ours}/"))).unwrap_or(name);
    // Regions and commitments of clouds, sizes and fine-tunings are not names of models.
    let of_cloud = matches!(ours, "azure" | "bedrock" | "vertex_ai") && model.contains('/');
    let of_size = mode == "image_generation" && (model.contains("-x-") || model.contains("-steps"));
    if of_cloud || of_size || model.starts_with("ft:") || model.chars().any(char::is_whitespace) {
        return None;
    }
    let input_limit = input_limit(ours, facts);
    let price = |key: &str| dollars_per_million(&facts[key]);
    let units = if BY_UNIT.contains(&mode) { units(facts) } else { Vec::new() };
    let by_unit = !units.iter().all(String::is_empty);
    let says_something = !price("input_cost_per_token").is_empty() || !input_limit.is_empty() || by_unit;
    // Images are paid for by their own units alone.
    if !says_something || (mode == "image_generation" && !by_unit) {
        return None;
    }
    let mut columns = vec![mode.to_string(), input_limit];
    columns.push(count(&facts["max_output_tokens"]));
    columns.extend(TIERED.map(price));
    columns.push(price("cache_creation_input_token_cost_above_1hr"));
    let tiered = |thousands: u64, key: &str| price(&format!("{key}_above_{thousands}k_tokens"));
    let tier = TIERS.into_iter().find(|thousands| !tiered(*thousands, TIERED[0]).is_empty());
    columns.push(tier.map(|thousands| (thousands * 1000).to_string()).unwrap_or_default());
    columns.extend(TIERED.map(|key| tier.map(|thousands| tiered(thousands, key)).unwrap_or_default()));
    let abilities = ABILITIES.iter().filter(|(theirs, _)| facts[theirs] == true).map(|(_, ours)| *ours);
    columns.push(abilities.collect::<Vec<_>>().join(","));
    columns.extend(units);
    Some((format!("{ours}\t{}", model.to_lowercase()), columns.join("\t")))
}

/// An image whose tokens have a price has none of its own.
fn units(facts: &Value) -> Vec<String> {
    let price = |key: &str| dollars_per_million(&facts[key]);
    let [up, back] = ["input_cost_per_image_token", "output_cost_per_image_token"].map(price);
    let image = match back.is_empty() {
        true => {
            ["output_cost_per_image", "input_cost_per_image"].map(price).into_iter().find(|price| !price.is_empty())
        }
        false => None,
    };
    vec![up, back, image.unwrap_or_default(), price("input_cost_per_query")]
}

/// The package gives OpenAI's models of 400,000 tokens the part of the prompt alone; elsewhere it gives the whole window.
fn input_limit(provider: &str, facts: &Value) -> String {
    let (input, output) = (facts["max_input_tokens"].as_u64(), facts["max_output_tokens"].as_u64());
    match (provider, input, output) {
        ("openai" | "azure", Some(272_000), Some(128_000)) => "400000".to_string(),
        _ => count(&facts["max_input_tokens"]),
    }
}

fn count(value: &Value) -> String {
    value.as_u64().filter(|count| *count > 0).map(|count| count.to_string()).unwrap_or_default()
}

/// With nine digits behind the point at most: what the gateway counts with.
fn dollars_per_million(value: &Value) -> String {
    let Some(dollars) = value.as_f64().filter(|dollars| *dollars >= 0.0) else { return String::new() };
    let text = format!("{:.9}", dollars * 1e6);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
