//! Names and scopes: what parses prints as it was written, and means the same when parsed again.
#![cfg_attr(fuzzing, no_main)]

use std::path::Path;

use kage_core::name::{Label, RepoPath, Reserved, Scope, SecretName};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| check(data));

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(scope) = text.parse::<Scope>() {
        assert_eq!(scope.to_string(), text);
        assert_eq!(Scope::from_service(&scope.service()).as_ref(), Ok(&scope));
    }
    if let Ok(scope) = Scope::from_service(text) {
        assert_eq!(scope.service(), text);
    }
    if let Ok(name) = text.parse::<SecretName>() {
        assert_eq!(name.as_str(), text);
        assert!(text.len() <= 255 && !text.contains(['=', '\0']));
        // However it is classed, its letters decide, and not how they are passed.
        assert_eq!(Reserved::class_of(&name), Reserved::class_of(&text.parse().unwrap()));
    }
    if let Ok(label) = text.parse::<Label>() {
        assert_eq!(label.as_str(), text);
        assert!(!text.contains([':', '/']) && !text.starts_with(['.', '-']));
    }
    if let Ok(path) = RepoPath::new(Path::new(text)) {
        assert_eq!(path.as_str(), text);
        assert!(path.as_path().is_absolute() && !text.contains('\0'));
        assert!(!text.split('/').any(|part| part == ".."));
        assert_eq!(format!("repo:{text}").parse(), Ok(Scope::Repo(path)));
    }
}
