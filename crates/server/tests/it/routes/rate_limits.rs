use guildhall_types::member::MemberRole;
use guildhall_types::rights::Scope;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Persona, Socket, TestApp};

const SCRIPT: &str = "Do it.\n\n```sim\n{\"say\": \"Done.\"}\n```";

async fn works(who: &mut Persona, project: &str, socket: &mut Socket) {
    let cards = format!("/api/projects/{project}/features");
    let card = who.post(&cards, json!({ "description": SCRIPT, "model": "simulated" })).await.is(StatusCode::CREATED);
    let id = card["id"].as_str().unwrap();
    who.call(&format!("/api/features/{id}/start")).await.is(StatusCode::ACCEPTED);
    socket.wait(|frame| frame["feature"]["id"] == id && frame["feature"]["status"] == "waiting_approval").await;
}

async fn limits(who: &mut Persona) -> Value {
    who.get("/api/rate-limits").await.is(StatusCode::OK)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn admins_see_every_key_and_members_what_concerns_them() {
    let app = TestApp::start().await;
    let mut owner = app.owner().await;
    assert_eq!(limits(&mut owner).await["items"], json!([]), "nothing was called yet");
    let project = owner.project("Demo", json!({ "kind": "empty" })).await;
    let project = project["id"].as_str().unwrap().to_owned();
    let mut socket = owner.listen("").await.unwrap();
    let mut mia = app.member(MemberRole::Member).await;
    let mut viewer = app.member(MemberRole::Viewer).await;
    works(&mut owner, &project, &mut socket).await;

    let all = limits(&mut owner).await;
    let lane = &all["items"][0];
    assert_eq!((&all["all"], &lane["source"], &lane["memberId"]), (&json!(true), &json!("simulated"), &Value::Null));
    assert_eq!((&lane["state"]["answered"], &lane["state"]["lastHour"]["answered"]), (&json!(1), &json!(1)));
    assert_eq!((&lane["gateUntil"], &lane["state"]["queued"]), (&Value::Null, &json!(0)));
    assert_eq!(lane["state"]["members"][0]["member"], owner.id().await);
    assert!(!all.to_string().contains("sk-"), "no key is told");

    // A key that is shared concerns whoever uses it, and says nothing of others.
    for who in [&mut mia, &mut viewer] {
        let own = limits(who).await;
        assert_eq!((&own["all"], &own["items"]), (&json!(false), &json!([])));
    }
    works(&mut mia, &project, &mut socket).await;
    let own = limits(&mut mia).await;
    let members = own["items"][0]["state"]["members"].as_array().unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["member"], mia.id().await);
    assert_eq!(limits(&mut owner).await["items"][0]["state"]["members"].as_array().unwrap().len(), 2);

    // An admin's token sees as much as it was made for.
    let (reads, _) = owner.token(&[Scope::Read]).await;
    let (admin, _) = owner.token(&[Scope::Read, Scope::Admin]).await;
    assert_eq!(limits(&mut app.program(&reads)).await["all"], json!(false));
    assert_eq!(limits(&mut app.program(&admin)).await["all"], json!(true));
}
