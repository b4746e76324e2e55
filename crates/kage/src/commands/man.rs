//! `kage man`.

use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::ui::{self, amount, printable};

/// Print the manual page of a command, or write all of them into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kage man run | man -l -
  kage man --dir ~/.local/share/man/man1        # from then on: man kage-secret-set")]
pub(crate) struct Args {
    /// The command, such as `secret set`; kage itself when none is given
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    dir: Option<String>,
}

pub(crate) fn run(cx: &Context, args: &Args) -> Result<(), Failure> {
    // The generated `help` commands explain nothing that the pages do not.
    let mut kage = Cli::command().disable_help_subcommand(true);
    kage.build();
    if let Some(dir) = &args.dir {
        let dir = cx.absolute(dir)?;
        let count = write_all(&kage, &dir)?;
        ui::say(format_args!("Wrote {} to {}.", amount(count, "page", "pages"), cx.short(&dir)));
        return Ok(());
    }
    Ok(ui::print_bytes(&page(find(&kage, &args.command)?)?)?)
}

fn find<'a>(kage: &'a clap::Command, words: &[String]) -> Result<&'a clap::Command, Failure> {
    words.iter().try_fold(kage, |command, word| {
        command.find_subcommand(word).filter(|found| !found.is_hide_set()).ok_or_else(|| {
            let bin = command.get_bin_name().unwrap_or("kage");
            let message = format!("`{bin}` has no command `{}`", printable(word));
            Failure::new(Kind::Usage, message).hint(format!("see its commands: {bin} --help"))
        })
    })
}

fn page(command: &clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    // Only the short help is short: a page explains every option.
    let command = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let source = concat!("kage ", env!("CARGO_PKG_VERSION"));
    let after_help = command.get_after_help().map(ToString::to_string);
    let has_commands = command.has_subcommands();
    let man = Man::new(command).source(source).manual("kage");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    examples(&after_help.unwrap_or_default()).to_writer(&mut page)?;
    Ok(page)
}

/// What stands behind the help, with its lines as they are: the generator would fill them.
fn examples(text: &str) -> Roff {
    let mut section = Roff::default();
    let (title, text) = match text.strip_prefix("Examples:\n") {
        Some(examples) => ("EXAMPLES", examples),
        None => ("NOTES", text),
    };
    if !text.is_empty() {
        section.control("SH", [title]).control("nf", []);
        for line in text.lines() {
            section.text([roman(line)]);
        }
        section.control("fi", []);
    }
    section
}

/// Writes the page of `command` and those of its commands. Returns how many.
#[expect(clippy::disallowed_methods, reason = "a manual page is for every user of the machine")]
fn write_all(command: &clap::Command, dir: &Path) -> Result<usize, Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = dir.join(format!("{name}.1"));
    let failed =
        |error| Failure::new(Kind::Failed, format!("cannot write `{}`: {error}", path.display()));
    std::fs::create_dir_all(dir).map_err(failed)?;
    std::fs::write(&path, page(command)?).map_err(failed)?;
    let commands = command.get_subcommands().filter(|command| !command.is_hide_set());
    commands.map(|command| write_all(command, dir)).try_fold(1, |sum, count| Ok(sum + count?))
}
