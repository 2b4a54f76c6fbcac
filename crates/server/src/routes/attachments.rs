//! Images and text files on cards.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use guildhall_team::SentFile;
use guildhall_types::feature::Attachment;
use guildhall_types::{AttachmentId, FeatureId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Signed;
use crate::extract::{Form, Json, Path};
use crate::problem::Problem;
use crate::routes::work::INERT;

/// The files on a card.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttachmentList {
    /// In the order they came.
    items: Vec<Attachment>,
}

/// Lists the files on a card.
#[utoipa::path(get, path = "/api/features/{id}/attachments", tag = "attachments",
    params(("id" = FeatureId, Path, description = "The feature.")), responses((status = 200, body = AttachmentList)))]
pub async fn list_attachments(
    State(app): State<App>,
    Path(id): Path<FeatureId>,
) -> Result<Json<AttachmentList>, Problem> {
    if app.team.store.feature(id).await?.is_none() {
        return Err(Problem::not_found("feature"));
    }
    Ok(Json(AttachmentList { items: app.team.store.attachments(id).await? }))
}

/// A file to be put on a card.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form, which is read field by field")]
pub struct AddAttachment {
    /// PNG, JPEG, GIF, WebP or UTF-8 text, of 5 MiB at most.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
}

/// Puts a file on a card.
#[utoipa::path(post, path = "/api/features/{id}/attachments", tag = "attachments",
    params(("id" = FeatureId, Path, description = "The feature.")),
    request_body(content = AddAttachment, content_type = "multipart/form-data"), responses((status = 201, body = Attachment)))]
pub async fn add_attachment(
    signed: Signed,
    Path(id): Path<FeatureId>,
    Form(mut form): Form,
) -> Result<(StatusCode, Json<Attachment>), Problem> {
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("file") {
            let name = field.file_name().unwrap_or_default().to_owned();
            let sent = SentFile { name, bytes: field.bytes().await?.to_vec() };
            let added = signed.team.add_attachment(signed.member.id, id, sent).await?;
            return Ok((StatusCode::CREATED, Json(added)));
        }
    }
    Err(Problem::invalid("file", "send the file in a field of this name"))
}

/// Shows a file.
#[utoipa::path(get, path = "/api/attachments/{id}", tag = "attachments",
    params(("id" = AttachmentId, Path, description = "The attachment.")),
    responses((status = 200, description = "The file's bytes.", body = String, content_type = "application/octet-stream"),
        (status = 304, description = "It is the one that the browser has.")))]
pub async fn get_attachment(
    State(app): State<App>,
    Path(id): Path<AttachmentId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // A file never changes. It is asked for all the same, so that nobody finds it in the browser of who has signed out.
    let tag = format!("\"{id}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    // One that is known is not read again.
    let found = match known {
        true => app.team.store.attachment(id).await?.map(|attachment| (attachment, Vec::new())),
        false => app.team.store.attachment_bytes(id).await?,
    };
    let (attachment, bytes) = found.ok_or_else(|| Problem::not_found("attachment"))?;
    let kind = match attachment.media_type.as_str() {
        text if text.starts_with("text/") => "text/plain; charset=utf-8",
        other => other,
    };
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => bytes.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, &disposition(&attachment.name)),
        (header::ETAG, &tag),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::CONTENT_SECURITY_POLICY, INERT),
    ] {
        headers.insert(name, HeaderValue::from_str(value).map_err(Problem::internal)?);
    }
    Ok(response)
}

/// Shown in the page, and kept under its own name when it is saved (RFC 6266).
fn disposition(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_. ".contains(c) { c } else { '_' }).collect();
    let escaped: String = name
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("inline; filename=\"{plain}\"; filename*=UTF-8''{escaped}")
}

/// Takes a file off its card.
#[utoipa::path(delete, path = "/api/attachments/{id}", tag = "attachments",
    params(("id" = AttachmentId, Path, description = "The attachment.")), responses((status = 204)))]
pub async fn delete_attachment(signed: Signed, Path(id): Path<AttachmentId>) -> Result<StatusCode, Problem> {
    match signed.team.store.delete_attachment(id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("attachment")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(disposition("plan b.png"), "inline; filename=\"plan b.png\"; filename*=UTF-8''plan%20b.png");
        assert_eq!(disposition("a\"\r\nü"), "inline; filename=\"a____\"; filename*=UTF-8''a%22%0D%0A%C3%BC");
    }
}
