//! The joint between kage and the `age` crate: identities and recipients that look at, or know, what
//! the crate keeps to itself. What they note is wiped like any secret.

use std::cell::RefCell;
use std::collections::HashSet;

use age::secrecy::ExposeSecret as _;
use age::{DecryptError, EncryptError};
use age_core::format::{FileKey, Stanza};

use super::sealed::Lock;
use crate::secret::SecretValue;

/// An identity that notes the key which another one found.
pub(super) struct Watched<'a> {
    identity: &'a dyn age::Identity,
    file_key: RefCell<Option<SecretValue>>,
}

impl<'a> Watched<'a> {
    /// Watches `identity`.
    pub(super) fn new(identity: &'a dyn age::Identity) -> Self {
        Self { identity, file_key: RefCell::new(None) }
    }

    /// Returns the key of the file, if it was found.
    pub(super) fn into_file_key(self) -> Option<SecretValue> {
        self.file_key.into_inner()
    }
}

impl age::Identity for Watched<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let unwrapped = self.identity.unwrap_stanza(stanza);
        if let Some(Ok(key)) = &unwrapped {
            *self.file_key.borrow_mut() = Some(SecretValue::copy_of(key.expose_secret()));
        }
        unwrapped
    }
}

/// An identity that knows the key already.
pub(super) struct KnownKey<'a>(pub(super) &'a SecretValue);

impl age::Identity for KnownKey<'_> {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        let key = FileKey::try_init_with_mut(|key| {
            self.0.expose(|known| {
                if known.len() == key.len() {
                    key.copy_from_slice(known);
                    return Ok(());
                }
                Err(DecryptError::InvalidMac)
            })
        });
        Some(key)
    }
}

/// An identity that fits nothing, and only notes what the header asks for.
#[derive(Default)]
pub(super) struct HeaderOnly(RefCell<Option<Lock>>);

impl HeaderOnly {
    /// Returns what the header asks for; `None` when it was not looked at or makes no sense.
    pub(super) fn into_lock(self) -> Option<Lock> {
        self.0.into_inner()
    }
}

impl age::Identity for HeaderOnly {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        None
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let scrypt = stanzas.iter().find(|stanza| stanza.tag == "scrypt");
        *self.0.borrow_mut() = match scrypt {
            None => Some(Lock::Identity),
            Some(Stanza { args, .. }) => match &args[..] {
                [_, log_n] => log_n.parse().ok().map(|log_n| Lock::Passphrase { log_n }),
                _ => None,
            },
        };
        None
    }
}

/// A recipient that notes the key which it is given.
pub(super) struct WatchedRecipient<'a> {
    /// The one that wraps the key.
    pub(super) recipient: &'a dyn age::Recipient,
    /// Where the key is noted.
    pub(super) file_key: &'a RefCell<Option<SecretValue>>,
}

impl age::Recipient for WatchedRecipient<'_> {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, HashSet<String>), EncryptError> {
        *self.file_key.borrow_mut() = Some(SecretValue::copy_of(file_key.expose_secret()));
        self.recipient.wrap_file_key(file_key)
    }
}
