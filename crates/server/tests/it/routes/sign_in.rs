//! Signing in by a provider, and the lies that one can tell.

use chrono::Duration;
use guildhall_team::oidc::GOOGLE;
use guildhall_types::member::MemberRole;
use guildhall_types::{Clock, FixedClock, SystemClock};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::harness::{PASSWORD, Persona, TestApp, Wish};
use crate::provider::{Providers, Visitor, settings};

fn ben() -> Value {
    json!({ "email": "Ben@Example.com", "email_verified": true, "name": "Ben Bitdiddle" })
}

async fn open_sign_up(owner: &mut Persona, domain: Option<&str>) {
    let setting = json!({ "open": true, "domain": domain, "role": "member" });
    owner.put("/api/settings/sign-up", setting).await.is(StatusCode::OK);
}

async fn invite(owner: &mut Persona, email: &str) -> String {
    let made = owner.post("/api/invitations", json!({ "email": email, "role": "viewer" })).await;
    made.is(StatusCode::CREATED)["code"].as_str().unwrap().to_owned()
}

/// The entries of the audit, the latest first: action, outcome, detail.
async fn audit(owner: &mut Persona) -> Vec<(String, String, Value)> {
    let page = owner.get("/api/audit?limit=100").await.is(StatusCode::OK);
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let entry = |entry: &Value| (word(&entry["action"]), word(&entry["outcome"]), entry["detail"].clone());
    page["items"].as_array().unwrap().iter().map(entry).collect()
}

/// Someone signs up, comes again, and is the same member whatever the address is by then.
async fn sign_up_and_come_again(postgres: bool) {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish { postgres, ..Wish::default() }).await;
    let mut owner = app.owner().await;
    open_sign_up(&mut owner, Some("example.com")).await;
    providers.is("ben", ben()).await;
    let mut visitor = Visitor::new(&app);
    assert_eq!(visitor.go("/api/auth/oidc/one?to=/projects%3Fadd%3Dtrue").await, "/projects?add=true");
    let mut ben = visitor.persona(&app);
    let me = ben.get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!(
        (&me["email"], &me["name"], &me["role"]),
        (&json!("ben@example.com"), &json!("Ben Bitdiddle"), &json!("member"))
    );
    assert_eq!((&me["hasPassword"], &me["linked"]), (&json!(false), &json!(["one"])));
    assert!(!me["lastLoginAt"].is_null());
    assert!(!visitor.own().contains_key("guildhall-try"), "the try is over");
    // Nothing of ours is in an address but what is gone with the try.
    let session = visitor.own()["guildhall"].clone();
    assert!(visitor.trail.iter().all(|url| !url.as_str().contains(&session)), "{:?}", visitor.trail);

    providers.is("ben", json!({ "email": "other@example.org", "email_verified": false })).await;
    let mut again = Visitor::new(&app);
    assert_eq!(again.go("/api/auth/oidc/one").await, "/");
    let same = again.persona(&app).get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!((&same["id"], &same["email"]), (&me["id"], &me["email"]));
    let linked = ben.get("/api/auth/identities").await.is(StatusCode::OK);
    assert_eq!((&linked[0]["provider"], &linked[0]["label"]), (&json!("one"), &json!("ONE")));
    assert_eq!(linked[0]["email"], "other@example.org");

    let told = audit(&mut owner).await;
    let by = |action: &str, detail: &str| {
        told.iter().any(|(what, _, more)| what == action && more.to_string().contains(detail))
    };
    assert!(by("member.register", "ben@example.com") && by("identity.link", &providers.issuers[0]), "{told:?}");
    assert!(by("member.sign-in", r#""by":"one""#), "{told:?}");
    assert!(app.app.team.store.verify_audit().await.unwrap().broken.is_none());
}

#[tokio::test]
async fn whoever_signs_up_by_a_provider_comes_again_as_the_same() {
    sign_up_and_come_again(false).await;
}

#[tokio::test]
async fn whoever_signs_up_by_a_provider_comes_again_as_the_same_on_postgres() {
    sign_up_and_come_again(true).await;
}

#[tokio::test]
async fn buttons_are_there_for_what_is_configured() {
    let app = TestApp::start().await;
    let status = app.anonymous().get("/api/auth/status").await.is(StatusCode::OK);
    assert_eq!(status["providers"], json!([]));
    let mut visitor = Visitor::new(&app);
    assert_eq!(visitor.go("/api/auth/google").await, "/login?problem=not-found");
    assert_eq!(visitor.go("/api/auth/oidc/one/callback?state=x&code=y").await, "/login?problem=try-ended");

    let providers = Providers::start(2).await;
    let all = vec![settings(GOOGLE, &providers.issuers[0]), settings("two", &providers.issuers[1])];
    let app = providers.app_with(Wish::default(), all).await;
    let mut owner = app.owner().await;
    open_sign_up(&mut owner, None).await;
    let status = owner.get("/api/auth/status").await.is(StatusCode::OK);
    assert_eq!(
        status["providers"],
        json!([
            { "name": "google", "label": "GOOGLE", "url": "/api/auth/google" },
            { "name": "two", "label": "TWO", "url": "/api/auth/oidc/two" },
        ])
    );
    // The same subject at two providers is two people.
    for n in 0..2 {
        let person = json!({ "email": format!("ben{n}@example.com"), "email_verified": true });
        providers.tell(n, json!({ "who": "ben", "people": { "ben": person } })).await;
    }
    let (mut first, mut second) = (Visitor::new(&app), Visitor::new(&app));
    assert_eq!(first.go("/api/auth/google").await, "/");
    assert!(first.trail.iter().any(|url| url.path() == "/api/auth/google/callback"));
    assert_eq!(second.go("/api/auth/oidc/two").await, "/");
    assert_ne!(first.persona(&app).id().await, second.persona(&app).id().await);
    let me = first.persona(&app).get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!((&me["name"], &me["linked"]), (&json!("ben0"), &json!(["google"])), "named after the address");
}

#[tokio::test]
async fn whoever_is_invited_joins_by_a_provider() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    let code = invite(&mut owner, "ben@example.com").await;
    let begin = json!({ "invitation": code, "to": "/team" });
    let mut visitor = Visitor::new(&app);
    let join = "/api/auth/oidc/one";
    providers.is("eve", json!({ "email": "eve@example.com", "email_verified": true })).await;
    assert_eq!(visitor.post_and_go(join, begin.clone()).await, "/login?problem=bad-invitation&next=%2Fteam");
    providers.is("mallory", json!({ "email": "ben@example.com", "email_verified": false })).await;
    let mut visitor = Visitor::new(&app);
    assert_eq!(visitor.post_and_go(join, begin.clone()).await, "/login?problem=email-unverified&next=%2Fteam");
    assert_eq!(app.app.team.store.member_count().await.unwrap(), 1);

    providers.is("ben", ben()).await;
    let mut visitor = Visitor::new(&app);
    assert_eq!(visitor.post_and_go(join, begin.clone()).await, "/team");
    let me = visitor.persona(&app).get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!((&me["role"], &me["email"]), (&json!("viewer"), &json!("ben@example.com")));
    assert!(visitor.trail.iter().all(|url| !url.as_str().contains(&code)), "the code is in no address");
    // Used is used.
    providers.is("eve", json!({ "email": "eve@example.com", "email_verified": true })).await;
    let mut visitor = Visitor::new(&app);
    assert_eq!(visitor.post_and_go(join, begin).await, "/login?problem=bad-invitation&next=%2Fteam");
}

#[tokio::test]
async fn an_address_alone_opens_no_account() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    app.member(MemberRole::Member).await;
    let sign_in = "/api/auth/oidc/one?to=/team";
    // A member has this address: told only to who has proved to own it.
    for (verified, word) in [(true, "link-first"), (false, "no-account")] {
        providers.is("m", json!({ "email": "member@example.com", "email_verified": verified })).await;
        let mut visitor = Visitor::new(&app);
        assert_eq!(visitor.go(sign_in).await, format!("/login?problem={word}&next=%2Fteam"));
        assert!(!visitor.own().contains_key("guildhall"));
    }
    open_sign_up(&mut owner, Some("example.com")).await;
    for (email, verified, word) in [
        ("member@example.com", true, "link-first"),
        ("new@example.com", false, "email-unverified"),
        ("new@example.org", true, "no-account"),
        ("new@evil.example.com", true, "no-account"),
        ("not an address", true, "email-unverified"),
    ] {
        providers.is("n", json!({ "email": email, "email_verified": verified })).await;
        let mut visitor = Visitor::new(&app);
        assert_eq!(visitor.go("/api/auth/oidc/one").await, format!("/login?problem={word}"), "{email} {verified}");
    }
    assert_eq!(app.app.team.store.member_count().await.unwrap(), 2);
    let told = audit(&mut owner).await;
    let refused = told.iter().filter(|(what, outcome, _)| what == "member.sign-in" && outcome == "refused").count();
    assert_eq!(refused, 7, "{told:?}");
}

#[tokio::test]
async fn a_disabled_member_stays_out() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    open_sign_up(&mut owner, None).await;
    providers.is("ben", ben()).await;
    let mut visitor = Visitor::new(&app);
    visitor.go("/api/auth/oidc/one").await;
    let id = visitor.persona(&app).id().await;
    owner.patch(&format!("/api/members/{id}"), json!({ "disabled": true })).await.is(StatusCode::OK);
    let mut visitor = Visitor::new(&app);
    assert_eq!(visitor.go("/api/auth/oidc/one").await, "/login?problem=account-disabled");
    assert!(!visitor.own().contains_key("guildhall"));
}

#[tokio::test]
async fn every_lie_is_found_out() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    open_sign_up(&mut owner, None).await;
    providers.is("ben", ben()).await;
    for lie in [
        "nonce",
        "no-nonce",
        "issuer",
        "audience",
        "two-audiences",
        "azp",
        "expired",
        "old",
        "early",
        "access-token",
        "no-subject",
        "no-id-token",
        "none",
        "hs256",
        "hs256-public",
        "foreign-key",
        "unpublished-key",
        "changed",
        "other-userinfo",
        "no-iss",
        "other-iss",
    ] {
        providers.tell(0, json!({ "lie": lie })).await;
        let mut visitor = Visitor::new(&app);
        assert_eq!(visitor.go("/api/auth/oidc/one").await, "/login?problem=provider-untrusted", "{lie}");
        assert!(!visitor.own().contains_key("guildhall"), "{lie}");
    }
    providers.tell(0, json!({ "lie": "said-twice" })).await;
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/login?problem=try-ended");
    assert_eq!(app.app.team.store.member_count().await.unwrap(), 1);
    // The same provider without a lie, with the claims in the ID token and without.
    for in_id_token in [true, false] {
        providers.tell(0, json!({ "lie": null, "inIdToken": in_id_token })).await;
        assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/", "{in_id_token}");
    }
    assert_eq!(app.app.team.store.member_count().await.unwrap(), 2);
}

#[tokio::test]
async fn an_issuer_that_is_not_announced_need_not_be_named() {
    let providers = Providers::start(1).await;
    providers.tell(0, json!({ "lie": "iss-not-announced" })).await;
    let app = providers.app(Wish::default()).await;
    open_sign_up(&mut app.owner().await, None).await;
    providers.is("ben", ben()).await;
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/");
    providers.tell(0, json!({ "lie": "other-iss" })).await;
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/login?problem=provider-untrusted");
}

#[tokio::test]
async fn an_answer_is_good_once_and_in_its_own_browser() {
    let providers = Providers::start(2).await;
    let clock = FixedClock::new(SystemClock.now());
    let app = providers.app(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    open_sign_up(&mut app.owner().await, None).await;
    providers.is("ben", ben()).await;
    let ended = "/login?problem=try-ended";
    let sign_in = "/api/auth/oidc/one";

    // Replayed in the same browser.
    let mut visitor = Visitor::new(&app);
    let back = visitor.go_until_back(sign_in).await;
    assert!(visitor.own()["guildhall-try"].len() == 43);
    let cookie = visitor.own()["guildhall-try"].clone();
    assert_eq!(visitor.go(back.as_str()).await, "/");
    visitor.own().insert("guildhall-try".to_owned(), cookie);
    assert_eq!(visitor.go(back.as_str()).await, ended);

    // In the browser of somebody else, with a try of its own or without: no one signs another one in as themselves.
    let back = Visitor::new(&app).go_until_back(sign_in).await;
    assert_eq!(Visitor::new(&app).go(back.as_str()).await, ended);
    let mut mallory = Visitor::new(&app);
    let back = mallory.go_until_back(sign_in).await;
    let mut victim = Visitor::new(&app);
    victim.go_until_back(sign_in).await;
    assert_eq!(victim.go(back.as_str()).await, ended);
    assert!(!victim.own().contains_key("guildhall"));

    // A code that was caught, in a try of the thief's own.
    let mut victim = Visitor::new(&app);
    let code = query(&victim.go_until_back(sign_in).await, "code");
    let mut thief = Visitor::new(&app);
    let mut back = thief.go_until_back(sign_in).await;
    let (state, iss) = (query(&back, "state"), query(&back, "iss"));
    back.query_pairs_mut().clear().extend_pairs([("code", &code), ("state", &state), ("iss", &iss)]);
    assert_eq!(thief.go(back.as_str()).await, "/login?problem=provider-ended");

    // The answer of one provider, brought to the address of another (mix-up).
    let mut visitor = Visitor::new(&app);
    let back = visitor.go_until_back(sign_in).await;
    let mixed = back.as_str().replace("/oidc/one/", "/oidc/two/");
    assert_eq!(visitor.go(&mixed).await, ended);
    assert_eq!(providers.count(1, "/token").await, 0, "the code went to nobody else");

    // Too late.
    let mut visitor = Visitor::new(&app);
    let back = visitor.go_until_back(sign_in).await;
    clock.advance(Duration::minutes(10));
    assert_eq!(visitor.go(back.as_str()).await, ended);
}

fn query(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

#[tokio::test]
async fn what_is_asked_of_a_provider_is_bound_to_the_try() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut visitor = Visitor::new(&app);
    let own = Url::parse(&app.url).unwrap();
    let asked = visitor.step(&own.join("/api/auth/oidc/one").unwrap()).await.unwrap();
    assert_eq!(query(&asked, "code_challenge_method"), "S256");
    assert_eq!(query(&asked, "scope"), "openid email profile");
    assert_eq!(query(&asked, "redirect_uri"), format!("{}/api/auth/oidc/one/callback", app.url));
    let again = visitor.step(&own.join("/api/auth/oidc/one").unwrap()).await.unwrap();
    for name in ["state", "nonce", "code_challenge"] {
        assert!(query(&asked, name).len() >= 43 && query(&asked, name) != query(&again, name), "{name}");
    }
    let cookie = visitor.own()["guildhall-try"].clone();
    assert!(!again.as_str().contains(&cookie));
    let url = format!("{}/api/auth/oidc/one", app.url);
    let answer = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = answer.get(&url).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    let (lock, seconds) = cookie.rsplit_once('=').unwrap();
    assert!(lock.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age"), "{cookie}");
    assert!((590..=600).contains(&seconds.parse().unwrap()), "{cookie}");
    // Nobody is led to a server of a foreign name.
    let foreign = app.anonymous();
    let request = foreign.request(reqwest::Method::POST, "/api/auth/oidc/one").json(&json!({}));
    let mut foreign = foreign;
    foreign.origin = None;
    let answer = foreign.send(request.header("host", "evil.example")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn members_are_led_to_own_pages_alone() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    open_sign_up(&mut app.owner().await, None).await;
    providers.is("ben", ben()).await;
    for to in ["//evil.example", "https%3A%2F%2Fevil.example", "/%5Cevil.example", "/api/auth/logout", "%0d%0aX:1"] {
        assert_eq!(Visitor::new(&app).go(&format!("/api/auth/oidc/one?to={to}")).await, "/", "{to}");
    }
}

#[tokio::test]
async fn whoever_does_not_want_to_is_not_signed_in() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    app.owner().await;
    providers.tell(0, json!({ "who": "nobody" })).await;
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/login?problem=provider-declined");
}

#[tokio::test]
async fn a_provider_that_is_away_keeps_nobody_else_out() {
    let providers = Providers::start(1).await;
    let well_known = "/.well-known/openid-configuration";
    providers.tell(0, json!({ "fault": { "path": well_known, "kind": "away" } })).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    open_sign_up(&mut owner, None).await;
    providers.is("ben", ben()).await;
    let away = "/login?problem=provider-away";
    for kind in ["away", "garbage", "page", "large", "error", "elsewhere"] {
        providers.tell(0, json!({ "fault": { "path": well_known, "kind": kind } })).await;
        assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, away, "{kind}");
    }
    for lie in ["discovered-issuer", "plain-http"] {
        providers.tell(0, json!({ "fault": null, "lie": lie })).await;
        assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, away, "{lie}");
    }
    let (status, problem) = Visitor::new(&app).post("/api/auth/oidc/one", json!({})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("provider-away")));
    let login = json!({ "email": "olga@example.com", "password": PASSWORD });
    app.anonymous().post("/api/auth/login", login).await.is(StatusCode::OK);
    // It is asked again, and then no more.
    providers.tell(0, json!({ "lie": null })).await;
    for _ in 0..2 {
        assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/");
    }
    let asked = providers.count(0, well_known).await;
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/");
    assert_eq!(providers.count(0, well_known).await, asked);
    for path in ["/token", "/me"] {
        for kind in ["away", "garbage", "page", "large", "error", "elsewhere"] {
            providers.tell(0, json!({ "fault": { "path": path, "kind": kind } })).await;
            assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, away, "{path} {kind}");
        }
    }
    assert_eq!(providers.count(0, "/test/elsewhere").await, 0, "nobody follows it elsewhere");
}

#[tokio::test]
async fn a_slow_provider_is_not_waited_for_without_end() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    app.owner().await;
    providers.tell(0, json!({ "fault": { "path": "/jwks", "kind": "slow" } })).await;
    let began = std::time::Instant::now();
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/login?problem=provider-away");
    assert!(began.elapsed().as_secs() < 25, "{:?}", began.elapsed());
}

#[tokio::test]
async fn new_keys_of_a_provider_are_fetched_when_they_are_used() {
    let providers = Providers::start(1).await;
    let clock = FixedClock::new(SystemClock.now());
    let app = providers.app(Wish { clock: Some(clock.clone()), ..Wish::default() }).await;
    open_sign_up(&mut app.owner().await, None).await;
    providers.is("ben", ben()).await;
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/");
    providers.tell(0, json!({ "rotated": true })).await;
    clock.advance(Duration::minutes(1));
    assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/");
    assert_eq!(providers.count(0, "/jwks").await, 2);
    // The old key is not taken any more, and a key that is nowhere published does not have it asked over and over.
    providers.tell(0, json!({ "rotated": false })).await;
    for _ in 0..3 {
        assert_eq!(Visitor::new(&app).go("/api/auth/oidc/one").await, "/login?problem=provider-untrusted");
    }
    assert_eq!(providers.count(0, "/jwks").await, 2);
}

#[tokio::test]
async fn tries_are_not_begun_without_end() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut visitor = Visitor::new(&app);
    for _ in 0..30 {
        assert_eq!(visitor.post("/api/auth/oidc/one", json!({})).await.0, StatusCode::OK);
    }
    assert_eq!(visitor.post("/api/auth/oidc/one", json!({})).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(visitor.go("/api/auth/oidc/one").await, "/login?problem=throttled");
}

#[tokio::test]
async fn a_sign_in_ends_the_session_before_it() {
    let providers = Providers::start(1).await;
    let app = providers.app(Wish::default()).await;
    let mut owner = app.owner().await;
    open_sign_up(&mut owner, None).await;
    providers.is("ben", ben()).await;
    let mut visitor = Visitor::of(&app, &owner);
    assert_eq!(visitor.go("/api/auth/oidc/one").await, "/");
    owner.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    let me = visitor.persona(&app).get("/api/auth/me").await.is(StatusCode::OK);
    assert_eq!(me["email"], "ben@example.com");
}
