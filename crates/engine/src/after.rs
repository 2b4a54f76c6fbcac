//! What follows the agent's work: the checks, a repair when they fail, and the merge where the project wants one.

use std::sync::{Arc, PoisonError};

use guildhall_git::{BroughtUp, ConflictFile, DiffLimits, GitError, Landed, Repo};
use guildhall_sandbox::Room;
use guildhall_store::{Claimed, Counts, Ending};
use guildhall_team::{Added, Wish, added_secrets, listed};
use guildhall_types::feature::{Feature, Move, Problem, Stage};
use guildhall_types::project::AfterWork;
use guildhall_types::run::{CheckKind, DiffStat, RunIntent, RunStatus};
use guildhall_types::{ProjectId, boundary};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::checks::{Commands, Undo, Verdict, named};
use crate::ending::{End, settle};
use crate::problems::Trouble;
use crate::services::Why;
use crate::worktree::{Ground, conflict_word};

/// How often work that cannot be merged is given back to its agent.
const RETURNS: i64 = 1;
/// How often a default branch may move on while the checks run on it, before a member is asked.
const MOVES: usize = 20;

/// What comes next.
pub(crate) enum Next {
    /// The run ends so.
    End(Box<Ending>),
    /// The work is on the default branch, and that is written down.
    Merged,
    /// The agent has something to hear.
    Again,
    /// The run was told to stop.
    Told,
    /// The attempt ends so, in the middle of the pipeline.
    Halted(Box<End>),
}

/// What follows the work of one run.
pub(crate) struct After<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) claimed: &'a Claimed,
    pub(crate) repo: &'a Repo,
    pub(crate) room: &'a Room,
    pub(crate) cancel: &'a CancellationToken,
    repairs: i64,
    returns: i64,
}

impl<'a> After<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        claimed: &'a Claimed,
        repo: &'a Repo,
        room: &'a Room,
        cancel: &'a CancellationToken,
    ) -> Self {
        let (repairs, returns) = (claimed.run.repairs, claimed.run.returns);
        Self { engine, claimed, repo, room, cancel, repairs, returns }
    }

    fn commands(&self) -> &'a [String] {
        match self.claimed.feature.card.skip_verification {
            true => &[],
            false => &self.claimed.project.settings.verify_commands,
        }
    }

    async fn check(&self, ground: &Ground) -> Result<Verdict, Trouble> {
        if !self.commands().is_empty() {
            self.engine.0.team.store.set_stage(&self.claimed.lease, Stage::Verifying).await?;
        }
        let (run, settings) = (self.claimed.lease.run, &self.claimed.project.settings);
        // What is checked is what is kept, and nobody changes it meanwhile.
        self.engine.end_services(run, Why::Attempt).await;
        let (lines, time) = (self.commands(), settings.check_time());
        let commands = Commands { kind: CheckKind::Check, lines, time, commit: &ground.head };
        let undo = match lines.is_empty() {
            true => None,
            false => Some(Undo::begin(self.repo, &ground.worktree, Some(&self.engine.0.team.places.run(run))).await?),
        };
        self.engine.check(self.claimed.lease, self.room, &commands, undo, self.cancel).await
    }

    /// What was changed in the worktree beside the turns of its agents becomes part of the work, so that the checks speak of a
    /// commit: by a service of a member's, in a terminal whose server died, by what a command left at work.
    async fn take_in(&self, ground: &mut Ground) -> Result<(), Trouble> {
        if self.commands().is_empty() {
            return Ok(());
        }
        let (engine, Claimed { lease, run, .. }) = (self.engine, self.claimed);
        let team = &engine.0.team;
        engine.end_services(lease.run, Why::Attempt).await;
        let author = team.identity(run.member_id).await?;
        let take = || self.repo.snapshot(&ground.worktree, &ground.head, "Beside the turns\n", &author);
        let taken = match take().await {
            Err(GitError::Moved { .. }) => {
                // Whoever holds the lease is right.
                team.store.append_events(lease, Vec::new()).await?;
                self.repo.take_snapshots(&run.id.to_string(), &ground.head).await?;
                take().await?
            }
            taken => taken?,
        };
        let Some(commit) = taken.commit else { return Ok(()) };
        let limits = DiffLimits { max_files: 20, max_lines: 1, ..DiffLimits::default() };
        let diff = self.repo.diff(&ground.head, &commit, &limits).await?;
        let names: Vec<String> = diff.files.into_iter().map(|file| file.new_path).collect();
        let mut said = format!(
            "Files of this work were changed beside its agent's turns: by a service, in a terminal, or by what a command left \
             at work. They are part of it now, in {}'s name, since the checks see them: {}.",
            author.name,
            named(&names, usize::try_from(diff.stat.files).unwrap_or(names.len()))
        );
        for (_, left_out) in taken.left_out.told() {
            said.push_str(&format!(" {left_out}"));
        }
        let stat = self.repo.stat(&ground.base, &commit).await?;
        let stat = DiffStat { files: stat.files, added: stat.additions, removed: stat.deletions };
        engine.give(lease, self.repo, Wish::run(run.id, Some(&commit))).await?;
        team.store.take_in(lease, commit.as_str(), stat, &said).await?;
        engine.stands_at(&team.places.run(run.id), &commit)?;
        ground.head = commit;
        settle(engine, *lease, self.repo, ground).await;
        Ok(())
    }

    /// Why a member must look at the work before anything else, if a secret of the project stands in it.
    async fn secret_in(&self, ground: &Ground) -> Result<Option<Problem>, Trouble> {
        let added = added_secrets(self.room.secrets.blot(), self.repo, &ground.base, &ground.head).await?;
        let message = match added {
            Added::None => return Ok(None),
            Added::Secrets(names) => format!("The work holds the value of {}. It is not merged so.", listed(&names)),
            Added::TooMuch => {
                "The work changes more than can be looked through for the project's secrets. It is not merged so."
                    .to_owned()
            }
        };
        let hint = "Tell the agent to take it out. If others have seen it, exchange the secret.";
        Ok(Some(problem("secret-in-work", message, hint)))
    }

    /// Lets the work pass the pipeline, runs the checks and does what follows from them. Every step is written down
    /// before the next begins: a server that dies in between finds the agent done, runs the checks again, and comes to
    /// the same place.
    pub(crate) async fn follow(&mut self, ground: &mut Ground, summary: Option<String>) -> Result<Next, Trouble> {
        let settings = &self.claimed.project.settings;
        let work = self.claimed.run.intent == RunIntent::Work;
        self.take_in(ground).await?;
        if work && let Some(first) = self.pass(ground, summary.as_deref()).await? {
            return Ok(first);
        }
        if work && !settings.pipeline.is_empty() {
            self.take_in(ground).await?;
        }
        if let Some(problem) = self.secret_in(ground).await? {
            return Ok(finish(Move::Finish, summary, Some(problem)));
        }
        match self.check(ground).await? {
            Verdict::Told => return Ok(Next::Told),
            Verdict::Failed(failing) if work && self.repairs < settings.repairs => {
                self.repairs += 1;
                let word = failing.word("", Counts::Repair);
                self.engine.0.team.store.say(&self.claimed.lease, &word).await?;
                return Ok(Next::Again);
            }
            Verdict::Failed(failing) => return Ok(finish(Move::Finish, summary, Some(failing.problem))),
            Verdict::Passed => {}
        }
        if !work {
            return Ok(finish(Move::Accept, summary, None));
        }
        if !self.keep(ground).await? {
            return Ok(Next::Told);
        }
        let asks = self.commands().is_empty() || self.claimed.feature.card.needs_approval;
        match settings.after_work {
            AfterWork::Verify if !asks => Ok(finish(Move::Accept, summary, None)),
            AfterWork::Merge if !asks => self.merge(ground, summary).await,
            _ => Ok(finish(Move::Finish, summary, None)),
        }
    }

    /// Merges verified work: one at a time in each project, and only what was checked together with the branch as it is.
    async fn merge(&mut self, ground: &mut Ground, summary: Option<String>) -> Result<Next, Trouble> {
        let Claimed { lease, run, feature, project } = self.claimed;
        let team = &self.engine.0.team;
        let _turn = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Ok(Next::Told),
            turn = self.engine.merge_turn(project.id) => turn,
        };
        if run.attempt > 1
            && let Some(commit) = team.unnoted_merge(project, feature.card.id, &ground.work()).await?
        {
            team.store.finish_merged(lease, &commit, summary.as_deref()).await?;
            return Ok(Next::Merged);
        }
        let unmerged = team.unmerged(&ground.holds).await?;
        if !unmerged.is_empty() {
            // That somebody merges it is not for this run to decide.
            let names: Vec<String> = unmerged.iter().map(|card| card.named().to_string()).collect();
            let text = format!(
                "Its checks passed. What it is built on is not merged yet: {}. When that is, this is merged by itself; merging this \
                 card by hand merges that first.",
                names.join(", ")
            );
            let ending =
                Ending { status: RunStatus::Waiting, what: Move::Accept, summary, problem: None, later: Some(text) };
            return Ok(Next::End(Box::new(ending)));
        }
        let author = team.identity(run.member_id).await?;
        let branch = &project.default_branch;
        for _ in 0..MOVES {
            // What a member said in the meantime comes first.
            if !team.store.inbox(run.id).await?.is_empty() {
                return Ok(Next::Again);
            }
            // No check need notice them, and nobody looks after this.
            let marked = self.repo.conflict_marks(&ground.base, &ground.head).await?;
            if !marked.is_empty() {
                return Ok(finish(Move::Finish, summary, Some(unresolved(&marked))));
            }
            // Other nodes may have merged since.
            team.shared.caught_up(project.id).await?;
            let back = self.returns < RETURNS;
            let work = ground.work();
            let brought = self.repo.bring_up(&run.id.to_string(), &work, branch, &author, back).await?;
            match brought {
                BroughtUp::Conflict(files) => {
                    return Ok(finish(Move::Finish, summary, Some(conflicting(branch, &files))));
                }
                BroughtUp::Joined(joined) if !joined.files.is_empty() => {
                    self.returns += 1;
                    let word = conflict_word(branch, &joined, Counts::Return);
                    *ground = self.engine.take_up(self.repo, lease, ground.clone(), joined, Some(&word)).await?;
                    return Ok(Next::Again);
                }
                BroughtUp::Joined(joined) => {
                    *ground = self.engine.take_up(self.repo, lease, ground.clone(), joined, None).await?;
                    settle(self.engine, *lease, self.repo, ground).await;
                    match self.check(ground).await? {
                        Verdict::Told => return Ok(Next::Told),
                        Verdict::Passed => {}
                        Verdict::Failed(failing) if back => {
                            self.returns += 1;
                            let why = format!(
                                "That was in the work joined with {branch}, which has moved on: alone, the work passed. "
                            );
                            team.store.say(lease, &failing.word(&why, Counts::Return)).await?;
                            return Ok(Next::Again);
                        }
                        Verdict::Failed(failing) => {
                            return Ok(finish(Move::Finish, summary, Some(failing.problem)));
                        }
                    }
                }
                BroughtUp::Current(tip) => {
                    boundary!("merge.land");
                    // Whoever stopped the run while its checks ran, or everything, is heard before any of it is on the branch.
                    if self.cancel.is_cancelled() {
                        return Ok(Next::Told);
                    }
                    team.store.append_events(lease, Vec::new()).await?;
                    // To look for marks and to join may have taken long.
                    if !team.store.inbox(run.id).await?.is_empty() {
                        return Ok(Next::Again);
                    }
                    let told = Feature { summary: summary.clone().or(feature.summary.clone()), ..feature.clone() };
                    match team.land(project, &told, run, &ground.head, &tip).await? {
                        Landed::Moved => {}
                        Landed::Nothing => {
                            return Ok(finish(Move::Finish, summary, Some(nothing_to_merge(branch))));
                        }
                        Landed::Done(commit) => {
                            team.store.finish_merged(lease, commit.as_str(), summary.as_deref()).await?;
                            return Ok(Next::Merged);
                        }
                    }
                }
            }
        }
        Ok(finish(Move::Finish, summary, Some(restless(branch))))
    }
}

impl Engine {
    /// Waits until nothing else is being merged into this project. Only this node takes turns; another one that merges in
    /// between moves the branch, and that is seen.
    async fn merge_turn(&self, project: ProjectId) -> OwnedMutexGuard<()> {
        let turns = {
            let mut all = self.0.merging.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(project).or_default())
        };
        turns.lock_owned().await
    }
}

pub(crate) fn finish(what: Move, summary: Option<String>, problem: Option<Problem>) -> Next {
    Next::End(Box::new(Ending { status: RunStatus::Waiting, what, summary, problem, later: None }))
}

fn problem(code: &str, message: String, hint: &str) -> Problem {
    Problem { code: code.to_owned(), message, hint: hint.to_owned() }
}

fn conflicting(branch: &str, files: &[ConflictFile]) -> Problem {
    let files: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let message =
        format!("The work conflicts with {branch} again, after its agent had resolved it once: {}.", files.join(", "));
    problem("merge-conflict", message, "Ask the agent to bring it up to date, or start the card again.")
}

fn unresolved(files: &[String]) -> Problem {
    let message = format!("The agent left conflict marks in {}.", files.join(", "));
    problem("merge-conflict", message, "Tell the agent how both sides belong together.")
}

fn nothing_to_merge(branch: &str) -> Problem {
    let message = format!("The work changes nothing that {branch} does not have already.");
    problem("nothing-to-merge", message, "Tell the agent what is missing, or take the card back.")
}

fn restless(branch: &str) -> Problem {
    let message = format!("{branch} moved on {MOVES} times while the checks ran on it.");
    problem("branch-restless", message, "Merge the work when the branch is at rest.")
}
