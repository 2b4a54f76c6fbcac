//! A change of a part of something, so that of two who change different parts neither undoes the other's.

use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// The fields of a `T` that are to become others, as they came in JSON. What is absent stays; what is `null` becomes nothing.
#[derive(Debug, Clone)]
pub struct Change<T> {
    part: Map<String, Value>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Change<T> {
    /// The whole with this change. Objects in it are changed in their parts, too; lists are replaced.
    ///
    /// # Errors
    /// When what would come out is no `T`.
    pub fn over(&self, whole: &T) -> Result<T, serde_json::Error> {
        let mut changed = serde_json::to_value(whole)?;
        lay(&mut changed, &Value::Object(self.part.clone()));
        serde_json::from_value(changed)
    }
}

/// Each field must do for a `T` by itself: so a `T` takes a default for every field that is absent.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let part = Map::deserialize(deserializer)?;
        for (name, value) in &part {
            let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
            T::deserialize(alone).map_err(|error| D::Error::custom(format_args!("{name}: {error}")))?;
        }
        Ok(Self { part, of: PhantomData })
    }
}

fn lay(whole: &mut Value, part: &Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (name, value) in part {
                lay(whole.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (whole, part) => *whole = part.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::project::ProjectSettings;
    use crate::retention::Retention;

    fn change<T: DeserializeOwned>(part: Value) -> Result<Change<T>, serde_json::Error> {
        serde_json::from_value(part)
    }

    #[test]
    fn what_is_absent_stays_and_null_is_nothing() {
        let before = Retention { run_days: Some(7), ..Retention::default() };
        let part: Change<Retention> = change(json!({ "diskPercent": null, "mailDays": 3 })).unwrap();
        let after = part.over(&before).unwrap();
        assert_eq!(after, Retention { disk_percent: None, mail_days: Some(3), ..before });
        assert_eq!(change::<Retention>(json!({})).unwrap().over(&before).unwrap(), before);
    }

    #[test]
    fn objects_are_changed_in_their_parts_and_lists_are_replaced() {
        let mut before =
            ProjectSettings { verify_commands: vec!["a".to_owned(), "b".to_owned()], ..Default::default() };
        before.network.hosts = vec!["a.example".to_owned()];
        let part: Change<ProjectSettings> =
            change(json!({ "verifyCommands": ["c"], "network": { "registries": false } })).unwrap();
        let after = part.over(&before).unwrap();
        assert_eq!(after.verify_commands, ["c"]);
        assert_eq!((after.network.registries, &after.network.hosts), (false, &before.network.hosts));
    }

    #[test]
    fn what_does_not_do_is_refused_by_its_name() {
        for (part, says) in [
            (json!({ "mailDays": "x" }), "mailDays: invalid type"),
            (json!({ "mailDais": 3 }), "mailDais: unknown field"),
        ] {
            let error = change::<Retention>(part).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
