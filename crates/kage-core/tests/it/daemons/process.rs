//! Programs that end with their handle, programs that are waited for, and facts.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a fact may take to come true: only a fault takes so long.
const FACT_DEADLINE: Duration = Duration::from_mins(1);

/// How often a fact is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long a program that is waited for may run, in seconds.
const PROGRAM_SECONDS: &str = "60";

/// What `timeout` ends with when it had to kill the program.
const KILLED: i32 = 128 + 9;

/// Waits until `fact` is true.
///
/// # Panics
/// When it does not become true, naming `what`.
pub(crate) fn wait_until(what: &str, mut fact: impl FnMut() -> bool) {
    let started = Instant::now();
    while !fact() {
        assert!(started.elapsed() < FACT_DEADLINE, "waited in vain: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A program in the background. Killed when dropped, stopped or not.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts `command` with `input` on its standard input and its output in the file `log`.
    /// `package` is what to install where the program is missing.
    pub(crate) fn start(command: &mut Command, input: &[u8], log: &Path, package: &str) -> Self {
        let file = std::fs::File::create(log).expect("the log can be made");
        let errors = file.try_clone().expect("the log can be shared");
        command.stdin(Stdio::piped()).stdout(file).stderr(errors);
        let mut child = spawn(command, package);
        let mut stdin = child.stdin.take().expect("it is piped");
        // A daemon that died already says why in its log; its name on the bus is waited for.
        drop(stdin.write_all(input));
        Self(child)
    }

    /// Returns whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Stops it where it is: it keeps its connections and answers nothing.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.0.id());
        wait_until("the program stops", || {
            let stat = std::fs::read_to_string(&stat).expect("it exists");
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        });
    }

    /// Kills it.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn end(mut self) {
        self.signal(Signal::TERM);
        wait_until("the program ends", || !self.is_alive());
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("it is our own child");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// How a program ended, and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) stdout: Vec<u8>,
    /// Its standard error, as text.
    pub(crate) stderr: String,
}

impl Ended {
    /// Returns standard output as text.
    ///
    /// # Panics
    /// When it is not UTF-8.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("the output is text")
    }

    /// Returns itself if the exit code is 0.
    ///
    /// # Panics
    /// Otherwise, with what was written.
    pub(crate) fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", String::from_utf8_lossy(&self.stdout), self.stderr);
        self
    }
}

/// Runs `command` to its end with `input` on its standard input.
///
/// # Panics
/// When it cannot be started, naming `package`, or does not end.
pub(crate) fn finish(command: &mut Command, input: &[u8], package: &str) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command, package);
    let mut stdin = child.stdin.take().expect("it is piped");
    let output = std::thread::scope(|threads| {
        // A program that ends before it has read everything is judged by how it ended.
        threads.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("it can be waited for")
    });
    let code = output.status.code();
    assert!(code.is_some_and(|code| code != KILLED), "{command:?} did not end");
    Ended {
        code,
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Returns a command for `program` that is ended when it runs for too long.
pub(crate) fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--foreground", "--signal=KILL", PROGRAM_SECONDS, program]);
    command
}

fn spawn(command: &mut Command, package: &str) -> Child {
    command.spawn().unwrap_or_else(|error| {
        panic!("cannot start {command:?}: {error}; `apt-get install {package}` brings it")
    })
}
