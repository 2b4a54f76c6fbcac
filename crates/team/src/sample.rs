//! The sample project: a small program with tests, on which a newcomer can try the whole way from a card to a merge.

use guildhall_git::NewFile;
use guildhall_types::feature::PlanningMode;
use guildhall_types::project::ProjectSettings;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::TeamError;

macro_rules! sample_files {
    ($($path:literal $executable:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../sample/", $path)), $executable)),+]
    };
}

const FILES: &[(&str, &str, bool)] = sample_files![
    "AGENTS.md" false,
    "README.md" false,
    "commands/add.sh" false,
    "commands/help.sh" false,
    "commands/list.sh" false,
    "test.sh" true,
    "tests/add.test.sh" false,
    "tests/help.test.sh" false,
    "tests/list.test.sh" false,
    "todo" true,
];

/// A feature that the page offers on the sample project's empty board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// A few words.
    pub title: String,
    /// A label to group by.
    pub category: String,
    /// What to build, in Markdown.
    pub description: String,
    /// How much of a plan comes first.
    #[serde(default = "no_plan")]
    pub planning_mode: PlanningMode,
    /// Whether a person approves the plan before work starts.
    #[serde(default)]
    pub require_plan_approval: bool,
}

const fn no_plan() -> PlanningMode {
    PlanningMode::Skip
}

#[derive(Deserialize)]
struct Suggestions {
    feature: Vec<Suggestion>,
}

/// The files of the sample project.
pub fn files() -> Vec<NewFile> {
    FILES
        .iter()
        .map(|(path, text, executable)| NewFile {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
            executable: *executable,
        })
        .collect()
}

/// How agents work in it.
pub fn settings() -> ProjectSettings {
    ProjectSettings { verify_commands: vec!["./test.sh".to_owned()], ..ProjectSettings::default() }
}

/// The features to offer.
///
/// # Errors
/// [`TeamError::Internal`] when the list that is built in cannot be read.
pub fn suggestions() -> Result<Vec<Suggestion>, TeamError> {
    let list: Suggestions = toml::from_str(include_str!("../sample/features.toml"))
        .map_err(|error| TeamError::internal("reading the sample's features", error))?;
    Ok(list.feature)
}
