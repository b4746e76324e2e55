//! The encrypted file.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Attendant, Backend, BackendError, Entry, Machine, Wanted};
use crate::config::Policy;
use crate::name::Key;
use crate::secret::SecretValue;

/// Why the vault could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {}

/// Where the passphrase comes from, as the caller was told; else the policy and the person decide.
#[derive(Debug, Default)]
pub struct Unlock {
    /// A file that holds the passphrase in its first line.
    pub passphrase_file: Option<PathBuf>,
    /// An open file that the passphrase is read from.
    pub passphrase_fd: Option<OwnedFd>,
}

/// The vault of this user.
#[derive(Debug)]
pub(crate) struct Vault {}

impl Vault {
    /// Prepares the backend; the file is opened at the first call.
    pub(crate) fn new(_: &Policy, _: &Machine, _: Unlock, _: Arc<dyn Attendant>) -> Self {
        Self {}
    }
}

impl Backend for Vault {
    fn list(&mut self, _wanted: Wanted<'_>) -> Result<Vec<Entry>, BackendError> {
        Ok(Vec::new())
    }
    fn read(&mut self, _keys: &[Key]) -> Result<BTreeMap<Key, SecretValue>, BackendError> {
        Ok(BTreeMap::new())
    }
    fn write(
        &mut self,
        _: &Key,
        _: &SecretValue,
        _: Option<&str>,
        _: Timestamp,
    ) -> Result<(), BackendError> {
        Ok(())
    }
    fn delete(&mut self, _: &Key) -> Result<bool, BackendError> {
        Ok(false)
    }
}
