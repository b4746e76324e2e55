//! `kage doctor`.

mod keychain;

use std::path::Path;

use kage_core::audit::AuditLog;
use kage_core::config::Policy;
use kage_core::name::BackendName;
use kage_core::store::BackendError;
use kage_core::store::vault::{self, FileStatus, Lock};
use serde::Serialize;

use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::ui::{self, amount, printable};

/// Check every part, and say how to mend what is wrong
///
/// Changes no secret and asks nobody. The exit code is 0 when all is well, and 1 when something has to be mended.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Not used, or worth knowing.
    Note,
    /// Has to be mended.
    Fault,
}

/// What was found of one part.
#[derive(Debug, Serialize)]
struct Check {
    part: &'static str,
    state: State,
    detail: String,
    fixes: Vec<String>,
}

impl Check {
    fn new(part: &'static str, state: State, detail: impl Into<String>) -> Self {
        Self { part, state, detail: detail.into(), fixes: Vec::new() }
    }

    fn ok(part: &'static str, detail: impl Into<String>) -> Self {
        Self::new(part, State::Ok, detail)
    }

    fn note(part: &'static str, detail: impl Into<String>) -> Self {
        Self::new(part, State::Note, detail)
    }

    fn fault(part: &'static str, detail: impl Into<String>) -> Self {
        Self::new(part, State::Fault, detail)
    }

    /// Takes what a command would say that failed for the same reason.
    fn failed(part: &'static str, failure: Failure) -> Self {
        let (detail, fixes) = failure.into_parts();
        Self { fixes, ..Self::fault(part, detail) }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fixes.push(fix.into());
        self
    }
}

pub(crate) fn run(cx: &Context, args: &Args) -> Result<u8, Failure> {
    let checks = all(cx);
    if args.json {
        ui::print_json(&checks)?;
    } else {
        text(&checks)?;
    }
    let well = checks.iter().all(|check| check.state != State::Fault);
    Ok(if well { exit::DONE } else { exit::FAILED })
}

fn all(cx: &Context) -> Vec<Check> {
    let mut checks = vec![audit(cx)];
    match cx.policy() {
        // What the rest depends on is not known then.
        Err(failure) => checks.push(Check::failed("config", failure)),
        Ok(policy) => {
            checks.push(configuration(cx, &policy));
            checks.extend(place(cx, &policy));
            checks.extend(unsupported(&policy));
            checks.extend(keychain::checks(cx, &policy));
            checks.push(vault(cx, &policy));
        }
    }
    checks
}

/// Backends that the configuration names and this build does not have.
fn unsupported(policy: &Policy) -> impl Iterator<Item = Check> {
    [BackendName::Aws, BackendName::Azure].into_iter().filter(|name| uses(policy, *name)).map(
        |name| {
            let error = BackendError::Unsupported { backend: name };
            Check::failed("config", error.into())
        },
    )
}

fn uses(policy: &Policy, backend: BackendName) -> bool {
    let mut elsewhere = policy.namespaces.values().filter_map(|namespace| namespace.backend);
    policy.secrets.backend == backend || elsewhere.any(|other| other == backend)
}

fn configuration(cx: &Context, policy: &Policy) -> Check {
    let path = &cx.folders.config;
    let shown = cx.short(path);
    if !path.exists() {
        return Check::ok("config", format!("{shown}: no file, so the defaults count"));
    }
    if others_can_write(path) {
        return Check::fault("config", format!("{shown}: other users can change it"))
            .fix(format!("chmod go-w {shown}"));
    }
    Check::ok(
        "config",
        format!("{shown}: {}", amount(policy.namespaces.len(), "namespace", "namespaces")),
    )
}

fn others_can_write(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    path.metadata().is_ok_and(|meta| meta.mode() & 0o022 != 0)
}

/// The repository that the current directory is in, and what was seen there and not honoured.
fn place(cx: &Context, policy: &Policy) -> Vec<Check> {
    let found = cx.directory().and_then(|dir| cx.place_quietly(policy, dir));
    let place = match found {
        Ok(place) => place,
        Err(failure) => return vec![Check::failed("git", failure)],
    };
    let here = match &place.repository {
        Some(repository) if repository.worktree => {
            format!("this is a worktree of {}", cx.short(&repository.root))
        }
        Some(repository) => format!("this is the repository {}", cx.short(&repository.root)),
        None => "this is no repository".to_owned(),
    };
    let mut checks = vec![Check::ok("git", here)];
    checks.extend(place.ignored.iter().map(|it| Check::note("git", it.to_string())));
    checks
}

fn vault(cx: &Context, policy: &Policy) -> Check {
    let status = vault::status(policy, &cx.machine());
    let shown = cx.short(&status.path);
    match &status.file {
        FileStatus::Absent if uses(policy, BackendName::Vault) => {
            Check::fault("vault", format!("there is no vault at {shown}")).fix("kage vault init")
        }
        FileStatus::Absent => Check::note("vault", "not used"),
        FileStatus::Unusable(why) => Check::fault("vault", why),
        FileStatus::Vault(_) if status.open_file_mode.is_some() => {
            let detail = format!("{shown}: other users can read the file");
            Check::fault("vault", detail).fix(format!("chmod 600 {shown}"))
        }
        FileStatus::Vault(_) if status.open_folder_mode.is_some() => {
            let folder = cx.short(status.path.parent().unwrap_or(&status.path));
            let detail = format!("{shown}: other users can replace the file");
            Check::fault("vault", detail).fix(format!("chmod go-w {folder}"))
        }
        FileStatus::Vault(lock) => {
            let by = match lock {
                Lock::Passphrase { .. } => "a passphrase",
                Lock::Identity if policy.vault.identity.is_some() => "an age identity",
                Lock::Identity => "a key in the keychain",
            };
            let open = if status.kept_unlocked { "; open in this session" } else { "" };
            Check::ok("vault", format!("{shown}: opened by {by}{open}"))
        }
    }
}

fn audit(cx: &Context) -> Check {
    let path = cx.audit_file();
    match AuditLog::at(&path).ready() {
        Ok(()) => Check::ok("audit", cx.short(&path)),
        Err(error) => Check::failed("audit", error.into())
            .fix("kage gives out no value without a record: make the file writable for you"),
    }
}

fn text(checks: &[Check]) -> Result<(), Failure> {
    for check in checks {
        let state = match check.state {
            State::Ok => "ok",
            State::Note => "-",
            State::Fault => "fault",
        };
        let detail = printable(&check.detail.replace('\n', " "));
        ui::print(format_args!("{state:<6} {:<9} {detail}", check.part))?;
        for fix in &check.fixes {
            ui::print(format_args!("{:<6} {:<9} → {}", "", "", printable(fix)))?;
        }
    }
    let faults = checks.iter().filter(|check| check.state == State::Fault).count();
    let verdict = match faults {
        0 => "All is well.".to_owned(),
        _ => format!("{} to mend.", amount(faults, "thing", "things")),
    };
    ui::print(format_args!("\n{verdict}"))?;
    Ok(())
}
