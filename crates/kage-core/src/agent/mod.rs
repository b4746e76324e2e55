//! What kage knows of each agent program.
