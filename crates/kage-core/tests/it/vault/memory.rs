//! What is left of a value in the memory of the process after a vault was written and read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kage_core::secret::{SecretBuffer, SecretValue};
use kage_core::store::{Changes, Purpose};
use zeroize::Zeroize as _;

use super::{World, key};

/// A value is only ever kept like this outside of what kage has of it.
const MASK: u8 = 0x80;

fn masked(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    bytes.as_ref().iter().map(|byte| byte ^ MASK).collect()
}

fn unmasked(bytes: &[u8]) -> SecretValue {
    let mut value = SecretBuffer::with_capacity(bytes.len());
    for byte in bytes {
        value.extend(&[byte ^ MASK]);
    }
    value.into_value()
}

/// Looks through the memory of this process, without memory of its own that it takes meanwhile: that
/// could be what is looked for.
struct Search {
    maps: String,
    window: Vec<u8>,
}

impl Search {
    fn new() -> Self {
        Self { maps: String::with_capacity(1024 * 1024), window: vec![0; 1024 * 1024] }
    }

    /// Returns how often a needle that is `masked` occurs.
    fn occurrences(&mut self, masked: &[u8]) -> usize {
        let Self { maps, window } = self;
        maps.clear();
        File::open("/proc/self/maps").unwrap().read_to_string(maps).unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        let mut found = 0;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let mut at = u64::from_str_radix(start, 16).unwrap();
            let end = u64::from_str_radix(end, 16).unwrap();
            while at < end {
                let length = window.len().min(usize::try_from(end - at).unwrap());
                // Some regions, such as those of the kernel, cannot be read.
                if memory.read_exact_at(&mut window[..length], at).is_ok() {
                    found += count(&window[..length], masked);
                }
                window[..length].fill(0);
                // Windows overlap, so that a needle across their border is in one of them.
                at += u64::try_from(length.saturating_sub(masked.len() - 1).max(1)).unwrap();
                if length < window.len() {
                    break;
                }
            }
        }
        found
    }
}

fn count(bytes: &[u8], masked: &[u8]) -> usize {
    let is_needle =
        |window: &&[u8]| window.iter().zip(masked).all(|(byte, other)| *byte == other ^ MASK);
    bytes.windows(masked.len()).filter(is_needle).count()
}

#[test]
fn nothing_is_left_of_a_value_that_was_written_and_read() {
    let world = World::with_identity();
    let mut value = vec![0; 96];
    File::open("/dev/urandom").unwrap().read_exact(&mut value).unwrap();
    let mut encoded = unmasked(&value).expose(|bytes| STANDARD.encode(bytes));
    let encoded_masked = masked(&encoded);
    encoded.zeroize();
    let mut search = Search::new();
    let mut left = || (search.occurrences(&value[..32]), search.occurrences(&encoded_masked[..32]));
    assert_eq!(left(), (0, 0));

    let stores = world.stores();
    for name in ["A", "B"] {
        stores.write(&key(name), &unmasked(&value), Changes::default()).unwrap();
    }
    // In the two records of the stores that are open.
    assert_eq!(left(), (2, 0));
    let read = world.stores().read(&[key("A"), key("ABSENT")], Purpose::Read).unwrap();
    assert!(read[&key("A")].same_as(&unmasked(&value)));
    // And in what was read.
    assert_eq!(left(), (3, 0));
    drop((read, stores));
    assert_eq!(left(), (0, 0));
}
