//! The command line of kage.

fn main() {}
