//! A diff that fits into an answer of so many bytes: for whoever reads answers whole, as models do.

use guildhall_git::{Diff, DiffFile, Hunk};
use serde::Serialize;

/// Bytes that the answer takes beside its files, and one file beside its lines.
const AROUND: usize = 1_000;

/// The diff, as far as its JSON takes `most` bytes: of one file the beginning, of several the files without their texts. What is
/// left out its note says.
pub(super) fn short(mut diff: Diff, most: usize) -> Diff {
    let most = most.saturating_sub(AROUND);
    if diff.files.iter().map(bytes).sum::<usize>() <= most {
        return diff;
    }
    diff.truncated = true;
    let note = match diff.files.as_mut_slice() {
        [file] => {
            let lines = cut(file, most);
            format!(
                "The change of this file is too long for one answer: only its first {lines} lines are shown. The page shows more of it, \
                 and git all."
            )
        }
        _ => {
            let (all, listed) = (diff.stat.files, without_texts(&mut diff.files, most));
            let list = match i64::try_from(listed).is_ok_and(|listed| listed < all) {
                true => format!("the first {listed} of its {all} files are listed"),
                false => "its files are listed".to_owned(),
            };
            format!(
                "The change is too long for one answer, so {list} without their texts. Give `path` for the part of one file."
            )
        }
    };
    // What git left out already is said, too.
    diff.note = Some(diff.note.map_or_else(|| note.clone(), |said| format!("{said} {note}")));
    diff
}

/// Keeps the beginning of a file's change. Returns how many lines that is.
fn cut(file: &mut DiffFile, most: usize) -> usize {
    let (mut left, mut lines) = (most.saturating_sub(AROUND), 0);
    let mut kept = Vec::new();
    'all: for hunk in std::mem::take(&mut file.hunks) {
        let Hunk { header, lines: all } = hunk;
        let mut begun = Hunk { header, lines: Vec::new() };
        for line in all {
            let Some(rest) = left.checked_sub(bytes(&line) + 1) else {
                kept.push(begun);
                break 'all;
            };
            (left, lines) = (rest, lines + 1);
            begun.lines.push(line);
        }
        left = left.saturating_sub(bytes(&begun.header) + 30);
        kept.push(begun);
    }
    kept.retain(|hunk| !hunk.lines.is_empty());
    (file.hunks, file.too_large) = (kept, true);
    lines
}

/// Takes the texts away, and the files at the end that find no room then. Returns how many there are.
fn without_texts(files: &mut Vec<DiffFile>, most: usize) -> usize {
    let mut left = most;
    for file in files.iter_mut() {
        file.too_large |= !file.hunks.is_empty();
        file.hunks.clear();
    }
    let fits = |file: &&DiffFile| {
        let rest = left.checked_sub(bytes(file) + 1);
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    let listed = files.iter().take_while(fits).count();
    files.truncate(listed);
    listed
}

fn bytes(part: &impl Serialize) -> usize {
    serde_json::to_vec(part).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests {
    use guildhall_git::{FileStatus, Line, LineKind, Stat};

    use super::*;

    fn file(path: &str, lines: usize) -> DiffFile {
        let line = |n| Line {
            kind: LineKind::Add,
            old_line: None,
            new_line: i64::try_from(n).ok(),
            text: "x".repeat(40),
            no_newline: false,
        };
        let hunk = |at: usize| Hunk { header: "@@ -0,0 +1 @@".to_owned(), lines: (at..at + 10).map(line).collect() };
        DiffFile {
            status: FileStatus::Added,
            old_path: path.to_owned(),
            new_path: path.to_owned(),
            old_mode: "000000".to_owned(),
            new_mode: "100644".to_owned(),
            binary: false,
            too_large: false,
            additions: 0,
            deletions: 0,
            hunks: (0..lines / 10).map(|n| hunk(n * 10)).collect(),
        }
    }

    fn diff(files: Vec<DiffFile>) -> Diff {
        let stat = Stat { files: i64::try_from(files.len()).unwrap(), ..Stat::default() };
        Diff { base: "a".repeat(40), head: "b".repeat(40), stat, truncated: false, note: None, files }
    }

    #[test]
    fn what_fits_stays_whole_and_several_files_lose_their_texts_first() {
        let small = diff(vec![file("a", 20), file("b", 0)]);
        assert_eq!(short(small.clone(), 100_000), small);
        let large = short(diff(vec![file("a", 500), file("b", 500), file("c", 0)]), 50_000);
        assert!(large.truncated && large.files.len() == 3 && large.files.iter().all(|file| file.hunks.is_empty()));
        let too_large: Vec<bool> = large.files.iter().map(|file| file.too_large).collect();
        assert_eq!(too_large, [true, true, false], "the last had no text");
        let note = large.note.unwrap();
        assert!(note.contains("its files are listed without their texts") && note.contains("`path`"), "{note}");
    }

    #[test]
    fn what_was_left_out_before_is_still_said() {
        let said = Some("The diff is too large to be read whole.".to_owned());
        let large = short(Diff { note: said, ..diff(vec![file("a", 2_000)]) }, 50_000);
        let note = large.note.unwrap();
        assert!(note.starts_with("The diff is too large to be read whole. The change of this file"), "{note}");
    }

    #[test]
    fn one_file_keeps_its_beginning_and_a_long_list_its_first_files() {
        let one = short(diff(vec![file("a", 2_000)]), 50_000);
        let lines: Vec<i64> =
            one.files[0].hunks.iter().flat_map(|hunk| &hunk.lines).filter_map(|line| line.new_line).collect();
        assert!((300..600).contains(&lines.len()) && lines.iter().copied().eq(0..i64::try_from(lines.len()).unwrap()));
        assert!(one.truncated && one.files[0].too_large);
        assert!(one.note.as_ref().unwrap().contains(&format!("its first {} lines", lines.len())), "{:?}", one.note);

        let many = (0..2_000).map(|n| file(&format!("a/path/that/is/long/{n}"), 10)).collect();
        let many = short(diff(many), 50_000);
        assert!((100..300).contains(&many.files.len()), "{}", many.files.len());
        assert!(many.note.as_ref().unwrap().contains(&format!("the first {} of its 2000 files", many.files.len())));
        for short in [one, many] {
            let bytes = serde_json::to_vec(&short).unwrap().len();
            assert!((40_000..=50_000).contains(&bytes), "{bytes}");
        }
    }
}
