//! The clipboard of a real X server.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use insta::assert_snapshot;

use crate::daemons::wait_until;
use crate::world::{KAGE, World};

/// An X server without a screen, ended with its handle.
struct Desktop {
    server: Child,
    display: String,
}

impl Desktop {
    fn start() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is installed (Debian: xvfb)");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Self { server, display: format!(":{}", number.trim()) }
    }

    /// Returns what another program would paste.
    fn pasted(world: &World) -> Option<Vec<u8>> {
        let xclip = world.command("xclip", ["-selection", "clipboard", "-o"]).output();
        let output = xclip.expect("xclip is installed (Debian: xclip)");
        output.status.success().then_some(output.stdout)
    }

    /// Copies as another program would.
    fn copy(world: &World, file: &str) {
        let arguments = ["-selection", "clipboard", "-i", file];
        // It stays in the background, and would hold on to a pipe.
        let mut xclip = world.command("xclip", arguments);
        let ended = xclip.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(ended.success());
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

fn world(desktop: &Desktop) -> World {
    World::with_vault().var("DISPLAY", &desktop.display)
}

#[test]
fn a_value_is_taken_from_the_clipboard() {
    let desktop = Desktop::start();
    let world = world(&desktop);
    world.write("copied", "s3cr3t-for-clipboard");
    Desktop::copy(&world, "copied");
    let said = world.kage(["set", "STRIPE_KEY", "--clipboard"]);
    assert!(said.status.success(), "{said}");
    let kept = world.kage(["get", "STRIPE_KEY", "--reveal"]).stdout;
    assert_eq!(kept, b"s3cr3t-for-clipboard");
}

/// Puts the secret on the clipboard. Returns what was said, and the number of the process that offers
/// the value: it lets nobody look at its environment, so it is known by a path of its own.
fn offered(world: &World) -> (String, String) {
    let kage = world.home().join("kage");
    std::fs::copy(KAGE, &kage).unwrap();
    let kage = kage.to_str().unwrap();
    let output = world.command(kage, ["get", "STRIPE_KEY", "--clipboard"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let pattern = format!("{kage} own-clipboard");
    let listed = Command::new("pgrep").args(["-f", &pattern]).output().unwrap();
    let number = String::from_utf8(listed.stdout).unwrap().trim().to_owned();
    assert!(!number.is_empty(), "it does not run");
    (String::from_utf8(output.stderr).unwrap(), number)
}

/// Returns whether a process has ended, reaped or not.
fn has_ended(number: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn a_value_on_the_clipboard_goes_when_its_time_is_over() {
    let desktop = Desktop::start();
    let world = world(&desktop);
    world.set("STRIPE_KEY", "global", "s3cr3t-for-clipboard");
    let (said, owner) = offered(&world);
    assert_eq!(said, "`STRIPE_KEY` is on the clipboard for 30 seconds.\n");
    let value = Some(b"s3cr3t-for-clipboard".to_vec());
    wait_until("it is there", || Desktop::pasted(&world) == value);
    wait_until("its time is over", || has_ended(&owner));
    assert_ne!(Desktop::pasted(&world), value);
}

#[test]
fn what_is_copied_meanwhile_stays() {
    let desktop = Desktop::start();
    let world = world(&desktop);
    world.set("STRIPE_KEY", "global", "s3cr3t-for-clipboard");
    let (_, owner) = offered(&world);
    wait_until("it is there", || Desktop::pasted(&world).is_some());
    world.write("copied", "something else");
    Desktop::copy(&world, "copied");
    wait_until("it gives way", || has_ended(&owner));
    assert_eq!(Desktop::pasted(&world).as_deref(), Some(&b"something else"[..]));
}

#[test]
fn without_a_desktop_it_says_so() {
    let world = World::with_vault();
    assert_snapshot!(world.kage(["set", "STRIPE_KEY", "--clipboard"]), @"
    ------- stderr -------
    error: cannot use the clipboard: there is no desktop here, or it does not answer
    hint: pipe the value in instead, or use --from-file
    [exit code: 1]
    ");
    world.set("STRIPE_KEY", "global", "s3cr3t-for-clipboard");
    assert_snapshot!(world.kage(["get", "STRIPE_KEY", "--clipboard"]), @"
    ------- stderr -------
    error: cannot use the clipboard: there is no desktop here
    [exit code: 1]
    ");
}
