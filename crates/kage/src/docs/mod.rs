//! The parts of the documents that are made from the code: the reference of commands, variables,
//! reserved names, exit codes. Each stands between two comments, `generated: NAME` and `end`; what is
//! around them is written by hand.
//!
//! `UPDATE_DOCS=1 cargo nextest run -p kage docs` writes them; without it, a part that is out of date
//! fails its test.

mod pages;
mod reference;

use std::path::Path;

/// How the parts are brought up to date.
const UPDATE: &str = "UPDATE_DOCS=1 cargo nextest run -p kage docs";

/// A part of a page: its name, and its text without the line ends around it.
type Part = (String, String);

#[test]
fn the_reference_of_commands_is_that_of_the_command_line() {
    check("docs/cli.md", &[("reference".to_owned(), reference::of_commands())]);
}

#[test]
fn the_variables_and_reserved_names_are_those_of_the_code() {
    check("docs/environment.md", &pages::environment());
}

#[test]
fn the_exit_codes_and_kinds_of_failure_are_those_of_the_code() {
    check("docs/exit-codes.md", &pages::exit_codes());
}

#[test]
fn a_part_is_replaced_and_what_is_around_it_stays() {
    let page = "a\n<!-- generated: x -->\n\nold\n\n<!-- end -->\nb\n";
    let parts = |name: &str| [(name.to_owned(), "new\nlines".to_owned())];
    let expected = "a\n<!-- generated: x -->\n\nnew\nlines\n\n<!-- end -->\nb\n";
    assert_eq!(with_parts(page, &parts("x")), Ok(expected.to_owned()));
    assert_eq!(with_parts(expected, &parts("x")), Ok(expected.to_owned()));
    assert_eq!(with_parts(page, &parts("y")), Err("there is no part `y`".to_owned()));
    let open = "<!-- generated: x -->\nold\n";
    assert_eq!(with_parts(open, &parts("x")), Err("the part `x` does not end".to_owned()));
    let unknown = format!("{page}<!-- generated: z -->\n<!-- end -->\n");
    let left_over = Err("1 part is of no use".to_owned());
    assert_eq!(with_parts(&unknown, &parts("x")), left_over);
}

/// Compares the parts of a page with `parts`, or writes them there.
#[expect(clippy::disallowed_methods, reason = "a test reads and writes a document of the project")]
fn check(page: &str, parts: &[Part]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page);
    let is = std::fs::read_to_string(&path).unwrap();
    let should_be = with_parts(&is, parts).unwrap_or_else(|error| panic!("{page}: {error}"));
    if is == should_be {
        return;
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, should_be).unwrap();
        return;
    }
    let differs = |(is, should_be): &(&str, &str)| is != should_be;
    let lines = is.lines().zip(should_be.lines());
    let (is, should_be) = lines.into_iter().find(differs).unwrap_or_default();
    panic!("{page} is out of date:\n  - {is}\n  + {should_be}\nbring it up to date: {UPDATE}");
}

/// Puts `parts` in the place of those that `page` has.
fn with_parts(page: &str, parts: &[Part]) -> Result<String, String> {
    const END: &str = "<!-- end -->";
    let mut written = page.to_owned();
    for (name, text) in parts {
        let begin = format!("<!-- generated: {name} -->\n");
        let (before, rest) =
            written.split_once(&begin).ok_or_else(|| format!("there is no part `{name}`"))?;
        let (_, after) =
            rest.split_once(END).ok_or_else(|| format!("the part `{name}` does not end"))?;
        written = format!("{before}{begin}\n{text}\n\n{END}{after}");
    }
    let there = written.matches("<!-- generated: ").count();
    match there.checked_sub(parts.len()) {
        Some(0) => Ok(written),
        unknown => Err(format!("{} part is of no use", unknown.unwrap_or_default())),
    }
}
