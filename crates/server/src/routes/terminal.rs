//! A terminal in the worktree of a run, over a WebSocket.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use futures::StreamExt;
use futures::stream::{SplitSink, SplitStream};
use guildhall_bus::{Hint, Lagged};
use guildhall_engine::Sitting;
use guildhall_sandbox::Size;
use guildhall_types::RunId;
use guildhall_types::event::Happening;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{Instrument, Span};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Signed;
use crate::connections::Place;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::routes::runs::shown;
use crate::ws::{End, PATIENCE, give, must_be_signed_in};

/// Bytes of a message from the page at most.
const HEARD: usize = 64 * 1024;
/// Bytes that may wait until the shell reads them; then the page is not read.
const TYPED: usize = 128 * 1024;
/// Bytes that may be on their way to the page without its having shown them; then the shell is not read.
const UNSHOWN: usize = 128 * 1024;
/// Bytes that are sent at once.
const CHUNK: usize = 16 * 1024;
/// Characters in a line and lines, at least and at most.
const EXTENT: (u16, u16) = (2, 1000);
/// How long what may be the beginning of a secret is held back: what is typed is shown without a pause that one feels.
const HELD: Duration = Duration::from_millis(50);
/// How long the last words of a shell that has ended may take.
const LAST: Duration = Duration::from_secs(1);
/// After which a terminal ends in which nobody types.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// Close codes, beside those of the WebSocket of events.
mod close {
    pub(super) const ENDED: u16 = 4000;
    pub(super) const IDLE: u16 = 4408;
    pub(super) const NEEDED: u16 = 4423;
}

/// How large the page's window is.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OpenTerminal {
    /// Characters in a line; 80 when left out.
    #[param(nullable = false)]
    columns: Option<u16>,
    /// Lines; 24 when left out.
    #[param(nullable = false)]
    rows: Option<u16>,
}

/// What the server says in text frames; what the terminal shows comes in binary frames.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TerminalNotice {
    /// Comes first.
    Ready {
        /// Whether files can only be looked at: an agent is at work, or the work does not wait for anybody.
        read_only: bool,
    },
}

/// What the page says in text frames; what is typed comes in binary frames.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Said {
    /// Its window is of another size now.
    Resize { columns: u16, rows: u16 },
    /// It has shown so many more bytes.
    Shown { bytes: usize },
}

fn size(columns: u16, rows: u16) -> Size {
    let (least, most) = EXTENT;
    Size { columns: columns.clamp(least, most), rows: rows.clamp(least, most) }
}

/// Opens a terminal in the worktree of a run, in the sandbox of its commands, for the run's member and admins.
///
/// Over a WebSocket: binary frames hold what is typed and what is shown, in UTF-8. In text frames the page says
/// `{"type": "resize", "columns": 80, "rows": 24}`, and `{"type": "shown", "bytes": 4096}` for what it has shown: with 128 KiB
/// that it has not, the shell waits. Close codes: 4000 the shell ended, 4401 the session has ended, 4408 nobody typed for half an
/// hour, 4423 the worktree is needed.
#[utoipa::path(get, path = "/api/runs/{id}/terminal", tag = "runs",
    params(("id" = RunId, Path, description = "The run."), OpenTerminal),
    responses((status = 101, description = "A WebSocket whose text frames are these.", body = TerminalNotice)))]
pub async fn open_terminal(
    State(app): State<App>,
    signed: Signed,
    Path(id): Path<RunId>,
    Query(query): Query<OpenTerminal>,
    place: Option<Extension<Place>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    shown(&app, id).await?;
    signed.session()?;
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(refused) => {
            // A browser does not say why it was refused a WebSocket: it can ask without one.
            app.engine.may_sit(&signed.member, id).await?;
            return Err(Problem::upgrade_wanted(&refused.body_text()));
        }
    };
    let size = size(query.columns.unwrap_or(80), query.rows.unwrap_or(24));
    let sitting = app.engine.open_terminal(&signed.team, &signed.member, id, size).await?;
    let span = Span::current();
    Ok(upgrade.read_buffer_size(HEARD).max_message_size(HEARD).max_frame_size(HEARD).on_upgrade(move |socket| {
        let open = app.metrics.socket();
        let sitting = async move {
            sit(app, signed, sitting, socket).await;
            drop((place, open));
        };
        sitting.instrument(span)
    }))
}

/// The shell has ended.
const SHELL_ENDED: End = End::Close(close::ENDED, "the shell has ended");

/// A terminal from which nothing can be read, or to which nothing can be written, is one whose shell has ended.
fn broken(error: std::io::Error) -> End {
    tracing::debug!(%error, "a terminal ended");
    SHELL_ENDED
}

async fn sit(app: App, signed: Signed, mut sitting: Sitting, socket: WebSocket) {
    let (mut sink, mut page) = socket.split();
    let end = match talk(&app, &signed, &mut sitting, &mut sink, &mut page).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    // What was changed is kept before the page hears that it is over, and looks.
    if let Some(told) = sitting.close().await {
        // A page that is gone finds it on the card.
        let _ = give(&mut sink, Message::Binary(format!("\r\n{told}\r\n").into_bytes().into())).await;
    }
    end.tell(&mut sink).await;
}

async fn talk(
    app: &App,
    signed: &Signed,
    sitting: &mut Sitting,
    sink: &mut SplitSink<WebSocket, Message>,
    page: &mut SplitStream<WebSocket>,
) -> Result<std::convert::Infallible, End> {
    let mut ear = app.bus.listen();
    let ready = TerminalNotice::Ready { read_only: sitting.is_read_only() };
    let ready = serde_json::to_string(&ready).map_err(|error| End::failed(&error))?;
    give(sink, Message::Text(ready.into())).await?;
    // What ended the session after it was looked at, and before the bus was listened to, was not heard.
    must_be_signed_in(app, signed).await?;
    let (leave, pace) = (sitting.leave(), app.listening);
    let mut blot = sitting.blot();
    // When what is held back is shown as it is. Nothing else that happens puts it off.
    let mut due: Option<Instant> = None;
    let (terminal, ended) = sitting.split();
    tokio::pin!(ended);
    let mut ping = tokio::time::interval_at(Instant::now() + pace.ping, pace.ping);
    let mut recheck = tokio::time::interval_at(Instant::now() + pace.recheck, pace.recheck);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut active) = (Instant::now(), Instant::now());
    let mut typed: Vec<u8> = Vec::new();
    let mut unshown = 0;
    let mut chunk = vec![0; CHUNK];
    loop {
        tokio::select! {
            () = app.closing.cancelled() => return Err(End::SHUTDOWN),
            over = &mut ended => {
                // What it still shows comes before its end, unless it was ended for a limit.
                if let Some(over) = over {
                    give(sink, Message::Binary(format!("\r\n{over}\r\n").into_bytes().into())).await?;
                } else {
                    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(LAST, terminal.read(&mut chunk)).await {
                        show(sink, blot.push(&chunk[..count])).await?;
                    }
                    show(sink, blot.finish()).await?;
                }
                return Err(SHELL_ENDED);
            }
            () = leave.cancelled() => return Err(End::Close(close::NEEDED, "the worktree is needed for work")),
            hint = ear.next() => match hint {
                Ok(Some(Hint::Event(event))) => {
                    if let Happening::MemberUpdated { member } = &event.what
                        && member.id == signed.member.id
                    {
                        must_be_signed_in(app, signed).await?;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err(End::SHUTDOWN),
                Err(Lagged) => must_be_signed_in(app, signed).await?,
            },
            message = page.next(), if typed.len() < TYPED => {
                heard = Instant::now();
                match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Left),
                    Some(Ok(Message::Binary(bytes))) => {
                        active = heard;
                        typed.extend_from_slice(&bytes);
                    }
                    Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                        Ok(Said::Resize { columns, rows }) => terminal.resize(size(columns, rows)).map_err(broken)?,
                        Ok(Said::Shown { bytes }) => unshown = usize::saturating_sub(unshown, bytes),
                        // It is passed over, as what is no message is.
                        Err(error) => tracing::debug!(%error, "a page said to a terminal what cannot be read"),
                    },
                    Some(Ok(_)) => {}
                }
            }
            read = terminal.read(&mut chunk), if unshown < UNSHOWN => {
                let count = read.map_err(broken)?;
                if count == 0 {
                    show(sink, blot.finish()).await?;
                    return Err(SHELL_ENDED);
                }
                let said = blot.push(&chunk[..count]);
                // What is held back now is new if something was told.
                due = match (blot.holds(), due.filter(|_| said.is_empty())) {
                    (true, None) => Some(Instant::now() + HELD),
                    (true, due) => due,
                    (false, _) => None,
                };
                unshown += said.len();
                show(sink, said).await?;
            }
            () = tokio::time::sleep_until(due.unwrap_or(heard)), if due.is_some() => {
                due = None;
                let said = blot.finish();
                unshown += said.len();
                show(sink, said).await?;
            }
            written = terminal.write(&typed), if !typed.is_empty() => {
                typed.drain(..written.map_err(broken)?);
            }
            _ = ping.tick() => {
                if heard.elapsed() > PATIENCE && typed.len() < TYPED {
                    return Err(End::Left);
                }
                if active.elapsed() > IDLE {
                    return Err(End::Close(close::IDLE, "nobody typed for half an hour"));
                }
                give(sink, Message::Ping(Default::default())).await?;
            }
            _ = recheck.tick() => must_be_signed_in(app, signed).await?,
        }
    }
}

/// Gives what the terminal shows.
async fn show(sink: &mut SplitSink<WebSocket, Message>, said: Vec<u8>) -> Result<(), End> {
    match said.is_empty() {
        true => Ok(()),
        false => give(sink, Message::Binary(said.into())).await,
    }
}
