//! A request of the management API: its body is read, its route's handler asked, and what comes of it told in LiteLLM's form.

use std::sync::Arc;

use hyper::body::Incoming;
use tollgate_dialect::Dialect;

use super::attempt::Whole;
use super::authenticate::Caller;
use super::body;
use super::pieces;
use super::recorder::Recorder;
use super::reply::{self, Reply};
use crate::admin::desk::{Asked, Desk};
use crate::admin::error::{ApiError, told};
use crate::admin::field::Fields;
use crate::admin::query::Query;
use crate::admin::routes::{Output, ROUTES};
use crate::app::{App, Live};
use crate::config::model::Config;
use crate::failure::Failure;
use crate::unix_time::unix_ms;

/// A list of ten thousand ids fits.
const MOST_BYTES: usize = 4 * 1024 * 1024;

pub async fn answer(
    app: &Arc<App>,
    live: &Arc<Live>,
    caller: Caller,
    route: usize,
    arguments: Vec<String>,
    request: http::Request<Incoming>,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    let (parts, incoming) = request.into_parts();
    let sent = body::read(incoming, MOST_BYTES).await?;
    let answered = async {
        let desk = Desk::new(app.clone(), live.clone(), caller, unix_ms())?;
        let fields = Fields::parse(&sent)?;
        let asked = Asked { path: arguments, query: Query::new(parts.uri.query()), fields };
        (ROUTES[route].handler)(&desk, asked).await
    };
    match answered.await.map_err(Failure::Management)? {
        Output::Json(answer) => {
            let body =
                serde_json::to_vec(&answer).map_err(|error| Failure::Management(ApiError::Store(error.into())))?;
            Ok(reply::json(body, record))
        }
        Output::File(file) => Ok(pieces::reply(*file, record)),
    }
}

/// Errors of these paths, whatever they are, have one form.
pub fn refuse(failure: &Failure, config: &Config, record: &mut Recorder) -> Whole {
    let mut told = told(failure);
    // Of the others the message says all, and a value that is there already may be a hash.
    if let Failure::Management(ApiError::Store(error)) | Failure::Store(error) = failure
        && told.status >= 500
    {
        tracing::error!(request_id = %record.id, %error, "the database failed");
    }
    told.message = reply::without_secrets(told.message, config);
    Whole { body: told.body().to_string().into_bytes(), ..reply::error(Dialect::Chat, failure, config, record) }
}
