//! `metav1.LabelSelector`: how objects write a selector.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    json,
    rejected::{InField, PolicyFault, PolicyProblem},
    syntax,
};
use crate::{
    select::{Requirement, RequirementForm, Selector},
    shape::{Shape, only},
};

/// A selector as an object writes it. All of both lists has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that have to be there with exactly this value; null means the empty one.
    #[serde(default, deserialize_with = "json::optional")]
    pub match_labels: BTreeMap<String, Option<String>>,
    /// Conditions on labels, all of which have to hold beside `matchLabels`.
    #[serde(default, deserialize_with = "json::list")]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// The fields of a selector.
pub(super) static SELECTOR: Shape = only! {
    "matchLabels": Shape::Names,
    "matchExpressions": Shape::List(&only! {
        "key": Shape::Any, "operator": Shape::Any, "values": Shape::Any,
    }),
};

/// `LabelSelectorRequirement` of `metav1`: a condition on one label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self")]
pub struct LabelSelectorRequirement {
    /// The key of the label that the condition is on.
    #[serde(default, deserialize_with = "json::optional")]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    #[serde(default, deserialize_with = "json::optional")]
    pub operator: String,
    /// The values, for `In` and `NotIn` and no other operator.
    #[serde(default, deserialize_with = "json::list")]
    pub values: Vec<String>,
}

json::only_from_objects!(LabelSelector, LabelSelectorRequirement);

impl LabelSelector {
    pub(super) fn compile(&self) -> Result<Selector, PolicyFault> {
        let labels = self.match_labels.iter().map(|(key, value)| {
            let label = equal(key, value.as_deref().unwrap_or_default()).at("matchLabels")?;
            Ok((label, RequirementForm::AsLabel))
        });
        let expressions = self.match_expressions.iter().enumerate().map(|(index, one)| {
            let expression = one.compile().at_index("matchExpressions", index)?;
            Ok((expression, RequirementForm::AsExpression))
        });
        labels.chain(expressions).collect()
    }

    /// Compiles the selector of a custom resource, in which a label that is null is absent.
    pub(super) fn compile_custom(&self) -> Result<Selector, PolicyFault> {
        let mut written = self.clone();
        written.match_labels.retain(|_, value| value.is_some());
        written.compile()
    }
}

fn equal(key: &str, value: &str) -> Result<Requirement, PolicyProblem> {
    Ok(Requirement::In(label_key(key)?, BTreeSet::from([label_value(value)?])))
}

impl LabelSelectorRequirement {
    fn compile(&self) -> Result<Requirement, PolicyFault> {
        let key = || label_key(&self.key).at("key");
        match self.operator.as_str() {
            "In" => Ok(Requirement::In(key()?, self.some_values()?)),
            "NotIn" => Ok(Requirement::NotIn(key()?, self.some_values()?)),
            "Exists" => self.no_values().and_then(|()| Ok(Requirement::Exists(key()?))),
            "DoesNotExist" => self.no_values().and_then(|()| Ok(Requirement::DoesNotExist(key()?))),
            other => Err(PolicyProblem::Operator(other.to_owned())).at("operator"),
        }
    }

    fn some_values(&self) -> Result<BTreeSet<String>, PolicyFault> {
        if self.values.is_empty() {
            return Err(PolicyProblem::ValuesMissing).at("values");
        }
        let checked =
            |(index, value): (usize, &String)| label_value(value).at_index("values", index);
        self.values.iter().enumerate().map(checked).collect()
    }

    fn no_values(&self) -> Result<(), PolicyFault> {
        if self.values.is_empty() {
            Ok(())
        } else {
            Err(PolicyProblem::ValuesUnwanted).at("values")
        }
    }
}

fn label_key(key: &str) -> Result<String, PolicyProblem> {
    if syntax::is_label_key(key) {
        Ok(key.to_owned())
    } else {
        Err(PolicyProblem::LabelKey(key.to_owned()))
    }
}

fn label_value(value: &str) -> Result<String, PolicyProblem> {
    if syntax::is_label_value(value) {
        Ok(value.to_owned())
    } else {
        Err(PolicyProblem::LabelValue(value.to_owned()))
    }
}
