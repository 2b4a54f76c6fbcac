//! What a member is told, and how.

use axum::extract::State;
use guildhall_store::ReadUpTo;
use guildhall_types::notification::{MailChoice, Notification};
use guildhall_types::rights::MemberRight;
use guildhall_types::{FeatureId, NotificationId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::routes::page_size;

/// Which notifications.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListNotifications {
    /// The `next` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// Only what is unread.
    #[param(nullable = false)]
    unread: Option<bool>,
    /// How many at most, from 1 to 500; 100 when absent.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of what a member was told.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotificationPage {
    /// The latest first.
    items: Vec<Notification>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
    /// How many are unread in all.
    unread: i64,
}

/// Lists what one was told, the latest first.
#[utoipa::path(get, path = "/api/notifications", tag = "notifications", params(ListNotifications),
    responses((status = 200, body = NotificationPage)))]
pub async fn list_notifications(
    State(app): State<App>,
    signed: Signed,
    Query(query): Query<ListNotifications>,
) -> Result<Json<NotificationPage>, Problem> {
    let limit = page_size(query.limit)?;
    let before: Option<i64> = match query.cursor.map(|cursor| cursor.parse()) {
        Some(Err(_)) => return Err(Problem::invalid("cursor", "give the `next` of the page before")),
        Some(Ok(before)) => Some(before),
        None => None,
    };
    let told = app.team.store.notifications(signed.member.id, before, query.unread == Some(true), limit).await?;
    Ok(Json(NotificationPage { items: told.page.items, next: told.page.next, unread: told.unread }))
}

/// How much is unread.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unread {
    /// The number.
    unread: i64,
}

/// Says how much of what one was told is unread.
#[utoipa::path(get, path = "/api/notifications/unread", tag = "notifications", responses((status = 200, body = Unread)))]
pub async fn count_notifications(State(app): State<App>, signed: Signed) -> Result<Json<Unread>, Problem> {
    Ok(Json(Unread { unread: app.team.store.unread(signed.member.id).await? }))
}

/// What was read: one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadNotifications {
    /// This one.
    #[schema(nullable = false)]
    id: Option<NotificationId>,
    /// All about this card.
    #[schema(nullable = false)]
    feature_id: Option<FeatureId>,
    /// All up to the one of this `seq`: what comes in between stays unread.
    #[schema(nullable = false)]
    up_to: Option<i64>,
}

/// Notes that one has read something.
#[utoipa::path(post, path = "/api/notifications/read", tag = "notifications", responses((status = 200, body = Unread)))]
pub async fn read_notifications(
    State(app): State<App>,
    signed: Signed,
    Json(read): Json<ReadNotifications>,
) -> Result<Json<Unread>, Problem> {
    let what = match (read.id, read.feature_id, read.up_to) {
        (Some(id), None, None) => ReadUpTo::One(id),
        (None, Some(feature), None) => ReadUpTo::Card(feature),
        (None, None, Some(seq)) => ReadUpTo::Seq(seq),
        _ => return Err(Problem::invalid("upTo", "say what was read by one of id, featureId and upTo")),
    };
    Ok(Json(Unread { unread: app.team.store.read_notifications(signed.member.id, what).await? }))
}

/// Which kinds come by mail.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailChoices {
    /// Whether this server sends mail at all.
    mail_on: bool,
    /// Every kind of which one is told, but that of the morning report, which has settings of its own.
    items: Vec<MailChoice>,
}

/// Says what comes to one by mail. On the page comes everything.
#[utoipa::path(get, path = "/api/notifications/settings", tag = "notifications", responses((status = 200, body = MailChoices)))]
pub async fn get_mail_choices(State(app): State<App>, signed: Signed) -> Result<Json<MailChoices>, Problem> {
    let items = app.team.store.mail_choices(signed.member.id).await?;
    Ok(Json(MailChoices { mail_on: app.team.mail_is_on(), items: told_to(&signed, items) }))
}

/// Chooses what comes by mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChooseMails {
    /// Kinds; what is absent stays as it is.
    items: Vec<MailChoice>,
}

/// Chooses what comes to one by mail.
#[utoipa::path(put, path = "/api/notifications/settings", tag = "notifications", responses((status = 200, body = MailChoices)))]
pub async fn put_mail_choices(
    State(app): State<App>,
    signed: Signed,
    Json(choose): Json<ChooseMails>,
) -> Result<Json<MailChoices>, Problem> {
    if choose.items.len() > guildhall_types::notification::NotificationKind::ALL.len() {
        return Err(Problem::invalid("items", "name each kind once at most"));
    }
    if choose.items.iter().any(|choice| choice.kind.has_own_mail()) {
        return Err(Problem::invalid("items", "morning reports come by mail as /api/report-settings says"));
    }
    let items = app.team.store.choose_mails(signed.member.id, &choose.items).await?;
    Ok(Json(MailChoices { mail_on: app.team.mail_is_on(), items: told_to(&signed, items) }))
}

/// Those kinds of which this member is ever told.
fn told_to(signed: &Signed, mut items: Vec<MailChoice>) -> Vec<MailChoice> {
    let administers = signed.may(MemberRight::Administer);
    items.retain(|choice| administers || !choice.kind.of_alert());
    items
}
