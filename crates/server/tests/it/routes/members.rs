use guildhall_types::member::MemberRole;
use reqwest::StatusCode;

use crate::harness::TestApp;

#[tokio::test]
async fn members_come_page_by_page() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    app.member(MemberRole::Member).await;
    app.member(MemberRole::Viewer).await;
    let first = owner.get("/api/members?limit=2").await.is(StatusCode::OK);
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let second = owner.get(&format!("/api/members?limit=2&after={next}")).await.is(StatusCode::OK);
    assert_eq!(second["items"][0]["role"], "viewer");
    assert!(second["next"].is_null());
    assert!(!first.to_string().contains("argon2"), "{first}");
}
