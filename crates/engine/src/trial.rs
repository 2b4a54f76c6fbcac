//! Trials: a project's checks on its default branch, in a worktree that is made for them and removed afterwards.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_git::{GitError, Oid, Repo, Worktree};
use guildhall_sandbox::{Command, Exit, Room};
use guildhall_team::{Team, TeamError, commands};
use guildhall_types::member::Member;
use guildhall_types::project::{CHECK_MINUTES, Project};
use guildhall_types::run::{CheckKind, CheckStatus};
use guildhall_types::secret::SecretUse;
use guildhall_types::trial::{Trial, TrialStatus, TriedCheck};
use guildhall_types::{MemberId, ProjectId, TrialId};
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::checks::{OUTPUT, Undo};
use crate::lasting::{MISTAKE, caught};
use crate::outfit::Whose;
use crate::problems::{Trouble, chain};

/// Trials at once on this node.
pub(crate) const AT_ONCE: usize = 2;
/// How often what a command prints is shown, and how often the trial says that it lives.
const SHOW: Duration = Duration::from_secs(1);
const ALIVE: u32 = 20;
/// Bytes of what a command prints that are shown while it runs.
const SHOWN: usize = 32 * 1024;

/// The trials at work here, one in each project.
pub(crate) type Registry = Mutex<HashMap<ProjectId, Arc<Live>>>;

/// A trial of this node.
#[derive(Debug)]
pub(crate) struct Live {
    id: TrialId,
    member: MemberId,
    /// Why it is to stop, if it is to; the first reason counts.
    why: Mutex<Option<String>>,
    stop: CancellationToken,
}

impl Live {
    fn halt(&self, why: String) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.stop.cancel();
    }

    fn reason(&self) -> String {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        why.unwrap_or_else(|| "The server was stopped in the middle of it. Try again.".to_owned())
    }
}

/// What a trial runs.
struct Jobs {
    set_up: Vec<String>,
    set_up_time: Duration,
    checks: Vec<String>,
    check_time: Duration,
}

impl Jobs {
    fn all(&self) -> impl Iterator<Item = (CheckKind, &str, Duration)> {
        let set_up = self.set_up.iter().map(|line| (CheckKind::SetUp, line.as_str(), self.set_up_time));
        set_up.chain(self.checks.iter().map(|line| (CheckKind::Check, line.as_str(), self.check_time)))
    }
}

impl Engine {
    /// Begins a trial of these commands, or of the project's checks, in a worktree that is set up by these commands, or as the
    /// project says, and returns at once; [`Store::trial`] tells how far it
    /// is. The audit tells that it was whoever `by` acts for.
    ///
    /// [`Store::trial`]: guildhall_store::Store::trial
    ///
    /// # Errors
    /// [`TeamError::Invalid`] without commands; [`TeamError::Conflict`] while there is another trial, or where nothing can be
    /// run.
    pub async fn try_checks(
        &self,
        by: &Team,
        member: MemberId,
        project: ProjectId,
        lines: Option<Vec<String>>,
        set_up: Option<Vec<String>>,
        minutes: Option<i64>,
    ) -> Result<Trial, TeamError> {
        let team = &self.0.team;
        let (project, repo) = team.ready_project(project).await?;
        let lines = match lines {
            Some(lines) => commands(lines)?,
            None => project.settings.verify_commands.clone(),
        };
        let set_up = match set_up {
            Some(lines) => commands(lines)?,
            None => project.settings.set_up.clone(),
        };
        if lines.is_empty() && set_up.is_empty() {
            return Err(TeamError::invalid("commands", "give at least one command to try"));
        }
        let minutes = minutes.unwrap_or(project.settings.check_minutes);
        if !(1..=CHECK_MINUTES).contains(&minutes) {
            return Err(TeamError::invalid("minutes", "give a number from 1 to 240"));
        }
        if let Err(error) = self.usable_sandbox().await {
            return Err(TeamError::conflict("no-sandbox", chain(&error)));
        }
        let Ok(place) = Arc::clone(&self.0.trials).try_acquire_owned() else {
            return Err(TeamError::conflict(
                "checks-running",
                "checks of other projects are being tried; wait until one of them has ended",
            ));
        };
        let tip = repo
            .branch(&project.default_branch)
            .await?
            .ok_or_else(|| GitError::Missing { what: "branch", name: project.default_branch.clone() })?;
        let begun = by.store.begin_trial(project.id, member, tip.as_str(), set_up.len() + lines.len()).await?;
        let trial = begun.ok_or_else(|| {
            TeamError::conflict(
                "checks-running",
                "the checks of this project are being tried already; wait for the end",
            )
        })?;
        let live = Arc::new(Live { id: trial.id, member, why: Mutex::default(), stop: self.0.stop.child_token() });
        self.tries().insert(project.id, Arc::clone(&live));
        // Whoever took that right may not have seen it. Where nobody can tell, it runs nothing.
        if !team.store.member(member).await.is_ok_and(|found| found.is_some_and(|member| member.may_run())) {
            self.dismiss_trials(member);
        }
        let engine = self.clone();
        let mut job = trial.clone();
        let time = Duration::from_secs(60 * minutes.unsigned_abs());
        let jobs = Jobs { set_up, set_up_time: project.settings.set_up_time(), checks: lines, check_time: time };
        self.spawn(async move {
            let done = caught(engine.try_all(&mut job, &live, (&repo, &tip), &project, &jobs)).await;
            match done {
                Some(Ok(status)) => job.status = status,
                None => (job.status, job.problem) = (TrialStatus::Stopped, Some(format!("{MISTAKE}. Try again."))),
                Some(Err(trouble)) => {
                    tracing::warn!(project = %project.id, error = &trouble as &dyn std::error::Error, "a trial broke off");
                    (job.status, job.problem) = (TrialStatus::Stopped, Some(trouble.problem().message));
                }
            }
            job.ended_at = Some(engine.0.team.clock.now());
            if let Err(error) = engine.0.team.store.put_trial(&job).await {
                tracing::warn!(project = %project.id, error = &error as &dyn std::error::Error, "a trial's end was not saved");
            }
            // Another of the project may have begun, now that this one's end is saved.
            let mut tries = engine.tries();
            if tries.get(&project.id).is_some_and(|now| now.id == live.id) {
                tries.remove(&project.id);
            }
            drop(place);
        });
        Ok(trial)
    }

    fn tries(&self) -> MutexGuard<'_, HashMap<ProjectId, Arc<Live>>> {
        self.0.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the trial of a project's checks, on behalf of `member`, who began it or `administers`. It ends within moments, and
    /// says who stopped it.
    ///
    /// # Errors
    /// [`TeamError::NotYours`]; [`TeamError::Conflict`] where none runs.
    pub async fn stop_trial(
        &self,
        by: &Team,
        member: &Member,
        administers: bool,
        project: ProjectId,
    ) -> Result<Trial, TeamError> {
        let none =
            || TeamError::conflict("no-trial", "no checks of this project are being tried; there is nothing to stop");
        let trial = by.store.trial(project).await?.filter(|trial| trial.status == TrialStatus::Running);
        let trial = trial.ok_or_else(none)?;
        if trial.member_id != member.id && !administers {
            return Err(TeamError::not_yours("a trial is stopped by whoever began it, and by admins; ask one of them"));
        }
        let why = format!("{} stopped it.", member.name);
        // Another server, if it runs there, sees it within a second.
        if !by.store.stop_trial(&trial, &why).await? {
            return Err(none());
        }
        if let Some(live) = self.tries().get(&project).filter(|live| live.id == trial.id) {
            live.halt(why);
        }
        Ok(trial)
    }

    /// Stops the trials of a member who may run nothing any more.
    pub(crate) fn dismiss_trials(&self, member: MemberId) {
        for live in self.tries().values().filter(|live| live.member == member) {
            live.halt("Its member may run nothing any more.".to_owned());
        }
    }

    async fn try_all(
        &self,
        trial: &mut Trial,
        live: &Live,
        (repo, tip): (&Repo, &Oid),
        project: &Project,
        jobs: &Jobs,
    ) -> Result<TrialStatus, Trouble> {
        let _caches = self.hold_caches(project.id).await;
        let worktree = self.trial_worktree(repo, project.id, tip).await?;
        let whose =
            Whose { project: project.id, member: trial.member_id, owner: trial.member_id, run: None, lease: None };
        let room = self.outfit(whose, repo, &worktree).await?;
        let mut all = TrialStatus::Passed;
        let mut broken = None;
        let mut undo = None;
        for (kind, line, time) in jobs.all() {
            let begun = match kind {
                // As when a run is checked, what one check writes is not there for the next.
                CheckKind::Check if undo.is_none() => {
                    Undo::begin(repo, &worktree, None).await.map(|it| undo = Some(it))
                }
                _ => Ok(()),
            };
            let tried = match begun {
                Ok(()) => self.try_one(trial, live, &room, (kind, line, time), &mut undo).await,
                Err(trouble) => Err(trouble),
            };
            if live.stop.is_cancelled() {
                all = TrialStatus::Stopped;
                trial.problem = Some(live.reason());
                break;
            }
            match tried {
                Ok(true) => {}
                // Without what it sets up, the rest would say nothing.
                Ok(false) if kind == CheckKind::SetUp => {
                    all = TrialStatus::Failed;
                    break;
                }
                Ok(false) => all = TrialStatus::Failed,
                Err(trouble) => {
                    broken = Some(trouble);
                    break;
                }
            }
        }
        repo.remove_worktree(&worktree).await?;
        broken.map_or(Ok(all), Err)
    }

    /// Tries one command. Returns whether it passed.
    async fn try_one(
        &self,
        trial: &mut Trial,
        live: &Live,
        room: &Room,
        (kind, line, time): (CheckKind, &str, Duration),
        undo: &mut Option<Undo<'_>>,
    ) -> Result<bool, Trouble> {
        let team = &self.0.team;
        let room = room.given(match kind {
            CheckKind::Check => SecretUse::Checks,
            CheckKind::SetUp => SecretUse::SetUp,
        });
        trial.checks.push(TriedCheck {
            kind,
            command: line.to_owned(),
            status: CheckStatus::Running,
            exit_code: None,
            output: String::new(),
            started_at: team.clock.now(),
            ended_at: None,
        });
        let at = trial.checks.len() - 1;
        team.store.put_trial(trial).await?;
        let command = Command { line: line.to_owned(), timeout: time, max_output: OUTPUT };
        let printed = Mutex::new(String::new());
        let mut show = |text: &str| {
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            printed.push_str(text);
            let cut = printed.ceil_char_boundary(printed.len().saturating_sub(SHOWN));
            printed.drain(..cut);
        };
        let outcome = {
            let running = self.0.sandbox.run(&room, &command, &mut show);
            tokio::pin!(running);
            let mut silent = 0;
            loop {
                tokio::select! {
                    biased;
                    () = live.stop.cancelled() => break None,
                    outcome = &mut running => break Some(outcome),
                    () = tokio::time::sleep(SHOW) => {}
                }
                if let Some(why) = team.store.trial_stopped(trial).await? {
                    live.halt(why);
                    continue;
                }
                let text = printed.lock().unwrap_or_else(PoisonError::into_inner).clone();
                silent += 1;
                if text != trial.checks[at].output || silent >= ALIVE {
                    silent = 0;
                    trial.checks[at].output = text;
                    team.store.put_trial(trial).await?;
                }
            }
        };
        let check = &mut trial.checks[at];
        check.ended_at = Some(team.clock.now());
        let Some(outcome) = outcome else {
            check.status = CheckStatus::Failed;
            return Ok(false);
        };
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                check.status = CheckStatus::Failed;
                check.output = error.to_string();
                return Err(error.into());
            }
        };
        check.output = outcome.output;
        let passed = matches!(outcome.exit, Exit::Code(0));
        check.status = if passed { CheckStatus::Passed } else { CheckStatus::Failed };
        match outcome.exit {
            Exit::Code(code) => check.exit_code = Some(code.into()),
            Exit::Signal(signal) => check.output.push_str(&format!("\n(It was ended by signal {signal}.)")),
            Exit::TimedOut => {
                check.output.push_str(&format!("\n(It was ended after {} minutes.)", time.as_secs() / 60));
            }
        }
        if let Some(over) = outcome.over {
            check.output.push_str(&format!("\n({over} {})", over.advice()));
        }
        if let Some(undo) = undo {
            undo.after(line, &mut check.output).await?;
        }
        Ok(passed)
    }

    /// A worktree with the files of `tip`. One that is there was left by a trial that was cut off: a project has one at a time.
    async fn trial_worktree(&self, repo: &Repo, project: ProjectId, tip: &Oid) -> Result<Worktree, Trouble> {
        self.side_worktree(repo, &format!("trial-{project}"), &self.0.team.places.trial(project), tip).await
    }

    /// The same, for whatever is tried under this name in this folder, one thing at a time.
    pub(crate) async fn side_worktree(
        &self,
        repo: &Repo,
        name: &str,
        folder: &Path,
        tip: &Oid,
    ) -> Result<Worktree, Trouble> {
        if let Some(left) = repo.worktree(name, folder)? {
            repo.remove_worktree(&left).await?;
        }
        let worktree = repo.readd_worktree(name, folder, tip).await?;
        repo.restore(&worktree, "trial", tip, tip).await?;
        Ok(worktree)
    }

    /// Removes what trials left that were cut off by the end of a former process on this disk.
    pub(crate) async fn sweep_trials(&self) {
        let folder = self.0.team.places.trials.clone();
        let listed = tokio::task::spawn_blocking(move || -> Vec<(ProjectId, bool)> {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let of = |name: &str| match name.strip_prefix("mcp-") {
                Some(id) => id.parse().ok().map(|project| (project, true)),
                None => name.parse().ok().map(|project| (project, false)),
            };
            entries.filter_map(|entry| of(entry.file_name().to_str()?)).collect()
        });
        for (project, mcp) in listed.await.unwrap_or_default() {
            let places = &self.0.team.places;
            let (name, folder) = match mcp {
                true => (format!("mcp-{project}"), places.mcp_trial(project)),
                false => (format!("trial-{project}"), places.trial(project)),
            };
            let removed = async {
                let repo = Repo::open(&places.repository(project))?;
                match repo.worktree(&name, &folder)? {
                    Some(worktree) => repo.remove_worktree(&worktree).await,
                    None => Ok(()),
                }
            };
            if let Err(error) = removed.await {
                let error: &GitError = &error;
                tracing::warn!(%project, error = error as &dyn std::error::Error, "what a trial left was not removed");
            }
        }
    }
}
