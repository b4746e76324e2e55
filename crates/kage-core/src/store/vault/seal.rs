//! What opens a vault, and what its next generation is sealed with.

use std::cell::RefCell;
use std::io::{self, Write as _};

use age::Encryptor;
use age::secrecy::{ExposeSecret as _, SecretString};

use super::error::{PassphraseFault, VaultError};
use super::format::Document;
use super::joint::WatchedRecipient;
use super::sealed::{self, Lock, MOST_LOG_N};
use crate::name::BackendName;
use crate::secret::{SecretBuffer, SecretValue};
use crate::store::BackendError;

/// The work of deriving a key from a passphrase: 2^17 times 1 KiB, which OWASP asks for.
pub(super) const LOG_N: u8 = 17;

/// What opens a vault.
#[derive(Debug)]
pub(super) enum Opener {
    /// A passphrase.
    Passphrase(SecretValue),
    /// Age identities, one a line, as in an identity file.
    Identities(SecretValue),
}

/// What opened a vault: it opens the next generations as well, and the key opens this one quickly.
#[derive(Debug)]
pub(super) struct Unlocked {
    /// The passphrase, or the one identity that fitted.
    pub(super) opener: Opener,
    /// The key of the generation that was opened.
    pub(super) file_key: SecretValue,
}

/// What a new generation is sealed with.
pub(super) enum Seal {
    /// A passphrase.
    Passphrase {
        /// The passphrase.
        passphrase: SecretValue,
        /// The base-2 logarithm of the work that deriving a key from it takes.
        log_n: u8,
    },
    /// An identity of any of these.
    Recipients(Vec<age::x25519::Recipient>),
}

impl Seal {
    /// Returns the seal of the next generation, where `unlocked` opened the one with `lock`. An
    /// identity that opened it stays among its recipients, so that nobody locks themselves out.
    pub(super) fn after(
        unlocked: &Unlocked,
        lock: Lock,
        document: &Document,
    ) -> Result<Self, VaultError> {
        match &unlocked.opener {
            Opener::Passphrase(passphrase) => Ok(Self::Passphrase {
                passphrase: passphrase.expose(SecretValue::copy_of),
                log_n: next_log_n(lock),
            }),
            Opener::Identities(text) => {
                let recipients = document.recipients.iter().map(|text| parse_recipient(text));
                let mut recipients = recipients.collect::<Result<Vec<_>, _>>()?;
                for identity in parse_identities(text)? {
                    let recipient = identity.to_public();
                    if !recipients.contains(&recipient) {
                        recipients.push(recipient);
                    }
                }
                Ok(Self::Recipients(recipients))
            }
        }
    }

    /// Returns the recipients as the document lists them.
    pub(super) fn recipients(&self) -> Vec<String> {
        match self {
            Self::Passphrase { .. } => Vec::new(),
            Self::Recipients(recipients) => recipients.iter().map(ToString::to_string).collect(),
        }
    }

    /// Encrypts `document`. Returns the file, and the key of this one generation.
    pub(super) fn close(
        &self,
        document: &Document,
    ) -> Result<(Vec<u8>, SecretValue), BackendError> {
        let text = document.print().map_err(|error| failed(&error.to_string()))?;
        let recipients = self.age_recipients()?;
        let file_key = RefCell::new(None);
        let watched: Vec<_> = recipients
            .iter()
            .map(|recipient| WatchedRecipient {
                recipient: recipient.as_ref(),
                file_key: &file_key,
            })
            .collect();
        let encryptor = Encryptor::with_recipients(watched.iter().map(|one| one as _))
            .map_err(|error| failed(&error.to_string()))?;
        let bytes = encrypt(encryptor, &text).map_err(|error| failed(&error.to_string()))?;
        // What is written can be read: a header or file beyond the limits is refused here.
        sealed::check(&bytes).map_err(|fault| failed(&fault.to_string()))?;
        let file_key = file_key.into_inner().ok_or_else(|| failed("age made no file key"))?;
        Ok((bytes, file_key))
    }

    fn age_recipients(&self) -> Result<Vec<Box<dyn age::Recipient>>, VaultError> {
        match self {
            Self::Passphrase { passphrase, log_n } => {
                let mut recipient = age::scrypt::Recipient::new(passphrase_text(passphrase)?);
                recipient.set_work_factor(*log_n);
                Ok(vec![Box::new(recipient)])
            }
            Self::Recipients(recipients) => {
                Ok(recipients.iter().map(|one| Box::new(one.clone()) as _).collect())
            }
        }
    }
}

fn encrypt(encryptor: Encryptor, text: &SecretBuffer) -> io::Result<Vec<u8>> {
    let mut output = encryptor.wrap_output(Vec::new())?;
    text.expose(|text| output.write_all(text))?;
    output.finish()
}

fn failed(detail: &str) -> BackendError {
    BackendError::Failed { backend: BackendName::Vault, detail: detail.to_owned() }
}

/// Returns the work of the generation after one with `lock`. A file made elsewhere with little of it
/// is strengthened; tests keep theirs cheap.
fn next_log_n(lock: Lock) -> u8 {
    match lock {
        Lock::Passphrase { log_n } if cfg!(feature = "testing") => log_n,
        Lock::Passphrase { log_n } => log_n.clamp(LOG_N, MOST_LOG_N),
        Lock::Identity => LOG_N,
    }
}

/// Returns `passphrase` as the text that age takes.
pub(super) fn passphrase_text(passphrase: &SecretValue) -> Result<SecretString, VaultError> {
    passphrase.expose(|bytes| match std::str::from_utf8(bytes) {
        Ok("") => Err(VaultError::Passphrase(PassphraseFault::Empty)),
        Ok(text) => Ok(SecretString::from(text.to_owned())),
        Err(_) => Err(VaultError::Passphrase(PassphraseFault::NotText)),
    })
}

/// Parses an identity file: one identity a line, `#` before comments.
pub(super) fn parse_identities(
    text: &SecretValue,
) -> Result<Vec<age::x25519::Identity>, VaultError> {
    text.expose(|bytes| {
        let text = std::str::from_utf8(bytes).map_err(|_not_text| {
            VaultError::Identity("it is not text (is it encrypted itself?)")
        })?;
        let lines = text.lines().map(str::trim);
        let identities = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_no_detail| VaultError::Identity("a line is no `AGE-SECRET-KEY-1…`"))?;
        if identities.is_empty() {
            return Err(VaultError::Identity("it holds none"));
        }
        Ok(identities)
    })
}

/// Parses a recipient, `age1…`.
pub(super) fn parse_recipient(text: &str) -> Result<age::x25519::Recipient, VaultError> {
    text.parse().map_err(|_no_detail| VaultError::Recipient)
}

/// Returns the text of an identity.
pub(super) fn identity_text(identity: &age::x25519::Identity) -> SecretValue {
    SecretValue::copy_of(identity.to_string().expose_secret().as_bytes())
}

/// Returns an identity file that holds `identity`, then those of the file `former`.
pub(super) fn identity_file(
    identity: &age::x25519::Identity,
    former: Option<&SecretValue>,
) -> SecretValue {
    let mut text = SecretBuffer::new();
    identity_text(identity).expose(|line| text.extend(line));
    if let Some(former) = former {
        text.extend(b"\n");
        former.expose(|lines| text.extend(lines));
    }
    text.into_value()
}
