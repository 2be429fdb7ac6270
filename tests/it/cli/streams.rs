//! Help, completions, manual pages, pipes, colours, and arguments that are wrong.

use std::io::Read;
use std::process::Stdio;

use super::Directory;

#[test]
fn help_is_grouped_and_every_command_teaches() {
    let here = Directory::new();
    let help = here.flynn(&["--help"]).ends_with(0);
    for group in ["Start here:", "Study:", "Host:"] {
        assert!(help.out.contains(group), "{}", help.out);
    }
    assert!(help.err.is_empty() && !help.out.contains("host-child"));
    for command in ["tour", "list", "show", "new", "run", "check", "schema", "validate", "completions", "man"] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command} is not in the help");
        let help = here.flynn(&[command, "--help"]).ends_with(0);
        assert!(help.out.contains(&format!("flynn {command}")), "{}", help.out);
    }
}

#[test]
fn wrong_arguments_end_with_two() {
    let here = Directory::new();
    for arguments in
        [&[][..], &["rnu"], &["run"], &["run", "a", "b", "--threads", "0"], &["run", "a", "b", "--set", "x"], &["list", "x"]]
    {
        let refused = here.flynn(arguments).ends_with(2);
        assert!(refused.out.is_empty() && !refused.err.is_empty(), "{arguments:?}");
    }
    assert!(here.flynn(&["validat"]).err.contains("'validate'"), "the nearest command is named");
}

#[test]
fn planned_commands_say_that_they_are_not_built_yet() {
    let here = Directory::new();
    for command in ["scale", "calibrate"] {
        let refused = here.flynn(&[command, "a", "b"]).ends_with(2);
        assert!(refused.err.contains(&format!("`flynn {command}` is not built yet")), "{}", refused.err);
    }
}

#[test]
fn completions_and_manual_pages_are_made() {
    let here = Directory::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = here.flynn(&["completions", shell]).ends_with(0).out;
        assert!(script.contains("validate") && script.contains("threads"), "{shell}");
    }
    here.flynn(&["man", "pages/man1"]).ends_with(0);
    let pages = here.names("pages/man1");
    assert!(pages.contains(&"flynn.1".to_owned()) && pages.contains(&"flynn-run.1".to_owned()), "{pages:?}");
    assert!(!pages.iter().any(|page| page.contains("host-child")));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let here = Directory::new();
    for arguments in [&["list"][..], &["list", "--format", "json"], &["--help"], &["completions", "bash"], &["show", "triad"]] {
        let mut child = here.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {said}");
        assert!(said.is_empty(), "{arguments:?}: {said}");
    }
}

#[test]
fn no_escape_sequence_goes_to_a_pipe() {
    let here = Directory::new();
    here.file("broken.toml", "name = 1\n[[node]]\ncoers = 4\n");
    for no_color in [None, Some("1")] {
        for arguments in [&["check", "broken.toml"][..], &["--help"], &["run", "nothing", "triad"], &["list"]] {
            let mut command = here.command(arguments);
            no_color.map(|value| command.env("NO_COLOR", value));
            let output = command.output().unwrap();
            assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{arguments:?}");
        }
    }
}
