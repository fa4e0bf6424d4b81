//! What an agent says.

use super::bad::{At, BadMessage, Problem};
use super::entries::{self, Shape};
use super::{Framed, cut, cut_list, halves, known, list, run_id, same_names, text, within};
use crate::limits;
use crate::wire::agent_message::Body;
use crate::wire::{self, Status};
use iobench_core::message::{
    AgentMessage, Capabilities, Failure, FailureClass, Pong, Progress, Report, Session,
};
use iobench_core::stats::{Interval, StageTotals};
use iobench_core::time::{Mono, Unix};

impl Framed for AgentMessage {
    type Wire = wire::AgentMessage;

    const SHAPE: Shape = entries::AGENT_MESSAGE;

    fn parse(wire: wire::AgentMessage, intact: Result<(), BadMessage>) -> (Self, Option<BadMessage>) {
        let (body, bad) = match intact.and_then(|()| read(wire.status, wire.body)) {
            Ok(body) => (body, None),
            Err(bad) => (Report::Undecodable { detail: bad.to_string() }, Some(bad)),
        };
        let message = Self {
            run: run_id(wire.run_high, wire.run_low),
            session: Session(wire.session),
            sequence: wire.sequence,
            stamp: Mono(wire.stamp_ns),
            kept_before: wire.kept_before,
            body,
        };
        (message, bad)
    }
}

fn read(status: i32, body: Option<Body>) -> Result<Report, BadMessage> {
    let announced = Status::try_from(status)
        .ok()
        .filter(|&status| status != Status::Unspecified)
        .ok_or(Problem::Unknown(status))
        .at("status")?;
    let body = body.ok_or(Problem::Missing).at("body")?;
    if announced != self::status(&body) {
        return Err(Problem::Contradicted).at("status");
    }
    Ok(match body {
        Body::Ready(ready) => Report::Ready { unix: Unix(ready.unix_ns) },
        Body::Running(interval) => Report::Running(Box::new(Interval::try_from(interval).at("running")?)),
        Body::Error(error) => read_error(error).at("error")?,
        Body::Completed(completed) => {
            Report::Completed { totals: read_totals(completed.totals).at("completed")? }
        }
        Body::Aborted(aborted) => read_aborted(aborted).at("aborted")?,
        Body::Acknowledge(pong) => Report::Acknowledge(pong.into()),
        Body::Preparing(progress) => Report::Preparing(progress.into()),
        Body::Accepted(capabilities) => {
            Report::Accepted(Box::new(Capabilities::try_from(capabilities).at("accepted")?))
        }
        Body::StageDone(totals) => {
            Report::StageDone(Box::new(StageTotals::try_from(totals).at("stage_done")?))
        }
    })
}

fn read_error(wire: wire::Error) -> Result<Report, BadMessage> {
    let failure = Failure {
        class: known(wire.class, "class")?,
        message: text(wire.message, "message")?,
        next_step: text(wire.next_step, "next_step")?,
    };
    Ok(Report::Error { failure, totals: read_totals(wire.totals)? })
}

fn read_aborted(wire: wire::Aborted) -> Result<Report, BadMessage> {
    Ok(Report::Aborted { reason: text(wire.reason, "reason")?, totals: read_totals(wire.totals)? })
}

fn read_totals(totals: Vec<wire::StageTotals>) -> Result<Vec<StageTotals>, BadMessage> {
    list(totals, "totals", StageTotals::try_from)
}

impl TryFrom<wire::Capabilities> for Capabilities {
    type Error = BadMessage;

    fn try_from(wire: wire::Capabilities) -> Result<Self, BadMessage> {
        Ok(Self {
            version: text(wire.version, "version")?,
            host: text(wire.host, "host")?,
            cores: wire.cores,
            memory: wire.memory_bytes,
            facts: read_facts(wire.facts)?,
            warnings: list(wire.warnings, "warnings", |warning| {
                within(warning.len(), limits::TEXT_BYTES).map(|()| warning)
            })?,
        })
    }
}

pub(super) fn read_facts(facts: Vec<wire::Fact>) -> Result<Vec<(String, String)>, BadMessage> {
    list(facts, "facts", |fact| Ok::<_, BadMessage>((text(fact.name, "name")?, text(fact.value, "value")?)))
}

impl From<wire::Pong> for Pong {
    fn from(wire: wire::Pong) -> Self {
        Self {
            number: wire.number,
            stamp: Mono(wire.stamp_ns),
            received: Mono(wire.received_ns),
            sent: Mono(wire.sent_ns),
        }
    }
}

impl From<wire::Progress> for Progress {
    fn from(wire: wire::Progress) -> Self {
        Self {
            stage: wire.stage,
            objects: wire.objects,
            objects_total: wire.objects_total,
            bytes: wire.bytes,
            bytes_total: wire.bytes_total,
            steps: wire.steps,
        }
    }
}

same_names!(FailureClass as FailureClass: Config Storage Resource Protocol Timeout Busy ControllerLost Internal);

impl From<AgentMessage> for wire::AgentMessage {
    fn from(message: AgentMessage) -> Self {
        let (run_high, run_low) = halves(message.run);
        let body = write(message.body);
        Self {
            run_high,
            run_low,
            session: message.session.0,
            sequence: message.sequence,
            stamp_ns: message.stamp.0,
            kept_before: message.kept_before,
            status: body.as_ref().map_or(Status::Unspecified, status).into(),
            body,
        }
    }
}

/// `None` for what no one sends: the receiver will find it undecodable too.
fn write(body: Report) -> Option<Body> {
    Some(match body {
        Report::Ready { unix } => Body::Ready(wire::Ready { unix_ns: unix.0 }),
        Report::Running(interval) => Body::Running((*interval).into()),
        Report::Error { failure, totals } => Body::Error(wire::Error {
            class: wire::FailureClass::from(failure.class).into(),
            message: cut(failure.message),
            next_step: cut(failure.next_step),
            totals: write_totals(totals),
        }),
        Report::Completed { totals } => Body::Completed(wire::Completed { totals: write_totals(totals) }),
        Report::Aborted { reason, totals } => {
            Body::Aborted(wire::Aborted { reason: cut(reason), totals: write_totals(totals) })
        }
        Report::Acknowledge(pong) => Body::Acknowledge(pong.into()),
        Report::Preparing(progress) => Body::Preparing(progress.into()),
        Report::Accepted(capabilities) => Body::Accepted((*capabilities).into()),
        Report::StageDone(totals) => Body::StageDone((*totals).into()),
        Report::Undecodable { .. } => return None,
    })
}

fn write_totals(totals: Vec<StageTotals>) -> Vec<wire::StageTotals> {
    totals.into_iter().map(wire::StageTotals::from).collect()
}

pub(super) fn write_facts(facts: Vec<(String, String)>) -> Vec<wire::Fact> {
    cut_list(facts, |(name, value)| wire::Fact { name: cut(name), value: cut(value) })
}

/// The status that announces a body.
fn status(body: &Body) -> Status {
    match body {
        Body::Ready(_) => Status::Ready,
        Body::Running(_) => Status::Running,
        Body::Error(_) => Status::Error,
        Body::Completed(_) => Status::Completed,
        Body::Aborted(_) => Status::Aborted,
        Body::Acknowledge(_) => Status::Acknowledge,
        Body::Preparing(_) => Status::Preparing,
        Body::Accepted(_) => Status::Accepted,
        Body::StageDone(_) => Status::StageDone,
    }
}

impl From<Capabilities> for wire::Capabilities {
    fn from(capabilities: Capabilities) -> Self {
        Self {
            version: cut(capabilities.version),
            host: cut(capabilities.host),
            cores: capabilities.cores,
            memory_bytes: capabilities.memory,
            facts: write_facts(capabilities.facts),
            warnings: cut_list(capabilities.warnings, cut),
        }
    }
}

impl From<Pong> for wire::Pong {
    fn from(pong: Pong) -> Self {
        Self {
            number: pong.number,
            stamp_ns: pong.stamp.0,
            received_ns: pong.received.0,
            sent_ns: pong.sent.0,
        }
    }
}

impl From<Progress> for wire::Progress {
    fn from(progress: Progress) -> Self {
        Self {
            stage: progress.stage,
            objects: progress.objects,
            objects_total: progress.objects_total,
            bytes: progress.bytes,
            bytes_total: progress.bytes_total,
            steps: progress.steps,
        }
    }
}
