//! What members are told: a row for each, written in the transaction of the change that it tells of, with its event, the
//! mail and the messages to webhooks that the member asked for.
//!
//! They are written when the transaction commits, after the counter of the events is locked: so everybody who touches them
//! does it in the same order, and their numbers are those of the events.

use std::collections::HashSet;

use guildhall_types::event::Happening;
use guildhall_types::mail::{Mail, MailKind, MailStatus};
use guildhall_types::notification::{MailChoice, Notification, NotificationKind, Tell};
use guildhall_types::{DateTime, ExecutionId, FeatureId, MailId, MemberId, NotificationId};

use crate::tidy::AT_ONCE;
use crate::{Page, Rows, Store, StoreError, Tx, on, read};

const COLUMNS: &str = "id, kind, project_id, feature_id, run_id, alert_id, execution_id, about_member_id, subject, text, \
    count, seq, at, read_at";
/// Characters of what a notification is about, and of its sentence, at most.
const SUBJECT: usize = 200;
const TEXT: usize = 600;

/// What a transaction put out beside its own change.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Put {
    /// A mail.
    pub(crate) mail: bool,
    /// A message to a webhook.
    pub(crate) delivery: bool,
}

/// Some of what a member was told, the latest first.
#[derive(Debug, Clone)]
pub struct Told {
    /// This part.
    pub page: Page<Notification>,
    /// How many are unread in all.
    pub unread: i64,
}

/// Which notifications a member has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUpTo {
    /// This one.
    One(NotificationId),
    /// Those about this card.
    Card(FeatureId),
    /// All up to the one with this number: one that came in between stays unread.
    Seq(i64),
}

impl Store {
    /// The same store, whose members can be told by mail.
    #[must_use]
    pub fn sending_mail(self) -> Self {
        Self { sends_mail: true, ..self }
    }

    /// Tells members of something that goes with no other change of the store.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tell(&self, tell: Tell) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.tell(tell);
        self.commit(tx).await
    }

    /// Writes what members are told. Nobody is told of what they did themselves, nor who is disabled.
    pub(crate) async fn write_tell(&self, tx: &mut Tx, tell: &Tell, put: &mut Put) -> Result<(), StoreError> {
        let mut told = Notification {
            id: NotificationId::new(),
            kind: tell.kind,
            project_id: tell.project,
            feature_id: tell.feature,
            run_id: tell.run,
            alert_id: tell.alert,
            execution_id: tell.execution,
            about_member_id: tell.about,
            subject: crate::clean(&tell.subject).chars().take(SUBJECT).collect(),
            text: crate::clean(&tell.text).chars().take(TEXT).collect(),
            count: 1,
            seq: 0,
            at: self.now(),
            read_at: None,
        };
        let mut seen = HashSet::new();
        for member in tell.members.iter().filter(|member| self.actor.member != Some(**member) && seen.insert(**member))
        {
            let address: Option<(String,)> = on!(tx, c => sqlx::query_as(
                "SELECT email FROM members WHERE id = $1 AND disabled_at IS NULL").bind(member).fetch_optional(c).await)?;
            let Some((address,)) = address else { continue };
            told.seq = self.next_seq(tx).await?;
            let (row, again) = self.put_notification(tx, *member, &told).await?;
            self.record(tx, &Happening::NotificationUpdated { member_id: *member, notification: Some(row.clone()) })
                .await?;
            // Whoever has not read of it yet has the mail already.
            if (tell.anew || !again) && self.sends_mail && self.wants_mail(tx, *member, tell.kind).await? {
                put.mail = true;
                on!(tx, c => sqlx::query(
                    "INSERT INTO mails (id, kind, recipient, status, created_at, next_at, attempts, notification_id)
                     VALUES ($1, $2, $3, $4, $5, $5, 0, $6)")
                    .bind(MailId::new()).bind(MailKind::Notification).bind(address).bind(MailStatus::Waiting)
                    .bind(self.now()).bind(row.id).execute(c).await.rows())?;
            }
            put.delivery |= self.put_deliveries(tx, Some(*member), &row).await?;
        }
        if tell.kind.for_team() {
            put.delivery |= self.put_deliveries(tx, None, &told).await?;
        }
        Ok(())
    }

    /// The number that the next event gets; nobody else gets one until the transaction ends.
    async fn next_seq(&self, tx: &mut Tx) -> Result<i64, StoreError> {
        let (seq,): (i64,) = on!(tx, c => sqlx::query_as("UPDATE event_counter SET seq = seq WHERE one = 1 RETURNING seq + 1")
            .fetch_one(c).await)?;
        Ok(seq)
    }

    /// Puts a notification, or counts on where the same is unread. Returns it, and whether it was there.
    async fn put_notification(
        &self,
        tx: &mut Tx,
        member: MemberId,
        new: &Notification,
    ) -> Result<(Notification, bool), StoreError> {
        let sql = format!(
            "UPDATE notifications SET count = count + 1, run_id = $5, subject = $6, text = $7, seq = $8, at = $9
             WHERE member_id = $1 AND kind = $2 AND read_at IS NULL AND project_id IS NOT DISTINCT FROM $3
               AND feature_id IS NOT DISTINCT FROM $4 AND alert_id IS NOT DISTINCT FROM $10
               AND execution_id IS NOT DISTINCT FROM $11 AND about_member_id IS NOT DISTINCT FROM $12
             RETURNING {COLUMNS}"
        );
        let again: Option<Notification> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).bind(new.kind)
            .bind(new.project_id).bind(new.feature_id).bind(new.run_id).bind(&new.subject).bind(&new.text).bind(new.seq)
            .bind(new.at).bind(new.alert_id).bind(new.execution_id).bind(new.about_member_id).fetch_optional(c).await)?;
        if let Some(again) = again {
            return Ok((again, true));
        }
        let id = NotificationId::new();
        on!(tx, c => sqlx::query(
            "INSERT INTO notifications (id, member_id, kind, project_id, feature_id, run_id, subject, text, count, seq, at,
               alert_id, execution_id, about_member_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, $13)")
            .bind(id).bind(member).bind(new.kind).bind(new.project_id).bind(new.feature_id).bind(new.run_id)
            .bind(&new.subject).bind(&new.text).bind(new.seq).bind(new.at).bind(new.alert_id).bind(new.execution_id)
            .bind(new.about_member_id).execute(c).await.rows())?;
        Ok((Notification { id, ..new.clone() }, false))
    }

    async fn wants_mail(&self, tx: &mut Tx, member: MemberId, kind: NotificationKind) -> Result<bool, StoreError> {
        if kind.has_own_mail() {
            return Ok(false);
        }
        let chosen: Option<(bool,)> = on!(tx, c => sqlx::query_as(
            "SELECT mail FROM notification_choices WHERE member_id = $1 AND kind = $2").bind(member).bind(kind)
            .fetch_optional(c).await)?;
        Ok(chosen.map_or(kind.by_mail_at_first(), |(mail,)| mail))
    }

    /// What a mail is to tell, if that stands in a notification, and the member's name.
    pub(crate) async fn mailed_notification(
        &self,
        tx: &mut Tx,
        mail: &Mail,
    ) -> Result<Option<(Notification, String)>, StoreError> {
        let sql = format!(
            "SELECT {} FROM notifications n JOIN mails ON mails.notification_id = n.id WHERE mails.id = $1",
            COLUMNS.split(", ").map(|column| format!("n.{column}")).collect::<Vec<_>>().join(", ")
        );
        let told: Option<Notification> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(mail.id).fetch_optional(c).await)?;
        let Some(told) = told else { return Ok(None) };
        let (name,): (String,) = on!(tx, c => sqlx::query_as(
            "SELECT m.name FROM members m JOIN notifications n ON n.member_id = m.id WHERE n.id = $1").bind(told.id)
            .fetch_one(c).await)?;
        Ok(Some((told, name)))
    }

    /// What a member was told, the latest first; `before` is the number that the last page ended at.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notifications(
        &self,
        member: MemberId,
        before: Option<i64>,
        unread_only: bool,
        limit: i64,
    ) -> Result<Told, StoreError> {
        let only = if unread_only { "AND read_at IS NULL" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM notifications WHERE member_id = $1 AND seq < $2 {only} ORDER BY seq DESC LIMIT $3"
        );
        let mut items: Vec<Notification> = read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member)
            .bind(before.unwrap_or(i64::MAX)).bind(limit + 1).fetch_all(c).await)?;
        let more = items.len() as i64 > limit;
        items.truncate(usize::try_from(limit).unwrap_or_default());
        let next = items.last().filter(|_| more).map(|last| last.seq.to_string());
        Ok(Told { page: Page { items, next }, unread: self.unread(member).await? })
    }

    /// How much a member has not read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unread(&self, member: MemberId) -> Result<i64, StoreError> {
        let (count,): (i64,) = read!(self, c => sqlx::query_as(
            "SELECT count(*) FROM notifications WHERE member_id = $1 AND read_at IS NULL").bind(member).fetch_one(c).await)?;
        Ok(count)
    }

    /// A member has read something. Returns how much is unread then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for one that the member was not told.
    pub async fn read_notifications(&self, member: MemberId, what: ReadUpTo) -> Result<i64, StoreError> {
        if let ReadUpTo::One(id) = what {
            let (known,): (i64,) = read!(self, c => sqlx::query_as(
                "SELECT count(*) FROM notifications WHERE id = $1 AND member_id = $2").bind(id).bind(member).fetch_one(c).await)?;
            if known == 0 {
                return Err(StoreError::NotFound { what: "notification" });
            }
        }
        let now = self.now();
        let mut tx = self.begin_light().await?;
        self.next_seq(&mut tx).await?;
        let done = match what {
            ReadUpTo::One(id) => on!(tx, c => sqlx::query(
                "UPDATE notifications SET read_at = $3 WHERE member_id = $1 AND id = $2 AND read_at IS NULL")
                .bind(member).bind(id).bind(now).execute(c).await.rows())?,
            ReadUpTo::Card(feature) => on!(tx, c => sqlx::query(
                "UPDATE notifications SET read_at = $3 WHERE member_id = $1 AND feature_id = $2 AND read_at IS NULL")
                .bind(member).bind(feature).bind(now).execute(c).await.rows())?,
            ReadUpTo::Seq(seq) => on!(tx, c => sqlx::query(
                "UPDATE notifications SET read_at = $3 WHERE member_id = $1 AND seq <= $2 AND read_at IS NULL")
                .bind(member).bind(seq).bind(now).execute(c).await.rows())?,
        };
        if done > 0 {
            self.record(&mut tx, &Happening::NotificationUpdated { member_id: member, notification: None }).await?;
            self.commit(tx).await?;
        } else {
            // It holds the counter of the events: everybody who writes would wait until this has a connection to read by.
            drop(tx);
        }
        self.unread(member).await
    }

    /// What an execution asked is answered: whoever has not read of it need not.
    pub(crate) async fn answered(&self, tx: &mut Tx, execution: ExecutionId) -> Result<(), StoreError> {
        self.next_seq(tx).await?;
        let told: Vec<(MemberId,)> = on!(tx, c => sqlx::query_as(
            "UPDATE notifications SET read_at = $2 WHERE execution_id = $1 AND kind = $3 AND read_at IS NULL RETURNING member_id")
            .bind(execution).bind(self.now()).bind(NotificationKind::ReviewWaits).fetch_all(c).await)?;
        for (member_id,) in told {
            self.record(tx, &Happening::NotificationUpdated { member_id, notification: None }).await?;
        }
        Ok(())
    }

    /// Which kinds come to a member by mail: every kind, chosen or not, but those that have a mail of their own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_choices(&self, member: MemberId) -> Result<Vec<MailChoice>, StoreError> {
        let rows: Vec<(NotificationKind, bool)> = read!(self, c => sqlx::query_as(
            "SELECT kind, mail FROM notification_choices WHERE member_id = $1").bind(member).fetch_all(c).await)?;
        let chosen = |kind| rows.iter().find(|(of, _)| *of == kind).map(|(_, mail)| *mail);
        let choice = |kind: &NotificationKind| MailChoice {
            kind: *kind,
            mail: chosen(*kind).unwrap_or_else(|| kind.by_mail_at_first()),
        };
        Ok(NotificationKind::ALL.iter().filter(|kind| !kind.has_own_mail()).map(choice).collect())
    }

    /// A member chooses which kinds come by mail; the others stay as they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn choose_mails(&self, member: MemberId, choices: &[MailChoice]) -> Result<Vec<MailChoice>, StoreError> {
        let mut tx = self.begin().await?;
        for choice in choices {
            on!(tx, c => sqlx::query(
                "INSERT INTO notification_choices (member_id, kind, mail) VALUES ($1, $2, $3)
                 ON CONFLICT (member_id, kind) DO UPDATE SET mail = excluded.mail")
                .bind(member).bind(choice.kind).bind(choice.mail).execute(c).await.rows())?;
        }
        self.commit(tx).await?;
        self.mail_choices(member).await
    }

    /// Forgets what was read before `read`, and what was told before `told`, read or not; nothing where there is no such
    /// moment. A bounded number at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_notifications(
        &self,
        read: Option<DateTime>,
        told: Option<DateTime>,
    ) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let mut tx = self.begin_light().await?;
            self.next_seq(&mut tx).await?;
            let gone = on!(tx, c => sqlx::query(
                "DELETE FROM notifications WHERE id IN (
                   SELECT id FROM notifications WHERE read_at < $1 OR at < $2 LIMIT $3)")
                .bind(read).bind(told).bind(AT_ONCE).execute(c).await.rows())?;
            self.commit(tx).await?;
            all += gone;
            if gone < AT_ONCE.unsigned_abs() {
                return Ok(all);
            }
        }
    }
}
