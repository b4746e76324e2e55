//! Which value answers which name.
