//! Manual pages.

use std::collections::BTreeSet;

use crate::help::COMMANDS;
use crate::world::World;

#[test]
fn a_page_explains_a_command_and_each_of_its_options() {
    let world = World::bare();
    let page = world.kage(["man", "secret", "set"]);
    assert!(page.status.success() && page.stderr.is_empty(), "{page}");
    let page = page.out();
    assert!(page.contains(".TH kage-secret-set 1"), "{page}");
    for part in ["Store a secret", "from\\-file", "Ask for the value twice", "first line of a file"]
    {
        assert!(page.contains(part), "no `{part}`: {page}");
    }
    assert_eq!(world.kage(["man"]).out().lines().find(|line| line.starts_with(".TH")), {
        Some(concat!(".TH kage 1  \"kage ", env!("CARGO_PKG_VERSION"), "\" kage"))
    });
}

#[test]
fn all_pages_are_written_into_a_folder_and_man_finds_no_fault() {
    let world = World::bare();
    let said = world.kage(["man", "--dir", "~/man/man1"]);
    assert!(said.status.success(), "{said}");
    let folder = world.home().join("man/man1");
    let files = std::fs::read_dir(&folder).unwrap();
    let files: BTreeSet<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let page = |command: &&str| format!("kage {command}").trim_end().replace(' ', "-") + ".1";
    let short_forms = ["set", "get", "list", "delete", "why"];
    assert_eq!(files, COMMANDS.iter().chain(&short_forms).map(page).collect());
    assert_eq!(said.err(), format!("Wrote {} pages to ~/man/man1.\n", files.len()));
    for file in files {
        let path = folder.join(&file);
        let arguments = ["--warnings", "--local-file", path.to_str().unwrap()];
        let output = world.command("man", arguments).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{file}: {output:?}");
        assert!(output.stdout.len() > 200, "{file}: {output:?}");
    }
}

#[test]
fn a_command_that_is_not_there_has_no_page() {
    insta::assert_snapshot!(World::bare().kage(["man", "secret", "sett"]), @"
    ------- stderr -------
    error: `kage secret` has no command `sett`
    hint: see its commands: kage secret --help
    [exit code: 2]
    ");
}
