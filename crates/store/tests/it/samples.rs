//! What nodes and members used, over time.

use chrono::Duration;
use guildhall_store::{Backend, KnownNode, MemberSample, Minute};
use guildhall_types::chat::Usage;
use guildhall_types::limits::Limits;
use guildhall_types::member::ProviderKind;
use guildhall_types::reading::{DatabaseTrouble, Reading, Used};
use guildhall_types::run::{KeySource, LedgerRow};
use guildhall_types::sample::{Level, MemberFigures, NodeFigures, SampleRange, Span};
use guildhall_types::{Clock, DateTime, MemberId, NodeId, PlaceId};

use crate::harness::{Fresh, new_run, on_both};

pub fn reading(node: NodeId, at: DateTime, memory: i64) -> Reading {
    Reading {
        node,
        at,
        memory: Some(Used { used: memory, total: 1_000 }),
        process_memory: Some(1),
        disk: None,
        disks: Vec::new(),
        processors: 2,
        load: Some(1.0),
        active_agents: Some(0),
        active_runs: 0,
        worktrees: 0,
        queue_depth: None,
        provider_failures: 0,
        database_millis: Some(0.5),
        database_trouble: None,
    }
}

fn minute(place: PlaceId, node: NodeId, at: DateTime, memory: i64, members: &[(MemberId, f64)]) -> Minute {
    let reading = reading(node, at, memory);
    let known = KnownNode {
        id: place,
        node,
        name: "guild-1".to_owned(),
        version: "1".to_owned(),
        url: None,
        started_at: at,
        seen_at: at,
        reading: reading.clone(),
    };
    let figures = |memory| MemberFigures { memory: Some(Level::of(memory)), ..MemberFigures::default() };
    let members = members.iter().map(|(member, memory)| (*member, figures(*memory))).collect();
    Minute { known, at, node: NodeFigures::from(&reading), members }
}

async fn of_span(fresh: &Fresh, span: Span) -> Vec<MemberSample> {
    fresh.store.member_samples_since(span, DateTime::UNIX_EPOCH).await.unwrap()
}

on_both! {
    async fn a_minute_is_kept_with_what_the_ledger_has_of_it_and_longer_spans_are_made_of_minutes(fresh: Fresh) {
        let store = &fresh.store;
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let project = fresh.project(&anna).await;
        let card = fresh.card(&project, "Login").await.card.id;
        store.start_feature(card, anna.id, new_run(), i64::MAX).await.unwrap();
        let run = store.claim_run(NodeId::new(), Duration::days(9), &Limits::default()).await.unwrap().unwrap();
        let row = LedgerRow {
            id: guildhall_types::CallId::new(),
            member_id: anna.id,
            key_source: KeySource::Team,
            key_hint: None,
            run_id: run.run.id,
            turn: None,
            provider: ProviderKind::Anthropic,
            model: "m".to_owned(),
            usage: Usage { input_tokens: 1, output_tokens: 2, cache_read_tokens: 3, cache_write_tokens: 4 },
            cost_micros: 50,
            priced: true,
        };
        let start = fresh.clock.now();
        assert_eq!(Span::Hour.begin(start), start, "the clock of the tests begins with an hour");
        let (place, node) = (PlaceId::new(), NodeId::new());
        store.save_minute(&minute(place, node, start, 100, &[(anna.id, 600.0)])).await.unwrap();
        fresh.clock.advance(Duration::seconds(61));
        store.save_late_call(&run.lease, &row).await.unwrap();
        let second = start + Duration::minutes(1);
        let both = minute(place, node, second, 300, &[(anna.id, 200.0), (ben.id, 50.0)]);
        store.save_minute(&both).await.unwrap();
        // Once more, as after an answer that was lost.
        store.save_minute(&both).await.unwrap();

        let told = |sample: &MemberSample| (sample.member_id, sample.at, sample.figures.memory.map(|level| level.mean), sample.figures.tokens);
        let mut minutes: Vec<_> = of_span(&fresh, Span::Minute).await.iter().map(told).collect();
        minutes.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap());
        let mut expected = vec![
            (anna.id, start, Some(600.0), 0),
            (anna.id, second, None, 10),
            (anna.id, second, Some(200.0), 0),
            (ben.id, second, Some(50.0), 0),
        ];
        expected.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(minutes, expected);

        for span in [Span::TenMinutes, Span::Hour] {
            let long = of_span(&fresh, span).await;
            assert!(long.iter().all(|sample| sample.at == start && sample.minutes == 2), "{long:?}");
            let of = |member, counted: bool| {
                let found = long.iter().find(|sample| sample.member_id == member && sample.figures.memory.is_some() == counted);
                found.unwrap_or_else(|| panic!("{span:?}: {long:?}")).figures
            };
            assert_eq!(of(anna.id, true).memory, Some(Level { mean: 400.0, max: 600.0 }));
            assert_eq!((of(anna.id, false).tokens, of(anna.id, false).cost_micros), (10, 50));
            // Of two minutes, one in which nothing was used.
            assert_eq!(of(ben.id, true).memory, Some(Level { mean: 25.0, max: 50.0 }));
        }
        let nodes = store.node_samples(SampleRange::Day).await.unwrap();
        assert_eq!(nodes.len(), 1);
        assert_eq!((nodes[0].place, nodes[0].minutes), (place, 2));
        assert_eq!(nodes[0].figures.memory, Some(Level { mean: 200.0, max: 300.0 }));
        assert_eq!((nodes[0].figures.memory_total, nodes[0].figures.disk), (Some(1_000), None));
        let year = store.node_samples(SampleRange::Year).await.unwrap();
        assert_eq!((year.len(), year[0].at, year[0].minutes), (1, Span::Day.begin(start), 2));
        assert_eq!(year[0].figures.memory, nodes[0].figures.memory);
        let known = store.nodes().await.unwrap();
        assert_eq!(known, [both.known]);
        let owners = store.members_of_runs(&[run.run.id, guildhall_types::RunId::new()]).await.unwrap();
        assert_eq!((owners, store.members_of_runs(&[]).await.unwrap()), (vec![(run.run.id, anna.id)], vec![]));
    }

    async fn days_that_an_earlier_version_did_not_keep_are_made_of_their_hours(fresh: Fresh) {
        let store = &fresh.store;
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let project = fresh.project(&anna).await;
        let card = fresh.card(&project, "Login").await.card.id;
        store.start_feature(card, anna.id, new_run(), i64::MAX).await.unwrap();
        let run = store.claim_run(NodeId::new(), Duration::days(999), &Limits::default()).await.unwrap().unwrap();
        let row = LedgerRow {
            id: guildhall_types::CallId::new(),
            member_id: anna.id,
            key_source: KeySource::Team,
            key_hint: None,
            run_id: run.run.id,
            turn: None,
            provider: ProviderKind::Anthropic,
            model: "m".to_owned(),
            usage: Usage { input_tokens: 10, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 },
            cost_micros: 5,
            priced: true,
        };
        let nodes = [(PlaceId::new(), NodeId::new()), (PlaceId::new(), NodeId::new())];
        // Three days on two nodes, of which the second was away on one; each with its last minute, by which its samples are whole.
        let first = Span::Day.begin(fresh.clock.now()) + Duration::days(1);
        let hours = [3, 4, 23];
        for day in 0..3 {
            for hour in hours {
                let at = first + Duration::days(day) + Duration::hours(hour) + Duration::minutes(59);
                fresh.clock.advance(at - fresh.clock.now());
                let row = LedgerRow { id: guildhall_types::CallId::new(), ..row.clone() };
                store.save_late_call(&run.lease, &row).await.unwrap();
                for (n, (place, node)) in nodes.into_iter().enumerate().filter(|(n, _)| *n == 0 || day != 1) {
                    let memory = (100 * (day + 1) + hour + n as i64) as f64;
                    store.save_minute(&minute(place, node, at, memory as i64, &[(anna.id, memory), (ben.id, 1.0)])).await.unwrap();
                }
            }
        }
        let days = async || {
            let members = of_span(&fresh, Span::Day).await;
            (store.node_samples(SampleRange::Year).await.unwrap(), members)
        };
        let kept = days().await;
        // On the days of both nodes Anna and Ben on each and Anna's tokens, on that of one three.
        assert_eq!((kept.0.len(), kept.1.len()), (5, 5 + 3 + 5));
        assert_eq!(kept.1.iter().map(|one| one.figures.tokens).sum::<i64>(), 3 * hours.len() as i64 * 10);
        assert_eq!(store.make_missing_days().await.unwrap(), 0, "there is nothing to make");

        // As an earlier version left it, one day having been made since.
        let second = (first + Duration::days(1)).format("%Y-%m-%d");
        for table in ["node_samples", "member_samples"] {
            let text = if store.backend() == Backend::Sqlite { "at" } else { "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')" };
            let sql = format!("DELETE FROM {table} WHERE span = 86400 AND {text} NOT LIKE '{second}%'");
            fresh.tamper(&sql).await.unwrap();
        }
        assert_eq!(days().await.0.len(), 1);
        assert_eq!(store.make_missing_days().await.unwrap(), 2, "of two whole days today is none");
        // The rest of today comes with the next minute.
        fresh.clock.advance(Duration::minutes(1));
        let other = fresh.again().await;
        let (one, two) = tokio::join!(store.make_missing_days(), other.make_missing_days());
        assert!(one.unwrap().max(two.unwrap()) == 2, "now it is over");
        assert_eq!(days().await, kept);
        assert_eq!((store.make_missing_days().await.unwrap(), days().await), (0, kept), "twice is once");
        other.close().await;
        // Nobody makes what would be forgotten at once.
        fresh.tamper("DELETE FROM node_samples WHERE span = 86400").await.unwrap();
        fresh.clock.advance(Duration::days(364) - Duration::minutes(1));
        assert_eq!(store.make_missing_days().await.unwrap(), 2);
    }

    async fn each_span_is_kept_for_its_time_and_no_longer(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let (place, node) = (PlaceId::new(), NodeId::new());
        let counts = async || {
            let mut counts = Vec::new();
            for span in Span::ALL {
                counts.push(of_span(&fresh, span).await.len());
            }
            counts
        };
        let save = async |days: i64| {
            fresh.clock.advance(Duration::days(days));
            let at = Span::TenMinutes.begin(fresh.clock.now());
            fresh.store.save_minute(&minute(place, node, at, 1, &[(anna.id, 1.0)])).await.unwrap();
        };
        save(0).await;
        assert_eq!(counts().await, [1, 1, 1, 1]);
        save(2).await;
        assert_eq!(counts().await, [1, 2, 2, 2], "minutes are kept for a day");
        save(8).await;
        assert_eq!(counts().await, [1, 1, 3, 3], "ten minutes for a week");
        save(366).await;
        assert_eq!(counts().await, [1, 1, 1, 1], "hours and days for a year");
        assert_eq!(fresh.store.node_samples(SampleRange::Month).await.unwrap().len(), 1);
        assert_eq!(fresh.store.nodes().await.unwrap().len(), 1);
        // A node of which nothing is heard is forgotten.
        fresh.clock.advance(Duration::days(40));
        let at = Span::TenMinutes.begin(fresh.clock.now());
        let other = PlaceId::new();
        fresh.store.save_minute(&minute(other, NodeId::new(), at, 1, &[])).await.unwrap();
        let left = fresh.store.nodes().await.unwrap();
        assert_eq!(left.iter().map(|node| node.id).collect::<Vec<_>>(), [other]);
    }

    async fn a_turn_counts_only_where_what_is_written_with_it_stays(fresh: Fresh) {
        let (place, at) = (PlaceId::new(), fresh.clock.now());
        assert!(!fresh.store.take_turn(place).await.unwrap(), "nothing is known of it yet");
        fresh.store.meet_node(&minute(place, NodeId::new(), at, 1, &[]).known).await.unwrap();
        fresh.clock.advance(Duration::seconds(15));
        assert!(fresh.store.take_turn(place).await.unwrap());
        let known = fresh.store.nodes().await.unwrap();
        assert_eq!((known.len(), known[0].seen_at), (1, fresh.clock.now()));
        if fresh.store.backend() == Backend::Postgres {
            // As after one that stood by took over, or where somebody forbids to write: turns are given all the same.
            let (_, name) = fresh.url().rsplit_once('/').unwrap();
            fresh.tamper(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await.unwrap();
            let standing_by = fresh.again().await;
            assert_eq!(standing_by.take_turn(place).await.unwrap_err().trouble(), DatabaseTrouble::ReadOnly);
        }
    }
}
