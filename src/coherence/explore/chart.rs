//! A counterexample as a text sequence chart: a column for each agent, and for bus and memory or the home, a step a line.

use std::fmt;

use crate::coherence::explore::{Counterexample, Lane};
use crate::coherence::protocol::Kind;

impl Counterexample {
    /// What stands above the columns.
    pub fn headings(&self) -> Vec<String> {
        let agents = (0..self.agents).map(|agent| format!("agent {agent}"));
        let others: &[&str] = match self.kind {
            Kind::Snooping => &["bus", "memory"],
            Kind::Directory => &["home"],
        };
        agents.chain(others.iter().map(|&heading| heading.to_owned())).collect()
    }

    /// The number of a lane's column.
    pub fn column(&self, lane: Lane) -> usize {
        match lane {
            Lane::Agent(agent) => agent,
            Lane::Bus => self.agents,
            Lane::Memory => self.agents + usize::from(self.kind == Kind::Snooping),
        }
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headings = self.headings();
        let width = |column: usize| {
            let cells = self.steps.iter().map(|step| step.cells[column].chars().count());
            cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..headings.len()).map(width).collect();
        let columns =
            |cells: &[String]| -> String { cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}  ")).collect() };
        writeln!(f, "  step  {}what happens", columns(&headings))?;
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {:>4}  {}{}", number + 1, columns(&step.cells), step.what)?;
        }
        write!(f, "  wrong: {}", self.wrong)
    }
}
