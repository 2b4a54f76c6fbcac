//! What members attached, as the agents of a run reach it.

use std::sync::Arc;

use async_trait::async_trait;
use guildhall_agent::tools::{Files, of_files};
use guildhall_agent::{Tool, prompt};
use guildhall_store::StoreError;
use guildhall_team::Team;
use guildhall_types::feature::{FeatureCard, FeatureKind};
use guildhall_types::run::SaidFile;
use guildhall_types::{AttachmentId, FeatureId};

/// The tool that reads on where a file is shown in part. A chat has it always: files come with any message, and a provider
/// reads a whole conversation anew when its tools have changed.
pub(crate) async fn tool(team: &Team, card: &FeatureCard) -> Result<Vec<Arc<dyn Tool>>, StoreError> {
    let wanted = match card.kind {
        FeatureKind::Card => prompt::is_cut(&team.store.sent_files(card.id).await?),
        FeatureKind::Chat => true,
        FeatureKind::Task => false,
    };
    let files = || of_files(Arc::new(Attached { team: team.clone(), feature: card.id }));
    Ok(wanted.then(files).into_iter().collect())
}

/// The files of one card or chat, and of no other.
struct Attached {
    team: Team,
    feature: FeatureId,
}

#[async_trait]
impl Files for Attached {
    async fn file(&self, id: AttachmentId) -> Result<Option<SaidFile>, String> {
        match self.team.store.attachment_bytes(id).await {
            Ok(found) => Ok(found
                .filter(|(attachment, _)| attachment.feature_id == self.feature)
                .map(|(attachment, bytes)| SaidFile { attachment, bytes })),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an attachment could not be read");
                Err("the database did not answer as it should".to_owned())
            }
        }
    }
}
