//! Connecting programs: what they are told, asking, consenting, tokens and their ends.

use chrono::Duration;
use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::connecting::{BACK, Program, VERIFIER, challenge, word};
use crate::harness::{Persona, TestApp, Wish};

async fn at(clock: &FixedClock) -> TestApp {
    TestApp::with(Wish { clock: Some(clock.clone()), ..Wish::default() }).await
}

async fn works(program: &Program, token: &str) -> bool {
    let got = program.say(token, "tools/list", json!({})).await;
    match got.status {
        StatusCode::OK => true,
        StatusCode::UNAUTHORIZED => false,
        status => panic!("{status}: {}", got.body),
    }
}

/// What the audit tells of this action, the latest first.
async fn told(owner: &mut Persona, action: &str) -> Vec<Value> {
    let page = owner.get(&format!("/api/audit?action={action}")).await.is(StatusCode::OK);
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_program_finds_its_way_from_a_refusal_to_tokens() {
    let clock = FixedClock::default();
    let app = at(&clock).await;
    let mut owner = app.owner().await;
    let program = Program::at(&app).await;

    let refused = program.say("", "tools/list", json!({})).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let challenge = refused.header("www-authenticate").to_owned();
    let place = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    let resource = program.get(place.strip_prefix(&app.url).unwrap()).await.is(StatusCode::OK).clone();
    assert_eq!(resource["resource"], format!("{}/mcp", app.url));
    assert_eq!(resource["authorization_servers"], json!([app.url]));
    let mut all = Vec::new();
    for path in ["oauth-authorization-server", "oauth-authorization-server/mcp", "openid-configuration"] {
        all.push(program.get(&format!("/.well-known/{path}")).await.is(StatusCode::OK).clone());
    }
    assert!(all.iter().all(|one| *one == all[0]) && all[0]["issuer"] == app.url.as_str());
    assert_eq!(all[0]["code_challenge_methods_supported"], json!(["S256"]));
    program.get("/.well-known/nothing").await.is(StatusCode::NOT_FOUND);

    // The browser is led to the page, with all that was asked, as one value.
    let query = format!(
        "client_id={}&redirect_uri={BACK}&response_type=code&code_challenge={}&code_challenge_method=S256&state=5e5&scope=read",
        program.client_id,
        crate::connecting::challenge()
    );
    let led = program.get(&format!("/oauth/authorize?{query}")).await;
    assert_eq!(led.status, StatusCode::SEE_OTHER);
    let to = format!("{}{}", app.url, led.header("location"));
    assert!(to.starts_with(&format!("{}/oauth/consent?ask=", app.url)), "{to}");
    assert_eq!(word(&to, "ask"), Some(query.clone()));

    let asked = owner.get(&format!("/api/oauth/consent?{query}")).await.is(StatusCode::OK);
    assert_eq!((&asked["name"], &asked["leadsTo"]), (&json!("Editor"), &json!("127.0.0.1:7777")));
    assert_eq!((&asked["scopes"], &asked["wrong"]), (&json!(["read"]), &Value::Null));
    let denied = asked["denied"].as_str().unwrap();
    assert_eq!((word(denied, "error"), word(denied, "state")), (Some("access_denied".into()), Some("5e5".into())));

    let yes = json!({ "asking": program.asking(), "scopes": ["read", "run"] });
    let to = owner.post("/api/oauth/consent", yes).await.is(StatusCode::CREATED)["to"].as_str().unwrap().to_owned();
    assert!(to.starts_with(BACK));
    assert_eq!((word(&to, "state"), word(&to, "iss")), (Some("the state".into()), Some(app.url.clone())));
    let got = program.exchange(&word(&to, "code").unwrap(), &[]).await;
    let pair = got.is(StatusCode::OK);
    assert_eq!((&pair["scope"], &pair["expires_in"]), (&json!("read run"), &json!(3600)));
    assert_eq!(got.header("cache-control"), "no-store");
    let access = pair["access_token"].as_str().unwrap();
    assert!(works(&program, access).await);
    // It is good here alone, and only in its header.
    app.program(access).get("/api/projects").await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
    let query = program.http.post(format!("{}/mcp?access_token={access}", app.url)).json(&json!({}));
    assert_eq!(crate::connecting::got(query).await.status, StatusCode::UNAUTHORIZED);

    let list = owner.get("/api/auth/clients").await.is(StatusCode::OK);
    let kept = &list["items"][0];
    assert_eq!((&kept["name"], &kept["scopes"]), (&json!("Editor"), &json!(["read", "run"])));
    assert!(kept["lastUsedAt"].is_string() && list["url"] == format!("{}/mcp", app.url));
    let entry = told(&mut owner, "client.connect").await.remove(0);
    assert_eq!((&entry["objectId"], &entry["detail"]["redirectUri"]), (&kept["id"], &json!(BACK)));

    // Another member neither sees nor ends it.
    let mut other = app.member(MemberRole::Admin).await;
    assert_eq!(other.get("/api/auth/clients").await.is(StatusCode::OK)["items"], json!([]));
    let path = format!("/api/auth/clients/{}", kept["id"].as_str().unwrap());
    other.delete(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert!(!works(&program, access).await);
    assert_eq!(told(&mut owner, "client.disconnect").await.len(), 1);
}

#[tokio::test]
async fn what_is_asked_wrongly_leads_nobody_astray() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let program = Program::at(&app).await;
    let ask = |changes: &[(&str, &str)]| {
        let mut fields = vec![
            ("client_id", program.client_id.as_str()),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("code_challenge_method", "S256"),
            ("state", "s"),
        ];
        fields.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        fields.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        let mut url = url::Url::parse("http://x/oauth/authorize").unwrap();
        url.query_pairs_mut().extend_pairs(fields);
        if !changes.iter().any(|(name, _)| *name == "code_challenge") {
            url.query_pairs_mut().append_pair("code_challenge", &challenge());
        }
        url.query().unwrap().to_owned()
    };
    // Who is not known, or wants to go where nobody registered, is told on the page, and nobody is led there.
    for changes in [
        [("client_id", "01890000-0000-7000-8000-000000000000")],
        [("client_id", "x")],
        [("redirect_uri", "https://evil.example/callback")],
        [("redirect_uri", "http://127.0.0.1:7777/other")],
        [("redirect_uri", "http://localhost:7777/callback")],
        [("redirect_uri", "http://127.0.0.1:7777/callback?x=1")],
        [("redirect_uri", "")],
    ] {
        let query = ask(&changes);
        let led = program.get(&format!("/oauth/authorize?{query}")).await;
        assert!(led.header("location").starts_with("/oauth/consent?"), "{changes:?}: {led:?}");
        owner.get(&format!("/api/oauth/consent?{query}")).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    // What else is wrong the program is told, but only by a member who has seen it and goes there.
    for (changes, error) in [
        ([("response_type", "token")], "unsupported_response_type"),
        ([("code_challenge_method", "plain")], "invalid_request"),
        ([("code_challenge_method", "")], "invalid_request"),
        ([("code_challenge", "")], "invalid_request"),
        ([("code_challenge", "short")], "invalid_request"),
        ([("resource", "https://other.example/mcp")], "invalid_target"),
        ([("scope", "admin git")], "invalid_scope"),
    ] {
        let query = ask(&changes);
        let led = program.get(&format!("/oauth/authorize?{query}")).await;
        assert!(led.header("location").starts_with("/oauth/consent?"), "{changes:?}: {led:?}");
        app.anonymous().get(&format!("/api/oauth/consent?{query}")).await.is(StatusCode::UNAUTHORIZED);
        let told = owner.get(&format!("/api/oauth/consent?{query}")).await.is(StatusCode::OK);
        assert_eq!((&told["name"], &told["leadsTo"]), (&json!("Editor"), &json!("127.0.0.1:7777")));
        assert!(told["wrong"].is_string() && told["scopes"] == json!([]), "{changes:?}: {told}");
        let to = told["denied"].as_str().unwrap();
        assert!(to.starts_with(BACK), "{changes:?}: {told}");
        assert_eq!((word(to, "error").as_deref(), word(to, "state").as_deref()), (Some(error), Some("s")), "{to}");
        let mut asking = program.asking();
        asking["responseType"] = json!("token");
        let yes = json!({ "asking": asking, "scopes": ["read"] });
        owner.post("/api/oauth/consent", yes).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    // A member allows what was asked for, or less, and what the role has use of.
    let mut asking = program.asking();
    asking["scope"] = json!("read");
    for scopes in [json!([]), json!(["run"]), json!(["read", "admin"])] {
        let yes = json!({ "asking": asking, "scopes": scopes });
        owner.post("/api/oauth/consent", yes).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let mut viewer = app.member(MemberRole::Viewer).await;
    let yes = json!({ "asking": program.asking(), "scopes": ["run"] });
    viewer.post("/api/oauth/consent", yes).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    // No other page says yes for a member.
    let mut lured = owner.clone();
    lured.origin = Some("https://evil.example".to_owned());
    let yes = json!({ "asking": program.asking(), "scopes": ["read"] });
    lured.post("/api/oauth/consent", yes).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
    assert_eq!(owner.get("/api/auth/clients").await.is(StatusCode::OK)["items"], json!([]));
    // Nor is the page shown inside another one.
    let page = app.anonymous().get("/oauth/consent?ask=x").await;
    assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));

    // Registering.
    for (body, error) in [
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["http://example.com/cb"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
        (json!({ "client_name": "a\nb", "redirect_uris": ["https://a.example/"] }), "invalid_client_metadata"),
        (json!({ "grant_types": ["password"], "redirect_uris": ["https://a.example/"] }), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
    ] {
        program.register(body).await.is_refused(error);
    }
    for _ in 0..10 {
        drop(program.register(json!([])).await);
    }
    assert_eq!(program.register(json!([])).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_code_and_a_refresh_token_are_good_once_and_for_their_own_program() {
    let clock = FixedClock::default();
    let app = at(&clock).await;
    let mut owner = app.owner().await;
    let program = Program::at(&app).await;
    let other = Program::at(&app).await;

    let code = program.code(&mut owner, &["read"]).await;
    for (changes, error) in [
        ([("code_verifier", "another-verifier-that-is-long-enough-to-be-one-43")], "invalid_grant"),
        ([("code_verifier", challenge().as_str())], "invalid_grant"),
        ([("code_verifier", "")], "invalid_request"),
        ([("redirect_uri", "http://127.0.0.1:7778/callback")], "invalid_grant"),
        ([("client_id", other.client_id.as_str())], "invalid_grant"),
        ([("resource", "https://other.example/mcp")], "invalid_target"),
        ([("code", "nothing")], "invalid_grant"),
        ([("grant_type", "password")], "unsupported_grant_type"),
        ([("grant_type", "")], "invalid_request"),
    ] {
        program.exchange(&code, &changes).await.is_refused(error);
    }
    let twice = [("grant_type", "authorization_code"), ("client_id", "a"), ("client_id", "b")];
    program.post_form("/oauth/token", &twice).await.is_refused("invalid_request");
    let json = program.http.post(format!("{}/oauth/token", app.url)).json(&json!({ "grant_type": "refresh_token" }));
    crate::connecting::got(json).await.is_refused("invalid_request");

    // Shown again, it ends what was made of it.
    let pair = program.exchange(&code, &[]).await.is(StatusCode::OK).clone();
    let access = pair["access_token"].as_str().unwrap();
    assert!(works(&program, access).await);
    program.exchange(&code, &[]).await.is_refused("invalid_grant");
    assert!(!works(&program, access).await);
    program.refresh(pair["refresh_token"].as_str().unwrap()).await.is_refused("invalid_grant");
    assert_eq!(told(&mut owner, "client.disconnect").await[0]["detail"]["why"], "a code was shown twice");

    // One that is late is none.
    let late = program.code(&mut owner, &["read"]).await;
    clock.advance(Duration::seconds(61));
    program.exchange(&late, &[("code_verifier", VERIFIER)]).await.is_refused("invalid_grant");

    let (first, refresh) = program.connect(&mut owner, &["read"]).await;
    other.refresh(&refresh).await.is_refused("invalid_grant");
    program.refresh(&first).await.is_refused("invalid_grant");
    assert!(!works(&program, &refresh).await, "a refresh token is for nothing else");
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", &program.client_id),
        ("refresh_token", &refresh),
        ("scope", "read run"),
    ];
    program.post_form("/oauth/token", &fields).await.is_refused("invalid_scope");
    clock.advance(Duration::minutes(61));
    assert!(!works(&program, &first).await, "expired");
    let next = program.refresh(&refresh).await.is(StatusCode::OK).clone();
    let (second, again) = (next["access_token"].as_str().unwrap(), next["refresh_token"].as_str().unwrap());
    assert!(works(&program, second).await);
    // Whoever shows the former one has it from somewhere: all of it ends.
    program.refresh(&refresh).await.is_refused("invalid_grant");
    assert!(!works(&program, second).await);
    program.refresh(again).await.is_refused("invalid_grant");
    assert_eq!(told(&mut owner, "client.disconnect").await[0]["detail"]["why"], "a refresh token was shown twice");
}

#[tokio::test]
async fn a_program_whose_answer_was_lost_asks_once_more_and_stays_connected() {
    let clock = FixedClock::default();
    let app = at(&clock).await;
    let mut owner = app.owner().await;
    let program = Program::at(&app).await;
    let (_, refresh) = program.connect(&mut owner, &["read"]).await;
    let lost = program.refresh(&refresh).await.is(StatusCode::OK).clone();
    clock.advance(Duration::seconds(5));
    let next = program.refresh(&refresh).await.is(StatusCode::OK).clone();
    let word = |pair: &Value, name: &str| pair[name].as_str().unwrap().to_owned();
    assert!(!works(&program, &word(&lost, "access_token")).await, "that pair is void");
    assert!(works(&program, &word(&next, "access_token")).await);
    let after = program.refresh(&word(&next, "refresh_token")).await.is(StatusCode::OK).clone();
    assert!(told(&mut owner, "client.disconnect").await.is_empty());
    // Somebody has the pair that was lost.
    program.refresh(&word(&lost, "refresh_token")).await.is_refused("invalid_grant");
    assert!(!works(&program, &word(&after, "access_token")).await);
    assert_eq!(told(&mut owner, "client.disconnect").await[0]["detail"]["why"], "a refresh token was shown twice");
}

#[tokio::test]
async fn a_program_may_ask_for_a_token_that_is_good_for_less() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let program = Program::at(&app).await;
    let offered = async |token: &str| {
        let got = program.say(token, "tools/list", json!({})).await;
        let tools = got.is(StatusCode::OK)["result"]["tools"].as_array().unwrap().clone();
        let has = |name: &str| tools.iter().any(|tool| tool["name"] == name);
        (has("project_list"), has("feature_create"), has("feature_start"))
    };
    let refresh = async |token: &str, scope: &str| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", program.client_id.as_str()),
            ("refresh_token", token),
            ("scope", scope),
        ];
        program.post_form("/oauth/token", &fields).await
    };
    let (_, first) = program.connect(&mut owner, &["read", "write", "run"]).await;
    // What is not asked of the member is not had, and a question for nothing is not one for everything.
    for scope in ["read knowledge", "read admin", "openid"] {
        refresh(&first, scope).await.is_refused("invalid_scope");
    }
    let less = refresh(&first, "run openid read").await.is(StatusCode::OK).clone();
    assert_eq!(less["scope"], "read run");
    let token = less["access_token"].as_str().unwrap();
    assert_eq!(offered(token).await, (true, false, true));
    let new = json!({ "projectId": "01890000-0000-7000-8000-000000000000", "description": "Build." });
    let (why, failed) = program.call(token, "feature_create", new).await;
    assert!(failed && why.as_str().unwrap().starts_with("missing-scope"), "{why}");
    // Nobody makes more of it, or takes away what it says.
    let bare = token.split('.').next().unwrap();
    for other in [bare.to_owned(), format!("{token}.write"), token.replace("read", "write")] {
        assert!(!works(&program, &other).await, "{other}");
    }
    // The next one may be for all again: that is what the member allowed.
    let again = program.refresh(less["refresh_token"].as_str().unwrap()).await.is(StatusCode::OK).clone();
    assert_eq!(again["scope"], "read write run");
    assert_eq!(offered(again["access_token"].as_str().unwrap()).await, (true, true, true));
}

#[tokio::test]
async fn a_connection_ends_when_it_is_handed_back_and_with_the_member() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let program = Program::at(&app).await;

    let (access, refresh) = program.connect(&mut member, &["read"]).await;
    program.post_form("/oauth/revoke", &[("token", "nothing")]).await.is(StatusCode::OK);
    program.post_form("/oauth/revoke", &[("token", &refresh)]).await.is(StatusCode::OK);
    assert!(!works(&program, &access).await);

    let (access, _) = program.connect(&mut member, &["read"]).await;
    let change = json!({ "currentPassword": crate::harness::PASSWORD, "newPassword": "another horse battery" });
    member.patch("/api/auth/me", change).await.is(StatusCode::OK);
    assert!(!works(&program, &access).await);

    // What it is good at is this address, by this name.
    let (access, _) = program.connect(&mut member, &["read"]).await;
    assert!(works(&program, &access).await);
    let port = app.url.rsplit(':').next().unwrap();
    let elsewhere = program.mcp(&access).header("host", format!("localhost:{port}")).json(&json!({}));
    let refused = crate::connecting::got(elsewhere).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::UNAUTHORIZED, &json!("bad-token")));
    assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    let evil = program.mcp(&access).header("host", "evil.example").json(&json!({}));
    assert_eq!(crate::connecting::got(evil).await.status, StatusCode::MISDIRECTED_REQUEST);

    let path = format!("/api/members/{}", member.id().await);
    owner.patch(&path, json!({ "disabled": true })).await.is(StatusCode::OK);
    assert!(!works(&program, &access).await);
    let refused = told(&mut owner, "access.refuse").await;
    assert!(refused.iter().any(|entry| entry["object"] == "route" && entry["objectId"] == "POST /mcp"), "{refused:?}");
}
