//! The stages of a run: as listed, or as the rest of the configuration implies.

use super::pools::Pools;
use crate::config::file::{self, CleanupMode, Completion, Config};
use crate::config::path::Path;
use crate::config::problems::Problems;
use crate::config::source::Part;
use crate::plan::{Entry, Stage, StageKind};
use std::collections::BTreeSet;
use std::time::Duration;

const STAGES_MAX: usize = 256;
/// One of them makes a run do something.
const NOTHING_WITHOUT: &[&str] = &["workload", "prepare.ensure_objects", "prepare.directory_structure"];

/// What stages are made of.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) pools: &'a Pools,
    pub(super) entries: &'a [Entry],
}

impl Parts<'_> {
    fn prepare(&self) -> StageKind {
        let prepare = &self.config.prepare;
        StageKind::Prepare {
            pools: self.pools.made_by_prepare(),
            overwrite: prepare.force_overwrite,
            skip_verification: prepare.skip_verification,
            settle: prepare.post_prepare_delay.0,
        }
    }

    fn execute(&self, duration: Duration) -> StageKind {
        StageKind::Execute { duration, warmup: self.config.warmup_period.0, entries: self.entries.to_vec() }
    }

    fn cleanup(&self) -> StageKind {
        let tolerant = self.config.prepare.cleanup_mode == CleanupMode::Tolerant;
        StageKind::Cleanup { pools: self.pools.made_by_run(), tolerant }
    }

    /// The stages in order.
    pub(super) fn stages(&self, problems: &mut Problems<'_>) -> Vec<Stage> {
        if self.config.prepare.cleanup_mode == CleanupMode::Besteffort {
            let message = "`besteffort` is not supported by this version";
            problems.error(
                "prepare.cleanup_mode",
                message,
                "write `tolerant` (missing objects are no error) or `strict`",
            );
        }
        let listed = match &self.config.distributed {
            Some(distributed) if !distributed.stages.is_empty() => {
                (&distributed.stages, "distributed.stages")
            }
            _ => (&self.config.stages, "stages"),
        };
        let twice = listed.1 != "stages" && !self.config.stages.is_empty();
        if twice {
            problems.key_error(
                listed.1,
                "the stages are listed here and at the top",
                "keep one of the two lists",
            );
        }
        if listed.0.is_empty() {
            self.implied(problems)
        } else {
            self.listed(listed.0, listed.1.into(), problems)
        }
    }

    fn implied(&self, problems: &mut Problems<'_>) -> Vec<Stage> {
        let stage = |name: &str, kind| Stage { name: name.to_owned(), kind };
        let prepare = &self.config.prepare;
        let mut stages = Vec::new();
        if !prepare.cleanup_only {
            if !self.pools.made_by_prepare().is_empty() {
                stages.push(stage("prepare", self.prepare()));
            }
            if !self.config.workload.is_empty() {
                nonzero(self.config.duration.0, "duration", problems);
                stages.push(stage("execute", self.execute(self.config.duration.0)));
            }
        }
        if prepare.cleanup || prepare.cleanup_only {
            if self.pools.made_by_run().is_empty() {
                let at = if prepare.cleanup_only { "prepare.cleanup_only" } else { "prepare.cleanup" };
                problems.error(
                    at,
                    "there is nothing to clean up",
                    "only what `prepare` and put create is ever deleted",
                );
            }
            stages.push(stage("cleanup", self.cleanup()));
        }
        if stages.is_empty() {
            problems.missing(
                NOTHING_WITHOUT,
                "this run does nothing",
                "write a `workload`, or objects to `prepare`",
            );
        }
        stages
    }

    fn listed(&self, written: &[file::Stage], list: Path, problems: &mut Problems<'_>) -> Vec<Stage> {
        if written.len() > STAGES_MAX {
            problems.error(list, format!("there are more than {STAGES_MAX} stages"), "");
            return Vec::new();
        }
        if self.config.prepare.cleanup_only {
            let help = "remove `stages` or `cleanup_only`";
            problems.certain(
                Part::Value,
                "prepare.cleanup_only",
                "this run has a list of stages, and only cleaning up is none of them",
                help,
            );
        }
        let mut stages = Vec::new();
        let (mut orders, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (index, stage) in written.iter().enumerate() {
            let at = list.child(index);
            if let Some(order) = stage.order
                && !orders.insert(order)
            {
                problems.error(
                    at.child("order"),
                    format!("two stages have the order {order}"),
                    "give each its own `order`",
                );
            }
            let Some(kind) = self.kind(stage, &at, problems) else { continue };
            let name = stage.name.clone().unwrap_or_else(|| default_name(stage.kind, &names));
            if !super::is_name(&name) {
                let help = "use up to 64 letters, digits, `.`, `_` and `-`: it names files in the results";
                problems.certain(
                    Part::Value,
                    at.child("name"),
                    format!("`{name}` cannot be a stage's name"),
                    help,
                );
            }
            if !names.insert(name.clone()) {
                problems.error(
                    at.child("name"),
                    format!("two stages are called `{name}`"),
                    "give each its own `name`",
                );
            }
            stages.push((stage.order, index, Stage { name, kind }));
        }
        if let Some(index) = written.iter().position(|stage| stage.kind == file::StageKind::Validation) {
            let help = "every run is validated before its first stage";
            problems.warning(list.child(index), "a validation stage has no effect", help);
        }
        if !orders.is_empty() && written.iter().any(|stage| stage.order.is_none()) {
            problems.error(
                list,
                "some stages have an `order` and some have none",
                "number all of them or none",
            );
        }
        stages.sort_by_key(|(order, index, _)| (*order, *index));
        if stages.is_empty() && !problems.any_error() {
            problems.missing(
                NOTHING_WITHOUT,
                "this run does nothing",
                "list a stage of type `prepare`, `execute` or `cleanup`",
            );
        }
        stages.into_iter().map(|(_, _, stage)| stage).collect()
    }

    /// What a listed stage does; `None` when that is nothing, or nothing possible, which is then reported.
    fn kind(&self, stage: &file::Stage, at: &Path, problems: &mut Problems<'_>) -> Option<StageKind> {
        check_completion(stage, at, problems);
        if stage.kind != file::StageKind::Execute && stage.duration.is_some() {
            problems.key_error(at.child("duration"), "only `type: execute` has a duration", "remove it");
        }
        let mut nothing = |empty: bool, what: &str, help: &str| {
            if empty {
                problems.error(at.child("type"), format!("there is nothing to {what}"), help);
            }
        };
        match stage.kind {
            file::StageKind::Prepare => {
                nothing(self.pools.made_by_prepare().is_empty(), "prepare", "write `prepare.ensure_objects`");
                Some(self.prepare())
            }
            file::StageKind::Execute => {
                nothing(self.config.workload.is_empty(), "execute", "write a `workload`");
                let own = stage.duration.map(|duration| (duration.0, at.child("duration")));
                let (duration, at) = own.unwrap_or((self.config.duration.0, "duration".into()));
                nonzero(duration, at, problems);
                Some(self.execute(duration))
            }
            file::StageKind::Cleanup => {
                nothing(
                    self.pools.made_by_run().is_empty(),
                    "clean up",
                    "only what `prepare` and put create is ever deleted",
                );
                Some(self.cleanup())
            }
            file::StageKind::Validation => None,
            file::StageKind::Custom | file::StageKind::Hybrid => {
                let help = "remove this stage; supported are `prepare`, `execute` and `cleanup`";
                problems.certain(
                    Part::Value,
                    at.child("type"),
                    "this type of stage is not supported by this version",
                    help,
                );
                None
            }
        }
    }
}

fn default_name(kind: file::StageKind, taken: &BTreeSet<String>) -> String {
    let name = match kind {
        file::StageKind::Prepare => "prepare",
        file::StageKind::Cleanup => "cleanup",
        _ => "execute",
    };
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

fn nonzero(duration: Duration, at: impl Into<Path>, problems: &mut Problems<'_>) {
    if duration.is_zero() {
        problems.error(
            at,
            "a workload needs a duration above 0",
            "write for example `duration: 60s`; to only prepare, remove the workload",
        );
    }
}

fn check_completion(stage: &file::Stage, at: &Path, problems: &mut Problems<'_>) {
    let usual = match stage.kind {
        file::StageKind::Execute => Completion::Duration,
        file::StageKind::Prepare | file::StageKind::Cleanup => Completion::TasksDone,
        file::StageKind::Validation => Completion::ValidationPassed,
        // Refused as a whole.
        file::StageKind::Custom | file::StageKind::Hybrid => return,
    };
    if stage.completion.is_some_and(|completion| completion != usual) {
        let help = "remove it: `execute` ends after its duration, the others when all objects are done";
        problems.error(
            at.child("completion"),
            "this is not supported by this version for this type of stage",
            help,
        );
    }
}
