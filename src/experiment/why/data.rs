//! Sentences about instructions and data: what the cores did, and where their caches had to look.

use super::figures::{count, percent, share, total};
use super::text::Named;
use super::{Cause, Group, Run, Share};
use crate::base::quantity::ByteSize;
use crate::components::spec::{CacheSpec, Holds, InterconnectSpec, LlcSpec, NodeSpec};
use crate::components::translation::TranslationSpec;
use crate::experiment::bounds::Bound;
use crate::experiment::record::Reason;

/// Below this share of the time a bus or memory leaves most requests unhindered.
const SELDOM_BUSY: f64 = 0.40;
/// Queues and transfers below this share of the cores' time are small beside latency.
const SMALL: f64 = 0.15;
/// At this share of what a cache missed or more, a kind of miss is what counts.
const MOST: f64 = 0.5;

/// What the outermost private cache did not have.
struct Misses {
    misses: u64,
    /// Misses of lines that another core's write had taken away.
    sharing: u64,
    /// Lines that another core's write took away, whether they were asked for again or not.
    invalidations: u64,
    /// The cache, as metrics name it.
    cache: String,
}

impl Misses {
    /// Whether most are of lines that other cores' writes took away.
    fn mostly_taken(&self) -> bool {
        share(self.sharing, self.misses) >= MOST
    }
}

impl Run<'_> {
    pub(super) fn instructions(&self) -> (String, Vec<String>) {
        let times = &self.times;
        let mut sentence = format!(
            "{} own instructions take {} of the time",
            if times.n_threads() == 1 { "The core's" } else { "The cores'" },
            percent(times.share(Group::Instructions))
        );
        let mut evidence: Vec<String> = Group::Instructions.evidence(times.n_threads()).collect();
        if let Some(cycles) = self.cycles_per_operation() {
            sentence += &format!(" ({cycles:.1} cycles each on average)");
            evidence.push("operations".into());
        }
        if times.share(Group::L1d) >= 0.01 {
            sentence += &format!(", looking into the L1 data cache another {}", percent(times.share(Group::L1d)));
            evidence.push("stack.l1d_ps".into());
        }
        let beyond = times.share(Group::MemorySystem) + times.share(Group::Coherence);
        sentence += &match (beyond, self.nodes.iter().all(NodeSpec::is_free)) {
            (_, true) => {
                let more =
                    if times.n_threads() < times.n_cores { ", or more threads to share them," } else { " in the longest thread" };
                format!(". Memory and wires cost nothing on this machine: only fewer instructions{more} would make it faster.")
            }
            (beyond, false) if beyond < 0.005 => format!(": a faster {} or memory would save next to nothing.", self.wires()),
            (beyond, false) => format!(": a faster {} or memory could save at most {}.", self.wires(), percent(beyond)),
        };
        (sentence, evidence)
    }

    /// Cycles that an operation takes on average; only where hardly any operation is a spin and they do not all take one.
    fn cycles_per_operation(&self) -> Option<f64> {
        let operations: u64 = total(self.metrics, "operations");
        let node = self.nodes.first().filter(|node| !node.is_free())?;
        let cycles = self.times.of(Group::Instructions) as f64 * 1e-12 * node.core.clock.hertz();
        (operations > 0 && self.times.share(Group::Threads) < 0.01).then(|| cycles / operations as f64)
    }

    pub(super) fn caches(&self, cause: &Share) -> (String, Vec<String>) {
        let caches = self.data_caches();
        let [inner, outer, ..] = caches[..] else { return self.memory(cause) };
        let (l1, l2) = (inner.name.to_lowercase(), outer.name.to_lowercase());
        let counter = |cache: &str, name: &str| total(self.metrics, &format!("{cache}.{name}"));
        let (accesses, misses) = (counter(&l1, "accesses"), counter(&l1, "misses"));
        let mut sentence = format!(
            "For {} of {} time {} for {}: {} of accesses miss {}, and {} of those find their line in {}, {} cycles later.",
            percent(self.part(cause.time_ps)),
            self.whose(),
            self.cores("waited"),
            outer.name,
            percent(share(misses, accesses)),
            inner.name,
            percent(share(counter(&l2, "hits"), counter(&l2, "accesses"))),
            outer.name,
            outer.latency_cycles,
        );
        let mut evidence = ["stack.l2_ps".to_owned(), format!("{l1}.misses"), format!("{l2}.hits")].to_vec();
        let data = self.objects_at(cause, 2);
        if share(counter(&l1, "misses_conflict"), misses) >= MOST {
            let data = data.map_or("of what is in use".to_owned(), |named| format!("of {named}"));
            sentence += &format!(
                " {} of the misses are conflicts: more lines {data} fall into one set than its {}, though {} as a whole has room for \
                 them. More ways would keep them, or arrays that begin elsewhere.",
                percent(share(counter(&l1, "misses_conflict"), misses)),
                if inner.ways == 1 { "single way holds".to_owned() } else { format!("{} ways hold", inner.ways) },
                inner.name,
            );
            evidence.push(format!("{l1}.misses_conflict"));
        } else if share(counter(&l1, "misses_capacity"), misses) >= MOST {
            let data = data.map_or("The data in use".to_owned(), |named| format!("What is in use of {named}"));
            sentence += &format!(" {data} does not fit {} ({}).", inner.name, ByteSize(inner.size_bytes));
            evidence.push(format!("{l1}.misses_capacity"));
        }
        (sentence, evidence)
    }

    /// What joins cores and memory, in a word.
    fn wires(&self) -> &'static str {
        match self.nodes.first().map(|node| &node.interconnect) {
            Some(InterconnectSpec::Snooping(snooping)) => snooping.transport.noun(),
            _ => "interconnect",
        }
    }

    /// The cache that all cores share, where there is one.
    pub(super) fn shared_cache(&self) -> Option<&LlcSpec> {
        self.nodes.first()?.llc.as_ref()
    }

    /// The share of what it was asked for that a shared cache had, or had under way.
    fn found_in_shared_cache(&self) -> f64 {
        let counter = |name: &str| total(self.metrics, &format!("llc.{name}"));
        share(counter("hits") + counter("merged_misses"), counter("accesses"))
    }

    pub(super) fn waits_for_shared_cache(&self, cause: &Share) -> (String, Vec<String>) {
        let Some(llc) = self.shared_cache() else { return self.memory(cause) };
        let requests = match self.data_caches().pop() {
            Some(cache) => format!("lines that missed {} or left it", cache.name),
            None => "accesses, as there are no private caches".to_owned(),
        };
        let sentence = format!(
            "For {} of {} time {} for the shared cache itself: {} {requests} came to the LLC, which looks {} cycles for each and had {}.",
            percent(self.part(cause.time_ps)),
            self.whose(),
            self.cores("waited"),
            count(total(self.metrics, "llc.accesses")),
            llc.cache.latency_cycles,
            percent(self.found_in_shared_cache()),
        );
        (sentence, ["stack.llc_ps", "llc.accesses", "llc.hits"].map(str::to_owned).to_vec())
    }

    pub(super) fn translation(&self, cause: &Share) -> (String, Vec<String>) {
        let counter = |name: &str| total(self.metrics, &format!("tlb.{name}"));
        let place = cause.lines.first().map_or(String::new(), |&(line, time)| {
            let part = if share(time, cause.time_ps) >= MOST { "most of it" } else { "the largest part" };
            let data = self.objects_at(cause, 3).map_or(String::new(), |named| format!(" for {named}"));
            format!(", {part} in line {line}{data}")
        });
        let reach = |translation: &TranslationSpec| {
            let outer = translation.second.unwrap_or(translation.first);
            format!(
                " The TLBs reach {}: {} pages of {}. Larger pages (`address_space.page_size`) or data that lie closer together would help.",
                ByteSize(u64::from(outer.entries) * translation.page_bytes),
                count(u64::from(outer.entries)),
                ByteSize(translation.page_bytes)
            )
        };
        let sentence = format!(
            "For {} of {} time {} for addresses to be translated{place}: {} of accesses miss the first TLB, and {} walks of the page \
             table made {} loads.{}",
            percent(self.part(cause.time_ps)),
            self.whose(),
            self.cores("waited"),
            percent(share(counter("l1.misses"), counter("l1.accesses"))),
            count(counter("walks")),
            count(counter("walk_loads")),
            self.nodes.iter().find_map(|node| node.translation.as_ref()).map_or(String::new(), reach),
        );
        let evidence = ["stack.translation_ps", "tlb.l1.misses", "tlb.l1.accesses", "tlb.walks", "tlb.walk_loads"];
        (sentence, evidence.map(str::to_owned).to_vec())
    }

    /// Whether most of what the first cache misses is in the second.
    pub(super) fn finds_in_outer_cache(&self) -> bool {
        let Some(cache) = self.data_caches().get(1).map(|cache| cache.name.to_lowercase()) else { return false };
        let counter = |name: &str| total(self.metrics, &format!("{cache}.{name}"));
        share(counter("hits"), counter("accesses")) >= MOST
    }

    pub(super) fn memory(&self, cause: &Share) -> (String, Vec<String>) {
        if let Some(sharing) = self.sharing(cause) {
            return sharing;
        }
        let times = &self.times;
        let mut evidence: Vec<String> = Group::MemorySystem.evidence(times.n_threads()).collect();
        let place = cause.lines.first().map_or(String::new(), |&(line, time)| {
            let part = if share(time, cause.time_ps) >= MOST { "most of it" } else { "the largest part" };
            let data = self.objects_at(cause, 3).map_or(String::new(), |named| format!(" for {named}"));
            format!(", {part} in line {line}{data}")
        });
        let waited = format!(
            "For {} of {} time {} for the memory system",
            percent(times.share(Group::MemorySystem)),
            self.whose(),
            self.cores("waited")
        );
        let mut sentence = format!("{waited}{place}");
        match self.misses() {
            Some(found) => {
                sentence += &format!(". {}", self.missed(&found));
                let causes =
                    ["misses", "misses_cold", "misses_capacity", "misses_conflict", "misses_true_sharing", "misses_false_sharing"];
                evidence.extend(causes.map(|counter| format!("{}.{counter}", found.cache)));
            }
            None if self.data_caches().is_empty() => sentence += ": there are no caches, so every access goes there",
            None => {}
        }
        if let Some(llc) = self.shared_cache() {
            let (size, found) = (ByteSize(llc.cache.size_bytes), self.found_in_shared_cache());
            sentence += &if found >= 1.0 {
                format!(". The LLC ({size}) had all that it was asked for")
            } else {
                format!(". Of what the LLC ({size}) was asked for it had {}, the rest went to memory", percent(found))
            };
            evidence.extend(["llc.hits", "llc.accesses"].map(str::to_owned));
        }
        sentence += ".";
        if let Some((far, rests_on)) = self.remote() {
            sentence += &far;
            evidence.extend(rests_on);
        }
        if self.limit().is_none()
            && let Some(busiest) = self.busiest()
        {
            sentence += &self.bandwidth_or_latency(&busiest);
            evidence.extend(busiest.evidence);
        }
        (sentence, evidence)
    }

    /// What of the memory that was asked for is another node's, and what that costs.
    fn remote(&self) -> Option<(String, Vec<String>)> {
        let counter = |name: &str| total(self.metrics, &format!("interconnect.{name}"));
        let (local, remote) = (counter("local_requests"), counter("remote_requests"));
        if remote == 0 {
            return None;
        }
        let mean = |name: &str, requests: u64| counter(name) as f64 / 1000.0 / requests.max(1) as f64;
        let far = format!("took {:.0} ns on average", mean("remote_latency_ps", remote));
        let mut sentence = match local {
            0 => format!(" All {} requests went to another node's memory and {far}.", count(remote)),
            _ => format!(
                " Of {} requests {} went to another node's memory and {far}, the others {:.0} ns.",
                count(local + remote),
                percent(share(remote, local + remote)),
                mean("local_latency_ps", local)
            ),
        };
        let mut evidence: Vec<String> = ["local_requests", "local_latency_ps", "remote_requests", "remote_latency_ps"]
            .map(|name| format!("interconnect.{name}"))
            .to_vec();
        let homes = (0..self.nodes.len()).map(|node| {
            let of = |name: &str| self.metrics.get(&format!("node[{node}].home.{name}")).copied().unwrap_or(0);
            (of("local_requests") + of("remote_requests"), node)
        });
        if let Some((most, node)) = homes.max_by_key(|&(requests, node)| (requests, std::cmp::Reverse(node)))
            && self.nodes.len() > 1
            && share(most, local + remote) >= MOST.max(2.0 / self.nodes.len() as f64)
        {
            sentence += &format!(
                " {} of all came to node[{node}], where most of the pages live: let each thread write its part first (a `parallel for` in \
                 `setup`), or try `--set address_space.placement=interleave`.",
                percent(share(most, local + remote))
            );
            evidence.push(format!("node[{node}].home.remote_requests"));
        }
        Some((sentence, evidence))
    }

    /// Why lines were missing.
    fn missed(&self, found: &Misses) -> String {
        let Some(cache) = self.data_caches().pop() else { return String::new() };
        let name = &cache.name;
        let of_all = |part: u64| match part >= found.misses {
            true => format!("All {} lines that missed {name}", count(found.misses)),
            false => format!("{} of the {} lines that missed {name}", count(part), count(found.misses)),
        };
        let by = |kind: &str| total(self.metrics, &format!("{}.misses_{kind}", found.cache));
        if share(by("capacity"), found.misses) >= MOST {
            let size = ByteSize(cache.size_bytes);
            return format!(
                "{} had been there before and made room for others: the data does not fit {name} ({size})",
                of_all(by("capacity"))
            );
        }
        if share(by("conflict"), found.misses) >= MOST {
            return format!(
                "{} had been there before and made room for others of the same set: the data would fit {name}, but not its sets of {} ways",
                of_all(by("conflict")),
                cache.ways
            );
        }
        if share(by("cold"), found.misses) >= MOST {
            return format!("{} had never been there before", of_all(by("cold")));
        }
        format!(
            "{} lines missed {name}: {} never there before, {} that made room for others and {} that another core's write had taken",
            count(found.misses),
            count(by("cold")),
            count(by("capacity") + by("conflict")),
            count(found.sharing)
        )
    }

    /// Whether more bandwidth would help: it counts where something is busy, or where queues and transfers take their time.
    fn bandwidth_or_latency(&self, busiest: &Bound) -> String {
        let busy = share(busiest.time_ps, self.time_ps);
        let time = |name: &str| total(self.metrics, &format!("stack.{name}_ps"));
        let moving = self.part(time("queue") + time("network"));
        let what = format!(" {} is busy {} of the time", busiest.subject, percent(busy));
        match busy < SELDOM_BUSY && moving < SMALL {
            true => format!("{what}: the latency of each access counts, not the bandwidth."),
            false => format!("{what} ({}): latency and bandwidth both count.", busiest.explanation),
        }
    }

    /// Where most misses are of lines that other cores wrote.
    fn sharing(&self, cause: &Share) -> Option<(String, Vec<String>)> {
        let times = &self.times;
        let cache = self.data_caches().pop()?.name.to_lowercase();
        let found = self.misses().unwrap_or(Misses { misses: 0, sharing: 0, invalidations: 0, cache });
        let updates = total(self.metrics, "bus_upd");
        let coherent = times.of(Group::Coherence) > times.of(Group::MemorySystem);
        let taken = found.invalidations > 0 && (found.mostly_taken() || coherent);
        if times.n_threads() < 2 || !(taken || updates > found.misses) {
            return None;
        }
        let groups = [Group::Coherence, Group::MemorySystem];
        let together = groups.map(|group| times.share(group));
        let what = match updates > found.misses {
            true => format!("{} times a word written was sent to caches that hold its line", count(updates)),
            false => format!("{} times a write took a line away from another cache", count(found.invalidations)),
        };
        let mut sentence = format!(
            "For {} of their time ({} coherence, {} memory system) the cores waited for lines, mostly lines that other cores write: {what}.",
            percent(together[0] + together[1]),
            percent(together[0]),
            percent(together[1]),
        );
        sentence += &self.written_at(cause);
        let mut evidence: Vec<String> = groups.iter().flat_map(|group| group.evidence(times.n_threads())).collect();
        evidence.extend((updates > 0).then(|| "interconnect.bus_upd".to_owned()));
        let rests_on = ["invalidations", "misses", "misses_true_sharing", "misses_false_sharing"];
        evidence.extend(rests_on.map(|counter| format!("{}.{counter}", found.cache)));
        Some((sentence, evidence))
    }

    /// Which object it is that threads write, and what would help.
    fn written_at(&self, cause: &Share) -> String {
        let Some(&(line, _)) = cause.lines.first() else { return String::new() };
        let objects = self.text.objects(line);
        let Some(object) = objects.iter().find(|object| object.written).or(objects.first()) else { return String::new() };
        let name = &object.name;
        match (object.declared.word, object.written, object.by_thread) {
            ("array", true, true) if !object.declared.padded => format!(
                " In line {line} each thread writes an element of `{name}` of its own, but several elements lie on one line (false \
                 sharing): declare `{name}` as `padded`."
            ),
            ("array", true, _) => format!(
                " In line {line} threads write into the same lines of `{name}`, to the same elements or to neighbours: give each \
                 thread a part of its own."
            ),
            (_, true, _) => format!(
                " In line {line} all threads write `{name}`, and its line goes from core to core: let each thread work on a value of \
                 its own and bring them together at the end (`reduce`)."
            ),
            _ => format!(" Line {line} reads `{name}`, which other threads have written."),
        }
    }

    /// A bus or memory that is nearly always busy, and with what.
    pub(super) fn at_its_limit(&self, limit: &Bound, causes: &[Share]) -> Reason {
        let busy = share(limit.time_ps, self.time_ps);
        let mut sentence = format!("{} is the limit, busy {} of the time: {}.", limit.subject, percent(busy), limit.explanation);
        let mut evidence = limit.evidence.clone();
        let inner = self.data_caches().first().map(|cache| cache.name.to_lowercase());
        if let (Some(inner), Some(found)) = (inner, self.misses()) {
            let flushes = total(self.metrics, "interconnect.flushes");
            let accesses = total(self.metrics, &format!("{inner}.accesses"));
            let (part, what, counter) = match share(flushes, found.misses) >= MOST {
                true if found.mostly_taken() => {
                    (flushes, "need a line that another core has changed", "interconnect.flushes".to_owned())
                }
                true => (flushes, "get their line from another core's cache", "interconnect.flushes".to_owned()),
                false => (found.misses, "find their line in no cache of their core", format!("{}.misses", found.cache)),
            };
            let at = causes.iter().find(|cause| cause.cause == Cause::Memory);
            let data = at.and_then(|cause| Some((cause.lines.first()?.0, self.objects_at(cause, 3)?)));
            let data = data.map_or(String::new(), |(line, named)| format!(", mostly in line {line} ({named})"));
            sentence += &format!(" {} of accesses {what}{data}.", percent(share(part, accesses)));
            evidence.extend([counter, format!("{inner}.accesses")]);
        }
        Reason { sentence, evidence }
    }

    /// What a prefetcher was good for.
    pub(super) fn foreseen(&self) -> Option<Reason> {
        let kind = self.nodes.iter().find_map(|node| node.prefetcher.as_ref())?.kind.noun();
        let cache = self.data_caches().first()?.name.to_lowercase();
        let counter = |name: &str| total(self.metrics, &format!("{cache}.{name}"));
        let asked = counter("prefetches");
        let mut sentence = format!("The {kind} prefetcher found nothing to foresee in these accesses.");
        if asked > 0 {
            let [useful, late, useless] =
                ["prefetches_useful", "prefetches_late", "prefetches_useless"].map(|name| percent(share(counter(name), asked)));
            sentence = format!(
                "The {kind} prefetcher asked for {} lines beforehand: {useful} were there when they were first wanted, {late} still on \
                 their way, and {useless} left before anyone wanted them.",
                count(asked),
            );
        }
        let evidence = ["prefetches", "prefetches_useful", "prefetches_late", "prefetches_useless"];
        Some(Reason { sentence, evidence: evidence.map(|name| format!("{cache}.{name}")).to_vec() })
    }

    /// The private caches on the way of data, innermost first.
    fn data_caches(&self) -> Vec<&CacheSpec> {
        let caches = self.nodes.first().into_iter().flat_map(|node| &node.caches);
        caches.filter(|cache| cache.holds.includes(Holds::Data)).collect()
    }

    /// What the outermost private caches missed; `None` where there are none or they missed nothing.
    fn misses(&self) -> Option<Misses> {
        let cache = self.data_caches().pop()?.name.to_lowercase();
        let counter = |name: &str| total(self.metrics, &format!("{cache}.{name}"));
        let [misses, invalidations] = ["misses", "invalidations"].map(counter);
        let sharing = counter("misses_true_sharing") + counter("misses_false_sharing");
        (misses > 0).then_some(Misses { misses, sharing, invalidations, cache })
    }

    /// The objects that the cause's costliest line names: `a`, `b` and `c`.
    fn objects_at(&self, cause: &Share, most: usize) -> Option<String> {
        let objects: Vec<Named> = self.text.objects(cause.lines.first()?.0);
        let names: Vec<String> = objects.iter().map(|object| format!("`{}`", object.name)).collect();
        match &names[..] {
            [] => None,
            [name] => Some(name.clone()),
            [first @ .., last] if names.len() <= most.max(2) => Some(format!("{} and {last}", first.join(", "))),
            _ => Some(format!("{} and others", names[..most].join(", "))),
        }
    }
}
