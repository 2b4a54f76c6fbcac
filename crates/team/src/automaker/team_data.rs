//! What a team kept beside Automaker's projects: blueprints, entries and learnings, each in a file of its own.

use guildhall_types::knowledge::{BlueprintDraft, EntryDraft, KnowledgeDraft, KnowledgeKind, LearningDraft};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::format::text;
use super::{Automaker, Became};
use crate::TeamError;

/// What of a file is taken as it is: the words are the same here.
const COMMON: [&str; 3] = ["description", "content", "tags"];

const fn own(kind: KnowledgeKind) -> &'static [&'static str] {
    match kind {
        KnowledgeKind::Blueprint => &["name", "category", "status", "priority", "autoLoadConditions"],
        KnowledgeKind::Entry => &["title", "type", "sourceUrl", "keywords"],
        KnowledgeKind::Learning => &["title", "type", "confidence", "problem", "solution", "prevention", "context"],
    }
}

/// The item in a file, and what became something else.
fn item(kind: KnowledgeKind, bytes: &[u8]) -> Result<(KnowledgeDraft, Vec<String>), String> {
    let wrong = |error: serde_json::Error| format!("it cannot be read as it should: {error}");
    let mut rest: Map<String, Value> = serde_json::from_str(&text(bytes)?).map_err(wrong)?;
    let names = COMMON.iter().chain(own(kind));
    let mut taken: Map<String, Value> = names
        .filter_map(|name| Some(((*name).to_owned(), rest.remove(*name).filter(|value| !value.is_null())?)))
        .collect();
    let mut changed = Vec::new();
    let mut instead = |name: &str, from: &str, to: &str, why: &str| {
        if taken.get(name).is_some_and(|value| value == from) {
            taken.insert(name.to_owned(), json!(to));
            changed.push(format!("{from} became {to}: {why}"));
        }
    };
    instead("confidence", "verified", "high", "a member verifies it here");
    instead("status", "active", "draft", "an active one is given to agents here; look at it first");
    rest.remove("id");
    if !rest.is_empty() {
        let mut names: Vec<&str> = rest.keys().map(String::as_str).collect();
        names.sort_unstable();
        changed.push(format!("left out: {}; who wrote and used it, the hub says by itself", names.join(", ")));
    }
    fn draft<T: DeserializeOwned + Into<KnowledgeDraft>>(of: Map<String, Value>) -> serde_json::Result<KnowledgeDraft> {
        serde_json::from_value::<T>(Value::Object(of)).map(Into::into)
    }
    let draft = match kind {
        KnowledgeKind::Blueprint => draft::<BlueprintDraft>(taken),
        KnowledgeKind::Entry => draft::<EntryDraft>(taken),
        KnowledgeKind::Learning => draft::<LearningDraft>(taken),
    };
    Ok((draft.map_err(wrong)?, changed))
}

impl Automaker {
    /// Takes an item of the former team's hub. A learning is proposed: who vouched for it there, nobody can tell.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn team_item(&mut self, of: &str, kind: KnowledgeKind, bytes: &[u8]) -> Result<(), TeamError> {
        match item(kind, bytes) {
            Ok((draft, changed)) => {
                let came = self.told.len();
                self.item(of, draft).await?;
                if self.told.get(came).is_some_and(|told| told.became == Became::In) {
                    changed.into_iter().for_each(|what| self.tell(Became::Changed, of, what));
                }
            }
            Err(why) => self.tell(Became::Out, of, why),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use guildhall_types::knowledge::{BlueprintStatus, EntryType, KnowledgeDetails, LearningConfidence};

    use super::*;

    #[test]
    fn items_are_taken_in_the_words_that_are_the_same_here() {
        let read = |kind, value: &Value| item(kind, value.to_string().as_bytes());
        let (blueprint, changed) = read(
            KnowledgeKind::Blueprint,
            &json!({ "id": "b", "name": "Style", "content": "Short.", "category": "testing", "status": "active", "priority": 7,
                "autoLoadConditions": { "languages": ["rust"] }, "createdBy": "x", "createdAt": "then" }),
        )
        .unwrap();
        let KnowledgeDetails::Blueprint(of) = &blueprint.details else { panic!("{blueprint:?}") };
        assert_eq!((of.status, of.priority, blueprint.title.as_str()), (BlueprintStatus::Draft, 7, "Style"));
        assert!(
            changed[0].contains("active became draft") && changed[1].contains("createdAt, createdBy"),
            "{changed:?}"
        );
        let (entry, changed) =
            read(KnowledgeKind::Entry, &json!({ "title": "Port", "content": "4300", "type": "faq", "tags": null }))
                .unwrap();
        assert!(matches!(&entry.details, KnowledgeDetails::Entry(of) if of.entry_type == EntryType::Faq));
        assert!(changed.is_empty());
        let (learning, changed) = read(
            KnowledgeKind::Learning,
            &json!({ "title": "Port", "content": "4300", "type": "bug-fix", "confidence": "verified", "applicationCount": 9 }),
        )
        .unwrap();
        assert!(
            matches!(&learning.details, KnowledgeDetails::Learning(of) if of.confidence == LearningConfidence::High)
        );
        assert_eq!(changed.len(), 2);
        assert!(read(KnowledgeKind::Entry, &json!({ "title": "No content" })).unwrap_err().contains("content"));
        assert!(item(KnowledgeKind::Entry, b"\xff").is_err());
    }
}
