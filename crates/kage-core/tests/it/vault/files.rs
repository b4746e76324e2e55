//! The file: who may read it, what is refused, what is left alone.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::{PASSPHRASE, World, key, names, nobody, read, vault_error, write};
use kage_core::store::vault::{self, FileStatus, Lock, Protection, VaultError};
use kage_core::store::{BackendError, Missing};

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn all_files_are_private_and_none_is_left_over() {
    let world = World::with_identity();
    write(&world.stores(), &key("A"), b"s3cr3t-for-modes").unwrap();
    let folder = world.file().parent().unwrap().to_owned();
    assert_eq!(files(&folder), ["vault.age", "vault.age.lock", "vault.age.previous"]);
    for name in files(&folder) {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name}");
    }
    assert_eq!(mode(&folder), 0o700);
}

#[test]
fn without_a_vault_every_call_says_so_and_makes_none() {
    let world = World::new();
    let stores = world.stores();
    let missing = Missing::VaultFile(world.file().display().to_string());
    for result in
        [read(&stores, &key("A")).map(drop), write(&stores, &key("A"), b"s3cr3t-for-absent")]
    {
        assert!(
            matches!(&result, Err(BackendError::Unavailable { missing: told, .. }) if *told == missing),
            "{result:?}"
        );
    }
    assert!(!world.file().exists());
    assert_eq!(vault::status(&world.policy(), &world.machine()).file, FileStatus::Absent);
}

#[test]
fn a_new_vault_takes_nobodys_place() {
    let world = World::with_passphrase();
    let init = |world: &World| {
        let protection = Protection::Passphrase(super::value(b"another"));
        vault::init(&world.policy(), &world.machine(), &nobody(), protection)
    };
    let before = std::fs::read(world.file()).unwrap();
    assert!(matches!(vault_error(init(&world)), VaultError::Exists(path) if path == world.file()));
    assert_eq!(std::fs::read(world.file()).unwrap(), before);
    // A link that leads nowhere may be one to a disk that is not mounted.
    std::fs::remove_file(world.file()).unwrap();
    symlink("/nonexistent/vault.age", world.file()).unwrap();
    assert!(matches!(vault_error(init(&world)), VaultError::Exists(_)));
    assert!(world.file().is_symlink());
}

#[test]
fn a_linked_vault_stays_linked_and_keeps_its_generations_beside_itself() {
    let world = World::with_identity();
    let elsewhere = world.home().join("synced");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::rename(world.file(), elsewhere.join("my.age")).unwrap();
    symlink(elsewhere.join("my.age"), world.file()).unwrap();
    write(&world.stores(), &key("A"), b"s3cr3t-for-link").unwrap();
    assert!(world.file().is_symlink());
    assert_eq!(files(&elsewhere), ["my.age", "my.age.lock", "my.age.previous"]);
    assert_eq!(names(&world.stores()), ["A"]);
}

#[test]
fn the_path_of_the_policy_counts() {
    let world = World::with_identity().configured("path = '~/other/vault'");
    let stores = world.stores();
    assert!(matches!(read(&stores, &key("A")), Err(BackendError::Unavailable { .. })));
    std::fs::create_dir(world.home().join("other")).unwrap();
    std::fs::rename(world.file(), world.home().join("other/vault")).unwrap();
    write(&stores, &key("A"), b"s3cr3t-for-path").unwrap();
    assert_eq!(files(&world.home().join("other")), ["vault", "vault.lock", "vault.previous"]);
}

#[test]
fn a_damaged_vault_is_left_alone_and_the_error_names_the_way_back() {
    let world = World::with_identity();
    write(&world.stores(), &key("A"), b"s3cr3t-for-damage").unwrap();
    let mut bytes = std::fs::read(world.file()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(world.file(), &bytes).unwrap();
    let stores = world.stores();
    for result in
        [read(&stores, &key("A")).map(drop), write(&stores, &key("A"), b"s3cr3t-for-damage")]
    {
        assert_eq!(
            vault_error(result).to_string(),
            format!(
                "the vault `{}` cannot be used: its contents were cut short or changed; \
                 kage does not touch it, and the generation before it is `{}`",
                world.file().display(),
                world.previous().display()
            )
        );
    }
    assert_eq!(std::fs::read(world.file()).unwrap(), bytes);
    std::fs::remove_file(world.previous()).unwrap();
    let message = vault_error(read(&stores, &key("A"))).to_string();
    assert!(message.ends_with("kage does not touch it, and it kept no earlier generation of it"));
}

#[test]
fn a_folder_or_fifo_in_the_place_of_the_file_is_an_error_and_not_waited_for() {
    let world = World::with_identity();
    std::fs::remove_file(world.file()).unwrap();
    std::fs::create_dir(world.file()).unwrap();
    assert!(matches!(read(&world.stores(), &key("A")), Err(BackendError::File(_))));
    std::fs::remove_dir(world.file()).unwrap();
    let made = std::process::Command::new("mkfifo").arg(world.file()).status().unwrap();
    assert!(made.success());
    assert!(matches!(read(&world.stores(), &key("A")), Err(BackendError::File(_))));
}

#[test]
fn a_look_from_outside_tells_what_is_there() {
    let world = World::with_passphrase();
    let look = || vault::status(&world.policy(), &world.machine());
    let status = look();
    assert_eq!(status.file, FileStatus::Vault(Lock::Passphrase { log_n: super::CHEAP_LOG_N }));
    assert_eq!((status.open_file_mode, status.open_folder_mode), (None, None));
    assert!(!status.has_previous && !status.kept_unlocked && status.path == world.file());
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(&world.file(), 0o640);
    chmod(world.file().parent().unwrap(), 0o775);
    write(&world.stores(), &key("A"), b"s3cr3t-for-status").unwrap();
    chmod(&world.file(), 0o604);
    let status = look();
    assert_eq!((status.open_file_mode, status.open_folder_mode), (Some(0o604), Some(0o775)));
    assert!(status.has_previous);
    std::fs::write(world.file(), "hello").unwrap();
    assert!(matches!(look().file, FileStatus::Unusable(why) if why.contains("not an age file")));
    let identity = World::with_identity();
    let status = vault::status(&identity.policy(), &identity.machine());
    assert_eq!(status.file, FileStatus::Vault(Lock::Identity));
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_names_it() {
    // /proc refuses even root, whom modes do not stop.
    let world = World::new().configured("path = '/proc/self/fd/kage/vault.age'");
    let protection = Protection::Passphrase(super::value(PASSPHRASE.as_bytes()));
    let error = vault::init(&world.policy(), &world.machine(), &nobody(), protection).unwrap_err();
    let BackendError::File(error) = error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), "cannot make the folder `/proc/self/fd/kage`");
}
