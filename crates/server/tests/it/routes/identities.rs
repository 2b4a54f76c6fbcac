//! Linked accounts, proving by one who one is, and pictures.

use chrono::Duration;
use guildhall_types::{Clock, FixedClock, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, PATIENCE, Persona, TestApp, Wish};
use crate::post::Post;
use crate::provider::{Providers, Visitor, told};

const LINK: &str = "/api/auth/identities";

fn at(provider: &str) -> Value {
    json!({ "provider": provider })
}

async fn linked(persona: &mut Persona) -> Vec<Value> {
    persona.get(LINK).await.is(StatusCode::OK).as_array().unwrap().clone()
}

/// A member who signed up by the first provider, and the browser.
async fn newcomer(providers: &Providers, app: &TestApp, owner: &mut Persona, person: Value) -> (Visitor, Persona) {
    let setting = json!({ "open": true, "domain": null, "role": "member" });
    owner.put("/api/settings/sign-up", setting).await.is(StatusCode::OK);
    providers.is("ben", person).await;
    let mut visitor = Visitor::new(app);
    assert_eq!(visitor.go("/api/auth/oidc/one").await, "/");
    let persona = visitor.persona(app);
    (visitor, persona)
}

fn ben() -> Value {
    json!({ "email": "ben@example.com", "email_verified": true, "name": "Ben" })
}

async fn link_sign_in_unlink(postgres: bool) {
    let providers = Providers::start(2).await;
    let app = providers.app(Wish { postgres, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let id = owner.id().await;
    assert!(linked(&mut owner).await.is_empty());
    // Whatever the address there is, and verified or not: who links it says that it is theirs.
    providers.is("olga", json!({ "email": "private@example.org", "email_verified": false })).await;
    let mut visitor = Visitor::of(&app, &owner);
    assert_eq!(visitor.post_and_go(LINK, at("one")).await, "/settings#identities");
    let list = linked(&mut owner).await;
    assert_eq!((list.len(), &list[0]["email"]), (1, &json!("private@example.org")));
    let mut phone = Visitor::new(&app);
    assert_eq!(phone.go("/api/auth/oidc/one").await, "/");
    assert_eq!(phone.persona(&app).id().await, id);
    // Linked again is linked still.
    assert_eq!(visitor.post_and_go(LINK, at("one")).await, "/settings#identities");
    assert_eq!(linked(&mut owner).await.len(), 1);

    let path = format!("{LINK}/{}", list[0]["id"].as_str().unwrap());
    let mut other = app.member(guildhall_types::member::MemberRole::Admin).await;
    other.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    owner.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/login?problem=no-account");
    let told = owner.get("/api/audit?action=identity.unlink").await.is(StatusCode::OK);
    assert_eq!(told["items"].as_array().unwrap().len(), 1, "{told}");
}

#[tokio::test]
async fn a_link_that_comes_or_goes_is_mailed() {
    let providers = Providers::start(1).await;
    let mut post = Post::start().await;
    let smtp = post.settings();
    let change = Box::new(move |config: &mut guildhall_server::config::Config| config.mail = Some(smtp));
    let app = providers.app(Wish { change, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    providers.is("olga", json!({ "email": "private@example.org", "email_verified": true })).await;
    let mut visitor = Visitor::of(&app, &owner);
    visitor.post_and_go(LINK, at("one")).await;
    let list = linked(&mut owner).await;
    // Linked again changes nothing, and is not told.
    visitor.post_and_go(LINK, at("one")).await;
    owner.delete(&format!("{LINK}/{}", list[0]["id"].as_str().unwrap())).await.is(StatusCode::NO_CONTENT);
    for (subject, words) in [
        ("An account was linked to yours", "Whoever holds it can sign in with it"),
        ("A linked account was taken away", "that was linked to yours was taken away"),
    ] {
        let mail = post.next().await;
        assert_eq!((mail.to.as_str(), mail.header("Subject").as_str()), ("olga@example.com", subject));
        assert!(mail.text().replace('\n', " ").contains(words), "{}", mail.text());
    }
}

#[tokio::test]
async fn an_account_is_linked_signs_in_and_is_unlinked() {
    link_sign_in_unlink(false).await;
}

#[tokio::test]
async fn an_account_is_linked_signs_in_and_is_unlinked_on_postgres() {
    link_sign_in_unlink(true).await;
}

#[tokio::test]
async fn linking_takes_a_member_who_asks_for_it_in_this_very_session() {
    let providers = Providers::start(1).await;
    let clock = FixedClock::new(SystemClock.now());
    let app = providers.app(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await;
    providers.is("olga", ben()).await;
    // A link that is opened links nothing.
    let mut visitor = Visitor::of(&app, &owner);
    owner.get(&format!("{LINK}?provider=one")).await.is(StatusCode::OK);
    assert!(linked(&mut owner).await.is_empty());
    // Signed out in between, or signed in anew.
    let (_, begun) = visitor.post(LINK, at("one")).await;
    let back = visitor.go_until_back(begun["url"].as_str().unwrap()).await;
    let session = visitor.own().remove("guildhall").unwrap();
    assert_eq!(visitor.go(back.as_str()).await, "/settings?problem=signed-out");
    visitor.own().insert("guildhall".to_owned(), session);
    let (_, begun) = visitor.post(LINK, at("one")).await;
    let back = visitor.go_until_back(begun["url"].as_str().unwrap()).await;
    let mut other = app.anonymous();
    let login = json!({ "email": "olga@example.com", "password": PASSWORD });
    other.post("/api/auth/login", login).await.is(StatusCode::OK);
    let token = other.cookie.unwrap().replace("guildhall=", "");
    visitor.own().insert("guildhall".to_owned(), token);
    assert_eq!(visitor.go(back.as_str()).await, "/settings?problem=try-ended");
    assert!(linked(&mut owner).await.is_empty());
    owner.post(LINK, at("three")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    clock.advance(Duration::minutes(10));
    owner.post(LINK, at("one")).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
}

#[tokio::test]
async fn an_account_is_one_members() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    let (_, mut ben) = newcomer(&providers, &app, &mut owner, ben()).await;
    let mut visitor = Visitor::of(&app, &owner);
    assert_eq!(visitor.post_and_go(LINK, at("one")).await, "/settings?problem=identity-taken");
    assert!(linked(&mut owner).await.is_empty());
    assert_eq!(linked(&mut ben).await.len(), 1);
}

#[tokio::test]
async fn who_has_no_password_proves_by_the_provider_who_they_are() {
    let providers = Providers::start(2).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    let (mut visitor, mut ben) = newcomer(&providers, &app, &mut owner, ben()).await;
    // The provider did not say when the person proved anything: it may have been days ago.
    let token = json!({ "name": "t", "scopes": ["read"] });
    ben.post("/api/auth/tokens", token.clone()).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    let password = json!({ "newPassword": "three green bottles" });
    ben.patch("/api/auth/me", password.clone()).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    let refused = ben.post("/api/auth/confirm", json!({ "password": PASSWORD })).await;
    refused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(
        told(&ben.post("/api/auth/confirm/provider", at("two")).await),
        (StatusCode::CONFLICT, "not-linked".to_owned())
    );

    let confirm = "/api/auth/confirm/provider";
    for (lie, word) in
        [("signed-in-long-ago", "not-fresh"), ("says-not-when", "not-fresh"), ("nonce", "provider-untrusted")]
    {
        providers.tell(0, json!({ "lie": lie })).await;
        assert_eq!(visitor.post_and_go(confirm, at("one")).await, format!("/confirm?problem={word}"), "{lie}");
    }
    let eve = json!({ "email": "eve@example.com", "email_verified": true });
    providers.tell(0, json!({ "lie": null, "who": "eve", "people": { "eve": eve, "ben": {} } })).await;
    visitor.sign_out_there();
    assert_eq!(visitor.post_and_go(confirm, at("one")).await, "/confirm?problem=other-person");
    visitor.sign_out_there();
    ben.post("/api/auth/tokens", token.clone()).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");

    providers.tell(0, json!({ "who": "ben" })).await;
    let before = visitor.own()["guildhall"].clone();
    visitor.trail.clear();
    assert_eq!(visitor.post_and_go(confirm, at("one")).await, "/confirm?done");
    let asked = visitor.trail[0].query().unwrap();
    assert!(asked.contains("prompt=login") && asked.contains("max_age=0"), "{asked}");
    assert_ne!(visitor.own()["guildhall"], before, "the session goes on under another token");
    // What is under way with the former token may come to its end, and proves nothing.
    ben.get("/api/auth/me").await.is(StatusCode::OK);
    ben.post("/api/auth/tokens", token.clone()).await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    let mut ben = visitor.persona(&app);
    ben.post("/api/auth/tokens", token).await.is(StatusCode::CREATED);

    // Now a password can be set, and then the account is no longer the last way in.
    let list = linked(&mut ben).await;
    let path = format!("{LINK}/{}", list[0]["id"].as_str().unwrap());
    ben.delete(&path).await.is_problem(StatusCode::CONFLICT, "last-way-in");
    let me = ben.patch("/api/auth/me", password.clone()).await.is(StatusCode::OK);
    assert_eq!(me["hasPassword"], true);
    let problem = ben.patch("/api/auth/me", password).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], "currentPassword", "from now on the former one is asked for");
    ben.delete(&path).await.is(StatusCode::NO_CONTENT);
    let login = json!({ "email": "ben@example.com", "password": "three green bottles" });
    app.anonymous().post("/api/auth/login", login).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_link_by_an_admin_gives_a_password_to_who_has_none() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    let (_, mut ben) = newcomer(&providers, &app, &mut owner, ben()).await;
    let path = format!("/api/members/{}/reset-link", ben.id().await);
    let code = owner.call(&path).await.is(StatusCode::CREATED)["code"].as_str().unwrap().to_owned();
    let reset = json!({ "code": code, "password": "three green bottles" });
    app.anonymous().post("/api/auth/reset", reset).await.is(StatusCode::NO_CONTENT);
    let login = json!({ "email": "ben@example.com", "password": "three green bottles" });
    app.anonymous().post("/api/auth/login", login).await.is(StatusCode::OK);
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/", "the account goes on");
}

#[tokio::test]
async fn a_provider_that_cannot_be_used_any_more_is_no_way_in() {
    let providers = Providers::start(2).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    let (_, mut ben) = newcomer(&providers, &app, &mut owner, ben()).await;
    let gone = guildhall_store::NewIdentity {
        issuer: "https://gone.example.com".to_owned(),
        subject: "ben".to_owned(),
        email: None,
    };
    let id: guildhall_types::MemberId = ben.id().await.parse().unwrap();
    app.app.team.store.link_identity(id, &gone).await.unwrap();
    let list = linked(&mut ben).await;
    assert_eq!((&list[1]["provider"], &list[1]["label"]), (&Value::Null, &json!("https://gone.example.com")));
    assert_eq!(ben.get("/api/auth/me").await.is(StatusCode::OK)["linked"], json!(["one"]));
    let first: guildhall_types::IdentityId = list[0]["id"].as_str().unwrap().parse().unwrap();
    let ben = app.app.team.store.member(id).await.unwrap().unwrap();
    let refused = app.app.team.unlink(&ben, first).await.unwrap_err();
    assert!(refused.to_string().contains("the only way in"), "{refused}");
    let second: guildhall_types::IdentityId = list[1]["id"].as_str().unwrap().parse().unwrap();
    app.app.team.unlink(&ben, second).await.unwrap();
}

/// The member's picture, once it is there.
async fn picture(persona: &mut Persona) -> Option<String> {
    let began = std::time::Instant::now();
    while began.elapsed() < PATIENCE {
        let me = persona.get("/api/auth/me").await.is(StatusCode::OK);
        if let Some(version) = me["avatar"].as_str() {
            return Some(format!("/api/members/{}/avatar?v={version}", me["id"].as_str().unwrap()));
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    None
}

#[tokio::test]
async fn the_providers_picture_is_shown_to_members_until_it_is_taken_away() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    let mut person = ben();
    person["picture"] = json!(format!("{}/test/picture/png", providers.issuers[0]));
    let (mut visitor, mut ben) = newcomer(&providers, &app, &mut owner, person).await;
    let url = picture(&mut ben).await.unwrap();
    let shown = owner.get(&url).await;
    assert_eq!((shown.status, shown.header("content-type")), (StatusCode::OK, "image/png"));
    assert_eq!(shown.header("x-content-type-options"), "nosniff");
    assert!(shown.bytes.starts_with(b"\x89PNG") && shown.header("cache-control").starts_with("private"));
    let tag = shown.header("etag").to_owned();
    let again = owner.request(Method::GET, &url).header("if-none-match", &tag);
    let again = owner.send(again).await;
    assert_eq!((again.status, again.bytes.len()), (StatusCode::NOT_MODIFIED, 0));
    app.anonymous().get(&url).await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    let member = owner.get("/api/members").await.is(StatusCode::OK);
    assert!(member["items"].as_array().unwrap().iter().any(|one| url.ends_with(one["avatar"].as_str().unwrap_or("-"))));

    ben.delete("/api/auth/avatar").await.is(StatusCode::NO_CONTENT);
    ben.delete("/api/auth/avatar").await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.get(&url).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    // It does not come back by itself.
    visitor.go("/api/auth/oidc/one").await;
    let mut ben = visitor.persona(&app);
    let id: guildhall_types::MemberId = ben.id().await.parse().unwrap();
    let person = guildhall_team::oidc::Person {
        issuer: providers.issuers[0].clone(),
        subject: "ben".to_owned(),
        email: None,
        email_verified: false,
        name: None,
        picture: Some(format!("{}/test/picture/png", providers.issuers[0]).parse().unwrap()),
        auth_time: None,
    };
    assert!(!app.app.team.bring_picture(id, &person).await.unwrap());
    assert!(ben.get("/api/auth/me").await.is(StatusCode::OK)["avatar"].is_null());
}

#[tokio::test]
async fn what_is_no_picture_is_not_kept() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    let id: guildhall_types::MemberId = owner.id().await.parse().unwrap();
    let issuer = &providers.issuers[0];
    let from = |issuer: &str, picture: String| guildhall_team::oidc::Person {
        issuer: issuer.to_owned(),
        subject: "x".to_owned(),
        email: None,
        email_verified: false,
        name: None,
        picture: Some(picture.parse().unwrap()),
        auth_time: None,
    };
    for what in ["svg", "large", "moved", "none"] {
        let person = from(issuer, format!("{issuer}/test/picture/{what}"));
        assert!(!app.app.team.bring_picture(id, &person).await.unwrap(), "{what}");
    }
    // A provider elsewhere does not have this server look around on its own machine.
    let person = from("https://id.example.com", format!("{issuer}/test/picture/png"));
    assert!(!app.app.team.bring_picture(id, &person).await.unwrap());
    assert_eq!(providers.count(0, "/test/picture/png").await, 0);
    let person = from(issuer, format!("{issuer}/test/picture/png"));
    assert!(app.app.team.bring_picture(id, &person).await.unwrap());
    assert!(!app.app.team.bring_picture(id, &person).await.unwrap(), "the same is no news");
}
