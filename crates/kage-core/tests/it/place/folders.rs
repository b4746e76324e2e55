//! Folders, with a repository around them and without.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use kage_core::resolve::{PlaceError, Question, Reason, place};

use super::World;

#[test]
fn in_a_repository_the_scopes_go_up_to_its_root() {
    let world = World::new();
    let root = world.repository("code/shop");
    let place = world.place("code/shop/api");
    assert_eq!(place.dir, root.join("api"));
    assert_eq!(world.shown(&place), ["~/code/shop/api", "~/code/shop"]);
    let repository = place.repository.unwrap();
    assert_eq!((&repository.root, repository.worktree), (&root, false));
    assert_eq!(place.ignored, []);
}

#[test]
fn inside_the_git_folder_is_inside_the_repository() {
    let world = World::new();
    world.repository("shop");
    assert_eq!(world.scopes("shop/.git/hooks"), ["~/shop/.git/hooks", "~/shop/.git", "~/shop"]);
}

#[test]
fn without_a_repository_the_scopes_end_below_home() {
    let world = World::new();
    world.folder("notes/2026");
    let place = world.place("notes/2026");
    assert_eq!(world.shown(&place), ["~/notes/2026", "~/notes"]);
    assert_eq!(place.repository, None);
}

#[test]
fn home_and_a_folder_outside_it_are_only_themselves() {
    let world = World::new();
    let outside = world.top().join("outside/inner");
    fs::create_dir_all(&outside).unwrap();
    assert_eq!(world.scopes(""), ["~"]);
    assert_eq!(world.scopes(&outside), [outside.to_str().unwrap()]);
    // A name that begins like home's is outside home.
    let beside = world.top().join("home2/inner");
    fs::create_dir_all(&beside).unwrap();
    assert_eq!(world.scopes(&beside), [beside.to_str().unwrap()]);
}

#[test]
fn the_root_directory_is_a_folder_like_any_other() {
    let world = World::new();
    let place = world.place("/");
    assert_eq!(place.repository, None);
    if place.ignored.is_empty() {
        assert_eq!(world.shown(&place), ["/"]);
    } else {
        assert_eq!(place.ignored, world.ignored(&[("/", Reason::OtherOwner)]));
        assert_eq!(world.shown(&place), [""; 0]);
    }
}

#[test]
fn a_home_that_is_no_path_or_is_not_there_gives_no_folder_above() {
    let world = World::new();
    let dir = world.folder("notes/2026");
    let relative = world.relative_home();
    for home in [Path::new(""), Path::new("/nonexistent"), &relative] {
        let World { policy, confirmed, trust, .. } = &world;
        let question = Question { dir: &dir, home, policy, confirmed, trust, namespace: None };
        assert_eq!(world.shown(&place(&question).unwrap()), ["~/notes/2026"], "{home:?}");
    }
}

#[test]
fn a_home_behind_a_link_is_found() {
    let world = World::new();
    let dir = world.folder("notes/2026");
    let home = world.top().join("linked-home");
    symlink(world.home(), &home).unwrap();
    let World { policy, confirmed, trust, .. } = &world;
    let question = Question { dir: &dir, home: &home, policy, confirmed, trust, namespace: None };
    assert_eq!(world.shown(&place(&question).unwrap()), ["~/notes/2026", "~/notes"]);
}

#[test]
fn a_link_into_a_repository_is_the_folder_it_links_to() {
    let world = World::new();
    world.repository("shop");
    symlink("shop/api", world.home().join("short")).unwrap();
    assert_eq!(world.scopes("short"), ["~/shop/api", "~/shop"]);
}

#[test]
fn a_link_out_of_a_repository_leaves_it() {
    let world = World::new();
    let root = world.repository("shop");
    world.folder("other");
    symlink("../other", root.join("out")).unwrap();
    assert_eq!(world.scopes("shop/out"), ["~/other"]);
}

#[test]
fn a_repository_inside_another_is_its_own() {
    let world = World::new();
    world.repository("shop");
    world.repository("shop/vendor/lib");
    assert_eq!(world.scopes("shop/vendor/lib/api"), ["~/shop/vendor/lib/api", "~/shop/vendor/lib"]);
    assert_eq!(world.scopes("shop/vendor"), ["~/shop/vendor", "~/shop"]);
}

#[test]
fn a_submodule_is_its_own() {
    let world = World::new();
    world.repository("lib");
    world.repository("shop");
    world.git("shop", &["submodule", "--quiet", "add", "../lib", "lib"]);
    assert!(world.home().join("shop/lib/.git").is_file());
    world.assert_its_own("shop/lib", &[("shop/lib/.git", Reason::NotAWorktree)]);
}

#[test]
fn a_git_folder_elsewhere_leaves_the_folder_and_its_worktrees_their_own() {
    let world = World::new();
    world.folder("store");
    world.git("shop", &["init", "-q", "--separate-git-dir", "../store/shop.git"]);
    world.repository("shop");
    world.git("shop", &["worktree", "add", "-q", "../tree"]);
    world.assert_its_own("shop", &[("shop/.git", Reason::NotAWorktree)]);
    world.assert_its_own("tree", &[("store/shop.git", Reason::NotARepository)]);
}

#[test]
fn a_bare_repository_is_a_folder() {
    let world = World::new();
    world.git("", &["init", "-q", "--bare", "srv/shop.git"]);
    let place = world.place("srv/shop.git/hooks");
    assert_eq!(place.repository, None);
    assert_eq!(world.shown(&place), ["~/srv/shop.git/hooks", "~/srv/shop.git", "~/srv"]);
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let world = World::new();
    let gone = world.folder("gone");
    fs::remove_dir(&gone).unwrap();
    let file = world.file("file", "");
    for dir in [&gone, &file, &file.join("below")] {
        let error = world.ask(dir).unwrap_err();
        assert!(matches!(&error, PlaceError::NoDirectory(path) if path == dir), "{error}");
    }
    assert!(matches!(world.ask(Path::new("home")), Err(PlaceError::Relative(_))));
    symlink("loop", world.home().join("loop")).unwrap();
    assert!(matches!(world.ask(&world.home().join("loop")), Err(PlaceError::File(_))));
}

#[test]
fn a_folder_whose_path_is_no_text_has_no_scope_and_says_so() {
    let world = World::new();
    world.repository("shop");
    let dir = world.home().join("shop").join(std::ffi::OsStr::from_bytes(b"\xff"));
    fs::create_dir(&dir).unwrap();
    let place = world.place(&dir);
    assert_eq!(world.shown(&place), ["~/shop"]);
    assert_eq!(place.ignored[0].path, dir);
    assert_eq!(place.ignored[0].why, Reason::NotText);
}
