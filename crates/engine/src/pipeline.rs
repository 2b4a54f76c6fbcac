//! The pipeline: after the agent's work and before the checks, further agents pass over it, one step after the other.
//!
//! Each look of a step is a conversation of its own, which begins with the card and the change. What a step is, what came of
//! it, and whose turn comes next is in the store: a server that dies in between goes on with the look and the turn at
//! which it was, and no look that has ended is taken again.

use std::fmt::Write;

use guildhall_agent::{Ended, JournalError, prompt, tools};
use guildhall_git::{Diff, DiffLimits, LineKind, Oid};
use guildhall_store::{Counts, StepEnd, Word};
use guildhall_team::TeamError;
use guildhall_types::chat::Block;
use guildhall_types::feature::{Move, Problem};
use guildhall_types::pipeline::{self, OnFailure, RunStep, StepStatus};
use guildhall_types::plan::PlanStatus;
use guildhall_types::run::RunEvent;

use crate::after::{After, Next, finish};
use crate::attached;
use crate::drive::Work;
use crate::ending::{End, closing, settle};
use crate::problems::Trouble;
use crate::worktree::Ground;

/// How much of a change a step is shown at first; it can read the rest.
const SHOWN: DiffLimits = DiffLimits { max_bytes: 512 * 1024, max_lines: 400, max_files: 200 };

/// What came of a look at the work.
enum Looked {
    /// Nothing more is to be said of it: the next one begins.
    Over,
    /// The agent that builds the card has something to hear first.
    Back,
    /// The pipeline stops here, for this reason.
    Stops(Problem),
    /// The attempt ends.
    Halts(End),
}

impl After<'_> {
    /// Lets the work pass the pipeline. Nothing when it is through; otherwise what comes first.
    pub(crate) async fn pass(&mut self, ground: &mut Ground, summary: Option<&str>) -> Result<Option<Next>, Trouble> {
        let store = &self.engine.0.team.store;
        let run = self.claimed.run.id;
        let mut steps = store.steps(run).await?;
        loop {
            if self.cancel.is_cancelled() {
                return Ok(Some(Next::Told));
            }
            let Some(step) = pipeline::open(&steps).cloned() else {
                // Work that changes nothing has nothing to pass.
                let due = match ground.head == ground.base {
                    true => Vec::new(),
                    false => pipeline::due(&self.claimed.project.settings.pipeline, &steps, ground.head.as_str()),
                };
                if due.is_empty() {
                    return Ok(None);
                }
                steps = store.begin_round(&self.claimed.lease, &due).await?;
                continue;
            };
            // What a member said comes first, also between two steps.
            if step.status == StepStatus::Waiting && !store.inbox(run).await?.is_empty() {
                return Ok(Some(Next::Again));
            }
            match self.look(ground, &step, summary).await? {
                Looked::Over => {}
                Looked::Back => return Ok(Some(Next::Again)),
                Looked::Halts(end) => return Ok(Some(Next::Halted(Box::new(end)))),
                Looked::Stops(problem) if store.inbox(run).await?.is_empty() => {
                    // The card comes to wait and the look ends in one step, so that it is not taken again after a death.
                    return Ok(Some(finish(Move::Finish, summary.map(str::to_owned), Some(problem))));
                }
                Looked::Stops(problem) => {
                    self.end(&step, ground, StepEnd::Stopped(problem.message)).await?;
                    return Ok(Some(Next::Again));
                }
            }
            steps = store.steps(run).await?;
        }
    }

    async fn end(&self, step: &RunStep, ground: &Ground, end: StepEnd) -> Result<(), Trouble> {
        let store = &self.engine.0.team.store;
        Ok(store.end_step(&self.claimed.lease, step.number, ground.head.as_str(), end).await?)
    }

    /// Takes one look, or goes on with it.
    async fn look(&self, ground: &mut Ground, step: &RunStep, summary: Option<&str>) -> Result<Looked, Trouble> {
        let (ended, reached) = match self.step(ground, step, summary).await {
            Ok(done) => done,
            // What a member can mend, such as a key that the step's model lacks, is a failure of the step.
            Err(Trouble::Team(
                error @ (TeamError::Conflict { .. } | TeamError::Invalid { .. } | TeamError::Vault(_)),
            )) => {
                return self.failed(ground, step, Trouble::Team(error).problem()).await;
            }
            Err(trouble) => return Err(trouble),
        };
        ground.head = reached;
        settle(self.engine, self.claimed.lease, self.repo, ground).await;
        match ended {
            Ended::Done { summary } => self.end(step, ground, StepEnd::Passed(summary)).await?,
            Ended::ChangesRequested { what } if step.may_ask() => {
                let word = asks(step, &what);
                self.end(step, ground, StepEnd::Asked { what, word }).await?;
                return Ok(Looked::Back);
            }
            Ended::ChangesRequested { what } => return self.failed(ground, step, still_wanting(step, &what)).await,
            Ended::Failed(problem) => return self.failed(ground, step, problem).await,
            Ended::Unsaved(JournalError::Interrupted) => {
                self.end(step, ground, StepEnd::Interrupted).await?;
                return Ok(Looked::Back);
            }
            other => {
                return Ok(match closing(self.engine, other) {
                    Err(end) => Looked::Halts(end),
                    Ok(_) => Looked::Over,
                });
            }
        }
        Ok(Looked::Over)
    }

    async fn failed(&self, ground: &Ground, step: &RunStep, why: Problem) -> Result<Looked, Trouble> {
        let message = format!("The pipeline step “{}” did not pass. {}", step.name, why.message);
        match step.on_failure {
            OnFailure::Stop => Ok(Looked::Stops(Problem { message, ..why })),
            OnFailure::GoOn => {
                self.end(step, ground, StepEnd::Failed(message)).await?;
                Ok(Looked::Over)
            }
        }
    }

    /// Lets the agent of a step work.
    async fn step(&self, ground: &Ground, step: &RunStep, summary: Option<&str>) -> Result<(Ended, Oid), Trouble> {
        let (engine, claimed, lease) = (self.engine, self.claimed, &self.claimed.lease);
        let team = &engine.0.team;
        let history = team.store.turns_of(lease.run, Some(step.number)).await?;
        let run = team.store.run(lease.run).await?.unwrap_or_else(|| claimed.run.clone());
        let model = step.model.clone().unwrap_or_else(|| run.model.clone());
        let event = RunEvent::StepStarted {
            step: step.number,
            name: step.name.clone(),
            look: step.look,
            model: model.clone(),
            resumed: !history.is_empty(),
        };
        team.store.begin_step(lease, step.number, event).await?;
        let provider = team.provider_for(run.member_id, &model).await?;
        team.note_use(run.member_id, &provider).await?;
        let (workspace, mut facts) = engine.facts(claimed, &run, ground, self.room).await?;
        facts.known = engine.known_to_step(claimed, self.repo, ground).await?;
        facts.step = Some(prompt::Step { name: step.name.clone(), instructions: step.instructions.clone() });
        let opening = match history.is_empty() {
            true => self.opening(ground, step, summary).await?,
            false => Vec::new(),
        };
        let work = Work {
            run,
            model,
            provider,
            history,
            opening,
            system: prompt::system(&facts)?,
            tools: tools::of_step(workspace, engine.0.sandbox.clone(), self.room.clone())
                .with(engine.services_of(claimed, self.room.clone()))
                .with(tools::of_hub(&engine.hub(claimed)))
                .with(attached::tool(team, &claimed.feature.card).await?),
            room: Some(self.room.clone()),
            agent: None,
            deaf: false,
            step: Some(step.number),
        };
        engine.let_work(claimed, self.repo, ground.clone(), work, self.cancel).await
    }

    /// What is said to the agent of a step first: the card, and what became of it.
    async fn opening(&self, ground: &Ground, step: &RunStep, summary: Option<&str>) -> Result<Vec<Block>, Trouble> {
        let team = &self.engine.0.team;
        let (run, feature) = (&self.claimed.run, &self.claimed.feature);
        let mut blocks = attached::opening(team, feature).await?;
        let plans = team.store.plans_of(feature.card.id).await?;
        let holds = |status| matches!(status, PlanStatus::Approved | PlanStatus::Adopted);
        let before = team.store.steps(run.id).await?;
        let same = |look: &&RunStep| look.round == step.round && look.position == step.position;
        let diff = self.repo.diff(&ground.base, &ground.head, &SHOWN).await?;
        blocks.push(prompt::passed(&prompt::Passed {
            said: team.store.heard(run.id).await?,
            plan: plans.into_iter().find(|plan| plan.run_id == run.id && holds(plan.status)).map(|plan| plan.text),
            summary: summary.map(str::to_owned),
            asked: before
                .iter()
                .filter(same)
                .filter(|look| look.status == StepStatus::Asked)
                .filter_map(|look| look.word.clone())
                .collect(),
            patch: patch(&diff),
        }));
        Ok(blocks)
    }
}

/// How the agent that builds the card hears of what a step asks for.
fn asks(step: &RunStep, what: &str) -> Word {
    let text = format!(
        "The pipeline's step “{}” looked at your work and asks for the changes that follow. They are another agent's view: \
         make those that are right, and say at the end which you left out and why. What members said counts more. When \
         you end your turn, the step looks again.",
        step.name
    );
    Word { text, data: what.to_owned(), counts: Counts::Nothing }
}

fn still_wanting(step: &RunStep, what: &str) -> Problem {
    let message = match step.look {
        1 => format!("It asks for changes: {what}"),
        looks => format!("After {looks} looks it still asks for changes: {what}"),
    };
    Problem {
        code: "pipeline-step".to_owned(),
        message,
        hint: "Tell the agent what to do about it, or verify the work as it is.".to_owned(),
    }
}

/// A change as text.
fn patch(diff: &Diff) -> String {
    let mut text = String::new();
    for file in &diff.files {
        let path = match file.old_path == file.new_path {
            true => file.new_path.clone(),
            false => format!("{} → {}", file.old_path, file.new_path),
        };
        let _ = writeln!(text, "{path} ({:?}, +{} −{})", file.status, file.additions, file.deletions);
        for hunk in &file.hunks {
            let _ = writeln!(text, "{}", hunk.header);
            for line in &hunk.lines {
                let mark = match line.kind {
                    LineKind::Context => ' ',
                    LineKind::Add => '+',
                    LineKind::Delete => '-',
                };
                let _ = writeln!(text, "{mark}{}", line.text);
            }
        }
        if file.too_large {
            text.push_str("(The rest of this file's change is left out here: read it.)\n");
        }
        text.push('\n');
    }
    text
}
