//! Webhooks, and the messages to them. A message is put here in the transaction of the change that it tells of, and sent from
//! here; several nodes may send, and a claim by a lease keeps them from sending the same one at the same time.
//!
//! It is sent at least once: whoever dies between the sending and its noting lets it be sent again, under the same id.

use chrono::Duration;
use guildhall_types::audit::{AuditAction, AuditObject, Note};
use guildhall_types::notification::{Notification, NotificationKind, Tell};
use guildhall_types::webhook::{Delivery, DeliveryStatus, Webhook, WebhookFormat};
use guildhall_types::{DateTime, DeliveryId, DeliveryLeaseId, MemberId, NotificationId, WebhookId};
use sqlx::types::Json;

use crate::{Backend, Rows, SealedSecret, Store, StoreError, Tx, on, read};

const COLUMNS: &str =
    "id, member_id, name, host, kinds, format, created_by, created_at, failing_since, off_at, off_reason";
const DELIVERY: &str = "id, webhook_id, kind, status, created_at, next_at, attempts, tried_at, status_code, duration_ms, \
    answer, problem, ended_at";
/// What a test is called among the kinds.
const TEST: &str = "test";
/// Characters of an answer and of a problem that are kept.
const ANSWER: usize = 500;
/// Webhooks of one member, and of the team, at most.
const MOST: i64 = 10;

/// Names a webhook's address and secret among the sealed secrets.
pub fn webhook_identity(id: WebhookId) -> String {
    format!("webhook/{id}")
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose it is; nothing for the team's.
    pub member: Option<MemberId>,
    /// What its member calls it.
    pub name: String,
    /// What of the address may be shown.
    pub host: String,
    /// Of what it is told.
    pub kinds: Vec<NotificationKind>,
    /// What is sent.
    pub format: WebhookFormat,
    /// Who makes it.
    pub created_by: MemberId,
    /// Address and secret, sealed under [`webhook_identity`].
    pub sealed: SealedSecret,
}

/// How a webhook is to be from now on; what is absent stays. What changes of one that is off switches it on again.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    /// What its member calls it.
    pub name: Option<String>,
    /// Of what it is told.
    pub kinds: Option<Vec<NotificationKind>>,
    /// What is sent.
    pub format: Option<WebhookFormat>,
    /// Another address or secret, sealed, with what of the address may be shown.
    pub sealed: Option<(String, SealedSecret)>,
}

/// A message that this process is to send.
#[derive(Debug, Clone)]
pub struct ClaimedDelivery {
    /// The message.
    pub delivery: Delivery,
    /// Where it goes.
    pub webhook: Webhook,
    /// What it tells.
    pub about: Notification,
    /// Address and secret; absent when somebody took them out of the database.
    pub sealed: Option<SealedSecret>,
    lease: DeliveryLeaseId,
}

/// What was seen of a try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    /// The status of the answer, if there was one.
    pub status_code: Option<i64>,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The beginning of the answer.
    pub answer: Option<String>,
    /// Why it failed.
    pub problem: Option<String>,
}

/// What comes of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// It was taken.
    Delivered,
    /// It is tried again at this moment.
    Later(DateTime),
    /// It is given up. A webhook of which nothing was taken since before this moment is switched off.
    GivenUp(DateTime),
    /// The receiver wants nothing more: the webhook is switched off.
    Gone,
}

impl Store {
    /// The webhooks of a member, or the team's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks(&self, member: Option<MemberId>) -> Result<Vec<Webhook>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE member_id IS NOT DISTINCT FROM $1 ORDER BY id");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).fetch_all(c).await)?)
    }

    /// A webhook of a member, or of the team.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook(&self, id: WebhookId, member: Option<MemberId>) -> Result<Option<Webhook>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id = $1 AND member_id IS NOT DISTINCT FROM $2");
        Ok(read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(member).fetch_optional(c).await)?)
    }

    /// Makes a webhook.
    ///
    /// # Errors
    /// [`StoreError::TooMany`]; [`StoreError::KeyMoved`].
    pub async fn create_webhook(&self, new: NewWebhook) -> Result<Webhook, StoreError> {
        let mut tx = self.begin().await?;
        // One at a time of the team's, and of its maker, so that there are not too many. In this order, as with whoever starts a card.
        if new.member.is_none() {
            self.one_at_a_time(&mut tx).await?;
        }
        self.locked_member(&mut tx, new.created_by).await?.ok_or(StoreError::NotFound { what: "member" })?;
        let (count,): (i64,) = on!(tx, c => sqlx::query_as(
            "SELECT count(*) FROM webhooks WHERE member_id IS NOT DISTINCT FROM $1").bind(new.member).fetch_one(c).await)?;
        if count >= MOST {
            return Err(StoreError::TooMany { what: "webhooks", most: MOST });
        }
        self.put_secret(&mut tx, &new.sealed).await?;
        let sql = format!(
            "INSERT INTO webhooks (id, member_id, name, host, kinds, format, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}"
        );
        let webhook: Webhook = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(new.id).bind(new.member)
            .bind(crate::clean(&new.name)).bind(&new.host).bind(Json(&new.kinds)).bind(new.format).bind(new.created_by)
            .bind(self.now()).fetch_one(c).await)?;
        tx.note(note(AuditAction::CreateWebhook, &webhook));
        self.commit(tx).await?;
        Ok(webhook)
    }

    /// Changes a webhook of a member, or of the team, and switches it on if it was off.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::KeyMoved`].
    pub async fn change_webhook(
        &self,
        id: WebhookId,
        member: Option<MemberId>,
        change: WebhookChange,
    ) -> Result<Webhook, StoreError> {
        let mut tx = self.begin().await?;
        if let Some((_, sealed)) = &change.sealed {
            self.put_secret(&mut tx, sealed).await?;
        }
        let sql = format!(
            "UPDATE webhooks SET name = coalesce($3, name), host = coalesce($4, host), kinds = coalesce($5, kinds),
               format = coalesce($6, format), failing_since = NULL, off_at = NULL, off_reason = NULL
             WHERE id = $1 AND member_id IS NOT DISTINCT FROM $2 RETURNING {COLUMNS}"
        );
        let webhook: Option<Webhook> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(member)
            .bind(change.name.as_deref().map(crate::clean)).bind(change.sealed.as_ref().map(|(host, _)| host))
            .bind(change.kinds.as_ref().map(Json)).bind(change.format).fetch_optional(c).await)?;
        let webhook = webhook.ok_or(StoreError::NotFound { what: "webhook" })?;
        tx.note(note(AuditAction::ChangeWebhook, &webhook).with("newAddressOrSecret", change.sealed.is_some()));
        self.commit(tx).await?;
        Ok(webhook)
    }

    /// Deletes a webhook of a member, or of the team, with what waits for it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_webhook(&self, id: WebhookId, member: Option<MemberId>) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let sql =
            format!("DELETE FROM webhooks WHERE id = $1 AND member_id IS NOT DISTINCT FROM $2 RETURNING {COLUMNS}");
        let webhook: Option<Webhook> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(member)
            .fetch_optional(c).await)?;
        let webhook = webhook.ok_or(StoreError::NotFound { what: "webhook" })?;
        self.delete_secret(&mut tx, &webhook_identity(id)).await?;
        tx.note(note(AuditAction::DeleteWebhook, &webhook));
        self.commit(tx).await
    }

    /// Puts a message to each webhook of a member, or of the team, that wants it. Returns whether there was one.
    pub(crate) async fn put_deliveries(
        &self,
        tx: &mut Tx,
        member: Option<MemberId>,
        about: &Notification,
    ) -> Result<bool, StoreError> {
        // One that is being deleted is waited for and passed over, rather than letting the change itself fail.
        let locking = match self.backend() {
            Backend::Postgres => "FOR KEY SHARE",
            Backend::Sqlite => "",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM webhooks WHERE member_id IS NOT DISTINCT FROM $1 AND off_at IS NULL ORDER BY id {locking}"
        );
        let webhooks: Vec<Webhook> =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(member).fetch_all(c).await)?;
        let mut any = false;
        for webhook in webhooks.iter().filter(|webhook| webhook.kinds.contains(&about.kind)) {
            self.put_delivery(tx, webhook.id, about.kind.as_str(), about).await?;
            any = true;
        }
        Ok(any)
    }

    async fn put_delivery(
        &self,
        tx: &mut Tx,
        webhook: WebhookId,
        kind: &str,
        about: &Notification,
    ) -> Result<Delivery, StoreError> {
        let sql = format!(
            "INSERT INTO webhook_deliveries (id, webhook_id, kind, about, status, created_at, next_at, attempts)
             VALUES ($1, $2, $3, $4, $5, $6, $6, 0) RETURNING {DELIVERY}"
        );
        Ok(on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(DeliveryId::new()).bind(webhook).bind(kind)
            .bind(Json(about)).bind(DeliveryStatus::Waiting).bind(self.now()).fetch_one(c).await)?)
    }

    /// Puts a message to a webhook that tells of nothing, to see whether it gets there.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn test_webhook(&self, id: WebhookId, member: Option<MemberId>) -> Result<Delivery, StoreError> {
        let webhook = self.webhook(id, member).await?.ok_or(StoreError::NotFound { what: "webhook" })?;
        let about = Notification {
            id: NotificationId::new(),
            kind: NotificationKind::CardWaits,
            project_id: None,
            feature_id: None,
            run_id: None,
            alert_id: None,
            execution_id: None,
            about_member_id: None,
            subject: "Test".to_owned(),
            text: "This is a test: nothing happened. Whoever reads it can be reached.".to_owned(),
            count: 1,
            seq: 0,
            at: self.now(),
            read_at: None,
        };
        let mut tx = self.begin().await?;
        // Somebody who tries it wants to see it go, also one that was switched off.
        on!(tx, c => sqlx::query("UPDATE webhooks SET failing_since = NULL, off_at = NULL, off_reason = NULL WHERE id = $1")
            .bind(id).execute(c).await.rows())?;
        let delivery = self.put_delivery(&mut tx, id, TEST, &about).await?;
        tx.note(note(AuditAction::SendWebhook, &webhook).with("delivery", delivery.id));
        self.commit(tx).await?;
        self.delivery_put.notify_one();
        Ok(delivery)
    }

    /// Sends a message once more that was delivered or given up, or at once one that waits. Its id stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn send_again(
        &self,
        webhook: WebhookId,
        member: Option<MemberId>,
        id: DeliveryId,
    ) -> Result<Delivery, StoreError> {
        let webhook = self.webhook(webhook, member).await?.ok_or(StoreError::NotFound { what: "webhook" })?;
        let mut tx = self.begin().await?;
        let sql = format!(
            "UPDATE webhook_deliveries SET status = $3, next_at = $4, attempts = 0, ended_at = NULL
             WHERE id = $1 AND webhook_id = $2 RETURNING {DELIVERY}"
        );
        let delivery: Option<Delivery> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).bind(webhook.id)
            .bind(DeliveryStatus::Waiting).bind(self.now()).fetch_optional(c).await)?;
        let delivery = delivery.ok_or(StoreError::NotFound { what: "delivery" })?;
        on!(tx, c => sqlx::query("UPDATE webhooks SET failing_since = NULL, off_at = NULL, off_reason = NULL WHERE id = $1")
            .bind(webhook.id).execute(c).await.rows())?;
        tx.note(note(AuditAction::SendWebhook, &webhook).with("delivery", id));
        self.commit(tx).await?;
        self.delivery_put.notify_one();
        Ok(delivery)
    }

    /// The latest messages to a webhook of a member, or of the team.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliveries(
        &self,
        webhook: WebhookId,
        member: Option<MemberId>,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {DELIVERY} FROM webhook_deliveries
             WHERE webhook_id = (SELECT id FROM webhooks WHERE id = $1 AND member_id IS NOT DISTINCT FROM $2)
             ORDER BY id DESC LIMIT $3"
        );
        Ok(
            read!(self, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(webhook).bind(member).bind(limit).fetch_all(c)
            .await)?,
        )
    }

    /// Waits until this process puts a message to a webhook. One that was put since the last wait counts.
    pub async fn delivery_was_put(&self) {
        self.delivery_put.notified().await;
    }

    /// Claims the message that waits longest of those that are due, for so long. Of one webhook there is one on its way at a
    /// time: one that hangs keeps nobody else's waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_delivery(&self, hold: Duration) -> Result<Option<ClaimedDelivery>, StoreError> {
        let mut tx = self.begin_light().await?;
        let clock = self.lease_clock(&mut tx).await?;
        let lease = DeliveryLeaseId::new();
        let passing_by = match self.backend() {
            Backend::Postgres => "FOR UPDATE OF d SKIP LOCKED",
            Backend::Sqlite => "",
        };
        let sql = format!(
            "UPDATE webhook_deliveries SET lease = $1, lease_until = $2, attempts = attempts + 1 WHERE id = (
               SELECT d.id FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
               WHERE d.status = 'waiting' AND d.next_at <= $3 AND (d.lease_until IS NULL OR d.lease_until <= $4)
                 AND w.off_at IS NULL
                 AND NOT EXISTS (SELECT 1 FROM members m WHERE m.id = w.member_id AND m.disabled_at IS NOT NULL)
                 AND NOT EXISTS (SELECT 1 FROM webhook_deliveries o WHERE o.webhook_id = d.webhook_id AND o.status = 'waiting'
                   AND o.lease_until > $4)
               ORDER BY d.next_at, d.id LIMIT 1 {passing_by})
             RETURNING {DELIVERY}"
        );
        let delivery: Option<Delivery> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(lease).bind(clock + hold)
            .bind(self.now()).bind(clock).fetch_optional(c).await)?;
        let Some(delivery) = delivery else { return Ok(None) };
        let (Json(about),): (Json<Notification>,) = on!(tx, c => sqlx::query_as(
            "SELECT about FROM webhook_deliveries WHERE id = $1").bind(delivery.id).fetch_one(c).await)?;
        let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id = $1");
        let webhook: Webhook =
            on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(delivery.webhook_id).fetch_one(c).await)?;
        let sealed: Option<SealedSecret> = on!(tx, c => sqlx::query_as(
            "SELECT identity, key_id, wrapped_key, sealed FROM secrets WHERE identity = $1")
            .bind(webhook_identity(webhook.id)).fetch_optional(c).await)?;
        self.commit(tx).await?;
        Ok(Some(ClaimedDelivery { delivery, webhook, about, sealed, lease }))
    }

    /// Writes down what came of a try; false when another process has claimed the message since, or it was deleted. Of a
    /// webhook that is switched off nothing waits any more, and its member is told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_delivery(
        &self,
        claimed: &ClaimedDelivery,
        tried: &Tried,
        end: DeliveryEnd,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let (status, next_at, ended_at) = match end {
            DeliveryEnd::Delivered => (DeliveryStatus::Delivered, now, Some(now)),
            DeliveryEnd::Later(at) => (DeliveryStatus::Waiting, at, None),
            DeliveryEnd::GivenUp(_) | DeliveryEnd::Gone => (DeliveryStatus::Failed, now, Some(now)),
        };
        let mut tx = self.begin().await?;
        // The webhook before its messages, as where it is deleted.
        let sql = format!(
            "UPDATE webhooks SET failing_since = CASE WHEN $2 THEN NULL ELSE coalesce(failing_since, $3) END
             WHERE id = $1 RETURNING {COLUMNS}"
        );
        let webhook: Option<Webhook> = on!(tx, c => sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(claimed.webhook.id)
            .bind(end == DeliveryEnd::Delivered).bind(now).fetch_optional(c).await)?;
        let Some(webhook) = webhook else { return Ok(false) };
        let done = on!(tx, c => sqlx::query(
            "UPDATE webhook_deliveries SET status = $3, next_at = $4, ended_at = $5, tried_at = $6, status_code = $7,
               duration_ms = $8, answer = $9, problem = $10, lease = NULL, lease_until = NULL
             WHERE id = $1 AND lease = $2 AND status = 'waiting'")
            .bind(claimed.delivery.id).bind(claimed.lease).bind(status).bind(next_at).bind(ended_at).bind(now)
            .bind(tried.status_code).bind(tried.duration_ms).bind(tried.answer.as_deref().map(cut))
            .bind(tried.problem.as_deref().map(cut)).execute(c).await.rows())?;
        if done != 1 {
            return Ok(false);
        }
        let off = match end {
            DeliveryEnd::Gone => Some("The receiver answered that it wants nothing more (410)."),
            DeliveryEnd::GivenUp(before) if webhook.failing_since.is_some_and(|since| since < before) => {
                Some("Nothing that was sent was taken for days.")
            }
            _ => None,
        };
        if let Some(reason) = off.filter(|_| webhook.off_at.is_none()) {
            self.switch_webhook_off(&mut tx, &webhook, reason).await?;
        }
        self.commit(tx).await?;
        Ok(true)
    }

    async fn switch_webhook_off(&self, tx: &mut Tx, webhook: &Webhook, reason: &str) -> Result<(), StoreError> {
        let now = self.now();
        on!(tx, c => sqlx::query("UPDATE webhooks SET off_at = $2, off_reason = $3 WHERE id = $1").bind(webhook.id).bind(now)
            .bind(reason).execute(c).await.rows())?;
        on!(tx, c => sqlx::query(
            "UPDATE webhook_deliveries SET status = $2, ended_at = $3, problem = $4, lease = NULL, lease_until = NULL
             WHERE webhook_id = $1 AND status = 'waiting'").bind(webhook.id).bind(DeliveryStatus::Failed).bind(now)
            .bind("The webhook was switched off.").execute(c).await.rows())?;
        let text = format!("{reason} Switch it on again under Settings when the receiver is mended.");
        tx.tell(Tell::new(
            NotificationKind::WebhookOff,
            webhook.member_id.unwrap_or(webhook.created_by),
            &webhook.name,
            text,
        ));
        Ok(())
    }

    /// Forgets what was delivered or given up before this moment, a bounded number at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_deliveries(&self, before: DateTime) -> Result<u64, StoreError> {
        let which = "webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries WHERE ended_at < $1 LIMIT $2)";
        self.forget(which, before).await
    }
}

fn note(action: AuditAction, webhook: &Webhook) -> Note {
    let note = Note::new(action).on(AuditObject::Webhook, webhook.id).with("host", &webhook.host);
    match webhook.member_id {
        None => note.with("of", "team"),
        Some(_) => note,
    }
}

fn cut(text: &str) -> String {
    crate::clean(text).chars().take(ANSWER).collect()
}
