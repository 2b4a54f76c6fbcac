//! What members are told: with the change, once, and nobody else.

use chrono::Duration;
use guildhall_store::{Ending, FeatureQuery, OrderChange, ReadUpTo, Store, StoreError};
use guildhall_types::audit::Actor;
use guildhall_types::auto::OrderState;
use guildhall_types::event::Happening;
use guildhall_types::feature::{Feature, FeatureStatus, Move, Problem};
use guildhall_types::limits::Limits;
use guildhall_types::mail::MailKind;
use guildhall_types::member::{Member, MemberChange};
use guildhall_types::notification::{MailChoice, Notification, NotificationKind as Kind, Tell};
use guildhall_types::project::Project;
use guildhall_types::run::RunStatus;
use guildhall_types::{Clock, FeatureId, MemberId, NodeId, NotificationId};

use crate::harness::{Fresh, new_run, on_both};

const HOLD: Duration = Duration::seconds(30);

async fn begun(fresh: &Fresh) -> (Member, Project, Feature) {
    let anna = fresh.member("anna").await;
    let project = fresh.project(&anna).await;
    let project = fresh.store.project_ready(project.id, "main").await.unwrap();
    let card = fresh.card(&project, "Login form").await;
    (anna, project, card)
}

/// A member starts a card, and its run ends.
async fn end(store: &Store, card: FeatureId, member: MemberId, what: Move, problem: Option<&str>) {
    store.start_feature(card, member, new_run(), i64::MAX).await.unwrap();
    let claimed = store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
    assert_eq!(claimed.run.feature_id, card);
    let status = if problem.is_some() { RunStatus::Failed } else { RunStatus::Waiting };
    let problem = problem.map(|message| Problem {
        code: "turn-limit".to_owned(),
        message: message.to_owned(),
        hint: "Mend it.".to_owned(),
    });
    store.finish_run(&claimed.lease, Ending { status, what, summary: None, problem, later: None }).await.unwrap();
}

async fn told(store: &Store, member: &Member) -> Vec<Notification> {
    store.notifications(member.id, None, false, 50).await.unwrap().page.items
}

fn kinds(told: &[Notification]) -> Vec<Kind> {
    told.iter().map(|one| one.kind).collect()
}

on_both! {
    async fn whose_card_it_is_hears_how_a_run_ends(fresh: Fresh) {
        let (anna, _, card) = begun(&fresh).await;
        let (ben, carl) = (fresh.member("ben").await, fresh.member("carl").await);
        assert_eq!((card.card.created_by, card.card.started_by), (anna.id, None));
        end(&fresh.store, card.card.id, ben.id, Move::Finish, None).await;
        // The card says itself whose it is: alone, and among the others of its board.
        let one = fresh.store.feature(card.card.id).await.unwrap().unwrap().card;
        let listed = fresh.store.features(card.card.project_id, &FeatureQuery::default()).await.unwrap().items.remove(0);
        assert_eq!([one.started_by, listed.started_by], [Some(ben.id); 2]);
        for member in [&anna, &ben] {
            let told = told(&fresh.store, member).await;
            assert_eq!(kinds(&told), [Kind::CardWaits], "{}", member.name);
            assert_eq!((told[0].subject.as_str(), told[0].feature_id), ("#1 Login form", Some(card.card.id)));
            assert_eq!((told[0].count, told[0].read_at), (1, None));
            assert!(told[0].run_id.is_some() && !told[0].text.is_empty());
        }
        assert_eq!(told(&fresh.store, &carl).await, []);
        end(&fresh.store, card.card.id, anna.id, Move::Accept, None).await;
        end(&fresh.store, card.card.id, anna.id, Move::Propose, None).await;
        assert_eq!(kinds(&told(&fresh.store, &anna).await), [Kind::PlanReady, Kind::CardVerified, Kind::CardWaits]);
        assert_eq!(kinds(&told(&fresh.store, &ben).await), [Kind::CardWaits], "the later runs were not his");
    }

    async fn its_event_is_numbered_with_the_change_and_for_the_member_alone(fresh: Fresh) {
        let (anna, _, card) = begun(&fresh).await;
        end(&fresh.store, card.card.id, anna.id, Move::Fail, Some("It broke")).await;
        let told = told(&fresh.store, &anna).await.remove(0);
        assert_eq!(told.text, "It broke. Mend it.");
        let events = fresh.store.events_after(0, 500).await.unwrap();
        let last = events.last().unwrap();
        assert_eq!((last.seq, last.what.only_for()), (told.seq, Some(anna.id)));
        assert_eq!(last.what, Happening::NotificationUpdated { member_id: anna.id, notification: Some(told) });
        let others = events.iter().filter(|event| event.what.only_for().is_some()).count();
        assert_eq!((others, events.len() as i64), (1, last.seq), "no number is left out");
    }

    async fn a_change_that_is_not_made_tells_nobody(fresh: Fresh) {
        let (anna, _, card) = begun(&fresh).await;
        fresh.store.start_feature(card.card.id, anna.id, new_run(), i64::MAX).await.unwrap();
        let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
        fresh.store.stop_feature(card.card.id).await.unwrap();
        let ending = Ending { status: RunStatus::Waiting, what: Move::Finish, summary: None, problem: None, later: None };
        let lost = fresh.store.finish_run(&claimed.lease, ending).await;
        assert!(matches!(lost, Err(StoreError::LeaseLost)), "{lost:?}");
        assert_eq!((told(&fresh.store, &anna).await, fresh.store.unread(anna.id).await.unwrap()), (vec![], 0));
    }

    async fn nobody_is_told_of_what_they_did_themselves(fresh: Fresh) {
        let (anna, _, card) = begun(&fresh).await;
        let ben = fresh.member("ben").await;
        end(&fresh.store, card.card.id, ben.id, Move::Finish, None).await;
        let by_ben = fresh.store.acting_as(Actor { member: Some(ben.id), ..Actor::default() });
        let (card, _) = by_ben.accept_feature(card.card.id).await.unwrap();
        assert_eq!(card.card.status, FeatureStatus::Verified);
        assert_eq!(kinds(&told(&fresh.store, &anna).await), [Kind::CardVerified, Kind::CardWaits]);
        assert_eq!(kinds(&told(&fresh.store, &ben).await), [Kind::CardWaits], "he did it this moment");
    }

    async fn who_is_disabled_is_told_nothing(fresh: Fresh) {
        let (anna, _, card) = begun(&fresh).await;
        let owner = fresh.with_role("olga", guildhall_types::member::MemberRole::Owner).await;
        let change = MemberChange { disabled: Some(true), ..MemberChange::default() };
        fresh.store.change_member(owner.id, anna.id, change).await.unwrap();
        end(&fresh.store, card.card.id, owner.id, Move::Finish, None).await;
        assert_eq!((told(&fresh.store, &anna).await.len(), told(&fresh.store, &owner).await.len()), (0, 1));
    }

    async fn what_happens_again_while_it_is_unread_counts_on(fresh: Fresh) {
        let (anna, project, card) = begun(&fresh).await;
        let other = fresh.card(&project, "other").await.card.id;
        let store = fresh.store.clone().sending_mail();
        store.choose_mails(anna.id, &[MailChoice { kind: Kind::CardFailed, mail: true }]).await.unwrap();
        for problem in ["One.", "Two.", "Three."] {
            end(&store, card.card.id, anna.id, Move::Fail, Some(problem)).await;
        }
        end(&store, other, anna.id, Move::Fail, Some("Other.")).await;
        let all = told(&store, &anna).await;
        assert_eq!(all.iter().map(|one| (one.text.as_str(), one.count)).collect::<Vec<_>>(), [("Other. Mend it.", 1), ("Three. Mend it.", 3)]);
        assert_eq!(store.waiting_mails().await.unwrap(), 2, "a mail for each card, not for each time");
        store.read_notifications(anna.id, ReadUpTo::One(all[1].id)).await.unwrap();
        end(&store, card.card.id, anna.id, Move::Fail, Some("Four.")).await;
        let all = told(&store, &anna).await;
        assert_eq!(all.iter().map(|one| one.count).collect::<Vec<_>>(), [1, 1, 3]);
        assert_eq!(store.waiting_mails().await.unwrap(), 3);
    }

    async fn reading_is_of_ones_own_and_of_what_was_seen(fresh: Fresh) {
        let (anna, project, card) = begun(&fresh).await;
        let ben = fresh.member("ben").await;
        let other = fresh.card(&project, "other").await.card.id;
        end(&fresh.store, card.card.id, ben.id, Move::Finish, None).await;
        end(&fresh.store, other, ben.id, Move::Finish, None).await;
        let seen = told(&fresh.store, &anna).await;
        let of_ben = fresh.store.read_notifications(ben.id, ReadUpTo::One(seen[0].id)).await;
        assert!(matches!(of_ben, Err(StoreError::NotFound { .. })), "it is not his: {of_ben:?}");
        let none = fresh.store.read_notifications(anna.id, ReadUpTo::One(NotificationId::new())).await;
        assert!(matches!(none, Err(StoreError::NotFound { .. })), "{none:?}");
        end(&fresh.store, card.card.id, ben.id, Move::Fail, Some("It broke.")).await;
        assert_eq!(fresh.store.read_notifications(anna.id, ReadUpTo::Seq(seen[0].seq)).await.unwrap(), 1, "one came since");
        let before = fresh.store.last_seq().await.unwrap();
        assert_eq!(fresh.store.read_notifications(anna.id, ReadUpTo::Seq(seen[0].seq)).await.unwrap(), 1);
        assert_eq!(fresh.store.last_seq().await.unwrap(), before, "nothing changed, and nothing is told");
        assert_eq!(fresh.store.read_notifications(anna.id, ReadUpTo::Card(card.card.id)).await.unwrap(), 0);
        assert_eq!(fresh.store.unread(ben.id).await.unwrap(), 3, "another's reading is another's");
        let last = fresh.store.events_after(before, 5).await.unwrap().pop().unwrap();
        assert_eq!(last.what, Happening::NotificationUpdated { member_id: anna.id, notification: None });
    }

    async fn pages_follow_each_other_and_may_be_of_the_unread_alone(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        for n in 0..7 {
            let tell = Tell::new(Kind::MorningReport, anna.id, n.to_string(), "");
            fresh.store.tell(Tell { project: None, ..tell }).await.unwrap();
            let last = told(&fresh.store, &anna).await.remove(0);
            if n != 3 {
                fresh.store.read_notifications(anna.id, ReadUpTo::One(last.id)).await.unwrap();
            }
        }
        // The fourth was unread when the fifth came, and counted on.
        let mut subjects = Vec::new();
        let mut before = None;
        loop {
            let part = fresh.store.notifications(anna.id, before, false, 2).await.unwrap();
            assert!(part.page.items.len() <= 2);
            subjects.extend(part.page.items.iter().map(|one| one.subject.clone()));
            match part.page.next {
                Some(next) => before = Some(next.parse().unwrap()),
                None => break,
            }
        }
        assert_eq!(subjects, ["6", "5", "4", "2", "1", "0"]);
        fresh.store.tell(Tell::new(Kind::BudgetReached, anna.id, "x", "y\0")).await.unwrap();
        let unread = fresh.store.notifications(anna.id, None, true, 9).await.unwrap();
        assert_eq!((unread.page.items.len(), unread.unread, unread.page.items[0].text.as_str()), (1, 1, "y\u{fffd}"));
    }

    async fn a_paused_order_is_told_once_with_the_reasons(fresh: Fresh) {
        let (anna, project, _) = begun(&fresh).await;
        let change = OrderChange { max_concurrent: Some(1), ..OrderChange::default() };
        fresh.store.switch_on_order(project.id, anna.id, change).await.unwrap();
        for n in 0..4 {
            fresh.card(&project, &n.to_string()).await;
        }
        let mut ready = std::collections::HashMap::new();
        for n in 0..3 {
            while !matches!(fresh.store.start_by_order(&Limits::default(), &ready).await.unwrap(), guildhall_store::Chosen::Started(_)) {
                for card in fresh.store.night().await.unwrap().cards {
                    ready.insert(card.feature, guildhall_store::Ready::Begins(Box::new(new_run())));
                }
            }
            let claimed = fresh.store.claim_run(NodeId::new(), HOLD, &Limits::default()).await.unwrap().unwrap();
            let problem = Problem { code: "turn-limit".to_owned(), message: format!("Reason {n}."), hint: String::new() };
            let ending = Ending { status: RunStatus::Failed, what: Move::Fail, summary: None, problem: Some(problem), later: None };
            fresh.store.finish_run(&claimed.lease, ending).await.unwrap();
        }
        let order = fresh.store.order(project.id, anna.id).await.unwrap().unwrap();
        assert_eq!(order.state, OrderState::Paused);
        let told = told(&fresh.store, &anna).await;
        let paused: Vec<_> = told.iter().filter(|one| one.kind == Kind::AutoModePaused).collect();
        assert_eq!((paused.len(), paused[0].count, paused[0].subject.as_str()), (1, 1, project.name.as_str()));
        assert!(paused[0].text.contains("Reason 0.") && paused[0].text.contains("Reason 2."), "{}", paused[0].text);
        assert_eq!((paused[0].project_id, paused[0].feature_id), (Some(project.id), None));
        assert_eq!(told.len(), 4, "and each card that failed");
    }

    async fn stopping_everything_tells_whose_auto_mode_it_was(fresh: Fresh) {
        let (anna, project, _) = begun(&fresh).await;
        let ben = fresh.member("ben").await;
        for member in [&anna, &ben] {
            fresh.store.switch_on_order(project.id, member.id, OrderChange::default()).await.unwrap();
        }
        let by_ben = fresh.store.acting_as(Actor { member: Some(ben.id), ..Actor::default() });
        let why = Problem { code: "stopped-by-admin".to_owned(), message: "Ben stopped it.".to_owned(), hint: String::new() };
        by_ben.stop_all(&why).await.unwrap();
        assert_eq!(kinds(&told(&fresh.store, &anna).await), [Kind::AutoModePaused]);
        assert_eq!(kinds(&told(&fresh.store, &ben).await), [], "he did it");
    }

    async fn mails_are_put_with_it_for_who_wants_them_where_mail_is_sent(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let tell = |kind| Tell::new(kind, anna.id, "Shop", "It stopped.");
        fresh.store.tell(tell(Kind::AutoModePaused)).await.unwrap();
        assert_eq!(fresh.store.waiting_mails().await.unwrap(), 0, "this server sends none");
        let store = fresh.store.clone().sending_mail();
        store.tell(tell(Kind::BudgetReached)).await.unwrap();
        store.tell(tell(Kind::CardVerified)).await.unwrap();
        let claimed = store.claim_mail(HOLD).await.unwrap().unwrap();
        assert_eq!((claimed.mail.kind, claimed.mail.recipient.as_str()), (MailKind::Notification, "anna@example.com"));
        let (about, name) = claimed.notification.unwrap();
        assert_eq!((about.kind, name.as_str(), claimed.body), (Kind::BudgetReached, "anna", None));
        assert!(store.claim_mail(HOLD).await.unwrap().is_none(), "what is verified comes by mail only if it is wished");
        let wishes = [(Kind::BudgetReached, false), (Kind::CardVerified, true)].map(|(kind, mail)| MailChoice { kind, mail });
        let choices = store.choose_mails(anna.id, &wishes).await.unwrap();
        assert!(choices.iter().all(|choice| choice.kind != Kind::MorningReport), "that has a mail of its own");
        assert!(wishes.iter().all(|wish| choices.contains(wish)), "{choices:?}");
        store.read_notifications(anna.id, ReadUpTo::Seq(i64::MAX)).await.unwrap();
        store.tell(tell(Kind::BudgetReached)).await.unwrap();
        store.tell(tell(Kind::CardVerified)).await.unwrap();
        let claimed = store.claim_mail(HOLD).await.unwrap().unwrap();
        assert_eq!(claimed.notification.unwrap().0.kind, Kind::CardVerified);
        assert!(store.claim_mail(HOLD).await.unwrap().is_none());
    }

    async fn old_ones_go(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let tell = |kind| Tell::new(kind, anna.id, "", "");
        fresh.store.tell(tell(Kind::MorningReport)).await.unwrap();
        fresh.store.read_notifications(anna.id, ReadUpTo::Seq(i64::MAX)).await.unwrap();
        fresh.store.tell(tell(Kind::BudgetReached)).await.unwrap();
        fresh.clock.advance(Duration::days(31));
        fresh.store.tell(tell(Kind::WebhookOff)).await.unwrap();
        let ago = |days| fresh.clock.now() - Duration::days(days);
        assert_eq!(fresh.store.forget_notifications(Some(ago(30)), Some(ago(180))).await.unwrap(), 1, "what was read");
        assert_eq!(fresh.store.forget_notifications(Some(ago(30)), Some(ago(31))).await.unwrap(), 0);
        fresh.clock.advance(Duration::days(1));
        assert_eq!(fresh.store.forget_notifications(Some(ago(30)), Some(ago(31))).await.unwrap(), 1, "what nobody reads");
        assert_eq!(kinds(&told(&fresh.store, &anna).await), [Kind::WebhookOff]);
    }

    async fn many_who_tell_and_read_at_once_never_block_each_other(fresh: Fresh) {
        let (anna, project, _) = begun(&fresh).await;
        let ben = fresh.member("ben").await;
        let tasks: Vec<_> = (0..6).map(|n| {
            let (store, project) = (fresh.store.clone(), project.id);
            let (anna, ben) = (anna.id, ben.id);
            tokio::spawn(async move {
                for _ in 0..10 {
                    let members = if n % 2 == 0 { vec![anna, ben] } else { vec![ben, anna] };
                    let tell = Tell::new(Kind::AutoModePaused, anna, "p", "").project(project);
                    store.tell(Tell { members, ..tell }).await.unwrap();
                    store.read_notifications(if n % 2 == 0 { anna } else { ben }, ReadUpTo::Seq(i64::MAX)).await.unwrap();
                }
            })
        }).collect();
        for task in tasks {
            tokio::time::timeout(std::time::Duration::from_secs(60), task).await.unwrap().unwrap();
        }
        let all = told(&fresh.store, &anna).await;
        let counted: i64 = fresh.store.notifications(anna.id, None, false, 100).await.unwrap().page.items.iter().map(|one| one.count).sum();
        assert_eq!(counted, 60, "each is counted once: {all:?}");
    }
}
