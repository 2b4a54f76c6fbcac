//! Which works were tried together, and what came of it. Whether they go together follows from the commits alone: so git is asked
//! once, whoever looks and however often, until the branch or one of the works has moved.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use guildhall_git::{ConflictFile, GitError, Oid, Repo, Stacked, Work};
use guildhall_types::ProjectId;
use tokio::sync::OnceCell;

/// Answers that are kept at most. What is used then is asked for anew.
const KEPT: usize = 1000;

/// Works that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Apart {
    /// Which of them could not be put on what came before it.
    pub(super) work: usize,
    /// Those before it that changed the same files; nothing when it conflicts with the branch.
    pub(super) with: Vec<usize>,
    /// The files in conflict.
    pub(super) files: Vec<ConflictFile>,
}

/// The project, where its branch stands, and the ends of the works in their order.
type Asked = (ProjectId, Vec<Oid>);

/// What was asked, and what came of it.
#[derive(Debug, Default)]
pub(crate) struct Tried(Mutex<HashMap<Asked, Arc<OnceCell<Option<Apart>>>>>);

impl Tried {
    /// Whether these works do not go together on `tip`. Of several who ask at once, one has git try it.
    pub(super) async fn apart(
        &self,
        project: ProjectId,
        repo: &Repo,
        tip: &Oid,
        works: &[Work],
    ) -> Result<Option<Apart>, GitError> {
        let ends = works.iter().flat_map(|work| [work.base.clone(), work.head.clone()]);
        let asked = (project, std::iter::once(tip.clone()).chain(ends).collect());
        let answer = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= KEPT && !all.contains_key(&asked) {
                all.clear();
            }
            Arc::clone(all.entry(asked).or_default())
        };
        let tried = answer.get_or_try_init(async || {
            Ok(match repo.stack(tip, works).await? {
                Stacked::On(_) => None,
                Stacked::Conflict { work, with, files } => Some(Apart { work, with, files }),
            })
        });
        tried.await.cloned()
    }
}
