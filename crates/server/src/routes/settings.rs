//! The team's settings.

use axum::extract::State;
use guildhall_engine::{LIMITS, RUN_LIMITS};
use guildhall_team::keys::KeysView;
use guildhall_types::access::SignUpSetting;
use guildhall_types::change::Change;
use guildhall_types::factor::SecondFactorSetting;
use guildhall_types::limits::{Limits, RunLimits};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::Json;
use crate::problem::Problem;

/// The limits of the team and of each run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamLimits {
    /// What a member and the whole team may use at once.
    team: Limits,
    /// What one run may use.
    run: RunLimits,
}

pub(super) async fn limits(app: &App) -> Result<TeamLimits, Problem> {
    let team = app.team.store.setting(LIMITS).await?.unwrap_or_default();
    let run = app.team.store.setting(RUN_LIMITS).await?.unwrap_or_default();
    Ok(TeamLimits { team, run })
}

/// Shows the limits that hold.
#[utoipa::path(get, path = "/api/settings/limits", tag = "settings", responses((status = 200, body = TeamLimits)))]
pub async fn get_limits(State(app): State<App>) -> Result<Json<TeamLimits>, Problem> {
    Ok(Json(limits(&app).await?))
}

/// Sets the limits. For admins.
#[utoipa::path(put, path = "/api/settings/limits", tag = "settings", responses((status = 200, body = TeamLimits)))]
pub async fn put_limits(
    State(app): State<App>,
    signed: Signed,
    Json(new): Json<TeamLimits>,
) -> Result<Json<TeamLimits>, Problem> {
    set_limits(&app, &signed, |_| Ok(new)).await
}

/// Limits that are to become others; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsChange {
    /// Of what a member and the whole team may use at once.
    #[schema(value_type = Option<Limits>, nullable = false)]
    team: Option<Change<Limits>>,
    /// Of what one run may use.
    #[schema(value_type = Option<RunLimits>, nullable = false)]
    run: Option<Change<RunLimits>>,
}

/// Changes some of the limits; the others stay as they are, whoever sets them meanwhile. For admins.
#[utoipa::path(patch, path = "/api/settings/limits", tag = "settings", responses((status = 200, body = TeamLimits)))]
pub async fn change_limits(
    State(app): State<App>,
    signed: Signed,
    Json(change): Json<LimitsChange>,
) -> Result<Json<TeamLimits>, Problem> {
    let bad = |error: serde_json::Error| Problem::invalid("body", error.to_string());
    set_limits(&app, &signed, |TeamLimits { team, run }| {
        Ok(TeamLimits {
            team: change.team.map_or(Ok(team), |change| change.over(&team)).map_err(bad)?,
            run: change.run.map_or(Ok(run), |change| change.over(&run)).map_err(bad)?,
        })
    })
    .await
}

async fn set_limits(
    app: &App,
    signed: &Signed,
    change: impl FnOnce(TeamLimits) -> Result<TeamLimits, Problem> + Send,
) -> Result<Json<TeamLimits>, Problem> {
    let mut new = TeamLimits::default();
    let change = |[team, run]: [Option<Value>; 2]| {
        new = change(TeamLimits { team: stored(team)?, run: stored(run)? })?;
        check(&new)?;
        let [team, run] = [serde_json::to_value(new.team), serde_json::to_value(new.run)];
        Ok::<_, Problem>([team.map_err(Problem::internal)?, run.map_err(Problem::internal)?])
    };
    signed.team.store.change_settings([LIMITS, RUN_LIMITS], change).await?;
    // Runs that wait for their budget may go on under another.
    signed.team.store.run_limit_changed().await?;
    // Commands at work are held to them at once.
    app.engine.apply_limits().await?;
    tracing::info!(member = %signed.member.id, limits = ?new, "a member set the limits");
    Ok(Json(new))
}

/// A setting as it is stored: as at first where it was never set.
fn stored<T: DeserializeOwned + Default>(value: Option<Value>) -> Result<T, Problem> {
    value.map_or_else(|| Ok(T::default()), |value| serde_json::from_value(value).map_err(Problem::internal))
}

fn check(new: &TeamLimits) -> Result<(), Problem> {
    for (field, value, least, most) in [
        ("team.maxConcurrentFeaturesPerMember", new.team.max_concurrent_features_per_member, 1, 100),
        ("team.maxConcurrentChatsPerMember", new.team.max_concurrent_chats_per_member, 1, 100),
        ("team.maxConcurrentTasksPerMember", new.team.max_concurrent_tasks_per_member, 1, 100),
        ("team.maxConcurrentFeatures", new.team.max_concurrent_features, 1, 1_000),
        ("team.maxWorktreesPerMember", new.team.max_worktrees_per_member, 1, 1_000),
        // With less than this not even a shell gets along.
        ("team.maxMemoryMbPerMember", new.team.max_memory_mb_per_member, 64, 10_000_000),
        ("team.maxProcessesPerMember", new.team.max_processes_per_member, 16, 1_000_000),
        ("team.maxDiskMbPerWorktree", new.team.max_disk_mb_per_worktree, 10, 100_000_000),
        ("run.maxTurns", new.run.max_turns, 1, 10_000),
        ("run.maxMinutes", new.run.max_minutes, 1, 7 * 24 * 60),
        ("run.maxCostMicros", new.run.max_cost_micros, 1, 10_000_000_000),
    ] {
        if !(least..=most).contains(&value) {
            return Err(Problem::invalid(field, format!("give a number from {least} to {most}")));
        }
    }
    Ok(())
}

/// Shows the keys that seal secrets: which is current and how much is sealed under each. Never a key itself. For admins.
#[utoipa::path(get, path = "/api/settings/keys", tag = "settings", responses((status = 200, body = KeysView)))]
pub async fn list_keys(State(app): State<App>) -> Result<Json<KeysView>, Problem> {
    Ok(Json(app.team.keys().list().await?))
}

/// Shows who may sign up without an invitation. For admins.
#[utoipa::path(get, path = "/api/settings/sign-up", tag = "settings", responses((status = 200, body = SignUpSetting)))]
pub async fn get_sign_up(State(app): State<App>) -> Result<Json<SignUpSetting>, Problem> {
    Ok(Json(app.team.sign_up_setting().await?))
}

/// Sets who may sign up without an invitation. For owners.
#[utoipa::path(put, path = "/api/settings/sign-up", tag = "settings", responses((status = 200, body = SignUpSetting)))]
pub async fn put_sign_up(signed: Signed, Json(new): Json<SignUpSetting>) -> Result<Json<SignUpSetting>, Problem> {
    Ok(Json(signed.team.set_sign_up(new).await?))
}

/// Shows whether everyone in the team needs a second factor. For admins.
#[utoipa::path(get, path = "/api/settings/second-factor", tag = "settings", responses((status = 200, body = SecondFactorSetting)))]
pub async fn get_second_factor(State(app): State<App>) -> Result<Json<SecondFactorSetting>, Problem> {
    Ok(Json(app.team.second_factor_setting().await?))
}

/// Says whether everyone in the team needs a second factor. For owners. Whoever has none is led to set one up, and can do
/// nothing else until then; so can their tokens.
#[utoipa::path(put, path = "/api/settings/second-factor", tag = "settings", responses((status = 200, body = SecondFactorSetting)))]
pub async fn put_second_factor(
    signed: Signed,
    Json(new): Json<SecondFactorSetting>,
) -> Result<Json<SecondFactorSetting>, Problem> {
    Ok(Json(signed.team.set_second_factor(&signed.member, new).await?))
}
