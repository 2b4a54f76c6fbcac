//! Chats: conversations with agents in a project, without a card.

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use guildhall_store::AsideQuery;
use guildhall_team::{NewChat, SentFile};
use guildhall_types::feature::{Feature, FeatureCard, FeatureKind, WorkMode};
use guildhall_types::{AgentId, DateTime, FeatureId, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::deeds::{Accepted, FeatureAndRun, accepted, usable_sandbox};
use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::page_size;

/// Which chats.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListChats {
    /// Only those that one began oneself.
    #[param(nullable = false)]
    mine: Option<bool>,
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<String>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// A page of chats.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatPage {
    /// The chats, those in which something happened last first.
    items: Vec<FeatureCard>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Where a page begins: the moment of a chat or a task in microseconds, and its id.
pub(super) fn cursor(after: Option<&str>) -> Result<Option<(DateTime, FeatureId)>, Problem> {
    let read = |text: &str| {
        let (micros, id) = text.split_once('_')?;
        Some((DateTime::from_timestamp_micros(micros.parse().ok()?)?, id.parse().ok()?))
    };
    let wrong = || Problem::invalid("after", "give what a page gave as `next`");
    after.map(|text| read(text).ok_or_else(wrong)).transpose()
}

/// Lists a project's chats, those in which something happened last first.
#[utoipa::path(get, path = "/api/projects/{id}/chats", tag = "chats",
    params(("id" = ProjectId, Path, description = "The project."), ListChats), responses((status = 200, body = ChatPage)))]
pub async fn list_chats(
    signed: Signed,
    Path(id): Path<ProjectId>,
    Query(query): Query<ListChats>,
) -> Result<Json<ChatPage>, Problem> {
    let after = cursor(query.after.as_deref())?;
    let of = query.mine.unwrap_or(false).then_some(signed.member.id);
    let page = signed.team.chats(id, &AsideQuery { of, after, limit: page_size(query.limit)? }).await?;
    Ok(Json(ChatPage { items: page.items, next: page.next }))
}

/// A file that comes with a message: PNG, JPEG, GIF or WebP of 3.75 MiB at most, or UTF-8 text of 5 MiB at most.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageFile {
    /// Its name.
    name: String,
    /// Its bytes in base64.
    #[schema(format = Byte)]
    data: String,
}

/// The bytes of files, as they were before they were written as text.
fn sent(files: Vec<MessageFile>) -> Result<Vec<SentFile>, Problem> {
    let sent = files.into_iter().map(|file| match STANDARD.decode(file.data) {
        Ok(bytes) => Ok(SentFile { name: file.name, bytes }),
        Err(_) => Err(Problem::invalid("files", "give the bytes of each file as `data`, in base64 with its padding")),
    });
    sent.collect()
}

/// A chat to be begun.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartChat {
    /// What is said first.
    message: String,
    /// The files that come with it: 8 at most, of 10 MiB together.
    #[serde(default)]
    #[schema(max_items = 8)]
    files: Vec<MessageFile>,
    /// A few words; made from the message when absent.
    title: Option<String>,
    /// Who answers; the usual agent when absent.
    agent_id: Option<AgentId>,
    /// The model to use; the agent's, the project's or the server's default when absent.
    model: Option<String>,
    /// What the agent may do to the files: `read` looks and changes nothing, `work` has a worktree and a branch of its own.
    mode: WorkMode,
}

/// Begins a chat: an agent answers as soon as there is a place.
#[utoipa::path(post, path = "/api/projects/{id}/chats", tag = "chats",
    params(("id" = ProjectId, Path, description = "The project.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn start_chat(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<ProjectId>,
    Json(new): Json<StartChat>,
) -> Result<Accepted, Problem> {
    usable_sandbox(&app).await?;
    let chat = NewChat {
        message: new.message,
        files: sent(new.files)?,
        title: new.title,
        agent: new.agent_id,
        model: new.model,
        mode: new.mode,
    };
    Ok(accepted(signed.team.start_chat(signed.member.id, id, chat).await?))
}

/// Shows a chat; what was said is in the events of its run.
#[utoipa::path(get, path = "/api/chats/{id}", tag = "chats",
    params(("id" = FeatureId, Path, description = "The chat.")), responses((status = 200, body = Feature)))]
pub async fn get_chat(State(app): State<App>, Path(id): Path<FeatureId>) -> Result<Json<Feature>, Problem> {
    Ok(Json(app.team.chat(id).await?))
}

/// What is said in a chat.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SayInChat {
    /// The words.
    message: String,
    /// The files that come with them: 8 at most, of 10 MiB together, and 100 in a chat.
    #[serde(default)]
    #[schema(max_items = 8)]
    files: Vec<MessageFile>,
    /// What the agent may do to the files from now on; as before when absent.
    mode: Option<WorkMode>,
}

/// Says something in a chat. While the agent answers, its next turn reads it; otherwise the same conversation goes on.
#[utoipa::path(post, path = "/api/chats/{id}/messages", tag = "chats",
    params(("id" = FeatureId, Path, description = "The chat.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn say_in_chat(
    signed: Signed,
    Path(id): Path<FeatureId>,
    Json(said): Json<SayInChat>,
) -> Result<Accepted, Problem> {
    let files = sent(said.files)?;
    Ok(accepted(signed.team.say_in_chat(signed.member.id, id, &said.message, said.mode, files).await?))
}

/// Stops the answer of a chat. What was said stays; saying something goes on.
#[utoipa::path(post, path = "/api/chats/{id}/stop", tag = "chats",
    params(("id" = FeatureId, Path, description = "The chat.")), responses((status = 202, body = FeatureAndRun)))]
pub async fn stop_chat(signed: Signed, Path(id): Path<FeatureId>) -> Result<Accepted, Problem> {
    Ok(accepted(signed.team.stop_chat(id).await?))
}

/// Another title for a chat.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameChat {
    /// A few words.
    title: String,
}

/// Gives a chat another title: who began it may, and admins.
#[utoipa::path(patch, path = "/api/chats/{id}", tag = "chats",
    params(("id" = FeatureId, Path, description = "The chat.")), responses((status = 200, body = Feature)))]
pub async fn rename_chat(
    signed: Signed,
    Path(id): Path<FeatureId>,
    Json(new): Json<RenameChat>,
) -> Result<Json<Feature>, Problem> {
    Ok(Json(signed.team.rename_chat(signed.by(), id, &new.title).await?))
}

/// Deletes a chat with its files: who began it may, and admins. What was made in it stays on its branch.
#[utoipa::path(delete, path = "/api/chats/{id}", tag = "chats",
    params(("id" = FeatureId, Path, description = "The chat.")), responses((status = 204)))]
pub async fn delete_chat(signed: Signed, Path(id): Path<FeatureId>) -> Result<StatusCode, Problem> {
    signed.team.delete_chat(signed.by(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How a chat, or what an agent did by itself, is to be as a card.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToCard {
    /// Its title; the one that it has when absent.
    pub(super) title: Option<String>,
}

/// Turns a chat into a card with a number: conversation, worktree and changes stay.
#[utoipa::path(post, path = "/api/chats/{id}/to-card", tag = "chats",
    params(("id" = FeatureId, Path, description = "The chat.")), responses((status = 200, body = Feature)))]
pub async fn chat_to_card(
    signed: Signed,
    Path(id): Path<FeatureId>,
    body: Option<Json<ToCard>>,
) -> Result<Json<Feature>, Problem> {
    let wish = body.map(|Json(wish)| wish).unwrap_or_default();
    Ok(Json(signed.team.to_card(id, FeatureKind::Chat, wish.title.as_deref()).await?))
}
