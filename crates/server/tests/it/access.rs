//! Every route that the description names is tried by everybody who may and by everybody who may not call it.

use chrono::Duration;
use guildhall_server::config::Config;
use guildhall_types::FixedClock;
use guildhall_types::member::MemberRole;
use guildhall_types::rights::{MemberRight, Scope};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Persona, TestApp, Wish};
use crate::schema::operations;

/// What every route asks for, written once more: a route that slips below another right, or a new one that nobody thought
/// about, is noticed. `+` asks that the member has proved lately who they are.
const ROUTES: &str = "
open: GET /api/health, GET /api/health/ready, GET /api/auth/status, POST /api/auth/register, POST /api/auth/login, POST /api/auth/invitation,
  POST /api/auth/reset, POST /api/auth/forgot, POST /api/auth/register/finish,
  GET /api/auth/second-step, POST /api/auth/second-step, POST /api/auth/passkey/options,
  POST /api/auth/passkey, GET /api/auth/google, GET /api/auth/google/callback, GET /api/auth/oidc/{name},
  POST /api/auth/oidc/{name}, GET /api/auth/oidc/{name}/callback
read: GET /api/auth/me, GET /api/user/credentials, GET /api/models, GET /api/members, GET /api/members/{id},
  GET /api/members/{id}/avatar,
  GET /api/sample/suggestions, GET /api/projects, GET /api/projects/{id}, GET /api/projects/{id}/commits, GET /api/projects/{id}/secrets, GET /api/projects/{id}/outfit,
  GET /api/agents, GET /api/agents/tools, GET /api/agents/{id}, GET /api/agents/{id}/tasks, GET /api/tasks/{id},
  GET /api/projects/{id}/chats, GET /api/chats/{id},
  GET /api/projects/{id}/features, GET /api/projects/{id}/auto-mode, GET /api/projects/{id}/queue, GET /api/queue, GET /api/auto-modes, GET /api/agents/at-work,
  GET /api/projects/{id}/try-checks, GET /api/projects/{id}/network, GET /api/projects/{id}/remote, GET /api/rate-limits, GET /api/sandbox, GET /api/strain,
  GET /api/mcp-servers, GET /api/mcp-servers/{id}, GET /api/projects/{id}/mcp-servers, GET /api/projects/{id}/mcp-proposals,
  GET /api/reports, GET /api/reports/latest, GET /api/reports/{id}, GET /api/features/{id}, GET /api/features/{id}/versions, GET /api/features/{id}/versions/{number}, GET /api/features/{id}/runs, GET /api/runs/{id},
  GET /api/features/{id}/plans, GET /api/runs/{id}/events, GET /api/runs/{id}/checks, GET /api/runs/{id}/steps, GET /api/runs/{id}/guide,
  GET /api/runs/{id}/services, GET /api/runs/{id}/services/{name}/log,
  GET /api/features/{id}/diff, GET /api/features/{id}/files,
  GET /api/features/{id}/attachments, GET /api/attachments/{id}, GET /api/settings/limits, GET /api/events,
  GET /api/systems, GET /api/systems/{id}, GET /api/executions, GET /api/executions/{id}, GET /api/executions/{id}/steps/{step},
  GET /api/settings/prices, GET /api/usage, GET /api/budgets, GET /api/notifications, GET /api/notifications/unread,
  GET /api/knowledge/search, GET /api/knowledge/similar, GET /api/knowledge/items/{id}, GET /api/knowledge/deleted,
  GET /api/knowledge/items/{id}/markdown, GET /api/knowledge/export,
  GET /api/knowledge/blueprints, GET /api/knowledge/blueprints/{id}, GET /api/knowledge/entries, GET /api/knowledge/entries/{id},
  GET /api/knowledge/learnings, GET /api/knowledge/learnings/{id}, GET /api/knowledge/learnings/{id}/applications,
  GET /api/knowledge/{kind}/{id}/versions, GET /api/knowledge/{kind}/{id}/versions/{version},
  GET /api/knowledge/{kind}/{id}/versions/{version}/compare, GET /api/runs/{id}/knowledge, GET /api/settings/knowledge
account: POST /api/auth/logout, PATCH /api/auth/me, POST /api/auth/confirm, GET /api/auth/sessions,
  DELETE /api/auth/sessions, DELETE /api/auth/sessions/{id}, GET /api/auth/clients, DELETE /api/auth/clients/{id},
  GET /api/oauth/consent, GET /api/auth/tokens, DELETE /api/auth/tokens/{id},
  POST /api/auth/confirm/passkey, GET /api/auth/factors, PATCH /api/auth/passkeys/{id}, GET /api/auth/identities,
  POST /api/auth/confirm/provider, DELETE /api/auth/avatar, POST /api/reports/{id}/read, GET /api/report-settings,
  PUT /api/report-settings, PUT /api/budgets/own, POST /api/runs/{id}/services/{name}/preview, POST /api/notifications/read,
  GET /api/notifications/settings, PUT /api/notifications/settings, GET /api/webhooks, GET /api/webhooks/{id}/deliveries,
  POST /api/webhooks/{id}/test, POST /api/webhooks/{id}/send-again
account+: POST /api/auth/tokens, POST /api/oauth/consent, POST /api/auth/totp, POST /api/auth/totp/enable, DELETE /api/auth/totp,
  POST /api/auth/recovery-codes, POST /api/auth/passkeys/options, POST /api/auth/passkeys,
  DELETE /api/auth/passkeys/{id}, POST /api/auth/identities, DELETE /api/auth/identities/{id},
  POST /api/webhooks, PATCH /api/webhooks/{id}, DELETE /api/webhooks/{id}, POST /api/webhooks/{id}/secret
keys: POST /api/user/credentials/{provider}/test
keys+: PUT /api/user/credentials/{provider}, DELETE /api/user/credentials/{provider},
  PUT /api/projects/{id}/secrets/{name}, DELETE /api/projects/{id}/secrets/{name},
  PUT /api/projects/{id}/remote, DELETE /api/projects/{id}/remote
build: POST /api/projects/{id}/features, PATCH /api/features/{id}, DELETE /api/features/{id}, POST /api/features/{id}/versions/{number}/restore, DELETE /api/features/{id}/versions/{number},
  POST /api/features/{id}/attachments, DELETE /api/attachments/{id},
  POST /api/agents, PATCH /api/agents/{id}, DELETE /api/agents/{id}, POST /api/agents/{id}/activate,
  POST /api/agents/{id}/archive, POST /api/agents/{id}/duplicate, POST /api/chats/{id}/to-card, POST /api/tasks/{id}/to-card,
  POST /api/systems, POST /api/systems/validate, PUT /api/systems/{id}, DELETE /api/systems/{id},
  POST /api/systems/{id}/duplicate
run: POST /api/runs/{id}/services, POST /api/runs/{id}/services/{name}/stop, GET /api/runs/{id}/terminal,
  POST /api/features/{id}/start, POST /api/features/{id}/retry, POST /api/features/{id}/stop,
  POST /api/features/{id}/approve-plan, POST /api/features/{id}/reject-plan, POST /api/features/{id}/follow-up, POST /api/features/{id}/verify, POST /api/features/{id}/merge, POST /api/features/{id}/publish, POST /api/projects/{id}/remote/sync,
  POST /api/features/{id}/shelve, POST /api/projects/{id}/auto-mode, POST /api/projects/{id}/auto-mode/forecast, POST /api/features/{id}/allow-cost,
  POST /api/agents/{id}/run, POST /api/projects/{id}/enhance, POST /api/projects/{id}/chats, POST /api/chats/{id}/messages, POST /api/chats/{id}/stop,
  PATCH /api/chats/{id}, DELETE /api/chats/{id},
  POST /api/systems/{id}/run, POST /api/executions/{id}/cancel, POST /api/executions/{id}/steps/{step}/review
manageProjects: POST /api/projects, PATCH /api/projects/{id}, DELETE /api/projects/{id}, POST /api/projects/{id}/retry, POST /api/projects/{id}/try-checks, POST /api/projects/{id}/try-checks/stop,
  POST /api/projects/{id}/network/allow, POST /api/projects/{id}/network/dismiss,
  DELETE /api/projects/{id}/caches,
  POST /api/projects/{id}/mcp-servers, PATCH /api/mcp-servers/{id}, DELETE /api/mcp-servers/{id}, POST /api/mcp-servers/{id}/test,
  POST /api/mcp-servers/{id}/approve-tools, POST /api/mcp-servers/{id}/choose-tools
knowledge: POST /api/knowledge/blueprints, PUT /api/knowledge/blueprints/{id}, DELETE /api/knowledge/blueprints/{id},
  POST /api/knowledge/entries, PUT /api/knowledge/entries/{id}, DELETE /api/knowledge/entries/{id},
  POST /api/knowledge/learnings, PUT /api/knowledge/learnings/{id}, DELETE /api/knowledge/learnings/{id},
  POST /api/knowledge/{kind}/{id}/restore, POST /api/knowledge/learnings/{id}/verify,
  POST /api/knowledge/learnings/{id}/reject, POST /api/knowledge/learnings/{id}/apply, POST /api/runs/{id}/knowledge,
  POST /api/runs/{id}/knowledge/roll-back, POST /api/knowledge/import
administer: GET /api/alerts, POST /api/alerts/{id}/silence, GET /api/settings/alerts, PUT /api/settings/alerts, PATCH /api/settings/alerts,
  GET /api/health/detailed, GET /metrics, GET /api/operation, GET /api/operation/samples,
  GET /api/operation/backups, POST /api/operation/backups, PUT /api/settings/limits, PATCH /api/settings/limits, POST /api/mcp-servers, PUT /api/settings/knowledge, GET /api/settings/sign-up,
  GET /api/settings/second-factor, GET /api/settings/keys, GET /api/settings/credentials,
  POST /api/settings/credentials/{provider}/test, GET /api/invitations, POST /api/invitations,
  DELETE /api/invitations/{id}, POST /api/members/{id}/sign-out, GET /api/audit, GET /api/audit/export,
  GET /api/mail, POST /api/mail/test, PUT /api/settings/prices, DELETE /api/settings/prices/{id},
  PUT /api/settings/budgets, PUT /api/members/{id}/budget,
  GET /api/settings/webhooks, GET /api/settings/webhooks/{id}/deliveries,
  POST /api/settings/webhooks/{id}/test, POST /api/settings/webhooks/{id}/send-again,
  GET /api/operation/disk, POST /api/operation/tidy, GET /api/settings/retention, PUT /api/settings/retention, PATCH /api/settings/retention
administer+: PATCH /api/members/{id}, POST /api/members/{id}/reset-link, DELETE /api/members/{id}/factors,
  PUT /api/settings/credentials/{provider}, DELETE /api/settings/credentials/{provider}, POST /api/agents/stop-all,
  POST /api/settings/webhooks, PATCH /api/settings/webhooks/{id}, DELETE /api/settings/webhooks/{id},
  POST /api/settings/webhooks/{id}/secret, POST /api/operation/orphans/remove,
  POST /api/knowledge/{kind}/{id}/erase
own+: PUT /api/settings/sign-up, PUT /api/settings/second-factor
";

/// One route and what it asks for; open ones ask for nothing.
struct Route {
    method: Method,
    path: String,
    right: Option<MemberRight>,
    confirmed: bool,
}

fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    let mut asks = "";
    for part in ROUTES.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        let route = match part.split_once(": ") {
            Some((word, route)) => {
                asks = word;
                route
            }
            None => part,
        };
        let (method, path) = route.split_once(' ').unwrap();
        routes.push(Route {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            right: (asks != "open").then(|| asks.trim_end_matches('+').parse().unwrap()),
            confirmed: asks.ends_with('+'),
        });
    }
    routes
}

fn is_unsafe(method: &Method) -> bool {
    *method != Method::GET
}

/// A path with ids that nothing has.
fn filled(path: &str) -> String {
    path.replace("{id}", "01890000-0000-7000-8000-000000000000")
        .replace("{provider}", "anthropic")
        .replace("{kind}", "entries")
        .replace("{version}", "1")
        .replace("{number}", "1")
}

async fn try_out(persona: &mut Persona, method: &Method, path: &str) -> (StatusCode, Value) {
    let request = persona.request(method.clone(), &filled(path));
    let answer = persona.send(if is_unsafe(method) { request.json(&json!({})) } else { request }).await;
    (answer.status, answer.json())
}

#[test]
fn every_route_says_what_it_asks_for_and_nothing_changes_for_the_asking() {
    let routes = routes();
    for (method, path, operation) in operations() {
        let route = routes.iter().find(|route| route.method == method && route.path == path);
        let route = route.unwrap_or_else(|| panic!("say in ROUTES what {method} {path} asks for"));
        let Some(right) = route.right else {
            assert!(operation.get("security").is_none() && operation.get("x-right").is_none(), "{method} {path}");
            continue;
        };
        assert_eq!(operation["x-right"], right.as_str(), "{method} {path}");
        assert_eq!(operation["x-confirmed"].as_bool().unwrap_or(false), route.confirmed, "{method} {path}");
        assert!(operation["security"][0]["session"].is_array(), "{method} {path} does not say that it is closed");
        // Whoever asks for a proof gets it from a person: no token has one.
        let scope = right.scope().filter(|_| !route.confirmed).map(|scope| json!([scope.as_str()]));
        assert_eq!(operation["security"][1]["token"], scope.unwrap_or_default(), "{method} {path}");
        assert!(!is_unsafe(&method) || right != MemberRight::Read, "{method} {path} changes something");
    }
    assert_eq!(routes.len(), operations().count());
}

/// What somebody is answered who is stopped at the door; nothing for who gets in.
type Expected = fn(&Who, &Route) -> Option<(StatusCode, &'static str)>;

struct Who {
    name: String,
    persona: Persona,
    role: MemberRole,
    scopes: Option<Vec<Scope>>,
    /// Signed in too long ago for what asks for a proof.
    stale: bool,
    expected: Expected,
}

fn no_session(_: &Who, _: &Route) -> Option<(StatusCode, &'static str)> {
    Some((StatusCode::UNAUTHORIZED, "not-signed-in"))
}

fn no_token(_: &Who, _: &Route) -> Option<(StatusCode, &'static str)> {
    Some((StatusCode::UNAUTHORIZED, "bad-token"))
}

fn by_right(who: &Who, route: &Route) -> Option<(StatusCode, &'static str)> {
    let right = route.right?;
    let code = match &who.scopes {
        _ if !who.role.may(right) => "missing-right",
        None if who.stale && route.confirmed => "confirm-needed",
        None => return None,
        Some(_) if right.scope().is_none() => "session-only",
        Some(scopes) if !right.scope().is_some_and(|scope| scopes.contains(&scope)) => "missing-scope",
        Some(_) if route.confirmed => "session-only",
        Some(_) => return None,
    };
    Some((StatusCode::FORBIDDEN, code))
}

#[tokio::test]
async fn every_route_with_everybody() {
    let clock = FixedClock::default();
    // Those who are nobody try every route, all from one address.
    let change = Box::new(|config: &mut Config| config.guard.requests_per_address = None);
    let app = TestApp::with(Wish { change, clock: Some(clock.clone()), ..Wish::default() }).await;
    let mut owner = app.owner().await;
    let mut all: Vec<Who> = Vec::new();
    let add = |all: &mut Vec<Who>, name: &str, persona: Persona, role, scopes: Option<&[Scope]>, expected| {
        let scopes = scopes.map(<[Scope]>::to_vec);
        all.push(Who { name: name.to_owned(), persona, role, scopes, stale: false, expected });
    };

    // Those who were somebody.
    let mut gone = app.member(MemberRole::Admin).await;
    let (gone_token, _) = gone.token(&[Scope::Read, Scope::Admin]).await;
    let path = format!("/api/members/{}", gone.id().await);
    owner.patch(&path, json!({ "disabled": true })).await.is(StatusCode::OK);
    let everything = Scope::ALL;
    let (revoked, id) = owner.token(everything).await;
    owner.delete(&format!("/api/auth/tokens/{id}")).await.is(StatusCode::NO_CONTENT);
    let soon = json!({ "name": "t", "scopes": everything, "expiresAt": "2024-10-04T00:05:00Z" });
    let expired = owner.post("/api/auth/tokens", soon).await.is(StatusCode::CREATED);
    add(&mut all, "a disabled admin", gone, MemberRole::Admin, None, no_session);
    add(&mut all, "a disabled admin's token", app.program(&gone_token), MemberRole::Admin, Some(everything), no_token);
    add(&mut all, "a revoked token", app.program(&revoked), MemberRole::Owner, Some(everything), no_token);
    let expired = app.program(expired["token"].as_str().unwrap());
    add(&mut all, "an expired token", expired, MemberRole::Owner, Some(everything), no_token);

    // Those who are nobody.
    add(&mut all, "nobody", app.anonymous(), MemberRole::Owner, None, no_session);
    let mut forger = app.anonymous();
    forger.cookie = Some("guildhall=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    add(&mut all, "a forged cookie", forger, MemberRole::Owner, None, no_session);
    let forged = app.program("guild_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    add(&mut all, "a forged token", forged, MemberRole::Owner, None, no_token);
    let session = owner.cookie.clone().unwrap().replace("guildhall=", "");
    add(&mut all, "a session's token as a Bearer", app.program(&session), MemberRole::Owner, None, no_token);
    let mut both = owner.clone();
    both.bearer = Some("guild_x".to_owned());
    add(&mut all, "a bad token beside a good cookie", both, MemberRole::Owner, None, no_token);

    // Each scope alone, and the whole of them with each role.
    for scope in Scope::ALL {
        let (token, _) = owner.token(&[*scope]).await;
        add(&mut all, &format!("scope {scope}"), app.program(&token), MemberRole::Owner, Some(&[*scope]), by_right);
    }
    clock.advance(Duration::minutes(9));
    for role in [MemberRole::Viewer, MemberRole::Member] {
        let mut persona = app.member(role).await;
        let scopes: Vec<Scope> = Scope::ALL.iter().copied().filter(|scope| role.can_use(*scope)).collect();
        let (token, _) = persona.token(&scopes).await;
        add(&mut all, &format!("{role}'s token"), app.program(&token), role, Some(&scopes), by_right);
        add(&mut all, role.as_str(), persona, role, None, by_right);
    }
    // An admin's token is worth what the admin is worth now.
    let demoted = guildhall_store::NewMember {
        email: "dora@example.com".to_owned(),
        name: "Dora".to_owned(),
        password_hash: None,
    };
    let demoted = app.app.team.store.create_member(demoted, MemberRole::Admin).await.unwrap();
    let (token, _) = app.app.team.create_token(&demoted, "t", Scope::ALL.to_vec(), None).await.unwrap();
    let path = format!("/api/members/{}", demoted.id);
    owner.patch(&path, json!({ "role": "viewer" })).await.is(StatusCode::OK);
    let demoted = app.program(&token);
    add(&mut all, "a demoted admin's token", demoted, MemberRole::Viewer, Some(everything), by_right);
    add(&mut all, "an owner who signed in long ago", owner, MemberRole::Owner, None, by_right);
    all.last_mut().unwrap().stale = true;
    clock.advance(Duration::minutes(2));

    for who in &mut all {
        // Strangers share an address, and so the requests that it may make in a minute.
        clock.advance(Duration::seconds(10));
        for route in routes().iter().filter(|route| route.right.is_some()) {
            let (status, body) = try_out(&mut who.persona, &route.method, &route.path).await;
            let what = format!("{} {} by {}: {body}", route.method, route.path, who.name);
            match (who.expected)(who, route) {
                Some(refused) => assert_eq!((status, body["code"].as_str().unwrap_or_default()), refused, "{what}"),
                None => {
                    assert!(!matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), "{what}");
                    assert!(!status.is_server_error(), "{what}");
                }
            }
            // Whoever signs out is nobody from then on.
            if route.path == "/api/auth/logout" && status == StatusCode::NO_CONTENT {
                let email = match who.role {
                    MemberRole::Owner => "olga@example.com".to_owned(),
                    role => format!("{role}@example.com"),
                };
                let login = json!({ "email": email, "password": PASSWORD });
                who.persona = app.anonymous();
                who.persona.post("/api/auth/login", login).await.is(StatusCode::OK);
                if who.stale {
                    clock.advance(Duration::minutes(11));
                }
            }
        }
    }
}

/// What is for its maker and for those who run the team: with a token, an admin is one of those where its scopes say so.
#[tokio::test]
async fn an_admins_token_runs_the_team_by_its_scopes_alone() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let id = member.id().await;
    let project = member.project("Demo", json!({ "kind": "empty" })).await["id"].as_str().unwrap().to_owned();
    let done = format!("Please.\n\n```sim\n{}\n```", json!({ "say": "Done." }));
    let over = |work: &Value| work["status"] == "waiting_approval";

    let card = json!({ "description": done, "model": "simulated" });
    let card = member.post(&format!("/api/projects/{project}/features"), card).await.is(StatusCode::CREATED);
    let card = format!("/api/features/{}", card["id"].as_str().unwrap());
    member.call(&format!("{card}/start")).await.is(StatusCode::ACCEPTED);
    member.until(&card, over).await;
    let chat = json!({ "message": done, "mode": "read", "model": "simulated" });
    let chat = member.post(&format!("/api/projects/{project}/chats"), chat).await.is(StatusCode::ACCEPTED);
    let chat = format!("/api/chats/{}", chat["feature"]["id"].as_str().unwrap());
    member.until(&chat, over).await;
    let agent = member.post("/api/agents", json!({ "name": "Scout", "systemPrompt": "Find it." })).await;
    let agent = format!("/api/agents/{}", agent.is(StatusCode::CREATED)["id"].as_str().unwrap());
    member.call(&format!("{agent}/activate")).await.is(StatusCode::OK);
    let definition = json!({
        "name": "Look", "agents": [{ "id": "a", "name": "A", "role": "researcher", "modelOverride": "simulated" }],
        "workflow": [{ "id": "look", "type": "agent", "name": "Look", "agentId": "a", "inputTemplate": "Look." }],
        "inputSchema": { "type": "object", "properties": {} },
    });
    let mut systems = Vec::new();
    for status in ["draft", "active"] {
        let made = member.post("/api/systems", json!({ "status": status, "definition": definition })).await;
        systems.push(format!("/api/systems/{}", made.is(StatusCode::CREATED)["id"].as_str().unwrap()));
    }
    let (draft, shared) = (&systems[0], &systems[1]);

    let usage = format!("/api/usage?by=model&member={id}");
    let auto = format!("/api/projects/{project}/auto-mode");
    let stop = json!({ "action": "stop", "memberId": id });
    let change = json!({ "version": 1, "status": "active", "definition": definition });
    let run = json!({ "projectId": project, "input": {} });
    let refused = StatusCode::FORBIDDEN;

    let (token, _) = owner.token(&[Scope::Read]).await;
    let mut program = app.program(&token);
    assert!(program.get("/api/members").await.is(StatusCode::OK).get("withSecondFactor").is_none());
    program.get(&usage).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(program.get("/api/budgets").await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 1);
    program.get(draft).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(program.get("/api/systems").await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 5);

    let (token, _) = owner.token(&[Scope::Run]).await;
    let mut program = app.program(&token);
    program.patch(&chat, json!({ "title": "x" })).await.is_problem(refused, "not-yours");
    program.delete(&chat).await.is_problem(refused, "not-yours");
    program.post(&auto, stop.clone()).await.is_problem(refused, "missing-right");
    program.post(&format!("{card}/allow-cost"), json!({ "micros": 1 })).await.is_problem(refused, "missing-right");
    program.post(&format!("{draft}/run"), run).await.is_problem(StatusCode::NOT_FOUND, "not-found");

    let (token, _) = owner.token(&[Scope::Write]).await;
    let mut program = app.program(&token);
    program.patch(&agent, json!({ "name": "x" })).await.is_problem(refused, "not-yours");
    program.delete(&agent).await.is_problem(refused, "not-yours");
    program.put(shared, change.clone()).await.is_problem(refused, "missing-right");
    program.delete(shared).await.is_problem(refused, "missing-right");
    program.call(&format!("{draft}/duplicate")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    program.patch(&card, json!({ "budgetMicros": 5_000_000 })).await.is_problem(refused, "not-yours");

    // With the scope, the same token of the same member.
    let (token, _) = owner.token(&[Scope::Read, Scope::Run, Scope::Write, Scope::Admin]).await;
    let mut program = app.program(&token);
    assert!(program.get("/api/members").await.is(StatusCode::OK)["withSecondFactor"].is_array());
    program.get(&usage).await.is(StatusCode::OK);
    assert_eq!(program.get("/api/budgets").await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 2);
    program.get(draft).await.is(StatusCode::OK);
    program.post(&auto, stop).await.is(StatusCode::OK);
    program.patch(&card, json!({ "budgetMicros": 5_000_000 })).await.is(StatusCode::OK);
    program.post(&format!("{card}/allow-cost"), json!({ "micros": 1 })).await.is(StatusCode::ACCEPTED);
    program.put(shared, change).await.is(StatusCode::OK);
    for gone in [&chat, &agent, shared] {
        program.delete(gone).await.is(StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn open_routes_are_open_to_nobody_in_particular() {
    let app = TestApp::start().await;
    app.owner().await;
    let mut stranger = app.anonymous();
    for route in routes().iter().filter(|route| route.right.is_none()) {
        let (_, body) = try_out(&mut stranger, &route.method, &route.path).await;
        assert!(body["code"] != "not-signed-in" && body["code"] != "missing-right", "{} {body}", route.path);
    }
}

#[tokio::test]
async fn a_token_is_taken_from_its_header_alone() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let (token, _) = owner.token(Scope::ALL).await;
    let mut stranger = app.anonymous();
    for name in ["access_token", "token", "bearer", "authorization"] {
        let answer = stranger.get(&format!("/api/members?{name}={token}")).await;
        answer.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"guildhall\"");
    }
    stranger.cookie = Some(format!("guildhall={token}"));
    stranger.get("/api/members").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
    stranger.cookie = None;
    let basic = stranger.request(Method::GET, "/api/members").basic_auth("olga@example.com", Some(&token));
    stranger.send(basic).await.is_problem(StatusCode::UNAUTHORIZED, "bad-token");
    let mut program = app.program(&token);
    program.get("/api/members").await.is(StatusCode::OK);
    // A page elsewhere that got hold of one is a page elsewhere.
    program.origin = Some("https://evil.example".to_owned());
    let project = json!({ "name": "x", "source": { "kind": "empty" } });
    program.post("/api/projects", project.clone()).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
    program.origin = None;
    program.post("/api/projects", project).await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn no_other_page_acts_with_a_members_cookie() {
    let app = TestApp::start().await;
    let owner = app.owner().await;
    for origin in [None, Some("https://evil.example"), Some("null"), Some("http://127.0.0.1:1"), Some("")] {
        let mut lured = owner.clone();
        lured.origin = origin.map(str::to_owned);
        for (method, path, _) in operations().filter(|(method, ..)| is_unsafe(method)) {
            let (status, body) = try_out(&mut lured, &method, path).await;
            assert_eq!(
                (status, &body["code"]),
                (StatusCode::FORBIDDEN, &json!("foreign-origin")),
                "{method} {path} from {origin:?}"
            );
        }
    }
}

#[tokio::test]
async fn no_other_page_signs_anyone_in() {
    let app = TestApp::start().await;
    let mut lured = app.anonymous();
    lured.origin = Some("https://evil.example".to_owned());
    for path in ["/api/auth/register", "/api/auth/login"] {
        lured.post(path, json!({})).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
    }
    // Nor does one whose name was made to lead here.
    let port = app.url.rsplit(':').next().unwrap();
    let request = lured.request(Method::POST, "/api/auth/login").json(&json!({}));
    let request = request.header("host", format!("evil.example:{port}"));
    lured.origin = Some(format!("http://evil.example:{port}"));
    lured.send(request).await.is_problem(StatusCode::FORBIDDEN, "foreign-origin");
    // A program without a browser has no page and no cookie.
    let mut program = app.anonymous();
    program.origin = None;
    let login = json!({ "email": "a@b", "password": "not the password" });
    program.post("/api/auth/login", login).await.is_problem(StatusCode::UNAUTHORIZED, "wrong-password");
}

#[tokio::test]
async fn a_disabled_session_is_none() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut thief = owner.clone();
    owner.call("/api/auth/logout").await.is(StatusCode::NO_CONTENT);
    assert_eq!(owner.cookie, None);
    thief.get("/api/auth/me").await.is_problem(StatusCode::UNAUTHORIZED, "not-signed-in");
}
