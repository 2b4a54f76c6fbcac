//! Secrets of projects: what is shown of them, who may change which, and that they are sealed anew with all others.

use guildhall_store::{AuditQuery, NewProjectSecret, PutSecret, SealedSecret, StoreError, project_secret_identity};
use guildhall_types::audit::AuditAction;
use guildhall_types::member::Member;
use guildhall_types::project::Project;
use guildhall_types::secret::SecretUse;

use crate::harness::{Fresh, on_both};

fn secret(project: &Project, name: &str, by: &Member, mark: u8) -> NewProjectSecret {
    NewProjectSecret {
        project_id: project.id,
        name: name.to_owned(),
        secret: SealedSecret {
            identity: project_secret_identity(project.id, name),
            key_id: "k".to_owned(),
            wrapped_key: vec![mark; 8],
            sealed: vec![mark; 4],
        },
        hint: "cdef".to_owned(),
        uses: vec![SecretUse::SetUp, SecretUse::Agents],
        put_by: by.id,
        over_others: false,
        most: 2,
        most_bytes: 8,
    }
}

on_both! {
    async fn a_secret_is_put_shown_replaced_and_deleted(fresh: Fresh) {
        let (anna, ben) = (fresh.member("anna").await, fresh.member("ben").await);
        let (project, other) = (fresh.project(&anna).await, fresh.project(&anna).await);
        let store = &fresh.store;
        let put = store.put_project_secret(&secret(&project, "TOKEN", &anna, 1)).await.unwrap();
        let PutSecret::Done(saved) = put else { panic!("{put:?}") };
        assert_eq!((saved.name.as_str(), saved.put_by), ("TOKEN", anna.id));
        store.put_project_secret(&secret(&project, "A_URL", &ben, 2)).await.unwrap();
        store.put_project_secret(&secret(&other, "TOKEN", &anna, 3)).await.unwrap();
        let shown = store.project_secrets(project.id).await.unwrap();
        let names: Vec<&str> = shown.iter().map(|secret| secret.name.as_str()).collect();
        assert_eq!(names, ["A_URL", "TOKEN"]);
        assert_eq!(shown[1], saved);
        let kept = store.sealed_project_secrets(project.id).await.unwrap();
        assert_eq!((kept[1].name.as_str(), &kept[1].secret.sealed), ("TOKEN", &vec![1; 4]));
        assert_eq!(kept[1].uses, [SecretUse::SetUp, SecretUse::Agents]);

        // Another member's stays, unless whoever comes may go over it; one more than there may be is refused.
        let over = secret(&project, "TOKEN", &ben, 4);
        assert_eq!(store.put_project_secret(&over).await.unwrap(), PutSecret::Others);
        assert_eq!(store.put_project_secret(&secret(&project, "THIRD", &ben, 5)).await.unwrap(), PutSecret::TooMany);
        // So is what would make all of them too large together; what is no larger than the one before goes in any case.
        let sealed = |length| SealedSecret { sealed: vec![4; length], ..over.secret.clone() };
        let large = NewProjectSecret { over_others: true, secret: sealed(5), ..over.clone() };
        assert_eq!(store.put_project_secret(&large).await.unwrap(), PutSecret::TooLarge { others: 4 });
        let by_admin = NewProjectSecret { most_bytes: 1, secret: sealed(4), ..large };
        assert!(matches!(store.put_project_secret(&by_admin).await.unwrap(), PutSecret::Done(_)));
        assert_eq!(store.sealed_project_secrets(project.id).await.unwrap()[1].secret.sealed, vec![4; 4]);
        assert!(!store.delete_project_secret(project.id, "TOKEN", Some(anna.id)).await.unwrap(), "it is ben's now");
        assert!(store.delete_project_secret(project.id, "TOKEN", Some(ben.id)).await.unwrap());
        assert!(!store.delete_project_secret(project.id, "TOKEN", None).await.unwrap());
        assert_eq!(store.secret(&project_secret_identity(project.id, "TOKEN")).await.unwrap(), None);
        assert_eq!(store.project_secrets(other.id).await.unwrap().len(), 1, "the other project's is left alone");

        let told = store.audit_entries(&AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
        let told: Vec<_> = told.iter().filter(|entry| entry.object_id == Some(project.id.to_string()))
            .filter(|entry| matches!(entry.action, AuditAction::PutProjectSecret | AuditAction::DeleteProjectSecret))
            .map(|entry| (entry.action, entry.detail["name"].as_str())).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told.contains(&(AuditAction::DeleteProjectSecret, "TOKEN")));

        store.archive_project(project.id).await.unwrap();
        let late = store.put_project_secret(&secret(&project, "LATE", &anna, 6)).await;
        assert!(matches!(late, Err(StoreError::NotFound { what: "project" })), "{late:?}");
    }

    async fn a_secret_of_a_project_is_sealed_anew_with_all_others(fresh: Fresh) {
        let anna = fresh.member("anna").await;
        let project = fresh.project(&anna).await;
        fresh.store.adopt_key("k").await.unwrap();
        fresh.store.put_project_secret(&secret(&project, "TOKEN", &anna, 1)).await.unwrap();
        fresh.store.turn_to_key("k", "new").await.unwrap();
        let late = fresh.store.put_project_secret(&secret(&project, "TOKEN", &anna, 2)).await;
        assert!(matches!(late, Err(StoreError::KeyMoved { .. })), "{late:?}");
        let walked = fresh.store.keys_not_under("new", "", 10).await.unwrap();
        assert_eq!(walked.len(), 1);
        assert_eq!(walked[0].identity, project_secret_identity(project.id, "TOKEN"));
        assert_eq!(fresh.store.sealed_project_secrets(project.id).await.unwrap()[0].secret.sealed, vec![1; 4]);
    }
}
