//! A member's own keys for model providers. A key comes in and never goes out.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_types::member::{Credential, ProviderKind};
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
    /// Providers for which the operator gave the team a key, used where the member has none.
    team_keys: Vec<ProviderKind>,
}

/// Lists one's own keys, masked.
#[utoipa::path(get, path = "/api/user/credentials", tag = "credentials", responses((status = 200, body = Credentials)))]
pub async fn list_credentials(State(app): State<App>, signed: Signed) -> Result<Json<Credentials>, Problem> {
    let items = app.team.store.credentials_of(signed.member.id).await?;
    let team_keys = app.team.providers.anthropic.iter().map(|endpoint| endpoint.provider).collect();
    Ok(Json(Credentials { items, team_keys }))
}

/// A key to be put in place.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutCredential {
    /// The key.
    key: String,
    /// Where the provider is, if not at its usual address.
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

/// What the provider says of a key.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialTest {
    /// Whether it takes the key.
    ok: bool,
    /// What it said, in a sentence.
    message: String,
}

/// Asks the provider whether it takes the key.
#[utoipa::path(post, path = "/api/user/credentials/{provider}/test", tag = "credentials",
    params(("provider" = ProviderKind, Path, description = "The provider.")), responses((status = 200, body = CredentialTest)))]
pub async fn test_credential(signed: Signed, Path(provider): Path<String>) -> Result<Json<CredentialTest>, Problem> {
    let (ok, message) = signed.team.test_credential(signed.member.id, known(&provider)?).await?;
    Ok(Json(CredentialTest { ok, message }))
}

fn known(provider: &str) -> Result<ProviderKind, Problem> {
    provider.parse().map_err(|_| Problem::not_found("provider"))
}
