//! Finding files by their names and lines by what they say.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::fs::Dir;
use globset::{GlobBuilder, GlobMatcher};
use grep::regex::{RegexMatcher, RegexMatcherBuilder};
use grep::searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder, Sink, SinkFinish, SinkMatch};

use super::path::{failed, not_git, relative, shown};
use super::walk::{Visit, Walk};
use super::{FileError, Found, GrepQuery, Match, Matches, file};

/// Bytes of a file that is searched; a larger one is passed over.
const MAX_FILE: u64 = 10 * 1024 * 1024;
/// Bytes of memory that a pattern may take when it is made ready.
const MAX_PATTERN: usize = 10 * 1024 * 1024;
/// Characters of a matching line that are shown.
const MAX_LINE: usize = 500;
/// Bytes of a glob.
const MAX_GLOB: usize = 4096;

/// A place to look in.
enum Under {
    File(PathBuf),
    Folder(PathBuf),
}

/// The place without symbolic links on the way.
fn place(root: &Dir, given: &str) -> Result<Under, FileError> {
    let path = relative(given)?;
    if path.as_os_str().is_empty() {
        return Ok(Under::Folder(path));
    }
    let real = root.canonicalize(&path).map_err(failed(given))?;
    not_git(given, &real)?;
    let meta = root.symlink_metadata(&real).map_err(failed(given))?;
    if meta.is_dir() { Ok(Under::Folder(real)) } else { Ok(Under::File(real)) }
}

/// A glob over paths; one without a slash looks at the file's name alone.
struct Pattern {
    matcher: GlobMatcher,
    by_name: bool,
}

impl Pattern {
    fn new(given: &str) -> Result<Self, FileError> {
        let pattern = given.strip_prefix("/workspace/").or_else(|| given.strip_prefix("./")).unwrap_or(given);
        if pattern.len() > MAX_GLOB {
            return Err(FileError::Pattern { reason: format!("a glob has at most {MAX_GLOB} bytes") });
        }
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| FileError::Pattern { reason: error.to_string() })?;
        Ok(Self { matcher: glob.compile_matcher(), by_name: !pattern.contains('/') })
    }

    fn matches(&self, path: &Path) -> bool {
        let part = if self.by_name { path.file_name().map(Path::new) } else { Some(path) };
        part.is_some_and(|part| self.matcher.is_match(part))
    }
}

pub(super) fn glob(root: &Dir, pattern: &str, under: &str, limit: usize) -> Result<Found, FileError> {
    let pattern = Pattern::new(pattern)?;
    let folder = match place(root, under)? {
        Under::Folder(folder) => folder,
        Under::File(path) => {
            let matches = path.file_name().is_some_and(|name| pattern.matches(Path::new(name)));
            let paths = if matches { vec![shown(&path)] } else { Vec::new() };
            return Ok(Found { more: paths.len() > limit, paths: paths.into_iter().take(limit).collect() });
        }
    };
    let mut found: Vec<(std::cmp::Reverse<SystemTime>, PathBuf)> = Vec::new();
    let mut more = false;
    let mut walk = Walk::new(root, &folder);
    for Visit { path, .. } in walk.by_ref() {
        if !pattern.matches(path.strip_prefix(&folder).unwrap_or(&path)) {
            continue;
        }
        // A symbolic link counts when it leads to a file that can be read.
        let Ok(meta) = root.metadata(&path) else { continue };
        if !meta.is_file() {
            continue;
        }
        let changed = meta.modified().map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std);
        found.push((std::cmp::Reverse(changed), path));
        // Only the latest are of interest, so no more than twice as many are held.
        if found.len() >= limit.saturating_mul(2).saturating_add(1000) {
            found.sort_unstable();
            found.truncate(limit);
            more = true;
        }
    }
    more |= walk.cut() || found.len() > limit;
    found.sort_unstable();
    let paths = found.into_iter().take(limit).map(|(_, path)| shown(&path)).collect();
    Ok(Found { paths, more })
}

/// The lines of a text that match a regular expression, as [`Workspace::grep`](super::Workspace::grep) finds them in files;
/// without a path.
///
/// # Errors
/// [`FileError::Pattern`], and [`FileError::Io`] when a line is too long to be searched.
pub fn grep_text(pattern: &str, text: &[u8], limit: usize) -> Result<Matches, FileError> {
    let mut search = Search::new(pattern, limit)?;
    let mut lines = Lines { path: String::new(), limit, found: &mut search.found, binary: false };
    search.searcher.search_slice(&search.matcher, text, &mut lines).map_err(failed(""))?;
    Ok(search.found)
}

pub(super) fn grep(root: &Dir, query: &GrepQuery<'_>) -> Result<Matches, FileError> {
    let mut search = Search::new(query.pattern, query.limit)?;
    let glob = query.glob.map(Pattern::new).transpose()?;
    match place(root, query.under)? {
        Under::File(path) => {
            // Here an error is worth telling; in a folder full of files it is not.
            file::open(root, query.under, &path)?;
            search.file(root, &path);
        }
        Under::Folder(folder) => {
            let mut walk = Walk::new(root, &folder);
            for Visit { path, is_link } in walk.by_ref() {
                // What a link leads to is searched where it is.
                let wanted = glob.as_ref().is_none_or(|glob| {
                    glob.matches(&path) || path.strip_prefix(&folder).is_ok_and(|below| glob.matches(below))
                });
                if wanted && !is_link {
                    search.file(root, &path);
                }
                if search.found.more {
                    break;
                }
            }
            search.found.more |= walk.cut();
        }
    }
    Ok(search.found)
}

struct Search {
    searcher: Searcher,
    matcher: RegexMatcher,
    limit: usize,
    found: Matches,
}

impl Search {
    fn new(pattern: &str, limit: usize) -> Result<Self, FileError> {
        let matcher = RegexMatcherBuilder::new()
            .line_terminator(Some(b'\n'))
            .size_limit(MAX_PATTERN)
            .dfa_size_limit(MAX_PATTERN)
            .build(pattern)
            .map_err(|error| FileError::Pattern { reason: error.to_string() })?;
        let searcher = SearcherBuilder::new()
            .line_number(true)
            .binary_detection(BinaryDetection::quit(0))
            // A mapped file that is cut short meanwhile would kill the server.
            .memory_map(MmapChoice::never())
            .heap_limit(Some(usize::try_from(MAX_FILE).unwrap_or(usize::MAX) * 2))
            .build();
        Ok(Self { searcher, matcher, limit, found: Matches::default() })
    }

    /// Searches one file. One that cannot be read, or is no text, holds no match.
    fn file(&mut self, root: &Dir, path: &Path) {
        let Ok((file, meta)) = file::open(root, "", path) else { return };
        if meta.len() > MAX_FILE {
            return;
        }
        let before = self.found.matches.len();
        let mut lines = Lines { path: shown(path), limit: self.limit, found: &mut self.found, binary: false };
        // The size can change at any moment, so it is bounded once more.
        let file = io::Read::take(file, MAX_FILE);
        let searched = self.searcher.search_reader(&self.matcher, file, &mut lines);
        if searched.is_err() || lines.binary {
            self.found.matches.truncate(before);
        }
    }
}

struct Lines<'a> {
    path: String,
    limit: usize,
    found: &'a mut Matches,
    binary: bool,
}

impl Sink for Lines<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> io::Result<bool> {
        if self.found.matches.len() >= self.limit {
            self.found.more = true;
            return Ok(false);
        }
        let text = String::from_utf8_lossy(found.bytes());
        let text = text.trim_end_matches(['\n', '\r']).chars().take(MAX_LINE).collect();
        let line = found.line_number().unwrap_or_default();
        self.found.matches.push(Match { path: self.path.clone(), line, text });
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> io::Result<bool> {
        self.binary = true;
        Ok(false)
    }

    fn finish(&mut self, _: &Searcher, finish: &SinkFinish) -> io::Result<()> {
        self.binary |= finish.binary_byte_offset().is_some();
        Ok(())
    }
}
