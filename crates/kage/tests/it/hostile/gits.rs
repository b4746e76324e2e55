//! What may be called `.git`, and what may be in it.

use std::fs;

use rustix::fs::FileType;

use super::{GLOBAL, OWN, Row, Yard};

pub(super) const ROWS: &[Row] = &[
    Row::new("a `.git` that points at another repository", |yard| {
        points(yard, "../../victim/.git")
    }),
    Row::new("a `.git` that points at another repository's worktree", |yard| {
        points(yard, "../../victim/.git/worktrees/tree")
    }),
    Row::new("a `.git` that goes a long way round to it", |yard| {
        points(yard, "../clone/../../code/./../victim//.git/worktrees/../worktrees/tree/")
    }),
    Row::new("a `.git` that was copied from a worktree", |yard| {
        fs::copy(yard.home().join("tree/.git"), yard.clone().join(".git")).unwrap();
        OWN
    }),
    Row::new("a `.git` that is a hard link to a worktree's", |yard| {
        fs::hard_link(yard.home().join("tree/.git"), yard.clone().join(".git")).unwrap();
        OWN
    }),
    Row::new("a `.git` that is a link to another repository's", |yard| {
        yard.link(".git", "../../victim/.git");
        OWN
    }),
    Row::new("a `.git` that is a link to a worktree's", |yard| {
        yard.link(".git", yard.home().join("tree/.git"));
        OWN
    }),
    Row::new("a `.git` that is a link to itself", |yard| {
        yard.link(".git", ".git");
        OWN
    }),
    Row::new("a repository whose common folder is another's", |yard| {
        yard.repository();
        yard.file(".git/commondir", "../../../victim/.git\n");
        yard.file(".git/gitdir", "../../../tree/.git\n");
        OWN
    }),
    Row::new("a forged worktree whose common folder is another's", |yard| {
        forged(yard, "../../../../../../victim/.git\n");
        OWN
    }),
    Row::new("a forged worktree that is whole, of a repository inside it", |yard| {
        forged(yard, "../..\n");
        yard.file("fake/.git/HEAD", "ref: refs/heads/main\n");
        yard.world.folder("code/clone/fake/.git/objects");
        OWN
    }),
    Row::new("a forged worktrees folder that is a link to another repository's", |yard| {
        yard.file(".git", "gitdir: fake/worktrees/tree\n");
        yard.link("fake/worktrees", "../../../victim/.git/worktrees");
        OWN
    }),
    Row::new("a committed folder that looks bare, with a common folder", |yard| {
        yard.repository();
        yard.world.git(&yard.clone(), &["init", "--quiet", "--bare", "trap"]);
        yard.file("trap/commondir", "../../../victim/.git\n");
        OWN
    })
    .at(b"code/clone/trap"),
    Row::new("a bare repository with a common folder", |yard| {
        yard.world.git(&yard.clone(), &["init", "--quiet", "--bare", "."]);
        yard.file("commondir", "../../victim/.git\n");
        OWN
    }),
    Row::new("a repository inside, which is not the one around it", |yard| {
        yard.repository();
        yard.world.repository("code/clone/inner");
        GLOBAL
    })
    .at(b"code/clone/inner"),
    Row::new("a `.git` inside that is nothing, which is not the one around it either", |yard| {
        yard.repository();
        yard.file("inner/.git", "");
        GLOBAL
    })
    .at(b"code/clone/inner"),
    Row::new("a submodule of another repository", |yard| {
        yard.world.git(&yard.home(), &["init", "--quiet", "--bare", "victim/.git/modules/clone"]);
        points(yard, "../../victim/.git/modules/clone")
    }),
    Row::new("a `.git` of several lines that act on the terminal", |yard| {
        points(yard, "\u{1b}[2J\u{202e}a\ngitdir: ../../victim/.git/worktrees/tree")
    }),
    Row::new("a `.git` that points at a folder that acts on the terminal", |yard| {
        yard.world.folder("code/clone/\u{1b}[2J\u{202e}/worktrees/\u{9b}1A\n");
        points(yard, "\u{1b}[2J\u{202e}/worktrees/\u{9b}1A")
    }),
    Row::new("a `.git` with NUL", |yard| points(yard, "../../victim\0/.git")),
    Row::new("a `.git` that is not UTF-8", |yard| {
        yard.file(".git", b"gitdir: \xff\x9b\n");
        OWN
    }),
    Row::new("a `.git` of 10 MB", |yard| {
        yard.file(".git", [&b"gitdir: "[..], &vec![b'a'; 10 << 20]].concat());
        OWN
    }),
    Row::new("a `.git` that is a FIFO", |yard| {
        yard.node(".git", FileType::Fifo);
        OWN
    }),
    Row::new("a `.git` that is a socket", |yard| {
        yard.node(".git", FileType::Socket);
        OWN
    }),
    Row::new("a HEAD, a config and a common folder that are FIFOs", |yard| {
        for file in [".git/HEAD", ".git/config", ".git/commondir", ".git/gitdir"] {
            yard.node(file, FileType::Fifo);
        }
        OWN
    }),
    Row::new("a HEAD and a config of 10 MB", |yard| {
        yard.repository();
        for file in [".git/HEAD", ".git/config"] {
            yard.file(file, vec![b'a'; 10 << 20]);
        }
        OWN
    }),
    Row::new("a branch that acts on the terminal", |yard| {
        yard.repository();
        yard.file(".git/HEAD", "ref: refs/heads/\u{1b}[2J\u{202e}\u{9b}1A\n");
        OWN
    }),
    Row::new("a worktree whose way back is a FIFO", |yard| {
        yard.file(".git", "gitdir: fake/.git/worktrees/x\n");
        yard.node("fake/.git/worktrees/x/gitdir", FileType::Fifo);
        yard.node("fake/.git/worktrees/x/commondir", FileType::Fifo);
        OWN
    }),
    Row::new("a worktree whose way back and common folder are 10 MB", |yard| {
        yard.file(".git", "gitdir: fake/.git/worktrees/x\n");
        for file in ["gitdir", "commondir"] {
            yard.file(&format!("fake/.git/worktrees/x/{file}"), vec![b'/'; 10 << 20]);
        }
        OWN
    }),
    Row::new("a config, hooks and a monitor that run commands", |yard| {
        let runs = yard.file("runs", "#!/bin/sh\ntouch ~/ran\n");
        let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&runs, may_run).unwrap();
        yard.repository();
        let runs = runs.display();
        let include = "[include]\npath = /dev/zero\n[includeIf \"gitdir:/\"]\npath = ../evil\n";
        let core = format!("[core]\nfsmonitor = {runs}\npager = {runs}\nsshCommand = {runs}\n");
        yard.file(
            ".git/config",
            format!("{core}hooksPath = {}\n{include}", yard.clone().display()),
        );
        for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
            yard.link(&format!(".git/hooks/{hook}"), "../../runs");
        }
        OWN
    }),
    Row::new("a repository of another user", |yard| {
        yard.repository();
        if yard.give_away("") { GLOBAL } else { OWN }
    }),
    Row::new("a repository whose `.git` is another user's", |yard| {
        yard.repository();
        if yard.give_away(".git") { GLOBAL } else { OWN }
    }),
];

/// Makes a `.git` that points elsewhere, which gives it nothing.
fn points(yard: &Yard, target: &str) -> &'static [&'static str] {
    yard.file(".git", format!("gitdir: {target}\n"));
    OWN
}

/// Makes a worktree that both sides confirm, of a repository in the same clone.
fn forged(yard: &Yard, commondir: &str) {
    yard.file(".git", "gitdir: fake/.git/worktrees/x\n");
    yard.file("fake/.git/worktrees/x/gitdir", "../../../../.git\n");
    yard.file("fake/.git/worktrees/x/commondir", commondir);
}
