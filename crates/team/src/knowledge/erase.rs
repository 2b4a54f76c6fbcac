//! Erasing for good what must not be in the hub, such as a secret that slipped through.

use guildhall_types::KnowledgeId;
use guildhall_types::knowledge::{Author, KnowledgeKind};

use crate::{Team, TeamError};

/// Versions that are erased at once, at most.
const AT_ONCE: usize = 1_000;

impl Team {
    /// Erases an item of the hub for good, deleted or not, or with `versions` former texts of it alone. Nobody takes that back.
    /// For admins.
    ///
    /// # Errors
    /// [`TeamError::NotYours`]; [`TeamError::NotFound`], also without such a version; [`TeamError::Conflict`] for the version
    /// that holds the present text.
    pub async fn erase_knowledge(
        &self,
        author: &Author,
        kind: KnowledgeKind,
        id: KnowledgeId,
        versions: Option<&[i64]>,
    ) -> Result<(), TeamError> {
        self.people_only(author)?;
        if !author.may_manage {
            return Err(TeamError::not_yours("Only an admin erases for good. Delete it, and ask one."));
        }
        let item = self.knowledge(kind, id).await?;
        let Some(versions) = versions else {
            return Ok(self.store.erase_knowledge(id, author).await?);
        };
        if versions.is_empty() || versions.len() > AT_ONCE {
            return Err(TeamError::invalid(
                "versions",
                format!("name 1 to {AT_ONCE} versions, or leave them out for all of it"),
            ));
        }
        if versions.contains(&item.common.version) {
            let message = format!(
                "version {} is what the item says now: change it first and then erase what it said, or erase the item",
                item.common.version
            );
            return Err(TeamError::conflict("current-version", message));
        }
        Ok(self.store.erase_versions(id, versions, author).await?)
    }
}
