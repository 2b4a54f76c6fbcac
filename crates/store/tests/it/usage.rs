//! The ledger, added up.

use chrono::Duration;
use guildhall_store::{Claimed, Group, UsageQuery};
use guildhall_types::chat::Usage;
use guildhall_types::limits::Limits;
use guildhall_types::member::ProviderKind;
use guildhall_types::run::{KeySource, LedgerRow};
use guildhall_types::usage::{GROUPS, Sums, UsageBy, day_in, days};
use guildhall_types::{Clock, DateTime, NodeId};

use crate::harness::{Fresh, new_run, on_both};

fn row(claimed: &Claimed, model: &str, hint: &str, micros: i64) -> LedgerRow {
    LedgerRow {
        id: guildhall_types::CallId::new(),
        member_id: claimed.run.member_id,
        key_source: if hint.is_empty() { KeySource::Team } else { KeySource::Member },
        key_hint: Some(hint.to_owned()),
        run_id: claimed.run.id,
        turn: None,
        provider: ProviderKind::Anthropic,
        model: model.to_owned(),
        usage: Usage { input_tokens: 1, output_tokens: 2, cache_read_tokens: 3, cache_write_tokens: 4 },
        cost_micros: micros,
        priced: micros > 0,
    }
}

fn at(text: &str) -> DateTime {
    text.parse().unwrap()
}

async fn claimed(fresh: &Fresh, name: &str, title: &str) -> Claimed {
    let member = fresh.member(name).await;
    let project = fresh.project(&member).await;
    let id = fresh.card(&project, title).await.card.id;
    fresh.store.start_feature(id, member.id, new_run(), i64::MAX).await.unwrap();
    let wide = Limits { max_concurrent_features: 100, ..Limits::default() };
    fresh.store.claim_run(NodeId::new(), Duration::days(90), &wide).await.unwrap().unwrap()
}

fn costs(groups: &[Group]) -> Vec<i64> {
    groups.iter().map(|group| group.sums.cost_micros).collect()
}

on_both! {
    async fn calls_are_added_up_by_what_they_have_in_common(fresh: Fresh) {
        let (anna, ben) = (claimed(&fresh, "anna", "Login").await, claimed(&fresh, "ben", "Search").await);
        let store = &fresh.store;
        for (run, model, hint, micros) in [(&anna, "a", "1234", 100), (&anna, "b", "", 20), (&ben, "a", "", 30), (&ben, "b", "9876", 0)] {
            store.save_side_call(&run.lease, &row(run, model, hint, micros)).await.unwrap();
        }
        let all = UsageQuery { from: fresh.clock.now() - Duration::hours(1), to: fresh.clock.now() + Duration::hours(1), project: None, member: None };
        let total = store.usage_total(&all).await.unwrap();
        assert_eq!(total, Sums { calls: 4, unpriced_calls: 1, input_tokens: 4, output_tokens: 8, cache_read_tokens: 12, cache_write_tokens: 16, cost_micros: 150 });

        let members = store.usage_groups(UsageBy::Member, &all).await.unwrap();
        assert_eq!(costs(&members), [120, 30]);
        assert_eq!((members[0].id, members[0].member_name.as_deref()), (Some(anna.run.member_id.0), Some("anna")));
        let models = store.usage_groups(UsageBy::Model, &all).await.unwrap();
        assert_eq!((models[0].text.as_deref(), costs(&models)), (Some("anthropic/a"), vec![130, 20]));
        let keys = store.usage_groups(UsageBy::Key, &all).await.unwrap();
        let told: Vec<_> = keys.iter().map(|key| (key.text.as_deref().unwrap(), key.id.is_some(), key.sums.cost_micros)).collect();
        assert_eq!(told, [("member:anthropic:1234", true, 100), ("team:anthropic:", false, 50), ("member:anthropic:9876", true, 0)]);
        let cards = store.usage_groups(UsageBy::Feature, &all).await.unwrap();
        assert_eq!((cards[0].feature_title.as_deref(), cards[0].feature_number, costs(&cards)), (Some("Login"), Some(1), vec![120, 30]));
        let projects = store.usage_groups(UsageBy::Project, &all).await.unwrap();
        assert_eq!((costs(&projects), projects[0].project_name.as_deref()), (vec![120, 30], Some(anna.project.name.as_str())));

        let own = UsageQuery { member: Some(ben.run.member_id), ..all };
        assert_eq!(store.usage_total(&own).await.unwrap().cost_micros, 30);
        let there = UsageQuery { project: Some(anna.run.project_id), ..all };
        assert_eq!(store.usage_total(&there).await.unwrap().cost_micros, 120);
        let neither = UsageQuery { member: own.member, ..there };
        assert_eq!(store.usage_total(&neither).await.unwrap(), Sums::default());
        // The card goes; what it cost stays, under its name.
        store.stop_feature(anna.run.feature_id).await.unwrap();
        store.delete_feature(anna.run.feature_id).await.unwrap();
        assert_eq!(store.usage_groups(UsageBy::Feature, &all).await.unwrap(), cards);
    }

    async fn days_are_those_of_a_clock_on_the_wall(fresh: Fresh) {
        let anna = claimed(&fresh, "anna", "Login").await;
        let store = &fresh.store;
        // Berlin puts its clock back in this night: the day has 25 hours.
        for (moment, model, micros) in [
            ("2026-10-24T21:59:59Z", "a", 1),
            ("2026-10-24T22:00:00Z", "a", 10),
            ("2026-10-25T22:59:59.999999Z", "b", 100),
            ("2026-10-25T23:00:00Z", "a", 1_000),
        ] {
            let now = fresh.clock.now();
            fresh.clock.advance(at(moment) - now);
            store.save_late_call(&anna.lease, &row(&anna, model, "", micros)).await.unwrap();
        }
        let days = days("2026-10-23".parse().unwrap(), "2026-10-26".parse().unwrap(), "Europe/Berlin");
        let what = UsageQuery { from: days[0].begins, to: days[3].ends, project: None, member: None };
        let by_day = store.usage_days(&what, &days).await.unwrap();
        let told: Vec<_> = by_day.iter().map(|day| (day.day, day.sums.cost_micros)).collect();
        assert_eq!(told, [(Some(1), 1), (Some(2), 110), (Some(3), 1_000)]);
        let models = store.usage_groups(UsageBy::Model, &what).await.unwrap();
        let parts = store.usage_parts(UsageBy::Model, &what, &days, &models[..1]).await.unwrap();
        let told: Vec<_> = parts.iter().map(|part| (part.day, part.text.as_deref(), part.sums.cost_micros)).collect();
        let a = Some("anthropic/a");
        assert_eq!(told, [(Some(1), a, 1), (Some(2), a, 10), (Some(3), a, 1_000)]);
        let keys = store.usage_groups(UsageBy::Key, &what).await.unwrap();
        assert_eq!(store.usage_parts(UsageBy::Key, &what, &days, &keys).await.unwrap().len(), 3);
        assert_eq!(day_in(what.from, "Europe/Berlin"), days[0].day);
    }

    async fn an_answer_has_no_more_groups_than_it_may(fresh: Fresh) {
        let anna = claimed(&fresh, "anna", "Login").await;
        for n in 1..=60 {
            fresh.store.save_side_call(&anna.lease, &row(&anna, &format!("m{n}"), "", n)).await.unwrap();
        }
        let all = UsageQuery { from: fresh.clock.now(), to: fresh.clock.now() + Duration::hours(1), project: None, member: None };
        let groups = fresh.store.usage_groups(UsageBy::Model, &all).await.unwrap();
        assert_eq!(groups.len() as i64, GROUPS);
        assert_eq!(costs(&groups), (11..=60).rev().collect::<Vec<_>>(), "the dearest ones");
    }
}
