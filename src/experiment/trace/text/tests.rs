use proptest::prelude::*;

use super::*;

/// A text that comes in pieces of a few bytes.
#[derive(Debug)]
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl TraceBytes for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let length = self.piece.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..length].copy_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// All references of a text, or what is wrong with it.
fn read(text: &[u8], piece: usize, settings: TraceSettings) -> Result<Vec<Entry>, String> {
    let mut reader = TraceReader::new("t", Box::new(Pieces { bytes: text.to_vec(), at: 0, piece }), settings);
    let (mut batch, mut all) = (Vec::new(), Vec::new());
    loop {
        reader.refill(&mut batch)?;
        if batch.is_empty() {
            return Ok(all);
        }
        all.append(&mut batch);
    }
}

const ONE_CORE: TraceSettings = TraceSettings { format: None, word_bytes: None, cores: 1 };

fn entries(text: &str) -> Result<Vec<(Kind, u64, u16)>, String> {
    read(text.as_bytes(), 7, ONE_CORE).map(|all| all.iter().map(|entry| (entry.kind, entry.address, entry.bytes)).collect())
}

#[test]
fn din_is_read() {
    let expected = [(Kind::Fetch, 0x4010_90f0, 4), (Kind::Read, 0x1f_feff_f318, 4), (Kind::Write, 0x10, 4), (Kind::Read, 0, 4)];
    let plain = "2 401090f0\n0 1ffefff318\n1 12\n0 3\n";
    assert_eq!(entries(plain).unwrap(), expected, "addresses are those of words");
    let odd = "  2   0x401090F0 4 comment\r\n\n0\t1FFEFFF318\n 1 12 8\n0 0";
    assert_eq!(entries(odd).unwrap(), expected, "blanks, comments, capitals, no newline at the end");
    assert!(entries("").unwrap().is_empty());
}

#[test]
fn lackey_is_read() {
    let text = "==12== Lackey\nI  04001090,3\n L 1ffefff318,8\n S 0421c7cc,16\n M 10,4\n==12== the end\n";
    let expected = [
        (Kind::Fetch, 0x0400_1090, 3),
        (Kind::Read, 0x1f_feff_f318, 8),
        (Kind::Write, 0x0421_c7cc, 16),
        (Kind::Read, 0x10, 4),
        (Kind::Write, 0x10, 4),
    ];
    assert_eq!(entries(text).unwrap(), expected);
    assert_eq!(entries("I 4001090,3\n  L  1ffefff318,8\nS 421c7cc,16\nM  10,4\n").unwrap(), expected, "any blanks");
    assert_eq!(entries(" S 100,512\n").unwrap(), [(Kind::Write, 0x100, 512)]);
}

#[test]
fn references_are_cut_to_words() {
    let settings = TraceSettings { word_bytes: Some(8), ..ONE_CORE };
    let words: Vec<_> = read(b" L 1e,8\n S 7,1\n", 100, settings).unwrap().iter().map(|e| (e.address, e.bytes)).collect();
    assert_eq!(words, [(0x18, 8), (0, 8)]);
}

#[test]
fn a_column_names_the_core() {
    let text = b"0 I  10,4\n1  L 20,8\n0  S 30,8\n M 40,4\n";
    let all = read(text, 5, TraceSettings { cores: 2, ..ONE_CORE }).unwrap();
    let of_core: Vec<_> = all.iter().map(|entry| (entry.core, entry.address)).collect();
    assert_eq!(of_core, [(0, 0x10), (1, 0x20), (0, 0x30), (0, 0x40), (0, 0x40)], "without a number it is core 0");
    assert_eq!(read(text, 5, ONE_CORE).unwrap_err(), "t:2: a reference of core 1, and the machine has one core");
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    let fault = |text: &str| entries(text).unwrap_err();
    assert_eq!(fault("0 10\n3 10\n"), "t:2: expected 0 (read), 1 (write) or 2 (instruction fetch) and an address, found `3 10`");
    assert_eq!(fault("0 10\n\n0 xyz\n"), "t:3: expected a hexadecimal address after the label, found `0 xyz`");
    assert_eq!(fault("0\n"), "t:1: expected a hexadecimal address after the label, found `0`");
    assert_eq!(fault("0 11112222333344445\n"), "t:1: expected a hexadecimal address after the label, found `0 11112222333344445`");
    assert_eq!(fault(" L 10,4\n L 10,0\n"), "t:2: expected a size from 1 to 4096 bytes behind the comma, found ` L 10,0`");
    assert_eq!(fault(" L 10,4\n L 10,99999\n"), "t:2: expected a size from 1 to 4096 bytes behind the comma, found ` L 10,99999`");
    assert_eq!(fault(" L 10,4\n L zz,4\n"), "t:2: expected a hexadecimal address before the comma, found ` L zz,4`");
    let letter = "t:1: expected I, L, S or M and `address,size`, with the number of a core before it or without, found ` X 10,4`";
    assert_eq!(fault(" X 10,4\n"), letter);
    assert_eq!(fault(" L 10,4 5\n"), "t:1: expected nothing behind `address,size`, found ` L 10,4 5`");
    let long = fault(&format!("0 {}\n", "z".repeat(1000)));
    assert!(long.ends_with(&format!("found `0 {}...`", "z".repeat(38))), "{long}");
    let endless = read(&vec![b'a'; 1 << 20], 4096, ONE_CORE).unwrap_err();
    assert_eq!(endless, "t: after line 0: a line of more than 64 KiB: not a trace");
    assert!(fault("\u{7f}ELF\u{1}\u{0}\n").contains("found ` ELF  `"), "bytes that cannot be shown are blanks");
}

#[test]
fn bytes_that_cannot_be_had_end_the_trace() {
    #[derive(Debug)]
    struct Broken(bool);
    impl TraceBytes for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
            if std::mem::replace(&mut self.0, true) {
                return Err("the disk is gone".to_string());
            }
            buffer[..8].copy_from_slice(b"0 10\n0 1");
            Ok(8)
        }
    }
    let mut reader = TraceReader::new("t", Box::new(Broken(false)), ONE_CORE);
    assert_eq!(reader.refill(&mut Vec::new()).unwrap_err(), "t: after line 1: the disk is gone");
}

proptest! {
    #[test]
    fn a_hexadecimal_number_is_all_the_digits_at_the_beginning(
        digits in "[0-9a-fA-F]{0,18}",
        behind in prop::collection::vec(any::<u8>().prop_filter("no digit", |byte| !byte.is_ascii_hexdigit()), 0..12),
    ) {
        let expected = u64::from_str_radix(&digits, 16).ok().filter(|_| digits.len() <= 16).map(|value| (value, digits.len()));
        let text: Vec<u8> = digits.bytes().chain(behind).collect();
        prop_assert_eq!(hexadecimal(&text), expected);
    }

    /// Whatever the pieces: the same references, in both formats, as often as batches fill up.
    #[test]
    fn pieces_and_formats_do_not_matter(
        references in prop::collection::vec((0_usize..3, any::<u64>()), 0..3000),
        piece in prop::sample::select(vec![1_usize, 13, 4096, 1 << 20]),
    ) {
        let kinds = [Kind::Read, Kind::Write, Kind::Fetch];
        let din: String = references.iter().map(|(label, address)| format!("{label} {address:x}\n")).collect();
        let letters = [" L", " S", "I "];
        let lackey: String = references.iter().map(|(label, address)| format!("{} {:08x},4\n", letters[*label], address & !3)).collect();
        let expected: Vec<Entry> = references
            .iter()
            .map(|&(label, address)| Entry { address: address & !3 & ((1 << 56) - 1), bytes: 4, kind: kinds[label], core: 0 })
            .collect();
        prop_assert_eq!(&read(din.as_bytes(), piece, ONE_CORE).unwrap(), &expected);
        prop_assert_eq!(&read(lackey.as_bytes(), piece, ONE_CORE).unwrap(), &expected);
    }

    /// No text makes the reader panic.
    #[test]
    fn no_text_is_too_wrong(text in prop::collection::vec(prop::sample::select(b"012 9afILSM,=x\n\t\r-".to_vec()), 0..200)) {
        for format in [None, Some(TraceFormat::Din), Some(TraceFormat::Lackey)] {
            let _ = read(&text, 5, TraceSettings { format, ..ONE_CORE });
        }
    }
}
