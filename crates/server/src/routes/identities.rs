//! The accounts at providers by which a member signs in.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use guildhall_team::Purpose;
use guildhall_types::{DateTime, IdentityId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{From, Signed};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::routes::sign_in::{Elsewhere, begin, elsewhere};

/// An account at a provider by which this member signs in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdentityItem {
    /// The link's id.
    id: IdentityId,
    /// The provider's name in addresses; nothing where it can no longer be used.
    provider: Option<String>,
    /// The provider's name for people.
    label: String,
    /// The account's e-mail address, as the provider told it last.
    email: Option<String>,
    /// When it was linked.
    created_at: DateTime,
    /// When the member last signed in by it.
    last_used_at: Option<DateTime>,
}

/// Lists the accounts by which one signs in, the oldest link first.
#[utoipa::path(get, path = "/api/auth/identities", tag = "auth", responses((status = 200, body = Vec<IdentityItem>)))]
pub async fn list_identities(State(app): State<App>, signed: Signed) -> Result<Json<Vec<IdentityItem>>, Problem> {
    let identities = app.team.store.identities_of(signed.member.id).await?;
    let item = |identity: guildhall_types::access::Identity| {
        let provider = app.team.sign_in.of_issuer(&identity.issuer);
        IdentityItem {
            id: identity.id,
            provider: provider.map(|provider| provider.name.clone()),
            label: provider.map_or(identity.issuer, |provider| provider.label.clone()),
            email: identity.email,
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    };
    Ok(Json(identities.into_iter().map(item).collect()))
}

/// At which provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AtProvider {
    /// The provider's name.
    provider: String,
}

/// Begins to link an account at a provider, by which one signs in from then on. Answers with where the browser is to go.
#[utoipa::path(post, path = "/api/auth/identities", tag = "auth", responses((status = 200, body = Elsewhere)))]
pub async fn link_identity(
    State(app): State<App>,
    signed: Signed,
    From(from): From,
    headers: HeaderMap,
    Json(at): Json<AtProvider>,
) -> Result<Response, Problem> {
    let session = (signed.member.id, signed.session()?.id);
    let to = "/settings#identities";
    elsewhere(&app, &begin(&app, &headers, &at.provider, Purpose::Link, None, Some(session), to, &from).await?)
}

/// Takes a link away. The last way in stays.
#[utoipa::path(delete, path = "/api/auth/identities/{id}", tag = "auth",
    params(("id" = IdentityId, Path, description = "The link.")), responses((status = 204)))]
pub async fn unlink_identity(signed: Signed, Path(id): Path<IdentityId>) -> Result<StatusCode, Problem> {
    signed.team.unlink(&signed.member, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to prove once more who one is, by a linked account. Answers with where the browser is to go, in a window of its
/// own; for ten minutes after the way back, sensitive changes are taken from this session.
#[utoipa::path(post, path = "/api/auth/confirm/provider", tag = "auth", responses((status = 200, body = Elsewhere)))]
pub async fn confirm_by_provider(
    State(app): State<App>,
    signed: Signed,
    From(from): From,
    headers: HeaderMap,
    Json(at): Json<AtProvider>,
) -> Result<Response, Problem> {
    let session = (signed.member.id, signed.session()?.id);
    elsewhere(&app, &begin(&app, &headers, &at.provider, Purpose::Confirm, None, Some(session), "/", &from).await?)
}
