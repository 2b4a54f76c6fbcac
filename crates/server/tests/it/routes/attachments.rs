use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{Persona, TestApp};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x04\0\0\0\x02not much of a picture";

async fn card(app: &TestApp) -> (Persona, String) {
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let cards = format!("/api/projects/{}/features", project["id"].as_str().unwrap());
    let card = owner.post(&cards, json!({ "description": "Look." })).await.is(StatusCode::CREATED);
    let path = format!("/api/features/{}/attachments", card["id"].as_str().unwrap());
    (owner, path)
}

#[tokio::test]
async fn a_file_comes_back_as_it_went_and_harmless() {
    let app = TestApp::start().await;
    let (mut owner, path) = card(&app).await;
    let picture = owner.upload(&path, "a plan.png", PNG).await.is(StatusCode::CREATED);
    assert_eq!((&picture["name"], &picture["mediaType"]), (&json!("a plan.png"), &json!("image/png")));
    let page = owner.upload(&path, "page.html", b"<script>alert(1)</script>").await.is(StatusCode::CREATED);
    let list = owner.get(&path).await.is(StatusCode::OK);
    assert_eq!(list["items"], json!([picture, page]));

    let of = |file: &serde_json::Value| format!("/api/attachments/{}", file["id"].as_str().unwrap());
    let back = owner.get(&of(&picture)).await;
    assert_eq!((back.header("content-type"), &back.bytes[..]), ("image/png", PNG));
    assert!(back.header("content-disposition").starts_with("inline; filename=\"a plan.png\""));
    let back = owner.get(&of(&page)).await;
    assert_eq!(back.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(back.header("x-content-type-options"), "nosniff");
    assert!(back.header("content-security-policy").contains("sandbox"));

    owner.delete(&of(&page)).await.is(StatusCode::NO_CONTENT);
    owner.get(&of(&page)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(owner.get(&path).await.is(StatusCode::OK)["items"], json!([picture]));

    // Who put what where is told, and is not kept by browsers for whoever comes next.
    assert_eq!(picture["createdBy"], owner.get("/api/auth/me").await.is(StatusCode::OK)["id"]);
    let audit = owner.get("/api/audit").await.is(StatusCode::OK);
    let told: Vec<_> =
        audit["items"].as_array().unwrap().iter().filter(|entry| entry["detail"]["file"].is_string()).collect();
    let deeds: Vec<_> = told.iter().map(|entry| (&entry["action"], &entry["detail"]["name"])).collect();
    let (attach, detach) = (json!("feature.attach"), json!("feature.detach"));
    assert_eq!(deeds, [(&detach, &page["name"]), (&attach, &page["name"]), (&attach, &picture["name"])], "{audit:#}");
    let first = owner.get(&of(&picture)).await;
    assert_eq!(first.header("cache-control"), "private, no-cache");
    let again = owner.request(reqwest::Method::GET, &of(&picture)).header("if-none-match", first.header("etag"));
    let again = owner.send(again).await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));

    // What was deleted is shown no more.
    let card = path.trim_end_matches("/attachments");
    owner.delete(card).await.is(StatusCode::NO_CONTENT);
    owner.get(&of(&picture)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.delete(&of(&picture)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn what_is_too_large_or_neither_image_nor_text_is_refused() {
    let app = TestApp::start().await;
    let (mut owner, path) = card(&app).await;
    let five = 5 * 1024 * 1024;
    owner.upload(&path, "big.txt", &vec![b'a'; five]).await.is(StatusCode::CREATED);
    owner.upload(&path, "big.txt", &vec![b'a'; five + 1]).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    owner.upload(&path, "big.txt", &vec![b'a'; 7 << 20]).await.is_problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large");
    owner.upload(&path, "x.png", b"\xff\xfe\0\0").await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    owner.upload(&path, "x.txt", b"").await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    owner.post(&path, json!({})).await.is_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-multipart");
    let request = owner.request(reqwest::Method::POST, &path);
    let request = request.header("content-type", "multipart/form-data; boundary=xx").body("--xx\r\n");
    owner.send(request).await.is_problem(StatusCode::BAD_REQUEST, "bad-body");
    let nowhere = "/api/features/01890000-0000-7000-8000-000000000000/attachments";
    owner.upload(nowhere, "x.txt", b"x").await.is_problem(StatusCode::NOT_FOUND, "not-found");
}
