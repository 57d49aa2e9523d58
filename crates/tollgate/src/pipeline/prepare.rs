//! A body for one deployment, made from the client's.

use tollgate_dialect::answer;
use tollgate_dialect::error::{Change, ChangeKind};
use tollgate_dialect::hosted::BetasGo;
use tollgate_dialect::json::{Json, Text, Writer};
use tollgate_dialect::quirks::Replay;
use tollgate_dialect::request::{Message, Part, Request, Role, TextPart};
use tollgate_dialect::sealed::Seal;
use tollgate_dialect::thoughts::{TakesBack, takes_back};
use tollgate_dialect::{Dialect, Target, answer_context, decode_request, encode_request, forward_request};

mod converse;
mod fields;
mod gemini;

use super::betas;
use super::inbound::Inbound;
use super::restore::{self, Conversation, Parties};
use crate::app::Known;
use crate::config::model::{Deployment, ForceStream};
use crate::failure::Failure;
use crate::tokens::{self, Counted};

/// What goes up, and what is needed to understand the answer.
pub struct Prepared {
    pub body: Vec<u8>,
    pub changes: Vec<Change>,
    /// What the body is in, and the answer will be.
    pub dialect: Dialect,
    /// The upstream is asked for a stream.
    pub stream: bool,
    /// Client and deployment speak the same dialect, and the answer can go through as it is.
    pub same_dialect: bool,
    pub context: answer::Context,
    /// The prompt's tokens by our own count, where they were counted.
    pub counted_input: Option<Counted>,
    /// Where thoughts of this answer are to be kept for the client's next turn.
    pub conversation: Option<Conversation>,
}

pub struct Preparation<'p> {
    pub inbound: &'p Inbound,
    pub deployment: &'p Deployment,
    pub known: &'p Known,
    pub upstream_model: &'p str,
    pub seal: &'p Seal,
    pub recall: &'p tollgate_store::recall::Recall,
    /// The text of an answer that broke off and is to be gone on with.
    pub continuing: Option<&'p str>,
}

pub fn prepare(job: &Preparation<'_>) -> Result<Prepared, Failure> {
    let Preparation { inbound, deployment, known, .. } = job;
    let stream = upstream_stream(inbound, deployment, known);
    let label = format!("{}/{}", deployment.provider, job.upstream_model);
    let target = Target {
        model: job.upstream_model,
        label: &label,
        quirks: &known.quirks,
        drop_params: deployment.drop_params,
        max_output_tokens: known.max_output_tokens,
        stream,
        seal: job.seal,
    };
    let dialect = deployment.dialect_for(inbound.dialect, &known.quirks);
    let reencode = match dialect {
        Dialect::Chat => known.quirks.reencode,
        Dialect::Responses => known.quirks.reencode || known.quirks.plain_tools,
        Dialect::Messages => known.quirks.messages.reencode,
        Dialect::Gemini => known.quirks.gemini.reencode,
        // Every client is translated.
        Dialect::Converse => true,
    };
    let same_dialect = inbound.dialect == dialect && !reencode;
    let as_is = same_dialect && job.continuing.is_none() && !needs_rewriting(dialect, known);
    let mut prepared = if as_is {
        let encoded = forward_request(dialect, &inbound.body, &target)?;
        Prepared {
            body: encoded.body,
            changes: encoded.changes,
            dialect,
            stream,
            same_dialect,
            context: context_of(job, &target),
            counted_input: None,
            conversation: None,
        }
    } else {
        translate(job, dialect, &target, same_dialect)?
    };
    match dialect {
        Dialect::Gemini => gemini::configure(&mut prepared, deployment),
        Dialect::Converse => converse::configure(&mut prepared, deployment),
        Dialect::Messages | Dialect::Chat | Dialect::Responses => configure(&mut prepared, deployment),
    }
    if dialect == Dialect::Messages {
        host(&mut prepared, job);
    }
    Ok(prepared)
}

/// The client's own bytes for another endpoint of the Responses API, with the edits that a request gets in the same-dialect lane. What the
/// configuration adds to requests for an answer has no place in it; what it never sends is not sent either.
pub(super) fn as_it_is(
    inbound: &Inbound,
    deployment: &Deployment,
    known: &Known,
    model: &str,
    seal: &Seal,
) -> Result<Prepared, Failure> {
    let label = format!("{}/{model}", deployment.provider);
    let target = Target {
        model,
        label: &label,
        quirks: &known.quirks,
        drop_params: deployment.drop_params,
        max_output_tokens: known.max_output_tokens,
        stream: false,
        seal,
    };
    let encoded = forward_request(Dialect::Responses, &inbound.body, &target)?;
    let mut prepared = Prepared {
        body: encoded.body,
        changes: encoded.changes,
        dialect: Dialect::Responses,
        stream: false,
        same_dialect: true,
        context: answer::Context::default(),
        counted_input: None,
        conversation: None,
    };
    add_and_drop(&mut prepared, &[], &[], &deployment.drop_always);
    Ok(prepared)
}

/// The last edit: whoever hosts the model may want the body otherwise than Anthropic does.
fn host(prepared: &mut Prepared, job: &Preparation<'_>) {
    let hosting = job.known.quirks.messages.host.hosting();
    let line = match hosting.betas_go {
        BetasGo::Body => betas::line(job.deployment, job.known, job.inbound.for_messages()),
        BetasGo::Header => Vec::new(),
    };
    let line = String::from_utf8_lossy(&line);
    let betas: Vec<&str> = betas::split(&line).collect();
    prepared.body = hosting.body(std::mem::take(&mut prepared.body), &betas);
}

/// Where the client gets the answer in another form than it comes in, calls must find their way back to its tools. Elsewhere
/// its bytes go on.
fn context_of(job: &Preparation<'_>, target: &Target<'_>) -> answer::Context {
    let inbound = job.inbound;
    if inbound.dialect != Dialect::Responses || inbound.stream == target.stream {
        return answer::Context::default();
    }
    let request = decode_request(inbound.dialect, &inbound.body);
    request.map(|request| answer_context(inbound.dialect, &request, target)).unwrap_or_default()
}

fn translate(
    job: &Preparation<'_>,
    dialect: Dialect,
    target: &Target<'_>,
    same_dialect: bool,
) -> Result<Prepared, Failure> {
    let inbound = job.inbound;
    let mut request = decode_request(inbound.dialect, &inbound.body)?;
    let mut changes = Vec::new();
    if let Some(said) = job.continuing {
        go_on(&mut request, said, dialect, target);
    }
    let conversation = recall(job, dialect, target, &mut request, &mut changes);
    if dialect == Dialect::Converse {
        converse::add_betas(&mut request, job);
    }
    let encoded = encode_request(dialect, &request, target)?;
    changes.extend(encoded.changes);
    let counted_input =
        (inbound.stream && inbound.dialect == Dialect::Messages).then(|| tokens::count_quickly(&request));
    // An answer that is gone on with had its thoughts where the client does not have them.
    let keeps = conversation.filter(|_| !request.tools.is_empty() && job.continuing.is_none());
    let context = answer_context(dialect, &request, target);
    Ok(Prepared {
        body: encoded.body,
        changes,
        dialect,
        stream: target.stream,
        same_dialect,
        context: answer::Context { keep_thoughts: keeps.is_some(), ..context },
        counted_input,
        conversation: keeps,
    })
}

/// Gives thoughts back that the client dropped. `None`: this target has no use for them, or there is nothing to think about.
fn recall(
    job: &Preparation<'_>,
    dialect: Dialect,
    target: &Target<'_>,
    request: &mut Request<'_>,
    changes: &mut Vec<Change>,
) -> Option<Conversation> {
    let takes = takes_back(dialect, target.quirks);
    if takes == TakesBack::Nothing {
        return None;
    }
    let parties = Parties {
        caller: job.inbound.tenant,
        end_user: job.inbound.end_user.as_deref(),
        route: &job.deployment.group,
        upstream_model: job.upstream_model,
    };
    let conversation = Conversation::of(request, &parties)?;
    if !target.quirks.messages.earlier_thoughts {
        conversation.forget(job.recall, request);
    } else if restore::thoughts(request, &conversation, job.recall, takes) {
        changes.push(Change::new(ChangeKind::Restored, "thinking"));
    }
    Some(conversation)
}

/// What the user says where the beginning of an answer is not taken as such.
const GO_ON: &str = "Your last message was cut off by a fault of the network. Continue it exactly where it stops: repeat nothing, and \
                     write no introduction.";

/// Adds an answer that broke off. A Messages model without thoughts goes on with what stands last; every other is asked to, since chat
/// servers take a last message of the assistant and then begin a new one.
fn go_on(request: &mut Request<'_>, said: &str, dialect: Dialect, target: &Target<'_>) {
    let prefills = dialect == Dialect::Messages && target.quirks.messages.prefill && request.reasoning.is_none();
    // A beginning that ends in white space is refused (Anthropic).
    let said = if prefills { said.trim_end() } else { said };
    let text = |text: &str| Part::Text(TextPart { text: Text::plain(text), cache: None });
    request.messages.push(Message { role: Role::Assistant, parts: vec![text(said)] });
    if !prefills {
        request.messages.push(Message { role: Role::User, parts: vec![text(GO_ON)] });
    }
}

/// Chat servers whose history needs more than passing on get it re-encoded even from a chat client.
fn needs_rewriting(dialect: Dialect, known: &Known) -> bool {
    use tollgate_dialect::quirks::IdForm;
    dialect == Dialect::Chat
        && (known.quirks.replay != Replay::Never
            || known.quirks.thought_signatures
            || known.quirks.string_content
            || known.quirks.strict_alternation
            || known.quirks.tool_ids != IdForm::Any)
}

fn upstream_stream(inbound: &Inbound, deployment: &Deployment, known: &Known) -> bool {
    match deployment.force_stream {
        ForceStream::Always => true,
        ForceStream::Never => false,
        ForceStream::Auto => {
            let asked = inbound.max_tokens.unwrap_or(0);
            let tokens = known.max_output_tokens.map_or(asked, |cap| asked.min(cap));
            inbound.stream
                || inbound.stream_upstream
                || known.quirks.stream_only
                || known.quirks.nonstream_max_tokens.is_some_and(|limit| tokens > limit)
        }
    }
}

/// The names of chat's limit of the answer, in which the configuration gives it.
const TOKEN_LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];
const RESPONSES_LIMIT: &str = "max_output_tokens";

/// What the deployment's configuration says about the body: defaults where the request has nothing, `extra_body` in any case,
/// and `additional_drop_params` never. Additions go to the front, so that the conversation's bytes keep their place.
pub(super) fn configure(prepared: &mut Prepared, deployment: &Deployment) {
    add_and_drop(prepared, &deployment.defaults, &deployment.extra_body, &deployment.drop_always);
}

fn add_and_drop(
    prepared: &mut Prepared,
    defaults: &[(String, Json<'static>)],
    extra: &[(String, Json<'static>)],
    dropped: &[String],
) {
    if defaults.is_empty() && extra.is_empty() && dropped.is_empty() {
        return;
    }
    let Ok(fields) = serde_json::from_slice::<Fields<'_>>(&prepared.body) else { return };
    let mut out = Writer::with_capacity(prepared.body.len() + 256);
    out.open_object();
    for (name, value) in extra {
        out.key(name).json(value);
    }
    let limit = |name: &str| TOKEN_LIMITS.contains(&name) && prepared.dialect == Dialect::Responses;
    for (name, value) in defaults {
        let name = if limit(name) { RESPONSES_LIMIT } else { name };
        if !fields.has(name) && !extra.iter().any(|(n, _)| n == name) {
            out.key(name).json(value);
        }
    }
    for (name, value) in &fields.0 {
        if dropped.iter().any(|n| *n == *name.decode()) {
            prepared.changes.push(Change::dropped(name.decode()));
        } else if !extra.iter().any(|(n, _)| *n == *name.decode()) {
            out.key(name.escaped()).json(value);
        }
    }
    out.close_object();
    prepared.body = out.out;
}

/// The top-level fields of an object, in order.
struct Fields<'a>(Vec<(Text<'a>, Json<'a>)>);

impl Fields<'_> {
    /// The two names of chat's token limit count as one.
    fn has(&self, name: &str) -> bool {
        let same = |n: &str| TOKEN_LIMITS.contains(&name) && TOKEN_LIMITS.contains(&n);
        self.0.iter().any(|(n, _)| n.escaped() == name || same(n.escaped()))
    }
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
