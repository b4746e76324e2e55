//! `kage secret set`.

use insta::assert_snapshot;

use crate::world::{KAGE, World};

const VALUE: &str = "s3cr3t-for-set";

#[test]
fn a_piped_value_is_stored_without_its_line_end() {
    let world = World::with_vault();
    assert_snapshot!(world.kage_with(["secret", "set", "STRIPE_KEY"], b"s3cr3t-for-set\n"), @"
    ------- stderr -------
    Stored `STRIPE_KEY` in `global` (vault).
    [exit code: 0]
    ");
    assert_eq!(world.kage(["get", "STRIPE_KEY", "--reveal"]).stdout, VALUE.as_bytes());
}

#[test]
fn the_same_command_again_rotates() {
    let world = World::with_vault();
    world.set("STRIPE_KEY", "global", "s3cr3t-for-set-1");
    world.set("STRIPE_KEY", "global", "s3cr3t-for-set-2");
    assert_eq!(world.kage(["get", "STRIPE_KEY", "--reveal"]).stdout, b"s3cr3t-for-set-2");
    assert_eq!(world.kage(["list", "--json"]).out().matches("STRIPE_KEY").count(), 1);
}

#[test]
fn any_bytes_come_back_as_they_went_in() {
    let world = World::with_vault();
    let long = vec![b'x'; 64 * 1024];
    let values: [&[u8]; 6] = [
        b"two\nlines\n",
        b"\xff\xfe not text",
        b"$(touch pwned) `id` \"quoted\" 'single' \\n",
        " 影 ".as_bytes(),
        b"\n",
        &long,
    ];
    for value in values {
        let said = world.kage_with(["set", "ANY_BYTES", "--raw"], value);
        assert!(said.status.success(), "{said}");
        assert_eq!(world.kage(["get", "ANY_BYTES", "--reveal"]).stdout, value);
        let print = ["run", "--", "sh", "-c", "printf %s \"$ANY_BYTES\""];
        let printed = world.kage(print).stdout;
        assert_eq!(printed, value);
    }
    assert!(!world.home().join("pwned").exists());
}

#[test]
fn a_value_that_no_environment_can_hold_is_refused_before_anything_is_written() {
    let world = World::with_vault();
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY"], b"s3cr3t\0for-set"), @"
    ------- stderr -------
    error: the value of `STRIPE_KEY` holds a NUL byte, which an environment variable cannot
    hint: nothing was stored: keep such a value encoded, in base64 for example
    [exit code: 1]
    ");
    let long = vec![b'x'; 128 * 1024];
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY"], &long), @"
    ------- stderr -------
    error: the value of `STRIPE_KEY` is too long for an environment variable: 131072 bytes of at most 131060
    hint: nothing was stored: keep such a value encoded, in base64 for example
    [exit code: 1]
    ");
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY"], b"\n"), @"
    ------- stderr -------
    error: the value is empty: nothing was stored
    hint: enter it at the prompt in a terminal, pipe it in, or use --from-file
    [exit code: 1]
    ");
    assert_snapshot!(world.kage(["list"]), @"
    ------- stderr -------
    No secrets. Store one: kage secret set NAME
    [exit code: 0]
    ");
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_repeated() {
    let world = World::with_vault();
    assert_snapshot!(world.kage(["set", "STRIPE_KEY", VALUE]), @"
    ------- stderr -------
    error: a value on the command line is refused: `ps` shows it to everybody on this machine, and the shell keeps it in its history
    hint: run `kage set NAME` alone and enter it at the prompt, or pipe it in
    hint: if it was a real value, it is in your shell's history now: remove it there
    [exit code: 2]
    ");
    assert_snapshot!(world.kage(["set", "STRIPE_KEY=s3cr3t-for-set"]), @"
    ------- stderr -------
    error: this is no name of a secret: a name is letters, digits and `_`, and does not begin with a digit
    hint: give the name alone: a value on the command line is seen by `ps` and kept in the shell's history
    [exit code: 2]
    ");
    let option = world.kage(["set", "STRIPE_KEY", "--value=s3cr3t-for-set"]);
    assert!(!option.err().contains("s3cr3t"), "{option}");
}

#[test]
fn a_file_is_stored_with_its_line_ends() {
    let world = World::with_vault();
    world.write("key.pem", "-----BEGIN\ns3cr3t-for-set\n");
    let said = world.kage(["set", "DEPLOY_PEM", "--from-file", "~/key.pem"]);
    assert!(said.status.success(), "{said}");
    let kept = world.kage(["get", "DEPLOY_PEM", "--reveal"]).stdout;
    assert_eq!(kept, b"-----BEGIN\ns3cr3t-for-set\n");
    assert_snapshot!(world.kage(["set", "DEPLOY_PEM", "--from-file", "absent.pem"]), @"
    ------- stderr -------
    error: cannot read `~/absent.pem`: No such file or directory (os error 2)
    [exit code: 1]
    ");
}

#[test]
fn a_value_is_generated_and_not_shown() {
    let world = World::with_vault();
    assert_snapshot!(world.kage(["set", "SESSION_KEY", "--generate"]), @"
    ------- stderr -------
    Stored `SESSION_KEY` in `global` (vault).
    [exit code: 0]
    ");
    let first = world.kage(["get", "SESSION_KEY", "--reveal"]).out();
    assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(world.kage(["set", "SESSION_KEY", "--generate=64"]).status.success());
    assert_eq!(world.kage(["get", "SESSION_KEY", "--reveal"]).stdout.len(), 64);
}

#[test]
fn what_looks_like_a_mistake_is_said() {
    let world = World::with_vault();
    assert_snapshot!(world.kage_with(["set", "TOKEN"], b"changeme"), @"
    ------- stderr -------
    warning: `TOKEN` does not say what it opens: a name such as GITHUB_TOKEN does
    warning: the value looks like a placeholder, not like a secret
    Stored `TOKEN` in `global` (vault).
    warning: it is not masked in what programs print: it is a common word
    [exit code: 0]
    ");
}

#[test]
fn a_name_that_changes_programs_is_refused_unless_the_policy_allows_it() {
    let world = World::with_vault();
    assert_snapshot!(world.kage_with(["set", "LD_PRELOAD"], b"/tmp/x.so"), @"
    ------- stderr -------
    error: `LD_PRELOAD` is read by the dynamic loader or the C library, so kage does not store it: whoever sets it changes what programs do
    hint: if you mean it, add it to `allow_names` under [secrets] in ~/.config/kage/config.toml
    [exit code: 2]
    ");
    let config = std::fs::read_to_string(world.home().join(".config/kage/config.toml")).unwrap();
    world.config(&config.replace("[vault]", "allow_names = [\"LD_PRELOAD\"]\n[vault]"));
    let said = world.kage_with(["set", "LD_PRELOAD"], b"/tmp/x.so");
    assert!(said.status.success(), "{said}");
}

#[test]
fn scopes_are_understood_as_people_write_them() {
    let mut world = World::with_vault();
    world.repository("code/api");
    world.at("code/api/src");
    for (typed, stored) in [
        ("global", "global"),
        ("namespace:production", "namespace:production"),
        ("repo", "repo:~/code/api"),
        ("repo:.", "repo:~/code/api/src"),
        ("repo:..", "repo:~/code/api"),
        ("repo:~/code/api", "repo:~/code/api"),
    ] {
        let said = world.kage_with(["set", "STRIPE_KEY", "-s", typed], VALUE.as_bytes());
        let stored = format!("Stored `STRIPE_KEY` in `{stored}` (vault).\n");
        assert!(said.err().ends_with(&stored), "{typed}: {said}");
    }
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY", "-s", "repo:"], b"v"), @"
    ------- stderr -------
    error: `repo:` names no folder
    hint: write `repo:PATH`, or `repo` alone for the repository here
    [exit code: 2]
    ");
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY", "-s", "namespace:nope"], b"v"), @"
    ------- stderr -------
    warning: no repository is in `namespace:nope` yet: kage namespace add nope PATH
    Stored `STRIPE_KEY` in `namespace:nope` (vault).
    warning: it is not masked in what programs print: it has less than 8 bytes
    [exit code: 0]
    ");
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY", "-s", "repo:~/absent"], b"v"), @"
    ------- stderr -------
    error: `~/absent` is no folder
    hint: a repository's secrets apply in a folder that is there: check the path
    [exit code: 1]
    ");
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY", "-s", "production"], b"v"), @"
    ------- stderr -------
    error: `production`: a scope is `global`, `namespace:<name>` or `repo:<path>`
    hint: did you mean `namespace:production`?
    [exit code: 2]
    ");
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY", "-s", "subscription:work"], b"v"), @"
    ------- stderr -------
    error: the secrets of a subscription are kept by kage itself
    [exit code: 2]
    ");
}

#[test]
fn a_dry_run_stores_nothing() {
    let world = World::with_vault();
    assert_snapshot!(world.kage_with(["set", "STRIPE_KEY", "-n"], VALUE.as_bytes()), @"
    ------- stderr -------
    Would store `STRIPE_KEY` in `global` (vault).
    [exit code: 0]
    ");
    assert_snapshot!(world.kage(["list"]), @"
    ------- stderr -------
    No secrets. Store one: kage secret set NAME
    [exit code: 0]
    ");
}

#[test]
fn a_prompt_hides_what_is_typed_and_says_first_where_it_goes() {
    let world = World::with_vault();
    let mut terminal = world.on_terminal(["set", "STRIPE_KEY"]);
    let before = terminal.wait_for("Value of STRIPE_KEY: ");
    assert!(before.contains("`STRIPE_KEY` goes to `global` (vault)."), "{before}");
    terminal.type_in("s3cr3t-for-set\r");
    let (screen, status) = terminal.ended();
    assert!(status.success() && screen.contains("Stored `STRIPE_KEY`"), "{screen}");
    assert!(!screen.contains("s3cr3t"), "{screen}");
    assert_eq!(world.kage(["get", "STRIPE_KEY", "--reveal"]).stdout, VALUE.as_bytes());
}

#[test]
fn a_confirmation_that_differs_stores_nothing() {
    let world = World::with_vault();
    let mut terminal = world.on_terminal(["set", "STRIPE_KEY", "--confirm"]);
    terminal.wait_for("Value of STRIPE_KEY: ");
    terminal.type_in("s3cr3t-for-set\r");
    terminal.wait_for("The same again: ");
    terminal.type_in("s3cr3t-for-sat\r");
    let (screen, status) = terminal.ended();
    assert_eq!(status.exit_code(), 1, "{screen}");
    assert_eq!(world.kage(["get", "STRIPE_KEY"]).status.code(), Some(3));
}

#[test]
fn several_pasted_lines_are_refused_and_reach_no_shell() {
    let world = World::with_vault();
    // The shell that started kage would run what kage left unread.
    let script = format!("{KAGE} set STRIPE_KEY; read -r -t 1 rest; echo \"rest: <$rest>\"");
    let mut terminal = world.shell_on_terminal(&script);
    terminal.wait_for("Value of STRIPE_KEY: ");
    terminal.type_in("s3cr3t-line-one\rs3cr3t-line-two\r");
    let (screen, _) = terminal.ended();
    assert!(screen.contains("more than one line was pasted"), "{screen}");
    assert!(screen.contains("rest: <>"), "{screen}");
    assert!(!screen.contains("s3cr3t"), "{screen}");
    assert_eq!(world.kage(["get", "STRIPE_KEY"]).status.code(), Some(3));
}

#[test]
fn ctrl_c_at_the_prompt_stores_nothing_and_leaves_the_terminal_as_it_was() {
    let world = World::with_vault();
    let script = format!("{KAGE} set STRIPE_KEY; echo \"code: $?\"; stty -a");
    let mut terminal = world.shell_on_terminal(&script);
    terminal.wait_for("Value of STRIPE_KEY: ");
    terminal.type_in("s3cr3t\u{3}");
    let (screen, _) = terminal.ended();
    // The end by SIGINT, as everywhere.
    assert!(screen.contains("code: 130"), "{screen}");
    assert!(screen.contains(" echo ") && screen.contains(" icanon "), "{screen}");
}

#[test]
fn an_end_by_a_signal_leaves_the_terminal_as_it_was() {
    let world = World::with_vault();
    for (signal, code) in [("HUP", 129), ("QUIT", 131), ("TERM", 143)] {
        let script =
            format!("ulimit -c 0; echo $$; {KAGE} set STRIPE_KEY; echo \"code: $?\"; stty -a");
        let mut terminal = world.shell_on_terminal(&script);
        let screen = terminal.wait_for("Value of STRIPE_KEY: ");
        let shell = screen.lines().next().unwrap().trim();
        let ended = world.command("pkill", [&format!("-{signal}"), "-P", shell]).status();
        assert!(ended.unwrap().success());
        let (screen, _) = terminal.ended();
        assert!(screen.contains(&format!("code: {code}")), "{signal}: {screen}");
        assert!(screen.contains(" echo ") && screen.contains("\nisig "), "{signal}: {screen}");
    }
}

#[test]
fn where_nobody_can_be_asked_and_nothing_is_piped_it_says_so() {
    let world = World::with_vault();
    assert_snapshot!(world.kage(["set", "STRIPE_KEY"]), @"
    ------- stderr -------
    error: the value is empty: nothing was stored
    hint: enter it at the prompt in a terminal, pipe it in, or use --from-file
    [exit code: 1]
    ");
}

#[test]
fn a_value_that_looks_like_an_option_is_not_repeated() {
    let world = World::with_vault();
    let pem = "-----BEGIN PRIVATE KEY-----\ns3cr3t-for-set";
    for words in [
        &["set", "API_KEY", pem][..],
        &["set", "API_KEY", "--s3cr3t-for-set"],
        &["set", "API_KEY", "--generate=s3cr3t-for-set"],
        &["get", "API_KEY", "s3cr3t-for-set"],
        &["API_KEY=s3cr3t-for-set"],
        &["list", "--passphrase-fd", "s3cr3t-for-set"],
        &["vault", "rekey", "s3cr3t-for-set"],
    ] {
        let said = world.kage(words);
        assert_eq!(said.status.code(), Some(2), "{said}");
        assert!(!said.to_string().contains("s3cr3t"), "{said}");
    }
}

#[test]
fn what_was_stored_and_not_recorded_is_said_to_be_stored() {
    let world = World::with_vault();
    world.set("API_KEY", "global", "s3cr3t-for-set-1");
    let log = std::fs::File::open(world.home().join(".local/state/kage/audit.jsonl")).unwrap();
    log.lock().unwrap();
    let said = world.kage_with(["set", "API_KEY"], b"s3cr3t-for-set-2");
    log.unlock().unwrap();
    assert_eq!(said.status.code(), Some(1), "{said}");
    assert!(said.err().contains("API_KEY (global) was stored"), "{said}");
    assert_eq!(world.kage(["get", "API_KEY", "--reveal"]).stdout, b"s3cr3t-for-set-2");
}
