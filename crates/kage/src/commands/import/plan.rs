//! What becomes of each secret of a file: decided before anything is done.

use std::collections::BTreeMap;
use std::fmt;

use kage_core::name::Key;
use kage_core::secret::SecretValue;
use kage_core::store::vault::Packed;

/// A secret of the file, and what becomes of it.
#[derive(Debug)]
pub(super) struct Item {
    /// The secret.
    pub(super) packed: Packed,
    /// What becomes of it.
    pub(super) fate: Fate,
}

/// What becomes of a secret of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// There is none yet: it is stored.
    New,
    /// The same value is there.
    Same,
    /// Another value is there, and is replaced.
    Replaces,
    /// Another value is there, and stays.
    Differs,
    /// It is empty, which no secret is.
    Empty,
    /// Its name changes what programs do.
    Refused,
    /// No environment can hold it.
    Unfit,
}

impl Fate {
    /// Returns whether it is written.
    pub(super) fn is_write(self) -> bool {
        matches!(self, Self::New | Self::Replaces)
    }

    /// Returns whether the store holds the value of the file afterwards.
    pub(super) fn is_kept(self) -> bool {
        self.is_write() || self == Self::Same
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Same => "stored already",
            Self::Replaces => "replaces another value",
            Self::Differs => "another value is there: left (--replace)",
            Self::Empty => "empty: left out",
            Self::Refused => "changes what programs do: left out (see `allow_names`)",
            Self::Unfit => "no environment can hold it: left out",
        })
    }
}

/// Decides on each of `secrets`, whose keys are each there once. `refused` says why one is left out
/// whatever is stored.
pub(super) fn plan(
    secrets: Vec<Packed>,
    stored: &BTreeMap<Key, SecretValue>,
    replace: bool,
    refused: impl Fn(&Packed) -> Option<Fate>,
) -> Vec<Item> {
    let kept = |packed: &Packed| match stored.get(&packed.key) {
        _ if packed.value.is_empty() => Fate::Empty,
        None => Fate::New,
        Some(there) if there.same_as(&packed.value) => Fate::Same,
        Some(_) if replace => Fate::Replaces,
        Some(_) => Fate::Differs,
    };
    let fate = |packed: &Packed| refused(packed).unwrap_or_else(|| kept(packed));
    secrets.into_iter().map(|packed| Item { fate: fate(&packed), packed }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kage_core::name::Scope;
    use kage_core::store::Metadata;

    fn packed(name: &str, value: &str) -> Packed {
        let key = Key::new(Scope::Global, name.parse().unwrap());
        Packed { key, meta: Metadata::default(), value: SecretValue::copy_of(value.as_bytes()) }
    }

    #[test]
    fn nothing_is_replaced_unasked() {
        let stored = [packed("SAME", "a"), packed("OTHER", "b"), packed("EMPTY", "c")];
        let stored = stored.map(|it| (it.key, it.value)).into();
        let fates = |replace| {
            let file = ["NEW", "SAME", "OTHER", "REFUSED"].map(|name| packed(name, "a"));
            let file = file.into_iter().chain([packed("EMPTY", "")]).collect();
            let items = plan(file, &stored, replace, |it| {
                (it.key.name.as_str() == "REFUSED").then_some(Fate::Refused)
            });
            items.iter().map(|item| item.fate).collect::<Vec<_>>()
        };
        let (new, same, refused, empty) = (Fate::New, Fate::Same, Fate::Refused, Fate::Empty);
        assert_eq!(fates(false), [new, same, Fate::Differs, refused, empty]);
        assert_eq!(fates(true), [new, same, Fate::Replaces, refused, empty]);
    }
}
