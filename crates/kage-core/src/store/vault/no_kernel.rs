//! Systems without a keyring in the kernel: nothing is kept unlocked.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::error::{KeepFault, VaultError};
use super::seal::Unlocked;

/// What was kept: never anything.
#[derive(Debug)]
pub(super) struct Kept {
    /// What opens the vault.
    pub(super) unlocked: Unlocked,
    /// When it goes.
    pub(super) until: Timestamp,
}

/// Returns why nothing can be kept.
pub(super) fn check() -> Result<(), VaultError> {
    Err(VaultError::NotKept(KeepFault::Kernel("this system has none".to_owned())))
}

/// Keeps nothing.
pub(super) fn keep(_: &Path, _: &Unlocked, _: Timestamp) -> Result<(), VaultError> {
    check()
}

/// Returns nothing.
pub(super) fn kept(_: &Path) -> Option<Kept> {
    None
}

/// Has nothing to drop.
pub(super) fn drop_kept(_: &Path) -> Result<bool, VaultError> {
    Ok(false)
}

/// Returns when nothing ends.
pub(super) fn end_of(_: Duration) -> Timestamp {
    Timestamp::MAX
}
