//! The values of a plan: one batch for each backend, all backends at once, each use recorded.

use std::collections::BTreeMap;

use super::Plan;
use crate::name::{Key, SecretName};
use crate::secret::SecretValue;
use crate::store::{Purpose, StoreError, Stores};

/// The values that a plan injects, by name.
pub type Resolved = BTreeMap<SecretName, SecretValue>;

/// Why a plan could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A backend failed, or the use could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret was listed, and gone when its value was read.
    #[error("`{}` was removed from scope `{}` while kage was reading it", .0.name, .0.scope)]
    Gone(Key),
}

/// Reads what `plan` injects. A value that another scope would give is never taken in the place
/// of one that went away in between.
///
/// # Errors
/// [`FetchError`]; then no value is returned.
pub fn fetch(plan: &Plan, stores: &Stores) -> Result<Resolved, FetchError> {
    let keys = plan.keys();
    let mut values = stores.read(&keys, Purpose::Inject)?;
    keys.into_iter()
        .map(|key| match values.remove(&key) {
            Some(value) => Ok((key.name, value)),
            None => Err(FetchError::Gone(key)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Actor, AuditLog};
    use crate::config::Policy;
    use crate::name::Scope;
    use crate::resolve::Wishes;
    use crate::store::memory::Memory;
    use crate::store::{Changes, Wanted};

    fn stores(world: &tempfile::TempDir, memory: &Memory) -> Stores {
        let audit = AuditLog::at(&world.path().join("audit.jsonl"));
        let actor = Actor { program: Some("true".to_owned()), agent: None, place: None };
        Stores::in_memory(audit, actor, &Policy::default(), memory)
    }

    fn planned(stores: &Stores) -> Plan {
        let found = stores.list(Wanted::Everything).unwrap();
        Plan::new(&[Scope::Global], found, &Policy::default(), &Wishes::default())
    }

    #[test]
    fn values_are_read_in_one_batch_and_recorded() {
        let world = tempfile::tempdir().unwrap();
        let memory = Memory::new();
        let stores = stores(&world, &memory);
        for name in ["A", "B"] {
            let key = Key::new(Scope::Global, name.parse().unwrap());
            stores
                .write(&key, &SecretValue::copy_of(b"s3cr3t-for-fetch"), Changes::default())
                .unwrap();
        }
        let resolved = fetch(&planned(&stores), &stores).unwrap();
        assert_eq!((resolved.len(), memory.reads()), (2, 1));
        let log = std::fs::read_to_string(world.path().join("audit.jsonl")).unwrap();
        assert_eq!(log.matches(r#""action":"inject""#).count(), 2);
        assert!(!log.contains("s3cr3t"));
    }

    #[test]
    fn a_secret_that_went_away_is_an_error_and_not_another_scopes_value() {
        let world = tempfile::tempdir().unwrap();
        let memory = Memory::new();
        let stores = stores(&world, &memory);
        let key = Key::new(Scope::Global, "A".parse().unwrap());
        stores.write(&key, &SecretValue::copy_of(b"s3cr3t-for-fetch"), Changes::default()).unwrap();
        let plan = planned(&stores);
        stores.delete(&key).unwrap();
        assert!(matches!(fetch(&plan, &stores), Err(FetchError::Gone(gone)) if gone == key));
    }
}
