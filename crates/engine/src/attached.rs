//! What is attached to a piece of work, as its agents see and reach it.

use std::sync::Arc;

use async_trait::async_trait;
use guildhall_agent::tools::{Files, of_files};
use guildhall_agent::{KEPT_IN_VIEW, Tool, prompt};
use guildhall_store::StoreError;
use guildhall_team::Team;
use guildhall_types::chat::{Block, Picture};
use guildhall_types::feature::{Feature, FeatureCard, FeatureKind};
use guildhall_types::run::{SaidFile, Turn};
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

/// Reads the latest of the images that a conversation shows: it names them, and their bytes are kept beside it.
pub(crate) async fn bring_into_view(team: &Team, history: &mut [Turn]) -> Result<(), StoreError> {
    let mut shown: Vec<&mut Picture> = Vec::new();
    for turn in history.iter_mut().rev() {
        let results = turn.results.iter_mut().flatten().rev();
        for block in results.chain(turn.input.iter_mut().rev()) {
            shown.extend(block.pictures_mut().rev());
        }
    }
    for picture in shown.into_iter().take(KEPT_IN_VIEW) {
        if let Some((_, bytes)) = team.store.attachment_bytes(picture.id).await? {
            picture.show(&bytes);
        }
    }
    Ok(())
}

/// What is said to an agent first: the card, with its files.
pub(crate) async fn opening(team: &Team, feature: &Feature) -> Result<Vec<Block>, StoreError> {
    let files = team.store.attached(feature.card.id).await?;
    Ok(prompt::opening(&feature.card.title, &feature.description, &files))
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
