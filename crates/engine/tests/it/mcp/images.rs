//! Images that tools of MCP servers return: seen by the model, kept with the run, and there after a death.

use guildhall_types::chat::Block;
use guildhall_types::project::ProjectSource;
use guildhall_types::run::RunEvent;
use serde_json::{Value, json};

use crate::harness::Hall;

/// The images that the model was shown in its last call of the work, in the results of tools.
fn shown(hall: &Hall) -> Vec<Value> {
    let calls = hall.sim.requests();
    let asks = |body: &&Value| body["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "nothing_to_keep");
    let body = calls.iter().rfind(|body| !asks(body)).unwrap();
    let blocks = body["messages"].as_array().unwrap().iter().flat_map(|message| message["content"].as_array().unwrap());
    let parts = blocks.filter_map(|block| block["content"].as_array()).flatten();
    parts.filter(|part| part["type"] == "image").cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_of_a_tool_is_seen_kept_and_there_after_a_death() {
    let mut hall = Hall::open().await;
    let project = hall.project("p", ProjectSource::Empty).await;
    hall.known(&project, 60).await;
    let lines = [
        json!({ "tools": [["mcp__odd__photo", {}]] }),
        json!({ "tools": [["bash", { "command": "touch begun; while [ ! -e go ]; do sleep 0.05; done" }]] }),
        json!({ "say": "Seen." }),
    ];
    let id = hall.scripted(&project, &lines).await;
    let run = hall.until("the run", async || hall.feature(id).await.card.run_id).await;
    let tree = hall.team.places.run(run).join("tree");
    hall.until("the wait", async || tree.join("begun").exists().then_some(())).await;
    let first = shown(&hall);
    assert_eq!((first.len(), &first[0]["source"]["media_type"]), (1, &json!("image/png")), "as its bytes say");
    hall.die_and_start_again().await;
    hall.rests(id).await;
    assert_eq!(shown(&hall), first, "whoever goes on sees it too");

    let told = hall.told_in_run(id).await;
    let images = told.iter().find_map(|event| match event {
        RunEvent::ToolFinished { tool, images, .. } if tool == "mcp__odd__photo" => Some(images.clone()),
        _ => None,
    });
    let images = images.unwrap();
    assert_eq!((images.len(), images[0].name.as_str(), images[0].size), (1, "mcp__odd__photo.png", 70));
    let (kept, bytes) = hall.team.store.attachment_bytes(images[0].id).await.unwrap().unwrap();
    assert_eq!((&kept, bytes.len(), &bytes[1..4]), (&images[0], 70, &b"PNG"[..]));
    // The card has no file by it, and the turn names it without its bytes.
    assert_eq!(hall.team.store.attachments(id).await.unwrap(), []);
    assert!(!hall.team.store.delete_attachment(kept.id).await.unwrap(), "what happened stays");
    let turns = hall.team.store.turns(run).await.unwrap();
    let results = turns[0].results.as_deref().unwrap();
    assert!(
        matches!(&results[0], Block::ToolResult { images, content, .. }
            if images[0].id == kept.id && content.contains("image 1 of this answer")),
        "{results:?}"
    );
    assert!(!serde_json::to_string(&turns).unwrap().contains("iVBOR"));
}
