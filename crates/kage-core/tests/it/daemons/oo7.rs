//! `oo7-daemon`, the Secret Service of the oo7 project.

use std::ops::Deref;
use std::path::PathBuf;

use super::PASSPHRASE;
use super::process::{Running, wait_until};
use super::session::{SERVICE, Session};

/// The program that stands in for a command that asks on its own terminal.
const PROMPTER: &str = include_str!("oo7_prompter.py");

/// The name of such a command on the bus.
const PROMPTER_NAME: &str = "org.freedesktop.secrets.CliPrompter";

/// A session with `oo7-daemon` in it.
#[derive(Debug)]
pub(crate) struct Oo7 {
    prompter: Option<Running>,
    daemon: Option<Running>,
    binary: PathBuf,
    session: Session,
}

impl Oo7 {
    /// Starts it with an empty, unlocked keyring; `None`, and a line that says so, where it is not
    /// installed. It is looked for in `$OO7_DAEMON`, on `$PATH` and in `~/.cache/kage-backends/bin`.
    pub(crate) fn start() -> Option<Self> {
        let Some(binary) = find() else {
            say_that_it_is_absent();
            return None;
        };
        let session = Session::start();
        let mut oo7 = Self { prompter: None, daemon: None, binary, session };
        oo7.log_in();
        Some(oo7)
    }

    /// Ends the daemon and starts it anew, unlocked and with what it kept.
    pub(crate) fn restart(&mut self) {
        self.end();
        self.log_in();
    }

    /// Starts the daemon anew without the passphrase.
    pub(crate) fn lock(&mut self) {
        self.end();
        self.start_daemon(&[], b"");
        wait_until("the keyring is locked", || self.session.is_locked() == Some(true));
    }

    /// Starts a stand-in for a command with a terminal. `behaviour` is `dismiss`, `hang` or
    /// `answer` with the passphrase.
    pub(crate) fn start_prompter(&mut self, behaviour: &[&str]) {
        let mut command = self.session.command("/usr/bin/python3");
        command.args(["-uc", PROMPTER]).args(behaviour);
        let log = self.session.path("prompter.log");
        self.prompter = Some(Running::start(&mut command, b"", &log, "python3-jeepney"));
        self.session.wait_for_name(PROMPTER_NAME);
    }

    fn log_in(&mut self) {
        self.start_daemon(&["--login"], PASSPHRASE.as_bytes());
        wait_until("the keyring is unlocked", || self.session.is_locked() == Some(false));
    }

    fn end(&mut self) {
        self.daemon.take().expect("it runs").end();
        wait_until("its name is free", || !self.session.has_name(SERVICE));
    }

    fn start_daemon(&mut self, args: &[&str], input: &[u8]) {
        let mut command = self.session.command(&self.binary);
        command.args(args);
        let log = self.session.path("daemon.log");
        self.daemon = Some(Running::start(&mut command, input, &log, "no package"));
        self.session.wait_for_name(SERVICE);
    }
}

/// It is used through its session.
impl Deref for Oo7 {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

fn find() -> Option<PathBuf> {
    let named = std::env::var_os("OO7_DAEMON").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("oo7-daemon"));
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cached = home.map(|home| home.join(".cache/kage-backends/bin/oo7-daemon"));
    named.into_iter().chain(on_path).chain(cached).find(|binary| binary.is_file())
}

#[expect(clippy::print_stderr, reason = "a test that does not run what it names must say so")]
fn say_that_it_is_absent() {
    eprintln!("oo7-daemon is not installed: nothing was tested against it");
}
