//! What `valgrind --tool=lackey --trace-mem=yes` prints (Valgrind manual, chapter "Lackey"): `I  addr,size` fetches an instruction,
//! ` L addr,size` loads, ` S addr,size` stores, ` M addr,size` loads and then stores; addresses are hexadecimal, sizes decimal. What
//! valgrind itself says stands behind `==`. A number before the letter is the core that makes the reference.

use crate::components::trace::Kind;
use crate::experiment::trace::text::{Action, Format, MOST_BYTES, Said, address, hexadecimal, words};

pub(super) struct Lackey;

/// Whether a line is valgrind's own.
pub(super) fn is_talk(line: &[u8]) -> bool {
    line.starts_with(b"==") || line.starts_with(b"--")
}

fn action(letter: u8) -> Option<Action> {
    Some(match letter {
        b'I' => Action::One(Kind::Fetch),
        b'L' => Action::One(Kind::Read),
        b'S' => Action::One(Kind::Write),
        b'M' => Action::Modify,
        _ => return None,
    })
}

impl Format for Lackey {
    #[inline(always)]
    fn usual(bytes: &[u8]) -> Option<(Said, usize)> {
        let &[first, second, third, ref rest @ ..] = bytes else { return None };
        let letter = match (first, second, third) {
            (b'I', b' ', b' ') => first,
            (b' ', _, b' ') => second,
            _ => return None,
        };
        let (address, length) = hexadecimal(rest)?;
        let size = rest.get(length + 1..)?;
        let (bytes, end) = match *size {
            [digit, b'\n', ..] => (digit.wrapping_sub(b'0'), 1),
            [tens, digit, b'\n', ..] => {
                let (tens, digit) = (tens.wrapping_sub(b'0'), digit.wrapping_sub(b'0'));
                (if tens < 10 && digit < 10 { 10 * tens + digit } else { return None }, 2)
            }
            _ => return None,
        };
        if rest[length] != b',' || bytes == 0 || bytes > 99 || (end == 1 && bytes > 9) {
            return None;
        }
        Some((Said { core: None, address, bytes: u16::from(bytes), action: action(letter)? }, 3 + length + 1 + end + 1))
    }

    fn line(line: &[u8]) -> Result<Option<Said>, &'static str> {
        const EXPECTED: &str = "I, L, S or M and `address,size`, with the number of a core before it or without";
        if is_talk(line) {
            return Ok(None);
        }
        let mut words = words(line);
        let Some(mut word) = words.next() else { return Ok(None) };
        let mut core = None;
        if word.iter().all(u8::is_ascii_digit) {
            core = Some(decimal(word).ok_or("the number of a core below 65536")?);
            word = words.next().ok_or(EXPECTED)?;
        }
        let &[letter] = word else { return Err(EXPECTED) };
        let action = action(letter).ok_or(EXPECTED)?;
        let place = words.next().ok_or(EXPECTED)?;
        if words.next().is_some() {
            return Err("nothing behind `address,size`");
        }
        let comma = place.iter().position(|&byte| byte == b',').ok_or(EXPECTED)?;
        let address = address(&place[..comma]).ok_or("a hexadecimal address before the comma")?;
        let bytes = decimal(&place[comma + 1..]).filter(|bytes| (1..=MOST_BYTES).contains(bytes));
        let bytes = bytes.ok_or("a size from 1 to 4096 bytes behind the comma")?;
        Ok(Some(Said { core, address, bytes, action }))
    }
}

/// A whole word as a decimal number.
fn decimal(word: &[u8]) -> Option<u16> {
    std::str::from_utf8(word).ok()?.parse().ok()
}
