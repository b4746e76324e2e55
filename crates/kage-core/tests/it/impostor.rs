//! A service that lies gets no lie past kage: no name with another's value, no garbled value, no
//! word of its own in an error that could be taken for kage's.

use std::sync::Arc;

use kage_core::name::{Key, Scope};
use kage_core::store::{BackendError, Changes, Missing, Purpose, StoreError, Stores, Wanted};

use crate::daemons::Impostor;
use crate::stores::{self, Person, is, key, value};

const RIGHT: &str = "s3cr3t-for-impostor-right";

fn asked() -> Key {
    key("global", "API_KEY")
}

fn read(stores: &Stores, key: &Key) -> Result<Option<bool>, BackendError> {
    match stores.read(std::slice::from_ref(key), Purpose::Read) {
        Ok(values) => {
            assert!(values.keys().all(|found| found == key), "more than was asked for");
            Ok(values.get(key).map(|value| is(Some(value), RIGHT)))
        }
        Err(StoreError::Backend(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

fn write(stores: &Stores, key: &Key) -> Result<(), BackendError> {
    match stores.write(key, &value("s3cr3t-for-impostor-new"), Changes::default()) {
        Ok(_) => Ok(()),
        Err(StoreError::Backend(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_service_without_encryption_is_used_without_it() {
    let impostor = Impostor::start(&[]);
    let stores = stores::unattended(&impostor, "");
    assert_eq!(read(&stores, &asked()).unwrap(), Some(true));
    write(&stores, &asked()).unwrap();
    write(&stores, &key("global", "NEW")).unwrap();
    assert_eq!(stores.list(Wanted::Everything).unwrap().len(), 3);
}

#[test]
fn what_was_not_asked_for_is_not_believed() {
    for lies in [
        &["ignores-attributes"][..],
        &["gives-too-much"],
        &["ignores-attributes", "gives-too-much"],
    ] {
        let impostor = Impostor::start(lies);
        let stores = stores::unattended(&impostor, "");
        assert_eq!(read(&stores, &asked()).unwrap(), Some(true), "{lies:?}");
        assert_eq!(read(&stores, &key("global", "ABSENT")).unwrap(), None, "{lies:?}");
        assert_eq!(read(&stores, &key("namespace:a", "API_KEY")).unwrap(), None, "{lies:?}");
        let listed = stores.list(Wanted::Scopes(&[Scope::Global])).unwrap();
        let listed: Vec<_> = listed.into_iter().map(|found| found.entry.key).collect();
        assert_eq!(listed, [asked(), key("global", "OTHER")], "{lies:?}");
        assert!(!stores.delete(&key("global", "ABSENT")).unwrap(), "{lies:?}");
        write(&stores, &key("global", "NEW")).unwrap();
        assert_eq!(read(&stores, &asked()).unwrap(), Some(true), "{lies:?}");
    }
}

#[test]
fn an_item_that_becomes_another_while_it_is_read_is_not_handed_on() {
    let impostor = Impostor::start(&["moves-items"]);
    let stores = stores::unattended(&impostor, "");
    assert_ne!(read(&stores, &asked()).unwrap(), Some(false));

    let impostor = Impostor::start(&["moves-items"]);
    let stores = stores::unattended(&impostor, "");
    assert_eq!(stores.list(Wanted::Everything).unwrap().len(), 2);
    assert_ne!(read(&stores, &asked()).unwrap(), Some(false));
}

#[test]
fn a_value_that_cannot_be_decrypted_is_a_failure() {
    let impostor = Impostor::start(&["broken-cipher"]);
    let stores = stores::unattended(&impostor, "");
    let error = read(&stores, &asked()).unwrap_err();
    assert!(matches!(error, BackendError::Failed { .. }), "{error}");
}

#[test]
fn a_value_that_was_not_kept_is_said_to_be_not_kept() {
    for lie in ["forgets", "truncates"] {
        let impostor = Impostor::start(&[lie]);
        let stores = stores::unattended(&impostor, "");
        for key in [asked(), key("global", "NEW")] {
            let error = write(&stores, &key).unwrap_err();
            assert!(matches!(error, BackendError::NotKept { .. }), "{lie} {key}: {error}");
        }
    }
}

#[test]
fn what_a_service_says_is_short_and_plain_in_an_error() {
    let impostor = Impostor::start(&["shouts"]);
    let error = read(&stores::unattended(&impostor, ""), &asked()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, BackendError::Failed { .. }) && text.len() < 1000, "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
}

#[test]
fn a_prompt_that_changes_nothing_is_a_denial() {
    let impostor = Impostor::start(&["stays-locked"]);
    let error = read(&stores::unattended(&impostor, ""), &asked()).unwrap_err();
    assert!(matches!(error, BackendError::Locked { .. }), "{error}");
    let attended = stores::attended(&impostor, "", Arc::<Person>::default());
    let error = read(&attended, &asked()).unwrap_err();
    assert!(matches!(error, BackendError::Denied { .. }), "{error}");
}

#[test]
fn without_a_default_collection_nothing_can_be_stored() {
    let impostor = Impostor::start(&["no-default"]);
    let error = write(&stores::unattended(&impostor, ""), &key("global", "NEW")).unwrap_err();
    let missing = matches!(error, BackendError::Unavailable { missing: Missing::Collection, .. });
    assert!(missing, "{error}");
}
