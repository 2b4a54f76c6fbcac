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

/// The regular files of an archive, with their names; folders and notes of the archiver are passed over.
///
/// # Errors
/// A sentence that says what is wrong: it is no archive, it is cut off, it holds links or devices, or too many files.
pub(super) fn files(mut bytes: &[u8], most: usize) -> Result<Vec<(String, &[u8])>, String> {
    let mut all = Vec::new();
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
        let name = text(&header[..100]);
        match header[156] {
            b'0' | 0 => {
                if all.len() == most {
                    return Err(format!("there are more than {most} files in it; import them in parts"));
                }
                let prefix = text(&header[345..500]);
                all.push((if prefix.is_empty() { name } else { format!("{prefix}/{name}") }, body));
            }
            // A folder, and what archivers note of the next file or of all.
            b'5' | b'x' | b'g' | b'L' => {}
            _ => return Err(format!("{name} is neither a file nor a folder; put files alone into the archive")),
        }
        let padding = size.next_multiple_of(BLOCK) - size;
        bytes = after.get(padding..).unwrap_or_default();
    }
    Ok(all)
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
        let found = files(&archive, 3).unwrap();
        assert_eq!(found, parts.map(|(name, bytes)| (name.to_owned(), bytes)));
        assert!(files(&archive, 2).unwrap_err().contains("more than 2"));
    }

    #[test]
    fn what_is_no_archive_of_files_is_refused() {
        assert!(files(&[1; 512], 9).unwrap_err().contains("no tar"));
        assert!(files(&[1; 100], 9).unwrap_err().contains("cut off"));
        let mut archive = file("a", &[1; 600], 0);
        archive.truncate(700);
        assert!(files(&archive, 9).unwrap_err().contains("cut off"));
        let mut link = file("a", b"", 0);
        link[156] = b'2';
        let sum = format!("{:06o}\0 ", checksum(&link[..BLOCK]));
        link[148..156].copy_from_slice(sum.as_bytes());
        assert!(files(&link, 9).unwrap_err().contains("neither"));
        // One that says that it is larger than everything.
        let mut huge = file("a", b"", 0);
        huge[124..136].copy_from_slice(b"77777777777\0");
        let sum = format!("{:06o}\0 ", checksum(&huge[..BLOCK]));
        huge[148..156].copy_from_slice(sum.as_bytes());
        assert!(files(&huge, 9).unwrap_err().contains("cut off"));
    }
}
