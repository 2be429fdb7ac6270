//! Times and counts as people write them: three significant digits, the unit that fits, a no-break space between the two.

/// Between a number and its unit.
pub const SPACE: char = '\u{a0}';

/// A unit of time and the picoseconds it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeUnit {
    pub name: &'static str,
    pub picoseconds: f64,
}

const TIME_UNITS: [TimeUnit; 5] = [
    TimeUnit { name: "s", picoseconds: 1e12 },
    TimeUnit { name: "ms", picoseconds: 1e9 },
    TimeUnit { name: "µs", picoseconds: 1e6 },
    TimeUnit { name: "ns", picoseconds: 1e3 },
    TimeUnit { name: "ps", picoseconds: 1.0 },
];

/// The unit for a time and for axes that end there.
pub fn time_unit(picoseconds: f64) -> TimeUnit {
    // 999.6 ns would be written as 1000 ns: it is 1 µs.
    TIME_UNITS.into_iter().find(|unit| picoseconds >= unit.picoseconds * 0.9995).unwrap_or(TIME_UNITS[4])
}

/// Three significant digits, without zeros at the end of a fraction; `1234` stays whole.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return "0".to_owned();
    }
    let decimals = match magnitude {
        m if m >= 99.95 => 0,
        m if m >= 9.995 => 1,
        m if m >= 0.9995 => 2,
        m if m >= 0.09995 => 3,
        m if m >= 0.009995 => 4,
        _ => return format!("{value:.2e}"),
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A time in picoseconds: `1.23 ms`.
pub fn time(picoseconds: f64) -> String {
    let unit = time_unit(picoseconds);
    format!("{}{SPACE}{}", digits(picoseconds / unit.picoseconds), unit.name)
}

/// A difference of times with its sign: `+1.23 ms`.
pub fn signed_time(picoseconds: f64) -> String {
    format!("{}{}", if picoseconds < 0.0 { '−' } else { '+' }, time(picoseconds.abs()))
}

/// A count in full: `1,234,567`.
pub fn count(value: u64) -> String {
    let plain = value.to_string();
    let mut text = String::with_capacity(plain.len() + plain.len() / 3);
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount of memory or of data, by powers of 1024: `32 KiB`.
pub fn bytes(value: u64) -> String {
    let mut scaled = value as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if scaled < 1023.5 {
            return format!("{}{SPACE}{unit}", digits(scaled));
        }
        scaled /= 1024.0;
    }
    format!("{}{SPACE}PiB", digits(scaled))
}
