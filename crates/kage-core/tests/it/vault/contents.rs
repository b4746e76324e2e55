//! What goes in comes out, and is what the format says.

use serde_json::json;

use super::{PASSPHRASE, World, key, names, read, scrypt_identity, write};
use kage_core::name::{Key, Scope};
use kage_core::store::Wanted;

use crate::stores::about;

#[test]
fn every_byte_of_every_value_comes_back() {
    let mut all_bytes: Vec<u8> = (0..=255).collect();
    all_bytes.rotate_left(128);
    let values: [(&str, &[u8]); 7] = [
        ("EMPTY", b""),
        ("NUL", b"\0a\0"),
        ("LINES", b"-----BEGIN KEY-----\r\nab\n\n-----END KEY-----\n"),
        ("SHELL", b"$(id) `id` \"'\\ ${HOME} %s"),
        ("NOT_UTF8", b"\xff\xfe\xc3\x28"),
        ("ALL", &all_bytes),
        ("LONG", &b"s3cr3t-for-vault-long".repeat(4_000)[..65_536]),
    ];
    for world in [World::with_passphrase(), World::with_identity()] {
        let stores = world.stores();
        for (name, bytes) in values {
            write(&stores, &key(name), bytes).unwrap();
        }
        for stores in [stores, world.stores()] {
            for (name, bytes) in values {
                assert_eq!(read(&stores, &key(name)).unwrap().as_deref(), Some(bytes), "{name}");
            }
            assert_eq!(read(&stores, &key("ABSENT")).unwrap(), None);
        }
    }
}

#[test]
fn a_change_keeps_what_it_does_not_change() {
    let world = World::with_identity();
    let (stores, key) = (world.stores(), key("API_KEY"));
    stores.write(&key, &super::value(b"s3cr3t-for-one"), about("the test account")).unwrap();
    let first = stores.list(Wanted::Everything).unwrap().remove(0).entry.meta;
    write(&stores, &key, b"s3cr3t-for-two").unwrap();
    let second = world.stores().list(Wanted::Everything).unwrap().remove(0).entry.meta;
    assert_eq!(second.description.as_deref(), Some("the test account"));
    assert_eq!(second.created, first.created);
    assert!(second.updated > first.updated && first.updated.is_some());
}

#[test]
fn scopes_are_kept_apart() {
    let world = World::with_identity();
    let stores = world.stores();
    let scopes = ["global", "namespace:production", "repo:/home/me/a b=ü", "subscription:work"];
    let scopes: [Scope; 4] = scopes.map(|scope| scope.parse().unwrap());
    let key = |scope: &Scope| Key::new(scope.clone(), "API_KEY".parse().unwrap());
    for scope in &scopes {
        write(&stores, &key(scope), scope.to_string().as_bytes()).unwrap();
    }
    for scope in &scopes {
        let found = stores.list(Wanted::Scopes(std::slice::from_ref(scope))).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].entry.key, key(scope));
        let value = read(&stores, &key(scope)).unwrap().unwrap();
        assert_eq!(value, scope.to_string().as_bytes());
    }
}

#[test]
fn what_is_deleted_is_gone_from_the_generation_before_too() {
    let world = World::with_identity();
    let stores = world.stores();
    for name in ["KEPT", "DELETED"] {
        write(&stores, &key(name), b"s3cr3t-for-delete").unwrap();
    }
    assert!(world.previous().exists());
    assert!(stores.delete(&key("DELETED")).unwrap());
    assert!(!world.previous().exists());
    assert_eq!(names(&world.stores()), ["KEPT"]);
    assert!(!stores.delete(&key("DELETED")).unwrap());
    // Nothing was there to delete, and nothing was written.
    assert!(!world.previous().exists());
}

#[test]
fn the_generation_before_is_kept_and_is_a_vault_itself() {
    let world = World::with_identity();
    let stores = world.stores();
    write(&stores, &key("FIRST"), b"s3cr3t-for-first").unwrap();
    let first = std::fs::read(world.file()).unwrap();
    write(&stores, &key("SECOND"), b"s3cr3t-for-second").unwrap();
    assert_eq!(std::fs::read(world.previous()).unwrap(), first);
    std::fs::rename(world.previous(), world.file()).unwrap();
    assert_eq!(names(&world.stores()), ["FIRST"]);
    // What was open before sees that the file is another one.
    assert_eq!(names(&stores), ["FIRST"]);
}

#[test]
fn any_age_program_opens_it_with_the_passphrase() {
    let world = World::with_passphrase();
    world.stores().write(&key("API_KEY"), &super::value(b"\0s3cr3t"), about("a \"test\"")).unwrap();
    let mut document = world.decrypt(&scrypt_identity(PASSPHRASE));
    let secret = &mut document["secrets"][0];
    for time in ["created", "updated"] {
        let text = secret[time].take();
        text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    let expected = json!({
        "format": 1,
        "secrets": [{
            "scope": "global",
            "name": "API_KEY",
            "value": "AHMzY3IzdA==",
            "created": null,
            "updated": null,
            "description": "a \"test\"",
        }],
    });
    assert_eq!(document, expected);
}

#[test]
fn any_age_program_opens_it_with_the_identity() {
    let world = World::with_identity();
    write(&world.stores(), &key("API_KEY"), b"s3cr3t-for-identity").unwrap();
    let text = std::fs::read_to_string(world.home().join("identity")).unwrap();
    let identity: age::x25519::Identity = text.lines().nth(1).unwrap().parse().unwrap();
    let document = world.decrypt(&identity);
    assert_eq!(document["recipients"], json!([identity.to_public().to_string()]));
    assert_eq!(document["secrets"][0]["name"], "API_KEY");
}

#[test]
fn the_size_of_the_file_does_not_tell_the_size_of_a_value() {
    let size = |bytes: &[u8]| {
        let world = World::with_identity();
        write(&world.stores(), &key("A"), bytes).unwrap();
        std::fs::metadata(world.file()).unwrap().len()
    };
    // The header has a stanza of random length in it, as the age specification advises.
    assert!(size(b"").abs_diff(size(&[b'x'; 2_000])) < 200);
}
