//! What a client is told when it may not do what it asked for, or has nothing left to spend.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, PublicError};
use tollgate_policy::access::ScopeKind;
use tollgate_policy::authorise;
use tollgate_policy::budget::{self, PotKey};
use tollgate_policy::price::dollars;
use tollgate_store::meter::Denied;

/// A key that is blocked or has expired is refused like one that never was, so that a client asks for another; all else is a matter of
/// rights, and asking again is in vain.
pub fn forbidden(denial: &authorise::Denial) -> PublicError {
    let (status, kind) = match denial.is_of_the_caller() {
        true => (401, ErrorKind::Authentication),
        false => (403, ErrorKind::Permission),
    };
    let mut words = denial.to_string();
    if let Some(first) = words.get(..1) {
        let first = first.to_uppercase();
        words.replace_range(..1, &first);
    }
    let asks = "GET /v1/models lists what the key may call; /key/update, /team/update and /user/update decide.";
    let message = match denial {
        authorise::Denial::Model { .. } => format!("{words}. {asks}"),
        authorise::Denial::Address { scope: ScopeKind::Gateway, .. } => {
            format!("{words}. general_settings.allowed_ips decides.")
        }
        authorise::Denial::Address { .. } => format!("{words}. allowed_ips of /key/update decides."),
        authorise::Denial::Route { scope: ScopeKind::Gateway, .. } => {
            format!("{words}. general_settings.allowed_routes decides.")
        }
        authorise::Denial::Route { .. } => format!(
            "{words}. allowed_routes of /key/update decides; of a token, admin_allowed_routes and team_allowed_routes of \
             general_settings.litellm_jwtauth."
        ),
        _ => format!("{words}."),
    };
    PublicError { should_retry: Some(false), ..PublicError::new(status, kind, message) }
}

/// 402, which no client tries again by itself. The scope is named by its kind: a key's id is its hash.
pub fn over_budget(denied: &Denied) -> PublicError {
    let Denied::Budget(denial) = denied else { return store_away() };
    let budget::Denial { pot, spent_nanos, held_nanos, asked_nanos } = denial;
    let model = if pot.key.model.is_empty() { String::new() } else { format!(" for the model {}", pot.key.model) };
    let held = match held_nanos {
        0 => String::new(),
        nanos => format!(", ${} held for requests under way", dollars(*nanos)),
    };
    let ends = pot.end_ms.and_then(|ms| jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok());
    let ends = ends.map_or(String::new(), |at| format!(" It begins anew at {at}."));
    let message = format!(
        "Budget exceeded: the {} has a budget of ${} ({}){model}, of which ${} is spent{held}, and this request needs up to ${}.{ends} \
         {} decides.",
        whose(&pot.key),
        dollars(pot.cap_nanos),
        pot.key.window.word(),
        dollars(*spent_nanos),
        dollars(*asked_nanos),
        setting(&pot.key),
    );
    PublicError { should_retry: Some(false), ..PublicError::new(402, ErrorKind::Billing, message) }
}

pub fn store_away() -> PublicError {
    PublicError {
        retry_after: Some(Duration::from_secs(2)),
        ..PublicError::new(
            503,
            ErrorKind::Overloaded,
            "The gateway's database is away, and the caller or its budget is not known without it. Try again in a moment.",
        )
    }
}

/// What the configuration names is named. Of all others the id may be a secret, or nobody else's concern.
fn whose(key: &PotKey) -> String {
    match key.kind {
        ScopeKind::Tag | ScopeKind::Deployment | ScopeKind::Provider => format!("{} {}", key.kind.name(), key.id),
        kind => kind.name().to_string(),
    }
}

fn setting(key: &PotKey) -> String {
    let of = match key.kind {
        ScopeKind::Gateway => " of litellm_settings",
        ScopeKind::Organisation => " of /organization/update",
        ScopeKind::Team => " of /team/update",
        ScopeKind::User => " of /user/update",
        ScopeKind::Member => "_in_team of /team/member_update",
        ScopeKind::Key => " of /key/update",
        ScopeKind::EndUser => " of /customer/update",
        ScopeKind::Deployment => " of its litellm_params",
        ScopeKind::Tag => return format!("litellm_settings.tag_budget_config.{}.max_budget", key.id),
        ScopeKind::Provider => return format!("router_settings.provider_budget_config.{}.max_budget", key.id),
    };
    format!("max_budget{of}")
}
