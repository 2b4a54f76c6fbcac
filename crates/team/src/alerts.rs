//! Alerts as admins see to them: from which figure on they are raised, and which are told to nobody for a while.

use chrono::Duration;
use guildhall_store::THRESHOLDS;
use guildhall_types::AlertId;
use guildhall_types::alert::{Alert, MOST_SILENCE, Thresholds};
use guildhall_types::change::Change;

use crate::{Team, TeamError, changed};

impl Team {
    /// From which figure on alerts are raised, as it is set now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn thresholds(&self) -> Result<Thresholds, TeamError> {
        Ok(self.store.setting(THRESHOLDS).await?.unwrap_or_default())
    }

    /// Sets from which figure on alerts are raised. It holds from the next reading on.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for figures that cannot be.
    pub async fn set_thresholds(&self, new: Thresholds) -> Result<Thresholds, TeamError> {
        new.check().map_err(|bad| TeamError::invalid(bad.field, bad.what))?;
        self.store.put_thresholds(&new).await?;
        Ok(new)
    }

    /// The same for those that are to become others, so that what somebody else sets meanwhile stays.
    ///
    /// # Errors
    /// As [`Team::set_thresholds`].
    pub async fn change_thresholds(&self, change: &Change<Thresholds>) -> Result<Thresholds, TeamError> {
        let change = |before: &Thresholds| {
            let new = changed(change, before)?;
            new.check().map_err(|bad| TeamError::invalid(bad.field, bad.what))?;
            Ok(new)
        };
        self.store.change_thresholds(change).await
    }

    /// Lets nobody be told of an open alert for so many minutes, or again when that is absent. It is shown all the same, and
    /// work waits by it as before.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for a time that cannot be; the store's error when there is no such open alert.
    pub async fn silence_alert(&self, id: AlertId, minutes: Option<i64>) -> Result<Alert, TeamError> {
        let until = match minutes {
            Some(minutes @ 1..=MOST_SILENCE) => Some(self.clock.now() + Duration::minutes(minutes)),
            Some(_) => {
                let message = format!("give minutes from 1 to {MOST_SILENCE}, or nothing to be told of it again");
                return Err(TeamError::invalid("minutes", message));
            }
            None => None,
        };
        Ok(self.store.silence_alert(id, until).await?)
    }
}
