//! Reads JSON the way the API server does: a `null` is a field, or an element, that was left out,
//! and an object is never a list.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// Reads a field that may be absent or null.
pub(crate) fn optional<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a list that may be absent or null, as may its elements.
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    let elements: Vec<Option<T>> = optional(deserializer)?;
    Ok(elements.into_iter().map(Option::unwrap_or_default).collect())
}

/// Reads a number without a fraction that may be absent or null. For fields of custom resources
/// only, where `80.0` is an integer until a CEL rule looks at it; to the API's own types it is not.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(Option::<Integer>::deserialize(deserializer)?.map(|Integer(number)| number))
}

struct Integer(i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl de::Visitor<'_> for Number {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Integer, E> {
                number.try_into().map(Integer).map_err(|_| E::custom("the number is too large"))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Integer, E> {
                // Written out, it has a point or more digits than fit if it is no such number.
                let written = number.to_string().parse();
                written
                    .map(Integer)
                    .map_err(|_| E::invalid_type(de::Unexpected::Float(number), &self))
            }
        }

        deserializer.deserialize_any(Number)
    }
}

/// Deserializes these types from objects only. Serde's derived code takes a list too, for the
/// fields in their order, and so `ingress: [[]]` for a rule that admits everyone; the API server
/// refuses it. The types derive `Deserialize` with `remote = "Self"`, which leaves the trait to
/// this.
macro_rules! only_from_objects {
    ($($object:ty),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $object {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $object;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        fields: A,
                    ) -> Result<$object, A::Error> {
                        <$object>::deserialize(serde::de::value::MapAccessDeserializer::new(fields))
                    }
                }

                deserializer.deserialize_map(Fields)
            }
        }
    )+};
}

pub(crate) use only_from_objects;
