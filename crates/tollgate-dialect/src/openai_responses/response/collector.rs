//! Events to one body.

use crate::AnswerHead;
use crate::event::Event;
use crate::openai_responses::stream::Encoder;
use crate::sealed::Seal;

/// The stream's own encoder makes the items: the last event of a stream holds the same answer as a body.
pub struct Collector {
    encoder: Encoder,
    frames: Vec<u8>,
}

impl Collector {
    pub fn new(head: AnswerHead, seal: Seal) -> Collector {
        Collector { encoder: Encoder::new(head, seal), frames: Vec::new() }
    }

    pub fn push(&mut self, event: &Event<'_>) {
        self.frames.clear();
        self.encoder.push(event, &mut self.frames);
    }

    pub fn finish(self) -> Vec<u8> {
        self.encoder.into_response()
    }
}
