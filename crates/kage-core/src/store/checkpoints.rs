//! Where a checkpoint of the audit log is kept: in the operating system's keychain, which the log's
//! files are not a part of.
//!
//! It is no secret. Whoever can ask the keychain can read it, and can replace it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Attendant, BackendError, Machine};
use crate::audit::Checkpoint;
use crate::config::Policy;
use crate::name::BackendName;
use crate::secret::SecretValue;

/// The checkpoint of one log.
#[derive(Debug)]
pub struct Checkpoints {
    log: PathBuf,
    keychain: Keychain,
}

impl Checkpoints {
    /// Prepares the keychain for the checkpoint of the log at `log`; it is reached at the first call.
    pub fn of(
        log: &Path,
        policy: &Policy,
        machine: &Machine,
        attendant: &Arc<dyn Attendant>,
    ) -> Self {
        Self { log: log.to_owned(), keychain: Keychain::new(policy, machine, attendant) }
    }

    /// Returns the checkpoint; `None` when none was kept.
    ///
    /// # Errors
    /// [`BackendError`]; [`BackendError::Failed`] also when what is kept is no checkpoint.
    pub fn load(&mut self) -> Result<Option<Checkpoint>, BackendError> {
        let Some(kept) = self.keychain.load(&self.log)? else { return Ok(None) };
        let checkpoint = kept.expose(|text| serde_json::from_slice(text));
        checkpoint.map(Some).map_err(|error| BackendError::Failed {
            backend: BackendName::Keyring,
            detail: format!("its entry `kage-audit` is no checkpoint: {error}"),
        })
    }

    /// Keeps `checkpoint`, in place of the one before.
    ///
    /// # Errors
    /// [`BackendError`].
    ///
    /// # Panics
    /// Never: a checkpoint holds nothing that JSON cannot express.
    pub fn keep(&mut self, checkpoint: &Checkpoint) -> Result<(), BackendError> {
        let text = serde_json::to_vec(checkpoint).expect("a checkpoint is plain text");
        self.keychain.keep(&self.log, &SecretValue::copy_of(&text))
    }
}

#[cfg(all(feature = "keyring", target_os = "linux"))]
#[derive(Debug)]
struct Keychain(super::keyring::Keyring);

#[cfg(all(feature = "keyring", target_os = "linux"))]
impl Keychain {
    fn new(policy: &Policy, machine: &Machine, attendant: &Arc<dyn Attendant>) -> Self {
        Self(super::keyring::Keyring::new(policy, machine, Arc::clone(attendant)))
    }

    fn load(&mut self, log: &Path) -> Result<Option<SecretValue>, BackendError> {
        self.0.checkpoint(log)
    }

    fn keep(&mut self, log: &Path, checkpoint: &SecretValue) -> Result<(), BackendError> {
        self.0.keep_checkpoint(log, checkpoint)
    }
}

#[cfg(not(all(feature = "keyring", target_os = "linux")))]
#[derive(Debug)]
struct Keychain;

#[cfg(not(all(feature = "keyring", target_os = "linux")))]
impl Keychain {
    fn new(_: &Policy, _: &Machine, _: &Arc<dyn Attendant>) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "as where there is a keychain")]
    fn load(&mut self, _: &Path) -> Result<Option<SecretValue>, BackendError> {
        Err(BackendError::Unsupported { backend: BackendName::Keyring })
    }

    #[expect(clippy::unused_self, reason = "as where there is a keychain")]
    fn keep(&mut self, _: &Path, _: &SecretValue) -> Result<(), BackendError> {
        Err(BackendError::Unsupported { backend: BackendName::Keyring })
    }
}
