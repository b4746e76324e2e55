//! The inputs that fuzzing keeps, against the properties that it checks: on every compiler, each
//! time.

#![expect(clippy::unwrap_used, reason = "a property that does not hold fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[path = "../../../../fuzz/src/bin/config.rs"]
mod config;
#[path = "../../../../fuzz/src/bin/manifest.rs"]
mod manifest;
#[path = "../../../../fuzz/src/bin/redact.rs"]
pub(crate) mod redact;
#[path = "../../../../fuzz/src/bin/scope.rs"]
mod scope;
#[path = "../../../../fuzz/src/bin/vault.rs"]
mod vault;

/// Asserts what holds for all inputs.
type Property = fn(&[u8]);

/// Each target, and its property.
const TARGETS: &[(&str, Property)] = &[
    ("config", config::check),
    ("manifest", manifest::check),
    ("redact", redact::check),
    ("scope", scope::check),
    ("vault", vault::check),
];

fn below_fuzz(path: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(path);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{path}: {error}"));
    entries.map(|entry| entry.expect("it can be read").path()).collect()
}

#[test]
fn every_target_of_fuzzing_is_replayed() {
    let names = |path| -> BTreeSet<String> {
        let stem = |path: PathBuf| path.file_stem().expect("a name").display().to_string();
        below_fuzz(path).into_iter().map(stem).collect()
    };
    let replayed = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("src/bin"), replayed);
    assert_eq!(names("corpus"), replayed);
}

#[test]
fn what_fuzzing_keeps_holds() {
    for (name, check) in TARGETS {
        let inputs = below_fuzz(&format!("corpus/{name}"));
        assert!(inputs.len() >= 6, "{name}: {}", inputs.len());
        for input in inputs {
            // The last line that is printed names the input that failed.
            println!("{}", input.display());
            check(&std::fs::read(input).expect("it can be read"));
        }
    }
}
