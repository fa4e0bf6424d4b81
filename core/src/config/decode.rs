//! A tree of values → the types of [`super::file`], with all mistakes at once.
//!
//! serde stops at the first mistake. So each one is noted, its key is left out, and decoding begins again: a
//! misspelt key and a bad number elsewhere are both reported in one go.

use super::path::Path;
use super::source::Part;
use super::words::{advice, one_of, with_a_value};
use super::yaml::Node;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Unexpected, Visitor,
};
use std::collections::BTreeSet;
use std::fmt;

/// Mistakes noted before giving up; more than are shown, so that they are told of.
const FAULTS_MAX: usize = super::diagnose::SHOWN_MAX + 1;

/// One mistake.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Fault {
    pub(super) path: Path,
    pub(super) part: Part,
    pub(super) message: String,
    pub(super) help: String,
    kind: Kind,
}

#[derive(Clone, PartialEq, Debug)]
enum Kind {
    /// Not yet placed: the innermost value that is being decoded will be its place.
    Unplaced,
    Placed,
    /// A required key is absent.
    Missing(&'static str),
    /// A key that nobody knows, and what was probably meant.
    Unknown(Option<&'static str>),
}

/// What could be read of a tree.
pub(super) struct Decoded<T> {
    /// Without what had to be left out; `None` where nothing can be made of the rest.
    pub(super) value: Option<T>,
    /// Why something was left out.
    pub(super) faults: Vec<Fault>,
    /// Where that stood; for a misspelt key, where what was probably meant would have stood.
    pub(super) left_out: BTreeSet<Path>,
    /// What of the tree is not in the value.
    pub(super) omitted: BTreeSet<Path>,
}

/// Decodes as much of the tree as can be.
pub(super) fn decode<T: DeserializeOwned>(root: &Node) -> Decoded<T> {
    let mut faults = Vec::<Fault>::new();
    let mut omitted = BTreeSet::new();
    // What the file tries to say, though wrongly: it is not missing.
    let mut left_out = BTreeSet::new();
    while faults.len() < FAULTS_MAX {
        let fault = match T::deserialize(Decoder { node: root, path: Path::default(), omitted: &omitted }) {
            Ok(value) => return Decoded { value: Some(value), faults, left_out, omitted },
            Err(fault) => fault,
        };
        // Where leaving out the value itself did not help, what surrounds it goes. That ends at the root.
        let mut path = Some(fault.path.clone());
        while path.as_ref().is_some_and(|path| omitted.contains(path)) {
            path = path.and_then(|path| path.parent());
        }
        let Some(path) = path else { break };
        let is_new = path == fault.path;
        omitted.insert(path.clone());
        // A key that resembles none says nothing about any.
        if !(is_new && matches!(fault.kind, Kind::Unknown(None))) {
            left_out.insert(fault.meant().filter(|_| is_new).unwrap_or(path));
        }
        if is_new && !fault.absent().is_some_and(|path| left_out.contains(&path)) {
            faults.push(fault);
        }
    }
    Decoded { value: None, faults, left_out, omitted }
}

impl Fault {
    /// The required key that is absent.
    fn absent(&self) -> Option<Path> {
        match self.kind {
            Kind::Missing(key) => Some(self.path.child(key)),
            _ => None,
        }
    }

    /// What an unknown key was probably meant to be.
    fn meant(&self) -> Option<Path> {
        match self.kind {
            Kind::Unknown(Some(meant)) => Some(self.path.parent()?.child(meant)),
            _ => None,
        }
    }

    fn new(message: String, help: String, kind: Kind) -> Self {
        Self { path: Path::default(), part: Part::Value, message, help, kind }
    }

    fn at(mut self, path: &Path, part: Part) -> Self {
        match self.kind {
            Kind::Placed => return self,
            Kind::Unplaced => self.kind = Kind::Placed,
            // These two name their place and keep what they know about it.
            Kind::Missing(_) | Kind::Unknown(_) if !self.path.steps().is_empty() => return self,
            Kind::Missing(_) | Kind::Unknown(_) => {}
        }
        self.path = path.clone();
        self.part = part;
        self
    }

    fn unknown(what: &str, word: &str, known: &'static [&'static str]) -> Self {
        let (help, meant) = advice(what, word, known);
        Self::new(format!("unknown {what} `{word}`"), help, Kind::Unknown(meant))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string(), String::new(), Kind::Unplaced)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("the number {value}"),
            Unexpected::Signed(value) => format!("the number {value}"),
            Unexpected::Float(value) => format!("the number {value}"),
            Unexpected::Str(value) => format!("the text `{value}`"),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a section with keys".to_owned(),
            other => other.to_string(),
        };
        let expected = match expected.to_string().as_str() {
            "a boolean" => "`true` or `false`".to_owned(),
            "a string" => "text (numbers in quotes)".to_owned(),
            "f64" => "a number".to_owned(),
            "a sequence" => "a list".to_owned(),
            other => other.to_owned(),
        };
        Self::custom(format_args!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut fault = Self::unknown("value", variant, expected);
        fault.kind = Kind::Unplaced;
        fault
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("key", field, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the key `{field}` is missing here"), String::new(), Kind::Missing(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is given twice, under two of its names; keep one"))
    }
}

/// Presents a [`Node`] to serde, without what is omitted.
struct Decoder<'a> {
    node: &'a Node,
    path: Path,
    omitted: &'a BTreeSet<Path>,
}

impl<'a> Decoder<'a> {
    fn unexpected(&self) -> Unexpected<'a> {
        match self.node {
            Node::Null => Unexpected::Unit,
            Node::Bool(value) => Unexpected::Bool(*value),
            Node::Unsigned(value) => Unexpected::Unsigned(*value),
            Node::Signed(value) => Unexpected::Signed(*value),
            Node::Float(value) => Unexpected::Float(*value),
            Node::Text(value) => Unexpected::Str(value),
            Node::List(_) => Unexpected::Seq,
            Node::Map(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (path, omitted) = (self.path, self.omitted);
        let result = match self.node {
            Node::Null => Err(de::Error::custom("a value is missing here; write one or remove the key")),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Unsigned(value) => visitor.visit_u64(*value),
            Node::Signed(value) => visitor.visit_i64(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::Text(value) => visitor.visit_str(value),
            Node::List(items) => {
                visitor.visit_seq(ListAccess { items, next: 0, path: path.clone(), omitted })
            }
            Node::Map(entries) => {
                visitor.visit_map(MapAccess { entries, value: None, path: path.clone(), omitted })
            }
        };
        result.map_err(|fault| fault.at(&path, Part::Value))
    }

    /// serde would also take a list for a struct, which nobody means.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.node {
            Node::Map(_) | Node::Null => self.deserialize_any(visitor),
            _ => {
                Err(<Fault as de::Error>::invalid_type(self.unexpected(), &visitor)
                    .at(&self.path, Part::Value))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let path = self.path.clone();
        let result = match self.node {
            Node::Null => self.deserialize_any(visitor),
            Node::Text(text) => {
                let word: StrDeserializer<'_, Fault> = text.as_str().into_deserializer();
                visitor.visit_enum(word).map_err(|fault| match variants.contains(&text.as_str()) {
                    // It is one of them, but one that has keys.
                    true => {
                        let message = format!("`{text}` does not say enough on its own");
                        Fault::new(message, with_a_value(text), Kind::Unplaced)
                    }
                    false => fault,
                })
            }
            Node::Map(entries) if entries.len() == 1 => {
                let (variant, value) = &entries[0];
                let content = Self { node: value, path: path.child(variant), omitted: self.omitted };
                visitor.visit_enum(Variant { variant, content })
            }
            _ => Err(de::Error::invalid_type(
                self.unexpected(),
                &format!("one of {}", one_of(variants)).as_str(),
            )),
        };
        result.map_err(|fault| fault.at(&path, Part::Value))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct ListAccess<'a> {
    items: &'a [Node],
    next: usize,
    path: Path,
    omitted: &'a BTreeSet<Path>,
}

impl<'de> de::SeqAccess<'de> for ListAccess<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        while let Some(node) = self.items.get(self.next) {
            let path = self.path.child(self.next);
            self.next += 1;
            if !self.omitted.contains(&path) {
                return seed.deserialize(Decoder { node, path, omitted: self.omitted }).map(Some);
            }
        }
        Ok(None)
    }
}

struct MapAccess<'a> {
    entries: &'a [(String, Node)],
    value: Option<Decoder<'a>>,
    path: Path,
    omitted: &'a BTreeSet<Path>,
}

impl<'de> de::MapAccess<'de> for MapAccess<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while let Some(((key, node), rest)) = self.entries.split_first() {
            self.entries = rest;
            let path = self.path.child(key);
            if !self.omitted.contains(&path) {
                let decoder: StrDeserializer<'_, Fault> = key.as_str().into_deserializer();
                let key = seed.deserialize(decoder).map_err(|fault| fault.at(&path, Part::Key))?;
                self.value = Some(Decoder { node, path, omitted: self.omitted });
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let value =
            self.value.take().ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        seed.deserialize(value)
    }
}

/// `{zipf: {theta: 0.9}}`: a variant with its content.
struct Variant<'a> {
    variant: &'a str,
    content: Decoder<'a>,
}

impl<'de, 'a> de::EnumAccess<'de> for Variant<'a> {
    type Error = Fault;
    type Variant = Decoder<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Decoder<'a>), Fault> {
        let decoder: StrDeserializer<'_, Fault> = self.variant.into_deserializer();
        let variant = seed.deserialize(decoder).map_err(|fault| fault.at(&self.content.path, Part::Key))?;
        Ok((variant, self.content))
    }
}

impl<'de> de::VariantAccess<'de> for Decoder<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        let fault: Fault = de::Error::custom("this word has no keys of its own; write it alone");
        Err(fault.at(&self.path, Part::Key))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_struct("", fields, visitor)
    }
}
