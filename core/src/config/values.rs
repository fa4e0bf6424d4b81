//! Values that can be written in more than one way.

use super::file::Distribution;
use super::units::Size;
use serde::Serialize;
use serde::de::value::{F64Deserializer, MapAccessDeserializer, StrDeserializer, U64Deserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;

/// The value of a label: any scalar, kept as text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Label(pub String);

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;

        impl Visitor<'_> for AnyScalar {
            type Value = Label;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, `true` or `false`")
            }

            fn visit_str<E>(self, value: &str) -> Result<Label, E> {
                Ok(Label(value.to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Label, E> {
                Ok(Label(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Label, E> {
                Ok(Label(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Label, E> {
                Ok(Label(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Label, E> {
                Ok(Label(value.to_string()))
            }
        }

        deserializer.deserialize_any(AnyScalar)
    }
}

/// A size, or a distribution of sizes.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(untagged)]
pub enum SizeSpec {
    /// All alike.
    Fixed(Size),
    /// Drawn for each object.
    Drawn(Distribution),
}

impl<'de> Deserialize<'de> for SizeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeOrSection;

        impl<'de> Visitor<'de> for SizeOrSection {
            type Value = SizeSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as `4KiB`, or a section with `type` and its keys")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<SizeSpec, E> {
                Size::deserialize(U64Deserializer::new(value)).map(SizeSpec::Fixed)
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<SizeSpec, E> {
                Size::deserialize(F64Deserializer::new(value)).map(SizeSpec::Fixed)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<SizeSpec, E> {
                Size::deserialize(StrDeserializer::new(value)).map(SizeSpec::Fixed)
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<SizeSpec, A::Error> {
                Distribution::deserialize(MapAccessDeserializer::new(access)).map(SizeSpec::Drawn)
            }
        }

        deserializer.deserialize_any(SizeOrSection)
    }
}
