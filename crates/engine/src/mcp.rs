//! MCP servers of projects and of the team: which of their tools an agent gets, and trying one out.
//!
//! A model is told of a tool what a member approved, from the database: no server is started or called for that.

mod blot;
mod content;
mod manners;
mod program;
mod server;
mod session;
mod shapes;
mod streams;
mod tap;

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use guildhall_agent::{Tool, tools};
use guildhall_git::GitError;
use guildhall_sandbox::Room;
use guildhall_store::{Claimed, McpLook};
use guildhall_team::{By, Team, TeamError, mcp_hash};
use guildhall_types::agent::Briefed;
use guildhall_types::chat::ToolSpec;
use guildhall_types::mcp::{GIVEN, McpServer, McpShape, McpTest, McpTransport, TOLD, heard_name};
use guildhall_types::plan::PlanApproval;
use guildhall_types::run::RunEvent;
use guildhall_types::trace::carried;
use guildhall_types::{McpServerId, MemberId, ProjectId};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::Engine;
use crate::outfit::Whose;
use crate::problems::{Trouble, chain};
pub(crate) use server::Told;
use server::{InRun, Offered};
use session::{Dial, Failed};
use shapes::Listed;

/// How long a test may take, whatever the server's own limit is.
const TEST: Duration = Duration::from_secs(60);
/// Said of a test that is given up because the server stops.
const STOPPED: &str = "the server was stopped in the middle of it; try again";
/// Names of tools in a note at most.
const NAMED: usize = 8;

impl Engine {
    /// The tools of the project's and the team's MCP servers that this agent gets: those that are switched on, as a member approved
    /// them, and chosen for it. Where nothing may be changed, only those that their server calls read-only, if a member trusts it with
    /// that; while a plan is awaited, the others are told and not run. `begins` says that the agent has done nothing yet: then
    /// it is noted what it lacks because nobody has approved it. Programs that are dropped with the tools are gone when `leaving`
    /// has nothing more to wait for.
    pub(crate) async fn mcp_tools(
        &self,
        claimed: &Claimed,
        agent: &Briefed,
        room: Option<Room>,
        approval: PlanApproval,
        begins: bool,
        leaving: &TaskTracker,
    ) -> Result<Vec<Arc<dyn Tool>>, Trouble> {
        let Some(room) = room else { return Ok(Vec::new()) };
        let team = &self.0.team;
        let looks = room.frozen;
        let awaited = approval == PlanApproval::Awaited;
        let room = Room { frozen: looks || awaited, ..room };
        let mut given: Vec<Arc<dyn Tool>> = Vec::new();
        let mut heard = HashSet::new();
        let mut notes = Vec::new();
        let mut over = 0;
        for (server, hidden) in self.mcp_servers_for(agent, claimed.run.project_id).await? {
            let mine = |name: &str| server.enabled && agent.has_mcp_tool(&server, hidden, name);
            let waiting: Vec<&str> = server
                .tools
                .iter()
                .filter(|tool| tool.waits() && mine(&tool.name))
                .map(|tool| tool.name.as_str())
                .collect();
            if !waiting.is_empty() {
                notes.push(lacking(&server, &waiting));
            }
            let (sandbox, told) = (self.0.sandbox.clone(), Arc::clone(&self.0.told));
            let place = (claimed.run.project_id, room.clone());
            let in_run = Arc::new(InRun::new(team.clone(), sandbox, place, server.clone(), told, leaving.clone()));
            for (tool, (shape, hash)) in server.tools.iter().filter_map(|tool| Some((tool, tool.usable()?))) {
                let only_looks = shape.read_only && server.trusted;
                if !mine(&tool.name) || looks && !only_looks {
                    continue;
                }
                let spec = spec(&server, shape);
                // One that a provider refuses would stop the agent with all the others.
                let why = if !shape.is_callable() {
                    Some("no model could be told of it as it is")
                } else if !heard.insert(spec.name.clone()) {
                    Some("it has another that is called so")
                } else {
                    None
                };
                if let Some(why) = why {
                    notes.push(format!(
                        "The agent does not get the tool {} of the MCP server {}: {why}.",
                        tool.name, server.name
                    ));
                    continue;
                }
                if given.len() >= GIVEN {
                    over += 1;
                    continue;
                }
                let offered: Arc<dyn Tool> = Arc::new(Offered {
                    spec,
                    server: Arc::clone(&in_run),
                    name: tool.name.clone(),
                    hash: hash.to_owned(),
                    // A program stands in the worktree and may write there whatever it says; the kernel keeps it from it
                    // where nothing may be changed.
                    changes_files: matches!(server.transport, McpTransport::Stdio { .. }) && !room.frozen,
                });
                given.push(if awaited && !only_looks { tools::held(offered) } else { offered });
            }
        }
        if over > 0 {
            notes.push(format!(
                "{over} tools of MCP servers are not given to the agent: it gets {GIVEN} at most. Switch off what it does not need, \
                 in the settings of the project or the team, or for this agent."
            ));
        }
        if begins && !notes.is_empty() {
            let notes = notes.into_iter().map(|text| RunEvent::Note { text }).collect();
            team.store.append_events(&claimed.lease, notes).await?;
        }
        Ok(given)
    }

    /// The servers that this agent may have tools of: the project's, and of an agent that names any the team's. Each with whether
    /// it is hidden behind one of the project's that has its name.
    async fn mcp_servers_for(&self, agent: &Briefed, project: ProjectId) -> Result<Vec<(McpServer, bool)>, Trouble> {
        let store = &self.0.team.store;
        let own = store.mcp_servers(Some(project)).await?;
        let teams = match &agent.servers {
            Some(named) if !named.is_empty() => store.mcp_servers(None).await?,
            _ => Vec::new(),
        };
        let names: HashSet<String> = own.iter().map(|server| server.name.clone()).collect();
        let teams = teams.into_iter().map(|server| {
            let hidden = names.contains(&server.name);
            (server, hidden)
        });
        Ok(own.into_iter().map(|server| (server, false)).chain(teams).collect())
    }

    /// Starts or reaches an MCP server, lists its tools, and writes down what came of it. A program is started on a copy of
    /// the default branch, as a check of the project is; one of the team's in `project`. The audit tells that it was whoever
    /// `on_behalf` acts for.
    ///
    /// # Errors
    /// As for [`Team::managed_mcp_server`]; [`TeamError::Invalid`] where no project is named that has to be, or another than the
    /// server's; [`TeamError::Conflict`] while another server is tried there, or where nothing can be run.
    pub async fn try_mcp_server(
        &self,
        on_behalf: &Team,
        by: By<'_>,
        id: McpServerId,
        project: Option<ProjectId>,
    ) -> Result<McpServer, TeamError> {
        let server = on_behalf.managed_mcp_server(by, id).await?;
        let project = match (server.project_id, &server.transport, project) {
            (Some(own), _, Some(other)) if own != other => {
                return Err(TeamError::invalid("projectId", "a server of a project is tried there alone"));
            }
            (Some(own), ..) => Some(own),
            (None, McpTransport::Http { .. }, _) => None,
            (None, McpTransport::Stdio { .. }, Some(project)) => Some(on_behalf.ready_project(project).await?.0.id),
            (None, McpTransport::Stdio { .. }, None) => {
                return Err(TeamError::invalid(
                    "projectId",
                    "name a project in whose sandbox the program is to be tried",
                ));
            }
        };
        let Some(place) = Place::take(self, project) else {
            return Err(TeamError::conflict(
                "server-tried",
                "an MCP server is being tried there already; wait for the end",
            ));
        };
        let (engine, team, member) = (self.clone(), on_behalf.clone(), by.member.id);
        // On a task of its own: whoever asked may go away, and what was made for it must go all the same.
        let trying = async move {
            let _place = place;
            let began = Instant::now();
            let looked = engine.look_at(&server, member, project).await;
            let took_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            let mut test = McpTest {
                at: engine.0.team.clock.now(),
                took_ms,
                tools: 0,
                left_out: None,
                problem: None,
                stderr: None,
                protocol: None,
                server: None,
            };
            let shapes = match looked {
                Ok(Looked { listed, protocol, calls_itself }) => {
                    test.tools = i64::try_from(listed.shapes.len()).unwrap_or(i64::MAX);
                    (test.protocol, test.server, test.left_out) = (protocol, calls_itself, listed.left_out());
                    Some(listed.shapes)
                }
                Err(Failed { words, stderr }) => {
                    (test.problem, test.stderr) = (Some(words), stderr);
                    None
                }
            };
            team.see_mcp_tools(&server, shapes, McpLook::Test(test, project)).await
        };
        let trying = self.0.tasks.spawn(carried(trying.in_current_span()));
        trying.await.map_err(|error| TeamError::internal("trying an MCP server", error))?
    }

    async fn look_at(
        &self,
        server: &McpServer,
        member: MemberId,
        project: Option<ProjectId>,
    ) -> Result<Looked, Failed> {
        let failed = |trouble: Trouble| Failed { words: chain(&trouble), stderr: None };
        let Some(project) = project.filter(|_| matches!(server.transport, McpTransport::Stdio { .. })) else {
            return self.look_from(server, project, None).await;
        };
        self.usable_sandbox().await.map_err(|error| failed(error.into()))?;
        let _caches = self.hold_caches(project).await;
        let team = &self.0.team;
        let prepared = async {
            let (project, repo) = team.ready_project(project).await?;
            let tip = repo
                .branch(&project.default_branch)
                .await?
                .ok_or_else(|| GitError::Missing { what: "branch", name: project.default_branch.clone() })?;
            let folder = team.places.mcp_trial(project.id);
            let worktree = self.side_worktree(&repo, &format!("mcp-{}", project.id), &folder, &tip).await?;
            let whose = Whose { project: project.id, member, owner: member, run: None, lease: None };
            let room = self.outfit(whose, &repo, &worktree).await?;
            Ok::<_, Trouble>((repo, worktree, room))
        };
        let (repo, worktree, room) = prepared.await.map_err(failed)?;
        let looked = self.look_from(server, Some(project), Some(&room)).await;
        if let Err(error) = repo.remove_worktree(&worktree).await {
            tracing::warn!(server = %server.id, error = &error as &dyn std::error::Error, "what a trial left was not removed");
        }
        looked
    }

    async fn look_from(
        &self,
        server: &McpServer,
        project: Option<ProjectId>,
        room: Option<&Room>,
    ) -> Result<Looked, Failed> {
        let (team, sandbox) = (&self.0.team, &self.0.sandbox);
        let dial = Dial { team, sandbox, project, room, server, leaving: &self.0.tasks };
        let limit = Duration::from_secs(server.timeout_seconds.unsigned_abs().max(1)).min(TEST);
        let mut session = tokio::select! {
            biased;
            () = self.0.stop.cancelled() => return Err(Failed { words: STOPPED.to_owned(), stderr: None }),
            session = dial.open(limit) => session?,
        };
        let (protocol, calls_itself) = session.about();
        let listed = std::mem::take(&mut session.listed);
        session.close().await;
        Ok(Looked { listed, protocol, calls_itself })
    }
}

/// What was seen of a server that answered.
struct Looked {
    listed: Listed,
    protocol: Option<String>,
    calls_itself: Option<String>,
}

/// The place in which servers are tried, one at a time: a project's, or that of the team's servers elsewhere.
struct Place(Engine, Option<ProjectId>);

impl Place {
    fn take(engine: &Engine, project: Option<ProjectId>) -> Option<Self> {
        let mut trying = engine.0.trying.lock().unwrap_or_else(PoisonError::into_inner);
        trying.insert(project).then(|| Self(engine.clone(), project))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.trying.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// A tool as a model is told of it.
fn spec(server: &McpServer, shape: &McpShape) -> ToolSpec {
    let McpShape { name, description, input_schema, .. } = shape;
    let said: String = description.chars().take(TOLD).collect();
    ToolSpec {
        name: heard_name(&server.name, name, &mcp_hash(&format!("{}\n{name}", server.name))),
        description: format!("A tool of the MCP server {}, which says of it: {said}", server.name),
        input_schema: input_schema.clone(),
    }
}

/// What a card says of tools that its agent lacks.
fn lacking(server: &McpServer, tools: &[&str]) -> String {
    let mut named = tools.iter().take(NAMED).map(|name| (*name).to_owned()).collect::<Vec<_>>().join(", ");
    if tools.len() > NAMED {
        named.push_str(&format!(" and {} more", tools.len() - NAMED));
    }
    let (name, settings) = (&server.name, server.settings());
    format!(
        "The agent does not get these tools of the MCP server {name}, because they are new or changed since a member approved \
         them: {named}. Look at them in {settings}."
    )
}
