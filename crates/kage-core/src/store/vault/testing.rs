//! The parsers of a vault, alone: for tests that feed them anything.

use super::error::Fault;
use super::format::{Document, DocumentFault, Parsed};
use super::sealed::{self, Lock};
use crate::secret::SecretBuffer;

/// Parses the document inside a vault and prints it again, so that tests may feed it anything;
/// `None` for one of a later format.
///
/// # Errors
/// [`DocumentFault`] when it is not understood.
///
/// # Panics
/// When what was understood cannot be printed.
pub fn reprint(text: &[u8]) -> Result<Option<SecretBuffer>, DocumentFault> {
    match Document::parse(text)? {
        Parsed::Known(document) => Ok(Some(document.print().expect("a document can be printed"))),
        Parsed::Newer { .. } => Ok(None),
    }
}

/// Reads the header of a vault's file, so that tests may feed it anything.
///
/// # Errors
/// [`Fault`] when it is none that kage reads.
pub fn read_header(bytes: &[u8]) -> Result<Lock, Fault> {
    sealed::check(bytes)
}
