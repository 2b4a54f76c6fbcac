//! The real program, killed without warning while a system runs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::death::Hall;
use crate::harness::{PASSWORD, PATIENCE};

/// Kills while the system runs.
const KILLS: usize = 5;

/// A step whose agent looks twice and closes with a word.
fn step(id: &str, more: Value) -> Value {
    let lines: Vec<String> = [
        json!({ "say": "I look at what is there.", "tools": [["glob", { "pattern": "*" }]] }),
        json!({ "say": "I look once more.", "tools": [["glob", { "pattern": "*.md" }]] }),
        json!({ "say": format!("{id} is done.") }),
    ]
    .iter()
    .map(Value::to_string)
    .collect();
    let prompt = format!("{id}\n\n```sim\n{}\n```", lines.join("\n"));
    let mut step = json!({ "id": id, "type": "agent", "name": id, "agentId": "a", "inputTemplate": prompt });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_a_system_runs_it_goes_on_and_does_nothing_twice() {
    let mut hall = Hall::open().await;
    let me = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    hall.call(Method::POST, "/api/auth/register", Some(me)).await.unwrap();
    let new = json!({ "name": "p", "source": { "kind": "empty" } });
    let project = hall.call(Method::POST, "/api/projects", Some(new)).await.unwrap();
    let at = format!("/api/projects/{}", project["id"].as_str().unwrap());
    while hall.call(Method::GET, &at, None).await.unwrap()["status"] != "ready" {
        tokio::task::yield_now().await;
    }
    let definition = json!({
        "name": "Killed",
        "agents": [{ "id": "a", "name": "A", "role": "researcher", "modelOverride": "simulated" }],
        "workflow": [
            step("first", json!({})),
            { "id": "both", "type": "parallel", "name": "Both", "children": [step("left", json!({})), step("right", json!({}))] },
            { "id": "rounds", "type": "loop", "name": "Rounds", "maxIterations": 2, "children": [step("again", json!({}))] },
            { "id": "end", "type": "transform", "name": "End",
              "transform": { "op": "template", "template": "{{steps.left.output}} {{steps.again.output}}" } },
        ],
    });
    let wish = json!({ "status": "active", "definition": definition });
    let system = hall.call(Method::POST, "/api/systems", Some(wish)).await.unwrap();
    let run = format!("/api/systems/{}/run", system["id"].as_str().unwrap());
    let begun = hall.call(Method::POST, &run, Some(json!({ "projectId": project["id"] }))).await.unwrap();
    let path = format!("/api/executions/{}", begun["id"].as_str().unwrap());
    for _ in 0..KILLS {
        // Where that is in the system, the machine decides: the next call of a model is enough.
        let wanted = hall.sim.requests().len() + 2;
        while hall.sim.requests().len() < wanted
            && hall.call(Method::GET, &path, None).await.unwrap()["endedAt"].is_null()
        {
            tokio::task::yield_now().await;
        }
        hall.kill_and_start_again().await;
    }
    let ended = async {
        loop {
            let view = hall.call(Method::GET, &path, None).await.unwrap();
            if !view["endedAt"].is_null() {
                return view;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let view = tokio::time::timeout(PATIENCE, ended).await.expect("the execution ends");
    assert_eq!(
        (&view["status"], &view["output"]),
        (&json!("completed"), &json!("left is done. again is done.")),
        "{view:#}"
    );
    let steps = view["steps"].as_array().unwrap();
    let agents: Vec<&Value> = steps.iter().filter(|step| step["kind"] == "agent").collect();
    assert_eq!(agents.len(), 5);
    for agent in agents {
        assert_eq!((&agent["attempt"], agent["tasks"].as_array().unwrap().len()), (&json!(1), 1), "{agent:#}");
    }
}
