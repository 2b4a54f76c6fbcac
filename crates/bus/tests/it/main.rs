//! The bus over a Redis.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

mod redis;

use std::sync::Arc;
use std::time::Duration;

use guildhall_bus::{Bus, Hint, Listener, RedisUrl};
use guildhall_types::event::{Editing, OutputStream, RunOutput};
use guildhall_types::{KnowledgeId, MemberId, RunId, ServiceId, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::redis::Redis;

const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than a word takes.
const A_WHILE: Duration = Duration::from_millis(500);

struct Node {
    bus: Bus,
    ear: Listener,
    commits: watch::Sender<i64>,
    leave: Option<oneshot::Sender<()>>,
    linked: JoinHandle<()>,
}

impl Node {
    /// A node that tries to link.
    fn of(installation: &str, url: &str) -> Self {
        let bus = Bus::over_redis(RedisUrl::parse(url).unwrap(), installation, Arc::new(SystemClock));
        let commits = watch::Sender::new(0);
        let (leave, left) = oneshot::channel();
        let (linking, seen) = (bus.clone(), commits.subscribe());
        let linked = tokio::spawn(async move { linking.keep_linked(seen, async { drop(left.await) }).await });
        Self { ear: bus.listen(), bus, commits, leave: Some(leave), linked }
    }

    async fn start(redis: &Redis) -> Self {
        let node = Self::of("i", &redis.url());
        node.is_up(true).await;
        node
    }

    async fn is_up(&self, up: bool) {
        until("the link", || self.bus.link().unwrap().up == up).await;
    }

    async fn hears(&mut self) -> Hint {
        tokio::time::timeout(PATIENCE, self.ear.next()).await.unwrap().unwrap().unwrap()
    }

    async fn hears_output(&mut self) -> (i64, String) {
        match self.hears().await {
            Hint::Output(output) => (output.offset, output.text.clone()),
            other => panic!("{other:?}"),
        }
    }

    async fn hears_nothing(&mut self) {
        let heard = tokio::time::timeout(A_WHILE, self.ear.next()).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    fn kept(&self) -> Vec<(i64, String)> {
        self.bus.live_so_far().into_iter().map(|RunOutput { offset, text, .. }| (offset, text)).collect()
    }

    async fn keeps(&self, kept: &[(i64, &str)]) {
        let kept: Vec<_> = kept.iter().map(|(offset, text)| (*offset, (*text).to_owned())).collect();
        until("what is kept", || self.kept() == kept).await;
    }

    async fn leaves(mut self) {
        drop(self.leave.take());
        tokio::time::timeout(PATIENCE, self.linked).await.unwrap().unwrap();
    }
}

async fn until(what: &str, so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited in vain for {what}");
}

fn words() -> OutputStream {
    OutputStream::Text { block: 0 }
}

#[tokio::test]
async fn nodes_hear_each_other_and_none_itself_twice() {
    let redis = Redis::start().await;
    let (mut one, mut two) = (Node::start(&redis).await, Node::start(&redis).await);
    let run = RunId::new();
    one.bus.write(run, 1, words(), "Grüße");
    assert_eq!(two.hears_output().await, (0, "Grüße".to_owned()));
    one.bus.write(run, 1, words(), " an alle");
    assert_eq!(two.hears_output().await, (5, " an alle".to_owned()));
    assert_eq!((one.hears_output().await.0, one.hears_output().await.0), (0, 5));
    let editing = Editing { member_id: MemberId::new(), item_id: KnowledgeId::new(), seconds: 30 };
    two.bus.edit(editing);
    for node in [&mut one, &mut two] {
        assert!(matches!(node.hears().await, Hint::Editing(heard) if heard == editing));
        node.hears_nothing().await;
    }
    for node in [&one, &two] {
        node.keeps(&[(0, "Grüße an alle")]).await;
    }

    let mut committed = two.bus.committed();
    let mut own = one.bus.committed();
    own.mark_unchanged();
    one.commits.send_replace(7);
    tokio::time::timeout(PATIENCE, committed.wait_for(|seq| *seq == 7)).await.unwrap().unwrap();
    assert!(!own.has_changed().unwrap());

    // A page that is opened at the other node sees what one at the first one would.
    let service = OutputStream::Service { service: ServiceId::new() };
    one.bus.write(run, 0, service.clone(), "listens");
    one.bus.write(run, 2, words(), "next");
    two.keeps(&[(0, "listens"), (0, "Grüße an alle"), (0, "next")]).await;
    one.bus.settled(run, 1);
    two.keeps(&[(0, "listens"), (0, "next")]).await;
    one.bus.forget(run, &service);
    two.keeps(&[(0, "next")]).await;
    one.bus.ended(run);
    two.keeps(&[]).await;
    one.bus.write(run, 3, words(), "last");
    two.keeps(&[(0, "last")]).await;
    one.leaves().await;
    two.keeps(&[]).await;
}

#[tokio::test]
async fn whoever_comes_late_is_told_what_was_written() {
    let redis = Redis::start().await;
    let one = Node::start(&redis).await;
    let run = RunId::new();
    for word in ["a", "b", "c"] {
        one.bus.write(run, 1, words(), word);
    }
    let mut late = Node::of("i", &redis.url());
    let mut stranger = Node::of("another", &redis.url());
    late.keeps(&[(0, "abc")]).await;
    assert_eq!(late.hears_output().await, (0, "abc".to_owned()));
    one.bus.write(run, 1, words(), "d");
    assert_eq!(late.hears_output().await, (3, "d".to_owned()));
    late.hears_nothing().await;
    // Two teams on one Redis are strangers.
    stranger.is_up(true).await;
    stranger.hears_nothing().await;
    assert!(stranger.kept().is_empty());
}

#[tokio::test]
async fn what_is_said_while_redis_is_away_is_caught_up_with() {
    let mut redis = Redis::start().await;
    let (one, two) = (Node::start(&redis).await, Node::start(&redis).await);
    let run = RunId::new();
    one.bus.write(run, 1, words(), "before ");
    two.keeps(&[(0, "before ")]).await;
    redis.kill().await;
    one.is_up(false).await;
    two.is_up(false).await;
    let link = two.bus.link().unwrap();
    assert!(link.trouble.is_some_and(|trouble| !trouble.contains(Redis::PASSWORD)));
    // Nobody knows whether it still holds.
    two.keeps(&[]).await;
    one.commits.send_replace(9);
    one.bus.write(run, 1, words(), "meanwhile ");
    one.keeps(&[(0, "before meanwhile ")]).await;
    let mut committed = two.bus.committed();
    redis.again().await;
    one.is_up(true).await;
    two.is_up(true).await;
    two.keeps(&[(0, "before meanwhile ")]).await;
    // Whether it heard of the number or not, it is to look.
    tokio::time::timeout(PATIENCE, committed.changed()).await.unwrap().unwrap();
    one.bus.write(run, 1, words(), "after");
    two.keeps(&[(0, "before meanwhile after")]).await;
}

#[tokio::test]
async fn a_node_starts_without_redis_and_links_when_it_comes() {
    let mut redis = Redis::start().await;
    redis.kill().await;
    let node = Node::of("i", &redis.url());
    until("the trouble", || node.bus.link().unwrap().trouble.is_some()).await;
    assert!(!node.bus.link().unwrap().up);
    redis.again().await;
    node.is_up(true).await;
    assert_eq!(node.bus.link().unwrap().trouble, None);
    // A wrong password is a trouble like another.
    let wrong = Node::of("i", &redis.url().replace(Redis::PASSWORD, "wrong-word"));
    until("the trouble", || wrong.bus.link().unwrap().trouble.is_some()).await;
    let trouble = wrong.bus.link().unwrap().trouble.unwrap();
    assert!(!trouble.contains("wrong-word"), "{trouble}");
}

#[tokio::test]
async fn garbage_on_the_channel_is_passed_over() {
    let redis = Redis::start().await;
    let (one, mut two) = (Node::start(&redis).await, Node::start(&redis).await);
    let client = ::redis::Client::open(redis.url()).unwrap();
    let mut other = client.get_multiplexed_async_connection().await.unwrap();
    let id = guildhall_types::NodeId::new();
    let huge = format!(r#"{id} [{{"committed":{}}},{{"output":{{}}}},"later",{{"settled":7}}]"#, i64::MAX);
    let nobody = format!("{id} not json");
    for garbage in ["", "hello", "\u{0}", "{}", nobody.as_str(), huge.as_str(), &" ".repeat(100_000)] {
        let () = ::redis::cmd("PUBLISH").arg("guildhall:i").arg(garbage).query_async(&mut other).await.unwrap();
    }
    one.bus.write(RunId::new(), 1, words(), "heard");
    assert_eq!(two.hears_output().await, (0, "heard".to_owned()));
    assert!(two.bus.link().unwrap().up);
}

#[tokio::test]
async fn a_redis_that_stands_still_makes_no_writer_wait() {
    let redis = Redis::start().await;
    let (one, mut two) = (Node::start(&redis).await, Node::start(&redis).await);
    let run = RunId::new();
    one.bus.write(run, 1, words(), "begun");
    assert_eq!(two.hears_output().await, (0, "begun".to_owned()));
    let pid = redis.server.as_ref().unwrap().id().unwrap() as i32;
    let signal = |signal| kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    signal(Signal::STOP);
    let piece = "ä".repeat(8 * 1024);
    let began = Instant::now();
    for n in 0..4_000 {
        one.bus.write(run, 1, OutputStream::Tool { call: (n % 8).to_string() }, &piece);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    one.bus.settled(run, 1);
    one.bus.write(run, 2, words(), "next turn");
    signal(Signal::CONT);
    // Whether the link was lost over it or not: both come to hold the same.
    two.keeps(&[(0, "next turn")]).await;
    one.is_up(true).await;
    two.is_up(true).await;
}

#[tokio::test]
async fn an_address_is_examined() {
    let mut redis = Redis::start().await;
    let url = RedisUrl::parse(&redis.url()).unwrap();
    let found = url.examine().await.unwrap();
    assert!(found.version.starts_with("Redis ") || found.version.starts_with("Valkey "), "{found:?}");
    // The user that the docs give an example of may do all that is needed, and one that may not subscribe is found out.
    let client = ::redis::Client::open(redis.url()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    let may = ["resetchannels", "&guildhall:*", "+publish", "+subscribe", "+ping", "+info"];
    for (name, may) in [("guildhall", &may[..]), ("mute", &["resetchannels", "&other:*", "+publish", "+subscribe"])] {
        let mut user = ::redis::cmd("ACL");
        user.arg("SETUSER").arg(name).arg("on").arg(">word").arg(may);
        let () = user.query_async(&mut admin).await.unwrap();
    }
    let by = |name: &str| redis.url().replace(&format!(":{}@", Redis::PASSWORD), &format!("{name}:word@"));
    let found = RedisUrl::parse(&by("guildhall")).unwrap().examine().await.unwrap();
    assert!(!found.version.is_empty());
    let node = Node::of("i", &by("guildhall"));
    node.is_up(true).await;
    let refused = RedisUrl::parse(&by("mute")).unwrap().examine().await.unwrap_err();
    assert!(!refused.to_string().contains("word"), "{refused}");
    redis.kill().await;
    url.examine().await.unwrap_err();
}
