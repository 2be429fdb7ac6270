//! Memory consistency models: which value a load may return while other threads store.

/// What a core promises about the order of its accesses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Consistency {
    /// Sequential consistency: all accesses in one order that agrees with each thread's own (Lamport, "How to make a multiprocessor
    /// computer that correctly executes multiprocess programs", IEEE Transactions on Computers C-28(9), 1979).
    #[default]
    Sc,
    /// Total store order: stores wait in a first-in-first-out buffer while later loads go on, which look into it first (SPARC
    /// Architecture Manual version 8, appendix K; Owens, Sarkar and Sewell, "A better x86 memory model: x86-TSO", TPHOLs 2009).
    /// Read-modify-writes, `seq_cst` stores and fences wait until it is empty.
    Tso,
}

impl Consistency {
    /// All of them with the names that users write.
    pub const ALL: [(&'static str, Consistency); 2] = [("sc", Consistency::Sc), ("tso", Consistency::Tso)];

    /// As users write it.
    pub fn name(self) -> &'static str {
        Consistency::ALL[self as usize].0
    }
}
