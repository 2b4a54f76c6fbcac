use guildhall_store::Refusal;
use guildhall_types::member::MemberRole;
use guildhall_types::network::HostName;
use guildhall_types::rights::Scope;
use guildhall_types::{ProjectId, RunId};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::TestApp;

#[tokio::test]
async fn what_commands_were_refused_is_shown_allowed_and_dismissed() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let id: ProjectId = project["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/api/projects/{id}/network");
    let network = owner.get(&path).await.is(StatusCode::OK);
    let usual = json!({ "policy": "allow-list", "registries": true, "hosts": [] });
    assert_eq!((&network["settings"], &network["refused"]), (&usual, &json!([])));
    assert!(network["registries"].as_array().unwrap().contains(&json!("registry.npmjs.org")));

    let team = &app.app.team;
    let now = team.clock.now();
    let run = RunId::new();
    let refusal = |host: &str, port: u16| {
        let host = HostName::parse(host).unwrap();
        Refusal { host, port, count: 2, first_at: now, last_at: now, run: Some(run) }
    };
    let all = [refusal("a.example", 443), refusal("b.example", 22), refusal("c.example", 80)];
    team.store.note_refusals(id, &all).await.unwrap();
    let mut member = app.member(MemberRole::Member).await;
    let network = member.get(&path).await.is(StatusCode::OK);
    assert_eq!(network["refused"].as_array().unwrap().len(), 3);
    let first = &network["refused"][0];
    assert_eq!((&first["host"], &first["port"], &first["count"]), (&json!("a.example"), &json!(443), &json!(2)));
    assert_eq!(first["lastRunId"], json!(run));

    // A member allows one and dismisses another; a viewer does neither.
    let mut viewer = app.member(MemberRole::Viewer).await;
    let (allow, dismiss) = (format!("{path}/allow"), format!("{path}/dismiss"));
    viewer.post(&allow, json!({ "host": "a.example" })).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    let hosts = |network: &Value| -> Vec<Value> {
        network["refused"].as_array().unwrap().iter().map(|row| row["host"].clone()).collect()
    };
    let allowed = member.post(&allow, json!({ "host": "A.example" })).await.is(StatusCode::OK);
    assert_eq!(allowed["settings"]["hosts"], json!(["a.example"]));
    assert_eq!(hosts(&allowed), ["b.example", "c.example"]);
    let left = member.post(&dismiss, json!({ "host": "b.example", "port": 22 })).await.is(StatusCode::OK);
    assert_eq!(hosts(&left), ["c.example"]);
    let again = member.post(&dismiss, json!({ "host": "b.example", "port": 22 })).await;
    again.is_problem(StatusCode::NOT_FOUND, "not-found");
    for host in ["10.0.0.1", "https://a.example", "*", "localhost", "u@a.example", "a.example:0"] {
        let bad = member.post(&allow, json!({ "host": host })).await;
        bad.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let bad = member.post(&dismiss, json!({ "host": "c.example", "port": 0 })).await;
    bad.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    let nowhere = format!("/api/projects/{}/network", ProjectId::new());
    member.get(&nowhere).await.is_problem(StatusCode::NOT_FOUND, "not-found");

    // Both deeds are told with who did them.
    let by = json!(member.id().await);
    let audit = owner.get("/api/audit?object=project").await.is(StatusCode::OK);
    let told: Vec<&Value> = audit["items"].as_array().unwrap().iter().collect();
    for (action, host) in [("project.allow-host", "a.example"), ("project.dismiss-host", "b.example")] {
        let entry = told.iter().find(|entry| entry["action"] == action).unwrap_or_else(|| panic!("{audit}"));
        assert_eq!((&entry["detail"]["host"], &entry["memberId"]), (&json!(host), &by));
    }
}

#[tokio::test]
async fn only_admins_open_the_network_and_what_is_open_stays_so_for_members() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let path = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let with = |policy: &str, hosts: Value| {
        let mut settings = project["settings"].clone();
        settings["network"] = json!({ "policy": policy, "registries": false, "hosts": hosts });
        json!({ "settings": settings })
    };
    let mut member = app.member(MemberRole::Member).await;
    let open = with("open", json!([]));
    member.patch(&path, open.clone()).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    // Nor does an admin's token that is not for running the team.
    let (token, _) = owner.token(&[Scope::Write]).await;
    app.program(&token).patch(&path, open.clone()).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    assert_eq!(owner.get(&path).await.is(StatusCode::OK)["settings"], project["settings"]);

    let listed = member.patch(&path, with("allow-list", json!([" B.example ", "b.example", "*.c.example:8443"]))).await;
    let listed = listed.is(StatusCode::OK);
    assert_eq!(listed["settings"]["network"]["hosts"], json!(["b.example", "*.c.example:8443"]));
    let bad = member.patch(&path, with("allow-list", json!(["127.0.0.1"]))).await;
    let problem = bad.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert!(problem.to_string().contains("settings.network.hosts"), "{problem}");

    owner.patch(&path, open.clone()).await.is(StatusCode::OK);
    member.patch(&path, open.clone()).await.is(StatusCode::OK);
    member.patch(&path, with("none", json!([]))).await.is(StatusCode::OK);
    member.patch(&path, open).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    let closed = member.post(&format!("{path}/network/allow"), json!({ "host": "b.example" })).await;
    closed.is_problem(StatusCode::CONFLICT, "no-network");
}
