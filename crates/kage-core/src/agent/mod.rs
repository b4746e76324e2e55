//! What kage knows of agent programs: how to tell that one of them started this process, and what
//! is answered there.
//!
//! The environment and the processes are passed in. Nothing here looks at them itself.

mod allowed;
mod ancestry;

use std::ffi::OsStr;

pub use allowed::{Act, Inside, Reach, Refusal, decide};
pub use ancestry::{Ancestor, Process, outermost};

/// An agent program: how it marks what it starts, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    /// What the audit log and messages call it.
    pub name: &'static str,
    /// The variables that it sets for what it starts: one with any value that is not empty counts.
    pub markers: &'static [&'static str],
    /// The names of its program, and of its script where a runtime such as node runs it.
    pub programs: &'static [&'static str],
}

/// The agents that are known.
pub const AGENTS: &[Agent] = &[
    Agent {
        name: "claude",
        markers: &["CLAUDECODE", "CLAUDE_CODE_CHILD_SESSION"],
        programs: &["claude", "claude-code"],
    },
    Agent { name: "codex", markers: &["CODEX_SANDBOX", "CODEX_THREAD_ID"], programs: &["codex"] },
    Agent { name: "gemini", markers: &["GEMINI_CLI"], programs: &["gemini"] },
    Agent { name: "cursor", markers: &["CURSOR_AGENT"], programs: &["cursor-agent"] },
    Agent { name: "opencode", markers: &["OPENCODE"], programs: &["opencode"] },
];

impl Agent {
    /// Returns the agent that started this process, by the markers in its environment. They can be
    /// removed and forged: this guards against accidents, not against an agent that wants to hide.
    pub fn around<'a>(names: impl IntoIterator<Item = (&'a OsStr, &'a OsStr)>) -> Option<Self> {
        let set: Vec<&OsStr> = names
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, _)| name)
            .collect();
        let marked = |agent: &&Self| {
            agent.markers.iter().any(|marker| set.iter().any(|name| *name == *marker))
        };
        AGENTS.iter().find(marked).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(variables: &[(&str, &str)]) -> Option<&'static str> {
        let variables = variables.iter().map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
        Agent::around(variables).map(|agent| agent.name)
    }

    #[test]
    fn a_marker_with_any_value_names_its_agent() {
        assert_eq!(around(&[("A", "1"), ("CLAUDECODE", "1")]), Some("claude"));
        assert_eq!(around(&[("GEMINI_CLI", "yes")]), Some("gemini"));
    }

    #[test]
    fn an_empty_or_missing_marker_is_none() {
        assert_eq!(around(&[("CLAUDECODE", "")]), None);
        assert_eq!(around(&[("CLAUDECODE_", "1"), ("PATH", "/bin")]), None);
    }
}
