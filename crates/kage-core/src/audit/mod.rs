//! Append-only record of who used which secret, when and where. The format is in
//! `docs/audit-log.md`.
//!
//! - An event has no field that can hold a value; this module does not know the type of values.
//! - Of a command, only the program's name is kept, never its arguments.
//! - The log is the user's: nothing in a repository can move it or switch it off.

mod event;
mod log;

pub use event::{Action, Actor, Event};
pub use log::AuditLog;
