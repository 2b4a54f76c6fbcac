//! Passkeys, shown by a soft authenticator that can also do it wrongly.

use chrono::Duration;
use guildhall_store::NewMember;
use guildhall_team::Way;
use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::authenticator::Authenticator;
use crate::harness::{Answer, PASSWORD, Persona, TestApp, Wish};

fn refused(answer: &Answer) {
    let problem = answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], "credential", "{problem}");
}

fn over(answer: &Answer) {
    answer.is_problem(StatusCode::CONFLICT, "passkey-over");
}

fn stranger(app: &TestApp) -> Persona {
    app.anonymous().by_name()
}

async fn half_done(app: &TestApp, email: &str) -> Persona {
    let mut browser = stranger(app);
    let login = json!({ "email": email, "password": PASSWORD });
    browser.post("/api/auth/login", login).await.is(StatusCode::ACCEPTED);
    browser
}

#[tokio::test]
async fn a_passkey_signs_in_alone() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await.by_name();
    let status = owner.get("/api/auth/status").await.is(StatusCode::OK);
    assert_eq!(status["signIn"], json!(["password", "passkey"]));
    let question = owner.call("/api/auth/passkeys/options").await.is(StatusCode::OK);
    let selection = &question["publicKey"]["authenticatorSelection"];
    assert_eq!((&selection["residentKey"], &selection["userVerification"]), (&json!("required"), &json!("required")));
    assert_eq!(question["publicKey"]["rp"]["id"], "localhost");

    let (mut passkey, made) = owner.passkey("Laptop").await;
    assert_eq!(made["passkey"]["name"], "Laptop");
    assert_eq!(made["recoveryCodes"].as_array().unwrap().len(), 10, "the first second factor");
    let (_, second) = owner.passkey("Phone").await;
    assert!(second["recoveryCodes"].is_null());

    let mut browser = stranger(&app);
    let question = browser.post("/api/auth/passkey/options", json!({})).await.is(StatusCode::OK);
    assert_eq!(question["publicKey"]["userVerification"], "required");
    assert_eq!(question["publicKey"]["allowCredentials"], json!([]), "nobody is named");
    let me = browser.sign_in_by(&mut passkey, false).await.is(StatusCode::OK);
    assert_eq!(me["email"], "olga@example.com");
    browser.get("/api/projects").await.is(StatusCode::OK);
    let factors = browser.get("/api/auth/factors").await.is(StatusCode::OK);
    assert!(factors["passkeys"][0]["lastUsedAt"].is_string() && factors["passkeys"][1]["lastUsedAt"].is_null());
    assert_eq!(factors["passkeysHere"], true);
}

#[tokio::test]
async fn whoever_has_a_passkey_is_asked_for_it_after_the_password() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await.by_name();
    let (mut passkey, _) = owner.passkey("Laptop").await;
    let mut browser = half_done(&app, "olga@example.com").await;
    let question = browser.post("/api/auth/passkey/options", json!({ "secondStep": true })).await.is(StatusCode::OK);
    assert_eq!(question["publicKey"]["allowCredentials"].as_array().unwrap().len(), 1);
    let mut copy = browser.clone();
    browser.sign_in_by(&mut passkey, true).await.is(StatusCode::OK);
    browser.get("/api/auth/me").await.is(StatusCode::OK);
    let again = copy.post("/api/auth/passkey/options", json!({ "secondStep": true })).await;
    again.is_problem(StatusCode::CONFLICT, "sign-in-over");
}

#[tokio::test]
async fn what_was_signed_for_something_else_is_refused() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await.by_name();
    let (mut good, _) = owner.passkey("Laptop").await;
    let home = good.origin.clone();
    let mut browser = stranger(&app);
    for origin in ["https://evil.example", "http://localhost:1", "https://localhost", "http://evil.localhost"] {
        good.origin = origin.to_owned();
        refused(&browser.sign_in_by(&mut good, false).await);
    }
    good.origin = home;
    good.rp = "evil.example".to_owned();
    refused(&browser.sign_in_by(&mut good, false).await);
    good.rp = "localhost".to_owned();
    good.verifies = false;
    refused(&browser.sign_in_by(&mut good, false).await);
    good.verifies = true;

    // The challenge of another browser, and one that this browser was given before.
    let ask = json!({});
    let mine = browser.post("/api/auth/passkey/options", ask.clone()).await.is(StatusCode::OK);
    let other = stranger(&app).post("/api/auth/passkey/options", ask.clone()).await.is(StatusCode::OK);
    let body = json!({ "credential": good.sign(&other) });
    refused(&browser.post("/api/auth/passkey", body).await);
    let body = json!({ "credential": good.sign(&mine) });
    over(&browser.post("/api/auth/passkey", body.clone()).await);
    over(&stranger(&app).post("/api/auth/passkey", body).await);
    // A signature that was changed, and what is none at all.
    let question = browser.post("/api/auth/passkey/options", ask.clone()).await.is(StatusCode::OK);
    let mut credential = good.sign(&question);
    credential["response"]["signature"] = good.sign(&other)["response"]["signature"].clone();
    refused(&browser.post("/api/auth/passkey", json!({ "credential": credential })).await);
    browser.post("/api/auth/passkey/options", ask).await.is(StatusCode::OK);
    refused(&browser.post("/api/auth/passkey", json!({ "credential": { "id": "x" } })).await);
    // One that nobody has.
    refused(&browser.sign_in_by(&mut Authenticator::at(&browser.base.clone()), false).await);
    browser.sign_in_by(&mut good, false).await.is(StatusCode::OK);
    assert_eq!(browser.get("/api/auth/sessions").await.is(StatusCode::OK).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_answer_is_good_once_and_for_five_minutes() {
    let clock = FixedClock::default();
    let app = TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await.by_name();
    let (mut passkey, _) = owner.passkey("Laptop").await;
    let mut browser = stranger(&app);
    let question = browser.post("/api/auth/passkey/options", json!({})).await.is(StatusCode::OK);
    let mut copy = browser.clone();
    let body = json!({ "credential": passkey.sign(&question) });
    browser.post("/api/auth/passkey", body.clone()).await.is(StatusCode::OK);
    over(&copy.post("/api/auth/passkey", body).await);
    let question = copy.post("/api/auth/passkey/options", json!({})).await.is(StatusCode::OK);
    clock.advance(Duration::minutes(5));
    over(&copy.post("/api/auth/passkey", json!({ "credential": passkey.sign(&question) })).await);
}

#[tokio::test]
async fn a_counter_that_comes_back_gives_a_copy_away() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await.by_name();
    let (mut passkey, _) = owner.passkey("Key").await;
    let mut browser = stranger(&app);
    for (counter, good) in [(5, true), (5, false), (4, false), (0, false), (6, true)] {
        passkey.counter = counter;
        let answer = browser.sign_in_by(&mut passkey, false).await;
        match good {
            true => drop(answer.is(StatusCode::OK)),
            false => refused(&answer),
        }
    }
}

#[tokio::test]
async fn another_members_passkey_is_not_taken_for_ones_own() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await.by_name();
    let mut member = app.member(MemberRole::Member).await.by_name();
    let (mut owners, _) = owner.passkey("Laptop").await;
    let (mut members, made) = member.passkey("Laptop").await;
    // In the second step of somebody else, under the own name and under a wrong one.
    let mut browser = half_done(&app, "olga@example.com").await;
    refused(&browser.sign_in_by(&mut members, true).await);
    members.claim(&owners);
    refused(&browser.sign_in_by(&mut members, true).await);
    refused(&stranger(&app).sign_in_by(&mut members, false).await);
    // To confirm.
    let question = owner.call("/api/auth/confirm/passkey").await.is(StatusCode::OK);
    let body = json!({ "credential": members.sign(&question) });
    refused(&owner.post("/api/auth/confirm", body).await);
    // To rename and to delete.
    let path = format!("/api/auth/passkeys/{}", made["passkey"]["id"].as_str().unwrap());
    owner.patch(&path, json!({ "name": "Mine" })).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    // A question to one member is not answered by another, whoever signs.
    let question = owner.call("/api/auth/passkeys/options").await.is(StatusCode::OK);
    member.begun = owner.begun.clone();
    let mut new = Authenticator::at(&member.base);
    let body = json!({ "name": "Theirs", "credential": new.create(&question) });
    over(&member.post("/api/auth/passkeys", body).await);
    browser.sign_in_by(&mut owners, true).await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_passkey_is_renamed_and_deleted() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await.by_name();
    let (mut passkey, made) = owner.passkey("Laptop").await;
    let path = format!("/api/auth/passkeys/{}", made["passkey"]["id"].as_str().unwrap());
    let renamed = owner.patch(&path, json!({ "name": " Old laptop " })).await.is(StatusCode::OK);
    assert_eq!(renamed["name"], "Old laptop");
    let bad = owner.patch(&path, json!({ "name": " " })).await;
    assert_eq!(bad.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid")["errors"][0]["field"], "name");
    let mut browser = stranger(&app);
    let question = browser.post("/api/auth/passkey/options", json!({})).await.is(StatusCode::OK);
    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    refused(&browser.post("/api/auth/passkey", json!({ "credential": passkey.sign(&question) })).await);
    refused(&browser.sign_in_by(&mut passkey, false).await);
    let factors = owner.get("/api/auth/factors").await.is(StatusCode::OK);
    assert_eq!((&factors["passkeys"], &factors["recoveryCodes"]), (&json!([]), &json!(0)));
    let login = json!({ "email": "olga@example.com", "password": PASSWORD });
    browser.post("/api/auth/login", login).await.is(StatusCode::OK);
}

#[tokio::test]
async fn the_only_way_in_is_not_deleted() {
    let app = TestApp::start().await;
    app.owner().await;
    let new = NewMember { email: "ida@example.com".to_owned(), name: "Ida".to_owned(), password_hash: None };
    let ida = app.app.team.store.create_member(new, MemberRole::Member).await.unwrap();
    let (token, _) = app.app.team.open_session(ida.id, &Way::Passkey, Default::default()).await.unwrap();
    let mut member = stranger(&app);
    member.cookie = Some(format!("guildhall={token}"));
    let (mut passkey, first) = member.passkey("Laptop").await;
    let path = |made: &Value| format!("/api/auth/passkeys/{}", made["passkey"]["id"].as_str().unwrap());
    member.delete(&path(&first)).await.is_problem(StatusCode::CONFLICT, "last-way-in");
    stranger(&app).sign_in_by(&mut passkey, false).await.is(StatusCode::OK);
    let (_, second) = member.passkey("Phone").await;
    member.delete(&path(&first)).await.is(StatusCode::NO_CONTENT);
    member.delete(&path(&second)).await.is_problem(StatusCode::CONFLICT, "last-way-in");
}

#[tokio::test]
async fn a_disabled_members_passkey_opens_nothing() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await.by_name();
    let (mut passkey, _) = member.passkey("Laptop").await;
    let path = format!("/api/members/{}", member.id().await);
    let mut browser = stranger(&app);
    let question = browser.post("/api/auth/passkey/options", json!({})).await.is(StatusCode::OK);
    owner.patch(&path, json!({ "disabled": true })).await.is(StatusCode::OK);
    refused(&browser.post("/api/auth/passkey", json!({ "credential": passkey.sign(&question) })).await);
    refused(&browser.sign_in_by(&mut passkey, false).await);
    let told = owner.get("/api/audit?action=member.sign-in&outcome=refused").await.is(StatusCode::OK);
    assert_eq!(told["items"][0]["detail"]["by"], "passkey");
}

#[tokio::test]
async fn a_passkey_confirms_who_it_is() {
    let clock = FixedClock::default();
    let app = TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await.by_name();
    owner.call("/api/auth/confirm/passkey").await.is_problem(StatusCode::CONFLICT, "no-passkey");
    let (mut passkey, _) = owner.passkey("Laptop").await;
    clock.advance(Duration::minutes(10));
    owner.call("/api/auth/totp").await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    let question = owner.call("/api/auth/confirm/passkey").await.is(StatusCode::OK);
    let credential = passkey.sign(&question);
    let both = json!({ "password": PASSWORD, "credential": credential });
    refused(&owner.post("/api/auth/confirm", both).await);
    // One that was made for signing in confirms nothing.
    let mut other = owner.clone();
    let for_sign_in = other.post("/api/auth/passkey/options", json!({})).await.is(StatusCode::OK);
    let body = json!({ "credential": passkey.sign(&for_sign_in) });
    over(&other.post("/api/auth/confirm", body).await);
    owner.post("/api/auth/confirm", json!({ "credential": credential })).await.is(StatusCode::NO_CONTENT);
    owner.call("/api/auth/totp").await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn an_ip_address_is_told_to_be_none_for_passkeys() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    for path in ["/api/auth/passkeys/options", "/api/auth/passkey/options"] {
        let problem = owner.post(path, json!({})).await.is_problem(StatusCode::CONFLICT, "no-passkeys-here");
        assert!(problem["detail"].as_str().unwrap().contains("http://localhost"), "{problem}");
    }
    assert_eq!(owner.get("/api/auth/factors").await.is(StatusCode::OK)["passkeysHere"], false);
}
