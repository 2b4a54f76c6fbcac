//! Webhooks: addresses that are called when a member is told something, and what became of each call.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::notification::NotificationKind;
use crate::text_enum::text_enum;
use crate::{DateTime, DeliveryId, MemberId, WebhookId};

text_enum! {
    /// What is sent.
    pub enum WebhookFormat {
        /// `{type, timestamp, data}`, as Standard Webhooks has it.
        Standard = "standard",
        /// `{text}`, as Slack, Mattermost and the like take it.
        Slack = "slack",
    }
}

text_enum! {
    /// How a delivery is.
    pub enum DeliveryStatus {
        /// It waits to be sent, or to be tried again.
        Waiting = "waiting",
        /// It was taken.
        Delivered = "delivered",
        /// It was given up.
        Failed = "failed",
    }
}

/// A webhook as its members see it: never its address whole, nor its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The webhook's id.
    pub id: WebhookId,
    /// Whose it is; nothing for the team's.
    pub member_id: Option<MemberId>,
    /// What its member calls it.
    pub name: String,
    /// Where it leads, without what comes after the host: some services let in whoever knows that.
    pub host: String,
    /// Of what it is told.
    #[cfg_attr(feature = "sqlx", sqlx(json))]
    pub kinds: Vec<NotificationKind>,
    /// What is sent.
    pub format: WebhookFormat,
    /// Who made it.
    pub created_by: MemberId,
    /// When it was made.
    pub created_at: DateTime,
    /// Since when nothing that was sent was taken.
    pub failing_since: Option<DateTime>,
    /// When it was switched off.
    pub off_at: Option<DateTime>,
    /// Why.
    pub off_reason: Option<String>,
}

/// A message to a webhook and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The delivery's id, which is sent as `webhook-id`: the same however often it is sent.
    pub id: DeliveryId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// What it tells of: a kind of notification, or `test`.
    pub kind: String,
    /// How it is.
    pub status: DeliveryStatus,
    /// When it was made.
    pub created_at: DateTime,
    /// When it is tried next, while it waits.
    pub next_at: DateTime,
    /// How often it was tried, since it was made or somebody asked to send it again.
    pub attempts: i64,
    /// When it was tried last.
    pub tried_at: Option<DateTime>,
    /// The status of the last answer.
    pub status_code: Option<i64>,
    /// How long the last try took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The beginning of the last answer.
    pub answer: Option<String>,
    /// Why the last try failed.
    pub problem: Option<String>,
    /// When it was delivered or given up.
    pub ended_at: Option<DateTime>,
}
