//! The audit: who did what.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use guildhall_store::{AuditQuery, Store, StoreError};
use guildhall_types::audit::{AuditAction, AuditEntry, AuditObject, AuditOutcome, Note};
use guildhall_types::{DateTime, MemberId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::routes::{next, page_size};

/// Entries that are read at once for an export.
const AT_ONCE: i64 = 500;

/// Which entries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListAudit {
    /// Only what this member did.
    #[param(nullable = false)]
    actor: Option<MemberId>,
    /// Only this action.
    #[param(nullable = false)]
    action: Option<AuditAction>,
    /// Only what was done to this kind of thing.
    #[param(nullable = false)]
    object: Option<AuditObject>,
    /// Only what was done to the thing of this id.
    #[param(nullable = false)]
    object_id: Option<String>,
    /// Only with this outcome.
    #[param(nullable = false)]
    outcome: Option<AuditOutcome>,
    /// Only from this moment on.
    #[param(nullable = false)]
    from: Option<DateTime>,
    /// Only before this moment.
    #[param(nullable = false)]
    to: Option<DateTime>,
    /// What the page before gave as `next`.
    #[param(nullable = false)]
    after: Option<i64>,
    /// How many at most; 500 are the most. An export takes them all.
    #[param(nullable = false)]
    limit: Option<i64>,
}

impl ListAudit {
    fn query(self, oldest_first: bool, limit: i64) -> AuditQuery {
        AuditQuery {
            actor: self.actor,
            action: self.action,
            object: self.object,
            object_id: self.object_id,
            outcome: self.outcome,
            from: self.from,
            to: self.to,
            after: self.after,
            oldest_first,
            limit,
        }
    }
}

/// A page of the audit.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The latest first.
    items: Vec<AuditEntry>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// Lists what was done, the latest first. For admins.
#[utoipa::path(get, path = "/api/audit", tag = "audit", params(ListAudit), responses((status = 200, body = AuditPage)))]
pub async fn list_audit(State(app): State<App>, Query(query): Query<ListAudit>) -> Result<Json<AuditPage>, Problem> {
    let limit = page_size(query.limit)?;
    let mut items = app.team.store.audit_entries(&query.query(false, limit + 1)).await?;
    let next = next(&mut items, limit, |entry| entry.seq.to_string());
    Ok(Json(AuditPage { items, next }))
}

/// Sends what was done as JSON lines, the oldest first. For admins.
#[utoipa::path(get, path = "/api/audit/export", tag = "audit", params(ListAudit),
    responses((status = 200, description = "An entry a line.", body = String, content_type = "application/x-ndjson")))]
pub async fn export_audit(signed: Signed, Query(query): Query<ListAudit>) -> Result<Response, Problem> {
    signed.team.store.audit(Note::new(AuditAction::ExportAudit).on(AuditObject::Audit, "all")).await?;
    let lines = lines(signed.team.store.clone(), query.query(true, AT_ONCE));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"guildhall-audit.jsonl\""),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The entries as JSON lines, a piece of many at a time.
pub fn lines(store: Store, query: AuditQuery) -> impl stream::Stream<Item = Result<String, StoreError>> {
    stream::try_unfold(Some(query), move |query| {
        let store = store.clone();
        async move {
            let Some(mut query) = query else { return Ok(None) };
            let entries = store.audit_entries(&query).await?;
            let Some(last) = entries.last() else { return Ok(None) };
            query.after = Some(last.seq);
            let mut piece = String::new();
            for entry in &entries {
                piece += &serde_json::to_string(entry)?;
                piece.push('\n');
            }
            Ok(Some((piece, Some(query))))
        }
    })
}
