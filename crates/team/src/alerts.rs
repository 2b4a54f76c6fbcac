//! Alerts as admins see to them: from which figure on they are raised, and which are told to nobody for a while.

use chrono::Duration;
use guildhall_store::THRESHOLDS;
use guildhall_types::AlertId;
use guildhall_types::alert::{Alert, MOST_SILENCE, Thresholds};
use guildhall_types::change::Change;

use crate::{Team, TeamError, changed};

impl Team {
    /// From which figure on alerts are raised, as it is set now, or follows from how often backups are made.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn thresholds(&self) -> Result<Thresholds, TeamError> {
        let set: Option<Thresholds> = self.store.setting(THRESHOLDS).await?;
        Ok(self.that_hold(&set.unwrap_or_default()))
    }

    /// Sets from which figure on alerts are raised. It holds from the next reading on. Returns those that hold then.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for figures that cannot be.
    pub async fn set_thresholds(&self, new: Thresholds) -> Result<Thresholds, TeamError> {
        let change = |before: &Thresholds| {
            // Whoever sends back what was shown does not set what followed from something else.
            let as_shown = new.backup_hours == self.that_hold(before).backup_hours;
            let backup_hours = if as_shown { before.backup_hours } else { new.backup_hours };
            checked(Thresholds { backup_hours, ..new })
        };
        Ok(self.that_hold(&self.store.change_thresholds(change).await?))
    }

    /// The same for those that are to become others, so that what somebody else sets meanwhile stays.
    ///
    /// # Errors
    /// As [`Team::set_thresholds`].
    pub async fn change_thresholds(&self, change: &Change<Thresholds>) -> Result<Thresholds, TeamError> {
        let set = self.store.change_thresholds(|before| checked(changed(change, before)?)).await?;
        Ok(self.that_hold(&set))
    }

    fn that_hold(&self, set: &Thresholds) -> Thresholds {
        set.with_backups_every(self.planned_backups().and_then(|planned| planned.rhythm))
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

fn checked(new: Thresholds) -> Result<Thresholds, TeamError> {
    new.check().map_err(|bad| TeamError::invalid(bad.field, bad.what))?;
    Ok(new)
}
