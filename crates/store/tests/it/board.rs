//! Projects, cards, attachments.

use guildhall_store::{FeaturePatch, FeatureQuery, NewProject, ProjectPatch, StoreError};
use guildhall_types::event::{Event, Happening};
use guildhall_types::feature::FeatureStatus;
use guildhall_types::project::{ProjectSettings, ProjectSource, ProjectStatus};

use crate::harness::{Fresh, card, file, new_run, on_both};

on_both! {
    async fn a_project_is_prepared_renamed_and_archived(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let new = |name: &str| NewProject {
            name: name.to_owned(), source: ProjectSource::Clone { url: "https://example.com/r.git".to_owned() },
            settings: ProjectSettings::default(), created_by: anna.id,
        };
        let project = fresh.store.create_project(new("Site")).await.unwrap();
        assert_eq!(fresh.store.preparing_projects().await.unwrap(), std::slice::from_ref(&project));
        assert!(matches!(fresh.store.create_project(new("SITE")).await, Err(StoreError::Taken { .. })));
        fresh.store.project_failed(project.id, "no such host").await.unwrap();
        fresh.store.project_preparing(project.id).await.unwrap();
        let ready = fresh.store.project_ready(project.id, "trunk").await.unwrap();
        assert_eq!((ready.status, ready.default_branch.as_str(), ready.error), (ProjectStatus::Ready, "trunk", None));
        let settings = ProjectSettings { verify_commands: vec!["make test".to_owned()], ..Default::default() };
        let patch = ProjectPatch { name: Some("Shop".to_owned()), settings: Some(settings.clone()) };
        assert_eq!(fresh.store.update_project(project.id, patch, false).await.unwrap().unwrap().settings, settings);
        fresh.store.archive_project(project.id).await.unwrap();
        assert!(fresh.store.project(project.id).await.unwrap().is_none());
        assert!(matches!(fresh.store.archive_project(project.id).await, Err(StoreError::NotFound { .. })));
        fresh.store.create_project(new("Shop")).await.unwrap();
    }

    async fn cards_are_counted_numbered_and_paged(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let other = fresh.project(&anna).await;
        fresh.card(&other, "elsewhere").await;
        for n in 1..=25 {
            assert_eq!(fresh.card(&project, &format!("card {n}")).await.card.number, n);
        }
        let summary = &fresh.store.projects(None, 10).await.unwrap()[0];
        assert_eq!(summary.counts.get(&FeatureStatus::Backlog), Some(&25));
        let mut query = FeatureQuery { limit: 10, ..Default::default() };
        let mut numbers = Vec::new();
        loop {
            let page = fresh.store.features(project.id, &query).await.unwrap();
            numbers.extend(page.items.iter().map(|card| card.number));
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
    }

    async fn cards_are_found_by_text_number_and_status(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        fresh.card(&project, "100% done_ness").await;
        fresh.card(&project, "Export Größe").await;
        let find = async |text: &str| {
            let query = FeatureQuery { text: Some(text.to_owned()), limit: 10, ..Default::default() };
            fresh.store.features(project.id, &query).await.unwrap().items.len()
        };
        assert_eq!(find("EXPORT").await, 1);
        assert_eq!(find("0%").await, 1);
        assert_eq!(find("e_n").await, 1);
        assert_eq!(find("x%t").await, 0);
        assert_eq!(find("#2").await, 1);
        let query = FeatureQuery { status: vec![FeatureStatus::Failed, FeatureStatus::Paused], limit: 10, ..Default::default() };
        assert!(fresh.store.features(project.id, &query).await.unwrap().items.is_empty());
    }

    async fn somebody_else_s_change_in_between_is_noticed(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let one = fresh.card(&project, "one").await;
        let patch = FeaturePatch { title: Some("two".to_owned()), ..Default::default() };
        let two = fresh.store.update_feature(one.card.id, patch.clone(), Some(one.card.version)).await.unwrap();
        assert_eq!(two.card.title, "two");
        let late = fresh.store.update_feature(one.card.id, patch, Some(one.card.version)).await;
        assert!(matches!(late, Err(StoreError::Stale { current }) if current == two.card.version));
    }

    async fn dependencies_stay_in_the_project_and_form_no_circle(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let (project, other) = (fresh.project(&anna).await, fresh.project(&anna).await);
        let a = fresh.card(&project, "a").await.card.id;
        let mut new = card(&project, "b");
        new.dependencies = vec![a];
        let b = fresh.store.create_feature(new).await.unwrap();
        assert_eq!(b.card.dependencies, [a]);
        let page = fresh.store.features(project.id, &FeatureQuery { limit: 9, ..Default::default() }).await.unwrap();
        assert_eq!(page.items[1].dependencies, [a]);
        let depend = |on| FeaturePatch { dependencies: Some(vec![on]), ..Default::default() };
        assert!(matches!(fresh.store.update_feature(a, depend(b.card.id), None).await, Err(StoreError::BadDependency(_))));
        let foreign = fresh.card(&other, "c").await.card.id;
        assert!(matches!(fresh.store.update_feature(a, depend(foreign), None).await, Err(StoreError::BadDependency(_))));
    }

    async fn nothing_begins_or_goes_on_in_an_archived_project(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let cards: Vec<_> = [fresh.card(&project, "one").await, fresh.card(&project, "two").await].map(|card| card.card.id).into();
        fresh.store.start_feature(cards[0], anna.id, new_run(), i64::MAX).await.unwrap();
        fresh.store.stop_feature(cards[0]).await.unwrap();
        fresh.store.archive_project(project.id).await.unwrap();
        let seq = fresh.store.last_seq().await.unwrap();
        for refused in [
            fresh.store.start_feature(cards[1], anna.id, new_run(), i64::MAX).await,
            fresh.store.follow_up(cards[0], anna.id, "go on").await,
            fresh.store.retry_feature(cards[0], anna.id).await,
        ] {
            assert!(matches!(refused, Err(StoreError::Archived)), "{refused:?}");
        }
        assert_eq!(fresh.store.last_seq().await.unwrap(), seq, "nothing was half done");
    }

    async fn of_a_start_and_an_archiving_at_once_one_is_done(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        for _ in 0..20 {
            let project = fresh.project(&anna).await;
            let id = fresh.card(&project, "one").await.card.id;
            let (starting, archiving) = (fresh.store.clone(), fresh.store.clone());
            let member = anna.id;
            let started = tokio::spawn(async move { starting.start_feature(id, member, new_run(), i64::MAX).await.is_ok() });
            let archived = tokio::spawn(async move { archiving.archive_project(project.id).await.is_ok() });
            let (started, archived) = (started.await.unwrap(), archived.await.unwrap());
            assert!(started != archived, "started: {started}, archived: {archived}");
        }
    }

    async fn a_card_at_work_cannot_be_deleted(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let id = fresh.card(&project, "one").await.card.id;
        fresh.store.start_feature(id, anna.id, new_run(), i64::MAX).await.unwrap();
        assert!(matches!(fresh.store.delete_feature(id).await, Err(StoreError::Live { .. })));
        assert!(matches!(fresh.store.archive_project(project.id).await, Err(StoreError::Live { .. })));
        fresh.store.stop_feature(id).await.unwrap();
        fresh.store.delete_feature(id).await.unwrap();
        assert!(fresh.store.feature(id).await.unwrap().is_none());
    }

    async fn a_file_on_a_card_reads_back(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        let id = fresh.card(&project, "one").await.card.id;
        let file = fresh.store.add_attachment(id, anna.id, &file("a.png", "image/png", &[0, 1, 255])).await.unwrap();
        assert_eq!(fresh.store.attachments(id).await.unwrap(), std::slice::from_ref(&file));
        assert_eq!(fresh.store.attachment_bytes(file.id).await.unwrap().unwrap(), (file.clone(), vec![0, 1, 255]));
        assert_eq!(file.created_by, Some(anna.id));
        let seq = fresh.store.last_seq().await.unwrap();
        assert!(fresh.store.delete_attachment(file.id).await.unwrap());
        assert!(fresh.store.attachment_bytes(file.id).await.unwrap().is_none());
        assert!(!fresh.store.delete_attachment(file.id).await.unwrap(), "once");
        let told = fresh.store.events_after(seq, 10).await.unwrap();
        assert!(matches!(told[..], [Event { what: Happening::FeatureUpdated { .. }, .. }]), "{told:?}");

        // What was deleted shows its files to nobody, and nobody takes them away.
        let left = crate::harness::file("b.png", "image/png", &[1]);
        let left = fresh.store.add_attachment(id, anna.id, &left).await.unwrap();
        fresh.store.delete_feature(id).await.unwrap();
        assert!(fresh.store.attachment_bytes(left.id).await.unwrap().is_none());
        assert!(!fresh.store.delete_attachment(left.id).await.unwrap());
    }
}
