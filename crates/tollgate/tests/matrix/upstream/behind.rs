//! The same dialects behind the doors of the clouds, with what these ask of a caller, and a model that thinks on a budget.

use std::sync::LazyLock;

use serde_json::{Value, json};
use tollgate_sim::{
    API_VERSION, Aws, Azure, Google, Grants, Identity, Recorded, SimConfig, Step, vertex_call_signature,
};

use super::chat::Chat;
use super::converse::Converse;
use super::gemini::Gemini;
use super::messages::Messages;
use super::{Got, Item, Plays, Stop, thought};
use crate::client::Call;

/// Another upstream's dialect at another place.
pub struct Behind {
    home: &'static dyn Plays,
    params: fn(&str) -> Value,
    door: fn(SimConfig) -> SimConfig,
    model: &'static str,
    read: fn(&Recorded, Got) -> Got,
    /// How the place signs a call of Gemini's.
    signature: Option<fn(&str, &Value) -> String>,
}

const KEY: &str = "azure-canary-key";

static GOOGLE: LazyLock<Google> = LazyLock::new(Google::new);
static AWS: LazyLock<Aws> = LazyLock::new(|| Aws::new(Grants::Instance));
static AZURE: LazyLock<Azure> = LazyLock::new(|| Azure::new(Identity::Imds).key(KEY));

fn as_at_home(_: &Recorded, got: Got) -> Got {
    got
}

fn vertex(base: &str, model: &str) -> Value {
    json!({"model": model, "api_base": base, "vertex_project": GOOGLE.project, "vertex_location": GOOGLE.location,
        "vertex_credentials": GOOGLE.service_account(base).to_string()})
}

pub static VERTEX_GEMINI: Behind = Behind {
    home: &Gemini,
    params: |base| vertex(base, "vertex_ai/gemini-3-pro"),
    door: |sim| sim.google(&GOOGLE),
    model: "gemini-3-pro",
    read: as_at_home,
    signature: Some(vertex_call_signature),
};

pub static VERTEX_CLAUDE: Behind = Behind {
    home: &Messages,
    params: |base| vertex(base, "vertex_ai/claude-sonnet-4-6"),
    door: |sim| sim.google(&GOOGLE),
    model: "claude-sonnet-4-6",
    read: as_at_home,
    signature: None,
};

/// Keys of an account of AWS: every request is signed, and the account checks it.
pub static SIGNED: Behind = Behind {
    home: &Converse,
    params: |base| {
        let (id, secret) = AWS.user();
        json!({"model": "bedrock/converse/us.anthropic.claude-sonnet-4-6", "aws_region_name": AWS.region,
            "aws_bedrock_runtime_endpoint": base, "aws_access_key_id": id, "aws_secret_access_key": secret})
    },
    door: |sim| sim.aws(&AWS),
    model: "us.anthropic.claude-sonnet-4-6",
    read: as_at_home,
    signature: None,
};

/// Azure's newer models have another name for the limit of an answer.
pub static AZURE_OPENAI: Behind = Behind {
    home: &Chat,
    params: |base| json!({"model": "azure/my-gpt", "api_base": base, "api_version": API_VERSION, "api_key": KEY, "api_mode": "chat"}),
    door: |sim| sim.azure(&AZURE),
    model: "my-gpt",
    read: |request, got| {
        let limit = request.json()["max_completion_tokens"].as_u64();
        Got { max_tokens: limit.or(got.max_tokens), ..got }
    },
    signature: None,
};

pub static FOUNDRY: Behind = Behind {
    home: &Messages,
    params: |base| json!({"model": "azure_ai/claude-sonnet-4-6", "api_base": base, "api_key": KEY}),
    door: |sim| sim.azure(&AZURE),
    model: "claude-sonnet-4-6",
    read: as_at_home,
    signature: None,
};

/// A Claude that knows no efforts: up to 2,048 tokens mean a low one.
pub static BUDGET: Behind = Behind {
    home: &Messages,
    params: |base| json!({"model": "anthropic/claude-sonnet-4-5", "api_base": base, "api_key": "key"}),
    door: |mut sim| {
        sim.messages.thinking_types = ["enabled", "disabled"].map(str::to_owned).into();
        sim
    },
    model: "claude-sonnet-4-5",
    read: |request, got| {
        let effort = match request.json()["thinking"]["budget_tokens"].as_u64() {
            Some(1024..=2048) => "low",
            Some(_) => "another",
            None => "",
        };
        Got { effort: effort.to_owned(), ..got }
    },
    signature: None,
};

impl Plays for Behind {
    fn params(&self, base: &str) -> Value {
        (self.params)(base)
    }

    fn signs_in(&self) -> bool {
        true
    }

    fn sim(&self) -> SimConfig {
        (self.door)(SimConfig::default())
    }

    fn model(&self) -> &'static str {
        self.model
    }

    fn read(&self, request: &Recorded) -> Got {
        (self.read)(request, self.home.read(request))
    }

    fn thought(&self, text: &str, call: &Call) -> Vec<Item> {
        match self.unasked(call) {
            Some(signed) => vec![thought(text, String::new()), signed],
            None => self.home.thought(text, call),
        }
    }

    fn unasked(&self, call: &Call) -> Option<Item> {
        self.signature.map(|sign| thought("", sign(&call.name, &call.args)))
    }

    fn usage(&self) -> Value {
        self.home.usage()
    }

    fn stop(&self, stop: Stop) -> Option<&'static str> {
        self.home.stop(stop)
    }

    fn refusal_note(&self) -> &'static str {
        self.home.refusal_note()
    }

    fn error(&self, status: u16) -> Step {
        self.home.error(status)
    }

    fn opening(&self) -> usize {
        self.home.opening()
    }
}
