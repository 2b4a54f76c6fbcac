//! Archives of files (POSIX ustar), as much of them as an export of the hub needs. They are not compressed: what comes out is
//! never more than what came in.

/// Bytes of a block.
const BLOCK: usize = 512;
/// Ends an archive: two blocks of nothing.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// A file as it stands in an archive. The name is ours: short, and of plain letters.
pub(super) fn file(name: &str, bytes: &[u8], seconds: i64) -> Vec<u8> {
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, &name.as_bytes()[..name.len().min(100)]);
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", bytes.len()).as_bytes());
    put(136, format!("{:011o}\0", seconds.clamp(0, 0o77_777_777_777)).as_bytes());
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = format!("{:06o}\0 ", checksum(&header));
    header[148..156].copy_from_slice(sum.as_bytes());
    let mut out = header.to_vec();
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
    out
}

/// The sum of a header, in which the place of the sum itself counts as blanks.
fn checksum(header: &[u8]) -> u64 {
    header.iter().enumerate().map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte })).sum()
}

/// The regular files of an archive, with their whole names; folders are passed over.
///
/// # Errors
/// A sentence that says what is wrong: it is no archive, it is cut off, or it holds links or devices.
pub(super) fn files(mut bytes: &[u8]) -> Result<Vec<(String, &[u8])>, String> {
    let mut all = Vec::new();
    // The name of the next file, where it has no room in that file's header.
    let mut noted: Option<String> = None;
    while !bytes.is_empty() {
        let Some((header, rest)) = bytes.split_at_checked(BLOCK) else { return Err(cut_off()) };
        if header.iter().all(|byte| *byte == 0) {
            return Ok(all);
        }
        let sum = octal(&header[148..156]);
        if sum != Some(checksum(header)) {
            return Err(
                "this is no tar archive; make one by `tar -cf items.tar folder`, without compression".to_owned()
            );
        }
        let size = octal(&header[124..136]).and_then(|size| usize::try_from(size).ok()).ok_or_else(cut_off)?;
        let (body, after) = rest.split_at_checked(size).ok_or_else(cut_off)?;
        match header[156] {
            b'L' => noted = Some(text(body)),
            b'x' => noted = path_in(body)?.or(noted),
            // What is noted of all files, and the target of a link, which follows.
            b'g' | b'K' => {}
            kind => {
                let name = noted.take().unwrap_or_else(|| name_in(header));
                match kind {
                    b'0' | 0 => all.push((name, body)),
                    b'5' => {}
                    _ => {
                        return Err(format!("{name} is neither a file nor a folder; put files alone into the archive"));
                    }
                }
            }
        }
        let padding = size.next_multiple_of(BLOCK) - size;
        bytes = after.get(padding..).unwrap_or_default();
    }
    Ok(all)
}

/// The name in a header, with what POSIX puts before it where it is long. GNU keeps other things in that place.
fn name_in(header: &[u8]) -> String {
    let name = text(&header[..100]);
    match &header[257..263] == b"ustar\0" && header[345] != 0 {
        true => format!("{}/{name}", text(&header[345..500])),
        false => name,
    }
}

/// The path that a POSIX note (`LENGTH KEY=VALUE` and a new line, one after the other) says of the next file, if it does.
fn path_in(mut note: &[u8]) -> Result<Option<String>, String> {
    let mut path = None;
    while !note.is_empty() {
        let blank = note.iter().position(|byte| *byte == b' ').ok_or_else(cut_off)?;
        let length = std::str::from_utf8(&note[..blank]).ok().and_then(|digits| digits.parse().ok());
        let record = length.and_then(|length: usize| note.get(blank + 1..length)).ok_or_else(cut_off)?;
        if let Some(value) = record.strip_prefix(b"path=") {
            path = Some(text(value.strip_suffix(b"\n").unwrap_or(value)));
        }
        note = &note[blank + 1 + record.len()..];
    }
    Ok(path)
}

fn cut_off() -> String {
    "the archive is cut off; make and send it again".to_owned()
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = text(field);
    u64::from_str_radix(text.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_as_they_were() {
        let large = vec![7; 1025];
        let parts: [(&str, &[u8]); 3] = [("entries/a.md", b"one"), ("b.md", b""), ("c.md", &large)];
        let mut archive: Vec<u8> = parts.iter().flat_map(|(name, bytes)| file(name, bytes, 1_700_000_000)).collect();
        archive.extend(END);
        assert_eq!(archive.len() % BLOCK, 0);
        let found = files(&archive).unwrap();
        assert_eq!(found, parts.map(|(name, bytes)| (name.to_owned(), bytes)));
    }

    /// A part of an archive of this kind.
    fn part(kind: u8, name: &str, bytes: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut part = file(name, bytes, 0);
        part[156] = kind;
        change(&mut part[..BLOCK]);
        let sum = format!("{:06o}\0 ", checksum(&part[..BLOCK]));
        part[148..156].copy_from_slice(sum.as_bytes());
        part
    }

    #[test]
    fn long_names_come_whole_as_each_archiver_writes_them() {
        let long = format!("knowledge-export-2026/learnings/{}.md", "a-rather-long-title-".repeat(6));
        let cut = &long[..100];
        let gnu = |header: &mut [u8]| {
            header[257..265].copy_from_slice(b"ustar  \0");
            // The time of the last access stands where POSIX has the first part of a name.
            header[345..357].copy_from_slice(b"14712345670\0");
        };
        let mut archive = part(b'L', "././@LongLink", format!("{long}\0").as_bytes(), gnu);
        archive.extend(part(b'0', cut, b"gnu", gnu));
        archive.extend(part(b'0', "short.md", b"gnu", gnu));
        let length = " path=\n".len() + long.len() + 3;
        let note = format!("20 mtime=1700000000\n{length} path={long}\n");
        archive.extend(part(b'g', "pax_global_header", b"19 comment=nothing\n", |_| ()));
        archive.extend(part(b'x', "PaxHeaders/x", note.as_bytes(), |_| ()));
        archive.extend(part(b'0', cut, b"pax", |_| ()));
        archive.extend(part(b'x', "PaxHeaders/y", b"20 mtime=1700000000\n", |_| ()));
        archive.extend(part(b'0', "plain.md", b"pax", |_| ()));
        archive.extend(part(b'5', "folder/", b"", |_| ()));
        archive.extend(part(b'0', "b.md", b"posix", |header| header[345..350].copy_from_slice(b"the/a")));
        let names: Vec<String> = files(&archive).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [long.as_str(), "short.md", long.as_str(), "plain.md", "the/a/b.md"]);
        for broken in [&b"no number\n"[..], b"99 path=x\n", b"0 path=x\n", b"path", b"3 path=x\n"] {
            let problem = files(&part(b'x', "x", broken, |_| ())).unwrap_err();
            assert!(problem.contains("cut off"), "{problem}");
        }
    }

    #[test]
    fn what_is_no_archive_of_files_is_refused() {
        assert!(files(&[1; 512]).unwrap_err().contains("no tar"));
        assert!(files(&[1; 100]).unwrap_err().contains("cut off"));
        let mut archive = file("a", &[1; 600], 0);
        archive.truncate(700);
        assert!(files(&archive).unwrap_err().contains("cut off"));
        assert!(files(&part(b'2', "a", b"", |_| ())).unwrap_err().contains("neither"));
        // One that says that it is larger than everything.
        let huge = part(b'0', "a", b"", |header| header[124..136].copy_from_slice(b"77777777777\0"));
        assert!(files(&huge).unwrap_err().contains("cut off"));
    }
}
