//! Directory → repository. Reads the few files that git documents; never runs git, and never looks
//! at `GIT_*` or any other variable.
//!
//! - A folder is its own path. The walk upwards stops at the first folder that holds a `.git`,
//!   whatever that is, so nothing inside a repository passes for a part of what is around it.
//! - The one exception is a worktree that its main repository confirms: see `worktree.rs`.
//! - A folder of another owner is never the user's repository, and nothing above it applies inside
//!   it: who owns it decides what runs there.

use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::ignored::{Ignored, Reason};
use super::worktree;

/// A repository, as scopes and namespaces know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// What it goes by. Of a confirmed worktree: the main repository's folder, or the bare
    /// repository itself.
    pub root: PathBuf,
    /// The folder whose `.git` was found.
    pub found: PathBuf,
    /// Whether it is a worktree that its main repository confirms.
    pub worktree: bool,
}

/// What the file system says about a directory.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The folders whose own path applies, nearest first: the directory and those above it, up to
    /// the repository's root or, without a repository, below home.
    pub(super) own: Vec<PathBuf>,
    /// The same folders in the main repository, when this is a worktree.
    pub(super) mapped: Vec<PathBuf>,
    /// The repository around the directory, if it is the user's.
    pub(super) repository: Option<Repository>,
    /// Whether a folder on the way up holds a `.git`, honoured or not.
    pub(super) enclosed: bool,
    /// What was seen and not honoured.
    pub(super) ignored: Vec<Ignored>,
}

impl Surroundings {
    /// Looks at `dir`, whose links are resolved, as the user this process acts for. `home` has its
    /// links resolved too.
    pub(super) fn of(dir: &Path, home: Option<&Path>) -> Self {
        Self::as_seen_by(geteuid().as_raw(), dir, home)
    }

    fn as_seen_by(user: u32, dir: &Path, home: Option<&Path>) -> Self {
        let found = dir.ancestors().find(|folder| may_exist(&folder.join(".git")));
        let own = own_folders(dir, found, home);
        let foreign = own.iter().position(|folder| !belongs_to(folder, user));
        let mut seen = Self {
            own: own.iter().map(|&folder| folder.to_owned()).collect(),
            mapped: Vec::new(),
            repository: None,
            enclosed: found.is_some(),
            ignored: Vec::new(),
        };
        if let Some(first) = foreign {
            seen.ignore(own[first], Reason::OtherOwner);
            seen.own.truncate(first);
        } else if let Some(found) = found {
            seen.identify(found, user);
            seen.map(dir, user);
        }
        seen
    }

    fn ignore(&mut self, path: &Path, why: Reason) {
        self.ignored.push(Ignored { path: path.to_owned(), why });
    }

    /// Decides what `found`, a folder of the user's, goes by.
    fn identify(&mut self, found: &Path, user: u32) {
        let git = found.join(".git");
        let kind = match fs::symlink_metadata(&git) {
            Ok(meta) if meta.uid() == user => meta.file_type(),
            other => {
                // Somebody else put it there. Git, too, works with no such repository.
                self.ignore(&git, other.map_or(Reason::Unreadable, |_| Reason::OtherOwner));
                self.own.retain(|folder| folder != found);
                return;
            }
        };
        let root = self.root_elsewhere(found, &git, kind, user);
        self.repository = Some(Repository {
            worktree: root.is_some(),
            root: root.unwrap_or_else(|| found.to_owned()),
            found: found.to_owned(),
        });
    }

    /// Returns the main repository's root when `found` is a worktree; notes why it is none.
    fn root_elsewhere(
        &mut self,
        found: &Path,
        git: &Path,
        kind: FileType,
        user: u32,
    ) -> Option<PathBuf> {
        if kind.is_file() {
            return worktree::main_repository(found, user)
                .map_err(|ignored| self.ignored.push(ignored))
                .ok();
        }
        if kind.is_symlink() {
            self.ignore(git, Reason::LinkedGit);
        } else if !kind.is_dir() {
            self.ignore(git, Reason::OddGit);
        }
        None
    }

    /// Follows the path inside a worktree down from the main repository's root, as far as the main
    /// repository's own folders go.
    fn map(&mut self, dir: &Path, user: u32) {
        let Some(repository) = self.repository.as_ref().filter(|repository| repository.worktree)
        else {
            return;
        };
        let Ok(inside) = dir.strip_prefix(&repository.found) else { return };
        let mut folder = repository.root.clone();
        self.mapped.push(folder.clone());
        for part in inside {
            folder.push(part);
            if worktree::is_other_repository(&folder, user) {
                self.ignore(&folder, Reason::OtherRepository);
                break;
            }
            self.mapped.push(folder.clone());
        }
        self.mapped.reverse();
    }
}

/// Returns `dir` and the folders above it that secrets are scoped to: up to the one that holds
/// the `.git`, else those strictly below home. Home and what is outside it never applies to a
/// folder only because that lies inside.
fn own_folders<'a>(dir: &'a Path, found: Option<&Path>, home: Option<&Path>) -> Vec<&'a Path> {
    let below_home = |folder: &Path| home.is_some_and(|home| is_below(folder, home));
    dir.ancestors()
        .take_while(|&folder| match found {
            Some(root) => folder.starts_with(root),
            None => folder == dir || below_home(folder),
        })
        .collect()
}

fn is_below(folder: &Path, home: &Path) -> bool {
    folder != home && folder.starts_with(home)
}

/// Returns whether every folder from `dir` up to `top` belongs to the user this process acts for.
pub(super) fn owned_up_to(dir: &Path, top: &Path) -> bool {
    let user = geteuid().as_raw();
    dir.starts_with(top)
        && dir
            .ancestors()
            .take_while(|folder| folder.starts_with(top))
            .all(|folder| belongs_to(folder, user))
}

/// Returns whether `path` itself, not what it links to, belongs to `user`. Not when that is not
/// known.
pub(super) fn belongs_to(path: &Path, user: u32) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.uid() == user)
}

/// Returns whether something is at `path`, or the system does not say.
fn may_exist(path: &Path) -> bool {
    fs::symlink_metadata(path).err().is_none_or(|error| error.kind() != io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at `dir` in a new folder with a repository `shop`, as its owner or as somebody else.
    fn seen(dir: &str, by_owner: bool) -> Surroundings {
        let world = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(world.path()).unwrap();
        fs::create_dir_all(home.join("shop/.git")).unwrap();
        fs::create_dir_all(home.join("notes/deep")).unwrap();
        let owner = fs::metadata(&home).unwrap().uid();
        let user = if by_owner { owner } else { owner + 1 };
        Surroundings::as_seen_by(user, &home.join(dir), Some(&home))
    }

    #[test]
    fn who_asks_decides_whose_folders_count() {
        for (dir, folders) in [("shop", 1), ("notes/deep", 2)] {
            let (mine, theirs) = (seen(dir, true), seen(dir, false));
            assert_eq!((mine.own.len(), mine.ignored.len()), (folders, 0), "{dir}");
            assert_eq!((theirs.own.len(), theirs.repository), (0, None), "{dir}");
            assert_eq!(theirs.ignored[0].why, Reason::OtherOwner, "{dir}");
        }
        assert!(seen("shop", true).repository.is_some());
    }
}
