//! A conversation with an MCP server, by rmcp.
//!
//! Of the protocol this speaks the revision without sessions (2026-07-28) where the server does, and otherwise the handshake of
//! 2025-11-25 or whichever older one the server answers with. A server is told no roots, is lent no model, and may ask nobody
//! anything: such requests are refused, and a call that would need them fails.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use guildhall_llm::{CallError, Uncalled};
use guildhall_sandbox::{Room, Sandbox, Streams};
use guildhall_team::Team;
use guildhall_types::ProjectId;
use guildhall_types::mcp::{McpServer, McpTransport, McpValue};
use http::{HeaderName, HeaderValue};
use rmcp::ServiceError;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, JsonObject, PaginatedRequestParams,
    ProtocolVersion,
};
use rmcp::service::{ClientInitializeError, ClientLifecycleMode, ClientServiceExt};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::common::client_side_sse::NeverRetry;
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};
use tokio::io::AsyncWriteExt;
use tokio_util::task::TaskTracker;
use url::Url;
use zeroize::Zeroizing;

use super::blot::Blot;
use super::manners::{FLOODED, Heard, Manners, Service};
use super::program::Program;
use super::shapes::Listed;
use super::streams::{MESSAGE, Messages, Said};
use super::tap::Tap;
use crate::problems::chain;

/// Said of a server that lets nobody in without a token.
const UNKNOWN: &str =
    "it wants to know who calls (401 or 403): put its token into a secret header, such as Authorization";
/// Said of a server that redirects.
const ELSEWHERE: &str =
    "it sends whoever calls it elsewhere, which is not followed: give the address where it is now, if you trust it";
/// Said of a message that is larger than [`MESSAGE`].
const TOO_LARGE: &str = "it sent a message of over 4 MiB";
/// Pages of a list of tools that are read.
const PAGES: usize = 20;
/// Characters of what a server says of its own failure that are told.
const WORDS: usize = 500;
/// How long what was said last may take to go out, before the conversation is ended.
const LAST_WORDS: Duration = Duration::from_millis(150);
/// How long a server may take to let a conversation end.
const CLOSING: Duration = Duration::from_secs(1);
/// Said of a conversation that ended without a word, before anything was answered and later.
const ENDED_EARLY: &str = "it ended the conversation before it began";
const ENDED: &str = "it ended the conversation";
/// Said of a conversation that was ended from here.
const GONE: &str = "the conversation was ended";
/// Said of a server that a member moved while it was about to be spoken to.
pub(super) const MOVED: &str = "a member changed how it is reached; it is used anew from the next attempt on";

/// Why a server could not be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// In words that may follow “it does not work: ”.
    pub(crate) words: String,
    /// The end of what a program wrote to its standard error.
    pub(crate) stderr: Option<String>,
}

/// What came of a call.
pub(crate) enum Called {
    /// The server answered.
    Answered(Box<CallToolResult>),
    /// It refused, or asked for what it does not get.
    Refused(String),
    /// It took too long.
    Late,
    /// The conversation is over.
    Over(String),
}

/// A server that answers. Dropping it ends the conversation, and the program, as soon as the server was told of the call that
/// nobody waits for any more.
pub(crate) struct Session {
    service: Option<Service>,
    program: Option<Program>,
    heard: Arc<Heard>,
    blot: Blot,
    /// What its list of tools is kept free of.
    of_list: Blot,
    limit: Duration,
    /// A call was made, and its answer did not come: the server is to hear that nobody waits for it.
    calling: bool,
    /// Where it is waited for that what is dropped has ended.
    leaving: TaskTracker,
    /// The tools that it offers.
    pub(crate) listed: Listed,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("tools", &self.listed.shapes.len()).finish_non_exhaustive()
    }
}

/// How a server is spoken to with what, and where a program sees what.
pub(crate) struct Dial<'a> {
    pub(crate) team: &'a Team,
    pub(crate) sandbox: &'a Sandbox,
    /// The project on whose behalf it is spoken to, if there is one.
    pub(crate) project: Option<ProjectId>,
    pub(crate) room: Option<&'a Room>,
    pub(crate) server: &'a McpServer,
    /// Tracks the end of a conversation that is dropped.
    pub(crate) leaving: &'a TaskTracker,
}

impl Dial<'_> {
    /// Starts or reaches the server, and lists its tools.
    pub(crate) async fn open(&self, limit: Duration) -> Result<Session, Failed> {
        let bare = |words: String| Failed { words, stderr: None };
        let values = self.team.mcp_values(self.server).await;
        // The secrets are those of now. Where they are meant for another place than this one, they do not go here.
        let now = self.team.mcp_server(self.server.id).await.map_err(|error| bare(error.to_string()))?;
        if !now.is_reached_as(self.server) {
            return Err(bare(MOVED.to_owned()));
        }
        let values = values.map_err(|error| bare(error.to_string()))?;
        let project = match self.project {
            Some(project) => self.team.blot_of(project).await.map_err(|error| bare(error.to_string()))?,
            None => guildhall_types::blot::Blot::default(),
        };
        // What one of the team's offers is written down for all projects: a secret of one of them has no say in it.
        let of_list = Blot::new(&values, if now.project_id.is_some() { project.clone() } else { Default::default() });
        let blot = Blot::new(&values, project);
        let opened = match &self.server.transport {
            McpTransport::Stdio { command } => self.start(command, &values, &of_list, limit).await,
            McpTransport::Http { url } => self.reach(url, &values, &of_list, limit).await,
        };
        let (service, heard, program, listed) = opened.map_err(|failed| Failed {
            words: blot.over(&failed.words),
            stderr: failed.stderr.map(|text| blot.over(&text)),
        })?;
        heard.may_stop(&service);
        Ok(Session {
            service: Some(service),
            program,
            heard,
            blot,
            of_list,
            limit,
            calling: false,
            leaving: self.leaving.clone(),
            listed,
        })
    }

    async fn start(
        &self,
        command: &str,
        values: &[(McpValue, Zeroizing<String>)],
        of_list: &Blot,
        limit: Duration,
    ) -> Result<Opened, Failed> {
        let bare = |words: String| Failed { words, stderr: None };
        let room = self.room.ok_or_else(|| bare("there is no place to start it in".to_owned()))?;
        let mut line = line(command, values);
        let mut room = Cow::Borrowed(room);
        if self.server.project_id.is_none() {
            // It has a secret of the whole team's. What a project's agents leave in the worktree and the caches is not to decide what
            // is started, as it would by npm's settings or packages there.
            room.to_mut().cache = None;
            line.insert_str(0, "cd /tmp || exit\n");
        }
        let mut running =
            self.sandbox.start(&room, &line, Streams::Parted).await.map_err(|error| bare(error.to_string()))?;
        let (Some(mut input), Some(output), Some(errors)) =
            (running.input.take(), running.output.take(), running.errors.take())
        else {
            return Err(bare("its streams could not be had".to_owned()));
        };
        let said = Arc::new(Said::default());
        said.listen(errors);
        let mut program = Program::keep(running, Arc::clone(&said));
        let heard = Arc::new(Heard::default());
        let manners = Manners::new(&heard);
        let messages = Messages::new(output, said);
        let speaking = async {
            for (_, value) in values {
                // One that ends before it has read them says why elsewhere.
                let _ = input.write_all(value.as_bytes()).await;
                let _ = input.write_all(&[0]).await;
            }
            let service =
                manners.serve_with_lifecycle((messages, input), lifecycle()).await.map_err(|e| of_start(&e))?;
            let listed = list(&service, of_list).await.map_err(|error| of_call(&error))?;
            Ok::<_, String>((service, listed))
        };
        let spoken = match tokio::time::timeout(limit, speaking).await {
            Ok(spoken) => spoken,
            Err(_) => Err(format!("it did not answer within {} seconds", limit.as_secs())),
        };
        match spoken {
            Ok((service, listed)) => Ok((service, heard, Some(program), listed)),
            Err(words) => {
                let ended = program.last_words("before it answered").await;
                let stderr = program.errors();
                program.close().await;
                Err(Failed { words: ended.unwrap_or(words), stderr })
            }
        }
    }

    async fn reach(
        &self,
        url: &str,
        values: &[(McpValue, Zeroizing<String>)],
        of_list: &Blot,
        limit: Duration,
    ) -> Result<Opened, Failed> {
        let bare = |words: String| Failed { words, stderr: None };
        let parsed: Url = url.parse().map_err(|_| bare("its address cannot be read".to_owned()))?;
        let caller = self.team.caller().map_err(|error| bare(error.to_string()))?;
        let client = caller.client_for(&parsed).map_err(|error| bare(error.to_string()))?;
        let mut config = StreamableHttpClientTransportConfig::with_uri(url)
            .custom_headers(headers(values).map_err(bare)?)
            .max_json_response_size(MESSAGE)
            .max_sse_event_size(MESSAGE)
            .max_error_response_size(WORDS);
        config.retry_config = Arc::new(NeverRetry::default());
        let heard = Arc::new(Heard::default());
        let manners = Manners::new(&heard);
        let speaking = async {
            let transport = StreamableHttpClientTransport::with_client(Tap::new(client, Arc::clone(&heard)), config);
            let service = manners.serve_with_lifecycle(transport, lifecycle()).await.map_err(|e| of_start(&e))?;
            let listed = list(&service, of_list).await.map_err(|error| of_call(&error))?;
            Ok::<_, String>((service, listed))
        };
        match tokio::time::timeout(limit, speaking).await {
            Ok(Ok((service, listed))) => Ok((service, heard, None, listed)),
            Ok(Err(words)) => Err(bare(of_far(words))),
            Err(_) => Err(bare(format!("it did not answer within {} seconds", limit.as_secs()))),
        }
    }
}

type Opened = (Service, Arc<Heard>, Option<Program>, Listed);

fn lifecycle() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
    }
}

/// The line that starts a program. Its environment comes through its standard input, before anything else does: what stands
/// in a line or among arguments can be read by others on this machine.
fn line(command: &str, values: &[(McpValue, Zeroizing<String>)]) -> String {
    let reads = values.iter().map(|(about, _)| format!("IFS= read -r -d '' {0} && export {0}\n", about.name));
    reads.chain([command.to_owned()]).collect()
}

fn headers(values: &[(McpValue, Zeroizing<String>)]) -> Result<HashMap<HeaderName, HeaderValue>, String> {
    let mut all = HashMap::with_capacity(values.len());
    for (about, value) in values {
        let unfit = || format!("{} cannot be a header; set it again", about.name);
        let name = HeaderName::try_from(about.name.as_str()).map_err(|_| unfit())?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| unfit())?;
        value.set_sensitive(about.secret);
        all.insert(name, value);
    }
    Ok(all)
}

async fn list(service: &Service, blot: &Blot) -> Result<Listed, ServiceError> {
    let mut listed = Listed::default();
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = service.list_tools(Some(PaginatedRequestParams::default().with_cursor(cursor))).await?;
        for tool in page.tools {
            listed.take(tool, blot);
        }
        cursor = page.next_cursor;
        if cursor.is_none() || listed.is_full() {
            break;
        }
    }
    Ok(listed)
}

impl Session {
    /// The revision that was agreed on, and what the server calls itself.
    pub(crate) fn about(&self) -> (Option<String>, Option<String>) {
        let Some(info) = self.service.as_ref().and_then(|service| service.peer_info()) else { return (None, None) };
        let server = info.server_info.as_ref().map(|server| format!("{} {}", server.name, server.version));
        let told = |text: String| self.blot.over(&beginning(&text));
        (Some(told(info.protocol_version.to_string())), server.map(told))
    }

    /// Lists the tools anew if the server said that they changed. Returns whether they were listed.
    pub(crate) async fn refresh(&mut self) -> Result<bool, String> {
        if !self.heard.take_changed() {
            return Ok(false);
        }
        let Some(service) = &self.service else { return Err(GONE.to_owned()) };
        match tokio::time::timeout(self.limit, list(service, &self.of_list)).await {
            Ok(Ok(listed)) => {
                self.listed = listed;
                Ok(true)
            }
            Ok(Err(error)) => Err(self.blot.over(&of_call(&error))),
            Err(_) => Err(format!("it did not list its tools within {} seconds", self.limit.as_secs())),
        }
    }

    /// Whether the conversation is over.
    pub(crate) fn is_over(&self) -> bool {
        self.service.as_ref().is_none_or(|service| service.is_closed() || service.is_transport_closed())
    }

    /// Why a conversation is over in which nothing was asked.
    pub(crate) async fn why_over(&mut self) -> String {
        let words = match &mut self.program {
            _ if self.heard.is_flood() => Some(FLOODED.to_owned()),
            Some(program) => program.last_words("between two calls").await,
            None => None,
        };
        words.map_or_else(|| "it ended by itself".to_owned(), |words| self.blot.over(&words))
    }

    /// Ends the conversation, and waits until the program is gone.
    pub(crate) async fn close(mut self) {
        leave(self.service.take(), self.program.take(), self.calling).await;
    }

    /// Calls a tool. Dropping the future tells the server that nobody waits any more.
    pub(crate) async fn call(&mut self, tool: &str, arguments: JsonObject) -> Called {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let Some(service) = &self.service else { return Called::Over(GONE.to_owned()) };
        self.heard.begin();
        self.calling = true;
        let Ok(answer) = tokio::time::timeout(self.limit, service.call_tool_once(params)).await else {
            return Called::Late;
        };
        self.calling = false;
        match answer {
            Ok(CallToolResponse::Complete(result)) => Called::Answered(Box::new(result)),
            Ok(CallToolResponse::InputRequired(_)) => {
                Called::Refused("it asks somebody for more before it answers, and nobody is asked here".to_owned())
            }
            Ok(_) => Called::Refused("it answers later, by a task, which is not waited for here".to_owned()),
            Err(ServiceError::McpError(error)) => Called::Refused(self.blot.over(&refusal(&error))),
            Err(error) => Called::Over(self.why(&error).await),
        }
    }

    async fn why(&mut self, error: &ServiceError) -> String {
        if self.heard.is_flood() {
            return FLOODED.to_owned();
        }
        let Some(program) = &mut self.program else { return self.blot.over(&of_far(of_call(error))) };
        let words = program.last_words("in the middle of the call").await;
        let mut words = words.unwrap_or_else(|| of_call(error));
        if let Some(errors) = program.errors() {
            words.push_str(&format!("; the end of its standard error: {}", ending(&errors)));
        }
        self.blot.over(&words)
    }

    /// The text without the secrets that the server was given.
    pub(crate) fn blotted(&self, text: &str) -> String {
        self.blot.over(text)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let (service, program) = (self.service.take(), self.program.take());
        if service.is_none() && program.is_none() {
            return;
        }
        // Without a runtime, what is dropped here ends by itself.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.leaving.spawn_on(leave(service, program, self.calling), &runtime);
        }
    }
}

/// Ends a conversation: where a call was given up, that goes out; then the server's input ends, and a
/// program that does not end with it is ended.
async fn leave(service: Option<Service>, program: Option<Program>, calling: bool) {
    if let Some(mut service) = service {
        if calling && !service.is_closed() && !service.is_transport_closed() {
            tokio::time::sleep(LAST_WORDS).await;
        }
        if tokio::time::timeout(CLOSING, service.close()).await.is_err() {
            tracing::debug!("an MCP server did not let a conversation end in time");
        }
    }
    if let Some(program) = program {
        program.close().await;
    }
}

/// The beginning of a text, on one line.
pub(super) fn beginning(text: &str) -> String {
    let line = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(WORDS).map(line).collect()
}

/// The end of a text.
fn ending(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(WORDS))..]
}

fn refusal(error: &ErrorData) -> String {
    format!("it refused: {} ({})", beginning(&error.message), error.code.0)
}

/// Why a conversation did not begin.
fn of_start(error: &ClientInitializeError) -> String {
    match error {
        ClientInitializeError::JsonRpcError(error) => refusal(error),
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => of_start(fallback),
        ClientInitializeError::ConnectionClosed(_) => ENDED_EARLY.to_owned(),
        ClientInitializeError::NoCompatibleProtocolVersion { server_supported, .. } => {
            let theirs: Vec<String> = server_supported.iter().map(ToString::to_string).collect();
            format!("it speaks only revisions of MCP that are not spoken here: {}", beginning(&theirs.join(", ")))
        }
        ClientInitializeError::TransportError { error, .. } => of_transport(error),
        other => of_transport(other),
    }
}

/// Why a request was not answered.
fn of_call(error: &ServiceError) -> String {
    match error {
        ServiceError::McpError(error) => refusal(error),
        ServiceError::TransportClosed => ENDED.to_owned(),
        other => of_transport(other),
    }
}

/// Of a server elsewhere that is all that is known when a stream was cut because an event of it was too large.
fn of_far(words: String) -> String {
    match words == ENDED || words == ENDED_EARLY {
        true => format!("{words}, or sent a message of over 4 MiB, which is not read"),
        false => words,
    }
}

/// Whether rmcp's words for an answer begin with one of the two statuses by which somebody is not let in.
fn is_refusal(words: &str) -> bool {
    ["HTTP 401", "HTTP 403"].iter().any(|status| words.starts_with(status))
}

fn of_transport(error: &(dyn std::error::Error + 'static)) -> String {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    match causes.find_map(|cause| cause.downcast_ref::<StreamableHttpError<CallError>>()) {
        Some(StreamableHttpError::Client(error)) => Uncalled::from(error).to_string(),
        Some(StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_)) => UNKNOWN.to_owned(),
        Some(StreamableHttpError::UnexpectedServerResponse(words)) if is_refusal(words) => UNKNOWN.to_owned(),
        Some(StreamableHttpError::UnexpectedServerResponse(words)) if words.starts_with("HTTP 3") => {
            ELSEWHERE.to_owned()
        }
        Some(StreamableHttpError::ResponseBodyTooLarge { .. }) => TOO_LARGE.to_owned(),
        Some(StreamableHttpError::UnexpectedContentType(kind)) => {
            let kind = kind.as_deref().map_or_else(|| "nothing that is named".to_owned(), beginning);
            format!("what it answers is not MCP, but {kind}")
        }
        Some(error) => beginning(&chain(error)),
        None => beginning(&chain(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_stands_in_the_line() {
        let value = McpValue { name: "KEY".to_owned(), secret: true, value: None };
        let line = line("node server.js", &[(value, Zeroizing::new("it's a secret".to_owned()))]);
        assert_eq!(line, "IFS= read -r -d '' KEY && export KEY\nnode server.js");
    }

    #[test]
    fn a_secret_header_does_not_show_itself() {
        let value = McpValue { name: "Authorization".to_owned(), secret: true, value: None };
        let all = headers(&[(value, Zeroizing::new("Bearer abcdefgh".to_owned()))]).unwrap();
        assert!(!format!("{all:?}").contains("abcdefgh"));
    }
}
