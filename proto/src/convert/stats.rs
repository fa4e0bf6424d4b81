//! What was measured.

use super::bad::{At, BadMessage, Problem};
use super::report::{read_facts, write_facts};
use super::{known, list, required, same_names, within};
use crate::{limits, wire};
use iobench_core::stats::{
    Band, Cell, CpuShare, Encoded, EndpointTally, ErrorClass, ErrorCount, Interval, Operation, StageTotals,
    Tally,
};
use iobench_core::time::Mono;

same_names!(Operation as Operation: Get Put Stat List Delete Read Write Fsync Mkdir Rmdir Copy FirstByte ListPage);
same_names!(ErrorClass as ErrorClass:
    NotFound Exists Denied NoSpace Invalid Throttled Storage Timeout Network Truncated Corrupt Other);

// ------------------------------------------------------------------------------------------------- from the wire

impl TryFrom<wire::Interval> for Interval {
    type Error = BadMessage;

    fn try_from(wire: wire::Interval) -> Result<Self, BadMessage> {
        Ok(Self {
            stage: wire.stage,
            from: Mono(wire.from_ns),
            to: Mono(wire.to_ns),
            warmup: wire.warmup,
            tally: Tally::try_from(required(wire.tally, "tally")?).at("tally")?,
            in_flight: wire.in_flight,
            oldest: wire.oldest_ns,
            cpu: wire.cpu.map(CpuShare::from),
            process_cpu: wire.process_cpu_ns,
            lag: wire.lag_ns,
            merged: wire.merged,
        })
    }
}

impl TryFrom<wire::StageTotals> for StageTotals {
    type Error = BadMessage;

    fn try_from(wire: wire::StageTotals) -> Result<Self, BadMessage> {
        Ok(Self {
            stage: wire.stage,
            from: Mono(wire.from_ns),
            to: Mono(wire.to_ns),
            tally: Tally::try_from(required(wire.tally, "tally")?).at("tally")?,
            cpu: wire.cpu.map(CpuShare::from),
            process_cpu: wire.process_cpu_ns,
            lag: wire.lag_ns,
            facts: read_facts(wire.facts)?,
        })
    }
}

impl TryFrom<wire::Tally> for Tally {
    type Error = BadMessage;

    fn try_from(wire: wire::Tally) -> Result<Self, BadMessage> {
        let cells = list(wire.cells, "cells", Cell::try_from)?;
        ascending(&cells, "cells", |cell| (cell.operation, cell.band))?;
        let errors = list(wire.errors, "errors", ErrorCount::try_from)?;
        ascending(&errors, "errors", |error| (error.operation, error.class, error.code))?;
        let endpoints = list(wire.endpoints, "endpoints", EndpointTally::try_from)?;
        ascending(&endpoints, "endpoints", |endpoint| endpoint.name.clone())?;
        Ok(Self {
            cells,
            errors,
            retries: wire.retries,
            retry_time: wire.retry_time_ns,
            cancelled: wire.cancelled,
            endpoints,
        })
    }
}

impl TryFrom<wire::Cell> for Cell {
    type Error = BadMessage;

    fn try_from(wire: wire::Cell) -> Result<Self, BadMessage> {
        Ok(Self {
            operation: known(wire.operation, "operation")?,
            band: Band::from_index(wire.band).ok_or(Problem::NoSuchBand(wire.band)).at("band")?,
            count: positive(wire.count)?,
            bytes: wire.bytes,
            service_sum: wire.service_sum_ns,
            service: histogram(wire.service, "service")?,
            response: histogram(wire.response, "response")?,
        })
    }
}

impl TryFrom<wire::EndpointTally> for EndpointTally {
    type Error = BadMessage;

    fn try_from(wire: wire::EndpointTally) -> Result<Self, BadMessage> {
        within(wire.name.len(), limits::TEXT_BYTES).at("name")?;
        Ok(Self {
            name: wire.name,
            count: wire.count,
            bytes: wire.bytes,
            errors: wire.errors,
            service_sum: wire.service_sum_ns,
            service: histogram(wire.service, "service")?,
        })
    }
}

impl TryFrom<wire::ErrorCount> for ErrorCount {
    type Error = BadMessage;

    fn try_from(wire: wire::ErrorCount) -> Result<Self, BadMessage> {
        Ok(Self {
            operation: known(wire.operation, "operation")?,
            class: known(wire.class, "class")?,
            code: wire.code,
            count: positive(wire.count)?,
        })
    }
}

impl From<wire::CpuShare> for CpuShare {
    fn from(wire: wire::CpuShare) -> Self {
        Self { user: wire.user, system: wire.system, iowait: wire.iowait }
    }
}

fn positive(count: u64) -> Result<u64, BadMessage> {
    if count == 0 { Err(Problem::Zero).at("count") } else { Ok(count) }
}

fn histogram(bytes: Vec<u8>, field: &'static str) -> Result<Encoded, BadMessage> {
    within(bytes.len(), limits::HISTOGRAM_BYTES).at(field)?;
    Ok(Encoded(bytes))
}

/// Sorted by key and no key twice; names the first entry that is not above the one before it.
fn ascending<T, K: Ord>(entries: &[T], field: &'static str, key: impl Fn(&T) -> K) -> Result<(), BadMessage> {
    let Some(below) = entries.windows(2).position(|pair| key(&pair[0]) >= key(&pair[1])) else {
        return Ok(());
    };
    Err(Problem::OutOfOrder).at(&format!("{field}[{}]", below + 1))
}

// --------------------------------------------------------------------------------------------------- to the wire

impl From<Interval> for wire::Interval {
    fn from(interval: Interval) -> Self {
        Self {
            stage: interval.stage,
            from_ns: interval.from.0,
            to_ns: interval.to.0,
            warmup: interval.warmup,
            tally: Some(interval.tally.into()),
            in_flight: interval.in_flight,
            oldest_ns: interval.oldest,
            cpu: interval.cpu.map(wire::CpuShare::from),
            process_cpu_ns: interval.process_cpu,
            lag_ns: interval.lag,
            merged: interval.merged,
        }
    }
}

impl From<StageTotals> for wire::StageTotals {
    fn from(totals: StageTotals) -> Self {
        Self {
            stage: totals.stage,
            from_ns: totals.from.0,
            to_ns: totals.to.0,
            tally: Some(totals.tally.into()),
            cpu: totals.cpu.map(wire::CpuShare::from),
            process_cpu_ns: totals.process_cpu,
            lag_ns: totals.lag,
            facts: write_facts(totals.facts),
        }
    }
}

impl From<Tally> for wire::Tally {
    fn from(tally: Tally) -> Self {
        Self {
            cells: tally.cells.into_iter().map(wire::Cell::from).collect(),
            errors: tally.errors.into_iter().map(wire::ErrorCount::from).collect(),
            retries: tally.retries,
            retry_time_ns: tally.retry_time,
            cancelled: tally.cancelled,
            endpoints: tally.endpoints.into_iter().map(wire::EndpointTally::from).collect(),
        }
    }
}

impl From<Cell> for wire::Cell {
    fn from(cell: Cell) -> Self {
        Self {
            operation: wire::Operation::from(cell.operation).into(),
            band: cell.band.index() as u32,
            count: cell.count,
            bytes: cell.bytes,
            service_sum_ns: cell.service_sum,
            service: cell.service.0,
            response: cell.response.0,
        }
    }
}

impl From<EndpointTally> for wire::EndpointTally {
    fn from(endpoint: EndpointTally) -> Self {
        Self {
            name: endpoint.name,
            count: endpoint.count,
            bytes: endpoint.bytes,
            errors: endpoint.errors,
            service_sum_ns: endpoint.service_sum,
            service: endpoint.service.0,
        }
    }
}

impl From<ErrorCount> for wire::ErrorCount {
    fn from(error: ErrorCount) -> Self {
        Self {
            operation: wire::Operation::from(error.operation).into(),
            class: wire::ErrorClass::from(error.class).into(),
            code: error.code,
            count: error.count,
        }
    }
}

impl From<CpuShare> for wire::CpuShare {
    fn from(cpu: CpuShare) -> Self {
        Self { user: cpu.user, system: cpu.system, iowait: cpu.iowait }
    }
}
