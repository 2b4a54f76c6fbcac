use guildhall_types::member::MemberRole;
use guildhall_types::rights::MemberRight;
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{PASSWORD, TestApp, Wish};

#[tokio::test]
async fn the_first_member_owns_the_team_and_sign_up_closes() {
    let app = TestApp::start().await;
    let mut anna = app.anonymous();
    let status = anna.get("/api/auth/status").await.is(StatusCode::OK);
    assert_eq!(status["setUp"], false);
    assert_eq!(status["signUp"], "first");
    assert_eq!(status["signIn"], json!(["password"]));

    let body = json!({ "email": " Anna@Example.com ", "password": PASSWORD, "name": "Anna" });
    let answer = anna.post("/api/auth/register", body.clone()).await;
    let me = answer.is(StatusCode::CREATED);
    assert_eq!((&me["email"], &me["role"]), (&json!("anna@example.com"), &json!("owner")));
    let all: Vec<&str> = MemberRight::ALL.iter().map(|right| right.as_str()).collect();
    assert_eq!(me["rights"], json!(all));
    assert_eq!(anna.get("/api/auth/me").await.is(StatusCode::OK)["id"], me["id"]);

    let mut late = app.anonymous();
    late.post("/api/auth/register", body).await.is_problem(StatusCode::CONFLICT, "already-set-up");
    let status = late.get("/api/auth/status").await.is(StatusCode::OK);
    assert_eq!((&status["setUp"], &status["signUp"]), (&json!(true), &json!("closed")));
    assert_eq!(late.cookie, None);
}

#[tokio::test]
async fn of_many_first_members_one_comes_to_be() {
    let app = TestApp::start().await;
    let tries = (0..6).map(|n| {
        let mut one = app.anonymous();
        async move {
            let body = json!({ "email": format!("m{n}@example.com"), "password": PASSWORD, "name": "M" });
            one.post("/api/auth/register", body).await.status
        }
    });
    let mut answers = futures::future::join_all(tries).await;
    answers.sort();
    assert_eq!(answers[0], StatusCode::CREATED);
    assert!(answers[1..].iter().all(|status| *status == StatusCode::CONFLICT), "{answers:?}");
    assert_eq!(app.app.team.store.member_count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_bad_first_member_is_refused_with_the_field() {
    let app = TestApp::start().await;
    let mut anna = app.anonymous();
    for (field, body) in [
        ("email", json!({ "email": "anna", "password": PASSWORD, "name": "Anna" })),
        ("password", json!({ "email": "anna@example.com", "password": "short", "name": "Anna" })),
        ("name", json!({ "email": "anna@example.com", "password": PASSWORD, "name": " " })),
        ("name", json!({ "email": "anna@example.com", "password": PASSWORD })),
        ("role", json!({ "email": "anna@example.com", "password": PASSWORD, "name": "Anna", "role": "owner" })),
    ] {
        let problem =
            anna.post("/api/auth/register", body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        assert!(!problem.to_string().contains(PASSWORD), "{problem}");
    }
}

#[tokio::test]
async fn signing_in_gives_a_new_session_each_time() {
    let app = TestApp::start().await;
    let first = app.owner().await;
    let mut second = app.anonymous();
    let login = json!({ "email": "OLGA@example.com", "password": PASSWORD });
    let answer = second.post("/api/auth/login", login).await;
    answer.is(StatusCode::OK);
    assert_ne!(first.cookie, second.cookie);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("guildhall="), "{cookie}");
    assert!(cookie.contains("; Path=/; HttpOnly; SameSite=Lax; Max-Age="), "{cookie}");
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn by_https_the_cookie_is_locked_to_this_host() {
    let app = TestApp::with(Wish {
        change: Box::new(|config| config.public_url = Some("https://guild.example.com".parse().unwrap())),
        ..Wish::default()
    })
    .await;
    let mut anna = app.anonymous();
    anna.origin = Some("https://guild.example.com".to_owned());
    let body = json!({ "email": "anna@example.com", "password": PASSWORD, "name": "Anna" });
    let answer = anna.post("/api/auth/register", body).await;
    answer.is(StatusCode::CREATED);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-guildhall=") && cookie.ends_with("; Secure"), "{cookie}");
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    anna.patch("/api/auth/me", json!({ "name": "Anne" })).await.is(StatusCode::OK);
    // The address it listens on is not the one that members use.
    anna.origin = Some(app.url.clone());
    anna.patch("/api/auth/me", json!({ "name": "Anne" })).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
}

#[tokio::test]
async fn wrong_passwords_are_slowed_down() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut thief = app.anonymous();
    for _ in 0..10 {
        let login = json!({ "email": "olga@example.com", "password": "wrong password" });
        thief.post("/api/auth/login", login).await.is_problem(StatusCode::UNAUTHORIZED, "wrong-password");
    }
    let login = json!({ "email": "olga@example.com", "password": PASSWORD });
    let answer = thief.post("/api/auth/login", login).await;
    let problem = answer.is_problem(StatusCode::TOO_MANY_REQUESTS, "throttled");
    let wait: i64 = answer.header("retry-after").parse().unwrap();
    assert!((800..=900).contains(&wait), "{wait}");
    assert_eq!(problem["retryAfter"], wait);
    // A header that anyone can write does not help.
    let request = thief.request(reqwest::Method::POST, "/api/auth/login").header("x-forwarded-for", "203.0.113.9");
    let request = request.json(&json!({ "email": "nobody@example.com", "password": "x" }));
    thief.send(request).await.is_problem(StatusCode::TOO_MANY_REQUESTS, "throttled");
}

#[tokio::test]
async fn which_accounts_exist_is_not_told() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut thief = app.anonymous();
    let mut answers = Vec::new();
    for email in ["olga@example.com", "nobody@example.com"] {
        let answer = thief.post("/api/auth/login", json!({ "email": email, "password": "wrong password" })).await;
        let mut problem = answer.is_problem(StatusCode::UNAUTHORIZED, "wrong-password");
        problem["requestId"].take();
        answers.push(problem);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_member_sees_and_ends_own_sessions_alone() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut other = app.member(MemberRole::Member).await;
    let mut phone = app.anonymous();
    phone
        .post("/api/auth/login", json!({ "email": "olga@example.com", "password": PASSWORD }))
        .await
        .is(StatusCode::OK);

    let sessions = owner.get("/api/auth/sessions").await.is(StatusCode::OK);
    let sessions = sessions.as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session["address"] == "127.0.0.1"));
    let not_this: Vec<_> = sessions.iter().filter(|session| session["current"] == false).collect();
    assert_eq!(not_this.len(), 1);
    let path = format!("/api/auth/sessions/{}", not_this[0]["id"].as_str().unwrap());

    other.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    phone.get("/api/auth/me").await.is(StatusCode::OK);
    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    phone.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    owner.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn a_member_changes_their_own_name_and_nothing_else() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let me = owner.patch("/api/auth/me", json!({ "name": " Olga Ö. " })).await.is(StatusCode::OK);
    assert_eq!(me["name"], "Olga Ö.");
    for body in [json!({ "name": "Olga", "role": "viewer" }), json!({ "name": "Olga", "email": "x@example.com" })] {
        owner.patch("/api/auth/me", body).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    assert_eq!(owner.get("/api/auth/me").await.is(StatusCode::OK)["name"], "Olga Ö.");
}

#[tokio::test]
async fn how_a_member_likes_the_page_is_kept_and_nobody_elses_business() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let usual = json!({ "theme": "system", "diffLayout": "unified", "hideWhitespace": false, "diffTree": true });
    assert_eq!(owner.get("/api/auth/me").await.is(StatusCode::OK)["preferences"], usual);
    let liked = json!({ "theme": "dark", "diffLayout": "split", "hideWhitespace": true, "diffTree": false });
    let me = owner.patch("/api/auth/me", json!({ "preferences": liked })).await.is(StatusCode::OK);
    assert_eq!(me["preferences"], liked);
    let login = json!({ "email": owner.get("/api/auth/me").await.json()["email"], "password": PASSWORD });
    let me = app.anonymous().post("/api/auth/login", login).await.is(StatusCode::OK);
    assert_eq!(me["preferences"], liked, "on another device as well");
    for bad in [json!({ "theme": "pink" }), json!({ "theme": "dark" }), json!("dark")] {
        let answer = owner.patch("/api/auth/me", json!({ "preferences": bad })).await;
        answer.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let members = owner.get("/api/members").await.is(StatusCode::OK);
    assert!(members["items"][0].get("preferences").is_none(), "{members}");
}
