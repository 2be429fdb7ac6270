//! What an interconnect counts.

use crate::base::time::Time;
use crate::coherence::controller::Transaction;
use crate::coherence::order::Command;
use crate::components::utilisation::Ledger;

/// What an interconnect counted.
#[derive(Clone, Debug)]
pub struct InterconnectCounters {
    pub bus_rd: u64,
    pub bus_rdx: u64,
    pub bus_upgr: u64,
    pub bus_wb: u64,
    pub bus_upd: u64,
    /// What homes were asked: copies to read, the only copies, to have others dropped, and to take lines back.
    pub get_s: u64,
    pub get_m: u64,
    pub upgrade: u64,
    pub put: u64,
    /// Reads and writes of words that no cache holds.
    pub uncached: u64,
    /// Lines that one cache supplied to another.
    pub flushes: u64,
    /// Those of them that memory did not take.
    pub supplies: u64,
    /// Words that one cache sent to others.
    pub words: u64,
    /// Transfers of data.
    pub data: Ledger,
    /// Time in which the wires for addresses were held.
    pub address_busy: Time,
    /// Time that requests waited for their turn, and data for theirs.
    pub wait: Time,
}

impl InterconnectCounters {
    /// Nothing yet, from an instant on; `memory` as for a [`Ledger`].
    pub fn new(begin: Time, memory: Time) -> InterconnectCounters {
        InterconnectCounters {
            bus_rd: 0,
            bus_rdx: 0,
            bus_upgr: 0,
            bus_wb: 0,
            bus_upd: 0,
            get_s: 0,
            get_m: 0,
            upgrade: 0,
            put: 0,
            uncached: 0,
            flushes: 0,
            supplies: 0,
            words: 0,
            data: Ledger::new(begin, memory),
            address_busy: Time::ZERO,
            wait: Time::ZERO,
        }
    }

    /// All transactions.
    pub fn transactions(&self) -> u64 {
        self.bus_rd + self.bus_rdx + self.bus_upgr + self.bus_wb + self.bus_upd + self.of_homes() + self.uncached
    }

    /// All that homes were asked.
    pub fn of_homes(&self) -> u64 {
        self.get_s + self.get_m + self.upgrade + self.put
    }

    /// Counts a transaction that begins.
    pub fn begin_transaction(&mut self, command: Command) {
        match command {
            Command::Coherent(Transaction::BusRd) => self.bus_rd += 1,
            Command::Coherent(Transaction::BusRdX) => self.bus_rdx += 1,
            Command::Coherent(Transaction::BusUpgr) => self.bus_upgr += 1,
            Command::Coherent(Transaction::BusWb) => self.bus_wb += 1,
            Command::Coherent(Transaction::BusUpd) => self.bus_upd += 1,
            Command::Coherent(Transaction::GetS) => self.get_s += 1,
            Command::Coherent(Transaction::GetM) => self.get_m += 1,
            Command::Coherent(Transaction::Upgrade) => self.upgrade += 1,
            Command::Coherent(Transaction::Put | Transaction::PutClean) => self.put += 1,
            Command::Read(_) | Command::Write(_) => self.uncached += 1,
        }
    }

    /// Counts what an agent sends for a transaction.
    pub fn sent(&mut self, transaction: Transaction, for_memory: bool) {
        match transaction {
            Transaction::BusWb => {}
            Transaction::BusUpd => self.words += 1,
            _ => {
                self.flushes += 1;
                self.supplies += u64::from(!for_memory);
            }
        }
    }
}
