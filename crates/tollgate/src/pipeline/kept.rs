//! Answers that a Responses client refers to: `previous_response_id`, and `/v1/responses/{id}`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tollgate_dialect::Dialect;
use tollgate_dialect::error::Invalid;

use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_dialect::json::Writer;
use tollgate_dialect::kept::{self, Answer, Turn};
use tollgate_store::responses::KeptResponse;

use super::Reply;
use super::authenticate::Caller;
use super::inbound::Inbound;
use super::recorder::Recorder;
use super::route::Route;
use super::{body, reply};
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
    /// A part of the conversation is with the provider alone.
    leans: bool,
}

/// Puts what the request refers to in its place: items into its input, the turns that it goes on from before it. What comes back keeps its
/// answer, if it wants that.
pub async fn go_on(
    app: &Arc<App>,
    live: &Live,
    caller: &Caller,
    route: &Route,
    inbound: &mut Inbound,
) -> Result<Option<Keeping>, Failure> {
    let Some(wish) = inbound.kept.take() else { return Ok(None) };
    let rules = live.config.settings.responses;
    let keeps = wish.keep && !rules.time.is_zero();
    let own = inbound.body.clone();
    let Ok(body) = std::str::from_utf8(&own) else { return Ok(None) };
    let references = kept::references(body);
    if !keeps && wish.previous.is_none() && references.is_empty() {
        return Ok(None);
    }
    if wish.previous.is_some() && kept::names(body, "conversation") {
        let words = "`previous_response_id` cannot be used in conjunction with `conversation`: send one of them";
        return Err(Invalid::new("previous_response_id", words).into());
    }
    let turns = match &wish.previous {
        Some(previous) => turns(app, rules, caller, previous).await?,
        None => Vec::new(),
    };
    let mut leans = (wish.previous.is_some() && turns.is_empty()) || kept::leans(body);
    let mut whole = own.clone();
    if !references.is_empty() {
        let found = items(app, rules, caller, &turns, &references).await?;
        if let Some(missing) = references.iter().find(|id| !found.contains_key(*id)) {
            // Whoever speaks Responses may have it still.
            if !route.deployments.iter().any(|&index| route.speaks(app, live, index) == Dialect::Responses) {
                return Err(Failure::NoSuchItem { id: missing.clone() });
            }
            leans = true;
        }
        let limit = live.config.settings.max_request_bytes.unwrap_or(body::DEFAULT_LIMIT);
        let resolved = kept::with_items(body, &found, limit).ok_or(Failure::BodyTooLarge { limit })?;
        whole = Bytes::from(resolved);
    }
    let Ok(body) = std::str::from_utf8(&whole) else { return Ok(None) };
    let input = keeps.then(|| kept::input(body)).flatten();
    if !turns.is_empty() {
        let answers: Vec<Answer<'_>> = turns.iter().filter_map(|turn| kept::answer(&turn.response)).collect();
        let pairs = turns.iter().zip(&answers).map(|(turn, answer)| Turn { input: &turn.input, output: answer.output });
        if let Some(with_turns) = kept::with_turns(body, &pairs.collect::<Vec<_>>()) {
            whole = with_turns.into();
        }
    }
    inbound.body = whole;
    Ok(input.map(|input| Keeping { app: app.clone(), owner: owner(caller), previous: wish.previous, input, leans }))
}

/// The items of the caller's answers that have these ids: those of the conversation that the request goes on from before all others.
async fn items(
    app: &App,
    rules: KeptRules,
    caller: &Caller,
    turns: &[Arc<KeptResponse>],
    ids: &[String],
) -> Result<HashMap<String, String>, Failure> {
    let mut found = HashMap::new();
    let look = |turn: &KeptResponse, wanted: &HashSet<&str>, found: &mut HashMap<String, String>| {
        if let Some(answer) = kept::answer(&turn.response) {
            kept::find(Turn { input: &turn.input, output: answer.output }, &turn.id, wanted, found);
        }
    };
    let wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
    turns.iter().rev().for_each(|turn| look(turn, &wanted, &mut found));
    let missing: Vec<&str> = wanted.into_iter().filter(|id| !found.contains_key(*id)).collect();
    let places = app.places_of_items(&owner(caller), &missing).await.map_err(Failure::Store)?;
    let mut homes: HashMap<&str, HashSet<&str>> = HashMap::new();
    for id in missing {
        if let Some(home) = places.get(id).map(String::as_str).or_else(|| kept::home(id)) {
            homes.entry(home).or_default().insert(id);
        }
    }
    for (home, wanted) in homes {
        if let Some(turn) = find(app, rules, caller, home).await? {
            look(&turn, &wanted, &mut found);
        }
    }
    Ok(found)
}

/// The turns up to this answer, oldest first. None: it, or what it goes on from, is unknown here, and maybe the upstream's.
async fn turns(app: &App, rules: KeptRules, caller: &Caller, last: &str) -> Result<Vec<Arc<KeptResponse>>, Failure> {
    let mut turns = VecDeque::new();
    let mut next = Some(last.to_string());
    while let Some(id) = next.take() {
        match find(app, rules, caller, &id).await? {
            Some(turn) if turn.leans => return Ok(Vec::new()),
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
        let items = kept::ids(answer.output).chain(kept::ids(&self.input)).map(str::to_string).collect();
        self.app.kept.keep(KeptResponse {
            id: answer.id.to_string(),
            owner: self.owner,
            created_at_ms: unix_ms(),
            previous: self.previous,
            input: self.input,
            response: answer.response.to_string(),
            leans: self.leans,
            items,
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
    if path == KeptPath::Get && ["stream", "starting_after"].iter().any(|name| asks(query, name)) {
        let words = "`stream`: an answer can be streamed again only if it was made in the background (`background: true`), which the gateway does \
                     not do; get it in one piece";
        return Err(Invalid::new("stream", words).into());
    }
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

fn asks(query: Option<&str>, name: &str) -> bool {
    crate::http::in_query(query, name).is_some_and(|value| value != "false")
}
