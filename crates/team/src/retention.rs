//! How long the team keeps what it no longer works with.

use guildhall_store::StoreError;
use guildhall_types::change::Change;
use guildhall_types::retention::Retention;
use serde_json::Value;

use crate::{Team, TeamError, changed_setting};

/// The name of the setting.
pub const RETENTION: &str = "retention";

impl Team {
    /// How long what is kept, as it is set now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn retention(&self) -> Result<Retention, TeamError> {
        Ok(self.store.setting(RETENTION).await?.unwrap_or_default())
    }

    /// Sets how long what is kept. It holds from the next clean-up on.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a number that is out of its bounds.
    pub async fn set_retention(&self, new: Retention) -> Result<Retention, TeamError> {
        self.store.put_setting(RETENTION, &checked(new)?).await?;
        Ok(new)
    }

    /// The same for what is to become another, so that what somebody else sets meanwhile stays.
    ///
    /// # Errors
    /// As [`Team::set_retention`].
    pub async fn change_retention(&self, change: &Change<Retention>) -> Result<Retention, TeamError> {
        let mut new = Retention::default();
        let change = |[before]: [Option<Value>; 1]| {
            new = checked(changed_setting(change, before)?)?;
            Ok::<_, TeamError>([serde_json::to_value(new).map_err(StoreError::from)?])
        };
        self.store.change_settings([RETENTION], change).await?;
        Ok(new)
    }
}

fn checked(new: Retention) -> Result<Retention, TeamError> {
    new.fault().map_or(Ok(new), |(field, message)| Err(TeamError::invalid(field, message)))
}
