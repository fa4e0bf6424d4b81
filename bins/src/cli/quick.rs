//! A run without a file: the configuration is made of options.

use super::options::RunOptions;
use clap::Args;
use std::fmt::Write;

/// What a quick run does.
#[derive(Args, Clone, Debug)]
pub(super) struct Quick {
    /// Where, e.g. `file:///mnt/data/bench`, `direct:///mnt/nvme/bench`, `s3://bucket/bench`, `mem://`, `null://`
    target: String,
    /// How long it is measured
    #[arg(long, default_value = "30s")]
    duration: String,
    /// Operations in flight
    #[arg(long, short, default_value = "16")]
    concurrency: String,
    /// Bytes of one object (1MiB), or of the file whose blocks are read or written (1GiB)
    #[arg(long)]
    size: Option<String>,
    /// Objects (1000), or files (1); `put` writes so many, then the first ones again
    #[arg(long)]
    objects: Option<String>,
    /// Bytes of one block
    #[arg(long, default_value = "4KiB")]
    block_size: String,
    /// Order of blocks or objects: random, sequential or zipf:THETA
    #[arg(long, default_value = "random")]
    pattern: String,
    /// Time before measurement begins
    #[arg(long, default_value = "0s")]
    warmup: String,
    /// Delete what was written when it is done
    #[arg(long)]
    cleanup: bool,
    /// Compare what is read with what was written
    #[arg(long)]
    verify: bool,
    /// Object stores: the service, e.g. `http://10.0.0.1:9000`; several times: in turn
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
    pub(super) fn read(self) -> (String, RunOptions) {
        self.blocks("read")
    }

    pub(super) fn write(self) -> (String, RunOptions) {
        self.blocks("write")
    }

    pub(super) fn get(self) -> (String, RunOptions) {
        let entry = format!("{{op: get, path: objects/, pattern: {}{}}}", self.pattern(), self.verified());
        let prepare = self.prepared("objects/", "1000", "1MiB");
        (self.yaml(&prepare, &entry), self.options)
    }

    pub(super) fn put(self) -> (String, RunOptions) {
        let count =
            self.objects.as_ref().map_or(String::new(), |count| format!(", count: {}", quoted(count)));
        let size = quoted(self.size.as_deref().unwrap_or("1MiB"));
        let entry = format!("{{op: put, path: put/, object_size: {size}{count}{}}}", self.verified());
        (self.yaml("", &entry), self.options)
    }

    fn blocks(self, operation: &str) -> (String, RunOptions) {
        let (block, pattern) = (quoted(&self.block_size), self.pattern());
        let verified = self.verified();
        let entry =
            format!("{{op: {operation}, path: files/, block_size: {block}, pattern: {pattern}{verified}}}");
        let prepare = self.prepared("files/", "1", "1GiB");
        (self.yaml(&prepare, &entry), self.options)
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
        match self.pattern.split_once(':') {
            Some(("zipf", theta)) => format!("{{zipf: {{theta: {}}}}}", quoted_number(theta)),
            _ => quoted(&self.pattern),
        }
    }

    fn yaml(&self, prepare: &str, entry: &str) -> String {
        let Self { target, duration, concurrency, warmup, cleanup, .. } = self;
        let mut yaml = String::new();
        let pairs = [
            ("target", target),
            ("duration", duration),
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

/// What a person typed, as a YAML string.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A number stays one; anything else is quoted, so that it is refused where it stands.
fn quoted_number(text: &str) -> String {
    if text.parse::<f64>().is_ok() { text.to_owned() } else { quoted(text) }
}
