//! The only types that hold plaintext.
//!
//! - Bytes are wiped when a value is dropped, and growing a buffer wipes what it leaves behind.
//! - Neither type implements `Display`, `Serialize`, `PartialEq` or `Deref`; `Debug` says nothing.
//! - A value is lent, never given out: each file that calls [`SecretValue::expose`] is listed in
//!   `tests/it/tidy.rs`.

use std::fmt;
use std::io::{self, Read};

use rand::Rng as _;
use rand::distributions::Alphanumeric;
use rand::rngs::OsRng;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// How much is read at a time from a pipe or file.
const CHUNK_BYTES: usize = 8 * 1024;

/// Secret bytes: any bytes, of any length, not necessarily text.
pub struct SecretValue(Zeroizing<Box<[u8]>>);

impl SecretValue {
    /// Copies `bytes` into a value. The caller wipes its own copy.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(Box::from(bytes)))
    }

    /// Reads `reader` to its end.
    ///
    /// # Errors
    /// [`ReadError::TooLong`] past `max_bytes`; [`ReadError::Io`] when the reader fails.
    pub fn read_from(reader: &mut impl Read, max_bytes: usize) -> Result<Self, ReadError> {
        Self::read_about(0, reader, max_bytes)
    }

    /// Reads `reader` to its end, with room for `expected_bytes` from the beginning.
    ///
    /// # Errors
    /// As [`SecretValue::read_from`].
    pub fn read_about(
        expected_bytes: usize,
        reader: &mut impl Read,
        max_bytes: usize,
    ) -> Result<Self, ReadError> {
        let mut buffer = SecretBuffer::with_capacity(expected_bytes.min(max_bytes));
        let mut chunk = Zeroizing::new([0_u8; CHUNK_BYTES]);
        loop {
            match reader.read(&mut chunk[..]) {
                Ok(0) => return Ok(buffer.into_value()),
                Ok(count) if buffer.len() + count > max_bytes => {
                    return Err(ReadError::TooLong { max_bytes });
                }
                Ok(count) => buffer.extend(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Io(error)),
            }
        }
    }

    /// Makes a value of `characters` letters and digits from the operating system's generator; each
    /// is worth 5.95 bits.
    pub fn generate(characters: usize) -> Self {
        let mut bytes = Zeroizing::new(vec![0_u8; characters].into_boxed_slice());
        for byte in bytes.iter_mut() {
            *byte = OsRng.sample(Alphanumeric);
        }
        Self(bytes)
    }

    /// Lends the bytes to `read`.
    pub fn expose<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.0)
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares two values in a time that depends on their lengths only.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Returns the value without one trailing line end (`\n` or `\r\n`).
    #[must_use]
    pub fn without_line_end(self) -> Self {
        let kept = match &self.0[..] {
            [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n'] => rest.len(),
            all => all.len(),
        };
        if kept == self.len() { self } else { Self::copy_of(&self.0[..kept]) }
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(hidden)")
    }
}

impl From<SecretBuffer> for SecretValue {
    fn from(buffer: SecretBuffer) -> Self {
        buffer.into_value()
    }
}

/// A growing buffer for plaintext, wiped on drop and at each growth.
#[derive(Default)]
pub struct SecretBuffer(Zeroizing<Vec<u8>>);

impl SecretBuffer {
    /// Makes an empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty buffer that holds `bytes` bytes before it has to grow.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    /// Appends `bytes`. The old allocation is wiped when a larger one is needed.
    pub fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger =
                Zeroizing::new(Vec::with_capacity(needed.max(self.0.capacity().saturating_mul(2))));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    /// Takes the first `count` bytes away. They are written over by what comes next, or wiped when the
    /// buffer is dropped.
    pub fn drop_front(&mut self, count: usize) {
        let kept = self.0.len().saturating_sub(count);
        let from = self.0.len() - kept;
        self.0.copy_within(from.., 0);
        self.0.truncate(kept);
    }

    /// Returns the length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lends the bytes to `read`.
    pub fn expose<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.0)
    }

    /// Ends the growth: copies the bytes to an allocation of their own size, wipes the buffer.
    pub fn into_value(self) -> SecretValue {
        SecretValue::copy_of(&self.0)
    }
}

impl fmt::Debug for SecretBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBuffer(hidden)")
    }
}

impl io::Write for SecretBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a value could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source holds more than the limit.
    #[error("the value is longer than {max_bytes} bytes")]
    TooLong {
        /// The limit.
        max_bytes: usize,
    },
    /// The source failed.
    #[error("cannot read the value")]
    Io(#[source] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &[u8] = b"s3cr3t-for-secret-rs";

    #[test]
    fn debug_says_nothing_of_the_value() {
        let mut buffer = SecretBuffer::new();
        buffer.extend(CANARY);
        assert_eq!(format!("{buffer:?}"), "SecretBuffer(hidden)");
        assert_eq!(format!("{:?}", buffer.into_value()), "SecretValue(hidden)");
    }

    #[test]
    fn a_buffer_grows_and_keeps_every_byte() {
        let mut buffer = SecretBuffer::with_capacity(3);
        for _ in 0..100 {
            buffer.extend(CANARY);
        }
        assert_eq!(buffer.len(), 100 * CANARY.len());
        assert!(buffer.into_value().expose(|bytes| bytes == CANARY.repeat(100)));
    }

    #[test]
    fn the_front_of_a_buffer_is_taken_away() {
        let mut buffer = SecretBuffer::new();
        buffer.extend(CANARY);
        for (count, left) in [(0, CANARY), (7, b"for-secret-rs"), (100, b"")] {
            buffer.drop_front(count);
            assert!(buffer.expose(|bytes| bytes == left), "{count}");
        }
    }

    #[test]
    fn a_reader_is_read_to_its_end_and_no_further_than_the_limit() {
        let long = vec![b'x'; CHUNK_BYTES * 3 + 1];
        let value = SecretValue::read_from(&mut &long[..], long.len()).unwrap();
        assert_eq!(value.len(), long.len());
        let refused = SecretValue::read_from(&mut &long[..], long.len() - 1);
        assert!(
            matches!(refused, Err(ReadError::TooLong { max_bytes }) if max_bytes == long.len() - 1)
        );
    }

    #[test]
    fn one_line_end_is_taken_off_and_no_more() {
        for (given, kept) in [
            (&b"v\n"[..], &b"v"[..]),
            (b"v\r\n", b"v"),
            (b"v\n\n", b"v\n"),
            (b"v\r", b"v\r"),
            (b"\n", b""),
            (b"", b""),
        ] {
            let value = SecretValue::copy_of(given).without_line_end();
            assert!(value.expose(|bytes| bytes == kept), "{given:?}");
        }
    }

    #[test]
    fn a_generated_value_is_new_each_time_and_of_letters_and_digits() {
        let (one, other) = (SecretValue::generate(40), SecretValue::generate(40));
        assert!(!one.same_as(&other));
        assert!(
            one.expose(|bytes| bytes.len() == 40 && bytes.iter().all(u8::is_ascii_alphanumeric))
        );
    }

    #[test]
    fn equality_is_of_all_bytes() {
        let value = SecretValue::copy_of(CANARY);
        assert!(value.same_as(&SecretValue::copy_of(CANARY)));
        assert!(!value.same_as(&SecretValue::copy_of(&CANARY[1..])));
    }
}
