//! `metav1.ObjectMeta`, as much of it as decides, and the checks that all objects share.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Deserializer, de};

use super::rejection::{At, ObjectFault, ObjectProblem};
use crate::{
    policy::{self, json, syntax},
    reference::ObjectRef,
    select::Labels,
};

/// The metadata of an object, as far as it decides something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub(super) struct ManifestMetadata {
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) namespace: String,
    #[serde(default, deserialize_with = "labels")]
    pub(super) labels: Labels,
    #[serde(default, deserialize_with = "json::list")]
    pub(super) owner_references: Vec<OwnerReference>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub(super) struct OwnerReference {
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) api_version: String,
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) name: String,
    #[serde(default, deserialize_with = "json::optional")]
    pub(super) controller: bool,
}

json::only_from_objects!(ManifestMetadata, OwnerReference);

/// A map of strings to strings that may be absent or null; a null value is the empty one, as in
/// Go. A key that is there twice is refused.
pub(super) fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
    deserializer.deserialize_option(LabelsVisitor)
}

struct LabelsVisitor;

impl<'de> de::Visitor<'de> for LabelsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with strings for values")
    }

    fn visit_none<E>(self) -> Result<Labels, E> {
        Ok(Labels::new())
    }

    fn visit_unit<E>(self) -> Result<Labels, E> {
        Ok(Labels::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Labels, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Labels, A::Error> {
        let mut labels = Labels::new();
        while let Some((key, value)) = entries.next_entry::<String, Option<String>>()? {
            if labels.contains_key(&key) {
                return Err(de::Error::custom(format_args!("duplicate field `{key}`")));
            }
            labels.insert(key, value.unwrap_or_default());
        }
        Ok(labels)
    }
}

impl ManifestMetadata {
    /// The name of an object that is in a namespace.
    pub(super) fn namespaced(&self, default_namespace: &str) -> ObjectRef {
        let namespace = match self.namespace.as_str() {
            "" => default_namespace,
            written => written,
        };
        ObjectRef { namespace: namespace.to_owned(), name: self.name.clone() }
    }

    /// The name of an object that is in none.
    pub(super) fn in_no_namespace(&self) -> ObjectRef {
        ObjectRef { namespace: String::new(), name: self.name.clone() }
    }
}

/// Checks the name of an object that is in a namespace.
pub(super) fn check_namespaced(name: &ObjectRef) -> Result<(), ObjectFault> {
    check_name(&name.name, syntax::is_dns_subdomain).at(|| "metadata.name".to_owned())?;
    check_name(&name.namespace, syntax::is_dns_label).at(|| "metadata.namespace".to_owned())
}

/// Checks a name by the rule of its kind.
pub(super) fn check_name(name: &str, is_valid: impl Fn(&str) -> bool) -> Result<(), ObjectProblem> {
    match name {
        "" => Err(ObjectProblem::Missing),
        name if is_valid(name) => Ok(()),
        name => Err(policy::PolicyProblem::Name(name.to_owned()).into()),
    }
}

/// Checks the keys and values of labels.
pub(super) fn check_labels(labels: &Labels, field: &str) -> Result<(), ObjectFault> {
    labels.iter().try_for_each(|(key, value)| {
        let checked = if !syntax::is_label_key(key) {
            Err(policy::PolicyProblem::LabelKey(key.clone()))
        } else if !syntax::is_label_value(value) {
            Err(policy::PolicyProblem::LabelValue(value.clone()))
        } else {
            Ok(())
        };
        checked.at(|| format!("{field}.{key}"))
    })
}

/// Reads an address, or says that it is none.
pub(super) fn address(text: &str) -> Result<IpAddr, ObjectProblem> {
    text.parse().map_err(|_| ObjectProblem::Address(text.to_owned()))
}
