//! The report when nothing can move: who waits for whom, the cycle first.
//!
//! Waits are the edges of the wait-for graph of Coffman, Elphick and Shoshani ("System Deadlocks", Computing Surveys 3(2), 1971):
//! where each part waits for one other, a cycle in it is a deadlock, and every other wait hangs on that cycle.

use std::collections::VecDeque;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use rustc_hash::FxHashMap;

use super::{PartId, Wait};

/// The same waits with the shortest cycle among them first, in the order of waiting; the others keep their order.
pub(super) fn cycle_first(mut waits: Vec<Wait>) -> Vec<Wait> {
    let Some(cycle) = shortest_cycle(&waits) else { return waits };
    let mut rank = vec![usize::MAX; waits.len()];
    for (position, &wait) in cycle.iter().enumerate() {
        rank[wait] = position;
    }
    let mut ranked: Vec<(usize, Wait)> = rank.into_iter().zip(waits.drain(..)).collect();
    ranked.sort_by_key(|&(rank, _)| rank);
    ranked.into_iter().map(|(_, wait)| wait).collect()
}

/// How many of the first waits close a circle: each waits for the next one's part, the last for the first's. 0 where there is none.
pub fn leading_cycle(waits: &[Wait]) -> usize {
    let Some(first) = waits.first().and_then(|wait| wait.who) else { return 0 };
    for (position, wait) in waits.iter().enumerate() {
        let Some(whom) = wait.whom else { return 0 };
        if whom == first {
            return position + 1;
        }
        if waits.get(position + 1).and_then(|next| next.who) != Some(whom) {
            return 0;
        }
    }
    0
}

/// Indices of the waits on the shortest cycle; of several, the one through the smallest part.
fn shortest_cycle(waits: &[Wait]) -> Option<Vec<usize>> {
    let mut graph: DiGraphMap<u32, usize> = DiGraphMap::new();
    for (index, wait) in waits.iter().enumerate() {
        if let (Some(PartId(who)), Some(PartId(whom))) = (wait.who, wait.whom)
            && !graph.contains_edge(who, whom)
        {
            graph.add_edge(who, whom, index);
        }
    }
    let mut best: Option<Vec<usize>> = None;
    for mut component in tarjan_scc(&graph) {
        if component.len() == 1 && !graph.contains_edge(component[0], component[0]) {
            continue;
        }
        component.sort_unstable();
        let cycle = cycle_through(&graph, component[0])?;
        let better = best.as_ref().is_none_or(|best| (cycle.len(), waits[cycle[0]].who) < (best.len(), waits[best[0]].who));
        if better {
            best = Some(cycle);
        }
    }
    best
}

/// The shortest cycle through `start`, as the labels of its edges.
fn cycle_through(graph: &DiGraphMap<u32, usize>, start: u32) -> Option<Vec<usize>> {
    let mut reached_by: FxHashMap<u32, (u32, usize)> = FxHashMap::default();
    let mut frontier = VecDeque::from([start]);
    while let Some(part) = frontier.pop_front() {
        let mut edges: Vec<(u32, usize)> = graph.edges(part).map(|(_, to, &wait)| (to, wait)).collect();
        edges.sort_unstable();
        for (to, wait) in edges {
            if to == start {
                let mut cycle = vec![wait];
                let mut at = part;
                while at != start {
                    let (from, wait) = reached_by[&at];
                    cycle.push(wait);
                    at = from;
                }
                cycle.reverse();
                return Some(cycle);
            }
            if let std::collections::hash_map::Entry::Vacant(entry) = reached_by.entry(to) {
                entry.insert((part, wait));
                frontier.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(who: u32, whom: Option<u32>) -> Wait {
        Wait { who: Some(PartId(who)), whom: whom.map(PartId), what: String::new() }
    }

    fn parts(waits: &[Wait]) -> Vec<u32> {
        waits.iter().map(|wait| wait.who.unwrap().0).collect()
    }

    #[test]
    fn the_cycle_comes_first_in_order_of_waiting() {
        let waits = vec![wait(0, Some(3)), wait(1, None), wait(5, Some(4)), wait(4, Some(3)), wait(3, Some(5))];
        let sorted = cycle_first(waits);
        assert_eq!(parts(&sorted), [3, 5, 4, 0, 1]);
        assert_eq!(leading_cycle(&sorted), 3);
    }

    #[test]
    fn the_shorter_of_two_cycles_is_shown() {
        let waits = vec![wait(0, Some(1)), wait(1, Some(2)), wait(2, Some(0)), wait(7, Some(8)), wait(8, Some(7))];
        let sorted = cycle_first(waits);
        assert_eq!(parts(&sorted), [7, 8, 0, 1, 2]);
        assert_eq!(leading_cycle(&sorted), 2);
    }

    #[test]
    fn a_part_that_waits_for_itself_is_a_cycle_of_one() {
        let sorted = cycle_first(vec![wait(1, Some(2)), wait(2, Some(2))]);
        assert_eq!((parts(&sorted), leading_cycle(&sorted)), (vec![2, 1], 1));
    }

    #[test]
    fn waits_without_a_cycle_keep_their_order() {
        let waits = vec![wait(2, Some(1)), wait(1, None), wait(0, Some(2))];
        let sorted = cycle_first(waits.clone());
        assert_eq!((sorted.as_slice(), leading_cycle(&sorted)), (waits.as_slice(), 0));
    }
}
