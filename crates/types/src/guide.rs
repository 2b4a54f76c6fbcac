//! What of the team's knowledge goes into the instructions of a run's agents. The same work and the same hub make the same
//! choice; it is made once for a run and kept with it.

use std::collections::HashSet;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::knowledge::draft::AutoLoadConditions;
use crate::knowledge::{
    KnowledgeDetails, KnowledgeItem, KnowledgeKind, KnowledgeReview, LearningConfidence, LearningDetails,
    LearningStanding,
};
use crate::text_enum::text_enum;
use crate::{DateTime, KnowledgeId};

mod language;
mod work;

pub use work::{Work, questions};

/// Tokens that knowledge may take in an agent's instructions, where a project says nothing else.
pub const TOKENS: i64 = 4_000;
/// The most that a project may say.
pub const MOST_TOKENS: i64 = 32_000;
/// Learnings that go in whole or are offered, at most.
pub const LEARNINGS: usize = 12;
/// Items that are offered by title at most.
const OFFERED: usize = 12;

/// Tokens of the words around all items, around a whole one, and around an offered one.
const INTRODUCTION: i64 = 260;
const FRAME: i64 = 70;
const LINE: i64 = 40;

text_enum! {
    /// How a run came by an item of the hub.
    pub enum GuideWay {
        /// It is in the instructions, whole.
        Instructions = "instructions",
        /// It is in the instructions by its title, for the agent to read.
        Offered = "offered",
        /// The agent read it.
        Read = "read",
    }
}

/// An item that may go into instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuideItem {
    /// What it is.
    pub kind: KnowledgeKind,
    /// Its id.
    pub id: KnowledgeId,
    /// Which version.
    pub version: i64,
    /// Its title.
    pub title: String,
    /// What it says, whole.
    pub text: String,
}

/// An item in the instructions of a run, as it was when the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guided {
    /// The item. The text of one that is offered is empty.
    pub item: GuideItem,
    /// Whole, or offered.
    pub way: GuideWay,
}

/// An item of the hub that a run was given or took, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct GuideUse {
    /// What it is.
    pub kind: KnowledgeKind,
    /// Its id.
    pub item_id: KnowledgeId,
    /// Which version the run had.
    pub version: i64,
    /// Its title then.
    pub title: String,
    /// How the run came by it.
    pub way: GuideWay,
    /// When.
    pub at: DateTime,
}

/// An item of the hub that was recorded in a run, as it stands now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
#[serde(rename_all = "camelCase")]
pub struct GuideRecord {
    /// What it is.
    pub kind: KnowledgeKind,
    /// Its id.
    pub item_id: KnowledgeId,
    /// Its title.
    pub title: String,
    /// Whether the team takes it for true.
    pub review: KnowledgeReview,
    /// When it was recorded.
    pub at: DateTime,
    /// When it was deleted, if it was.
    pub deleted_at: Option<DateTime>,
}

impl AutoLoadConditions {
    /// Whether they hold for this work: each list that is not empty must, by one of its entries. Without any, they hold for
    /// all work. A glob without a slash looks at a file's name; files are those of the repository and those that the card
    /// names.
    pub fn hold(&self, work: &Work) -> bool {
        let among =
            |list: &[String], known: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|one| known(one));
        among(&self.languages, &|name| work.speaks(name))
            && among(&self.task_types, &|task| work.is_of(task))
            && (self.file_patterns.is_empty() || matches_any(&self.file_patterns, work.files()))
    }

    /// How many of them there are: the more, the closer they fit.
    fn number(&self) -> usize {
        [&self.file_patterns, &self.languages, &self.task_types].iter().filter(|list| !list.is_empty()).count()
    }
}

/// Why a pattern of paths is none, in the words of whoever reads it; nothing where it is one.
pub fn glob_problem(pattern: &str) -> Option<String> {
    glob(pattern).err().map(|error| error.kind().to_string())
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern.trim().trim_start_matches("./")).literal_separator(true).build()
}

/// Whether one of the globs matches one of the files. What is no glob matches nothing.
fn matches_any(patterns: &[String], files: &[String]) -> bool {
    let (mut by_name, mut by_path) = (GlobSetBuilder::new(), GlobSetBuilder::new());
    for pattern in patterns {
        let Ok(glob) = glob(pattern) else { continue };
        if glob.glob().contains('/') {
            by_path.add(glob)
        } else {
            by_name.add(glob)
        };
    }
    let built = |set: &GlobSetBuilder| set.build().unwrap_or_else(|_| GlobSet::empty());
    let (by_name, by_path) = (built(&by_name), built(&by_path));
    files.iter().any(|file| {
        let name = file.rsplit('/').next().unwrap_or(file);
        by_path.is_match(file) || by_name.is_match(name)
    })
}

/// The blueprints that suit the work, the highest priority first; of two alike the one whose conditions fit closer. A draft
/// and one that holds no longer never do.
pub fn matching<'a>(blueprints: impl IntoIterator<Item = &'a KnowledgeItem>, work: &Work) -> Vec<&'a KnowledgeItem> {
    let mut suiting: Vec<(&KnowledgeItem, i64, usize)> = blueprints
        .into_iter()
        .filter(|item| item.is_trusted() && item.common.deleted_at.is_none())
        .filter_map(|item| match &item.details {
            KnowledgeDetails::Blueprint(of) if of.auto_load_conditions.hold(work) => {
                Some((item, of.priority, of.auto_load_conditions.number()))
            }
            _ => None,
        })
        .collect();
    suiting.sort_by(|(a, a_priority, a_number), (b, b_priority, b_number)| {
        b_priority.cmp(a_priority).then(b_number.cmp(a_number)).then(a.id().cmp(&b.id()))
    });
    suiting.into_iter().map(|(item, ..)| item).collect()
}

/// What is known of a learning's worth for a piece of work, beside what it says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Worth {
    /// How well the search over the card's text found it: more is better.
    pub score: f64,
    /// Runs that had it in their instructions and came through without a failing check.
    pub came_through: i64,
    /// Runs that had it in their instructions and failed.
    pub failed: i64,
    /// It was learned in the same project.
    pub same_project: bool,
}

/// What an outcome of a run weighs beside one that somebody spoke of.
const WEAK: f64 = 0.25;

impl Worth {
    /// How far a learning goes before others: the search's score, raised and lowered by what else is known.
    pub fn rank(&self, of: &LearningDetails, standing: &LearningStanding, work: &Work) -> f64 {
        let confidence = match of.confidence {
            LearningConfidence::Low => 0.75,
            LearningConfidence::Medium => 0.9,
            LearningConfidence::High => 1.0,
            LearningConfidence::Verified => 1.1,
        };
        let count = |n: i64| n.max(0) as f64;
        // What is not known says nothing: whoever admits it takes nothing from the learning.
        let (helped, not) = (standing.success_count, standing.failure_count);
        let good = count(helped) + WEAK * count(self.came_through);
        let all = good + count(not) + WEAK * count(self.failed);
        // One where nothing is known; a single outcome changes little.
        let usefulness = 0.5 + (good + 1.0) / (all + 2.0);
        let near = |fits: Option<bool>| match fits {
            Some(true) => 1.15,
            Some(false) => 0.6,
            None => 1.0,
        };
        let (languages, files) = (&of.context.languages, &of.context.file_patterns);
        let spoken = (!languages.is_empty()).then(|| languages.iter().any(|name| work.speaks(name)));
        let touched = (!files.is_empty()).then(|| matches_any(files, work.files()));
        let project = if self.same_project { 1.25 } else { 1.0 };
        self.score.max(0.0) * confidence * usefulness * near(spoken) * near(touched) * project
    }
}

/// The learnings that suit best, the best first; only such that a member stands for, or that have proven themselves. What is
/// found far worse than the best has other words in common, not its matter, and is left out.
pub fn ranked<'a>(
    learnings: impl IntoIterator<Item = (&'a KnowledgeItem, Worth)>,
    work: &Work,
) -> Vec<&'a KnowledgeItem> {
    let mut all: Vec<(f64, &KnowledgeItem)> = learnings
        .into_iter()
        .filter(|(item, _)| item.is_trusted() && item.common.deleted_at.is_none())
        .filter_map(|(item, worth)| match &item.details {
            KnowledgeDetails::Learning(of) => Some((worth.rank(of, &item.standing, work), item)),
            _ => None,
        })
        .filter(|(rank, _)| *rank > 0.0)
        .collect();
    all.sort_by(|(a, one), (b, other)| b.total_cmp(a).then(one.id().cmp(&other.id())));
    let least = all.first().map_or(0.0, |(best, _)| best / 5.0);
    all.into_iter().take_while(|(rank, _)| *rank >= least).take(LEARNINGS).map(|(_, item)| item).collect()
}

/// All that an item says, in Markdown.
pub fn words_of(item: &KnowledgeItem) -> String {
    let mut parts = vec![item.common.description.trim().to_owned()];
    parts.push(item.common.content.as_deref().unwrap_or_default().trim().to_owned());
    if let KnowledgeDetails::Learning(of) = &item.details {
        let more = [("Problem", &of.problem), ("Solution", &of.solution), ("Prevention", &of.prevention)];
        parts.extend(more.into_iter().filter_map(|(name, text)| Some(format!("{name}: {}", text.as_deref()?.trim()))));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// About how many tokens a text has. Cautious: prose has four bytes to a token, code three.
pub fn tokens(text: &str) -> i64 {
    text.len() as i64 / 3 + 1
}

impl GuideItem {
    /// An item of the hub, whole.
    pub fn of(item: &KnowledgeItem) -> Self {
        Self {
            kind: item.kind(),
            id: item.id(),
            version: item.common.version,
            title: item.title.clone(),
            text: words_of(item),
        }
    }

    fn whole(&self) -> i64 {
        FRAME + tokens(&self.title) + tokens(&self.text)
    }

    fn line(&self) -> i64 {
        LINE + tokens(&self.title)
    }
}

impl Guided {
    /// About how many tokens it takes in the instructions.
    pub fn tokens(&self) -> i64 {
        match self.way {
            GuideWay::Instructions => self.item.whole(),
            GuideWay::Offered | GuideWay::Read => self.item.line(),
        }
    }
}

/// About how many tokens these take in the instructions, with the words around them.
pub fn size(guided: &[Guided]) -> i64 {
    match guided {
        [] => 0,
        some => INTRODUCTION + some.iter().map(Guided::tokens).sum::<i64>(),
    }
}

/// Fits items into so many tokens, in their order: whole where there is room, otherwise offered by title. An eighth of the
/// room is kept for such offers. Of an item that comes twice, the first counts.
pub fn fit(items: impl IntoIterator<Item = GuideItem>, budget: i64) -> Vec<Guided> {
    let room = budget.clamp(0, MOST_TOKENS) - INTRODUCTION;
    let kept = room / 8;
    let (mut left, mut offered) = (room - kept, Vec::new());
    let mut seen = HashSet::new();
    let mut guided = Vec::new();
    for item in items.into_iter().filter(|item| seen.insert(item.id)) {
        let way = if item.whole() <= left { GuideWay::Instructions } else { GuideWay::Offered };
        let one = Guided { item, way };
        match way {
            GuideWay::Instructions => {
                left -= one.tokens();
                guided.push(one);
            }
            _ => offered.push(one),
        }
    }
    left += kept;
    for mut one in offered.into_iter().take(OFFERED) {
        one.item.text = String::new();
        if one.tokens() <= left {
            left -= one.tokens();
            guided.push(one);
        }
    }
    guided
}

#[cfg(test)]
mod tests;
