//! A member's own personal access tokens.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_types::access::ApiToken;
use guildhall_types::rights::Scope;
use guildhall_types::{DateTime, TokenId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// A member's tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenList {
    /// Those that are not revoked, the latest first.
    items: Vec<ApiToken>,
}

/// Lists one's own personal access tokens.
#[utoipa::path(get, path = "/api/auth/tokens", tag = "tokens", responses((status = 200, body = TokenList)))]
pub async fn list_tokens(State(app): State<App>, signed: Signed) -> Result<Json<TokenList>, Problem> {
    Ok(Json(TokenList { items: app.team.store.tokens_of(signed.member.id).await? }))
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for.
    name: String,
    /// What it may be used for.
    scopes: Vec<Scope>,
    /// When it ends by itself, a year from now at most; after 90 days when absent.
    #[schema(nullable = false)]
    expires_at: Option<DateTime>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub struct CreatedToken {
    /// What is kept of it.
    #[serde(flatten)]
    kept: ApiToken,
    /// The token. It is shown this once.
    token: String,
}

/// Makes a personal access token.
#[utoipa::path(post, path = "/api/auth/tokens", tag = "tokens", responses((status = 201, body = CreatedToken)))]
pub async fn create_token(
    signed: Signed,
    Json(new): Json<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let (token, kept) = signed.team.create_token(&signed.member, &new.name, new.scopes, new.expires_at).await?;
    Ok((StatusCode::CREATED, Json(CreatedToken { kept, token })))
}

/// Revokes one of one's own personal access tokens.
#[utoipa::path(delete, path = "/api/auth/tokens/{id}", tag = "tokens",
    params(("id" = TokenId, Path, description = "The token.")), responses((status = 204)))]
pub async fn revoke_token(signed: Signed, Path(id): Path<TokenId>) -> Result<StatusCode, Problem> {
    match signed.team.store.revoke_token(id, signed.member.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("token")),
    }
}
