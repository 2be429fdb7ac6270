//! Interconnection networks as graphs: which nodes and switches there are, which way packets take, and whether they can block each
//! other for ever.
//!
//! ```text
//!   Topology --build--> Network (nodes, switches, channels) --Figures: degree, diameter, mean distance, bisection
//!                          '--Routing--> Routes: (vertex, destination) -> (channel, virtual channel)
//!                                           '--> channel dependencies --> a cycle, or proof that there is none
//! ```
//!
//! Nothing here knows time or what packets carry. Terms: Dally and Towles, "Principles and Practices of Interconnection Networks", 2004.

mod dependency;
mod figures;
mod network;
mod routing;
#[cfg(test)]
mod tests;
mod topology;

pub use dependency::{VirtualChannel, cycle};
pub use figures::{Bisection, Figures};
pub use network::{ChannelNumber, Network, Vertex, VertexNumber};
pub use routing::{Hop, Routes, Routing, RoutingFault};
pub use topology::{Topology, TopologyFault};
