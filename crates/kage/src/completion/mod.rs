//! What a shell offers behind a half-typed command of kage: its commands and options, and what
//! [`live`] finds.
//!
//! The scripts of the shells ask the hidden command [`COMMAND`]. It answers in lines, each a
//! candidate, a tab and what it is; where anything goes wrong there are none. A script hands what
//! stands behind `--` back to its shell: that is another program's command line.

pub(crate) mod live;

use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::engine::{self, CompletionCandidate};

use crate::cli::Cli;
use crate::ui::{self, printable};

/// The hidden command that the scripts start.
pub(crate) const COMMAND: &str = "__complete";

/// A shell that kage knows how to complete for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

/// A half-typed command.
#[derive(Debug, clap::Args)]
pub(crate) struct Question {
    /// The word that is being typed, up to the cursor
    #[arg(long, value_name = "WORD", default_value = "", allow_hyphen_values = true)]
    current: OsString,
    /// The words before it, beginning with `kage`
    #[arg(value_name = "WORD", last = true)]
    words: Vec<OsString>,
}

impl Shell {
    /// Returns the script that makes the shell ask kage.
    pub(crate) const fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("kage.bash"),
            Self::Zsh => include_str!("kage.zsh"),
            Self::Fish => include_str!("kage.fish"),
            Self::Powershell => include_str!("kage.ps1"),
            Self::Elvish => include_str!("kage.elv"),
        }
    }
}

/// Writes what may stand in the place of the word that is being typed, in `directory`.
///
/// # Errors
/// When stdout is closed.
pub(crate) fn answer(question: Question, directory: Option<&Path>) -> std::io::Result<()> {
    let Question { current, mut words } = question;
    let index = words.len();
    words.push(current.clone());
    // The engine fails where a word before this one makes no sense: then there is nothing to offer.
    let found = engine::complete(&mut Cli::command(), words, index, directory).unwrap_or_default();
    let current = current.to_string_lossy();
    let mut lines: Vec<_> = found.iter().filter_map(|found| line(found, &current)).collect();
    let option = |line: &String| line.starts_with('-');
    if current.is_empty() && !lines.iter().all(option) {
        lines.retain(|line| !option(line));
    }
    lines.iter().try_for_each(ui::print)
}

/// Writes a candidate as a line; `None` where it could move the cursor or be taken for two.
fn line(candidate: &CompletionCandidate, current: &str) -> Option<String> {
    // Of a command's names the engine offers the first by the alphabet: its own is better.
    let command = candidate.get_id().and_then(|id| id.strip_prefix("command::"));
    let command = command.filter(|name| name.starts_with(current));
    let value = command.or_else(|| candidate.get_value().to_str())?;
    if printable(value) != value {
        return None;
    }
    let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    let help = printable(help.lines().next().unwrap_or_default());
    Some(if help.is_empty() { value.to_owned() } else { format!("{value}\t{help}") })
}
