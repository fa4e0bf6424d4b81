//! A run without a file: the configuration is made of options.

mod effect;
mod existing;
mod given;
#[cfg(test)]
mod tests;

use super::USAGE;
use super::options::RunOptions;
use super::output::complain;
use clap::{Arg, Args};
use iobench_core::config::nearest;
use std::fmt::Write;
use std::process::ExitCode;

const BLOCK_SIZE: &str = "4KiB";
const PATTERN: &str = "random";
const PATTERNS: &str = "random, sequential and zipf:THETA, as in zipf:0.9";

/// The commands that need no file.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Command {
    Read,
    Write,
    Get,
    Put,
}

impl Command {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Get => "get",
            Self::Put => "put",
        }
    }

    fn works_on_blocks(self) -> bool {
        matches!(self, Self::Read | Self::Write)
    }

    fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Get)
    }
}

/// The option as the help of a command has it: hidden where it could only be refused.
pub(super) fn shown(option: Arg, command: Command) -> Arg {
    let hidden = match option.get_id().as_str() {
        "block_size" => !command.works_on_blocks(),
        "pattern" => command == Command::Put,
        "verify" => !command.reads(),
        "endpoint" | "region" | "anonymous" => command.works_on_blocks(),
        "yes_delete_everything" => true,
        _ => false,
    };
    option.hide(hidden)
}

/// What the options of a quick run make.
#[derive(Debug)]
pub(super) struct Made {
    /// The configuration.
    pub(super) yaml: String,
    /// Which value of it is of which option.
    pub(super) given: Vec<(&'static str, String)>,
    /// How it is carried out.
    pub(super) options: RunOptions,
}

/// What a quick run does.
#[derive(Args, Clone, Debug)]
pub(super) struct Quick {
    /// What to measure, e.g. `file:///mnt/data/bench`, `direct:///mnt/nvme/bench`, `s3://bucket/bench`, `mem://`, `null://`
    target: String,
    /// How long to measure
    #[arg(long, visible_alias = "runtime", default_value = "30s")]
    duration: String,
    /// Operations in flight
    #[arg(long, short, visible_alias = "iodepth", default_value = "16")]
    concurrency: String,
    /// Size of each object (1MiB), or of the file whose blocks are read or written (1GiB)
    #[arg(long)]
    size: Option<String>,
    /// Number of objects (1000) or files (1); `put` writes this many, then overwrites the first ones
    #[arg(long)]
    objects: Option<String>,
    /// Size of a block (4KiB)
    #[arg(long, visible_alias = "bs")]
    block_size: Option<String>,
    /// Order of blocks or objects: random, sequential or zipf:THETA (random)
    #[arg(long, value_parser = pattern)]
    pattern: Option<String>,
    /// How long to run before measurement begins
    #[arg(long, default_value = "0s")]
    warmup: String,
    /// Delete at the end what was written; without it, the summary says what is kept and how to remove it
    #[arg(long)]
    cleanup: bool,
    /// Compare what is read with what was written
    #[arg(long)]
    verify: bool,
    /// Object stores: the service, e.g. `http://10.0.0.1:9000`; may be repeated: requests take turns
    #[arg(long, value_name = "URL")]
    endpoint: Vec<String>,
    /// Object stores: the region that requests are signed for
    #[arg(long)]
    region: Option<String>,
    /// Object stores: do not sign requests
    #[arg(long)]
    anonymous: bool,
    #[command(flatten)]
    options: RunOptions,
}

impl Quick {
    /// What the options make, or the exit code after those without effect were refused.
    pub(super) fn run(self, command: Command) -> Result<Made, ExitCode> {
        let mut useless = self.without_effect(command);
        useless.extend(self.needs_a_directory(command));
        if !useless.is_empty() {
            useless.iter().for_each(complain);
            return Err(ExitCode::from(USAGE));
        }
        let (yaml, given) = (self.configuration(command), self.given(command));
        Ok(Made { yaml, given, options: self.options })
    }

    fn configuration(&self, command: Command) -> String {
        match command {
            Command::Read | Command::Write => self.blocks(command.name()),
            Command::Get => self.get(),
            Command::Put => self.put(),
        }
    }

    fn get(&self) -> String {
        let entry = format!("{{op: get, path: objects/, pattern: {}{}}}", self.pattern(), self.verified());
        self.yaml(&self.prepared("objects/", "1000", "1MiB"), &entry)
    }

    fn put(&self) -> String {
        let count =
            self.objects.as_ref().map_or(String::new(), |count| format!(", count: {}", quoted(count)));
        let size = quoted(self.size.as_deref().unwrap_or("1MiB"));
        self.yaml("", &format!("{{op: put, path: put/, object_size: {size}{count}}}"))
    }

    fn blocks(&self, operation: &str) -> String {
        let block = quoted(self.block_size.as_deref().unwrap_or(BLOCK_SIZE));
        let (pattern, verified) = (self.pattern(), self.verified());
        let entry = |path: &str| {
            format!("{{op: {operation}, path: {path}, block_size: {block}, pattern: {pattern}{verified}}}")
        };
        match self.existing_file() {
            Some((directory, name)) => self.yaml_at(&directory, "", &entry(&quoted(&name))),
            None => self.yaml(&self.prepared("files/", "1", "1GiB"), &entry("files/")),
        }
    }

    fn prepared(&self, base: &str, count: &str, size: &str) -> String {
        let count = quoted(self.objects.as_deref().unwrap_or(count));
        let size = quoted(self.size.as_deref().unwrap_or(size));
        format!("  ensure_objects:\n    - {{base_uri: {base}, count: {count}, size: {size}}}\n")
    }

    fn verified(&self) -> &'static str {
        if self.verify { ", verify: true" } else { "" }
    }

    /// How object stores are reached; nothing unless something was said about it.
    fn storage(&self) -> String {
        let mut yaml = String::new();
        let mut lines = Vec::new();
        if let [endpoint] = &self.endpoint[..] {
            lines.push(format!("endpoint: {}", quoted(endpoint)));
        }
        lines.extend(self.region.as_ref().map(|region| format!("region: {}", quoted(region))));
        lines.extend(self.anonymous.then(|| "credentials: anonymous".to_owned()));
        if !lines.is_empty() {
            yaml = format!("storage:\n  {}\n", lines.join("\n  "));
        }
        if self.endpoint.len() > 1 {
            let endpoints: Vec<_> = self.endpoint.iter().map(|endpoint| quoted(endpoint)).collect();
            yaml += &format!("multi_endpoint: {{endpoints: [{}]}}\n", endpoints.join(", "));
        }
        yaml
    }

    fn pattern(&self) -> String {
        let pattern = self.pattern.as_deref().unwrap_or(PATTERN);
        match pattern.split_once(':') {
            Some(("zipf", theta)) => format!("{{zipf: {{theta: {theta}}}}}"),
            _ => quoted(pattern),
        }
    }

    fn yaml(&self, prepare: &str, entry: &str) -> String {
        self.yaml_at(&self.target, prepare, entry)
    }

    fn yaml_at(&self, target: &str, prepare: &str, entry: &str) -> String {
        let Self { duration, concurrency, warmup, cleanup, .. } = self;
        let mut yaml = String::new();
        let pairs = [
            ("target", target),
            ("duration", duration.as_str()),
            ("warmup_period", warmup),
            ("concurrency", concurrency),
        ];
        for (key, value) in pairs {
            writeln!(yaml, "{key}: {}", quoted(value)).expect("a string takes everything");
        }
        // Objects that an earlier run left were written with its seed, which was drawn.
        let overwrite =
            if self.verify && self.options.seed.is_none() { "  force_overwrite: true\n" } else { "" };
        yaml += &self.storage();
        write!(yaml, "prepare:\n  cleanup: {cleanup}\n{overwrite}{prepare}workload:\n  - {entry}\n")
            .expect("a string takes everything");
        yaml
    }
}

/// An order of blocks or objects, as the option names it.
fn pattern(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        None if matches!(text, "random" | "sequential") => Ok(text.to_owned()),
        Some(("zipf", theta)) if theta.parse().is_ok_and(|theta: f64| theta > 0.0 && theta <= 10.0) => {
            Ok(text.to_owned())
        }
        Some(("zipf", _)) => Err("THETA is a number above 0 and at most 10, as in zipf:0.9".to_owned()),
        _ if text == "zipf" => Err("it needs its THETA, as in zipf:0.9".to_owned()),
        _ => {
            let example = |near| if near == "zipf" { "zipf:0.9" } else { near };
            let near = nearest(text, ["random", "sequential", "zipf"]).map(example);
            let near = near.map_or(String::new(), |near| format!("did you mean {near}? "));
            Err(format!("{near}known are {PATTERNS}"))
        }
    }
}

/// What a person typed, as a YAML string.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
