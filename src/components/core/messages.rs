//! How a core sends and receives: it spends its overhead, tells the interface, and waits until a message is over.

use super::{Core, Stage};
use crate::base::time::Time;
use crate::components::core::run::Pause;
use crate::components::owner::Owner;
use crate::components::shared::{Interruption, Over, Shared};
use crate::program::code::{Fault, FaultKind};
use crate::program::messages::{End, MessageAction, MessageRequest, Start};
use crate::program::tree::Direction;

impl Core {
    /// An operation on messages, in the engine's order: what others see of it they see when it happens.
    pub(super) fn message(&mut self, request: MessageRequest, shared: &mut Shared, now: Time) -> Option<Pause> {
        let done = match request.action {
            _ if self.interface.is_none() => {
                let (rank, thread) = (self.context.rank, self.context.thread);
                Err(Fault { kind: FaultKind::NoInterface, site: request.site, rank, thread })
            }
            MessageAction::Start(start) => {
                let overhead = if start.direction == Direction::Send { self.send_overhead } else { 0 };
                let at = self.cycle + overhead;
                if self.clock.edge(at) > now {
                    return Some(Pause::At(at));
                }
                self.start_message(&request, &start, at, shared)
            }
            MessageAction::Wait(handle) => {
                if self.clock.edge(self.cycle) > now {
                    return Some(Pause::At(self.cycle));
                }
                self.await_messages(request, handle, shared)
            }
        };
        match done {
            Ok(pause) => pause,
            Err(fault) => {
                shared.interrupt(Interruption::Fault(fault));
                Some(Pause::Interrupted)
            }
        }
    }

    fn start_message(
        &mut self,
        request: &MessageRequest,
        start: &Start,
        at: u64,
        shared: &mut Shared,
    ) -> Result<Option<Pause>, Fault> {
        let (rank, thread) = (self.context.rank, self.context.thread);
        let end = End::new(rank, thread, self.program.code.ranks, request, start)?;
        let handle = shared.handles.open(&end, None)?;
        let line = self.line_of(request);
        self.account.message(line, at - self.cycle);
        self.cycle = at;
        let id = match &shared.post {
            Some(post) => post.borrow_mut().start(end, handle, self.clock.edge(at), &shared.memory),
            None => return Ok(None),
        };
        self.program.interpreter.resume(&mut self.context, handle as u64);
        self.stage = Stage::Step;
        Ok(Some(Pause::Started(id)))
    }

    fn await_messages(
        &mut self,
        request: MessageRequest,
        handle: Option<i64>,
        shared: &mut Shared,
    ) -> Result<Option<Pause>, Fault> {
        let awaited = shared.handles.awaited(self.context.rank, self.context.thread, &request, handle)?;
        let ends = awaited.iter().filter_map(|&handle| shared.handles.get(handle));
        let (mut last, mut receives, mut waits) = (None::<Over>, 0, false);
        for (end, over) in ends {
            receives += u64::from(end.direction == Direction::Receive);
            waits |= over.is_none();
            last = last.into_iter().chain(*over).max_by_key(|over| over.at);
        }
        if waits {
            self.stage = Stage::Receiving(request);
            return Ok(Some(Pause::Blocked));
        }
        let line = self.line_of(&request);
        if let Some(over) = last {
            let cycle = self.clock.cycle_at_or_after(over.at).max(self.cycle);
            let (begin, end) = (self.clock.edge(self.cycle), self.clock.edge(cycle));
            let apart = over.since.clamp(begin, end);
            self.account.stall(line, cycle - self.cycle, |stack| {
                stack.add(Owner::Synchronisation, apart - begin);
                stack.add(Owner::Message, end - apart);
            });
            self.cycle = cycle;
        }
        let overhead = receives * self.receive_overhead;
        self.account.message(line, overhead);
        self.cycle += overhead;
        awaited.into_iter().for_each(|handle| shared.handles.close(handle));
        self.program.interpreter.resume(&mut self.context, 0);
        self.stage = Stage::Step;
        Ok(None)
    }

    /// Something is over that the thread may wait for.
    pub(super) fn hear_of_message(&mut self) {
        if let Stage::Receiving(request) = self.stage {
            self.stage = Stage::Message(request);
        }
    }

    pub(super) fn line_of(&self, request: &MessageRequest) -> u32 {
        self.program.code.sites[request.site as usize].line
    }

    /// What a thread waits for, in words.
    pub(super) fn describe_messages(&self, request: &MessageRequest, shared: &Shared) -> String {
        let MessageAction::Wait(handle) = request.action else { return String::new() };
        let awaited = shared.handles.awaited(self.context.rank, self.context.thread, request, handle).unwrap_or_default();
        let open = awaited.iter().filter_map(|&handle| shared.handles.get(handle)).filter(|(_, over)| over.is_none());
        let ends: Vec<&End> = open.map(|(end, _)| end).collect();
        let Some(first) = ends.first() else { return "a message".to_string() };
        let tag = if first.runtime { String::new() } else { format!(" with tag {}", first.tag) };
        let more = if ends.len() > 1 { format!(" and {} more", ends.len() - 1) } else { String::new() };
        match first.direction {
            Direction::Send => format!("rank {} to receive its message{tag}{more}", first.peer),
            Direction::Receive => format!("a message from rank {}{tag}{more}", first.peer),
        }
    }
}
