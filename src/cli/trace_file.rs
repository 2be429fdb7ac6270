//! Traces in files, or compiled into the binary: plain, or compressed by gzip (RFC 1952) or zstd (RFC 8878), whatever their names say.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::answer::Failure;
use crate::experiment::trace::{TraceBytes, TraceFile};
use crate::machine::catalogue::shipped_trace;

/// What a compressed file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last three bytes of what a skippable frame of zstd begins with; the first lies between 0x50 and 0x5f.
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];
/// Bytes read from a file at a time.
const PIECE: usize = 1 << 16;
/// The suffixes of compressed files, and of traces.
const COMPRESSED: [&str; 2] = [".gz", ".zst"];
const TRACES: [&str; 3] = [".din", ".lackey", ".trace"];

/// Whether a user means a trace by this: by its suffix, or because it is a file of no kind of text.
pub fn is_trace(name: &str) -> bool {
    let is_text = name.ends_with(".toml") || name.ends_with(".flynn");
    COMPRESSED.iter().chain(&TRACES).any(|suffix| name.ends_with(suffix)) || (!is_text && Path::new(name).is_file())
}

/// What a trace is called: its file's name without the suffixes.
pub fn trace_name(name: &str) -> String {
    let file = name.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(name);
    let strip = |name: &str, suffixes: &[&str]| suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).map(str::to_owned);
    let plain = strip(file, &COMPRESSED).unwrap_or_else(|| file.to_owned());
    strip(&plain, &TRACES).unwrap_or(plain)
}

/// A trace, and where it is.
#[derive(Debug)]
struct Stored {
    name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    BuiltIn(&'static [u8]),
}

/// The trace at a path, or else the shipped one in a file of that name.
pub fn find(path: &Path) -> Result<Arc<dyn TraceFile>, Failure> {
    let name = path.to_string_lossy().into_owned();
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let place = match shipped_trace(&file).filter(|_| !path.exists()) {
        Some(bytes) => Place::BuiltIn(bytes),
        None => {
            let fault = |error: io::Error| Failure::file("read", path, &error);
            if File::open(path).and_then(|file| file.metadata()).map_err(fault)?.is_dir() {
                return Err(Failure::input(format!("{name} is a directory, not a file")));
            }
            Place::File(path.to_owned())
        }
    };
    Ok(Arc::new(Stored { name, place }))
}

impl TraceFile for Stored {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> Result<Box<dyn TraceBytes>, String> {
        let source: Box<dyn Read> = match &self.place {
            Place::File(path) => Box::new(File::open(path).map_err(|error| format!("{}: {error}", self.name))?),
            Place::BuiltIn(bytes) => Box::new(Cursor::new(*bytes)),
        };
        let source = Source::new(source).map_err(|error| format!("{}: {error}", self.name))?;
        Ok(Box::new(source))
    }
}

type Bytes = BufReader<Box<dyn Read>>;

/// Bytes of a file, uncompressed.
enum Source {
    Plain(Bytes),
    Gzip(Box<MultiGzDecoder<Bytes>>),
    Zstd(Box<Zstd>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Plain(_) => "plain",
            Source::Gzip(_) => "gzip",
            Source::Zstd(_) => "zstd",
        })
    }
}

impl Source {
    fn new(file: Box<dyn Read>) -> io::Result<Source> {
        let mut bytes = BufReader::with_capacity(PIECE, file);
        let begin = peek(&mut bytes)?;
        Ok(if begin.starts_with(&GZIP) {
            Source::Gzip(Box::new(MultiGzDecoder::new(bytes)))
        } else if begin.starts_with(&ZSTD) || (begin.len() >= 4 && begin[0] >> 4 == 5 && begin[1..4] == ZSTD_SKIPPABLE) {
            Source::Zstd(Box::new(Zstd { frame: FrameDecoder::new(), within: false, bytes }))
        } else {
            Source::Plain(bytes)
        })
    }
}

/// What comes next, without taking it.
fn peek(bytes: &mut Bytes) -> io::Result<&[u8]> {
    io::BufRead::fill_buf(bytes)
}

impl TraceBytes for Source {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        match self {
            Source::Plain(bytes) => bytes.read(buffer).map_err(|error| error.to_string()),
            Source::Gzip(decoder) => decoder.read(buffer).map_err(|error| format!("what gzip compressed is damaged: {error}")),
            Source::Zstd(zstd) => zstd.read(buffer).map_err(|error| format!("what zstd compressed is damaged: {error}")),
        }
    }
}

/// Frames of zstd, one after the other.
struct Zstd {
    frame: FrameDecoder,
    /// Whether a frame has begun and is not over.
    within: bool,
    bytes: Bytes,
}

impl Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        loop {
            if !self.within && !self.begin()? {
                return Ok(0);
            }
            while self.frame.can_collect() == 0 && !self.frame.is_finished() {
                self.frame
                    .decode_blocks(&mut self.bytes, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| error.to_string())?;
            }
            let read = self.frame.read(buffer).map_err(|error| error.to_string())?;
            if read > 0 {
                return Ok(read);
            }
            self.within = false;
            let (stored, calculated) = (self.frame.get_checksum_from_data(), self.frame.get_calculated_checksum());
            if stored.is_some() && stored != calculated {
                return Err("its checksum is not that of the contents".to_string());
            }
        }
    }

    /// Begins the next frame that holds anything; false at the end.
    fn begin(&mut self) -> Result<bool, String> {
        while !peek(&mut self.bytes).map_err(|error| error.to_string())?.is_empty() {
            match self.frame.reset(&mut self.bytes) {
                Ok(()) => {
                    self.within = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let mut skipped = self.bytes.by_ref().take(u64::from(length));
                    io::copy(&mut skipped, &mut io::sink()).map_err(|error| error.to_string())?;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(false)
    }
}
