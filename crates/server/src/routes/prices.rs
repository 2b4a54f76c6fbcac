//! What models cost.

use axum::extract::State;
use axum::http::StatusCode;
use guildhall_team::Prices;
use guildhall_types::PriceId;
use guildhall_types::member::ProviderKind;
use guildhall_types::price::{Price, PriceRow};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path};
use crate::problem::Problem;

/// Shows what models cost, in micro-dollars per million tokens: what an admin says, and the built-in table.
#[utoipa::path(get, path = "/api/settings/prices", tag = "settings", responses((status = 200, body = Prices)))]
pub async fn list_prices(State(app): State<App>) -> Result<Json<Prices>, Problem> {
    Ok(Json(app.team.prices().await?))
}

/// What models cost, in micro-dollars per million tokens.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutPrice {
    /// Whose models.
    provider: ProviderKind,
    /// Their names as the provider says them; a `*` stands for anything.
    pattern: String,
    /// Input that is neither read from nor written to the cache.
    input: i64,
    /// Output.
    output: i64,
    /// Input that is read from the cache.
    cache_read: i64,
    /// Input that is written to the cache.
    cache_write: i64,
}

/// Says what models cost; what was said of the same pattern is replaced. Holds for the next call, also of runs at work. For
/// admins.
#[utoipa::path(put, path = "/api/settings/prices", tag = "settings", responses((status = 200, body = PriceRow)))]
pub async fn put_price(signed: Signed, Json(new): Json<PutPrice>) -> Result<Json<PriceRow>, Problem> {
    let price =
        Price { input: new.input, output: new.output, cache_read: new.cache_read, cache_write: new.cache_write };
    Ok(Json(signed.team.put_price(new.provider, &new.pattern, price).await?))
}

/// Takes back what an admin said of a pattern. For admins.
#[utoipa::path(delete, path = "/api/settings/prices/{id}", tag = "settings",
    params(("id" = PriceId, Path, description = "The row.")), responses((status = 204)))]
pub async fn delete_price(signed: Signed, Path(id): Path<PriceId>) -> Result<StatusCode, Problem> {
    signed.team.delete_price(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
