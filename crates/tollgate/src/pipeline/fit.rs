//! Does the conversation fit into the model's window, and how much room is left for the answer?

use std::sync::Arc;

use tollgate_dialect::decode_request;

use super::inbound::Inbound;
use super::route::{self, Route};
use crate::app::{App, Known, Live};
use crate::failure::Failure;
use crate::tokens::{self, Calibration};

/// Our count may be so much too high; a prompt is refused only if it is too long all the same.
const DOUBT: f64 = 0.1;
/// Kept free beside the prompt, because our count may be too low: a part of it and a few tokens.
const SLACK: f64 = 0.05;
const SLACK_TOKENS: u64 = 64;
/// A shorter answer than this helps nobody: the upstream then says itself that it does not fit.
const SHORTEST_ANSWER: u64 = 256;

/// The deployments of a route into whose window the prompt fits, as far as windows are known.
pub fn fitting(app: &App, live: &Live, route: &Route, inbound: &Inbound) -> Result<Vec<usize>, Failure> {
    let mut fitting = Vec::with_capacity(route.deployments.len());
    let mut too_long: Option<(u64, u64)> = None;
    let mut counted = None;
    for &index in &route.deployments {
        let deployment = &live.config.deployments[index];
        let window = match deployment.context_window {
            Some(window) => Some(window),
            None if deployment.model.contains('*') => {
                app.known(live, index, &route::upstream_model(live, &route.name, deployment)).context_window
            }
            None => None,
        };
        let ours = window.and_then(|window| prompt(inbound, window, 0, &mut counted));
        match (window, ours.map(|ours| live.abilities[index].calibration.calibrated(ours))) {
            (Some(window), Some(tokens)) if tokens as f64 * (1.0 - DOUBT) > window as f64 => {
                too_long = too_long.max(Some((window, tokens)));
            }
            _ => fitting.push(index),
        }
    }
    match too_long {
        Some((window, tokens)) if fitting.is_empty() => {
            Err(Failure::PromptTooLong { route: route.group.clone(), tokens, window })
        }
        _ => Ok(fitting),
    }
}

/// The most output tokens that fit beside the prompt, where the client asked for more than that.
pub fn room(calibration: &Arc<Calibration>, known: &Known, inbound: &Inbound) -> Option<u64> {
    let window = known.context_window?;
    let asked = inbound.max_tokens?;
    let asked = known.max_output_tokens.map_or(asked, |most| asked.min(most));
    let tokens = calibration.calibrated(prompt(inbound, window, asked, &mut None)?);
    let taken = tokens + (tokens as f64 * SLACK) as u64 + SLACK_TOKENS;
    let room = window.saturating_sub(taken);
    (SHORTEST_ANSWER..asked).contains(&room).then_some(room)
}

/// The prompt's tokens; `None` where its bytes alone show that it fits with so many tokens of answer, since no token is
/// shorter than a byte.
fn prompt(inbound: &Inbound, window: u64, answer: u64, counted: &mut Option<u64>) -> Option<u64> {
    if inbound.body.len() as u64 + answer <= window {
        return None;
    }
    if counted.is_none() {
        let request = decode_request(inbound.dialect, &inbound.body).ok()?;
        *counted = Some(tokens::count_quickly(&request).tokens);
    }
    *counted
}
