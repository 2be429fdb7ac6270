//! The algorithms of collectives: keys of `[runtime.collectives]`.

use crate::base::document::At;
use crate::program::code::Collectives;
use crate::program::tree::CollectiveOperation;
use crate::section;

section! {
    /// The algorithms of what ranks do together: "ring" for `allreduce` means `collective-allreduce-ring.flynn` of `models/runtime`.
    pub struct CollectivesKeys {
        /// One rank's slice goes to all.
        broadcast: String = CollectiveOperation::Broadcast.usual_algorithm().to_string(),
        /// The slices of all are combined at one rank.
        reduce: String = CollectiveOperation::Reduce.usual_algorithm().to_string(),
        /// The slices of all are combined, and all have the outcome.
        allreduce: String = CollectiveOperation::AllReduce.usual_algorithm().to_string(),
        /// The parts of all are put together at one rank.
        gather: String = CollectiveOperation::Gather.usual_algorithm().to_string(),
        /// The parts of all are put together at all (`gather` without `at`).
        allgather: String = CollectiveOperation::AllGather.usual_algorithm().to_string(),
        /// One rank deals its slice out.
        scatter: String = CollectiveOperation::Scatter.usual_algorithm().to_string(),
        /// Everyone has a part for everyone.
        alltoall: String = CollectiveOperation::AllToAll.usual_algorithm().to_string(),
        /// `barrier` outside of teams: nobody goes on before all ranks have come.
        barrier: String = CollectiveOperation::Barrier.usual_algorithm().to_string(),
    }
}

impl CollectivesKeys {
    /// The algorithm of an operation, and where it is written.
    pub fn of(&self, operation: CollectiveOperation) -> &At<String> {
        match operation {
            CollectiveOperation::Broadcast => &self.broadcast,
            CollectiveOperation::Reduce => &self.reduce,
            CollectiveOperation::AllReduce => &self.allreduce,
            CollectiveOperation::Gather => &self.gather,
            CollectiveOperation::AllGather => &self.allgather,
            CollectiveOperation::Scatter => &self.scatter,
            CollectiveOperation::AllToAll => &self.alltoall,
            CollectiveOperation::Barrier => &self.barrier,
        }
    }

    /// As a plan takes them.
    pub fn names(&self) -> Collectives {
        Collectives::of(|operation| self.of(operation).value.clone())
    }
}
