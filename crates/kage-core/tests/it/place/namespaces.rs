//! Which namespace a place is in.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use kage_core::config::Confirmed;
use kage_core::name::Label;
use kage_core::resolve::{Membership, PlaceError, Question, place};

use super::World;

fn label(text: &str) -> Label {
    text.parse().unwrap()
}

fn listed(namespace: &str, by: &str) -> Membership {
    Membership::Listed { label: label(namespace), by: by.to_owned() }
}

fn unconfirmed(namespace: &str, by: &str) -> Membership {
    Membership::Unconfirmed { label: label(namespace), by: by.to_owned() }
}

/// A world whose config lists `repos` in the namespace `dev`.
fn dev(repos: &[&str]) -> World {
    World::with_config(&format!("[namespaces.dev]\nrepos = {repos:?}"))
}

#[test]
fn a_listed_repository_is_in_its_namespace() {
    let world = dev(&["~/code/shop"]);
    world.repository("code/shop");
    let place = world.place("code/shop/api");
    assert_eq!(place.membership, listed("dev", "~/code/shop"));
    assert_eq!(world.shown(&place), ["~/code/shop/api", "~/code/shop", "namespace:dev"]);
}

#[test]
fn a_listed_folder_is_its_own_repository_and_no_other() {
    let world = dev(&["~/code", "~/code/shop/api", "~/absent"]);
    world.repository("code/shop");
    world.repository("code/shop/vendor/lib");
    for dir in ["code/shop", "code/shop/api", "code/shop/vendor/lib"] {
        assert_eq!(world.place(dir).membership, Membership::None, "{dir}");
    }
}

#[test]
fn a_listed_folder_without_a_repository_holds_what_is_below_it() {
    let world = dev(&["~/notes"]);
    world.folder("notes/2026");
    world.folder("notes2");
    assert_eq!(world.place("notes").membership, listed("dev", "~/notes"));
    assert_eq!(world.scopes("notes/2026"), ["~/notes/2026", "~/notes", "namespace:dev"]);
    assert_eq!(world.place("notes2").membership, Membership::None);
    // A `.git` below it, whoever made it, is another matter.
    world.repository("notes/shop");
    assert_eq!(world.place("notes/shop").membership, Membership::None);
    world.folder("notes/forged/.git");
    assert_eq!(world.place("notes/forged").membership, Membership::None);
}

#[test]
fn what_another_owner_has_below_a_listed_folder_is_not_in_the_namespace() {
    let world = dev(&["~/notes", "/usr"]);
    world.folder("notes/theirs/mine");
    if world.give_away("notes/theirs") {
        for dir in ["notes/theirs", "notes/theirs/mine"] {
            assert_eq!(world.place(dir).membership, Membership::None, "{dir}");
        }
    } else {
        assert_eq!(world.place("/usr/bin").membership, Membership::None);
    }
}

#[test]
fn a_git_of_another_owner_leaves_a_listed_folder_out_of_its_namespace() {
    let world = dev(&["~/shared", "~/shared/mine"]);
    world.folder("shared/mine");
    fs::create_dir(world.home().join("shared/.git")).unwrap();
    let expected =
        if world.give_away("shared/.git") { Membership::None } else { listed("dev", "~/shared") };
    assert_eq!(world.place("shared/mine").membership, expected);
    assert_eq!(world.place("shared").membership, expected);
}

#[test]
fn a_worktree_is_in_the_namespace_of_its_main_repository() {
    let world = dev(&["~/main"]);
    world.worktree();
    assert_eq!(world.scopes("tree"), ["~/tree", "~/main", "namespace:dev"]);
    // The worktree's own path lists nothing: it goes by another.
    let world = dev(&["~/tree"]);
    world.worktree();
    assert_eq!(world.place("tree").membership, Membership::None);
}

#[test]
fn a_forged_worktree_of_a_listed_repository_is_not_in_its_namespace() {
    let world = dev(&["~/main"]);
    let (_, tree) = world.worktree();
    world.folder("evil");
    fs::copy(tree.join(".git"), world.home().join("evil/.git")).unwrap();
    assert_eq!(world.scopes("evil"), ["~/evil"]);
}

#[test]
fn links_in_a_listed_path_are_resolved() {
    let world = dev(&["~/short", "~/w/*"]);
    world.repository("code/shop");
    world.repository("work/site");
    symlink("code/shop", world.home().join("short")).unwrap();
    symlink("work", world.home().join("w")).unwrap();
    assert_eq!(world.place("code/shop").membership, listed("dev", "~/short"));
    assert_eq!(world.place("work/site").membership, unconfirmed("dev", "~/w/*"));
}

#[test]
fn a_glob_counts_once_the_user_has_confirmed_the_repository() {
    let mut world = dev(&["~/work/*"]);
    let root = world.repository("work/shop");
    world.repository("work/other");
    let place = world.place("work/shop/api");
    assert_eq!(place.membership, unconfirmed("dev", "~/work/*"));
    assert_eq!(place.membership.granted(), None);
    assert_eq!(world.shown(&place), ["~/work/shop/api", "~/work/shop"]);

    let record = world.top().join("state/confirmed.json");
    world.confirmed = Confirmed::add(&record, &label("dev"), &root).unwrap();
    let place = world.place("work/shop/api");
    assert_eq!(place.membership, listed("dev", "~/work/*"));
    assert_eq!(world.shown(&place), ["~/work/shop/api", "~/work/shop", "namespace:dev"]);
    assert_eq!(world.place("work/other").membership, unconfirmed("dev", "~/work/*"));

    fs::rename(root.join(".git"), world.home().join("old")).unwrap();
    world.repository("work/shop");
    assert_eq!(world.place("work/shop").membership, unconfirmed("dev", "~/work/*"));
}

#[test]
fn a_confirmation_outlives_what_git_does_and_holds_in_worktrees() {
    let mut world = dev(&["~/main*"]);
    let (main, _) = world.worktree();
    let record = world.top().join("confirmed.json");
    world.confirmed = Confirmed::add(&record, &label("dev"), &main).unwrap();
    world.file("main/api/more", "x");
    world.git("main", &["add", "."]);
    world.git("main", &["commit", "-q", "-m", "more"]);
    world.git("main", &["gc", "-q"]);
    assert_eq!(world.place("main").membership, listed("dev", "~/main*"));
    assert_eq!(world.place("tree").membership, listed("dev", "~/main*"));
}

#[test]
fn a_wildcard_stays_within_a_name_and_off_hidden_ones() {
    let everything = ["work", "work/a", "work/b/c", "work/.h", "work/[x]"];
    for (glob, expected) in [
        ("~/work/*", &["work/a", "work/[x]"][..]),
        ("~/work/**/*", &["work/a", "work/b/c", "work/[x]"]),
        ("~/work/**", &["work/a", "work/b/c", "work/[x]"]),
        ("~/*", &["work"]),
        ("~/*/a", &["work/a"]),
        ("~/work/?", &["work/a"]),
        ("~/work/[!b]", &["work/a"]),
        ("~/work/[[]x]", &["work/[x]"]),
        ("~/work/.*", &["work/.h"]),
        ("~/work/*/", &["work/a", "work/[x]"]),
        ("~/work/../work/*", &["work/a", "work/[x]"]),
        // The world itself is in a hidden folder.
        ("/**/work/a", &[]),
    ] {
        let world = dev(&[glob]);
        for path in everything {
            world.folder(&format!("{path}/.git"));
        }
        let matched = |path: &&str| world.place(path).membership == unconfirmed("dev", glob);
        let matched: Vec<_> = everything.into_iter().filter(matched).collect();
        assert_eq!(matched, expected, "{glob}");
    }
}

#[test]
fn an_absolute_entry_lists_as_one_below_home_does() {
    let mut world = World::new();
    let root = world.repository("work/shop");
    for (entry, membership) in [
        (root.display().to_string(), listed as fn(&str, &str) -> Membership),
        (format!("{}/", root.display()), listed),
        (format!("{}/work/*", world.home().display()), unconfirmed),
    ] {
        world.policy = dev(&[&entry]).policy;
        assert_eq!(world.place("work/shop").membership, membership("dev", &entry));
    }
}

#[test]
fn without_a_home_nothing_is_listed_below_it() {
    let world = dev(&["~/work/shop", "~/work/*"]);
    let dir = world.repository("work/shop");
    let relative = world.relative_home();
    for home in [Path::new(""), Path::new("/nonexistent"), &relative] {
        let World { policy, confirmed, trust, .. } = &world;
        let question = Question { dir: &dir, home, policy, confirmed, trust, namespace: None };
        assert_eq!(place(&question).unwrap().membership, Membership::None, "{home:?}");
    }
}

#[test]
fn a_folder_named_like_a_glob_is_not_listed_by_it_without_being_confirmed() {
    let world = dev(&["~/work/*"]);
    world.repository("work/*");
    assert_eq!(world.place("work/*").membership, unconfirmed("dev", "~/work/*"));
}

#[test]
fn a_glob_lists_no_folder_without_a_repository() {
    let world = dev(&["~/work/*"]);
    world.folder("work/plain");
    assert_eq!(world.place("work/plain").membership, Membership::None);
}

#[test]
fn a_folder_beats_a_glob_of_the_same_namespace() {
    for repos in [["~/work/*", "~/work/shop"], ["~/work/shop", "~/work/*"]] {
        let world = dev(&repos);
        world.repository("work/shop");
        assert_eq!(world.place("work/shop").membership, listed("dev", "~/work/shop"));
    }
}

#[test]
fn in_several_namespaces_is_an_error_that_names_them() {
    let config = "[namespaces.a]\nrepos = [\"~/x\"]\n[namespaces.b]\nrepos = [\"~/*\"]\n\
                  [namespaces.c]\nrepos = [\"~/y\"]";
    let world = World::with_config(config);
    let root = world.repository("x");
    let error = world.ask(&root.join("api")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{}` is in several namespaces: `a`, `b`", root.join("api").display())
    );
    let PlaceError::Ambiguous { labels, .. } = error else { panic!("{error}") };
    assert_eq!(labels, [label("a"), label("b")]);
}

#[test]
fn of_several_namespaces_the_first_counts_where_all_are_ordered() {
    let config = |order: &str| {
        format!(
            "[secrets]\nnamespace_order = {order}\n[namespaces.a]\nrepos = [\"~/x\"]\n\
             [namespaces.b]\nrepos = [\"~/*\"]\n[namespaces.c]"
        )
    };
    for (order, expected) in [
        (r#"["b", "a"]"#, Some(unconfirmed("b", "~/*"))),
        (r#"["c", "a", "b"]"#, Some(listed("a", "~/x"))),
        (r#"["a"]"#, None),
        (r#"["c", "b"]"#, None),
    ] {
        let world = World::with_config(&config(order));
        let root = world.repository("x");
        assert_eq!(world.ask(&root).ok().map(|place| place.membership), expected, "{order}");
    }
}

#[test]
fn the_namespace_that_is_asked_for_counts_before_all_others() {
    let config = "[namespaces.a]\nrepos = [\"~/x\"]\n[namespaces.b]\nrepos = [\"~/x\"]";
    let world = World::with_config(config);
    let dir = world.repository("x");
    let asked = label("undefined");
    let place = place(&Question {
        dir: &dir,
        home: &world.home(),
        policy: &world.policy,
        confirmed: &world.confirmed,
        trust: &world.trust,
        namespace: Some(&asked),
    })
    .unwrap();
    assert_eq!(place.membership, Membership::Asked(asked));
    assert_eq!(world.shown(&place), ["~/x", "namespace:undefined"]);
}
