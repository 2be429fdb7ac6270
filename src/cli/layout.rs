//! Text in columns.

use std::sync::LazyLock;

/// Columns of a line where nothing else is known; longer texts are wrapped.
const WIDTH: usize = 110;
/// Columns below which a text is not wrapped, however narrow the terminal is.
const NARROWEST: usize = 50;

/// The columns there are: as many as the terminal has, and no more than can be read with ease.
fn columns() -> usize {
    static COLUMNS: LazyLock<usize> = LazyLock::new(|| {
        let terminal = terminal_size::terminal_size_of(std::io::stdout());
        terminal.map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(NARROWEST, WIDTH))
    });
    *COLUMNS
}

/// The text after a head of `indent` columns, wrapped so that further lines begin under the first, with a newline at its end.
pub fn hanging(head: &str, indent: usize, text: &str) -> String {
    wrapped(head, indent, text, columns())
}

fn wrapped(head: &str, indent: usize, text: &str, columns: usize) -> String {
    let mut lines = format!("{head:<indent$}");
    let mut column = indent;
    for (i, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if i > 0 && column + 1 + width > columns {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if i > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    lines.push('\n');
    lines
}

/// A labelled line of a summary.
pub fn labelled(label: &str, text: &str) -> String {
    hanging(&format!("  {label}"), 13, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_wrapped_under_their_beginning() {
        for columns in [NARROWEST, WIDTH] {
            let text = wrapped("  why", 13, &"word ".repeat(40), columns);
            assert!(text.lines().count() > 1 && text.lines().all(|line| line.chars().count() <= columns), "{text}");
            assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(13))));
        }
    }

    #[test]
    fn a_word_longer_than_a_line_stays_whole() {
        let word = "x".repeat(300);
        assert_eq!(labelled("why", &word).trim_end(), format!("  why        {word}"));
    }
}
