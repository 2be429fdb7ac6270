//! Reading and writing a decimal number with a unit, exactly: `25.6 GB/s` is 25 600 000 000 bytes per second and nothing near it.

use std::fmt;

use crate::base::diagnostic::nearest;

/// Why a text is not the quantity that is wanted, and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantityError {
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.help {
            Some(help) => write!(f, "{}: {help}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for QuantityError {}

fn error(problem: impl Into<String>, help: impl Into<String>) -> QuantityError {
    QuantityError { problem: problem.into(), help: Some(help.into()) }
}

/// A unit: how it is written, and how many base units (bytes, Hz, ps, bytes/s, cycles) it is.
pub(super) type Unit = (&'static str, u64);

/// What one kind of quantity is called and measured in.
#[derive(Debug, PartialEq)]
pub(super) struct Kind {
    /// With its article: "a size".
    pub(super) name: &'static str,
    /// What its base unit counts: "bytes".
    pub(super) counts: &'static str,
    /// In ascending order.
    pub(super) units: &'static [Unit],
    /// Other writings of units, accepted and never written.
    pub(super) synonyms: &'static [Unit],
    /// Two right texts.
    pub(super) examples: &'static [&'static str],
    /// The units to suggest where none is written.
    pub(super) suggested: &'static [&'static str],
    /// Whether a fraction of the base unit can be kept.
    pub(super) fractional: bool,
}

macro_rules! byte_units {
    ($($suffix:literal)?) => {
        &[
            (concat!("B" $(, $suffix)?), 1),
            (concat!("kB" $(, $suffix)?), 1_000),
            (concat!("KiB" $(, $suffix)?), 1 << 10),
            (concat!("MB" $(, $suffix)?), 1_000_000),
            (concat!("MiB" $(, $suffix)?), 1 << 20),
            (concat!("GB" $(, $suffix)?), 1_000_000_000),
            (concat!("GiB" $(, $suffix)?), 1 << 30),
            (concat!("TB" $(, $suffix)?), 1_000_000_000_000),
            (concat!("TiB" $(, $suffix)?), 1 << 40),
        ]
    };
}

pub(super) static SIZE: Kind = Kind {
    name: "a size",
    counts: "bytes",
    units: byte_units!(),
    synonyms: &[],
    examples: &["64 KiB", "32 B"],
    suggested: &["KiB", "B"],
    fractional: false,
};

pub(super) static FREQUENCY: Kind = Kind {
    name: "a frequency",
    counts: "Hz",
    units: &[("Hz", 1), ("kHz", 1_000), ("MHz", 1_000_000), ("GHz", 1_000_000_000)],
    synonyms: &[],
    examples: &["2.6 GHz", "1300 MHz"],
    suggested: &["GHz", "MHz"],
    fractional: true,
};

pub(super) static TIME: Kind = Kind {
    name: "a time",
    counts: "picoseconds",
    units: &[("ps", 1), ("ns", 1_000), ("us", 1_000_000), ("ms", 1_000_000_000), ("s", 1_000_000_000_000)],
    // The micro sign and the Greek letter look the same.
    synonyms: &[("\u{b5}s", 1_000_000), ("\u{3bc}s", 1_000_000)],
    examples: &["60 ns", "1.5 us"],
    suggested: &["ns", "us"],
    fractional: false,
};

pub(super) static BANDWIDTH: Kind = Kind {
    name: "a bandwidth",
    counts: "bytes per second",
    units: byte_units!("/s"),
    synonyms: &[],
    examples: &["25.6 GB/s", "32 GiB/s"],
    suggested: &["GB/s", "GiB/s"],
    fractional: false,
};

pub(super) static CYCLES: Kind = Kind {
    name: "a number of cycles",
    counts: "cycles",
    units: &[("cycles", 1)],
    synonyms: &[("cycle", 1)],
    examples: &["4 cycles", "1 cycle"],
    suggested: &["cycles"],
    fractional: false,
};

/// A time, or a number of cycles; the latter is read as [`CYCLES`].
pub(super) static LATENCY: Kind = Kind {
    name: "a time or a number of cycles",
    counts: "picoseconds",
    units: &[("ps", 1), ("ns", 1_000), ("us", 1_000_000), ("ms", 1_000_000_000), ("s", 1_000_000_000_000), ("cycles", 0)],
    synonyms: TIME.synonyms,
    examples: &["60 ns", "4 cycles"],
    suggested: &["ns", "cycles"],
    fractional: false,
};

static KINDS: [&Kind; 5] = [&SIZE, &FREQUENCY, &TIME, &BANDWIDTH, &CYCLES];

/// Numerator and denominator, a power of ten, of a quantity in base units.
pub(super) type Fraction = (u128, u128);

impl Kind {
    fn unit(&self, text: &str) -> Option<u64> {
        self.units.iter().chain(self.synonyms).find(|unit| unit.0 == text).map(|unit| unit.1)
    }

    /// What to write for a number that lacks a unit.
    fn with_units(&self, number: &str) -> String {
        let written: Vec<String> = self.suggested.iter().map(|unit| format!("\"{number} {unit}\"")).collect();
        format!("write {}", written.join(" or "))
    }

    fn for_example(&self) -> String {
        format!("write {} such as \"{}\"", self.name, self.examples[0])
    }

    /// That a number stands where a text with a unit is wanted.
    pub(super) fn lacks_unit(&self, number: &str) -> QuantityError {
        if number.starts_with('-') {
            return self.not_a_number(number);
        }
        error(format!("{} has no unit", shortened(number)), self.with_units(&shortened(number)))
    }

    /// The quantity that a text gives, in base units.
    pub(super) fn parse(&self, text: &str) -> Result<Fraction, QuantityError> {
        let text = text.trim();
        let (number, unit) = split(text);
        if number.is_empty() {
            return Err(self.not_a_number(text));
        }
        if !is_decimal(number) {
            let problem = format!("{} is not a number", quoted(number));
            return Err(error(problem, format!("write digits with at most one point, as in \"{}\"", self.examples[0])));
        }
        if unit.is_empty() {
            return Err(self.lacks_unit(number));
        }
        let size = self.unit(unit).ok_or_else(|| self.wrong_unit(text, number, unit))?;
        let too_long = || QuantityError { problem: format!("{} has too many digits", quoted(text)), help: None };
        let (digits, scale) = decimal_of(number).ok_or_else(too_long)?;
        let numerator = digits.checked_mul(u128::from(size)).ok_or_else(|| self.too_large(text))?;
        let (numerator, denominator) = reduce(numerator, scale);
        if denominator != 1 && !self.fractional {
            return Err(QuantityError {
                problem: format!("{} is not a whole number of {}", quoted(text), self.counts),
                help: None,
            });
        }
        Ok((numerator, denominator))
    }

    /// The quantity that a text gives, in whole base units below 2^64 - 1.
    pub(super) fn parse_whole(&self, text: &str) -> Result<u64, QuantityError> {
        let (numerator, _) = self.parse(text)?;
        u64::try_from(numerator).ok().filter(|&number| number < u64::MAX).ok_or_else(|| self.too_large(text))
    }

    fn not_a_number(&self, text: &str) -> QuantityError {
        if text.is_empty() {
            error("the text is empty", self.for_example())
        } else if text.starts_with(['-', '\u{2212}']) {
            error(format!("{} is negative", quoted(text)), self.for_example())
        } else {
            error(format!("{} does not begin with a number", quoted(text)), self.for_example())
        }
    }

    pub(super) fn too_large(&self, text: &str) -> QuantityError {
        let problem = format!("{} is too large", quoted(text.trim()));
        error(problem, format!("{} stays below 2^64 {}", self.name, self.counts))
    }

    /// Why `unit` is none of this kind.
    fn wrong_unit(&self, text: &str, number: &str, unit: &str) -> QuantityError {
        let whole = quoted(text);
        if let Some(comma) = unit.strip_prefix(',') {
            let fraction: String = comma.chars().take_while(char::is_ascii_digit).collect();
            return error(format!("{whole} has a comma"), format!("write the decimal point, {number}.{fraction}"));
        }
        if let Some(other) = KINDS.iter().find(|kind| kind.unit(unit).is_some()) {
            return error(format!("{whole} is {}", other.name), self.for_example());
        }
        if let Some(error) = self.unclear_bytes(number, unit, &whole) {
            return error;
        }
        let units = || self.units.iter().map(|unit| unit.0);
        let problem = format!("{} is no unit of {}", quoted(unit), self.name);
        match units().find(|known| known.eq_ignore_ascii_case(unit)).or_else(|| nearest(unit, units())) {
            Some(known) => error(problem, format!("write \"{number} {known}\"")),
            None if self.units.len() == 1 => error(problem, self.with_units(number)),
            None => error(problem, format!("write one of {}", units().collect::<Vec<_>>().join(", "))),
        }
    }

    /// What is said of units that mean 1000 bytes to some and 1024 to others, that lack their B, or that count bits.
    fn unclear_bytes(&self, number: &str, unit: &str, whole: &str) -> Option<QuantityError> {
        let per_second = match self.name {
            name if name == SIZE.name => "",
            name if name == BANDWIDTH.name => "/s",
            _ => return None,
        };
        let bare = unit.strip_suffix("/s").or_else(|| unit.strip_suffix("ps")).unwrap_or(unit);
        let prefix = "kmgt".find(bare.chars().next()?.to_ascii_lowercase());
        let (decimal, binary) =
            prefix.map_or(("B", "B"), |index| [("kB", "KiB"), ("MB", "MiB"), ("GB", "GiB"), ("TB", "TiB")][index]);
        let rest = if prefix.is_some() { &bare[1..] } else { bare };
        let say = |number: &str, unit: &str| format!("\"{number} {unit}{per_second}\"");
        match rest {
            "B" | "" if bare.starts_with('K') => Some(error(
                format!("{whole} could mean 1000 or 1024 {} each", self.counts),
                format!("say {} (1024) or {} (1000)", say(number, binary), say(number, decimal)),
            )),
            "" if prefix.is_some() => Some(error(
                format!("{whole} lacks the B of its unit"),
                format!("say {} (1024s) or {} (1000s)", say(number, binary), say(number, decimal)),
            )),
            "b" | "bit" | "bits" | "ib" | "ibit" => {
                let unit = if rest.starts_with('i') { binary } else { decimal };
                let (digits, scale) = decimal_of(number)?;
                let eighth = write_decimal(digits, scale.checked_mul(8)?)?;
                Some(error(
                    format!("{whole} counts bits"),
                    format!("say {} for as many bits, or {} for bytes", say(&eighth, unit), say(number, unit)),
                ))
            }
            _ => None,
        }
    }

    /// Writes the quantity exactly, in the unit that leaves a number of at least 1 with the fewest characters; of several, the largest.
    pub(super) fn write(&self, (numerator, denominator): Fraction, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base, _) = self.units[0];
        let mut best = (write_decimal(numerator, denominator).expect("quantities are decimal numbers of their base unit"), base);
        for &(unit, size) in &self.units[1..] {
            let scaled = denominator * u128::from(size);
            if scaled <= numerator
                && let Some(number) = write_decimal(numerator, scaled)
                && number.len() <= best.0.len()
            {
                best = (number, unit);
            }
        }
        write!(f, "{} {}", best.0, best.1)
    }
}

/// The leading number, and what follows it.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

/// Whether a text is digits with at most one point between them. Digits can be grouped by `_`, as in TOML.
fn is_decimal(number: &str) -> bool {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let grouped =
        |digits: &str| digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    grouped(whole) && grouped(fraction)
}

/// The digits of a decimal number without its point, and the power of ten to divide them by; `None` of too many digits.
fn decimal_of(number: &str) -> Option<Fraction> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = fraction.trim_end_matches(['0', '_']);
    let mut digits = 0u128;
    let mut scale = 1u128;
    for digit in whole.bytes().filter(u8::is_ascii_digit) {
        digits = digits.checked_mul(10)?.checked_add(u128::from(digit - b'0'))?;
    }
    for digit in fraction.bytes().filter(u8::is_ascii_digit) {
        digits = digits.checked_mul(10)?.checked_add(u128::from(digit - b'0'))?;
        scale = scale.checked_mul(10)?;
    }
    Some((digits, scale))
}

fn reduce(numerator: u128, denominator: u128) -> Fraction {
    let (mut a, mut b) = (numerator, denominator);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    (numerator / a, denominator / a)
}

/// A fraction as an exact decimal number, `None` where that would not end.
fn write_decimal(numerator: u128, denominator: u128) -> Option<String> {
    let mut written = (numerator / denominator).to_string();
    let mut rest = numerator % denominator;
    if rest != 0 {
        written.push('.');
    }
    let mut digits = 0;
    while rest != 0 {
        digits += 1;
        if digits > 40 {
            return None;
        }
        let shifted = rest.checked_mul(10)?;
        written.push((b'0' + (shifted / denominator) as u8) as char);
        rest = shifted % denominator;
    }
    Some(written)
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

/// A text, cut short where it is long.
fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > 40 {
        shown.push_str("...");
    }
    shown
}
