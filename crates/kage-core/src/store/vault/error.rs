//! Why the vault could not be opened or written.

use std::path::{Path, PathBuf};

use super::format::DocumentFault;

/// Why the vault could not be opened or written. None of these changes the file.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A new vault would take the place of what is there.
    #[error("there is a vault at `{}` already", .0.display())]
    Exists(PathBuf),
    /// The passphrase does not open it. A header that was changed looks the same.
    #[error("wrong passphrase for the vault `{}` (or its header was changed)", .0.display())]
    WrongPassphrase(PathBuf),
    /// It is encrypted for an identity that is neither configured nor in the keychain.
    #[error("no identity at hand opens the vault `{}`", .0.display())]
    NoIdentity(PathBuf),
    /// Its contents cannot be used.
    #[error("the vault `{}` cannot be used: {fault}; kage does not touch it, and {}", path.display(), WayBack(.previous.as_deref()))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
        /// The generation before it, if kage kept one.
        previous: Option<PathBuf>,
    },
    /// It was written by a newer kage.
    #[error(
        "the vault `{}` has format {found}, and this kage knows no format above {supported}: use the newer kage; this one does not touch it",
        path.display()
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest format that this kage knows.
        supported: u64,
    },
    /// Its header asks for more work than an honest file would.
    #[error(
        "the vault `{}` asks for a scrypt work factor of {log_n}, and kage does at most {limit}: nothing that kage writes asks for that",
        path.display()
    )]
    TooCostly {
        /// The file.
        path: PathBuf,
        /// The base-2 logarithm of the work that it asks for.
        log_n: u8,
        /// The most that kage does.
        limit: u8,
    },
    /// Another program wrote it between reading and writing.
    #[error("the vault `{}` was changed by another program meanwhile; nothing was written", .0.display())]
    Changed(PathBuf),
    /// A passphrase that cannot be used.
    #[error("the passphrase {0}")]
    Passphrase(PassphraseFault),
    /// The command that gives the passphrase failed.
    #[error("the passphrase command `{program}` {detail}")]
    PassphraseCommand {
        /// The program, without its arguments.
        program: String,
        /// How it ended, or why it did not start.
        detail: String,
    },
    /// What should be an age identity is none that kage can use.
    #[error("the age identity cannot be used: {0}")]
    Identity(&'static str),
    /// What should be an age recipient is none that kage can use.
    #[error("the age recipient is no `age1…` of the X25519 kind")]
    Recipient,
    /// There is no place to keep the opened key in.
    #[error("the vault cannot be kept unlocked: {0}")]
    NotKept(KeepFault),
}

/// What is wrong with the contents of a vault's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// There is more in it than kage reads.
    #[error("it is too long")]
    TooLong,
    /// It begins as no age file does.
    #[error("it is not an age file")]
    Foreign,
    /// It is the text form of an age file.
    #[error(
        "it is an age file in armor; kage reads the binary form (`age -d` it and encrypt it again without `--armor`)"
    )]
    Armored,
    /// It follows another version of the age format.
    #[error("it follows a version of the age format other than v1")]
    OtherAge,
    /// It ends within its header.
    #[error("it ends too early")]
    Truncated,
    /// Its header is not one of an age file, or was changed.
    #[error("its header is damaged")]
    Header,
    /// Its contents do not fit their authentication.
    #[error("its contents were cut short or changed")]
    Payload,
    /// It was decrypted, and what is inside is not a vault's document.
    #[error("what is inside is not a vault's document: {0}")]
    Document(DocumentFault),
}

/// What is wrong with a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseFault {
    /// There is none.
    #[error("is empty")]
    Empty,
    /// Age passphrases are text.
    #[error("is not UTF-8")]
    NotText,
    /// It is not a passphrase but some other file.
    #[error("is longer than any passphrase")]
    TooLong,
}

/// Why the opened key cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepFault {
    /// The process shares its session keyring with all others of the user.
    #[error(
        "this login has no session keyring of its own; start one with `keyctl session` (logins get one from PAM's `pam_keyinit`)"
    )]
    NoSession,
    /// The kernel has no keyrings, or does not let this process use them.
    #[error("the kernel's keyring cannot be used: {0}")]
    Kernel(String),
}

struct WayBack<'a>(Option<&'a Path>);

impl std::fmt::Display for WayBack<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(previous) => write!(f, "the generation before it is `{}`", previous.display()),
            None => f.write_str("it kept no earlier generation of it"),
        }
    }
}
