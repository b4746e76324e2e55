//! What the records of the user's answers share: a file of JSON in the state folder, changed under
//! a lock and replaced whole, and the mark that tells one clone from the next at the same path.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::disk::{self, Lock, PathError};

/// The longest record that is read, in bytes.
const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// How long another process may hold the record: each holds it for one write.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the record at `path`; an empty one when there is no file.
pub(super) fn load<R: DeserializeOwned + Default>(path: &Path) -> Result<R, RecordError> {
    let text = match disk::read_text(path, MAX_RECORD_BYTES) {
        Ok(text) => text,
        Err(error) if error.is_absent() => return Ok(R::default()),
        Err(error) => return Err(error.into()),
    };
    serde_json::from_str(&text)
        .map_err(|source| RecordError::Invalid { path: path.to_owned(), source })
}

/// Changes the record at `path` while nobody else does, and returns it as it is then. When that
/// fails, it is as before.
pub(super) fn change<R: DeserializeOwned + Serialize + Default>(
    path: &Path,
    change: impl FnOnce(&mut R),
) -> Result<R, RecordError> {
    let _lock = Lock::exclusive(&path.with_extension("lock"), PATIENCE)?;
    let mut record = load(path)?;
    change(&mut record);
    let text = serde_json::to_vec_pretty(&record)
        .map_err(|source| RecordError::NotText { path: path.to_owned(), source })?;
    disk::replace(path, &text)?;
    Ok(record)
}

/// What tells one clone from the next at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    inode: u64,
    /// File systems hand out the number of a removed file again, so its birth counts too.
    born: Option<Timestamp>,
    /// Where there is no birth time. Else left out: the numbers of some devices change with every
    /// start of the machine.
    device: Option<u64>,
}

impl Mark {
    /// Marks the `.git` at `root`, or `root` itself when that is a bare repository.
    pub(super) fn of(root: &Path) -> Result<Self, PathError> {
        let meta = fs::symlink_metadata(root.join(".git"))
            .or_else(|_| fs::symlink_metadata(root))
            .map_err(|source| PathError { doing: "look at", path: root.to_owned(), source })?;
        let born = meta.created().ok().and_then(|time| Timestamp::try_from(time).ok());
        let device = born.is_none().then(|| meta.dev());
        Ok(Self { inode: meta.ino(), born, device })
    }
}

/// Why a record could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
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
    /// The path of the repository is not UTF-8, so `path` cannot hold it.
    #[error("`{}` cannot hold a path that is not UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: serde_json::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_used_again_is_not_the_same_clone() {
        let world = tempfile::tempdir().unwrap();
        fs::create_dir(world.path().join(".git")).unwrap();
        let mark = Mark::of(world.path()).unwrap();
        assert_eq!(mark, Mark::of(world.path()).unwrap());
        let later = Mark {
            born: mark.born.map(|born| born - Duration::from_nanos(1)),
            device: mark.device.map(|device| device + 1),
            ..mark
        };
        assert_ne!(mark, later);
    }

    #[test]
    fn a_repository_that_is_bare_is_marked_itself() {
        let world = tempfile::tempdir().unwrap();
        let inode = fs::metadata(world.path()).unwrap().ino();
        assert_eq!(Mark::of(world.path()).unwrap().inode, inode);
    }
}
