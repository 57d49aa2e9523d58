//! Puts the events of an answer in order, and repairs in them what clients cannot take.

mod calls;
mod ids;
mod sample;
mod stop;
#[cfg(test)]
mod tests;
mod thoughts;

use std::collections::HashSet;

pub use calls::MAX_BUFFERED_BYTES;
pub use sample::{OutputSample, SAMPLE_BYTES};
pub use thoughts::{LedCall, Thought};

use crate::error::{AnswerError, ErrorKind, Scope, UpstreamError};
use crate::event::{Event, StopReason};
use crate::json::Text;
use crate::names::NameMap;
use crate::usage::Usage;
use calls::Calls;
use ids::Ids;
use stop::StopFinder;
use thoughts::Thoughts;

/// More thinking than this in one answer, words and state, is not kept for later turns.
pub const MAX_THINKING_BYTES: usize = 256 << 10;

/// Where shaped events go.
pub type Emit<'f> = &'f mut dyn FnMut(Event<'_>);

/// What is known of the conversation before its answer begins.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Ids of the tool calls that the conversation already has, unescaped.
    pub tool_ids: HashSet<String>,
    /// From tool names as they were sent to the client's own.
    pub names: NameMap,
    /// The client's names of tools that take free text.
    pub freeform: HashSet<String>,
    /// Stop sequences that the target could not take.
    pub stop: Vec<String>,
    /// From this and their position, calls without an id get one: something that is the same when a turn is repeated.
    pub id_seed: String,
    /// The thoughts are wanted later: see [`Shaper::led_calls`].
    pub keep_thoughts: bool,
}

/// Stands between an upstream's decoder and a client's encoder. What it gives out keeps these promises:
///
/// * at most one [`Event::Start`], before all else; [`Event::Usage`] and [`Event::Finish`] once, at the end;
/// * tool calls come one after another, numbered by `slot` from 0, each with a start, at least one input and an end, with an
///   id that is new to the conversation and with the client's name for the tool;
/// * no empty text or thinking, nothing after a stop sequence;
/// * the stop reason fits the content, and an answer without one is an error.
#[derive(Debug)]
pub struct Shaper {
    names: NameMap,
    ids: Ids,
    calls: Calls,
    stop: StopFinder,
    stopped: Option<Text<'static>>,
    usage: Usage,
    finish: Option<(StopReason, Option<Text<'static>>)>,
    progress: Progress,
    sample: OutputSample,
    /// `None`: not wanted.
    thoughts: Option<Box<Thoughts>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// Nothing came from the upstream.
    Nothing,
    /// Something came, and nothing went out.
    Heard,
    /// Something went out.
    Begun,
    Done,
}

impl Shaper {
    pub fn new(context: Context) -> Shaper {
        Shaper {
            names: context.names,
            ids: Ids::new(context.tool_ids, context.id_seed),
            calls: Calls::new(context.freeform),
            stop: StopFinder::new(&context.stop),
            stopped: None,
            usage: Usage::default(),
            finish: None,
            progress: Progress::Nothing,
            sample: OutputSample::default(),
            thoughts: context.keep_thoughts.then(Box::default),
        }
    }

    /// Takes the upstream's next event. After an error the answer cannot go on.
    pub fn push(&mut self, event: Event<'_>, emit: Emit<'_>) -> Result<(), AnswerError> {
        self.watched(emit, |shaper, emit| shaper.shape(event, emit))
    }

    /// What goes out while `shape` runs is looked at for thoughts, where they are wanted.
    fn watched<T>(&mut self, emit: Emit<'_>, shape: impl FnOnce(&mut Shaper, Emit<'_>) -> T) -> T {
        let Some(mut thoughts) = self.thoughts.take() else { return shape(self, emit) };
        let shaped = shape(self, &mut |event| {
            thoughts.note(&event);
            emit(event);
        });
        self.thoughts = Some(thoughts);
        shaped
    }

    fn shape(&mut self, event: Event<'_>, emit: Emit<'_>) -> Result<(), AnswerError> {
        self.progress = self.progress.max(Progress::Heard);
        self.note(&event);
        match event {
            Event::Start { usage, .. } if self.progress == Progress::Heard => {
                self.progress = Progress::Begun;
                self.usage.update(&usage);
                emit(event);
            }
            Event::Start { usage, .. } | Event::Usage(usage) => self.usage.update(&usage),
            Event::Finish { reason, stop_sequence } => {
                self.finish = Some((reason, stop_sequence.map(Text::into_owned)))
            }
            _ if self.stopped.is_some() => {}
            Event::Text(text) if text.is_empty() => {}
            Event::Thinking(text) | Event::Refusal(text) if text.is_empty() => {}
            Event::Text(text) => self.text(text, emit),
            Event::ToolStart { slot, id, name } => {
                self.end_text(emit);
                let name = self.names.restore(name);
                self.progress = Progress::Begun;
                self.calls.start(slot, id, name, &mut self.ids, emit)?;
            }
            Event::ToolInput { slot, json } => {
                self.end_text(emit);
                self.calls.input(slot, json, &mut self.ids, emit)?;
            }
            Event::ToolEnd { slot } => {
                // The next call may begin with this one's end: text that was held back stands before it.
                self.end_text(emit);
                self.calls.end(slot, &mut self.ids, emit)?;
            }
            Event::Thinking(_)
            | Event::ThinkingState(_)
            | Event::Redacted(_)
            | Event::Freeform { .. }
            | Event::Refusal(_)
            | Event::Server(_)
            | Event::Citation(_) => {
                self.end_text(emit);
                self.calls.close_open(emit);
                self.progress = Progress::Begun;
                emit(event);
            }
        }
        Ok(())
    }

    /// The upstream's answer is complete: what was held back goes out, then the usage and the stop reason.
    pub fn finish(&mut self, emit: Emit<'_>) -> Result<(), AnswerError> {
        self.watched(emit, Shaper::end)
    }

    fn end(&mut self, emit: Emit<'_>) -> Result<(), AnswerError> {
        if self.progress == Progress::Done {
            return Ok(());
        }
        let (reason, stop_sequence) = match (self.stopped.take(), self.finish.take()) {
            (Some(sequence), _) => (StopReason::StopSequence, Some(sequence)),
            (None, Some((StopReason::Failed, _))) => return Err(failed_without_words()),
            (None, Some(finish)) => finish,
            (None, None) if self.progress == Progress::Nothing => return Err(AnswerError::Empty),
            (None, None) => return Err(AnswerError::Cut),
        };
        self.end_text(emit);
        self.calls.finish(&mut self.ids, emit)?;
        self.progress = Progress::Done;
        let (reason, stop_sequence) = match reason {
            StopReason::MaxTokens | StopReason::ContextWindow | StopReason::Refusal => (reason, None),
            _ if self.calls.any() => (StopReason::ToolUse, None),
            StopReason::ToolUse => (StopReason::EndTurn, None),
            _ => (reason, stop_sequence),
        };
        if self.usage != Usage::default() {
            emit(Event::Usage(self.usage));
        }
        emit(Event::Finish { reason, stop_sequence });
        Ok(())
    }

    /// The answer's beginning has come, of which an upstream that bills by tokens has billed the prompt.
    pub fn has_begun(&self) -> bool {
        self.progress >= Progress::Begun || self.usage != Usage::default()
    }

    /// What the upstream has said of the usage so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// For estimating the output's tokens where the upstream does not tell them.
    pub fn sample(&self) -> &OutputSample {
        &self.sample
    }

    /// A stop sequence was found: nothing more will go out before [`finish`](Shaper::finish), so the upstream may be let go.
    pub fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The calls that thoughts led to, with these. None where they were not to be kept, or are too long, or where a client may not
    /// keep their place in the answer.
    pub fn led_calls(&self) -> &[LedCall] {
        self.thoughts.as_deref().map_or(&[], Thoughts::led)
    }

    fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) | Event::Thinking(text) | Event::Refusal(text) => self.sample.add(text),
            Event::ToolStart { name, .. } => self.sample.add(name),
            Event::ToolInput { json, .. } => self.sample.add(json),
            _ => {}
        }
    }

    fn text(&mut self, text: Text<'_>, emit: Emit<'_>) {
        self.calls.close_open(emit);
        if self.stop.is_idle() {
            self.progress = Progress::Begun;
            emit(Event::Text(text));
            return;
        }
        let (free, matched) = self.stop.push(&text);
        self.stopped = matched.map(|sequence| Text::plain(&sequence));
        if !free.is_empty() {
            self.progress = Progress::Begun;
            emit(Event::Text(free));
        }
    }

    /// Text that was held as the possible beginning of a stop sequence goes out.
    fn end_text(&mut self, emit: Emit<'_>) {
        let held = self.stop.flush();
        if !held.is_empty() {
            self.progress = Progress::Begun;
            emit(Event::Text(held));
        }
    }
}

pub(crate) fn failed_without_words() -> AnswerError {
    AnswerError::Upstream(Box::new(UpstreamError {
        status: 502,
        kind: ErrorKind::Api,
        scope: Scope::Unsaid,
        message: "the upstream ended its answer with an error as the finish reason and gave no explanation".into(),
        code: None,
        param: None,
        overflow: None,
        retry_after: None,
        temporary: true,
    }))
}
