//! `kage doctor`.

use insta::assert_snapshot;

use crate::daemons::{GnomeKeyring, State};
use crate::world::World;

#[test]
fn all_is_well_with_an_unlocked_keyring() {
    let keyring = GnomeKeyring::start();
    let mut world = World::with_keyring(&keyring);
    world.repository("code/api");
    world.at("code/api");
    let said = world.kage(["doctor"]).to_string().replace(&keyring.bus_address(), "[BUS]");
    assert_snapshot!(said, @"
    ------- stdout -------
    ok     audit     ~/.local/state/kage/audit.jsonl
    ok     config    ~/.config/kage/config.toml: no file, so the defaults count
    ok     git       this is the repository ~/code/api
    ok     bus       [BUS]
    ok     service   gnome-keyring; values travel encrypted
    ok     keyring   `Login` is unlocked
    -      vault     not used

    All is well.
    [exit code: 0]
    ");
}

#[test]
fn a_fault_is_named_with_its_fix_and_fails() {
    let keyring = GnomeKeyring::in_state(State::Locked, |_| {});
    let said = World::with_keyring(&keyring).kage(["doctor"]).to_string();
    assert_snapshot!(said.replace(&keyring.bus_address(), "[BUS]"), @r#"
    ------- stdout -------
    ok     audit     ~/.local/state/kage/audit.jsonl
    ok     config    ~/.config/kage/config.toml: no file, so the defaults count
    ok     git       this is no repository
    ok     bus       [BUS]
    ok     service   gnome-keyring; values travel encrypted
    fault  keyring   Secret Service not available: the keyring is locked, and nobody can be asked here to unlock it
                     → unlock it where somebody can answer: run the same command in a terminal, or log in to the desktop
                     → or, without a desktop, unlock GNOME Keyring here: read -rs P; printf %s "$P" | gnome-keyring-daemon --replace --unlock --components=secrets
                     → or go on without one, in an encrypted file: kage vault init --default
                     → or in AWS, `backend = "aws"` under [secrets] in your configuration, in builds with the `aws` feature; this one is without it
    -      vault     not used

    1 thing to mend.
    [exit code: 1]
    "#);
    assert_snapshot!(World::bare().kage(["doctor"]), @r#"
    ------- stdout -------
    ok     audit     ~/.local/state/kage/audit.jsonl
    ok     config    ~/.config/kage/config.toml: no file, so the defaults count
    ok     git       this is no repository
    fault  bus       Secret Service not available: there is no session bus (`DBUS_SESSION_BUS_ADDRESS` is not set)
                     → start a session bus: dbus-run-session -- "$SHELL", or log in with one
                     → or go on without one, in an encrypted file: kage vault init --default
                     → or in AWS, `backend = "aws"` under [secrets] in your configuration, in builds with the `aws` feature; this one is without it
    -      vault     not used

    1 thing to mend.
    [exit code: 1]
    "#);
}

#[test]
fn json_says_the_same() {
    let said = World::with_vault().kage(["doctor", "--json"]);
    assert_snapshot!(said, @r#"
    ------- stdout -------
    [
      {
        "part": "audit",
        "state": "ok",
        "detail": "~/.local/state/kage/audit.jsonl",
        "fixes": []
      },
      {
        "part": "config",
        "state": "ok",
        "detail": "~/.config/kage/config.toml: 0 namespaces",
        "fixes": []
      },
      {
        "part": "git",
        "state": "ok",
        "detail": "this is no repository",
        "fixes": []
      },
      {
        "part": "keychain",
        "state": "note",
        "detail": "not used",
        "fixes": []
      },
      {
        "part": "vault",
        "state": "ok",
        "detail": "~/.local/share/kage/vault.age: opened by an age identity",
        "fixes": []
      }
    ]
    [exit code: 0]
    "#);
}

#[test]
fn each_part_that_others_could_change_or_that_is_damaged_is_a_fault() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::with_vault();
    let open = |file: &str, mode: u32| {
        let path = world.home().join(file);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(".config/kage/config.toml", 0o666);
    open(".local/share/kage/vault.age", 0o644);
    assert_snapshot!(world.kage(["doctor"]), @"
    ------- stdout -------
    ok     audit     ~/.local/state/kage/audit.jsonl
    fault  config    ~/.config/kage/config.toml: other users can change it
                     → chmod go-w ~/.config/kage/config.toml
    ok     git       this is no repository
    -      keychain  not used
    fault  vault     ~/.local/share/kage/vault.age: other users can read the file
                     → chmod 600 ~/.local/share/kage/vault.age

    2 things to mend.
    [exit code: 1]
    ");
    world.write(".local/share/kage/vault.age", "not a vault");
    world.config("[secrts]\n");
    assert_snapshot!(world.kage(["doctor"]), @"
    ------- stdout -------
    ok     audit     ~/.local/state/kage/audit.jsonl
    fault  config    [HOME]/.config/kage/config.toml line 1: unknown field `secrts`, expected one of `secrets`, `namespaces`, `agents`, `vault`, `audit`
                     → did you mean `secrets`?

    1 thing to mend.
    [exit code: 1]
    ");
}

#[test]
fn a_keyring_without_a_passphrase_is_a_fault() {
    let keyring = GnomeKeyring::start();
    let world = World::with_keyring(&keyring);
    // What gnome-keyring writes when the passphrase is empty.
    world.write(".local/share/keyrings/login.keyring", "[keyring]\ndisplay-name=Login\n");
    let said = world.kage(["doctor"]);
    assert!(said.out().contains("has no passphrase"), "{said}");
    assert_eq!(said.status.code(), Some(1));
}
