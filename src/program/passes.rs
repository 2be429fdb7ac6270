//! What is done to the graphs of a program before they become Code, once for both back ends.
//!
//! | pass | what it does |
//! |---|---|
//! | `tidy` | drops unreachable blocks, joins blocks, skips empty ones |
//! | `redundancy` | one computation of an integer or constant instead of several in a block, no copies of what never changes, no unused values |
//! | `ranges` | follows the intervals of integers; drops checks that cannot fail, division fix-ups and branches that cannot be taken |
//! | `hoist` | moves integer arithmetic that does not change in a loop in front of it |
//! | `allocate` | gives the virtual registers of a graph as few registers as their lifetimes allow |
//!
//! No pass adds, drops or reorders a memory access or a float operation. Inlining, folding, loop rotation and the fusing of
//! comparisons with branches happen while a graph is made (`program::lower`).

mod allocate;
mod hoist;
mod interval;
mod liveness;
mod ranges;
mod redundancy;
mod tidy;

pub(in crate::program) use allocate::{Allocation, allocate};

use crate::program::lower::{Constants, Graph, Parts};
use ranges::Captured;

/// Runs the passes over the graphs of a function: the main graph first, since what it knows of captured variables its regions may
/// use.
pub(in crate::program) fn optimise(parts: &mut Parts, constants: &mut Constants) {
    let mut captured: Captured = parts.captures.iter().map(|&array| (array, None)).collect();
    optimise_graph(&mut parts.main, constants, &mut captured);
    for graph in parts.regions.iter_mut().chain(&mut parts.worker) {
        optimise_graph(graph, constants, &mut captured);
    }
}

fn optimise_graph(graph: &mut Graph, constants: &mut Constants, captured: &mut Captured) {
    tidy::join_blocks(graph);
    redundancy::share_values(graph);
    ranges::apply(graph, constants, captured);
    tidy::join_blocks(graph);
    redundancy::share_values(graph);
    hoist::hoist(graph);
    redundancy::share_values(graph);
    redundancy::drop_unused(graph);
    tidy::skip_empty_blocks(graph);
    tidy::join_blocks(graph);
}
