//! The algorithms of collectives: keys of `[runtime.collectives]`.

use crate::base::document::At;
use crate::program::code::Collectives;
use crate::program::tree::CollectiveOperation;
use crate::section;

section! {
    /// The algorithms of what ranks do together: "ring" for `allreduce` means `collective-allreduce-ring.flynn` of `models/runtime`.
    pub struct CollectivesKeys {
        /// One rank's slice goes to all.
        broadcast: String = Collectives::default().broadcast,
        /// The slices of all are combined at one rank.
        reduce: String = Collectives::default().reduce,
        /// The slices of all are combined, and all have the outcome.
        allreduce: String = Collectives::default().allreduce,
        /// The parts of all are put together at one rank.
        gather: String = Collectives::default().gather,
        /// The parts of all are put together at all (`gather` without `at`).
        allgather: String = Collectives::default().allgather,
        /// One rank deals its slice out.
        scatter: String = Collectives::default().scatter,
        /// Everyone has a part for everyone.
        alltoall: String = Collectives::default().alltoall,
        /// `barrier` outside of teams: nobody goes on before all ranks have come.
        barrier: String = Collectives::default().barrier,
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
        Collectives {
            broadcast: self.broadcast.value.clone(),
            reduce: self.reduce.value.clone(),
            allreduce: self.allreduce.value.clone(),
            gather: self.gather.value.clone(),
            allgather: self.allgather.value.clone(),
            scatter: self.scatter.value.clone(),
            alltoall: self.alltoall.value.clone(),
            barrier: self.barrier.value.clone(),
        }
    }
}
