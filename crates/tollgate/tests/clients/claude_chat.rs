//! Claude Code on a model behind an OpenAI-compatible endpoint (S01).

mod agents;
mod catalog;
mod faults;
mod history;
mod launch;
mod mcp;
mod media;
mod outages;
mod settings;
mod strict;
mod terminal;
mod thinking;
mod tools;
