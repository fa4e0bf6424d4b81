//! What is wrong with a configuration, shown where it is wrong.

use super::yaml::BadYaml;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// So many are shown; a file with more mistakes is best corrected step by step.
pub(super) const SHOWN_MAX: usize = 20;

/// Of a longer line only the place is given, in bytes.
const LINE_SHOWN_MAX: usize = 1000;

/// In characters.
const MESSAGE_MAX: usize = 500;

/// How bad it is.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The run can go on.
    Warning,
    /// There is no run.
    Error,
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
    /// Where; `None` when it is nowhere in particular.
    pub place: Option<Place>,
    /// Where the same was said before, if that is what is wrong.
    pub before: Vec<Place>,
}

/// A place in a text that a person wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    origin: Arc<str>,
    text: Arc<str>,
    span: Range<usize>,
}

impl Place {
    /// `span` in bytes, on character boundaries of `text`.
    pub(super) fn new(origin: &Arc<str>, text: &Arc<str>, span: Range<usize>) -> Self {
        Self { origin: origin.clone(), text: text.clone(), span }
    }

    /// An option, which is shown itself and has no lines.
    pub(super) fn option(option: &Arc<str>) -> Self {
        Self::new(option, &"".into(), 0..0)
    }

    /// The place, and others in the same text, as a person is shown them.
    fn shown<'a>(&'a self, others: &'a [Place]) -> Element<'a> {
        if self.text.is_empty() {
            return Origin::path(&*self.origin).into();
        }
        if self.line_length() > LINE_SHOWN_MAX {
            return Origin::path(&*self.origin).line(self.line()).char_column(self.column()).into();
        }
        let beside = others.iter().filter(|other| other.text == self.text && other.span != self.span);
        let beside = beside.map(|other| AnnotationKind::Context.span(other.span.clone()).label("also here"));
        let primary = AnnotationKind::Primary.span(self.span.clone());
        Snippet::source(&*self.text)
            .path(&*self.origin)
            .annotations(std::iter::once(primary).chain(beside))
            .into()
    }

    /// The file, or `--set`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// From 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// In characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.before().rsplit('\n').next().unwrap_or_default().chars().count() + 1
    }

    /// In bytes.
    fn line_length(&self) -> usize {
        let start = self.before().rfind('\n').map_or(0, |end| end + 1);
        self.text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len)
    }

    fn before(&self) -> &str {
        self.text.get(..self.span.start).unwrap_or_default()
    }
}

impl fmt::Debug for Place {
    /// Without the whole text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.origin, self.line(), self.column())
    }
}

impl Diagnostic {
    /// Keeps the message readable: it may quote what was written, which may be of any length.
    pub(super) fn new(severity: Severity, message: &str, help: &str, place: Option<Place>) -> Self {
        let cut = message.char_indices().nth(MESSAGE_MAX).map(|(at, _)| format!("{} …", &message[..at]));
        let message = cut.unwrap_or_else(|| message.to_owned());
        Self { severity, message, help: help.to_owned(), place, before: Vec::new() }
    }

    /// The diagnostic with its line of the file, coloured for a terminal or plain. Ends without a line break.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Warning => Level::WARNING,
            Severity::Error => Level::ERROR,
        };
        let snippet = self.place.as_ref().map(|place| place.shown(&self.before));
        let other_text = |other: &&Place| self.place.as_ref().is_some_and(|place| place.text != other.text);
        let elsewhere = self.before.iter().filter(other_text).map(|other| other.shown(&[]));
        let help = (!self.help.is_empty()).then(|| Element::from(Level::HELP.message(&self.help)));
        let elements = snippet.into_iter().chain(elsewhere).chain(help).collect::<Vec<_>>();
        let title = level.primary_title(&self.message);
        let group = if elements.is_empty() { Group::with_title(title) } else { title.elements(elements) };
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    pub(super) fn of_yaml(bad: BadYaml, origin: &Arc<str>, text: &Arc<str>) -> Self {
        let place = bad.at.map(|span| Place::new(origin, text, span));
        Self::new(Severity::Error, &bad.message, bad.help, place)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Everything wrong with a configuration, at least one error; in the order of the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Whether there are further errors, which are not kept.
    more: bool,
}

impl Diagnostics {
    pub(super) fn new(mut list: Vec<Diagnostic>, more: bool) -> Self {
        list.sort_by_key(|diagnostic| {
            diagnostic.place.as_ref().map(|place| (place.origin.clone(), place.span.start))
        });
        Self { list, more }
    }

    /// One by one; the first twenty when there are more.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// All of them with their lines, coloured for a terminal or plain. Ends without a line break.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let mut blocks = self.list.iter().map(|one| one.render(colour)).collect::<Vec<_>>();
        if self.more {
            blocks.push("… and more; correct these first".to_owned());
        }
        blocks.join("\n\n")
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
