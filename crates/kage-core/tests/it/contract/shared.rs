//! The clauses of a keychain: other tools use it too.
//!
//! `secret-tool` is the other tool. It takes attributes in any number and knows nothing of kage.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use kage_core::name::{Key, Scope};

use super::{Subject, delete, entries, everything, holds, key, only_entry, read, write};
use crate::daemons::{Session, wait_until};
use crate::stores;

/// A keychain that other tools can reach too.
pub(super) trait Shared: Subject {
    /// Returns the session it runs in.
    fn session(&self) -> &Session;

    /// Stores an item as another tool does.
    fn store_elsewhere(&self, attributes: &[&str], bytes: &[u8]) {
        let args = [&["store", "--label=made elsewhere"][..], attributes].concat();
        self.session().secret_tool(&args, bytes).success();
    }

    /// Returns all that another tool tells of the items with `attributes`.
    fn seen_elsewhere(&self, attributes: &[&str]) -> Vec<String> {
        let args = [&["search", "--all"][..], attributes].concat();
        let ended = self.session().secret_tool(&args, b"").success();
        let out = String::from_utf8_lossy(&ended.stdout);
        out.lines().chain(ended.stderr.lines()).map(str::to_owned).collect()
    }

    /// Returns how many items with `attributes` another tool finds.
    fn count_elsewhere(&self, attributes: &[&str]) -> usize {
        let seen = self.seen_elsewhere(attributes);
        seen.iter().filter(|line| line.starts_with("label = ")).count()
    }
}

clauses! { each_shared_clause of shared:
    another_tool_looks_up_exactly_the_value,
    an_entry_has_the_label_and_the_attributes_of_the_product,
    what_another_tool_made_is_listed_read_and_changed_in_place,
    attributes_of_others_stay_when_a_value_changes,
    of_duplicates_the_newest_counts_and_all_are_deleted,
    a_newer_item_made_elsewhere_counts,
    what_is_no_name_of_kage_is_left_alone,
    values_that_another_tool_changed_are_read_as_they_are_now,
    listing_asks_for_no_value,
}

pub(super) fn another_tool_looks_up_exactly_the_value(subject: &impl Shared) {
    for (number, bytes) in
        [&b"s3cr3t-for-keychain"[..], b"line\nand line\n", b"'$(x)' = \xe2\x82\xac"]
            .iter()
            .enumerate()
    {
        let name = format!("API_KEY_{number}");
        write(&subject.stores(), &key("global", &name), bytes);
        let attributes = ["service", "kage-global", "account", &name];
        assert_eq!(subject.session().look_up(&attributes), *bytes);
    }
}

pub(super) fn an_entry_has_the_label_and_the_attributes_of_the_product(subject: &impl Shared) {
    for (scope, service) in [
        ("global", "kage-global"),
        ("namespace:production", "kage-namespace:production"),
        ("repo:/home/me/code/api", "kage-repo:/home/me/code/api"),
        ("subscription:work", "kage-subscription:work"),
    ] {
        let key = key(scope, "API_KEY");
        let before = Timestamp::now();
        let written = subject.stores().write(&key, &stores::value("x"), stores::about("for tests"));
        written.unwrap_or_else(|error| panic!("{error}"));
        let seen = subject.seen_elsewhere(&["service", service, "account", "API_KEY"]);
        for line in [
            &format!("label = {service} API_KEY"),
            &format!("attribute.service = {service}"),
            "attribute.account = API_KEY",
            "attribute.application = kage",
            "attribute.description = for tests",
        ] {
            assert_eq!(seen.iter().filter(|seen| *seen == line).count(), 1, "{line}: {seen:#?}");
        }
        for name in ["created", "updated"] {
            let start = format!("attribute.{name} = ");
            let time = seen.iter().find_map(|line| line.strip_prefix(&start)).expect(name);
            let time: Timestamp = time.parse().expect("RFC 3339");
            assert!(before <= time && time <= Timestamp::now(), "{name}: {before} {time}");
        }
    }
}

pub(super) fn what_another_tool_made_is_listed_read_and_changed_in_place(subject: &impl Shared) {
    let key = key("namespace:elsewhere", "API_KEY");
    let attributes = ["service", "kage-namespace:elsewhere", "account", "API_KEY"];
    let before = unix_seconds();
    subject.store_elsewhere(&attributes, b"s3cr3t-for-keychain-old");
    let entry = only_entry(&subject.stores(), &key.scope);
    assert_eq!((&entry.key, entry.duplicates), (&key, 0));
    let updated = entry.meta.updated.expect("the service has a time of its own");
    assert!((before..=unix_seconds()).contains(&updated.as_second()), "{updated}");
    assert!(holds(&subject.stores(), &key, "s3cr3t-for-keychain-old"));

    write(&subject.stores(), &key, "s3cr3t-for-keychain-new");
    assert_eq!(subject.count_elsewhere(&attributes), 1);
    assert!(holds(&subject.stores(), &key, "s3cr3t-for-keychain-new"));
    assert_eq!(only_entry(&subject.stores(), &key.scope).key, key);
    // It is kage's now, so it is found among everything.
    let listed = everything(&subject.stores());
    assert!(listed.iter().any(|found| found.entry.key == key));
    write(&subject.stores(), &key, "s3cr3t-for-keychain-newer");
    assert_eq!(subject.count_elsewhere(&attributes), 1);
    assert!(delete(&subject.stores(), &key));
    assert_eq!(subject.count_elsewhere(&attributes), 0);
}

pub(super) fn attributes_of_others_stay_when_a_value_changes(subject: &impl Shared) {
    let key = key("namespace:kept", "API_KEY");
    let all = ["service", "kage-namespace:kept", "account", "API_KEY", "owner", "somebody"];
    subject.store_elsewhere(&all, b"s3cr3t-for-keychain-old");
    write(&subject.stores(), &key, "s3cr3t-for-keychain-new");
    assert_eq!(subject.count_elsewhere(&all), 1);
    assert!(holds(&subject.stores(), &key, "s3cr3t-for-keychain-new"));
}

pub(super) fn of_duplicates_the_newest_counts_and_all_are_deleted(subject: &impl Shared) {
    let key = key("namespace:twice", "API_KEY");
    let both = ["service", "kage-namespace:twice", "account", "API_KEY"];
    for (number, bytes) in [("one", b"s3cr3t-for-keychain-1"), ("two", b"s3cr3t-for-keychain-2")] {
        subject.store_elsewhere(&[&both[..], &["copy", number]].concat(), bytes);
        wait_for_the_next_second();
    }
    assert_eq!(subject.count_elsewhere(&both), 2);
    let entry = only_entry(&subject.stores(), &key.scope);
    assert_eq!((&entry.key, entry.duplicates), (&key, 1));
    assert!(holds(&subject.stores(), &key, "s3cr3t-for-keychain-2"));

    write(&subject.stores(), &key, "s3cr3t-for-keychain-3");
    assert_eq!(subject.count_elsewhere(&both), 2);
    assert!(holds(&subject.stores(), &key, "s3cr3t-for-keychain-3"));
    assert_eq!(subject.session().look_up(&["copy", "one"]), b"s3cr3t-for-keychain-1");
    assert!(delete(&subject.stores(), &key));
    assert_eq!(subject.count_elsewhere(&both), 0);
}

pub(super) fn a_newer_item_made_elsewhere_counts(subject: &impl Shared) {
    let key = key("namespace:newer", "API_KEY");
    write(&subject.stores(), &key, "s3cr3t-for-keychain-ours");
    wait_for_the_next_second();
    let attributes = ["service", "kage-namespace:newer", "account", "API_KEY", "copy", "newer"];
    subject.store_elsewhere(&attributes, b"s3cr3t-for-keychain-theirs");
    let entry = only_entry(&subject.stores(), &key.scope);
    assert_eq!((&entry.key, entry.duplicates), (&key, 1));
    assert!(holds(&subject.stores(), &key, "s3cr3t-for-keychain-theirs"));
}

pub(super) fn what_is_no_name_of_kage_is_left_alone(subject: &impl Shared) {
    // Each has a mark: another tool replaces what has all of its attributes.
    let foreign: [&[&str]; 5] = [
        &["mark", "1", "service", "kage-global", "account", "not a name"],
        &["mark", "2", "service", "kage-global"],
        &[
            "mark",
            "3",
            "service",
            "kage-repo:relative",
            "account",
            "API_KEY",
            "application",
            "kage",
        ],
        &["mark", "4", "service", "another-program", "account", "API_KEY", "application", "kage"],
        &["mark", "5", "account", "API_KEY", "application", "kage"],
    ];
    for attributes in foreign {
        subject.store_elsewhere(attributes, b"s3cr3t-for-keychain-foreign");
    }
    let stores = subject.stores();
    assert_eq!(everything(&stores), []);
    assert_eq!(entries(&stores, &[&Scope::Global]), []);
    let key = key("global", "API_KEY");
    assert!(read(&stores, std::slice::from_ref(&key)).is_empty());
    write(&stores, &key, "s3cr3t-for-keychain");
    assert!(delete(&stores, &key));
    for attributes in foreign {
        assert_eq!(subject.count_elsewhere(attributes), 1, "{attributes:?}");
    }
}

pub(super) fn values_that_another_tool_changed_are_read_as_they_are_now(subject: &impl Shared) {
    let key: Key = key("namespace:changed", "API_KEY");
    let attributes = ["service", "kage-namespace:changed", "account", "API_KEY"];
    let clear = || {
        let args = [&["clear"][..], &attributes].concat();
        subject.session().secret_tool(&args, b"").success();
    };
    subject.store_elsewhere(&attributes, b"s3cr3t-for-keychain-old");
    let stores = subject.stores();
    assert_eq!(only_entry(&stores, &key.scope).key, key);
    // Not replaced: KeePassXC asks about that in a dialog.
    clear();
    subject.store_elsewhere(&attributes, b"s3cr3t-for-keychain-new");
    assert!(holds(&stores, &key, "s3cr3t-for-keychain-new"));
    clear();
    assert!(read(&stores, std::slice::from_ref(&key)).is_empty());
}

pub(super) fn listing_asks_for_no_value(subject: &impl Shared) {
    write(&subject.stores(), &key("global", "API_KEY"), "s3cr3t-for-keychain");
    let monitor = subject.session().monitor();
    assert_eq!(everything(&subject.stores()).len(), 1);
    assert_eq!(entries(&subject.stores(), &[&Scope::Global]).len(), 1);
    monitor.catch_up();
    assert!(monitor.heard("member=SearchItems"));
    assert!(!monitor.heard("member=GetSecret"));
}

/// Services keep whole seconds: what is to be newer must come in a later one.
fn wait_for_the_next_second() {
    let now = unix_seconds();
    wait_until("a second ends", || unix_seconds() > now);
}

fn unix_seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_secs()).expect("a plain time")
}
