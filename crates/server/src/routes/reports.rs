//! Morning reports: each member's own.

use axum::http::StatusCode;
use guildhall_types::ReportId;
use guildhall_types::report::{Report, ReportSettings};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;
use crate::routes::page_size;

/// Which reports.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListReports {
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<ReportId>,
    /// How many at most; 500 are the most.
    #[param(nullable = false)]
    limit: Option<i64>,
}

/// One page of reports.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reports {
    /// The reports, the latest first.
    items: Vec<Report>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists one's own morning reports, the latest first.
#[utoipa::path(get, path = "/api/reports", tag = "reports", params(ListReports), responses((status = 200, body = Reports)))]
pub async fn list_reports(signed: Signed, Query(query): Query<ListReports>) -> Result<Json<Reports>, Problem> {
    let limit = page_size(query.limit)?;
    let page = signed.team.store.reports(signed.member.id, query.after, limit).await?;
    Ok(Json(Reports { items: page.items, next: page.next }))
}

/// The latest report.
#[derive(Debug, Serialize, ToSchema)]
pub struct LatestReport {
    /// The report; nothing while there is none.
    report: Option<Report>,
}

/// Shows one's own latest morning report.
#[utoipa::path(get, path = "/api/reports/latest", tag = "reports", responses((status = 200, body = LatestReport)))]
pub async fn latest_report(signed: Signed) -> Result<Json<LatestReport>, Problem> {
    let page = signed.team.store.reports(signed.member.id, None, 1).await?;
    Ok(Json(LatestReport { report: page.items.into_iter().next() }))
}

/// Shows one of one's own morning reports.
#[utoipa::path(get, path = "/api/reports/{id}", tag = "reports",
    params(("id" = ReportId, Path, description = "The report.")), responses((status = 200, body = Report)))]
pub async fn get_report(signed: Signed, Path(id): Path<ReportId>) -> Result<Json<Report>, Problem> {
    let report = signed.team.store.report(signed.member.id, id).await?;
    report.map(Json).ok_or_else(|| Problem::not_found("report"))
}

/// Notes that one has looked at a report.
#[utoipa::path(post, path = "/api/reports/{id}/read", tag = "reports",
    params(("id" = ReportId, Path, description = "The report.")), responses((status = 204)))]
pub async fn read_report(signed: Signed, Path(id): Path<ReportId>) -> Result<StatusCode, Problem> {
    match signed.team.store.read_report(signed.member.id, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("report")),
    }
}

/// How one is told in the morning, and what can be had.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportChoice {
    /// Whether reports come by mail as well.
    mail: bool,
    /// When one is told of a night whose window is still open, such as `07:00`, in one's own time zone.
    morning: String,
    /// Whether this server sends mail.
    mail_is_on: bool,
}

/// Shows how one is told of what auto mode did.
#[utoipa::path(get, path = "/api/report-settings", tag = "reports", responses((status = 200, body = ReportChoice)))]
pub async fn get_report_settings(signed: Signed) -> Result<Json<ReportChoice>, Problem> {
    let ReportSettings { mail, morning } = signed.team.report_settings(signed.member.id).await?;
    Ok(Json(ReportChoice { mail, morning, mail_is_on: signed.team.mail_is_on() }))
}

/// Sets how one is told of what auto mode did.
#[utoipa::path(put, path = "/api/report-settings", tag = "reports", responses((status = 200, body = ReportChoice)))]
pub async fn put_report_settings(
    signed: Signed,
    Json(settings): Json<ReportSettings>,
) -> Result<Json<ReportChoice>, Problem> {
    signed.team.set_report_settings(signed.member.id, &settings).await?;
    let ReportSettings { mail, morning } = settings;
    Ok(Json(ReportChoice { mail, morning, mail_is_on: signed.team.mail_is_on() }))
}
