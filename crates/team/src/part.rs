//! Changes of a part of what is kept as a whole.

use guildhall_store::StoreError;
use guildhall_types::change::Change;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::TeamError;

/// The whole with a change of a part of it.
pub(crate) fn changed<T: Serialize + DeserializeOwned>(change: &Change<T>, whole: &T) -> Result<T, TeamError> {
    change.over(whole).map_err(|error| TeamError::invalid("body", error.to_string()))
}

/// The same of a setting as it is stored: as at first where it was never set.
pub(crate) fn changed_setting<T: Serialize + DeserializeOwned + Default>(
    change: &Change<T>,
    stored: Option<Value>,
) -> Result<T, TeamError> {
    let before = stored.map(serde_json::from_value).transpose().map_err(StoreError::from)?.unwrap_or_default();
    changed(change, &before)
}
