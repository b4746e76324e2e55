//! Exit codes. `docs/exit-codes.md` explains them.

/// Done.
pub(crate) const DONE: u8 = 0;
/// Could not.
pub(crate) const FAILED: u8 = 1;
/// The command line makes no sense.
pub(crate) const USAGE: u8 = 2;
/// There is no such secret.
pub(crate) const NOT_FOUND: u8 = 3;
/// A person is needed: something is locked, was denied, or waits for approval.
pub(crate) const PERSON_NEEDED: u8 = 4;
/// A backend is unavailable or did not answer in time.
pub(crate) const UNAVAILABLE: u8 = 5;
/// A bug in kage (`EX_SOFTWARE` of sysexits.h).
pub(crate) const BUG: u8 = 70;
/// kage failed before the child was started (the number `env` and `timeout` use).
pub(crate) const NOT_STARTED: u8 = 125;
/// The child's program was found and cannot be run.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// The child's program was not found.
pub(crate) const NO_PROGRAM: u8 = 127;
