//! A counterexample of a protocol with a directory, as steps that a person can follow.

use super::{DirectoryWorld, leaves_waiting};
use crate::base::address::Line;
use crate::coherence::directory::{Packet, Sharers};
use crate::coherence::explore::counterexample::{Told, is_hit};
use crate::coherence::explore::search::{Found, Model};
use crate::coherence::explore::world::{Rows, Step};
use crate::coherence::explore::wrong::{called, line_name};
use crate::coherence::explore::{Change, ChartStep, Counterexample, Lane, Scope};
use crate::coherence::protocol::{Permission, Protocol, State};

impl Counterexample {
    /// Goes the way to what was found once more.
    pub(in crate::coherence::explore) fn replay_packets(protocol: &Protocol, scope: Scope, found: &Found) -> Counterexample {
        let mut world = DirectoryWorld::first(protocol, scope);
        let mut told = Told { steps: Vec::new(), row: None, last_of: vec![None; scope.agents] };
        for &step in &found.steps {
            let before = world.clone();
            let mut rows = Rows::new();
            // The last step may fail half-way: what it did until then is shown.
            let _ = world.apply(step, protocol, &mut rows);
            told.row = rows.last().copied().or(told.row);
            let teller = Teller { protocol, before: &before, after: &world, rows: &rows };
            if let (Some(agent), Some(&taken)) = (teller.agent_of(step), rows.last())
                && !is_hit(taken, protocol)
            {
                told.last_of[agent] = Some(taken);
            }
            told.steps.push(teller.tell(step));
        }
        Counterexample::new(protocol, scope, found, told)
    }
}

/// Puts one step into words.
struct Teller<'a> {
    protocol: &'a Protocol,
    before: &'a DirectoryWorld,
    after: &'a DirectoryWorld,
    rows: &'a Rows,
}

fn lane(end: Option<u16>) -> Lane {
    end.map_or(Lane::Memory, |agent| Lane::Agent(usize::from(agent)))
}

fn end_name(end: Option<u16>) -> String {
    end.map_or_else(|| "the home".to_owned(), |agent| format!("agent {agent}"))
}

impl Teller<'_> {
    /// The agent whose row a step takes.
    fn agent_of(&self, step: Step) -> Option<usize> {
        match step {
            Step::Deliver { packet } | Step::Full { packet } => self.before.packets[packet].to.map(usize::from),
            _ => step.agent(),
        }
    }

    fn tell(&self, step: Step) -> ChartStep {
        let (from, to, what) = match step {
            Step::Access { agent, line, write } => {
                let verb = if write { "writes" } else { "reads" };
                self.own(agent, format!("agent {agent} {verb} {}", self.called(line)))
            }
            Step::Evict { agent, line } => self.own(agent, format!("agent {agent} evicts {}", self.called(line))),
            Step::Deliver { packet } | Step::Wait { packet } | Step::Full { packet } => self.delivery(&self.before.packets[packet]),
            _ => (Lane::Memory, Lane::Memory, String::new()),
        };
        ChartStep { step, from, to, what, changes: self.changes(), row: self.rows.last().copied(), cells: self.cells() }
    }

    fn called(&self, line: usize) -> String {
        called(line, self.after.lines.len())
    }

    /// What an agent does of its own, and sends.
    fn own(&self, agent: usize, begin: String) -> (Lane, Lane, String) {
        let to = if self.sent(0).is_empty() { Lane::Agent(agent) } else { Lane::Memory };
        (Lane::Agent(agent), to, begin + &self.sendings(0))
    }

    /// The packets that were sent in a step that took so many off.
    fn sent(&self, taken_off: usize) -> &[Packet] {
        let kept = self.before.packets.len() - taken_off;
        self.after.packets.get(kept..).unwrap_or(&[])
    }

    /// ": sends GetS to the home, ..."
    fn sendings(&self, taken_off: usize) -> String {
        let each = |packet: &Packet| match packet.kind.has_line() && packet.acks > 0 {
            true => format!("{} ({} acknowledgements) to {}", packet.kind.name(), packet.acks, end_name(packet.to)),
            false => format!("{} to {}", packet.kind.name(), end_name(packet.to)),
        };
        let sent: Vec<String> = self.sent(taken_off).iter().map(each).collect();
        if sent.is_empty() { String::new() } else { format!(": sends {}", sent.join(", ")) }
    }

    fn delivery(&self, packet: &Packet) -> (Lane, Lane, String) {
        let waits = self.rows.last().is_some_and(|&taken| leaves_waiting(taken, self.protocol));
        let (name, from, to) = (packet.kind.name(), end_name(packet.from), end_name(packet.to));
        let whose = match packet.from == Some(packet.requestor) || packet.to == Some(packet.requestor) {
            true => String::new(),
            false => format!(" for agent {}", packet.requestor),
        };
        let begin = format!("{name} of {} from {from}{whose} comes to {to}", self.called(packet.line as usize));
        let what = if waits { format!("{begin}, which leaves it waiting") } else { begin + &self.sendings(1) };
        (lane(packet.from), lane(packet.to), what)
    }

    /// The state of an agent's line: in its caches, or on its way out.
    fn state(&self, world: &DirectoryWorld, agent: usize, line: usize) -> String {
        let of_agent = &world.agents[agent];
        let leaving = of_agent.agent.write_backs().iter().find(|leaving| leaving.line == line as Line);
        let (state, version) = match leaving {
            Some(leaving) => (leaving.state, leaving.version),
            None => (of_agent.held[line].state, of_agent.held[line].version),
        };
        let info = self.protocol.agent.state(state);
        let is_copy = state != State::INVALID && (info.permits != Permission::Nothing || info.dirty);
        let old = is_copy && version != world.lines[line].newest;
        format!("{}{}", info.name, if old { " (old)" } else { "" })
    }

    /// The home's state, owner and sharers, and whether memory is old.
    fn home(&self, world: &DirectoryWorld, line: usize) -> String {
        let of_line = &world.lines[line];
        let mut text = self.protocol.memory.state(of_line.entry.state).name.clone();
        if let Some(owner) = of_line.entry.owner {
            text += &format!(" owner {owner}");
        }
        match &of_line.entry.sharers {
            Sharers::Some(agents) if agents.is_empty() => {}
            Sharers::Some(agents) => {
                let agents: Vec<String> = agents.iter().map(u16::to_string).collect();
                text += &format!(" shared by {}", agents.join(","));
            }
            Sharers::Any => text += " shared by any",
        }
        if of_line.memory_version != of_line.newest {
            text += " (old)";
        }
        text
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for line in 0..self.after.lines.len() {
            let mut consider = |lane, from: String, to: String| {
                if from != to {
                    changes.push(Change { lane, line, from, to });
                }
            };
            for agent in 0..self.after.agents.len() {
                consider(Lane::Agent(agent), self.state(self.before, agent, line), self.state(self.after, agent, line));
            }
            consider(Lane::Memory, self.home(self.before, line), self.home(self.after, line));
        }
        changes
    }

    /// What stands in the columns after the step: `from -> to` where it changed at an agent.
    fn cells(&self) -> Vec<String> {
        let lines = self.after.lines.len();
        let join = |cell: &dyn Fn(usize) -> String| {
            let named = |line| if lines == 1 { cell(line) } else { format!("{}: {}", line_name(line), cell(line)) };
            (0..lines).map(named).collect::<Vec<_>>().join("  ")
        };
        let arrow = |from: String, to: String| if from == to { to } else { format!("{from} -> {to}") };
        let mut cells: Vec<String> = (0..self.after.agents.len())
            .map(|agent| join(&|line| arrow(self.state(self.before, agent, line), self.state(self.after, agent, line))))
            .collect();
        cells.push(join(&|line| self.home(self.after, line)));
        cells
    }
}
