//! Strict TOML: one declaration of a table drives its parser, its JSON Schema and its reference page, so that the three cannot
//! disagree.
//!
//! ```text
//!   text --tree::parse--> Value tree, every value and key with its place --Field::read--> typed section
//!                              ^ merged with other texts (parts, --set)                    | Field::write
//!   section! / choice! / tagged! declarations --Field::shape--> Shape --> JSON Schema       v
//!                                                                    \--> reference     JSON, every key with the value in force
//! ```
//!
//! A table is declared with [`section!`](crate::section), a set of words with [`choice!`](crate::choice), a table whose other keys
//! depend on a word with [`tagged!`](crate::tagged). Reading goes on after an error, so that one pass finds all of them. Nothing is
//! silently ignored: a key nobody declared is an error that names the nearest right one, and a key or word that is planned but not
//! built says so.

mod field;
mod section;
mod shape;
mod tree;

pub use field::{At, Field, Whole, read, read_value, wrong_type};
pub use section::{TAG, TableReader, read_empty, read_tag, read_word, write_tag};
pub use shape::{KeyShape, Later, Shape, TableShape, Word, enumerate, paragraph};
pub use tree::{Data, Entry, MAXIMUM_BYTES, MAXIMUM_DEPTH, Place, Table, Value, parse, parse_value};
