//! `kage check`, and `kage run` without what the repository requires.

use insta::assert_snapshot;

use crate::world::World;

const REQUIRES: &str = r#"[secrets]
required = ["DB_PASSWORD", { name = "API_KEY", description = "the test account" }, "CI_TOKEN"]
"#;

fn world() -> World {
    let mut world = World::with_vault();
    world.repository("code/shop");
    world.write("code/shop/.kage/config.toml", REQUIRES);
    world.set("DB_PASSWORD", "repo:~/code/shop", "s3cr3t-for-check-db");
    world.at("code/shop");
    world
}

fn trusted() -> World {
    let world = world();
    assert!(world.kage(["trust", "--yes"]).status.success());
    world
}

#[test]
fn what_is_missing_is_named_with_what_it_is_for() {
    let world = trusted().var("CI_TOKEN", "s3cr3t-for-check-ci");
    assert_snapshot!(world.kage(["check"]), @"
    ------- stdout -------
    ~/code/shop requires 3 secrets, 1 missing
    ┌─────────────┬──────────────────┬──────────────────┐
    │ Name        │ From             │ For              │
    ├─────────────┼──────────────────┼──────────────────┤
    │ DB_PASSWORD │ repo:~/code/shop │                  │
    │ API_KEY     │ missing          │ the test account │
    │ CI_TOKEN    │ the environment  │                  │
    └─────────────┴──────────────────┴──────────────────┘
    - store `API_KEY`: kage set API_KEY --scope repo
    [exit code: 3]
    ");
    assert_snapshot!(world.kage(["check", "--json"]), @r#"
    ------- stdout -------
    {
      "directory": "[HOME]/code/shop",
      "repository": "[HOME]/code/shop",
      "manifest": "trusted",
      "namespace": null,
      "required": [
        {
          "name": "DB_PASSWORD",
          "description": null,
          "state": "stored",
          "scope": "repo:[HOME]/code/shop"
        },
        {
          "name": "API_KEY",
          "description": "the test account",
          "state": "missing",
          "scope": null
        },
        {
          "name": "CI_TOKEN",
          "description": null,
          "state": "environment",
          "scope": null
        }
      ],
      "notes": [
        "store `API_KEY`: kage set API_KEY --scope repo"
      ]
    }
    [exit code: 3]
    "#);
    world.set("API_KEY", "global", "s3cr3t-for-check-api");
    assert_snapshot!(world.kage(["check"]), @"
    ------- stdout -------
    ~/code/shop requires 3 secrets, 0 missing
    ┌─────────────┬──────────────────┬──────────────────┐
    │ Name        │ From             │ For              │
    ├─────────────┼──────────────────┼──────────────────┤
    │ DB_PASSWORD │ repo:~/code/shop │                  │
    │ API_KEY     │ global           │ the test account │
    │ CI_TOKEN    │ the environment  │                  │
    └─────────────┴──────────────────┴──────────────────┘
    [exit code: 0]
    ");
}

#[test]
fn an_untrusted_manifest_is_shown_and_stops_no_command() {
    let world = world();
    assert_snapshot!(world.kage(["check"]), @"
    ------- stdout -------
    ~/code/shop requires 3 secrets, 2 missing
    ┌─────────────┬──────────────────┬──────────────────┐
    │ Name        │ From             │ For              │
    ├─────────────┼──────────────────┼──────────────────┤
    │ DB_PASSWORD │ repo:~/code/shop │                  │
    │ API_KEY     │ missing          │ the test account │
    │ CI_TOKEN    │ missing          │                  │
    └─────────────┴──────────────────┴──────────────────┘
    - store `API_KEY`: kage set API_KEY --scope repo
    - store `CI_TOKEN`: kage set CI_TOKEN --scope repo
    - the repository's `.kage/config.toml` is not trusted yet, so it counts for nothing: kage trust
    [exit code: 4]
    ");
    assert_snapshot!(world.kage(["run", "--", "echo", "started"]), @"
    ------- stdout -------
    started
    [exit code: 0]
    ");
}

#[test]
fn a_command_is_not_started_without_what_a_trusted_manifest_requires() {
    let world = trusted();
    assert_snapshot!(world.kage(["run", "--", "echo", "started"]), @"
    ------- stderr -------
    error: the repository requires secrets that are not there:
      `API_KEY`: the test account
      `CI_TOKEN`
    hint: store `API_KEY`: kage set API_KEY --scope repo
    hint: store `CI_TOKEN`: kage set CI_TOKEN --scope repo
    [exit code: 125]
    ");
    assert_snapshot!(world.kage(["run", "--plan"]), @"
    ------- stdout -------
    1 secret for a command in ~/code/shop
    Scopes, nearest first:
      repo:~/code/shop (vault)
      global (vault)
    ┌─────────────┬──────────────────┬─────────┬───────┐
    │ Name        │ From             │ Shadows │       │
    ├─────────────┼──────────────────┼─────────┼───────┤
    │ DB_PASSWORD │ repo:~/code/shop │         │ given │
    └─────────────┴──────────────────┴─────────┴───────┘
    - the repository requires `API_KEY`, so no command is started: store `API_KEY`: kage set API_KEY --scope repo
    - the repository requires `CI_TOKEN`, so no command is started: store `CI_TOKEN`: kage set CI_TOKEN --scope repo
    [exit code: 0]
    ");
    let json = world.kage(["run", "--json", "--", "echo", "started"]);
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["error"]["kind"], "not_found");
    // An empty variable is nothing.
    let world = world.var("CI_TOKEN", "").var("API_KEY", "");
    assert_eq!(world.kage(["run", "--", "true"]).status.code(), Some(125));
    let world = world.var("CI_TOKEN", "x").var("API_KEY", "y");
    assert!(world.kage(["run", "--", "true"]).status.success());
}

#[test]
fn what_the_caller_leaves_out_is_not_missed() {
    let world = trusted();
    assert!(world.kage(["run", "--only", "DB_PASSWORD", "--", "true"]).status.success());
}

#[test]
fn what_the_users_configuration_keeps_back_is_not_there() {
    let world = trusted();
    world.set("API_KEY", "global", "s3cr3t-for-check-api");
    world.set("CI_TOKEN", "global", "s3cr3t-for-check-ci");
    assert!(world.kage(["run", "--", "true"]).status.success());
    let config = std::fs::read_to_string(world.home().join(".config/kage/config.toml")).unwrap();
    let narrowed = config.replace("[secrets]\n", "[secrets]\ninject = [\"CI_TOKEN\"]\n");
    world.config(&narrowed);
    assert_snapshot!(world.kage(["run", "--", "true"]), @"
    ------- stderr -------
    error: the repository requires secrets that are not there:
      `DB_PASSWORD`
      `API_KEY`: the test account
    hint: `DB_PASSWORD` is not given to commands: `inject` under [secrets] in your configuration does not list it
    hint: `API_KEY` is not given to commands: `inject` under [secrets] in your configuration does not list it
    [exit code: 125]
    ");
    assert_snapshot!(world.kage(["check"]), @"
    ------- stdout -------
    ~/code/shop requires 3 secrets, 2 missing
    ┌─────────────┬───────────┬──────────────────┐
    │ Name        │ From      │ For              │
    ├─────────────┼───────────┼──────────────────┤
    │ DB_PASSWORD │ not given │                  │
    │ API_KEY     │ not given │ the test account │
    │ CI_TOKEN    │ global    │                  │
    └─────────────┴───────────┴──────────────────┘
    - `DB_PASSWORD` is not given to commands: `inject` under [secrets] in your configuration does not list it
    - `API_KEY` is not given to commands: `inject` under [secrets] in your configuration does not list it
    [exit code: 3]
    ");
}

#[test]
fn an_agent_may_ask_what_is_missing() {
    let world = trusted().var("CLAUDECODE", "1");
    assert_eq!(world.kage(["check"]).status.code(), Some(3));
}

#[test]
fn where_nothing_is_required_all_is_there() {
    let mut world = World::bare();
    assert_snapshot!(world.kage(["check"]), @"
    ------- stdout -------
    ~ requires no secret
    [exit code: 0]
    ");
    world.repository("code/shop");
    world.at("code/shop");
    assert_snapshot!(world.kage(["check"]), @"
    ------- stdout -------
    ~/code/shop requires no secret
    [exit code: 0]
    ");
}

#[test]
fn a_manifest_that_cannot_be_used_is_an_error() {
    let world = world();
    world.write("code/shop/.kage/config.toml", "namespce = \"production\"\n");
    assert_snapshot!(world.kage(["check"]), @"
    ------- stderr -------
    error: the repository's `.kage/config.toml` cannot be used: [HOME]/code/shop/.kage/config.toml line 1: unknown field `namespce`, expected `namespace` or `secrets`
    [exit code: 1]
    ");
    world.write("code/shop/.kage/config.toml", b"# \xff");
    assert_snapshot!(world.kage(["check"]), @"
    ------- stderr -------
    error: the repository's `.kage/config.toml` cannot be used: the manifest is not UTF-8: invalid utf-8 sequence of 1 bytes from index 2
    [exit code: 1]
    ");
}

#[test]
fn a_manifest_that_became_a_link_is_not_the_trusted_one() {
    let world = trusted();
    let folder = world.home().join("code/shop/.kage");
    std::fs::rename(&folder, world.home().join("kage")).unwrap();
    std::os::unix::fs::symlink(world.home().join("kage"), folder).unwrap();
    assert_snapshot!(world.kage(["check"]), @"
    ------- stdout -------
    ~/code/shop requires no secret
    - `[HOME]/code/shop/.kage`: it is a symbolic link, so no manifest is read
    - the repository's `.kage/config.toml` is not the one that you trusted, and cannot be used, so it counts for nothing
    [exit code: 4]
    ");
    assert_snapshot!(world.kage(["run", "--", "echo", "started"]), @"
    ------- stdout -------
    started
    ------- stderr -------
    warning: the repository's `.kage/config.toml` is not the one that you trusted, and cannot be used, so it counts for nothing
    [exit code: 0]
    ");
}
