//! The text of a trace: lines out of bytes that come in pieces, read by their format.

use std::fmt;

use crate::components::trace::{BATCH, Entries, Entry, Kind};
use crate::experiment::trace::{din, lackey};
use crate::experiment::workload::TraceFormat;

/// The bytes of a trace, in pieces.
pub trait TraceBytes: fmt::Debug {
    /// Puts the next bytes into `buffer` and returns how many; none at the end.
    ///
    /// # Errors
    /// Why they cannot be had.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String>;
}

/// How a trace is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceSettings {
    /// As the first line shows where `None`.
    pub format: Option<TraceFormat>,
    /// Every reference is the aligned word of so many bytes (a power of two) that its first byte lies in; as the trace has it where
    /// `None`.
    pub word_bytes: Option<u16>,
    /// The machine's cores: a reference of another one is an error.
    pub cores: u16,
}

/// Bytes of a piece; no line is longer.
const PIECE: usize = 64 << 10;
/// Addresses are taken modulo 2 to the power of this: what a cache's tag has room for.
const ADDRESS_BITS: u32 = 56;
/// The most bytes a reference can have.
pub(super) const MOST_BYTES: u16 = 4096;
/// Of a line that cannot be read, as many bytes are shown.
const SHOWN: usize = 40;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// Which core, where the line says so.
    pub core: Option<u16>,
    pub address: u64,
    pub bytes: u16,
    pub action: Action,
}

/// What a line's reference does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    One(Kind),
    /// A read, then a write.
    Modify,
}

/// How the lines of a format are read.
pub(super) trait Format {
    /// What the line at the beginning of some bytes says, and its length with the newline, where it is of the usual form and short.
    fn usual(bytes: &[u8]) -> Option<(Said, usize)>;

    /// What a line says, in any form; `None` where it holds no reference.
    ///
    /// # Errors
    /// What was expected.
    fn line(line: &[u8]) -> Result<Option<Said>, &'static str>;
}

/// Reads a trace's references.
#[derive(Debug)]
pub struct TraceReader {
    name: String,
    input: Box<dyn TraceBytes>,
    settings: TraceSettings,
    /// `buffer[at..complete]` are whole lines, `buffer[complete..filled]` the beginning of another.
    buffer: Vec<u8>,
    at: usize,
    complete: usize,
    filled: usize,
    /// The lines before `at`.
    lines: u64,
    checksum: u64,
}

impl TraceReader {
    /// A reader at the beginning of a trace, known to its user as `name`.
    pub fn new(name: &str, input: Box<dyn TraceBytes>, settings: TraceSettings) -> TraceReader {
        // The last line may lack its newline.
        let buffer = vec![0; PIECE + 1];
        TraceReader { name: name.to_string(), input, settings, buffer, at: 0, complete: 0, filled: 0, lines: 0, checksum: 0 }
    }

    /// A checksum of the references handed over so far, in their order.
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Makes the next lines whole. Returns whether there are any.
    fn read(&mut self) -> Result<bool, String> {
        self.buffer.copy_within(self.complete..self.filled, 0);
        self.filled -= self.complete;
        (self.at, self.complete) = (0, 0);
        while self.complete == 0 {
            if self.filled == PIECE {
                return Err(self.fault(&format!("a line of more than {} KiB: not a trace", PIECE >> 10)));
            }
            let read = self.input.read(&mut self.buffer[self.filled..PIECE]).map_err(|why| self.fault(&why))?;
            if read == 0 {
                if self.filled == 0 {
                    return Ok(false);
                }
                self.buffer[self.filled] = b'\n';
                self.filled += 1;
                self.complete = self.filled;
                break;
            }
            let new = &self.buffer[self.filled..self.filled + read];
            if let Some(last) = new.iter().rposition(|&byte| byte == b'\n') {
                self.complete = self.filled + last + 1;
            }
            self.filled += read;
        }
        Ok(true)
    }

    /// The format that the lines at hand are of. Where they hold no reference, any will do.
    fn format(&mut self) -> TraceFormat {
        let lines = self.buffer[..self.complete].split(|&byte| byte == b'\n');
        let mut telling = lines.filter(|line| !lackey::is_talk(line) && line.iter().any(|byte| !byte.is_ascii_whitespace()));
        let Some(line) = telling.next() else { return TraceFormat::Lackey };
        let format = if line.contains(&b',') { TraceFormat::Lackey } else { TraceFormat::Din };
        *self.settings.format.insert(format)
    }

    fn parse<F: Format>(&mut self, batch: &mut Vec<Entry>) -> Result<(), String> {
        // What cannot change while lines are read is kept at hand.
        let TraceSettings { word_bytes, cores, .. } = self.settings;
        let (mut at, mut lines, mut checksum) = (self.at, self.lines, self.checksum);
        let bytes = &self.buffer[..self.complete];
        let mut wrong = None;
        while at < bytes.len() && batch.len() < BATCH {
            let rest = &bytes[at..];
            lines += 1;
            let (said, length) = match F::usual(rest) {
                Some(usual) => usual,
                None => {
                    let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len() - 1);
                    match F::line(&rest[..length]) {
                        Ok(Some(said)) => (said, length + 1),
                        Ok(None) => {
                            at += length + 1;
                            continue;
                        }
                        Err(expected) => {
                            wrong = Some(format!("expected {expected}, found {}", shown(&rest[..length])));
                            break;
                        }
                    }
                }
            };
            at += length;
            let core = said.core.unwrap_or(0);
            if core >= cores {
                wrong = Some(format!("a reference of core {core}, and the machine has {}", counted(cores)));
                break;
            }
            let (address, size) = match word_bytes {
                Some(word) => (said.address & !(u64::from(word) - 1), word),
                None => (said.address, said.bytes),
            };
            let address = address & ((1 << ADDRESS_BITS) - 1);
            let mut push = |kind| {
                checksum = mixed(checksum, address << 8 ^ u64::from(size) << 2 ^ kind as u64 ^ u64::from(core) << 48);
                batch.push(Entry { address, bytes: size, kind, core });
            };
            match said.action {
                Action::One(kind) => push(kind),
                Action::Modify => {
                    push(Kind::Read);
                    push(Kind::Write);
                }
            }
        }
        (self.at, self.lines, self.checksum) = (at, lines, checksum);
        wrong.map_or(Ok(()), |what| Err(self.fault_here(&what)))
    }

    /// What is wrong with the bytes behind the lines read.
    fn fault(&self, what: &str) -> String {
        format!("{}: after line {}: {what}", self.name, self.lines)
    }

    /// What is wrong with the line read last.
    fn fault_here(&self, what: &str) -> String {
        format!("{}:{}: {what}", self.name, self.lines)
    }
}

impl Entries for TraceReader {
    fn refill(&mut self, batch: &mut Vec<Entry>) -> Result<(), String> {
        batch.clear();
        while batch.len() < BATCH {
            if self.at == self.complete && !self.read()? {
                break;
            }
            let format = match self.settings.format {
                Some(format) => format,
                None => self.format(),
            };
            match format {
                TraceFormat::Din => self.parse::<din::Din>(batch)?,
                TraceFormat::Lackey => self.parse::<lackey::Lackey>(batch)?,
            }
        }
        Ok(())
    }
}

/// One step of the checksum: as rustc's hash of words.
fn mixed(checksum: u64, word: u64) -> u64 {
    (checksum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

fn counted(cores: u16) -> String {
    if cores == 1 { "one core".to_string() } else { format!("cores 0 to {}", cores - 1) }
}

/// A line as a message shows it.
fn shown(line: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).chars().map(printable).collect();
    let more = if line.len() > SHOWN { "..." } else { "" };
    format!("`{text}{more}`")
}

fn printable(character: char) -> char {
    if character.is_control() { ' ' } else { character }
}

/// The value of a hexadecimal digit, or more than 15.
pub(super) const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// The hexadecimal number at the beginning of some bytes, of at most 16 digits, and how many digits it has; none where there is none.
#[inline(always)]
pub(super) fn hexadecimal(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (length, &byte) in bytes.iter().enumerate() {
        let digit = DIGITS[usize::from(byte)];
        if digit > 15 {
            return (length > 0 && length <= 16).then_some((value, length));
        }
        value = value << 4 | u64::from(digit);
    }
    (!bytes.is_empty() && bytes.len() <= 16).then_some((value, bytes.len()))
}

/// The words of a line.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A whole word as a hexadecimal number, with or without `0x`.
pub(super) fn address(word: &[u8]) -> Option<u64> {
    let digits = word.strip_prefix(b"0x").or_else(|| word.strip_prefix(b"0X")).unwrap_or(word);
    hexadecimal(digits).filter(|&(_, length)| length == digits.len()).map(|(value, _)| value)
}

#[cfg(test)]
mod tests;
