//! `gnome-keyring-daemon` in every state a client can meet.

use std::ops::Deref;

use super::PASSPHRASE;
use super::process::{Running, wait_until};
use super::session::{SERVICE, Session};

/// The program that stands in for the dialog of the desktop.
const PROMPTER: &str = include_str!("gnome_prompter.py");

/// What a client finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Everything is as it should be.
    Unlocked,
    /// Locked, and no program that could ask for the passphrase.
    Locked,
    /// Locked, and the person presses Cancel.
    LockedDismiss,
    /// Locked, and the person types the passphrase.
    LockedAnswer,
    /// Locked, and the person mistypes the passphrase once.
    LockedWrongThenRight,
    /// Locked, and the dialog stays open for ever.
    LockedHang,
    /// The daemon owns its name and never answers.
    Hung,
    /// The daemon died.
    Killed,
    /// A bus, and nothing on it.
    NoService,
    /// No bus at the address.
    NoBus,
}

impl State {
    /// Returns what the prompter is told, if there is one.
    fn prompter(self) -> Option<&'static [&'static str]> {
        match self {
            Self::LockedDismiss => Some(&["dismiss"]),
            Self::LockedAnswer => Some(&["answer", PASSPHRASE]),
            Self::LockedWrongThenRight => Some(&["answer", "wrong", PASSPHRASE]),
            Self::LockedHang => Some(&["hang"]),
            Self::Unlocked
            | Self::Locked
            | Self::Hung
            | Self::Killed
            | Self::NoService
            | Self::NoBus => None,
        }
    }
}

/// A session with `gnome-keyring-daemon` in it, in some state.
#[derive(Debug)]
pub(crate) struct GnomeKeyring {
    // Dropped in this order: the prompter, the daemon, the bus.
    prompter: Option<Running>,
    daemon: Option<Running>,
    session: Session,
}

impl GnomeKeyring {
    /// Starts an empty, unlocked keyring.
    pub(crate) fn start() -> Self {
        Self::in_state(State::Unlocked, |_| {})
    }

    /// Starts an empty, unlocked keyring on a bus that takes few calls at once.
    pub(crate) fn on_a_strict_bus() -> Self {
        let mut keyring = Self::alone(Session::on_a_strict_bus());
        keyring.start_daemon();
        keyring
    }

    /// Starts a keyring, lets `prepare` fill it while it is unlocked, and brings it into `state`.
    /// Where the state has no daemon there is nothing to fill, and `prepare` is not called.
    pub(crate) fn in_state(state: State, prepare: impl FnOnce(&Session)) -> Self {
        match state {
            State::NoBus => return Self::alone(Session::without_bus()),
            State::NoService => return Self::alone(Session::start()),
            _ => {}
        }
        let mut keyring = Self::alone(Session::start());
        keyring.start_daemon();
        prepare(&keyring.session);
        match state {
            State::Hung => keyring.freeze(),
            State::Killed => keyring.kill(),
            State::Locked
            | State::LockedDismiss
            | State::LockedAnswer
            | State::LockedWrongThenRight
            | State::LockedHang => keyring.lock(),
            State::Unlocked | State::NoService | State::NoBus => {}
        }
        if let Some(behaviour) = state.prompter() {
            keyring.start_prompter(behaviour);
        }
        keyring
    }

    /// Locks the collection, as the desktop does when the screen is locked.
    pub(crate) fn lock(&self) {
        let collection = "array:objpath:/org/freedesktop/secrets/collection/login";
        let method = "org.freedesktop.Secret.Service.Lock";
        self.call(SERVICE, "/org/freedesktop/secrets", method, &[collection]).success();
        assert_eq!(self.session.is_locked(), Some(true));
    }

    /// Stops the daemon where it is: it owns its name and never answers.
    pub(crate) fn freeze(&self) {
        self.daemon.as_ref().expect("it runs").freeze();
    }

    /// Kills the daemon.
    pub(crate) fn kill(&mut self) {
        self.daemon = None;
        wait_until("its name is free", || !self.session.has_name(SERVICE));
    }

    /// Ends the daemon and starts it anew, unlocked and with what it kept.
    pub(crate) fn restart(&mut self) {
        self.daemon.take().expect("it runs").end();
        wait_until("its name is free", || !self.session.has_name(SERVICE));
        self.start_daemon();
    }

    /// Starts the stand-in for the desktop's dialog. `behaviour` is its command line: `dismiss`,
    /// `hang`, or `answer` with the answers in order (the last one repeats), each after `--delay`
    /// seconds if that comes first.
    pub(crate) fn start_prompter(&mut self, behaviour: &[&str]) {
        let mut command = self.session.command("/usr/bin/python3");
        command.args(["-uc", PROMPTER]).args(behaviour);
        let log = self.session.path("prompter.log");
        self.prompter = Some(Running::start(&mut command, b"", &log, "python3"));
        wait_until("the prompter is ready", || {
            let running = self.prompter.as_mut().is_some_and(Running::is_alive);
            let log = std::fs::read_to_string(&log).expect("it has a log");
            assert!(
                running,
                "`apt-get install python3-jeepney python3-cryptography` may mend this: {log}"
            );
            log.starts_with("ready\n")
        });
    }

    /// Returns what the prompter has been asked so far.
    pub(crate) fn prompts(&self) -> Prompts {
        let log = std::fs::read_to_string(self.session.path("prompter.log"));
        Prompts::read(&log.expect("a prompter was started"))
    }

    fn alone(session: Session) -> Self {
        Self { prompter: None, daemon: None, session }
    }

    fn start_daemon(&mut self) {
        let mut command = self.session.command("gnome-keyring-daemon");
        command.args(["--foreground", "--unlock", "--components=secrets"]);
        let log = self.session.path("daemon.log");
        // A line end would become a part of the passphrase.
        let input = PASSPHRASE.as_bytes();
        self.daemon = Some(Running::start(&mut command, input, &log, "gnome-keyring"));
        self.session.wait_for_name(SERVICE);
        wait_until("the keyring is unlocked", || self.session.is_locked() == Some(false));
    }
}

/// A keyring is used through its session.
impl Deref for GnomeKeyring {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// What a prompter was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prompts {
    /// How many dialogs were opened.
    pub(crate) opened: usize,
    /// How many passphrases were asked for in them.
    pub(crate) asked: usize,
    /// How many dialogs were open at the same time, at most.
    pub(crate) at_once: usize,
}

impl Prompts {
    fn read(log: &str) -> Self {
        let mut prompts = Self { opened: 0, asked: 0, at_once: 0 };
        let mut open = 0_usize;
        for line in log.lines() {
            match line {
                "opened" => {
                    prompts.opened += 1;
                    open += 1;
                    prompts.at_once = prompts.at_once.max(open);
                }
                "asked" => prompts.asked += 1,
                "closed" => open -= 1,
                _ => {}
            }
        }
        prompts
    }
}
