//! Which route a caller's model leads to, and for whom it calls.

use tollgate_policy::access::{Scope, ScopeKind};
use tollgate_policy::authorise::Denial;

use super::authenticate::Caller;
use super::inbound::Inbound;
use super::route::{self, Route};
use crate::app::{App, Live};
use crate::failure::Failure;

/// The route, if the caller may call it. Fallbacks that the request itself names are held to the same; those of the configuration are
/// the operator's choice, as with LiteLLM.
pub fn route(live: &Live, caller: &Caller, path: &str, inbound: &mut Inbound) -> Result<Route, Failure> {
    let fallbacks = inbound.wishes.fallbacks.iter().flatten();
    for model in std::iter::once(&inbound.model).chain(fallbacks) {
        if let Err(forbidden) = caller.may(live, path, Some(model)) {
            // Of a name that leads nowhere the better word is that it does.
            route::find(live, caller.model(model), &inbound.wishes.tags)?;
            return Err(forbidden);
        }
    }
    let named = caller.model(&inbound.model);
    if named != inbound.model {
        inbound.model = named.to_string();
    }
    route::find(live, &inbound.model, &inbound.wishes.tags)
}

/// The customer whom the request names, with its limits.
pub async fn end_user(app: &App, live: &Live, caller: &Caller, inbound: &Inbound) -> Result<Option<Scope>, Failure> {
    let (Some(store), Some(name)) = (app.store(), &inbound.end_user) else { return Ok(None) };
    let default = caller.chain.as_ref().and_then(|chain| chain.key.end_user_budget_id.as_deref());
    let default = default.or(live.config.settings.end_user_budget.as_deref());
    match store.end_user(name, default).await.map_err(Failure::Store)? {
        Some(scope) if scope.grants.blocked => Err(Failure::Forbidden(Denial::Blocked { scope: ScopeKind::EndUser })),
        // Of one who is not known while the database is away no limits can be held.
        scope => Ok(scope),
    }
}
