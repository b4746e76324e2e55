//! The child's environment.
