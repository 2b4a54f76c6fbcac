use reqwest::StatusCode;
use serde_json::{Value, json};

use guildhall_types::member::MemberRole;

use crate::harness::TestApp;

fn definition(prompt: &str) -> Value {
    json!({
        "name": "Look and approve",
        "agents": [{ "id": "a", "name": "A", "role": "researcher", "modelOverride": "simulated" }],
        "workflow": [
            { "id": "look", "type": "agent", "name": "Look", "agentId": "a", "inputTemplate": prompt, "outputVariable": "seen" },
            { "id": "approve", "type": "human_review", "name": "Approve", "inputTemplate": "{{seen}}" },
        ],
        "inputSchema": { "type": "object", "properties": { "topic": { "type": "string", "minLength": 2 } }, "required": ["topic"] },
    })
}

#[tokio::test]
async fn a_system_is_written_checked_and_shared() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let mut member = app.member(MemberRole::Member).await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    let wrong = definition("{{nothing}}");
    let checked = member.post("/api/systems/validate", wrong.clone()).await.is(StatusCode::OK);
    assert_eq!(
        (&checked["problems"][0]["path"], &checked["problems"][0]["stepId"]),
        (&json!("workflow[0].inputTemplate"), &json!("look"))
    );
    // A draft may have problems; what everybody runs may not.
    let active = member.post("/api/systems", json!({ "status": "active", "definition": wrong })).await;
    let problem = active.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    assert_eq!(problem["errors"][0]["field"], "workflow[0].inputTemplate");
    let draft = member.post("/api/systems", json!({ "definition": wrong })).await.is(StatusCode::CREATED);
    let path = format!("/api/systems/{}", draft["id"].as_str().unwrap());
    assert_eq!((&draft["status"], &draft["version"], &draft["builtIn"]), (&json!("draft"), &json!(1), &json!(false)));
    // Its maker and who runs the team see it.
    viewer.get(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    owner.get(&path).await.is(StatusCode::OK);
    let names =
        |list: Value| list["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(viewer.get("/api/systems").await.is(StatusCode::OK)).len(), 4);
    assert_eq!(names(member.get("/api/systems").await.is(StatusCode::OK)).len(), 5);

    let good = json!({ "version": 1, "status": "active", "definition": definition("Look at {{topic}}.") });
    let changed = member.put(&path, good.clone()).await.is(StatusCode::OK);
    assert_eq!((&changed["version"], &changed["status"]), (&json!(2), &json!("active")));
    let late = member.put(&path, good.clone()).await.is_problem(StatusCode::CONFLICT, "stale");
    assert_eq!(late["current"], 2);
    viewer.get(&path).await.is(StatusCode::OK);
    let mut other = app.member(MemberRole::Admin).await;
    other
        .put(&path, json!({ "version": 2, "status": "archived", "definition": definition("x") }))
        .await
        .is(StatusCode::OK);
    // What has come to have problems can be put away as it is, and not taken up again.
    let put = |status: &str, version: i64| json!({ "version": version, "status": status, "definition": wrong });
    other.put(&path, put("active", 3)).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    other.put(&path, put("archived", 3)).await.is(StatusCode::OK);
    let copy = member.call(&format!("{path}/duplicate")).await.is(StatusCode::CREATED);
    assert_eq!((&copy["name"], &copy["status"]), (&json!("Look and approve (copy)"), &json!("draft")));
    let strange =
        owner.call(&format!("/api/systems/{}/duplicate", copy["id"].as_str().unwrap())).await.is(StatusCode::CREATED);
    let strange = format!("/api/systems/{}", strange["id"].as_str().unwrap());
    member.delete(&strange).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    member.delete(&path).await.is(StatusCode::NO_CONTENT);
    member.get(&path).await.is_problem(StatusCode::NOT_FOUND, "not-found");

    // What comes with Guildhall stays as it is.
    let given = member.get("/api/systems").await.is(StatusCode::OK)["items"][0].clone();
    assert_eq!((&given["name"], &given["steps"]), (&json!("Research"), &json!(5)), "those within others count");
    let given = format!("/api/systems/{}", given["id"].as_str().unwrap());
    member.put(&given, good).await.is_problem(StatusCode::CONFLICT, "built-in");
    owner.delete(&given).await.is_problem(StatusCode::CONFLICT, "built-in");
    let audit = owner.get("/api/audit?action=system.change").await.is(StatusCode::OK);
    assert_eq!(audit["items"].as_array().unwrap().len(), 3);
    for body in
        [json!({ "definition": { "name": "x", "more": 1 } }), json!({ "definition": { "workflow": [] } }), json!([])]
    {
        let refused = member.post("/api/systems", body).await;
        assert!(refused.status.is_client_error(), "{}", refused.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_system_runs_waits_for_a_person_and_ends() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let prompt = "Look at {{topic}}.\n\n```sim\n{\"say\": \"Seen.\"}\n```";
    let body = json!({ "status": "active", "definition": definition(prompt) });
    let system = owner.post("/api/systems", body).await.is(StatusCode::CREATED);
    let run = format!("/api/systems/{}/run", system["id"].as_str().unwrap());
    for (input, field) in [
        (json!({}), "topic: this is needed"),
        (json!({ "topic": "x" }), "at least 2"),
        (json!({ "topic": "xx", "y": 1 }), "y: "),
    ] {
        let refused = owner.post(&run, json!({ "projectId": project["id"], "input": input })).await;
        let problem = refused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(problem["detail"].as_str().unwrap().contains(field), "{problem}");
    }
    let mut socket = owner.listen("").await.unwrap();
    let wish = json!({ "projectId": project["id"], "input": { "topic": "cats" } });
    let begun = owner.post(&run, wish.clone()).await.is(StatusCode::ACCEPTED);
    let path = format!("/api/executions/{}", begun["id"].as_str().unwrap());
    socket.wait(|frame| frame["type"] == "execution.updated" && frame["execution"]["status"] == "waiting").await;
    let shown = owner.get(&path).await.is(StatusCode::OK);
    assert_eq!((&shown["steps"][1]["key"], &shown["steps"][1]["status"]), (&json!("approve"), &json!("waiting")));
    // What a step was given and gave is had by its own address, so that a page that looks often reads little.
    let step = owner.get(&format!("{path}/steps/approve")).await.is(StatusCode::OK);
    assert_eq!((&step["input"], &step["status"], &step["rounds"]), (&json!("Seen."), &json!("waiting"), &json!(0)));
    assert_eq!(owner.get(&format!("{path}/steps/look")).await.is(StatusCode::OK)["output"], "Seen.");
    assert!(!shown["steps"].to_string().contains("Seen.") && shown["input"]["topic"] == "cats", "{shown}");
    owner.get(&format!("{path}/steps/none")).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    assert_eq!(shown["definition"]["name"], "Look and approve");
    assert!(shown["tokens"].as_i64().unwrap() > 0);
    assert_eq!((&shown["about"], &shown["steps"][0]["tasks"][0]["status"]), (&json!("cats"), &json!("waiting")));

    let review = format!("{path}/steps/approve/review");
    let mut viewer = app.member(MemberRole::Viewer).await;
    viewer.post(&review, json!({ "approved": true })).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    owner.post(&review, json!({ "approved": false })).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    owner
        .post(&format!("{path}/steps/look/review"), json!({ "approved": true }))
        .await
        .is_problem(StatusCode::CONFLICT, "not-waiting");
    owner
        .post(&format!("{path}/steps/none/review"), json!({ "approved": true }))
        .await
        .is_problem(StatusCode::NOT_FOUND, "not-found");
    owner
        .post(&review, json!({ "approved": true, "rounds": 1 }))
        .await
        .is_problem(StatusCode::CONFLICT, "step-changed");
    let done =
        owner.post(&review, json!({ "approved": true, "rounds": 0, "text": "Good." })).await.is(StatusCode::ACCEPTED);
    assert_eq!(done["status"], "completed");
    owner.call(&format!("{path}/cancel")).await.is_problem(StatusCode::CONFLICT, "execution-over");

    let second = owner.post(&run, wish).await.is(StatusCode::ACCEPTED);
    let second = format!("/api/executions/{}", second["id"].as_str().unwrap());
    owner.call(&format!("{second}/cancel")).await.is(StatusCode::ACCEPTED);
    let list = viewer.get("/api/executions?limit=1").await.is(StatusCode::OK);
    assert_eq!((&list["items"][0]["status"], list["items"].as_array().unwrap().len()), (&json!("cancelled"), 1));
    let rest =
        viewer.get(&format!("/api/executions?before={}", list["next"].as_str().unwrap())).await.is(StatusCode::OK);
    assert_eq!((&rest["items"][0]["status"], &rest["next"]), (&json!("completed"), &Value::Null));
    let audit = owner.get("/api/audit?action=execution.review").await.is(StatusCode::OK);
    assert_eq!(audit["items"][0]["detail"]["approved"], "true");
}
