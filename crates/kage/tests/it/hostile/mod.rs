//! Repositories that are made to be given what is not theirs, to hang kage, to crash it, to write to
//! the terminal: one row for each, and one property for all.
//!
//! Whatever a repository is, in it a command gets what the user stored for its own path and for
//! everywhere; kage ends by itself, in time; and nothing that it says moves a cursor or turns text
//! around.

mod gits;
mod manifests;
mod surroundings;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::world::{KAGE, World};

/// What is there, each with a value of its own: its name, and its scope.
const STORED: [(&str, &str); 5] = [
    ("EVERYWHERE", "global"),
    ("OWN", "repo:~/code/clone"),
    ("PRODUCTION", "namespace:production"),
    ("VICTIM", "repo:~/victim"),
    ("WORK", "namespace:work"),
];

/// What a command in `~/code/clone` gets.
const OWN: &[&str] = &["EVERYWHERE", "OWN"];

/// What a command in a folder gets that nothing is stored for.
const GLOBAL: &[&str] = &["EVERYWHERE"];

/// What a command gets that is not started.
const NOTHING: &[&str] = &[];

/// One hostile repository.
struct Row {
    /// What is wrong with it.
    name: &'static str,
    /// Makes it, in an empty `~/code/clone`, and returns what a command in [`Row::at`] gets.
    build: fn(&Yard) -> &'static [&'static str],
    /// Where the commands are run, from home.
    at: &'static [u8],
    /// What is in the environment.
    variables: &'static [(&'static str, &'static str)],
}

impl Row {
    const fn new(name: &'static str, build: fn(&Yard) -> &'static [&'static str]) -> Self {
        Self { name, build, at: b"code/clone", variables: &[] }
    }

    const fn at(mut self, at: &'static [u8]) -> Self {
        self.at = at;
        self
    }

    const fn with(mut self, variables: &'static [(&'static str, &'static str)]) -> Self {
        self.variables = variables;
        self
    }
}

/// A world with a victim: a repository with a worktree, a namespace and a trusted manifest.
struct Yard {
    world: World,
    records: PathBuf,
}

impl Yard {
    fn new() -> Self {
        let world = World::with_vault();
        let config = fs::read_to_string(world.home().join(".config/kage/config.toml")).unwrap();
        let namespaces = "[namespaces.production]\nrepos = [\"~/victim\"]\n\
                          [namespaces.work]\nrepos = [\"~/work/*\"]\n";
        world.config(&format!("{config}\n{namespaces}"));
        world.repository("victim");
        world.git(&world.home().join("victim"), &["worktree", "add", "--quiet", "../tree"]);
        world.write("victim/.kage/config.toml", CLAIMS);
        world.folder("code/clone");
        for (name, scope) in STORED {
            world.set(name, scope, value_of(name));
        }
        let trusted = world.kage(["trust", "~/victim", "--yes"]);
        assert!(trusted.status.success(), "{trusted}");
        let records = world.home().join(".local/state/kage");
        fs::copy(records.join("trust.json"), world.home().join("trust.json")).unwrap();
        Self { world, records }
    }

    /// Makes the yard as it was, with an empty `~/code/clone`.
    fn clear(&self) {
        for folder in ["code", "work", "Victim"] {
            let folder = self.home().join(folder);
            if folder.exists() {
                fs::remove_dir_all(folder).unwrap();
            }
        }
        fs::copy(self.home().join("trust.json"), self.records.join("trust.json")).unwrap();
        self.world.folder("code/clone");
    }

    fn home(&self) -> PathBuf {
        self.world.home()
    }

    fn clone(&self) -> PathBuf {
        self.home().join("code/clone")
    }

    /// Makes `~/code/clone` an ordinary repository.
    fn repository(&self) -> PathBuf {
        self.world.repository("code/clone")
    }

    /// Writes a file of `~/code/clone`.
    fn file(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        self.world.write(&format!("code/clone/{path}"), bytes)
    }

    /// Makes `~/code/clone` an ordinary repository with a manifest.
    fn manifest(&self, bytes: impl AsRef<[u8]>) {
        self.repository();
        self.file(".kage/config.toml", bytes);
    }

    /// Makes a link in `~/code/clone`.
    fn link(&self, path: &str, target: impl AsRef<Path>) {
        let path = self.clone().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Makes a FIFO or a socket in `~/code/clone`.
    fn node(&self, path: &str, kind: FileType) {
        let path = self.clone().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        mknodat(CWD, &path, kind, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }

    /// Trusts the manifest in `~/code/clone`, as its user might.
    fn trust(&self) {
        let said = self.world.kage(["trust", "~/code/clone", "--yes"]);
        assert!(said.status.success(), "{said}");
    }

    /// Gives something in `~/code/clone` to another user, if this one may.
    fn give_away(&self, path: &str) -> bool {
        let other = rustix::process::getuid().as_raw() + 1234;
        std::os::unix::fs::lchown(self.clone().join(path), Some(other), None).is_ok()
    }

    /// Runs a command of kage in the repository of `row`. One that hangs is killed.
    fn kage(&self, row: &Row, arguments: &[&str]) -> Output {
        let all = [&["--signal=KILL", "30", KAGE], arguments].concat();
        let mut command = self.world.command("timeout", all);
        command.current_dir(self.home().join(std::ffi::OsStr::from_bytes(row.at)));
        command.envs(row.variables.iter().copied()).output().unwrap()
    }
}

/// The manifest of the victim, which is trusted there.
const CLAIMS: &str = "namespace = \"production\"\n";

fn value_of(name: &str) -> String {
    format!("s3cr3t-for-hostile-{}.", name.to_lowercase())
}

/// What is asked in each repository, beside what a command gets.
const COMMANDS: &[&[&str]] = &[
    &["run", "--plan"],
    &["run", "--plan", "--json"],
    &["secret", "list", "--here"],
    &["secret", "list", "--here", "--json"],
    &["trust"],
    &["trust", "--list"],
    &["check"],
    &["check", "--json"],
    &["why", "VICTIM"],
    &["why", "OWN", "--json"],
    &["__complete", "--current=", "--", "kage", "run", "--only"],
    &["__complete", "--current=", "--", "kage", "set", "A", "--scope"],
    &["doctor"],
];

/// Returns whether a character moves the cursor, or turns around or hides what is beside it.
fn acts(character: char) -> bool {
    let bidirectional = matches!(
        character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
    );
    bidirectional || (character.is_control() && character != '\n')
}

/// Asserts what holds of every command, whatever it says. Returns its output.
fn assert_harmless(row: &Row, arguments: &[&str], output: &Output) -> String {
    let said = format!("{}, {arguments:?}: {output:?}", row.name);
    let code = output.status.code();
    // 137 is a hang, 101 a panic, 70 a fault of kage's; none is a signal.
    assert!(code.is_some_and(|code| ![70, 101, 137].contains(&code) && code < 128), "{said}");
    let text = [&output.stdout[..], &output.stderr[..]].map(<[u8]>::to_vec).concat();
    let text = String::from_utf8(text).unwrap_or_else(|_| panic!("not UTF-8: {said}"));
    // A completion and what it is are told apart by one tab.
    let tabs = usize::from(arguments.first() == Some(&"__complete"));
    for line in text.lines() {
        assert!(!line.replacen('\t', "", tabs).contains(acts), "{said}");
    }
    text
}

/// Holds one repository against the property.
fn assert_row(yard: &Yard, row: &Row) {
    yard.clear();
    let given = (row.build)(yard);
    for arguments in COMMANDS {
        let text = assert_harmless(row, arguments, &yard.kage(row, arguments));
        assert!(!text.contains("s3cr3t"), "{}, {arguments:?}: {text}", row.name);
    }
    let run = ["run", "--", "env", "--null"];
    let output = yard.kage(row, &run);
    let told = Output { stdout: Vec::new(), ..output.clone() };
    assert_harmless(row, &run, &told);
    let environment = String::from_utf8_lossy(&output.stdout);
    let got = STORED.iter().map(|(name, _)| *name).filter(|name| {
        environment.split('\0').any(|variable| variable == format!("{name}={}", value_of(name)))
    });
    let got: Vec<_> = got.collect();
    assert_eq!(got, given, "{}: {output:?}", row.name);
    assert_eq!(environment.matches("s3cr3t").count(), given.len(), "{}", row.name);
    // Nothing that the repository names as a command was run.
    assert!(!yard.home().join("ran").exists(), "{}", row.name);
}

/// Holds each repository of a table against the property, in a yard in which something can be got.
fn assert_rows(rows: &[Row]) {
    let yard = Yard::new();
    let of_victim = |_: &Yard| -> &[&str] { &["EVERYWHERE", "PRODUCTION", "VICTIM"] };
    assert_row(&yard, &Row::new("the victim itself", of_victim).at(b"victim"));
    assert_row(&yard, &Row::new("the victim's worktree", of_victim).at(b"tree"));
    for row in rows {
        assert_row(&yard, row);
    }
}

#[test]
fn no_manifest_is_given_what_it_asks_for() {
    assert_rows(manifests::ROWS);
}

#[test]
fn no_git_passes_for_another() {
    assert_rows(gits::ROWS);
}

#[test]
fn no_path_variable_or_record_gives_more_than_there_is() {
    assert_rows(surroundings::ROWS);
}

#[test]
fn there_are_at_least_forty_hostile_repositories_each_with_a_name_of_its_own() {
    let tables = [manifests::ROWS, gits::ROWS, surroundings::ROWS];
    let rows: Vec<_> = tables.into_iter().flatten().map(|row| row.name).collect();
    assert!(rows.len() >= 40, "{}", rows.len());
    assert_eq!(rows.iter().collect::<BTreeSet<_>>().len(), rows.len());
}
