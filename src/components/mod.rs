//! The parts machines are made of. They know neither files nor TOML: `machine` makes them from what users write.
//!
//! ```text
//!   spec       what a node is made of, as plain data
//!   core       in-order and out-of-order cores: block (costs of Code), predictor, hierarchy (coherent caches) or plain (caches of the
//!              only core)
//!   cache      a cache's array: replacement
//!   prefetcher which lines will be wanted next
//!   translation TLBs and the page table
//!   replay     a core that replays a trace through caches without coherence
//!   atomic     coherent caches without time, before a backing
//!   snooping, ideal
//!              interconnects: arbiter, coherence's order; bus, crossbar, ring
//!   carrier, home, homes, network, parcel
//!              nodes with one address space: what joins a node, its memory's side, where pages live, what joins nodes
//!   interface, post
//!              nodes with address spaces of their own: what sends and receives messages, and the messages
//!   llc        a cache that all cores share, before memory; backing: both without time
//!   memory, traffic
//!   message    what they send each other       shared     what they have in common
//!   owner      whose an instant is             versions   the watch over coherence
//! ```

pub mod arbiter;
pub mod atomic;
pub mod backing;
pub mod block;
pub mod cache;
pub mod carrier;
pub mod causes;
pub mod core;
pub mod hierarchy;
pub mod home;
pub mod homes;
pub mod ideal;
pub mod interface;
pub mod life;
pub mod llc;
pub mod lookups;
pub mod memory;
pub mod memory_side;
pub mod message;
pub mod network;
pub mod owner;
pub mod parcel;
pub mod part;
pub mod plain;
pub mod post;
pub mod predictor;
pub mod prefetcher;
pub mod replacement;
pub mod replay;
pub mod shared;
pub mod snooping;
pub mod spec;
pub mod trace;
pub mod traffic;
pub mod translation;
pub mod utilisation;
pub mod versions;
