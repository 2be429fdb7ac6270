//! What the parts report that only machines of several nodes have.

use super::{PhaseReport, STRETCHES};
use crate::base::time::Time;
use crate::components::carrier::Carrier;
use crate::components::home::HomeCounters;
use crate::components::interface::InterfaceCounters;
use crate::components::network::Network;
use crate::machine::attraction::Demand;

impl PhaseReport {
    /// What joins a node's cores, its home and the network.
    pub(super) fn carrier(&mut self, node: usize, carrier: &Carrier, end: Time) {
        let path = format!("node[{node}].interconnect");
        let counters = carrier.counters();
        let busiest = carrier.links().map(|(_, used)| used).max_by_key(|used| used.until(end).busy);
        let busy = busiest.map_or(Time::ZERO, |used| used.until(end).busy);
        self.insert(&path, &[("busy_ps", busy.0), ("address_busy_ps", counters.address_busy.0), ("wait_ps", counters.wait.0)]);
        self.transactions(&path, counters, end);
        let asked = [("get_s", counters.get_s), ("get_m", counters.get_m), ("upgrade", counters.upgrade), ("put", counters.put)];
        self.insert(&path, &asked);
        for (name, accesses) in ["local", "remote"].into_iter().zip(carrier.accesses()) {
            self.metrics.insert(format!("{path}.{name}_requests"), accesses.count);
            self.metrics.insert(format!("{path}.{name}_latency_ps"), accesses.latency.0);
        }
        for (name, used) in carrier.links().filter_map(|(name, used)| Some((name?, used))) {
            let used = used.until(end);
            self.insert(&format!("{path}.{name}"), &[("busy_ps", used.busy.0), ("bytes", used.bytes)]);
        }
        let shares = busiest.unwrap_or(&counters.data).shares(end, STRETCHES, 1);
        self.timelines.insert(path, shares);
    }

    /// What the home of a node's lines was asked for.
    pub(super) fn home(&mut self, node: usize, counters: &HomeCounters, pages: u64) {
        let counted = [
            ("local_requests", counters.local),
            ("remote_requests", counters.remote),
            ("pages", pages),
            ("waited", counters.waited),
            ("forwarded", counters.forwarded),
            ("invalidations", counters.invalidations),
            ("stale", counters.stale),
        ];
        self.insert(&format!("node[{node}].home"), &counted);
    }

    /// What it did for attraction memories.
    pub(super) fn attraction(&mut self, node: usize, counters: &HomeCounters) {
        let counted = [
            ("fresh", counters.fresh),
            ("placed", counters.placed),
            ("injections", counters.injections),
            ("refused", counters.refused),
        ];
        self.insert(&format!("node[{node}].home"), &counted);
    }

    /// How full attraction memories are with last copies.
    pub(super) fn demand(&mut self, demand: Demand) {
        self.insert("address_space", &[("lines", demand.lines), ("places", demand.places)]);
    }

    /// What a rank sent and received.
    pub(super) fn interface(&mut self, node: usize, counters: &InterfaceCounters) {
        let counted = [
            ("sends", counters.sends),
            ("rendezvous", counters.rendezvous),
            ("bytes_sent", counters.bytes_sent),
            ("receives", counters.receives),
            ("bytes_received", counters.bytes_received),
            ("unexpected", counters.unexpected),
        ];
        self.insert(&format!("node[{node}].interface"), &counted);
    }

    /// What went between nodes. Channels that carried nothing are left out.
    pub(super) fn network(&mut self, network: &Network, end: Time) {
        let counters = network.counters();
        self.insert(
            "interconnect",
            &[
                ("parcels", counters.parcels_sent),
                ("packets", counters.packets),
                ("bytes", counters.bytes_sent),
                ("hops", counters.hops),
            ],
        );
        let (mut busy, mut wait) = (Time::ZERO, Time::ZERO);
        let mut busiest = None;
        for (number, channel) in (0..).zip(network.channels()) {
            let used = channel.used.until(end);
            if used.services == 0 {
                continue;
            }
            let counted =
                [("packets", used.services), ("bytes", used.bytes), ("busy_ps", used.busy.0), ("wait_ps", channel.wait.0)];
            self.insert(&format!("interconnect.{}", network.graph().describe(number).replace(' ', "")), &counted);
            wait += channel.wait;
            if used.busy > busy || busiest.is_none() {
                (busy, busiest) = (used.busy, Some(channel));
            }
        }
        self.insert("interconnect", &[("busy_ps", busy.0), ("wait_ps", wait.0)]);
        if let Some(channel) = busiest {
            self.timelines.insert("interconnect".to_string(), channel.used.shares(end, STRETCHES, 1));
        }
        for (&(from, to), &bytes) in network.traffic() {
            self.metrics.insert(format!("interconnect.traffic[{from}>{to}].bytes"), bytes);
        }
    }
}
