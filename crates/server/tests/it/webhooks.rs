//! The way of a message: from the change that it tells of to a receiver that nobody here wrote, and what becomes of it when
//! that goes wrong.

use std::sync::Arc;
use std::time::{Duration as StdDuration, Instant};

use chrono::Duration;
use guildhall_llm::{Client, Reach};
use guildhall_store::{NewMember, Store};
use guildhall_team::vault::Vault;
use guildhall_team::{Places, Team, TeamProviders, WebhookPace, WebhookWish, WebhookWishes};
use guildhall_types::member::{Member, MemberRole};
use guildhall_types::notification::{NotificationKind as Kind, Tell};
use guildhall_types::webhook::{Delivery, DeliveryStatus, Webhook, WebhookFormat};
use guildhall_types::{Clock, FixedClock};
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::{PASSWORD, PATIENCE, Persona};
use crate::receiver::Receiver;
use crate::rotation::serve;

/// A team without a server, so that nothing is sent but when the test says so.
struct Hooks {
    team: Team,
    clock: FixedClock,
    anna: Member,
    pace: WebhookPace,
    _dir: tempfile::TempDir,
}

impl Hooks {
    async fn new() -> Self {
        Self::reaching(Reach::Private).await
    }

    async fn reaching(reach: Reach) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = FixedClock::default();
        let url = format!("sqlite://{}", dir.path().join("guildhall.db").display());
        let store = Store::open(&url, Arc::new(clock.clone())).await.unwrap();
        store.migrate().await.unwrap();
        let (vault, _) = Vault::open_or_create(&dir.path().join("vault.key")).unwrap();
        let places = Places::below(dir.path(), Vec::new());
        let client = Client::new().unwrap().reaching(reach);
        let team = Team::new(store, Arc::new(clock.clone()), vault, places, client, TeamProviders::default());
        let team = team.at("https://guild.example.com/");
        let new = NewMember { email: "anna@example.com".to_owned(), name: "Anna".to_owned(), password_hash: None };
        let anna = team.store.create_member(new, MemberRole::Admin).await.unwrap();
        let pace = WebhookPace { within: StdDuration::from_secs(20), jitter: 0.0, ..WebhookPace::default() };
        Self { team, clock, anna, pace, _dir: dir }
    }

    /// A webhook of Anna's at an address that is told of everything.
    async fn webhook(&self, url: &str) -> (Webhook, String) {
        let kinds = Kind::ALL.iter().copied().filter(|kind| *kind != Kind::WebhookOff).collect();
        let wish = WebhookWish { name: "Mine".to_owned(), url: url.to_owned(), kinds, format: WebhookFormat::Standard };
        let (webhook, secret) = self.team.create_webhook(&self.anna, Some(self.anna.id), wish).await.unwrap();
        (webhook, secret.to_string())
    }

    async fn tell(&self) {
        let tell = Tell::new(Kind::BudgetReached, self.anna.id, "November", "10 $ are used up.");
        self.team.store.tell(tell).await.unwrap();
    }

    async fn send(&self) -> usize {
        self.team.send_due_deliveries(&self.pace).await.unwrap()
    }

    /// The latest message to a webhook.
    async fn last(&self, webhook: &Webhook) -> Delivery {
        self.team.webhook_deliveries(webhook.id, Some(self.anna.id)).await.unwrap().remove(0)
    }

    async fn again(&self, webhook: &Webhook) -> Webhook {
        self.team.store.webhook(webhook.id, Some(self.anna.id)).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_message_is_verified_by_the_standards_own_library() {
    let (mut receiver, hooks) = (Receiver::start().await, Hooks::new().await);
    receiver.stands_at(hooks.clock.now()).await;
    let (webhook, secret) = hooks.webhook(&receiver.url("/ok")).await;
    receiver.expects("/ok", &secret).await;
    hooks.tell().await;
    assert_eq!(hooks.send().await, 1);
    let sent = receiver.next().await;
    assert_eq!(sent.verified, true, "{sent:?}");
    assert_eq!(sent.headers["content-type"], "application/json");
    assert_eq!(sent.body["type"], "budget.reached");
    assert_eq!(sent.body["timestamp"], "2024-10-04T00:00:00.000000Z");
    assert_eq!(sent.body["data"]["title"], "November: a budget is used up");
    assert_eq!(sent.body["data"]["url"], "https://guild.example.com/usage#budgets");
    let last = hooks.last(&webhook).await;
    assert_eq!(sent.id, format!("msg_{}", last.id.0.simple()));
    assert_eq!(
        (last.status, last.status_code, last.answer.as_deref()),
        (DeliveryStatus::Delivered, Some(200), Some("thanks"))
    );
    assert_eq!((last.attempts, last.problem, last.ended_at), (1, None, Some(hooks.clock.now())));
    assert_eq!(hooks.send().await, 0);

    // With another secret the former one verifies nothing any more, and an old message is known as old.
    let (_, renewed) = hooks.team.renew_webhook_secret(webhook.id, Some(hooks.anna.id)).await.unwrap();
    hooks.tell().await;
    hooks.send().await;
    assert_eq!(receiver.next().await.verified, "No matching signature found");
    receiver.expects("/ok", &renewed).await;
    receiver.stands_at(hooks.clock.now() + Duration::hours(1)).await;
    hooks.tell().await;
    hooks.send().await;
    assert_eq!(receiver.next().await.verified, "Message timestamp too old");
}

#[tokio::test]
async fn a_chat_gets_a_line_of_text() {
    let (mut receiver, hooks) = (Receiver::start().await, Hooks::new().await);
    let (webhook, _) = hooks.webhook(&receiver.url("/ok")).await;
    let wishes = WebhookWishes { format: Some(WebhookFormat::Slack), ..WebhookWishes::default() };
    hooks.team.change_webhook(webhook.id, Some(hooks.anna.id), wishes).await.unwrap();
    hooks.tell().await;
    assert_eq!(hooks.send().await, 1);
    let text = "*November: a budget is used up*\n10 $ are used up.\n<https://guild.example.com/usage#budgets>";
    assert_eq!(receiver.next().await.body, json!({ "text": text }));
}

#[tokio::test]
async fn whatever_a_receiver_does_it_is_told_and_holds_nobody_up() {
    let (mut receiver, mut hooks) = (Receiver::start().await, Hooks::new().await);
    let now = hooks.clock.now();
    let (patient, hasty) = (hooks.pace.within, StdDuration::from_secs(1));
    let broken = [
        ("/fail-1", Some(500), "the receiver failed", Some("it is broken"), 5),
        ("/hang", None, "no answer came within 1 seconds", None, 5),
        ("/cut", None, "the connection was cut before an answer came", None, 5),
        (
            "/redirect",
            Some(302),
            "the receiver sent it elsewhere, which is not followed; give the address where it wants it",
            None,
            5,
        ),
        ("/busy", Some(429), "the receiver refused it", Some("not now"), 120),
    ];
    for (path, code, problem, answer, wait) in broken {
        let (webhook, secret) = hooks.webhook(&receiver.url(path)).await;
        receiver.expects(path, &secret).await;
        hooks.team.test_webhook(webhook.id, Some(hooks.anna.id)).await.unwrap();
        // Only what never ends is waited for as long as that.
        hooks.pace.within = if path == "/hang" { hasty } else { patient };
        let began = Instant::now();
        assert_eq!(hooks.send().await, 0, "{path}");
        assert!(began.elapsed() < StdDuration::from_secs(10), "{path} took {:?}", began.elapsed());
        assert_eq!(receiver.next().await.path, path);
        let last = hooks.last(&webhook).await;
        assert_eq!((last.status, last.status_code), (DeliveryStatus::Waiting, code), "{path}: {last:?}");
        assert_eq!((last.problem.as_deref(), last.answer.as_deref()), (Some(problem), answer), "{path}");
        assert_eq!((last.next_at, last.kind.as_str()), (now + Duration::seconds(wait), "test"), "{path}");
        assert!(last.duration_ms.is_some_and(|took| (0..10_000).contains(&took)), "{path}");
        assert_eq!(hooks.again(&webhook).await.failing_since, Some(now));
        hooks.team.store.delete_webhook(webhook.id, Some(hooks.anna.id)).await.unwrap();
    }
    // What its answer says besides its status is no matter: neither how much nor how slowly.
    for (path, answer) in [("/huge", "x".repeat(500)), ("/slow", "a beginning".to_owned())] {
        let (webhook, _) = hooks.webhook(&receiver.url(path)).await;
        hooks.team.test_webhook(webhook.id, Some(hooks.anna.id)).await.unwrap();
        hooks.pace.within = if path == "/slow" { hasty } else { patient };
        let began = Instant::now();
        assert_eq!(hooks.send().await, 1, "{path}");
        assert!(began.elapsed() < StdDuration::from_secs(10), "{path} took {:?}", began.elapsed());
        assert_eq!(hooks.last(&webhook).await.answer, Some(answer), "{path}");
        receiver.next().await;
    }
    let (webhook, _) = hooks.webhook("http://127.0.0.1:9/nobody").await;
    hooks.team.test_webhook(webhook.id, Some(hooks.anna.id)).await.unwrap();
    hooks.send().await;
    let problem = hooks.last(&webhook).await.problem.unwrap();
    assert!(problem.starts_with("no connection could be made: ") && !problem.contains("nobody"), "{problem}");
}

#[tokio::test]
async fn it_is_tried_again_under_the_same_id_until_it_is_taken() {
    let (mut receiver, hooks) = (Receiver::start().await, Hooks::new().await);
    let (webhook, secret) = hooks.webhook(&receiver.url("/fail-2")).await;
    receiver.expects("/fail-2", &secret).await;
    receiver.stands_at(hooks.clock.now()).await;
    hooks.tell().await;
    assert_eq!(hooks.send().await, 0);
    assert_eq!(hooks.send().await, 0, "not before its time");
    let first = receiver.next().await;
    hooks.clock.advance(Duration::seconds(5));
    assert_eq!(hooks.send().await, 0);
    hooks.clock.advance(Duration::seconds(60));
    assert_eq!(hooks.send().await, 1);
    for _ in 0..2 {
        let again = receiver.next().await;
        assert_eq!((again.id, again.body, again.verified), (first.id.clone(), first.body.clone(), true.into()));
    }
    let last = hooks.last(&webhook).await;
    assert_eq!((last.status, last.attempts), (DeliveryStatus::Delivered, 3));
    assert_eq!(hooks.again(&webhook).await.failing_since, None);
    // Sent once more by hand, it is the same message.
    hooks.team.send_delivery_again(webhook.id, Some(hooks.anna.id), last.id).await.unwrap();
    assert_eq!(hooks.send().await, 1);
    assert_eq!(receiver.next().await.id, first.id);
}

#[tokio::test]
async fn days_of_failure_switch_it_off_and_its_member_is_told() {
    let (receiver, hooks) = (Receiver::start().await, Hooks::new().await);
    let (webhook, _) = hooks.webhook(&receiver.url("/fail-99")).await;
    let began = hooks.clock.now();
    let mut given_up = Vec::new();
    while hooks.again(&webhook).await.off_at.is_none() {
        hooks.tell().await;
        for _ in 0..26 {
            hooks.send().await;
            hooks.clock.advance(Duration::hours(1));
        }
        let log = hooks.team.webhook_deliveries(webhook.id, Some(hooks.anna.id)).await.unwrap();
        given_up.push(log.iter().filter(|one| one.status == DeliveryStatus::Failed).count());
        assert!(hooks.clock.now() - began < Duration::days(8), "{log:#?}");
    }
    assert!(given_up.iter().any(|count| *count > 0) && hooks.clock.now() - began > Duration::days(3), "{given_up:?}");
    let log = hooks.team.webhook_deliveries(webhook.id, Some(hooks.anna.id)).await.unwrap();
    assert!(log.iter().all(|one| one.status == DeliveryStatus::Failed), "nothing waits for it any more: {log:#?}");
    assert_eq!(log.last().unwrap().attempts, 9, "the first was tried for about a day");
    let told = hooks.team.store.notifications(hooks.anna.id, None, true, 9).await.unwrap().page.items;
    let off = told.iter().find(|one| one.kind == Kind::WebhookOff).unwrap();
    assert!(off.subject == "Mine" && off.text.contains("Nothing that was sent was taken for days."), "{off:?}");
    let before = log.len();
    hooks.tell().await;
    let log = hooks.team.webhook_deliveries(webhook.id, Some(hooks.anna.id)).await.unwrap();
    assert_eq!(log.len(), before, "it is told nothing while it is off");
    // Whoever mends it switches it on.
    let wishes = WebhookWishes { url: Some(receiver.url("/ok")), ..WebhookWishes::default() };
    let on = hooks.team.change_webhook(webhook.id, Some(hooks.anna.id), wishes).await.unwrap();
    assert_eq!((on.off_at, on.off_reason, on.failing_since), (None, None, None));
    hooks.tell().await;
    assert_eq!(hooks.send().await, 1);
}

#[tokio::test]
async fn who_wants_nothing_more_gets_nothing_more() {
    let (receiver, hooks) = (Receiver::start().await, Hooks::new().await);
    let (webhook, _) = hooks.webhook(&receiver.url("/gone")).await;
    hooks.tell().await;
    hooks.tell().await;
    hooks.send().await;
    let off = hooks.again(&webhook).await;
    assert!(off.off_at.is_some() && off.off_reason.unwrap().contains("410"));
    let log = hooks.team.webhook_deliveries(webhook.id, Some(hooks.anna.id)).await.unwrap();
    assert_eq!(log.iter().map(|one| one.attempts).collect::<Vec<_>>(), [0, 1], "the second was not sent");
}

#[tokio::test]
async fn what_a_member_may_not_call_is_not_called() {
    let mut receiver = Receiver::start().await;
    let wish = |url: &str| WebhookWish {
        name: "x".to_owned(),
        url: url.to_owned(),
        kinds: vec![Kind::CardFailed],
        format: WebhookFormat::Standard,
    };
    let hooks = Hooks::reaching(Reach::Public).await;
    let of = Some(hooks.anna.id);
    for url in [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:a9fe:a9fe]/",
        "http://2852039166/",
        "http://127.0.0.1:8080/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "example.com/hook",
        "https://user:word@example.com/",
        "",
    ] {
        let refused = hooks.team.create_webhook(&hooks.anna, of, wish(url)).await;
        assert!(matches!(refused, Err(guildhall_team::TeamError::Invalid { field: "url", .. })), "{url}: {refused:?}");
    }
    // A name is judged by where it leads at the very moment of the call.
    let url = receiver.url("/ok").replace("127.0.0.1", "localhost");
    let (webhook, _) = hooks.team.create_webhook(&hooks.anna, of, wish(&url)).await.unwrap();
    hooks.team.test_webhook(webhook.id, of).await.unwrap();
    assert_eq!(hooks.send().await, 0);
    let problem = hooks.last(&webhook).await.problem.unwrap();
    assert!(problem.contains("is in a private network or on this machine"), "{problem}");
    // In reach, it is received; so that it was not before was not for another reason.
    let near = Hooks::new().await;
    let of = Some(near.anna.id);
    let (webhook, _) = near.team.create_webhook(&near.anna, of, wish(&url)).await.unwrap();
    near.team.test_webhook(webhook.id, of).await.unwrap();
    assert_eq!(near.send().await, 1);
    let received = receiver.next().await;
    assert_eq!(received.id, format!("msg_{}", near.last(&webhook).await.id.0.simple()), "the first was never sent");
    let metadata = near.team.create_webhook(&near.anna, of, wish("http://169.254.169.254/")).await;
    assert!(metadata.is_err(), "never, whatever is allowed");
}

#[tokio::test]
async fn a_hanging_receiver_keeps_no_other_waiting() {
    let (mut receiver, hooks) = (Receiver::start().await, Hooks::new().await);
    let (hanging, _) = hooks.webhook(&receiver.url("/hang")).await;
    for _ in 0..5 {
        hooks.team.test_webhook(hanging.id, Some(hooks.anna.id)).await.unwrap();
    }
    let (good, _) = hooks.webhook(&receiver.url("/ok")).await;
    let pace = WebhookPace { within: StdDuration::from_secs(30), ..WebhookPace::default() };
    let stop = tokio_util::sync::CancellationToken::new();
    let sending = tokio::spawn(hooks.team.clone().send_webhooks_until(pace, stop.clone().cancelled_owned()));
    hooks.team.test_webhook(good.id, Some(hooks.anna.id)).await.unwrap();
    let began = Instant::now();
    while receiver.next().await.path != "/ok" {}
    assert!(began.elapsed() < StdDuration::from_secs(20), "{:?}", began.elapsed());
    stop.cancel();
    tokio::time::timeout(PATIENCE, sending).await.unwrap().unwrap();
    let waiting = hooks.team.webhook_deliveries(hanging.id, Some(hooks.anna.id)).await.unwrap();
    assert!(waiting.iter().all(|one| one.status == DeliveryStatus::Waiting), "cut off, and to be sent again");
}

#[tokio::test]
async fn the_team_hears_once_of_what_two_members_are_told() {
    let (mut receiver, hooks) = (Receiver::start().await, Hooks::new().await);
    let kinds = vec![Kind::AutoModePaused];
    let wish =
        WebhookWish { name: "Team".to_owned(), url: receiver.url("/ok"), kinds, format: WebhookFormat::Standard };
    let (webhook, secret) = hooks.team.create_webhook(&hooks.anna, None, wish).await.unwrap();
    receiver.expects("/ok", &secret).await;
    receiver.stands_at(hooks.clock.now()).await;
    let new = NewMember { email: "ben@example.com".to_owned(), name: "Ben".to_owned(), password_hash: None };
    let ben = hooks.team.store.create_member(new, MemberRole::Member).await.unwrap();
    let tell = Tell::new(Kind::AutoModePaused, hooks.anna.id, "Shop", "It stopped.");
    hooks.team.store.tell(Tell { members: vec![hooks.anna.id, ben.id], ..tell }).await.unwrap();
    hooks.tell().await;
    assert_eq!(hooks.send().await, 1, "once, and not of what is Anna's alone");
    let sent = receiver.next().await;
    assert_eq!((sent.verified, sent.body["type"].as_str()), (true.into(), Some("auto-mode.paused")));
    assert!(hooks.team.store.webhooks(Some(hooks.anna.id)).await.unwrap().is_empty(), "it is not hers");
    let private = WebhookWishes { kinds: Some(vec![Kind::MorningReport]), ..WebhookWishes::default() };
    let refused = hooks.team.change_webhook(webhook.id, None, private).await;
    assert!(matches!(refused, Err(guildhall_team::TeamError::Invalid { field: "kinds", .. })), "{refused:?}");
}

#[tokio::test]
async fn a_disabled_members_webhook_is_not_called() {
    let (receiver, hooks) = (Receiver::start().await, Hooks::new().await);
    let new = NewMember { email: "olga@example.com".to_owned(), name: "Olga".to_owned(), password_hash: None };
    let olga = hooks.team.store.create_member(new, MemberRole::Owner).await.unwrap();
    hooks.webhook(&receiver.url("/ok")).await;
    hooks.tell().await;
    let change = guildhall_types::member::MemberChange { disabled: Some(true), ..Default::default() };
    hooks.team.store.change_member(olga.id, hooks.anna.id, change).await.unwrap();
    assert_eq!(hooks.send().await, 0, "not even what waited");
    let change = guildhall_types::member::MemberChange { disabled: Some(false), ..Default::default() };
    hooks.team.store.change_member(olga.id, hooks.anna.id, change).await.unwrap();
    assert_eq!(hooks.send().await, 1);
}

#[tokio::test]
async fn killed_between_the_sending_and_its_note_it_sends_the_same_message_again() {
    let mut receiver = Receiver::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (mut server, url) = serve(&data, &[]).await;
    let mut olga = Persona::at(&url);
    let account = json!({ "email": "olga@example.com", "password": PASSWORD, "name": "Olga" });
    olga.post("/api/auth/register", account.clone()).await.is(StatusCode::CREATED);
    let new = json!({ "name": "Mine", "url": receiver.url("/hold-1"), "kinds": ["card.failed"] });
    let made = olga.post("/api/webhooks", new).await.is(StatusCode::CREATED);
    receiver.expects("/hold-1", made["secret"].as_str().unwrap()).await;
    let path = format!("/api/webhooks/{}", made["id"].as_str().unwrap());
    let test = olga.call(&format!("{path}/test")).await.is(StatusCode::ACCEPTED);
    let first = receiver.next().await;
    server.kill().await.unwrap();
    let (_server, url) = serve(&data, &[]).await;
    let second = receiver.next().await;
    assert_eq!((&second.id, &second.body["data"]["id"]), (&first.id, &first.body["data"]["id"]));
    assert_eq!((first.verified, second.verified), (true.into(), true.into()));
    assert_eq!(first.body["data"]["title"], "Test");
    let mut olga = Persona::at(&url);
    olga.post("/api/auth/login", account_of(&account)).await.is(StatusCode::OK);
    let delivered = async {
        loop {
            let log = olga.get(&format!("{path}/deliveries")).await.is(StatusCode::OK);
            if log["items"][0]["status"] == "delivered" {
                return log;
            }
            tokio::time::sleep(StdDuration::from_millis(50)).await;
        }
    };
    let log = tokio::time::timeout(PATIENCE, delivered).await.unwrap();
    assert_eq!((log["items"].as_array().unwrap().len(), &log["items"][0]["id"]), (1, &test["id"]));
    assert_eq!(log["items"][0]["attempts"], 2);
}

fn account_of(account: &serde_json::Value) -> serde_json::Value {
    json!({ "email": account["email"], "password": account["password"] })
}

#[tokio::test]
async fn its_address_and_secret_are_sealed() {
    let hooks = Hooks::new().await;
    let (webhook, secret) = hooks.webhook("https://hooks.example.com/services/T0/canary-part-of-the-address").await;
    assert_eq!((webhook.host.as_str(), secret.len()), ("https://hooks.example.com", 50));
    hooks.tell().await;
    hooks.team.store.close().await;
    for file in std::fs::read_dir(hooks._dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("canary-part-of-the-address") && !text.contains(&secret[6..]));
    }
}
