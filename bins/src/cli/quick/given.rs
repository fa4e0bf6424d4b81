//! Where the values of the configuration come from: diagnostics point at the options that a person gave.

use super::{Command, Quick};

impl Quick {
    /// The paths of values, and the options that they were made of.
    pub(super) fn given(&self, command: Command) -> Vec<(&'static str, String)> {
        let size_at = match command {
            Command::Put => "workload.0.object_size",
            _ => "prepare.ensure_objects.0.size",
        };
        let count_at = match command {
            Command::Put => "workload.0.count",
            _ => "prepare.ensure_objects.0.count",
        };
        let mut given = vec![
            ("target", self.target.clone()),
            ("duration", format!("--duration {}", self.duration)),
            ("concurrency", format!("--concurrency {}", self.concurrency)),
            ("warmup_period", format!("--warmup {}", self.warmup)),
        ];
        let texts = [
            (size_at, "--size", &self.size),
            (count_at, "--objects", &self.objects),
            ("workload.0.block_size", "--block-size", &self.block_size),
            ("workload.0.pattern", "--pattern", &self.pattern),
            ("storage.region", "--region", &self.region),
        ];
        for (path, flag, text) in texts {
            given.extend(text.as_ref().map(|text| (path, format!("{flag} {text}"))));
        }
        let switches = [
            ("workload.0.verify", "--verify", self.verify),
            ("prepare.cleanup", "--cleanup", self.cleanup),
            ("storage.credentials", "--anonymous", self.anonymous),
        ];
        let set = switches.into_iter().filter(|(.., on)| *on);
        given.extend(set.map(|(path, flag, _)| (path, flag.to_owned())));
        match &self.endpoint[..] {
            [] => {}
            [one] => given.push(("storage.endpoint", format!("--endpoint {one}"))),
            several => given.push(("multi_endpoint", format!("--endpoint {}", several.join(" --endpoint ")))),
        }
        given
    }
}
