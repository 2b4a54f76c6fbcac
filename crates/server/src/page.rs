//! The page: every address that is no route of the API.

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::problem::Problem;

/// What the page was built into. In a debug build it is read from the folder at each request.
#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
struct Dist;

/// Addresses that belong to programs: an unknown one among them is an error and never the page.
const PROGRAMS: &[&str] = &["api", "mcp", "git", "metrics", ".well-known"];

const NOT_BUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Guildhall</title>\
    <h1>Guildhall runs, but its page was not built</h1>\
    <p>Build it with <code>npm ci &amp;&amp; npm run build</code> in the folder <code>ui</code>, then build and start the server \
    again; <code>make run</code> does all of it. The API is there: see <a href=/api/openapi.json>its description</a>.";

/// Serves a file of the page, or the page itself for an address that the page's own router knows.
pub async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if PROGRAMS.contains(&first) {
        let detail = "There is nothing at this address. See /api/openapi.json for what there is.";
        return Problem::new(StatusCode::NOT_FOUND, "no-such-route", detail).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let detail = "The page takes GET and HEAD alone.";
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail).into_response();
    }
    if let Some(file) = Dist::get(path).filter(|_| path != "index.html") {
        // The build puts a hash of the content into the name of everything below assets/.
        let cache = if first == "assets" { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = [(header::CONTENT_TYPE, media_type(path)), (header::CACHE_CONTROL, cache)];
        return (headers, file.data).into_response();
    }
    if first == "assets" {
        // A page from before an update asks for a file that is gone: the page itself would be no script.
        return Problem::not_found("file of the page").into_response();
    }
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    match Dist::get("index.html") {
        Some(file) => (headers, file.data).into_response(),
        None => (headers, NOT_BUILT).into_response(),
    }
}

/// The media type of a file of the page, by its name: these are our own files.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
