//! What a client says: that its member writes at an item of the knowledge hub. It is passed on to the other members' pages, so
//! that two who write at the same item know of each other, and it is never stored.

use std::collections::VecDeque;
use std::time::Duration;

use guildhall_types::event::Editing;
use guildhall_types::{KnowledgeId, MemberId};
use serde::Deserialize;
use tokio::time::Instant;

/// Seconds for which it holds that a member writes, unless it is said again.
const HOLDS: i64 = 30;
/// Messages that are passed on at most within [`WITHIN`]; whatever comes beyond is passed over.
const MOST: usize = 10;
const WITHIN: Duration = Duration::from_secs(5);

/// What a client may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
enum Said {
    /// The member writes at this item; at none, when it is absent.
    #[serde(rename = "knowledge.editing")]
    Editing { item_id: Option<KnowledgeId> },
}

/// At what the member of one connection writes.
#[derive(Debug, Default)]
pub(super) struct Desk {
    item: Option<KnowledgeId>,
    /// When the latest messages came that were passed on.
    said: VecDeque<Instant>,
}

impl Desk {
    /// Hears a message; answers what the others are to be told. What is not understood says nothing.
    pub(super) fn hear(&mut self, member_id: MemberId, text: &str, now: Instant) -> Vec<Editing> {
        let Ok(Said::Editing { item_id }) = serde_json::from_str(text) else { return Vec::new() };
        while self.said.front().is_some_and(|at| now.duration_since(*at) >= WITHIN) {
            self.said.pop_front();
        }
        if self.said.len() >= MOST {
            return Vec::new();
        }
        self.said.push_back(now);
        let left = if item_id == self.item { None } else { self.leave(member_id) };
        self.item = item_id;
        let begun = item_id.map(|item_id| Editing { member_id, item_id, seconds: HOLDS });
        left.into_iter().chain(begun).collect()
    }

    /// The member no longer writes; answers what the others are to be told.
    pub(super) fn leave(&mut self, member_id: MemberId) -> Option<Editing> {
        self.item.take().map(|item_id| Editing { member_id, item_id, seconds: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(item: Option<KnowledgeId>) -> String {
        serde_json::json!({ "type": "knowledge.editing", "itemId": item }).to_string()
    }

    #[test]
    fn whoever_turns_to_another_item_leaves_the_first() {
        let (member_id, mut desk, now) = (MemberId::new(), Desk::default(), Instant::now());
        let (one, two) = (KnowledgeId::new(), KnowledgeId::new());
        let told = |item_id, seconds| Editing { member_id, item_id, seconds };
        assert_eq!(desk.hear(member_id, &said(Some(one)), now), [told(one, HOLDS)]);
        assert_eq!(desk.hear(member_id, &said(Some(one)), now), [told(one, HOLDS)]);
        assert_eq!(desk.hear(member_id, &said(Some(two)), now), [told(one, 0), told(two, HOLDS)]);
        assert_eq!(desk.hear(member_id, &said(None), now), [told(two, 0)]);
        assert_eq!(desk.leave(member_id), None);
    }

    #[test]
    fn what_is_not_understood_says_nothing() {
        let (member, mut desk, now) = (MemberId::new(), Desk::default(), Instant::now());
        for text in ["", "{}", "editing", r#"{"type":"knowledge.editing","itemId":"x"}"#, r#"{"type":"run.output"}"#] {
            assert_eq!(desk.hear(member, text, now), [], "{text}");
        }
    }

    #[test]
    fn a_flood_is_passed_over_and_forgiven() {
        let (member, mut desk, now) = (MemberId::new(), Desk::default(), Instant::now());
        let text = said(Some(KnowledgeId::new()));
        let told = (0..50).flat_map(|_| desk.hear(member, &text, now)).count();
        assert_eq!(told, MOST);
        assert_eq!(desk.hear(member, &text, now + WITHIN).len(), 1);
    }
}
