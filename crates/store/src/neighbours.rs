//! Which node has what only one node has, and where it is reached.

use guildhall_types::{DateTime, FeatureId, PlaceId, RunId, ServiceId};

use crate::{Rows, Store, StoreError, on, read};

/// A node of the team, as far as it takes to ask it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Neighbour {
    /// Its data folder.
    pub place: PlaceId,
    /// What its machine calls itself.
    pub name: String,
    /// Where the other nodes reach it, if they do.
    pub url: Option<String>,
    /// When it last told how it is.
    pub seen_at: DateTime,
}

impl Store {
    /// The node on which a service of a run runs; nothing where it runs on none that is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn node_of_service(&self, run: RunId, name: &str) -> Result<Option<Neighbour>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT n.id AS place, n.name, n.url, n.seen_at FROM run_services s JOIN nodes n ON n.node = s.node
             WHERE s.run_id = $1 AND s.name = $2 AND s.status = 'running'").bind(run).bind(name).fetch_optional(c).await)?)
    }

    /// The same, of a service by its id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn node_of_service_by_id(&self, service: ServiceId) -> Result<Option<Neighbour>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT n.id AS place, n.name, n.url, n.seen_at FROM run_services s JOIN nodes n ON n.node = s.node
             WHERE s.id = $1 AND s.status = 'running'").bind(service).fetch_optional(c).await)?)
    }

    /// The node on which a run was worked on last; nothing where that is not known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn node_of_worktree(&self, run: RunId) -> Result<Option<Neighbour>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT n.id AS place, n.name, n.url, n.seen_at FROM runs r JOIN nodes n ON n.id = r.place WHERE r.id = $1")
            .bind(run).fetch_optional(c).await)?)
    }

    /// The same of a card's latest run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn node_of_work(&self, feature: FeatureId) -> Result<Option<Neighbour>, StoreError> {
        Ok(read!(self, c => sqlx::query_as(
            "SELECT n.id AS place, n.name, n.url, n.seen_at FROM features f JOIN runs r ON r.id = f.run_id
             JOIN nodes n ON n.id = r.place WHERE f.id = $1").bind(feature).fetch_optional(c).await)?)
    }

    /// Notes in which data folder the worktree of a run is, from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_place(&self, run: RunId, place: PlaceId) -> Result<(), StoreError> {
        let mut tx = self.begin_light().await?;
        on!(tx, c => sqlx::query("UPDATE runs SET place = $2 WHERE id = $1 AND (place IS NULL OR place <> $2)").bind(run)
            .bind(place).execute(c).await.rows())?;
        // Nobody is told of it.
        self.db.commit(tx).await
    }
}
