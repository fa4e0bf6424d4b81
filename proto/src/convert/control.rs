//! What a controller says.

use super::bad::{At, BadMessage, Problem};
use super::entries::{self, Shape};
use super::{Framed, cut, halves, list, nanos, run_id, text, within};
use crate::limits;
use crate::wire::control_message::Body;
use crate::wire::{self, Command};
use iobench_core::message::{Configure, Control, ControlMessage, Ping, Session, StartAt};
use iobench_core::time::{Mono, Unix};
use std::time::Duration;

impl Framed for ControlMessage {
    type Wire = wire::ControlMessage;

    const SHAPE: Shape = entries::CONTROL_MESSAGE;

    fn parse(wire: wire::ControlMessage, intact: Result<(), BadMessage>) -> (Self, Option<BadMessage>) {
        let run = run_id(wire.run_high, wire.run_low);
        let session = Session(wire.session);
        let (body, bad) = match intact.and_then(|()| body(wire.command, wire.body)) {
            Ok(body) => (body, None),
            Err(bad) => (Control::Undecodable { detail: bad.to_string() }, Some(bad)),
        };
        (Self { run, session, body }, bad)
    }
}

fn body(command: i32, body: Option<Body>) -> Result<Control, BadMessage> {
    let announced = Command::try_from(command)
        .ok()
        .filter(|&command| command != Command::Unspecified)
        .ok_or(Problem::Unknown(command))
        .at("command")?;
    let body = body.ok_or(Problem::Missing).at("body")?;
    if announced != self::command(&body) {
        return Err(Problem::Contradicted).at("command");
    }
    Ok(match body {
        Body::Configure(configure) => {
            Control::Configure(Box::new(read_configure(configure).at("configure")?))
        }
        Body::Begin(begin) => Control::Begin { stage: begin.stage },
        Body::Start(start) => Control::Start { stage: start.stage, at: start.at.map(StartAt::from) },
        Body::Ping(ping) => Control::Ping(ping.into()),
        Body::Acknowledge(persisted) => Control::Acknowledge { sequence: persisted.sequence },
        Body::Abort(abort) => Control::Abort { reason: text(abort.reason, "reason").at("abort")? },
        Body::Attach(attach) => Control::Attach { sequence: attach.sequence },
    })
}

fn read_configure(wire: wire::Configure) -> Result<Configure, BadMessage> {
    within(wire.yaml.len(), limits::YAML_BYTES).at("yaml")?;
    Ok(Configure {
        yaml: wire.yaml,
        overrides: list(wire.overrides, "overrides", |setting| {
            within(setting.len(), limits::TEXT_BYTES).map(|()| setting)
        })?,
        agent_id: text(wire.agent_id, "agent_id")?,
        index: wire.index,
        count: wire.count,
        seed: wire.seed,
        lease: Duration::from_nanos(wire.lease_ns),
    })
}

impl From<wire::StartAt> for StartAt {
    fn from(wire: wire::StartAt) -> Self {
        Self { mono: Mono(wire.mono_ns), unix: Unix(wire.unix_ns) }
    }
}

impl From<wire::Ping> for Ping {
    fn from(wire: wire::Ping) -> Self {
        Self {
            number: wire.number,
            stamp: Mono(wire.stamp_ns),
            newest: wire.newest_ns.map(Mono),
            again_from: wire.again_from,
        }
    }
}

impl From<ControlMessage> for wire::ControlMessage {
    fn from(message: ControlMessage) -> Self {
        let (run_high, run_low) = halves(message.run);
        let body = write(message.body);
        let command = body.as_ref().map_or(Command::Unspecified, command).into();
        Self { run_high, run_low, session: message.session.0, command, body }
    }
}

/// `None` for what no one sends: the receiver will find it undecodable too.
fn write(body: Control) -> Option<Body> {
    Some(match body {
        Control::Configure(configure) => Body::Configure((*configure).into()),
        Control::Begin { stage } => Body::Begin(wire::Begin { stage }),
        Control::Start { stage, at } => Body::Start(wire::Start { stage, at: at.map(wire::StartAt::from) }),
        Control::Ping(ping) => Body::Ping(ping.into()),
        Control::Acknowledge { sequence } => Body::Acknowledge(wire::Persisted { sequence }),
        Control::Abort { reason } => Body::Abort(wire::Abort { reason: cut(reason) }),
        Control::Attach { sequence } => Body::Attach(wire::Attach { sequence }),
        Control::Undecodable { .. } => return None,
    })
}

/// The command that announces a body.
fn command(body: &Body) -> Command {
    match body {
        Body::Configure(_) => Command::Configure,
        Body::Begin(_) => Command::Begin,
        Body::Start(_) => Command::Start,
        Body::Ping(_) => Command::Ping,
        Body::Acknowledge(_) => Command::Acknowledge,
        Body::Abort(_) => Command::Abort,
        Body::Attach(_) => Command::Attach,
    }
}

impl From<Configure> for wire::Configure {
    fn from(configure: Configure) -> Self {
        Self {
            yaml: configure.yaml,
            overrides: configure.overrides,
            agent_id: configure.agent_id,
            index: configure.index,
            count: configure.count,
            seed: configure.seed,
            lease_ns: nanos(configure.lease),
        }
    }
}

impl From<StartAt> for wire::StartAt {
    fn from(at: StartAt) -> Self {
        Self { mono_ns: at.mono.0, unix_ns: at.unix.0 }
    }
}

impl From<Ping> for wire::Ping {
    fn from(ping: Ping) -> Self {
        Self {
            number: ping.number,
            stamp_ns: ping.stamp.0,
            newest_ns: ping.newest.map(|mono| mono.0),
            again_from: ping.again_from,
        }
    }
}
