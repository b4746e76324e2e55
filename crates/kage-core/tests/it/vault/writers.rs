//! Several writers, and interfering programs. Writers that are killed are in `killed.rs`.

use super::{
    Answer, CHEAP_LOG_N, PASSPHRASE, Person, World, another_process, key, names, read,
    stores_of_another_process, value, vault_error, write,
};
use kage_core::audit;
use kage_core::store::vault::{self, Unlock, VaultError};

/// How many write at once.
const WRITERS: usize = 64;

fn name_of(writer: usize) -> String {
    format!("W{writer}")
}

fn assert_all_wrote(world: &World) {
    let stores = world.stores();
    let mut expected: Vec<_> = (0..WRITERS).map(name_of).collect();
    expected.sort();
    assert_eq!(names(&stores), expected);
    for name in expected {
        assert_eq!(read(&stores, &key(&name)).unwrap().unwrap(), name.as_bytes());
    }
}

#[test]
fn sixty_four_writers_at_once_lose_nothing() {
    let world = World::with_identity();
    let start = std::sync::Barrier::new(WRITERS);
    std::thread::scope(|threads| {
        for writer in 0..WRITERS {
            let (stores, start, name) = (world.stores(), &start, name_of(writer));
            threads.spawn(move || {
                start.wait();
                write(&stores, &key(&name), name.as_bytes()).unwrap();
            });
        }
    });
    assert_all_wrote(&world);
}

/// One of the processes of the next test: on its own it does nothing.
#[test]
#[ignore = "started by the test that starts many"]
fn writes_its_own_secret() {
    let Some((stores, writer)) = stores_of_another_process() else { return };
    let name = name_of(writer.parse().unwrap());
    write(&stores, &key(&name), name.as_bytes()).unwrap();
}

#[test]
fn sixty_four_processes_at_once_lose_nothing() {
    let world = World::with_identity();
    let started = |writer: usize| {
        let task = writer.to_string();
        another_process(&world, "vault::writers::writes_its_own_secret", &task).spawn().unwrap()
    };
    let processes: Vec<_> = (0..WRITERS).map(started).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_all_wrote(&world);
    // Neither did the record of them.
    let record = audit::verify(&world.folder.path().join("audit.jsonl"), None).unwrap();
    assert_eq!((record.findings, record.notes), (vec![], vec![]));
    assert!(record.lines >= WRITERS);
}

#[test]
fn a_writer_that_holds_the_lock_for_too_long_is_not_waited_for() {
    let world = World::with_identity().hasty();
    let lock = std::fs::File::create(world.file().with_extension("age.lock")).unwrap();
    lock.lock().unwrap();
    let error = write(&world.stores(), &key("A"), b"s3cr3t-for-lock").unwrap_err();
    assert!(error.to_string().ends_with("vault.age.lock`"), "{error}");
    assert_eq!(read(&world.stores(), &key("A")).unwrap(), None);
}

/// Makes a vault elsewhere and returns its file.
fn vault_of(passphrase: &str, name: &str) -> Vec<u8> {
    let other = World::new();
    let policy = other.policy();
    vault::init_cheaply(&policy, &other.machine(), value(passphrase.as_bytes()), CHEAP_LOG_N)
        .unwrap();
    let stores = other.open(other.passphrase_file(passphrase), super::nobody());
    write(&stores, &key(name), b"s3cr3t-for-elsewhere").unwrap();
    std::fs::read(other.file()).unwrap()
}

fn answer_after(file: std::path::PathBuf, bytes: Vec<u8>, passphrase: &'static str) -> Answer {
    Box::new(move || {
        std::fs::write(file, bytes).unwrap();
        Some(value(passphrase.as_bytes()))
    })
}

#[test]
fn a_vault_that_another_program_replaces_while_it_is_written_is_not_overwritten() {
    let world = World::with_passphrase();
    let (second, third) = (vault_of("two", "SECOND"), vault_of("three", "THIRD"));
    // Each time the person is asked, another program has replaced the file meanwhile. The second
    // time is the one within the lock: what was read then is not what is there any more.
    let person = Person::who_does([
        answer_after(world.file(), second, PASSPHRASE),
        answer_after(world.file(), third.clone(), "two"),
    ]);
    let stores = world.open(Unlock::default(), person);
    let refused = vault_error(write(&stores, &key("A"), b"s3cr3t-for-changed"));
    assert!(matches!(refused, VaultError::Changed(path) if path == world.file()));
    assert_eq!(std::fs::read(world.file()).unwrap(), third);
    assert!(!world.previous().exists());
}

#[test]
fn a_vault_that_another_program_replaced_before_is_read_again() {
    let world = World::with_passphrase();
    let stores = world.stores();
    assert_eq!(names(&stores), Vec::<String>::new());
    std::fs::write(world.file(), vault_of(PASSPHRASE, "SECOND")).unwrap();
    write(&stores, &key("A"), b"s3cr3t-for-again").unwrap();
    assert_eq!(names(&world.stores()), ["A", "SECOND"]);
}
