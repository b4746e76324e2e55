//! `kage secret why`.

use insta::assert_snapshot;

use crate::world::World;

fn world() -> World {
    let mut world = World::with_vault();
    world.repository("code/payments");
    world.kage(["namespace", "add", "production", "~/code/payments"]);
    for (scope, value) in [
        ("global", "s3cr3t-for-why-1"),
        ("namespace:production", "s3cr3t-for-why-2"),
        ("repo:~/code/payments", "s3cr3t-for-why-3"),
    ] {
        world.set("STRIPE_KEY", scope, value);
    }
    world.at("code/payments/src");
    world
}

#[test]
fn every_candidate_is_shown_in_order_with_the_one_that_is_used() {
    assert_snapshot!(world().kage(["secret", "why", "STRIPE_KEY"]), @"
    ------- stdout -------
    `STRIPE_KEY` in ~/code/payments/src, repository ~/code/payments, namespace `production` (listed as `~/code/payments`)
    ┌───┬──────────────────────────┬─────────┬──────────┬──────────┐
    │   │ Scope                    │ Backend │ Updated  │          │
    ├───┼──────────────────────────┼─────────┼──────────┼──────────┤
    │ 1 │ repo:~/code/payments/src │ vault   │          │ not set  │
    │ 2 │ repo:~/code/payments     │ vault   │ just now │ used     │
    │ 3 │ namespace:production     │ vault   │ just now │ shadowed │
    │ 4 │ global                   │ vault   │ just now │ shadowed │
    └───┴──────────────────────────┴─────────┴──────────┴──────────┘
    [exit code: 0]
    ");
}

#[test]
fn the_environments_own_value_is_compared_and_never_shown() {
    let same = world().var("STRIPE_KEY", "s3cr3t-for-why-3").kage(["why", "STRIPE_KEY"]);
    assert!(same.out().contains("already holds the same value"), "{same}");
    let other = world().var("STRIPE_KEY", "s3cr3t-for-why-x").kage(["why", "STRIPE_KEY"]);
    assert!(other.out().contains("holds a different value"), "{other}");
    // Inside an agent the answer would be a way to guess.
    let agent = world().var("STRIPE_KEY", "x").var("CLAUDECODE", "1").kage(["why", "STRIPE_KEY"]);
    assert!(agent.out().contains("already holds a value"), "{agent}");
    for said in [same, other, agent] {
        assert!(!said.to_string().contains("s3cr3t"), "{said}");
    }
}

#[test]
fn what_would_change_the_answer_is_said() {
    let mut world = world();
    world.repository("code/blog");
    world.write("code/blog/.kage/config.toml", "namespace = \"production\"\n");
    world.at("code/blog");
    assert_snapshot!(world.kage(["why", "STRIPE_KEY"]), @"
    ------- stdout -------
    `STRIPE_KEY` in ~/code/blog, repository ~/code/blog, no namespace
    ┌───┬──────────────────┬─────────┬──────────┬─────────┐
    │   │ Scope            │ Backend │ Updated  │         │
    ├───┼──────────────────┼─────────┼──────────┼─────────┤
    │ 1 │ repo:~/code/blog │ vault   │          │ not set │
    │ 2 │ global           │ vault   │ just now │ used    │
    └───┴──────────────────┴─────────┴──────────┴─────────┘
    - the repository's `.kage/config.toml` asks for `namespace:production`, and a repository cannot put itself into one; only if you trust it with those secrets: kage trust, or: kage namespace add production ~/code/blog
    - it is also set in scopes that do not apply here: `namespace:production`, `repo:~/code/payments`
    [exit code: 0]
    ");
    world.repository("work/shop");
    world.kage(["namespace", "add", "shops", "~/work/*"]);
    world.at("work/shop");
    assert_snapshot!(world.kage(["why", "STRIPE_KEY"]), @"
    ------- stdout -------
    `STRIPE_KEY` in ~/work/shop, repository ~/work/shop, no namespace
    ┌───┬──────────────────┬─────────┬──────────┬─────────┐
    │   │ Scope            │ Backend │ Updated  │         │
    ├───┼──────────────────┼─────────┼──────────┼─────────┤
    │ 1 │ repo:~/work/shop │ vault   │          │ not set │
    │ 2 │ global           │ vault   │ just now │ used    │
    └───┴──────────────────┴─────────┴──────────┴─────────┘
    - `~/work/*` would put this repository into `namespace:shops`, which nobody has confirmed yet
    - it is also set in scopes that do not apply here: `namespace:production`, `repo:~/code/payments`
    ------- stderr -------
    `~/work/shop` matches `~/work/*` of the namespace `shops`, and is seen there for the first time.
    warning: going on without `namespace:shops`, since nobody can be asked here; confirm it in a terminal, or list it by its path: kage namespace add shops ~/work/shop
    [exit code: 0]
    ");
}

#[test]
fn json_tells_the_same() {
    let report = world().kage(["why", "STRIPE_KEY", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    let standings: Vec<_> = report["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|candidate| candidate["standing"].as_str().unwrap())
        .collect();
    assert_eq!(standings, ["unset", "used", "shadowed", "shadowed"]);
    assert_eq!(report["ambient"], "unset");
}

#[test]
fn a_name_that_is_nowhere_is_not_found() {
    assert_snapshot!(world().kage(["why", "STRIPE_KEYS"]), @"
    ------- stderr -------
    error: secret not found: `STRIPE_KEYS`
      searched, in this order:
        repo:~/code/payments/src (vault)
        repo:~/code/payments (vault)
        namespace:production (vault)
        global (vault)
    hint: names like it: `STRIPE_KEY`
    hint: see all that exist: kage secret list
    hint: store it: kage secret set STRIPE_KEYS --scope global
    [exit code: 3]
    ");
}
