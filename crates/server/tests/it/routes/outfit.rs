use guildhall_types::member::MemberRole;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Persona, TestApp};

const URL: &str = "postgres://guild:p4ssw0rd-of-it@db.example/test";

async fn tried(who: &mut Persona, path: &str) -> Value {
    let waiting = async {
        loop {
            let shown = who.get(path).await.is(StatusCode::OK);
            if shown["trial"]["status"] != "running" {
                return shown["trial"].clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_secret_comes_in_goes_to_commands_and_is_never_shown() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let base = format!("/api/projects/{}", project["id"].as_str().unwrap());
    let (list, one) = (format!("{base}/secrets"), format!("{base}/secrets/TEST_DATABASE_URL"));
    assert_eq!(owner.get(&list).await.is(StatusCode::OK), json!({ "items": [] }));
    for (path, body, field) in [
        ("PATH", json!({ "value": URL }), "name"),
        ("lower", json!({ "value": URL }), "name"),
        ("A", json!({ "value": "short" }), "value"),
        ("A", json!({ "value": URL, "uses": [] }), "uses"),
    ] {
        let refused = owner.put(&format!("{base}/secrets/{path}"), body).await;
        let problem = refused.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
        assert!(problem.to_string().contains(field) && !problem.to_string().contains(URL), "{problem}");
    }
    owner
        .put(&format!("{base}/secrets/A"), json!({ "value": URL, "uses": ["all"] }))
        .await
        .is(StatusCode::UNPROCESSABLE_ENTITY);
    let put = owner.put(&one, json!({ "value": URL, "uses": ["checks", "set-up"] })).await.is(StatusCode::OK);
    assert_eq!((&put["hint"], &put["uses"]), (&json!("test"), &json!(["set-up", "checks"])));
    let mut member = app.member(MemberRole::Member).await;
    let shown = member.get(&list).await;
    assert_eq!(shown.is(StatusCode::OK)["items"][0]["name"], "TEST_DATABASE_URL");
    assert!(!shown.text().contains("p4ssw0rd"), "{}", shown.text());

    // Another member's is changed by admins alone; one's own by oneself.
    member.put(&one, json!({ "value": "something else" })).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    member.delete(&one).await.is_problem(StatusCode::FORBIDDEN, "not-yours");
    let own = format!("{base}/secrets/OWN");
    member.put(&own, json!({ "value": "a member's own token" })).await.is(StatusCode::OK);
    member.delete(&own).await.is(StatusCode::NO_CONTENT);
    member.delete(&own).await.is_problem(StatusCode::NOT_FOUND, "not-found");
    let mut viewer = app.member(MemberRole::Viewer).await;
    viewer.put(&own, json!({ "value": "a viewer's token" })).await.is_problem(StatusCode::FORBIDDEN, "missing-right");

    // A trial sets the worktree up, with the secret, and shows nothing of it.
    let path = format!("{base}/try-checks");
    let trial = json!({ "setUp": ["echo ${#TEST_DATABASE_URL} > there; echo $TEST_DATABASE_URL"], "commands": ["cat there; env | grep DATABASE"] });
    owner.post(&path, trial).await.is(StatusCode::ACCEPTED);
    let trial = tried(&mut owner, &path).await;
    assert_eq!(trial["status"], "passed", "{trial}");
    let outputs: Vec<_> =
        trial["checks"].as_array().unwrap().iter().map(|check| (&check["kind"], &check["output"])).collect();
    assert_eq!(outputs[0], (&json!("set-up"), &json!("[secret TEST_DATABASE_URL]\n")));
    let length = URL.len();
    let env = format!("{length}\nTEST_DATABASE_URL=[secret TEST_DATABASE_URL]\n");
    assert_eq!(outputs[1], (&json!("check"), &json!(env)));
    owner.post(&path, json!({ "setUp": ["exit 3"], "commands": ["true"] })).await.is(StatusCode::ACCEPTED);
    let trial = tried(&mut owner, &path).await;
    assert_eq!((&trial["status"], trial["checks"].as_array().unwrap().len()), (&json!("failed"), 1), "{trial}");

    owner.delete(&one).await.is(StatusCode::NO_CONTENT);
    let audit = owner.get("/api/audit?limit=500").await.is(StatusCode::OK).to_string();
    for action in ["project-secret.put", "project-secret.delete"] {
        assert_eq!(audit.matches(action).count(), 2, "{audit}");
    }
    assert!(!audit.contains("p4ssw0rd"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_there_is_for_commands_is_shown_and_what_tools_keep_is_cleared() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let base = format!("/api/projects/{}", project["id"].as_str().unwrap());
    for bad in [json!({ "cacheGib": 501 }), json!({ "setUpMinutes": 0 }), json!({ "setUp": vec!["x"; 21] })] {
        owner.patch(&base, json!({ "settings": bad })).await.is_problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid");
    }
    let path = format!("{base}/try-checks");
    owner
        .post(
            &path,
            json!({ "commands": ["head -c 50000 /dev/zero > $PIP_CACHE_DIR || { mkdir -p $PIP_CACHE_DIR; }"] }),
        )
        .await
        .is(StatusCode::ACCEPTED);
    assert_eq!(tried(&mut owner, &path).await["status"], "passed");
    let outfit = format!("{base}/outfit");
    let shown = owner.get(&outfit).await.is(StatusCode::OK);
    assert!(shown["caches"]["bytes"].as_u64().unwrap() >= 50_000, "{shown}");
    assert_eq!((&shown["caches"]["mostBytes"], &shown["toolchains"]), (&json!(10_u64 << 30), &json!([])));
    let mut viewer = app.member(MemberRole::Viewer).await;
    viewer.delete(&format!("{base}/caches")).await.is_problem(StatusCode::FORBIDDEN, "missing-right");
    owner.delete(&format!("{base}/caches")).await.is(StatusCode::NO_CONTENT);
    assert_eq!(owner.get(&outfit).await.is(StatusCode::OK)["caches"]["bytes"], 0);
}
