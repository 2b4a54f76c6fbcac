//! An MCP server in an agent's run: started or reached when the first of its tools is called, and gone with the attempt.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use guildhall_agent::{Tool, ToolAnswer, ToolContext, tools};
use guildhall_sandbox::{Room, Sandbox};
use guildhall_store::{McpLook, StoreError};
use guildhall_team::{Team, TeamError, mcp_hash};
use guildhall_types::chat::ToolSpec;
use guildhall_types::mcp::{McpServer, McpShape, McpTool, McpTransport};
use guildhall_types::{McpServerId, ProjectId};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::content::{self, Content};
use super::session::{Called, Dial, Failed, MOVED, Session};
use crate::problems::chain;

/// How often a program is started in an attempt: once more when it died.
const STARTS: usize = 2;
/// How often a server elsewhere is reached anew in an attempt.
const REACHED: usize = 8;
/// How many things that were told are remembered.
const MOST: usize = 1_000;

/// A server as it was when the attempt began.
pub(crate) struct InRun {
    team: Team,
    sandbox: Sandbox,
    /// The project of the run: what stands in its secrets, no answer says.
    project: ProjectId,
    room: Room,
    server: McpServer,
    told: Told,
    leaving: TaskTracker,
    state: Mutex<State>,
}

/// What was told here of programs in runs' worktrees that offer something else than was approved: of which server, and the hash of all
/// that it offered.
pub(crate) type Told = Arc<std::sync::Mutex<HashSet<(McpServerId, String)>>>;

#[derive(Default)]
struct State {
    session: Option<Session>,
    starts: usize,
    /// The hash of each tool as this conversation's server describes it: others, in other worktrees, may do that otherwise.
    offered: HashMap<String, String>,
    /// Whether members were told in this attempt that it offers something else than was approved.
    told: bool,
    /// Why the last conversation ended or did not begin.
    why: String,
}

impl InRun {
    pub(crate) fn new(
        team: Team,
        sandbox: Sandbox,
        (project, room): (ProjectId, Room),
        server: McpServer,
        told: Told,
        leaving: TaskTracker,
    ) -> Self {
        Self { team, sandbox, project, room, server, told, leaving, state: Mutex::default() }
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(self.server.timeout_seconds.unsigned_abs().max(1))
    }

    const fn is_program(&self) -> bool {
        matches!(self.server.transport, McpTransport::Stdio { .. })
    }

    /// Calls a tool that a member approved under this hash.
    async fn call(&self, tool: &str, approved: &str, arguments: Value) -> ToolAnswer {
        let name = &self.server.name;
        let Value::Object(arguments) = arguments else {
            return ToolAnswer::error("The arguments are not a JSON object. Call again with one.");
        };
        let mut state = self.state.lock().await;
        let server = match self.ready(&mut state).await {
            Ok(server) => server,
            Err(answer) => return answer,
        };
        let State { session, why, offered, .. } = &mut *state;
        let usable = server.tools.iter().find(|known| known.name == tool).and_then(McpTool::usable);
        let offered = offered.get(tool).is_some_and(|hash| hash == approved);
        if !offered || usable.is_none_or(|(_, hash)| hash != approved) {
            return ToolAnswer::error(format!(
                "The MCP server {name} does not offer this tool any more as a member approved it, or it was switched off. It was \
                 not called, and is not to be called again in this run: go on without it."
            ));
        }
        let Some(open) = session else { return ToolAnswer::error(self.cannot(why)) };
        match open.call(tool, arguments).await {
            Called::Answered(result) => {
                let Content { text, images } = content::read(&result);
                let text = tools::from_outside(&format!("the MCP server {name}"), &open.blotted(&text));
                ToolAnswer { text, is_error: result.is_error == Some(true), images }
            }
            Called::Refused(why) => ToolAnswer::error(format!("The call of the MCP server {name} failed: {why}.")),
            Called::Late => {
                let seconds = self.limit().as_secs();
                let mut text = format!(
                    "The MCP server {name} did not answer within {seconds} seconds. The call may or may not have had its effect."
                );
                if self.is_program() {
                    *why = format!("it did not answer a call within {seconds} seconds and was ended");
                    if let Some(session) = session.take() {
                        session.close().await;
                    }
                    text.push_str(" The server was ended, and is started once more if it is called again.");
                }
                ToolAnswer::error(text)
            }
            Called::Over(words) => {
                let text = format!(
                    "The MCP server {name} broke off in the middle of the call: {words}. The call may or may not have had its \
                     effect."
                );
                *why = words;
                *session = None;
                ToolAnswer::error(text)
            }
        }
    }

    /// Sees to it that there is a conversation. Returns the server as members have it now: what they take away or move is gone
    /// at once, in the middle of a conversation as well.
    async fn ready(&self, state: &mut State) -> Result<McpServer, ToolAnswer> {
        let now = self.judge(state, self.team.mcp_server(self.server.id).await)?;
        if let Some(session) = state.session.as_mut().filter(|session| session.is_over()) {
            state.why = session.why_over().await;
            state.session = None;
        }
        if let Some(session) = &mut state.session {
            match session.refresh().await {
                Ok(false) => return Ok(now),
                Ok(true) => {
                    let shapes = session.listed.shapes.clone();
                    return self.see(state, shapes).await;
                }
                Err(why) => {
                    state.session = None;
                    state.why = why;
                }
            }
        }
        let most = if self.is_program() { STARTS } else { REACHED };
        if state.starts >= most {
            return Err(ToolAnswer::error(self.cannot(&state.why)));
        }
        state.starts += 1;
        let Self { team, sandbox, room, server, leaving, .. } = self;
        let dial = Dial { team, sandbox, project: Some(self.project), room: Some(room), server, leaving };
        match dial.open(self.limit()).await {
            Ok(session) => {
                let shapes = session.listed.shapes.clone();
                state.session = Some(session);
                self.see(state, shapes).await
            }
            Err(Failed { words, stderr }) => {
                let mut text = format!("The MCP server {} could not be used: {words}.", self.server.name);
                if let Some(stderr) = stderr {
                    text.push_str(&format!(
                        "\n\n{}",
                        tools::from_outside("it wrote to its standard error. That", &stderr)
                    ));
                }
                state.why = words;
                Err(ToolAnswer::error(text))
            }
        }
    }

    /// Takes in what it offers now. Of a program that is this run's own matter, and members are told once if it is not what was
    /// approved; else it is written down.
    async fn see(&self, state: &mut State, shapes: Vec<McpShape>) -> Result<McpServer, ToolAnswer> {
        state.offered = shapes.iter().map(|shape| (shape.name.clone(), mcp_hash(&shape.canonical()))).collect();
        if !self.is_program() {
            let seen = self.team.see_mcp_tools(&self.server, Some(shapes), McpLook::Run).await;
            return self.judge(state, seen);
        }
        let mut now = self.team.mcp_server(self.server.id).await;
        if let Ok(server) = &now
            && !state.told
            && is_odd(server, &state.offered)
            && self.is_news(&state.offered)
        {
            state.told = true;
            now = self.team.see_mcp_tools(&self.server, Some(shapes), McpLook::Worktree).await;
        }
        self.judge(state, now)
    }

    /// Whether members were not told of just this here before.
    fn is_news(&self, offered: &HashMap<String, String>) -> bool {
        let mut all: Vec<String> = offered.iter().map(|(name, hash)| format!("{hash} {name}")).collect();
        all.sort();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // An agent can make as many of them as it likes.
        if told.len() >= MOST {
            told.clear();
        }
        told.insert((self.server.id, mcp_hash(&all.join("\n"))))
    }

    /// Ends the conversation with a server that a member took away, switched off or moved, for the rest of the attempt.
    fn judge(&self, state: &mut State, now: Result<McpServer, TeamError>) -> Result<McpServer, ToolAnswer> {
        let why = match now {
            Ok(server) if server.enabled && server.is_reached_as(&self.server) => return Ok(server),
            Ok(server) if server.enabled => MOVED,
            Err(TeamError::Store(StoreError::McpServerMoved)) => MOVED,
            Ok(_) | Err(TeamError::NotFound { .. } | TeamError::Store(StoreError::NotFound { .. })) => {
                "a member took it away or switched it off"
            }
            Err(error) => {
                // What cannot be compared with what was approved is not called.
                state.session = None;
                state.why = "its tools could not be compared with what was approved".to_owned();
                tracing::warn!(server = %self.server.id, error = %chain(&error), "an MCP server's tools were not looked at");
                return Err(ToolAnswer::error(self.cannot(&state.why)));
            }
        };
        (state.session, state.starts) = (None, usize::MAX);
        state.why = why.to_owned();
        Err(ToolAnswer::error(self.cannot(&state.why)))
    }

    fn cannot(&self, why: &str) -> String {
        format!("The MCP server {} cannot be used in this run: {why}. Go on without it.", self.server.name)
    }
}

/// Whether one of these tools, with its hash, is neither what was approved nor what a member has seen of it.
fn is_odd(server: &McpServer, offered: &HashMap<String, String>) -> bool {
    offered.iter().any(|(name, hash)| {
        let known = server.tools.iter().find(|tool| tool.name == *name);
        known.is_none_or(|tool| ![&tool.approved_hash, &tool.hash].contains(&&Some(hash.clone())))
    })
}

/// A tool of a server, as a member approved it.
pub(crate) struct Offered {
    /// As it is told to the model.
    pub(crate) spec: ToolSpec,
    pub(crate) server: Arc<InRun>,
    /// What the server calls it.
    pub(crate) name: String,
    /// The hash of what was approved.
    pub(crate) hash: String,
    /// Whether it may change files of the worktree.
    pub(crate) changes_files: bool,
}

#[async_trait]
impl Tool for Offered {
    fn spec(&self) -> ToolSpec {
        self.spec.clone()
    }

    fn changes_files(&self) -> bool {
        self.changes_files
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        self.server.call(&self.name, &self.hash, input).await
    }
}
