//! READ THIS FIRST: what happens to a request, top to bottom.
//!
//! ```text
//! client ─▶ authenticate ▶ read ▶ route ▶ admit ▶ [ turn ▶ prepare ▶ send ▶ relay ] per attempt ─▶ client
//! ```
//!
//! Each step's result is a typed value that the next one needs. The part in brackets is one future, the *driver*: until the
//! answer is committed the handler polls it, after that the response body does. So no task is spawned to answer a request, and a client that goes
//! away drops the driver and with it the connection to the upstream.

mod access;
pub(crate) mod admit;

pub(crate) mod attempt;
mod authenticate;
mod betas;
mod bill;
mod body;
mod catalog;
mod check;
mod count;
mod counter;
pub(crate) mod exchange;
mod fare;
mod fit;
mod flow;
pub(crate) mod inbound;
mod kept;
mod line;
mod manage;
mod operation;
mod output_limit;
mod pass_through;
mod passing;
mod pieces;
pub(crate) mod prepare;
mod quotes;
mod rate_headers;
mod recorder;
mod records;
mod relay;
mod reply;
mod restore;
mod retried;
pub(crate) mod route;
mod said;
mod session;
mod spend;
mod tap;
mod tenant;
mod toll;
mod translating;
mod tries;
mod turn;
mod unpack;
mod upstream_limits;
mod wishes;

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use tollgate_dialect::Dialect;

use crate::app::{App, Live};
use crate::failure::Failure;
use crate::health::report;
use crate::http::{Endpoint, NoEndpoint, endpoint, in_query, shown, without_provider};
use inbound::Inbound;
use recorder::Recorder;
pub use reply::{Reply, ReplyBody};
use retried::{Course, Marks};
use tenant::Tenant;
pub(crate) use {authenticate::Caller, check::check, reply::public, reply::without_secrets, route::chance};

/// Answers any request. Errors are answers too, in the dialect of the path.
pub async fn handle(app: Arc<App>, address: Option<IpAddr>, request: http::Request<Incoming>) -> Reply {
    let mut record = Recorder::begin(app.clone(), &request);
    let live = app.live();
    let found = match pass_through::find(&live, request.method(), request.uri().path()) {
        Some(passes) => Ok(passes),
        None => endpoint(request.method(), without_provider(request.uri().path())),
    };
    let dialect = match &found {
        Ok(Endpoint::Generate { dialect, .. }) => *dialect,
        Ok(Endpoint::Operate { operation, speaks, .. }) => operation::dialect_of(*operation, *speaks),
        Ok(Endpoint::Kept { .. }) => Dialect::Responses,
        Ok(Endpoint::CountTokens { dialect, .. }) => *dialect,
        _ => authenticate::dialect_of(request.headers(), request.uri().path()),
    };
    let manages = matches!(found, Ok(Endpoint::Manage { .. }));
    match answer(app, address, &live, request, found, dialect, &mut record).await {
        Ok(reply) => reply,
        Err(failure) if manages => manage::refuse(&failure, &live.config, &mut record).into(),
        Err(failure) => reply::error(dialect, &failure, &live.config, &mut record).into(),
    }
}

async fn answer(
    app: Arc<App>,
    address: Option<IpAddr>,
    live: &Arc<Live>,
    request: http::Request<Incoming>,
    found: Result<Endpoint, NoEndpoint>,
    dialect: Dialect,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    let endpoint = found.map_err(|why| inbound::no_endpoint(&request, why))?;
    // Whether the gateway is there is nobody's secret.
    if matches!(endpoint, Endpoint::Alive | Endpoint::Ready | Endpoint::Hello) {
        return Ok(catalog::health(&app, &endpoint, record));
    }
    let path = shown(without_provider(request.uri().path())).into_owned();
    authenticate::everybody_may(live, &path, address)?;
    if let Endpoint::PassThrough { index, rest } = &endpoint {
        return pass_through::answer(&app, live, address, (*index, rest), request, record).await;
    }
    let key_in_query = in_query(request.uri().query(), "key").filter(|_| dialect == Dialect::Gemini);
    let caller = authenticate::caller(&app, live, request.headers(), key_in_query.as_deref(), address).await?;
    caller.may(live, &path, None)?;
    caller.note_use(&app);
    match endpoint {
        Endpoint::Generate { dialect, model } => {
            let marks = Marks::of(live, &request)?;
            let inbound = inbound::read(live, dialect, model, request).await?;
            call(app, live, caller, (&path, marks), inbound, record).await
        }
        Endpoint::Operate { operation, speaks, model } => {
            let marks = Marks::of(live, &request)?;
            let inbound = operation::read(live, (operation, speaks), model, request).await?;
            call(app, live, caller, (&path, marks), inbound, record).await
        }
        Endpoint::CountTokens { dialect, model } => {
            count::answer(&app, live, caller, (dialect, model), request, record).await
        }
        Endpoint::Models => Ok(catalog::models(live, &caller, dialect, record)),
        Endpoint::Model(id) => catalog::model(live, &caller, &id, dialect, record),
        Endpoint::Health => {
            let body = report::answer(&app, live, request.method(), request.uri().query()).await?;
            Ok(reply::json(body, record))
        }
        Endpoint::Metrics => Ok(catalog::metrics(&app, live, record)),
        Endpoint::Manage { route, arguments } => {
            manage::answer(&app, live, caller, route, arguments, request, record).await
        }
        Endpoint::Requests => records::latest(&app, request.uri().query(), record).await,
        Endpoint::Request(id) => records::one(&app, id, record).await,
        Endpoint::Kept { path, id } => kept::answer(&app, live, &caller, path, id, request.uri().query(), record).await,
        Endpoint::PassThrough { .. } => Err(Failure::Internal("a path of another server is answered above")),
        Endpoint::Alive | Endpoint::Ready | Endpoint::Hello => Ok(catalog::health(&app, &endpoint, record)),
    }
}

/// A call of a model. `marks`: by which its client tells that it sends it again.
async fn call(
    app: Arc<App>,
    live: &Arc<Live>,
    caller: Caller,
    (path, marks): (&str, Option<Marks>),
    mut inbound: Inbound,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    let caller = caller.calling(live, path, &inbound.model);
    inbound.end_user = caller.end_user.clone().or(inbound.end_user);
    inbound.tenant = caller.tenant;
    record.requested(&inbound);
    record.capture(live, inbound.capture.take());
    let route = access::route(live, &caller, path, &mut inbound)?;
    let end_user = access::end_user(&app, live, &caller, &inbound).await?;
    let ticket = match marks {
        Some(marks) => match marks.course(&app.answers, caller.tenant, path, &inbound, record).await? {
            Course::Replay(reply) => return Ok(reply),
            Course::Ask(ticket) => ticket,
        },
        None => None,
    };
    let keeping = kept::go_on(&app, live, &caller, &route, &mut inbound).await?;
    let asking = admit::Admitting { app: &app, live, caller: &caller, end_user, request_id: &record.id };
    record.admission = asking.admit(&mut inbound, &route).await?;
    record.changes = inbound.changes.clone();
    let driver = Box::new(attempt::Driver::new(app, live.clone(), inbound, route, record.take()));
    let reply = kept::watched(reply::from_driver(driver).await, keeping);
    Ok(retried::taken_down(reply, ticket))
}
