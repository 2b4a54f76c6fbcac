use serde_json::json;

use super::*;

fn text(text: &str, marked: bool) -> Value {
    match marked {
        true => json!({ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } }),
        false => json!({ "type": "text", "text": text }),
    }
}

/// A request with a marked system prompt and one message of `blocks`, the last of them marked.
fn request(blocks: usize) -> Value {
    let content: Vec<Value> = (0..blocks).map(|at| text(&format!("block {at:>9}"), at + 1 == blocks)).collect();
    json!({ "model": "m", "system": [text("You work here.", true)], "messages": [{ "role": "user", "content": content }] })
}

fn call(cache: &mut Cache, body: &Value, now: Instant) -> Input {
    let counted = cache.count("key", body, now);
    cache.remember(&counted, now);
    counted.input
}

#[test]
fn a_prefix_is_written_once_and_read_after_that() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    let first = call(&mut cache, &request(3), now);
    assert!(first.read == 0 && first.fresh == 0 && first.written > 0, "{first:?}");
    let again = call(&mut cache, &request(3), now);
    assert_eq!(again, Input { read: first.written, fresh: 0, written: 0 });
    let longer = call(&mut cache, &request(5), now);
    assert_eq!(longer.read, first.written);
    assert_eq!(longer.total(), longer.read + longer.written);
}

#[test]
fn the_look_back_ends_after_twenty_blocks() {
    let now = Instant::now();
    for (more, found) in [(20, true), (21, false)] {
        let mut cache = Cache::default();
        let first = call(&mut cache, &request(3), now);
        let longer = call(&mut cache, &request(3 + more), now);
        assert_eq!(longer.read == first.written, found, "{more} blocks later: {longer:?}");
        // The system prompt has a mark of its own, and is found in any case.
        assert!(longer.read > 0);
    }
}

#[test]
fn a_prefix_lives_for_five_minutes_after_its_last_use() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    let minute = Duration::from_secs(60);
    let first = call(&mut cache, &request(3), start);
    for used in [4, 8, 12] {
        assert_eq!(call(&mut cache, &request(3), start + minute * used).read, first.written, "kept by its use");
    }
    assert_eq!(call(&mut cache, &request(3), start + minute * 17).read, 0);
}

#[test]
fn only_what_is_answered_is_remembered_and_only_for_its_key_and_model() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    cache.count("key", &request(3), now);
    assert_eq!(cache.count("key", &request(3), now).input.read, 0, "the call was refused");
    call(&mut cache, &request(3), now);
    assert!(cache.count("key", &request(3), now).input.read > 0);
    assert_eq!(cache.count("another", &request(3), now).input.read, 0);
    let mut other = request(3);
    other["model"] = "n".into();
    assert_eq!(cache.count("key", &other, now).input.read, 0);
}

#[test]
fn without_a_mark_nothing_is_cached() {
    let (mut cache, now) = (Cache::default(), Instant::now());
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [text("Hello.", false)] }] });
    for _ in 0..2 {
        let input = call(&mut cache, &body, now);
        assert!(input.fresh > 0 && input.read == 0 && input.written == 0, "{input:?}");
    }
}
