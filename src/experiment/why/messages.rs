//! Sentences about messages.

use super::figures::{count, percent, share, total};
use super::{Group, Run, Share};

/// At so many times as much, one part of a message's way is what counts.
const MUCH: f64 = 2.0;

impl Run<'_> {
    pub(super) fn messages(&self, cause: &Share) -> (String, Vec<String>) {
        let (sends, bytes) = (total(self.metrics, "interface.sends"), total(self.metrics, "interface.bytes_sent"));
        let mut evidence: Vec<String> = Group::Messages.evidence(self.times.n_threads()).collect();
        evidence.extend(["interface.sends", "interface.bytes_sent"].map(str::to_owned));
        let place =
            cause.lines.first().and_then(|&(line, _)| Some(format!(", most of it at `{}` in line {line}", self.text.line(line)?)));
        let mean = bytes / sends.max(1);
        let messages = if sends == 1 { "one message".to_owned() } else { format!("{} messages", count(sends)) };
        let mut sentence = format!(
            "For {} of {} time {} to send or receive, or for messages on their way{}: {messages}, {} bytes each on average.",
            percent(self.part(cause.time_ps)),
            self.whose(),
            self.cores("waited"),
            place.unwrap_or_default(),
            count(mean),
        );
        if let Some((what, rests_on)) = self.way_of_a_message(mean) {
            sentence += &what;
            evidence.extend(rests_on);
        }
        (sentence, evidence)
    }

    /// What counts on the way of a message of so many bytes: the latency of the channels, the bandwidth, or others before it.
    fn way_of_a_message(&self, bytes: u64) -> Option<(String, Vec<String>)> {
        let network = self.network?;
        let metric = |name: &str| self.metrics.get(&format!("interconnect.{name}")).copied().unwrap_or(0);
        let (hops, packets) = (metric("hops"), metric("packets"));
        if packets == 0 {
            return None;
        }
        let channels = hops as f64 / packets as f64;
        let latency = channels * network.latency.0 as f64 + (channels - 1.0).max(0.0) * network.switch_delay.0 as f64;
        let moving = network.transfer(u32::try_from(bytes).unwrap_or(u32::MAX)).0 as f64;
        let queued = metric("wait_ps") as f64 / packets as f64;
        let nanoseconds = |ps: f64| format!("{:.0} ns", ps / 1000.0);
        let sentence = if queued > latency.max(moving) {
            format!(
                " A packet waited {} on its way for others before it: the links are what counts, the busiest of them busy {} of the time.",
                nanoseconds(queued),
                percent(share(metric("busy_ps"), self.time_ps))
            )
        } else if latency > MUCH * moving {
            format!(
                " Its way is {} of latency over {channels:.1} channels and {} for its bytes: fewer and larger messages would help, or a \
                 lower latency; more bandwidth would not.",
                nanoseconds(latency),
                nanoseconds(moving)
            )
        } else if moving > MUCH * latency {
            format!(
                " Its bytes take {} and the latency of the way {}: less data or more bandwidth would help.",
                nanoseconds(moving),
                nanoseconds(latency)
            )
        } else {
            format!(
                " Its way is {} of latency over {channels:.1} channels and {} for its bytes: both count.",
                nanoseconds(latency),
                nanoseconds(moving)
            )
        };
        Some((sentence, ["hops", "packets", "wait_ps", "busy_ps"].map(|name| format!("interconnect.{name}")).to_vec()))
    }
}
