//! The command line of kage: parses, asks the library, prints.
#![forbid(unsafe_code)]

mod cli;
mod clipboard;
mod commands;
mod context;
mod env_vars;
mod exit;
mod failure;
mod inside;
mod scope;
mod ui;

use std::panic;
use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic is a bug in kage: it says where, and never what was in hand.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        ui::say(format_args!("error: kage has a bug and stopped at {place}"));
    }));
    panic::catch_unwind(|| cli::run(std::env::args_os()))
        .unwrap_or_else(|_| ExitCode::from(exit::BUG))
}
