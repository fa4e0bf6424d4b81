//! Collects what is wrong while a configuration is being read, and finds the place of each.

use super::consequences::LeftOut;
use super::decode::Fault;
use super::diagnose::{Diagnostic, Diagnostics, SHOWN_MAX, Severity};
use super::path::Path;
use super::source::{Part, Source};
use std::collections::BTreeSet;

/// Problems found so far.
pub(super) struct Problems<'a> {
    source: &'a Source,
    list: Vec<Diagnostic>,
    errors: usize,
    /// Whether there are errors beyond those in the list.
    more: bool,
    /// What has been reported and left out.
    left_out: LeftOut,
    /// What was said where: of a value that holds for many agents it is said once.
    said: BTreeSet<(Path, String)>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            list: Vec::new(),
            errors: 0,
            more: false,
            left_out: LeftOut::default(),
            said: BTreeSet::new(),
        }
    }

    /// The value at `path` cannot be right.
    pub(super) fn error(
        &mut self,
        path: impl Into<Path>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found(Severity::Error, &path.into(), Part::Value, message.into(), help.into());
    }

    /// The value at `path`, or its key, cannot be right whatever stands elsewhere.
    pub(super) fn certain(
        &mut self,
        part: Part,
        path: impl Into<Path>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let path = self.left_out.as_written(&path.into());
        if !self.left_out.is_default(&path) {
            self.say(Severity::Error, &path, part, message.into(), help.into());
        }
    }

    /// The values at these paths are the same, and must not be: said once, at the last of them.
    pub(super) fn repeated(&mut self, paths: &[Path], message: String, help: &str) {
        let Some((last, before)) = paths.split_last() else { return };
        let known = self.list.len();
        self.error(last.clone(), message, help);
        if let Some(said) = self.list.get_mut(known) {
            let places = before.iter().filter_map(|path| self.source.place(path, Part::Value));
            said.before = places.collect();
        }
    }

    /// The key at `path` should not be there.
    pub(super) fn key_error(
        &mut self,
        path: impl Into<Path>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found(Severity::Error, &path.into(), Part::Key, message.into(), help.into());
    }

    /// The key at `path` does not do what its writer may think.
    pub(super) fn warning(
        &mut self,
        path: impl Into<Path>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found(Severity::Warning, &path.into(), Part::Key, message.into(), help.into());
    }

    /// Keys are absent at the top, unless one, or a misspelt one that was meant to be it, has been reported.
    pub(super) fn missing(&mut self, keys: &[&str], message: &str, help: &str) {
        if !self.left_out.any(keys) {
            self.add(Severity::Error, &Path::default(), Part::Value, message.to_owned(), help.to_owned());
        }
    }

    /// The section at `path` lacks all of these, unless one has been reported in the same way.
    pub(super) fn missing_in(&mut self, path: &Path, keys: &[Path], message: &str, help: &str) {
        let path = self.left_out.as_written(path);
        if !keys.iter().any(|key| self.left_out.is_default(&self.left_out.as_written(key))) {
            self.say(Severity::Error, &path, Part::Value, message.to_owned(), help.to_owned());
        }
    }

    /// What decoding found.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.add(Severity::Error, &fault.path, fault.part, fault.message, fault.help);
    }

    /// A setting that could not be put over the file, and what it was about.
    pub(super) fn refused(&mut self, path: Path, diagnostic: Diagnostic) {
        // A setting that names no key is about nothing; as a path it would be the root, and so about everything.
        if !path.steps().is_empty() {
            self.left_out.add(path);
        }
        self.errors += 1;
        self.list.push(diagnostic);
    }

    /// What was reported and is not part of the configuration that is checked from now on, and what of the tree went
    /// with it.
    pub(super) fn left_out(&mut self, paths: BTreeSet<Path>, omitted: BTreeSet<Path>) {
        paths.into_iter().for_each(|path| self.left_out.add(path));
        self.left_out.omit(omitted);
    }

    /// Something about the configuration that is left, unless it may be so only because of what is left out.
    fn found(&mut self, severity: Severity, path: &Path, part: Part, message: String, help: String) {
        let path = self.left_out.as_written(path);
        if !self.left_out.explains(&path) {
            self.say(severity, &path, part, message, help);
        }
    }

    /// Once.
    fn say(&mut self, severity: Severity, path: &Path, part: Part, message: String, help: String) {
        if self.said.insert((path.clone(), message.clone())) {
            self.add(severity, path, part, message, help);
        }
    }

    fn add(&mut self, severity: Severity, path: &Path, part: Part, message: String, help: String) {
        self.errors += usize::from(severity == Severity::Error);
        // Finding a place costs a pass over the file, so only for those that are shown. Warnings are few: one a key.
        if severity == Severity::Warning || self.errors <= SHOWN_MAX {
            let place = self.source.place(path, part);
            self.list.push(Diagnostic::new(severity, &message, &help, place));
        } else {
            self.more = true;
        }
    }

    /// Whether anything stands in the way of a run.
    pub(super) fn any_error(&self) -> bool {
        self.errors > 0
    }

    /// The warnings, when nothing is worse.
    pub(super) fn finish(self) -> Result<Vec<Diagnostic>, Diagnostics> {
        if self.errors == 0 { Ok(self.list) } else { Err(Diagnostics::new(self.list, self.more)) }
    }
}
