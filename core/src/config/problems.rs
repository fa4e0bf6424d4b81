//! Collects what is wrong while a configuration is being read, and finds the place of each.

use super::decode::Fault;
use super::diagnose::{Diagnostic, Diagnostics, SHOWN_MAX, Severity};
use super::path::Path;
use super::source::{Part, Source};

/// Problems found so far.
pub(super) struct Problems<'a> {
    source: &'a Source,
    list: Vec<Diagnostic>,
    errors: usize,
    /// Whether there are errors beyond those in the list.
    more: bool,
    /// What misspelt keys were probably meant to be.
    meant: Vec<Path>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self { source, list: Vec::new(), errors: 0, more: false, meant: Vec::new() }
    }

    /// The value at `path` cannot be right.
    pub(super) fn error(
        &mut self,
        path: impl Into<Path>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Error, &path.into(), Part::Value, message.into(), help.into());
    }

    /// The key at `path` should not be there.
    pub(super) fn key_error(
        &mut self,
        path: impl Into<Path>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Error, &path.into(), Part::Key, message.into(), help.into());
    }

    /// The key at `path` does not do what its writer may think.
    pub(super) fn warning(
        &mut self,
        path: impl Into<Path>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Severity::Warning, &path.into(), Part::Key, message.into(), help.into());
    }

    /// A key is absent, unless a misspelt one, which has been reported, was meant to be it.
    pub(super) fn missing(&mut self, keys: &[&str], message: &str, help: &str) {
        if !keys.iter().any(|key| self.meant.contains(&Path::from(*key))) {
            self.error("", message, help);
        }
    }

    /// What decoding found.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.meant.extend(fault.meant());
        self.add(Severity::Error, &fault.path, fault.part, fault.message, fault.help);
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
