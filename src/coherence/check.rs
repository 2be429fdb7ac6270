//! What a protocol's tables must be to mean anything: the rules that can be read off the rows. Whether the protocol keeps caches
//! coherent is not among them: that is found by running it, or by exploring every order of events.

use crate::base::diagnostic::Diagnostics;
use crate::coherence::load::Places;
use crate::coherence::protocol::{
    AgentAction, AgentEvent, Kind, MemoryAction, MemoryEvent, Permission, Row, State, Table, Vocabulary,
};

/// Every state can be reached from the first.
pub(super) fn reachable<E: Vocabulary>(table: &Table<E>, places: &Places, faults: &mut Diagnostics) {
    let mut reached = vec![false; table.states.len()];
    let mut to_visit = vec![State::INVALID];
    while let Some(state) = to_visit.pop() {
        if !std::mem::replace(&mut reached[usize::from(state.0)], true) {
            to_visit.extend(E::ALL.iter().filter_map(|&(_, event)| table.row(state, event)).map(|row| row.next));
        }
    }
    for (number, state) in table.states.iter().enumerate().filter(|&(number, _)| !reached[number]) {
        let first = &table.states[0].name;
        let message = format!("no sequence of events leads from {first} to the state {}", state.name);
        faults.push(places.states[number].fault(message).help("remove it, or the row that should lead there has the wrong `next`"));
    }
}

const REQUESTS: [AgentAction; 10] = [
    AgentAction::BusRd,
    AgentAction::BusRdX,
    AgentAction::BusUpgr,
    AgentAction::BusWb,
    AgentAction::BusUpd,
    AgentAction::GetS,
    AgentAction::GetM,
    AgentAction::Upgrade,
    AgentAction::Put,
    AgentAction::PutClean,
];

fn n_requests(row: Row) -> usize {
    REQUESTS.iter().filter(|&&request| row.actions.has(request)).count()
}

/// The rules of an agent's table.
pub(super) fn agent(table: &Table<AgentEvent>, kind: Kind, places: &Places, faults: &mut Diagnostics) {
    let first = table.state(State::INVALID);
    if first.permits != Permission::Nothing || first.dirty || first.transient {
        let message = format!("{} comes first, so it is the state of lines that are not held: it permits nothing", first.name);
        faults.push(places.states[0].fault(message));
    }
    for (number, state) in table.states.iter().enumerate() {
        if state.transient && state.permits != Permission::Nothing {
            let message = format!("{} is transient and permits something: the core waits in it", state.name);
            faults.push(places.states[number].fault(message));
        }
    }
    let rows = (0..table.states.len()).flat_map(|state| AgentEvent::ALL.iter().map(move |&(_, event)| (State(state as u8), event)));
    for (state, event) in rows {
        let Some(place) = &places.rows[table.row_number(state, event)] else { continue };
        let Some(row) = table.row(state, event) else { continue };
        let check = AgentRow { table, kind, state, event, row };
        let fault = match event {
            AgentEvent::Load | AgentEvent::Store => check.access(),
            AgentEvent::Evict => check.eviction(),
            AgentEvent::DataShared | AgentEvent::DataAlone | AgentEvent::Done | AgentEvent::DoneShared => check.completion(),
            AgentEvent::Word => check.misplaced(&[]),
            _ if kind == Kind::Directory => check.packet(),
            _ => check.snoop(),
        };
        faults.extend(fault.map(|message| place.fault(message)));
    }
    permissions_are_used(table, places, faults);
}

struct AgentRow<'a> {
    table: &'a Table<AgentEvent>,
    kind: Kind,
    state: State,
    event: AgentEvent,
    row: Row,
}

impl AgentRow<'_> {
    fn has(&self, action: AgentAction) -> bool {
        self.row.actions.has(action)
    }

    fn name(&self) -> &str {
        &self.table.state(self.state).name
    }

    fn next(&self) -> &crate::coherence::protocol::StateInfo {
        self.table.state(self.row.next)
    }

    /// The first action that has no place in this row.
    fn misplaced(&self, allowed: &[AgentAction]) -> Option<String> {
        let (name, _) = AgentAction::ALL.iter().find(|&&(_, action)| self.has(action) && !allowed.contains(&action))?;
        let reason = match *name {
            "amend" | "withdraw" if self.event == AgentEvent::BusWb => "a write-back takes the line from no one else",
            "shared" | "flush" | "supply" if self.is_answered() => "no one waits for a line",
            "shared" | "flush" | "supply" | "amend" | "withdraw" => "it answers another agent's transaction",
            "write_back" => "it goes with the own write-back on the bus (`own_bus_wb`)",
            "send_word" => "it goes with the own update on the bus (`own_bus_upd`)",
            "take_word" => "it answers another agent's update (`bus_upd`)",
            "stall" => "only an access or an eviction can be tried again",
            "bus_wb" => "a write-back is asked for by an eviction",
            "perform" => "no access of the core waits here",
            "put" | "put_clean" => "a line is given back by an eviction",
            "send_data" | "data_home" | "clean_home" => "it answers a request that the home passes on",
            "inv_ack" => "it answers `inv`",
            "accept" | "refuse" => "it answers an offer of the home's (`offer`, `inject`, `inject_full`)",
            "unblock" => "it goes with what ends the own request",
            "get_s" | "get_m" | "upgrade" => "the home is asked by an access of the core",
            _ => "the bus is asked by an access of the core",
        };
        Some(format!("the action `{name}` has no place on the event `{}`: {reason}", self.event.name()))
    }

    /// Whether it is another agent's transaction.
    fn is_answered(&self) -> bool {
        use AgentEvent::{BusRd, BusRdX, BusUpd, BusUpgr, BusWb};
        matches!(self.event, BusRd | BusRdX | BusUpgr | BusUpd | BusWb)
    }

    /// A load or a store: it is performed, asks, or stalls; one of them.
    fn access(&self) -> Option<String> {
        let (state, event) = (self.name(), self.event.name());
        let allowed = [
            AgentAction::Perform,
            AgentAction::Stall,
            AgentAction::BusRd,
            AgentAction::BusRdX,
            AgentAction::BusUpgr,
            AgentAction::BusUpd,
            AgentAction::GetS,
            AgentAction::GetM,
            AgentAction::Upgrade,
        ];
        if let Some(misplaced) = self.misplaced(&allowed) {
            return Some(misplaced);
        }
        let ways = usize::from(self.has(AgentAction::Perform)) + usize::from(self.has(AgentAction::Stall)) + n_requests(self.row);
        if ways != 1 {
            let asking = match self.kind {
                Kind::Snooping => "ask the bus (`bus_rd`, `bus_rdx`, `bus_upgr`, `bus_upd`)",
                Kind::Directory => "ask the home (`get_s`, `get_m`, `upgrade`)",
            };
            return Some(format!("a {event} in {state} must do exactly one of: `perform`, `stall`, {asking}; this does {ways}"));
        }
        let needed = if self.event == AgentEvent::Store { Permission::Write } else { Permission::Read };
        let permits = self.table.state(self.state).permits;
        if self.has(AgentAction::Perform) {
            if permits < needed {
                return Some(format!("a {event} is performed in {state}, which does not permit it"));
            }
            if self.next().permits < needed {
                return Some(format!(
                    "a {event} is performed in {state} and leads to {}, which does not permit it",
                    self.next().name
                ));
            }
        } else if self.has(AgentAction::Stall) {
            if self.row.next != self.state {
                return Some(format!("a {event} that stalls in {state} must stay in {state}, not go to {}", self.next().name));
            }
        } else if !self.next().transient {
            return Some(format!(
                "a {event} in {state} asks {}, so the next state must be transient; {} is not",
                if self.kind == Kind::Snooping { "the bus" } else { "the home" },
                self.next().name
            ));
        }
        None
    }

    fn eviction(&self) -> Option<String> {
        if let Some(misplaced) = self.misplaced(&[AgentAction::BusWb, AgentAction::Put, AgentAction::PutClean, AgentAction::Stall])
        {
            return Some(misplaced);
        }
        let asks = n_requests(self.row) > 0;
        if n_requests(self.row) > 1 {
            return Some(format!("an eviction in {} gives the line back in one way", self.name()));
        }
        if self.kind == Kind::Directory && asks && self.next().dirty != self.has(AgentAction::Put) {
            return Some(format!(
                "a line that is given back waits in a state that is `dirty` if it goes with the line (`put`) and not if it goes without (`put_clean`); {} is not so",
                self.next().name
            ));
        }
        if self.has(AgentAction::Stall) {
            let (name, waits) = (self.name(), !asks && self.row.next == self.state);
            return (!waits).then(|| format!("an eviction that stalls in {name} must stay in {name} and ask for nothing"));
        }
        if asks && !self.next().transient {
            return Some(format!(
                "the write-back waits for its answer, so the next state must be transient; {} is not",
                self.next().name
            ));
        }
        if !asks && self.row.next != State::INVALID {
            let first = &self.table.state(State::INVALID).name;
            return Some(format!("a line that is dropped goes to {first}, not to {}", self.next().name));
        }
        let stalls = |event| self.table.row(self.row.next, event).is_none_or(|row| row.actions.has(AgentAction::Stall));
        if asks && !(stalls(AgentEvent::Load) && stalls(AgentEvent::Store)) {
            return Some(format!("in {} the line is on its way out: a load or store must `stall` there", self.next().name));
        }
        None
    }

    fn completion(&self) -> Option<String> {
        if let Some(misplaced) = self.misplaced(&[AgentAction::Perform, AgentAction::BusUpd]) {
            return Some(misplaced);
        }
        let (event, name, next) = (self.event.name(), self.name(), &self.next().name);
        if self.has(AgentAction::Perform) == self.has(AgentAction::BusUpd) {
            return Some(format!(
                "`{event}` ends the core's wait in {name}: it must either `perform` the access or ask for the next transaction (`bus_upd`)"
            ));
        }
        if self.has(AgentAction::BusUpd) {
            let waits = self.next().transient;
            return (!waits)
                .then(|| format!("`{event}` in {name} asks the bus, so the next state must be transient; {next} is not"));
        }
        if self.next().permits == Permission::Nothing {
            return Some(format!("the access is performed, but {next} permits nothing"));
        }
        None
    }

    fn snoop(&self) -> Option<String> {
        let own =
            matches!(self.event, AgentEvent::OwnBusRd | AgentEvent::OwnBusRdX | AgentEvent::OwnBusUpgr | AgentEvent::OwnBusWb);
        let allowed: &[AgentAction] = match self.event {
            AgentEvent::OwnBusWb => &[AgentAction::WriteBack],
            AgentEvent::OwnBusUpd => &[AgentAction::SendWord],
            AgentEvent::BusUpd => &[AgentAction::Shared, AgentAction::TakeWord, AgentAction::Withdraw],
            AgentEvent::BusUpgr => &[AgentAction::Amend, AgentAction::Withdraw],
            AgentEvent::BusWb => &[],
            _ if own => &[],
            _ => &[AgentAction::Shared, AgentAction::Flush, AgentAction::Supply, AgentAction::Amend, AgentAction::Withdraw],
        };
        if let Some(misplaced) = self.misplaced(allowed) {
            return Some(misplaced);
        }
        if self.has(AgentAction::Flush) && self.has(AgentAction::Supply) {
            return Some("memory either takes the line that is supplied (`flush`) or it does not (`supply`)".to_owned());
        }
        let gains = self.next().permits > self.table.state(self.state).permits;
        gains.then(|| {
            format!(
                "`{}` leads from {} to {}, which permits more: only `data_shared`, `data_alone`, `done`, `done_shared` and `word` bring a permission",
                self.event.name(),
                self.name(),
                self.next().name
            )
        })
    }
}

impl AgentRow<'_> {
    /// What a packet does.
    fn packet(&self) -> Option<String> {
        use AgentAction::{Accept, CleanHome, DataHome, InvAck, Perform, Put, Refuse, SendData, Unblock};
        let allowed: &[AgentAction] = match self.event {
            AgentEvent::FwdGetS | AgentEvent::FwdGetM => &[SendData, DataHome, CleanHome],
            AgentEvent::Inv => &[InvAck],
            AgentEvent::PutAck => &[],
            AgentEvent::PutNack => &[Put],
            AgentEvent::Offer | AgentEvent::Inject => &[Accept, Refuse],
            AgentEvent::InjectFull => &[Refuse],
            _ => &[Perform, Unblock],
        };
        if let Some(misplaced) = self.misplaced(allowed) {
            return Some(misplaced);
        }
        let (event, name, next) = (self.event.name(), self.name(), &self.next().name);
        let must = match self.event {
            AgentEvent::FwdGetS | AgentEvent::FwdGetM => Some((SendData, "the requestor waits for the line: `send_data`")),
            AgentEvent::Inv => Some((InvAck, "the requestor waits for the acknowledgement: `inv_ack`")),
            AgentEvent::InjectFull => Some((Refuse, "the home waits for an answer, and there is no room: `refuse`")),
            _ => None,
        };
        if matches!(self.event, AgentEvent::Offer | AgentEvent::Inject) {
            if self.has(Accept) == self.has(Refuse) {
                return Some(format!("`{event}` must be answered in one way, by `accept` or `refuse`"));
            }
            let keeps = self.next().dirty;
            return (self.has(Accept) && !keeps).then(|| {
                format!("the last copy is accepted, so the next state must be `dirty`: it must not be dropped; {next} is not")
            });
        }
        if let Some((_, why)) = must.filter(|&(action, _)| !self.has(action)) {
            return Some(why.to_owned());
        }
        if self.has(Perform) {
            let permits = self.next().permits;
            return (permits == Permission::Nothing).then(|| format!("the access is performed, but {next} permits nothing"));
        }
        let gains = self.next().permits > self.table.state(self.state).permits;
        gains.then(|| format!("`{event}` leads from {name} to {next}, which permits more, without the access being performed"))
    }
}

/// The rules of a home's table.
pub(super) fn home(table: &Table<MemoryEvent>, places: &Places, faults: &mut Diagnostics) {
    let rows =
        (0..table.states.len()).flat_map(|state| MemoryEvent::ALL.iter().map(move |&(_, event)| (State(state as u8), event)));
    for (state, event) in rows {
        let (Some(row), Some(place)) = (table.row(state, event), &places.rows[table.row_number(state, event)]) else { continue };
        faults.extend(home_row(state, event, row).map(|message| place.fault(message)));
    }
}

fn home_row(state: State, event: MemoryEvent, row: Row) -> Option<String> {
    let has = |action| row.actions.has(action);
    let name = event.name();
    let asks = matches!(event, MemoryEvent::GetS | MemoryEvent::GetM | MemoryEvent::Upgrade | MemoryEvent::UpgradeOwner);
    let gives = matches!(event, MemoryEvent::Put | MemoryEvent::PutClean | MemoryEvent::PutStale);
    let answers = matches!(event, MemoryEvent::Accept | MemoryEvent::Refuse | MemoryEvent::RefuseLast);
    if has(MemoryAction::Stall) {
        if !(asks || gives) {
            return Some(format!("`{name}` must not `stall`: what waits at the home waits for it"));
        }
        let alone = row.next == state && MemoryAction::ALL.iter().all(|&(_, other)| other == MemoryAction::Stall || !has(other));
        return (!alone).then(|| format!("a `{name}` that stalls must leave everything as it is"));
    }
    if let Some(misplaced) = misplaced_at_home(event, asks, row) {
        return Some(misplaced);
    }
    if asks {
        let answers = [
            MemoryAction::SendData,
            MemoryAction::SendDataExclusive,
            MemoryAction::SendNew,
            MemoryAction::SendAckCount,
            MemoryAction::FwdGetS,
            MemoryAction::FwdGetM,
        ];
        let ways = answers.iter().filter(|&&action| has(action)).count();
        return (ways != 1).then(|| {
            format!(
                "a `{name}` must be answered in exactly one way, by `send_data`, `send_data_exclusive`, `send_new`, `send_ack_count`, `fwd_get_s`, `fwd_get_m` or `stall`; this does {ways}"
            )
        });
    }
    if answers {
        let ways = [MemoryAction::PutAck, MemoryAction::PutNack, MemoryAction::Place].iter().filter(|&&action| has(action)).count();
        return (ways != 1).then(|| {
            format!("the owner waits for a place for its line: `{name}` must do one of `put_ack`, `put_nack` and `place`; this does {ways}")
        });
    }
    if event == MemoryEvent::Put && has(MemoryAction::Place) {
        let both = has(MemoryAction::PutAck) || has(MemoryAction::Update);
        return both.then(|| "memory takes the line (`update`, `put_ack`), or it is given another place (`place`)".to_owned());
    }
    if gives && !has(MemoryAction::PutAck) {
        return Some(format!("`{name}` must be answered by `put_ack`, or `stall`"));
    }
    let takes = matches!(event, MemoryEvent::Put | MemoryEvent::Data);
    (takes && !has(MemoryAction::Update)).then(|| format!("a newer line comes with `{name}`, so memory must take it: `update`"))
}

/// The first action that has no place in a row of a home.
fn misplaced_at_home(event: MemoryEvent, asks: bool, row: Row) -> Option<String> {
    use MemoryAction::{AddOwner, AddSharer, ClearOwner, ClearSharers, Inv, MoveOwner, Place, PutAck, PutNack, SetOwner, Update};
    let allowed: &[MemoryAction] = match event {
        _ if asks => {
            return [PutAck, Update, Place, PutNack, MoveOwner].iter().find(|&&action| row.actions.has(action)).map(|action| {
                format!("the action `{}` has no place on the event `{}`: no line comes with it", action.name(), event.name())
            });
        }
        MemoryEvent::Put => &[PutAck, Update, ClearOwner, Place],
        MemoryEvent::PutClean => &[PutAck, ClearOwner],
        MemoryEvent::PutStale => &[PutAck],
        MemoryEvent::Data => &[Update],
        MemoryEvent::Accept => &[PutAck, MoveOwner],
        MemoryEvent::Refuse => &[Place],
        MemoryEvent::RefuseLast => &[PutNack],
        _ => &[],
    };
    let (name, action) = MemoryAction::ALL.iter().find(|&&(_, action)| row.actions.has(action) && !allowed.contains(&action))?;
    let reason = match action {
        PutAck | PutNack | Place => "no line is given back",
        Update => "no line comes with it that memory could take",
        AddSharer | AddOwner | ClearSharers | SetOwner | ClearOwner | MoveOwner => {
            "who has copies changes with requests, and when the owner gives the line back"
        }
        Inv => "no one is going to write",
        _ => "no one waits for an answer",
    };
    Some(format!("the action `{name}` has no place on the event `{}`: {reason}", event.name()))
}

/// A stable state performs what it permits: the fast path of a hit is read off the permission.
fn permissions_are_used(table: &Table<AgentEvent>, places: &Places, faults: &mut Diagnostics) {
    for (number, state) in table.states.iter().enumerate() {
        for (event, needed) in [(AgentEvent::Load, Permission::Read), (AgentEvent::Store, Permission::Write)] {
            let performs = table.row(State(number as u8), event).is_some_and(|row| row.actions.has(AgentAction::Perform));
            if state.permits >= needed && !performs {
                let message =
                    format!("{} permits a {}, but its row for that event does not `perform` it", state.name, event.name());
                faults.push(places.states[number].fault(message));
            }
        }
    }
}

/// The rules of memory's table.
pub(super) fn memory(table: &Table<MemoryEvent>, places: &Places, faults: &mut Diagnostics) {
    let rules = [
        (MemoryEvent::Read, MemoryAction::Supply, Some("no agent supplies the line, so memory must `supply` it")),
        (MemoryEvent::Flush, MemoryAction::Update, None),
        (MemoryEvent::WriteBack, MemoryAction::Update, Some("the line comes back, so memory must take it: `update`")),
    ];
    for number in 0..table.states.len() {
        let state = State(number as u8);
        for (event, action, needed) in rules {
            let (Some(row), Some(place)) = (table.row(state, event), &places.rows[table.row_number(state, event)]) else {
                continue;
            };
            if let (false, Some(why)) = (row.actions.has(action), needed) {
                faults.push(place.fault(why));
            }
            let misplaced = MemoryAction::ALL.iter().find(|&&(_, other)| other != action && row.actions.has(other));
            if let Some((name, _)) = misplaced {
                let what = if event == MemoryEvent::Read { "no line comes" } else { "no one asks memory for the line" };
                faults.push(place.fault(format!("the action `{name}` has no place on the event `{}`: {what}", event.name())));
            }
        }
    }
}
