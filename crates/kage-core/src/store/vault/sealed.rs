//! The age file around the document.
//!
//! - The plaintext is only ever in buffers that are wiped.
//! - No file makes kage do more work than [`MOST_LOG_N`] allows.
//! - A generation whose key is known is opened without deriving it again.

use std::io;
use std::path::{Path, PathBuf};

use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use super::error::{Fault, VaultError};
use super::format::{Document, FORMAT, Parsed};
use super::joint::{HeaderOnly, KnownKey, Watched};
use super::place::Place;
use super::seal::{self, Opener, Seal, Unlocked};
use crate::disk::{self, Stamp};
use crate::name::BackendName;
use crate::secret::{ReadError, SecretValue};
use crate::store::{BackendError, Missing};

/// The most work that a file may ask for, as a base-2 logarithm: 1 GiB of memory, seconds of time.
pub(super) const MOST_LOG_N: u8 = 20;

/// The longest file that is read.
const MAX_FILE_BYTES: usize = 256 * 1024 * 1024;

/// The longest header that is read. The parser's time grows with its square.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The first bytes of an age file, whatever its version.
const MAGIC: &[u8] = b"age-encryption.org/";

/// The first line of the version that kage knows.
const MAGIC_V1: &[u8] = b"age-encryption.org/v1\n";

/// The first bytes of the text form.
const ARMOR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

/// How a vault is opened, as its header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// By a passphrase.
    Passphrase {
        /// The base-2 logarithm of the work that deriving the key takes.
        log_n: u8,
    },
    /// By an age identity: the user's own, or one in the keychain.
    Identity,
}

/// One generation of a vault's file, not decrypted.
#[derive(Debug)]
pub(super) struct Sealed {
    path: PathBuf,
    previous: Option<PathBuf>,
    bytes: Zeroizing<Vec<u8>>,
    stamp: Stamp,
    lock: Lock,
}

impl Sealed {
    /// Reads the file of a vault and checks its header.
    pub(super) fn read(place: &Place) -> Result<Self, BackendError> {
        match Self::of_file(place.file(), place.shown().to_owned(), place.kept_previous()) {
            Err(BackendError::File(error)) if error.is_absent() => Err(absent(place)),
            read => read,
        }
    }

    /// Reads `file`, which the user knows as `path`, and checks its header.
    pub(super) fn of_file(
        file: &Path,
        path: PathBuf,
        previous: Option<PathBuf>,
    ) -> Result<Self, BackendError> {
        let (bytes, stamp) = disk::read(file, MAX_FILE_BYTES)?;
        match check(&bytes) {
            Err(fault) => Err(VaultError::Damaged { path, fault, previous }.into()),
            Ok(Lock::Passphrase { log_n }) if log_n > MOST_LOG_N => {
                Err(VaultError::TooCostly { path, log_n, limit: MOST_LOG_N }.into())
            }
            Ok(lock) => Ok(Self { path, previous, bytes, stamp, lock }),
        }
    }

    /// Returns what the file looked like when it was read.
    pub(super) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Returns the path that the user knows.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the encrypted bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns how it is opened.
    pub(super) fn lock(&self) -> Lock {
        self.lock
    }

    /// Decrypts with what may open it.
    pub(super) fn open(&self, opener: Opener) -> Result<(Unlocked, Document), VaultError> {
        match (opener, self.lock) {
            (Opener::Passphrase(passphrase), Lock::Passphrase { .. }) => {
                let text = seal::passphrase_text(&passphrase)?;
                let mut identity = age::scrypt::Identity::new(text);
                identity.set_max_work_factor(MOST_LOG_N);
                let (file_key, text) = self.decrypt_watched(&identity)?;
                let opener = Opener::Passphrase(passphrase);
                Ok((Unlocked { opener, file_key }, self.document(&text)?))
            }
            (Opener::Identities(identities), Lock::Identity) => {
                for identity in seal::parse_identities(&identities)? {
                    match self.decrypt_watched(&identity) {
                        Err(VaultError::NoIdentity(_)) => {}
                        Err(error) => return Err(error),
                        Ok((file_key, text)) => {
                            let opener = Opener::Identities(seal::identity_text(&identity));
                            return Ok((Unlocked { opener, file_key }, self.document(&text)?));
                        }
                    }
                }
                Err(VaultError::NoIdentity(self.path.clone()))
            }
            (Opener::Passphrase(_), Lock::Identity) => {
                Err(VaultError::NoIdentity(self.path.clone()))
            }
            (Opener::Identities(_), Lock::Passphrase { .. }) => {
                Err(VaultError::WrongPassphrase(self.path.clone()))
            }
        }
    }

    /// Decrypts with what opened this generation or one before; `None` when that does not fit.
    pub(super) fn open_again(
        &self,
        known: Unlocked,
    ) -> Result<Option<(Unlocked, Document)>, VaultError> {
        if let Some(document) = self.open_quickly(&known.file_key)? {
            return Ok(Some((known, document)));
        }
        match self.open(known.opener) {
            Err(VaultError::WrongPassphrase(_) | VaultError::NoIdentity(_)) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Turns this into the generation that was written in its place.
    pub(super) fn succeed(&mut self, bytes: Vec<u8>, stamp: Stamp, seal: &Seal) {
        self.bytes = bytes.into();
        self.stamp = stamp;
        self.lock = match seal {
            Seal::Passphrase { log_n, .. } => Lock::Passphrase { log_n: *log_n },
            Seal::Recipients(_) => Lock::Identity,
        };
    }

    /// Decrypts with the key of one generation; `None` when this is another one.
    fn open_quickly(&self, file_key: &SecretValue) -> Result<Option<Document>, VaultError> {
        match self.decrypt(&KnownKey(file_key)) {
            Ok(text) => self.document(&text).map(Some),
            Err(DecryptError::InvalidMac) => Ok(None),
            Err(error) => Err(self.refused(&error)),
        }
    }

    fn decrypt_watched(
        &self,
        identity: &dyn age::Identity,
    ) -> Result<(SecretValue, SecretValue), VaultError> {
        let watched = Watched::new(identity);
        let text = self.decrypt(&watched).map_err(|error| self.refused(&error))?;
        let file_key = watched.into_file_key();
        Ok((file_key.ok_or_else(|| self.damaged(Fault::Header))?, text))
    }

    fn decrypt(&self, identity: &dyn age::Identity) -> Result<SecretValue, DecryptError> {
        let decryptor = Decryptor::new_buffered(&self.bytes[..])?;
        let mut text = decryptor.decrypt(std::iter::once(identity))?;
        // The text is a little shorter than the file.
        let read = SecretValue::read_about(self.bytes.len(), &mut text, MAX_FILE_BYTES);
        read.map_err(|error| match error {
            ReadError::Io(error) => DecryptError::Io(error),
            ReadError::TooLong { .. } => DecryptError::Io(io::ErrorKind::FileTooLarge.into()),
        })
    }

    fn document(&self, text: &SecretValue) -> Result<Document, VaultError> {
        match text.expose(Document::parse) {
            Ok(Parsed::Known(document)) => Ok(document),
            Ok(Parsed::Newer { format }) => {
                let path = self.path.clone();
                Err(VaultError::TooNew { path, found: format, supported: FORMAT })
            }
            Err(fault) => Err(self.damaged(Fault::Document(fault))),
        }
    }

    fn refused(&self, error: &DecryptError) -> VaultError {
        match (error, self.lock) {
            (DecryptError::ExcessiveWork { required, .. }, _) => VaultError::TooCostly {
                path: self.path.clone(),
                log_n: *required,
                limit: MOST_LOG_N,
            },
            (DecryptError::NoMatchingKeys, _) => VaultError::NoIdentity(self.path.clone()),
            (
                DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed,
                Lock::Passphrase { .. },
            ) => VaultError::WrongPassphrase(self.path.clone()),
            (DecryptError::Io(_), _) => self.damaged(Fault::Payload),
            _ => self.damaged(Fault::Header),
        }
    }

    fn damaged(&self, fault: Fault) -> VaultError {
        VaultError::Damaged { path: self.path.clone(), fault, previous: self.previous.clone() }
    }
}

fn absent(place: &Place) -> BackendError {
    BackendError::Unavailable {
        backend: BackendName::Vault,
        missing: Missing::VaultFile(place.shown().display().to_string()),
    }
}

/// Returns whether `bytes` begin as a file of age does, of any version and form.
pub(super) fn is_age(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(ARMOR)
}

/// Reads the header: whether this is an age file that kage reads, and what opens it.
pub(super) fn check(bytes: &[u8]) -> Result<Lock, Fault> {
    if bytes.is_empty() {
        return Err(Fault::Empty);
    }
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Fault::TooLong);
    }
    if bytes.starts_with(ARMOR) {
        return Err(Fault::Armored);
    }
    if !bytes.starts_with(MAGIC_V1) {
        let begun = MAGIC_V1.starts_with(bytes);
        let other = bytes.starts_with(MAGIC);
        return Err(if begun {
            Fault::Truncated
        } else if other {
            Fault::OtherAge
        } else {
            Fault::Foreign
        });
    }
    let beginning = &bytes[..bytes.len().min(MAX_HEADER_BYTES)];
    if !beginning.windows(5).any(|window| window == b"\n--- ") {
        return Err(if bytes.len() < MAX_HEADER_BYTES { Fault::Truncated } else { Fault::Header });
    }
    let seen = HeaderOnly::default();
    let decryptor = Decryptor::new_buffered(bytes).map_err(|error| match error {
        DecryptError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Fault::Truncated,
        _ => Fault::Header,
    })?;
    // Nothing is decrypted: the identity only looks at the header, which the crate keeps private.
    drop(decryptor.decrypt(std::iter::once(&seen as _)));
    seen.into_lock().ok_or(Fault::Header)
}
