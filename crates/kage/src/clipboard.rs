//! The clipboard of the desktop.
//!
//! On X11 and Wayland the clipboard is not a store: the program that offers a text must stay, and
//! hand it to each program that pastes. So `get --clipboard` starts kage once more, hidden, which
//! gets the value through a pipe, offers it, and ends when its time is over or another text is
//! copied.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arboard::SetExtLinux as _;
use kage_core::secret::SecretValue;
use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};

/// How long a value stays on the clipboard.
pub(crate) const SECONDS: u64 = 30;

/// The hidden command that offers the value.
pub(crate) const OWNER_COMMAND: &str = "own-clipboard";

/// The longest text that is offered, in bytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What the hidden process says when the clipboard can be used.
const READY: &[u8] = b"1";

/// Returns the text of the clipboard.
pub(crate) fn read() -> Result<SecretValue, Failure> {
    let text = arboard::Clipboard::new().and_then(|mut clipboard| clipboard.get_text());
    let text =
        Zeroizing::new(text.map_err(|error| {
            unusable(&error).hint("pipe the value in instead, or use --from-file")
        })?);
    Ok(SecretValue::copy_of(text.as_bytes()))
}

/// Puts `value` on the clipboard until its time is over. Returns as soon as it is there.
pub(crate) fn offer(value: &SecretValue) -> Result<(), Failure> {
    if value.expose(|bytes| std::str::from_utf8(bytes).is_err()) {
        return Err(Failure::new(
            Kind::Failed,
            "the value is no text, and a clipboard takes only text",
        ));
    }
    let mut owner = Command::new(std::env::current_exe()?)
        .arg(OWNER_COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // It outlives this command, and Ctrl-C in this terminal is not meant for it.
        .process_group(0)
        .spawn()?;
    if let Some(mut pipe) = owner.stdin.take() {
        // One that has ended already does not say that it is ready either.
        value.expose(|bytes| pipe.write_all(bytes)).unwrap_or_default();
    }
    let mut said = Vec::new();
    if let Some(pipe) = owner.stdout.take() {
        pipe.take(1).read_to_end(&mut said)?;
    }
    if said == READY { Ok(()) } else { Err(unusable(&arboard::Error::ClipboardNotSupported)) }
}

/// Offers the text on standard input until its time is over, then clears the clipboard if it still
/// holds that text. Run as a process of its own.
pub(crate) fn own() -> Result<(), Failure> {
    let value = SecretValue::read_from(&mut io::stdin().lock(), MAX_BYTES)
        .map_err(|error| Failure::of(Kind::Failed, &error))?;
    let mut clipboard = arboard::Clipboard::new().map_err(|error| unusable(&error))?;
    let mut out = io::stdout().lock();
    out.write_all(READY)?;
    out.flush()?;
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let text = value.expose(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let set = clipboard.set().exclude_from_history().wait_until(until);
    set.text(text).map_err(|error| unusable(&error))?;
    let held = clipboard.get_text().map(|text| SecretValue::copy_of(text.as_bytes()));
    if held.is_ok_and(|held| held.same_as(&value)) {
        clipboard.clear().map_err(|error| unusable(&error))?;
    }
    Ok(())
}

fn unusable(error: &arboard::Error) -> Failure {
    // Other variants may quote what the clipboard holds.
    let reason = match error {
        arboard::Error::ContentNotAvailable => "it holds no text",
        arboard::Error::ClipboardNotSupported => "there is no desktop here",
        arboard::Error::ClipboardOccupied => "another program is using it",
        _ => "there is no desktop here, or it does not answer",
    };
    Failure::new(Kind::Failed, format!("cannot use the clipboard: {reason}"))
}
