//! Integration tests of the library.
#![expect(
    clippy::disallowed_methods,
    reason = "tests make and look at files as they please, and wait for other programs"
)]

mod contract;
mod daemons;
mod harness;
mod place;
mod stores;
mod tidy;
