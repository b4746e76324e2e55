//! Standard input to standard output, through the redactor: in memory that does not grow.

use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use kage_core::redact::{Kind, Redactor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// How much is read at once, and how much a pipe may hold.
const READ_BYTES: usize = 256 * 1024;
const PIPE_BYTES: usize = 1024 * 1024;

/// How long a person waits for what may be the start of a value.
const IDLE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All of the input was written.
    Whole,
    /// Nobody reads the output any more.
    Unread,
}

/// Copies all of standard input to standard output, masked.
pub(super) fn filter(redactor: &Redactor) -> io::Result<Ended> {
    let (input, output) = (io::stdin(), io::stdout());
    let kind = if output.is_terminal() { Kind::Terminal } else { Kind::Pipe };
    // Where it is no pipe, or may not be larger, it stays as it is.
    rustix::pipe::fcntl_setpipe_size(&input, PIPE_BYTES).unwrap_or_default();
    match copy(redactor, kind, input.as_fd(), output.as_fd()) {
        Ok(()) => Ok(Ended::Whole),
        Err(Errno::PIPE) => Ok(Ended::Unread),
        Err(error) => Err(error.into()),
    }
}

fn copy(
    redactor: &Redactor,
    kind: Kind,
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let mut stream = redactor.stream(kind);
    let mut read = Zeroizing::new(vec![0; READ_BYTES]);
    let mut out = Vec::with_capacity(2 * READ_BYTES);
    loop {
        if kind == Kind::Terminal && stream.holds() && !is_ready(input, PollFlags::IN, Some(&IDLE))?
        {
            stream.release_idle(&mut out);
            write_all(output, &out)?;
            out.clear();
        }
        let count = read_some(input, &mut read)?;
        match read.get(..count) {
            Some([]) | None => break,
            Some(bytes) => stream.push(bytes, &mut out),
        }
        write_all(output, &out)?;
        out.clear();
    }
    stream.finish(&mut out);
    write_all(output, &out)
}

/// Reads what is there, and waits until something is.
fn read_some(input: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match rustix::io::read(input, &mut *buffer) {
            Err(Errno::INTR) => {}
            // Whoever shares the file may have made it so that it does not wait.
            Err(Errno::AGAIN) => {
                is_ready(input, PollFlags::IN, None)?;
            }
            done => return done,
        }
    }
}

fn write_all(output: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(output, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                is_ready(output, PollFlags::OUT, None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits for as long as `patience`, and says whether there is something to be done.
fn is_ready(
    file: BorrowedFd<'_>,
    wanted: PollFlags,
    patience: Option<&Timespec>,
) -> Result<bool, Errno> {
    match poll(&mut [PollFd::new(&file, wanted)], patience) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}
