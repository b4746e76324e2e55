//! The operating system's keychain: on Linux the Secret Service.
//!
//! - One entry for each secret, which other tools can see and mend; no index beside it.
//! - No value is handed on under another name than its own, and none that was not decrypted whole.
//! - A prompt is raised only where somebody can answer it, and one at a time.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::Keyring;
#[cfg(target_os = "linux")]
pub use linux::{Health, Transport, examine};
