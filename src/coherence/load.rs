//! Reads a protocol's text: strict, every fault with its place and the nearest right name.
//!
//! ```toml
//! [agent.states]
//! S = { permits = "read" }
//!
//! [agent.rows.S]
//! load = { next = "S", do = ["perform"] }
//! impossible = ["own_bus_rd"]
//! ```
//!
//! Every pair of a state and a listed event has a row or is listed as impossible; none has both.
//!
//! A protocol whose `[networks]` have an `address` snoops, and its second table is `[memory]`; one whose networks have `request`,
//! `forward` and `response` has a directory, and its second table is `[home]`.

use crate::base::diagnostic::{Diagnostic, Diagnostics, SourceText, nearest};
use crate::base::document::{Data, Place, Table as Keys, Value, parse};
use crate::coherence::check;
use crate::coherence::protocol::{
    Actions, AgentAction, AgentEvent, Delivery, Kind, MemoryAction, MemoryEvent, Networks, Permission, Protocol, Row, State,
    StateInfo, Table, Vocabulary,
};

/// As many faults of one text are told.
const MOST_FAULTS: usize = 32;

/// Where the rows and states of a table are written.
#[derive(Clone, Debug)]
pub struct Places {
    pub states: Vec<Place>,
    /// By row number; the place of the event's key.
    pub rows: Vec<Option<Place>>,
}

/// Where the rows and states of both tables are written.
#[derive(Clone, Debug)]
pub struct RowPlaces {
    pub agent: Places,
    /// Of memory's, or the home's.
    pub memory: Places,
}

impl Kind {
    /// What the second table is called.
    pub fn memory_table(self) -> &'static str {
        match self {
            Kind::Snooping => "memory",
            Kind::Directory => "home",
        }
    }
}

/// Reads a protocol.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn load(source: &SourceText) -> Result<Protocol, Diagnostics> {
    load_with_places(source).map(|(protocol, _)| protocol)
}

/// Reads a protocol, and says where its rows are written.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn load_with_places(source: &SourceText) -> Result<(Protocol, RowPlaces), Diagnostics> {
    let root = parse(source)?;
    let mut reader = Reader { faults: Vec::new(), kind: Kind::Snooping };
    let protocol = reader.protocol(&root);
    match protocol {
        Some(protocol) if reader.faults.is_empty() => Ok(protocol),
        _ => {
            reader.faults.sort_by_key(|fault| fault.span);
            reader.faults.truncate(MOST_FAULTS);
            Err(reader.faults)
        }
    }
}

struct Reader {
    faults: Diagnostics,
    /// Whose words are known.
    kind: Kind,
}

fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(name, candidates.clone()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("there are: {}", candidates.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// The words of a kind of protocols.
fn words_of<T: Vocabulary>(kind: Kind) -> Vec<(&'static str, T)> {
    T::ALL.iter().filter(|(_, word)| word.is_of(kind)).copied().collect()
}

/// What a text is meant to be, by its networks, or else by its tables.
fn kind_of(keys: &Keys) -> Kind {
    let networks = keys.get("networks").and_then(|entry| entry.value.table());
    let has = |key| networks.is_some_and(|networks| networks.contains_key(key));
    let of_directory = has("request") || has("forward") || has("response") || (!has("address") && keys.contains_key("home"));
    if of_directory { Kind::Directory } else { Kind::Snooping }
}

impl Reader {
    fn fault(&mut self, fault: Diagnostic) {
        self.faults.push(fault);
    }

    /// The table under a key, where it is there and one.
    fn table<'a>(&mut self, keys: &'a Keys, at: &Place, key: &str, path: &str) -> Option<(&'a Keys, &'a Place)> {
        let Some(entry) = keys.get(key) else {
            self.fault(at.fault(format!("the table `[{path}]` is missing")).key(path));
            return None;
        };
        match &entry.value.data {
            Data::Table(table) => Some((table, &entry.value.place)),
            _ => {
                self.fault(entry.value.place.fault(format!("`{path}` must be a table, not {}", entry.value.kind())).key(path));
                None
            }
        }
    }

    /// A key's text, where it is there and one.
    fn text(&mut self, keys: &Keys, at: &Place, key: &str, path: &str) -> Option<(String, Place)> {
        let Some(entry) = keys.get(key) else {
            self.fault(at.fault(format!("`{path}` is missing")).key(path));
            return None;
        };
        match &entry.value.data {
            Data::Text(text) => Some((text.clone(), entry.value.place.clone())),
            _ => {
                self.fault(
                    entry.value.place.fault(format!("`{path}` must be text in quotes, not {}", entry.value.kind())).key(path),
                );
                None
            }
        }
    }

    /// Says of every key that is not one of `known` that it is not.
    fn known_keys(&mut self, keys: &Keys, known: &[&str], path: &str) {
        for (key, entry) in keys {
            if !known.contains(&key.as_str()) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let help = suggestion(key, known.iter().copied());
                self.fault(entry.key.fault(format!("there is no key `{path}`")).key(path).help(help));
            }
        }
    }

    /// A word out of a closed list.
    fn word<T: Copy>(&mut self, text: &str, place: &Place, words: &[(&'static str, T)], what: &str) -> Option<T> {
        let found = words.iter().find(|&&(word, _)| word == text).map(|&(_, value)| value);
        if found.is_none() {
            let help = suggestion(text, words.iter().map(|&(word, _)| word));
            self.fault(place.fault(format!("there is no {what} `{text}`")).help(help));
        }
        found
    }

    /// A list of texts.
    fn list<'a>(&mut self, value: &'a Value, path: &str) -> Vec<(&'a str, &'a Place)> {
        let Data::List(list) = &value.data else {
            self.fault(value.place.fault(format!("`{path}` must be a list, not {}", value.kind())).key(path));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in list {
            match item.text() {
                Some(text) => texts.push((text, &item.place)),
                None => self.fault(item.place.fault(format!("`{path}` lists texts in quotes, not {}", item.kind())).key(path)),
            }
        }
        texts
    }

    fn protocol(&mut self, root: &Value) -> Option<(Protocol, RowPlaces)> {
        let keys = root.table()?;
        self.kind = kind_of(keys);
        let memory_table = self.kind.memory_table();
        self.known_keys(keys, &["name", "summary", "source", "networks", "agent", memory_table], "");
        let name = self.text(keys, &root.place, "name", "name");
        let summary = self.text(keys, &root.place, "summary", "summary");
        let origin = self.text(keys, &root.place, "source", "source");
        let networks = self.networks(keys, &root.place);
        let agent = self.side::<AgentEvent, AgentAction>(keys, &root.place, "agent");
        let memory = self.side::<MemoryEvent, MemoryAction>(keys, &root.place, memory_table);
        let (agent, memory) = (agent?, memory?);
        if self.faults.is_empty() {
            check::reachable(&agent.0, &agent.1, &mut self.faults);
            check::reachable(&memory.0, &memory.1, &mut self.faults);
            check::agent(&agent.0, self.kind, &agent.1, &mut self.faults);
            match self.kind {
                Kind::Snooping => check::memory(&memory.0, &memory.1, &mut self.faults),
                Kind::Directory => check::home(&memory.0, &memory.1, &mut self.faults),
            }
        }
        let protocol = Protocol {
            name: name?.0,
            summary: summary?.0,
            source: origin?.0,
            networks: networks?,
            agent: agent.0,
            memory: memory.0,
        };
        Some((protocol, RowPlaces { agent: agent.1, memory: memory.1 }))
    }

    fn networks(&mut self, keys: &Keys, at: &Place) -> Option<Networks> {
        let (networks, place) = self.table(keys, at, "networks", "networks")?;
        match self.kind {
            Kind::Snooping => {
                self.known_keys(networks, &["address", "data"], "networks");
                let (address, address_place) = self.delivery(networks, place, "address")?;
                let (data, _) = self.delivery(networks, place, "data")?;
                if address != Delivery::TotalOrder {
                    let message = "a snooping protocol needs every agent to see all transactions in one order";
                    self.fault(address_place.fault(message).key("networks.address").help("write \"total-order\""));
                }
                Some(Networks::Snooping { address, data })
            }
            Kind::Directory => {
                self.known_keys(networks, &["request", "forward", "response"], "networks");
                let [request, forward, response] = ["request", "forward", "response"].map(|key| {
                    let (delivery, place) = self.delivery(networks, place, key)?;
                    if delivery != Delivery::Unordered {
                        let message = "packets between agents and homes overtake each other: no network here keeps them in order";
                        self.fault(place.fault(message).key(format!("networks.{key}")).help("write \"unordered\""));
                    }
                    Some(delivery)
                });
                Some(Networks::Directory { request: request?, forward: forward?, response: response? })
            }
        }
    }

    fn delivery(&mut self, networks: &Keys, at: &Place, key: &str) -> Option<(Delivery, Place)> {
        let (text, place) = self.text(networks, at, key, &format!("networks.{key}"))?;
        let delivery = self.word(&text, &place, &Delivery::ALL, "order of delivery")?;
        Some((delivery, place))
    }

    /// One of the two tables.
    fn side<E: Vocabulary, A: Vocabulary>(&mut self, keys: &Keys, at: &Place, side: &str) -> Option<(Table<E>, Places)> {
        let (table, place) = self.table(keys, at, side, side)?;
        self.known_keys(table, &["events", "actions", "states", "rows"], side);
        let events = self.vocabulary::<E>(table, place, "events", "event", side)?;
        let actions = self.vocabulary::<A>(table, place, "actions", "action", side)?;
        let (states, state_places) = self.states(table, place, side)?;
        let mut rows = RowReader {
            events,
            actions,
            places: Places { states: state_places, rows: vec![None; states.len() * E::ALL.len()] },
            table: Table::<E>::new(states),
            side,
        };
        let (written, rows_place) = self.table(table, place, "rows", &format!("{side}.rows"))?;
        rows.read(self, written, rows_place);
        Some((rows.table, rows.places))
    }

    /// The events or actions that a table uses.
    fn vocabulary<T: Vocabulary>(&mut self, keys: &Keys, at: &Place, key: &str, what: &str, side: &str) -> Option<Vec<T>> {
        let path = format!("{side}.{key}");
        let Some(entry) = keys.get(key) else {
            let help = format!(
                "list the {key} that its rows use, of: {}",
                words_of::<T>(self.kind).iter().map(|&(word, _)| word).collect::<Vec<_>>().join(", ")
            );
            self.fault(at.fault(format!("`{path}` is missing")).key(path).help(help));
            return None;
        };
        let mut words: Vec<T> = Vec::new();
        for (text, place) in self.list(&entry.value, &path) {
            let Some(word) = self.word(text, place, &words_of::<T>(self.kind), what) else { continue };
            if words.iter().any(|known| known.index() == word.index()) {
                self.fault(place.fault(format!("the {what} `{text}` is listed twice")).key(path.clone()));
            }
            words.push(word);
        }
        Some(words)
    }

    fn states(&mut self, keys: &Keys, at: &Place, side: &str) -> Option<(Vec<StateInfo>, Vec<Place>)> {
        let path = format!("{side}.states");
        let (written, place) = self.table(keys, at, "states", &path)?;
        if written.is_empty() || written.len() > State::MOST {
            let message = format!("a table has from 1 to {} states, not {}", State::MOST, written.len());
            self.fault(place.fault(message).key(path));
            return None;
        }
        let mut entries: Vec<_> = written.iter().collect();
        entries.sort_by_key(|(_, entry)| entry.key.span);
        let states = entries.iter().map(|(name, entry)| self.state(name, &entry.value, &path)).collect();
        Some((states, entries.iter().map(|(_, entry)| entry.key.clone()).collect()))
    }

    fn state(&mut self, name: &str, value: &Value, path: &str) -> StateInfo {
        let mut state = StateInfo { name: name.to_string(), permits: Permission::Nothing, dirty: false, transient: false };
        let path = format!("{path}.{name}");
        let Some(keys) = value.table() else {
            self.fault(value.place.fault(format!("`{path}` must be a table, not {}", value.kind())).key(path));
            return state;
        };
        self.known_keys(keys, &["permits", "dirty", "transient"], &path);
        if keys.contains_key("permits")
            && let Some((text, place)) = self.text(keys, &value.place, "permits", &format!("{path}.permits"))
            && let Some(permits) = self.word(&text, &place, &Permission::ALL, "permission")
        {
            state.permits = permits;
        }
        for (key, flag) in [("dirty", &mut state.dirty), ("transient", &mut state.transient)] {
            match keys.get(key).map(|entry| &entry.value) {
                Some(Value { data: Data::Boolean(value), .. }) => *flag = *value,
                Some(value) => {
                    let message = format!("`{path}.{key}` must be true or false, not {}", value.kind());
                    self.faults.push(value.place.fault(message).key(format!("{path}.{key}")));
                }
                None => {}
            }
        }
        state
    }
}

/// Reads the rows of one table.
struct RowReader<'a, E, A> {
    events: Vec<E>,
    actions: Vec<A>,
    table: Table<E>,
    places: Places,
    side: &'a str,
}

impl<E: Vocabulary, A: Vocabulary> RowReader<'_, E, A> {
    fn state_names(&self) -> Vec<String> {
        self.table.states.iter().map(|state| state.name.clone()).collect()
    }

    fn unknown_state(&self, name: &str, place: &Place) -> Diagnostic {
        let names = self.state_names();
        place.fault(format!("there is no state `{name}`")).help(suggestion(name, names.iter().map(String::as_str)))
    }

    fn read(&mut self, reader: &mut Reader, written: &Keys, place: &Place) {
        for (name, entry) in written {
            if self.table.find(name).is_none() {
                let fault = self.unknown_state(name, &entry.key).key(format!("{}.rows.{name}", self.side));
                reader.fault(fault);
            }
        }
        for number in 0..self.table.states.len() {
            let name = self.table.states[number].name.clone();
            let path = format!("{}.rows.{name}", self.side);
            if let Some((keys, place)) = reader.table(written, place, &name, &path) {
                self.state_rows(reader, State(number as u8), keys, place, &path);
            }
        }
    }

    /// The rows of one state.
    fn state_rows(&mut self, reader: &mut Reader, state: State, keys: &Keys, place: &Place, path: &str) {
        let mut impossible: Vec<(usize, Place)> = Vec::new();
        for (key, entry) in keys {
            if key == "impossible" {
                for (text, place) in reader.list(&entry.value, &format!("{path}.impossible")) {
                    if let Some(event) = self.event(reader, text, place) {
                        if impossible.iter().any(|&(other, _)| other == event.index()) {
                            reader.fault(place.fault(format!("the event `{text}` is listed twice")).key(path));
                        }
                        impossible.push((event.index(), place.clone()));
                    }
                }
            } else if let Some(event) = self.event(reader, key, &entry.key) {
                let row = self.row(reader, &entry.value, &format!("{path}.{key}"));
                let number = self.table.row_number(state, event);
                self.places.rows[number] = Some(entry.key.clone());
                self.table.set_row(state, event, row);
            }
        }
        for &event in &self.events {
            let row = self.places.rows[self.table.row_number(state, event)].clone();
            let listed = impossible.iter().find(|&&(other, _)| other == event.index());
            let (name, state) = (event.name(), &self.table.state(state).name);
            match (row, listed) {
                (None, None) => {
                    let message = format!("state {state} says nothing of the event `{name}`");
                    let help =
                        format!("add a row for it, or list it under `impossible`: a table says all that can happen to {state}");
                    reader.fault(place.fault(message).key(path).help(help));
                }
                (Some(row), Some((_, listed))) => {
                    let message = format!("state {state} has a row for `{name}` and calls it impossible");
                    reader.fault(listed.fault(message).key(path).related(row.span, "the row"));
                }
                _ => {}
            }
        }
    }

    /// An event that the table lists.
    fn event(&self, reader: &mut Reader, text: &str, place: &Place) -> Option<E> {
        let event = reader.word(text, place, &words_of::<E>(reader.kind), "event")?;
        if !self.events.iter().any(|listed| listed.index() == event.index()) {
            let message = format!("the event `{text}` is not among those the table lists");
            reader.fault(
                place.fault(message).help(format!("add it to `{}.events`, which then needs a row in every state", self.side)),
            );
        }
        Some(event)
    }

    fn row(&self, reader: &mut Reader, value: &Value, path: &str) -> Option<Row> {
        let Some(keys) = value.table() else {
            let message = format!("`{path}` must be a row, not {}", value.kind());
            reader.fault(value.place.fault(message).key(path).help("a row is { next = \"STATE\", do = [\"ACTION\"] }"));
            return None;
        };
        reader.known_keys(keys, &["next", "do"], path);
        let next = reader.text(keys, &value.place, "next", &format!("{path}.next"));
        let mut actions = Actions::NONE;
        if let Some(entry) = keys.get("do") {
            for (text, place) in reader.list(&entry.value, &format!("{path}.do")) {
                let Some(action) = reader.word(text, place, &words_of::<A>(reader.kind), "action") else { continue };
                if !self.actions.iter().any(|listed| listed.index() == action.index()) {
                    let message = format!("the action `{text}` is not among those the table lists");
                    reader.fault(place.fault(message).key(path).help(format!("add it to `{}.actions`", self.side)));
                }
                if actions.has(action) {
                    reader.fault(place.fault(format!("the action `{text}` is done twice")).key(path));
                }
                actions = actions.with(action);
            }
        }
        let (next, place) = next?;
        let found = self.table.find(&next);
        if found.is_none() {
            reader.fault(self.unknown_state(&next, &place).key(format!("{path}.next")));
        }
        Some(Row { next: found?, actions })
    }
}
