//! Texts that are right, and what they mean.

use super::texts::{EVERYTHING, NOT_BUILT, PHILOSOPHERS, PIPELINE, RING, TRIAD};
use super::{compile, right, source};
use crate::program::parse::parse;

#[test]
fn every_text_of_the_notation_can_be_read() {
    for text in [TRIAD, PHILOSOPHERS, RING, PIPELINE, EVERYTHING] {
        if let Err(diagnostics) = parse(&source(text)) {
            panic!("{}\nin\n{text}", diagnostics[0]);
        }
    }
}

#[test]
fn everything_that_is_built_compiles() {
    for text in [TRIAD, PHILOSOPHERS, EVERYTHING] {
        right(text);
    }
}

#[test]
fn what_is_not_built_is_named_once() {
    for (construct, text) in NOT_BUILT {
        let diagnostics = compile(text).expect_err(construct);
        let named: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(named.contains(&format!("`{construct}` is not built yet").as_str()), "{text}{named:?}");
    }
    let pipeline = compile(PIPELINE).expect_err("it is not built");
    assert_eq!(pipeline.iter().map(ToString::to_string).collect::<Vec<_>>(), ["test.flynn:4:1: `pipeline` is not built yet"]);
}
