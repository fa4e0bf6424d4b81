//! Options that would do nothing: not for this command, or not at this target. They are refused, as whoever gives one
//! expects something of it.

use super::{Command, Quick};
use iobench_core::plan::{Scheme, Uri};

impl Quick {
    /// What to say about each option that has no effect on this command: which, why, and what to do instead.
    pub(super) fn without_effect(&self, command: Command) -> Vec<String> {
        let mut useless = self.nothing_to(command);
        if command == Command::Read {
            useless.extend(self.nothing_at_a_file());
        }
        // What is no target at all is refused as a target.
        let target = self.target.parse().ok();
        for one in target.iter().flat_map(|target| self.nothing_at(target)) {
            if useless.iter().all(|(flag, ..)| *flag != one.0) {
                useless.push(one);
            }
        }
        let subject = format!("`iobench {} {}`", command.name(), self.target);
        let say = |(flag, why, instead)| format!("{flag} has no effect on {subject}: {why}; {instead}");
        useless.into_iter().map(say).collect()
    }

    /// Whatever the target.
    fn nothing_to(&self, command: Command) -> Vec<Useless> {
        let mut useless = Vec::new();
        if self.block_size.is_some() && !command.works_on_blocks() {
            let instead = match command {
                Command::Get => {
                    "use `iobench read`, or give `--set workload.0.range.length=SIZE` to read a part of each object"
                }
                _ => "use `iobench write`, or give --size",
            };
            useless.push(("--block-size", "it works on whole objects", instead));
        }
        if self.pattern.is_some() && command == Command::Put {
            useless.push((
                "--pattern",
                "it creates one object after another",
                "leave it out; --objects says when it begins again",
            ));
        }
        if self.verify && !command.reads() {
            let instead = match command {
                Command::Write => "use `iobench read --verify`, which writes first what it reads",
                _ => "use `iobench get --verify`, which writes first what it reads",
            };
            useless.push(("--verify", "it reads nothing that could be compared", instead));
        }
        if self.options.yes_delete_everything {
            useless.push((
                "--yes-delete-everything",
                "it deletes in a directory of its own only, never at the root of a bucket",
                "leave it out; --cleanup is enough",
            ));
        }
        useless
    }

    /// Whatever the command.
    fn nothing_at(&self, target: &Uri) -> Vec<Useless> {
        const UNREACHED: &str = "only object stores are reached over a network";
        const STORE: &str = "leave it out, or write an `s3://`, `az://` or `gs://` target";
        let mut useless = Vec::new();
        let store = target.scheme.is_object_store();
        let addressed = target.bucket().is_some_and(|bucket| bucket.endpoint.is_some());
        if !self.endpoint.is_empty() && !store {
            useless.push(("--endpoint", UNREACHED, STORE));
        } else if !self.endpoint.is_empty() && addressed {
            let instead = "leave it out, or write the target without the service's address";
            useless.push(("--endpoint", "the target addresses its service itself", instead));
        }
        if self.region.is_some() {
            let unsigned = self.anonymous && (addressed || !self.endpoint.is_empty());
            match target.scheme {
                Scheme::S3 if unsigned => useless.push((
                    "--region",
                    "requests to a given endpoint need one for their signature only, and --anonymous signs none",
                    "leave it out",
                )),
                Scheme::S3 => {}
                _ if store => useless.push(("--region", "only `s3://` has regions", "leave it out")),
                _ => useless.push(("--region", UNREACHED, STORE)),
            }
        }
        if self.anonymous && !store {
            useless.push(("--anonymous", UNREACHED, STORE));
        }
        if self.verify && target.scheme == Scheme::Null {
            let instead = "leave it out, or write a `mem://` target";
            useless.push(("--verify", "`null://` keeps nothing that could be compared", instead));
        }
        useless
    }
}

/// An option, why it does nothing, and what to do instead.
pub(super) type Useless = (&'static str, &'static str, &'static str);
