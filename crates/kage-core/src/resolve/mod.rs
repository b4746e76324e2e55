//! Which value answers which name: directory → repository → scopes → plan → values.

mod fetch;
mod plan;
mod why;

pub use fetch::{FetchError, Resolved, fetch};
pub use plan::{Choice, Plan, Verdict, Wishes};
pub use why::{Candidate, Standing, candidates, elsewhere, nearest};
