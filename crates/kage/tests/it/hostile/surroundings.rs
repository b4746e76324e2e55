//! The path of a repository, the environment that a command finds, and the user's own records.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::{CLAIMS, GLOBAL, OWN, Row, Yard};

const ACTING: &str = "code/\u{1b}[2J\u{9b}1A\u{7}";
const TURNING: &str = "code/\u{202e}\u{2066}\u{200b}elif";
const OF_LINES: &str = "code/a\n- ~/victim\r\nhint: b";
const NOT_TEXT: &[u8] = b"code/\xff\x9b2J";

pub(super) const ROWS: &[Row] = &[
    Row::new("a clone where a namespace's pattern matches", |yard| {
        yard.world.repository("work/clone");
        yard.world.write("work/clone/.kage/config.toml", "namespace = \"work\"\n");
        GLOBAL
    })
    .at(b"work/clone"),
    Row::new("a clone whose name is a pattern", |yard| {
        yard.world.repository("work/*");
        GLOBAL
    })
    .at(b"work/*"),
    Row::new("a link from where a pattern matches", |yard| {
        yard.repository();
        yard.world.folder("work");
        std::os::unix::fs::symlink("../code/clone", yard.home().join("work/clone")).unwrap();
        OWN
    })
    .at(b"work/clone"),
    Row::new("a path that acts on the terminal", |yard| of_path(yard, ACTING))
        .at(ACTING.as_bytes()),
    Row::new("a path that turns text around", |yard| of_path(yard, TURNING)).at(TURNING.as_bytes()),
    Row::new("a path of several lines", |yard| of_path(yard, OF_LINES)).at(OF_LINES.as_bytes()),
    Row::new("a path that is not UTF-8", |yard| {
        let path = yard.home().join(std::ffi::OsStr::from_bytes(NOT_TEXT));
        fs::create_dir_all(path.join(".kage")).unwrap();
        fs::write(path.join(".kage/config.toml"), CLAIMS).unwrap();
        yard.world.git(&path, &["init", "--quiet"]);
        GLOBAL
    })
    .at(NOT_TEXT),
    Row::new("another repository's path in other letters", |yard| {
        yard.world.repository("Victim");
        GLOBAL
    })
    .at(b"Victim"),
    Row::new("a path with the way back in it", |yard| {
        yard.repository();
        OWN
    })
    .at(b"victim/../code/clone/../clone"),
    Row::new("variables of git that name another repository", |yard| {
        yard.repository();
        OWN
    })
    .with(&[
        ("GIT_DIR", "../../victim/.git"),
        ("GIT_COMMON_DIR", "../../victim/.git"),
        ("GIT_WORK_TREE", "../../victim"),
        ("GIT_INDEX_FILE", "../../victim/.git/index"),
        ("GIT_CEILING_DIRECTORIES", "/"),
        ("GIT_DISCOVERY_ACROSS_FILESYSTEM", "1"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.worktree"),
        ("GIT_CONFIG_VALUE_0", "../../victim"),
    ]),
    Row::new("a working directory that the environment says is another", |yard| {
        yard.repository();
        OWN
    })
    .with(&[
        ("PWD", "../../victim"),
        ("OLDPWD", "../../victim"),
        ("INIT_CWD", "../../victim"),
    ]),
    Row::new("a manifest that is trusted in another repository", |yard| {
        yard.manifest(CLAIMS);
        OWN
    }),
    Row::new("a record of trust in the repository", |yard| {
        yard.manifest(CLAIMS);
        let record = trust_of_victim(yard, "code/clone");
        for place in [".kage/trust.json", "trust.json", ".local/state/kage/trust.json"] {
            yard.file(place, &record);
        }
        OWN
    }),
    Row::new("a record of trust that was written by hand for another path", |yard| {
        yard.manifest(CLAIMS);
        fs::write(yard.records.join("trust.json"), trust_of_victim(yard, "code/clone")).unwrap();
        OWN
    }),
    Row::new("a trusted repository that was moved", |yard| {
        yard.manifest(CLAIMS);
        yard.trust();
        fs::rename(yard.clone(), yard.home().join("code/moved")).unwrap();
        GLOBAL
    })
    .at(b"code/moved"),
    Row::new("another clone in the place of a trusted one", |yard| {
        yard.manifest(CLAIMS);
        yard.trust();
        fs::rename(yard.clone(), yard.home().join("code/before")).unwrap();
        yard.manifest(CLAIMS);
        OWN
    }),
    Row::new("a repository with a configuration, a vault and variables of its own", |yard| {
        yard.repository();
        let asks = "[secrets]\nallow_names = [\"LD_PRELOAD\"]\nbackend = \"keyring\"\n";
        yard.file(".config/kage/config.toml", asks);
        yard.file("config.toml", asks);
        yard.file(".env", "KAGE_CONFIG=config.toml\nOWN=another\n");
        yard.file(".local/share/kage/vault.age", "");
        OWN
    }),
];

/// Makes a repository at a path, which is given nothing of another's.
fn of_path(yard: &Yard, path: &str) -> &'static [&'static str] {
    yard.world.repository(path);
    yard.world.write(&format!("{path}/.kage/config.toml"), CLAIMS);
    GLOBAL
}

/// The record of what is trusted of the victim, for another path.
fn trust_of_victim(yard: &Yard, path: &str) -> String {
    let record = fs::read_to_string(yard.home().join("trust.json")).unwrap();
    let (victim, other) = (yard.home().join("victim"), yard.home().join(path));
    record.replace(victim.to_str().unwrap(), other.to_str().unwrap())
}
