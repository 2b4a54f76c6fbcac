//! The hub as files: items as Markdown with a front matter, one by one or as an archive of them.

use guildhall_store::KnowledgeFilter;
use guildhall_types::KnowledgeId;
use guildhall_types::knowledge::markdown::{file_name, render};

use super::tar;
use crate::{Team, TeamError};

/// Items that are read at once for an archive.
const AT_ONCE: i64 = 50;

impl Team {
    /// An item as a Markdown file.
    ///
    /// # Errors
    /// [`TeamError::NotFound`], also for a deleted one.
    pub async fn knowledge_file(&self, id: KnowledgeId) -> Result<(String, String), TeamError> {
        let item = self.store.knowledge(id).await?.filter(|item| item.common.deleted_at.is_none());
        let item = item.ok_or_else(super::gone)?;
        Ok((file_name(&item), render(&item)))
    }

    /// The next part of an archive of all items that pass a filter, and where the part after it begins, if there is one. The
    /// parts, one after the other, are the archive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_archive(
        &self,
        filter: &KnowledgeFilter,
        after: Option<KnowledgeId>,
    ) -> Result<(Vec<u8>, Option<KnowledgeId>), TeamError> {
        let (files, next) = self.knowledge_files(filter, after).await?;
        let mut bytes = Vec::new();
        for (name, text, seconds) in files {
            bytes.extend(tar::file(&name, text.as_bytes(), seconds));
        }
        if next.is_none() {
            bytes.extend(tar::END);
        }
        Ok((bytes, next))
    }

    /// Some of the items that pass a filter, each as a file: its name, which is ours, its text, and when it last changed, in
    /// seconds since 1970. Also where the next ones begin, if there are any. An item that changes while others are read is neither
    /// missed nor given out twice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knowledge_files(
        &self,
        filter: &KnowledgeFilter,
        after: Option<KnowledgeId>,
    ) -> Result<(Vec<(String, String, i64)>, Option<KnowledgeId>), TeamError> {
        let (items, next) = self.store.knowledge_walk(filter, after, AT_ONCE).await?;
        let files = items.iter().map(|item| (file_name(item), render(item), item.common.updated_at.timestamp()));
        Ok((files.collect(), next))
    }
}
