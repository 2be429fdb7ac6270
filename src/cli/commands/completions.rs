//! `flynn completions SHELL`

use clap::Args;
use clap_complete::Shell;

use crate::cli::answer::{Answer, Outcome};
use crate::cli::console::Console;

/// Print a script that completes flynn's commands and options in your shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flynn completions bash > ~/.local/share/bash-completion/completions/flynn
  flynn completions zsh > ~/.zfunc/_flynn
  flynn completions fish > ~/.config/fish/completions/flynn.fish")]
pub struct Arguments {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_enum, hide_possible_values = true)]
    shell: Shell,
}

pub fn execute(arguments: Arguments, console: &mut Console) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut crate::cli::command(), "flynn", &mut script);
    console.print(&String::from_utf8_lossy(&script))?;
    Ok(Answer::Yes)
}
