//! Values that can be written in more than one way.

use super::file::Distribution;
use super::units::Size;
use crate::plan::Reference;
use serde::de::value::{F64Deserializer, MapAccessDeserializer, StrDeserializer, U64Deserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
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
                f.write_str("text, a number, `true` or `false`")
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

/// Where a range begins: somewhere, or at a byte.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Offset {
    /// At a multiple of the range's length, drawn anew each time.
    #[default]
    Random,
    /// At this byte.
    At(Size),
}

const RANDOM: &str = "random";

impl Serialize for Offset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Random => serializer.serialize_str(RANDOM),
            Self::At(size) => size.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RandomOrSize;

        impl Visitor<'_> for RandomOrSize {
            type Value = Offset;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`random` or a size such as `4KiB`")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Offset, E> {
                Size::deserialize(U64Deserializer::new(value)).map(Offset::At)
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Offset, E> {
                Size::deserialize(F64Deserializer::new(value)).map(Offset::At)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Offset, E> {
                match value {
                    RANDOM => Ok(Offset::Random),
                    _ => Size::deserialize(StrDeserializer::new(value)).map(Offset::At),
                }
            }
        }

        deserializer.deserialize_any(RandomOrSize)
    }
}

/// Where a secret stands. The secret itself is refused: a configuration is sent to agents and kept with results.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secret(pub Reference);

impl Secret {
    /// What it refers to; `None` when the text is no reference, and so perhaps the secret itself.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("env", name) if is_variable(name) => Some(Self(Reference::Env(name.to_owned()))),
            ("file", path) if path.starts_with('/') => Some(Self(Reference::File(path.into()))),
            _ => None,
        }
    }
}

fn is_variable(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit())
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Referred;

        // What is refused is never quoted: it may be the secret.
        fn refused<E: de::Error>() -> E {
            E::custom(
                "a secret cannot stand in a configuration, which agents and results get; write `env:NAME` (a variable \
                 in each agent's environment) or `file:/path` (a file on each agent's host)",
            )
        }

        impl Visitor<'_> for Referred {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`env:NAME` or `file:/path`")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Secret, E> {
                Secret::parse(value).ok_or_else(refused)
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
                Err(refused())
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
                Err(refused())
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
                Err(refused())
            }
        }

        deserializer.deserialize_any(Referred)
    }
}

/// Who asks: `env`, `anonymous`, `profile:NAME`, or references to what proves it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Credentials {
    /// What the provider's own tools find in the environment.
    #[default]
    Environment,
    /// Nobody.
    Anonymous,
    /// A profile of the AWS credentials file.
    Profile(String),
    /// Something that is referred to.
    Referred(CredentialKeys),
}

/// The keys of a `credentials` section.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "`env`, `anonymous`, `profile:NAME`, or a section with keys"
)]
pub struct CredentialKeys {
    /// The key's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<Secret>,
    /// The secret that belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<Secret>,
    /// The token of temporary credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token: Option<Secret>,
    /// One secret alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// A Google service account's key file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
}

impl Serialize for Credentials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Environment => serializer.serialize_str("env"),
            Self::Anonymous => serializer.serialize_str("anonymous"),
            Self::Profile(name) => serializer.collect_str(&format_args!("profile:{name}")),
            Self::Referred(keys) => keys.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Credentials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrSection;

        impl<'de> Visitor<'de> for WordOrSection {
            type Value = Credentials;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`env`, `anonymous`, `profile:NAME`, or a section with keys such as `access_key: env:NAME`")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Credentials, E> {
                match value.split_once(':') {
                    None if value == "env" => Ok(Credentials::Environment),
                    None if value == "anonymous" => Ok(Credentials::Anonymous),
                    Some(("profile", name)) if !name.is_empty() => Ok(Credentials::Profile(name.to_owned())),
                    // It may be a secret: it is not quoted.
                    _ => Err(E::custom(format_args!("expected {}", &self as &dyn de::Expected))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Credentials, A::Error> {
                CredentialKeys::deserialize(MapAccessDeserializer::new(access)).map(Credentials::Referred)
            }
        }

        deserializer.deserialize_any(WordOrSection)
    }
}
