//! Images that tools return and members send: which of them a model sees, for how long, and what stands in their places.

use guildhall_agent::{ToolAnswer, ToolImage, Toolbox};
use guildhall_sim::Fault;
use guildhall_types::MemberId;
use guildhall_types::chat::{Block, Picture, UNSHOWN};
use guildhall_types::run::{RunEvent, Said, SaidFile};
use serde_json::Value;

use crate::house::{Handy, House, attachment, done, script};

/// An answer with so many images.
fn photos(count: usize) -> ToolAnswer {
    let image = ToolImage { media_type: "image/png", bytes: vec![7; 30] };
    ToolAnswer { images: vec![image; count], ..ToolAnswer::ok("Here.") }
}

fn camera() -> Toolbox {
    Toolbox::new(vec![
        Handy::tool("photo", false, |input, _| photos(input["count"].as_u64().unwrap_or(1) as usize)),
        Handy::tool("blurred", false, |_, _| ToolAnswer { is_error: true, ..photos(1) }),
    ])
}

/// How many images a request shows, and how many it says are not shown any more.
fn seen(request: &Value) -> (usize, usize) {
    let text = request["messages"].to_string();
    (text.matches("\"type\":\"image\"").count(), text.matches(UNSHOWN).count())
}

async fn house(keeps: usize) -> House {
    let house = House::new().await;
    house.book.pages().keeps = keeps;
    house
}

#[tokio::test]
async fn an_image_is_kept_told_and_seen_and_a_failure_shows_none() {
    let house = house(100).await;
    let lines = [r#"{"tools": [["photo", {"count": 2}], ["blurred", {}]]}"#, r#"{"say": "Seen."}"#];
    let mut job = house.job(&script(&lines));
    job.tools = camera();
    assert_eq!(done(house.run(job).await), "Seen.");
    assert_eq!(house.sim.requests().iter().map(seen).collect::<Vec<_>>(), [(0, 0), (2, 0)]);
    let pages = house.book.pages();
    assert_eq!(pages.kept, [("photo".to_owned(), 30), ("photo".to_owned(), 30)]);
    let told: Vec<(usize, String)> = pages
        .events
        .iter()
        .filter_map(|event| match event {
            RunEvent::ToolFinished { images, output, .. } => Some((images.len(), output.clone())),
            _ => None,
        })
        .collect();
    assert_eq!((told[0].0, told[1].0), (2, 0));
    assert!(told[1].1.contains("Not shown: 1 of the images"), "{told:?}");
    // What is saved names them; whoever goes on reads them anew, or is told.
    let results = pages.turns[0].results.as_deref().unwrap();
    let Block::ToolResult { images, .. } = &results[0] else { panic!("{results:?}") };
    assert!(images.len() == 2 && images.iter().all(|image| image.data().is_none() && image.size == 30), "{images:?}");
}

#[tokio::test]
async fn a_turn_shows_so_many_images_and_a_run_that_has_its_fill_none() {
    let house = house(10).await;
    let lines =
        [r#"{"tools": [["photo", {"count": 9}]]}"#, r#"{"tools": [["photo", {"count": 3}]]}"#, r#"{"say": "Seen."}"#];
    let mut job = house.job(&script(&lines));
    job.tools = camera();
    done(house.run(job).await);
    let results = house.book.results(1);
    assert!(results[0].0.contains("Not shown: 1 of the images"), "{results:?}");
    let results = house.book.results(2);
    assert!(results[0].0.contains("Not shown: 1 of the images"), "{results:?}");
    assert_eq!(house.sim.requests().last().map(seen), Some((10, 0)));
}

#[tokio::test]
async fn the_oldest_images_give_way_and_words_stand_in_their_places() {
    let house = house(100).await;
    let photo = r#"{"tools": [["photo", {"count": 6}]]}"#;
    let lines = [photo, photo, photo, photo, r#"{"say": "Seen."}"#];
    let mut job = house.job(&script(&lines));
    job.tools = camera();
    done(house.run(job).await);
    let all: Vec<(usize, usize)> = house.sim.requests().iter().map(seen).collect();
    // At 18 there are too many: eight stay.
    assert_eq!(all, [(0, 0), (6, 0), (12, 0), (8, 10), (14, 10)]);
}

#[tokio::test]
async fn a_provider_that_takes_no_images_gets_words() {
    let house = house(100).await;
    let photo = r#"{"tools": [["photo", {}]]}"#;
    let mut job = house.job(&script(&[photo, photo, r#"{"say": "I saw nothing."}"#]));
    job.tools = camera();
    let (sim, mut first) = (house.sim.clone(), true);
    let refuses = move |event: &RunEvent| {
        if matches!(event, RunEvent::ToolFinished { .. }) && std::mem::take(&mut first) {
            sim.fail_next([Fault::BadImage]);
        }
    };
    *house.book.on_event.lock().unwrap() = Some(Box::new(refuses));
    assert_eq!(done(house.run(job).await), "I saw nothing.");
    let all: Vec<(usize, usize)> = house.sim.requests().iter().map(seen).collect();
    assert_eq!(all, [(0, 0), (1, 0), (0, 1), (0, 2)], "and it is not tried again");
    let notes = house.book.pages().events.iter().filter(|event| matches!(event, RunEvent::Note { text } if text.contains("left out from here on") && text.contains("Could not process image"))).count();
    assert_eq!(notes, 1);
}

#[tokio::test]
async fn what_a_member_attaches_is_seen_and_read_and_its_secrets_are_not() {
    let house = house(0).await;
    let file = |name: &str, media_type: &str, bytes: &[u8]| SaidFile {
        attachment: attachment(name, media_type, bytes.len()),
        bytes: bytes.to_vec(),
    };
    let files =
        vec![file("plan.png", "image/png", &[7; 30]), file("notes.txt", "text/plain", b"The key is sesame-open-now.")];
    let said = Said { seq: 1, member_id: MemberId::new(), text: "Look at these.".to_owned(), files };
    house.book.pages().inbox.push(said);
    let mut job = house.job(&script(&[r#"{"say": "Seen."}"#]));
    job.blot = guildhall_types::blot::Blot::new([("KEY", "sesame-open-now")]);
    done(house.run(job).await);
    let texts = house.texts(0);
    let told = |words: &str| texts.iter().any(|text| text.contains(words));
    assert!(
        told("Look at these.") && told("The attached image `plan.png`:") && told("The attached file `notes.txt`"),
        "{texts:?}"
    );
    assert!(!told("sesame"), "{texts:?}");
    assert_eq!(seen(&house.sim.requests()[0]), (1, 0));
    let pages = house.book.pages();
    let kept = pages.turns[0].input.iter().filter(|block| matches!(block, Block::Picture(Picture { size: 30, .. })));
    assert_eq!(kept.count(), 1, "the turn names it");
}
