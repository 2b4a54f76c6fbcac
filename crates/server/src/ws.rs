//! The WebSocket that tells of everything that happens, without gaps.
//!
//! It listens to the bus first and reads the store second, so that nothing falls between the two; what the store told
//! already is passed over when the bus tells it again, and what the bus leaves out is read from the store.

mod desk;
mod end;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use futures::StreamExt;
use futures::stream::{SplitSink, SplitStream};
use guildhall_bus::{Hint, Lagged, Listener};
use guildhall_team::TeamError;
use guildhall_types::NodeId;
use guildhall_types::event::{Editing, Event, Happening, RunOutput};
use guildhall_types::rights::MemberRight;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{Instrument, Span};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{Pass, Signed};
use crate::connections::Place;
use crate::extract::Query;
use crate::problem::Problem;
use desk::Desk;
pub(crate) use end::{End, give, must_be_signed_in};

/// Events that are read at once.
const AT_ONCE: i64 = 500;
/// A client that takes nothing, or says nothing (not even pongs), for so long is gone.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a message from the client at most: it has little to say.
const HEARD: usize = 4 * 1024;

/// How WebSockets are kept.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// Events that are replayed at most; a client that is further behind had better read everything anew.
    pub replayed: i64,
    /// Between two pings.
    pub ping: Duration,
    /// How often it is asked whether the session still holds.
    pub recheck: Duration,
}

impl Default for Listening {
    fn default() -> Self {
        Self { replayed: 5_000, ping: Duration::from_secs(20), recheck: Duration::from_secs(60) }
    }
}

/// Close codes: 1001 and 1011 are of RFC 6455, 4401 and 4409 our own.
mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const FAILED: u16 = 1011;
    pub(super) const SESSION_ENDED: u16 = 4401;
    pub(super) const RESYNC: u16 = 4409;
}

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListenEvents {
    /// The number of the latest event that the client knows: what came after it is replayed. Without it, nothing is.
    #[param(nullable = false)]
    since: Option<i64>,
}

/// What the server sends, one JSON object in each text frame: one of these, or an [`Event`].
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Notice {
    /// Comes first.
    #[serde(rename = "hello")]
    Hello {
        /// The number of the latest event.
        seq: i64,
        /// The server's process.
        node: NodeId,
    },
    /// Live output of a run; not stored.
    #[serde(rename = "run.output")]
    Output(RunOutput),
    /// Another member writes at an item of the knowledge hub, or no longer does; not stored.
    #[serde(rename = "knowledge.editing")]
    Editing(Editing),
    /// The client is too far behind: it must read everything anew and connect without `since`. The server closes.
    #[serde(rename = "resync")]
    Resync,
}

/// One frame from the server. For the description alone: what is sent is made of its parts without a copy.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Frame {
    /// Something that the store has numbered.
    Event(Box<Event>),
    /// Anything else.
    Notice(Notice),
}

/// Tells of everything that happens, over a WebSocket.
///
/// Frames from the server are JSON texts. The client may say at which item of the knowledge hub its member writes, by
/// `{"type": "knowledge.editing", "itemId": "…"}`, again and again while that lasts, and without `itemId` when it is over; the
/// others are told. Close code 4401: the session has ended. A member may hold 50 at once, of which a token holds 20: one more is
/// answered with 429.
#[utoipa::path(get, path = "/api/events", tag = "events", params(ListenEvents),
    responses((status = 101, description = "A WebSocket whose text frames are these.", body = Frame)))]
pub async fn listen_events(
    State(app): State<App>,
    signed: Signed,
    Query(query): Query<ListenEvents>,
    place: Option<Extension<Place>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    if query.since.is_some_and(|since| since < 0) {
        return Err(Problem::invalid("since", "give the number of an event, or 0 for all of them"));
    }
    let upgrade = upgrade.map_err(|refused| Problem::upgrade_wanted(&refused.body_text()))?;
    let seat = app.sockets.take(&signed)?;
    let span = Span::current();
    Ok(upgrade.read_buffer_size(HEARD).max_message_size(HEARD).max_frame_size(HEARD).on_upgrade(move |socket| {
        let open = app.metrics.socket();
        let talking = async move {
            talk(app, signed, query.since, socket).await;
            drop((place, seat, open));
        };
        talking.instrument(span)
    }))
}

/// One client that is being told.
struct Teller {
    app: App,
    /// Who is told, and by what they are known.
    signed: Signed,
    sink: SplitSink<WebSocket, Message>,
    /// The number of the latest event that the client was told.
    told: i64,
    /// At what the member writes.
    desk: Desk,
}

async fn talk(app: App, signed: Signed, since: Option<i64>, socket: WebSocket) {
    let mut ear = app.bus.listen();
    let (sink, mut from_client) = socket.split();
    let mut teller = Teller { app, signed, sink, told: 0, desk: Desk::default() };
    let Err(end) = teller.tell(since, &mut ear, &mut from_client).await;
    if let Some(left) = teller.desk.leave(teller.signed.member.id) {
        teller.app.bus.edit(left);
    }
    end.tell(&mut teller.sink).await;
}

impl Teller {
    /// Says hello, replays what the client has missed, and hands over what live streams hold so far.
    async fn greet(&mut self, since: Option<i64>) -> Result<(), End> {
        let latest = self.app.team.store.last_seq().await.map_err(|error| End::failed(&error))?;
        self.send(&Notice::Hello { seq: latest, node: self.app.engine.node() }).await?;
        self.told = since.unwrap_or(latest);
        // A client that knows of more than there is has seen another database.
        if self.told > latest || latest - self.told > self.app.listening.replayed {
            return self.resync().await;
        }
        // Of what is gone nobody can be told; whoever asks for nothing misses nothing.
        if since.is_some()
            && self.told < self.app.team.store.forgotten_seq().await.map_err(|error| End::failed(&error))?
        {
            return self.resync().await;
        }
        self.catch_up().await?;
        for output in self.app.bus.live_so_far() {
            self.send(&Notice::Output(output)).await?;
        }
        Ok(())
    }

    /// Tells the client of everything until it leaves or must be left.
    async fn tell(
        &mut self,
        since: Option<i64>,
        ear: &mut Listener,
        from_client: &mut SplitStream<WebSocket>,
    ) -> Result<Infallible, End> {
        self.greet(since).await?;
        // What ended it after it was looked at, and before the bus was listened to, was not heard.
        must_be_signed_in(&self.app, &self.signed).await?;
        let closing = self.app.closing.clone();
        let pace = self.app.listening;
        let mut ping = tokio::time::interval_at(Instant::now() + pace.ping, pace.ping);
        let mut recheck = tokio::time::interval_at(Instant::now() + pace.recheck, pace.recheck);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                () = closing.cancelled() => return Err(End::SHUTDOWN),
                hint = ear.next() => match hint {
                    Ok(Some(hint)) => self.pass_on(hint).await?,
                    Ok(None) => return Err(End::SHUTDOWN),
                    Err(Lagged) => self.catch_up().await?,
                },
                message = from_client.next() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Left),
                    // Pings are answered by the protocol's own layer; anything else is passed over.
                    Some(Ok(message)) => {
                        heard = Instant::now();
                        if let Message::Text(text) = message {
                            self.hear(&text, heard);
                        }
                    }
                },
                _ = ping.tick() => {
                    if heard.elapsed() > PATIENCE {
                        return Err(End::Left);
                    }
                    self.give(Message::Ping(Default::default())).await?;
                }
                _ = recheck.tick() => must_be_signed_in(&self.app, &self.signed).await?,
            }
        }
    }

    /// Passes on what the client says, if its member may write in the hub.
    fn hear(&mut self, text: &str, now: Instant) {
        if self.signed.may(MemberRight::Knowledge) {
            for editing in self.desk.hear(self.signed.member.id, text, now) {
                self.app.bus.edit(editing);
            }
        }
    }

    async fn pass_on(&mut self, hint: Hint) -> Result<(), End> {
        match hint {
            Hint::Output(output) => self.send(&Notice::Output(Arc::unwrap_or_clone(output))).await,
            // Other pages of the same member are of one mind.
            Hint::Editing(editing) if editing.member_id == self.signed.member.id => Ok(()),
            Hint::Editing(editing) => self.send(&Notice::Editing(editing)).await,
            Hint::Event(event) if event.seq <= self.told => Ok(()),
            Hint::Event(event) if event.seq == self.told + 1 => self.tell_event(&event).await,
            // The bus left something out; the store has it all.
            Hint::Event(_) => self.catch_up().await,
        }
    }

    /// Sends everything that the store holds and the client was not told.
    async fn catch_up(&mut self) -> Result<(), End> {
        let from = self.told;
        loop {
            let events =
                self.app.team.store.events_after(self.told, AT_ONCE).await.map_err(|error| End::failed(&error))?;
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                if event.seq - from > self.app.listening.replayed {
                    return self.resync().await;
                }
                self.tell_event(&event).await?;
            }
        }
    }

    async fn tell_event(&mut self, event: &Event) -> Result<(), End> {
        if let Happening::MemberUpdated { member } = &event.what
            && member.id == self.signed.member.id
        {
            must_be_signed_in(&self.app, &self.signed).await?;
            self.signed.member.role = member.role;
        }
        self.told = event.seq;
        let for_others = event.what.only_for().is_some_and(|member| member != self.signed.member.id);
        let beyond = event.what.only_with().is_some_and(|right| !self.signed.may(right));
        match for_others || beyond {
            true => Ok(()),
            false => self.send(event).await,
        }
    }

    async fn resync(&mut self) -> Result<(), End> {
        self.send(&Notice::Resync).await?;
        Err(End::Close(close::RESYNC, "read everything anew"))
    }

    async fn send(&mut self, frame: &impl Serialize) -> Result<(), End> {
        let text = serde_json::to_string(frame).map_err(|error| End::failed(&error))?;
        self.give(Message::Text(text.into())).await
    }

    async fn give(&mut self, message: Message) -> Result<(), End> {
        give(&mut self.sink, message).await
    }
}

/// Whether what a member is known by on a connection that goes on still holds.
///
/// # Errors
/// When the store fails.
async fn still_signed_in(app: &App, signed: &Signed) -> Result<bool, TeamError> {
    let holds = match &signed.pass {
        Pass::Session(session) => app.team.session_holds(session.id).await,
        Pass::Token(token) => app.team.token_holds(token.id).await,
    };
    match holds? {
        true => Ok(!app.team.lacks_second_factor(signed.member.id).await?),
        false => Ok(false),
    }
}
