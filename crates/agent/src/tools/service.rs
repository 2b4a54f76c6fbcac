//! The tools for what runs on: a web server, a watcher.

use std::sync::Arc;

use async_trait::async_trait;
use guildhall_types::chat::ToolSpec;
use guildhall_types::service::{Service, ServiceStatus};
use serde::Deserialize;
use serde_json::{Value, json};

use super::bash::plain;
use super::{OUTPUT, arguments, spec};
use crate::services::Services;
use crate::text::bounded;
use crate::{Tool, ToolAnswer, ToolContext};

const START: &str = "service_start";
const LIST: &str = "service_list";
const LOGS: &str = "service_logs";
const STOP: &str = "service_stop";

/// Lines of a log where nothing is said of it, and at most.
const USUAL: usize = 100;
const MOST: usize = 2_000;

/// The tools, for work whose services are these.
pub fn of_services(services: &Arc<dyn Services>) -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(Start(Arc::clone(services))),
        Arc::new(List(Arc::clone(services))),
        Arc::new(Logs(Arc::clone(services))),
        Arc::new(Stop(Arc::clone(services))),
    ]
}

fn name_schema() -> Value {
    json!({ "type": "string", "description": "Small letters, digits and hyphens, such as `web`." })
}

/// How a service stands, in a line.
fn standing(service: &Service) -> String {
    let Service { name, command, .. } = service;
    let port = service.port.map_or(String::new(), |port| format!(", port {port}"));
    let stands = match service.status {
        ServiceStatus::Running => "running".to_owned(),
        ServiceStatus::Ended => match service.exit_code {
            Some(code) => format!("ended with exit code {code}"),
            None => "was ended by a signal".to_owned(),
        },
        ServiceStatus::Stopped => match &service.problem {
            Some(why) => format!("stopped. {why}"),
            None => "stopped".to_owned(),
        },
        ServiceStatus::Lost => "gone: the server that ran it was stopped".to_owned(),
    };
    format!("{name}: {stands} (`{command}`{port})")
}

fn printed(text: &str) -> String {
    let text = plain(text);
    match text.trim_end() {
        "" => "(no output)".to_owned(),
        text => bounded(text, OUTPUT),
    }
}

struct Start(Arc<dyn Services>);

#[derive(Deserialize)]
struct StartArguments {
    name: String,
    command: String,
    port: Option<u16>,
}

#[async_trait]
impl Tool for Start {
    fn spec(&self) -> ToolSpec {
        spec(
            START,
            "Starts a command that runs on while you work, such as a web server or a watcher, and answers with what it printed \
             in its first moments. Your other commands reach it at localhost. It ends with your work: your last turn, a \
             pause, a stop. What follows your work, checks and other agents, does not find it. Members see it, and the pages \
             of a server when you say its port.",
            json!({
                "name": name_schema(),
                "command": { "type": "string", "description": "For bash, in the root of the worktree, without a `&`." },
                "port": {
                    "type": "integer", "minimum": 1, "maximum": 65_535,
                    "description": "The port at which it will listen, if it is a server.",
                },
            }),
            &["name", "command"],
        )
    }

    fn changes_files(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let StartArguments { name, command, port } = match arguments(START, input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        match self.0.start(&name, &command, port).await {
            Ok(begun) => {
                let runs = begun.service.status == ServiceStatus::Running;
                let hint = match (runs, port, begun.answers) {
                    (true, Some(port), Some(true)) => format!(" Something listens at localhost:{port}."),
                    (true, Some(port), Some(false)) => format!(
                        " Nothing listens at port {port} yet. Look at `{LOGS}` in a moment; it may listen elsewhere."
                    ),
                    _ => String::new(),
                };
                let text = format!("{}.{hint}\n{}", standing(&begun.service), printed(&begun.printed));
                ToolAnswer { text, is_error: !runs, images: Vec::new() }
            }
            Err(why) => ToolAnswer::error(why),
        }
    }
}

struct List(Arc<dyn Services>);

#[async_trait]
impl Tool for List {
    fn spec(&self) -> ToolSpec {
        spec(LIST, "Lists the services of this work: those that run, and those that have ended.", json!({}), &[])
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn call(&self, _input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        match self.0.list().await {
            Ok(all) if all.is_empty() => ToolAnswer::ok(format!("There are none. `{START}` starts one.")),
            Ok(all) => ToolAnswer::ok(all.iter().map(standing).collect::<Vec<_>>().join("\n")),
            Err(why) => ToolAnswer::error(why),
        }
    }
}

struct Logs(Arc<dyn Services>);

#[derive(Deserialize)]
struct LogsArguments {
    name: String,
    lines: Option<usize>,
}

#[async_trait]
impl Tool for Logs {
    fn spec(&self) -> ToolSpec {
        spec(
            LOGS,
            "Shows the last lines that a service printed.",
            json!({
                "name": name_schema(),
                "lines": {
                    "type": "integer", "minimum": 1, "maximum": MOST,
                    "description": format!("{USUAL} when left out."),
                },
            }),
            &["name"],
        )
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let LogsArguments { name, lines } = match arguments(LOGS, input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        match self.0.logs(&name, lines.unwrap_or(USUAL).clamp(1, MOST)).await {
            Ok(told) => ToolAnswer::ok(format!("{}\n{}", standing(&told.service), printed(&told.text))),
            Err(why) => ToolAnswer::error(why),
        }
    }
}

struct Stop(Arc<dyn Services>);

#[derive(Deserialize)]
struct StopArguments {
    name: String,
}

#[async_trait]
impl Tool for Stop {
    fn spec(&self) -> ToolSpec {
        spec(
            STOP,
            "Stops a service with everything that it started, and shows the end of what it printed.",
            json!({ "name": name_schema() }),
            &["name"],
        )
    }

    fn changes_files(&self) -> bool {
        true
    }

    async fn call(&self, input: Value, _context: ToolContext<'_>) -> ToolAnswer {
        let StopArguments { name } = match arguments(STOP, input) {
            Ok(arguments) => arguments,
            Err(answer) => return answer,
        };
        match self.0.stop(&name).await {
            Ok(told) => ToolAnswer::ok(format!("{}\n{}", standing(&told.service), printed(&told.text))),
            Err(why) => ToolAnswer::error(why),
        }
    }
}
