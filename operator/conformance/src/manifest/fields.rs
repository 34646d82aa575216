//! Finds fields that objects cannot have. Such a field is a slip of the hand, and its meaning would
//! be lost in silence; it is told with the field that was meant.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    Header,
    kind::Treatment,
    rejection::ObjectProblem,
    shapes,
    suggestion::{Suggestion, is_slip_of_any},
};
use crate::shape::{OtherFields, Shape};

/// How the text of an object came about, which decides what an unknown field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Somebody wrote the text into a file: a field that no API server knows is a slip.
    ByHand,
    /// An API server wrote the text, and leaves out what it does not know: a field that is not
    /// known here is of a later version of the API, and matters where policies say what they mean.
    ByApiServer,
}

/// A field that an object cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit<'a> {
    /// The way to the field, such as `spec.ingress[0].form`.
    pub field: String,
    /// The name of the field, as a piece of the text that the object was read from; none if the
    /// text has the name with escapes.
    pub name: Option<&'a str>,
    /// What is wrong with the field.
    pub problem: ObjectProblem,
}

/// The fields of an object that a kind with this header cannot have, in their order. Kinds that are
/// not read may have any fields. Values are not judged here.
///
/// ```
/// use netproof_conformance::manifest::{Header, Written, misfits};
///
/// let object = r#"{
///     "apiVersion": "networking.k8s.io/v1",
///     "kind": "NetworkPolicy",
///     "metadata": {"name": "db"},
///     "spec": {"podSelectors": {}}
/// }"#;
/// let header: Header = serde_json::from_str(object)?;
/// let text = &mut serde_json::Deserializer::from_str(object);
/// let found = misfits(&header, Written::ByHand, text)?;
/// assert_eq!(found[0].field, "spec.podSelectors");
/// assert!(found[0].problem.to_string().contains("did you mean podSelector?"));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn misfits<'a, D: Deserializer<'a>>(
    header: &Header,
    written: Written,
    object: D,
) -> Result<Vec<Misfit<'a>>, D::Error> {
    let shape = match Treatment::of(&header.api_version, &header.kind) {
        Treatment::Read(kind) => match written {
            Written::ByHand => Some(shapes::of(kind)),
            Written::ByApiServer => shapes::of_meaning(kind),
        },
        Treatment::Refused(_)
        | Treatment::Outdated(_)
        | Treatment::Misspelt(_)
        | Treatment::NotEvaluated
        | Treatment::Skipped => None,
    };
    shape.map_or_else(|| Ok(Vec::new()), |shape| misfits_of(shape, written, object))
}

/// The fields that a list of objects cannot have.
///
/// ```
/// use netproof_conformance::manifest::misfits_of_list;
///
/// let list = r#"{"apiVersion": "v1", "kind": "List", "item": []}"#;
/// let found = misfits_of_list(&mut serde_json::Deserializer::from_str(list))?;
/// assert_eq!(found[0].field, "item");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn misfits_of_list<'a, D: Deserializer<'a>>(list: D) -> Result<Vec<Misfit<'a>>, D::Error> {
    misfits_of(&shapes::LIST, Written::ByHand, list)
}

fn misfits_of<'a, D: Deserializer<'a>>(
    shape: &'static Shape,
    written: Written,
    object: D,
) -> Result<Vec<Misfit<'a>>, D::Error> {
    let mut found = Vec::new();
    let mut search = FieldSearch { written, around: Vec::new(), found: &mut found };
    Look { shape, search: &mut search }.deserialize(object)?;
    Ok(found)
}

/// A search through one object.
struct FieldSearch<'s, 'a> {
    written: Written,
    around: Vec<Around>,
    found: &'s mut Vec<Misfit<'a>>,
}

/// What surrounds the value that is looked at.
struct Around {
    /// The shape of the object; none for a list.
    shape: Option<&'static Shape>,
    /// The field of the object, or the element of the list.
    step: String,
}

impl<'a> FieldSearch<'_, 'a> {
    fn misfit(&mut self, name: &FieldName<'a>, problem: ObjectProblem) {
        let steps = self.around.iter().map(|around| around.step.as_str());
        let field = way(steps.chain([name.text()]));
        self.found.push(Misfit { field, name: name.piece(), problem });
    }

    /// Looks into a value, with its surroundings noted meanwhile.
    fn inside<T>(&mut self, around: Around, look: impl FnOnce(&mut Self) -> T) -> T {
        self.around.push(around);
        let looked = look(self);
        self.around.pop();
        looked
    }
}

fn way<'a>(steps: impl Iterator<Item = &'a str>) -> String {
    steps.fold(String::new(), |mut way, step| {
        if !way.is_empty() && !step.starts_with('[') {
            way.push('.');
        }
        way.push_str(step);
        way
    })
}

/// A look at one value.
struct Look<'l, 's, 'a> {
    shape: &'static Shape,
    search: &'l mut FieldSearch<'s, 'a>,
}

impl<'a> DeserializeSeed<'a> for Look<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.shape {
            Shape::Any => deserializer.deserialize_ignored_any(IgnoredAny).map(drop),
            Shape::Names | Shape::List(_) | Shape::Object { .. } => {
                deserializer.deserialize_any(self)
            }
        }
    }
}

impl<'a> Visitor<'a> for Look<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut fields: A) -> Result<(), A::Error> {
        let Self { shape, search } = self;
        let mut seen: Vec<FieldName<'a>> = Vec::new();
        let mut unknown: Vec<FieldName<'a>> = Vec::new();
        while let Some(name) = fields.next_key_seed(KeySeed)? {
            let is_twice = seen.iter().any(|one| one.text() == name.text());
            if is_twice && shape.has_once(name.text()) {
                search.misfit(&name, ObjectProblem::FieldTwice);
            }
            let around = |step: &str| Around { shape: Some(shape), step: step.to_owned() };
            if let Some(field) = shape.field(name.text()) {
                search.inside(around(name.text()), |search| {
                    fields.next_value_seed(Look { shape: field, search })
                })?;
            } else {
                fields.next_value::<IgnoredAny>()?;
                unknown.push(name.clone());
            }
            seen.push(name);
        }
        for name in unknown {
            let present: Vec<&str> = seen.iter().map(FieldName::text).collect();
            if let Some(problem) = search.unknown(shape, name.text(), &present) {
                search.misfit(&name, problem);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { shape, search } = self;
        let element = if let Shape::List(element) = shape { *element } else { &Shape::Any };
        for index in 0.. {
            let around = Around { shape: None, step: format!("[{index}]") };
            let one = search.inside(around, |search| {
                elements.next_element_seed(Look { shape: element, search })
            })?;
            if one.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }
}

impl FieldSearch<'_, '_> {
    /// What is wrong with a field that an object of this shape does not have, if anything is.
    fn unknown(
        &self,
        shape: &'static Shape,
        name: &str,
        present: &[&str],
    ) -> Option<ObjectProblem> {
        let refused = match (shape, self.written) {
            (Shape::Any | Shape::Names | Shape::List(_), _) => false,
            (Shape::Object { others, .. }, Written::ByHand) => match others {
                OtherFields::Refused | OtherFields::Unspecified => true,
                OtherFields::OfLaterVersions { read } => is_slip_of_any(name, read),
            },
            (Shape::Object { others, .. }, Written::ByApiServer) => match others {
                OtherFields::Refused => true,
                OtherFields::Unspecified | OtherFields::OfLaterVersions { .. } => false,
            },
        };
        refused.then(|| match self.written {
            Written::ByHand => {
                let outer = self.around.iter().filter_map(|around| around.shape);
                let outer: Vec<&'static Shape> = outer.collect();
                ObjectProblem::UnknownField(Suggestion::of(name, shape, present, &outer))
            }
            Written::ByApiServer => ObjectProblem::NewField,
        })
    }
}

/// The name of a field.
#[derive(Clone, Debug)]
enum FieldName<'a> {
    /// The name as a piece of the text.
    Piece(&'a str),
    /// The name that the text has with escapes, so that it is no piece of the text.
    Escaped(String),
}

impl<'a> FieldName<'a> {
    fn text(&self) -> &str {
        match self {
            Self::Piece(text) => text,
            Self::Escaped(text) => text,
        }
    }

    fn piece(&self) -> Option<&'a str> {
        match self {
            Self::Piece(text) => Some(text),
            Self::Escaped(_) => None,
        }
    }
}

struct KeySeed;

impl<'a> DeserializeSeed<'a> for KeySeed {
    type Value = FieldName<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<FieldName<'a>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for KeySeed {
    type Value = FieldName<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E: de::Error>(self, name: &'a str) -> Result<FieldName<'a>, E> {
        Ok(FieldName::Piece(name))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<FieldName<'a>, E> {
        Ok(FieldName::Escaped(name.to_owned()))
    }
}
