//! `kage vault`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kage_core::config::{self, Policy};
use kage_core::name::BackendName;
use kage_core::secret::SecretValue;
use kage_core::store::vault::{self, FileStatus, Protection, Recipient, Unlock, VaultError};
use kage_core::store::{BackendError, Missing};

use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::ui::{self, terminal};

/// What to do with the vault.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make the vault: one encrypted file
    ///
    /// Asks for a passphrase twice, unless another protection is chosen.
    #[command(after_help = "\
Examples:
  kage vault init --default
  kage vault init --identity ~/key.txt
  kage vault init --keychain")]
    Init {
        #[command(flatten)]
        key: KeyArgs,
        /// Keep all secrets in it from now on, unless a namespace says otherwise
        #[arg(long)]
        default: bool,
    },
    /// Keep the vault open for a while, for this login session
    ///
    /// The key is held by the kernel, and what `kage run` starts cannot reach it.
    Unlock {
        /// How long, such as 30m or 8h [default: `unlock_for` of the configuration, or 8h]
        #[arg(long = "for", value_name = "TIME")]
        keep_for: Option<String>,
    },
    /// Close the vault
    Lock,
    /// Protect the vault by another passphrase or key; earlier copies are removed
    Rekey {
        #[command(flatten)]
        key: KeyArgs,
    },
}

/// What protects the vault: a passphrase, unless another is chosen.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// Protect it by an age identity: its file, or its `age1…` recipient
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    identity: Option<String>,
    /// Protect it by a key that the keychain holds
    #[arg(long, conflicts_with = "identity")]
    keychain: bool,
    /// Read the new passphrase from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["identity", "keychain"])]
    new_passphrase_file: Option<PathBuf>,
}

impl Command {
    /// Returns the words of the command.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Init { .. } => "vault init",
            Self::Unlock { .. } => "vault unlock",
            Self::Lock => "vault lock",
            Self::Rekey { .. } => "vault rekey",
        }
    }
}

pub(crate) fn run(cx: &Context, command: &Command) -> Result<(), Failure> {
    let policy = cx.policy()?;
    match command {
        Command::Init { key, default } => init(cx, &policy, key, *default),
        Command::Unlock { keep_for } => unlock(cx, &policy, keep_for.as_deref()),
        Command::Lock => lock(cx, &policy),
        Command::Rekey { key } => rekey(cx, &policy, key),
    }
}

fn init(cx: &Context, policy: &Policy, key: &KeyArgs, default: bool) -> Result<(), Failure> {
    let status = vault::status(policy, &cx.machine());
    if status.file != FileStatus::Absent {
        return Err(BackendError::from(VaultError::Exists(status.path)).into());
    }
    // There is no old passphrase yet, so the options that name one name the new one.
    let given = cx.unlock()?.passphrase(policy.secrets.timeout)?;
    let protection = protection(cx, key, given, policy.secrets.timeout)?;
    let made = vault::init(policy, &cx.machine(), &cx.attendant(), protection)?;
    ui::say(format_args!("Made the vault `{}`.", cx.short(&made)));
    remember_identity(cx, policy, key)?;
    if policy.secrets.backend == BackendName::Vault {
        return Ok(());
    }
    let file = cx.short(&cx.folders.config);
    if default || wants_default(&file)? {
        config::edit::set_backend(&cx.folders.config, BackendName::Vault)?;
        ui::say(format_args!("Secrets are kept in it from now on (`backend` in {file})."));
    } else {
        ui::say(format_args!(
            "It is not used yet: set `backend = \"vault\"` under [secrets] in {file}, or for one \
             namespace under [namespaces.NAME]."
        ));
    }
    Ok(())
}

/// Writes down which identity file opens the vault, so that the next command finds it.
fn remember_identity(cx: &Context, policy: &Policy, key: &KeyArgs) -> Result<(), Failure> {
    let Some(typed) = key.identity.as_deref().filter(|typed| !typed.starts_with("age1")) else {
        return Ok(());
    };
    let written = config::shorten_home(&cx.absolute(typed)?, &cx.folders.home);
    if policy.vault.identity.as_ref() != Some(&written) {
        config::edit::set_identity(&cx.folders.config, &written)?;
        let file = cx.short(&cx.folders.config);
        ui::say(format_args!("`{written}` opens it from now on (`identity` in {file})."));
    }
    Ok(())
}

fn wants_default(file: &str) -> Result<bool, Failure> {
    if !terminal::is_there() {
        return Ok(false);
    }
    Ok(terminal::confirm(&format!(
        "Keep all secrets in it from now on (writes `backend = \"vault\"` to {file})?"
    ))?)
}

fn protection(
    cx: &Context,
    key: &KeyArgs,
    given: Option<SecretValue>,
    timeout: Duration,
) -> Result<Protection, Failure> {
    if key.keychain {
        return Ok(Protection::Keychain);
    }
    if let Some(identity) = &key.identity {
        return recipient(cx, identity).map(Protection::Recipient);
    }
    let passphrase = match (&key.new_passphrase_file, given) {
        (Some(file), _) => passphrase_in(cx, file, timeout)?,
        (None, given) => given,
    };
    let passphrase = passphrase.map_or_else(|| passphrase_twice("the vault"), Ok)?;
    Ok(Protection::Passphrase(passphrase))
}

/// The passphrase in the first line of a file.
pub(super) fn passphrase_in(
    cx: &Context,
    file: &Path,
    timeout: Duration,
) -> Result<Option<SecretValue>, Failure> {
    let passphrase_file = Some(cx.absolute(&file.to_string_lossy())?);
    Ok(Unlock { passphrase_file, ..Unlock::default() }.passphrase(timeout)?)
}

/// The recipient that was named, by itself or by its identity file.
pub(super) fn recipient(cx: &Context, typed: &str) -> Result<Recipient, Failure> {
    if typed.starts_with("age1") {
        return Ok(typed.parse().map_err(BackendError::from)?);
    }
    let file = cx.absolute(typed)?;
    if !file.exists() {
        let shown = cx.short(&file);
        return Err(Failure::new(Kind::Failed, format!("there is no identity file `{shown}`"))
            .hint("make one, and keep it where nobody else can read it: age-keygen -o FILE"));
    }
    Ok(Recipient::of_identity_file(&file)?)
}

/// Asks twice for a new passphrase of `what`.
pub(super) fn passphrase_twice(what: &str) -> Result<SecretValue, Failure> {
    let question = format!("New passphrase of {what}: ");
    let passphrase = terminal::ask_hidden(&question).map_err(|error| {
        Failure::from(error).hint("without a terminal: --new-passphrase-file FILE")
    })?;
    if passphrase.is_empty() {
        return Err(Failure::new(Kind::Failed, "the passphrase is empty"));
    }
    if passphrase.same_as(&terminal::ask_hidden("The same again: ")?) {
        Ok(passphrase)
    } else {
        Err(Failure::new(Kind::Failed, "the two passphrases differ"))
    }
}

fn unlock(cx: &Context, policy: &Policy, keep_for: Option<&str>) -> Result<(), Failure> {
    must_be_there(cx, policy)?;
    let keep_for = match keep_for {
        Some(typed) => parse_time(typed)?,
        None => policy.vault.unlock_for,
    };
    vault::unlock(policy, &cx.machine(), cx.unlock()?, cx.attendant(), keep_for)?;
    let shown = jiff::SignedDuration::try_from(keep_for).unwrap_or_default();
    ui::say(format_args!("The vault is open for {shown:#}, in this login session."));
    Ok(())
}

/// Finds a vault that is missing before anybody is asked for anything.
fn must_be_there(cx: &Context, policy: &Policy) -> Result<(), Failure> {
    let status = vault::status(policy, &cx.machine());
    if status.file != FileStatus::Absent {
        return Ok(());
    }
    let missing = Missing::VaultFile(cx.short(&status.path));
    Err(BackendError::Unavailable { backend: BackendName::Vault, missing }.into())
}

fn parse_time(typed: &str) -> Result<Duration, Failure> {
    let parsed = typed.parse::<jiff::SignedDuration>().ok();
    let parsed = parsed.and_then(|time| Duration::try_from(time).ok());
    parsed.filter(|time| time.as_secs() > 0).ok_or_else(|| {
        Failure::new(Kind::Usage, "a time is at least a second, such as `30m` or `8h`")
    })
}

fn lock(cx: &Context, policy: &Policy) -> Result<(), Failure> {
    let was_open = vault::lock(policy, &cx.machine())?;
    ui::say(if was_open { "The vault is closed." } else { "The vault was not open." });
    Ok(())
}

fn rekey(cx: &Context, policy: &Policy, key: &KeyArgs) -> Result<(), Failure> {
    must_be_there(cx, policy)?;
    let protection = protection(cx, key, None, policy.secrets.timeout)?;
    vault::rekey(policy, &cx.machine(), cx.unlock()?, &cx.attendant(), protection)?;
    remember_identity(cx, policy, key)?;
    let path = vault::status(policy, &cx.machine()).path;
    ui::say(format_args!(
        "The vault `{}` has a new key; earlier copies of it were removed.",
        cx.short(&path)
    ));
    Ok(())
}
