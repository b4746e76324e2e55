//! A vault whose identity is in a real keychain.

use std::path::Path;

use super::{PASSPHRASE, Person, World, key, names, nobody, read, value, vault_error, write};
use crate::daemons::{GnomeKeyring, Session, State};
use kage_core::name::BackendName;
use kage_core::store::BackendError;
use kage_core::store::vault::{self, FileStatus, Lock, Protection, Unlock, VaultError};

/// Makes a home whose vault is opened by the keychain of `session`.
fn with_vault(session: &Session) -> World {
    let world = World::with_keychain(session);
    init(&world).unwrap();
    write(&world.stores(), &key("A"), b"s3cr3t-for-keychain").unwrap();
    world
}

fn init(world: &World) -> Result<std::path::PathBuf, BackendError> {
    vault::init(&world.policy(), &world.machine(), &nobody(), Protection::Keychain)
}

fn rekey(world: &World, protection: Protection) -> Result<(), BackendError> {
    let unlock = world.passphrase_file(PASSPHRASE);
    vault::rekey(&world.policy(), &world.machine(), unlock, &nobody(), protection)
}

/// Returns the identities that another tool finds in the keychain for the vault at `file`.
fn identities(session: &Session, file: &Path) -> Vec<age::x25519::Identity> {
    let file = file.canonicalize().unwrap();
    let args = ["lookup", "service", "kage-vault", "account", file.to_str().unwrap()];
    let text = String::from_utf8(session.secret_tool(&args, b"").stdout).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn the_keychain_opens_it_with_nobody_there() {
    let keyring = GnomeKeyring::start();
    let world = with_vault(&keyring);
    let stores = world.open(Unlock::default(), nobody());
    assert_eq!(read(&stores, &key("A")).unwrap().unwrap(), b"s3cr3t-for-keychain");
    let status = vault::status(&world.policy(), &world.machine());
    assert_eq!(status.file, FileStatus::Vault(Lock::Identity));
    // And so does a person with what `secret-tool` finds.
    let [identity] = &identities(&keyring, &world.file())[..] else { panic!("one identity") };
    assert_eq!(world.decrypt(identity)["secrets"][0]["name"], "A");
}

#[test]
fn a_locked_keychain_is_what_the_error_names() {
    let mut made = None;
    let keyring = GnomeKeyring::in_state(State::Locked, |session| {
        made = Some(with_vault(session));
    });
    let world = made.unwrap();
    let error = read(&world.open(Unlock::default(), nobody()), &key("A")).unwrap_err();
    assert!(matches!(error, BackendError::Locked { backend: BackendName::Keyring }), "{error:?}");
    drop(keyring);
}

#[test]
fn without_its_key_in_the_keychain_no_identity_is_at_hand() {
    let (keyring, other) = (GnomeKeyring::start(), GnomeKeyring::start());
    let mut world = with_vault(&keyring);
    world.bus_address = Some(other.bus_address());
    let error = vault_error(read(&world.stores(), &key("A")));
    assert!(matches!(error, VaultError::NoIdentity(path) if path == world.file()));
}

#[test]
fn a_new_vault_does_not_take_the_key_of_the_old_one_out_of_the_keychain() {
    let keyring = GnomeKeyring::start();
    let world = with_vault(&keyring);
    let aside = world.home().join("aside.age");
    std::fs::rename(world.file(), &aside).unwrap();
    init(&world).unwrap();
    assert_eq!(names(&world.stores()), Vec::<String>::new());
    std::fs::rename(&aside, world.file()).unwrap();
    assert_eq!(names(&world.stores()), ["A"]);
}

#[test]
fn what_another_program_put_in_the_place_of_the_key_stays() {
    let keyring = GnomeKeyring::start();
    let world = World::with_keychain(&keyring);
    let file = world.file();
    let account = file.to_str().unwrap();
    let args = ["store", "--label=mine", "service", "kage-vault", "account", account];
    keyring.secret_tool(&args, b"something else").success();
    assert!(matches!(vault_error(init(&world)), VaultError::Identity(_)));
    assert!(!world.file().exists());
    let args = ["lookup", "service", "kage-vault", "account", account];
    assert_eq!(keyring.secret_tool(&args, b"").stdout, b"something else");
}

#[test]
fn new_keys_at_once_do_not_lock_anybody_out() {
    let keyring = GnomeKeyring::start();
    let world = with_vault(&keyring);
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| rekey(&world, Protection::Keychain).unwrap());
        }
    });
    assert_eq!(names(&world.stores()), ["A"]);
    assert_eq!(identities(&keyring, &world.file()).len(), 1);
}

#[test]
fn a_new_key_in_the_keychain_takes_the_place_of_the_old_one() {
    let keyring = GnomeKeyring::start();
    let world = with_vault(&keyring);
    let before = identities(&keyring, &world.file());
    let old_file = std::fs::read(world.file()).unwrap();
    rekey(&world, Protection::Keychain).unwrap();
    let after = identities(&keyring, &world.file());
    assert_eq!((before.len(), after.len()), (1, 1));
    assert!(before[0].to_public() != after[0].to_public());
    assert_eq!(names(&world.stores()), ["A"]);
    std::fs::write(world.file(), old_file).unwrap();
    assert!(matches!(vault_error(read(&world.stores(), &key("A"))), VaultError::NoIdentity(_)));
}

#[test]
fn a_passphrase_takes_the_key_out_of_the_keychain_and_the_other_way_round() {
    let keyring = GnomeKeyring::start();
    let world = with_vault(&keyring);
    rekey(&world, Protection::Passphrase(value(PASSPHRASE.as_bytes()))).unwrap();
    assert!(identities(&keyring, &world.file()).is_empty());
    assert_eq!(names(&world.stores()), ["A"]);
    rekey(&world, Protection::Keychain).unwrap();
    assert_eq!(identities(&keyring, &world.file()).len(), 1);
    assert_eq!(names(&world.open(Unlock::default(), nobody())), ["A"]);
}

#[test]
fn a_keychain_that_cannot_be_reached_leaves_no_vault_and_no_change() {
    let world = World::with_keychain(&Session::without_bus());
    assert!(matches!(init(&world), Err(BackendError::Unavailable { .. })));
    assert!(!world.file().exists());
    let passphrase = value(PASSPHRASE.as_bytes());
    vault::init_cheaply(&world.policy(), &world.machine(), passphrase, super::CHEAP_LOG_N).unwrap();
    let before = std::fs::read(world.file()).unwrap();
    let refused = rekey(&world, Protection::Keychain);
    assert!(matches!(refused, Err(BackendError::Unavailable { .. })));
    assert_eq!(std::fs::read(world.file()).unwrap(), before);
    // With a passphrase, nobody asks the keychain.
    assert_eq!(names(&world.open(Unlock::default(), Person::who_says(&[PASSPHRASE]))), [""; 0]);
}

#[test]
fn a_configured_identity_comes_first_and_the_keychain_is_the_second_try() {
    let keyring = GnomeKeyring::start();
    let world = with_vault(&keyring);
    world.write_identity("identity");
    let mut world = world.configured("identity = '~/identity'");
    assert_eq!(names(&world.stores()), ["A"]);
    // Without a keychain it is the configured identity that does not fit.
    world.bus_address = Some(Session::without_bus().bus_address());
    assert!(matches!(vault_error(read(&world.stores(), &key("A"))), VaultError::NoIdentity(_)));
}
