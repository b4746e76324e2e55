//! `kage demo`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kage_core::disk;
use kage_core::store::vault;
use tempfile::TempDir;

use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::ui::{self, printable};

/// Show what kage does, on a throw-away vault and repositories
///
/// Nothing of yours is touched: all of it happens in a temporary folder, which is removed at the end.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// What the demo puts into the configuration of its throw-away home.
const CONFIG: &str = r#"[secrets]
backend = "vault"

[vault]
identity = "~/demo-identity.txt"

[namespaces.production]
repos = ["~/code/payments", "~/code/billing"]
"#;

/// What stands for an agent: it shows which value it was given.
const AGENT: &str = r#"echo "the agent in $(basename "$PWD") got: $API_KEY""#;

/// Starts a command that is nobody's child, and says at the end of its output that it succeeded.
const AWAY: &str = r#"exec 3<&0; { read -r go; "$@" && echo "it is done"; } <&3 3<&- &"#;

/// What the line above says.
const DONE: &str = "it is done";

/// What a command said, on stderr and on stdout.
struct Said {
    talk: Vec<u8>,
    data: Vec<u8>,
}

/// A throw-away home, and the kage that is shown in it.
struct Stage {
    folder: TempDir,
    kage: PathBuf,
    environment: BTreeMap<&'static str, OsString>,
}

pub(crate) fn run(cx: &Context, _: &Args) -> Result<(), Failure> {
    let stage = Stage::set_up(cx)?;
    ui::print(
        "A throw-away home with three repositories and a vault. Nothing of yours is touched.",
    )?;

    heading("One name, three values: for everything, for a namespace, for one repository")?;
    stage.kage("~", "", &["vault", "init", "--identity", "~/demo-identity.txt"])?;
    for (scope, value) in [
        ("global", "demo-key-for-everything"),
        ("namespace:production", "demo-key-for-production"),
        ("repo:~/code/payments", "demo-key-for-payments"),
    ] {
        stage.kage("~", value, &["secret", "set", "API_KEY", "--scope", scope])?;
    }
    stage.kage("~", "", &["secret", "list"])?;

    heading("A command gets what applies where it starts")?;
    stage.agent("~/code/payments", "demo-key-for-payments")?;
    stage.agent("~/code/billing", "demo-key-for-production")?;
    stage.agent("~/code/blog", "demo-key-for-everything")?;

    heading("Why that one?")?;
    stage.kage("~/code/payments", "", &["secret", "why", "API_KEY"])?;

    heading("Without its own, a repository falls back to its namespace")?;
    let delete = ["secret", "delete", "API_KEY", "--scope", "repo:~/code/payments", "--yes"];
    stage.kage("~/code/payments", "", &delete)?;
    stage.agent("~/code/payments", "demo-key-for-production")?;

    stage.clean_up()?;
    ui::print("\nThat was all of it, and it is gone again. Your own, in your keychain:")?;
    ui::print("  kage doctor                 is everything there that kage needs?")?;
    ui::print("  kage secret set API_KEY     store one; you are asked for the value")?;
    ui::print("  kage run -- claude          start an agent with what applies here")?;
    Ok(())
}

impl Stage {
    fn set_up(cx: &Context) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("kage-demo-").tempdir()?;
        let home = folder.path().canonicalize()?.join("home");
        for repository in ["payments", "billing", "blog"] {
            make_repository(&home.join("code").join(repository))?;
        }
        disk::replace(&home.join(".config/kage/config.toml"), CONFIG.as_bytes())?;
        // It opens nothing but this vault, which is gone in a moment.
        let identity = vault::generate_identity();
        identity.expose(|text| disk::replace(&home.join("demo-identity.txt"), text))?;
        let mut environment = BTreeMap::from([("HOME", home.into_os_string())]);
        for name in ["PATH", "LANG", "LC_ALL", "TMPDIR"] {
            if let Some(value) = cx.environment.get(&OsString::from(name)) {
                environment.insert(name, value.clone());
            }
        }
        Ok(Self { folder, kage: std::env::current_exe()?, environment })
    }

    /// Shows a command of kage and what it says.
    fn kage(&self, at: &str, input: &str, arguments: &[&str]) -> Result<String, Failure> {
        show(at, input, arguments)?;
        let output = self.start(at, input, arguments)?;
        let said = printed(&output);
        let (said, done) = match said.rsplit_once(DONE) {
            Some((said, _)) => (said.to_owned(), true),
            None => (said, false),
        };
        for line in said.lines() {
            ui::print(format_args!("  {line}"))?;
        }
        if done { Ok(said) } else { Err(broken(&format!("kage {arguments:?}"))) }
    }

    /// Runs what stands for an agent, and makes sure that it got `expected`.
    fn agent(&self, at: &str, expected: &str) -> Result<(), Failure> {
        let said = self.kage(at, "", &["run", "--", "sh", "-c", AGENT])?;
        if said.contains(expected) { Ok(()) } else { Err(broken("the agent's value")) }
    }

    /// Runs kage, also where an agent runs the demo. It is shown what a person sees, so it must not
    /// descend from the agent. Each of these commands is fixed, and has only the stage's own home.
    fn start(&self, at: &str, input: &str, arguments: &[&str]) -> Result<Said, Failure> {
        let home = Path::new(&self.environment["HOME"]);
        let mut shell = Command::new("/bin/sh")
            .args(["-c", AWAY, "sh"])
            .arg(&self.kage)
            .args(arguments)
            .current_dir(kage_core::config::expand_home(at, home))
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (mut pipe, out, err) = (shell.stdin.take(), shell.stdout.take(), shell.stderr.take());
        // What it left behind waits for this line, and is nobody's child by then.
        shell.wait()?;
        if let Some(pipe) = &mut pipe {
            writeln!(pipe, "go")?;
            pipe.write_all(input.as_bytes())?;
        }
        drop(pipe);
        // kage says less than a pipe holds, so one stream can be read after the other.
        let mut said = Said { talk: Vec::new(), data: Vec::new() };
        out.map_or(Ok(0), |mut out| out.read_to_end(&mut said.data))?;
        err.map_or(Ok(0), |mut err| err.read_to_end(&mut said.talk))?;
        Ok(said)
    }

    fn clean_up(self) -> Result<(), Failure> {
        Ok(self.folder.close()?)
    }
}

fn heading(text: &str) -> Result<(), Failure> {
    Ok(ui::print(format_args!("\n# {text}"))?)
}

/// Shows a command as it would be typed.
fn show(at: &str, input: &str, arguments: &[&str]) -> Result<(), Failure> {
    let quoted = arguments.iter().map(|argument| {
        if argument.contains([' ', '$']) { format!("'{argument}'") } else { (*argument).to_owned() }
    });
    let typed = quoted.collect::<Vec<_>>().join(" ");
    let pipe = if input.is_empty() { String::new() } else { format!("echo {input} | ") };
    Ok(ui::print(format_args!("{at}$ {pipe}kage {typed}"))?)
}

/// What a command said, on both streams, as text that is fit for a terminal.
fn printed(output: &Said) -> String {
    let both = [&output.talk[..], &output.data[..]].concat();
    String::from_utf8_lossy(&both).lines().map(printable).collect::<Vec<_>>().join("\n")
}

fn broken(what: &str) -> Failure {
    Failure::new(Kind::Failed, format!("the demo did not go as it should: {what}"))
        .hint("please report it, with the lines above")
}

/// Makes what git makes for an empty repository; the demo should not need git to be installed.
fn make_repository(path: &Path) -> Result<(), Failure> {
    for folder in ["objects", "refs/heads"] {
        DirBuilder::new().recursive(true).create(path.join(".git").join(folder))?;
    }
    Ok(disk::replace(&path.join(".git/HEAD"), b"ref: refs/heads/main\n").map(|_| ())?)
}
