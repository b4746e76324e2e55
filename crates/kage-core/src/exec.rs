//! Runs a child.
