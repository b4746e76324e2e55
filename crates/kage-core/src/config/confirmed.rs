//! The record of the repositories that the user has confirmed to be in a namespace which lists
//! them only by a glob. Kept in the user's own state folder.
//!
//! A confirmation is for one repository: it binds the namespace to the path and to the `.git` that
//! is there. Another clone at the same path is another repository, and is asked about again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::disk::{self, Lock, PathError};
use crate::name::Label;

/// The longest record that is read, in bytes.
const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// How long another process may hold the record: each holds it for one write.
const PATIENCE: Duration = Duration::from_secs(5);

/// The confirmed matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    confirmed: Vec<Match>,
}

/// One confirmed match.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Match {
    namespace: String,
    root: PathBuf,
    mark: Mark,
}

/// What tells one clone from the next at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    inode: u64,
    /// File systems hand out the number of a removed file again, so its birth counts too.
    born: Option<Timestamp>,
    /// Where there is no birth time. Else left out: the numbers of some devices change with every
    /// start of the machine.
    device: Option<u64>,
}

impl Mark {
    /// Marks the `.git` at `root`, or `root` itself when that is a bare repository.
    fn of(root: &Path) -> Result<Self, PathError> {
        let meta = fs::symlink_metadata(root.join(".git"))
            .or_else(|_| fs::symlink_metadata(root))
            .map_err(|source| PathError { doing: "look at", path: root.to_owned(), source })?;
        let born = meta.created().ok().and_then(|time| Timestamp::try_from(time).ok());
        let device = born.is_none().then(|| meta.dev());
        Ok(Self { inode: meta.ino(), born, device })
    }
}

impl Confirmed {
    /// Reads the record at `path`; an empty one when there is no file.
    ///
    /// # Errors
    /// [`ConfirmedError`] when it cannot be read or understood.
    pub fn load(path: &Path) -> Result<Self, ConfirmedError> {
        let text = match disk::read_text(path, MAX_RECORD_BYTES) {
            Ok(text) => text,
            Err(error) if error.is_absent() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_str(&text)
            .map_err(|source| ConfirmedError::Invalid { path: path.to_owned(), source })
    }

    /// Returns whether the repository that is at `root` now was confirmed for `namespace`.
    pub fn covers(&self, namespace: &Label, root: &Path) -> bool {
        let mark = Mark::of(root).ok();
        self.confirmed.iter().any(|known| known.is_for(namespace, root) && Some(known.mark) == mark)
    }

    /// Adds the repository that is at `root` now to the record at `path`.
    ///
    /// # Errors
    /// [`ConfirmedError`] when the record cannot be read or written; it is as before then.
    pub fn add(path: &Path, namespace: &Label, root: &Path) -> Result<Self, ConfirmedError> {
        let _lock = Lock::exclusive(&path.with_extension("lock"), PATIENCE)?;
        let mut record = Self::load(path)?;
        record.confirmed.retain(|known| !known.is_for(namespace, root));
        record.confirmed.push(Match {
            namespace: namespace.to_string(),
            root: root.to_owned(),
            mark: Mark::of(root)?,
        });
        let text = serde_json::to_vec_pretty(&record)
            .map_err(|source| ConfirmedError::NotText { root: root.to_owned(), source })?;
        disk::replace(path, &text)?;
        Ok(record)
    }
}

impl Match {
    fn is_for(&self, namespace: &Label, root: &Path) -> bool {
        self.namespace == namespace.as_str() && self.root == root
    }
}

/// Why the record could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmedError {
    /// It could not be read or written, or the repository looked at.
    #[error(transparent)]
    File(#[from] PathError),
    /// It is not what kage writes.
    #[error("`{}` is damaged", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where and how.
        source: serde_json::Error,
    },
    /// The repository's path is not UTF-8. No glob matches such a path.
    #[error("the path `{}` is not UTF-8", root.display())]
    NotText {
        /// The path.
        root: PathBuf,
        /// What the writer said.
        source: serde_json::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    struct World {
        folder: tempfile::TempDir,
        root: PathBuf,
        record: PathBuf,
    }

    fn world() -> World {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("api");
        fs::create_dir_all(root.join(".git")).unwrap();
        let record = folder.path().join("state/confirmed.json");
        World { folder, root, record }
    }

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    #[test]
    fn a_confirmation_is_for_one_namespace_and_one_path() {
        let World { folder, root, record } = world();
        let other = folder.path().join("other");
        fs::create_dir_all(other.join(".git")).unwrap();
        assert!(!Confirmed::load(&record).unwrap().covers(&label("dev"), &root));
        Confirmed::add(&record, &label("dev"), &root).unwrap();
        let confirmed = Confirmed::load(&record).unwrap();
        assert!(confirmed.covers(&label("dev"), &root));
        assert!(!confirmed.covers(&label("production"), &root));
        assert!(!confirmed.covers(&label("dev"), &other));
        let mode = fs::metadata(&record).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn another_clone_at_the_same_path_is_not_confirmed() {
        let World { folder, root, record } = world();
        Confirmed::add(&record, &label("dev"), &root).unwrap();
        fs::rename(root.join(".git"), folder.path().join("old")).unwrap();
        fs::create_dir(root.join(".git")).unwrap();
        assert!(!Confirmed::load(&record).unwrap().covers(&label("dev"), &root));
        let again = Confirmed::add(&record, &label("dev"), &root).unwrap();
        assert!(again.covers(&label("dev"), &root));
        assert_eq!(again.confirmed.len(), 1);
    }

    #[test]
    fn a_number_that_is_used_again_is_not_the_same_clone() {
        let World { folder: _folder, root, record } = world();
        Confirmed::add(&record, &label("dev"), &root).unwrap();
        let mut confirmed = Confirmed::load(&record).unwrap();
        let mark = &mut confirmed.confirmed[0].mark;
        mark.born = mark.born.map(|born| born - Duration::from_nanos(1));
        mark.device = mark.device.map(|device| device + 1);
        assert!(!confirmed.covers(&label("dev"), &root));
    }

    #[test]
    fn a_repository_that_is_gone_is_not_covered() {
        let World { folder: _folder, root, record } = world();
        let confirmed = Confirmed::add(&record, &label("dev"), &root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert!(!confirmed.covers(&label("dev"), &root));
        assert!(matches!(
            Confirmed::add(&record, &label("dev"), &root),
            Err(ConfirmedError::File(_))
        ));
    }

    #[test]
    fn confirmations_at_the_same_time_are_all_kept() {
        let World { folder: _folder, root, record } = world();
        let labels: Vec<_> = (0..16).map(|number| label(&format!("n{number}"))).collect();
        std::thread::scope(|threads| {
            for label in &labels {
                threads.spawn(|| Confirmed::add(&record, label, &root).unwrap());
            }
        });
        let confirmed = Confirmed::load(&record).unwrap();
        assert!(labels.iter().all(|label| confirmed.covers(label, &root)));
    }

    #[test]
    fn a_damaged_record_is_an_error_and_stays() {
        let World { folder: _folder, root, record } = world();
        for text in ["", "[]", "{\"confirmed\": 1}", "{\"confirmed\": [], \"more\": 1}"] {
            disk::replace(&record, text.as_bytes()).unwrap();
            assert!(matches!(Confirmed::load(&record), Err(ConfirmedError::Invalid { .. })));
            assert!(Confirmed::add(&record, &label("dev"), &root).is_err());
            assert_eq!(fs::read_to_string(&record).unwrap(), text);
        }
    }
}
