//! What was seen and not honoured. `secret why` and `doctor` show it.

use std::fmt;
use std::path::PathBuf;

/// Something that was seen on the way and not honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// What was seen.
    pub path: PathBuf,
    /// Why it counts for nothing.
    pub why: Reason,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.why)
    }
}

/// Why something that was seen is not honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A folder or file of another owner.
    OtherOwner,
    /// A path that no scope can name.
    NotText,
    /// A `.git` that is a symbolic link.
    LinkedGit,
    /// A `.git` that is neither a folder nor a file nor a link.
    OddGit,
    /// A file that is missing, no regular file, too long, or that the system does not let us read.
    Unreadable,
    /// A `.git` file whose text is not `gitdir: PATH`.
    NoPointer,
    /// A `.git` file whose target does not exist.
    Dangling,
    /// A `.git` file whose target is no worktree: a submodule, or a separate git folder.
    NotAWorktree,
    /// A `.git` file whose target belongs to another folder: a copied or forged pointer.
    NotPointedBack,
    /// A worktree's `commondir` that names another repository than the one it lies in.
    OtherCommon,
    /// A worktree whose repository is neither an ordinary nor a bare one.
    NotARepository,
    /// A folder in the main repository that is not its own: a link, another repository, or another
    /// user's.
    OtherRepository,
    /// A `.kage` that is a symbolic link.
    LinkedManifest,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherOwner => "it belongs to another user, so no repository scope applies",
            Self::NotText => "the path is not UTF-8, so no scope can name it",
            Self::LinkedGit => "it is a symbolic link, so the folder counts as its own",
            Self::OddGit => "it is neither a folder nor a file, so the folder counts as its own",
            Self::Unreadable => "it cannot be read as a file, so the folder counts as its own",
            Self::NoPointer => "it does not say `gitdir: PATH`, so the folder counts as its own",
            Self::Dangling => "what it points to does not exist, so the folder counts as its own",
            Self::NotAWorktree => "it points to no worktree, so the folder counts as its own",
            Self::NotPointedBack => "it points to the worktree of another folder",
            Self::OtherCommon => "it names another repository than the one it lies in",
            Self::NotARepository => "it is neither an ordinary repository nor a bare one",
            Self::OtherRepository => {
                "it is not the main repository's own, so the worktree's folder does not stand for it"
            }
            Self::LinkedManifest => "it is a symbolic link, so no manifest is read",
        })
    }
}
