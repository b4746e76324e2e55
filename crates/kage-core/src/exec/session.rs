//! The kernel's session keyring: what kage starts does not get the one that kage has.
//!
//! The opened key of a vault may be kept there. Whoever possesses the session keyring may read it,
//! and a child inherits possession, so the child gets a new session keyring. The user keyring,
//! which never holds a key of kage's, is in the new one if it was in the old one: encrypted folders
//! and Kerberos tickets may depend on it.

use std::io;

#[cfg(target_os = "linux")]
pub use linux::leave_session_keyring;

/// Does nothing: this system has no session keyrings.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn leave_session_keyring() -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::{CStr, CString};

    use libc::{SYS_keyctl, c_char, c_int, c_long, syscall};
    use linux_keyutils::{KeyRing, KeyRingIdentifier};

    use super::io;
    use crate::store::vault::kernel::KEPT_KEY;

    // linux/keyctl.h
    const KEY_SPEC_SESSION_KEYRING: c_int = -3;
    const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
    const KEYCTL_SEARCH: c_int = 10;

    /// Moves the calling thread, and what it starts from now on, to a new session keyring.
    ///
    /// # Errors
    /// The system's error when that fails while a vault's key is kept in the old one. Where nothing
    /// is kept there, as on a system without keyrings, a failure gives nothing away.
    pub fn leave_session_keyring() -> io::Result<()> {
        let has_user_keyring = session_holds(c"keyring", &user_keyring_name());
        if let Err(error) = join_new_session_keyring() {
            return if session_holds_kept_key() { Err(error) } else { Ok(()) };
        }
        if has_user_keyring {
            // Without it the child has less than it could have, and that is all.
            KeyRing::from_special_id(KeyRingIdentifier::Session, false)
                .and_then(|session| session.link_keyring_id(KeyRingIdentifier::User))
                .ok();
        }
        Ok(())
    }

    fn session_holds_kept_key() -> bool {
        CString::new(KEPT_KEY).is_ok_and(|name| session_holds(c"user", &name))
    }

    fn user_keyring_name() -> CString {
        let name = format!("_uid.{}", rustix::process::getuid().as_raw());
        CString::new(name).unwrap_or_default()
    }

    #[expect(unsafe_code, reason = "no library offers this call")]
    fn join_new_session_keyring() -> io::Result<()> {
        let no_name = std::ptr::null::<c_char>();
        // SAFETY: keyctl(2) reads no memory of ours for this operation: its one argument is a null
        // pointer, which stands for a keyring without a name. It changes the credentials of this
        // thread only.
        checked(unsafe { syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, no_name) })
    }

    /// Returns whether a key of this kind and name is in the session keyring, or in one in it.
    #[expect(unsafe_code, reason = "no library searches for keyrings")]
    fn session_holds(kind: &CStr, name: &CStr) -> bool {
        let (kind, name, no_destination) = (kind.as_ptr(), name.as_ptr(), 0);
        let ring = KEY_SPEC_SESSION_KEYRING;
        // SAFETY: keyctl(2) reads two strings for this operation. Both end with NUL and outlive the
        // call, since they are borrowed from the caller.
        let found = unsafe { syscall(SYS_keyctl, KEYCTL_SEARCH, ring, kind, name, no_destination) };
        checked(found).is_ok()
    }

    fn checked(result: c_long) -> io::Result<()> {
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
