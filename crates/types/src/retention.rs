//! How long a team keeps what it no longer works with.

use chrono::Duration;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Days that can be said at most.
pub const MOST_DAYS: i64 = 36_500;

/// How long what is kept for, in days; nothing: for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Retention {
    /// The worktree of a card that waits, was stopped or failed, counted from the last thing that happened in it. It comes back
    /// out of its snapshot when somebody goes on.
    pub idle_worktree_days: Option<i64>,
    /// Percent of the disk from which on worktrees go that nobody uses, the one first that was unused for longest.
    pub disk_percent: Option<i64>,
    /// What an agent said and did in a run that never works again, and what its checks printed.
    pub run_days: Option<i64>,
    /// The files of a card that was deleted.
    pub deleted_card_days: Option<i64>,
    /// Events that tell browsers and programs what changed.
    pub event_days: Option<i64>,
    /// The states between the turns of work that was merged. The work itself stays on its branch.
    pub snapshot_days: Option<i64>,
    /// What was left in a worktree beside its work when that was over: no branch holds it.
    pub left_days: Option<i64>,
    /// What tools keep between runs and did not touch since.
    pub cache_days: Option<i64>,
    /// The repository of a project that was archived, with all branches in it.
    pub archived_project_days: Option<i64>,
    /// Notifications that were read.
    pub read_notification_days: Option<i64>,
    /// Notifications, read or not.
    pub notification_days: Option<i64>,
    /// That a mail was sent or given up.
    pub mail_days: Option<i64>,
    /// What was delivered to webhooks, or given up.
    pub webhook_days: Option<i64>,
}

impl Default for Retention {
    /// Two weeks outlast a holiday. The disk is at its warning at three quarters. What was done is read back for half a year.
    /// An archived project can be asked for during a quarter, and so can what was left beside merged work.
    fn default() -> Self {
        Self {
            idle_worktree_days: Some(14),
            disk_percent: Some(75),
            run_days: Some(180),
            deleted_card_days: Some(30),
            event_days: Some(30),
            snapshot_days: Some(30),
            left_days: Some(90),
            cache_days: Some(30),
            archived_project_days: Some(90),
            read_notification_days: Some(30),
            notification_days: Some(180),
            mail_days: Some(30),
            webhook_days: Some(14),
        }
    }
}

impl Retention {
    /// The first field that is out of its bounds, and what it may be.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let days = [
            ("idleWorktreeDays", self.idle_worktree_days),
            ("runDays", self.run_days),
            ("deletedCardDays", self.deleted_card_days),
            ("eventDays", self.event_days),
            ("snapshotDays", self.snapshot_days),
            ("leftDays", self.left_days),
            ("cacheDays", self.cache_days),
            ("archivedProjectDays", self.archived_project_days),
            ("readNotificationDays", self.read_notification_days),
            ("notificationDays", self.notification_days),
            ("mailDays", self.mail_days),
            ("webhookDays", self.webhook_days),
        ];
        let bad = |value: Option<i64>, most: i64| value.is_some_and(|value| !(1..=most).contains(&value));
        if bad(self.disk_percent, 99) {
            return Some(("diskPercent", "give a number from 1 to 99, or nothing to let worktrees be".to_owned()));
        }
        let (field, _) = days.into_iter().find(|(_, value)| bad(*value, MOST_DAYS))?;
        Some((field, format!("give a number of days from 1 to {MOST_DAYS}, or nothing to keep it for ever")))
    }
}

/// So many days; nothing: for ever.
pub(crate) fn days(value: Option<i64>) -> Option<Duration> {
    value.and_then(Duration::try_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_at_first_is_within_bounds_and_what_is_not_is_named() {
        assert_eq!(Retention::default().fault(), None);
        let for_ever: Retention = serde_json::from_str(r#"{"runDays": null, "diskPercent": null}"#).unwrap();
        assert!(for_ever.fault().is_none() && for_ever.run_days.is_none() && for_ever.event_days == Some(30));
        for (json, field) in [
            (r#"{"runDays": 0}"#, "runDays"),
            (r#"{"webhookDays": 36501}"#, "webhookDays"),
            (r#"{"diskPercent": 100}"#, "diskPercent"),
            (r#"{"idleWorktreeDays": -1}"#, "idleWorktreeDays"),
        ] {
            let bad: Retention = serde_json::from_str(json).unwrap();
            assert_eq!(bad.fault().map(|(name, _)| name), Some(field));
        }
        assert!(serde_json::from_str::<Retention>(r#"{"runDay": 3}"#).is_err());
    }
}
