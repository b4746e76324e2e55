//! Secrets on their way to another machine: a file in the format of a vault, for whoever has its
//! passphrase or one of its identities. Any age program opens it, and kage as a vault, too.

use std::fmt;
use std::path::Path;

use super::admin::Recipient;
use super::error::{PassphraseFault, VaultError};
use super::format::Document;
use super::seal::{LOG_N, Opener, Seal};
use super::sealed::{Lock, Sealed};
use super::unlock;
use crate::name::Key;
use crate::secret::SecretValue;
use crate::store::{BackendError, Metadata};

/// One secret of a bundle.
#[derive(Debug)]
pub struct Packed {
    /// Where it was kept.
    pub key: Key,
    /// What is public about it.
    pub meta: Metadata,
    /// Its value.
    pub value: SecretValue,
}

/// Who can open a bundle.
#[derive(Debug)]
pub enum Addressee {
    /// Who knows the passphrase.
    Passphrase(SecretValue),
    /// Who has an identity of any of these.
    Recipients(Vec<Recipient>),
}

/// What opens a bundle.
#[derive(Debug)]
pub enum BundleKey<'a> {
    /// Its passphrase.
    Passphrase(SecretValue),
    /// The identity file at this path.
    IdentityFile(&'a Path),
}

/// Encrypts `secrets`, each key once, for `addressee`. Returns the file.
///
/// # Errors
/// [`BackendError`] when the passphrase is empty or no text, or nobody is addressed.
pub fn pack(
    secrets: impl IntoIterator<Item = Packed>,
    addressee: Addressee,
) -> Result<Vec<u8>, BackendError> {
    let seal = match addressee {
        Addressee::Passphrase(passphrase) if passphrase.is_empty() => {
            return Err(VaultError::Passphrase(PassphraseFault::Empty).into());
        }
        Addressee::Passphrase(passphrase) => Seal::Passphrase { passphrase, log_n: LOG_N },
        Addressee::Recipients(recipients) => {
            Seal::Recipients(recipients.into_iter().map(Recipient::into_inner).collect())
        }
    };
    let mut document = Document { recipients: seal.recipients(), ..Document::default() };
    for Packed { key, meta, value } in secrets {
        document.hold(key, value, meta);
    }
    let (file, _) = seal.close(&document)?;
    Ok(file)
}

/// A bundle that was read and not opened.
pub struct Bundle(Sealed);

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bundle").field(&self.0.path()).finish()
    }
}

impl Bundle {
    /// Returns whether a file that begins with `bytes` is encrypted by age, in whichever form.
    pub fn is_begun_by(bytes: &[u8]) -> bool {
        super::sealed::is_age(bytes)
    }

    /// Reads the file at `path` and checks its header.
    ///
    /// # Errors
    /// [`BackendError`] when it cannot be read, is no such file, or would be too costly to open.
    pub fn read(path: &Path) -> Result<Self, BackendError> {
        Sealed::of_file(path, path.to_owned(), None).map(Self)
    }

    /// Returns what opens it.
    pub fn lock(&self) -> Lock {
        self.0.lock()
    }

    /// Decrypts it. Returns its secrets in the order of their keys, without earlier values.
    ///
    /// # Errors
    /// [`BackendError`] when the key is not the right one, or the file is damaged or too new.
    pub fn open(&self, key: BundleKey<'_>) -> Result<Vec<Packed>, BackendError> {
        let opener = match key {
            BundleKey::Passphrase(passphrase) => Opener::Passphrase(passphrase),
            BundleKey::IdentityFile(path) => Opener::Identities(unlock::read_identities(path)?),
        };
        let (_, document) = self.0.open(opener)?;
        let secrets = document.secrets.into_iter();
        Ok(secrets
            .map(|(key, record)| Packed { key, value: record.value(), meta: record.meta })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDENTITY: &str =
        "AGE-SECRET-KEY-1GACLPL940NZ3MQX08JHVHFDKXV8FYXKTF6X3CATKTNCJNLSELX3QDDW4V9";

    fn packed(name: &str, value: &[u8]) -> Packed {
        Packed {
            key: Key::new(crate::name::Scope::Global, name.parse().unwrap()),
            meta: Metadata { description: Some("for tests".to_owned()), ..Metadata::default() },
            value: SecretValue::copy_of(value),
        }
    }

    fn bundle(folder: &Path, secrets: Vec<Packed>, addressee: Addressee) -> Bundle {
        let file = folder.join("bundle.age");
        std::fs::write(&file, pack(secrets, addressee).unwrap()).unwrap();
        Bundle::read(&file).unwrap()
    }

    fn identity_file(folder: &Path) -> (std::path::PathBuf, Recipient) {
        let file = folder.join("identity.txt");
        std::fs::write(&file, IDENTITY).unwrap();
        let recipient = Recipient::of_identity_file(&file).unwrap();
        (file, recipient)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_packed_comes_out_again(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir().unwrap();
            let (identity, recipient) = identity_file(folder.path());
            let addressee = Addressee::Recipients(vec![recipient]);
            let bundle = bundle(folder.path(), vec![packed("A", &value)], addressee);
            let opened = bundle.open(BundleKey::IdentityFile(&identity)).unwrap();
            prop_assert_eq!(opened.len(), 1);
            prop_assert!(opened[0].value.same_as(&SecretValue::copy_of(&value)));
            prop_assert_eq!(&opened[0].meta, &packed("A", &value).meta);
        }
    }

    #[test]
    fn only_the_right_passphrase_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = |text: &str| SecretValue::copy_of(text.as_bytes());
        let value = b"s3cr3t-for-bundle";
        let addressee = Addressee::Passphrase(passphrase("one"));
        let bundle = bundle(folder.path(), vec![packed("A", value)], addressee);
        assert!(matches!(bundle.lock(), Lock::Passphrase { .. }));
        assert!(bundle.open(BundleKey::Passphrase(passphrase("two"))).is_err());
        let opened = bundle.open(BundleKey::Passphrase(passphrase("one"))).unwrap();
        assert!(opened[0].value.same_as(&SecretValue::copy_of(value)));
        let empty = pack([packed("A", value)], Addressee::Passphrase(passphrase("")));
        assert!(empty.is_err());
        assert!(pack([packed("A", value)], Addressee::Recipients(Vec::new())).is_err());
    }
}
