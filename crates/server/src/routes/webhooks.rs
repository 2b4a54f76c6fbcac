//! Webhooks: a member's own, and the team's. Both are handled alike; they differ in whose they are.

use axum::http::StatusCode;
use guildhall_team::{WebhookOwner, WebhookWish, WebhookWishes};
use guildhall_types::notification::NotificationKind;
use guildhall_types::webhook::{Delivery, Webhook, WebhookFormat};
use guildhall_types::{DeliveryId, WebhookId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// The team's webhooks are nobody's own.
const TEAM: WebhookOwner = None;

/// Webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    /// The oldest first.
    items: Vec<Webhook>,
}

/// A webhook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWebhook {
    /// What it is called.
    name: String,
    /// The address that is called. It is sealed, and never shown whole again.
    url: String,
    /// Of what it is told.
    kinds: Vec<NotificationKind>,
    /// What is sent; `standard` when absent.
    #[schema(nullable = false)]
    format: Option<WebhookFormat>,
}

/// Changes a webhook; what is absent stays. One that was switched off is on again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeWebhook {
    /// What it is called.
    #[schema(nullable = false)]
    name: Option<String>,
    /// The address that is called.
    #[schema(nullable = false)]
    url: Option<String>,
    /// Of what it is told.
    #[schema(nullable = false)]
    kinds: Option<Vec<NotificationKind>>,
    /// What is sent.
    #[schema(nullable = false)]
    format: Option<WebhookFormat>,
}

/// A webhook with its secret.
#[derive(Serialize, ToSchema)]
pub struct WebhookSecret {
    /// The webhook.
    #[serde(flatten)]
    webhook: Webhook,
    /// The secret that messages are signed with, as Standard Webhooks have it. It is shown this once.
    secret: String,
}

/// Messages to a webhook.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryList {
    /// The latest first, 50 at most.
    items: Vec<Delivery>,
}

/// Which message is to be sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendAgain {
    /// The message.
    delivery_id: DeliveryId,
}

async fn list(signed: &Signed, owner: WebhookOwner) -> Result<Json<WebhookList>, Problem> {
    Ok(Json(WebhookList { items: signed.team.store.webhooks(owner).await? }))
}

async fn create(
    signed: &Signed,
    owner: WebhookOwner,
    new: CreateWebhook,
) -> Result<(StatusCode, Json<WebhookSecret>), Problem> {
    let format = new.format.unwrap_or(WebhookFormat::Standard);
    let wish = WebhookWish { name: new.name, url: new.url, kinds: new.kinds, format };
    let (webhook, secret) = signed.team.create_webhook(&signed.member, owner, wish).await?;
    Ok((StatusCode::CREATED, Json(WebhookSecret { webhook, secret: secret.to_string() })))
}

async fn change(
    signed: &Signed,
    owner: WebhookOwner,
    id: WebhookId,
    change: ChangeWebhook,
) -> Result<Json<Webhook>, Problem> {
    let ChangeWebhook { name, url, kinds, format } = change;
    Ok(Json(signed.team.change_webhook(id, owner, WebhookWishes { name, url, kinds, format }).await?))
}

async fn delete(signed: &Signed, owner: WebhookOwner, id: WebhookId) -> Result<StatusCode, Problem> {
    signed.team.store.delete_webhook(id, owner).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn renew(signed: &Signed, owner: WebhookOwner, id: WebhookId) -> Result<Json<WebhookSecret>, Problem> {
    let (webhook, secret) = signed.team.renew_webhook_secret(id, owner).await?;
    Ok(Json(WebhookSecret { webhook, secret: secret.to_string() }))
}

async fn deliveries(signed: &Signed, owner: WebhookOwner, id: WebhookId) -> Result<Json<DeliveryList>, Problem> {
    Ok(Json(DeliveryList { items: signed.team.webhook_deliveries(id, owner).await? }))
}

async fn test(signed: &Signed, owner: WebhookOwner, id: WebhookId) -> Result<(StatusCode, Json<Delivery>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(signed.team.test_webhook(id, owner).await?)))
}

async fn again(
    signed: &Signed,
    owner: WebhookOwner,
    id: WebhookId,
    which: SendAgain,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(signed.team.send_delivery_again(id, owner, which.delivery_id).await?)))
}

/// Lists one's own webhooks.
#[utoipa::path(get, path = "/api/webhooks", tag = "webhooks", responses((status = 200, body = WebhookList)))]
pub async fn list_webhooks(signed: Signed) -> Result<Json<WebhookList>, Problem> {
    list(&signed, Some(signed.member.id)).await
}

/// Makes a webhook of one's own. Its signing secret is shown this once.
#[utoipa::path(post, path = "/api/webhooks", tag = "webhooks", responses((status = 201, body = WebhookSecret)))]
pub async fn create_webhook(
    signed: Signed,
    Json(new): Json<CreateWebhook>,
) -> Result<(StatusCode, Json<WebhookSecret>), Problem> {
    create(&signed, Some(signed.member.id), new).await
}

/// Changes a webhook of one's own, and switches it on again if it was off.
#[utoipa::path(patch, path = "/api/webhooks/{id}", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 200, body = Webhook)))]
pub async fn change_webhook(
    signed: Signed,
    Path(id): Path<WebhookId>,
    Json(wish): Json<ChangeWebhook>,
) -> Result<Json<Webhook>, Problem> {
    change(&signed, Some(signed.member.id), id, wish).await
}

/// Deletes a webhook of one's own, with the messages that wait for it.
#[utoipa::path(delete, path = "/api/webhooks/{id}", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 204)))]
pub async fn delete_webhook(signed: Signed, Path(id): Path<WebhookId>) -> Result<StatusCode, Problem> {
    delete(&signed, Some(signed.member.id), id).await
}

/// Gives a webhook of one's own another signing secret, which is shown this once. The former one signs nothing any more.
#[utoipa::path(post, path = "/api/webhooks/{id}/secret", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 200, body = WebhookSecret)))]
pub async fn renew_webhook_secret(signed: Signed, Path(id): Path<WebhookId>) -> Result<Json<WebhookSecret>, Problem> {
    renew(&signed, Some(signed.member.id), id).await
}

/// Lists the latest messages to a webhook of one's own, with what became of them.
#[utoipa::path(get, path = "/api/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 200, body = DeliveryList)))]
pub async fn list_deliveries(signed: Signed, Path(id): Path<WebhookId>) -> Result<Json<DeliveryList>, Problem> {
    deliveries(&signed, Some(signed.member.id), id).await
}

/// Sends a message to a webhook of one's own that tells of nothing, to see whether it gets there.
#[utoipa::path(post, path = "/api/webhooks/{id}/test", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 202, body = Delivery)))]
pub async fn test_webhook(signed: Signed, Path(id): Path<WebhookId>) -> Result<(StatusCode, Json<Delivery>), Problem> {
    test(&signed, Some(signed.member.id), id).await
}

/// Sends a message to a webhook of one's own once more, at once and under the same id.
#[utoipa::path(post, path = "/api/webhooks/{id}/send-again", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 202, body = Delivery)))]
pub async fn send_again(
    signed: Signed,
    Path(id): Path<WebhookId>,
    Json(which): Json<SendAgain>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    again(&signed, Some(signed.member.id), id, which).await
}

/// Lists the team's webhooks. For admins.
#[utoipa::path(get, path = "/api/settings/webhooks", tag = "webhooks", responses((status = 200, body = WebhookList)))]
pub async fn list_team_webhooks(signed: Signed) -> Result<Json<WebhookList>, Problem> {
    list(&signed, TEAM).await
}

/// Makes a webhook of the team. Its signing secret is shown this once. For admins.
#[utoipa::path(post, path = "/api/settings/webhooks", tag = "webhooks", responses((status = 201, body = WebhookSecret)))]
pub async fn create_team_webhook(
    signed: Signed,
    Json(new): Json<CreateWebhook>,
) -> Result<(StatusCode, Json<WebhookSecret>), Problem> {
    create(&signed, TEAM, new).await
}

/// Changes a webhook of the team, and switches it on again if it was off. For admins.
#[utoipa::path(patch, path = "/api/settings/webhooks/{id}", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 200, body = Webhook)))]
pub async fn change_team_webhook(
    signed: Signed,
    Path(id): Path<WebhookId>,
    Json(wish): Json<ChangeWebhook>,
) -> Result<Json<Webhook>, Problem> {
    change(&signed, TEAM, id, wish).await
}

/// Deletes a webhook of the team, with the messages that wait for it. For admins.
#[utoipa::path(delete, path = "/api/settings/webhooks/{id}", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 204)))]
pub async fn delete_team_webhook(signed: Signed, Path(id): Path<WebhookId>) -> Result<StatusCode, Problem> {
    delete(&signed, TEAM, id).await
}

/// Gives a webhook of the team another signing secret, which is shown this once. The former one signs nothing any more. For admins.
#[utoipa::path(post, path = "/api/settings/webhooks/{id}/secret", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 200, body = WebhookSecret)))]
pub async fn renew_team_webhook_secret(
    signed: Signed,
    Path(id): Path<WebhookId>,
) -> Result<Json<WebhookSecret>, Problem> {
    renew(&signed, TEAM, id).await
}

/// Lists the latest messages to a webhook of the team, with what became of them. For admins.
#[utoipa::path(get, path = "/api/settings/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 200, body = DeliveryList)))]
pub async fn list_team_deliveries(signed: Signed, Path(id): Path<WebhookId>) -> Result<Json<DeliveryList>, Problem> {
    deliveries(&signed, TEAM, id).await
}

/// Sends a message to a webhook of the team that tells of nothing, to see whether it gets there. For admins.
#[utoipa::path(post, path = "/api/settings/webhooks/{id}/test", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 202, body = Delivery)))]
pub async fn test_team_webhook(
    signed: Signed,
    Path(id): Path<WebhookId>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    test(&signed, TEAM, id).await
}

/// Sends a message to a webhook of the team once more, at once and under the same id. For admins.
#[utoipa::path(post, path = "/api/settings/webhooks/{id}/send-again", tag = "webhooks",
    params(("id" = WebhookId, Path, description = "The webhook.")), responses((status = 202, body = Delivery)))]
pub async fn send_team_again(
    signed: Signed,
    Path(id): Path<WebhookId>,
    Json(which): Json<SendAgain>,
) -> Result<(StatusCode, Json<Delivery>), Problem> {
    again(&signed, TEAM, id, which).await
}
