//! The hub as files: Markdown with a front matter, one by one or as an archive.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use guildhall_store::KnowledgeFilter;
use guildhall_team::{ImportReport, ImportWay};
use guildhall_types::KnowledgeId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Anyway, author, chosen, tags};
use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Json, Path, Query};
use crate::problem::{Problem, chain};

const MARKDOWN: &str = "text/markdown";
const TAR: &str = "application/x-tar";

/// An answer that a browser saves as a file of this name, which is ours: plain letters, digits and lines.
fn saved(body: Body, kind: &'static str, name: &str) -> Result<Response, Problem> {
    let mut response = body.into_response();
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(Problem::internal)?);
    Ok(response)
}

/// Gives an item out as a Markdown file.
#[utoipa::path(get, path = "/api/knowledge/items/{id}/markdown", tag = "knowledge",
    params(("id" = KnowledgeId, Path, description = "The item.")),
    responses((status = 200, description = "The file.", body = String, content_type = "text/markdown")))]
pub async fn export_item(State(app): State<App>, Path(id): Path<KnowledgeId>) -> Result<Response, Problem> {
    let (name, text) = app.team.knowledge_file(id).await?;
    let name = name.rsplit('/').next().unwrap_or_default();
    saved(Body::from(text), "text/markdown; charset=utf-8", name)
}

/// Which items are given out; all when nothing is said.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExportKnowledge {
    /// Only of this kind: `blueprint`, `entry` or `learning`.
    #[param(nullable = false)]
    kind: Option<String>,
    /// Only with all of these tags, with commas between them.
    #[param(nullable = false)]
    tag: Option<String>,
}

/// Gives the hub out as an archive (tar) of Markdown files, a folder for each kind.
#[utoipa::path(get, path = "/api/knowledge/export", tag = "knowledge", params(ExportKnowledge),
    responses((status = 200, description = "The archive.", body = String, content_type = "application/x-tar")))]
pub async fn export_knowledge(
    State(app): State<App>,
    Query(query): Query<ExportKnowledge>,
) -> Result<Response, Problem> {
    let filter = KnowledgeFilter {
        kind: chosen("kind", query.kind.as_ref())?,
        tags: tags(query.tag.as_deref()),
        ..KnowledgeFilter::default()
    };
    // The first part is read before the answer begins, so that a failure can still be told; the others as they are taken.
    let (first, next) = app.team.knowledge_archive(&filter, None).await?;
    let rest = stream::unfold(next, move |next| {
        let (team, filter) = (app.team.clone(), filter.clone());
        async move {
            let after = next?;
            Some(match team.knowledge_archive(&filter, Some(after)).await {
                Ok((part, next)) => (Ok(Bytes::from(part)), next),
                Err(error) => {
                    tracing::error!(error = chain(&error), "an export of the knowledge hub broke off");
                    (Err(std::io::Error::other("the export broke off")), None)
                }
            })
        }
    });
    let first = stream::once(async { Ok::<_, std::io::Error>(Bytes::from(first)) });
    // What packs the answer asks once more after the end.
    saved(Body::from_stream(first.chain(rest).fuse()), TAR, "knowledge.tar")
}

/// Brings a Markdown file, or an archive (tar, without compression) of them, into the hub.
///
/// An item that is there already, by the id in its file, gets the file's text; others are written anew, unless the hub holds
/// much the same. If one of the files is faulty, none comes in.
#[utoipa::path(post, path = "/api/knowledge/import", tag = "knowledge", params(Anyway),
    request_body(content(("text/markdown"), ("application/x-tar"))), responses((status = 200, body = ImportReport)))]
pub async fn import_knowledge(
    signed: Signed,
    Query(query): Query<Anyway>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ImportReport>, Problem> {
    let body = body?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let by = author(&signed);
    let way = ImportWay { anyway: query.anyway.unwrap_or_default(), dry_run: false };
    let report = match kind.as_str() {
        MARKDOWN => {
            let files = vec![("the file".to_owned(), body.to_vec())];
            signed.team.import_knowledge(&by, files, way).await?
        }
        TAR | "application/tar" => signed.team.import_archive(&by, &body, way).await?,
        _ => {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-knowledge",
                "Send a Markdown file as text/markdown, or an archive of them as application/x-tar.",
            ));
        }
    };
    Ok(Json(report))
}
