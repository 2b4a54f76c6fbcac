//! How executions come to their end, who hears of it, and what works for one that is over.

use super::*;

on_both! {
    async fn what_is_over_begins_no_agent_and_what_it_left_at_work_is_found(fresh: Fresh) {
        let (_, project, _, first) = begun(&fresh).await;
        fresh.store.project_ready(project.id, "main").await.unwrap();
        let second = forward(&fresh, &first, &[]).await.unwrap();
        let task = fresh.store.execution_tasks(first.id).await.unwrap().remove(0);
        assert_eq!((task.status, task.is_live()), (None, false));
        let new = |id| NewAside { id, execution_id: Some(first.id), ..aside(&project, FeatureKind::Task, "One") };
        fresh.store.start_aside(new(task.feature_id), new_run()).await.unwrap();
        let task = fresh.store.execution_tasks(first.id).await.unwrap().remove(0);
        assert_eq!((task.status, task.is_live()), (Some(RunStatus::Queued), true));
        assert!(fresh.store.tasks_left_over().await.unwrap().is_empty());
        // Whoever ended it dies before its agent is stopped.
        let over = forward(&fresh, &second, &[Happened::Cancelled { why: "Enough.".to_owned() }]).await.unwrap();
        assert!(over.status.is_over());
        assert_eq!(fresh.store.executions_to_drive().await.unwrap(), [first.id]);
        assert_eq!(fresh.store.tasks_left_over().await.unwrap(), [task.feature_id]);
        fresh.store.stop_feature(task.feature_id).await.unwrap();
        assert!(fresh.store.executions_to_drive().await.unwrap().is_empty());
        // And whoever looked at it before that begins nothing any more.
        let late = fresh.store.start_aside(new(FeatureId::new()), new_run()).await;
        assert!(matches!(late, Err(StoreError::NotFound { what: "open execution" })), "{late:?}");
        assert_eq!(fresh.store.tasks_of(first.id).await.unwrap().len(), 1);
    }

    async fn nobody_goes_on_with_what_works_for_a_step(fresh: Fresh) {
        let (anna, project, _, first) = begun(&fresh).await;
        fresh.store.project_ready(project.id, "main").await.unwrap();
        forward(&fresh, &first, &[]).await.unwrap();
        let id = fresh.store.execution_tasks(first.id).await.unwrap().remove(0).feature_id;
        let new = NewAside { id, execution_id: Some(first.id), ..aside(&project, FeatureKind::Task, "One") };
        let (task, _) = fresh.store.start_aside(new, new_run()).await.unwrap();
        assert_eq!(task.execution_id, Some(first.id));
        let said = fresh.store.follow_up(id, anna.id, "And this?").await;
        fresh.store.stop_feature(id).await.unwrap();
        let again = fresh.store.follow_up(id, anna.id, "And this?").await;
        for refused in [said, again, fresh.store.retry_feature(id, anna.id).await] {
            let error = refused.unwrap_err();
            assert!(matches!(error, StoreError::OfExecution { execution } if execution == first.id), "{error:?}");
            assert!(error.to_string().contains(&first.id.to_string()), "{error}");
        }
        assert_eq!(fresh.store.execution_tasks(first.id).await.unwrap()[0].status, Some(RunStatus::Stopped));
    }

    async fn who_started_one_is_told_of_its_end_unless_somebody_ended_it(fresh: Fresh) {
        let (anna, _, _, first) = begun(&fresh).await;
        let ben = fresh.member("ben").await;
        let told = async || {
            let all = fresh.store.notifications(anna.id, None, true, 10).await.unwrap().page.items;
            all.into_iter().map(|one| (one.kind, one.execution_id, one.project_id, one.text)).collect::<Vec<_>>()
        };
        let failed = Happened::Ended { key: "one".to_owned(), attempt: 2, result: Err("It broke.".to_owned()) };
        let second = forward(&fresh, &first, &[]).await.unwrap();
        let once = Happened::Ended { key: "one".to_owned(), attempt: 1, result: Err("Not yet.".to_owned()) };
        let third = forward(&fresh, &second, &[once]).await.unwrap();
        fresh.clock.advance(Duration::seconds(5));
        let fourth = forward(&fresh, &third, &[]).await.unwrap();
        assert_eq!(told().await, []);
        forward(&fresh, &fourth, &[failed]).await.unwrap();
        let of = told().await.remove(0);
        assert_eq!((of.0, of.1, of.2), (NotificationKind::ExecutionFailed, Some(first.id), Some(first.project_id)));
        assert!(of.3.contains("It broke."), "{}", of.3);

        let other = execution_of(&fresh, &anna, &fresh.store.project(first.project_id).await.unwrap().unwrap()).await.unwrap();
        let second = forward(&fresh, &other, &[]).await.unwrap();
        let done = Happened::Ended { key: "one".to_owned(), attempt: 1, result: Ok(json!("x")) };
        let third = forward(&fresh, &second, &[done]).await.unwrap();
        let yes = Happened::Reviewed { key: "look".to_owned(), approved: true, text: String::new() };
        forward(&fresh, &third, &[yes]).await.unwrap();
        let kinds: Vec<_> = told().await.into_iter().map(|one| (one.0, one.1)).collect();
        assert!(kinds.contains(&(NotificationKind::ExecutionCompleted, Some(other.id))), "{kinds:?}");
        let ended = execution_of(&fresh, &anna, &fresh.store.project(first.project_id).await.unwrap().unwrap()).await.unwrap();
        forward(&fresh, &ended, &[Happened::Cancelled { why: "Enough.".to_owned() }]).await.unwrap();
        assert_eq!(told().await.len(), 2, "who ended it knows");
        assert_eq!(fresh.store.unread(ben.id).await.unwrap(), 0, "nobody else asked for it");
    }

    async fn everything_ends_at_once_without_being_read(fresh: Fresh) {
        let (anna, project, _, first) = begun(&fresh).await;
        let second = forward(&fresh, &first, &[]).await.unwrap();
        let ended = Happened::Ended { key: "one".to_owned(), attempt: 1, result: Ok(json!("x")) };
        forward(&fresh, &second, &[ended]).await.unwrap();
        assert_eq!(fresh.store.unread(anna.id).await.unwrap(), 1);
        let broken = execution_of(&fresh, &anna, &project).await.unwrap();
        fresh.tamper("UPDATE executions SET definition = 'broken' WHERE name LIKE '%' AND status = 'pending'").await.unwrap();
        assert!(fresh.store.execution_record(broken.id, Texts::None).await.is_err());
        assert_eq!(fresh.store.end_all_executions("Olga stopped every agent.").await.unwrap(), 2);
        for id in [first.id, broken.id] {
            let over = fresh.store.execution(id).await.unwrap().unwrap();
            assert_eq!((over.status, over.error.as_deref()), (ExecutionStatus::Cancelled, Some("Olga stopped every agent.")));
            assert_eq!(over.ended_at, Some(now(&fresh)));
        }
        let record = fresh.store.execution_record(first.id, Texts::All).await.unwrap().unwrap();
        assert!(record.state.steps.iter().all(|step| !step.status.is_open() && step.deadline.is_none()), "{record:?}");
        assert_eq!(fresh.store.unread(anna.id).await.unwrap(), 0, "nobody is asked any more");
        assert_eq!(fresh.store.end_all_executions("Again.").await.unwrap(), 0);
    }

    async fn what_waits_ends_with_its_member_and_with_its_project(fresh: Fresh) {
        let olga = fresh.with_role("olga", MemberRole::Owner).await;
        let (anna, project, ..) = begun(&fresh).await;
        let ben = fresh.member("ben").await;
        let of_ben = execution_of(&fresh, &ben, &project).await.unwrap();
        let other = fresh.project(&ben).await;
        let elsewhere = execution_of(&fresh, &ben, &other).await.unwrap();
        let change = MemberChange { disabled: Some(true), ..MemberChange::default() };
        fresh.store.change_member(olga.id, anna.id, change).await.unwrap();
        let open = async || {
            let query = ExecutionQuery { open: true, limit: 10, ..ExecutionQuery::default() };
            fresh.store.executions(query).await.unwrap().iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(open().await, [elsewhere.id, of_ben.id]);
        let refused = execution_of(&fresh, &anna, &project).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        fresh.store.archive_project(project.id).await.unwrap();
        assert_eq!(open().await, [elsewhere.id]);
        let archived = fresh.store.execution(of_ben.id).await.unwrap().unwrap();
        assert_eq!(archived.error.as_deref(), Some("Its project was archived."));
        let change = MemberChange { role: Some(MemberRole::Viewer), ..MemberChange::default() };
        fresh.store.change_member(olga.id, ben.id, change).await.unwrap();
        assert!(open().await.is_empty());
    }
}
