//! What members notice of mail: invitations, forgotten passwords, the proof of addresses, notices.

use chrono::Duration;
use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, PATIENCE, TestApp, Wish};
use crate::post::{Letter, Post, settings};
use crate::routes::factors::set_up;

const NEW: &str = "plum kettle orbit 42";

async fn mailing(post: &Post, clock: &FixedClock, postgres: bool) -> TestApp {
    let smtp = post.settings();
    let change = Box::new(move |config: &mut guildhall_server::config::Config| config.mail = Some(smtp));
    TestApp::with(Wish { change, postgres, clock: Some(clock.clone()), ..Wish::default() }).await
}

async fn invited_by_mail(postgres: bool) {
    let (mut post, clock) = (Post::start().await, FixedClock::default());
    let app = mailing(&post, &clock, postgres).await;
    let mut olga = app.owner().await;
    assert_eq!(olga.get("/api/auth/status").await.is(StatusCode::OK)["mail"], true);
    let invitation = json!({ "email": "Ben@Example.com", "role": "member" });
    let made = olga.post("/api/invitations", invitation.clone()).await.is(StatusCode::CREATED);
    assert_eq!(made["mailed"], true);
    let mail = post.next().await;
    assert_eq!(
        (mail.to.as_str(), mail.header("Subject")),
        ("ben@example.com", "Olga invites you to Guildhall".to_owned())
    );
    // The link leads to where the server is, and is the one that the page shows.
    assert!(mail.text().contains(&format!("\n{}\n", made["url"].as_str().unwrap())), "{}", mail.raw);
    assert!(mail.html().contains("/join/") || mail.html().contains("&#x2f;join&#x2f;"), "{}", mail.raw);
    assert_eq!(mail.code("/join/"), made["code"]);
    let mut ben = app.anonymous();
    let account =
        json!({ "email": "ben@example.com", "password": PASSWORD, "name": "Ben", "invitation": made["code"] });
    ben.post("/api/auth/register", account).await.is(StatusCode::CREATED);

    // By hand, when that is asked for.
    let by_hand = json!({ "email": "cleo@example.com", "role": "viewer", "mail": false });
    let made = olga.post("/api/invitations", by_hand).await.is(StatusCode::CREATED);
    assert_eq!(made["mailed"], false);
    // What cannot be made is not mailed. That the first one has come is known to who had it before it is known here.
    let waiting = async || app.app.team.store.waiting_mails().await.unwrap();
    let none = async {
        while waiting().await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, none).await.unwrap();
    olga.post("/api/invitations", invitation).await.is_problem(StatusCode::CONFLICT, "taken");
    assert_eq!(waiting().await, 0);
}

#[tokio::test]
async fn an_invitation_is_mailed_unless_it_is_handed_over() {
    invited_by_mail(false).await;
}

#[tokio::test]
async fn an_invitation_is_mailed_on_postgres() {
    invited_by_mail(true).await;
}

#[tokio::test]
async fn without_mail_nothing_is_mailed_and_that_is_said() {
    let app = TestApp::start().await;
    let mut olga = app.owner().await;
    assert_eq!(olga.get("/api/auth/status").await.is(StatusCode::OK)["mail"], false);
    let invitation = json!({ "email": "ben@example.com", "role": "member" });
    assert_eq!(olga.post("/api/invitations", invitation).await.is(StatusCode::CREATED)["mailed"], false);
    let invitation = json!({ "email": "cleo@example.com", "role": "member", "mail": true });
    olga.post("/api/invitations", invitation).await.is_problem(StatusCode::CONFLICT, "mail-off");
    let forgot = json!({ "email": "olga@example.com" });
    app.anonymous().post("/api/auth/forgot", forgot).await.is_problem(StatusCode::CONFLICT, "mail-off");
    let status = olga.get("/api/mail").await.is(StatusCode::OK);
    assert_eq!(status, json!({ "on": false, "server": null, "from": null, "waiting": 0, "troubles": [] }));
    olga.call("/api/mail/test").await.is_problem(StatusCode::CONFLICT, "mail-off");
}

#[tokio::test]
async fn a_forgotten_password_is_set_by_a_mailed_link_and_accounts_are_not_told() {
    let (mut post, clock) = (Post::start().await, FixedClock::default());
    let app = mailing(&post, &clock, false).await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let path = format!("/api/members/{}", ben.id().await);
    olga.patch(&path, json!({ "disabled": true })).await.is(StatusCode::OK);
    assert_eq!(post.next().await.header("Subject"), "Your account was disabled");

    let mut stranger = app.anonymous();
    let mut answers = Vec::new();
    for email in ["nobody@example.com", "member@example.com", "Olga@example.com"] {
        let answer = stranger.post("/api/auth/forgot", json!({ "email": email })).await;
        answers.push((answer.status, answer.text()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, StatusCode::ACCEPTED);
    // One mail for three questions: neither the stranger nor the disabled member gets one.
    let mail = post.next().await;
    assert_eq!(mail.to, "olga@example.com");
    let code = mail.code("/reset/");
    let weak = json!({ "code": code, "password": "short" });
    stranger.post("/api/auth/reset", weak).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let reset = json!({ "code": code, "password": NEW });
    stranger.post("/api/auth/reset", reset.clone()).await.is(StatusCode::NO_CONTENT);
    stranger.post("/api/auth/reset", reset).await.is_problem(StatusCode::CONFLICT, "bad-reset-link");
    let notice = post.next().await;
    assert_eq!(
        (notice.to.as_str(), notice.header("Subject").as_str()),
        ("olga@example.com", "Your password was set by a link")
    );
    olga.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    let login = json!({ "email": "olga@example.com", "password": NEW });
    olga.post("/api/auth/login", login).await.is(StatusCode::OK);

    // A link is good for an hour.
    stranger.post("/api/auth/forgot", json!({ "email": "olga@example.com" })).await.is(StatusCode::ACCEPTED);
    let code = post.next().await.code("/reset/");
    clock.advance(Duration::minutes(61));
    let late = json!({ "code": code, "password": PASSWORD });
    stranger.post("/api/auth/reset", late).await.is_problem(StatusCode::CONFLICT, "bad-reset-link");
}

#[tokio::test]
async fn asking_for_mails_is_slowed_down_whether_or_not_there_is_an_account() {
    let (post, clock) = (Post::start().await, FixedClock::default());
    let app = mailing(&post, &clock, false).await;
    app.owner().await;
    let mut stranger = app.anonymous();
    for email in ["olga@example.com", "nobody@example.com"] {
        for _ in 0..3 {
            stranger.post("/api/auth/forgot", json!({ "email": email })).await.is(StatusCode::ACCEPTED);
        }
        let answer = stranger.post("/api/auth/forgot", json!({ "email": email })).await;
        let problem = answer.is_problem(StatusCode::TOO_MANY_REQUESTS, "throttled");
        assert_eq!((answer.header("retry-after"), &problem["retryAfter"]), ("3600", &json!(3600)));
    }
    for n in 0..24 {
        stranger
            .post("/api/auth/forgot", json!({ "email": format!("m{n}@example.com") }))
            .await
            .is(StatusCode::ACCEPTED);
    }
    let one_more = json!({ "email": "one.more@example.com" });
    stranger.post("/api/auth/forgot", one_more.clone()).await.is_problem(StatusCode::TOO_MANY_REQUESTS, "throttled");
    clock.advance(Duration::minutes(61));
    stranger.post("/api/auth/forgot", one_more).await.is(StatusCode::ACCEPTED);
    stranger
        .post("/api/auth/forgot", json!({ "email": "no address" }))
        .await
        .is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
}

#[tokio::test]
async fn open_sign_up_proves_the_address_and_does_not_tell_which_are_in_use() {
    let (mut post, clock) = (Post::start().await, FixedClock::default());
    let app = mailing(&post, &clock, false).await;
    let mut olga = app.owner().await;
    let open = json!({ "open": true, "domain": null, "role": "viewer" });
    olga.put("/api/settings/sign-up", open.clone()).await.is(StatusCode::OK);

    let account = |email: &str, password: &str| json!({ "email": email, "password": password, "name": "Ben" });
    let mut ben = app.anonymous();
    let known = ben.post("/api/auth/register", account("olga@example.com", NEW)).await;
    let told = post.next().await;
    assert_eq!(
        (told.to.as_str(), told.header("Subject")),
        ("olga@example.com", "You have an account at Guildhall already".to_owned())
    );
    let new = ben.post("/api/auth/register", account("ben@example.com", NEW)).await;
    assert_eq!((known.status, known.text()), (StatusCode::ACCEPTED, new.text()));
    assert_eq!((new.status, &ben.cookie), (StatusCode::ACCEPTED, &None));
    let mail = post.next().await;
    // Whatever somebody else chose as a name is not put before the owner of the address.
    assert!(mail.to == "ben@example.com" && !mail.text().contains("Ben"), "{}", mail.raw);
    assert_eq!(app.app.team.store.member_count().await.unwrap(), 1, "nobody came to be yet");
    ben.post("/api/auth/login", json!({ "email": "ben@example.com", "password": NEW }))
        .await
        .is_problem(StatusCode::UNAUTHORIZED, "wrong-password");

    let finish = |code: &str, password: &str| json!({ "code": code, "password": password });
    let code = mail.code("/welcome/");
    let path = "/api/auth/register/finish";
    // Somebody who has the mail but did not choose the password gets no account that another could enter.
    ben.post(path, finish(&code, PASSWORD)).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    ben.post(path, finish("c0de", NEW)).await.is_problem(StatusCode::CONFLICT, "bad-sign-up-link");
    olga.put("/api/settings/sign-up", json!({ "open": false, "domain": null, "role": "viewer" }))
        .await
        .is(StatusCode::OK);
    ben.post(path, finish(&code, NEW)).await.is_problem(StatusCode::CONFLICT, "already-set-up");
    olga.put("/api/settings/sign-up", open).await.is(StatusCode::OK);
    let me = ben.post(path, finish(&code, NEW)).await.is(StatusCode::CREATED);
    assert_eq!((&me["email"], &me["name"], &me["role"]), (&json!("ben@example.com"), &json!("Ben"), &json!("viewer")));
    assert_eq!(ben.get("/api/auth/me").await.is(StatusCode::OK)["id"], me["id"]);
    ben.post(path, finish(&code, NEW)).await.is_problem(StatusCode::CONFLICT, "bad-sign-up-link");

    // A link is good for a day.
    let mut cleo = app.anonymous();
    cleo.post("/api/auth/register", account("cleo@example.com", NEW)).await.is(StatusCode::ACCEPTED);
    let code = post.next().await.code("/welcome/");
    clock.advance(Duration::hours(25));
    cleo.post(path, finish(&code, NEW)).await.is_problem(StatusCode::CONFLICT, "bad-sign-up-link");
}

#[tokio::test]
async fn members_are_told_by_mail_of_what_happens_to_their_accounts() {
    let (mut post, clock) = (Post::start().await, FixedClock::default());
    let app = mailing(&post, &clock, false).await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await;
    let path = format!("/api/members/{}", ben.id().await);
    let told = async |post: &mut Post, subject: &str, words: &str| -> Letter {
        let mail = post.next().await;
        assert_eq!((mail.to.as_str(), mail.header("Subject").as_str()), ("member@example.com", subject));
        assert!(mail.text().replace('\n', " ").contains(words), "{}", mail.text());
        mail
    };
    let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    ben.patch("/api/auth/me", change).await.is(StatusCode::OK);
    told(&mut post, "Your password was changed", "It was on ").await;
    ben.post("/api/auth/tokens", json!({ "name": "backup script", "scopes": ["read"] })).await.is(StatusCode::CREATED);
    told(&mut post, "A new access token was made", "named “backup script”").await;
    olga.patch(&path, json!({ "role": "viewer" })).await.is(StatusCode::OK);
    told(&mut post, "Your role was changed", "from member to viewer").await;
    // What changes nothing is not told.
    olga.patch(&path, json!({ "role": "viewer" })).await.is(StatusCode::OK);
    let link = olga.call(&format!("{path}/reset-link")).await.is(StatusCode::CREATED);
    let mail = told(&mut post, "A link to set your password was made", "An admin of your team").await;
    assert!(!mail.raw.contains(link["code"].as_str().unwrap()), "the admin hands it over, not the mail");
    olga.patch(&path, json!({ "disabled": true })).await.is(StatusCode::OK);
    told(&mut post, "Your account was disabled", "sessions, tokens and runs were ended").await;
    olga.patch(&path, json!({ "disabled": false })).await.is(StatusCode::OK);
    told(&mut post, "Your account was enabled again", "can be used again").await;
}

#[tokio::test]
async fn members_are_told_of_every_way_in_that_comes_or_goes() {
    let (mut post, clock) = (Post::start().await, FixedClock::default());
    let app = mailing(&post, &clock, false).await;
    let mut olga = app.owner().await;
    let mut ben = app.member(MemberRole::Member).await.by_name();
    let id = ben.id().await;
    set_up(&mut ben, &clock).await;
    ben.call("/api/auth/recovery-codes").await.is(StatusCode::CREATED);
    let (_, made) = ben.passkey("Laptop").await;
    let passkey = format!("/api/auth/passkeys/{}", made["passkey"]["id"].as_str().unwrap());
    ben.delete(&passkey).await.is(StatusCode::NO_CONTENT);
    ben.delete(&passkey).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    ben.delete("/api/auth/totp").await.is(StatusCode::NO_CONTENT);
    ben.delete("/api/auth/totp").await.is_problem(StatusCode::NOT_FOUND, "not-found");
    set_up(&mut ben, &clock).await;
    olga.delete(&format!("/api/members/{id}/factors")).await.is(StatusCode::NO_CONTENT);
    for (subject, words) in [
        ("An authenticator app was set up", "If it was not you"),
        ("New recovery codes were made", "the former ones are good for nothing"),
        ("A passkey was added", "named “Laptop”"),
        ("A passkey was deleted", "The passkey “Laptop”"),
        ("Your authenticator app was taken away", "If it was not you"),
        ("An authenticator app was set up", "If it was not you"),
        ("Your second factors were taken away", "An admin of your team"),
    ] {
        let mail = post.next().await;
        assert_eq!((mail.to.as_str(), mail.header("Subject").as_str()), ("member@example.com", subject));
        assert!(mail.text().replace('\n', " ").contains(words), "{}", mail.text());
    }
}

#[tokio::test]
async fn an_admin_tries_mail_and_sees_what_could_not_be_sent() {
    let (mut post, clock) = (Post::start().await, FixedClock::default());
    let app = mailing(&post, &clock, false).await;
    let mut olga = app.owner().await;
    olga.call("/api/mail/test").await.is(StatusCode::NO_CONTENT);
    assert_eq!(post.next().await.header("Subject"), "A mail to try your Guildhall");
    olga.post("/api/invitations", json!({ "email": "never@example.com", "role": "member" }))
        .await
        .is(StatusCode::CREATED);
    let mut status = Value::Null;
    for _ in 0..400 {
        status = olga.get("/api/mail").await.is(StatusCode::OK);
        if status["waiting"] == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!((&status["on"], &status["from"]), (&json!(true), &json!("guildhall@example.com")));
    assert_eq!(status["server"], format!("127.0.0.1:{} (without TLS)", post.port));
    let trouble = &status["troubles"][0];
    assert_eq!((&trouble["status"], &trouble["kind"]), (&json!("failed"), &json!("invitation")), "{status}");
    assert_eq!(trouble["recipient"], "never@example.com");
    assert!(trouble["problem"].as_str().unwrap().contains("there is no such mailbox"), "{trouble}");

    // A mail server that is not there is told with what to look at.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let smtp = settings(&format!("smtp://{nobody}"), &[]);
    let change = Box::new(move |config: &mut guildhall_server::config::Config| config.mail = Some(smtp));
    let app = TestApp::with(Wish { change, ..Wish::default() }).await;
    let answer = app.owner().await.call("/api/mail/test").await;
    let problem = answer.is_problem(StatusCode::BAD_GATEWAY, "mail-not-sent");
    assert!(problem["detail"].as_str().unwrap().contains("Check the host and the port"), "{problem}");
}
