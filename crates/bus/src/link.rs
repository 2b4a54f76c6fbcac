//! The link of a node to the others, over Redis: one connection, by which it says what it has to say on a channel of the
//! installation's, and hears what is said there, its own words too. That these come back is what shows that the link holds.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use guildhall_types::{Clock, DateTime, NodeId};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, PushInfo, PushKind};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::address::RedisUrl;
use crate::outbox::Outbox;
use crate::wire::{self, Word};
use crate::{Bus, Hint};

/// How long Redis may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Between two words of a node that it is there.
const BEAT: Duration = Duration::from_secs(5);
/// When its own words have not come back for so long, a link is lost.
const DEAF: Duration = Duration::from_secs(15);
/// A node of which nothing was heard for so long is gone, and what it wrote goes on no further.
const SILENT: Duration = Duration::from_secs(20);
/// What lies between two tries to connect, at first and at most.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Those who ask at about the same time are answered together.
const ASKED: Duration = Duration::from_millis(200);
/// How long the last words may take.
const LEAVING: Duration = Duration::from_secs(1);
/// Other nodes of which it is remembered when they were heard.
const OTHERS: usize = 256;

/// How the link to the other nodes is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Whether words come through.
    pub up: bool,
    /// Since when that is so.
    pub since: DateTime,
    /// Why they do not, if that is known.
    pub trouble: Option<String>,
}

/// Why the link does not hold.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Redis cannot be reached, or refuses.
    #[error("{0}")]
    Redis(#[from] redis::RedisError),
    /// Redis ended the connection.
    #[error("Redis ended the connection")]
    Ended,
    /// Words do not come back.
    #[error("Redis takes what is said and hands none of it on")]
    Deaf,
    /// What is to be said cannot be written.
    #[error("what is to be said cannot be written")]
    Unwritable(#[from] serde_json::Error),
}

/// A node's part in a shared bus.
#[derive(Debug)]
pub(crate) struct Shared {
    node: NodeId,
    url: RedisUrl,
    channel: String,
    clock: Arc<dyn Clock>,
    pub(crate) outbox: Outbox,
    link: Mutex<Link>,
    /// When other nodes were last heard.
    others: Mutex<BTreeMap<NodeId, Instant>>,
    /// It was told that something was on the channel that no node said.
    garbage: AtomicBool,
    /// When it is time to answer those who ask.
    asked: Mutex<Option<Instant>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(url: RedisUrl, installation: &str, clock: Arc<dyn Clock>) -> Self {
        let link = Link { up: false, since: clock.now(), trouble: None };
        Self {
            node: NodeId::new(),
            url,
            channel: format!("guildhall:{installation}"),
            clock,
            outbox: Outbox::default(),
            link: Mutex::new(link),
            others: Mutex::default(),
            garbage: AtomicBool::default(),
            asked: Mutex::default(),
        }
    }

    pub(crate) fn link(&self) -> Link {
        locked(&self.link).clone()
    }

    /// Words come through.
    fn holds(&self) {
        let mut link = locked(&self.link);
        if !link.up {
            *link = Link { up: true, since: self.clock.now(), trouble: None };
            tracing::info!(redis = self.url.shown(), "the bus over Redis holds");
        }
    }

    /// They do not.
    fn is_lost(&self, error: &LinkError) {
        let mut link = locked(&self.link);
        let trouble = Some(error.to_string());
        if link.up || link.trouble.is_none() {
            tracing::warn!(
                redis = self.url.shown(),
                %error,
                "the bus over Redis is lost: work goes on, and other nodes hear of it some seconds later; trying again"
            );
        }
        let since = if link.up { self.clock.now() } else { link.since };
        *link = Link { up: false, since, trouble };
    }

    async fn say(&self, connection: &mut MultiplexedConnection, words: &[Word]) -> Result<(), LinkError> {
        let message = wire::pack(self.node, words)?;
        redis::cmd("PUBLISH").arg(&self.channel).arg(message).exec_async(connection).await?;
        Ok(())
    }
}

/// Connects, and answers with what is pushed by Redis.
pub(crate) async fn connect(
    url: &RedisUrl,
) -> Result<(MultiplexedConnection, UnboundedReceiver<PushInfo>), redis::RedisError> {
    let (push, pushed) = unbounded_channel();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER))
        .set_response_timeout(Some(ANSWER))
        .set_push_sender(push);
    let client = Client::open(url.info())?;
    let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    Ok((connection, pushed))
}

/// What is on the channel, if that is what was pushed.
pub(crate) fn message(push: PushInfo) -> Option<Vec<u8>> {
    match push.kind {
        PushKind::Message => Vec::<u8>::from_redis_value(push.data.into_iter().nth(1)?).ok(),
        _ => None,
    }
}

impl Bus {
    /// Keeps the link to the other nodes until `until` is ready. `commits` shows the number of the latest event that this
    /// node committed.
    pub async fn keep_linked(&self, mut commits: watch::Receiver<i64>, until: impl Future<Output = ()>) {
        let Some(shared) = &self.shared else { return };
        let mut until = std::pin::pin!(until);
        let mut pause = PAUSE;
        loop {
            let ended = self.linked(shared, &mut commits, until.as_mut()).await;
            shared.outbox.close();
            self.live.alone();
            locked(&shared.others).clear();
            let Err(error) = ended else { return };
            if shared.link().up {
                pause = PAUSE;
            }
            shared.is_lost(&error);
            // Nodes that were cut off at one moment do not come back at one.
            let apart = Duration::from_millis(u64::from(shared.node.0.as_bytes()[15]));
            tokio::select! {
                () = &mut until => return,
                () = tokio::time::sleep(pause + apart) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// Keeps one connection for as long as it lasts.
    async fn linked(
        &self,
        shared: &Shared,
        commits: &mut watch::Receiver<i64>,
        mut until: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), LinkError> {
        let begun = async {
            let (mut connection, pushed) = connect(&shared.url).await?;
            connection.subscribe(&shared.channel).await?;
            Ok::<_, LinkError>((connection, pushed))
        };
        let (mut connection, mut pushed) = tokio::select! {
            () = &mut until => return Ok(()),
            begun = begun => begun?,
        };
        shared.outbox.open();
        shared.outbox.put(Word::Here);
        // What was committed meanwhile the others have not heard of, nor this node of theirs.
        shared.outbox.put(Word::Committed(*commits.borrow_and_update()));
        shared.outbox.put(Word::Asks);
        self.say_anew(shared);
        self.committed.send_modify(|_| {});
        let mut saying = connection.clone();
        tokio::select! {
            () = &mut until => {
                // What goes on elsewhere is others' to say from now on.
                shared.outbox.put(Word::Anew);
                let last = async {
                    while let Some((words, _)) = shared.outbox.take() {
                        shared.say(&mut connection, &words).await?;
                    }
                    Ok::<(), LinkError>(())
                };
                let _ = tokio::time::timeout(LEAVING, last).await;
                Ok(())
            }
            lost = self.speak(shared, &mut saying, commits) => lost,
            lost = self.hear(shared, &mut pushed) => lost,
        }
    }

    /// Says what all live streams of this node hold, in place of what was said of them.
    fn say_anew(&self, shared: &Shared) {
        shared.outbox.put(Word::Anew);
        self.say_so_far(shared);
    }

    fn say_so_far(&self, shared: &Shared) {
        self.live.tell_own(|output| shared.outbox.put(Word::Output(output)));
    }

    /// Says what is put into the outbox, until that does not work.
    async fn speak(
        &self,
        shared: &Shared,
        connection: &mut MultiplexedConnection,
        commits: &mut watch::Receiver<i64>,
    ) -> Result<(), LinkError> {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            while let Some((words, wrong)) = shared.outbox.take() {
                if !words.is_empty() {
                    shared.say(connection, &words).await?;
                }
                if wrong {
                    self.say_anew(shared);
                }
            }
            let asked = *locked(&shared.asked);
            tokio::select! {
                () = shared.outbox.filled() => {}
                Ok(()) = commits.changed() => shared.outbox.put(Word::Committed(*commits.borrow_and_update())),
                () = tokio::time::sleep_until(asked.unwrap_or_else(Instant::now)), if asked.is_some() => {
                    *locked(&shared.asked) = None;
                    self.say_so_far(shared);
                }
                _ = beat.tick() => {
                    shared.outbox.put(Word::Here);
                    self.miss_the_silent(shared);
                }
            }
        }
    }

    /// Hears what is said, until the connection ends or the words of this node do not come back.
    async fn hear(&self, shared: &Shared, pushed: &mut UnboundedReceiver<PushInfo>) -> Result<(), LinkError> {
        let mut came_back = Instant::now();
        loop {
            let push = tokio::select! {
                biased;
                push = pushed.recv() => push,
                () = tokio::time::sleep_until(came_back + DEAF) => return Err(LinkError::Deaf),
            };
            let Some(push) = push.filter(|push| push.kind != PushKind::Disconnection) else {
                return Err(LinkError::Ended);
            };
            let Some(message) = message(push) else { continue };
            match wire::opened(&message) {
                Some((from, _)) if from == shared.node => {
                    came_back = Instant::now();
                    shared.holds();
                }
                Some((from, said)) => match wire::words(said) {
                    Some(words) => self.take_in(shared, from, words),
                    None => shared.pass_over(&message),
                },
                None => shared.pass_over(&message),
            }
        }
    }

    /// Takes in what another node said.
    fn take_in(&self, shared: &Shared, from: NodeId, words: Vec<Word>) {
        let mut others = locked(&shared.others);
        if others.len() >= OTHERS && !others.contains_key(&from) {
            return;
        }
        others.insert(from, Instant::now());
        drop(others);
        for word in words {
            match word {
                Word::Here => {}
                Word::Asks => {
                    locked(&shared.asked).get_or_insert_with(|| Instant::now() + ASKED);
                    shared.outbox.put(Word::Here);
                }
                Word::Anew => self.live.leave(from),
                Word::Committed(seq) => {
                    self.committed.send_replace(seq);
                }
                Word::Output(output) => {
                    if let Some(new) = self.live.join(from, output) {
                        self.tell(Hint::Output(Arc::new(new)));
                    }
                }
                Word::Editing(editing) => self.tell(Hint::Editing(editing)),
                Word::Settled { run, turn } => self.live.settle(run, turn),
                Word::Forgotten { run, stream } => self.live.forget(Some(from), run, &stream),
                Word::Ended { run } => self.live.end(Some(from), run),
            }
        }
    }

    /// What nodes wrote that are gone goes on no further.
    fn miss_the_silent(&self, shared: &Shared) {
        let now = Instant::now();
        locked(&shared.others).retain(|node, heard| {
            let there = now.duration_since(*heard) < SILENT;
            if !there {
                self.live.leave(*node);
            }
            there
        });
    }
}

impl Shared {
    /// Something on the channel was said by no node. That may go on for ever, so it is told once.
    fn pass_over(&self, message: &[u8]) {
        if !self.garbage.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                redis = self.url.shown(),
                channel = self.channel,
                bytes = message.len(),
                "something else than Guildhall says something on its channel: it is passed over, now and from now on"
            );
        }
    }
}
