//! Which of several requests a shared wire takes next.

use crate::coherence::order::{AgentNumber, Request};
use crate::components::spec::Arbitration;

/// An arbiter and what it remembers.
#[derive(Clone, Debug)]
pub struct Arbiter {
    kind: Arbitration,
    /// The agent served last.
    last: Option<AgentNumber>,
}

impl Arbiter {
    /// An arbiter that has served no one yet.
    pub fn new(kind: Arbitration) -> Arbiter {
        Arbiter { kind, last: None }
    }

    /// Of two candidates of different agents, the one to take.
    #[inline]
    pub fn better(&self, one: Request, other: Request) -> Request {
        let first = match self.kind {
            Arbitration::FixedPriority => one.agent < other.agent,
            Arbitration::FirstCome => (one.stamp, one.agent) < (other.stamp, other.agent),
            Arbitration::Oldest => (one.left, one.agent) < (other.left, other.agent),
            Arbitration::RoundRobin => {
                // Agents behind the one served last come before those up to it.
                let turn = |request: Request| (self.last.is_some_and(|last| request.agent <= last), request.agent);
                turn(one) < turn(other)
            }
        };
        if first { one } else { other }
    }

    /// An agent is served.
    pub fn serve(&mut self, agent: AgentNumber) {
        self.last = Some(agent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coherence::order::Command;

    fn order(kind: Arbitration, stamps: &[u64]) -> Vec<AgentNumber> {
        let mut waiting: Vec<Request> = (0..)
            .zip(stamps)
            .map(|(agent, &stamp)| Request { agent, command: Command::Read(8), line: 0, stamp, left: 9 - stamp })
            .collect();
        let mut arbiter = Arbiter::new(kind);
        let mut served = Vec::new();
        // Agent 1 asks again at once, every time.
        for _ in 0..6 {
            let chosen = waiting.iter().copied().reduce(|one, other| arbiter.better(one, other)).unwrap();
            arbiter.serve(chosen.agent);
            served.push(chosen.agent);
            match waiting.iter_mut().find(|request| request.agent == chosen.agent) {
                Some(request) if request.agent == 1 => request.stamp = 100,
                _ => waiting.retain(|request| request.agent != chosen.agent),
            }
        }
        served
    }

    #[test]
    fn each_rule_serves_in_its_own_order() {
        let stamps = [7, 3, 5, 3];
        assert_eq!(order(Arbitration::FixedPriority, &stamps), [0, 1, 1, 1, 1, 1]);
        assert_eq!(order(Arbitration::RoundRobin, &stamps), [0, 1, 2, 3, 1, 1]);
        assert_eq!(order(Arbitration::FirstCome, &stamps), [1, 3, 2, 0, 1, 1]);
        // Who came last here left first.
        assert_eq!(order(Arbitration::Oldest, &stamps), [0, 2, 1, 1, 1, 1]);
    }
}
