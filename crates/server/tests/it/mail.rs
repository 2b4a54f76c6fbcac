//! The way of a mail: from the outbox to a mail server that nobody here wrote, and what becomes of it when that goes wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Duration;
use guildhall_llm::Client;
use guildhall_store::{NewMember, Store, mail_identity};
use guildhall_team::keys::Keys;
use guildhall_team::mail::{MailPace, Mailer, Notice, SmtpSettings, Stage};
use guildhall_team::vault::{Vault, VaultError};
use guildhall_team::{Places, Team, TeamError, TeamProviders};
use guildhall_types::FixedClock;
use guildhall_types::mail::{Mail, MailStatus};
use guildhall_types::member::{Member, MemberChange, MemberRole};
use serde_json::json;

use crate::harness::fresh_postgres;
use crate::post::{Authority, Post, settings};

/// A team without a server, so that nothing is sent but when the test says so.
struct Outbox {
    team: Team,
    clock: FixedClock,
    dir: tempfile::TempDir,
    url: String,
}

impl Outbox {
    async fn new(smtp: SmtpSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("guildhall.db").display());
        Self::at(smtp, url, dir).await
    }

    async fn at(smtp: SmtpSettings, url: String, dir: tempfile::TempDir) -> Self {
        let clock = FixedClock::default();
        let store = Store::open(&url, Arc::new(clock.clone())).await.unwrap();
        store.migrate().await.unwrap();
        let team = team(store, &clock, dir.path(), smtp);
        Self { team, clock, dir, url }
    }

    async fn member(&self, email: &str, name: &str) -> Member {
        self.with_role(email, name, MemberRole::Member).await
    }

    async fn with_role(&self, email: &str, name: &str, role: MemberRole) -> Member {
        let new = NewMember { email: email.to_owned(), name: name.to_owned(), password_hash: None };
        self.team.store.create_member(new, role).await.unwrap()
    }

    /// Puts a mail to this address into the outbox.
    async fn put(&self, email: &str) {
        let member = self.member(email, "Anna").await;
        let notice = Notice::new("Something happened", "Something happened to your account.");
        self.team.notify(&member, &notice, |store| async move { store.put_mails().await }).await.unwrap();
    }

    async fn send(&self) -> usize {
        self.team.send_due_mail(MailPace::default()).await.unwrap()
    }

    async fn troubles(&self) -> Vec<Mail> {
        self.team.store.failed_mails(50).await.unwrap()
    }
}

fn team(store: Store, clock: &FixedClock, dir: &std::path::Path, smtp: SmtpSettings) -> Team {
    let (vault, _) = Vault::open_or_create(&dir.join("vault.key")).unwrap();
    let places = Places::below(dir, Vec::new());
    let team =
        Team::new(store, Arc::new(clock.clone()), vault, places, Client::new().unwrap(), TeamProviders::default());
    team.with_mail(Mailer::new(smtp, "https://guild.example.com"))
}

#[tokio::test]
async fn a_mail_is_sealed_while_it_waits_and_says_nothing_when_it_is_sent() {
    let mut post = Post::start().await;
    let outbox = Outbox::new(post.settings()).await;
    outbox.put("anna@example.com").await;
    assert_eq!(outbox.team.store.waiting_mails().await.unwrap(), 1);
    let claimed = outbox.team.store.claim_mail(Duration::zero()).await.unwrap().unwrap();
    let id = claimed.mail.id;
    assert!(outbox.team.store.secret(&mail_identity(id)).await.unwrap().is_some());
    for file in std::fs::read_dir(outbox.dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("Something happened"));
    }
    assert_eq!(outbox.send().await, 1);
    let mail = post.next().await;
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("guildhall@example.com", "anna@example.com"));
    assert_eq!(mail.header("From"), "Guildhall <guildhall@example.com>");
    assert_eq!(mail.header("Subject"), "Something happened");
    assert_eq!(mail.header("Message-ID"), format!("<{id}@example.com>"));
    assert_eq!(mail.header("Auto-Submitted"), "auto-generated");
    assert!(mail.text().contains("Hello Anna,\n\nSomething happened to your account."), "{}", mail.raw);
    assert!(mail.html().contains("<p style=\"margin:0 0 16px\">Hello Anna,</p>"), "{}", mail.raw);
    assert_eq!(outbox.team.store.waiting_mails().await.unwrap(), 0);
    assert!(outbox.team.store.secret(&mail_identity(id)).await.unwrap().is_none());
    assert!(outbox.troubles().await.is_empty());
    assert_eq!(outbox.send().await, 0);
}

#[tokio::test]
async fn a_change_that_is_not_made_mails_nothing() {
    let post = Post::start().await;
    let outbox = Outbox::new(post.settings()).await;
    let anna = outbox.member("anna@example.com", "Anna").await;
    let change = |store: Store| async move { store.use_reset(&[1; 32], "hash").await };
    assert!(outbox.team.notify(&anna, &Notice::password_reset(), change).await.unwrap().is_none());
    assert_eq!(outbox.team.store.waiting_mails().await.unwrap(), 0);
}

#[tokio::test]
async fn a_key_that_moved_holds_no_change_up_and_a_mail_that_is_needed_is_not_lost() {
    let mut post = Post::start().await;
    let outbox = Outbox::new(post.settings()).await;
    let (team, store) = (&outbox.team, &outbox.team.store);
    let olga = outbox.with_role("olga@example.com", "Olga", MemberRole::Owner).await;
    let anna = outbox.member("anna@example.com", "Anna").await;
    team.keys().settle().await.unwrap();
    // Another server rotates, and this one has not heard of it.
    let (vault, _) = Vault::open_or_create(&outbox.dir.path().join("vault.key")).unwrap();
    Keys { store, vault: &vault }.rotate(None).await.unwrap();
    assert_ne!(team.vault.key_id(), store.current_key().await.unwrap());
    let viewer = MemberChange { role: Some(MemberRole::Viewer), disabled: None };
    team.change_member(&olga, anna.id, viewer).await.unwrap();
    assert_eq!(outbox.send().await, 1);
    assert_eq!(post.next().await.header("Subject"), "Your role was changed");

    // The current key is not here at all: what must be done at once is done, without a word.
    let current = store.current_key().await.unwrap().unwrap();
    store.turn_to_key(&current, "elsewhere").await.unwrap();
    let gone = MemberChange { role: None, disabled: Some(true) };
    assert!(team.change_member(&olga, anna.id, gone).await.unwrap().member.disabled_at.is_some());
    let refused = team.invite(&olga, "ben@example.com", MemberRole::Member, true).await;
    assert!(matches!(refused, Err(TeamError::Vault(VaultError::Lacking { .. }))), "{refused:?}");
    assert_eq!((store.waiting_mails().await.unwrap(), store.open_invitations().await.unwrap()), (0, 0));
}

#[tokio::test]
async fn by_starttls_and_by_tls_with_an_authority_of_the_operators_own() {
    let authority = Authority::new().await;
    for (tls, scheme, end) in [("starttls", "smtp", "?tls=required"), ("wrapped", "smtps", "")] {
        let mut post = authority.post(tls).await;
        let url = |login: &str| format!("{scheme}://{login}@localhost:{}{end}", post.port);
        let good = settings(&url("guild:p%40ss%20word"), &authority.pem());
        good.check().await.unwrap();
        let unknown = settings(&url("guild:p%40ss%20word"), &[]).check().await.unwrap_err();
        assert_eq!((unknown.stage, unknown.for_good), (Stage::Tls, false), "{tls}: {unknown}");
        let wrong = settings(&url("guild:wrong-word"), &authority.pem());
        let refused = wrong.check().await.unwrap_err();
        assert_eq!((refused.stage, refused.for_good), (Stage::Login, false), "{tls}: {refused}");
        assert!(!refused.to_string().contains("wrong-word"), "{refused}");

        // A wrong password is the operator's to mend; the mail waits for that.
        let outbox = Outbox::new(wrong).await;
        outbox.put("anna@example.com").await;
        assert_eq!(outbox.send().await, 0);
        let trouble = outbox.troubles().await.remove(0);
        assert_eq!((trouble.status, trouble.attempts), (MailStatus::Waiting, 1));
        assert!(trouble.problem.unwrap().contains("these credentials are not right"));
        outbox.clock.advance(Duration::minutes(1));
        let mended = team(outbox.team.store.clone(), &outbox.clock, outbox.dir.path(), good);
        assert_eq!(mended.send_due_mail(MailPace::default()).await.unwrap(), 1);
        let mail = post.next().await;
        assert_eq!((mail.secure, mail.user.as_deref()), (true, Some("guild")), "{tls}");
    }
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_to_who_offers_no_tls() {
    let post = Post::start().await;
    let smtp = settings(&format!("smtp://u:p@localhost:{}?tls=required", post.port), &[]);
    let refused = smtp.check().await.unwrap_err();
    assert_eq!((refused.stage, refused.for_good), (Stage::Tls, false), "{refused}");
    let outbox = Outbox::new(smtp).await;
    outbox.put("anna@example.com").await;
    assert_eq!((outbox.send().await, outbox.troubles().await.len()), (0, 1));
}

#[tokio::test]
async fn what_is_put_off_is_tried_again_and_what_is_refused_is_not() {
    let mut post = Post::start().await;
    let outbox = Outbox::new(post.settings()).await;
    for to in ["later-2@example.com", "never@example.com", "spam@example.com", "no\"address@example.com"] {
        outbox.put(to).await;
    }
    assert_eq!(outbox.send().await, 0);
    let troubles = outbox.troubles().await;
    let of = |name: &str| troubles.iter().find(|mail| mail.recipient.starts_with(name)).unwrap();
    for (name, status, why) in [
        ("later", MailStatus::Waiting, "451"),
        ("never", MailStatus::Failed, "there is no such mailbox"),
        ("spam", MailStatus::Failed, "this looks like spam"),
        ("no\"address", MailStatus::Failed, "no address"),
    ] {
        let mail = of(name);
        assert_eq!((mail.status, mail.attempts), (status, 1), "{mail:?}");
        assert!(mail.problem.as_deref().unwrap().contains(why), "{mail:?}");
        let sealed = outbox.team.store.secret(&mail_identity(mail.id)).await.unwrap();
        assert_eq!(sealed.is_some(), status == MailStatus::Waiting, "{name}");
    }
    assert_eq!(outbox.send().await, 0, "not before its time");
    outbox.clock.advance(Duration::seconds(16));
    assert_eq!(outbox.send().await, 0);
    outbox.clock.advance(Duration::seconds(31));
    assert_eq!(outbox.send().await, 1);
    assert_eq!(post.next().await.to, "later-2@example.com");
    // What is refused for itself keeps no other from coming through.
    outbox.clock.advance(Duration::minutes(1));
    outbox.put("never@example.net").await;
    assert_eq!(outbox.send().await, 0);
    assert_eq!(outbox.team.store.mail_stuck_since().await.unwrap(), None);
}

#[tokio::test]
async fn a_connection_cut_in_the_data_is_tried_again_with_the_same_id() {
    let mut post = Post::start().await;
    let outbox = Outbox::new(post.settings()).await;
    outbox.put("cut-1@example.com").await;
    assert_eq!(outbox.send().await, 0);
    let trouble = outbox.troubles().await.remove(0);
    assert_eq!((trouble.status, trouble.attempts), (MailStatus::Waiting, 1), "{trouble:?}");
    outbox.clock.advance(Duration::minutes(1));
    assert_eq!(outbox.send().await, 1);
    assert_eq!(post.next().await.header("Message-ID"), format!("<{}@example.com>", trouble.id));
}

#[tokio::test]
async fn a_server_that_is_away_is_waited_for_and_after_a_day_no_longer() {
    let post = Post::start().await;
    let (port, away) = (post.port, post.settings());
    drop(post);
    let outbox = Outbox::new(away).await;
    outbox.put("anna@example.com").await;
    // The process of the mail server ends in its own time.
    let mut tries = 0;
    while outbox.troubles().await.is_empty() {
        tries += 1;
        assert!(tries < 100);
        outbox.send().await;
    }
    outbox.clock.advance(Duration::hours(20));
    assert_eq!(outbox.send().await, 0);
    let mut post = Post::with(json!({ "port": port })).await;
    outbox.clock.advance(Duration::hours(1));
    assert_eq!(outbox.send().await, 1);
    assert_eq!(post.next().await.to, "anna@example.com");
    drop(post);

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outbox = Outbox::new(settings(&format!("smtp://{nobody}"), &[])).await;
    outbox.put("anna@example.com").await;
    assert_eq!(outbox.send().await, 0);
    outbox.clock.advance(Duration::hours(25));
    assert_eq!(outbox.send().await, 0);
    let given_up = outbox.troubles().await.remove(0);
    assert_eq!((given_up.status, given_up.attempts), (MailStatus::Failed, 2), "{given_up:?}");
    assert!(given_up.problem.is_some() && given_up.ended_at.is_some());
    let stuck = outbox.team.store.mail_stuck_since().await.unwrap();
    assert_eq!(stuck, Some(given_up.created_at), "none comes through");
}

async fn each_mail_is_sent_once(url: String, dir: tempfile::TempDir) {
    let mut post = Post::start().await;
    let outbox = Outbox::at(post.settings(), url, dir).await;
    let mut recipients = BTreeSet::new();
    for n in 0..12 {
        let to = format!("m{n}@example.com");
        outbox.put(&to).await;
        recipients.insert(to);
    }
    let others = async || Store::open(&outbox.url, Arc::new(outbox.clock.clone())).await.unwrap();
    let senders = [outbox.team.store.clone(), others().await, others().await];
    let senders = senders.map(|store| team(store, &outbox.clock, outbox.dir.path(), post.settings()));
    let sent = futures::future::join_all(senders.iter().map(|team| team.send_due_mail(MailPace::default()))).await;
    assert_eq!(sent.into_iter().map(Result::unwrap).sum::<usize>(), 12);
    let mut got = BTreeSet::new();
    for _ in 0..12 {
        assert!(got.insert(post.next().await.to));
    }
    assert_eq!(got, recipients);
    // The next one that comes is the next that is put: none came twice.
    outbox.put("last@example.com").await;
    outbox.send().await;
    assert_eq!(post.next().await.to, "last@example.com");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_senders_each_mail_is_sent_by_one_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    each_mail_is_sent_once(format!("sqlite://{}", dir.path().join("guildhall.db").display()), dir).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_senders_each_mail_is_sent_by_one_postgres() {
    each_mail_is_sent_once(fresh_postgres().await, tempfile::tempdir().unwrap()).await;
}

#[tokio::test]
async fn a_members_name_is_no_header_and_no_markup() {
    let mut post = Post::start().await;
    let outbox = Outbox::new(post.settings()).await;
    let hostile = "Eve\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script>";
    let eve = outbox.member("eve@example.com", hostile).await;
    let put = |store: Store| async move { store.put_mails().await };
    outbox.team.notify(&eve, &Notice::token_made(hostile), put).await.unwrap();
    let owner = outbox.with_role("olga@example.com", hostile, MemberRole::Owner).await;
    outbox.team.invite(&owner, "ben@example.com", MemberRole::Member, true).await.unwrap();
    assert_eq!(outbox.send().await, 2);
    for _ in 0..2 {
        let mail = post.next().await;
        let (head, _) = mail.raw.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(
            !mail.text().lines().any(|line| line.starts_with("Bcc") || line.starts_with("<script")),
            "{}",
            mail.raw
        );
        assert!(!mail.html().contains("<script") && mail.html().contains("&lt;script&gt;"), "{}", mail.raw);
        assert!(mail.to == "eve@example.com" || mail.to == "ben@example.com");
    }
}
