//! The traditional input format of Dinero (Hill; Edler and Hill, "Dinero IV Trace-Driven Uniprocessor Cache Simulator", 1998): a line
//! is a label and the hexadecimal address of a byte. 0 reads data, 1 writes data, 2 fetches an instruction. As in Dinero, whatever
//! follows the address is a comment. The format knows no sizes: a reference is the aligned word of 4 bytes that its address lies in.

use crate::components::trace::Kind;
use crate::experiment::trace::text::{Action, Format, Said, address, hexadecimal, words};

/// Bytes of every reference.
const WORD_BYTES: u16 = 4;

pub(super) struct Din;

#[inline(always)]
fn said(address: u64, kind: Kind) -> Said {
    Said { core: None, address: address & !(u64::from(WORD_BYTES) - 1), bytes: WORD_BYTES, action: Action::One(kind) }
}

impl Format for Din {
    #[inline(always)]
    fn usual(bytes: &[u8]) -> Option<(Said, usize)> {
        let &[label @ b'0'..=b'2', b' ', ref rest @ ..] = bytes else { return None };
        let (address, length) = hexadecimal(rest)?;
        if rest.get(length) != Some(&b'\n') {
            return None;
        }
        let kind = [Kind::Read, Kind::Write, Kind::Fetch][usize::from(label - b'0')];
        Some((said(address, kind), length + 3))
    }

    fn line(line: &[u8]) -> Result<Option<Said>, &'static str> {
        let mut words = words(line);
        let kind = match words.next() {
            None => return Ok(None),
            Some(b"0") => Kind::Read,
            Some(b"1") => Kind::Write,
            Some(b"2") => Kind::Fetch,
            Some(_) => return Err("0 (read), 1 (write) or 2 (instruction fetch) and an address"),
        };
        let address = words.next().and_then(address).ok_or("a hexadecimal address after the label")?;
        Ok(Some(said(address, kind)))
    }
}
