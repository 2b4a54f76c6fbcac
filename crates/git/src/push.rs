//! What a push asks for: the lines that come before its pack (git's `pack-protocol`, "reference update request"), and the
//! answer to a push that is not taken.

use crate::{GitError, Oid};

/// Bytes of those lines at most: some ten thousand refs.
const MOST: usize = 2 * 1024 * 1024;
/// Bytes of a line at most, as git has it.
const LINE: usize = 65_520;

/// A ref that is to be another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    /// Its whole name, such as `refs/heads/main`.
    pub name: String,
    /// Where the client takes it to stand; nothing when it takes it not to be there.
    pub old: Option<Oid>,
    /// Where it is to stand; nothing when it is to be deleted.
    pub new: Option<Oid>,
}

impl RefChange {
    /// The branch, if it is one.
    pub fn branch(&self) -> Option<&str> {
        self.name.strip_prefix("refs/heads/")
    }
}

/// A push whose lines were read.
#[derive(Debug, Default)]
pub struct Push {
    /// What is to be changed. Nothing where a client only looks whether it is let in.
    pub changes: Vec<RefChange>,
    /// Whether the client takes messages beside the answer.
    beside: bool,
    /// Whether it takes an answer for each ref.
    reports: bool,
    read: Vec<u8>,
    /// Bytes of those that were understood.
    at: usize,
}

/// What is to be done with what came.
enum Next {
    /// More has to come.
    More,
    /// The lines are at their end.
    End,
    Line(std::ops::Range<usize>),
}

impl Push {
    /// Takes the next bytes of a push. Returns whether its lines are at their end.
    ///
    /// # Errors
    /// [`GitError::BadPush`].
    pub fn take(&mut self, bytes: &[u8]) -> Result<bool, GitError> {
        self.read.extend_from_slice(bytes);
        loop {
            match self.next()? {
                Next::End => return Ok(true),
                Next::More if self.read.len() > MOST => {
                    return Err(bad("it changes more refs than are changed at once; push fewer"));
                }
                Next::More => return Ok(false),
                Next::Line(range) => self.line(range)?,
            }
        }
    }

    /// All that was read of it, the beginning of its pack included.
    pub fn read(&self) -> &[u8] {
        &self.read
    }

    fn next(&mut self) -> Result<Next, GitError> {
        let Some(length) = self.read.get(self.at..self.at + 4) else { return Ok(Next::More) };
        let length = std::str::from_utf8(length).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let length = length.and_then(|text| usize::from_str_radix(text, 16).ok());
        match length {
            Some(0) => Ok(Next::End),
            Some(length @ 5..=LINE) => {
                let line = self.at + 4..self.at + length;
                if self.read.len() < line.end {
                    return Ok(Next::More);
                }
                self.at = line.end;
                Ok(Next::Line(line))
            }
            _ => Err(bad("its lines have no length")),
        }
    }

    fn line(&mut self, range: std::ops::Range<usize>) -> Result<(), GitError> {
        let line = self.read.get(range).unwrap_or_default();
        let (line, words) = match line.iter().position(|byte| *byte == 0) {
            Some(end) => (&line[..end], Some(String::from_utf8_lossy(&line[end + 1..]).into_owned())),
            None => (line, None),
        };
        let line = std::str::from_utf8(line).map_err(|_| bad("names of refs have to be UTF-8"))?;
        let line = line.strip_suffix('\n').unwrap_or(line);
        // What the client's history leaves out: git's own matter.
        if line.starts_with("shallow ") {
            return Ok(());
        }
        let mut parts = line.splitn(3, ' ');
        let (Some(old), Some(new), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(bad("its lines name no refs; signed pushes are not taken"));
        };
        self.changes.push(RefChange { name: name.to_owned(), old: commit(old)?, new: commit(new)? });
        if let Some(words) = words {
            let has = |word: &str| words.split_ascii_whitespace().any(|it| it == word);
            self.beside = has("side-band-64k");
            self.reports = has("report-status") || has("report-status-v2");
        }
        Ok(())
    }

    /// The answer to a push of which nothing was taken, since of these refs it may not be: each by its name, with the reason in
    /// a few words. Nothing where the client takes no such answer.
    pub fn refused(&self, why: &[(String, String)]) -> Option<Vec<u8>> {
        if !self.reports {
            return None;
        }
        let mut report = line("unpack ok\n");
        for change in &self.changes {
            let reason = why.iter().find(|(name, _)| *name == change.name).map(|(_, reason)| reason.as_str());
            // It ends with its line.
            let reason = reason.unwrap_or("not pushed, as others were refused").replace(['\n', '\0'], " ");
            report.extend(line(&format!("ng {} {reason}\n", change.name)));
        }
        report.extend(b"0000");
        if self.beside {
            let pieces = report.chunks(LINE - 5);
            let mut all: Vec<u8> = pieces.flat_map(|piece| framed(&[&[1], piece].concat())).collect();
            all.extend(b"0000");
            report = all;
        }
        Some(report)
    }
}

fn commit(text: &str) -> Result<Option<Oid>, GitError> {
    let found = Oid::parse(text).map_err(|_| bad("its lines hold no ids of commits"))?;
    Ok(Some(found).filter(|_| text.bytes().any(|byte| byte != b'0')))
}

fn bad(why: &'static str) -> GitError {
    GitError::BadPush { why }
}

fn line(text: &str) -> Vec<u8> {
    framed(text.as_bytes())
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [format!("{:04x}", bytes.len() + 4).as_bytes(), bytes].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";
    const NONE: &str = "0000000000000000000000000000000000000000";

    fn body(words: &str) -> Vec<u8> {
        let mut body = line(&format!("shallow {ONE}\n"));
        body.extend(line(&format!("{ONE} {TWO} refs/heads/main\0 {words}")));
        body.extend(line(&format!("{NONE} {TWO} refs/tags/v 1\n")));
        body.extend(line(&format!("{ONE} {NONE} refs/heads/old\n")));
        body.extend(b"0000PACK....");
        body
    }

    #[test]
    fn what_is_to_be_changed_is_read_however_it_is_cut() {
        let all = body("report-status side-band-64k agent=git/2.47");
        let end = all.len() - "PACK....".len();
        for size in [1, 2, 3, 7, 60, all.len()] {
            let mut push = Push::default();
            let mut came = 0;
            for piece in all.chunks(size) {
                came += piece.len();
                if push.take(piece).unwrap() {
                    break;
                }
                assert!(came < end);
            }
            assert!(came >= end && push.read() == &all[..came]);
            let found: Vec<_> =
                push.changes.iter().map(|it| (it.name.as_str(), it.old.is_some(), it.new.is_some())).collect();
            assert_eq!(
                found,
                [("refs/heads/main", true, true), ("refs/tags/v 1", false, true), ("refs/heads/old", true, false)]
            );
            assert_eq!(push.changes[0].branch(), Some("main"));
        }
    }

    #[test]
    fn what_is_no_push_is_refused() {
        for bytes in [
            "zzzz".to_owned(),
            "0001".to_owned(),
            "0004".to_owned(),
            "fff1".to_owned(),
            "+123".to_owned(),
            "0009hello".to_owned(),
            format!("{:04x}x y refs/heads/a", 4 + "x y refs/heads/a".len()),
            format!("{:04x}push-cert\0", 4 + "push-cert\0".len()),
        ] {
            let refused = Push::default().take(bytes.as_bytes());
            assert!(matches!(refused, Err(GitError::BadPush { .. })), "{bytes}: {refused:?}");
        }
        let endless = line(&format!("{ONE} {TWO} refs/heads/{}\n", "a".repeat(60_000)));
        let mut push = Push::default();
        let refused = (0..100).find_map(|_| push.take(&endless).err());
        assert!(refused.unwrap().to_string().contains("push fewer"));
        // Who only looks whether they are let in.
        let mut push = Push::default();
        assert!(push.take(b"0000").unwrap() && push.changes.is_empty());
    }

    #[test]
    fn a_refusal_is_as_git_reads_it() {
        let mut push = Push::default();
        push.take(&body("report-status")).unwrap();
        let why = [("refs/heads/main".to_owned(), "it may\nnot be".to_owned())];
        let answer = String::from_utf8(push.refused(&why).unwrap()).unwrap();
        let expected = "000eunpack ok\n\
             0025ng refs/heads/main it may not be\n\
             0038ng refs/tags/v 1 not pushed, as others were refused\n\
             0039ng refs/heads/old not pushed, as others were refused\n0000";
        assert_eq!(answer, expected);
        let mut push = Push::default();
        push.take(&body("report-status-v2 side-band-64k")).unwrap();
        let framed = push.refused(&why).unwrap();
        assert_eq!(
            framed,
            [format!("{:04x}\u{1}", expected.len() + 5).as_bytes(), expected.as_bytes(), b"0000"].concat()
        );
        let mut push = Push::default();
        push.take(&body("")).unwrap();
        assert_eq!(push.refused(&why), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 1_usize..50) {
            let mut push = Push::default();
            for piece in bytes.chunks(size) {
                if push.take(piece).unwrap_or(true) {
                    break;
                }
            }
        }
    }
}
