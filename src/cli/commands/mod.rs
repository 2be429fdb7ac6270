//! The commands, one a file: its arguments, its help, and what it does.

pub mod check;
pub mod compare;
pub mod completions;
pub mod experiment;
pub mod explain;
pub mod host_child;
pub mod list;
pub mod man;
pub mod new;
pub mod run;
pub mod schema;
pub mod show;
pub mod topology;
pub mod tour;
pub mod validate;
