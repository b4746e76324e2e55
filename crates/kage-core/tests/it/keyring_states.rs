//! What a client is told in every state of a keychain, with nobody at the terminal and with
//! somebody there. Nothing waits past its time limit: the bound that each call has here is broken
//! only by a call that hangs.

use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use kage_core::name::Key;
use kage_core::store::{Attendant, Changes, Nobody, Purpose, StoreError, Stores, Wanted};

use crate::daemons::{
    GnomeKeyring, KWallet, KeePassXc, Oo7, PASSPHRASE, Session, State, wait_until,
};
use crate::stores::{self, Person, is, key, value};

const VALUE: &str = "s3cr3t-for-keyring-states";

/// Limits that a call reaches.
const SHORT: &str = "[secrets]\ntimeout = \"1s\"\nprompt_timeout = \"1s\"";

/// Limits that no call reaches unless it hangs.
const LONG: &str = "[secrets]\ntimeout = \"30s\"\nprompt_timeout = \"30s\"";

/// Past this, a call hangs.
const HANGS: Duration = Duration::from_secs(20);

/// What became of a listing, of a read and of a write.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    list: String,
    read: String,
    write: String,
}

impl Outcome {
    /// The same for all three.
    fn all(text: &str) -> Self {
        Self { list: text.to_owned(), read: text.to_owned(), write: text.to_owned() }
    }

    /// Asks for all three, each with stores of its own.
    fn of(session: &Session, policy: &str, attendant: &Arc<impl Attendant + 'static>) -> Self {
        let open = || stores::attended(session, policy, Arc::<_>::clone(attendant) as _);
        let (list, read, write) = (open(), open(), open());
        Self {
            list: within(move || list_outcome(&list)),
            read: within(move || read_outcome(&read)),
            write: within(move || write_outcome(&write)),
        }
    }
}

fn seeded() -> Key {
    key("global", "API_KEY")
}

/// Puts one item into the keychain that looks like one of kage's.
fn seed(session: &Session) {
    let args = ["store", "--label=kage-global API_KEY", "application", "kage"];
    let key = ["service", "kage-global", "account", "API_KEY"];
    session.secret_tool(&[&args[..], &key].concat(), VALUE.as_bytes()).success();
}

/// Runs `call` in its time.
fn within<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, answer) = mpsc::channel();
    std::thread::spawn(move || done.send(call()));
    answer.recv_timeout(HANGS).expect("the call ends in time")
}

fn list_outcome(stores: &Stores) -> String {
    match stores.list(Wanted::Everything) {
        Ok(found) => {
            let keys: Vec<_> = found.iter().map(|found| found.entry.key.to_string()).collect();
            keys.join(" ")
        }
        Err(error) => kind(error),
    }
}

fn read_outcome(stores: &Stores) -> String {
    match stores.read(&[seeded()], Purpose::Read) {
        Ok(values) if values.is_empty() => "nothing".to_owned(),
        Ok(values) if is(values.get(&seeded()), VALUE) => "the value".to_owned(),
        Ok(_) => "another value".to_owned(),
        Err(error) => kind(error),
    }
}

fn write_outcome(stores: &Stores) -> String {
    match stores.write(
        &key("global", "NEW"),
        &value("s3cr3t-for-keyring-states-new"),
        Changes::default(),
    ) {
        Ok(_) => "written".to_owned(),
        Err(error) => kind(error),
    }
}

fn kind(error: StoreError) -> String {
    match error {
        StoreError::Backend(error) => stores::kind(&error),
        StoreError::Audit(_) | StoreError::Unrecorded { .. } => format!("{error}"),
    }
}

fn nobody() -> Arc<Nobody> {
    Arc::new(Nobody)
}

fn somebody() -> Arc<Person> {
    Arc::default()
}

fn available() -> Outcome {
    Outcome {
        list: "API_KEY (global)".to_owned(),
        read: "the value".to_owned(),
        write: "written".to_owned(),
    }
}

#[test]
fn an_unlocked_keyring_works_and_nobody_is_told_anything() {
    let keyring = GnomeKeyring::in_state(State::Unlocked, seed);
    let person = somebody();
    assert_eq!(Outcome::of(&keyring, LONG, &person), available());
    assert_eq!((person.told(), person.asked()), (vec![], vec![]));
}

#[test]
fn a_locked_keyring_raises_no_dialog_where_nobody_can_answer() {
    let keyring = GnomeKeyring::in_state(State::LockedAnswer, seed);
    assert_eq!(Outcome::of(&keyring, LONG, &nobody()), Outcome::all("locked"));
    assert_eq!(keyring.prompts().opened, 0);
    assert_eq!(keyring.is_locked(), Some(true));
}

#[test]
fn a_locked_keyring_without_a_dialog_is_locked_or_denied() {
    let keyring = GnomeKeyring::in_state(State::Locked, seed);
    assert_eq!(Outcome::of(&keyring, LONG, &nobody()), Outcome::all("locked"));
    assert_eq!(Outcome::of(&keyring, LONG, &somebody()), Outcome::all("denied"));
}

#[test]
fn a_dismissed_dialog_is_a_denial() {
    let keyring = GnomeKeyring::in_state(State::LockedDismiss, seed);
    assert_eq!(Outcome::of(&keyring, LONG, &somebody()), Outcome::all("denied"));
    let prompts = keyring.prompts();
    assert_eq!((prompts.opened, prompts.at_once), (3, 1));
}

#[test]
fn a_person_is_told_of_a_dialog_that_waits() {
    let mut keyring = GnomeKeyring::in_state(State::Locked, seed);
    keyring.start_prompter(&["--delay", "1", "answer", PASSPHRASE]);
    let person = somebody();
    assert_eq!(Outcome::of(&keyring, LONG, &person), available());
    assert_eq!(person.told(), ["the keyring is locked: waiting for its prompt"]);
}

#[test]
fn an_answered_dialog_opens_the_keyring_for_all_that_follows() {
    for (state, asked) in [(State::LockedAnswer, 1), (State::LockedWrongThenRight, 2)] {
        let keyring = GnomeKeyring::in_state(state, seed);
        assert_eq!(Outcome::of(&keyring, LONG, &somebody()), available(), "{state:?}");
        let prompts = keyring.prompts();
        assert_eq!((prompts.opened, prompts.asked), (1, asked), "{state:?}");
        assert_eq!(keyring.is_locked(), Some(false), "{state:?}");
    }
}

#[test]
fn a_write_alone_opens_the_keyring_too() {
    let keyring = GnomeKeyring::in_state(State::LockedAnswer, seed);
    let stores = stores::attended(&keyring, LONG, somebody());
    assert_eq!(within(move || write_outcome(&stores)), "written");
    assert_eq!(keyring.prompts().opened, 1);
}

#[test]
fn a_dialog_that_nobody_answers_is_given_up_and_the_daemon_lives() {
    let keyring = GnomeKeyring::in_state(State::LockedHang, seed);
    assert_eq!(Outcome::of(&keyring, LONG, &nobody()), Outcome::all("locked"));
    assert_eq!(Outcome::of(&keyring, SHORT, &somebody()), Outcome::all("timed out"));
    // This version of the daemon aborts when it is told to take its dialog back.
    assert_eq!(keyring.is_locked(), Some(true));
    assert!(keyring.prompts().opened >= 1);
}

#[test]
fn a_daemon_that_never_answers_is_given_up() {
    let keyring = GnomeKeyring::in_state(State::Hung, seed);
    assert_eq!(Outcome::of(&keyring, SHORT, &nobody()), Outcome::all("timed out"));
    assert_eq!(Outcome::of(&keyring, SHORT, &somebody()), Outcome::all("timed out"));
}

#[test]
fn a_bus_that_never_answers_is_given_up() {
    let keyring = GnomeKeyring::in_state(State::Unlocked, seed);
    keyring.freeze_bus();
    assert_eq!(Outcome::of(&keyring, SHORT, &nobody()), Outcome::all("timed out"));
}

#[test]
fn without_a_service_or_a_bus_it_is_said_what_is_missing() {
    for (state, outcome) in
        [(State::Killed, "no service"), (State::NoService, "no service"), (State::NoBus, "no bus")]
    {
        let keyring = GnomeKeyring::in_state(state, seed);
        assert_eq!(Outcome::of(&keyring, LONG, &nobody()), Outcome::all(outcome), "{state:?}");
        assert_eq!(Outcome::of(&keyring, LONG, &somebody()), Outcome::all(outcome), "{state:?}");
    }
}

#[test]
fn without_an_address_of_a_bus_it_is_said_so() {
    let session = Session::without_bus();
    let stores = stores::without_bus_address(&session);
    assert_eq!(within(move || read_outcome(&stores)), "no address of a bus");
}

#[test]
fn a_daemon_that_dies_during_a_call_is_gone() {
    let mut keyring = GnomeKeyring::in_state(State::Hung, seed);
    let monitor = keyring.monitor();
    let stores = stores::unattended(&keyring, LONG);
    let call = std::thread::spawn(move || within(move || read_outcome(&stores)));
    wait_until("the call is made", || monitor.heard("interface=org.freedesktop.Secret"));
    keyring.kill();
    assert_eq!(call.join().unwrap(), "gone");
}

#[test]
fn a_daemon_that_dies_with_its_dialog_open_is_gone() {
    let mut keyring = GnomeKeyring::in_state(State::LockedHang, seed);
    let stores = stores::attended(&keyring, LONG, somebody());
    let call = std::thread::spawn(move || within(move || read_outcome(&stores)));
    wait_until("the dialog is open", || keyring.prompts().asked == 1);
    keyring.kill();
    assert_eq!(call.join().unwrap(), "gone");
}

#[test]
fn a_bus_that_dies_during_a_call_is_no_bus() {
    let keyring = GnomeKeyring::in_state(State::Hung, seed);
    let monitor = keyring.monitor();
    let stores = stores::unattended(&keyring, LONG);
    let call = std::thread::spawn(move || within(move || read_outcome(&stores)));
    wait_until("the call is made", || monitor.heard("interface=org.freedesktop.Secret"));
    keyring.kill_bus();
    assert_eq!(call.join().unwrap(), "no bus");
}

#[test]
fn a_daemon_that_comes_back_is_used_again() {
    let mut keyring = GnomeKeyring::in_state(State::Unlocked, seed);
    let stores = Arc::new(stores::unattended(&keyring, LONG));
    let read = || {
        let stores = Arc::clone(&stores);
        within(move || read_outcome(&stores))
    };
    assert_eq!(read(), "the value");
    keyring.restart();
    assert_eq!(read(), "the value");
}

#[test]
fn two_who_want_the_dialog_at_once_see_one_and_share_its_answer() {
    let mut keyring = GnomeKeyring::in_state(State::Locked, seed);
    keyring.start_prompter(&["--delay", "0.5", "answer", PASSPHRASE]);
    assert_eq!(two_at_once(&keyring), ["the value", "the value"]);
    let prompts = keyring.prompts();
    assert_eq!((prompts.opened, prompts.at_once), (1, 1));
}

#[test]
fn two_who_are_both_refused_see_one_dialog_after_the_other() {
    let mut keyring = GnomeKeyring::in_state(State::Locked, seed);
    keyring.start_prompter(&["--delay", "0.5", "dismiss"]);
    assert_eq!(two_at_once(&keyring), ["denied", "denied"]);
    assert_eq!(keyring.prompts().at_once, 1);
}

#[test]
fn one_who_waits_for_the_dialog_of_another_gives_up_too() {
    let keyring = GnomeKeyring::in_state(State::LockedHang, seed);
    let first = stores::attended(&keyring, LONG, somebody());
    let call = std::thread::spawn(move || read_outcome(&first));
    wait_until("the first dialog is open", || keyring.prompts().asked == 1);
    let second = stores::attended(&keyring, SHORT, somebody());
    assert_eq!(within(move || read_outcome(&second)), "timed out");
    assert_eq!(keyring.prompts().opened, 1);
    drop(keyring);
    call.join().unwrap();
}

fn two_at_once(keyring: &GnomeKeyring) -> [String; 2] {
    let start = Arc::new(Barrier::new(2));
    let calls = [(); 2].map(|()| {
        let stores = stores::attended(keyring, LONG, somebody());
        let start = Arc::clone(&start);
        std::thread::spawn(move || {
            start.wait();
            within(move || read_outcome(&stores))
        })
    });
    calls.map(|call| call.join().expect("it did not panic"))
}

#[test]
fn keepassxc_locked_is_locked_or_its_hidden_dialog_is_given_up() {
    let keepassxc = KeePassXc::start();
    seed(&keepassxc);
    keepassxc.lock();
    assert_eq!(Outcome::of(&keepassxc, LONG, &nobody()), Outcome::all("locked"));
    assert_eq!(Outcome::of(&keepassxc, SHORT, &somebody()), Outcome::all("timed out"));
}

#[test]
fn kwallet_locked_is_locked_or_its_hidden_dialog_is_given_up() {
    let mut kwallet = KWallet::start();
    seed(&kwallet);
    kwallet.lock();
    assert_eq!(Outcome::of(&kwallet, LONG, &nobody()), Outcome::all("locked"));
    assert_eq!(Outcome::of(&kwallet, SHORT, &somebody()), Outcome::all("timed out"));
}

#[test]
fn kwallet_after_a_login_needs_nobody() {
    let kwallet = KWallet::just_logged_in();
    let stores = stores::unattended(&kwallet, LONG);
    assert_eq!(within(move || write_outcome(&stores)), "written");
    seed(&kwallet);
}

#[test]
fn oo7_locked_is_locked_where_nobody_can_answer() {
    let Some(mut oo7) = Oo7::start() else { return };
    seed(&oo7);
    oo7.lock();
    assert_eq!(Outcome::of(&oo7, LONG, &nobody()), Outcome::all("locked"));
    assert_eq!(oo7.is_locked(), Some(true));
}

#[test]
fn oo7_asks_through_the_terminal_that_kage_has() {
    let Some(mut oo7) = Oo7::start() else { return };
    seed(&oo7);
    oo7.lock();
    let person = Arc::new(Person::who_says(PASSPHRASE));
    assert_eq!(Outcome::of(&oo7, LONG, &person), available());
    assert_eq!(person.asked().len(), 1, "{:?}", person.asked());
}

#[test]
fn oo7_is_denied_by_a_person_who_gives_no_passphrase() {
    let Some(mut oo7) = Oo7::start() else { return };
    seed(&oo7);
    oo7.lock();
    assert_eq!(Outcome::of(&oo7, LONG, &somebody()), Outcome::all("denied"));
}

#[test]
fn oo7_falls_silent_after_a_wrong_passphrase_and_is_given_up() {
    let Some(mut oo7) = Oo7::start() else { return };
    seed(&oo7);
    oo7.lock();
    let person = Arc::new(Person::who_says("wrong"));
    assert_eq!(Outcome::of(&oo7, SHORT, &person), Outcome::all("denied"));
}
