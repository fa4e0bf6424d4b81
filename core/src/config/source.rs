//! Where a value was written: the path of a value → a place in the file or in an override.

use super::diagnose::Place;
use super::path::Path;
use super::yaml;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The texts that a configuration is made of.
pub(super) struct Source {
    pub(super) origin: Arc<str>,
    pub(super) text: Arc<str>,
    /// The same with secrets crossed out, byte for byte: what may be shown.
    shown: Arc<str>,
    /// Later ones win.
    pub(super) overrides: Vec<Override>,
    /// The options that the text was made of, if no person wrote it: it is never shown.
    pub(super) options: Option<Vec<(Path, Arc<str>)>>,
}

/// `--set path=value`.
pub(super) struct Override {
    pub(super) path: Path,
    pub(super) origin: Arc<str>,
    pub(super) text: Arc<str>,
}

/// What to point at.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Key,
    Value,
}

impl Source {
    /// A text without overrides.
    pub(super) fn new(origin: &str, text: &str) -> Self {
        let text: Arc<str> = text.into();
        Self { origin: origin.into(), shown: text.clone(), text, overrides: Vec::new(), options: None }
    }

    /// Never shows what stands at these paths. Of a line in the file everything from there on is crossed out.
    pub(super) fn conceal(&mut self, secrets: &[Path]) {
        let mut shown = self.shown.as_bytes().to_vec();
        for secret in secrets {
            for (_, option) in self.options.iter_mut().flatten().filter(|(path, _)| secret.starts_with(path))
            {
                *option = "***".into();
            }
            for by in self.overrides.iter_mut().filter(|by| secret.starts_with(&by.path)) {
                let key = by.text.split('=').next().unwrap_or_default();
                by.text = format!("{key}=***").into();
            }
            let Some(at) = locate(&self.text, secret, Part::Value) else { continue };
            // A text over several lines ends where the next key begins, which is hard to tell: all of it goes.
            let rest = self.text.get(at.start..).unwrap_or_default();
            let block = rest.starts_with(['|', '>', '"', '\'']);
            let length = rest.lines().next().map_or(0, str::len);
            let length =
                if block && !rest[..length].trim_end().ends_with(['"', '\'']) { rest.len() } else { length };
            for byte in shown.iter_mut().skip(at.start).take(length).filter(|byte| **byte != b'\n') {
                *byte = b'*';
            }
        }
        // Whole characters were crossed out, up to the end of a line.
        self.shown = String::from_utf8_lossy(&shown).into();
    }

    /// Where `path` was written; if it was not, where the nearest thing around it was.
    pub(super) fn place(&self, path: &Path, part: Part) -> Option<Place> {
        if path.steps().is_empty() {
            return None;
        }
        let set_by = |is: &dyn Fn(&&Override) -> bool| {
            let by = self.overrides.iter().rev().find(is);
            by.map(|by| Place::new(&by.origin, &by.text, 0..by.text.len()))
        };
        let written = || match &self.options {
            None => locate(&self.text, path, part).map(|span| Place::new(&self.origin, &self.shown, span)),
            Some(options) => {
                let made = options.iter().find(|(made, _)| path.starts_with(made));
                made.map(|(_, option)| Place::option(option))
            }
        };
        set_by(&|by| path.starts_with(&by.path))
            .or_else(written)
            .or_else(|| set_by(&|by| by.path.starts_with(path)))
            .or_else(|| self.place(&path.parent()?, Part::Key))
    }
}

/// Reads the document once more up to `path` and fails there on purpose: the parser's error then says where that is.
/// Diagnostics are few and documents small, so this is cheaper than keeping a mark for every value.
fn locate(text: &str, path: &Path, part: Part) -> Option<Range<usize>> {
    let document = serde_yaml::Deserializer::from_str(text).next()?;
    let error = Probe { rest: path.steps(), part }.deserialize(document).err()?;
    let start = yaml::byte_range(text, error.location().as_ref())?.start;
    Some(start..start + token_length(text.get(start..)?, part))
}

/// How much of the text to underline: a quoted scalar, a bracketed collection, or up to the end of the plain value.
fn token_length(text: &str, part: Part) -> usize {
    let line = text.lines().next().unwrap_or_default();
    let quoted = |quote: char| line[1..].find(quote).map(|end| end + 2);
    let plain = match line.chars().next() {
        Some(quote @ ('"' | '\'')) => quoted(quote).unwrap_or(line.len()),
        Some('[' | '{') => line.len(),
        _ => {
            let end = if part == Part::Key { line.find(':') } else { line.find([',', ']', '}']) };
            let end = end.unwrap_or(line.len());
            line.find(" #").map_or(end, |comment| comment.min(end))
        }
    };
    line[..plain].trim_end().len().max(line.chars().next().map_or(0, char::len_utf8))
}

/// Follows a path and fails at its end.
#[derive(Copy, Clone)]
struct Probe<'a> {
    rest: &'a [String],
    part: Part,
}

fn found<E: de::Error>() -> E {
    E::custom("found")
}

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// A scalar, wherever it is, is either what was looked for or beside the path.
impl<'de> Visitor<'de> for Probe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some((index, rest)) = self.rest.split_first() else { return Err(found()) };
        for at in 0_usize.. {
            let more = if index.parse() == Ok(at) {
                access.next_element_seed(Probe { rest, ..self })?.is_some()
            } else {
                access.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some((wanted, rest)) = self.rest.split_first() else { return Err(found()) };
        let fail = rest.is_empty() && self.part == Part::Key;
        while let Some(is_wanted) = access.next_key_seed(KeyProbe { wanted, fail })? {
            if is_wanted {
                access.next_value_seed(Probe { rest, ..self })?;
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        if self.rest.is_empty() { Err(found()) } else { Ok(()) }
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.visit_str("")
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.visit_str("")
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.visit_str("")
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.visit_str("")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.visit_str("")
    }
}

/// Compares one key; fails at it when it is what was looked for.
struct KeyProbe<'a> {
    wanted: &'a str,
    fail: bool,
}

impl<'de> DeserializeSeed<'de> for KeyProbe<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyProbe<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        let same = key == self.wanted;
        if same && self.fail { Err(found()) } else { Ok(same) }
    }
}
