//! The example of the documentation, literally, on a real gnome-keyring.

use crate::daemons::GnomeKeyring;
use crate::world::World;

/// Runs a command that prints the key, in a folder below home.
fn key_in(world: &mut World, folder: &str) -> String {
    world.at(folder);
    let said = world.kage(["run", "--", "sh", "-c", "echo $API_KEY"]);
    assert!(said.status.success(), "{said}");
    said.out().trim().to_owned()
}

#[test]
fn an_agent_gets_the_key_of_its_repository_else_of_its_namespace_else_the_global_one() {
    let keyring = GnomeKeyring::start();
    let mut world = World::with_keyring(&keyring);
    let payments = world.repository("code/payments");
    world.repository("code/billing");
    world.repository("code/blog");
    world.git(&payments, &["worktree", "add", "--quiet", "../payments-fix"]);
    world.config("[namespaces.production]\nrepos = [\"~/code/payments\", \"~/code/billing\"]\n");
    for (scope, value) in [
        ("global", "s3cr3t-for-seed-global"),
        ("namespace:production", "s3cr3t-for-seed-production"),
        ("repo:~/code/payments", "s3cr3t-for-seed-payments"),
    ] {
        world.set("API_KEY", scope, value);
    }
    let everywhere = |world: &mut World| {
        ["code/payments", "code/payments/src/api", "code/payments-fix", "code/billing", "code/blog"]
            .map(|folder| key_in(world, folder).replace("s3cr3t-for-seed-", ""))
    };
    assert_eq!(
        everywhere(&mut world),
        ["payments", "payments", "payments", "production", "global"]
    );
    world.kage(["secret", "delete", "API_KEY", "--scope", "repo:~/code/payments", "--yes"]);
    assert_eq!(
        everywhere(&mut world),
        ["production", "production", "production", "production", "global"]
    );
    world.kage(["secret", "delete", "API_KEY", "--scope", "namespace:production", "--yes"]);
    assert_eq!(everywhere(&mut world), ["global"; 5]);
}
