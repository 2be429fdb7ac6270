def sub(p, a, b, n=1):
    s=open(p).read()
    assert s.count(a)>=1, (p,a)
    s=s.replace(a,b,n)
    open(p,'w').write(s)
import shutil
shutil.copy('/tmp/prefetcher.rs','src/components/prefetcher.rs')
shutil.copy('/tmp/core_prefetch.rs','src/components/core/prefetch.rs')
p='src/components/core/prefetch.rs'
sub(p,'''    /// Counters start anew.
    pub fn begin(&mut self) {
        self.counters = PrefetchCounters::default();
    }
''','''    /// Counters start anew; lines that have left are forgotten.
    pub fn begin(&mut self, caches: &PrivateCaches) {
        self.counters = PrefetchCounters::default();
        self.unused.retain(|&line| caches.holds(line));
    }
''')
sub(p,'''    /// Whether anything is to be asked for.
    pub fn has_asks(&self) -> bool {
        !self.asks.is_empty()
    }

''','')
s=open(p).read().rstrip()
assert s.endswith('}')
s=s[:-1]+'''
    /// The same on a core that waits for each access: the one at the cursor looked at a cycle. Whether anything is to be asked for.
    pub(super) fn foresee_in_order(&mut self, address: Address, found: Option<Lookup>, cycle: u64, shared: &mut Shared) -> bool {
        let Some(own) = &self.prefetching else { return false };
        let free = own.n_mshrs - own.misses.len();
        let asked = self.foresee((self.next, address), found, cycle, free, shared);
        if let Some(own) = &mut self.prefetching {
            own.misses.extend(&asked);
        }
        !asked.is_empty()
    }

    /// Whether the line of an access that waits is on its way already: then it waits for that.
    pub(super) fn finds_on_its_way(&mut self, line: Line) -> bool {
        let Some(own) = self.prefetching.as_mut().filter(|own| own.awaits(line)) else { return false };
        own.is_late(line);
        own.late = Some(line);
        true
    }

    /// Whether the access is one that waited for a line on its way and looks again.
    pub(super) fn waited_for_prefetch(&mut self, line: Line) -> bool {
        self.prefetching.as_mut().is_some_and(|own| own.late.take() == Some(line))
    }

    /// Asks for what is to be asked for.
    pub(super) fn send_prefetches(&mut self, shared: &mut Shared, port: &mut Port<'_, Message>) {
        let Some(own) = &mut self.prefetching else { return };
        for Ask { transaction, line, cycle } in std::mem::take(&mut own.asks) {
            self.ask(Command::Coherent(transaction), line, cycle, shared, port);
            self.send_leaving(self.clock.edge(cycle), port);
        }
    }

    /// A transaction of a line that a waiting core asked for beforehand is over.
    pub(super) fn complete_prefetch(
        &mut self,
        (transaction, line, is_shared, version): (Transaction, Line, bool, u64),
        time: Time,
        shared: &mut Shared,
        port: &mut Port<'_, Message>,
    ) {
        let (Some(caches), Some(own)) = (&mut self.caches, &mut self.prefetching) else { return };
        let mut observer = observe(self.number, time, &mut shared.agent_rows, &mut shared.versions);
        match caches.complete(line, transaction, is_shared, version, &mut observer) {
            Ok(None) => {}
            Ok(Some(next)) => {
                let cycle = self.clock.cycle_at_or_after(time);
                self.ask(Command::Coherent(next), line, cycle, shared, port);
                return;
            }
            Err(broken) => {
                shared.broken(time, self.number, &broken);
                port.stop();
                return;
            }
        }
        own.misses.retain(|&other| other != line);
        own.arrived(line, caches);
        let is_late = own.late == Some(line);
        self.send_leaving(time, port);
        let (_, edge) = self.clock.first_edge(time);
        let mut timeline = shared.timelines[usize::from(self.number)].end(line);
        timeline.mark(Owner::Network, edge);
        if self.stage == Stage::Stalled && is_late {
            self.go_on_late(&timeline, time);
        } else {
            self.try_again(time);
        }
    }

    /// The line that an access waited for is there, as if it had been a miss of its own: its lookup ends when the line comes, or when
    /// it would have ended anyway.
    fn go_on_late(&mut self, timeline: &Timeline, time: Time) {
        let (arrival, _) = self.clock.first_edge(time);
        let cycle = arrival.max(self.cycle + self.costs.inner) - self.costs.inner;
        let (from, until) = (self.clock.edge(self.cycle), self.clock.edge(cycle));
        let line = self.line_in_progress();
        self.account.stall(line, cycle - self.cycle, |stack| {
            let mut overlap = Stack::default();
            let known = timeline.overlap(from, until, &mut overlap);
            stack.merge(&overlap);
            stack.add(Owner::Queue, (until - from).saturating_sub(known));
        });
        self.cycle = cycle;
        self.go_back();
        self.stage = self.stage_in_progress();
    }
}
'''
s=s.replace('''use super::run::Pause;
use super::{Core, Stage, observe};''','''use super::{Core, Stage, observe};''')
s=s.replace('''use crate::components::owner::{Owner, Stack};''','''use crate::components::message::Message;
use crate::components::owner::{Owner, Stack, Timeline};''')
s=s.replace('''use crate::components::shared::Shared;
''','''use crate::components::shared::Shared;
use crate::engine::Port;
''')
open(p,'w').write(s)
sub('src/components/mod.rs','pub mod predictor;\n','pub mod predictor;\npub mod prefetcher;\n')
sub('src/components/mod.rs','//!   translation TLBs','//!   prefetcher which lines will be wanted next\n//!   translation TLBs')
# spec
p='src/components/spec.rs'
sub(p,'''    pub translation: Option<TranslationSpec>,
''','''    pub translation: Option<TranslationSpec>,
    /// What each core's first cache for data prefetches, where it does.
    pub prefetcher: Option<PrefetcherSpec>,
''')
sub(p,'use crate::components::predictor::PredictorSpec;\n','use crate::components::predictor::PredictorSpec;\nuse crate::components::prefetcher::{PrefetcherKind, PrefetcherSpec};\n')
sub(p,'''        self.translation_faults(&mut faults);
''','''        self.translation_faults(&mut faults);
        self.prefetcher_faults(&mut faults);
''')
sub(p,'''    fn translation_faults(&self''','''    fn prefetcher_faults(&self, faults: &mut Vec<SpecFault>) {
        let Some(prefetcher) = &self.prefetcher else { return };
        let name = self.caches.iter().find(|cache| cache.holds.includes(Holds::Data)).map_or("L1d", |cache| &cache.name);
        if self.is_plain() {
            faults.push(SpecFault::new(
                format!("cache.{name}.prefetcher"),
                "prefetchers without a coherence protocol are not built yet",
                "MESI is a usual one, also for one core",
            ));
        }
        if let PrefetcherKind::Stride { entries } = prefetcher.kind
            && !entries.is_power_of_two()
        {
            faults.push(SpecFault::new(
                format!("cache.{name}.prefetcher.entries"),
                format!("a table of {entries} entries cannot be built"),
                format!("{} or {} would do", entries.next_power_of_two() / 2, entries.next_power_of_two()),
            ));
        }
    }

    fn translation_faults(&self''')
# hierarchy
p='src/components/hierarchy.rs'
sub(p,'''        if !place.is_held() {
            return self.missing(line, kind, observer);
        }''','''        if !place.is_held() {
            let lookup = self.missing(line, kind, observer)?;
            if lookup != Lookup::Stall {
                for depth in 0..self.levels.depth(kind) {
                    let level = self.levels.on_way(kind, depth);
                    self.levels.get_mut(level).counters.miss(kind);
                }
            }
            return Ok(lookup);
        }''')
sub(p,'''        for depth in 0..self.levels.depth(kind) {
            let level = self.levels.on_way(kind, depth);
            self.levels.get_mut(level).counters.miss(kind);
        }
        if let Some(victim) = victim {''','''        if let Some(victim) = victim {''')
sub(p,'''    /// An access takes effect.
    fn take_effect''','''    /// Whether any level holds a line, or waits for it.
    pub fn holds(&self, line: Line) -> bool {
        self.levels.find(line).is_held()
    }

    /// A line that no level holds is to be brought beforehand: what to ask for; `None` where there is no room. No access misses it, so
    /// none is counted.
    pub fn prefetch(&mut self, line: Line, observer: &mut Observer<'_>) -> Result<Option<Transaction>, Broken> {
        if self.agent.is_leaving(line) {
            return Ok(None);
        }
        match self.missing(line, Kind::Read, observer)? {
            Lookup::Ask(transaction) => Ok(Some(transaction)),
            Lookup::Hit(_) | Lookup::Stall => Ok(None),
        }
    }

    /// An access takes effect.
    fn take_effect''')
# core
p='src/components/core.rs'
sub(p,'mod plain;\nmod run;','mod plain;\nmod prefetch;\nmod run;')
sub(p,'use plain::Plain;\n','use plain::Plain;\npub use prefetch::PrefetchCounters;\nuse prefetch::Prefetching;\n')
sub(p,'''    predictor: Option<Box<Predictor>>,
    /// What''','''    predictor: Option<Box<Predictor>>,
    prefetching: Option<Box<Prefetching>>,
    /// What''')
sub(p,'''            careful: spec.checks && caches.is_some() || translator.is_some(),
''','''            careful: spec.checks && caches.is_some() || translator.is_some() || prefetching.is_some(),
''')
sub(p,'''        let nowhere = Function''','''        let n_lines = spec.caches.iter().map(|cache| cache.size_bytes / u64::from(cache.line_bytes)).sum();
        let prefetching = spec.prefetcher.map(|own| Box::new(Prefetching::new(own, spec.line_bytes(), n_lines)));
        let nowhere = Function''')
sub(p,'''            predictor,
            context,''','''            predictor,
            prefetching,
            context,''')
sub(p,'''        if let Some(caches) = &mut self.caches {
            caches.reset_counters();
        }
''','''        if let Some(caches) = &mut self.caches {
            caches.reset_counters();
            if let Some(own) = &mut self.prefetching {
                own.begin(caches);
            }
        }
''')
sub(p,'''translation + predictor + self.account''','''translation + predictor + prefetching + self.account''')
sub(p,'''        let predictor = self.predictor.as_ref().map_or(0, |own| own.footprint());
''','''        let predictor = self.predictor.as_ref().map_or(0, |own| own.footprint());
        let prefetching = self.prefetching.as_ref().map_or(0, |own| own.footprint());
''')
sub(p,'''        let goes_on = matches!(pause, Pause::Ask { .. } | Pause::Leave { .. } | Pause::Walked { .. });
''','''        let goes_on = matches!(pause, Pause::Ask { .. } | Pause::Leave { .. } | Pause::Walked { .. } | Pause::Prefetch);
''')
sub(p,'''            Pause::Interrupted => {}
        }
        if shared''','''            Pause::Prefetch | Pause::Interrupted => {}
        }
        self.send_prefetches(&mut shared, port);
        if shared''')
sub(p,'''        let Stage::Waiting(pending) = self.stage else { return };
        if let (Some(caches)''','''        if let Some(transaction) = transaction
            && self.prefetching.as_ref().is_some_and(|own| own.awaits(line))
        {
            self.complete_prefetch((transaction, line, is_shared, version), time, shared, port);
            return;
        }
        let Stage::Waiting(pending) = self.stage else { return };
        if let (Some(caches)''')
sub(p,'''        self.stage = match self.then {
            Then::Synchronise(request) if self.next == self.end && self.fetching.is_empty() => Stage::Synchronise(request),
            _ => Stage::References,
        };
    }
''','''        self.stage = self.stage_in_progress();
    }

    /// Where the access in progress is made.
    fn stage_in_progress(&self) -> Stage {
        match self.then {
            Then::Synchronise(request) if self.next == self.end && self.fetching.is_empty() => Stage::Synchronise(request),
            _ => Stage::References,
        }
    }
''')
p='src/components/core/run.rs'
sub(p,'''    /// It wrote a word that others''','''    /// Lines are to be asked for beforehand; the core goes on.
    Prefetch,
    /// It wrote a word that others''')
sub(p,'''u32::from(matches!(pause, Pause::Leave { .. }))''','''u32::from(matches!(pause, Pause::Leave { .. } | Pause::Prefetch))''')
sub(p,'''        let line = self.caches.as_ref()?.line(address);
        let lookup = match self.look_into_caches(line, write, at, shared)? {
            Ok(lookup) => lookup,
            Err(pause) => return Some(pause),
        };
        let leaves''','''        let line = self.caches.as_ref()?.line(address);
        if self.finds_on_its_way(line) {
            if request.is_none() {
                self.foresee_in_order(address, None, at, shared);
            }
            return Some(self.stall(at));
        }
        let lookup = match self.look_into_caches(line, write, at, shared)? {
            Ok(lookup) => lookup,
            Err(pause) => return Some(pause),
        };
        let is_new = lookup != Lookup::Stall && request.is_none() && !self.waited_for_prefetch(line);
        let asks = is_new && self.foresee_in_order(address, Some(lookup), at, shared);
        let leaves''')
sub(p,'''            Lookup::Stall => {
                self.cycle = at;
                self.stage = Stage::Stalled;
                if let Some(own) = &mut self.translator {
                    own.progress = Progress::Over;
                }
                return Some(Pause::Blocked);
            }
        }
        None
    }''','''            Lookup::Stall => return Some(self.stall(at)),
        }
        asks.then_some(Pause::Prefetch)
    }

    /// The access in progress, whose address is translated, has to wait for something that comes or leaves.
    fn stall(&mut self, at: u64) -> Pause {
        self.cycle = at;
        self.stage = Stage::Stalled;
        if let Some(own) = &mut self.translator {
            own.progress = Progress::Over;
        }
        Pause::Blocked
    }''')
p='src/components/core/translate.rs'
sub(p,'''        let found = match self.look_into_caches(line''','''        if self.prefetching.as_ref().is_some_and(|own| own.awaits(line)) {
            self.stage = Stage::Stalled;
            return Some(Pause::Blocked);
        }
        let found = match self.look_into_caches(line''')
# out of order
p='src/components/core/out_of_order.rs'
sub(p,'''    waiters: Vec<Lookup>,
}''','''    waiters: Vec<Lookup>,
    /// It was asked for beforehand.
    prefetch: bool,
}''')
sub(p,'transaction, waiters: vec![lookup] });','transaction, waiters: vec![lookup], prefetch: false });')
sub(p,'transaction, waiters: vec![Lookup::Fetch] });','transaction, waiters: vec![Lookup::Fetch], prefetch: false });')
s=open(p).read()
a=s.index('        if let Some(miss) = own.misses.iter_mut().find(|miss| miss.line == line) {'); b=s.index('        if !self.watched && caches.touch(line, write) {',a)
s=s[:a]+'''        let access = (own.window.instruction(lookup), address);
        if let Some(miss) = own.misses.iter_mut().find(|miss| miss.line == line) {
            if miss.write || !write {
                caches.count_merged();
            }
            miss.waiters.push(lookup);
            own.window.missed(lookup, cycle);
            if let Some(prefetching) = &mut self.prefetching {
                prefetching.is_late(line);
            }
            return self.foresee_in_window(own, access, None, cycle, shared);
        }
'''+s[b:]
s=s.replace('''            self.found(own, lookup, cycle, 0);
            return None;''','''            self.found(own, lookup, cycle, 0);
            return self.foresee_in_window(own, access, Some(Found::Hit(0)), cycle, shared);''',1)
s=s.replace('''                self.found(own, lookup, cycle, depth);
                if self''','''                self.found(own, lookup, cycle, depth);
                let foreseen = self.foresee_in_window(own, access, Some(Found::Hit(depth)), cycle, shared);
                if self''',1)
s=s.replace('''                    return Some(Pause::Leave { cycle: cycle + own.window.all_lookups() });
                }
''','''                    return Some(Pause::Leave { cycle: cycle + own.window.all_lookups() });
                }
                return foreseen;
''',1)
s=s.replace('''waiters: vec![lookup], prefetch: false });
                let cycle''','''waiters: vec![lookup], prefetch: false });
                self.foresee_in_window(own, access, Some(Found::Ask(transaction)), cycle, shared);
                let cycle''',1)
s=s.replace('''        if miss.fetch {
            self.fetched();
        }
''','''        if miss.fetch {
            self.fetched();
        }
        if let (true, Some(prefetching)) = (miss.prefetch, &mut self.prefetching) {
            prefetching.arrived(line, caches);
        }
''',1)
s=s.replace('''        if miss.fetch {
            self.fetched();
        }
        if let (true''','''        if let (true''',1)
s=s.replace('''            prefetching.arrived(line, caches);
        }
''','''            prefetching.arrived(line, caches);
        }
        if miss.fetch {
            self.fetched();
        }
''',1)
s=s.replace('''    /// A lookup at a cycle hit, in''','''    /// The prefetcher sees a load or store of the program.
    fn foresee_in_window(
        &mut self,
        own: &mut OutOfOrder,
        (instruction, address): (Option<u32>, Address),
        found: Option<Found>,
        cycle: u64,
        shared: &mut Shared,
    ) -> Option<Pause> {
        let access = (instruction.filter(|_| self.prefetching.is_some())?, address);
        let asked = self.foresee(access, found, cycle, own.n_mshrs - own.misses.len(), shared);
        let prefetch = |&line: &Line| {
            Miss { line, write: false, fetch: false, transaction: Transaction::BusRd, waiters: Vec::new(), prefetch: true }
        };
        own.misses.extend(asked.iter().map(prefetch));
        (!asked.is_empty()).then_some(Pause::Prefetch)
    }

    /// A lookup at a cycle hit, in''',1)
s=s.replace('use crate::base::address::Line;','use crate::base::address::{Address, Line};',1)
open(p,'w').write(s)
p='src/components/core/window.rs'
sub(p,'''    /// Its number among loads or stores.
    number: u64,''','''    /// Number of the instruction.
    instruction: u32,
    /// Its number among loads or stores.
    number: u64,''')
sub(p,'''    address: 0,
    number: 0,''','''    address: 0,
    instruction: 0,
    number: 0,''')
sub(p,'''            address,
            number,
            ..EMPTY''','''            address,
            instruction: operation.address,
            number,
            ..EMPTY''')
sub(p,'''struct Store {
    address: Address,''','''struct Store {
    address: Address,
    /// Number of the instruction.
    instruction: u32,''')
sub(p,'''                let line = self.entries[place].line;
                let store = Store { address, line,''','''                let Entry { line, instruction, .. } = self.entries[place];
                let store = Store { address, instruction, line,''')
sub(p,'''    /// A lookup at a cycle hit, in the second''','''    /// The instruction that looks up; `None` for a walker.
    pub fn instruction(&self, lookup: Lookup) -> Option<u32> {
        match lookup {
            Lookup::Load(id) | Lookup::Address(id) => Some(self.entries[self.place(id)].instruction),
            Lookup::Store(number) => Some(self.pending_stores[(number - self.first_store) as usize].instruction),
            Lookup::Walk(_) | Lookup::Fetch => None,
        }
    }

    /// A lookup at a cycle hit, in the second''')
# machine
p='src/machine/wire.rs'
sub(p,'''    let misses = spec.core.out_of_order.as_ref().map_or(1, |own| own.mshrs);''','''    let waited_for = 1 + spec.prefetcher.map_or(0, |own| own.mshrs);
    let misses = spec.core.out_of_order.as_ref().map_or(waited_for, |own| own.mshrs);''')
sub(p,'''            let cycles = if spec.core.out_of_order.is_some() {''','''            let cycles = if spec.core.out_of_order.is_some() || spec.prefetcher.is_some() {''')
p='src/machine/simulation/report.rs'
sub(p,'''        if let Some(caches) = core.plain_caches() {''','''        let first = self.spec.caches.iter().find(|cache| cache.holds.includes(Holds::Data));
        if let (Some(prefetched), Some(first)) = (core.prefetched(), first) {
            report.prefetches(&format!("{path}.{}", first.name.to_lowercase()), &prefetched);
        }
        if let Some(caches) = core.plain_caches() {''')
sub(p,'''    /// What a core's TLBs and walks counted.''','''    fn prefetches(&mut self, path: &str, counters: &PrefetchCounters) {
        self.insert(
            path,
            &[
                ("prefetches", counters.issued),
                ("prefetches_useful", counters.useful),
                ("prefetches_late", counters.late),
                ("prefetches_useless", counters.useless),
                ("prefetches_dropped", counters.dropped),
            ],
        );
    }

    /// What a core's TLBs and walks counted.''')
sub(p,'use crate::components::core::{Core, LineStacks, Totals};','use crate::components::core::{Core, LineStacks, PrefetchCounters, Totals};')
sub(p,'use crate::components::part::Part;\n','use crate::components::part::Part;\nuse crate::components::spec::Holds;\n')
p='src/machine/simulation/conservation.rs'
sub(p,'''            let Some(caches) = core.caches() else { continue };
''','''            if let Some(prefetched) = core.prefetched() {
                same(&format!("lines that core {number} asked for beforehand, and those that came"), prefetched.issued, prefetched.filled)?;
            }
            let Some(caches) = core.caches() else { continue };
''')
p='src/machine/keys.rs'
sub(p,'''        "prefetcher" => "prefetchers are",
''','')
sub(p,'''        inclusion: Option<InclusionKey>,
    }''','''        inclusion: Option<InclusionKey>,
        /// What is brought before it is asked for. Only the first cache for data has one, with a coherence protocol.
        prefetcher: Option<PrefetcherKeys>,
    }''')
sub(p,'''choice! {
    /// Which line of a full set makes room for a new one.''','''tagged! {
    /// What is brought into a cache before it is asked for. What is foreseen is asked for like what a load misses, while the core goes
    /// on; it is dropped where no miss status holding register or no place is free, and never lies on another page
    /// (`address_space.page_size`).
    pub enum PrefetcherKeys {
        /// At a miss, and at the first use of a prefetched line, the lines behind it (tagged prefetch: Smith, ACM Computing Surveys
        /// 14(3), 1982).
        NextLine(NextLineKeys) = "next-line",
        /// Where the addresses of one load or store go on by the same step, those some steps further on (reference prediction table:
        /// Baer and Chen, Supercomputing 1991).
        Stride(StrideKeys) = "stride",
        /// Where misses go up or down line after line, the lines ahead (after the stream buffers of Jouppi, ISCA 1990, and Palacharla
        /// and Kessler, ISCA 1994; lines come into the cache itself).
        Stream(StreamKeys) = "stream",
    }
}

section! {
    /// A prefetcher of the next lines.
    pub struct NextLineKeys {
        /// Lines brought at a time.
        degree: Whole<1, 64> = Whole(1),
        /// Lines that may be on their way at once in an in-order core; an out-of-order core has its own `mshrs`.
        mshrs: Whole<1, 256> = Whole(8),
    }
}

section! {
    /// A prefetcher of strides.
    pub struct StrideKeys {
        /// Instructions whose steps are known: a power of two.
        entries: Whole<1, 65536> = Whole(64),
        /// Steps brought at a time.
        degree: Whole<1, 64> = Whole(1),
        /// How many steps ahead the first of them is.
        distance: Whole<1, 4096> = Whole(16),
        /// Lines that may be on their way at once in an in-order core; an out-of-order core has its own `mshrs`.
        mshrs: Whole<1, 256> = Whole(8),
    }
}

section! {
    /// A prefetcher of streams.
    pub struct StreamKeys {
        /// Streams followed at once; a new one takes the place of the one used longest ago.
        streams: Whole<1, 256> = Whole(8),
        /// Lines brought at a time, at most.
        degree: Whole<1, 64> = Whole(2),
        /// How many lines ahead of the last one used a stream is brought.
        distance: Whole<1, 4096> = Whole(8),
        /// Lines that may be on their way at once in an in-order core; an out-of-order core has its own `mshrs`.
        mshrs: Whole<1, 256> = Whole(8),
    }
}

choice! {
    /// Which line of a full set makes room for a new one.''')
p='src/machine/node.rs'
sub(p,'''        translation: keys''','''        prefetcher: caches(&keys.cache).find_map(|(_, cache)| cache.prefetcher.value.as_ref()).map(|own| prefetcher_spec(own, page_bytes)),
        translation: keys''')
sub(p,'''fn translation_spec(''','''fn prefetcher_spec(keys: &PrefetcherKeys, page_bytes: u64) -> PrefetcherSpec {
    let (kind, degree, distance, mshrs) = match keys {
        PrefetcherKeys::NextLine(keys) => (PrefetcherKind::NextLine, keys.degree.0, 1, keys.mshrs.0),
        PrefetcherKeys::Stride(keys) => {
            (PrefetcherKind::Stride { entries: keys.entries.0 as u32 }, keys.degree.0, keys.distance.0, keys.mshrs.0)
        }
        PrefetcherKeys::Stream(keys) => {
            (PrefetcherKind::Stream { streams: keys.streams.0 as u32 }, keys.degree.0, keys.distance.0, keys.mshrs.0)
        }
    };
    PrefetcherSpec { kind, degree: degree as u32, distance: distance as u32, mshrs: mshrs as u32, page_bytes }
}

fn translation_spec(''')
sub(p,'PredictorKeys, ReplacementKey','PredictorKeys, PrefetcherKeys, ReplacementKey')
sub(p,'use crate::components::predictor::PredictorSpec;\n','use crate::components::predictor::PredictorSpec;\nuse crate::components::prefetcher::{PrefetcherKind, PrefetcherSpec};\n')
p='src/machine/resolve.rs'
sub(p,'''            seen.push(holds);''','''            if cache.prefetcher.is_some() && (seen.iter().any(|&inner| inner.includes(Holds::Data)) || !holds.includes(Holds::Data)) {
                let message = format!("{name} is not the first cache for data");
                let help = "a prefetcher belongs to the first cache for data; prefetchers of others are not built yet";
                self.fault(&cache.prefetcher.place, &format!("node.cache.{name}.prefetcher"), message, help);
            }
            seen.push(holds);''')
p='src/machine/simulation/tests.rs'
sub(p,'''        translation: None,
''','''        translation: None,
        prefetcher: None,
''')

shutil.copy('/tmp/prefetch_tests.rs','src/machine/simulation/tests/prefetch.rs')
sub('src/machine/simulation/tests.rs','mod programs;\n','mod prefetch;\nmod programs;\n')
p='src/machine/simulation/tests/programs.rs'
sub(p,'use super::translation::tlbs;\n','use super::prefetch::prefetcher;\nuse super::translation::tlbs;\n')
sub(p,'use crate::components::translation::','use crate::components::prefetcher::PrefetcherKind;\nuse crate::components::translation::')
sub(p,"""    (levels, interconnect, (shared_cache, memory), core, translation, any""","""    let few = |kind| Some(PrefetcherSpec { mshrs: 2, page_bytes: 4096, ..prefetcher(kind, 2, 3) });
    let prefetchers = prop_oneof![
        2 => Just(None),
        1 => Just(few(PrefetcherKind::NextLine)),
        1 => Just(few(PrefetcherKind::Stride { entries: 8 })),
        1 => Just(few(PrefetcherKind::Stream { streams: 3 })),
    ];
    let translation = (translation, prefetchers);
    (levels, interconnect, (shared_cache, memory), core, translation, any""")
sub(p,'(costs, window, core), translation, exclusive)|','(costs, window, core), (translation, prefetchers), exclusive)|')
sub(p,"""                translation: translation.filter""","""                prefetcher: prefetchers.filter(|_| !caches.is_empty()),
                translation: translation.filter""")
sub(p,'use crate::components::prefetcher::PrefetcherKind;','use crate::components::prefetcher::{PrefetcherKind, PrefetcherSpec};')
p='tests/it/shipped.rs'
sub(p,"""    machines.push(machine(&catalogue, "split-caches", &SMALL_TLBS));
""","""    machines.push(machine(&catalogue, "split-caches", &SMALL_TLBS));
    for prefetcher in ["next-line", "stride", "stream"] {
        let set = ("node.cache.L1d.prefetcher", format!("{{ kind = \\"{prefetcher}\\" }}"));
        machines.push(machine(&catalogue, "uma-bus-4", &[(set.0, &*set.1)]));
        machines.push(machine(&catalogue, "uma-bus-4", &[OUT_OF_ORDER[0], (set.0, &*set.1)]));
    }
""")
