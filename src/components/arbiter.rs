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

    /// Chooses among candidates, one an agent, in the order of the agents.
    pub fn choose(&mut self, candidates: impl Iterator<Item = Request>) -> Option<Request> {
        let chosen = match self.kind {
            Arbitration::FixedPriority => { candidates }.next(),
            Arbitration::FirstCome => candidates.min_by_key(|request| (request.stamp, request.agent)),
            Arbitration::RoundRobin => {
                let last = self.last;
                // Agents behind the one served last come before those up to it.
                candidates.min_by_key(|request| (last.is_some_and(|last| request.agent <= last), request.agent))
            }
        };
        if let Some(request) = &chosen {
            self.last = Some(request.agent);
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coherence::order::Command;

    fn order(kind: Arbitration, stamps: &[u64]) -> Vec<AgentNumber> {
        let mut waiting: Vec<Request> =
            (0..).zip(stamps).map(|(agent, &stamp)| Request { agent, command: Command::Read(8), line: 0, stamp }).collect();
        let mut arbiter = Arbiter::new(kind);
        let mut served = Vec::new();
        // Agent 1 asks again at once, every time.
        for _ in 0..6 {
            let chosen = arbiter.choose(waiting.iter().copied()).unwrap();
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
    }
}
