//! YAML text → a tree of plain values, within bounds.
//!
//! Whatever YAML offers beyond maps, lists and scalars (tags, merge keys, several documents) is refused here with its
//! place, and so is everything that only an attack would need: deep nesting, aliases that multiply.

use super::path::Path;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

/// The longest configuration, in bytes. A list of a thousand agents takes a tenth of it.
pub const BYTES_MAX: usize = 1 << 20;
/// The most values, aliases expanded.
const VALUES_MAX: usize = 50_000;
/// The deepest nesting. No key of ours lies deeper than eight.
const DEPTH_MAX: usize = 32;

/// A value and all below it.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order written; keys are unique.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// What stands at `path` below this node.
    pub(super) fn get(&self, path: &Path) -> Option<&Self> {
        path.steps().iter().try_fold(self, |node, step| match node {
            Self::Map(entries) => entries.iter().find(|(key, _)| key == step).map(|(_, value)| value),
            Self::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The value of a key of this map.
    pub(super) fn key(&self, key: &str) -> Option<&Self> {
        self.get(&Path::from(key))
    }

    /// Whether this is the scalar that is written so.
    pub(super) fn is(&self, written: &str) -> bool {
        match self {
            Self::Bool(value) => value.to_string() == written,
            Self::Unsigned(value) => value.to_string() == written,
            Self::Float(value) => value.to_string() == written,
            Self::Text(value) => value == written,
            Self::Null | Self::Signed(_) | Self::List(_) | Self::Map(_) => false,
        }
    }
}

/// Why a text is no configuration, and where (bytes into the text).
#[derive(Clone, PartialEq, Debug)]
pub(super) struct BadYaml {
    pub(super) message: String,
    pub(super) help: &'static str,
    pub(super) at: Option<Range<usize>>,
}

/// Reads the one document of `text`. An empty text is [`Node::Null`].
pub(super) fn parse(text: &str) -> Result<Node, BadYaml> {
    precheck(text)?;
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let budget = Cell::new(VALUES_MAX);
    let Some(first) = documents.next() else { return Ok(Node::Null) };
    let node =
        Seed { budget: &budget, depth: 0 }.deserialize(first).map_err(|error| explain(text, &error))?;
    match documents.next().map(IgnoredAny::deserialize) {
        None => Ok(node),
        Some(Err(error)) => Err(explain(text, &error)),
        Some(Ok(IgnoredAny)) => Err(BadYaml {
            message: "there is more than one document".to_owned(),
            help: "one file describes one run: remove the second `---` and what follows it",
            at: second_marker(text),
        }),
    }
}

/// What would make the YAML parser itself slow or obscure: size, control characters, and brackets nested so deep
/// that its work grows with their square.
fn precheck(text: &str) -> Result<(), BadYaml> {
    if text.len() > BYTES_MAX {
        return Err(BadYaml {
            message: format!(
                "the configuration has {} KiB; the most is {} KiB",
                text.len() >> 10,
                BYTES_MAX >> 10
            ),
            help: "write sets of objects as one `ensure_objects` entry with a count, and agents as `host[1-8]`",
            at: None,
        });
    }
    let mut open = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            '\n' | '\r' | '\t' => {}
            control if control.is_control() && control != '\u{85}' => {
                return Err(BadYaml {
                    message: format!(
                        "the control character U+{:04X} cannot stand in a configuration",
                        u32::from(control)
                    ),
                    help: "is this a text file?",
                    at: Some(at..at + control.len_utf8()),
                });
            }
            _ => {}
        }
        if open > 2 * DEPTH_MAX {
            return Err(too_deep(Some(at..at + 1)));
        }
    }
    Ok(())
}

fn too_deep(at: Option<Range<usize>>) -> BadYaml {
    BadYaml {
        message: format!("values are nested more than {DEPTH_MAX} deep"),
        help: "no key needs that",
        at,
    }
}

/// Where the second document begins, if a line of its own says so.
fn second_marker(text: &str) -> Option<Range<usize>> {
    let mut seen_content = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let marker = line.trim_end() == "---" || line.starts_with("--- ");
        if marker && seen_content {
            return Some(at..at + 3);
        }
        seen_content |= marker || !(line.trim().is_empty() || line.starts_with('#'));
        at += line.len();
    }
    None
}

/// Our own reasons travel through the parser's error as text with these beginnings.
const TOO_DEEP: &str = "\u{1}too deep";
const TOO_MANY: &str = "\u{1}too many";
const TAG: &str = "\u{1}tag";
const MERGE: &str = "\u{1}merge";
const COMPLEX_KEY: &str = "\u{1}complex key";
const DUPLICATE: &str = "\u{1}duplicate ";

/// The parser's error in our words.
fn explain(text: &str, error: &serde_yaml::Error) -> BadYaml {
    let at = byte_range(text, error.location().as_ref());
    let raw = error.to_string();
    let bad = |message: &str, help| BadYaml { message: message.to_owned(), help, at: at.clone() };
    if raw.contains(TOO_DEEP) || raw.contains("recursion limit") {
        too_deep(at)
    } else if raw.contains(TOO_MANY) || raw.contains("repetition limit") {
        bad(
            &format!("there are more than {VALUES_MAX} values once aliases (`*name`) are expanded"),
            "write the values out instead of multiplying them by aliases",
        )
    } else if raw.contains(TAG) {
        bad(
            "tags (`!name`) have no meaning in a configuration",
            "remove the tag; tagged values are written as maps, as in `{zipf: {theta: 0.9}}`",
        )
    } else if raw.contains(MERGE) {
        bad("merge keys (`<<`) are not supported", "repeat the keys, or use an alias for the whole value")
    } else if raw.contains(COMPLEX_KEY) {
        bad("a key must be a word", "a list or a map cannot be a key")
    } else if let Some((_, rest)) = raw.split_once(DUPLICATE) {
        let key = rest.split('\u{1}').next().unwrap_or_default();
        bad(&format!("the key `{key}` is given twice"), "keep one of the two")
    } else {
        syntax(text, &raw, at)
    }
}

/// A syntax error. The parser speaks of tokens and scanning; the two mistakes people really make get plain words.
fn syntax(text: &str, raw: &str, at: Option<Range<usize>>) -> BadYaml {
    let here = at.as_ref().and_then(|at| text.get(at.start..)).unwrap_or_default();
    if here.starts_with('\t') {
        return BadYaml { message: "a tab cannot indent YAML".to_owned(), help: "use spaces", at };
    }
    // "did not find expected key at line 3 column 1, while parsing a block mapping at line 1 column 1"
    let parts = raw
        .split(", ")
        .map(|part| part.split(" at line ").next().unwrap_or(part).trim_end_matches(" at position"));
    let message = parts.take(2).collect::<Vec<_>>().join(" ");
    BadYaml {
        message: format!("this is not valid YAML: {message}"),
        help: "look at the indentation, colons and quotes here and in the line above",
        at,
    }
}

/// The character at which the parser stood.
pub(super) fn byte_range(text: &str, location: Option<&serde_yaml::Location>) -> Option<Range<usize>> {
    let start = text.floor_char_boundary(location?.index().min(text.len()));
    // At the end of the text, its last character is the one to show.
    let from_start = text[start..].chars().next().map(|character| start..start + character.len_utf8());
    from_start.or_else(|| text.char_indices().next_back().map(|(at, _)| at..text.len()))
}

/// Builds a [`Node`] within the budget.
#[derive(Copy, Clone)]
struct Seed<'a> {
    budget: &'a Cell<usize>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        if self.depth > DEPTH_MAX {
            return Err(de::Error::custom(TOO_DEEP));
        }
        let left = self.budget.get().checked_sub(1).ok_or_else(|| de::Error::custom(TOO_MANY))?;
        self.budget.set(left);
        deserializer.deserialize_any(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    /// An empty document.
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(u64::try_from(value).map_or(Node::Signed(value), Node::Unsigned))
    }

    /// Too large for any number of ours; kept as written for the message that says so.
    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(key) = access.next_key_seed(KeySeed { seen: &seen })? {
            seen.insert(key.clone());
            entries.push((key, access.next_value_seed(self)?));
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(de::Error::custom(TAG))
    }
}

/// Reads one key; refuses it here, so that the error is placed at the key.
struct KeySeed<'a> {
    seen: &'a BTreeSet<String>,
}

impl KeySeed<'_> {
    fn check<E: de::Error>(&self, key: String) -> Result<String, E> {
        if key == "<<" {
            Err(E::custom(MERGE))
        } else if self.seen.contains(&key) {
            Err(E::custom(format_args!("{DUPLICATE}{key}\u{1}")))
        } else {
            Ok(key)
        }
    }
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        self.check(key.to_owned())
    }

    fn visit_bool<E: de::Error>(self, key: bool) -> Result<String, E> {
        self.check(key.to_string())
    }

    fn visit_u64<E: de::Error>(self, key: u64) -> Result<String, E> {
        self.check(key.to_string())
    }

    fn visit_i64<E: de::Error>(self, key: i64) -> Result<String, E> {
        self.check(key.to_string())
    }

    fn visit_f64<E: de::Error>(self, key: f64) -> Result<String, E> {
        self.check(key.to_string())
    }

    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        self.check("null".to_owned())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(de::Error::custom(COMPLEX_KEY))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(de::Error::custom(COMPLEX_KEY))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(de::Error::custom(TAG))
    }
}
