//! The life of one line, asked for by `--watch`: from the name of an object to its line, and from what happened to a record and to
//! sentences.

mod place;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::coherence::order::Command;
use crate::coherence::protocol::{AgentAction, AgentEvent, MemoryEvent, Permission, Protocol, State, Vocabulary};
use crate::components::life::{Happening, Life, Moment};

pub use place::{Place, find};

/// What happened to one line in the measured pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchRecord {
    /// As it was asked for: `a[0]`.
    pub object: String,
    /// The address of its line's first byte, and how long the line is.
    pub address: u64,
    pub line_bytes: u32,
    /// What of the program lies on the line: `a[0] to a[7]`.
    pub holds: Vec<String>,
    /// What each state of the protocol permits: `nothing`, `read`, `write`, or `transient`.
    pub states: IndexMap<String, String>,
    /// In the order of time: at most 10,000.
    pub events: Vec<LifeRecord>,
    /// Events after those.
    pub left_out: u64,
}

/// Something that happened to the line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LifeRecord {
    /// From the beginning of the measured pass.
    pub time_ps: u64,
    pub at: At,
    /// The core whose copy or whose request it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<u32>,
    /// The row's event, the transaction that is granted, or what memory does.
    pub event: String,
    /// The state of the copy before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The state of the copy after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The row's actions.
    #[serde(rename = "do", default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Of a transfer: its bytes, and when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ps: Option<u64>,
    /// Loads of the core that take effect on its copy between this and its next event. The spins of an `await` are not counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub loads: u64,
    /// Stores and atomic operations likewise.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stores: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Where something happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// In the core's private caches.
    #[default]
    Core,
    /// A request is taken up.
    Interconnect,
    /// Data move over the interconnect.
    Transfer,
    /// At memory, or at the shared cache before it.
    Memory,
}

/// The record of a line's life in a phase.
pub fn record(place: &Place, life: Life, protocol: &Protocol) -> WatchRecord {
    let begin_ps = life.began().0;
    let (moments, left_out) = life.moments();
    let states = protocol.agent.states.iter().map(|state| {
        let permits = Permission::ALL.iter().find(|(_, permits)| *permits == state.permits).map_or("", |(name, _)| name);
        (state.name.clone(), if state.transient { "transient" } else { permits }.to_owned())
    });
    WatchRecord {
        object: place.object.clone(),
        address: place.address,
        line_bytes: place.line_bytes,
        holds: place.holds.clone(),
        states: states.collect(),
        events: moments.iter().map(|moment| event(moment, protocol, begin_ps)).collect(),
        left_out,
    }
}

fn event(moment: &Moment, protocol: &Protocol, begin_ps: u64) -> LifeRecord {
    let time_ps = moment.time.0.saturating_sub(begin_ps);
    let plain = LifeRecord { time_ps, loads: moment.loads, stores: moment.stores, ..LifeRecord::default() };
    match moment.what {
        Happening::Transition { core, from, event, next } => {
            let (name, of) = AgentEvent::ALL[usize::from(event)];
            let row = protocol.agent.row(State(from), of);
            let done = AgentAction::ALL.iter().filter(|(_, action)| row.is_some_and(|row| row.actions.has(*action)));
            let state = |state: u8| Some(protocol.agent.state(State(state)).name.clone());
            let actions = done.map(|(name, _)| (*name).to_owned()).collect();
            LifeRecord { core: Some(u32::from(core)), event: name.into(), from: state(from), next: state(next), actions, ..plain }
        }
        Happening::Granted { agent, command } => {
            LifeRecord { at: At::Interconnect, core: Some(u32::from(agent)), event: transaction(command).into(), ..plain }
        }
        Happening::Transferred { agent, bytes, from_cache, end } => LifeRecord {
            at: At::Transfer,
            core: Some(u32::from(agent)),
            event: if from_cache { "from_cache" } else { "from_memory" }.into(),
            bytes: Some(bytes),
            until_ps: Some(end.0.saturating_sub(begin_ps)),
            ..plain
        },
        Happening::Memory { event, agent } => {
            LifeRecord { at: At::Memory, core: agent.map(u32::from), event: event.name().into(), ..plain }
        }
    }
}

fn transaction(command: Command) -> &'static str {
    match command {
        Command::Coherent(transaction) => transaction.name(),
        Command::Read(_) => "read",
        Command::Write(_) => "write",
    }
}

impl LifeRecord {
    /// What happens, in a clause: `core 1 sees bus_rd, has a copy, sends the line`.
    pub fn sentence(&self) -> String {
        let core = self.core.map_or(String::new(), |core| format!("core {core}"));
        match self.at {
            At::Core => self.of_core(&core),
            At::Interconnect => format!("the interconnect takes up {} of {core}", self.event),
            At::Transfer => {
                let bytes = self.bytes.unwrap_or(0);
                match (self.event.as_str(), bytes > 8) {
                    ("from_cache", true) => format!("{bytes} B go from a cache, asked for by {core}"),
                    ("from_cache", false) => format!("the word that {core} writes goes to the other copies, {bytes} B"),
                    _ => format!("{bytes} B go from memory to {core}"),
                }
            }
            At::Memory => match MemoryEvent::ALL.iter().find(|(name, _)| *name == self.event).map(|(_, event)| event) {
                Some(MemoryEvent::Read) => "memory reads the line".to_owned(),
                Some(MemoryEvent::Flush) => "memory takes the line that one cache sent to another".to_owned(),
                Some(MemoryEvent::GetS) => format!("the home is asked by {core} for a copy to read"),
                Some(MemoryEvent::GetM) => format!("the home is asked by {core} for the only copy"),
                Some(MemoryEvent::Upgrade | MemoryEvent::UpgradeOwner) => {
                    format!("the home is asked by {core} to have all other copies dropped")
                }
                Some(MemoryEvent::Put) => format!("the home takes the line back from {core}"),
                Some(MemoryEvent::PutClean) => format!("the home hears that {core} drops the line"),
                Some(MemoryEvent::PutStale) => format!("the home leaves the line that {core} gives back: another has it"),
                Some(MemoryEvent::Data) => format!("the home takes the line that its owner sent to {core}"),
                Some(MemoryEvent::Clean) => "the home hears that memory's copy is as new".to_owned(),
                Some(MemoryEvent::Unblock) => format!("the home hears that what {core} asked is over"),
                _ => "memory takes the line that is written back".to_owned(),
            },
        }
    }

    fn of_core(&self, core: &str) -> String {
        let what = match self.event.as_str() {
            "load" => "reads".to_owned(),
            "store" => "writes".to_owned(),
            "evict" => "evicts the line".to_owned(),
            "data_shared" => "has the line, as others do".to_owned(),
            "data_alone" => "has the line, alone".to_owned(),
            "done" => "may go on".to_owned(),
            "done_shared" => "may go on; others have copies too".to_owned(),
            "word" => "takes the word".to_owned(),
            "data" => "has the line".to_owned(),
            "data_early" => "has the line, and acknowledgements are still to come".to_owned(),
            "data_exclusive" => "has the line, alone".to_owned(),
            "ack_count" => "may write its copy".to_owned(),
            "ack_count_early" => "may write when all acknowledgements have come".to_owned(),
            "inv_ack" => "hears an acknowledgement".to_owned(),
            "last_inv_ack" => "hears the last acknowledgement".to_owned(),
            "fwd_get_s" => "is asked for a copy".to_owned(),
            "fwd_get_m" => "is asked for the line".to_owned(),
            "inv" => "is told to drop its copy".to_owned(),
            "put_ack" => "has given the line back".to_owned(),
            event => match event.strip_prefix("own_") {
                Some(own) => format!("sees its own {own}"),
                None => format!("sees {event}"),
            },
        };
        let mut clauses = vec![format!("{core} {what}")];
        clauses.extend(self.actions.iter().filter_map(|action| {
            Some(match action.as_str() {
                "shared" => "has a copy".to_owned(),
                "flush" => "sends the line, also to memory".to_owned(),
                "supply" => "sends the line".to_owned(),
                "write_back" => "sends the line to memory".to_owned(),
                "send_word" => "sends the word".to_owned(),
                "take_word" => "will take the word".to_owned(),
                "amend" => "asks for the line instead".to_owned(),
                "withdraw" => "takes its write-back off".to_owned(),
                "stall" => "has to wait".to_owned(),
                "send_data" => "sends the line".to_owned(),
                "data_home" => "sends it home, too".to_owned(),
                "clean_home" => "tells the home that memory has the same".to_owned(),
                "inv_ack" => "acknowledges".to_owned(),
                "unblock" => "tells the home".to_owned(),
                "put" => "gives it back".to_owned(),
                "put_clean" => "tells the home".to_owned(),
                "perform" => return None,
                request => format!("asks for {request}"),
            })
        }));
        let counted = [(self.loads, "load"), (self.stores, "store")].into_iter().filter(|(n, _)| *n > 0);
        let counted: Vec<String> = counted.map(|(n, what)| format!("{n} {what}{}", if n == 1 { "" } else { "s" })).collect();
        let then = if counted.is_empty() { String::new() } else { format!("; then {}", counted.join(", ")) };
        clauses.join(", ") + &then
    }
}
