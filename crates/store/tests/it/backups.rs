//! What is known of backups.

use chrono::Duration;
use guildhall_store::{BackupEnd, NewBackup};
use guildhall_types::Clock;
use guildhall_types::backup::{BackupCause, BackupKind};

use crate::harness::{Fresh, on_both};

on_both! {
    async fn how_old_the_latest_good_backup_is_counts_tries_only_where_none_is_good(fresh: Fresh) {
        let store = &fresh.store;
        let since = async || store.not_backed_up_since().await.unwrap();
        let new = NewBackup { cause: BackupCause::Command, destination: "/mnt/backups".to_owned() };
        let made = async |end: BackupEnd| {
            fresh.clock.advance(Duration::hours(1));
            let at = fresh.clock.now();
            let id = store.begin_backup(&new).await.unwrap();
            store.end_backup(id, &end).await.unwrap();
            at
        };
        let done = |name: &str| BackupEnd::Done { name: name.to_owned(), kind: BackupKind::Full, bytes: 1 };
        assert_eq!(since().await, None);
        let tried = made(BackupEnd::Failed("no room".to_owned())).await;
        made(BackupEnd::Failed("no room".to_owned())).await;
        assert_eq!(since().await, Some(tried), "the first that was tried");
        let good = made(done("one")).await;
        made(BackupEnd::Failed("no room".to_owned())).await;
        assert_eq!(since().await, Some(good));
        let later = made(done("two")).await;
        assert_eq!(since().await, Some(later));
        store.note_backup_verified("two", Some("a ref is missing")).await.unwrap();
        assert_eq!(since().await, Some(good), "what is wrong with the other was found");
    }
}
