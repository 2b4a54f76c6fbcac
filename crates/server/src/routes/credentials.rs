//! A member's own keys for model providers, and those of the team. A key comes in and never goes out.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_team::{KeyTest, TeamKey};
use guildhall_types::member::{Credential, ProviderKind, TeamCredential};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// The keys that a member can use.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The member's own.
    items: Vec<Credential>,
    /// Providers for which the team has a key, used where the member has none.
    team_keys: Vec<TeamKey>,
}

/// Lists one's own keys, masked, and for which providers the team has one.
#[utoipa::path(get, path = "/api/user/credentials", tag = "credentials", responses((status = 200, body = Credentials)))]
pub async fn list_credentials(State(app): State<App>, signed: Signed) -> Result<Json<Credentials>, Problem> {
    let items = app.team.store.credentials_of(signed.member.id).await?;
    Ok(Json(Credentials { items, team_keys: app.team.team_keys(signed.member.id).await? }))
}

/// A key to be put in place.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutCredential {
    /// The key; may be empty for an OpenAI-compatible server that asks for none.
    key: String,
    /// Where the provider is, if not at its usual address. An OpenAI-compatible server has no usual one.
    base_url: Option<String>,
}

/// Seals a key and puts it in place of the former one.
#[utoipa::path(put, path = "/api/user/credentials/{provider}", tag = "credentials",
    params(("provider" = ProviderKind, Path, description = "The provider.")), responses((status = 200, body = Credential)))]
pub async fn put_credential(
    signed: Signed,
    Path(provider): Path<String>,
    Json(new): Json<PutCredential>,
) -> Result<Json<Credential>, Problem> {
    let provider = known(&provider)?;
    let saved = signed.team.put_credential(signed.member.id, provider, &new.key, new.base_url.as_deref()).await?;
    tracing::info!(member = %signed.member.id, %provider, "a member put a key in place");
    Ok(Json(saved))
}

/// Deletes a key.
#[utoipa::path(delete, path = "/api/user/credentials/{provider}", tag = "credentials",
    params(("provider" = ProviderKind, Path, description = "The provider.")), responses((status = 204)))]
pub async fn delete_credential(signed: Signed, Path(provider): Path<String>) -> Result<StatusCode, Problem> {
    let provider = known(&provider)?;
    match signed.team.store.delete_credential(signed.member.id, provider).await? {
        true => {
            tracing::info!(member = %signed.member.id, %provider, "a member deleted a key");
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(Problem::not_found("key")),
    }
}

/// Asks the provider whether it takes the key.
#[utoipa::path(post, path = "/api/user/credentials/{provider}/test", tag = "credentials",
    params(("provider" = ProviderKind, Path, description = "The provider.")), responses((status = 200, body = KeyTest)))]
pub async fn test_credential(signed: Signed, Path(provider): Path<String>) -> Result<Json<KeyTest>, Problem> {
    Ok(Json(signed.team.test_credential(signed.member.id, known(&provider)?).await?))
}

/// The team's keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TeamCredentials {
    /// Those that an admin put in place.
    items: Vec<TeamCredential>,
    /// Providers for which the operator gave a key in the server's configuration; used where no admin put one in place.
    configured: Vec<ProviderKind>,
}

/// Lists the team's keys, masked. For admins.
#[utoipa::path(get, path = "/api/settings/credentials", tag = "credentials", responses((status = 200, body = TeamCredentials)))]
pub async fn list_team_credentials(State(app): State<App>) -> Result<Json<TeamCredentials>, Problem> {
    let items = app.team.store.team_credentials().await?;
    let given = |provider: &ProviderKind| app.team.providers.of(*provider).is_some();
    let configured = ProviderKind::ALL.iter().copied().filter(given).collect();
    Ok(Json(TeamCredentials { items, configured }))
}

/// Seals a key for the whole team and puts it in place of the former one. For admins.
#[utoipa::path(put, path = "/api/settings/credentials/{provider}", tag = "credentials",
    params(("provider" = ProviderKind, Path, description = "The provider.")), responses((status = 200, body = TeamCredential)))]
pub async fn put_team_credential(
    signed: Signed,
    Path(provider): Path<String>,
    Json(new): Json<PutCredential>,
) -> Result<Json<TeamCredential>, Problem> {
    let provider = known(&provider)?;
    let saved = signed.team.put_team_credential(signed.member.id, provider, &new.key, new.base_url.as_deref()).await?;
    tracing::info!(member = %signed.member.id, %provider, "a member put a key of the team in place");
    Ok(Json(saved))
}

/// Deletes a key of the team. For admins.
#[utoipa::path(delete, path = "/api/settings/credentials/{provider}", tag = "credentials",
    params(("provider" = ProviderKind, Path, description = "The provider.")), responses((status = 204)))]
pub async fn delete_team_credential(signed: Signed, Path(provider): Path<String>) -> Result<StatusCode, Problem> {
    let provider = known(&provider)?;
    match signed.team.store.delete_team_credential(provider).await? {
        true => {
            tracing::info!(member = %signed.member.id, %provider, "a member deleted a key of the team");
            Ok(StatusCode::NO_CONTENT)
        }
        false => Err(Problem::not_found("key")),
    }
}

/// Asks the provider whether it takes the team's key. For admins.
#[utoipa::path(post, path = "/api/settings/credentials/{provider}/test", tag = "credentials",
    params(("provider" = ProviderKind, Path, description = "The provider.")), responses((status = 200, body = KeyTest)))]
pub async fn test_team_credential(signed: Signed, Path(provider): Path<String>) -> Result<Json<KeyTest>, Problem> {
    Ok(Json(signed.team.test_team_credential(known(&provider)?).await?))
}

fn known(provider: &str) -> Result<ProviderKind, Problem> {
    provider.parse().map_err(|_| Problem::not_found("provider"))
}
