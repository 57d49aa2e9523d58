//! Who asks, and what holds them back. Each kind of limit has a caller that is sure to run into it.

use serde_json::{Map, Value, json};

use super::stage::{MODELS, QUICK, SLOW};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Key,
    Team,
    User,
}

impl Kind {
    /// As the database calls it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Key => "key",
            Kind::Team => "team",
            Kind::User => "user",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Nano-dollars, for ever or for stretches of so many seconds.
    Budget(u64, Option<u64>),
    PerMinute(u64),
    PerDay(u64),
    TokensPerMinute(u64),
    AtOnce(u64),
}

impl Limit {
    fn put(self, fields: &mut Map<String, Value>) {
        let (name, value) = match self {
            Limit::Budget(nanos, every) => {
                if let Some(seconds) = every {
                    fields.insert("budget_duration".into(), json!(format!("{seconds}s")));
                }
                ("max_budget", json!(nanos as f64 / 1e9))
            }
            Limit::PerMinute(limit) => ("rpm_limit", json!(limit)),
            Limit::PerDay(limit) => ("rpd_limit", json!(limit)),
            Limit::TokensPerMinute(limit) => ("tpm_limit", json!(limit)),
            Limit::AtOnce(limit) => ("max_parallel_requests", json!(limit)),
        };
        fields.insert(name.into(), value);
    }
}

/// A key, a team or a user.
#[derive(Clone, Debug)]
pub struct Scope {
    pub kind: Kind,
    pub name: &'static str,
    /// Of a key: the model that it asks.
    pub model: usize,
    of: Option<(Kind, &'static str)>,
    pub limits: Vec<Limit>,
    /// As the database knows it.
    pub id: String,
    /// Of a key.
    pub secret: String,
}

/// The scopes, for so many requests. The keys share them alike.
pub fn scopes(requests: u64) -> Vec<Scope> {
    let keys = 10;
    // Of one key.
    let each = (requests / keys).max(12);
    let affords = |requests: u64| requests * MODELS[QUICK].cost_nanos();
    let tokens = MODELS[QUICK].input + MODELS[QUICK].output;
    vec![
        scope(Kind::Team, "crew", [Limit::Budget(affords(each), None)]),
        scope(Kind::Team, "rated", [Limit::PerMinute(each / 3)]),
        scope(Kind::User, "ann", [Limit::Budget(affords(each / 2), None)]),
        scope(Kind::User, "ben", [Limit::PerDay(each / 2)]),
        scope(Kind::Key, "free", []),
        scope(Kind::Key, "poor", [Limit::Budget(affords(each / 3), None)]),
        scope(Kind::Key, "again", [Limit::Budget(affords((each / 12).max(4)), Some(5))]),
        scope(Kind::Key, "crew one", []).of(Kind::Team, "crew"),
        scope(Kind::Key, "crew two", [Limit::Budget(affords(each * 3 / 4), None)]).of(Kind::Team, "crew"),
        scope(Kind::Key, "member", [Limit::Budget(affords(each * 4), None)]).of(Kind::Team, "rated"),
        scope(Kind::Key, "ann's", []).of(Kind::User, "ann"),
        scope(Kind::Key, "ben's", [Limit::PerMinute(each / 3)]).of(Kind::User, "ben"),
        scope(Kind::Key, "wordy", [Limit::TokensPerMinute(each / 4 * tokens), Limit::AtOnce(8)]),
        Scope { model: SLOW, ..scope(Kind::Key, "narrow", [Limit::AtOnce(2)]) },
    ]
}

fn scope(kind: Kind, name: &'static str, limits: impl Into<Vec<Limit>>) -> Scope {
    let (id, secret) = (name.to_string(), String::new());
    Scope { kind, name, model: QUICK, of: None, limits: limits.into(), id, secret }
}

impl Scope {
    fn of(self, kind: Kind, name: &'static str) -> Scope {
        Scope { of: Some((kind, name)), ..self }
    }

    /// What makes it, over the management API.
    pub fn wish(&self) -> (&'static str, Value) {
        let mut fields = Map::new();
        self.limits.iter().for_each(|limit| limit.put(&mut fields));
        match self.of {
            Some((Kind::Team, name)) => _ = fields.insert("team_id".into(), json!(name)),
            Some((_, name)) => _ = fields.insert("user_id".into(), json!(name)),
            None => {}
        }
        let path = match self.kind {
            Kind::Key => "/key/generate",
            Kind::Team => {
                fields.insert("team_id".into(), json!(self.name));
                "/team/new"
            }
            Kind::User => {
                fields.insert("user_id".into(), json!(self.name));
                fields.insert("auto_create_key".into(), json!(false));
                "/user/new"
            }
        };
        (path, Value::Object(fields))
    }

    /// What the management API said to it.
    pub fn made(&mut self, answer: &Value) {
        if self.kind == Kind::Key {
            let text = |name: &str| answer[name].as_str().unwrap_or_default().to_string();
            (self.id, self.secret) = (text("token"), text("key"));
        }
    }
}
