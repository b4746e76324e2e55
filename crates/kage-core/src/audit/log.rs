//! The file that events are appended to.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::chain::{Hash, Link, lines_after};
use super::files::{End, Files, first_number};
use super::{Event, PATIENCE};
use crate::disk::{self, Appender, Held, PathError};

/// When a file is full, and how many full ones are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A file that is as long as this is full.
    pub(super) full_bytes: u64,
    /// How many full files are kept beside the one that is written.
    pub(super) kept: usize,
}

impl Limits {
    /// The documented ones: some 35,000 lines in a file.
    const DOCUMENTED: Self = Self { full_bytes: 10_000_000, kept: 9 };
}

/// The audit log: one JSON object a line, private to the user. Opened when it is first needed.
#[derive(Debug)]
pub struct AuditLog {
    files: Files,
    limits: Limits,
    opened: Mutex<Option<Appender>>,
}

impl AuditLog {
    /// Names the log at `path`; nothing is opened or made yet.
    pub fn at(path: &Path) -> Self {
        Self::with_limits(path, Limits::DOCUMENTED)
    }

    pub(super) fn with_limits(path: &Path, limits: Limits) -> Self {
        Self { files: Files { active: path.to_owned() }, limits, opened: Mutex::new(None) }
    }

    /// Opens the log, and makes it where it is new: what comes next can be recorded.
    ///
    /// # Errors
    /// [`PathError`] when it cannot be opened for appending.
    pub fn ready(&self) -> Result<(), PathError> {
        self.with_opened(|_| Ok(()))
    }

    /// Appends all of `events`, or fails. Each line names the one before it.
    ///
    /// # Errors
    /// [`PathError`] when they cannot be written.
    pub fn record(&self, events: &[Event<'_>]) -> Result<(), PathError> {
        self.with_opened(|appender| {
            self.move_when_full(appender)?;
            let held = appender.hold(PATIENCE)?;
            let end = End::of(&held)?;
            match (end.seq, end.hash) {
                (Some(seq), Some(hash)) => {
                    write(&held, end, &lines_after(Link { seq, hash }, None, events))
                }
                (_, hash) => self.begin(&held, end, hash, events),
            }
        })
    }

    fn with_opened<T>(
        &self,
        act: impl FnOnce(&mut Appender) -> Result<T, PathError>,
    ) -> Result<T, PathError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *opened {
            Some(appender) => act(appender),
            none => act(none.insert(Appender::open(&self.files.active)?)),
        }
    }

    /// Gives a full file the name under which it is kept. The next [`Appender::hold`], of this
    /// process or of another, makes the new one.
    fn move_when_full(&self, appender: &mut Appender) -> Result<(), PathError> {
        if appender.bytes()? < self.limits.full_bytes {
            return Ok(());
        }
        let held = appender.hold(PATIENCE)?;
        // Another process may have moved it just now.
        if held.bytes()? < self.limits.full_bytes {
            return Ok(());
        }
        let archive = self.files.archive(End::of(&held)?.seq.unwrap_or(0));
        // Nothing is written over. Where the name is taken, or the file cannot be moved (root may
        // have made it append-only), it grows on: that is no reason to refuse a value.
        if !archive.exists() {
            held.move_to(&archive).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes the first numbered lines of a file: they follow the newest full file, and say which is
    /// the oldest line that is kept. What is older is removed after that.
    fn begin(
        &self,
        held: &Held<'_>,
        end: End,
        last: Option<Hash>,
        events: &[Event<'_>],
    ) -> Result<(), PathError> {
        let archives = self.files.archives()?;
        let before = End::of_archives(&archives)?;
        let (surplus, kept) =
            archives.split_at(archives.len().saturating_sub(self.limits.kept.max(1)));
        let oldest = kept.first().map(|path| first_number(path)).transpose()?;
        let oldest = oldest.map(|first| first.unwrap_or(1));
        let after = Link { hash: last.unwrap_or(before.hash), ..before };
        write(held, end, &lines_after(after, oldest, events))?;
        for path in surplus {
            // It was recorded: what stays now is removed the next time.
            disk::remove(path).unwrap_or_default();
        }
        Ok(())
    }
}

/// Appends lines; a line that was cut short stays as it is, and the new ones begin behind it.
fn write(held: &Held<'_>, end: End, lines: &[u8]) -> Result<(), PathError> {
    if end.torn { held.append(&[&b"\n"[..], lines].concat()) } else { held.append(lines) }
}

/// Waits until all that the log at `path` says is on the disk.
///
/// # Errors
/// [`PathError`] when it cannot be said to be there.
pub fn sync(path: &Path) -> Result<(), PathError> {
    match Appender::open_existing(path)? {
        Some(mut file) => file.hold(PATIENCE)?.sync(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Action, Actor};
    use crate::name::{BackendName, Key, Scope};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn an_event_is_one_private_line_that_names_the_one_before() {
        let world = tempfile::tempdir().unwrap();
        let path = world.path().join("state/audit.jsonl");
        let log = AuditLog::at(&path);
        let key = Key::new(Scope::Global, "API_KEY".parse().unwrap());
        let actor = Actor {
            program: Some("npm".to_owned()),
            agent: None,
            place: Some("/home/me/line\nend".into()),
        };
        let time = "2026-11-24T10:00:00Z".parse().unwrap();
        let event = || Event::new(time, Action::Inject, &key, BackendName::Keyring, &actor);
        log.record(&[event(), event()]).unwrap();
        let line = |seq: u64, previous: Hash| {
            format!(
                concat!(
                    r#"{{"seq":{},"previous":"{}","time":"2026-11-24T10:00:00Z","action":"inject","#,
                    r#""name":"API_KEY","scope":"global","backend":"keyring","#,
                    r#""place":"/home/me/line\nend","program":"npm","agent":null}}"#
                ),
                seq, previous
            )
        };
        let first = line(1, Hash::NONE);
        let second = line(2, Hash::of(first.as_bytes()));
        let (written, _) = disk::read(&path, 10_000).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), format!("{first}\n{second}\n"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
