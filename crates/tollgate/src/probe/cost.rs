//! What a call cost, in the ledger where there is one.

use tokio::time::Instant;
use tollgate_dialect::usage::Usage;
use tollgate_store::ledger::{Charge, Status};

use super::ask::{Asked, Shown};
use crate::pipeline::admit::{self, Admission};
use crate::pipeline::inbound::Inbound;
use crate::pipeline::public;
use crate::pipeline::route::Route;

/// Bytes of text for a token, by and large, where the provider does not count.
const BYTES_PER_TOKEN: u64 = 4;

impl Asked<'_> {
    /// Before a call.
    ///
    /// # Errors
    /// Why the gateway's budget does not pay for it.
    pub(super) async fn may_cost(&self, inbound: &mut Inbound) -> Result<Admission, String> {
        let route = Route::to_one(&self.deployment().group, self.index);
        let id = format!("probe_{}", uuid::Uuid::now_v7().simple());
        let admission = admit::own(self.app, self.live, admit::TAG_OF_PROBES, inbound, &route, &id).await;
        admission.map_err(|failure| public(&failure, &self.live.config).message)
    }

    /// After its answer.
    pub(super) fn cost(&self, mut admission: Admission, sent: &[u8], began: Instant, answer: &Shown) {
        let usage = counted(answer, sent);
        let deployment = self.deployment();
        let cost_nanos = deployment.price.map_or(0, |price| price.cost_nanos(&usage));
        self.app.totals.add(usage.total_input(), usage.output.unwrap_or(0), cost_nanos);
        let charge = Charge {
            deployment: deployment.id.clone(),
            provider: deployment.provider.clone(),
            upstream_model: self.upstream_model.clone(),
            tokens: (&usage).into(),
            cost_nanos,
            estimated: usage.estimated,
            status: Status::Answered,
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            first_token_ms: None,
            attempts: 1,
        };
        admission.settle(Some(&usage), charge);
    }
}

fn counted(answer: &Shown, sent: &[u8]) -> Usage {
    let mut usage = answer.usage;
    usage.estimated |= usage.input.is_none() || usage.output.is_none();
    usage.input.get_or_insert(sent.len() as u64 / BYTES_PER_TOKEN);
    usage.output.get_or_insert((answer.text.len() as u64).div_ceil(BYTES_PER_TOKEN));
    usage
}
