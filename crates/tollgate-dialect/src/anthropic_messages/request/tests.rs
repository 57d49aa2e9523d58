mod decoding;
mod encoding;
mod forms;

const TURN: &str = include_str!("../../../fixtures/anthropic_messages/requests/claude_code_turn.json");
