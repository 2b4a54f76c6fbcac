//! How backups stand: for the page, and for whoever watches.

use std::sync::Arc;

use chrono::Duration;
use guildhall_store::StoreError;
use guildhall_types::DateTime;
use guildhall_types::alert::AlertKind;
use guildhall_types::backup::{Backup, Rhythm};
use serde::Serialize;
use utoipa::ToSchema;

use super::keeper::SHOWN;
use super::{BackupPlan, Backups};
use crate::{Team, TeamError};

/// How backups stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupsView {
    /// Where they go; nothing where the operator named no place.
    pub destination: Option<String>,
    /// Whether they are sealed.
    pub sealed: bool,
    /// When the next one is due; nothing where none is made by itself.
    pub next_at: Option<DateTime>,
    /// When the latest was begun that is there whole, and in which nothing wrong was found, nor in any that it builds on: at the place
    /// where they go, if the operator named one.
    pub last_good_at: Option<DateTime>,
    /// Why that one, or one that it builds on, could not be restored into a scratch place yet, if that was tried.
    pub last_good_unchecked: Option<String>,
    /// Whether that is longer ago than the alert's warning: the latest good one's beginning, or, where none is good, since when
    /// they are to go there.
    pub overdue: bool,
    /// The latest backups and tries, the latest first, 50 at most.
    pub items: Vec<Backup>,
    /// Those before them that are there and not sound, the latest first, 50 at most: where they go, if the operator
    /// named a place.
    pub earlier_unsound: Vec<Backup>,
}

/// Which backups are to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedBackups {
    /// Where they go.
    pub destination: String,
    /// How often the server makes one; nothing where somebody else sees to that.
    pub rhythm: Option<Rhythm>,
    /// How old the latest may be that was looked at: twice what lies between two full ones. Nothing where none is looked at.
    pub unchecked_for: Option<Duration>,
}

impl PlannedBackups {
    /// What a plan comes to.
    pub fn of(plan: &BackupPlan) -> Self {
        let BackupPlan { shelf, rules } = plan;
        let between = |rhythm: Rhythm| rhythm.span() * 2 * i32::try_from(rules.full_every).unwrap_or(1);
        let unchecked_for = rules.rhythm.filter(|_| rules.verify).map(between);
        Self { destination: shelf.to_string(), rhythm: rules.rhythm, unchecked_for }
    }
}

impl Team {
    /// The same team, of which these backups are to be there.
    #[must_use]
    pub fn with_backups(self, planned: Option<PlannedBackups>) -> Self {
        Self { backups: planned.map(Arc::new), ..self }
    }

    /// Which backups are planned, if any are.
    pub fn planned_backups(&self) -> Option<&PlannedBackups> {
        self.backups.as_deref()
    }

    /// From when on what happened is in no good backup where they are to go; in none that was looked at, where that is long ago. Where
    /// none is good, since they were to go there. Nothing where none is planned.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn not_backed_up_since(&self) -> Result<Option<DateTime>, StoreError> {
        let Some(planned) = self.planned_backups() else { return Ok(None) };
        let found = self.store.not_backed_up_since(&planned.destination).await?;
        let long = |since: &DateTime| planned.unchecked_for.is_some_and(|most| self.clock.now() - *since > most);
        Ok(found.unchecked_since.filter(long).or(found.since))
    }

    /// How backups stand; `backups` is nothing where the operator named no place for them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backups(&self, backups: Option<&Backups>) -> Result<BackupsView, TeamError> {
        let next_at = match backups {
            Some(backups) => backups.next().await?.map(|next| next.max(self.clock.now())),
            None => None,
        };
        let warning = self.thresholds().await?.of(AlertKind::BackupOld).warning;
        let since = self.not_backed_up_since().await?;
        let overdue = since.is_some_and(|since| (self.clock.now() - since).num_hours() >= warning);
        let destination = backups.map(|backups| backups.plan().shelf.to_string());
        let items = self.store.backups(SHOWN).await?;
        // Only then, so that one that is shown as done is not missed here.
        let good = self.store.last_good_backup(destination.as_deref()).await?;
        let mut earlier_unsound = self.store.unsound_backups(destination.as_deref(), 2 * SHOWN).await?;
        earlier_unsound.retain(|one| items.iter().all(|shown| shown.id != one.id));
        earlier_unsound.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
        Ok(BackupsView {
            destination,
            sealed: backups.is_some_and(|backups| backups.plan().rules.key_file.is_some()),
            next_at,
            last_good_at: good.as_ref().map(|good| good.started_at),
            last_good_unchecked: good.and_then(|good| good.unchecked),
            overdue,
            items,
            earlier_unsound,
        })
    }
}
