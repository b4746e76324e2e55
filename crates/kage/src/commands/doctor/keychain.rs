//! The part of `kage doctor` that looks at the keychain.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use kage_core::config::Policy;
use kage_core::name::BackendName;
use kage_core::store::keyring::{self, Health, Transport};
use kage_core::store::vault::{self, FileStatus, Lock};

use super::{Check, uses};
use crate::context::Context;
use crate::ui::amount;

/// How a keyring file of gnome-keyring begins that has no passphrase: it is plain text.
const CLEAR_KEYRING: &[u8] = b"[keyring]";

pub(super) fn checks(cx: &Context, policy: &Policy) -> Vec<Check> {
    if !uses(policy, BackendName::Keyring) && !keeps_the_vaults_key(cx, policy) {
        return vec![Check::note("keychain", "not used")];
    }
    let health = keyring::examine(policy, &cx.machine());
    let mut checks = Vec::new();
    if health.bus_answers {
        checks.push(Check::ok("bus", health.bus_address.clone().unwrap_or_default()));
    }
    if health.service_answers {
        checks.push(Check::ok("service", service(&health)));
    }
    if let (Some(collection), Some(false)) = (&health.collection, health.locked) {
        checks.push(Check::ok("keyring", format!("`{collection}` is unlocked")));
    }
    checks.extend(health.duplicates.iter().map(|(key, more)| {
        let scope = cx.scope_shown(&key.scope);
        let detail = format!(
            "`{}` in `{scope}` has {}, made elsewhere; the newest counts",
            key.name,
            amount(*more, "more entry", "more entries")
        );
        Check::note("keyring", detail).fix(format!(
            "remove them all: kage delete {} --scope {scope}; then store it anew",
            key.name
        ))
    }));
    checks.extend(clear_keyrings(cx).into_iter().map(|file| {
        Check::fault("keyring", format!("{} has no passphrase: it holds every secret in the clear", cx.short(&file)))
            .fix("give it one: in Passwords and Keys (seahorse), right-click the keyring, Change Password")
    }));
    // Which part it is shows in what was reached before it.
    let part = match &health {
        Health { bus_answers: false, .. } => "bus",
        Health { service_answers: false, .. } => "service",
        _ => "keyring",
    };
    checks.extend(health.fault.map(|error| Check::failed(part, error.into())));
    checks
}

/// Whether the vault is opened by an identity that no configuration names: then the keychain has it.
fn keeps_the_vaults_key(cx: &Context, policy: &Policy) -> bool {
    let status = vault::status(policy, &cx.machine());
    uses(policy, BackendName::Vault)
        && policy.vault.identity.is_none()
        && status.file == FileStatus::Vault(Lock::Identity)
}

fn service(health: &Health) -> String {
    let program = health.program.unwrap_or("a Secret Service");
    match health.transport {
        Some(Transport::Encrypted) => format!("{program}; values travel encrypted"),
        Some(Transport::Plain) => format!("{program}; values travel in the clear on the bus"),
        None => program.to_owned(),
    }
}

/// Finds keyrings that gnome-keyring keeps without a passphrase.
fn clear_keyrings(cx: &Context) -> Vec<PathBuf> {
    let Some(data) = cx.folders.vault.parent().and_then(Path::parent) else { return Vec::new() };
    let Ok(files) = data.join("keyrings").read_dir() else { return Vec::new() };
    let paths = files.filter_map(|file| Some(file.ok()?.path()));
    let keyrings = paths.filter(|path| path.extension().is_some_and(|it| it == "keyring"));
    let mut clear: Vec<_> = keyrings.filter(|path| begins_clear(path)).collect();
    clear.sort();
    clear
}

fn begins_clear(path: &Path) -> bool {
    let mut start = [0; CLEAR_KEYRING.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == CLEAR_KEYRING
}
