//! `kage redact`: which values are masked, and what becomes of the streams.

use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};

use insta::assert_snapshot;

use crate::world::{KAGE, World};

const TOKEN: &str = "ghp_s3cr3tForRedactToken1";

fn world() -> World {
    let mut world = World::with_vault();
    world.repository("code/api");
    world.set("API_TOKEN", "global", TOKEN);
    world.set("DB_PASSWORD", "repo:~/code/api", "s3cr3t-for-redact-db");
    world.set("ELSEWHERE", "namespace:production", "s3cr3t-for-redact-elsewhere");
    world.at("code/api");
    world
}

/// Starts `kage redact` with open pipes.
fn start(world: &World) -> Child {
    let mut command = world.command(KAGE, ["redact"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn what_applies_here_is_masked_in_any_spelling_and_the_rest_passes() {
    let input = format!(
        "token={TOKEN}; Basic czNjcjN0LWZvci1yZWRhY3QtZGI=\n{{\"db\":\"s3cr3t-for-redact-db\"}}\n\
         s3cr3t-for-redact-elsewhere \u{1b}[1mno newline"
    );
    assert_snapshot!(world().kage_with(["redact"], input.as_bytes()), @r#"
    ------- stdout -------
    token=[kage:API_TOKEN]; Basic [kage:DB_PASSWORD]I=
    {"db":"[kage:DB_PASSWORD]"}
    s3cr3t-for-redact-elsewhere [1mno newline⏎
    [exit code: 0]
    "#);
}

#[test]
fn names_choose_and_all_reaches_everywhere() {
    let world = world();
    let input = format!("{TOKEN} s3cr3t-for-redact-db s3cr3t-for-redact-elsewhere");
    assert_snapshot!(world.kage_with(["redact", "--names", "DB_PASSWORD"], input.as_bytes()), @"
    ------- stdout -------
    ghp_s3cr3tForRedactToken1 [kage:DB_PASSWORD] s3cr3t-for-redact-elsewhere⏎
    [exit code: 0]
    ");
    assert_snapshot!(world.kage_with(["redact", "--all"], input.as_bytes()), @"
    ------- stdout -------
    [kage:API_TOKEN] [kage:DB_PASSWORD] [kage:ELSEWHERE]⏎
    [exit code: 0]
    ");
    assert_snapshot!(
        world.kage_with(["redact", "--all", "--names", "ELSEWHERE,API_TOKEN"], input.as_bytes()),
        @"
    ------- stdout -------
    [kage:API_TOKEN] s3cr3t-for-redact-db [kage:ELSEWHERE]⏎
    [exit code: 0]
    "
    );
}

#[test]
fn a_name_that_is_not_set_here_stops_it_before_a_byte_passes() {
    assert_snapshot!(world().kage_with(["redact", "--names", "ELSEWHERE"], b"plain\n"), @"
    ------- stderr -------
    error: secret not found: `ELSEWHERE`
      searched, in this order:
        repo:~/code/api (vault)
        global (vault)
    hint: `ELSEWHERE` is set in other scopes: `namespace:production`
    hint: see all that exist: kage secret list
    hint: store it: kage secret set ELSEWHERE --scope global
    [exit code: 3]
    ");
}

#[test]
fn a_vault_that_cannot_be_opened_stops_it_before_a_byte_passes() {
    let world = world();
    std::fs::remove_file(world.home().join("identity.txt")).unwrap();
    let said = world.kage_with(["redact"], b"plain\n");
    assert!(!said.status.success() && said.stdout.is_empty(), "{said}");
}

#[test]
fn what_is_not_masked_is_said() {
    let world = World::with_vault();
    assert_snapshot!(world.kage_with(["redact"], b"plain\n"), @"
    ------- stdout -------
    plain
    ------- stderr -------
    warning: nothing is stored that applies here, so nothing is masked
    [exit code: 0]
    ");
    assert_snapshot!(world.kage_with(["set", "PIN"], b"1234"), @"
    ------- stderr -------
    Stored `PIN` in `global` (vault).
    warning: it is not masked in what programs print: it has less than 8 bytes
    [exit code: 0]
    ");
    world.set("STAGE", "global", "production");
    assert_snapshot!(world.kage_with(["redact"], b"1234 production\n"), @"
    ------- stdout -------
    1234 production
    ------- stderr -------
    warning: not masked: `PIN`: it has less than 8 bytes, `STAGE`: it is a common word
    [exit code: 0]
    ");
}

#[test]
fn every_value_that_is_read_to_be_masked_is_in_the_log() {
    let world = world();
    world.kage(["redact", "--names", "API_TOKEN"]);
    let audit = std::fs::read_to_string(world.home().join(".local/state/kage/audit.jsonl"));
    let audit = audit.unwrap();
    let line = audit.lines().last().unwrap();
    assert!(line.contains(r#""action":"mask","name":"API_TOKEN","scope":"global""#), "{line}");
    assert_eq!(audit.matches(r#""action":"mask""#).count(), 1);
}

#[test]
fn bytes_that_are_no_text_pass_as_they_are() {
    let input: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
    let said = world().kage_with(["redact"], &input);
    assert!(said.status.success() && said.stdout == input);
}

#[test]
fn a_prompt_is_out_while_the_input_stays_open() {
    let world = world();
    let mut child = start(&world);
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    input.write_all(b"Password: ").unwrap();
    let mut prompt = [0; 10];
    output.read_exact(&mut prompt).unwrap();
    assert_eq!(&prompt, b"Password: ");
    // The start of a value waits, and comes when the input ends.
    input.write_all(b"ghp_s3c").unwrap();
    drop(input);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"ghp_s3c");
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_ends_like_others_do_when_nobody_reads_what_it_writes() {
    let world = world();
    let mut child = start(&world);
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    while input.write_all(&[b'x'; 4096]).is_ok() {}
    assert_eq!(child.wait().unwrap().signal(), Some(13));
}

#[test]
fn streams_that_do_not_wait_and_a_slow_reader_lose_nothing() {
    let world = world();
    let lines = 5000;
    let script = format!(
        "yes 'line {TOKEN}' | head -n {lines} | perl -MFcntl -e '\
         fcntl(STDIN, F_SETFL, O_RDONLY | O_NONBLOCK); fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK); \
         exec @ARGV' {KAGE} redact | perl -e 'while (sysread(STDIN, $_, 100)) {{ print }}'"
    );
    let said = world.command("bash", ["-c", &script]).output().unwrap();
    let expected = "line [kage:API_TOKEN]\n".repeat(lines);
    assert!(said.stdout == expected.as_bytes(), "{}", String::from_utf8_lossy(&said.stderr));
}

#[test]
fn a_person_sees_what_waits_and_never_the_value() {
    let world = world();
    let pipe = world.home().join("pipe");
    world.command("mkfifo", [&pipe]).status().unwrap();
    let script = format!("'{KAGE}' redact <'{}'", pipe.display());
    let mut terminal = world.shell_on_terminal(&script);
    let mut input = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    input.write_all(b"Proceed? g").unwrap();
    terminal.wait_for("Proceed? g");
    let (start, rest) = TOKEN.split_at(9);
    input.write_all(&start.as_bytes()[1..]).unwrap();
    input.write_all(rest.as_bytes()).unwrap();
    drop(input);
    let (screen, status) = terminal.ended();
    assert_eq!((screen.as_str(), status.exit_code()), ("Proceed? g[kage:API_TOKEN]", 0));
}

#[test]
fn inside_an_agent_it_masks_what_a_command_would_get_and_nothing_else() {
    let world = world();
    let config = world.home().join(".config/kage/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    world.config(&text.replace("[secrets]\n", "[secrets]\ninject = [\"API_TOKEN\"]\n"));
    let input = format!("{TOKEN} s3cr3t-for-redact-db");
    let script = format!("printf %s '{input}' | \"$0\" \"$@\"");
    let inside = world.script_inside("claude", &script, ["redact"]);
    assert_eq!(inside.out(), "[kage:API_TOKEN] s3cr3t-for-redact-db");
    let outside = world.kage_with(["redact"], input.as_bytes());
    assert_eq!(outside.out(), "[kage:API_TOKEN] [kage:DB_PASSWORD]");
}
