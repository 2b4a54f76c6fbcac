use super::*;

fn words() -> OutputStream {
    OutputStream::Text { block: 0 }
}

#[tokio::test]
async fn a_listener_hears_output_with_its_place() {
    let bus = Bus::in_memory();
    let run = RunId::new();
    let mut ear = bus.listen();
    bus.write(run, 1, words(), "Grüße");
    bus.write(run, 1, words(), " an alle");
    let mut offsets = Vec::new();
    for _ in 0..2 {
        if let Ok(Some(Hint::Output(output))) = ear.next().await {
            offsets.push((output.offset, output.text.clone()));
        }
    }
    assert_eq!(offsets, [(0, "Grüße".to_owned()), (5, " an alle".to_owned())]);
}

#[tokio::test]
async fn who_comes_late_gets_what_was_written_until_it_is_settled() {
    let bus = Bus::in_memory();
    let run = RunId::new();
    bus.write(run, 1, words(), "one");
    bus.write(run, 2, words(), "two");
    assert_eq!(bus.live_so_far().len(), 2);
    bus.settled(run, 1);
    assert_eq!(bus.live_so_far().iter().map(|o| o.text.as_str()).collect::<Vec<_>>(), ["two"]);
    bus.ended(run);
    assert!(bus.live_so_far().is_empty());
}

#[tokio::test]
async fn an_endless_stream_keeps_its_end_only_and_says_where_it_begins() {
    let bus = Bus::in_memory();
    let run = RunId::new();
    for _ in 0..100 {
        bus.write(run, 1, words(), &"ä".repeat(10_000));
    }
    let kept = bus.live_so_far().remove(0);
    assert!(kept.text.len() <= 64 * 1024 + 20_000);
    assert_eq!(kept.offset + kept.text.chars().count() as i64, 1_000_000);
}

#[tokio::test]
async fn a_listener_that_sleeps_too_long_is_told() {
    let bus = Bus::in_memory();
    let mut ear = bus.listen();
    let event = Arc::new(Event {
        seq: 1,
        at: chrono::DateTime::UNIX_EPOCH,
        what: guildhall_types::event::Happening::ProjectDeleted { project_id: guildhall_types::ProjectId::new() },
    });
    for _ in 0..=EVENTS_KEPT {
        bus.publish(Arc::clone(&event));
    }
    assert!(matches!(ear.next().await, Err(Lagged)));
}

#[tokio::test]
async fn a_listener_hears_who_writes_at_what() {
    let bus = Bus::in_memory();
    let mut ear = bus.listen();
    let editing = Editing {
        member_id: guildhall_types::MemberId::new(),
        item_id: guildhall_types::KnowledgeId::new(),
        seconds: 30,
    };
    bus.edit(editing);
    assert!(matches!(ear.next().await, Ok(Some(Hint::Editing(heard))) if heard == editing));
}
