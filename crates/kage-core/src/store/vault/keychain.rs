//! The vault's identity in the keychain of the operating system.

use std::path::Path;
use std::sync::Arc;

use crate::config::Policy;
use crate::secret::SecretValue;
use crate::store::{Attendant, BackendError, Machine};

/// The keychain, as far as the vault uses it.
#[derive(Debug)]
pub(super) struct Keychain(
    #[cfg(all(feature = "keyring", target_os = "linux"))] crate::store::keyring::Keyring,
);

#[cfg(all(feature = "keyring", target_os = "linux"))]
impl Keychain {
    /// Prepares the keychain; it is reached at the first call.
    pub(super) fn new(policy: &Policy, machine: &Machine, attendant: &Arc<dyn Attendant>) -> Self {
        Self(crate::store::keyring::Keyring::new(policy, machine, Arc::clone(attendant)))
    }

    /// Returns the identities of the vault at `file`, one a line.
    pub(super) fn key(&mut self, file: &Path) -> Result<Option<SecretValue>, BackendError> {
        self.0.vault_key(file)
    }

    /// Keeps the identities of the vault at `file`.
    pub(super) fn keep(&mut self, file: &Path, key: &SecretValue) -> Result<(), BackendError> {
        self.0.keep_vault_key(file, key)
    }

    /// Removes what it holds for the vault at `file`.
    pub(super) fn forget(&mut self, file: &Path) -> Result<(), BackendError> {
        self.0.forget_vault_key(file)
    }
}

#[cfg(not(all(feature = "keyring", target_os = "linux")))]
impl Keychain {
    /// Prepares nothing: this build has no keychain.
    pub(super) fn new(_: &Policy, _: &Machine, _: &Arc<dyn Attendant>) -> Self {
        Self()
    }

    /// Returns nothing.
    #[expect(clippy::unused_self, reason = "as where there is a keychain")]
    pub(super) fn key(&mut self, _: &Path) -> Result<Option<SecretValue>, BackendError> {
        Ok(None)
    }

    /// Fails.
    #[expect(clippy::unused_self, reason = "as where there is a keychain")]
    pub(super) fn keep(&mut self, _: &Path, _: &SecretValue) -> Result<(), BackendError> {
        Err(BackendError::Unsupported { backend: crate::name::BackendName::Keyring })
    }

    /// Has nothing to remove.
    #[expect(clippy::unused_self, reason = "as where there is a keychain")]
    pub(super) fn forget(&mut self, _: &Path) -> Result<(), BackendError> {
        Ok(())
    }
}
