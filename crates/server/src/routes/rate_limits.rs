//! How the rate limits of keys stand.

use axum::extract::State;
use chrono::TimeDelta;
use guildhall_engine::KeyLimits;
use guildhall_llm::governor::{Lane, Snapshot};
use guildhall_types::member::ProviderKind;
use guildhall_types::rights::MemberRight;
use guildhall_types::run::KeySource;
use guildhall_types::{DateTime, MemberId, NodeId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::Json;
use crate::problem::Problem;

/// How the limits of one key stand, for the models that share them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// Whose key it is.
    source: KeySource,
    /// Which provider it is for.
    provider: ProviderKind,
    /// The member whose key it is; nobody's when it is the team's or simulated.
    member_id: Option<MemberId>,
    /// Its last four characters; nothing where the server needs none.
    hint: Option<String>,
    /// The key by a hash, where it is used, and the models.
    lane: Lane,
    /// How the limits stand.
    state: Snapshot,
    /// No call goes before this time.
    gate_until: Option<DateTime>,
}

/// How the rate limits of keys stand.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateLimits {
    /// The server process that answers: each mirrors the limits as its own calls meet them.
    node: NodeId,
    /// When this was so.
    at: DateTime,
    /// Whether these are all keys, or those that concern oneself.
    all: bool,
    /// The keys that runs used lately.
    items: Vec<RateLimit>,
}

/// Shows how the rate limits of the keys stand that runs of this process used lately, as mirrored from the provider's
/// headers: for admins all of them, for others their own keys and what their own calls get of the team's.
#[utoipa::path(get, path = "/api/rate-limits", tag = "settings", responses((status = 200, body = RateLimits)))]
pub async fn list_rate_limits(State(app): State<App>, signed: Signed) -> Result<Json<RateLimits>, Problem> {
    let all = signed.may(MemberRight::Administer);
    let now = app.team.clock.now();
    let item = |limits: KeyLimits| {
        let state = limits.lane.state;
        let closed = TimeDelta::milliseconds((state.gate_seconds * 1_000.0) as i64);
        RateLimit {
            source: limits.used.key.source,
            provider: limits.used.key.provider,
            member_id: limits.used.member,
            hint: limits.used.key.hint,
            gate_until: (closed > TimeDelta::zero()).then(|| now + closed),
            lane: limits.lane.lane,
            state,
        }
    };
    let items = app.engine.rate_limits((!all).then_some(signed.member.id)).into_iter().map(item).collect();
    Ok(Json(RateLimits { node: app.engine.node(), at: now, all, items }))
}
