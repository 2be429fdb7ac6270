//! Numbers as people write them: three significant digits, the unit that fits, a no-break space between the two.

pub use crate::base::written::{SPACE, bytes, count, digits, signed_time, time, time_unit};

/// A count where there is little room: `1.23 M`.
pub fn short_count(value: u64) -> String {
    if value < 10_000 { count(value) } else { scaled(value as f64, "") }
}

/// A factor: `1.49×`.
pub fn factor(value: f64) -> String {
    format!("{}×", digits(value))
}

/// A share from 0 to 1 as a percentage: one decimal, more where it would read 0.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let text = match value.abs() {
        v if !v.is_finite() => "?".to_owned(),
        0.0 => "0".to_owned(),
        v if v < 0.01 => "<0.01".to_owned(),
        v if v < 0.1 => format!("{value:.2}"),
        100.0 => "100".to_owned(),
        v if v > 99.9 && v < 100.0 => ">99.9".to_owned(),
        _ => format!("{value:.1}"),
    };
    format!("{text}{SPACE}%")
}

/// A difference of shares as a percentage with its sign: `+3.2 %`.
pub fn signed_percent(share: f64) -> String {
    signed(share * 100.0, 1)
}

/// Per cent with their sign and so many decimals.
pub fn signed(percent: f64, decimals: usize) -> String {
    if percent.is_finite() { format!("{percent:+.decimals$}{SPACE}%").replace('-', "−") } else { format!("?{SPACE}%") }
}

/// A rate by powers of 1000: `rate(2.5e9, "B/s")` is `2.5 GB/s`.
pub fn rate(per_second: f64, unit: &str) -> String {
    scaled(per_second, unit)
}

fn scaled(value: f64, unit: &str) -> String {
    let steps = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match steps.into_iter().find(|(size, _)| value >= size * 0.9995) {
        Some((size, prefix)) => format!("{}{SPACE}{prefix}{unit}", digits(value / size)),
        None if unit.is_empty() => digits(value),
        None => format!("{}{SPACE}{unit}", digits(value)),
    }
}

/// `1 core`, `2 cores`.
pub fn plural(n: usize, noun: &str) -> String {
    format!("{}{SPACE}{noun}{}", count(n as u64), if n == 1 { "" } else { "s" })
}

/// A text without characters that XML cannot hold or that would move text about (controls and bidirectional overrides).
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The width in pixels a text is given in figures: fonts are the reader's, so this is a guess on the safe side.
pub fn text_width(text: &str, size: f64) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | SPACE | '.' | ',' | ':' | '|' | '\'' => 0.36,
            'm' | 'w' | 'M' | 'W' | '%' | '—' | '…' => 0.95,
            'A'..='Z' => 0.7,
            c if c.is_ascii() || matches!(c, 'µ' | '×' | '−' | '–') => 0.6,
            _ => 1.0,
        })
        .sum();
    ems * size
}

/// The text in as many of `lines` lines of `width` pixels as it takes, broken between words. What is too long loses its middle: its end
/// tells texts apart that begin alike.
pub fn lines(text: &str, width: f64, size: f64, lines: usize) -> Vec<String> {
    let text = printable(text);
    let mut broken = vec![String::new()];
    for word in text.split(' ') {
        let last = broken.last_mut().expect("begun with a line");
        let longer = if last.is_empty() { word.to_owned() } else { format!("{last} {word}") };
        if last.is_empty() || text_width(&longer, size) <= width {
            *last = longer;
        } else {
            broken.push(word.to_owned());
        }
    }
    if broken.len() <= lines && broken.iter().all(|line| text_width(line, size) <= width) {
        return broken;
    }
    let first = fit(&text, width, size);
    if lines < 2 {
        return vec![first];
    }
    vec![first, fit_end(&text, width, size)]
}

/// An ellipsis, then as much of the text's end as fits in `width` pixels.
fn fit_end(text: &str, width: f64, size: f64) -> String {
    let mut kept = String::new();
    for c in text.chars().rev() {
        let longer = format!("{c}{kept}");
        if text_width(&longer, size) + text_width("…", size) > width {
            break;
        }
        kept = longer;
    }
    format!("…{}", kept.trim_start())
}

/// The text, or as much of its beginning as fits in `width` pixels, then an ellipsis.
pub fn fit(text: &str, width: f64, size: f64) -> String {
    let text = printable(text);
    if text_width(&text, size) <= width {
        return text;
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if text_width(&kept, size) + text_width("…", size) > width {
            kept.pop();
            break;
        }
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: String) -> String {
        text.replace(SPACE, " ")
    }

    #[test]
    fn times_take_the_unit_that_fits() {
        let cases = [
            (0.0, "0 ps"),
            (7.0, "7 ps"),
            (1_234.0, "1.23 ns"),
            (999_600.0, "1 µs"),
            (12_345_678.0, "12.3 µs"),
            (1_500_000_000.0, "1.5 ms"),
            (999_400_000_000.0, "999 ms"),
            (2.5e12, "2.5 s"),
            (6.1e15, "6100 s"),
        ];
        for (value, expected) in cases {
            assert_eq!(plain(time(value)), expected);
        }
    }

    #[test]
    fn shares_keep_a_digit_that_says_something() {
        let cases = [
            (0.0, "0 %"),
            (0.000_001, "<0.01 %"),
            (0.000_123_4, "0.01 %"),
            (0.000_5, "0.05 %"),
            (0.0312, "3.1 %"),
            (0.9999, ">99.9 %"),
            (1.0, "100 %"),
            (f64::NAN, "? %"),
        ];
        for (value, expected) in cases {
            assert_eq!(plain(percent(value)), expected, "{value}");
        }
        assert_eq!(plain(signed_percent(0.0318)), "+3.2 %");
        assert_eq!(plain(signed_percent(-0.2)), "−20.0 %");
    }

    #[test]
    fn amounts_counts_and_rates() {
        assert_eq!([count(1_234_567), count(999), count(0)], ["1,234,567", "999", "0"]);
        assert_eq!(plain(bytes(32 * 1024)), "32 KiB");
        assert_eq!(plain(bytes(1_000_000)), "977 KiB");
        assert_eq!(plain(bytes(1023)), "1023 B");
        assert_eq!(plain(rate(25.6e9, "B/s")), "25.6 GB/s");
        assert_eq!(plain(rate(12.0, "FLOP/s")), "12 FLOP/s");
        assert_eq!(plain(short_count(9_999)), "9,999");
        assert_eq!(plain(short_count(1_234_567)), "1.23 M");
    }

    #[test]
    fn long_texts_are_cut_and_controls_shown() {
        let cut = fit("a machine with a very long name indeed", 90.0, 13.0);
        assert!(cut.ends_with('…') && text_width(&cut, 13.0) <= 90.0, "{cut}");
        assert_eq!(fit("short", 90.0, 13.0), "short");
        assert_eq!(lines("short", 90.0, 13.0, 2), ["short"]);
        let name = "model of this computer (some processor) (threads 2)";
        let whole = lines(name, 250.0, 13.0, 2);
        assert_eq!(whole.join(" "), name, "{whole:?}");
        let cut = lines(&name.repeat(3), 250.0, 13.0, 2);
        assert!(cut.len() == 2 && cut[0].ends_with('…') && cut[1].ends_with("(threads 2)"), "{cut:?}");
        assert!(cut.iter().all(|line| text_width(line, 13.0) <= 250.0));
        assert_eq!(printable("a\u{1b}[31m\u{202e}b"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(fit("xy", 0.0, 13.0), "…");
    }
}
