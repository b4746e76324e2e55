//! What kage knows of agent programs. For now: how to tell that one of them started this process.

use std::ffi::OsStr;

/// An agent program, and the variable that it sets for what it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    /// What the audit log and messages call it.
    pub name: &'static str,
    /// The variable, present with any value that is not empty.
    pub marker: &'static str,
}

/// The agents that mark what they start.
pub const AGENTS: &[Agent] = &[
    Agent { name: "claude", marker: "CLAUDECODE" },
    Agent { name: "claude", marker: "CLAUDE_CODE_CHILD_SESSION" },
    Agent { name: "codex", marker: "CODEX_SANDBOX" },
    Agent { name: "codex", marker: "CODEX_THREAD_ID" },
    Agent { name: "gemini", marker: "GEMINI_CLI" },
    Agent { name: "cursor", marker: "CURSOR_AGENT" },
    Agent { name: "opencode", marker: "OPENCODE" },
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
        AGENTS.iter().find(|agent| set.iter().any(|name| *name == agent.marker)).copied()
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
