//! Text in columns.

/// Columns of a line; longer texts are wrapped.
const WIDTH: usize = 110;

/// The text after a head of `indent` columns, wrapped so that further lines begin under the first, with a newline at its end.
pub fn hanging(head: &str, indent: usize, text: &str) -> String {
    let mut lines = format!("{head:<indent$}");
    let mut column = indent;
    for (i, word) in text.split(' ').enumerate() {
        let width = word.chars().count();
        if i > 0 && column + 1 + width > WIDTH {
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
        let text = labelled("why", &"word ".repeat(40));
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(13))));
    }

    #[test]
    fn a_word_longer_than_a_line_stays_whole() {
        let word = "x".repeat(300);
        assert_eq!(labelled("why", &word).trim_end(), format!("  why        {word}"));
    }
}
