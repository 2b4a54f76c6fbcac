//! The work of a card's latest run: its diff and its files.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use guildhall_git::Diff;
use guildhall_team::{Side, WorkFile};
use guildhall_types::FeatureId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::extract::{Json, Path, Query};
use crate::problem::Problem;

/// How short an answer can be asked for, and how long.
const ANSWER: std::ops::RangeInclusive<usize> = 10_000..=20_000_000;
/// What a browser may do with bytes that are not the page's own: nothing but show them.
pub(super) const INERT: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// Which part of the changes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct GetDiff {
    /// Only the file that has this path, or had it before.
    #[param(nullable = false)]
    path: Option<String>,
    /// Bytes of the answer at most, 10000 to 20000000. Of more than one file that are too long for it, none has its text, and
    /// `note` says so: ask with `path` for each. Of one file the beginning is shown.
    #[param(nullable = false)]
    bytes: Option<usize>,
}

/// Shows what a card's latest run changed, against the commit that it started from: all of it, or the part of one file.
#[utoipa::path(get, path = "/api/features/{id}/diff", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature."), GetDiff), responses((status = 200, body = Diff)))]
pub async fn get_diff(
    State(app): State<App>,
    Path(id): Path<FeatureId>,
    Query(GetDiff { path, bytes }): Query<GetDiff>,
) -> Result<Json<Diff>, Problem> {
    if bytes.is_some_and(|most| !ANSWER.contains(&most)) {
        return Err(Problem::invalid("bytes", "give a number from 10000 to 20000000"));
    }
    Ok(Json(app.team.diff_within(id, path.as_deref(), bytes).await?))
}

/// Which side of a diff.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DiffSide {
    /// Before the work.
    Base,
    /// After it.
    #[default]
    Head,
}

/// Which file.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct GetFile {
    /// The path from the root of the repository.
    path: String,
    /// Which side of the diff; `head` when absent.
    #[param(nullable = false)]
    side: Option<DiffSide>,
}

/// Shows a file of a card's latest work.
#[utoipa::path(get, path = "/api/features/{id}/files", tag = "features",
    params(("id" = FeatureId, Path, description = "The feature."), GetFile),
    responses((status = 200, description = "The file's bytes: as an image if they are one, else as text.",
        body = String, content_type = "text/plain")))]
pub async fn get_file(
    State(app): State<App>,
    Path(id): Path<FeatureId>,
    Query(query): Query<GetFile>,
) -> Result<Response, Problem> {
    let side = match query.side.unwrap_or_default() {
        DiffSide::Base => Side::Base,
        DiffSide::Head => Side::Head,
    };
    let found = match is_plain(&query.path) {
        true => app.team.work_file(id, &query.path, side).await?,
        false => None,
    };
    match found {
        None => Err(Problem::not_found("file on this side of the diff")),
        Some(WorkFile::TooLarge(size)) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!("This file has {size} bytes; files of up to 5 MiB are shown."),
        )),
        Some(WorkFile::Bytes(bytes)) => {
            let kind = image_type(&bytes).unwrap_or("text/plain; charset=utf-8");
            Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, INERT)], bytes).into_response())
        }
    }
}

/// Whether a path can be in a repository: git itself would fail on others, and take some beginning with `:` for patterns.
fn is_plain(path: &str) -> bool {
    !path.starts_with(':') && !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The kind of image that these bytes are. Not by the name: a name can lie. SVG is text here, because it can hold scripts.
fn image_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [0, 0, 1, 0, ..] => Some("image/x-icon"),
        _ => None,
    }
}
