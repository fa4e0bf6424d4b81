//! A file that is there already, as the target: `read` measures it as it is, the others make objects of their own.

use super::effect::Useless;
use super::{Command, Quick};
use iobench_core::plan::{Scheme, Uri};
use std::path::Path;

/// What has no effect on a file that is there, and why.
const AS_IT_IS: &str = "the target is a file, which is read as it is";

impl Quick {
    /// The target's directory and the file's name in it, where it is a file.
    pub(super) fn existing_file(&self) -> Option<(String, String)> {
        let target: Uri = self.target.parse().ok()?;
        let local = matches!(target.scheme, Scheme::File | Scheme::Direct);
        let (directory, name) = target.path.rsplit_once('/').filter(|_| local)?;
        let is_file = Path::new(&target.path).is_file();
        let directory = Uri { scheme: target.scheme, path: format!("{directory}/") };
        is_file.then(|| (directory.to_string(), name.to_owned()))
    }

    /// Why this command cannot have a file as its target.
    pub(super) fn needs_a_directory(&self, command: Command) -> Option<String> {
        self.existing_file().filter(|_| command != Command::Read)?;
        let name = command.name();
        Some(format!(
            "{} is a file, and `iobench {name}` makes its own in a directory; give a directory, or describe the run in \\
             a configuration file",
            self.target
        ))
    }

    /// Options that only make sense where something is prepared.
    pub(super) fn nothing_at_a_file(&self) -> Vec<Useless> {
        let given = [
            ("--size", self.size.is_some()),
            ("--objects", self.objects.is_some()),
            ("--cleanup", self.cleanup),
            ("--verify", self.verify),
        ];
        let given = given.into_iter().filter(|(_, given)| *given && self.existing_file().is_some());
        given.map(|(flag, _)| (flag, AS_IT_IS, "leave it out, or give a directory")).collect()
    }
}
