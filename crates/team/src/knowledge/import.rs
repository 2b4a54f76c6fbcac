//! Files that come into the hub: items as Markdown with a front matter, as an export writes them or somebody by hand.

use std::collections::HashMap;

use guildhall_store::{Judged, NewKnowledge, StoreError};
use guildhall_types::KnowledgeId;
use guildhall_types::knowledge::alike::{Compared, NEAR};
use guildhall_types::knowledge::draft::CONTENT;
use guildhall_types::knowledge::index::{Profile, index};
use guildhall_types::knowledge::markdown::{MarkdownItem, parse};
use guildhall_types::knowledge::{
    Author, KnowledgeDraft, KnowledgeItem, KnowledgeKind, KnowledgeOrigin, KnowledgeRef, KnowledgeReview, SimilarItem,
    Via,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{check, tar};
use crate::{Team, TeamError};

/// Files of one import at most.
pub const IMPORT_FILES: usize = 1_000;
/// Bytes of a file at most: a content of letters that take four bytes each, and what stands above it.
const FILE: usize = 4 * CONTENT + 200_000;
/// How often files are compared with the hub anew because somebody wrote much the same meanwhile.
const TIMES: usize = 5;

/// What came of an import.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ImportReport {
    /// What was written.
    pub created: Vec<KnowledgeRef>,
    /// What was there already and has the file's text now.
    pub updated: Vec<KnowledgeRef>,
    /// What was there already with this very text.
    pub unchanged: Vec<KnowledgeRef>,
    /// Files that were passed over, because the hub, or a file before them, holds much the same.
    pub skipped: Vec<SkippedFile>,
    /// Files whose items are there already and were not changed, because something came in between.
    pub failed: Vec<FailedFile>,
    /// Files of the archive that do not end in `.md`, and were left out.
    pub ignored: Vec<String>,
    /// Files that came in without some of what they name as related, because the hub does not hold it. Bring that in, and then
    /// these files again.
    pub unrelated: Vec<UnrelatedFile>,
}

/// A file that names items as related which the hub does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UnrelatedFile {
    /// Its name.
    pub file: String,
    /// What it names.
    pub related: Vec<KnowledgeId>,
}

/// A file that did not come in.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FailedFile {
    /// Its name.
    pub file: String,
    /// Why, and what to do.
    pub why: String,
}

/// A file that was passed over.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SkippedFile {
    /// Its name.
    pub file: String,
    /// What says much the same.
    pub similar: Vec<SimilarItem>,
}

/// How files are brought in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportWay {
    /// Write what the hub holds much the same of, too.
    pub anyway: bool,
    /// Only say what would be written. What would be new, here and among similar items, may come to be under another id.
    pub dry_run: bool,
}

/// What is to become of files.
#[derive(Default)]
struct Sorted<'a> {
    new: Vec<(KnowledgeId, &'a Read)>,
    known: Vec<(&'a Read, KnowledgeItem)>,
    skipped: Vec<SkippedFile>,
    /// Under which id the hub has what a file calls by another: what cannot keep its own, and what was passed over for its like.
    names: HashMap<KnowledgeId, KnowledgeId>,
}

/// A file that was read.
struct Read {
    name: String,
    item: MarkdownItem,
}

impl Read {
    /// That it came without these items, which it names as related, if there are any.
    fn without(&self, related: Vec<KnowledgeId>) -> Option<UnrelatedFile> {
        (!related.is_empty()).then(|| UnrelatedFile { file: self.name.clone(), related })
    }

    /// The words that it is compared by.
    fn profile(&self) -> Vec<u8> {
        index(&self.item.draft, KnowledgeReview::Proposed, KnowledgeOrigin::Member).profile
    }
}

/// Reads all files, or says of all that are faulty what is wrong with them.
fn read_all(files: Vec<(String, Vec<u8>)>) -> Result<Vec<Read>, TeamError> {
    let (mut all, mut faulty) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        match read(&bytes) {
            Ok(item) => all.push(Read { name, item }),
            Err(why) => faulty.push(FailedFile { file: name, why }),
        }
    }
    // Of two files of one item, one is old: which, nobody can tell here.
    let mut ids: HashMap<KnowledgeId, &str> = HashMap::new();
    for Read { name, item } in &all {
        if let Some(other) = item.id.and_then(|id| ids.insert(id, name)) {
            let why = format!("it has the id of {other}; bring in the one that holds, or take the id out");
            faulty.push(FailedFile { file: name.clone(), why });
        }
    }
    match faulty.is_empty() {
        true => Ok(all),
        false => Err(TeamError::FaultyFiles(faulty)),
    }
}

/// Why an item that is there was not changed, for who imports.
fn why(error: &TeamError) -> String {
    match error {
        TeamError::KnowledgeChanged { .. } => "somebody changed it at the same moment; import it again".to_owned(),
        TeamError::NotFound { .. } => "somebody deleted it at the same moment; import it again".to_owned(),
        other => {
            tracing::warn!(error = other as &dyn std::error::Error, "a file of an import could not be written");
            "it could not be written now; import it again".to_owned()
        }
    }
}

/// An item, if it is as like as that to another.
fn near(item: &KnowledgeRef, likeness: f64) -> Option<SimilarItem> {
    let KnowledgeRef { id, kind, ref title } = *item;
    let shown = (likeness * 100.0).round() / 100.0;
    (likeness >= NEAR).then(|| SimilarItem { id, kind, title: title.clone(), likeness: shown })
}

fn named(item: &KnowledgeItem) -> KnowledgeRef {
    KnowledgeRef { id: item.id(), kind: item.kind(), title: item.title.clone() }
}

fn to_be(id: KnowledgeId, draft: &KnowledgeDraft) -> KnowledgeRef {
    KnowledgeRef { id, kind: draft.kind(), title: draft.title.clone() }
}

impl Team {
    /// Brings an archive of Markdown files into the hub. What is hidden in it, by a dot before its name, is passed over, such as what
    /// a Mac puts beside each file.
    ///
    /// # Errors
    /// As for [`Team::import_knowledge`]; [`TeamError::Invalid`] for what is no archive of files.
    pub async fn import_archive(
        &self,
        author: &Author,
        archive: &[u8],
        way: ImportWay,
    ) -> Result<ImportReport, TeamError> {
        let files = tar::files(archive).map_err(|problem| TeamError::invalid("archive", problem))?;
        let mut texts = Vec::new();
        let mut ignored = Vec::new();
        for (name, bytes) in files.into_iter().filter(|(name, _)| !is_hidden(name)) {
            match name.to_ascii_lowercase().ends_with(".md") {
                true => texts.push((name, bytes.to_vec())),
                false => ignored.push(name),
            }
        }
        let report = self.import_knowledge(author, texts, way).await?;
        Ok(ImportReport { ignored, ..report })
    }

    /// Brings Markdown files into the hub. An item that is there already, by the id in its file, gets the file's text; others
    /// are written anew, unless the hub holds much the same, under the id in their file where nothing has it. Items that name each
    /// other as related still do. What is new comes in as a whole; changes come after it one by one, and each that fails is told
    /// in the report.
    ///
    /// # Errors
    /// [`TeamError::FaultyFiles`] with all of the files that cannot come in: then none does.
    pub async fn import_knowledge(
        &self,
        author: &Author,
        files: Vec<(String, Vec<u8>)>,
        way: ImportWay,
    ) -> Result<ImportReport, TeamError> {
        self.people_only(author)?;
        if files.is_empty() {
            return Err(TeamError::invalid("archive", "there is no file that ends in .md"));
        }
        if files.len() > IMPORT_FILES {
            return Err(TeamError::invalid("archive", format!("import at most {IMPORT_FILES} files at once")));
        }
        let read = read_all(files)?;
        let mut times = 0;
        loop {
            let looked = self.store.knowledge_place().await?;
            let sorted = self.sorted(&read, way.anyway).await?;
            times += 1;
            match self.bring_in(author, sorted, way, (!way.anyway).then_some(looked)).await {
                // Somebody wrote much the same meanwhile, or the same id: it is found at the next look.
                Err(TeamError::NearDuplicate { .. } | TeamError::Store(StoreError::Taken { .. })) if times < TIMES => {}
                done => return done,
            }
        }
    }

    /// What is to become of each file.
    async fn sorted<'a>(&self, files: &'a [Read], anyway: bool) -> Result<Sorted<'a>, TeamError> {
        let mut sorted = Sorted::default();
        let profiles: Vec<Vec<u8>> = files.iter().map(Read::profile).collect();
        let mut before: Vec<(KnowledgeRef, Compared<'_>)> = Vec::new();
        for (file, profile) in files.iter().zip(&profiles) {
            let there = match file.item.id {
                Some(id) => self.store.knowledge(id).await?,
                None => None,
            };
            let free = file.item.id.filter(|_| there.is_none());
            if let Some(item) =
                there.filter(|item| item.kind() == file.item.draft.kind() && item.common.deleted_at.is_none())
            {
                sorted.known.push((file, item));
                continue;
            }
            let draft = &file.item.draft;
            let own = Compared::new(draft.kind(), &draft.title, Profile::read(profile));
            let mut similar = Vec::new();
            if !anyway {
                similar = self.store.similar_knowledge(draft, None).await?;
                similar.extend(before.iter().filter_map(|(item, other)| near(item, own.likeness(other))));
                similar.sort_by(|a, b| b.likeness.total_cmp(&a.likeness));
            }
            let here = match similar.first() {
                Some(likest) => {
                    let likest = likest.id;
                    sorted.skipped.push(SkippedFile { file: file.name.clone(), similar });
                    likest
                }
                None => {
                    let id = free.unwrap_or_default();
                    before.push((to_be(id, draft), own));
                    sorted.new.push((id, file));
                    id
                }
            };
            sorted.names.extend(file.item.id.map(|former| (former, here)));
        }
        Ok(sorted)
    }

    /// Writes what was sorted, or says what would be written.
    async fn bring_in(
        &self,
        author: &Author,
        sorted: Sorted<'_>,
        way: ImportWay,
        looked: Option<i64>,
    ) -> Result<ImportReport, TeamError> {
        let Sorted { new, known, skipped, names } = sorted;
        let mut report = ImportReport { skipped, ..ImportReport::default() };
        let mut written: Vec<(KnowledgeId, NewKnowledge)> = Vec::new();
        for (id, file) in new {
            let mut draft = file.item.draft.clone();
            report.unrelated.extend(file.without(self.relate(&names, id, &mut draft).await?));
            let review = standing(author, draft.kind(), file.item.review);
            let new = NewKnowledge { draft, author: *author, review, source_run: None, source_feature: None };
            written.push((id, new));
        }
        if way.dry_run {
            report.created = written.iter().map(|(id, new)| to_be(*id, &new.draft)).collect();
        } else if !written.is_empty() {
            let made = self.store.create_knowledge_as(written, looked).await.map_err(super::or_alike)?;
            report.created = made.iter().map(named).collect();
        }
        for (file, item) in known {
            let mut draft = file.item.draft.clone();
            match self.relate(&names, item.id(), &mut draft).await {
                Ok(lost) => report.unrelated.extend(file.without(lost)),
                Err(error) => {
                    report.failed.push(FailedFile { file: file.name.clone(), why: why(&error) });
                    continue;
                }
            }
            // How sure it is, the hub says where a member has verified it.
            keep_verified(&mut draft, &item);
            if draft == item.draft() {
                report.unchanged.push(named(&item));
                continue;
            }
            if way.dry_run {
                report.updated.push(to_be(item.id(), &draft));
                continue;
            }
            let version = item.common.version;
            let judged = match (author.via, item.kind()) {
                (Via::Page, _) | (_, KnowledgeKind::Blueprint | KnowledgeKind::Entry) => Judged::AsBefore,
                (Via::Token(_) | Via::Run { .. }, KnowledgeKind::Learning) => Judged::Proposed,
            };
            let done = self.store.update_knowledge(item.id(), version, draft, Some("Imported."), judged, author).await;
            // Others are written already, and are not to be taken for missing.
            match self.or_changed(item.id(), done).await {
                Ok(item) => report.updated.push(named(&item)),
                Err(error) => report.failed.push(FailedFile { file: file.name.clone(), why: why(&error) }),
            }
        }
        Ok(report)
    }

    /// What a file names as related, by the ids that it has here: those that came with it, and those that are there. Others
    /// are left out, and returned.
    async fn relate(
        &self,
        names: &HashMap<KnowledgeId, KnowledgeId>,
        own: KnowledgeId,
        draft: &mut KnowledgeDraft,
    ) -> Result<Vec<KnowledgeId>, TeamError> {
        let (mut related, mut lost) = (Vec::new(), Vec::new());
        for id in std::mem::take(&mut draft.related) {
            let here = match names.get(&id) {
                Some(here) => Some(*here),
                None => self.store.knowledge(id).await?.map(|item| item.id()),
            };
            match here {
                Some(here) if here == own || related.contains(&here) => {}
                Some(here) => related.push(here),
                None => lost.push(id),
            }
        }
        draft.related = related;
        Ok(lost)
    }
}

/// Whether a file, or a folder on the way to it, is hidden.
fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.') && !matches!(part, "." | ".."))
}

/// The item in a file, or what is wrong with it and how to mend it.
fn read(bytes: &[u8]) -> Result<MarkdownItem, String> {
    if bytes.len() > FILE {
        return Err("the file is too large for an item".to_owned());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "the file is no UTF-8 text".to_owned())?;
    let item = parse(text)?;
    let draft = check::sound(item.draft, None).map_err(|error| error.to_string())?;
    Ok(MarkdownItem { draft, ..item })
}

/// How an item stands that comes in a file: never better than what its author could write.
fn standing(author: &Author, kind: KnowledgeKind, then: Option<KnowledgeReview>) -> KnowledgeReview {
    let looked_at = matches!(then, None | Some(KnowledgeReview::Accepted)) && author.via == Via::Page;
    match kind {
        KnowledgeKind::Learning if !looked_at => KnowledgeReview::Proposed,
        _ => KnowledgeReview::Accepted,
    }
}

fn keep_verified(draft: &mut KnowledgeDraft, item: &KnowledgeItem) {
    use guildhall_types::knowledge::{KnowledgeDetails, LearningConfidence};
    if let (KnowledgeDetails::Learning(of), KnowledgeDetails::Learning(now)) = (&mut draft.details, &item.details)
        && (of.confidence, now.confidence) == (LearningConfidence::High, LearningConfidence::Verified)
    {
        // In a file, verified is written as it is and read as high.
        let mut verified = of.clone();
        verified.confidence = LearningConfidence::Verified;
        let same = KnowledgeDraft { details: KnowledgeDetails::Learning(verified), ..draft.clone() } == item.draft();
        if same {
            draft.details = item.details.clone();
        }
    }
}
