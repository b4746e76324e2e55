//! `kage secret delete`.

use insta::assert_snapshot;

use crate::world::World;

fn world() -> World {
    let world = World::with_vault();
    world.set("STRIPE_KEY", "global", "s3cr3t-for-delete");
    world
}

#[test]
fn a_secret_is_removed_when_nobody_has_to_be_asked() {
    let world = world();
    assert_snapshot!(world.kage(["secret", "delete", "STRIPE_KEY", "--yes"]), @"
    ------- stderr -------
    Removed `STRIPE_KEY` from `global` (vault).
    [exit code: 0]
    ");
    assert_snapshot!(world.kage(["rm", "STRIPE_KEY", "--yes"]), @"
    ------- stderr -------
    error: secret not found: `STRIPE_KEY` is in no scope
    hint: see all that exist: kage secret list
    [exit code: 3]
    ");
}

#[test]
fn nothing_is_removed_where_nobody_can_be_asked() {
    let world = world();
    assert_snapshot!(world.kage(["delete", "STRIPE_KEY"]), @"
    ------- stderr -------
    error: nobody can be asked here: nothing was removed
    hint: to remove it without being asked, add --yes
    [exit code: 4]
    ");
    assert_snapshot!(world.kage(["delete", "STRIPE_KEY", "--dry-run"]), @"
    ------- stderr -------
    Would remove `STRIPE_KEY` from `global` (vault).
    [exit code: 0]
    ");
    assert!(world.kage(["get", "STRIPE_KEY"]).status.success());
}

#[test]
fn a_person_is_asked_and_decides() {
    let world = world();
    for (answer, left) in [("n\r", Some(0)), ("\r", Some(0)), ("y\r", Some(3))] {
        let mut terminal = world.on_terminal(["delete", "STRIPE_KEY"]);
        terminal.wait_for("Remove `STRIPE_KEY` from `global` (vault)? [y/N] ");
        terminal.type_in(answer);
        terminal.ended();
        assert_eq!(world.kage(["get", "STRIPE_KEY"]).status.code(), left, "{answer:?}");
    }
}

#[test]
fn a_name_in_several_scopes_must_be_told_apart() {
    let world = world();
    world.set("STRIPE_KEY", "namespace:production", "s3cr3t-for-delete");
    assert_snapshot!(world.kage(["delete", "STRIPE_KEY", "--yes"]), @"
    ------- stderr -------
    error: `STRIPE_KEY` is in several scopes: `global`, `namespace:production`
    hint: say which: kage secret delete STRIPE_KEY --scope SCOPE
    [exit code: 2]
    ");
}

#[test]
fn a_folder_that_is_gone_is_known_by_the_link_it_was_reached_by() {
    let world = world();
    let folder = world.repository("real/old");
    std::os::unix::fs::symlink(world.home().join("real"), world.home().join("code")).unwrap();
    world.set("OLD_KEY", "repo:~/code/old", "s3cr3t-for-delete");
    std::fs::remove_dir_all(folder).unwrap();
    let said = world.kage(["delete", "OLD_KEY", "--scope", "repo:~/code/old", "--yes"]);
    assert_eq!(said.err(), "Removed `OLD_KEY` from `repo:~/real/old` (vault).\n");
}

#[test]
fn secrets_of_a_folder_that_is_gone_can_be_removed() {
    let world = world();
    let folder = world.repository("code/old");
    world.set("OLD_KEY", "repo:~/code/old", "s3cr3t-for-delete");
    std::fs::remove_dir_all(folder).unwrap();
    assert_snapshot!(world.kage(["delete", "OLD_KEY", "--scope", "repo:~/code/old", "--yes"]), @"
    ------- stderr -------
    Removed `OLD_KEY` from `repo:~/code/old` (vault).
    [exit code: 0]
    ");
}
