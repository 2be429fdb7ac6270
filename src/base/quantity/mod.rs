//! Quantities with units, as configurations write them: sizes, frequencies, times, bandwidths and cycles. Each is exact, reads the text
//! it writes, and says in a sentence what is wrong with any other.
//!
//! Prefixes are the standard ones (IEC 80000-13): k, M, G, T are powers of 1000, Ki, Mi, Gi, Ti powers of 1024. `KB`, which is neither,
//! is refused.

mod text;

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

pub use text::QuantityError;
use text::{BANDWIDTH, CYCLES, FREQUENCY, Kind, LATENCY, SIZE, TIME};

use super::diagnostic::Diagnostics;
use super::document::{Data, Field, Shape, Value};
use super::time::{Clock, PICOSECONDS_PER_SECOND, Time};

/// A number of bytes: "64 KiB", "1 kB", "32 B".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// A clock's frequency, an exact fraction of Hz: "2.6 GHz", "33.3333 MHz".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frequency {
    numerator: u64,
    denominator: u64,
}

/// A stretch of time in whole picoseconds: "60 ns", "1.5 us".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub Time);

/// Bytes per second, at least 1: "25.6 GB/s", "32 GiB/s".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth(u64);

/// A number of cycles of the owning part's clock: "4 cycles".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cycles(pub u64);

/// How long something takes: cycles of the owning part's clock, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Latency {
    /// "4 cycles"
    Cycles(Cycles),
    /// "60 ns"
    Time(Duration),
}

impl Frequency {
    /// A whole number of Hz, `None` where no clock can run at it: 0, or above 1 THz.
    pub fn from_hertz(hertz: u64) -> Option<Frequency> {
        Clock::from_hertz(hertz, 1).map(|_| Frequency { numerator: hertz, denominator: 1 })
    }

    /// The clock that runs at it.
    pub fn clock(self) -> Clock {
        Clock::from_hertz(self.numerator, self.denominator).expect("checked when the frequency was made")
    }
}

impl Bandwidth {
    /// A bandwidth, `None` of 0 bytes per second.
    pub fn new(bytes_per_second: u64) -> Option<Bandwidth> {
        (bytes_per_second > 0).then_some(Bandwidth(bytes_per_second))
    }

    /// In bytes per second.
    #[inline]
    pub fn bytes_per_second(self) -> u64 {
        self.0
    }

    /// How long `bytes` bytes take, rounded up to a picosecond; [`Time::NEVER`] where that is out of range.
    #[inline]
    pub fn transfer_time(self, bytes: u64) -> Time {
        match bytes.checked_mul(PICOSECONDS_PER_SECOND) {
            Some(product) => Time(product.div_ceil(self.0)),
            None => {
                let wide = (u128::from(bytes) * u128::from(PICOSECONDS_PER_SECOND)).div_ceil(u128::from(self.0));
                Time(u64::try_from(wide).unwrap_or(u64::MAX))
            }
        }
    }
}

impl Latency {
    /// In cycles of `clock`, rounded up.
    pub fn cycles(self, clock: Clock) -> u64 {
        match self {
            Latency::Cycles(Cycles(cycles)) => cycles,
            Latency::Time(Duration(time)) => clock.cycle_at_or_after(time),
        }
    }

    /// In picoseconds, counted from an edge of `clock` that is at time zero, rounded down as all edges are.
    pub fn time(self, clock: Clock) -> Time {
        match self {
            Latency::Cycles(Cycles(cycles)) => clock.edge(cycles),
            Latency::Time(Duration(time)) => time,
        }
    }
}

impl FromStr for ByteSize {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<ByteSize, QuantityError> {
        SIZE.parse_whole(text).map(ByteSize)
    }
}

impl FromStr for Frequency {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Frequency, QuantityError> {
        let (numerator, denominator) = FREQUENCY.parse(text)?;
        if numerator == 0 {
            let help = Some("write a frequency such as \"2.6 GHz\"".to_string());
            return Err(QuantityError { problem: format!("a clock of {} never runs", text.trim()), help });
        }
        let too_precise = || QuantityError { problem: format!("\"{}\" has too many digits", text.trim()), help: None };
        if numerator / denominator >= u128::from(PICOSECONDS_PER_SECOND) && numerator != u128::from(PICOSECONDS_PER_SECOND) {
            let help = Some("a cycle lasts at least a picosecond, so a clock runs at 1000 GHz at most".to_string());
            return Err(QuantityError { problem: format!("\"{}\" is too fast", text.trim()), help });
        }
        let (Ok(numerator), Ok(denominator)) = (u64::try_from(numerator), u64::try_from(denominator)) else {
            return Err(too_precise());
        };
        Clock::from_hertz(numerator, denominator).map(|_| Frequency { numerator, denominator }).ok_or_else(too_precise)
    }
}

impl FromStr for Duration {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Duration, QuantityError> {
        TIME.parse_whole(text).map(|picoseconds| Duration(Time(picoseconds)))
    }
}

impl FromStr for Bandwidth {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Bandwidth, QuantityError> {
        Bandwidth::new(BANDWIDTH.parse_whole(text)?).ok_or_else(|| QuantityError {
            problem: format!("a bandwidth of {} never moves a byte", text.trim()),
            help: Some("write a bandwidth such as \"25.6 GB/s\"".to_string()),
        })
    }
}

impl FromStr for Cycles {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Cycles, QuantityError> {
        CYCLES.parse_whole(text).map(Cycles)
    }
}

impl FromStr for Latency {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Latency, QuantityError> {
        if text.contains("cyc") {
            return text.parse().map(Latency::Cycles);
        }
        LATENCY.parse_whole(text).map(|picoseconds| Latency::Time(Duration(Time(picoseconds))))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SIZE.write((u128::from(self.0), 1), f)
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        FREQUENCY.write((u128::from(self.numerator), u128::from(self.denominator)), f)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TIME.write((u128::from(self.0.0), 1), f)
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BANDWIDTH.write((u128::from(self.0), 1), f)
    }
}

impl fmt::Display for Cycles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 1 { f.write_str("1 cycle") } else { write!(f, "{} cycles", self.0) }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Latency::Cycles(cycles) => cycles.fmt(f),
            Latency::Time(time) => time.fmt(f),
        }
    }
}

/// Reads a quantity from what any format holds: a text, or a number that lacks its unit.
struct QuantityVisitor<T> {
    kind: &'static Kind,
    result: std::marker::PhantomData<T>,
}

impl<T: FromStr<Err = QuantityError>> Visitor<'_> for QuantityVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} such as \"{}\"", self.kind.name, self.kind.examples[0])
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        Err(E::custom(self.kind.lacks_unit(&number.to_string())))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Err(E::custom(self.kind.lacks_unit(&number.to_string())))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(self.kind.lacks_unit(&number.to_string())))
    }
}

/// Reads a quantity from a document.
fn read_field<T>(kind: &Kind, value: &Value, path: &str, faults: &mut Diagnostics) -> Option<T>
where
    T: Field + FromStr<Err = QuantityError>,
{
    let error = match &value.data {
        Data::Text(text) => match text.parse() {
            Ok(quantity) => return Some(quantity),
            Err(error) => error,
        },
        Data::Integer(number) => kind.lacks_unit(&number.to_string()),
        Data::Float(number) => kind.lacks_unit(&number.to_string()),
        _ => {
            let problem = format!("it must be {}, not {}", T::shape().expectation(), value.kind());
            QuantityError { problem, help: None }
        }
    };
    let mut fault = value.place.fault(format!("`{path}`: {}", error.problem)).key(path);
    fault.help = error.help;
    faults.push(fault);
    None
}

macro_rules! formats {
    ($($quantity:ident, $kind:ident;)*) => { $(
        impl Serialize for $quantity {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $quantity {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$quantity, D::Error> {
                deserializer.deserialize_any(QuantityVisitor { kind: &$kind, result: std::marker::PhantomData })
            }
        }

        impl Field for $quantity {
            fn read(value: &Value, path: &str, faults: &mut Diagnostics) -> Option<$quantity> {
                read_field(&$kind, value, path, faults)
            }
            fn write(&self) -> serde_json::Value {
                serde_json::Value::String(self.to_string())
            }
            fn shape() -> Shape {
                Shape::Quantity { what: $kind.name, examples: $kind.examples }
            }
        }
    )* };
}

formats! {
    ByteSize, SIZE;
    Frequency, FREQUENCY;
    Duration, TIME;
    Bandwidth, BANDWIDTH;
    Cycles, CYCLES;
    Latency, LATENCY;
}

#[cfg(test)]
mod tests;
