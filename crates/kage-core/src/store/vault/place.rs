//! Where a vault is on disk: its file, the generation before it, and its lock.
//!
//! - Writers take the lock, which stays beside the file.
//! - A generation is replaced whole, and only while the file is the one that was read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::VaultError;
use super::sealed::Sealed;
use crate::config::{self, Policy};
use crate::disk::{self, PathError, Stamp};
use crate::store::{BackendError, Machine};

/// The files of one vault.
#[derive(Clone, Debug)]
pub(super) struct Place {
    shown: PathBuf,
    file: PathBuf,
}

/// What becomes of the generation that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Former {
    /// It is kept beside the new one.
    Keep,
    /// It goes, and so does the one before it: it holds what must be gone.
    Purge,
}

impl Place {
    /// Finds the vault's files. A link in the place of the file is followed, and stays.
    pub(super) fn of(policy: &Policy, machine: &Machine) -> Self {
        let shown = match &policy.vault.path {
            Some(path) => config::expand_home(path, &machine.home),
            None => machine.vault_file.clone(),
        };
        let file = resolved(&shown).unwrap_or_else(|| shown.clone());
        Self { shown, file }
    }

    /// Finds where a vault is to be made, and makes its folder.
    pub(super) fn prepare(policy: &Policy, machine: &Machine) -> Result<Self, PathError> {
        if let Some(folder) = Self::of(policy, machine).file.parent() {
            disk::make_folder(folder)?;
        }
        Ok(Self::of(policy, machine))
    }

    /// Returns whether anything is in the place of the file, be it a link that leads nowhere.
    pub(super) fn is_occupied(&self) -> bool {
        self.shown.symlink_metadata().is_ok()
    }

    /// Returns the path that the user knows.
    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    /// Returns the file, links resolved.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns where the generation before the current one is kept.
    pub(super) fn previous(&self) -> PathBuf {
        self.beside(".previous")
    }

    /// Returns the generation before the current one, if there is one.
    pub(super) fn kept_previous(&self) -> Option<PathBuf> {
        Some(self.previous()).filter(|path| path.is_file())
    }

    /// Takes the writers' lock.
    pub(super) fn lock(&self, patience: Duration) -> Result<disk::Lock, PathError> {
        disk::Lock::exclusive(&self.beside(".lock"), patience)
    }

    /// Makes `bytes` the current generation in place of `sealed`. The caller holds the lock.
    pub(super) fn replace(
        &self,
        sealed: &Sealed,
        bytes: &[u8],
        former: Former,
    ) -> Result<Stamp, BackendError> {
        self.check(sealed)?;
        for path in [self.file.clone(), self.previous()] {
            disk::remove_leftovers(&path)?;
        }
        match former {
            Former::Keep => drop(disk::replace(&self.previous(), sealed.bytes())?),
            Former::Purge => disk::remove(&self.previous())?,
        }
        self.check(sealed)?;
        Ok(disk::replace(&self.file, bytes)?)
    }

    fn check(&self, sealed: &Sealed) -> Result<(), BackendError> {
        if disk::stamp(&self.file)? == Some(sealed.stamp()) {
            return Ok(());
        }
        Err(VaultError::Changed(self.shown.clone()).into())
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = OsString::from(&self.file);
        path.push(suffix);
        path.into()
    }
}

/// Resolves links: the same file has one path, before it is made and after.
fn resolved(path: &Path) -> Option<PathBuf> {
    let in_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_folder)
}
