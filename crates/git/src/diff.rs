//! Diffs, as data that a page can show.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{GitError, Oid, Repo};

/// What one diff may hold.
#[derive(Debug, Clone, Copy)]
pub struct DiffLimits {
    /// Bytes of patch text that are read.
    pub max_bytes: u64,
    /// Lines that are shown of one file.
    pub max_lines: usize,
    /// Files that are listed.
    pub max_files: usize,
}

impl Default for DiffLimits {
    fn default() -> Self {
        Self { max_bytes: 8 * 1024 * 1024, max_lines: 5_000, max_files: 2_000 }
    }
}

/// How much changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stat {
    /// Files.
    pub files: i64,
    /// Lines added.
    pub additions: i64,
    /// Lines taken away.
    pub deletions: i64,
}

/// What changed between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// The commit before.
    pub base: String,
    /// The commit after.
    pub head: String,
    /// How much changed in all, what is not shown included.
    pub stat: Stat,
    /// Not everything is shown.
    pub truncated: bool,
    /// What is not shown because the answer was to be short, and how to see it; absent when that left nothing out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
    /// The files, in the order of their paths.
    pub files: Vec<DiffFile>,
}

/// How a file changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum FileStatus {
    /// It is new.
    Added,
    /// Its text or its mode changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another path, and perhaps another text.
    Renamed,
    /// It became another kind of thing, such as a symbolic link.
    TypeChanged,
}

/// What changed in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiffFile {
    /// How it changed.
    pub status: FileStatus,
    /// The path before.
    pub old_path: String,
    /// The path after.
    pub new_path: String,
    /// The mode before, such as `100644`.
    pub old_mode: String,
    /// The mode after.
    pub new_mode: String,
    /// It holds no text, or is larger than 8 MiB.
    pub binary: bool,
    /// The text is too long to be shown whole.
    pub too_large: bool,
    /// Lines added.
    pub additions: i64,
    /// Lines taken away.
    pub deletions: i64,
    /// The changed places.
    pub hunks: Vec<Hunk>,
}

/// One changed place with the lines around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hunk {
    /// The line that heads it, such as `@@ -1,4 +1,5 @@ fn main()`.
    pub header: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// What a line of a hunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LineKind {
    /// Unchanged.
    Context,
    /// New.
    Add,
    /// Gone.
    Delete,
}

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What it is.
    pub kind: LineKind,
    /// Its number before, from 1.
    pub old_line: Option<i64>,
    /// Its number after, from 1.
    pub new_line: Option<i64>,
    /// The text; what is not UTF-8 is shown as �.
    pub text: String,
    /// No line break follows: it is the last line of a file that does not end in one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_newline: bool,
}

const COMMON: &[&str] = &["-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all"];

impl Repo {
    /// How much changed between two commits.
    ///
    /// # Errors
    /// When git fails.
    pub async fn stat(&self, base: &Oid, head: &Oid) -> Result<Stat, GitError> {
        Ok(total(&self.numbers(base, head, &[]).await?))
    }

    async fn numbers(&self, base: &Oid, head: &Oid, paths: &[&str]) -> Result<Vec<(i64, i64, bool)>, GitError> {
        let args = COMMON.iter().copied().chain(["--numstat", "-z", base.as_str(), head.as_str(), "--"]);
        numbers(&self.git("diff-tree").args(args.chain(paths.iter().copied())).run().await?)
    }

    /// What changed between two commits.
    ///
    /// # Errors
    /// When git fails.
    pub async fn diff(&self, base: &Oid, head: &Oid, limits: &DiffLimits) -> Result<Diff, GitError> {
        self.diff_below(base, head, &[], limits).await
    }

    /// What changed between two commits in the file at this path, which it had before or has after; nothing where none changed
    /// there.
    ///
    /// # Errors
    /// When git fails.
    pub async fn file_diff(
        &self,
        base: &Oid,
        head: &Oid,
        path: &str,
        limits: &DiffLimits,
    ) -> Result<Option<Diff>, GitError> {
        let all = files(&self.raw(base, head, &[]).await?)?;
        let named =
            all.iter().find(|file| file.new_path == path).or_else(|| all.iter().find(|file| file.old_path == path));
        let Some(DiffFile { old_path, new_path, .. }) = named else { return Ok(None) };
        // Both, so that a file that was renamed is one.
        let mut diff = self.diff_below(base, head, &[old_path.as_str(), new_path.as_str()], limits).await?;
        // A folder that came where a file was has its files below the same path.
        diff.files.retain(|file| file.old_path == *old_path && file.new_path == *new_path);
        let sum = |sum: Stat, file: &DiffFile| Stat {
            files: sum.files + 1,
            additions: sum.additions + file.additions,
            deletions: sum.deletions + file.deletions,
        };
        diff.stat = diff.files.iter().fold(Stat::default(), sum);
        diff.truncated = diff.files.iter().any(|file| file.too_large);
        Ok((!diff.files.is_empty()).then_some(diff))
    }

    async fn raw(&self, base: &Oid, head: &Oid, paths: &[&str]) -> Result<Vec<u8>, GitError> {
        let args = COMMON.iter().copied().chain(["--raw", "-z", base.as_str(), head.as_str(), "--"]);
        self.git("diff-tree").args(args.chain(paths.iter().copied())).run().await
    }

    /// What changed in the files at these paths and below them; in all where none is given.
    async fn diff_below(&self, base: &Oid, head: &Oid, paths: &[&str], limits: &DiffLimits) -> Result<Diff, GitError> {
        let patch = COMMON.iter().copied().chain(["-p", base.as_str(), head.as_str(), "--"]);
        let (raw, numbers, patch) = tokio::try_join!(
            self.raw(base, head, paths),
            self.numbers(base, head, paths),
            self.git("diff-tree").args(patch.chain(paths.iter().copied())).max_output(limits.max_bytes).output(),
        )?;
        if patch.code != Some(0) {
            return Err(patch.failed("diff-tree"));
        }
        let mut files = files(&raw)?;
        for (file, (additions, deletions, binary)) in files.iter_mut().zip(&numbers) {
            (file.additions, file.deletions, file.binary) = (*additions, *deletions, *binary);
        }
        let mut truncated = patch.cut || files.len() > limits.max_files;
        let sections = sections(&patch.stdout);
        let shown = sections.len();
        for (n, file) in files.iter_mut().enumerate() {
            match sections.get(n) {
                Some(section) => {
                    let (hunks, whole) = hunks(section, limits.max_lines);
                    file.hunks = hunks;
                    file.too_large = !whole || (patch.cut && n + 1 == shown);
                }
                None => file.too_large = !file.binary,
            }
            truncated |= file.too_large;
        }
        files.truncate(limits.max_files);
        let (base, head) = (base.to_string(), head.to_string());
        Ok(Diff { base, head, stat: total(&numbers), truncated, note: None, files })
    }
}

impl Repo {
    /// What a change adds: new lines of files of every kind, and their names, a line each. Nothing when it is too large to be
    /// had at once.
    ///
    /// # Errors
    /// When git fails.
    pub async fn added(&self, base: &Oid, head: &Oid) -> Result<Option<Vec<u8>>, GitError> {
        let args = COMMON.iter().copied().chain(["-p", "--text", "-U0", base.as_str(), head.as_str(), "--"]);
        let patch = self.git("diff-tree").args(args).output().await?;
        if patch.cut {
            return Ok(None);
        }
        if patch.code != Some(0) {
            return Err(patch.failed("diff-tree"));
        }
        // A file that is renamed alone has no line with a `+`.
        let names = [&b"+"[..], b"rename to "];
        let lines = patch.stdout.split(|byte| *byte == b'\n');
        let added = lines.filter_map(|line| names.iter().find_map(|mark| line.strip_prefix(*mark)));
        Ok(Some(added.flat_map(|line| line.iter().chain(b"\n")).copied().collect()))
    }
}

fn total(numbers: &[(i64, i64, bool)]) -> Stat {
    numbers.iter().fold(Stat::default(), |sum, (additions, deletions, _)| Stat {
        files: sum.files + 1,
        additions: sum.additions + additions,
        deletions: sum.deletions + deletions,
    })
}

/// Reads `--numstat -z`: `added TAB deleted TAB path NUL`, or, for a rename, `… TAB NUL old NUL new NUL`.
fn numbers(out: &[u8]) -> Result<Vec<(i64, i64, bool)>, GitError> {
    let mut fields = out.split(|byte| *byte == 0).filter(|field| !field.is_empty());
    let mut list = Vec::new();
    while let Some(field) = fields.next() {
        let text = String::from_utf8_lossy(field);
        let mut parts = text.splitn(3, '\t');
        let (Some(added), Some(deleted), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(GitError::Unreadable { command: "diff-tree --numstat" });
        };
        if path.is_empty() {
            fields.next();
            fields.next();
        }
        list.push((added.parse().unwrap_or(0), deleted.parse().unwrap_or(0), added == "-"));
    }
    Ok(list)
}

/// Reads `--raw -z`: `:oldmode newmode old new status NUL path NUL [path NUL]`.
fn files(out: &[u8]) -> Result<Vec<DiffFile>, GitError> {
    const UNREADABLE: GitError = GitError::Unreadable { command: "diff-tree --raw" };
    let mut fields = out.split(|byte| *byte == 0).filter(|field| !field.is_empty()).map(String::from_utf8_lossy);
    let mut list = Vec::new();
    while let Some(head) = fields.next() {
        let parts: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let [old_mode, new_mode, _, _, status] = parts[..] else { return Err(UNREADABLE) };
        let old_path = fields.next().ok_or(UNREADABLE)?.into_owned();
        let (status, new_path) = match status.as_bytes().first() {
            Some(b'A') => (FileStatus::Added, old_path.clone()),
            Some(b'D') => (FileStatus::Deleted, old_path.clone()),
            Some(b'M') => (FileStatus::Modified, old_path.clone()),
            Some(b'T') => (FileStatus::TypeChanged, old_path.clone()),
            Some(b'R' | b'C') => (FileStatus::Renamed, fields.next().ok_or(UNREADABLE)?.into_owned()),
            _ => return Err(UNREADABLE),
        };
        list.push(DiffFile {
            status,
            old_path,
            new_path,
            old_mode: old_mode.to_owned(),
            new_mode: new_mode.to_owned(),
            binary: false,
            too_large: false,
            additions: 0,
            deletions: 0,
            hunks: Vec::new(),
        });
    }
    Ok(list)
}

/// Cuts a patch into the parts of its files, in the order of `--raw`. A line of a file's text never begins with
/// `diff --git`, because every such line begins with a space, `+`, `-` or `\`.
///
/// A change of type is two parts in a patch (the old thing deleted, the new one added) and one record in `--raw`; the
/// two are told by their equal paths and joined.
fn sections(patch: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut sections: Vec<Vec<&[u8]>> = Vec::new();
    let mut deleted_head: Option<&[u8]> = None;
    for line in patch.split(|byte| *byte == b'\n') {
        if line.starts_with(b"diff --git ") {
            if deleted_head == Some(line) {
                deleted_head = None;
                continue;
            }
            deleted_head = None;
            sections.push(vec![line]);
        } else if let Some(section) = sections.last_mut() {
            if line.starts_with(b"deleted file mode") && section.len() == 1 {
                deleted_head = section.first().copied();
            }
            section.push(line);
        }
    }
    sections
}

/// Reads the hunks of one file; false when there are more lines than are shown.
fn hunks(section: &[&[u8]], max_lines: usize) -> (Vec<Hunk>, bool) {
    let mut hunks: Vec<Hunk> = Vec::new();
    let (mut old, mut new) = (0, 0);
    let mut count = 0;
    for line in section {
        if line.starts_with(b"@@ ") {
            let header = String::from_utf8_lossy(line).into_owned();
            let mut starts = header
                .split(' ')
                .skip(1)
                .map(|range| range[1..].split(',').next().and_then(|start| start.parse::<i64>().ok()).unwrap_or(0));
            (old, new) = (starts.next().unwrap_or(0), starts.next().unwrap_or(0));
            hunks.push(Hunk { header, lines: Vec::new() });
            continue;
        }
        let Some(hunk) = hunks.last_mut() else { continue };
        let Some((mark, text)) = line.split_first() else { continue };
        if count >= max_lines {
            return (hunks, false);
        }
        count += 1;
        let text = String::from_utf8_lossy(text).into_owned();
        let (kind, old_line, new_line) = match mark {
            b' ' => (LineKind::Context, Some(old), Some(new)),
            b'+' => (LineKind::Add, None, Some(new)),
            b'-' => (LineKind::Delete, Some(old), None),
            b'\\' => {
                if let Some(last) = hunk.lines.last_mut() {
                    last.no_newline = true;
                }
                continue;
            }
            _ => continue,
        };
        old += i64::from(old_line.is_some());
        new += i64::from(new_line.is_some());
        hunk.lines.push(Line { kind, old_line, new_line, text, no_newline: false });
    }
    (hunks, true)
}
