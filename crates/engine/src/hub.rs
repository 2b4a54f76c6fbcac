//! The team's hub as the agents of a run reach it: in the name of the run's member, under the run's lease, and only as far as
//! members vouch for what is there.

use async_trait::async_trait;
use guildhall_agent::hub::{Found, Hub, Lesson, Looked, Outcome, Page, Place, Recorded, Refusal};
use guildhall_store::{Claimed, KnowledgeFilter, Lease};
use guildhall_team::{Team, TeamError};
use guildhall_types::guide::{GuideItem, words_of};
use guildhall_types::knowledge::draft::LearningContext;
use guildhall_types::knowledge::{
    Author, KnowledgeDraft, KnowledgeHit, KnowledgeItem, KnowledgeKind, KnowledgeReview, LearningConfidence,
    LearningDraft, LearningOutcome, Via,
};
use guildhall_types::{FeatureId, KnowledgeId, RunId};

use crate::problems::chain;

/// The hub, for one run.
pub(crate) struct RunHub {
    team: Team,
    lease: Lease,
    author: Author,
    run: RunId,
}

impl RunHub {
    pub(crate) fn new(team: Team, claimed: &Claimed) -> Self {
        let run = claimed.run.id;
        let feature: Option<FeatureId> = Some(claimed.run.feature_id);
        let author = Author { member: claimed.run.member_id, may_manage: false, via: Via::Run { run, feature } };
        Self { team, lease: claimed.lease, author, run }
    }

    /// Records a lesson, once for each place.
    pub(crate) async fn put(&self, place: Place<'_>, lesson: &Lesson) -> Result<Recorded, TeamError> {
        self.held().await?;
        match self.team.record_in_run(&self.author, place.turn, place.call, draft(lesson)?).await {
            Ok(item) => Ok(Recorded::Proposed { id: item.id().to_string(), title: item.title }),
            Err(TeamError::NearDuplicate { similar }) if !similar.is_empty() => {
                let first = &similar[0];
                let open = self.open(&first.id.to_string()).await.is_ok();
                Ok(Recorded::Known { id: first.id.to_string(), title: first.title.clone(), open })
            }
            Err(error) => Err(error),
        }
    }

    /// Whoever lost its run writes nothing more.
    async fn held(&self) -> Result<(), TeamError> {
        Ok(self.team.store.append_events(&self.lease, Vec::new()).await?)
    }

    /// An item that the agents of this run may be told: what members vouch for, and what was recorded here. What nobody has
    /// looked at yet is told where the team lets learnings prove themselves.
    async fn open(&self, id: &str) -> Result<KnowledgeItem, Refusal> {
        let unknown = || Refusal::Wrong(format!("There is no item {id:?} in the hub. Search for it by its words."));
        let id: KnowledgeId = id.parse().map_err(|_| unknown())?;
        let item = self.team.store.knowledge(id).await.map_err(|error| away(&error.into()))?;
        let item = item.filter(|item| item.common.deleted_at.is_none()).ok_or_else(unknown)?;
        if item.is_trusted() || item.common.source_run_id == Some(self.run) {
            return Ok(item);
        }
        let proposed = item.kind() == KnowledgeKind::Learning && item.standing.review == KnowledgeReview::Proposed;
        if proposed && self.proposals().await? {
            return Ok(item);
        }
        Err(Refusal::Wrong(
            "This item waits for a member to look at it, or holds no longer. Go on without it.".to_owned(),
        ))
    }

    async fn proposals(&self) -> Result<bool, Refusal> {
        Ok(self.team.knowledge_rule().await.map_err(|error| away(&error))?.on)
    }
}

/// What keeps a deed from being done, as the agent hears of it.
fn refused(error: &TeamError) -> Refusal {
    match error {
        TeamError::Invalid { .. }
        | TeamError::LooksLikeSecret { .. }
        | TeamError::NotYours { .. }
        | TeamError::NotFound { .. }
        | TeamError::Conflict { .. } => Refusal::Wrong(chain(error)),
        other => away(other),
    }
}

fn away(error: &TeamError) -> Refusal {
    tracing::warn!(error = error as &dyn std::error::Error, "the hub could not be reached");
    Refusal::Away("the database did not answer as it should".to_owned())
}

fn draft(lesson: &Lesson) -> Result<KnowledgeDraft, TeamError> {
    let of = |words: &str| (!words.trim().is_empty()).then(|| words.trim().to_owned());
    let named = "choose one of those that the tool names";
    let learning_type = of(&lesson.of_type).map(|word| word.parse()).transpose();
    let confidence = of(&lesson.confidence).map(|word| word.parse()).transpose();
    Ok(LearningDraft {
        title: lesson.title.clone(),
        description: of(&lesson.description),
        content: lesson.content.clone(),
        learning_type: learning_type.map_err(|_| TeamError::invalid("type", named))?,
        confidence: confidence.map_err(|_| TeamError::invalid("confidence", named))?,
        problem: lesson.problem.clone(),
        solution: lesson.solution.clone(),
        prevention: lesson.prevention.clone(),
        context: Some(LearningContext {
            languages: lesson.languages.clone(),
            frameworks: lesson.frameworks.clone(),
            file_patterns: lesson.file_patterns.clone(),
        }),
        tags: Some(lesson.tags.clone()),
        related: None,
    }
    .into())
}

/// How far an item may be relied on, in a few words.
fn standing(
    confidence: Option<LearningConfidence>,
    review: KnowledgeReview,
    sort: &str,
    helped: i64,
    failed: i64,
) -> String {
    // Learnings alone are sure to a degree, and looked at.
    let review = match (confidence, review) {
        (None, _) => String::new(),
        (Some(LearningConfidence::Verified), KnowledgeReview::Accepted) => ", verified".to_owned(),
        (Some(sure), KnowledgeReview::Accepted) => format!(", accepted, confidence {sure}"),
        (Some(sure), KnowledgeReview::Proposed) => {
            format!(", proposed: nobody has looked at it yet, confidence {sure}")
        }
        (Some(sure), KnowledgeReview::Rejected) => format!(", rejected, confidence {sure}"),
    };
    let helped = match helped + failed {
        0 => String::new(),
        known => format!(", helped {helped} of {known}"),
    };
    format!("{sort}{review}{helped}")
}

fn found(hit: KnowledgeHit) -> Found {
    Found {
        standing: standing(hit.confidence, hit.review, &hit.sort, hit.success_count, hit.failure_count),
        kind: hit.kind.to_string(),
        id: hit.id.to_string(),
        title: hit.title,
        description: hit.description,
        snippet: hit.snippet.text,
    }
}

#[async_trait]
impl Hub for RunHub {
    async fn search(&self, looked: &Looked) -> Result<Vec<Found>, Refusal> {
        let kind = looked.kind.as_deref().map(str::parse::<KnowledgeKind>).transpose();
        let kind =
            kind.map_err(|_| Refusal::Wrong("`kind` is `blueprint`, `entry` or `learning`, or left out.".to_owned()))?;
        let search = async |filter: KnowledgeFilter| {
            let found = self.team.search_knowledge(&looked.words, &filter, looked.limit).await;
            found.map_err(|error| refused(&error))
        };
        let mut hits = search(KnowledgeFilter { kind, trusted: true, ..KnowledgeFilter::default() }).await?;
        if kind.is_none_or(|kind| kind == KnowledgeKind::Learning) && self.proposals().await? {
            let proposed = KnowledgeFilter {
                kind: Some(KnowledgeKind::Learning),
                review: Some(KnowledgeReview::Proposed),
                ..KnowledgeFilter::default()
            };
            hits.extend(search(proposed).await?);
            hits.sort_by(|a, b| b.score.total_cmp(&a.score));
            hits.truncate(looked.limit);
        }
        Ok(hits.into_iter().map(found).collect())
    }

    async fn read(&self, id: &str) -> Result<Page, Refusal> {
        let item = self.open(id).await?;
        let noted = self.team.store.note_reading(&self.lease, &GuideItem::of(&item)).await;
        noted.map_err(|error| away(&error.into()))?;
        let of = &item.standing;
        let about = vec![
            format!("{} {} “{}”", item.kind(), item.id(), item.title),
            standing(item.details.confidence(), of.review, item.details.sort(), of.success_count, of.failure_count),
        ];
        Ok(Page { about, text: words_of(&item) })
    }

    async fn record(&self, place: Place<'_>, lesson: &Lesson) -> Result<Recorded, Refusal> {
        self.put(place, lesson).await.map_err(|error| refused(&error))
    }

    async fn outcome(&self, outcome: &Outcome) -> Result<String, Refusal> {
        let item = self.open(&outcome.id).await?;
        if item.kind() != KnowledgeKind::Learning {
            return Err(Refusal::Wrong(format!(
                "{} is a {}. Outcomes are told of learnings.",
                outcome.id,
                item.kind()
            )));
        }
        self.held().await.map_err(|error| refused(&error))?;
        let what = if outcome.helped { LearningOutcome::Helped } else { LearningOutcome::DidNotHelp };
        let applied = self.team.apply_learning(&self.author, item.id(), what, Some(&outcome.why)).await;
        Ok(applied.map_err(|error| refused(&error))?.item.title)
    }
}
