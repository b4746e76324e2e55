//! The record of the repositories that the user has confirmed to be in a namespace which lists
//! them only by a glob. Kept in the user's own state folder.
//!
//! A confirmation is for one repository: it binds the namespace to the path and to the `.git` that
//! is there. Another clone at the same path is another repository, and is asked about again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::{self, Mark, RecordError};
use crate::name::Label;

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

impl Confirmed {
    /// Reads the record at `path`; an empty one when there is no file.
    ///
    /// # Errors
    /// [`RecordError`] when it cannot be read or understood.
    pub fn load(path: &Path) -> Result<Self, RecordError> {
        record::load(path)
    }

    /// Returns whether the repository that is at `root` now was confirmed for `namespace`.
    pub fn covers(&self, namespace: &Label, root: &Path) -> bool {
        let mark = Mark::of(root).ok();
        self.confirmed.iter().any(|known| known.is_for(namespace, root) && Some(known.mark) == mark)
    }

    /// Adds the repository that is at `root` now to the record at `path`.
    ///
    /// # Errors
    /// [`RecordError`] when the record cannot be read or written; it is as before then.
    pub fn add(path: &Path, namespace: &Label, root: &Path) -> Result<Self, RecordError> {
        let mark = Mark::of(root)?;
        record::change(path, |record: &mut Self| {
            record.confirmed.retain(|known| !known.is_for(namespace, root));
            let (namespace, root) = (namespace.to_string(), root.to_owned());
            record.confirmed.push(Match { namespace, root, mark });
        })
    }
}

impl Match {
    fn is_for(&self, namespace: &Label, root: &Path) -> bool {
        self.namespace == namespace.as_str() && self.root == root
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk;
    use std::fs;
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
    fn a_repository_that_is_gone_is_not_covered() {
        let World { folder: _folder, root, record } = world();
        let confirmed = Confirmed::add(&record, &label("dev"), &root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert!(!confirmed.covers(&label("dev"), &root));
        assert!(matches!(Confirmed::add(&record, &label("dev"), &root), Err(RecordError::File(_))));
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
            assert!(matches!(Confirmed::load(&record), Err(RecordError::Invalid { .. })));
            assert!(Confirmed::add(&record, &label("dev"), &root).is_err());
            assert_eq!(fs::read_to_string(&record).unwrap(), text);
        }
    }
}
