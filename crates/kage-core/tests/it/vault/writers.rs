//! Several writers, interfering programs, and writers that are killed.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{
    Answer, CHEAP_LOG_N, PASSPHRASE, Person, World, key, names, read, value, vault_error, wait_for,
    write,
};
use kage_core::store::Stores;
use kage_core::store::vault::{self, Unlock, VaultError};

/// Names the home of [`writes_until_it_is_killed`].
const HOME_OF_VICTIM: &str = "KAGE_TEST_VAULT_VICTIM";

#[test]
fn writers_at_once_lose_nothing() {
    let world = World::with_identity();
    std::thread::scope(|threads| {
        for writer in 0..4 {
            let stores = world.stores();
            threads.spawn(move || {
                for secret in 0..6 {
                    let name = format!("W{writer}_{secret}");
                    write(&stores, &key(&name), name.as_bytes()).unwrap();
                }
            });
        }
    });
    let stores = world.stores();
    assert_eq!(names(&stores).len(), 24);
    for name in names(&stores) {
        assert_eq!(read(&stores, &key(&name)).unwrap().unwrap(), name.as_bytes());
    }
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

fn counted(round: usize) -> Vec<u8> {
    format!("s3cr3t-for-kill-{round}-").repeat(400).into_bytes()
}

/// The other process of the next test: on its own it does nothing.
#[test]
#[ignore = "started by the test that kills it"]
fn writes_until_it_is_killed() {
    let Some(home) = std::env::var_os(HOME_OF_VICTIM) else { return };
    let stores = victims_stores(std::path::Path::new(&home));
    for round in 0.. {
        write(&stores, &key("COUNTER"), &counted(round)).unwrap();
    }
}

/// Opens the vault of the world in `folder`, which another process made.
fn victims_stores(folder: &std::path::Path) -> Stores {
    use kage_core::audit::{Actor, AuditLog};
    use kage_core::config::Policy;
    use kage_core::store::Machine;

    let text = "secrets.backend = 'vault'\n[vault]\nidentity = '~/identity'";
    let policy = Policy::parse(text, std::path::Path::new("config.toml")).unwrap();
    let home = folder.join("home");
    let machine = Machine {
        bus_address: None,
        vault_file: home.join(".local/share/kage/vault.age"),
        home,
        runtime_folder: folder.join("run"),
    };
    let audit = AuditLog::at(&folder.join("audit.jsonl"));
    let actor = Actor { program: None, agent: None, place: None };
    Stores::open(audit, actor, &policy, &machine, Unlock::default(), super::nobody())
}

#[test]
fn a_killed_writer_leaves_the_old_value_or_the_new_one() {
    let world = World::with_identity();
    write(&world.stores(), &key("BESIDE"), b"s3cr3t-for-beside").unwrap();
    for round in 0..8_u64 {
        let before = std::fs::read(world.file()).unwrap();
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "vault::writers::writes_until_it_is_killed", "--ignored"])
            .env(HOME_OF_VICTIM, world.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("a first write", || std::fs::read(world.file()).unwrap() != before);
        // Killed at another point of its work in each round.
        let until = Instant::now() + Duration::from_micros(1_700 * round);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        victim.kill().unwrap();
        assert_eq!(victim.wait().unwrap().signal(), Some(9));
        let stores = world.stores();
        let value = read(&stores, &key("COUNTER")).unwrap().unwrap();
        let text = String::from_utf8(value.clone()).unwrap();
        let count: usize = text.split('-').nth(3).unwrap().parse().unwrap();
        assert_eq!(value, counted(count));
        assert_eq!(read(&stores, &key("BESIDE")).unwrap().unwrap(), b"s3cr3t-for-beside");
    }
    // What the killed ones left of unfinished generations goes with the next write.
    write(&world.stores(), &key("LAST"), b"s3cr3t-for-last").unwrap();
    let folder = world.file().parent().unwrap().to_owned();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 3);
}
