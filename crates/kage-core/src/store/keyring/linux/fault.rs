//! What the bus and the service say when they fail, as this crate's errors.
//!
//! Their words are untrusted: they are bounded, printable, and dropped where a call carried a value.

use std::fmt;

use zbus::Message;

use crate::name::BackendName;
use crate::store::{BackendError, Missing};

/// How much of a service's words is kept, in characters.
const MAX_WORDS: usize = 200;

/// The error that a method call was answered with.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    name: String,
    words: String,
}

impl Refusal {
    /// Reads an error reply.
    pub(super) fn of(reply: &Message) -> Self {
        let header = reply.header();
        let body = reply.body();
        Self {
            name: printable(header.error_name().map_or("an error without a name", |name| name)),
            words: printable(body.deserialize::<&str>().unwrap_or_default()),
        }
    }

    /// Forgets the words: the call carried a value in the clear, which they might repeat.
    #[must_use]
    pub(super) fn without_words(mut self) -> Self {
        self.words.clear();
        self
    }

    /// Returns whether the object that was asked does not exist (any more).
    pub(super) fn is_no_object(&self) -> bool {
        matches!(
            self.name.as_str(),
            "org.freedesktop.Secret.Error.NoSuchObject"
                | "org.freedesktop.DBus.Error.UnknownObject"
                | "org.freedesktop.DBus.Error.UnknownMethod"
                | "org.freedesktop.DBus.Error.UnknownInterface"
        )
    }

    /// Returns whether what was named in the call was not accepted.
    pub(super) fn is_wrong_argument(&self) -> bool {
        self.name == "org.freedesktop.DBus.Error.InvalidArgs"
    }

    /// Converts it into the error of the backend.
    pub(super) fn into_error(self) -> BackendError {
        match self.name.strip_prefix("org.freedesktop.DBus.Error.") {
            Some("ServiceUnknown" | "NameHasNoOwner") => missing(Missing::Service),
            Some(rest) if rest.starts_with("Spawn.") => missing(Missing::Service),
            // What the bus answers when the service dies during a call.
            Some("NoReply" | "Disconnected") => missing(Missing::Gone),
            Some("AccessDenied" | "AuthFailed") => denied(self.to_string()),
            _ if self.name == "org.freedesktop.Secret.Error.IsLocked" => locked(),
            _ => failed(self.to_string()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words.as_str() {
            "" => f.write_str(&self.name),
            words => write!(f, "{}: {words}", self.name),
        }
    }
}

/// Makes foreign text fit for a message: one line, bounded, without control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(MAX_WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Converts an error of the D-Bus library: the bus at `address` cannot be used.
pub(super) fn bus(address: &str, error: &zbus::Error) -> BackendError {
    let detail = match error {
        zbus::Error::Connection(error, _) | zbus::Error::InputOutput(error) => error.to_string(),
        zbus::Error::Address(text) | zbus::Error::Handshake(text) => text.clone(),
        other => other.to_string(),
    };
    missing(Missing::Bus { address: printable(address), detail: printable(&detail) })
}

/// Converts an error of encoding or decoding. The library's own words are left out: they may quote
/// what could not be decoded.
pub(super) fn garbled(_: zbus::Error) -> BackendError {
    failed("it answered what its protocol does not allow".to_owned())
}

pub(super) fn missing(missing: Missing) -> BackendError {
    BackendError::Unavailable { backend: BackendName::Keyring, missing }
}

pub(super) fn locked() -> BackendError {
    BackendError::Locked { backend: BackendName::Keyring }
}

pub(super) fn denied(reason: String) -> BackendError {
    BackendError::Denied { backend: BackendName::Keyring, reason }
}

pub(super) fn failed(detail: String) -> BackendError {
    BackendError::Failed { backend: BackendName::Keyring, detail }
}
