//! Which value answers which name: directory → repository → scopes → plan → values.

mod fetch;
mod plan;

pub use fetch::{FetchError, Resolved, fetch};
pub use plan::{Choice, Plan, Verdict, Wishes};
