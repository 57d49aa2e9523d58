//! The limits that hold for a request.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::access::{Rates, Scope, ScopeKind};
use crate::glob::Glob;

use super::{Dimension, Tokens};

/// The limits of one scope, for all models or for some.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The name of the account that counts for it, the same at every replica.
    pub account: Arc<str>,
    /// [`account_hash`] of the name.
    pub hash: u64,
    pub kind: ScopeKind,
    /// The model, or pattern of models, that it is for.
    pub model: Option<Arc<str>>,
    rates: Rates,
}

impl Claim {
    fn new(scope: &Scope, model: Option<&str>, rates: Rates) -> Claim {
        // With the id's length before it no two accounts share a name.
        let mut account = format!("{}:{}:{}", scope.kind.word(), scope.id.len(), scope.id);
        if let Some(model) = model {
            account.push(':');
            account.push_str(model);
        }
        let hash = account_hash(&account);
        Claim { account: account.into(), hash, kind: scope.kind, model: model.map(Arc::from), rates }
    }

    /// Requests that find no place here wait for one, at every replica. So no replica may keep its places to itself: each place that
    /// is free is asked for, and the replicas take turns.
    pub fn is_waited_for(&self, dimension: Dimension) -> bool {
        self.kind == ScopeKind::Deployment && dimension == Dimension::ParallelRequests
    }

    /// What is limited, and to how much.
    pub fn lines(&self) -> impl Iterator<Item = (Dimension, u64)> + '_ {
        Dimension::ALL.into_iter().filter_map(|dimension| Some((dimension, dimension.of(&self.rates)?)))
    }
}

/// Everything that limits a request. A clone costs nothing, and making one without any limit allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Claims(Option<Arc<[Claim]>>);

impl Claims {
    /// `names`: the model's, as the client asked for it and as its route is called.
    pub fn of<'s>(scopes: impl IntoIterator<Item = &'s Scope>, names: &[&str]) -> Claims {
        let limited = |rates: &Rates| *rates != Rates::default();
        let mut claims = Vec::new();
        for scope in scopes {
            if limited(&scope.limits.rates) {
                claims.push(Claim::new(scope, None, scope.limits.rates));
            }
            if let Some((pattern, rates)) = for_model(scope, names).filter(|(_, rates)| limited(rates)) {
                claims.push(Claim::new(scope, Some(pattern), *rates));
            }
        }
        Claims((!claims.is_empty()).then(|| claims.into()))
    }

    /// How many tokens the prompt has matters.
    pub fn count_tokens(&self) -> bool {
        let counts_tokens = |dimension: Dimension| dimension.count(Tokens { input: 2, output: 0 }) == 2;
        self.iter().any(|claim| claim.lines().any(|(dimension, _)| counts_tokens(dimension)))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Claim> {
        self.0.as_deref().unwrap_or_default().iter()
    }
}

/// Spreads accounts over shards.
pub fn account_hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The model's own line, else the most specific pattern. All models of a pattern share its limit.
fn for_model<'s>(scope: &'s Scope, names: &[&str]) -> Option<(&'s str, &'s Rates)> {
    let rates = &scope.limits.model_rates;
    if let Some((name, rates)) = names.iter().find_map(|name| rates.get_key_value(*name)) {
        return Some((name, rates));
    }
    let patterns = rates.iter().filter(|(pattern, _)| pattern.contains('*'));
    let matching = patterns.map(|(pattern, rates)| (Glob::new(pattern), pattern, rates));
    let matches = |glob: &Glob| names.iter().any(|name| glob.matches(name));
    let best = matching.filter(|(glob, ..)| matches(glob)).max_by_key(|(glob, ..)| glob.specificity())?;
    Some((best.1, best.2))
}
