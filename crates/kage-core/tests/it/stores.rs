//! What every test of `Stores` needs: keys, values, a policy, a log.

use std::path::Path;

use kage_core::audit::{Actor, AuditLog};
use kage_core::config::Policy;
use kage_core::name::Key;
use kage_core::secret::SecretValue;

/// Returns the key of `name` in `scope`.
pub(crate) fn key(scope: &str, name: &str) -> Key {
    Key::new(scope.parse().expect("a scope"), name.parse().expect("a name"))
}

/// Returns `bytes` as a value.
pub(crate) fn value(bytes: impl AsRef<[u8]>) -> SecretValue {
    SecretValue::copy_of(bytes.as_ref())
}

/// Returns whether a value is exactly `bytes`.
pub(crate) fn is(value: Option<&SecretValue>, bytes: impl AsRef<[u8]>) -> bool {
    value.is_some_and(|value| value.same_as(&SecretValue::copy_of(bytes.as_ref())))
}

/// Parses a policy.
pub(crate) fn policy(text: &str) -> Policy {
    Policy::parse(text, Path::new("config.toml")).expect("a valid policy")
}

/// Opens an audit log in `folder`.
pub(crate) fn audit(folder: &Path) -> AuditLog {
    AuditLog::at(&folder.join("audit.jsonl"))
}

/// Returns kage itself, at no place.
pub(crate) fn actor() -> Actor {
    Actor { program: None, agent: None, place: None }
}
