//! Drives one claimed run: worktree, agent, checks, ending. Holds its lease while it does.

mod aside;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use guildhall_agent::{Ended, Job, Outage, Toolbox, prompt, tools};
use guildhall_git::{Oid, Repo};
use guildhall_llm::{Backoff, SystemPart};
use guildhall_sandbox::{Room, Workspace};
use guildhall_store::{Claimed, Finished, StepEnd, StoreError};
use guildhall_team::{Provider, Team};
use guildhall_types::agent::Briefed;
use guildhall_types::chat::Block;
use guildhall_types::feature::{FeatureKind, Stage, WorkMode};
use guildhall_types::pipeline::StepStatus;
use guildhall_types::plan::PlanApproval;
use guildhall_types::run::{Awaits, Run, RunEvent, RunIntent, Turn};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Engine;
use crate::after::{After, Next};
use crate::attached;
use crate::checks::Verdict;
use crate::ending::{End, closing, failed, log_unless_lost, put_off, settle};
use crate::hold::{hold, hold_back};
use crate::journal::{RunJournal, is_last};
use crate::outfit::Whose;
use crate::problems::Trouble;
use crate::services::Why;
use crate::worktree::Ground;

/// How long the MCP servers of an agent that has ended may take to end as well: their last words, the end of the conversation
/// and what a program may take by itself, and its end by force.
const LEAVING: Duration = Duration::from_secs(5);

/// How long a run waits that what it depends on gives nothing to begin from, before it looks again.
const FOOTING: chrono::Duration = chrono::Duration::minutes(10);

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

async fn work(engine: &Engine, mut claimed: Claimed, cancel: &CancellationToken) {
    let store = &engine.0.team.store;
    let lease = claimed.lease;
    // Dropped at the very end: whoever comes next finds nothing of this one at work.
    let _turn = engine.clear_ground(lease.run).await;
    if let Err(error) = store.note_place(lease.run, engine.0.place.id()).await {
        // Whoever looks into its worktree before the next attempt asks another node, perhaps.
        tracing::warn!(run = %lease.run, %error, "where a run is worked on could not be noted");
    }
    let kept = engine.keep_left_by_hand(lease.run).await;
    // A member may have changed files until then.
    if let Ok(Some(now)) = store.run(lease.run).await {
        claimed.run.head_commit = now.head_commit;
    }
    let ended = match kept {
        Ok(()) => attempt(engine, &claimed, cancel).await,
        Err(trouble) => Err(trouble),
    };
    let ended = match ended {
        Err(trouble) if !trouble.lost() => {
            let passes = trouble.passes().or_else(|| engine.lacks_room());
            match passes.or(engine.lacks_sandbox(&trouble).await) {
                Some(reason) => Ok(put_off(engine, &trouble, reason)),
                None => Err(trouble),
            }
        }
        ended => ended,
    };
    engine.end_services(lease.run, Why::Attempt).await;
    engine.tell_refused(Some(lease)).await;
    let ending = match ended {
        Ok(End::Written(ending)) => *ending,
        Ok(End::Parked { until, reason, awaits, out_since }) => {
            engine.ended("parked");
            tracing::info!(run = %lease.run, %until, reason, ?awaits, "a run is put off");
            let done = match out_since {
                Some(since) => store.park_in_outage(&lease, until, &reason, since).await,
                None => store.park_run(&lease, until, Some(&reason), awaits).await,
            };
            log_unless_lost(lease, "a run could not be put off", done);
            return;
        }
        Ok(End::Told) => {
            engine.ended("stopped");
            // When this node stops, the run goes back to the queue; otherwise whoever stopped it wrote that down, unless that
            // was to make room.
            if engine.0.stop.is_cancelled() {
                log_unless_lost(lease, "a run could not be given back", store.requeue_run(&lease).await);
            } else if engine.parked_for(lease.run).is_some() {
                hold_back(engine, lease).await;
            }
            return;
        }
        Ok(End::Holds) => {
            hold_back(engine, lease).await;
            return;
        }
        Ok(End::Rests) => {
            engine.ended("parked");
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
            engine.ended("merged");
            tracing::info!(run = %lease.run, "a run ended and was merged");
            return;
        }
        Err(trouble) if trouble.lost() => {
            engine.ended("lost");
            return;
        }
        Err(trouble) => {
            tracing::warn!(run = %lease.run, error = &trouble as &dyn std::error::Error, "a run failed");
            failed(trouble.problem())
        }
    };
    let status = ending.status;
    match store.finish_run(&lease, ending).await {
        Ok(Finished::Ended) => {
            engine.ended(status.as_str());
            tracing::info!(run = %lease.run, %status, "a run ended");
        }
        Ok(Finished::GoesOn) => tracing::info!(run = %lease.run, "a run goes on with what a member said"),
        Err(error) => log_unless_lost(lease, "the end of a run could not be written", Err(error)),
    }
}

async fn attempt(engine: &Engine, claimed: &Claimed, cancel: &CancellationToken) -> Result<End, Trouble> {
    let team = &engine.0.team;
    engine.has_room()?;
    engine.usable_sandbox().await?;
    let (_, repo) = team.ready_project(claimed.run.project_id).await?;
    let turns = team.store.turns(claimed.run.id).await?;
    let mut ground = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(End::Told),
        ground = engine.ground(&repo, claimed, &turns) => match ground {
            Err(Trouble::NoFooting(reason)) => {
                let until = team.clock.now() + FOOTING;
                return Ok(End::Parked { until, reason, awaits: Some(Awaits::Dependencies), out_since: None });
            }
            ground => ground?,
        },
    };
    let card = &claimed.feature.card;
    if claimed.run.intent == RunIntent::Work && card.kind == FeatureKind::Card {
        ground = engine.join_conflicts(&repo, claimed, &turns, ground).await?;
        engine.interrupt_step(claimed, &ground).await?;
    }
    team.store.forget_services(&claimed.lease, goes_on(team, claimed, &turns).await?).await?;
    drop(turns);
    let _caches = engine.hold_caches(claimed.run.project_id).await;
    let Run { id, project_id: project, member_id: member, .. } = claimed.run;
    let whose = Whose { project, member, owner: member, run: Some(id), lease: Some(claimed.lease) };
    let room = Room { frozen: card.mode == WorkMode::Read, ..engine.outfit(whose, &repo, &ground.worktree).await? };
    ground.worktree = engine.among(ground.worktree, room.share.as_ref()).await;
    if card.kind != FeatureKind::Card {
        return aside::drive(engine, claimed, &repo, ground, room, cancel).await;
    }
    let lease = claimed.lease;
    match engine.set_up(claimed, &ground, &room, cancel).await? {
        Verdict::Passed => {}
        Verdict::Told => return Ok(End::Told),
        Verdict::Failed(failing) => return Ok(End::Written(Box::new(failed(failing.problem)))),
    }
    let mut after = After::new(engine, claimed, &repo, &room, cancel);
    // Once round for the work, and once more each time that its agent is given something to mend.
    loop {
        let mut summary = None;
        if claimed.run.intent == RunIntent::Work {
            let (ended, reached) = agent(engine, claimed, &repo, ground.clone(), &room, cancel).await?;
            ground.head = reached;
            settle(engine, lease, &repo, &ground).await;
            summary = match closing(engine, ended) {
                Ok(summary) => Some(summary),
                Err(end) => return Ok(end),
            };
        }
        match after.follow(&mut ground, summary).await? {
            Next::End(ending) => return Ok(End::Written(ending)),
            Next::Merged => return Ok(End::Merged),
            Next::Told => return Ok(End::Told),
            Next::Halted(end) => return Ok(*end),
            Next::Again => {
                team.store.forget_services(&claimed.lease, true).await?;
                team.store.set_stage(&claimed.lease, Stage::Implementing).await?;
            }
        }
    }
}

/// Whether the agent that builds the card will be called once more, and so hears what is said to it.
async fn goes_on(team: &Team, claimed: &Claimed, turns: &[Turn]) -> Result<bool, StoreError> {
    let Some(last) = turns.last().filter(|_| claimed.run.intent == RunIntent::Work) else { return Ok(false) };
    Ok(!is_last(last, claimed.run.approval) || !team.store.inbox(claimed.run.id).await?.is_empty())
}

/// Lets the agent that builds the card work. Returns how that ended, and the latest state of the files.
async fn agent(
    engine: &Engine,
    claimed: &Claimed,
    repo: &Repo,
    ground: Ground,
    room: &Room,
    cancel: &CancellationToken,
) -> Result<(Ended, Oid), Trouble> {
    let Claimed { lease, feature, .. } = claimed;
    let team = &engine.0.team;
    // What it has cost and how many turns it has may have grown since it was claimed.
    let run = team.store.run(lease.run).await?.unwrap_or_else(|| claimed.run.clone());
    let history = team.store.turns_of(run.id, None).await?;
    let provider = team.provider_for(run.member_id, &run.model).await?;
    let fresh = history.is_empty();
    let card = &feature.card;
    let briefed = team.store.briefing(run.id).await?.agent;
    let mut events = vec![RunEvent::Started {
        attempt: run.attempt,
        model: run.model.clone(),
        key_source: provider.key.source,
        resumed: !fresh,
        agent: briefed.as_ref().map(|agent| agent.name.clone()),
    }];
    if fresh && run.base_commit.is_none() {
        let text = match card.kind {
            FeatureKind::Card => format!("# {}\n\n{}", card.title, feature.description),
            FeatureKind::Chat | FeatureKind::Task => feature.description.clone(),
        };
        let files = match card.kind {
            FeatureKind::Chat => team.store.attachments(card.id).await?,
            // A card shows its files itself.
            FeatureKind::Card | FeatureKind::Task => Vec::new(),
        };
        events.push(RunEvent::Said { member_id: Some(run.member_id), text, files });
    }
    let (base, holds) = (ground.base.as_str(), ground.holds.as_slice());
    team.store.run_started(lease, base, &ground.branch, holds, &provider.key, events).await?;
    team.note_use(run.member_id, &provider).await?;

    let (workspace, mut facts) = engine.facts(claimed, &run, &ground, room).await?;
    if briefed.as_ref().is_some_and(|agent| agent.alone) {
        facts.keep_to_the_task();
    } else {
        facts.known = engine.known(claimed, repo, &ground).await?;
    }
    facts.aside = (card.kind != FeatureKind::Card)
        .then(|| prompt::Aside { chat: card.kind == FeatureKind::Chat, read_only: card.mode == WorkMode::Read });
    facts.hub = briefed
        .as_ref()
        .and_then(|agent| agent.tools.as_ref())
        .is_none_or(|tools| tools.iter().any(|tool| tool == tools::KNOWLEDGE_SEARCH));
    facts.agent =
        briefed.as_ref().map(|agent| prompt::Persona { name: agent.name.clone(), instructions: agent.prompt.clone() });
    let opening = match card.kind {
        _ if !fresh => Vec::new(),
        FeatureKind::Card => attached::opening(team, feature).await?,
        FeatureKind::Chat | FeatureKind::Task => {
            prompt::asked(&feature.description, &team.store.attached(card.id).await?)
        }
    };
    let steps = team.store.steps(run.id).await?;
    let (sandbox, room, whole) = (engine.0.sandbox.clone(), room.clone(), room.clone());
    let tools = match card.mode {
        WorkMode::Read => tools::looking(workspace, sandbox, room),
        WorkMode::Work => {
            let frozen = room.frozen || run.approval == PlanApproval::Awaited;
            let services = engine.services_of(claimed, Room { frozen, ..room.clone() });
            tools::under(card.planning_mode, run.approval, workspace, sandbox, room).with(services)
        }
    };
    let work = Work {
        model: run.model.clone(),
        provider,
        history,
        opening,
        system: prompt::system(&facts)?,
        tools: tools.with(tools::of_hub(&engine.hub(claimed))).with(attached::tool(team, &feature.card).await?),
        room: Some(whole),
        agent: briefed,
        deaf: steps.iter().any(|step| step.status == StepStatus::Running),
        step: None,
        run,
    };
    engine.let_work(claimed, repo, ground, work, cancel).await
}

/// What one agent of a run is to do.
pub(crate) struct Work {
    /// The run as it stands now.
    pub(crate) run: Run,
    pub(crate) model: String,
    pub(crate) provider: Provider,
    /// This agent's own turns.
    pub(crate) history: Vec<Turn>,
    pub(crate) opening: Vec<Block>,
    pub(crate) system: Vec<SystemPart>,
    pub(crate) tools: Toolbox,
    /// What its commands see, and MCP servers that are programs. Without one it has no such servers.
    pub(crate) room: Option<Room>,
    /// Who it is, as that was when the run began; nothing for the usual agent.
    pub(crate) agent: Option<Briefed>,
    /// It hears nothing new: another agent of the run is in the middle of its turns.
    pub(crate) deaf: bool,
    /// The look of the pipeline whose agent it is.
    pub(crate) step: Option<i64>,
}

impl Engine {
    /// Lets one agent of a run work. Returns how that ended, and the latest state of the files. Neither another agent nor a check
    /// finds anything of it at work afterwards.
    pub(crate) async fn let_work(
        &self,
        claimed: &Claimed,
        repo: &Repo,
        ground: Ground,
        work: Work,
        cancel: &CancellationToken,
    ) -> Result<(Ended, Oid), Trouble> {
        let services = match work.step {
            None => Why::Attempt,
            Some(_) => Why::Step,
        };
        let (job, journal) = self.equip(claimed, repo, ground, work, cancel).await?;
        let leaving = journal.leaving.clone();
        let ended = guildhall_agent::run(job, &journal).await;
        self.end_services(claimed.lease.run, services).await;
        // Its MCP servers stand in the worktree as well, and went with its tools.
        leaving.close();
        if tokio::time::timeout(LEAVING, leaving.wait()).await.is_err() {
            tracing::warn!(run = %claimed.lease.run, "an MCP server did not end in time");
        }
        Ok((ended, journal.head()))
    }

    /// What an agent of a run needs for its work, and the journal that it tells of it.
    pub(crate) async fn equip(
        &self,
        claimed: &Claimed,
        repo: &Repo,
        ground: Ground,
        work: Work,
        cancel: &CancellationToken,
    ) -> Result<(Job, RunJournal), Trouble> {
        let Work { run, model, provider, mut history, opening, system, tools, room, agent, deaf, step } = work;
        attached::bring_into_view(&self.0.team, &mut history).await?;
        let agent = agent.unwrap_or_default();
        // The one place where an agent gets its tools: whatever is put into the box before, this is what it has. What is not
        // switched on is neither told to the model nor there when it is called all the same.
        let tools = match &agent.tools {
            Some(enabled) => tools.only(|name| tools::is_of_the_work(name) || enabled.iter().any(|tool| tool == name)),
            None => tools,
        };
        let team = &self.0.team;
        let approval = match step {
            None => run.approval,
            Some(_) => PlanApproval::NotNeeded,
        };
        let blot = team.blot_of(claimed.run.project_id).await?;
        let leaving = TaskTracker::new();
        let tools = tools.with(self.mcp_tools(claimed, &agent, room, approval, history.is_empty(), &leaving).await?);
        self.note_key(&provider, run.member_id, &model);
        let journal = RunJournal {
            blot: blot.clone(),
            tells: step.is_none() && claimed.feature.card.kind == FeatureKind::Card,
            mode: Some(claimed.feature.card.mode).filter(|_| claimed.feature.card.kind == FeatureKind::Chat),
            engine: self.clone(),
            team: team.clone(),
            leaving,
            hold: self.0.pace.hold(),
            done: AtomicBool::new(history.last().is_some_and(|turn| is_last(turn, approval))),
            bus: self.0.bus.clone(),
            groups: self.0.groups.clone(),
            tally: Arc::clone(&self.0.tally),
            unsaved: Arc::clone(&self.0.unsaved),
            lease: claimed.lease,
            provider: provider.endpoint.provider,
            key: provider.key.clone(),
            model: model.clone(),
            repo: repo.clone(),
            worktree: ground.worktree,
            author: team.identity(run.member_id).await?,
            folders: vec![team.places.worktrees.clone(), team.places.repositories.clone()],
            patience: self.0.pace.lease * 2 / 3,
            parking: self.parking(run.id),
            base: ground.base,
            head: Mutex::new(ground.head),
            left_out: Mutex::default(),
            deaf,
            step,
            run: run.clone(),
        };
        let job = Job {
            governor: self.0.governor.clone(),
            member: run.member_id,
            patience: self.0.pace.patience,
            thinking: agent.thinking.unwrap_or(claimed.feature.card.thinking_level),
            max_tokens: agent.max_tokens,
            once: agent.alone,
            temperature: agent.temperature,
            system,
            tools,
            blot,
            approval,
            limits: self.run_limits().await?,
            history,
            last_turn: run.turns,
            opening,
            cancel: cancel.clone(),
            context_window: provider.context_window,
            backoff: Backoff::with_unit(self.0.pace.tries),
            outage: Outage {
                since: team.store.out_since(run.id).await?,
                rest: self.0.pace.outage(),
                ..Outage::default()
            },
            ..Job::new(team.client.clone(), provider.endpoint, model, team.clock.clone())
        };
        Ok((job, journal))
    }

    /// What the agents of a run are told of it, and the files that they work on.
    pub(crate) async fn facts(
        &self,
        claimed: &Claimed,
        run: &Run,
        ground: &Ground,
        room: &Room,
    ) -> Result<(Workspace, prompt::Facts), Trouble> {
        let tree = room.tree.clone();
        let (workspace, instructions) = tokio::task::spawn_blocking(move || {
            let workspace = Workspace::open(&tree)?;
            let instructions = prompt::instructions(&workspace);
            Ok::<_, Trouble>((workspace, instructions))
        })
        .await??;
        let settings = &claimed.project.settings;
        let facts = prompt::Facts {
            project: claimed.project.name.clone(),
            branch: ground.branch.clone(),
            default_branch: claimed.project.default_branch.clone(),
            // The latest was built on the others, or is at least nearest.
            built_on: ground.holds.iter().rev().map(ToString::to_string).collect(),
            planning: claimed.feature.card.planning_mode,
            approval: run.approval != PlanApproval::NotNeeded,
            verify_commands: settings.verify_commands.clone(),
            project_instructions: settings.instructions.clone(),
            instructions,
            network: self.reached(&settings.network),
            outfit: prompt::Outfit {
                toolchains: self.toolchains().iter().map(|one| one.name.clone()).collect(),
                set_up: if room.frozen { Vec::new() } else { settings.set_up.clone() },
                cache: room.cache.is_some() && !room.frozen,
            },
            known: prompt::Known::default(),
            hub: true,
            step: None,
            aside: None,
            agent: None,
        };
        Ok((workspace, facts))
    }

    /// A step that was at work when a member said something gives way: the agent that builds the card hears it first.
    async fn interrupt_step(&self, claimed: &Claimed, ground: &Ground) -> Result<(), Trouble> {
        let store = &self.0.team.store;
        let steps = store.steps(claimed.run.id).await?;
        let Some(step) = steps.iter().find(|step| step.status == StepStatus::Running) else { return Ok(()) };
        if !store.inbox(claimed.run.id).await?.is_empty() {
            store.end_step(&claimed.lease, step.number, ground.head.as_str(), StepEnd::Interrupted).await?;
        }
        Ok(())
    }
}
