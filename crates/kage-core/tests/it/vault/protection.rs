//! Identities and changes of the protection.

use super::{PASSPHRASE, Person, World, key, names, nobody, read, value, vault_error, write};
use kage_core::store::vault::{self, FileStatus, Lock, Protection, Recipient, Unlock, VaultError};

fn recipient(identity: &age::x25519::Identity) -> Recipient {
    identity.to_public().to_string().parse().unwrap()
}

fn rekey(world: &World, protection: Protection) {
    let unlock = world.passphrase_file(PASSPHRASE);
    vault::rekey(&world.policy(), &world.machine(), unlock, &nobody(), protection).unwrap();
}

#[test]
fn an_identity_file_opens_it_and_another_one_does_not() {
    let world = World::with_identity();
    write(&world.stores(), &key("A"), b"s3cr3t-for-identity").unwrap();
    assert_eq!(names(&world.stores()), ["A"]);
    world.write_identity("identity");
    let error = vault_error(read(&world.stores(), &key("A")));
    assert!(matches!(error, VaultError::NoIdentity(path) if path == world.file()));
}

#[test]
fn an_identity_that_cannot_be_used_is_an_error_that_does_not_quote_it() {
    let world = World::with_identity();
    for (text, message) in [
        (&b""[..], "the age identity cannot be used: it holds none"),
        (
            b"AGE-SECRET-KEY-1s3cr3t",
            "the age identity cannot be used: a line is no `AGE-SECRET-KEY-1…`",
        ),
        (b"\xff", "the age identity cannot be used: it is not text (is it encrypted itself?)"),
    ] {
        std::fs::write(world.home().join("identity"), text).unwrap();
        assert_eq!(vault_error(read(&world.stores(), &key("A"))).to_string(), message);
    }
}

#[test]
fn all_recipients_still_open_what_one_of_them_writes() {
    let world = World::with_identity();
    let first = std::fs::read_to_string(world.home().join("identity")).unwrap();
    let second = world.write_identity("second");
    // An outsider encrypts the document for two, and notes both in it.
    let identity: age::x25519::Identity = first.lines().nth(1).unwrap().parse().unwrap();
    let mut document = world.decrypt(&identity);
    let both = [identity.to_public(), second.to_public()];
    document["recipients"] = serde_json::json!(both.each_ref().map(ToString::to_string));
    let recipients = both.iter().map(|one| one as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).unwrap();
    let mut output = encryptor.wrap_output(Vec::new()).unwrap();
    serde_json::to_writer(&mut output, &document).unwrap();
    std::fs::write(world.file(), output.finish().unwrap()).unwrap();

    write(&world.stores(), &key("A"), b"s3cr3t-for-both").unwrap();
    assert_eq!(world.decrypt(&second)["secrets"][0]["name"], "A");
    assert_eq!(world.decrypt(&identity)["secrets"][0]["name"], "A");
}

#[test]
fn whoever_opens_it_is_not_locked_out_by_writing() {
    // The document still names the old recipient: an outsider encrypted it for another one.
    let world = World::with_identity();
    let first = std::fs::read_to_string(world.home().join("identity")).unwrap();
    let identity: age::x25519::Identity = first.lines().nth(1).unwrap().parse().unwrap();
    let document = world.decrypt(&identity).to_string();
    let second = world.write_identity("identity");
    let file = age::encrypt(&second.to_public(), document.as_bytes()).unwrap();
    std::fs::write(world.file(), file).unwrap();
    write(&world.stores(), &key("A"), b"s3cr3t-for-out").unwrap();
    assert_eq!(names(&world.stores()), ["A"]);
}

#[test]
fn a_new_passphrase_takes_the_place_of_the_old_one() {
    let world = World::with_passphrase();
    write(&world.stores(), &key("A"), b"s3cr3t-for-rekey").unwrap();
    rekey(&world, Protection::Passphrase(value(b"another passphrase")));
    // The generation before would still open to the old one.
    assert!(!world.previous().exists());
    let old = vault_error(read(&world.stores(), &key("A")));
    assert!(matches!(old, VaultError::WrongPassphrase(_)));
    let stores = world.open(Unlock::default(), Person::who_says(&["another passphrase"]));
    assert_eq!(read(&stores, &key("A")).unwrap().unwrap(), b"s3cr3t-for-rekey");
}

#[test]
fn a_passphrase_becomes_an_identity_and_back() {
    let world = World::with_passphrase();
    write(&world.stores(), &key("A"), b"s3cr3t-for-both-ways").unwrap();
    let identity = world.write_identity("identity");
    rekey(&world, Protection::Recipient(recipient(&identity)));
    let world = world.configured("identity = '~/identity'");
    let lock = || vault::status(&world.policy(), &world.machine()).file;
    assert_eq!(lock(), FileStatus::Vault(Lock::Identity));
    write(&world.open(Unlock::default(), nobody()), &key("B"), b"s3cr3t-for-b").unwrap();
    rekey(&world, Protection::Passphrase(value(PASSPHRASE.as_bytes())));
    assert!(matches!(lock(), FileStatus::Vault(Lock::Passphrase { log_n: 17 })));
    assert_eq!(names(&world.stores()), ["A", "B"]);
    let document = world.decrypt(&super::scrypt_identity(PASSPHRASE));
    assert!(document.get("recipients").is_none());
}

#[test]
fn a_rekey_that_cannot_open_the_vault_changes_nothing() {
    let world = World::with_passphrase();
    write(&world.stores(), &key("A"), b"s3cr3t-for-refused").unwrap();
    let before = std::fs::read(world.file()).unwrap();
    let unlock = world.passphrase_file("wrong");
    let protection = Protection::Passphrase(value(b"another"));
    let refused = vault::rekey(&world.policy(), &world.machine(), unlock, &nobody(), protection);
    assert!(matches!(vault_error(refused), VaultError::WrongPassphrase(_)));
    assert_eq!(std::fs::read(world.file()).unwrap(), before);
    assert!(world.previous().exists());
}

#[test]
fn the_recipient_of_an_identity_file_is_its_first() {
    let world = World::new();
    let identity = world.write_identity("identity");
    let found = Recipient::of_identity_file(&world.home().join("identity")).unwrap();
    assert_eq!(found.to_string(), identity.to_public().to_string());
    assert!(matches!("age1nonsense".parse::<Recipient>(), Err(VaultError::Recipient)));
    assert!(Recipient::of_identity_file(&world.home().join("absent")).is_err());
}
