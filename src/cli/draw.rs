//! Draws diagnostics as compilers do: the line, a caret under the fault, the sentence, what to write instead.

use std::path::Path;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle};

use super::answer::{Failure, Stopped};
use crate::base::diagnostic::{Diagnostic, SourceText, Span};
use crate::machine::catalogue::Kind;

/// Diagnostics drawn at most; the rest are counted.
const DRAWN_AT_MOST: usize = 20;

/// A failure as text for a terminal.
pub fn failure(failure: &Failure, colours: bool) -> String {
    match failure {
        Failure::Texts(diagnostics) => self::diagnostics(diagnostics, colours),
        Failure::Input { message, help } => plain(message, help.as_deref(), Level::ERROR, colours),
        Failure::Stopped(stopped) => self::stopped(stopped, colours),
    }
}

/// A warning as text for a terminal.
pub fn warning(message: &str, colours: bool) -> String {
    plain(message, None, Level::WARNING, colours)
}

/// Diagnostics, one after the other.
pub fn diagnostics(diagnostics: &[Diagnostic], colours: bool) -> String {
    let mut drawn: Vec<String> = diagnostics.iter().take(DRAWN_AT_MOST).map(|one| diagnostic(one, colours)).collect();
    if diagnostics.len() > DRAWN_AT_MOST {
        drawn.push(format!("... and {} more", diagnostics.len() - DRAWN_AT_MOST));
    }
    drawn.join("\n\n")
}

fn renderer(colours: bool) -> Renderer {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii)
}

fn plain(message: &str, help: Option<&str>, level: Level<'_>, colours: bool) -> String {
    let renderer = renderer(colours);
    let mut drawn = renderer.render(&[Group::with_title(level.primary_title(printable(message)))]);
    if let Some(help) = help {
        drawn.push('\n');
        drawn.push_str(&renderer.render(&[Group::with_title(Level::HELP.primary_title(printable(help)))]));
    }
    drawn
}

fn diagnostic(diagnostic: &Diagnostic, colours: bool) -> String {
    let places: Vec<(Span, &str)> = diagnostic.span.map(|span| (span, "")).into_iter().collect();
    let related = diagnostic.related.iter().map(|(span, message)| (*span, message.as_str()));
    let element = excerpt(&diagnostic.source, places, related.collect());
    let group = Level::ERROR.primary_title(printable(&diagnostic.message)).element(element);
    let group = group.elements(diagnostic.help.as_deref().map(|help| Level::HELP.message(printable(help))));
    renderer(colours).render(&[group])
}

fn stopped(stopped: &Stopped, colours: bool) -> String {
    // The title says what, the arrow says where: neither says it twice.
    let message = stopped
        .message
        .strip_prefix(&*stopped.source.name)
        .map_or(&*stopped.message, |rest| rest.trim_start_matches(|c: char| c == ':' || c == ' ' || c.is_ascii_digit()));
    let mut places = stopped.places.iter().map(|(span, label)| (*span, if message.contains(label) { "" } else { label.as_str() }));
    let first: Vec<(Span, &str)> = places.next().into_iter().collect();
    let element = excerpt(&stopped.source, first, places.collect());
    let title = Level::ERROR.with_name(printable(&stopped.kind)).primary_title(printable(message));
    let group = title.element(element).elements(stopped.help.as_deref().map(|help| Level::HELP.message(printable(help))));
    renderer(colours).render(&[group])
}

/// The lines of a text that hold the places, or only its name where there are none.
fn excerpt<'a>(source: &'a SourceText, primary: Vec<(Span, &'a str)>, context: Vec<(Span, &'a str)>) -> Element<'a> {
    if primary.is_empty() && context.is_empty() {
        return Origin::path(shown_name(source)).into();
    }
    let annotation = |kind: AnnotationKind, (span, message): (Span, &str)| {
        let label = (!message.is_empty()).then(|| printable(message));
        kind.span(inside(&source.text, span)).label(label)
    };
    Snippet::source(&*source.text)
        .path(shown_name(source))
        .annotations(primary.into_iter().map(|place| annotation(AnnotationKind::Primary, place)))
        .annotations(context.into_iter().map(|place| annotation(AnnotationKind::Context, place)))
        .into()
}

/// The text's name. One that is compiled in has the path of a file that its reader may not have.
fn shown_name(source: &SourceText) -> String {
    let shipped = Kind::ALL.iter().any(|kind| source.name.starts_with(&format!("{}/", kind.directory())));
    let built_in = if shipped && !Path::new(&*source.name).exists() { "built-in " } else { "" };
    format!("{built_in}{}", source.name)
}

/// The span cut to the text and widened to whole characters.
fn inside(text: &str, span: Span) -> std::ops::Range<usize> {
    let boundary = |byte: u32, step: isize| {
        let mut byte = (byte as usize).min(text.len());
        while !text.is_char_boundary(byte) {
            byte = byte.saturating_add_signed(step);
        }
        byte
    };
    let start = boundary(span.start, -1);
    start..boundary(span.end, 1).max(start)
}

/// The text with control characters shown, so that no file can drive the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> SourceText {
        SourceText::new("machine.toml", "name = \"m\"\n[node.cache.L1d]\nlatnecy = \"4 cycles\"\n")
    }

    #[test]
    fn a_diagnostic_shows_line_caret_sentence_and_help() {
        let diagnostic = Diagnostic::at(&source(), Span::new(28, 35), "unknown key `latnecy`")
            .related(Span::new(11, 27), "in this cache")
            .help("did you mean `latency`?");
        insta::assert_snapshot!(diagnostics(&[diagnostic], false), @r#"
        error: unknown key `latnecy`
         --> machine.toml:3:1
          |
        2 | [node.cache.L1d]
          | ---------------- in this cache
        3 | latnecy = "4 cycles"
          | ^^^^^^^
          |
          = help: did you mean `latency`?
        "#);
    }

    #[test]
    fn a_text_without_a_file_is_called_built_in() {
        let source = SourceText::new("configs/workloads/nobodys.flynn", "x\n");
        let drawn = diagnostics(&[Diagnostic::at(&source, Span::new(0, 1), "m")], false);
        assert!(drawn.contains("--> built-in configs/workloads/nobodys.flynn:1:1"), "{drawn}");
        let shipped = SourceText::new("configs/workloads/triad.flynn", "x\n");
        assert!(!diagnostics(&[Diagnostic::at(&shipped, None, "m")], false).contains("built-in"), "the package has this file");
    }

    #[test]
    fn a_whole_file_at_fault_is_named() {
        let diagnostic = Diagnostic::at(&source(), None, "a machine needs at least one [[node]]");
        insta::assert_snapshot!(diagnostics(&[diagnostic], false), @r"
        error: a machine needs at least one [[node]]
        --> machine.toml
        ");
    }

    #[test]
    fn a_stopped_run_names_its_kind_and_places() {
        let source = SourceText::new("p.flynn", "await flag == 1\nawait other == 1\n");
        let stopped = Stopped {
            kind: "deadlock".into(),
            message: "no thread can go on".into(),
            source,
            places: vec![(Span::new(0, 15), "thread 0 waits here".into()), (Span::new(16, 32), "thread 1 waits here".into())],
            help: None,
        };
        insta::assert_snapshot!(super::failure(&Failure::Stopped(Box::new(stopped)), false), @"
        deadlock: no thread can go on
         --> p.flynn:1:1
          |
        1 | await flag == 1
          | ^^^^^^^^^^^^^^^ thread 0 waits here
        2 | await other == 1
          | ---------------- thread 1 waits here
        ");
    }

    #[test]
    fn spans_outside_the_text_and_inside_characters_are_mended() {
        let source = SourceText::new("p", "µµ");
        for (start, end) in [(0, 9), (1, 3), (9, 9), (3, 1), (4, 4), (2, 2)] {
            let drawn = diagnostics(&[Diagnostic::at(&source, Span::new(start, end), "m")], false);
            assert!(drawn.contains("error: m"), "{drawn}");
        }
        let empty = SourceText::new("p", "");
        assert!(diagnostics(&[Diagnostic::at(&empty, Span::new(0, 1), "m")], false).contains("error: m"));
    }

    #[test]
    fn colours_are_drawn_only_when_asked_for_and_control_characters_never() {
        let diagnostic = Diagnostic::at(&source(), Span::new(0, 4), "a \x1b[31m key");
        assert!(diagnostics(std::slice::from_ref(&diagnostic), true).contains('\x1b'));
        assert!(!diagnostics(&[diagnostic], false).contains('\x1b'));
    }
}
