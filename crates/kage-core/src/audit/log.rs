//! The file that events are appended to.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::Event;
use crate::disk::{Appender, PathError};

/// How long the log may be held by another process: each holds it for one write.
const PATIENCE: Duration = Duration::from_secs(5);

/// The audit log: one JSON object a line, private to the user. Opened when it is first needed.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    opened: OnceLock<Appender>,
}

impl AuditLog {
    /// Names the log at `path`; nothing is opened or made yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: OnceLock::new() }
    }

    /// Opens the log, and makes it where it is new: what comes next can be recorded.
    ///
    /// # Errors
    /// [`PathError`] when it cannot be opened for appending.
    pub fn ready(&self) -> Result<&Appender, PathError> {
        if let Some(appender) = self.opened.get() {
            return Ok(appender);
        }
        let appender = Appender::open(&self.path)?;
        Ok(self.opened.get_or_init(|| appender))
    }

    /// Appends all of `events`, or fails.
    ///
    /// # Errors
    /// [`PathError`] when they cannot be written.
    ///
    /// # Panics
    /// Never: an event holds nothing that JSON cannot express.
    pub fn record(&self, events: &[Event<'_>]) -> Result<(), PathError> {
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event).expect("an event is plain text");
            lines.push(b'\n');
        }
        self.ready()?.append(&lines, PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Action, Actor};
    use crate::name::{BackendName, Key, Scope};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn an_event_is_one_private_line() {
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
        let line = concat!(
            r#"{"time":"2026-11-24T10:00:00Z","action":"inject","name":"API_KEY","#,
            r#""scope":"global","backend":"keyring","place":"/home/me/line\nend","#,
            r#""program":"npm","agent":null}"#,
            "\n"
        );
        let (written, _) = crate::disk::read(&path, 10_000).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), line.repeat(2));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
