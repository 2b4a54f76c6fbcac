//! Conditions over what steps gave and variables hold.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::template::text_of;
use crate::text_enum::text_enum;

text_enum! {
    /// How a condition compares.
    pub enum Operator {
        /// It is this.
        Equals = "equals",
        /// It is not this.
        NotEquals = "notEquals",
        /// A text with this in it, a list with this element, an object with this name.
        Contains = "contains",
        /// None of these.
        NotContains = "notContains",
        /// A number, or a text in the order of the alphabet, above this.
        GreaterThan = "greaterThan",
        /// Below this.
        LessThan = "lessThan",
        /// There is something.
        Exists = "exists",
        /// There is nothing.
        NotExists = "notExists",
    }
}

/// Compares a field with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// A path such as `verdict` or `steps.review.output.score`.
    pub field: String,
    /// How it compares.
    pub operator: Operator,
    /// With what; nothing for `exists` and `notExists`.
    #[serde(default)]
    pub value: Value,
}

impl Condition {
    /// Whether it holds of what its field is. What agents write ends in blank lines often: texts are compared without blanks
    /// around them. A number and the text that writes it are the same.
    pub fn holds(&self, found: Option<&Value>) -> bool {
        let found = found.filter(|value| !value.is_null());
        match self.operator {
            Operator::Exists => found.is_some(),
            Operator::NotExists => found.is_none(),
            Operator::Equals => found.is_some_and(|found| same(found, &self.value)),
            Operator::NotEquals => !found.is_some_and(|found| same(found, &self.value)),
            Operator::Contains => found.is_some_and(|found| holds_in(found, &self.value)),
            Operator::NotContains => !found.is_some_and(|found| holds_in(found, &self.value)),
            Operator::GreaterThan => found.and_then(|found| order(found, &self.value)) == Some(Ordering::Greater),
            Operator::LessThan => found.and_then(|found| order(found, &self.value)) == Some(Ordering::Less),
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a == b;
    }
    a == b || (scalar(a) && scalar(b) && text_of(a).trim() == text_of(b).trim())
}

fn scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

fn holds_in(found: &Value, sought: &Value) -> bool {
    match found {
        Value::String(text) => scalar(sought) && text.contains(text_of(sought).trim()),
        Value::Array(list) => list.iter().any(|element| same(element, sought)),
        Value::Object(fields) => sought.as_str().is_some_and(|name| fields.contains_key(name.trim())),
        _ => false,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(a.as_str()?.trim().cmp(b.as_str()?.trim())),
    }
}
