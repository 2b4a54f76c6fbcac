//! Alerts: those that are open, and the history.
//!
//! Whoever measures decides; what stands here sees to it that of one kind and subject one is open at a time, whichever node is
//! first, and that what is told of it goes with the change.

mod refused;

use chrono::Duration;
use guildhall_types::alert::{Alert, AlertKind, AlertLevel, SILENT, Strain, Threshold, Thresholds};
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::event::Happening;
use guildhall_types::notification::{NotificationKind, Tell};
use guildhall_types::{AlertId, DateTime, MemberId};
use sqlx::types::Json;

use crate::{Page, Rows, Store, StoreError, Tx, on, read};

/// Names the thresholds among the settings.
pub const THRESHOLDS: &str = "alert_thresholds";

const COLUMNS: &str = "id, kind, subject, about, level, worst_level, value, worst, text, raised_at, changed_at, seen_at, \
    cleared_at, gone, silenced_until, silenced_level, silenced_by";
/// How long an alert that is over is remembered.
const REMEMBERED: Duration = Duration::days(365);

/// Which alerts.
#[derive(Debug, Clone, Default)]
pub struct AlertQuery {
    /// Only those that are open, or only those that are over.
    pub open: Option<bool>,
    /// Only those raised before this one.
    pub before: Option<AlertId>,
    /// How many at most.
    pub limit: i64,
}

/// An alert to be raised.
#[derive(Debug, Clone)]
pub struct NewAlert {
    /// What it is about.
    pub kind: AlertKind,
    /// What of that kind.
    pub subject: String,
    /// The same for people.
    pub about: String,
    /// How bad it is.
    pub level: AlertLevel,
    /// The figure.
    pub value: i64,
    /// What is wrong and what to do.
    pub text: String,
}

impl Store {
    /// The alerts that are open, those raised first first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM alerts WHERE cleared_at IS NULL ORDER BY id");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(c).await)?)
    }

    /// Some alerts, those raised last first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, StoreError> {
        let which = match query.open {
            Some(true) => "cleared_at IS NULL",
            Some(false) => "cleared_at IS NOT NULL",
            None => "1 = 1",
        };
        let sql =
            format!("SELECT {COLUMNS} FROM alerts WHERE {which} AND ($1 IS NULL OR id < $1) ORDER BY id DESC LIMIT $2");
        let mut items: Vec<Alert> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(query.before)
            .bind(query.limit + 1).fetch_all(c).await)?;
        let more = items.len() as i64 > query.limit;
        items.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        let next = items.last().filter(|_| more).map(|last| last.id.to_string());
        Ok(Page { items, next })
    }

    /// What a server is short of, so that it begins no work. One that says nothing any more counts no longer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn strain(&self) -> Result<Option<Strain>, StoreError> {
        let kinds: Vec<(AlertKind,)> = read!(self, c => sqlx::query_as(
            "SELECT DISTINCT kind FROM alerts WHERE cleared_at IS NULL AND level = 'critical' AND seen_at > $1")
            .bind(self.now() - SILENT).fetch_all(c).await)?;
        // Memory is the more urgent, and comes first.
        Ok(kinds.into_iter().filter_map(|(kind,)| kind.strain()).min())
    }

    /// Sets from which figure on alerts are raised, by what was set before: nobody else sets them meanwhile. The audit
    /// tells those that change.
    ///
    /// # Errors
    /// What `change` says, and when the database fails.
    pub async fn change_thresholds<E: From<StoreError>>(
        &self,
        change: impl FnOnce(&Thresholds) -> Result<Thresholds, E> + Send,
    ) -> Result<Thresholds, E> {
        let mut tx = self.begin().await?;
        let before = self.locked_setting(&mut tx, THRESHOLDS).await?;
        let before: Thresholds =
            before.map(serde_json::from_value).transpose().map_err(StoreError::from)?.unwrap_or_default();
        let new = change(&before)?;
        let note = Note::new(AuditAction::ChangeSetting).on(AuditObject::Setting, THRESHOLDS);
        let changed = AlertKind::ALL.iter().filter(|kind| before.set(**kind) != new.set(**kind));
        tx.note(changed.fold(note, |note, kind| {
            let set = new.set(*kind).map_or_else(
                || "as it follows from how often one is made".to_owned(),
                |Threshold { warning, critical }| format!("warning {warning}, critical {critical}"),
            );
            note.with(kind.as_str(), set)
        }));
        on!(tx, c => sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(THRESHOLDS).bind(Json(new)).execute(c).await.rows())
        .map_err(StoreError::from)?;
        self.commit(tx).await?;
        Ok(new)
    }

    /// Raises an alert, unless one of its kind and subject is open: whoever is first does. Returns it if this was the first.
    ///
    /// Where the former one was silenced, this one is for as long; then nobody is told, unless this one is worse.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn raise_alert(&self, new: &NewAlert) -> Result<Option<Alert>, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let silence: Option<(DateTime, Option<AlertLevel>, Option<MemberId>)> = on!(tx, c => sqlx::query_as(
            "SELECT silenced_until, silenced_level, silenced_by FROM alerts
             WHERE kind = $1 AND subject = $2 AND silenced_until > $3 ORDER BY id DESC LIMIT 1")
            .bind(new.kind).bind(&new.subject).bind(now).fetch_optional(c).await)?;
        let (until, level, by) = silence.map_or((None, None, None), |(until, level, by)| (Some(until), level, by));
        let sql = format!(
            "INSERT INTO alerts (id, kind, subject, about, level, worst_level, value, worst, text, raised_at, changed_at,
               seen_at, gone, silenced_until, silenced_level, silenced_by, told)
             VALUES ($1, $2, $3, $4, $5, $5, $6, $6, $7, $8, $8, $8, $9, $10, $11, $12, $9)
             ON CONFLICT (kind, subject) WHERE cleared_at IS NULL DO NOTHING RETURNING {COLUMNS}"
        );
        let raised: Option<Alert> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(AlertId::new()).bind(new.kind)
            .bind(&new.subject).bind(crate::clean(&new.about)).bind(new.level).bind(new.value).bind(crate::clean(&new.text))
            .bind(now).bind(false).bind(until).bind(level).bind(by).fetch_optional(c).await)?;
        let Some(alert) = raised else { return Ok(None) };
        on!(tx, c => sqlx::query("DELETE FROM alerts WHERE cleared_at < $1").bind(now - REMEMBERED).execute(c).await.rows())?;
        self.record(&mut tx, &Happening::AlertRaised { alert: alert.clone() }).await?;
        if !alert.is_silent(now) {
            self.tell_level(&mut tx, &alert, &alert.text, false).await?;
        }
        self.commit(tx).await?;
        Ok(Some(alert))
    }

    /// An open alert is of another level now: whoever measures first says so. Returns it if this was the first. Nobody is told
    /// that it became better before it is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_alert(
        &self,
        id: AlertId,
        value: i64,
        level: AlertLevel,
        text: &str,
    ) -> Result<Option<Alert>, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let Some(before) = self.locked_alert(&mut tx, id).await? else { return Ok(None) };
        if before.level == level {
            return Ok(None);
        }
        let sql = format!(
            "UPDATE alerts SET level = $2, worst_level = $3, value = $4, worst = $5, text = $6, changed_at = $7, seen_at = $7
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        let alert: Alert = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(level)
            .bind(before.worst_level.max(level)).bind(value).bind(before.kind.worse(before.worst, value))
            .bind(crate::clean(text)).bind(now).fetch_one(c).await)?;
        let alert = if alert.was_silenced(now) { self.end_silence(&mut tx, id).await? } else { alert };
        self.record(&mut tx, &Happening::AlertUpdated { alert: alert.clone() }).await?;
        let silenced = before.silenced_until.is_some();
        if before.was_silenced(now) || level > before.level && !alert.is_silent(now) {
            self.tell_level(&mut tx, &alert, &alert.text, silenced).await?;
        }
        self.commit(tx).await?;
        Ok(Some(alert))
    }

    /// An open alert stands though the time is over for which it was silenced: that is told, once, with this figure. Whoever
    /// measures first says so. Returns it if this was the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell_alert_again(&self, id: AlertId, value: i64, text: &str) -> Result<Option<Alert>, StoreError> {
        let now = self.now();
        let mut tx = self.begin().await?;
        let Some(before) = self.locked_alert(&mut tx, id).await? else { return Ok(None) };
        if !before.was_silenced(now) {
            return Ok(None);
        }
        on!(tx, c => sqlx::query("UPDATE alerts SET value = $2, worst = $3, text = $4, seen_at = $5 WHERE id = $1").bind(id)
            .bind(value).bind(before.kind.worse(before.worst, value)).bind(crate::clean(text)).bind(now).execute(c).await.rows())?;
        let alert = self.end_silence(&mut tx, id).await?;
        self.record(&mut tx, &Happening::AlertUpdated { alert: alert.clone() }).await?;
        let text = format!("It was silenced until now, and it still stands. {}", alert.text);
        self.tell_level(&mut tx, &alert, &text, true).await?;
        self.commit(tx).await?;
        Ok(Some(alert))
    }

    /// Nobody is kept from hearing of an alert any more.
    async fn end_silence(&self, tx: &mut Tx, id: AlertId) -> Result<Alert, StoreError> {
        let sql = format!(
            "UPDATE alerts SET silenced_until = NULL, silenced_level = NULL, silenced_by = NULL WHERE id = $1
             RETURNING {COLUMNS}"
        );
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_one(c).await)?)
    }

    /// An open alert stands, with this figure.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn see_alert(&self, id: AlertId, value: i64) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        let Some(before) = self.locked_alert(&mut tx, id).await? else { return Ok(()) };
        on!(tx, c => sqlx::query("UPDATE alerts SET value = $2, worst = $3, seen_at = $4 WHERE id = $1").bind(id).bind(value)
            .bind(before.kind.worse(before.worst, value)).bind(self.now()).execute(c).await.rows())?;
        self.commit(tx).await
    }

    /// An open alert is over: whoever measures first says so. Returns it if this was the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_alert(&self, id: AlertId, value: i64) -> Result<Option<Alert>, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE alerts SET value = $2, cleared_at = $3, seen_at = $3 WHERE id = $1 AND cleared_at IS NULL
             RETURNING {COLUMNS}, told"
        );
        let over: Option<Over> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(value)
            .bind(self.now()).fetch_optional(c).await)?;
        let Some(over) = over else { return Ok(None) };
        self.tell_cleared(&mut tx, &over).await?;
        self.commit(tx).await?;
        Ok(Some(over.alert))
    }

    /// Clears open alerts of which nobody has said for long that they stand: their server is gone, or measures it no more.
    /// Those of these kinds and subjects stay: whoever asks is about to say how they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_silent_alerts(&self, own: &[(AlertKind, &str)]) -> Result<Vec<Alert>, StoreError> {
        let now = self.now();
        let silent: Vec<Alert> = self.open_alerts().await?;
        let is_own = |alert: &Alert| own.contains(&(alert.kind, alert.subject.as_str()));
        let silent = silent.into_iter().filter(|alert| alert.seen_at <= now - SILENT && !is_own(alert));
        let mut cleared = Vec::new();
        for alert in silent {
            let mut tx = self.begin().await?;
            let sql = format!(
                "UPDATE alerts SET cleared_at = $2, gone = $3 WHERE id = $1 AND cleared_at IS NULL AND seen_at <= $4
                 RETURNING {COLUMNS}, told"
            );
            let gone: Option<Over> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(alert.id).bind(now)
                .bind(true).bind(now - SILENT).fetch_optional(c).await)?;
            let Some(gone) = gone else { continue };
            self.tell_cleared(&mut tx, &gone).await?;
            self.commit(tx).await?;
            cleared.push(gone.alert);
        }
        Ok(cleared)
    }

    /// Lets nobody be told of an open alert until then, unless it becomes worse than it is now; or again when that is absent.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, or it is over.
    pub async fn silence_alert(&self, id: AlertId, until: Option<DateTime>) -> Result<Alert, StoreError> {
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE alerts SET silenced_until = $2, silenced_level = CASE WHEN $3 THEN level END, silenced_by = $4, told = $5
             WHERE id = $1 AND cleared_at IS NULL RETURNING {COLUMNS}"
        );
        let by = self.actor.member.filter(|_| until.is_some());
        let alert: Option<Alert> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(until)
            .bind(until.is_some()).bind(by).bind(until.is_none()).fetch_optional(c).await)?;
        let alert = alert.ok_or(StoreError::NotFound { what: "open alert" })?;
        if until.is_none() {
            // What a former one of the same was silenced for is over too.
            on!(tx, c => sqlx::query("UPDATE alerts SET silenced_until = NULL WHERE kind = $1 AND subject = $2")
                .bind(alert.kind).bind(&alert.subject).execute(c).await.rows())?;
        }
        self.record(&mut tx, &Happening::AlertUpdated { alert: alert.clone() }).await?;
        let note = Note::new(AuditAction::SilenceAlert).on(AuditObject::Alert, id).with("kind", alert.kind);
        let note = note.with("about", &alert.about);
        tx.note(match until {
            Some(until) => note.with("until", until.to_rfc3339()),
            None => note.with("until", "now"),
        });
        self.commit(tx).await?;
        Ok(alert)
    }

    /// The alert, if it is open, locked until the transaction ends.
    async fn locked_alert(&self, tx: &mut Tx, id: AlertId) -> Result<Option<Alert>, StoreError> {
        let sql = format!("UPDATE alerts SET value = value WHERE id = $1 AND cleared_at IS NULL RETURNING {COLUMNS}");
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(c).await)?)
    }

    /// Tells that an alert is over: all of it, and whoever was told of it also within a silence.
    async fn tell_cleared(&self, tx: &mut Tx, over: &Over) -> Result<(), StoreError> {
        let Over { alert, told } = over;
        self.record(tx, &Happening::AlertCleared { alert: alert.clone() }).await?;
        if !*told && alert.is_silent(self.now()) {
            return Ok(());
        }
        let text = match alert.gone {
            true => "Nobody measures it any more: the server is gone, or was told not to.",
            false => "It is as it should be again.",
        };
        self.tell_admins(tx, alert, NotificationKind::AlertCleared, text, false).await
    }

    /// Tells how bad an alert is. With `anew` it is mailed also to who has not read yet what was told of it before.
    async fn tell_level(&self, tx: &mut Tx, alert: &Alert, text: &str, anew: bool) -> Result<(), StoreError> {
        let kind = match alert.level {
            AlertLevel::Warning => NotificationKind::AlertWarning,
            AlertLevel::Critical => NotificationKind::AlertCritical,
        };
        on!(tx, c => sqlx::query("UPDATE alerts SET told = $2 WHERE id = $1").bind(alert.id).bind(true).execute(c).await
            .rows())?;
        self.tell_admins(tx, alert, kind, text, anew).await
    }

    /// Tells everybody who administers the team.
    async fn tell_admins(
        &self,
        tx: &mut Tx,
        alert: &Alert,
        kind: NotificationKind,
        text: &str,
        anew: bool,
    ) -> Result<(), StoreError> {
        let members = self.admins(tx).await?;
        tx.tell(Tell {
            kind,
            members,
            project: None,
            feature: None,
            run: None,
            alert: Some(alert.id),
            execution: None,
            about: None,
            subject: alert.kind.title(&alert.about),
            text: text.to_owned(),
            anew,
        });
        Ok(())
    }
}

/// An alert that is over.
#[derive(sqlx::FromRow)]
struct Over {
    #[sqlx(flatten)]
    alert: Alert,
    /// Whether anybody was told of it since it was raised or silenced.
    told: bool,
}
