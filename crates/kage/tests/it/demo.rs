//! `kage demo`.

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn the_demo_shows_the_main_job_and_leaves_nothing() {
    let world = World::bare();
    let before = files(&world);
    assert_snapshot!(world.kage(["demo"]));
    assert_eq!(files(&world), before);
}

/// Everything in the world's folder, which is also its folder for temporary files.
fn files(world: &World) -> Vec<String> {
    let listed = world.command("find", ["..", "-printf", "%p\n"]).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
}
