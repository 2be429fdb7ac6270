//! The kinds of parts of a machine, as the engine holds them.

use crate::components::carrier::Carrier;
use crate::components::core::Core;
use crate::components::home::Home;
use crate::components::ideal::Ideal;
use crate::components::interface::Interface;
use crate::components::llc::Llc;
use crate::components::memory::Memory;
use crate::components::message::Message;
use crate::components::network::Network;
use crate::components::replay::Replay;
use crate::components::snooping::Snooping;
use crate::components::traffic::TrafficSource;
use crate::engine::{ChannelId, Component, Port, Wait, Wake};

/// A part of a machine.
#[derive(Debug)]
pub enum Part {
    Core(Box<Core>),
    Replay(Box<Replay>),
    Source(Box<TrafficSource>),
    Snooping(Box<Snooping>),
    Ideal(Box<Ideal>),
    Llc(Box<Llc>),
    Memory(Box<Memory>),
    Carrier(Box<Carrier>),
    Home(Box<Home>),
    Interface(Box<Interface>),
    Network(Box<Network>),
}

impl Component for Part {
    type Message = Message;

    #[inline]
    fn receive(&mut self, channel: ChannelId, message: Message, port: &mut Port<'_, Message>) {
        match self {
            Part::Core(core) => {
                port.release(channel);
                core.receive(message, port);
            }
            Part::Replay(replay) => {
                port.release(channel);
                replay.receive(message, port);
            }
            Part::Source(source) => {
                port.release(channel);
                source.receive(message);
            }
            Part::Snooping(snooping) => snooping.receive(channel, message, port),
            Part::Ideal(ideal) => ideal.receive(channel, message, port),
            Part::Llc(llc) => llc.receive(channel, message, port),
            Part::Memory(memory) => memory.receive(message, port),
            Part::Carrier(carrier) => carrier.receive(channel, message, port),
            Part::Home(home) => home.receive(channel, message, port),
            Part::Interface(interface) => interface.receive(channel, message, port),
            Part::Network(network) => network.receive(channel, message, port),
        }
    }

    #[inline]
    fn wake(&mut self, reason: Wake, port: &mut Port<'_, Message>) {
        match self {
            Part::Core(core) => core.wake(port),
            Part::Replay(replay) => replay.wake(port),
            Part::Source(source) => source.wake(reason, port),
            Part::Snooping(snooping) => snooping.wake(reason, port),
            Part::Ideal(ideal) => ideal.wake(reason, port),
            Part::Llc(llc) => llc.wake(reason, port),
            Part::Memory(memory) => memory.wake(port),
            Part::Carrier(carrier) => carrier.wake(reason, port),
            Part::Home(home) => home.wake(port),
            Part::Interface(_) => {}
            Part::Network(network) => network.wake(reason, port),
        }
    }

    fn waits(&self, report: &mut Vec<Wait>) {
        match self {
            Part::Core(core) => core.waits(report),
            Part::Replay(replay) => replay.waits(report),
            Part::Source(source) => source.waits(report),
            Part::Snooping(snooping) => snooping.waits(report),
            Part::Ideal(ideal) => ideal.waits(report),
            Part::Llc(llc) => llc.waits(report),
            Part::Memory(_) => {}
            Part::Carrier(carrier) => carrier.waits(report),
            Part::Home(home) => home.waits(report),
            Part::Interface(interface) => interface.waits(report),
            Part::Network(network) => network.waits(report),
        }
    }
}
