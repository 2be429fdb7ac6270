//! Coherence protocols as data: transition tables, the controller that carries them out, and the order in which a snooping bus takes
//! requests. No time, no ports: the simulator and an exhaustive explorer drive the same code.
//!
//! ```text
//!   models/protocols/*.toml --load--> Protocol ---> controller (one row)
//!                                                     ^
//!                        caches, explorer ---> agent (lines held, waiting access, write-backs) <---> order (the bus's rules)
//! ```
//!
//! Culler, Singh and Gupta, *Parallel Computer Architecture* (1999), sections 5.3 and 6.4; Nagarajan, Sorin, Hill and Wood, *A Primer
//! on Memory Consistency and Cache Coherence* (2nd edition, 2020), chapter 7, whose names the transient states follow.

pub mod agent;
pub mod check;
pub mod consistency;
pub mod controller;
pub mod directory;
pub mod explore;
pub mod load;
pub mod order;
pub mod protocol;
pub mod schema;
