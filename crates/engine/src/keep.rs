//! When a run's work has passed its checks, its agent is asked once what of it is worth keeping.
//!
//! The answer is saved together with the bill, and then goes into the hub, each lesson under a place of its own: a server
//! that dies in between finds the answer, and neither asks again nor records twice. Whatever goes wrong here is no failure of
//! the run, whose work is done.

use std::pin::pin;
use std::time::Duration;

use guildhall_agent::hub::{Lesson, Place, Recorded};
use guildhall_agent::{Ended, JournalError, Kept, Toolbox};
use guildhall_store::Asked;
use guildhall_types::boundary;
use guildhall_types::feature::FeatureKind;
use guildhall_types::guide::glob_problem;
use guildhall_types::run::RunEvent;

use crate::after::After;
use crate::drive::Work;
use crate::hub::RunHub;
use crate::problems::{Trouble, chain};
use crate::worktree::Ground;

/// How long the run waits for the answer, whatever the provider does.
const PATIENCE: Duration = Duration::from_secs(120);

impl After<'_> {
    /// Asks, or goes on with what was answered. Returns whether the run goes on: not when it was told to stop.
    pub(crate) async fn keep(&self, ground: &Ground) -> Result<bool, Trouble> {
        let (store, lease) = (&self.engine.0.team.store, &self.claimed.lease);
        // A chat and a task of its own are no feature: whoever reads them keeps by hand what is worth it.
        let feature = self.claimed.feature.card.kind == FeatureKind::Card;
        if !feature || !self.claimed.project.settings.ask_what_to_keep {
            return Ok(true);
        }
        let lessons = match store.asked::<Vec<Lesson>>(lease.run).await? {
            Asked::Over => return Ok(true),
            Asked::Answered(lessons) => lessons,
            // Work that changed nothing taught nothing; and what a member has just said comes first.
            Asked::No if ground.head == ground.base || !store.inbox(lease.run).await?.is_empty() => return Ok(true),
            Asked::No => match self.ask(ground).await? {
                Answer::Kept(lessons) => lessons,
                Answer::Nothing => return Ok(true),
                Answer::Told => return Ok(false),
            },
        };
        let event = self.record(&lessons).await?;
        boundary!("keep.recorded");
        store.close_asked(lease, event).await?;
        Ok(true)
    }

    async fn ask(&self, ground: &Ground) -> Result<Answer, Trouble> {
        let (engine, claimed, lease) = (self.engine, self.claimed, &self.claimed.lease);
        let team = &engine.0.team;
        let run = team.store.run(lease.run).await?.unwrap_or_else(|| claimed.run.clone());
        let history = team.store.turns_of(run.id, None).await?;
        let provider = match team.provider_for(run.member_id, &run.model).await {
            Ok(provider) => provider,
            Err(error) => return self.give_up(&error.to_string()).await,
        };
        let known = team.store.run_knowledge(run.id).await?;
        let recorded = team.store.run_records(run.id).await?;
        let known: Vec<String> =
            known.into_iter().map(|item| item.title).chain(recorded.into_iter().map(|record| record.title)).collect();
        let work = Work {
            model: run.model.clone(),
            provider,
            history,
            opening: Vec::new(),
            system: Vec::new(),
            tools: Toolbox::default(),
            room: None,
            agent: None,
            deaf: true,
            step: None,
            run,
        };
        let stop = self.cancel.child_token();
        let (mut job, journal) = engine.equip(claimed, self.repo, ground.clone(), work, &stop).await?;
        job.patience = PATIENCE;
        boundary!("keep.ask");
        let kept = {
            let mut asking = pin!(guildhall_agent::keep(job, &known, &journal));
            tokio::select! {
                kept = &mut asking => kept,
                () = tokio::time::sleep(PATIENCE) => {
                    // Its call is ended such that what it took is billed.
                    stop.cancel();
                    asking.await
                }
            }
        };
        boundary!("keep.answered");
        if kept.is_err() {
            journal.at_call(false);
        }
        match kept {
            Ok(Kept { lessons, call }) => {
                let answer = (!lessons.is_empty()).then_some(&lessons);
                let row = journal.row(&call);
                let saved = team.store.save_asked(lease, Some((&row, answer))).await;
                if saved.is_err() {
                    journal.bill_late(&call, row).await;
                }
                // From here on nothing is lost that was paid: the run may be stopped to make room.
                journal.at_call(false);
                saved?;
                Ok(if lessons.is_empty() { Answer::Nothing } else { Answer::Kept(lessons) })
            }
            Err(Ended::Cancelled) if self.cancel.is_cancelled() => Ok(Answer::Told),
            Err(Ended::Unsaved(JournalError::Lost)) => Ok(Answer::Told),
            Err(Ended::Failed(problem)) => self.give_up(&problem.message).await,
            Err(Ended::Parked { reason, .. }) => self.give_up(&reason).await,
            Err(_) => self.give_up("no answer came in time").await,
        }
    }

    /// Does not ask again: the work is done, and nothing waits for this.
    async fn give_up(&self, why: &str) -> Result<Answer, Trouble> {
        tracing::info!(run = %self.claimed.lease.run, why, "an agent was not asked what is worth keeping");
        self.engine.0.team.store.save_asked::<Vec<Lesson>>(&self.claimed.lease, None).await?;
        Ok(Answer::Nothing)
    }

    /// Puts lessons into the hub. Returns what is to be told of that in the run. A database that is away comes back, and the
    /// answer is still there.
    async fn record(&self, lessons: &[Lesson]) -> Result<Option<RunEvent>, Trouble> {
        let hub = RunHub::new(self.engine.0.team.clone(), self.claimed);
        let mut told = Vec::new();
        for (lesson, number) in lessons.iter().zip(1..) {
            let call = format!("keep-{number}");
            boundary!("keep.record");
            // It is not asked again: a pattern that is none costs no lesson.
            let mut lesson = lesson.clone();
            lesson.file_patterns.retain(|pattern| glob_problem(pattern).is_none());
            match hub.put(Place { turn: 0, call: &call }, &lesson).await {
                Ok(Recorded::Proposed { title, .. }) => {
                    told.push(format!("“{title}” waits for a member to look at it"))
                }
                Ok(Recorded::Known { title, .. }) => told.push(format!("the hub holds “{title}” already")),
                Err(error) => {
                    let error = Trouble::from(error);
                    if error.lost() || error.passes().is_some() {
                        return Err(error);
                    }
                    tracing::info!(run = %self.claimed.lease.run, error = %error, "a lesson was not recorded");
                    told.push(format!("one thing was not recorded: {}", chain(&error).trim_end_matches('.')));
                }
            }
        }
        Ok((!told.is_empty()).then(|| RunEvent::Note {
            text: format!("The agent was asked what of its work is worth keeping: {}.", told.join("; ")),
        }))
    }
}

/// What came of asking.
enum Answer {
    /// These are to be put into the hub.
    Kept(Vec<Lesson>),
    /// There is nothing, or there was no answer.
    Nothing,
    /// The run was told to stop.
    Told,
}
