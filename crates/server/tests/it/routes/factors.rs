//! An authenticator app, recovery codes, and the step at which they are asked for.

use chrono::Duration;
use guildhall_types::factor::SecondFactor;
use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use guildhall_types::{Clock, FixedClock};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::harness::{Answer, PASSWORD, Persona, TestApp, Wish};
use crate::schema::operations;

const STEP: i64 = 30;
const OVER: (StatusCode, &str) = (StatusCode::CONFLICT, "sign-in-over");

/// An authenticator app with its own clock.
pub(super) struct Phone {
    secret: String,
    clock: FixedClock,
}

impl Phone {
    /// The code as it is shown so many seconds from now.
    fn code(&self, seconds: i64) -> String {
        let secret = Secret::try_from_base32(&self.secret).unwrap();
        let totp = Builder::new().with_secret(secret).build_noncompliant();
        totp.generate(u64::try_from(self.clock.now().timestamp() + seconds).unwrap()).to_string()
    }
}

async fn app() -> (TestApp, FixedClock) {
    let clock = FixedClock::default();
    (TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await, clock)
}

/// Sets up an authenticator app, and gives back the recovery codes. A step later the app shows a code that is not used.
pub(super) async fn set_up(persona: &mut Persona, clock: &FixedClock) -> (Phone, Vec<String>) {
    let begun = persona.call("/api/auth/totp").await.is(StatusCode::CREATED);
    let phone = Phone { secret: begun["secret"].as_str().unwrap().to_owned(), clock: clock.clone() };
    let enabled = persona.post("/api/auth/totp/enable", json!({ "code": phone.code(0) })).await.is(StatusCode::OK);
    let codes: Vec<String> = serde_json::from_value(enabled["recoveryCodes"].clone()).unwrap();
    clock.advance(Duration::seconds(STEP));
    (phone, codes)
}

fn login(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD })
}

async fn half_done(app: &TestApp, email: &str) -> Persona {
    let mut browser = app.anonymous();
    let asked = browser.post("/api/auth/login", login(email)).await.is(StatusCode::ACCEPTED);
    assert!(!asked["kinds"].as_array().unwrap().is_empty());
    assert_eq!(browser.cookie, None, "no session yet");
    browser
}

async fn step(browser: &mut Persona, body: Value) -> Answer {
    browser.post("/api/auth/second-step", body).await
}

fn wrong(answer: &Answer, field: &str) {
    let problem = answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], field, "{problem}");
}

const OLGA: &str = "olga@example.com";

#[tokio::test]
async fn an_authenticator_app_is_asked_for_from_its_first_code_on() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let begun = owner.call("/api/auth/totp").await.is(StatusCode::CREATED);
    let secret = begun["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32, "20 bytes");
    let expected = format!("otpauth://totp/Guildhall:olga%40example.com?secret={secret}&issuer=Guildhall");
    assert_eq!(begun["url"], expected);
    assert!(begun["qr"]["size"].as_i64().unwrap() > 20 && begun["qr"]["path"].as_str().unwrap().starts_with('M'));
    // It protects nothing before a code of it was given.
    app.anonymous().post("/api/auth/login", login(OLGA)).await.is(StatusCode::OK);
    wrong(&owner.post("/api/auth/totp/enable", json!({ "code": "000000" })).await, "code");
    let (phone, codes) = set_up(&mut owner, &clock).await;
    assert_eq!(codes.len(), 10);
    owner.call("/api/auth/totp").await.is_problem(StatusCode::CONFLICT, "totp-in-use");
    let factors = owner.get("/api/auth/factors").await.is(StatusCode::OK);
    assert!(factors["totpSince"].is_string());
    assert_eq!((&factors["recoveryCodes"], &factors["passkeysHere"]), (&json!(10), &json!(false)));
    let me = owner.get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!(me["secondFactors"], json!([SecondFactor::Totp, SecondFactor::RecoveryCode]));
    assert!(!factors.to_string().contains(&phone.secret), "it is shown once");

    let mut browser = half_done(&app, OLGA).await;
    browser.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    let kinds = browser.get("/api/auth/second-step").await.is(StatusCode::OK);
    assert_eq!(kinds["kinds"], json!(["totp", "recoveryCode"]));
    let me = step(&mut browser, json!({ "code": phone.code(0) })).await.is(StatusCode::OK);
    assert_eq!(me["email"], OLGA);
    browser.get("/api/auth/me").await.is(StatusCode::OK);
    browser.get("/api/auth/second-step").await.is_problem(StatusCode::NOT_FOUND, "not-found");

    // Taken away, it is asked for no more; the recovery codes go with it.
    clock.advance(Duration::seconds(STEP));
    browser.delete("/api/auth/totp").await.is(StatusCode::NO_CONTENT);
    assert_eq!(browser.get("/api/auth/factors").await.is(StatusCode::OK)["recoveryCodes"], 0);
    app.anonymous().post("/api/auth/login", login(OLGA)).await.is(StatusCode::OK);
    assert_eq!(app.app.team.store.secret(&format!("totp/{}", browser.id().await)).await.unwrap(), None);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_a_step_to_either_side() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let (phone, _) = set_up(&mut owner, &clock).await;
    let code = phone.code(0);
    step(&mut half_done(&app, OLGA).await, json!({ "code": code })).await.is(StatusCode::OK);
    wrong(&step(&mut half_done(&app, OLGA).await, json!({ "code": code })).await, "code");
    // An earlier one that was never used is over as well.
    clock.advance(Duration::seconds(3 * STEP));
    step(&mut half_done(&app, OLGA).await, json!({ "code": phone.code(STEP) })).await.is(StatusCode::OK);
    for old in [0, -STEP] {
        wrong(&step(&mut half_done(&app, OLGA).await, json!({ "code": phone.code(old) })).await, "code");
    }
    clock.advance(Duration::seconds(10 * STEP));
    for off in [-2 * STEP, 2 * STEP, 3600, -3600] {
        wrong(&step(&mut half_done(&app, OLGA).await, json!({ "code": phone.code(off) })).await, "code");
    }
    let late = phone.code(-STEP);
    let spaced = format!("{} {}", &late[..3], &late[3..]);
    step(&mut half_done(&app, OLGA).await, json!({ "code": spaced })).await.is(StatusCode::OK);
}

#[tokio::test]
async fn of_two_with_the_same_code_one_gets_in() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let (phone, codes) = set_up(&mut owner, &clock).await;
    for body in [json!({ "code": phone.code(0) }), json!({ "recoveryCode": codes[0] })] {
        let mut tries = Vec::new();
        for _ in 0..4 {
            let mut browser = half_done(&app, OLGA).await;
            let body = body.clone();
            tries.push(async move { step(&mut browser, body).await.status });
        }
        let mut answers = futures::future::join_all(tries).await;
        answers.sort();
        assert_eq!(answers[0], StatusCode::OK, "{body}");
        assert!(answers[1..].iter().all(|status| *status == StatusCode::UNPROCESSABLE_ENTITY), "{answers:?}");
    }
}

#[tokio::test]
async fn a_sign_in_that_is_half_done_is_good_once_in_its_own_browser_for_five_minutes() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let (phone, codes) = set_up(&mut owner, &clock).await;
    let code = || json!({ "code": phone.code(0) });
    // Another browser, whether or not it has begun one of its own.
    half_done(&app, OLGA).await;
    step(&mut app.anonymous(), code()).await.is_problem(OVER.0, OVER.1);
    let mut forged = app.anonymous();
    forged.begun.insert("guildhall-second-step".to_owned(), "A".repeat(43));
    step(&mut forged, code()).await.is_problem(OVER.0, OVER.1);
    // Twice.
    let mut browser = half_done(&app, OLGA).await;
    let mut copy = browser.clone();
    step(&mut browser, code()).await.is(StatusCode::OK);
    clock.advance(Duration::seconds(STEP));
    step(&mut copy, code()).await.is_problem(OVER.0, OVER.1);
    // A session's cookie is none, and neither is the other way round.
    let mut mixed = app.anonymous();
    mixed.cookie = Some(format!("guildhall={}", copy.begun["guildhall-second-step"]));
    mixed.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    // Too late.
    let mut slow = half_done(&app, OLGA).await;
    clock.advance(Duration::minutes(5));
    step(&mut slow, code()).await.is_problem(OVER.0, OVER.1);
    // A new password ends it, and so does whatever else ends the sessions.
    let mut browser = half_done(&app, OLGA).await;
    owner.delete("/api/auth/sessions").await.is(StatusCode::NO_CONTENT);
    step(&mut browser, code()).await.is_problem(OVER.0, OVER.1);
    // By the foreign page of somebody who lures.
    let mut lured = half_done(&app, OLGA).await;
    lured.origin = Some("https://evil.example".to_owned());
    step(&mut lured, json!({ "recoveryCode": codes[0] })).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
    // The cookie is the browser's alone.
    let answer = app.anonymous().post("/api/auth/login", login(OLGA)).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age=300"), "{cookie}");
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_and_a_right_password_does_not_set_it_back() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let (phone, codes) = set_up(&mut owner, &clock).await;
    let mut tried = 0;
    while tried < 10 {
        let mut thief = half_done(&app, OLGA).await;
        for _ in 0..5 {
            wrong(&step(&mut thief, json!({ "code": "000000" })).await, "code");
            tried += 1;
        }
        if tried == 5 {
            step(&mut thief, json!({ "code": phone.code(0) })).await.is_problem(OVER.0, OVER.1);
        }
    }
    // The account of the second step is closed, and so is the address.
    let login = app.anonymous().post("/api/auth/login", login(OLGA)).await;
    login.is_problem(StatusCode::TOO_MANY_REQUESTS, "throttled");
    let begun = app.app.team.begin_second_step(&app.app.team.store.members(None, 1).await.unwrap()[0]).await;
    let mut browser = app.anonymous();
    browser.begun.insert("guildhall-second-step".to_owned(), begun.unwrap().unwrap().token);
    for body in [json!({ "code": phone.code(0) }), json!({ "recoveryCode": codes[0] })] {
        step(&mut browser, body).await.is_problem(StatusCode::TOO_MANY_REQUESTS, "throttled");
    }
    clock.advance(Duration::minutes(15));
    step(&mut half_done(&app, OLGA).await, json!({ "code": phone.code(0) })).await.is(StatusCode::OK);
}

#[tokio::test]
async fn recovery_codes_are_used_up_and_made_anew() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    owner.call("/api/auth/recovery-codes").await.is_problem(StatusCode::CONFLICT, "no-second-factor");
    let (_, codes) = set_up(&mut owner, &clock).await;
    let typed = codes[0].to_uppercase().replace('-', " ");
    let mut browser = half_done(&app, OLGA).await;
    step(&mut browser, json!({ "recoveryCode": typed })).await.is(StatusCode::OK);
    assert_eq!(browser.get("/api/auth/factors").await.is(StatusCode::OK)["recoveryCodes"], 9);
    let mut again = half_done(&app, OLGA).await;
    wrong(&step(&mut again, json!({ "recoveryCode": codes[0] })).await, "recoveryCode");
    wrong(&step(&mut again, json!({ "code": codes[1] })).await, "code");
    wrong(&step(&mut again, json!({})).await, "code");
    wrong(&step(&mut again, json!({ "code": "1", "recoveryCode": "2" })).await, "recoveryCode");
    let new = owner.call("/api/auth/recovery-codes").await.is(StatusCode::CREATED);
    wrong(&step(&mut again, json!({ "recoveryCode": codes[1] })).await, "recoveryCode");
    let mut last = half_done(&app, OLGA).await;
    step(&mut last, json!({ "recoveryCode": new["recoveryCodes"][9] })).await.is(StatusCode::OK);
    // The audit tells it, and no code.
    let audit = owner.get("/api/audit").await.is(StatusCode::OK);
    let used: Vec<&Value> =
        audit["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == "recovery-codes.use").collect();
    assert_eq!(used.iter().map(|entry| &entry["detail"]["left"]).collect::<Vec<_>>(), ["9", "9"]);
    assert!(used.iter().all(|entry| entry["memberId"] == audit["items"][0]["memberId"]), "{used:?}");
    assert!(codes.iter().all(|code| !audit.to_string().contains(code.as_str())));
}

#[tokio::test]
async fn a_confirmation_asks_for_the_second_factor_as_well() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let (phone, codes) = set_up(&mut owner, &clock).await;
    clock.advance(Duration::minutes(10));
    owner.delete("/api/auth/totp").await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    let confirm = async |owner: &mut Persona, body: Value| owner.post("/api/auth/confirm", body).await;
    wrong(&confirm(&mut owner, json!({ "password": PASSWORD })).await, "code");
    wrong(&confirm(&mut owner, json!({ "code": phone.code(0) })).await, "password");
    wrong(&confirm(&mut owner, json!({ "password": "not the password", "code": phone.code(0) })).await, "password");
    wrong(&confirm(&mut owner, json!({ "password": PASSWORD, "code": "000000" })).await, "code");
    owner.delete("/api/auth/totp").await.is_problem(StatusCode::FORBIDDEN, "confirm-needed");
    let right = json!({ "password": PASSWORD, "code": phone.code(0) });
    confirm(&mut owner, right.clone()).await.is(StatusCode::NO_CONTENT);
    wrong(&confirm(&mut owner, right).await, "code");
    let recovery = json!({ "password": PASSWORD, "recoveryCode": codes[3] });
    confirm(&mut owner, recovery).await.is(StatusCode::NO_CONTENT);
    owner.delete("/api/auth/totp").await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_link_to_set_a_password_does_not_get_around_it() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let (phone, _) = set_up(&mut member, &clock).await;
    let (token, _) = member.token(&[Scope::Read]).await;
    let link = owner.call(&format!("/api/members/{}/reset-link", member.id().await)).await.is(StatusCode::CREATED);
    let mut browser = half_done(&app, "member@example.com").await;
    let new = json!({ "code": link["code"], "password": PASSWORD });
    app.anonymous().post("/api/auth/reset", new).await.is(StatusCode::NO_CONTENT);
    step(&mut browser, json!({ "code": phone.code(0) })).await.is_problem(OVER.0, OVER.1);
    let mut browser = half_done(&app, "member@example.com").await;
    step(&mut browser, json!({ "code": phone.code(0) })).await.is(StatusCode::OK);
    app.program(&token).get("/api/auth/me").await.is(StatusCode::OK);
}

#[tokio::test]
async fn a_disabled_member_gets_no_further_than_half() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let (phone, _) = set_up(&mut member, &clock).await;
    let mut browser = half_done(&app, "member@example.com").await;
    let path = format!("/api/members/{}", member.id().await);
    owner.patch(&path, json!({ "disabled": true })).await.is(StatusCode::OK);
    step(&mut browser, json!({ "code": phone.code(0) })).await.is_problem(OVER.0, OVER.1);
}

#[tokio::test]
async fn an_admin_takes_a_members_factors_away_and_an_owners_only_an_owner() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let mut admin = app.member(MemberRole::Admin).await;
    let mut member = app.member(MemberRole::Member).await;
    set_up(&mut owner, &clock).await;
    set_up(&mut member, &clock).await;
    let [owners, members] = [owner.id().await, member.id().await];
    let told = admin.get("/api/members").await.is(StatusCode::OK);
    assert_eq!(told["withSecondFactor"], json!([owners, members]));
    assert!(member.get("/api/members").await.is(StatusCode::OK)["withSecondFactor"].is_null(), "for admins alone");

    let path = |id: &str| format!("/api/members/{id}/factors");
    member.delete(&path(&members)).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    admin.delete(&path(&owners)).await.is_problem(StatusCode::FORBIDDEN, "target-is-owner");
    half_done(&app, "member@example.com").await;
    admin.delete(&path(&members)).await.is(StatusCode::NO_CONTENT);
    member.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    app.anonymous().post("/api/auth/login", login("member@example.com")).await.is(StatusCode::OK);
    half_done(&app, OLGA).await;
    let audit = owner.get("/api/audit?action=member.take-factors").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["objectId"], members.as_str());
    assert_eq!(audit["items"][0]["detail"]["totp"], "1");
}

/// What whoever lacks the second factor may do all the same.
const LACKING: &[(Method, &str)] = &[
    (Method::GET, "/api/auth/me"),
    (Method::GET, "/api/auth/factors"),
    (Method::POST, "/api/auth/logout"),
    (Method::POST, "/api/auth/confirm"),
    (Method::POST, "/api/auth/confirm/passkey"),
    (Method::POST, "/api/auth/confirm/provider"),
    (Method::POST, "/api/auth/totp"),
    (Method::POST, "/api/auth/totp/enable"),
    (Method::DELETE, "/api/auth/totp"),
    (Method::POST, "/api/auth/passkeys/options"),
    (Method::POST, "/api/auth/passkeys"),
];

#[tokio::test]
async fn whoever_lacks_what_the_team_asks_for_can_do_nothing_but_set_it_up() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Admin).await;
    let (token, _) = member.token(Scope::ALL).await;
    let mut socket = member.listen("").await.unwrap();
    assert_eq!(socket.next().await.unwrap()["type"], "hello");
    let setting = "/api/settings/second-factor";
    let required = json!({ "required": true });
    assert_eq!(owner.get(setting).await.is(StatusCode::OK)["required"], false);
    member.put(setting, required.clone()).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    owner.put(setting, required.clone()).await.is_problem(StatusCode::CONFLICT, "own-factor-first");
    set_up(&mut owner, &clock).await;
    owner.put(setting, required).await.is(StatusCode::OK);
    owner.get("/api/projects").await.is(StatusCode::OK);

    let me = member.get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!((&me["secondFactorNeeded"], &me["secondFactors"]), (&json!(true), &json!([])));
    let mut program = app.program(&token);
    let mut stopped = 0;
    for (method, path, operation) in operations().filter(|(.., operation)| !operation["security"].is_null()) {
        if operation["x-right"] == "own" {
            continue;
        }
        let filled = path.replace("{id}", "01890000-0000-7000-8000-000000000000").replace("{provider}", "anthropic");
        let body = json!({});
        let needed = |answer: &Answer| answer.json()["code"] == "second-factor-needed";
        let answer = program.send(program.request(method.clone(), &filled).json(&body)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} by a token");
        let open = LACKING.contains(&(method.clone(), path));
        if !open {
            let answer = member.send(member.request(method.clone(), &filled).json(&body)).await;
            assert!(answer.status == StatusCode::FORBIDDEN && needed(&answer), "{method} {path}: {answer:?}");
            stopped += 1;
        }
    }
    assert!(stopped > 50, "{stopped}");
    assert_eq!(member.listen("").await.err(), Some(StatusCode::FORBIDDEN));
    assert_eq!(member.get("/api/auth/factors").await.is(StatusCode::OK)["required"], true);
    program.get("/api/projects").await.is_problem(StatusCode::FORBIDDEN, "second-factor-needed");

    let (_, codes) = set_up(&mut member, &clock).await;
    assert_eq!(codes.len(), 10);
    member.get("/api/projects").await.is(StatusCode::OK);
    program.get("/api/projects").await.is(StatusCode::OK);
    assert_eq!(member.get("/api/auth/me").await.is(StatusCode::OK)["secondFactorNeeded"], false);
    // Somebody new is led to it as well.
    let mut viewer = app.member(MemberRole::Viewer).await;
    viewer.get("/api/members").await.is_problem(StatusCode::FORBIDDEN, "second-factor-needed");
}

#[tokio::test]
async fn refusals_of_the_second_step_are_told() {
    let (app, clock) = app().await;
    let mut owner = app.owner().await;
    set_up(&mut owner, &clock).await;
    let mut browser = half_done(&app, OLGA).await;
    wrong(&step(&mut browser, json!({ "code": "000000" })).await, "code");
    let told = owner.get("/api/audit?action=member.sign-in&outcome=refused").await.is(StatusCode::OK);
    let entry = &told["items"][0];
    assert_eq!((&entry["objectId"], &entry["detail"]["by"]), (&json!(owner.id().await), &json!("totp")));
    assert!(entry["memberId"].is_null() && !entry.to_string().contains("000000"), "{entry}");
}
