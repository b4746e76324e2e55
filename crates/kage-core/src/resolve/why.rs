//! Why a name has the value it has: every candidate, in order. Pure.

use crate::name::{Scope, SecretName};
use crate::store::Found;

/// One scope that could answer a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The scope.
    pub scope: Scope,
    /// What it holds of that name, if anything.
    pub found: Option<Found>,
    /// Whether it answers.
    pub standing: Standing,
}

/// Whether a candidate answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Wins,
    /// It would, if no nearer scope did.
    Shadowed,
    /// It holds nothing of that name.
    Unset,
}

/// Returns one candidate for each of `scopes`, in their order: the first that holds `name` wins.
pub fn candidates(scopes: &[Scope], found: &[Found], name: &SecretName) -> Vec<Candidate> {
    let mut won = false;
    let candidate = |scope: &Scope| {
        let holds =
            |found: &&Found| found.entry.key.scope == *scope && found.entry.key.name == *name;
        let found = found.iter().find(holds).cloned();
        let standing = match (&found, won) {
            (None, _) => Standing::Unset,
            (Some(_), true) => Standing::Shadowed,
            (Some(_), false) => Standing::Wins,
        };
        won |= found.is_some();
        Candidate { scope: scope.clone(), found, standing }
    };
    scopes.iter().map(candidate).collect()
}

/// Returns the scopes of `found` that hold `name` and are not among `scopes`.
pub fn elsewhere(scopes: &[Scope], found: &[Found], name: &SecretName) -> Vec<Scope> {
    let keys = found.iter().map(|found| &found.entry.key);
    keys.filter(|key| key.name == *name && !scopes.contains(&key.scope))
        .map(|key| key.scope.clone())
        .collect()
}

/// How alike two names must be, from 0 to 1, for one to be taken for a slip of the other.
const ALIKE: f64 = 0.8;

/// Returns the names of `found` that `name` may be a slip of, the most alike first.
pub fn nearest(found: &[Found], name: &SecretName) -> Vec<SecretName> {
    let alike = |other: &SecretName| {
        let [a, b] = [name, other].map(|name| name.as_str().to_ascii_uppercase());
        strsim::jaro_winkler(&a, &b)
    };
    let mut names: Vec<_> = found.iter().map(|found| found.entry.key.name.clone()).collect();
    names.sort();
    names.dedup();
    names.retain(|other| other != name && alike(other) >= ALIKE);
    names.sort_by(|a, b| alike(b).total_cmp(&alike(a)));
    names.truncate(3);
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{BackendName, Key};
    use crate::store::{Entry, Metadata};

    fn found(name: &str, scope: &str) -> Found {
        let key = Key::new(scope.parse().unwrap(), name.parse().unwrap());
        let entry = Entry { key, meta: Metadata::default(), duplicates: 0 };
        Found { entry, backend: BackendName::Keyring }
    }

    fn name(text: &str) -> SecretName {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_scope_that_holds_the_name_wins_and_the_rest_are_told() {
        let scopes = ["repo:/a/b", "repo:/a", "namespace:n", "global"].map(|s| s.parse().unwrap());
        let found = [
            found("A", "global"),
            found("A", "repo:/a"),
            found("B", "repo:/a/b"),
            found("A", "repo:/other"),
        ];
        let standings: Vec<_> = candidates(&scopes, &found, &name("A"))
            .into_iter()
            .map(|candidate| (candidate.standing, candidate.found.is_some()))
            .collect();
        let expected = [
            (Standing::Unset, false),
            (Standing::Wins, true),
            (Standing::Unset, false),
            (Standing::Shadowed, true),
        ];
        assert_eq!(standings, expected);
        assert_eq!(elsewhere(&scopes, &found, &name("A")), ["repo:/other".parse().unwrap()]);
    }

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        let found = [found("API_KEY", "global"), found("DB_PASSWORD", "global")];
        for slip in ["API_KEYS", "APIKEY", "api_key", "API_KYE"] {
            assert_eq!(nearest(&found, &name(slip)), [name("API_KEY")], "{slip}");
        }
        assert_eq!(nearest(&found, &name("API_KEY")), []);
        assert_eq!(nearest(&found, &name("ZZZ")), []);
    }
}
