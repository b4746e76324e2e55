//! All that kage says.
//!
//! - stdout carries data that another program might read, and nothing else.
//! - stderr carries everything else: progress, `warning:`, `error:`, `hint:`.
//! - Questions and passphrases go to the terminal itself ([`terminal`]), so that they work when
//!   both streams are piped, and fail plainly where there is no terminal.
//! - Colour never carries meaning alone; `NO_COLOR` is honoured.
//! - Text that kage did not write passes through [`printable`].

pub(crate) mod table;
pub(crate) mod terminal;
mod text;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};

pub(crate) use text::{ago, amount, brief, day, expiry, listed, printable, until};

/// How wide the table may be where the terminal does not say.
const FALLBACK_COLUMNS: u16 = 80;

/// What kind of line a message is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warning,
    /// What to do.
    Hint,
}

/// How messages look on stderr.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    styled: bool,
}

impl Ui {
    /// Looks at stderr; `plain`: no colour, whatever it is.
    pub(crate) fn new(plain: bool) -> Self {
        Self { styled: !plain && io::stderr().is_terminal() }
    }

    /// Says `text` on stderr behind its mark.
    pub(crate) fn say_marked(self, mark: Mark, text: impl Display) {
        let (word, colour) = match mark {
            Mark::Error => ("error:", AnsiColor::Red),
            Mark::Warning => ("warning:", AnsiColor::Yellow),
            Mark::Hint => ("hint:", AnsiColor::Cyan),
        };
        let style = if self.styled { colour.on_default().bold() } else { Style::new() };
        say(format_args!("{style}{word}{style:#} {text}"));
    }

    /// Says that something is not as it should be.
    pub(crate) fn warn(self, text: impl Display) {
        self.say_marked(Mark::Warning, text);
    }
}

/// Writes `text` and a line end to stdout.
pub(crate) fn print(text: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes `bytes` to stdout as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes `value` to stdout as JSON that no terminal obeys.
pub(crate) fn print_json(value: &impl serde::Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    print(text::plain_json(&text))
}

/// Says `text` on stderr. What cannot be said is lost: there is nowhere else to say it.
pub(crate) fn say(text: impl Display) {
    writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
}

/// Returns how wide a table on stdout may be; `None` where nothing limits it.
pub(crate) fn columns() -> Option<u16> {
    if !stdout_is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(io::stdout());
    Some(size.map_or(FALLBACK_COLUMNS, |size| size.ws_col).max(1))
}

/// Returns whether a person reads stdout directly.
pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}
