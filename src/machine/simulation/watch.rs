//! The life of one line, watched.

use super::Simulation;
use crate::base::address::Address;
use crate::coherence::protocol::Protocol;
use crate::components::life::Life;

impl Simulation {
    /// From the next phase on all that happens to the line at an address is remembered, a phase at a time. Returns whether there are
    /// coherent caches whose lines could be watched.
    pub fn watch(&mut self, address: Address) -> bool {
        let line = address / u64::from(self.spec.node.line_bytes());
        let mut shared = self.shared[0].borrow_mut();
        match &mut shared.versions {
            Some(versions) => versions.life = Some(Box::new(Life::new(line))),
            None => return false,
        }
        true
    }

    /// How its caches are kept coherent.
    pub fn protocol(&self) -> Option<&Protocol> {
        self.spec.node.protocol.as_deref()
    }

    /// What happened in the last phase to the line that is watched, where one is.
    pub fn life(&self) -> Option<Life> {
        self.shared[0].borrow().versions.as_ref()?.life.as_deref().cloned()
    }
}
