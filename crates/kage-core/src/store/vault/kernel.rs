//! The opened key, kept for a while in the session keyring of the kernel.
//!
//! - Only a process that possesses the session keyring finds it, and only its possessor may read
//!   it. The user keyring, which all processes of a user share, never holds it.
//! - It has its time limit before it can be found.
//! - One vault is kept at a time: keeping another one displaces it.
//! - What kage starts leaves the session keyring first: see [`crate::exec`].

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use linux_keyutils::{
    Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
};
use zeroize::Zeroizing;

use super::error::{KeepFault, VaultError};
use super::seal::{Opener, Unlocked};
use crate::secret::{SecretBuffer, SecretValue};

/// The description of the kept key.
pub(crate) const KEPT_KEY: &str = "kage:vault";

/// What every payload of this shape begins with.
const PAYLOAD_HEAD: &[u8] = b"kage-vault-key-1\0";

/// The longest payload of a kernel key.
const MAX_PAYLOAD_BYTES: usize = 32_767;

const KIND_PASSPHRASE: u8 = b'p';
const KIND_IDENTITIES: u8 = b'i';

/// What was kept.
#[derive(Debug)]
pub(super) struct Kept {
    /// What opens the vault.
    pub(super) unlocked: Unlocked,
    /// When it goes.
    pub(super) until: Timestamp,
}

/// Returns why nothing can be kept, if so.
pub(super) fn check() -> Result<(), VaultError> {
    own_session().map(drop)
}

/// Keeps `unlocked` for the vault at `file` until `until`.
pub(super) fn keep(file: &Path, unlocked: &Unlocked, until: Timestamp) -> Result<(), VaultError> {
    let session = own_session()?;
    let left = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
    // Zero would mean for ever, and the kernel counts in 32 bits.
    let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1);
    let payload = pack(file, unlocked, until);
    // The thread's own keyring first, so that nobody finds the key before it is limited.
    let added = KeyRing::from_special_id(KeyRingIdentifier::Thread, true).and_then(|thread| {
        let key = payload.expose(|payload| thread.add_key(KEPT_KEY, payload))?;
        let limited = limit(key, seconds).and_then(|()| session.link_key(key));
        thread.unlink_key(key).and(limited)
    });
    added.map_err(unusable)
}

fn limit(key: Key, seconds: u32) -> Result<(), KeyError> {
    key.set_timeout(usize::try_from(seconds).unwrap_or(usize::MAX))?;
    let possessor = Permission::VIEW
        | Permission::READ
        | Permission::SEARCH
        | Permission::LINK
        | Permission::SETATTR;
    key.set_perms(KeyPermissionsBuilder::builder().posessor(possessor).build())
}

/// Returns what is kept for the vault at `file`; `None` also where there is no keyring to look in.
pub(super) fn kept(file: &Path) -> Option<Kept> {
    let (_, payload) = find()?;
    let kept = payload.expose(|payload| unpack(file, payload))?;
    (kept.until > Timestamp::now()).then_some(kept)
}

/// Drops what is kept for the vault at `file`. Returns whether there was something.
pub(super) fn drop_kept(file: &Path) -> Result<bool, VaultError> {
    match find() {
        Some((key, payload)) if payload.expose(|payload| unpack(file, payload)).is_some() => {
            key.invalidate().map_err(unusable)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn find() -> Option<(Key, SecretValue)> {
    let key = own_session().ok()?.search(KEPT_KEY).ok()?;
    let mut payload = Zeroizing::new(vec![0; MAX_PAYLOAD_BYTES]);
    let length = key.read(&mut payload.as_mut_slice()).ok()?;
    payload.get(..length).map(|payload| (key, SecretValue::copy_of(payload)))
}

/// Returns the session keyring, unless it is the one that all of the user's sessions share.
fn own_session() -> Result<KeyRing, VaultError> {
    let session = KeyRing::from_special_id(KeyRingIdentifier::Session, false).map_err(unusable)?;
    match KeyRing::from_special_id(KeyRingIdentifier::UserSession, false) {
        Ok(shared) if shared == session => Err(VaultError::NotKept(KeepFault::NoSession)),
        Ok(_) => Ok(session),
        Err(error) => Err(unusable(error)),
    }
}

fn unusable(error: KeyError) -> VaultError {
    let detail = match error {
        KeyError::Unknown(code) => io::Error::from_raw_os_error(code).to_string(),
        KeyError::PermissionDenied | KeyError::AccessDenied => "access denied".to_owned(),
        KeyError::QuotaExceeded => "the user's quota of keys is used up".to_owned(),
        KeyError::KeyRevoked | KeyError::KeyExpired => "the session has ended".to_owned(),
        other => other.to_string(),
    };
    VaultError::NotKept(KeepFault::Kernel(detail))
}

/// Head, end in seconds since 1970 (8 bytes), kind, lengths of path and file key (4 bytes each),
/// then path, file key and opener.
fn pack(file: &Path, unlocked: &Unlocked, until: Timestamp) -> SecretValue {
    let path = file.as_os_str().as_encoded_bytes();
    let (kind, opener) = match &unlocked.opener {
        Opener::Passphrase(value) => (KIND_PASSPHRASE, value),
        Opener::Identities(value) => (KIND_IDENTITIES, value),
    };
    let room = PAYLOAD_HEAD.len() + 17 + path.len() + unlocked.file_key.len() + opener.len();
    let mut payload = SecretBuffer::with_capacity(room);
    payload.extend(PAYLOAD_HEAD);
    payload.extend(&until.as_second().to_be_bytes());
    payload.extend(&[kind]);
    for length in [path.len(), unlocked.file_key.len()] {
        payload.extend(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    payload.extend(path);
    unlocked.file_key.expose(|bytes| payload.extend(bytes));
    opener.expose(|bytes| payload.extend(bytes));
    payload.into_value()
}

fn unpack(file: &Path, payload: &[u8]) -> Option<Kept> {
    let rest = payload.strip_prefix(PAYLOAD_HEAD)?;
    let (until, rest) = rest.split_first_chunk::<8>()?;
    let (&[kind], rest) = rest.split_first_chunk::<1>()?;
    let (path_length, rest) = rest.split_first_chunk::<4>()?;
    let (key_length, rest) = rest.split_first_chunk::<4>()?;
    let (path, rest) = rest.split_at_checked(length(*path_length)?)?;
    let (file_key, opener) = rest.split_at_checked(length(*key_length)?)?;
    if path != file.as_os_str().as_encoded_bytes() {
        return None;
    }
    let opener = SecretValue::copy_of(opener);
    let opener = match kind {
        KIND_PASSPHRASE => Opener::Passphrase(opener),
        KIND_IDENTITIES => Opener::Identities(opener),
        _ => return None,
    };
    let unlocked = Unlocked { opener, file_key: SecretValue::copy_of(file_key) };
    Some(Kept { unlocked, until: Timestamp::from_second(i64::from_be_bytes(*until)).ok()? })
}

fn length(bytes: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

/// Returns the end of a time that begins now.
pub(super) fn end_of(keep_for: Duration) -> Timestamp {
    SignedDuration::try_from(keep_for)
        .ok()
        .and_then(|time| Timestamp::now().checked_add(time).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unlocked() -> Unlocked {
        Unlocked {
            opener: Opener::Passphrase(SecretValue::copy_of(b"s3cr3t-for-kernel")),
            file_key: SecretValue::copy_of(&[7; 16]),
        }
    }

    #[test]
    fn what_is_packed_is_unpacked_for_the_same_vault_only() {
        let file = Path::new("/home/me/vault.age");
        let until = Timestamp::from_second(2_000_000_000).unwrap();
        let packed = pack(file, &unlocked(), until);
        let kept = packed.expose(|payload| unpack(file, payload)).unwrap();
        assert_eq!(kept.until, until);
        assert!(kept.unlocked.file_key.same_as(&unlocked().file_key));
        let Opener::Passphrase(passphrase) = kept.unlocked.opener else { panic!("a passphrase") };
        assert!(passphrase.same_as(&SecretValue::copy_of(b"s3cr3t-for-kernel")));
        for other in ["/home/me/vault.ag", "/home/me/vault.age2", "/vault.age"] {
            assert!(packed.expose(|payload| unpack(Path::new(other), payload)).is_none());
        }
    }

    #[test]
    fn a_payload_that_another_program_put_there_is_nothing() {
        let file = Path::new("/v");
        let packed = pack(file, &unlocked(), Timestamp::MAX);
        packed.expose(|payload| {
            let shortest = payload.len() - b"s3cr3t-for-kernel".len();
            for length in 0..shortest {
                assert!(unpack(file, &payload[..length]).is_none(), "{length}");
            }
            let mut changed = payload.to_vec();
            changed[PAYLOAD_HEAD.len() + 8] = b'x';
            assert!(unpack(file, &changed).is_none());
        });
    }

    #[test]
    fn a_time_beyond_all_times_ends_with_them() {
        assert_eq!(end_of(Duration::MAX), Timestamp::MAX);
    }
}
