//! Guesses what was meant by a field that an object cannot have.

use std::fmt;

use crate::shape::Shape;

/// The likeness, from 0 to 1, above which two names are taken for each other.
const ALIKE: f64 = 0.8;

/// How many fields are all told; of more, only the nearest is.
const FEW: usize = 6;

/// What may have been meant by a field that an object cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suggestion {
    /// A field of the same object with a similar name.
    Nearest(&'static str),
    /// The same name in the object in this field: the text is indented less than it should be.
    Inside(&'static str),
    /// The same name in an object further out, which is in this field.
    Outside(&'static str),
    /// One of these fields, or none if there are none: the field is to go.
    Any(Vec<&'static str>),
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nearest(field) => write!(f, "did you mean {field}?"),
            Self::Inside(field) => write!(f, "it is one of {field}: indent it below that"),
            Self::Outside("") => f.write_str("it is one of the object itself: move it out there"),
            Self::Outside(field) => write!(f, "it is one of {field}: move it out there"),
            Self::Any(fields) => match fields.as_slice() {
                [] => f.write_str("leave it out"),
                [only] => write!(f, "there is only {only}"),
                [fields @ .., last] => write!(f, "there are {} and {last}", fields.join(", ")),
            },
        }
    }
}

impl Suggestion {
    /// What was meant by this name in an object of this shape that has these fields, with these
    /// around it.
    pub(super) fn of(
        name: &str,
        shape: &'static Shape,
        present: &[&str],
        outer: &[&'static Shape],
    ) -> Self {
        let fields: Vec<&'static str> = shape.fields().iter().map(|(name, _)| *name).collect();
        if let Some(slip) = fields.iter().find(|field| is_slip(name, field)) {
            return Self::Nearest(slip);
        }
        let has_it = |inner: &Shape| inner.fields().iter().any(|(field, _)| *field == name);
        if let Some(field) = inside(shape, present, has_it) {
            return Self::Inside(field);
        }
        if let Some(field) = outside(name, outer) {
            return Self::Outside(field);
        }
        let alike = |field: &&&'static str| likeness(name, field);
        let nearest = fields.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)));
        if let Some(nearest) = nearest.filter(|nearest| likeness(name, nearest) > ALIKE) {
            return Self::Nearest(nearest);
        }
        // A label that stands where labels, or a selector by labels, should. The API's own fields
        // have capitals in their names, and labels have none.
        let is_like_label = !name.contains(|letter: char| letter.is_ascii_uppercase());
        let takes_any = |inner: &Shape| is_like_label && matches!(inner, Shape::Names);
        if let Some(field) = inside(shape, present, takes_any) {
            return Self::Inside(field);
        }
        match nearest {
            Some(nearest) if fields.len() > FEW => Self::Nearest(nearest),
            Some(_) | None => Self::Any(fields),
        }
    }
}

/// The field of an object of this shape with a field of that name inside; rather one that the
/// object has.
fn inside(
    shape: &'static Shape,
    present: &[&str],
    is_such: impl Fn(&Shape) -> bool,
) -> Option<&'static str> {
    let such = || shape.fields().iter().filter(|(_, inner)| is_such(inner.element()));
    let there = such().find(|(field, _)| present.contains(field));
    there.or_else(|| such().next()).map(|(field, _)| *field)
}

/// The field that holds the innermost of the surrounding objects with a field of this name.
fn outside(name: &str, outer: &[&'static Shape]) -> Option<&'static str> {
    let (place, shape) =
        outer.iter().enumerate().rev().find(|(_, shape)| shape.field(name).is_some())?;
    let holder = place.checked_sub(1).and_then(|place| outer.get(place));
    let field = holder.and_then(|holder| {
        holder.fields().iter().find(|(_, inner)| std::ptr::eq(inner.element(), *shape))
    });
    Some(field.map_or("", |(field, _)| *field))
}

/// Whether a name is one of these but for a slip of the hand.
pub(super) fn is_slip_of_any(name: &str, fields: &[&str]) -> bool {
    fields.iter().any(|field| is_slip(name, field))
}

/// Whether one name is the other but for a slip of the hand: other letters in upper case, or one or
/// two letters more, less, changed or swapped.
pub(super) fn is_slip(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    let most = if other.len() < 6 { 1 } else { 2 };
    // Of two words of which neither is more than a syllable, every letter is a slip of the other.
    one == other || (other.len() > 2 && strsim::damerau_levenshtein(&one, &other) <= most)
}

fn likeness(one: &str, other: &str) -> f64 {
    strsim::jaro_winkler(&one.to_ascii_lowercase(), &other.to_ascii_lowercase())
}
