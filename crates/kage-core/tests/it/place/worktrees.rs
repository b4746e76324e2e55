//! Worktrees count as their main repository, where that confirms them.

use std::fs;

use kage_core::resolve::Reason;

use super::World;

#[test]
fn a_worktree_counts_as_its_main_repository() {
    let world = World::new();
    let (main, tree) = world.worktree();
    let place = world.place("tree/api");
    assert_eq!(world.shown(&place), ["~/tree/api", "~/tree", "~/main/api", "~/main"]);
    let repository = place.repository.unwrap();
    assert_eq!((repository.root, repository.found), (main, tree));
    assert!(repository.worktree);
    assert_eq!(place.ignored, []);
}

#[test]
fn a_worktree_inside_its_main_repository_does_too() {
    let world = World::new();
    world.repository("main");
    world.git("main", &["worktree", "add", "-q", ".trees/a"]);
    assert_eq!(world.scopes("main/.trees/a"), ["~/main/.trees/a", "~/main"]);
    assert_eq!(world.scopes("main/.trees"), ["~/main/.trees", "~/main"]);
}

#[test]
fn a_folder_that_only_the_worktree_has_is_mapped() {
    let world = World::new();
    world.worktree();
    world.folder("tree/new/deep");
    assert_eq!(
        world.scopes("tree/new/deep"),
        ["~/tree/new/deep", "~/tree/new", "~/tree", "~/main/new/deep", "~/main/new", "~/main"]
    );
}

#[test]
fn a_worktree_of_a_bare_repository_counts_as_that() {
    let world = World::new();
    world.repository("shop");
    world.git("", &["clone", "-q", "--bare", "shop", "shop.git"]);
    world.git("shop.git", &["worktree", "add", "-q", "../tree"]);
    assert_eq!(world.scopes("tree"), ["~/tree", "~/shop.git"]);
    assert!(world.place("tree").repository.unwrap().worktree);
    // This moves `core.bare` to another file.
    world.git("tree", &["sparse-checkout", "set", "api"]);
    assert!(world.home().join("shop.git/config.worktree").is_file());
    assert_eq!(world.scopes("tree"), ["~/tree", "~/shop.git"]);
}

#[test]
fn a_worktree_beside_its_hidden_bare_repository_counts_as_that() {
    let world = World::new();
    world.repository("shop");
    world.git("", &["clone", "-q", "--bare", "shop", "project/.bare"]);
    world.file("project/.git", "gitdir: ./.bare\n");
    world.git("project", &["worktree", "add", "-q", "tree"]);
    assert_eq!(world.scopes("project/tree"), ["~/project/tree", "~/project/.bare"]);
    world.assert_its_own("project", &[("project/.git", Reason::NotAWorktree)]);
}

#[test]
fn a_worktree_with_relative_pointers_counts_as_its_main_repository() {
    let world = World::new();
    world.worktree();
    world.file("tree/.git", "gitdir: ../main/.git/worktrees/tree\n");
    world.file("main/.git/worktrees/tree/gitdir", "../../../../tree/.git\n");
    assert_eq!(world.scopes("tree"), ["~/tree", "~/main"]);
    // Beside another `main`, the pointer of a copy finds that repository, which does not confirm.
    world.folder("elsewhere");
    world.git("", &["clone", "-q", "main", "elsewhere/main"]);
    world.git("elsewhere/main", &["worktree", "add", "-q", "../x"]);
    fs::rename(
        world.home().join("elsewhere/main/.git/worktrees/x"),
        world.home().join("elsewhere/main/.git/worktrees/tree"),
    )
    .unwrap();
    world.file("elsewhere/tree/.git", "gitdir: ../main/.git/worktrees/tree\n");
    let ignored = [("elsewhere/tree/.git", Reason::NotPointedBack)];
    world.assert_its_own("elsewhere/tree", &ignored);
}

#[test]
fn a_moved_worktree_is_its_own_until_git_repairs_it() {
    let world = World::new();
    let (_, tree) = world.worktree();
    fs::rename(&tree, world.home().join("moved")).unwrap();
    world.assert_its_own("moved", &[("moved/.git", Reason::NotPointedBack)]);
    world.git("main", &["worktree", "repair", "../moved"]);
    assert_eq!(world.scopes("moved"), ["~/moved", "~/main"]);
}

#[test]
fn a_worktree_whose_main_repository_moved_is_its_own_until_git_repairs_it() {
    let world = World::new();
    let (main, _) = world.worktree();
    fs::rename(&main, world.home().join("moved")).unwrap();
    world.assert_its_own("tree", &[("tree/.git", Reason::Dangling)]);
    world.git("moved", &["worktree", "repair"]);
    assert_eq!(world.scopes("tree"), ["~/tree", "~/moved"]);
}

#[test]
fn a_worktree_reached_through_links_counts_as_its_main_repository() {
    let world = World::new();
    world.repository("real/main");
    std::os::unix::fs::symlink("real", world.home().join("code")).unwrap();
    world.git("code/main", &["worktree", "add", "-q", "../tree"]);
    assert_eq!(world.scopes("code/tree"), ["~/real/tree", "~/real/main"]);
}

#[test]
fn a_submodule_in_a_worktree_is_its_own() {
    let world = World::new();
    world.repository("lib");
    world.repository("main");
    world.git("main", &["submodule", "--quiet", "add", "../lib", "lib"]);
    world.git("main", &["commit", "-q", "-m", "lib"]);
    world.git("main", &["worktree", "add", "-q", "../tree"]);
    world.git("tree", &["submodule", "--quiet", "update", "--init"]);
    world.assert_its_own("tree/lib", &[("tree/lib/.git", Reason::NotAWorktree)]);
}

#[test]
fn a_worktree_of_a_submodule_is_its_own() {
    let world = World::new();
    world.repository("lib");
    world.repository("main");
    world.git("main", &["submodule", "--quiet", "add", "../lib", "lib"]);
    world.git("main/lib", &["worktree", "add", "-q", "../../tree"]);
    world.assert_its_own("tree", &[("main/.git/modules/lib", Reason::NotARepository)]);
}

#[test]
fn a_folder_that_is_not_the_main_repositorys_own_is_not_mapped() {
    for make in [
        |world: &World| drop(world.repository("main/x/vendor")),
        |world: &World| world.git("main", &["init", "-q", "--bare", "x/vendor"]),
        |world: &World| {
            world.folder("main/x");
            world.folder("elsewhere");
            std::os::unix::fs::symlink("../../elsewhere", world.home().join("main/x/vendor"))
                .unwrap();
        },
        |world: &World| {
            let theirs = world.folder("main/x/vendor");
            // Without the right to give it away, a repository will do.
            if !world.give_away(&theirs) {
                world.git("main/x/vendor", &["init", "-q"]);
            }
        },
    ] {
        let world = World::new();
        world.worktree();
        make(&world);
        world.folder("tree/x/vendor/deep");
        let place = world.place("tree/x/vendor/deep");
        assert_eq!(
            world.shown(&place),
            ["~/tree/x/vendor/deep", "~/tree/x/vendor", "~/tree/x", "~/tree", "~/main/x", "~/main"]
        );
        let ignored = [("main/x/vendor", Reason::OtherRepository)];
        assert_eq!(place.ignored, world.ignored(&ignored));
    }
}

#[test]
fn a_submodule_that_a_worktree_has_not_fetched_is_not_mapped() {
    let world = World::new();
    world.repository("lib");
    world.repository("main");
    world.git("main", &["submodule", "--quiet", "add", "../lib", "lib"]);
    world.git("main", &["commit", "-q", "-m", "lib"]);
    world.git("main", &["worktree", "add", "-q", "../tree"]);
    assert_eq!(world.scopes("tree/lib"), ["~/tree/lib", "~/tree", "~/main"]);
}
