//! How two versions of an item differ, line by line.

use serde::Serialize;
use utoipa::ToSchema;

use super::{KnowledgeDetails, KnowledgeDraft, KnowledgeKind};
use crate::text_enum::text_enum;

/// Pairs of lines that are compared at most; beyond, what differs is shown as taken away and put in whole.
const COMPARED: usize = 4_000_000;

text_enum! {
    /// What became of a line.
    pub enum LineChange {
        /// It stands in both.
        Same = "same",
        /// It stands in the former alone.
        Removed = "removed",
        /// It stands in the later alone.
        Added = "added",
    }
}

/// A line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ComparedLine {
    /// What became of it.
    pub change: LineChange,
    /// The line, without its end.
    pub text: String,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ComparedField {
    /// Which, as the API names it.
    pub field: &'static str,
    /// Its lines in both.
    pub lines: Vec<ComparedLine>,
}

/// How two versions of an item differ: a field that is not named is the same in both.
pub fn compare(from: &KnowledgeDraft, to: &KnowledgeDraft) -> Vec<ComparedField> {
    let (from, to) = (fields(from), fields(to));
    from.into_iter()
        .zip(to)
        .filter(|(one, other)| one != other)
        .map(|((field, one), (_, other))| ComparedField { field, lines: lines(&one, &other) })
        .collect()
}

/// The fields of a draft as texts. Those of one kind come in one order, whatever they hold.
fn fields(draft: &KnowledgeDraft) -> Vec<(&'static str, String)> {
    let list = |all: &[String]| all.join("\n");
    let related: Vec<String> = draft.related.iter().map(ToString::to_string).collect();
    let title = if draft.kind() == KnowledgeKind::Blueprint { "name" } else { "title" };
    let mut all = vec![
        (title, draft.title.clone()),
        ("description", draft.description.clone()),
        ("content", draft.content.clone()),
        ("tags", list(&draft.tags)),
        ("related", list(&related)),
    ];
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match &draft.details {
        KnowledgeDetails::Blueprint(of) => all.extend([
            ("category", of.category.to_string()),
            ("status", of.status.to_string()),
            ("priority", of.priority.to_string()),
            ("autoLoadConditions.filePatterns", list(&of.auto_load_conditions.file_patterns)),
            ("autoLoadConditions.languages", list(&of.auto_load_conditions.languages)),
            ("autoLoadConditions.taskTypes", list(&of.auto_load_conditions.task_types)),
        ]),
        KnowledgeDetails::Entry(of) => all.extend([
            ("type", of.entry_type.to_string()),
            ("sourceUrl", text(&of.source_url)),
            ("keywords", list(&of.keywords)),
        ]),
        KnowledgeDetails::Learning(of) => all.extend([
            ("type", of.learning_type.to_string()),
            ("confidence", of.confidence.to_string()),
            ("problem", text(&of.problem)),
            ("solution", text(&of.solution)),
            ("prevention", text(&of.prevention)),
            ("context.languages", list(&of.context.languages)),
            ("context.frameworks", list(&of.context.frameworks)),
            ("context.filePatterns", list(&of.context.file_patterns)),
        ]),
    }
    all
}

/// The lines of two texts, with as many in common as there can be.
pub fn lines(from: &str, to: &str) -> Vec<ComparedLine> {
    let (a, b): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    let before = a.iter().zip(&b).take_while(|(one, other)| one == other).count();
    let rest = a.len().min(b.len()) - before;
    let after = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let line = |change, text: &&str| ComparedLine { change, text: (*text).to_owned() };
    let mut out: Vec<ComparedLine> = a[..before].iter().map(|text| line(LineChange::Same, text)).collect();
    let (middle_a, middle_b) = (&a[before..a.len() - after], &b[before..b.len() - after]);
    if middle_a.len().saturating_mul(middle_b.len()) > COMPARED {
        out.extend(middle_a.iter().map(|text| line(LineChange::Removed, text)));
        out.extend(middle_b.iter().map(|text| line(LineChange::Added, text)));
    } else {
        let common = common(middle_a, middle_b);
        let (mut i, mut j) = (0, 0);
        let width = middle_b.len() + 1;
        while i < middle_a.len() || j < middle_b.len() {
            let (has_a, has_b) = (i < middle_a.len(), j < middle_b.len());
            if has_a && has_b && middle_a[i] == middle_b[j] {
                out.push(line(LineChange::Same, &middle_a[i]));
                (i, j) = (i + 1, j + 1);
            } else if has_a && (!has_b || common[(i + 1) * width + j] >= common[i * width + j + 1]) {
                out.push(line(LineChange::Removed, &middle_a[i]));
                i += 1;
            } else {
                out.push(line(LineChange::Added, &middle_b[j]));
                j += 1;
            }
        }
    }
    out.extend(a[a.len() - after..].iter().map(|text| line(LineChange::Same, text)));
    out
}

/// How many lines the rests from each pair of places on have in common, row after row.
fn common(a: &[&str], b: &[&str]) -> Vec<u32> {
    let width = b.len() + 1;
    let mut all = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            all[i * width + j] = match a[i] == b[j] {
                true => all[(i + 1) * width + j + 1] + 1,
                false => all[(i + 1) * width + j].max(all[i * width + j + 1]),
            };
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn side(all: &[ComparedLine], but: LineChange) -> Vec<&str> {
        all.iter().filter(|line| line.change != but).map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn what_changed_is_told_line_by_line() {
        let found = lines("one\ntwo\nthree\nfour", "one\nthree\n3.5\nfour");
        let told: Vec<String> = found.iter().map(|line| format!("{} {}", line.change, line.text)).collect();
        assert_eq!(told, ["same one", "removed two", "same three", "added 3.5", "same four"]);
        assert_eq!(lines("", "a").len(), 1);
    }

    proptest! {
        #[test]
        fn both_texts_stand_in_a_comparison(a in "([ab]{0,2}\n){0,12}", b in "([ab]{0,2}\n){0,12}") {
            let found = lines(&a, &b);
            prop_assert_eq!(side(&found, LineChange::Added), a.lines().collect::<Vec<_>>());
            prop_assert_eq!(side(&found, LineChange::Removed), b.lines().collect::<Vec<_>>());
        }
    }
}
