//! Finds near misses: labels and names that differ by a slip of the hand from what was meant.

use std::collections::BTreeSet;

use crate::select::{Labels, NAMESPACE_NAME, Requirement, Selector};

/// How the labels of an object almost meet a requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NearLabel {
    /// The value differs only in upper and lower case.
    ValueCase {
        /// What the selector asks for.
        wanted: String,
        /// What the object has.
        found: String,
    },
    /// The value differs in one letter, or two are swapped.
    ValueTypo {
        /// What the selector asks for.
        wanted: String,
        /// What the object has.
        found: String,
    },
    /// The key differs only in upper and lower case; the value is one that the selector asks for.
    KeyCase {
        /// The key that the object has.
        found: String,
    },
    /// The key differs in one letter, or two are swapped; the value is one that the selector asks
    /// for.
    KeyTypo {
        /// The key that the object has.
        found: String,
    },
    /// The value is there, under quite another key.
    OtherKey {
        /// The key that the object has it under.
        found: String,
        /// The value, which is the one that the selector asks for.
        value: String,
    },
    /// The value is the namespace's name, which is a label of it under
    /// `kubernetes.io/metadata.name` only.
    NamespaceName {
        /// The value, which is the one that the selector asks for.
        value: String,
    },
}

/// How these labels almost meet a requirement that they do not meet.
pub(crate) fn near_label(requirement: &Requirement, labels: &Labels) -> Option<NearLabel> {
    match requirement {
        Requirement::In(key, values) => match labels.get(key) {
            Some(found) => near_value(values, found),
            None => near_key(key, labels, |value| values.contains(value)),
        }
        .or_else(|| elsewhere(key, values, labels)),
        Requirement::Exists(key) => near_key(key, labels, |_| true),
        // A condition that a label must not be there is not almost met.
        Requirement::NotIn(..) | Requirement::DoesNotExist(_) => None,
    }
}

/// How these labels almost meet a selector that they do not meet: by a slip in each condition that
/// fails, of which the first is told.
pub(crate) fn near_selector<'a>(
    selector: &'a Selector,
    labels: &Labels,
) -> Option<(&'a Requirement, NearLabel)> {
    let value = |requirement: &Requirement| labels.get(requirement.key()).map(String::as_str);
    let failing = selector.requirements().filter(|one| !one.holds(value(one)));
    let near = failing.map(|one| Some((one, near_label(one, labels)?)));
    near.collect::<Option<Vec<_>>>()?.into_iter().next()
}

fn near_value(values: &BTreeSet<String>, found: &str) -> Option<NearLabel> {
    let found = found.to_owned();
    if let Some(wanted) = values.iter().find(|wanted| differ_in_case(wanted, &found)) {
        return Some(NearLabel::ValueCase { wanted: wanted.clone(), found });
    }
    let wanted = values.iter().find(|wanted| is_slip(wanted, &found))?;
    Some(NearLabel::ValueTypo { wanted: wanted.clone(), found })
}

fn near_key(key: &str, labels: &Labels, fits: impl Fn(&str) -> bool) -> Option<NearLabel> {
    let fitting = || labels.iter().filter(|(_, value)| fits(value)).map(|(found, _)| found);
    if let Some(found) = fitting().find(|found| differ_in_case(key, found)) {
        return Some(NearLabel::KeyCase { found: found.clone() });
    }
    let found = fitting().find(|found| is_slip(key, found))?;
    Some(NearLabel::KeyTypo { found: found.clone() })
}

fn elsewhere(key: &str, values: &BTreeSet<String>, labels: &Labels) -> Option<NearLabel> {
    let speaks = |value: &str| !matches!(value, "" | "true" | "false");
    let mut others = labels
        .iter()
        .filter(|(other, value)| *other != key && values.contains(*value) && speaks(value));
    let (found, value) = others.next()?;
    let (found, value) = (found.clone(), value.clone());
    Some(match found.as_str() {
        NAMESPACE_NAME => NearLabel::NamespaceName { value },
        _ => NearLabel::OtherKey { found, value },
    })
}

/// All labels of a namespace, with the one that the API server sets.
pub(crate) fn namespace_labels(name: &str, labels: Option<&Labels>) -> Labels {
    let mut labels = labels.cloned().unwrap_or_default();
    labels.insert(NAMESPACE_NAME.to_owned(), name.to_owned());
    labels
}

fn differ_in_case(one: &str, other: &str) -> bool {
    one != other && one.eq_ignore_ascii_case(other)
}

/// Whether one is the other with one letter more, less or changed, or with two neighbours swapped.
/// A digit is no letter here: `v1` and `v2`, or `db-0` and `db-10`, are different things and meant
/// to be; and neither is anything in words too short to tell.
pub(crate) fn is_slip(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    if long.len() < 3 || long.len() - short.len() > 1 {
        return false;
    }
    let start = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let (short, long) = (&short[start..], &long[start..]);
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    match (short, long) {
        (_, [more, rest @ ..]) if rest == short => !is_digit(more),
        ([a, short @ ..], [b, long @ ..]) if short == long => !is_digit(a) && !is_digit(b),
        ([a, b, short @ ..], [c, d, long @ ..]) => {
            a == d && b == c && short == long && !is_digit(a) && !is_digit(b)
        }
        _ => false,
    }
}

#[cfg(test)]
#[path = "near_miss_tests.rs"]
mod tests;
