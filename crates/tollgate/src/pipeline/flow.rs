//! From shaped events to the client: what is held back, and what goes where.

use std::time::Duration;

use tokio::time::Instant;
use tollgate_dialect::Collector;
use tollgate_dialect::event::Event;

use super::line::Line;
use super::recorder::Recorder;

/// Where the events go.
pub enum Sink {
    /// The client's stream.
    Encoder,
    /// One body for the client.
    Collector(Box<Collector>),
    /// The upstream's own bytes go on; events are only watched.
    Bytes,
}

/// What has come so far and is not yet with the client.
#[derive(Default)]
pub struct Flow {
    /// Events go on: something that the client sees has come and was held back as long as configured.
    pub may_go: bool,
    /// How long after the first content, and for how many events, the start is held back: an early end fails over unseen.
    hold: Duration,
    hold_events: usize,
    /// From the first content on.
    held_until: Option<Instant>,
    held_events: usize,
    /// The client has the answer's beginning already.
    continues: bool,
    /// Events before the first content.
    held: Vec<Event<'static>>,
    /// In the same-dialect lane, the bytes before the first content.
    pub held_bytes: Vec<u8>,
    /// The last frame of the upstream that went on had no blank line behind it.
    pub unended: bool,
}

/// With a number of events alone, the start of a slow stream is held back no longer than this.
const LONGEST_HOLD: Duration = Duration::from_secs(1);

impl Flow {
    pub fn new(hold: Duration, hold_events: usize, continues: bool) -> Flow {
        Flow { hold, hold_events, continues, ..Flow::default() }
    }

    /// Until when the start is held back; `None`: it is not.
    pub fn holding(&self) -> Option<Instant> {
        self.held_until.filter(|_| !self.may_go)
    }

    /// Takes note of an event's coming.
    fn note(&mut self, event: &Event<'_>) {
        if self.may_go || (self.held_until.is_none() && !event.bears_content()) {
            return;
        }
        if self.hold.is_zero() && self.hold_events == 0 {
            self.may_go = true;
            return;
        }
        let now = Instant::now();
        let longest = if self.hold.is_zero() { LONGEST_HOLD } else { self.hold };
        let until = *self.held_until.get_or_insert(now + longest);
        self.held_events += 1;
        self.may_go = now >= until || (self.hold_events > 0 && self.held_events > self.hold_events);
    }

    /// Commits the answer and sends what was held back.
    pub fn release(&mut self, line: &mut Line, record: &Recorder) {
        line.commit();
        if !line.content_sent {
            record.first_content();
        }
        line.content_sent = true;
        for event in self.held.drain(..) {
            send(&event, line);
        }
    }
}

fn send(event: &Event<'_>, line: &mut Line) {
    if let Some(said) = &mut line.said {
        said.note(event);
    }
    line.encode(|encoder, out| encoder.push(event, out));
}

/// Once an answer is gone on with, its opening and the thoughts before its text are over.
fn is_of_the_beginning(event: &Event<'_>) -> bool {
    matches!(event, Event::Start { .. } | Event::Thinking(_) | Event::ThinkingState(_) | Event::Redacted(_))
}

pub fn deliver(event: &Event<'_>, sink: &mut Sink, line: &mut Line, record: &Recorder, flow: &mut Flow) {
    if flow.continues && is_of_the_beginning(event) {
        return;
    }
    flow.note(event);
    match sink {
        Sink::Encoder if flow.may_go => {
            flow.release(line, record);
            send(event, line);
        }
        Sink::Encoder => flow.held.push(event.clone().into_owned()),
        Sink::Collector(collector) => collector.push(event),
        Sink::Bytes => {}
    }
}
