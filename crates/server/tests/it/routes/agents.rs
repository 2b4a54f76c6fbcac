use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::TestApp;

fn path(agent: &Value) -> String {
    format!("/api/agents/{}", agent["id"].as_str().unwrap())
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_new_team_begins_with_agents_and_members_define_more() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let page = owner.get("/api/agents").await.is(StatusCode::OK);
    assert_eq!(names(&page), ["Builder", "Reviewer", "Test writer", "Researcher", "Documentation"]);
    let tools = owner.get("/api/agents/tools").await.is(StatusCode::OK);
    assert!(
        tools["items"].as_array().unwrap().iter().any(|tool| tool["name"] == "bash" && tool["changesFiles"] == true)
    );

    let body = json!({ "name": "Scout", "description": "Finds things.", "systemPrompt": "Find it.", "icon": "🔭",
        "model": { "model": "simulated", "thinking": "low", "maxTokens": 4000, "temperature": 0.5, "provider": null },
        "tools": [{ "name": "read", "enabled": true }, { "name": "bash", "enabled": false }],
        "mcpServers": [{ "serverId": "docs", "enabledTools": ["search"] }], "tags": ["finding"] });
    let agent = owner.post("/api/agents", body.clone()).await.is(StatusCode::CREATED);
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&agent[name], value, "{name}");
    }
    assert_eq!((&agent["status"], &agent["version"]), (&json!("draft"), &json!(1)));
    for (bad, field) in [
        (json!({ "name": " ", "systemPrompt": "x" }), "name"),
        (json!({ "name": "x", "systemPrompt": "" }), "systemPrompt"),
        (json!({ "name": "x", "systemPrompt": "x", "model": { "temperature": 2.0 } }), "model.temperature"),
        (json!({ "name": "x", "systemPrompt": "x", "model": { "maxTokens": 1 } }), "model.maxTokens"),
        (
            json!({ "name": "x", "systemPrompt": "x", "model": { "model": "claude-sonnet-5-5", "provider": "google" } }),
            "model.provider",
        ),
        (json!({ "name": "x", "systemPrompt": "x", "tools": [{ "name": "a b", "enabled": true }] }), "tools"),
        (json!({ "name": "x", "systemPrompt": "x", "mcpServers": [{ "serverId": "" }] }), "mcpServers"),
    ] {
        let problem = owner.post("/api/agents", bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }

    // Another member sees nothing of a draft, and may not touch what is not theirs.
    let mut member = app.member(MemberRole::Member).await;
    assert!(!names(&member.get("/api/agents").await.is(StatusCode::OK)).contains(&"Scout"));
    member.get(&path(&agent)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    member.patch(&path(&agent), json!({ "name": "Mine" })).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    let active = owner.call(&format!("{}/activate", path(&agent))).await.is(StatusCode::OK);
    assert_eq!((&active["status"], active["sharedAt"].is_string()), (&json!("active"), true));
    assert!(names(&member.get("/api/agents?q=find&status=active").await.is(StatusCode::OK)).contains(&"Scout"));
    for refused in [
        member.patch(&path(&agent), json!({ "name": "Mine" })).await,
        member.call(&format!("{}/archive", path(&agent))).await,
        member.delete(&path(&agent)).await,
        member.patch(&path(&page["items"][0]), json!({ "name": "Mine" })).await,
    ] {
        refused.is_problem(StatusCode::FORBIDDEN, "not-yours");
    }
    let copy = member.call(&format!("{}/duplicate", path(&agent))).await.is(StatusCode::CREATED);
    assert_eq!(
        (&copy["name"], &copy["status"], &copy["tools"]),
        (&json!("Scout (copy)"), &json!("draft"), &agent["tools"])
    );
    let changed = member
        .patch(&path(&copy), json!({ "name": "Mine", "icon": null, "expectVersion": 1 }))
        .await
        .is(StatusCode::OK);
    assert_eq!(
        (&changed["name"], &changed["icon"], &changed["systemPrompt"]),
        (&json!("Mine"), &Value::Null, &json!("Find it."))
    );
    let stale = json!({ "name": "Again", "expectVersion": 1 });
    member.patch(&path(&copy), stale).await.is_problem(StatusCode::CONFLICT, "stale");
    owner.get(&path(&copy)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    // An admin changes what comes with every team.
    owner.patch(&path(&page["items"][0]), json!({ "name": "Our builder" })).await.is(StatusCode::OK);
    owner.call(&format!("{}/archive", path(&page["items"][0]))).await.is(StatusCode::OK);
    let audit = owner.get("/api/audit").await.is(StatusCode::OK).to_string();
    for deed in ["agent.create", "agent.change"] {
        assert!(audit.contains(deed), "{deed}");
    }
    owner.delete(&path(&agent)).await.is(StatusCode::NO_CONTENT);
    member.get(&path(&agent)).await.is_problem(StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn an_agent_is_put_on_a_card_and_runs_by_itself() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "sample" })).await;
    let project = project["id"].as_str().unwrap();
    let agents = owner.get("/api/agents?q=questions").await.is(StatusCode::OK);
    let researcher = &agents["items"][0];
    let cards = format!("/api/projects/{project}/features");
    let card = json!({ "description": "Look.", "agentId": researcher["id"] });
    let card = owner.post(&cards, card).await.is(StatusCode::CREATED);
    assert_eq!(card["agentId"], researcher["id"]);
    let draft = json!({ "name": "Draft", "systemPrompt": "x" });
    let draft = owner.post("/api/agents", draft).await.is(StatusCode::CREATED);
    let bad = json!({ "agentId": draft["id"] });
    let card = format!("/api/features/{}", card["id"].as_str().unwrap());
    owner.patch(&card, bad).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(owner.patch(&card, json!({ "agentId": null })).await.is(StatusCode::OK)["agentId"], Value::Null);

    let prompt = "Say it.\n\n```sim\n{\"say\":\"It is said.\"}\n```";
    let wish = json!({ "projectId": project, "prompt": prompt, "mode": "read", "model": "simulated" });
    let run = format!("{}/run", path(&draft));
    let started = owner.post(&run, wish.clone()).await.is(StatusCode::ACCEPTED);
    assert_eq!(
        (&started["feature"]["kind"], &started["run"]["featureId"]),
        (&json!("task"), &started["feature"]["id"])
    );
    let task = format!("/api/tasks/{}", started["feature"]["id"].as_str().unwrap());
    let ended = owner.until(&task, |task| task["endedAt"].is_string()).await;
    assert_eq!(
        (&ended["result"], &ended["status"], &ended["error"]),
        (&json!("It is said."), &json!("waiting"), &Value::Null)
    );
    let page = owner.get(&cards).await.is(StatusCode::OK);
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "a task is no card");
    // It is found again by its agent, by whoever gave it.
    let tasks = format!("{}/tasks", path(&draft));
    assert_eq!(owner.get(&tasks).await.is(StatusCode::OK)["items"][0]["id"], started["feature"]["id"]);
    owner.get(&format!("{tasks}?after=x")).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    owner.call(&format!("{task}/to-card")).await.is_problem(StatusCode::CONFLICT, "only-looked");
    let prompt = "Write it.\n\n```sim\n{\"tools\": [[\"write\", {\"path\": \"a.txt\", \"content\": \"a\\n\"}]]}\n{\"say\":\"Done.\"}\n```";
    let work = json!({ "projectId": project, "prompt": prompt, "mode": "work", "model": "simulated" });
    let works = owner.post(&run, work).await.is(StatusCode::ACCEPTED)["feature"]["id"].as_str().unwrap().to_owned();
    owner.until(&format!("/api/tasks/{works}"), |task| task["endedAt"].is_string()).await;
    let named = json!({ "title": "What the draft wrote" });
    let made = owner.post(&format!("/api/tasks/{works}/to-card"), named).await.is(StatusCode::OK).clone();
    assert_eq!(
        (&made["kind"], &made["title"], &made["filesChanged"]),
        (&json!("card"), &json!("What the draft wrote"), &json!(1))
    );
    assert_eq!(owner.get(&tasks).await.is(StatusCode::OK)["items"].as_array().unwrap().len(), 1);
    // Whoever may not run agents does not by this way either, nor another by a draft that is not theirs.
    let (token, _) = owner.token(&[Scope::Read, Scope::Write]).await;
    app.program(&token).post(&run, wish.clone()).await.is_problem(StatusCode::FORBIDDEN, "missing-scope");
    let mut member = app.member(MemberRole::Member).await;
    member.post(&run, wish).await.is_problem(StatusCode::NOT_FOUND, "not-found");
}
