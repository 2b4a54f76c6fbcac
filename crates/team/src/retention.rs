//! How long the team keeps what it no longer works with.

use guildhall_types::retention::Retention;

use crate::{Team, TeamError};

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
        if let Some((field, message)) = new.fault() {
            return Err(TeamError::invalid(field, message));
        }
        self.store.put_setting(RETENTION, &new).await?;
        Ok(new)
    }
}
