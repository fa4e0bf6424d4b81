//! A configuration file → a [`Run`], or diagnostics that show what is wrong, where, and what to do.
//!
//! In order: `yaml` reads the text into a tree, within bounds; `overrides` puts `--set` over it; `dialect` takes out
//! keys that are known but not carried out; `decode` makes a [`file::Config`] of the rest; `build` checks what it
//! means. Values are addressed by a `path` all along, and `source` finds the line of a path again.

mod build;
mod conceal;
mod consequences;
mod decode;
mod diagnose;
mod dialect;
pub mod file;
mod overrides;
mod path;
mod problems;
mod source;
pub mod units;
pub mod values;
mod words;
mod yaml;

#[cfg(test)]
mod tests;

pub use build::{AgentEntry, addresses};
pub use diagnose::{Diagnostic, Diagnostics, Place, Severity};
pub use words::nearest;
pub use yaml::BYTES_MAX;

use crate::plan::{Outline, Plan, Policy, Scheme, Timeouts};
use file::Config;
use problems::Problems;
use source::Source;
use std::time::Duration;
use units::Count;

/// A run as configured: valid, with every default filled in.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// What it is called in results.
    pub name: String,
    /// Free labels for the results, sorted by key.
    pub labels: Vec<(String, String)>,
    /// Everything random derives from it; `None`: draw one and hand it to [`Run::plan`].
    pub seed: Option<u64>,
    /// How often statistics are reported.
    pub interval: Duration,
    /// The deadlines.
    pub timeouts: Timeouts,
    /// When the run goes on in spite of failures.
    pub policy: Policy,
    /// How long after all agents are ready they start together; zero without agents.
    pub start_delay: Duration,
    /// The agents in order; none: the run is this host's own.
    pub agents: Vec<AgentEntry>,
    /// What a person should know though nothing is wrong.
    pub warnings: Vec<Diagnostic>,
    /// What every agent does, at the common target.
    common: Plan,
    /// What was written, completed with all defaults.
    config: Config,
}

/// Stands in a configuration without `seed`.
const SEED_UNKNOWN: &str = "# seed: drawn at the start of the run, and kept with its results";

/// Some editors begin a file with it; the YAML parser would take it for an indentation.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a configuration, puts the settings (`key.path=value`) over it in order, and checks all of it. `origin` is
/// the file's name for messages.
///
/// # Errors
/// Everything that is wrong, as far as it can be found in one go. Touches nothing but its arguments, and takes time
/// and memory bounded whatever the text.
pub fn load(yaml: &str, overrides: &[String], origin: &str) -> Result<Run, Diagnostics> {
    let yaml = yaml.strip_prefix(BYTE_ORDER_MARK).unwrap_or(yaml);
    check(yaml, overrides, Source::new(origin, yaml))
}

/// The same of a configuration that was made of options: diagnostics show these, and never the text. `options` are
/// paths of values, and the options as they were given.
///
/// # Errors
/// As of [`load`].
pub fn load_options(
    yaml: &str,
    overrides: &[String],
    origin: &str,
    options: &[(&str, String)],
) -> Result<Run, Diagnostics> {
    let options = options.iter().map(|(path, option)| ((*path).into(), option.as_str().into()));
    let mut source = Source::new(origin, yaml);
    source.options = Some(options.collect());
    check(yaml, overrides, source)
}

fn check(yaml: &str, overrides: &[String], mut source: Source) -> Result<Run, Diagnostics> {
    let mut root = match yaml::parse(yaml) {
        Ok(root) => root,
        Err(bad) => {
            let only = Diagnostic::of_yaml(bad, &source.origin, &source.text);
            return Err(Diagnostics::new(vec![only], false));
        }
    };
    let refused;
    (source.overrides, refused) = overrides::apply(&mut root, overrides);
    source.conceal(&conceal::secrets(&root));
    let mut problems = Problems::new(&source);
    refused.into_iter().for_each(|(path, why)| problems.refused(path, why));
    let run = understand(&mut root, &source.origin, &mut problems);
    let warnings = problems.finish()?;
    Ok(Run { warnings, ..run.expect("without a run there is an error, and it has been returned") })
}

/// The run that a tree describes, still without its warnings. What is wrong with it is in `problems`.
fn understand(root: &mut yaml::Node, origin: &str, problems: &mut Problems<'_>) -> Option<Run> {
    if *root == yaml::Node::Null {
        let help = "begin with `target: file:///mnt/data` and a `workload`";
        problems.error("", "the configuration is empty", help);
        return None;
    }
    let mut config = read(root, problems)?;
    let built = build::build(&mut config, root, origin, problems);
    Some(Run {
        name: built.name,
        labels: built.plan.labels.clone(),
        seed: config.seed.map(|seed| seed.0),
        interval: built.plan.interval,
        timeouts: built.plan.timeouts,
        policy: built.policy,
        start_delay: built.start_delay,
        agents: built.agents,
        warnings: Vec::new(),
        common: built.plan,
        config,
    })
}

/// The tree as a configuration, without what cannot be read: that stands in the way of a run, but not of checking the
/// rest.
fn read(root: &mut yaml::Node, problems: &mut Problems<'_>) -> Option<Config> {
    dialect::remove_known(root, problems);
    let decoded = decode::decode(root);
    decoded.faults.into_iter().for_each(|fault| problems.fault(fault));
    problems.left_out(decoded.left_out, decoded.omitted);
    decoded.value
}

impl Run {
    /// What agent `index` does, everything random derived from `seed`. Index 0 of a run without agents is this host;
    /// an index beyond the list works like it, at the common target with the whole data set.
    #[must_use]
    pub fn plan(&self, index: u32, seed: u64) -> Plan {
        let mut plan = Plan { seed, ..self.common.clone() };
        if let Some(agent) = usize::try_from(index).ok().and_then(|index| self.agents.get(index)) {
            plan.target = agent.target.clone();
            plan.concurrency = agent.concurrency;
            plan.share = agent.share;
            if let Some((spread, endpoints)) = &agent.services {
                plan.storage.spread = *spread;
                plan.storage.endpoints.clone_from(endpoints);
            }
            plan.file.direct = self.config.file.direct == Some(true) || agent.target.scheme == Scheme::Direct;
        }
        plan
    }

    /// What the state machines need to know; the same for every agent.
    #[must_use]
    pub fn outline(&self) -> Outline {
        self.common.outline()
    }

    /// The effective configuration with all defaults and this seed. [`load`] makes the same plans of it. Where the
    /// seed is not known yet, a comment says so.
    #[must_use]
    pub fn resolved_yaml(&self, seed: Option<u64>) -> String {
        let config = Config { seed: seed.map(Count), ..self.config.clone() };
        let value = serde_yaml::to_value(config).expect("a configuration is made of maps, lists and scalars");
        let yaml = serde_yaml::to_string(&without_nothing(value)).expect("every YAML value can be written");
        if seed.is_some() { yaml } else { format!("{SEED_UNKNOWN}\n{yaml}") }
    }
}

/// The value without keys that say nothing: absent options and empty sections.
fn without_nothing(value: serde_yaml::Value) -> serde_yaml::Value {
    use serde_yaml::Value;
    match value {
        Value::Mapping(map) => {
            let pruned = map.into_iter().map(|(key, value)| (key, without_nothing(value)));
            let says = |value: &Value| match value {
                Value::Null => false,
                Value::Mapping(map) => !map.is_empty(),
                Value::Sequence(list) => !list.is_empty(),
                _ => true,
            };
            Value::Mapping(pruned.filter(|(_, value)| says(value)).collect())
        }
        Value::Sequence(list) => Value::Sequence(list.into_iter().map(without_nothing).collect()),
        scalar => scalar,
    }
}
