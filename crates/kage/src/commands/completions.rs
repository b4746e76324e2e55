//! `kage completions`.

use crate::completion::Shell;
use crate::failure::Failure;
use crate::ui;

/// Print the script that makes a shell complete commands, and the names of your secrets
///
/// The script asks kage each time you press Tab. No value is read then, and nobody is asked for a passphrase:
/// while the keychain or the vault is locked, only commands, options and paths are completed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Put the line of your shell into its start-up file:
  bash        ~/.bashrc                    source <(kage completions bash)
  zsh         ~/.zshrc, after `compinit`   source <(kage completions zsh)
  fish        ~/.config/fish/config.fish   kage completions fish | source
  elvish      ~/.config/elvish/rc.elv      eval (kage completions elvish | slurp)
  PowerShell  $PROFILE                     kage completions powershell | Out-String | iex")]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    Ok(ui::print_bytes(args.shell.script().as_bytes())?)
}
