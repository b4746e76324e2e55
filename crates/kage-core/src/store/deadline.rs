//! A time limit that several waits share.

use std::time::{Duration, Instant};

/// What is left of a time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    started: Instant,
    limit: Duration,
}

impl Deadline {
    /// Starts the clock.
    pub(crate) fn start(limit: Duration) -> Self {
        Self { started: Instant::now(), limit }
    }

    /// Returns the time that is left, never less than nothing.
    pub(crate) fn left(self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// Returns the whole limit, for messages.
    pub(crate) fn limit(self) -> Duration {
        self.limit
    }
}
