//! What a project of Automaker told all of its agents, and what they noted: for the project's settings and the hub.

use guildhall_types::knowledge::draft::{DESCRIPTION, TAGS, TITLE};
use guildhall_types::knowledge::{
    EntryDetails, EntryType, KnowledgeDetails, KnowledgeDraft, KnowledgeReview, LearningConfidence, LearningDetails,
    LearningType, secrets,
};
use guildhall_types::pipeline::{OnFailure, PipelineStep};
use guildhall_types::project::ProjectSettings;

use super::format::{OldNote, OldStep, categories, note, pipeline, text};
use super::{Automaker, Became};
use crate::TeamError;
use crate::projects::{INSTRUCTIONS, checked};

/// How often a step may send the work back, where nobody said.
const RETURNS: i64 = 2;

impl Automaker {
    /// Takes the steps of a pipeline, if the project has none yet.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pipeline(&mut self, of: &str, bytes: &[u8]) -> Result<(), TeamError> {
        let steps = match pipeline(bytes) {
            Ok(steps) if steps.is_empty() => {
                self.tell(Became::Aside, of, "it has no steps");
                return Ok(());
            }
            Ok(steps) => steps.into_iter().map(step).collect::<Vec<_>>(),
            Err(why) => {
                self.tell(Became::Out, of, why);
                return Ok(());
            }
        };
        if let Some(found) = steps.iter().find_map(|step| secrets::find(&step.instructions)) {
            self.tell(Became::Out, of, format!("a step's instructions hold what looks like {}", found.what));
            return Ok(());
        }
        let names: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
        let before = self.project.as_ref().map(|project| project.settings.pipeline.as_slice()).unwrap_or_default();
        if !before.is_empty() {
            let same = names.iter().all(|name| before.iter().any(|step| step.name == *name));
            match same {
                true => self.tell(Became::Before, of, "the project has these steps"),
                false => self.tell(Became::Out, of, "the project has a pipeline of its own, which stays as it is"),
            }
            return Ok(());
        }
        let change = |before: &ProjectSettings| match before.pipeline.is_empty() {
            true => Ok(ProjectSettings { pipeline: steps, ..before.clone() }),
            false => Err(meanwhile("a pipeline")),
        };
        if self.change(of, change).await? {
            let names: Vec<String> = names.iter().map(|name| format!("“{name}”")).collect();
            self.tell(Became::In, of, format!("the project's pipeline: {}", names.join(", ")));
        }
        Ok(())
    }

    /// Takes what every agent of the project was told: as the project's instructions, where it has none and they are short
    /// enough, and else as entries of the hub. `files` are the names and texts, `folder` is where they are.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn context(&mut self, folder: &str, files: Vec<(String, Vec<u8>)>) -> Result<(), TeamError> {
        let settings = self.project.as_ref().map(|project| project.settings.clone()).unwrap_or_default();
        let mut new = Vec::new();
        for (name, bytes) in files {
            let of = format!("{folder}/{name}");
            let words = match text(&bytes) {
                Ok(text) => text.trim().to_owned(),
                Err(why) => {
                    self.tell(Became::Out, &of, why);
                    continue;
                }
            };
            let heading = format!("## {}", name.trim_end_matches(".md"));
            if words.is_empty() {
                self.tell(Became::Aside, &of, "it is empty");
            } else if let Some(found) = secrets::find(&words) {
                self.tell(Became::Out, &of, format!("line {} looks like {}; take it out", found.line, found.what));
            } else if settings.instructions.lines().any(|line| line == heading) {
                self.tell(Became::Before, &of, "it stands in the project's instructions");
            } else {
                new.push((of, name, format!("{heading}\n\n{words}"), words));
            }
        }
        let parts: Vec<&str> = new.iter().map(|(_, _, part, _)| part.as_str()).collect();
        let instructions = parts.join("\n\n");
        let fit = settings.instructions.trim().is_empty() && instructions.chars().count() <= INSTRUCTIONS;
        if fit && !new.is_empty() {
            let change = |before: &ProjectSettings| match before.instructions.trim().is_empty() {
                true => Ok(ProjectSettings { instructions, ..before.clone() }),
                false => Err(meanwhile("instructions")),
            };
            if self.change(folder, change).await? {
                for (of, ..) in new {
                    self.tell(Became::In, &of, "in the project's instructions, which each of its agents is given");
                }
            }
            return Ok(());
        }
        for (of, name, _, words) in new {
            let title = format!("{} ({})", name.trim_end_matches(".md"), self.name);
            self.entry(&of, &title, "What agents of the project were told in Automaker.", words).await?;
        }
        Ok(())
    }

    /// Takes the description of the whole application as an entry.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn app_spec(&mut self, of: &str, bytes: &[u8]) -> Result<(), TeamError> {
        match text(bytes) {
            Ok(words) if words.trim().is_empty() => self.tell(Became::Aside, of, "it is empty"),
            Ok(words) => {
                let title = format!("App specification ({})", self.name);
                // It is XML more often than not, of which Markdown would show nothing.
                let fence = "`".repeat(longest_fence(&words).max(2) + 1);
                let words = format!("{fence}\n{}\n{fence}", words.trim());
                self.entry(of, &title, "What the application is, as Automaker had it.", words).await?;
            }
            Err(why) => self.tell(Became::Out, of, why),
        }
        Ok(())
    }

    /// Takes what agents noted as a learning that a member has yet to look at.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn memory(&mut self, of: &str, bytes: &[u8]) -> Result<(), TeamError> {
        let note = match note(bytes) {
            Ok(note) if note.body.is_empty() => {
                self.tell(Became::Aside, of, "it is empty");
                return Ok(());
            }
            Ok(note) => note,
            Err(why) => {
                self.tell(Became::Out, of, why);
                return Ok(());
            }
        };
        let name = of.rsplit('/').next().unwrap_or(of).trim_end_matches(".md").to_lowercase();
        let learning_type = match &name {
            name if name.contains("gotcha") => LearningType::AntiPattern,
            name if name.contains("pattern") => LearningType::Pattern,
            name if name.contains("perf") => LearningType::Optimization,
            _ => LearningType::ContextSpecific,
        };
        let details = KnowledgeDetails::Learning(LearningDetails {
            learning_type,
            confidence: LearningConfidence::Low,
            problem: None,
            solution: None,
            prevention: None,
            context: Default::default(),
        });
        let OldNote { front, body, tags, summary } = note;
        let heading = body.lines().find_map(|line| line.strip_prefix("# ")).map(str::trim);
        let title = format!("{} ({})", heading.filter(|heading| !heading.is_empty()).unwrap_or(&name), self.name);
        let content = match front {
            Some(front) => {
                let fence = "`".repeat(longest_fence(&front).max(2) + 1);
                format!("{body}\n\nWhat stood above it in Automaker:\n\n{fence}yaml\n{front}\n{fence}")
            }
            None => body,
        };
        let draft = KnowledgeDraft {
            title: title.chars().filter(|c| !c.is_control()).take(TITLE).collect(),
            description: summary.unwrap_or_default().chars().take(DESCRIPTION).collect(),
            content,
            tags: tags.into_iter().filter(|tag| tag.chars().count() <= TAGS.1).take(TAGS.0).collect(),
            related: Vec::new(),
            details,
        };
        self.item(of, draft).await
    }

    /// Only looks whether the list of categories can be read: each card says its own.
    pub fn categories(&mut self, of: &str, bytes: &[u8]) {
        match categories(bytes) {
            Ok(count) => self.tell(Became::Aside, of, format!("{count} categories; each card says its own")),
            Err(why) => self.tell(Became::Out, of, why),
        }
    }

    async fn entry(&mut self, of: &str, title: &str, description: &str, content: String) -> Result<(), TeamError> {
        let details = EntryDetails { entry_type: EntryType::Documentation, source_url: None, keywords: Vec::new() };
        let draft = KnowledgeDraft {
            title: title.chars().filter(|c| !c.is_control()).take(TITLE).collect(),
            description: description.to_owned(),
            content,
            tags: vec!["automaker".to_owned()],
            related: Vec::new(),
            details: KnowledgeDetails::Entry(details),
        };
        self.item(of, draft).await
    }

    /// Writes an item of the hub, unless it came in before.
    pub(super) async fn item(&mut self, of: &str, draft: KnowledgeDraft) -> Result<(), TeamError> {
        let id = self.knowledge_id(of);
        let (kind, title) = (draft.kind(), draft.title.clone());
        match self.team.bring_knowledge(&self.author(), id, draft, KnowledgeReview::Proposed, self.dry_run).await {
            Ok(true) => self.tell(Became::In, of, format!("{kind} “{title}”")),
            Ok(false) => self.tell(Became::Before, of, format!("the {kind} came in before")),
            Err(error) => self.refused(of, error)?,
        }
        Ok(())
    }

    /// Changes the project's settings as they are by then; false, and told, when they cannot be so.
    async fn change(
        &mut self,
        of: &str,
        change: impl FnOnce(&ProjectSettings) -> Result<ProjectSettings, TeamError> + Send,
    ) -> Result<bool, TeamError> {
        let done = match &self.project {
            Some(project) if !self.dry_run => {
                let change = |before: &ProjectSettings| checked(change(before)?).map(Some);
                self.team.store.change_project(project.id, None, false, change).await
            }
            project => {
                let before = project.as_ref().map(|project| project.settings.clone()).unwrap_or_default();
                change(&before).and_then(checked).map(|_| None)
            }
        };
        match done {
            Ok(changed) => {
                self.project = changed.or(self.project.take());
                Ok(true)
            }
            Err(error) => self.refused(of, error).map(|()| false),
        }
    }
}

/// Somebody gave the project its own while this came in.
fn meanwhile(what: &str) -> TeamError {
    let words = format!("the project was given {what} meanwhile, and keeps them; look at both, and run it again");
    TeamError::conflict("changed-meanwhile", words)
}

fn step(old: OldStep) -> PipelineStep {
    PipelineStep {
        name: old.name,
        instructions: old.instructions.replace("\r\n", "\n"),
        model: None,
        enabled: true,
        on_failure: OnFailure::Stop,
        returns: RETURNS,
    }
}

/// The longest run of backticks in a text.
fn longest_fence(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
