//! Which node has what only one node has.

use guildhall_store::{KnownNode, Neighbour};
use guildhall_types::service::ServiceStatus;
use guildhall_types::{Clock, NodeId, PlaceId};

use crate::harness::{Fresh, on_both};
use crate::samples::reading;
use crate::services::{at_work, end, new};

/// A process that works in a data folder tells of itself.
async fn meet(fresh: &Fresh, place: PlaceId, node: NodeId, url: Option<&str>) {
    let now = fresh.clock.now();
    let known = KnownNode {
        id: place,
        node,
        name: "guild-1".to_owned(),
        version: "1".to_owned(),
        url: url.map(str::to_owned),
        started_at: now,
        seen_at: now,
        reading: reading(node, now, 0),
    };
    fresh.store.meet_node(&known).await.unwrap();
}

fn at(found: Option<Neighbour>) -> Option<(PlaceId, Option<String>)> {
    found.map(|node| (node.place, node.url))
}

on_both! {
    async fn a_worktree_is_where_a_run_was_worked_on_last_and_a_service_where_its_process_runs(fresh: Fresh) {
        let (node, place, other) = (NodeId::new(), PlaceId::new(), PlaceId::new());
        let claimed = at_work(&fresh, node).await;
        let (store, run, card) = (&fresh.store, claimed.run.id, claimed.run.feature_id);
        let url = "http://guild-1:4300".to_owned();
        assert_eq!(at(store.node_of_worktree(run).await.unwrap()), None, "nobody has said so");
        store.note_place(run, place).await.unwrap();
        assert_eq!(at(store.node_of_worktree(run).await.unwrap()), None, "nobody knows the node");
        meet(&fresh, place, node, Some(&url)).await;
        let here = Some((place, Some(url.clone())));
        assert_eq!(at(store.node_of_worktree(run).await.unwrap()), here);
        assert_eq!(at(store.node_of_work(card).await.unwrap()), here);

        let service = store.begin_service(new(run, "web", node, None)).await.unwrap().unwrap();
        assert_eq!(at(store.node_of_service(run, "web").await.unwrap()), here);
        assert_eq!(at(store.node_of_service_by_id(service.id).await.unwrap()), here);
        assert_eq!(at(store.node_of_service(run, "other").await.unwrap()), None);
        // The folder is the same after a start, and the process of the service is gone.
        meet(&fresh, place, NodeId::new(), None).await;
        assert_eq!(at(store.node_of_service(run, "web").await.unwrap()), None);
        assert_eq!(at(store.node_of_worktree(run).await.unwrap()), Some((place, None)), "and it is not reached any more");
        meet(&fresh, place, node, Some(&url)).await;
        assert!(store.end_service(service.id, node, &end(ServiceStatus::Ended, false)).await.unwrap());
        assert_eq!(at(store.node_of_service(run, "web").await.unwrap()), None, "it has ended");
        assert_eq!(at(store.node_of_service_by_id(service.id).await.unwrap()), None);

        meet(&fresh, other, NodeId::new(), None).await;
        store.note_place(run, other).await.unwrap();
        assert_eq!(at(store.node_of_worktree(run).await.unwrap()), Some((other, None)));
        assert_eq!(at(store.node_of_work(card).await.unwrap()), Some((other, None)));
    }
}
