//! What is found out about a keychain without reading a value and without raising a prompt.

use kage_core::store::keyring::{Health, Transport, examine};

use crate::daemons::{GnomeKeyring, Impostor, KWallet, KeePassXc, Oo7, Session, State};
use crate::stores;

/// What a test compares: the state of each step, and the first fault.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    bus: bool,
    service: bool,
    program: Option<&'static str>,
    locked: Option<bool>,
    fault: Option<String>,
}

fn examined(session: &Session) -> Health {
    let policy = stores::policy("[secrets]\ntimeout = \"2s\"");
    examine(&policy, &stores::machine(session))
}

fn seen(session: &Session) -> Seen {
    let health = examined(session);
    Seen {
        bus: health.bus_answers,
        service: health.service_answers,
        program: health.program,
        locked: health.locked,
        fault: health.fault.as_ref().map(stores::kind),
    }
}

fn well(program: Option<&'static str>) -> Seen {
    Seen { bus: true, service: true, program, locked: Some(false), fault: None }
}

#[test]
fn a_keychain_that_works_is_well() {
    assert_eq!(seen(&GnomeKeyring::start()), well(Some("gnome-keyring")));
    assert_eq!(seen(&KeePassXc::start()), well(Some("KeePassXC")));
    assert_eq!(seen(&KWallet::start()), well(Some("KWallet")));
    // Its collection calls itself locked then, and yet needs nobody.
    assert_eq!(seen(&KWallet::just_logged_in()), well(Some("KWallet")));
    assert_eq!(seen(&Impostor::start(&[])), well(None));
    if let Some(oo7) = Oo7::start() {
        assert_eq!(seen(&oo7).fault, None);
    }
}

#[test]
fn how_values_travel_is_told() {
    assert_eq!(examined(&GnomeKeyring::start()).transport, Some(Transport::Encrypted));
    assert_eq!(examined(&KWallet::start()).transport, Some(Transport::Plain));
    assert_eq!(examined(&Impostor::start(&[])).transport, Some(Transport::Plain));
}

#[test]
fn a_locked_keychain_is_told_of_and_raises_no_prompt() {
    let locked =
        |program| Seen { locked: Some(true), fault: Some("locked".to_owned()), ..well(program) };
    let keyring = GnomeKeyring::in_state(State::LockedAnswer, |_| {});
    assert_eq!(seen(&keyring), locked(Some("gnome-keyring")));
    assert_eq!((keyring.prompts().opened, keyring.is_locked()), (0, Some(true)));

    let keepassxc = KeePassXc::start();
    keepassxc.lock();
    assert_eq!(seen(&keepassxc), locked(Some("KeePassXC")));

    let mut kwallet = KWallet::start();
    kwallet.lock();
    assert_eq!(seen(&kwallet), locked(Some("KWallet")));
}

#[test]
fn the_first_step_that_fails_is_the_fault() {
    let fails = |bus, service, fault: &str| Seen {
        bus,
        service,
        program: None,
        locked: None,
        fault: Some(fault.to_owned()),
    };
    for (state, outcome) in [
        (State::NoBus, fails(false, false, "no bus")),
        (State::NoService, fails(true, false, "no service")),
        (State::Killed, fails(true, false, "no service")),
        (State::Hung, fails(true, false, "timed out")),
    ] {
        let keyring = GnomeKeyring::in_state(state, |_| {});
        assert_eq!(seen(&keyring), outcome, "{state:?}");
    }
    let without = fails(true, true, "no collection");
    assert_eq!(seen(&Impostor::start(&["no-default"])), without);
}

#[test]
fn secrets_that_are_there_twice_are_named() {
    let keyring = GnomeKeyring::start();
    for copy in ["one", "two", "three"] {
        let key = ["service", "kage-global", "account", "API_KEY", "copy", copy];
        let args = [&["store", "--label=made elsewhere"][..], &key].concat();
        keyring.secret_tool(&args, b"s3cr3t-for-health").success();
    }
    let duplicates = examined(&keyring).duplicates;
    assert_eq!(duplicates, [(stores::key("global", "API_KEY"), 2)]);
}
