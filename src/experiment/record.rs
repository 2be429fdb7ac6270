//! The record: one JSON document per run, from which everything else is made. It holds no wall-clock value, so the same input gives
//! the same bytes.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::coherence::protocol::{
    AgentAction, AgentEvent, MemoryAction, MemoryEvent, Protocol, State, StateInfo, Table, Vocabulary,
};
use crate::experiment::watch::WatchRecord;
use crate::machine::Machine;

/// The version of the record's layout. Fields never change meaning under one version.
pub const SCHEMA: u32 = 1;

/// The JSON Schema of a record.
pub fn schema() -> Json {
    schemars::schema_for!(Record).to_value()
}

/// What one simulated run did and why it took the time it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of Flynn that made it.
    pub flynn: String,
    pub seed: u64,
    pub start: Start,
    pub machine: MachineRecord,
    pub workload: WorkloadRecord,
    /// Simulated time of the measured pass, in picoseconds: from the released barrier to the last arrival. Of a trace: until memory
    /// has all that was written; 0 where only counts were wanted.
    pub time_ps: u64,
    pub result: ResultRecord,
    pub counts: Counts,
    /// Every counter by its path, in the order of the machine's parts.
    ///
    /// Of a cache without coherence: `accesses`, which are `fetches` of instructions, `reads` and `writes`, and `misses` likewise; what
    /// a level asks of the next is a fetch where it wants instructions, a read where it wants data (for a write that misses, too), and
    /// a write where it passes on a dirty line or a write. `writebacks` are dirty lines that made room, `dirty_lines` those still
    /// there at the end, and `writebacks_flushed` what `writebacks` would be if at the end every level, innermost first, wrote its
    /// dirty lines to the next, as Dinero IV does.
    ///
    /// Of the cache that cores share, `node[0].llc`, the same as of coherent private ones; `bytes_read` and `bytes_written` are of its
    /// traffic with memory, `bytes_supplied` and `bytes_taken` of that with the interconnect; `busy_ps` is summed over its banks.
    ///
    /// Of an interconnect `busy_ps` is the time in which the link that was busiest moved data. A crossbar counts each port, in
    /// (`interconnect.from_core[2]`, `from_memory[0]`) and out (`to_core[2]`, `to_memory[0]`), a ring each link by the station it
    /// leads from (`forward[3]`, `backward[3]`): `busy_ps` and `bytes`. Stations are numbered from memory's first port on.
    ///
    /// Of a coherence protocol: how often each row that moves a line or tells others of it was taken, `protocol.M.bus_rd`; and of
    /// memory's table `protocol.memory.Ready.flush`. Hits that change nothing are not counted here.
    ///
    /// Misses of a cache by cause (`misses_cold`, ...; they add up to `misses`): *cold*, the line was never there; *true* or *false
    /// sharing*, another core's write took it, and the word wanted was written by another core since, or it was not (Torrellas, Lam
    /// and Hennessy, IEEE Transactions on Computers 43(6), 1994); *capacity*, as many other lines as the cache has were used since the
    /// line last was, so that a fully associative cache that replaces the least recently used line would miss, too; *conflict*, fewer
    /// were (Hill and Smith, IEEE Transactions on Computers 38(12), 1989). Misses whose line is on its way already are
    /// `merged_misses`.
    ///
    /// Of a core whose addresses are translated: `tlb.l1` and `tlb.l2` with `accesses`, `hits` and `misses`, `tlb.walks` of the page
    /// table, their `tlb.walk_loads`, which are also accesses of the data caches, and `tlb.merged_walks`, misses that found a walk of
    /// their page under way. What translation adds to the time is `stack.translation_ps`.
    ///
    /// Of the first cache for data of a core that prefetches (`l1d`): `prefetches`, lines asked for beforehand; `prefetches_useful`,
    /// accesses that were the first to find one there, `prefetches_late`, on its way; `prefetches_useless`, lines that left unused; and
    /// `prefetches_dropped`, lines named for which there was no register or no room. A prefetch is no access, no hit and no miss; an
    /// access that finds its line on its way counts as a hit when the line is there, in a window as `merged_misses`.
    pub metrics: IndexMap<String, u64>,
    /// Costs by source line, costliest first; times are sums over all cores.
    pub profile: Vec<ProfileLine>,
    /// Utilisation over time of what can be busy: name, and the busy share (0 to 1) of each of equally long stretches of the run.
    pub timelines: IndexMap<String, Vec<f64>>,
    /// Sentences, the most important first; each rests on figures above.
    pub why: Vec<Reason>,
    /// The life of one line, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchRecord>,
}

/// Whether a warm-up pass ran before the measured one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    Warm,
    Cold,
}

/// The machine a record is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineRecord {
    pub name: String,
    /// `uma`, `numa`, `coma` or `norma`.
    pub organisation: String,
    /// `SISD`, `SIMD`, `MISD` or `MIMD`.
    pub flynn_class: String,
    /// Every key with the value in force.
    pub config: Json,
    /// The rows of the coherence protocol, where there is one: its name may be that of a file, which can say anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<ProtocolRecord>,
}

impl MachineRecord {
    /// The record of a machine.
    pub fn of(machine: &Machine) -> MachineRecord {
        MachineRecord {
            name: machine.name.clone(),
            organisation: machine.organisation.to_string(),
            flynn_class: machine.flynn_class.to_string(),
            config: machine.resolved.clone(),
            protocol: machine.nodes.iter().find_map(|node| node.protocol.as_deref()).map(ProtocolRecord::of),
        }
    }
}

/// Rows by state, then by event; a pair that is not here is impossible.
pub type RowRecords = IndexMap<String, IndexMap<String, RowRecord>>;

/// A coherence protocol as it was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProtocolRecord {
    /// As its text calls it.
    pub name: String,
    /// Of cache agents.
    pub agent: RowRecords,
    /// Of memory.
    pub memory: RowRecords,
}

/// What a state does on an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowRecord {
    /// The state after it.
    pub next: String,
    /// The actions.
    #[serde(rename = "do", default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
}

impl ProtocolRecord {
    /// The record of a protocol.
    pub fn of(protocol: &Protocol) -> ProtocolRecord {
        ProtocolRecord {
            name: protocol.name.clone(),
            agent: rows::<AgentEvent, AgentAction>(&protocol.agent),
            memory: rows::<MemoryEvent, MemoryAction>(&protocol.memory),
        }
    }
}

fn rows<E: Vocabulary, A: Vocabulary>(table: &Table<E>) -> RowRecords {
    let of_state = |(number, state): (usize, &StateInfo)| {
        let rows = E::ALL.iter().filter_map(|&(event, of)| {
            let row = table.row(State(number as u8), of)?;
            let actions = A::ALL.iter().filter(|(_, action)| row.actions.has(*action)).map(|(name, _)| (*name).to_string());
            Some((event.to_string(), RowRecord { next: table.state(row.next).name.clone(), actions: actions.collect() }))
        });
        (state.name.clone(), rows.collect())
    };
    table.states.iter().enumerate().map(of_state).collect()
}

/// The workload a record is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadRecord {
    pub name: String,
    pub text: String,
    pub text_sha256: String,
    pub parameters: IndexMap<String, Json>,
    pub runtime: Json,
}

/// What the program computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResultRecord {
    /// The values in the order of the text; floats that JSON cannot hold are the strings `NaN`, `inf`, `-inf`.
    pub values: Vec<Json>,
    /// 16 hexadecimal digits: FNV-1a, 64 bits, over the values' canonical bits (8 little-endian bytes each) in order.
    pub checksum: String,
    pub equality: Equality,
}

/// How results of two runs of one program compare.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Equality {
    /// Bit for bit.
    Exact,
    /// Within this relative tolerance, as a result depends on an order of float operations.
    Tolerance(f64),
}

/// Totals of the measured pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Messages delivered between parts.
    pub events: u64,
    /// Instructions of Code that were carried out.
    pub operations: u64,
    /// Loads, stores and atomic operations.
    pub memory_accesses: u64,
    /// Float additions, multiplications, divisions and roots; a fused multiply-add counts as two.
    pub flops: u64,
    /// Bytes of the elements loaded and stored.
    pub bytes: u64,
}

/// What one source line cost, over all cores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileLine {
    /// From 1.
    pub line: u32,
    pub time_ps: u64,
    /// Time by owner, `base` to `idle` as in the metric names, without those that are 0.
    pub stack: IndexMap<String, u64>,
    /// Misses of data in the cores' first levels of cache by cause, `cold`, `capacity`, `conflict`, `true_sharing` and `false_sharing`,
    /// without those that are 0.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub misses: IndexMap<String, u64>,
}

/// A sentence that explains, and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    pub sentence: String,
    /// The metrics or bounds it rests on, by path.
    pub evidence: Vec<String>,
}

/// A prediction beside what the host did: one case of `validate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValidationCase {
    pub workload: String,
    pub parameters: IndexMap<String, Json>,
    pub threads: u32,
    pub predicted_seconds: f64,
    /// The lower quartile of the samples.
    pub measured_seconds: f64,
    /// (p75 - p25) / median of the samples.
    pub measured_spread: f64,
    /// predicted / measured - 1.
    pub error: f64,
    pub verdict: String,
    pub checksum_simulated: String,
    pub checksum_host: String,
    pub equal: bool,
    /// Every sample, in seconds, in the order taken.
    pub samples: Vec<f64>,
}
