//! The example that kage was made for: one name in three scopes of a real keyring, and the value
//! that each directory gets, as secrets are taken away one after the other.

use std::path::Path;

use kage_core::config::{Confirmed, Policy, Trust};
use kage_core::name::{Key, Scope};
use kage_core::resolve::{Plan, Question, Wishes, fetch, place};
use kage_core::store::{Changes, Stores, Wanted};

use crate::daemons::{GnomeKeyring, Session};
use crate::stores::{self, is, key, policy, value};

const POLICY: &str = "[namespaces.production]\nrepos = [\"~/code/payments\", \"~/code/billing\"]";

/// Where an agent may be started, below home.
const PLACES: [&str; 6] = [
    "code/payments",
    "code/payments/src/api",
    "code/payments-worktree",
    "code/payments-worktree/src/api",
    "code/billing",
    "elsewhere",
];

/// What the value of a scope is.
fn value_of(key: &Key) -> String {
    match &key.scope {
        Scope::Repo(_) => "s3cr3t-for-seed-payments".to_owned(),
        scope => format!("s3cr3t-for-seed-{scope}"),
    }
}

#[test]
fn a_directory_gets_the_value_of_its_repository_then_its_namespace_then_everywhere() {
    let keyring = GnomeKeyring::start();
    make_repositories(&keyring);
    let policy = policy(POLICY);
    let stores = stores::unattended(&keyring, POLICY);
    let home = std::fs::canonicalize(keyring.home()).unwrap();
    let repo = key(&format!("repo:{}/code/payments", home.display()), "API_KEY");
    let namespace = key("namespace:production", "API_KEY");
    let global = key("global", "API_KEY");
    for key in [&repo, &namespace, &global] {
        stores.write(key, &value(value_of(key)), Changes::default()).unwrap();
    }
    let winners = || {
        PLACES.map(|place| {
            // The next process knows nothing of this one.
            let stores = stores::unattended(&keyring, POLICY);
            winner(&stores, &policy, &home, &home.join(place))
        })
    };
    let in_order = |inside: Option<&Key>, listed: Option<&Key>, elsewhere: Option<&Key>| {
        [inside, inside, inside, inside, listed, elsewhere].map(Option::<&Key>::cloned)
    };
    assert_eq!(winners(), in_order(Some(&repo), Some(&namespace), Some(&global)));

    assert!(stores.delete(&repo).unwrap());
    assert_eq!(winners(), in_order(Some(&namespace), Some(&namespace), Some(&global)));

    assert!(stores.delete(&namespace).unwrap());
    assert_eq!(winners(), in_order(Some(&global), Some(&global), Some(&global)));

    assert!(stores.delete(&global).unwrap());
    assert_eq!(winners(), in_order(None, None, None));
}

/// Resolves `API_KEY` in a directory, and checks that the value is that of the winner.
fn winner(stores: &Stores, policy: &Policy, home: &Path, dir: &Path) -> Option<Key> {
    let confirmed = Confirmed::default();
    let trust = Trust::default();
    let question =
        Question { dir, home, policy, confirmed: &confirmed, trust: &trust, namespace: None };
    let place = place(&question).expect("the directory is there");
    let found = stores.list(Wanted::Scopes(&place.scopes)).expect("the keyring answers");
    let plan = Plan::new(&place.scopes, found, policy, &Wishes::default());
    let values = fetch(&plan, stores).expect("the keyring answers");
    let winner = plan.choices.first()?.winner.entry.key.clone();
    assert_eq!((plan.choices.len(), values.len()), (1, 1));
    assert!(is(values.get(&winner.name), value_of(&winner)), "{}: {winner}", dir.display());
    Some(winner)
}

fn make_repositories(session: &Session) {
    for folder in ["code/payments/src/api", "code/billing", "elsewhere"] {
        std::fs::create_dir_all(session.home().join(folder)).expect("the home is ours");
    }
    std::fs::write(session.home().join("code/payments/src/api/main.rs"), "").expect("it is ours");
    let git = |args: &[&str]| session.run("git", args, b"", "git").success();
    git(&["init", "--quiet", "code/billing"]);
    git(&["init", "--quiet", "code/payments"]);
    git(&["-C", "code/payments", "add", "."]);
    let author = ["-c", "user.name=Test", "-c", "user.email=test@localhost"];
    git(&[&["-C", "code/payments"][..], &author, &["commit", "--quiet", "-m", "first"]].concat());
    git(&["-C", "code/payments", "worktree", "add", "--quiet", "../payments-worktree"]);
}
