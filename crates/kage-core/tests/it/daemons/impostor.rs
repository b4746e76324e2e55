//! A Secret Service that lies.

use std::ops::Deref;

use super::process::Running;
use super::session::{SERVICE, Session};

const IMPOSTOR: &str = include_str!("impostor.py");

/// A session with a lying service in it.
#[derive(Debug)]
pub(crate) struct Impostor {
    _program: Running,
    session: Session,
}

impl Impostor {
    /// Starts it. What it can lie about is in `impostor.py`.
    pub(crate) fn start(lies: &[&str]) -> Self {
        let session = Session::start();
        let mut command = session.command("/usr/bin/python3");
        command.args(["-uc", IMPOSTOR]).args(lies);
        let log = session.path("daemon.log");
        let program = Running::start(&mut command, b"", &log, "python3-jeepney");
        session.wait_for_name(SERVICE);
        Self { _program: program, session }
    }
}

/// It is used through its session.
impl Deref for Impostor {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
