//! Learnings: recorded by agents, judged by members or by what came of them, and taken back by the run that they came from.

use guildhall_store::Applied;
use guildhall_types::knowledge::draft::WHY;
use guildhall_types::knowledge::{
    Author, KnowledgeDraft, KnowledgeItem, KnowledgeKind, KnowledgeOrigin, KnowledgeRule, LearningOutcome, Via,
};
use guildhall_types::run::Run;
use guildhall_types::{KnowledgeId, MemberId, RunId};

use super::{KnowledgeSource, check};
use crate::cards::text;
use crate::{Team, TeamError};

/// The name of the setting that holds the team's rule.
pub const KNOWLEDGE_RULE: &str = "knowledge_rule";

impl Team {
    /// Records what was learnt. By an agent or a program it is proposed, until a member looks or it has proven itself.
    ///
    /// # Errors
    /// As for [`Team::create_knowledge`].
    pub async fn record_learning(
        &self,
        author: &Author,
        draft: KnowledgeDraft,
        anyway: bool,
    ) -> Result<KnowledgeItem, TeamError> {
        if draft.kind() != KnowledgeKind::Learning {
            return Err(TeamError::invalid("kind", "record a learning"));
        }
        self.create_knowledge(author, draft, KnowledgeSource::default(), anyway).await
    }

    /// A member finds a learning good: as it is, or with `draft` in place of its text. `version` is the one that was looked at.
    ///
    /// A program may do so for its member, but nobody vouches for their own words by a program: by a token neither what the
    /// member's agents and tokens wrote is verified, nor a text that comes with the request.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::NotYours`]; [`TeamError::KnowledgeChanged`] when it is another version by now; for a
    /// draft as [`Team::update_knowledge`].
    pub async fn verify_learning(
        &self,
        author: &Author,
        id: KnowledgeId,
        version: Option<i64>,
        draft: Option<KnowledgeDraft>,
        why: Option<&str>,
    ) -> Result<KnowledgeItem, TeamError> {
        self.people_only(author)?;
        let why = check::why(why)?;
        let item = self.live(id, KnowledgeKind::Learning).await?;
        let version = match author.via {
            Via::Token(_) => {
                self.refuse_own_proposal(author, &item, draft.is_some()).await?;
                // What was looked at is what is verified.
                Some(version.unwrap_or(item.common.version))
            }
            Via::Page | Via::Run { .. } => version,
        };
        let done = match draft {
            None => self.store.verify_knowledge(id, version, why.as_deref(), author).await,
            Some(draft) => {
                let version =
                    version.ok_or_else(|| TeamError::invalid("version", "say which version you corrected"))?;
                let draft = check::sound(draft, item.details.confidence())?;
                let judged = guildhall_store::Judged::Verified;
                self.store.update_knowledge(id, version, draft, why.as_deref(), judged, author).await
            }
        };
        self.or_changed(id, done).await
    }

    /// Refuses a program that would verify what a program or an agent of the same member wrote.
    async fn refuse_own_proposal(
        &self,
        author: &Author,
        item: &KnowledgeItem,
        corrects: bool,
    ) -> Result<(), TeamError> {
        if corrects {
            let words =
                "A token cannot write a text and verify it at once. Change the learning, and verify it on the page.";
            return Err(TeamError::not_yours(words));
        }
        match self.writer(item).await? {
            (member, KnowledgeOrigin::Token | KnowledgeOrigin::Agent) if member == author.member => {
                let words = "Your own agent or token wrote this, so no token of yours verifies it. Verify it on the page, or let \
                             another member look at it.";
                Err(TeamError::not_yours(words))
            }
            _ => Ok(()),
        }
    }

    /// Who wrote the text of an item as it stands, and by what way. Judging it, deleting it and taking it back leave the text as
    /// it was.
    async fn writer(&self, item: &KnowledgeItem) -> Result<(MemberId, KnowledgeOrigin), TeamError> {
        let mut writer = (item.common.created_by, item.common.origin);
        let present = item.draft();
        for version in (1..=item.common.version).rev() {
            let Some(of) = self.store.knowledge_version(item.id(), version).await? else { break };
            // What was erased is nobody's text any more.
            if !of.draft.is_some_and(|former| former.says_as(&present)) {
                break;
            }
            writer = (of.member_id, of.origin);
        }
        Ok(writer)
    }

    /// A member finds a learning wrong: no agent is given it.
    ///
    /// # Errors
    /// As for [`Team::verify_learning`].
    pub async fn reject_learning(
        &self,
        author: &Author,
        id: KnowledgeId,
        version: Option<i64>,
        reason: &str,
    ) -> Result<KnowledgeItem, TeamError> {
        self.people_only(author)?;
        let reason = check::reason("reason", reason)?;
        self.live(id, KnowledgeKind::Learning).await?;
        let done = self.store.reject_knowledge(id, version, &reason, author).await;
        self.or_changed(id, done).await
    }

    /// Tells that a learning was used and what came of it: by the author's run, or by the member without one. Told again, it
    /// counts once. By the team's rule a proposed learning may become accepted by it.
    ///
    /// # Errors
    /// [`TeamError::NotFound`]; [`TeamError::NotYours`] for the run that recorded it.
    pub async fn apply_learning(
        &self,
        author: &Author,
        id: KnowledgeId,
        outcome: LearningOutcome,
        remark: Option<&str>,
    ) -> Result<Applied, TeamError> {
        let remark = remark.map(|words| text("note", words, 0, WHY)).transpose()?.filter(|words| !words.is_empty());
        if let Some(words) = &remark {
            check::no_secret("note", words)?;
        }
        let item = self.live(id, KnowledgeKind::Learning).await?;
        if author.run().is_some() && author.run() == item.common.source_run_id {
            return Err(TeamError::not_yours(
                "This learning comes from this very run; whether it helps, others will say. Go on with the work.",
            ));
        }
        let rule = self.knowledge_rule().await?;
        Ok(self.store.apply_knowledge(id, outcome, remark.as_deref(), author, &rule).await?)
    }

    /// Whether somebody may take back what a run recorded: an admin may, and the member whose run it is.
    pub fn may_roll_back(author: &Author, run: &Run) -> bool {
        author.may_manage || run.member_id == author.member
    }

    /// Takes back everything that a run's agent recorded in the hub. Returns how much.
    ///
    /// # Errors
    /// [`TeamError::NotFound`] without such a run, [`TeamError::NotYours`].
    pub async fn roll_back_knowledge(&self, author: &Author, run: RunId, reason: &str) -> Result<i64, TeamError> {
        self.people_only(author)?;
        let reason = check::reason("reason", reason)?;
        let run = self.store.run(run).await?.ok_or(TeamError::NotFound { what: "run" })?;
        if !Self::may_roll_back(author, &run) {
            let words = "Only the member whose run it is and an admin may take back what it recorded in the hub.";
            return Err(TeamError::not_yours(words));
        }
        Ok(self.store.roll_back_knowledge(run.id, &reason, author).await?)
    }

    /// The team's rule by which a proposed learning becomes accepted without a member's look.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_rule(&self) -> Result<KnowledgeRule, TeamError> {
        Ok(self.store.setting(KNOWLEDGE_RULE).await?.unwrap_or_default())
    }

    /// Sets this rule.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] for numbers that prove nothing.
    pub async fn put_knowledge_rule(&self, rule: KnowledgeRule) -> Result<KnowledgeRule, TeamError> {
        for (field, value, least, most) in [
            ("runs", rule.runs, 1, 1_000),
            ("members", rule.members, 1, 1_000),
            ("successPercent", rule.success_percent, 1, 100),
        ] {
            if !(least..=most).contains(&value) {
                return Err(TeamError::invalid(field, format!("give a number from {least} to {most}")));
            }
        }
        if rule.members > rule.runs {
            return Err(TeamError::invalid("members", "fewer runs than members cannot be of so many members"));
        }
        self.store.put_setting(KNOWLEDGE_RULE, &rule).await?;
        Ok(rule)
    }
}
