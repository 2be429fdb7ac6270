//! The help of `flynn`: commands in groups, as a person meets them.

use std::fmt::Write;

use clap::Command;
use clap::builder::styling::Style;

/// Groups and the commands in them. A command in none of them fails the test below.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Start here", &["tour", "list", "show", "new", "run", "compare", "explain"]),
    ("Study", &["experiment", "check", "topology", "schema"]),
    ("Host", &["validate"]),
    ("Shell", &["completions", "man"]),
];

const AFTER: &str = "\
MACHINE and WORKLOAD are a path or a name. Names are sought in ./configs/, then in what is built in.
Exit codes: 0 fine; 1 the answer is no; 2 the input is wrong. `flynn COMMAND --help` shows examples.";

/// The command with its help in groups.
pub fn grouped(command: Command) -> Command {
    let styles = command.get_styles().clone();
    let (header, literal) = (*styles.get_header(), *styles.get_literal());
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{}\n{}\n{{options}}\n\n{AFTER}\n",
        groups(&command, header, literal),
        heading("Options", header),
    );
    command.help_template(template)
}

fn groups(command: &Command, header: Style, literal: Style) -> String {
    let mut text = String::new();
    for (group, names) in GROUPS {
        let _ = writeln!(text, "\n{}", heading(group, header));
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{name:<12}{literal:#} {about}");
        }
    }
    text
}

fn heading(text: &str, style: Style) -> String {
    format!("{style}{text}:{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let command = super::super::command();
        for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
            let name = subcommand.get_name();
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&name)).count();
            assert_eq!(groups, 1, "{name}");
        }
    }
}
