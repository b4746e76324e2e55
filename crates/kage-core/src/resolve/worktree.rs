//! Whether a `.git` file makes its folder a worktree of another repository.
//!
//! That is the one identity that is not a folder's own path, so it is believed only where both
//! sides say so and everything in between belongs to the user:
//!
//! - the target of `.git` is `<common>/worktrees/<id>`, where `<common>` is the `.git` folder of an
//!   ordinary repository, or a bare repository;
//! - `<common>/worktrees/<id>/gitdir` names this very `.git`, and `commondir` beside it names
//!   `<common>`.
//!
//! The files are those of gitrepository-layout(5). Paths in them are relative to the folder they
//! lie in, or absolute.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::ignored::{Ignored, Reason};
use super::repo::belongs_to;
use crate::disk;

/// The longest file that holds a path, in bytes.
const MAX_POINTER_BYTES: usize = 8 * 1024;

/// The longest `config` of a repository that is looked at, in bytes.
const MAX_CONFIG_BYTES: usize = 1024 * 1024;

/// Returns the root of the repository that `found`, a folder with a `.git` file, is a worktree of:
/// the folder that holds its `.git`, or the bare repository itself. `found` has its links resolved.
///
/// # Errors
/// What does not hold, with the path where it was seen.
pub(super) fn main_repository(found: &Path, user: u32) -> Result<PathBuf, Ignored> {
    let git = found.join(".git");
    let text = read(&git)?;
    let target = text.strip_prefix(b"gitdir: ").ok_or_else(|| because(&git, Reason::NoPointer))?;
    let target = path(target).ok_or_else(|| because(&git, Reason::NoPointer))?;
    let entry = real(&found.join(target)).ok_or_else(|| because(&git, Reason::Dangling))?;
    let common = common_of(&entry).ok_or_else(|| because(&git, Reason::NotAWorktree))?;
    check_back_pointer(&entry, found)?;
    check_common_pointer(&entry, common)?;
    let root = root_of(common).ok_or_else(|| because(common, Reason::NotARepository))?;
    check_owner(&[&git, &entry, common, &root], user)?;
    check_owner(&["gitdir", "commondir", ".."].map(|name| entry.join(name)), user)?;
    Ok(root)
}

fn because(path: &Path, why: Reason) -> Ignored {
    Ignored { path: path.to_owned(), why }
}

fn real(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

/// Reads a small file that somebody else may have made.
fn read(path: &Path) -> Result<Vec<u8>, Ignored> {
    disk::read_plain(path, MAX_POINTER_BYTES).map_err(|_why| because(path, Reason::Unreadable))
}

/// Returns the path in a line that git wrote; git, too, drops line ends and nothing else.
fn path(line: &[u8]) -> Option<PathBuf> {
    let end = line.iter().rposition(|byte| !b"\r\n".contains(byte))?;
    Some(PathBuf::from(OsString::from_vec(line[..=end].to_vec())))
}

/// Returns `<common>` of `<common>/worktrees/<id>`.
fn common_of(entry: &Path) -> Option<&Path> {
    let folder = entry.parent()?;
    if folder.file_name() == Some(OsStr::new("worktrees")) { folder.parent() } else { None }
}

/// Checks that the repository knows the worktree by the path it is at. The last part must be
/// `.git` as written: a `.git` elsewhere that links to this one is another one. Comparing inodes
/// instead would take a hard link of the pointer for the pointer.
fn check_back_pointer(entry: &Path, found: &Path) -> Result<(), Ignored> {
    let back = entry.join("gitdir");
    let written = path(&read(&back)?).map(|git| entry.join(git));
    let folder = written
        .as_deref()
        .filter(|git| git.file_name() == Some(OsStr::new(".git")))
        .and_then(Path::parent)
        .and_then(real);
    if folder.as_deref() == Some(found) {
        return Ok(());
    }
    Err(because(&found.join(".git"), Reason::NotPointedBack))
}

/// Checks that git itself would take the same folder for the common one.
fn check_common_pointer(entry: &Path, common: &Path) -> Result<(), Ignored> {
    let pointer = entry.join("commondir");
    let written = path(&read(&pointer)?).and_then(|path| real(&entry.join(path)));
    if written.as_deref() == Some(common) {
        return Ok(());
    }
    Err(because(&pointer, Reason::OtherCommon))
}

/// Returns the path that a repository goes by. The git folder of a submodule, or one that was put
/// elsewhere, says nothing trustworthy about the folder it serves.
fn root_of(common: &Path) -> Option<PathBuf> {
    let complete = ["HEAD", "objects"].iter().all(|name| common.join(name).exists());
    if !complete {
        return None;
    }
    if common.file_name() == Some(OsStr::new(".git")) {
        return common.parent().map(Path::to_owned);
    }
    // With `extensions.worktreeConfig`, git moves `core.bare` into the second file.
    let bare = ["config", "config.worktree"].iter().any(|name| {
        disk::read_plain(&common.join(name), MAX_CONFIG_BYTES).is_ok_and(|text| is_bare(&text))
    });
    bare.then(|| common.to_owned())
}

/// Reads `core.bare` of a git-config(1) as git writes it. What only git itself would understand
/// (included files, escapes) counts as not bare, which maps nothing.
fn is_bare(config: &[u8]) -> bool {
    let (mut in_core, mut bare) = (false, false);
    for line in config.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if line.starts_with(b"[") {
            in_core = line.eq_ignore_ascii_case(b"[core]");
        } else if let Some((key, value)) = assignment(line).filter(|_| in_core)
            && key.eq_ignore_ascii_case(b"bare")
        {
            bare = value.eq_ignore_ascii_case(b"true");
        }
    }
    bare
}

fn assignment(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = line.iter().position(|byte| *byte == b'=')?;
    let (key, value) = line.split_at(equals);
    Some((key.trim_ascii(), value.strip_prefix(b"=")?.trim_ascii()))
}

fn check_owner(paths: &[impl AsRef<Path>], user: u32) -> Result<(), Ignored> {
    match paths.iter().find(|path| !belongs_to(path.as_ref(), user)) {
        Some(foreign) => Err(because(foreign.as_ref(), Reason::OtherOwner)),
        None => Ok(()),
    }
}

/// Returns whether the main repository's `folder` may not go by its path: it is a link, another
/// user's, or holds a repository of its own, whose secrets are not for a worktree of this one.
pub(super) fn is_other_repository(folder: &Path, user: u32) -> bool {
    let Ok(meta) = fs::symlink_metadata(folder) else {
        // It need not be there: the worktree may be at another commit.
        return false;
    };
    let holds = |name: &str| fs::symlink_metadata(folder.join(name)).is_ok();
    !meta.is_dir() || meta.uid() != user || holds(".git") || (holds("HEAD") && holds("objects"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn a_bare_repository_says_so_in_its_core_section() {
        for (config, bare) in [
            ("[core]\n\tbare = true\n", true),
            ("[CORE]\r\n\tBare=TRUE\r\n", true),
            ("[core]\n\tbare = false\n", false),
            ("[core]\n\tbare = true\n[core]\n\tbare = false\n", false),
            ("[corex]\n\tbare = true\n", false),
            ("[remote \"core\"]\n\tbare = true\n", false),
            ("[core]\n\trepositoryformatversion = 0\n[x]\n\tbare = true\n", false),
            ("[core]\n\t# bare = true\n", false),
            ("bare = true", false),
            ("", false),
        ] {
            assert_eq!(is_bare(config.as_bytes()), bare, "{config}");
        }
    }

    #[test]
    fn the_evidence_must_belong_to_who_asks() {
        let world = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(world.path()).unwrap();
        let entry = top.join("main/.git/worktrees/x");
        for folder in [&entry, &top.join("main/.git/objects"), &top.join("x")] {
            fs::create_dir_all(folder).unwrap();
        }
        for (path, text) in [
            (top.join("x/.git"), "gitdir: ../main/.git/worktrees/x\n"),
            (entry.join("gitdir"), "../../../../x/.git\n"),
            (entry.join("commondir"), "../..\n"),
            (top.join("main/.git/HEAD"), "ref: refs/heads/main\n"),
        ] {
            fs::write(path, text).unwrap();
        }
        let (found, user) = (top.join("x"), fs::metadata(&top).unwrap().uid());
        assert_eq!(main_repository(&found, user), Ok(top.join("main")));
        let foreign = because(&found.join(".git"), Reason::OtherOwner);
        assert_eq!(main_repository(&found, user + 1), Err(foreign));
    }

    #[test]
    fn a_line_of_git_is_a_path_without_its_line_end() {
        assert_eq!(path(b"/a b \n"), Some("/a b ".into()));
        assert_eq!(path(b"../x\r\n\n"), Some("../x".into()));
        assert_eq!(path(b"\n"), None);
        assert_eq!(path(b""), None);
        assert_eq!(path(b"\xff").unwrap().as_os_str().as_bytes(), b"\xff");
    }
}
