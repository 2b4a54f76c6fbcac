//! Files on cards and in chats: images that the model sees, and texts that it reads.

use guildhall_store::NewFile;
use guildhall_types::feature::Attachment;
use guildhall_types::image::{self, SIDE, dimensions, image_type};
use guildhall_types::{FeatureId, MemberId};

use crate::{Team, TeamError};

/// Bytes that a file may have.
pub const LARGEST: usize = 5 * 1024 * 1024;
/// Files that a card may have.
pub(crate) const MOST: usize = 20;
/// Files that may come with one message, and bytes of them: so many fit into a call beside those of earlier messages.
const IN_MESSAGE: usize = 8;
const BYTES_IN_MESSAGE: usize = 10 * 1024 * 1024;
/// Files that a chat may have.
const IN_CHAT: i64 = 100;
const NAME: usize = 200;

/// A file as it came, with a name that nobody has looked at.
#[derive(Clone, PartialEq, Eq)]
pub struct SentFile {
    /// Its name.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for SentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SentFile").field("name", &self.name).field("size", &self.bytes.len()).finish()
    }
}

impl Team {
    /// Puts a member's file on a card. What it is, its bytes say, not its name.
    ///
    /// # Errors
    /// [`TeamError::Invalid`] when it is too large, neither an image nor a text, or one too many.
    pub async fn add_attachment(
        &self,
        member: MemberId,
        feature: FeatureId,
        sent: SentFile,
    ) -> Result<Attachment, TeamError> {
        let media_type = admitted(&sent.bytes).map_err(|why| TeamError::invalid("file", why))?;
        if self.store.attachments(feature).await?.len() >= MOST {
            return Err(TeamError::invalid("file", "a card may have at most 20 files"));
        }
        let file = NewFile { name: plain_name(&sent.name), media_type: media_type.to_owned(), bytes: sent.bytes };
        Ok(self.store.add_attachment(feature, member, &file).await?)
    }

    /// The files of a message in a chat, looked at as those of cards are; `chat` is the one that there is already.
    pub(crate) async fn message_files(
        &self,
        chat: Option<FeatureId>,
        sent: Vec<SentFile>,
    ) -> Result<Vec<NewFile>, TeamError> {
        let files = new_files(sent)?;
        if let Some(chat) = chat.filter(|_| !files.is_empty()) {
            let there = self.store.count_chat_files(chat).await?;
            if there + i64::try_from(files.len()).unwrap_or(i64::MAX) > IN_CHAT {
                return Err(TeamError::invalid("files", "a chat may have at most 100 files; begin another one"));
            }
        }
        Ok(files)
    }
}

fn new_files(sent: Vec<SentFile>) -> Result<Vec<NewFile>, TeamError> {
    let refused = |why: String| TeamError::invalid("files", why);
    if sent.len() > IN_MESSAGE {
        return Err(refused(format!("at most {IN_MESSAGE} files may come with a message")));
    }
    if sent.iter().map(|file| file.bytes.len()).sum::<usize>() > BYTES_IN_MESSAGE {
        return Err(refused("the files of a message may have at most 10 MiB together".to_owned()));
    }
    let looked_at = sent.into_iter().map(|file| {
        let name = plain_name(&file.name);
        let media_type = admitted(&file.bytes).map_err(|why| refused(format!("{name}: {why}")))?;
        Ok::<_, TeamError>(NewFile { name, media_type: media_type.to_owned(), bytes: file.bytes })
    });
    looked_at.collect()
}

/// What a file is, or why it cannot be taken.
pub(crate) fn admitted(bytes: &[u8]) -> Result<&'static str, &'static str> {
    if bytes.len() > LARGEST {
        return Err("a file may have at most 5 MiB");
    }
    let media_type = media_type(bytes).ok_or("only PNG, JPEG, GIF and WebP images and UTF-8 text can be attached")?;
    if media_type.starts_with("image/") {
        if bytes.len() > image::LARGEST {
            return Err("an image may have at most 3.75 MiB: not every provider takes larger ones");
        }
        if dimensions(bytes).is_some_and(|(width, height)| width > SIDE || height > SIDE) {
            return Err("an image may be at most 8,000 pixels wide and high: not every provider takes larger ones");
        }
    }
    Ok(media_type)
}

pub(crate) fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [] => None,
        _ => image_type(bytes).or_else(|| {
            let is_text = std::str::from_utf8(bytes).is_ok_and(|text| !text.contains('\0'));
            is_text.then_some("text/plain")
        }),
    }
}

/// The last part of a name, without what could fool a header or a file system.
pub(crate) fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control() && *c != '"').take(NAME).collect();
    match plain.trim_matches(['.', ' ']) {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_a_file_is() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(media_type("über".as_bytes()), Some("text/plain"));
        assert_eq!(media_type(b"\xff\xfe\x00"), None);
        assert_eq!(media_type(b"a\0b"), None);
        assert_eq!(media_type(b""), None);
    }

    #[test]
    fn files_of_a_message_are_bounded_one_by_one_and_together() {
        let file = |bytes: Vec<u8>| SentFile { name: "../a.txt".to_owned(), bytes };
        let said = |sent: Vec<SentFile>| new_files(sent).unwrap_err().to_string();
        let kept = new_files(vec![file(b"one".to_vec()), file(vec![b'a'; LARGEST])]).unwrap();
        assert_eq!((kept[0].name.as_str(), kept[1].media_type.as_str()), ("a.txt", "text/plain"));
        assert!(said(vec![file(vec![b'a']); IN_MESSAGE + 1]).contains("at most 8 files"));
        assert!(said(vec![file(vec![b'a'; LARGEST]); 3]).contains("10 MiB together"));
        assert!(said(vec![file(vec![b'a'; LARGEST + 1])]).contains("a.txt: a file may have at most 5 MiB"));
        assert!(said(vec![file(b"\0".to_vec())]).contains("UTF-8 text"));
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x1f\x41\0\0\0\x01".to_vec();
        assert!(said(vec![file(png.clone())]).contains("8,000 pixels"));
        png[19] = 0x40;
        assert_eq!(new_files(vec![file(png.clone())]).unwrap()[0].media_type, "image/png");
        png.resize(image::LARGEST + 1, 0);
        assert!(said(vec![file(png)]).contains("3.75 MiB"));
    }

    #[test]
    fn names_are_made_harmless() {
        assert_eq!(plain_name("../../etc/passwd"), "passwd");
        assert_eq!(plain_name("C:\\x\\a \"b\".png\r\n"), "a b.png");
        assert_eq!(plain_name(".."), "file");
    }
}
