//! Questions to the person at the terminal: on the terminal itself, whatever the streams are.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use kage_core::secret::SecretValue;
use kage_core::store::Attendant;
use rpassword::ConfigBuilder;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetpgrp, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use zeroize::Zeroizing;

/// The controlling terminal of a process.
const TTY: &str = "/dev/tty";

/// How long the rest of a pasted text may take to arrive after its first line.
const PASTE_GAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Why an answer could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// There is no terminal, or this process runs behind it.
    #[error("there is no terminal to ask on")]
    NoTerminal,
    /// Ctrl-C, Ctrl-D, or the terminal went away.
    #[error("nothing was entered")]
    Cancelled,
    /// More than one line arrived at once, such as a pasted key file.
    #[error("more than one line was pasted, and a prompt takes only one")]
    SeveralLines,
    /// The terminal failed.
    #[error("cannot use the terminal")]
    Io(#[from] io::Error),
}

/// Opens the terminal, if this process may use it now: a job in the background may not.
fn open() -> Result<File, AskError> {
    let Ok(tty) = OpenOptions::new().read(true).write(true).open(TTY) else {
        return Err(AskError::NoTerminal);
    };
    match tcgetpgrp(&tty) {
        Ok(group) if group == rustix::process::getpgrp() => Ok(tty),
        _ => Err(AskError::NoTerminal),
    }
}

/// Returns whether somebody can be asked now.
pub(crate) fn is_there() -> bool {
    open().is_ok()
}

/// Asks for one line without showing it.
pub(crate) fn ask_hidden(question: &str) -> Result<SecretValue, AskError> {
    let tty = open()?;
    let config = ConfigBuilder::new().input_file_path(TTY).output_file_path(TTY).build();
    // `rpassword` shows the question before it hides what is typed, so the terminal is silenced
    // here, first.
    let silence = Silence::over(&tty)?;
    let line = rpassword::prompt_password_with_config(question, config);
    let more = more_arrives(&tty);
    drop(silence);
    let line = Zeroizing::new(line.map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => interrupted(),
        io::ErrorKind::UnexpectedEof => AskError::Cancelled,
        _ => AskError::Io(error),
    })?);
    if more? { Err(AskError::SeveralLines) } else { Ok(SecretValue::copy_of(line.as_bytes())) }
}

/// Ends this process by Ctrl-C, now that the terminal is as it was.
fn interrupted() -> AskError {
    let ended = signal_hook::low_level::emulate_default_handler(SIGINT);
    ended.map_or_else(AskError::Io, |()| AskError::Cancelled)
}

/// A terminal that neither shows what is typed nor makes signals of it, until this is dropped. A
/// signal that ends the process restores the terminal first.
struct Silence<'a> {
    tty: &'a File,
    before: Termios,
    watching: Handle,
    watcher: Option<JoinHandle<()>>,
}

/// The signals that end a process unless it does something about them.
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Whether the signals do what they always do: not while a terminal is silent.
static USUAL: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Returns the switch for the signals, which are registered once: the system's own handlers do not
/// come back.
fn usual() -> io::Result<&'static AtomicBool> {
    if USUAL.get().is_none() {
        let usual = Arc::new(AtomicBool::new(true));
        for signal in ENDING {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&usual))?;
        }
        return Ok(USUAL.get_or_init(|| usual));
    }
    Ok(USUAL.get_or_init(Arc::default))
}

impl<'a> Silence<'a> {
    fn over(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG;
        let usual = usual()?;
        let mut signals = Signals::new(ENDING)?;
        let watching = signals.handle();
        let (restored, other_tty) = (before.clone(), tty.try_clone()?);
        let watcher = std::thread::spawn(move || {
            for signal in signals.forever() {
                tcsetattr(&other_tty, OptionalActions::Now, &restored).unwrap_or_default();
                signal_hook::low_level::emulate_default_handler(signal).unwrap_or_default();
            }
        });
        usual.store(false, Ordering::SeqCst);
        tcsetattr(tty, OptionalActions::Now, &silent)?;
        Ok(Self { tty, before, watching, watcher: Some(watcher) })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        self.watching.close();
        // It only waits; that it cannot be joined changes nothing.
        self.watcher.take().map(JoinHandle::join).transpose().unwrap_or_default();
        // A terminal that is gone needs nothing.
        tcsetattr(self.tty, OptionalActions::Now, &self.before).unwrap_or_default();
        if let Some(usual) = USUAL.get() {
            usual.store(true, Ordering::SeqCst);
        }
    }
}

/// Returns whether input waits behind the line that was read, and drops it: the rest of a pasted
/// value must not become a command of the shell that comes next.
fn more_arrives(tty: &File) -> io::Result<bool> {
    let mut waiting = [PollFd::new(tty, PollFlags::IN)];
    if poll(&mut waiting, Some(&PASTE_GAP))? == 0 {
        return Ok(false);
    }
    tcflush(tty, QueueSelector::IFlush)?;
    Ok(true)
}

/// Asks a question that only `y` or `yes` affirms.
pub(crate) fn confirm(question: &str) -> Result<bool, AskError> {
    let mut tty = open()?;
    write!(tty, "{question} [y/N] ")?;
    let mut answer = String::new();
    BufReader::new(tty).read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Whoever is at this terminal, as the backends see them.
#[derive(Debug)]
pub(crate) struct Person {
    /// Whether they may be asked at all: not inside an agent, whatever terminal it has.
    pub(crate) may_be_asked: bool,
}

impl Attendant for Person {
    fn present(&self) -> bool {
        self.may_be_asked && is_there()
    }

    fn tell(&self, message: &str) {
        super::say(super::printable(message));
    }

    fn passphrase(&self, question: &str) -> Option<SecretValue> {
        if !self.may_be_asked {
            return None;
        }
        ask_hidden(&super::printable(question)).ok()
    }
}
