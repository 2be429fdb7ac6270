//! Calls of functions of the text, judged when all functions are known.

use super::function::Facts;
use super::scope::{Context, Phase, Team};
use super::{Checked, Checker};
use crate::base::diagnostic::{Diagnostic, Span};
use crate::program::tree::FunctionId;

/// The most statements and expressions of a program once all calls are inlined.
const MAXIMUM_INLINED_SIZE: u64 = 1_000_000;
/// How deep blocks and expressions may be nested once all calls are inlined.
const MAXIMUM_INLINED_DEPTH: u32 = 250;

/// A call in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallSite {
    pub callee: FunctionId,
    pub span: Span,
    pub context: Context,
    /// Blocks and expressions it stands in.
    pub depth: u32,
}

impl CallSite {
    fn caller(&self) -> Option<FunctionId> {
        match self.context.phase {
            Phase::Function(caller) => Some(caller),
            _ => None,
        }
    }
}

/// The calls of a function, or of the program itself, in calls sorted by caller.
fn calls_of(calls: &[CallSite], caller: Option<FunctionId>) -> &[CallSite] {
    let first = calls.partition_point(|call| call.caller() < caller);
    let length = calls[first..].partition_point(|call| call.caller() == caller);
    &calls[first..first + length]
}

impl Checker<'_> {
    /// Judges all calls: no recursion, no explosion, and every function where it may run.
    pub(super) fn finish_calls(&mut self) {
        let mut calls = std::mem::take(&mut self.calls);
        // By caller, those of the program itself first; stable, so that reports keep the order of the text.
        calls.sort_by_key(CallSite::caller);
        let Ok(order) = self.callees_first(&calls) else { return };
        let mut sizes: Vec<u64> = self.functions.iter().map(|function| function.size).collect();
        let mut depths: Vec<u32> = self.functions.iter().map(|function| function.depth).collect();
        for caller in order {
            for call in calls_of(&calls, Some(caller)) {
                let (caller, callee) = (caller.0 as usize, call.callee.0 as usize);
                depths[caller] = depths[caller].max(depths[callee].saturating_add(call.depth));
                sizes[caller] = sizes[caller].saturating_add(sizes[callee]);
                let facts = self.functions[callee].facts;
                self.functions[caller].facts.inherit(facts, call);
            }
        }
        for call in &calls {
            let _ = self.call_allowed(call);
        }
        let _ = self.inlined_fits(&calls, &sizes, &depths);
    }

    /// Whether the program stays small enough when all calls are inlined; sizes and depths are those of the functions, inlined.
    fn inlined_fits(&mut self, calls: &[CallSite], sizes: &[u64], depths: &[u32]) -> Checked<()> {
        let inlined = calls_of(calls, None).iter().map(|call| sizes[call.callee.0 as usize]);
        let total = inlined.fold(self.size, u64::saturating_add).max(sizes.iter().copied().max().unwrap_or(0));
        if total > MAXIMUM_INLINED_SIZE
            && let Some(worst) = calls.iter().max_by_key(|call| sizes[call.callee.0 as usize])
        {
            let message = "functions are inlined, and inlined this program is too long";
            return self.fault(worst.span, message, "call in a loop instead of calling from many places");
        }
        let depth = |call: &CallSite| depths[call.callee.0 as usize].saturating_add(call.depth);
        match calls.iter().find(|call| depth(call) > MAXIMUM_INLINED_DEPTH) {
            Some(call) => {
                let message = format!("functions are inlined, and inlined this is nested more than {MAXIMUM_INLINED_DEPTH} deep");
                self.fault(call.span, message, "let fewer functions call one another")
            }
            None => Ok(()),
        }
    }

    /// The functions in such an order that what a function calls comes before it.
    fn callees_first(&mut self, calls: &[CallSite]) -> Checked<Vec<FunctionId>> {
        let mut order = Vec::new();
        let mut done = vec![false; self.functions.len()];
        let mut on_path = vec![false; self.functions.len()];
        for start in 0..self.functions.len() {
            // Depth first, with the path on a stack of its own: the functions on it and their calls not yet followed.
            let mut path = vec![(start, calls_of(calls, Some(FunctionId(start as u32))))];
            on_path[start] = true;
            while let Some((function, unfollowed)) = path.last_mut() {
                let function = *function;
                let next = if done[function] { None } else { unfollowed.split_first() };
                let Some((call, rest)) = next else {
                    if !std::mem::replace(&mut done[function], true) {
                        order.push(FunctionId(function as u32));
                    }
                    on_path[function] = false;
                    path.pop();
                    continue;
                };
                *unfollowed = rest;
                let callee = call.callee.0 as usize;
                if on_path[callee] {
                    let first = path.iter().position(|(function, _)| *function == callee).unwrap_or(0);
                    let chain: Vec<usize> = path[first..].iter().map(|(function, _)| *function).chain([callee]).collect();
                    return self.recursion(&chain, call.span);
                }
                if !done[callee] {
                    on_path[callee] = true;
                    path.push((callee, calls_of(calls, Some(call.callee))));
                }
            }
        }
        Ok(order)
    }

    fn recursion<T>(&mut self, chain: &[usize], span: Span) -> Checked<T> {
        let mut names: Vec<String> = chain.iter().map(|&id| format!("`{}`", self.signatures[id].name.text)).collect();
        if names.len() > 8 {
            names.splice(4..names.len() - 3, ["...".to_string()]);
        }
        let message = format!("functions are inlined, so none may call itself: {}", names.join(" calls "));
        self.fault(span, message, "write a loop; recursion is for tasks (`spawn`)")
    }

    /// Whether the function may run where it is called.
    fn call_allowed(&mut self, call: &CallSite) -> Checked<()> {
        let facts = self.functions[call.callee.0 as usize].facts;
        let name = self.signatures[call.callee.0 as usize].name.text.clone();
        let context = call.context;
        let in_function = matches!(context.phase, Phase::Function(_));
        let team = context.team;
        if context.lock.is_some() && facts.writes_float {
            self.order_dependent = true;
        }
        let collective = facts.forks.or(facts.shares).or(facts.barrier);
        let problem = match () {
            () if context.lock.is_some() && collective.is_some() => {
                Some((collective, "needs all threads of the team, and one thread holds a lock here"))
            }
            () if facts.forks.is_some() && team.is_some() => Some((facts.forks, "forks a team, and already runs in one here")),
            () if facts.shares.is_some() && team == Some(Team::Loop) => {
                Some((facts.shares, "has a `parallel for`, and one iteration of another calls it here"))
            }
            () if facts.barrier.is_some() && team != Some(Team::Body) && !(team.is_none() && in_function) => {
                Some((facts.barrier, "has a `barrier`, which needs the body of a `parallel`"))
            }
            () if facts.collective.is_some() && (team.is_some() || context.lock.is_some()) => {
                Some((facts.collective, "does what all ranks do together, and one of several threads calls it here"))
            }
            () if facts.messages.is_some() && matches!(context.phase, Phase::Results | Phase::Declarations) => {
                Some((facts.messages, "sends or receives, which only the timed part and `setup` may do"))
            }
            () if facts.writes.is_some() && matches!(context.phase, Phase::Results | Phase::Declarations) => {
                Some((facts.writes, "changes memory, which only the timed part and `setup` may do"))
            }
            () => None,
        };
        let Some((place, sentence)) = problem else { return Ok(()) };
        let diagnostic = Diagnostic::at(self.source, call.span, format!("`{name}` {sentence}"));
        Err(self.report(match place {
            Some(place) => diagnostic.related(place, "because of this"),
            None => diagnostic,
        }))
    }
}

impl Facts {
    /// Adds what a call brings with it.
    fn inherit(&mut self, callee: Facts, call: &CallSite) {
        self.writes = self.writes.or(callee.writes.map(|_| call.span));
        self.messages = self.messages.or(callee.messages.map(|_| call.span));
        self.collective = self.collective.or(callee.collective.map(|_| call.span));
        self.writes_float |= callee.writes_float;
        if call.context.team.is_none() {
            self.barrier = self.barrier.or(callee.barrier.map(|_| call.span));
            self.shares = self.shares.or(callee.shares.map(|_| call.span));
            self.forks = self.forks.or(callee.forks.map(|_| call.span));
        }
    }
}
