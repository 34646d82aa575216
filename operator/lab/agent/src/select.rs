//! Label selectors: which labels satisfy which requirements.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::error::Invalid;

/// The labels of a pod or of a namespace.
pub type Labels = BTreeMap<String, String>;

/// Requirements that must all hold; without any, everything is selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<Requirement>,
    expressions: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

/// The four operators of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    DoesNotExist,
}

impl Selector {
    /// Reads a selector. The caller decides what an absent selector means: it is not an empty one.
    pub fn parse(selector: LabelSelector) -> Result<Self, Invalid> {
        let exact = selector
            .match_labels
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| Requirement { key, test: Test::In(BTreeSet::from([value])) });
        let expressions = selector.match_expressions.unwrap_or_default();
        Ok(Self {
            labels: exact.collect(),
            expressions: expressions
                .into_iter()
                .map(Requirement::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.labels.iter().chain(&self.expressions).all(|requirement| requirement.holds(labels))
    }

    /// Whether the selector has no requirement.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.expressions.is_empty()
    }

    /// Adds the requirements of another selector.
    pub fn narrow(&mut self, other: &Self) {
        self.labels.extend_from_slice(&other.labels);
        self.expressions.extend_from_slice(&other.expressions);
    }

    /// Drops the requirements that were written as `matchExpressions`.
    pub fn forget_expressions(&mut self) {
        self.expressions.clear();
    }

    /// Makes every `NotIn` require its key too.
    pub fn require_keys(&mut self) {
        let absent = |requirement: &&Requirement| matches!(requirement.test, Test::NotIn(_));
        let keys = self.expressions.iter().filter(absent);
        let there: Vec<_> = keys
            .map(|requirement| Requirement { key: requirement.key.clone(), test: Test::Exists })
            .collect();
        self.expressions.extend(there);
    }
}

impl Requirement {
    fn parse(requirement: LabelSelectorRequirement) -> Result<Self, Invalid> {
        let values: BTreeSet<_> = requirement.values.unwrap_or_default().into_iter().collect();
        let test = match (requirement.operator.as_str(), values.is_empty()) {
            ("In", false) => Test::In(values),
            ("NotIn", false) => Test::NotIn(values),
            ("Exists", true) => Test::Exists,
            ("DoesNotExist", true) => Test::DoesNotExist,
            ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {
                return Err(Invalid::Combination("In and NotIn need values, the others take none"));
            }
            (unknown, _) => return Err(Invalid::value("operator", unknown)),
        };
        Ok(Self { key: requirement.key, test })
    }

    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            // An absent key is in no set: `NotIn` selects it.
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value, reason = "a json! literal reads best as an argument")]

    use serde_json::{Value, from_value, json};

    use super::*;

    fn selects(selector: Value, labels: Value) -> bool {
        let selector = Selector::parse(from_value(selector).unwrap()).unwrap();
        selector.matches(&from_value(labels).unwrap())
    }

    fn expression(operator: &str, values: Value) -> Value {
        json!({"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]})
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        assert!(selects(json!({}), json!({})));
        assert!(selects(json!({"matchLabels": {}, "matchExpressions": []}), json!({"a": "b"})));
    }

    #[test]
    fn match_labels_needs_every_pair() {
        let selector = json!({"matchLabels": {"app": "db", "tier": "data"}});
        assert!(selects(selector.clone(), json!({"app": "db", "tier": "data", "more": ""})));
        assert!(!selects(selector, json!({"app": "db"})));
    }

    #[test]
    fn an_empty_value_needs_the_key() {
        assert!(selects(json!({"matchLabels": {"tier": ""}}), json!({"tier": ""})));
        assert!(!selects(json!({"matchLabels": {"tier": ""}}), json!({})));
    }

    #[test]
    fn in_needs_the_key_and_not_in_does_not() {
        assert!(selects(expression("In", json!(["a", "b"])), json!({"tier": "b"})));
        assert!(!selects(expression("In", json!(["a", "b"])), json!({})));
        assert!(!selects(expression("NotIn", json!(["a", "b"])), json!({"tier": "b"})));
        assert!(selects(expression("NotIn", json!(["a", "b"])), json!({"tier": "c"})));
        assert!(selects(expression("NotIn", json!(["a", "b"])), json!({})));
    }

    #[test]
    fn existence_looks_at_the_key_alone() {
        assert!(selects(expression("Exists", json!([])), json!({"tier": ""})));
        assert!(!selects(expression("Exists", json!([])), json!({})));
        assert!(selects(expression("DoesNotExist", json!([])), json!({})));
        assert!(!selects(expression("DoesNotExist", json!([])), json!({"tier": ""})));
    }

    #[test]
    fn labels_and_expressions_must_both_hold() {
        let mut selector = expression("Exists", json!([]));
        selector["matchLabels"] = json!({"app": "db"});
        assert!(selects(selector.clone(), json!({"app": "db", "tier": "x"})));
        assert!(!selects(selector.clone(), json!({"app": "db"})));
        assert!(!selects(selector, json!({"tier": "x"})));
    }

    #[test]
    fn what_the_api_refuses_is_an_error() {
        for (operator, values) in
            [("Gt", json!(["1"])), ("In", json!([])), ("Exists", json!(["a"]))]
        {
            let selector = from_value(expression(operator, values)).unwrap();
            assert!(Selector::parse(selector).is_err(), "{operator}");
        }
    }
}
