//! Answers that a Responses client refers to: `previous_response_id`, and `/v1/responses/{id}`.

use std::collections::VecDeque;
use std::sync::Arc;

use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_dialect::json::Writer;
use tollgate_dialect::kept::{self, Answer, Turn};
use tollgate_store::responses::KeptResponse;

use super::Reply;
use super::authenticate::Caller;
use super::inbound::Inbound;
use super::recorder::Recorder;
use super::reply;
use crate::app::{App, Live};
use crate::failure::Failure;
use crate::http::KeptPath;
use crate::kept::KeptRules;
use crate::unix_time::unix_ms;

/// Turns that one request goes back at most.
const MOST_TURNS: usize = 1000;

/// What a request wants to be kept, or refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `store`, which OpenAI takes for true where it is not given.
    pub keep: bool,
    pub previous: Option<String>,
}

/// A request whose answer is to be kept.
pub struct Keeping {
    app: Arc<App>,
    owner: String,
    previous: Option<String>,
    input: String,
}

/// Puts the turns that the request refers to before its input. What comes back keeps its answer, if it wants that.
pub async fn go_on(
    app: &Arc<App>,
    live: &Live,
    caller: &Caller,
    inbound: &mut Inbound,
) -> Result<Option<Keeping>, Failure> {
    let Some(wish) = inbound.kept.take() else { return Ok(None) };
    let rules = live.config.settings.responses;
    let keeps = wish.keep && !rules.time.is_zero();
    if !keeps && wish.previous.is_none() {
        return Ok(None);
    }
    let Ok(body) = std::str::from_utf8(&inbound.body) else { return Ok(None) };
    let input = keeps.then(|| kept::input(body)).flatten();
    let turns = match &wish.previous {
        Some(previous) => turns(app, rules, caller, previous).await?,
        None => Vec::new(),
    };
    if !turns.is_empty() {
        let answers: Vec<Answer<'_>> = turns.iter().filter_map(|turn| kept::answer(&turn.response)).collect();
        let pairs = turns.iter().zip(&answers).map(|(turn, answer)| Turn { input: &turn.input, output: answer.output });
        if let Some(whole) = kept::with_turns(body, &pairs.collect::<Vec<_>>()) {
            inbound.body = whole.into();
        }
    }
    Ok(input.map(|input| Keeping { app: app.clone(), owner: owner(caller), previous: wish.previous, input }))
}

/// The turns up to this answer, oldest first. None: it is unknown here, and maybe the upstream's.
async fn turns(app: &App, rules: KeptRules, caller: &Caller, last: &str) -> Result<Vec<Arc<KeptResponse>>, Failure> {
    let mut turns = VecDeque::new();
    let mut next = Some(last.to_string());
    while let Some(id) = next.take() {
        match find(app, rules, caller, &id).await? {
            Some(turn) if turns.len() < MOST_TURNS => {
                next.clone_from(&turn.previous);
                turns.push_front(turn);
            }
            _ if turns.is_empty() => return Ok(Vec::new()),
            // Its beginning is gone: half a conversation would be answered wrongly.
            _ => return Err(Failure::NoSuchResponse { id, of: Some(last.to_string()) }),
        }
    }
    Ok(turns.into())
}

async fn find(app: &App, rules: KeptRules, caller: &Caller, id: &str) -> Result<Option<Arc<KeptResponse>>, Failure> {
    let found = app.kept_response(id, rules).await.map_err(Failure::Store)?;
    Ok(found.filter(|kept| caller.chain.is_none() || kept.owner == owner(caller)))
}

/// Whose answers they are: the key's, or whatever else it is that calls.
fn owner(caller: &Caller) -> String {
    caller.scopes().last().map(|scope| format!("{}:{}", scope.kind.word(), scope.id)).unwrap_or_default()
}

impl Keeping {
    fn keep(self, answer: &Answer<'_>) {
        if self.previous.as_deref() == Some(answer.id) {
            tracing::warn!(id = answer.id, "the upstream gives the same id to every answer: it cannot be kept");
            return;
        }
        self.app.kept.keep(KeptResponse {
            id: answer.id.to_string(),
            owner: self.owner,
            created_at_ms: unix_ms(),
            previous: self.previous,
            input: self.input,
            response: answer.response.to_string(),
        });
    }
}

/// Watches what goes to the client for the answer.
pub fn watched(reply: Reply, keeping: Option<Keeping>) -> Reply {
    let Some(keeping) = keeping.filter(|_| reply.status().is_success()) else { return reply };
    let mut keeping = Some(keeping);
    let mut events = SseReader::default();
    reply::watched(reply, move |whole, bytes| {
        if whole {
            let answer = std::str::from_utf8(bytes).ok().and_then(kept::answer);
            if let (Some(answer), Some(keeping)) = (answer, keeping.take()) {
                keeping.keep(&answer);
            }
            return;
        }
        events.feed(bytes);
        while let Some(Ok(piece)) = events.next() {
            let Piece::Frame(frame) = piece else { continue };
            let answer = std::str::from_utf8(frame.data).ok().and_then(kept::answer_of_event);
            if let Some(answer) = answer
                && let Some(keeping) = keeping.take()
            {
                keeping.keep(&answer);
            }
        }
    })
}

/// `/v1/responses/{id}` and what is under it.
pub async fn answer(
    app: &App,
    live: &Live,
    caller: &Caller,
    path: KeptPath,
    id: String,
    query: Option<&str>,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    let kept = find(app, live.config.settings.responses, caller, &id).await?;
    let kept = kept.ok_or_else(|| Failure::NoSuchResponse { id: id.clone(), of: None })?;
    let body = match path {
        KeptPath::Get => kept.response.clone().into_bytes(),
        KeptPath::InputItems => {
            let oldest_first = crate::http::in_query(query, "order").as_deref() == Some("asc");
            kept::item_list(&kept.input, &id, oldest_first)
        }
        KeptPath::Delete => {
            app.forget_response(&id).await.map_err(Failure::Store)?;
            let mut w = Writer::default();
            w.open_object().key("id").str(&id).key("object").str("response").key("deleted").bool(true).close_object();
            w.out
        }
        KeptPath::Cancel => return Err(Failure::NotInBackground { id }),
    };
    Ok(reply::json(body, record))
}
