//! Integration tests: one binary, one module for each subject, so that they are linked once.

mod floors;
mod machine;
mod shipped;
mod stops;
