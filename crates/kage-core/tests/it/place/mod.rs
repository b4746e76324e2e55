//! Where a directory belongs, against real git and against what can be made to look like it.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests make and look at files as they please, and one that cannot go on fails"
)]

mod attacks;
mod folders;
mod namespaces;
mod trust;
mod worktrees;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kage_core::config::{Confirmed, Policy, Trust};
use kage_core::name::Scope;
use kage_core::resolve::{Ignored, Place, PlaceError, Question, Reason, place};

/// A home directory of its own, with git cut off from everything else.
struct World {
    folder: tempfile::TempDir,
    policy: Policy,
    confirmed: Confirmed,
    trust: Trust,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        let (policy, confirmed, trust) = Default::default();
        Self { folder, policy, confirmed, trust }
    }

    fn with_config(text: &str) -> Self {
        let policy = Policy::parse(text, Path::new("config.toml")).unwrap();
        Self { policy, ..Self::new() }
    }

    /// Returns the world's folder with its links resolved.
    fn top(&self) -> PathBuf {
        fs::canonicalize(self.folder.path()).unwrap()
    }

    fn home(&self) -> PathBuf {
        self.top().join("home")
    }

    /// Returns the way to home from the directory that the tests run in.
    fn relative_home(&self) -> PathBuf {
        let here = std::env::current_dir().unwrap();
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        let home = up.join(self.home().strip_prefix("/").unwrap());
        assert_eq!(fs::canonicalize(&home).unwrap(), self.home());
        home
    }

    /// Makes a folder below home.
    fn folder(&self, path: &str) -> PathBuf {
        let folder = self.home().join(path);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Makes a file below home.
    fn file(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let file = self.home().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        file
    }

    /// Runs git in a folder below home. It has to succeed.
    fn git(&self, path: &str, arguments: &[&str]) {
        let output = Command::new("git")
            .current_dir(self.folder(path))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"])
            .args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
    }

    /// Makes a repository with one commit and a folder `api` in it.
    fn repository(&self, path: &str) -> PathBuf {
        self.file(&format!("{path}/api/file"), "");
        self.git(path, &["init", "-q"]);
        self.git(path, &["add", "."]);
        self.git(path, &["commit", "-q", "-m", "x"]);
        self.home().join(path)
    }

    /// Makes the repository `main` and its worktree `tree`.
    fn worktree(&self) -> (PathBuf, PathBuf) {
        let main = self.repository("main");
        self.git("main", &["worktree", "add", "-q", "../tree"]);
        (main, self.home().join("tree"))
    }

    fn ask(&self, dir: &Path) -> Result<Place, PlaceError> {
        place(&Question {
            dir,
            home: &self.home(),
            policy: &self.policy,
            confirmed: &self.confirmed,
            trust: &self.trust,
            namespace: None,
        })
    }

    fn place(&self, dir: impl AsRef<Path>) -> Place {
        self.ask(&self.home().join(dir)).unwrap()
    }

    /// Returns the scopes that apply in `dir`, shortened: `~` for home, no `repo:`, no `global`.
    fn scopes(&self, dir: impl AsRef<Path>) -> Vec<String> {
        self.shown(&self.place(dir))
    }

    fn shown(&self, place: &Place) -> Vec<String> {
        let home = self.home();
        let mut scopes = place.scopes.clone();
        assert_eq!(scopes.pop(), Some(Scope::Global));
        let shown = |scope: Scope| match scope {
            Scope::Repo(path) => kage_core::config::shorten_home(path.as_path(), &home),
            other => other.to_string(),
        };
        scopes.into_iter().map(shown).collect()
    }

    /// Asserts that `dir` counts as its own repository and nothing else, and says why.
    #[track_caller]
    fn assert_its_own(&self, dir: impl AsRef<Path>, ignored: &[(&str, Reason)]) {
        let place = self.place(&dir);
        let root = fs::canonicalize(self.home().join(dir)).unwrap();
        let repository = place.repository.as_ref().unwrap();
        assert_eq!((&repository.root, &repository.found), (&root, &root));
        assert!(!repository.worktree);
        assert_eq!(self.shown(&place), [kage_core::config::shorten_home(&root, &self.home())]);
        assert_eq!(place.ignored, self.ignored(ignored));
    }

    fn ignored(&self, expected: &[(&str, Reason)]) -> Vec<Ignored> {
        let ignored = |&(path, why): &(&str, Reason)| Ignored { path: self.home().join(path), why };
        expected.iter().map(ignored).collect()
    }

    /// Gives `path` to another user, if this one may.
    fn give_away(&self, path: impl AsRef<Path>) -> bool {
        let path = self.home().join(path);
        let me = fs::metadata(self.home()).unwrap().uid();
        std::os::unix::fs::lchown(path, Some(me + 1234), None).is_ok()
    }
}
