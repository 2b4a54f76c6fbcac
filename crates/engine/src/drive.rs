//! Drives one claimed run: worktree, agent, checks, ending. Holds its lease while it does.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use guildhall_agent::{Ended, Job, JournalError, prompt, tools};
use guildhall_git::{GitError, Repo};
use guildhall_sandbox::{Network, Room, Workspace};
use guildhall_store::{Claimed, Ending, Finished, Lease, StoreError};
use guildhall_team::Team;
use guildhall_types::budget::BudgetKind;
use guildhall_types::feature::{Move, Problem};
use guildhall_types::plan::PlanApproval;
use guildhall_types::run::{RunEvent, RunIntent, RunStatus, Turn};
use guildhall_types::{DateTime, FeatureId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::after::{After, Next};
use crate::journal::{RunJournal, is_last};
use crate::problems::{Trouble, chain};
use crate::worktree::Ground;

/// How an attempt at a run ended.
enum End {
    /// It is to be written down so.
    Written(Box<Ending>),
    /// It rests until auto mode's window opens.
    Rests,
    /// Its work is merged, and that is written down.
    Merged,
    /// It has to wait for its provider for long, or for money, and goes on by itself.
    Parked { until: DateTime, reason: String, budget: Option<BudgetKind> },
    /// It was told to stop: by a member, by the loss of its lease, or because this node stops.
    Told,
}

/// Drives a run until it ends or `cancel` is cancelled.
pub(crate) async fn drive(engine: &Engine, claimed: Claimed, cancel: &CancellationToken) {
    let lease = claimed.lease;
    tracing::info!(run = %lease.run, attempt = lease.attempt, feature = %claimed.run.feature_id, "a run begins");
    tokio::select! {
        biased;
        // On the heap: an attempt is the largest future here, and most of its time it waits for a model.
        () = Box::pin(work(engine, claimed, cancel)) => {}
        () = hold(engine, lease, cancel) => {}
    }
}

/// Renews a lease for ever. When it is lost, or cannot be renewed in time, the run is cancelled: its tools must have
/// stopped before another node takes over.
async fn hold(engine: &Engine, lease: Lease, cancel: &CancellationToken) {
    let pace = engine.0.pace;
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(pace.lease / 3).await;
        let asked = Instant::now();
        match engine.0.team.store.renew_lease(&lease, pace.hold()).await {
            Ok(()) => renewed = asked,
            Err(StoreError::LeaseLost) => break,
            Err(error) => {
                tracing::warn!(run = %lease.run, error = &error as &dyn std::error::Error, "a lease could not be renewed");
                if renewed.elapsed() > pace.lease * 2 / 3 {
                    break;
                }
            }
        }
    }
    cancel.cancel();
    std::future::pending().await
}

async fn work(engine: &Engine, claimed: Claimed, cancel: &CancellationToken) {
    let store = &engine.0.team.store;
    let lease = claimed.lease;
    let ending = match attempt(engine, &claimed, cancel).await {
        Ok(End::Written(ending)) => *ending,
        Ok(End::Parked { until, reason, budget }) => {
            tracing::info!(run = %lease.run, %until, ?budget, "a run is put off");
            let done = store.park_run(&lease, until, Some(&reason), budget).await;
            log_unless_lost(lease, "a run could not be put off", done);
            return;
        }
        Ok(End::Told) => {
            // When this node stops, the run goes back to the queue; otherwise whoever stopped it wrote that down.
            if engine.0.stop.is_cancelled() {
                log_unless_lost(lease, "a run could not be given back", store.requeue_run(&lease).await);
            }
            return;
        }
        Ok(End::Rests) => {
            let order = store.order(claimed.run.project_id, claimed.run.member_id).await;
            let until = order.map(|order| order.and_then(|order| order.rests_until(engine.0.team.clock.now())));
            let done = match until {
                Ok(Some(until)) => store.park_run(&lease, until, None, None).await,
                // It has opened in between.
                Ok(None) => store.requeue_run(&lease).await,
                Err(error) => Err(error),
            };
            log_unless_lost(lease, "a run could not be laid to rest", done);
            return;
        }
        Ok(End::Merged) => {
            tracing::info!(run = %lease.run, "a run ended and was merged");
            return;
        }
        Err(trouble) if trouble.lost() => return,
        Err(trouble) => {
            tracing::warn!(run = %lease.run, error = &trouble as &dyn std::error::Error, "a run failed");
            failed(trouble.problem())
        }
    };
    let status = ending.status;
    match store.finish_run(&lease, ending).await {
        Ok(Finished::Ended) => tracing::info!(run = %lease.run, %status, "a run ended"),
        Ok(Finished::GoesOn) => tracing::info!(run = %lease.run, "a run goes on with what a member said"),
        Err(error) => log_unless_lost(lease, "the end of a run could not be written", Err(error)),
    }
}

fn log_unless_lost(lease: Lease, what: &str, result: Result<(), StoreError>) {
    match result {
        Ok(()) | Err(StoreError::LeaseLost) => {}
        // The lease runs out, and the run is claimed again.
        Err(error) => tracing::error!(run = %lease.run, error = &error as &dyn std::error::Error, "{what}"),
    }
}

fn failed(problem: Problem) -> Ending {
    Ending { status: RunStatus::Failed, what: Move::Fail, summary: None, problem: Some(problem) }
}

async fn attempt(engine: &Engine, claimed: &Claimed, cancel: &CancellationToken) -> Result<End, Trouble> {
    let team = &engine.0.team;
    engine.usable_sandbox().await?;
    let (_, repo) = team.ready_project(claimed.run.project_id).await?;
    let mut turns = team.store.turns(claimed.run.id).await?;
    let mut ground = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(End::Told),
        ground = engine.ground(&repo, claimed, &turns) => ground?,
    };
    if claimed.run.intent == RunIntent::Work {
        ground = engine.join_conflicts(&repo, claimed, &turns, ground).await?;
    }
    let room = Room {
        tree: ground.worktree.tree(),
        git: Some(ground.worktree.agent_git()),
        objects: Some(repo.objects()),
        frozen: false,
        read_only: Vec::new(),
        network: Network::None,
        env: Vec::new(),
    };
    let mut after = After::new(engine, claimed, &repo, &room, cancel);
    // Once round for the work, and once more each time that its agent is given something to mend.
    loop {
        let mut summary = None;
        if claimed.run.intent == RunIntent::Work {
            let (ended, reached) = agent(engine, claimed, &repo, ground.clone(), &room, turns, cancel).await?;
            ground.head = reached;
            settle(&repo, &ground.branch, &ground.head).await;
            summary = match closing(ended) {
                Ok(summary) => Some(summary),
                Err(end) => return Ok(end),
            };
        }
        match after.follow(&mut ground, summary).await? {
            Next::End(ending) => return Ok(End::Written(ending)),
            Next::Merged => return Ok(End::Merged),
            Next::Told => return Ok(End::Told),
            Next::Again => turns = team.store.turns(claimed.run.id).await?,
        }
    }
}

/// The agent's closing words, or how the attempt ends without any.
fn closing(ended: Ended) -> Result<String, End> {
    match ended {
        Ended::Done { summary } => Ok(summary),
        Ended::PlanProposed => {
            let ending = Ending { status: RunStatus::Waiting, what: Move::Propose, summary: None, problem: None };
            Err(End::Written(Box::new(ending)))
        }
        Ended::Failed(problem) => Err(End::Written(Box::new(failed(problem)))),
        Ended::Parked { until, reason, budget } => Err(End::Parked { until, reason, budget }),
        Ended::Cancelled | Ended::Unsaved(JournalError::Lost) => Err(End::Told),
        Ended::Unsaved(JournalError::Rest) => Err(End::Rests),
        Ended::Unsaved(error) => {
            let problem = Problem {
                code: "not-saved".to_owned(),
                message: format!("The work could not be saved: {}.", chain(&error)),
                hint: "Check that the server's disk has room, then retry: it goes on from the last saved turn."
                    .to_owned(),
            };
            Err(End::Written(Box::new(failed(problem))))
        }
    }
}

/// Puts the run's branch on the latest state of its work. The snapshot is on a ref of its own, so nothing is lost when a
/// branch that somebody moved stays where it is.
pub(crate) async fn settle(repo: &Repo, branch: &str, head: &guildhall_git::Oid) {
    if let Err(error) = repo.settle_branch(branch, head).await {
        let error: &GitError = &error;
        tracing::warn!(branch, error = error as &dyn std::error::Error, "a run's branch was not brought up to date");
    }
}

/// Lets the agent work. Returns how that ended, and the latest state of the files.
async fn agent(
    engine: &Engine,
    claimed: &Claimed,
    repo: &Repo,
    ground: Ground,
    room: &Room,
    history: Vec<Turn>,
    cancel: &CancellationToken,
) -> Result<(Ended, guildhall_git::Oid), Trouble> {
    let Claimed { lease, run, feature, project } = claimed;
    let team = &engine.0.team;
    let provider = team.provider_for(run.member_id, &run.model).await?;
    let fresh = history.is_empty();
    let mut events = vec![RunEvent::Started {
        attempt: run.attempt,
        model: run.model.clone(),
        key_source: provider.key.source,
        resumed: !fresh,
    }];
    if fresh && run.base_commit.is_none() {
        let text = format!("# {}\n\n{}", feature.card.title, feature.description);
        events.push(RunEvent::Said { member_id: Some(run.member_id), text });
    }
    team.store.run_started(lease, ground.base.as_str(), &ground.branch, &provider.key, events).await?;
    team.note_use(run.member_id, &provider).await?;

    let tree = room.tree.clone();
    let (workspace, instructions) = tokio::task::spawn_blocking(move || {
        let workspace = Workspace::open(&tree)?;
        let instructions = prompt::instructions(&workspace);
        Ok::<_, Trouble>((workspace, instructions))
    })
    .await??;
    let facts = prompt::Facts {
        project: project.name.clone(),
        branch: ground.branch.clone(),
        default_branch: project.default_branch.clone(),
        planning: feature.card.planning_mode,
        approval: run.approval != PlanApproval::NotNeeded,
        verify_commands: project.settings.verify_commands.clone(),
        project_instructions: project.settings.instructions.clone(),
        instructions,
        network: room.network != Network::None,
    };
    let opening = match fresh {
        true => opening(team, feature.card.id, &feature.card.title, &feature.description).await?,
        false => Vec::new(),
    };
    let journal = RunJournal {
        team: team.clone(),
        hold: engine.0.pace.hold(),
        done: AtomicBool::new(history.last().is_some_and(|turn| is_last(turn, run.approval))),
        bus: engine.0.bus.clone(),
        lease: *lease,
        run: run.clone(),
        provider: provider.endpoint.provider,
        key: provider.key.clone(),
        repo: repo.clone(),
        worktree: ground.worktree,
        author: team.identity(run.member_id).await?,
        base: ground.base,
        head: Mutex::new(ground.head),
    };
    let job = Job {
        governor: engine.0.governor.clone(),
        member: run.member_id,
        patience: engine.0.pace.patience,
        thinking: feature.card.thinking_level,
        system: prompt::system(&facts)?,
        tools: tools::under(run.approval, workspace, engine.0.sandbox.clone(), room.clone()),
        approval: run.approval,
        limits: engine.run_limits().await?,
        history,
        opening,
        cancel: cancel.clone(),
        context_window: provider.context_window,
        ..Job::new(team.client.clone(), provider.endpoint, run.model.clone(), team.clock.clone())
    };
    let ended = guildhall_agent::run(job, &journal).await;
    Ok((ended, journal.head()))
}

/// What is said to the model first: the card, with its files.
async fn opening(
    team: &Team,
    feature: FeatureId,
    title: &str,
    description: &str,
) -> Result<Vec<guildhall_types::chat::Block>, Trouble> {
    let mut files = Vec::new();
    for attachment in team.store.attachments(feature).await? {
        if let Some((attachment, bytes)) = team.store.attachment_bytes(attachment.id).await? {
            files.push((attachment.name, attachment.media_type, bytes));
        }
    }
    let files: Vec<(&str, &str, &[u8])> =
        files.iter().map(|(name, kind, bytes)| (name.as_str(), kind.as_str(), bytes.as_slice())).collect();
    Ok(prompt::opening(title, description, &files))
}
