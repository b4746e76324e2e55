//! A repository's manifest: what is understood can be written down again and asks for the same, each
//! byte counts, and an error is one line that acts on no terminal.
#![cfg_attr(fuzzing, no_main)]

use std::fmt::Write as _;
use std::path::Path;

use kage_core::config::Manifest;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| check(data));

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let manifest = match parse(text) {
        Ok(manifest) => manifest,
        Err(said) => return assert!(!said.contains(char::is_control), "{said:?}"),
    };
    for same in [format!("{text}\n# a comment\n"), written(&manifest)] {
        let again = parse(&same).unwrap();
        assert_eq!(again.namespace, manifest.namespace);
        assert_eq!(again.required, manifest.required);
        assert_eq!(again.inject, manifest.inject);
        assert_eq!(again.digest == manifest.digest, same == text);
    }
    let asks = manifest.namespace.is_some() || manifest.inject.is_some();
    assert_eq!(manifest.asks_for_nothing(), !asks && manifest.required.is_empty());
}

fn parse(text: &str) -> Result<Manifest, String> {
    Manifest::parse(text, Path::new("config.toml")).map_err(|error| error.to_string())
}

/// Writes a manifest that asks for the same.
fn written(manifest: &Manifest) -> String {
    let mut text = String::new();
    if let Some(namespace) = &manifest.namespace {
        writeln!(text, "namespace = \"{namespace}\"").unwrap();
    }
    text.push_str("[secrets]\nrequired = [\n");
    for required in &manifest.required {
        write!(text, "{{ name = \"{}\"", required.name).unwrap();
        if let Some(description) = &required.description {
            text.push_str(", description = \"");
            for character in description.chars() {
                write!(text, "\\U{:08X}", u32::from(character)).unwrap();
            }
            text.push('"');
        }
        text.push_str(" },\n");
    }
    text.push_str("]\n");
    if let Some(names) = &manifest.inject {
        let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        writeln!(text, "inject = [{}]", names.join(", ")).unwrap();
    }
    text
}
