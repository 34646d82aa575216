//! Reads JSON the way the API server does: a `null` is a field, or an element, that was left out,
//! and an object is never a list.

use serde::{Deserialize, Deserializer};

/// A field that may be absent or null.
pub(crate) fn optional<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list that may be absent or null, and so may its elements.
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    let elements: Vec<Option<T>> = optional(deserializer)?;
    Ok(elements.into_iter().map(Option::unwrap_or_default).collect())
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
