//! What nodes say to each other over a shared bus, and how it is written.

use guildhall_types::event::{Editing, OutputStream, RunOutput};
use guildhall_types::{NodeId, RunId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// For so many seconds it can hold at most that a member writes at something.
const MOST_SECONDS: i64 = 600;
/// Bytes of a message that are looked into. What is larger comes from no node.
const LOOKED_INTO: usize = 8 * 1024 * 1024;

/// One thing that a node says to the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// It is there.
    Here,
    /// It wants to hear what the live streams of the others hold so far.
    Asks,
    /// What it said of its live streams until now holds no longer. What they hold comes next.
    Anew,
    /// The store holds events up to this number.
    Committed(i64),
    /// A piece of live output.
    Output(RunOutput),
    /// Who writes at what.
    Editing(Editing),
    /// The turns of a run up to this one are stored.
    Settled {
        /// The run.
        run: RunId,
        /// The turn.
        turn: i64,
    },
    /// What wrote a live stream has ended.
    Forgotten {
        /// The run.
        run: RunId,
        /// Which of its streams.
        stream: OutputStream,
    },
    /// A run no longer works there.
    Ended {
        /// The run.
        run: RunId,
    },
}

impl Word {
    /// Whether a node could have said it.
    fn is_sound(&self) -> bool {
        match self {
            Self::Here | Self::Asks | Self::Anew | Self::Forgotten { .. } | Self::Ended { .. } => true,
            Self::Committed(seq) => *seq >= 0,
            // What is added to it stays a number.
            Self::Output(output) => output.turn >= 0 && (0..i64::MAX / 2).contains(&output.offset),
            Self::Editing(editing) => (0..=MOST_SECONDS).contains(&editing.seconds),
            Self::Settled { turn, .. } => *turn >= 0,
        }
    }
}

/// Writes what a node says: its id, and the words as JSON. The id is outside, so that a node need not read what it said itself.
pub(crate) fn pack(from: NodeId, words: &[Word]) -> Result<Vec<u8>, serde_json::Error> {
    let mut message = format!("{from} ").into_bytes();
    serde_json::to_writer(&mut message, words)?;
    Ok(message)
}

/// Who says it, and what is to be read by [`words`]; nothing when no node said it.
pub(crate) fn opened(message: &[u8]) -> Option<(NodeId, &[u8])> {
    if message.len() > LOOKED_INTO {
        return None;
    }
    let at = message.iter().position(|byte| *byte == b' ')?;
    let from = std::str::from_utf8(message.get(..at)?).ok()?.parse().ok()?;
    Some((from, message.get(at + 1..)?))
}

/// What is said; nothing when no node said it. Words that this version does not know are passed over.
pub(crate) fn words(said: &[u8]) -> Option<Vec<Word>> {
    let all: Vec<&RawValue> = serde_json::from_slice(said).ok()?;
    Some(all.iter().filter_map(|raw| serde_json::from_str(raw.get()).ok()).filter(Word::is_sound).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let (node, run) = (NodeId::new(), RunId::new());
        let output = |offset| RunOutput {
            run_id: run,
            turn: 3,
            stream: OutputStream::Tool { call: "c 1".to_owned() },
            offset,
            text: "Grüße \u{0}\"".to_owned(),
        };
        let editing = Editing {
            member_id: guildhall_types::MemberId::new(),
            item_id: guildhall_types::KnowledgeId::new(),
            seconds: 30,
        };
        let all = vec![
            Word::Here,
            Word::Asks,
            Word::Anew,
            Word::Committed(7),
            Word::Output(output(5)),
            Word::Editing(editing),
            Word::Settled { run, turn: 3 },
            Word::Forgotten { run, stream: OutputStream::Text { block: 0 } },
            Word::Ended { run },
        ];
        let message = pack(node, &all).unwrap();
        let (from, said) = opened(&message).unwrap();
        assert_eq!((from, words(said).unwrap()), (node, all));
        // What cannot be is passed over, and so is what a later version says.
        let odd = [Word::Output(output(i64::MAX)), Word::Committed(-1), Word::Here];
        let message = String::from_utf8(pack(node, &odd).unwrap()).unwrap().replace("[{", r#"[{"later":{"x":1}},{"#);
        assert_eq!(words(opened(message.as_bytes()).unwrap().1).unwrap(), [Word::Here]);
    }

    #[test]
    fn what_no_node_said_is_not_read() {
        let node = NodeId::new();
        for garbage in ["", " ", "hello", "hello []", &format!("{node}"), &format!("{node}[]")] {
            assert!(opened(garbage.as_bytes()).is_none(), "{garbage}");
        }
        assert!(opened(&[0xff, 0xfe, b' ', b'[', b']']).is_none());
        assert!(opened(&vec![b' '; LOOKED_INTO + 1]).is_none());
        for garbage in ["", "{}", "[", "7", "[\"here\"] x"] {
            assert!(words(garbage.as_bytes()).is_none(), "{garbage}");
        }
    }
}
